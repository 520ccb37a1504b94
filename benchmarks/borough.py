"""The synthetic borough for benchmarks: its records as linkage reads them, or a whole hub with everything linked."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.sending import new_key, pack
from hub.demo.cast import DEPARTMENTS
from hub.linkage.prepare import RECORDS
from hub_schemas import library
from hub_schemas.delivery import ROW_NUMBER

if TYPE_CHECKING:
    from hub.demo.borough import BoroughSummary
    from hub.identity.principal import Principal
    from hub.workflows.hub import Hub
    from hub_schemas import Contract

__all__ = ["LinkedHub", "linked_hub", "records_of"]

_AGREEMENTS = ("link-people", "troubled-families")
_SEED = 2026


@dataclass(frozen=True)
class LinkedHub:
    """A hub in a folder with the borough's six departments delivered, checked and linked.

    `user` is a service user; `agreement` the one under which they may look at people.
    """

    hub: Hub
    borough: BoroughSummary
    user: Principal
    agreement: str


def records_of(borough: BoroughSummary) -> pa.Table:
    """RECORDS of every dataset whose contract names people: what a hub would read of the rows it accepts.

    `record_key` is `<dataset>:<row number>`, so that the truth can be laid beside it.
    """
    tables = []
    for name in borough.rows:
        contract = library.load(name)
        roles = {column.linkage_role: column.name for column in contract.columns if column.linkage_role}
        if "surname" in roles:
            tables.append(_records(contract, borough.path(name), roles))
    return pa.concat_tables(tables)


def _records(contract: Contract, path: Path, roles: dict[str, str]) -> pa.Table:
    import polars as pl

    from hub_schemas import Checker

    accepted = Checker(contract).check_text(pl.read_csv(path, infer_schema=False)).accepted
    somebody: Any = pa.array([False] * accepted.num_rows)
    for role in ("surname", "nhs_number", "nino", "upn"):
        if role in roles:
            somebody = pc.or_(somebody, pc.is_valid(accepted[roles[role]]))
    rows = accepted.filter(somebody)
    numbers = rows[ROW_NUMBER]
    columns: dict[str, Any] = {
        "record_key": pc.binary_join_element_wise(f"{contract.id}:", numbers.cast(pa.string()), ""),
        "dataset": pa.array([contract.id] * len(rows)),
        "version_id": pa.array(["v1"] * len(rows)),
        ROW_NUMBER: numbers,
    }
    for field in RECORDS:
        source = contract.coverage_column if field.name == "as_at" else roles.get(field.name)
        if field.name not in columns:
            columns[field.name] = rows[source].cast(field.type) if source else pa.nulls(len(rows), field.type)
    return pa.table(columns).select(RECORDS.names).cast(RECORDS)


def linked_hub(folder: Path, people: int) -> LinkedHub:
    """Make a hub, let every department push, put the agreements into force, and let the worker do its work."""
    from hub.app import init_hub
    from hub.config import load_settings
    from hub.demo.borough import generate
    from hub.workflows import enrolling
    from hub.workflows.hub import today
    from hub.workflows.work import drain

    hub = init_hub(
        load_settings(
            folder / "hub", environ={}, public_url="http://127.0.0.1", two_person_registration=False
        )
    )
    operator = _person(hub, "hub", "operator")
    borough = generate(folder / "borough", people=people, seed=_SEED, today=today(hub))
    for department in DEPARTMENTS:
        enrolling.add_organisation(hub, operator, department.slug, department.name)
        _push_all(hub, operator, department.slug, department.contracts, borough, folder / "sent")
    for name in _AGREEMENTS:
        _agree(hub, name)
    drain(hub)
    return LinkedHub(hub, borough, _person(hub, "wexbourne-children", "service user"), "troubled-families")


def _push_all(
    hub: Hub,
    operator: Principal,
    slug: str,
    contracts: tuple[str, ...],
    borough: BoroughSummary,
    folder: Path,
) -> None:
    """One connector enrols and delivers its datasets, over the hub's own functions instead of HTTP."""
    from hub.identity.principal import Principal
    from hub.workflows import contracting, enrolling, publish

    key = new_key()
    public = key.public_jwk()
    client, home = enrolling.enrol(hub, enrolling.invite_connector(hub, operator, slug), slug, public)
    connector = Principal("client", client, slug, home.id, slug, frozenset({"connector"}))
    for name in contracts:
        contract = library.load(name)
        contracting.put_dataset(hub, connector, name, contract.text)
        package = pack(contract, borough.path(name), folder, hub.keyring, client, key)
        delivery, missing, _ = publish.offer(hub, connector, package.manifest, package.signature)
        for role, part in missing:
            data = package.part(role, part)
            publish.take_part(hub, connector, delivery.id, role, part, data, _digest(data))
        publish.complete(hub, connector, delivery.id)


def _digest(data: bytes) -> str:
    import base64
    import hashlib

    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def _agree(hub: Hub, name: str) -> None:
    """Drafted by one data steward, approved by another, signed by every party with a key made for it."""
    import base64

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from hub.cli.base import operator
    from hub.policy.statement import sign
    from hub.workflows import agreeing, signing

    first, second = (_person(hub, "hub", "data steward", str(number)) for number in (1, 2))
    text = files("hub.demo").joinpath(f"agreements/{name}.yaml").read_text(encoding="utf-8")
    agreement = agreeing.draft(hub, first, text)
    agreeing.change(hub, first, agreement.id, "submit")
    agreeing.change(hub, second, agreement.id, "approve")
    for slug in agreeing.standing(hub, first, agreement.id).missing:
        key = Ed25519PrivateKey.generate()
        signing.add_key(hub, operator(), slug, base64.b64encode(key.public_key().public_bytes_raw()).decode())
        said = signing.statement(hub, first, agreement.id, slug, "a benchmark").text
        signing.sign(hub, first, agreement.id, slug, "a benchmark", sign(said, key.private_bytes_raw()))


def _person(hub: Hub, slug: str, role: str, number: str = "") -> Principal:
    from hub.identity import store as identities
    from hub.identity.principal import Principal

    with hub.database.read() as session:
        home = identities.find_organisation(session, slug)
    return Principal("person", f"bench-{role}{number}", role, home.id, slug, frozenset({role}))
