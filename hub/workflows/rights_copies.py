"""The copy of everything the hub holds about a person: made in memory, encrypted at rest, given by an officer.

What is in it: the rows about the person of every version that is still there, with their source and dates; what the
hub itself worked out of them (the people table); results about the person; and who used their data. What is not:
columns that a contract marks as being about others, columns that the officer leaves out, results about a whole
household of several people, and whatever was never put to the person.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.orm import Session

from hub.catalogue import store as catalogue
from hub.catalogue.store import Version
from hub.errors import Conflict, Invalid, NotFound
from hub.identity import store as identities
from hub.identity.principal import Principal
from hub.policy.decide import Grant
from hub.policy.roles import Permission
from hub.rights import corrections
from hub.rights.corrections import Copy
from hub.rights.packing import as_json, as_zip
from hub.rights.states import RequestKind, RequestState
from hub.storage.ids import new_id
from hub.workflows.downloads import csv_text
from hub.workflows.hub import Hub, authorise, note
from hub.workflows.linking import PEOPLE_CONTRACT
from hub.workflows.rights import destroy_copies, noted, own_request
from hub.workflows.rights_people import History, history, own_row, unseal
from hub.workflows.rights_results import results_about
from hub.workflows.rights_uses import collect
from hub_schemas import Contract, library
from hub_schemas.delivery import ROW_NUMBER

__all__ = ["Part", "contents", "fetch", "make_copy", "open_copy", "tidy"]

_WHY = "a person's right of access"
_FOLDER = "rights"
_READ_ME = """\
This is a copy of the data about you in {hub}, made on {day}.

data.json      everything, for computer programs
rows/          the rows that services sent about you, one table for each; open them with a spreadsheet program
               first_held and last_held say in which versions of the service's data a row stood
people.csv     what the hub put together from these rows: it is worked out, and it can be wrong
results.json   what computer programs worked out about you
uses.csv       who used data about you, and why
contents.csv   what is in this copy, and what was left out

Things about other people were left out. Rows that a service sent with mistakes, so that they were refused, are not in
here: nobody uses them. If something is wrong, ask us to have it put right.
"""


@dataclass(frozen=True)
class Part:
    """One table of a copy, in words for the officer who looks at it: rows, columns, and columns that were left out."""

    dataset: str
    title: str
    organisation: str
    rows: int
    columns: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(repr=False)
class _Found:
    """What was found in the versions of one dataset: each different row once, with where it stood."""

    contract: Contract
    organisation: str
    columns: list[str]
    left_out: list[str]
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, rows: Sequence[dict[str, Any]], version: Version) -> None:
        """Rows of one version, newer versions first."""
        for row in rows:
            key = json.dumps(row, default=str, sort_keys=True)
            stand = f"version {version.number} of {version.accepted_at.date()}"
            known = self.rows.setdefault(key, {"first_held": stand, "last_held": stand} | row)
            known["first_held"] = stand


def make_copy(hub: Hub, principal: Principal, request_id: str, leave_out: Collection[str] = ()) -> Copy:
    """Make the copy for a request, in place of one that was made before. `leave_out` are columns as contract:column.

    Raises:
        Conflict: when the request is not in hand, or asks for something else.
        Invalid: when a column to leave out is none.
    """
    authorise(principal, Permission.HANDLE_RIGHTS)
    _check_left_out(leave_out)
    with hub.database.read() as session:
        request = own_request(session, principal, request_id)
        if request.kind is not RequestKind.ACCESS or request.state is not RequestState.IN_HAND:
            raise Conflict(
                f"A copy is made for a request for access that is in hand; this one is {request.state}."
            )
        found = history(hub, session, unseal(hub, request.person))
        files, parts, sources = _collect(hub, session, found, frozenset(leave_out))
    data = as_zip(files, hub.clock())
    owner = hub.vault.new_owner(new_id("cpy"))
    copy = Copy(
        request_id, owner.owner, f"{_FOLDER}/{owner.owner}/copy", tuple(sorted(sources)),
        hub.vault.seal_text(json.dumps([asdict(part) for part in parts])), len(data), hub.clock(),
        principal.reference, None, hub.clock() + timedelta(days=hub.settings.rights_copy_days), None,
    )  # fmt: skip
    hub.vault.write_blob(owner, copy.object_key, copy.binding, data)
    with hub.database.write() as session:
        own_request(session, principal, request_id)
        old = destroy_copies(hub, session, [corrections.copy_of(session, request_id)])
        hub.vault.register(session, owner, [])
        corrections.keep_copy(session, copy)
        noted(session, principal, request, "rights.copy-made", left_out=sorted(leave_out), tables=len(parts))
    for object_key in old:
        hub.objects.delete(object_key)
    return copy


def _check_left_out(leave_out: Collection[str]) -> None:
    wrong = [name for name in leave_out if name.count(":") != 1 or len(name) > 300]
    if wrong:
        raise Invalid(
            "Name columns to leave out as contract:column, for example housing.tenancies:address.",
            fields={"leave_out": ["not contract:column"]},
        )


def contents(hub: Hub, copy: Copy) -> list[Part]:
    """What is in a copy; nothing once it is destroyed."""
    if copy.destroyed_at is not None:
        return []
    return [
        Part(**(part | {name: tuple(part[name]) for name in ("columns", "left_out")}))
        for part in json.loads(hub.vault.open_text(copy.contents))
    ]


def fetch(hub: Hub, principal: Principal, request_id: str) -> bytes:
    """The copy as a zip file, for the officer who has to look at it before it is given; that is noted.

    Raises:
        NotFound: when there is none (any more).
    """
    authorise(principal, Permission.HANDLE_RIGHTS)
    with hub.database.write() as session:
        request = own_request(session, principal, request_id)
        data = open_copy(hub, session, corrections.copy_of(session, request_id))
        noted(session, principal, request, "rights.copy-checked")
    return data


def open_copy(hub: Hub, session: Session, copy: Copy | None) -> bytes:
    """A copy, decrypted in memory.

    Raises:
        NotFound: when there is none, its time is over, or a backup came back without it.
    """
    if copy is None or copy.destroyed_at is not None:
        raise NotFound("There is no copy (any more). It can be made again.")
    if hub.objects.size(copy.object_key) is None:
        raise NotFound("The copy is not there: backups do not hold copies. It can be made again.")
    return hub.vault.read_blob(session, copy.owner, copy.object_key, copy.binding)


def tidy(hub: Hub) -> int:
    """Destroy copies whose time is over, and remove what work that broke off left behind; how many were destroyed."""
    from hub.identity.principal import system

    with hub.database.write() as session:
        old = corrections.old_copies(session, hub.clock())
        gone = destroy_copies(hub, session, list(old))
        for copy in old:
            note(session, system("retention"), "rights.copy-destroyed", copy.request_id)
    known = set()
    for key in hub.objects.list(_FOLDER, before=hub.clock() - timedelta(days=1)):
        with hub.database.read() as session:
            if not corrections.is_kept(session, key):
                known.add(key)
    for key in {*gone, *known}:
        hub.objects.delete(key)
    return len(gone)


# --- what is in it


def _collect(
    hub: Hub, session: Session, found: History, leave_out: frozenset[str]
) -> tuple[dict[str, bytes], list[Part], set[str]]:
    tables = _rows(hub, session, found, leave_out)
    own = own_row(hub, session, found.ids)
    results, of_results = results_about(hub, session, found)
    used = [
        {
            "when": use.at.isoformat(timespec="minutes"), "what": use.said, "organisation": use.organisation,
            "job": use.job, "why": use.purpose, "agreement": use.agreement, "about": use.what,
        }
        for use in collect(hub, session, found)
    ]  # fmt: skip
    parts = [
        Part(
            name,
            item.contract.title,
            item.organisation,
            len(item.rows),
            tuple(item.columns),
            tuple(item.left_out),
        )
        for name, item in tables.items()
    ]
    everything = {
        "hub": hub.settings.name, "made_at": hub.clock().isoformat(timespec="seconds"),
        "tables": [_described(name, item) for name, item in tables.items()],
        "people": own, "results": results, "uses": used,
    }  # fmt: skip
    files = {"README.txt": _READ_ME.format(hub=hub.settings.name, day=hub.clock().date()).encode()}
    files |= {"data.json": as_json(everything), "results.json": as_json(results)}
    for name, item in tables.items():
        files[f"rows/{name}.csv"] = _csv(list(item.rows.values()), ["first_held", "last_held", *item.columns])
    files["people.csv"] = _csv(own, [column.name for column in library.load(PEOPLE_CONTRACT).columns])
    files["uses.csv"] = _csv(used, ["when", "what", "organisation", "job", "why", "agreement", "about"])
    files["contents.csv"] = _csv(
        [
            asdict(part) | {"columns": " ".join(part.columns), "left_out": " ".join(part.left_out)}
            for part in parts
        ],
        ["dataset", "title", "organisation", "rows", "columns", "left_out"],
    )
    return files, parts, {*found.rows, *found.linkings, *found.people, *of_results}


def _described(name: str, item: _Found) -> dict[str, Any]:
    described = {
        column.name: column.description for column in item.contract.columns if column.name in item.columns
    }
    return {
        "dataset": name, "title": item.contract.title, "source": item.organisation,
        "what_it_is_for": item.contract.description, "columns": described, "left_out": item.left_out,
        "rows": list(item.rows.values()),
    }  # fmt: skip


def _csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> bytes:
    """Rows as CSV; every value as text, so that identifiers keep their noughts."""
    table = pa.table(
        {
            name: pa.array([None if row.get(name) is None else _text(row[name]) for row in rows], pa.string())
            for name in columns
        }
    )
    return csv_text(table).encode("utf-8-sig")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _rows(hub: Hub, session: Session, found: History, leave_out: frozenset[str]) -> dict[str, _Found]:
    """The rows about the person in every version that is still there, newest version first."""
    homes = {item.id: item for item in identities.list_organisations(session)}
    versions = catalogue.versions_by_id(session, sorted(found.rows))
    tables: dict[str, _Found] = {}
    for version in sorted(versions.values(), key=lambda item: (item.dataset_id, -item.number)):
        dataset = catalogue.dataset(session, version.dataset_id)
        contract = catalogue.contract_by_digest(session, version.contract_digest)
        home = homes[dataset.organisation_id]
        without = [
            column.name
            for column in contract.columns
            if column.about_others or f"{contract.id}:{column.name}" in leave_out
        ]
        columns = [column.name for column in contract.columns if column.name not in without]
        name = f"{home.slug}-{contract.id}"
        item = tables.setdefault(name, _Found(contract, home.name, [], []))
        item.columns += [column for column in columns if column not in item.columns]
        item.left_out += [column for column in without if column not in item.left_out]
        try:
            item.add(_read(hub, session, version, contract, columns, found.rows[version.id]), version)
        except NotFound:
            continue  # destroyed
    return {name: item for name, item in tables.items() if item.rows}


def _read(
    hub: Hub, session: Session, version: Version, contract: Contract, columns: list[str], rows: set[int]
) -> list[dict[str, Any]]:
    grant = Grant(contract.id, frozenset(columns), "", _WHY)
    file = hub.vault.locate(session, version.object_key, version.binding)
    wanted, mine = pa.array(sorted(rows), pa.int64()), []
    for batch in hub.vault.batches(file, [ROW_NUMBER, *columns], grant):
        mine += batch.filter(pc.is_in(batch[ROW_NUMBER], wanted)).select(columns).to_pylist()
    return mine
