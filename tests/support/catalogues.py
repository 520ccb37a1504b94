"""Catalogues for tests: hubs with many datasets, made quickly, and checkers of the two profiles."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import event, insert

from hub.catalogue import store as catalogue
from hub.catalogue.described import describe
from hub.catalogue.entries import Entry
from hub.catalogue.linked.subject import Subject
from hub.catalogue.record import Record
from hub.catalogue.store import Dataset, Version
from hub.catalogue.tables import DatasetRow, EntryRow, VersionRow
from hub.identity import store as identities
from hub.storage.database import utc_now
from hub.workflows.hub import Hub
from hub_schemas import Contract, library
from support.contracts import variant

DOMAINS = ("health", "housing", "police", "schools")
_NO_SPACE = re.compile(r"[^\s<>\"{}|\\^`]+")
KINDS = ("open", "official", "personal", "special-category")

NOW = datetime(2026, 3, 2, 9, 5, tzinfo=UTC)
FULL = Record(
    summary="Who was where", keywords=("truancy", "sgôl"), contact_name="Data team",
    contact_email="data@schools.example",
    licence="https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/", themes=("EDUC", "SOCI"),
    frequency="termly", spatial=("https://sws.geonames.org/6269131/",), language="cy", access="conditional",
    classification="not applicable", govuk_organisation="department-for-education",
)  # fmt: skip


def subject(name: str, record: Record | None = None, publisher: str = "Wexbourne", **more: Any) -> Subject:
    """A dataset under one of the library's contracts, as a profile is told of it."""
    contract = library.load(name)
    record = record or Record()
    dataset = Dataset(f"dat_{name}", "o", contract.id, contract.digest, contract.title, NOW, "v")
    known = describe(contract, record, publisher)
    entry = Entry(dataset.id, contract.domain, "personal", record.frequency, known, record)
    version = Version("v", dataset.id, 3, contract.digest, "k", "d", 7, NOW, "2025-09-01", "2026-01-05")
    rest = {
        "version": version,
        "contact": "hub@wexbourne.example",
        "govuk_organisation": "home-office",
    } | more
    return Subject(dataset, entry, slug="wexbourne", publisher=publisher, **rest)


def publish(
    hub: Hub, slug: str, contract: Contract, *, visibility: str = "listed", name: str = ""
) -> Dataset:
    """A dataset of an organisation (made when it is not there), with no version yet."""
    with hub.database.write() as session:
        known = {item.slug: item for item in identities.list_organisations(session)}
        home = known.get(slug) or identities.add_organisation(session, slug, name or slug)
        catalogue.add_contract(session, contract.text)
        dataset, _ = catalogue.put_dataset(session, home.id, contract)
        row = session.get(DatasetRow, dataset.id)
        assert row is not None
        row.visibility = visibility
    return dataset


def named(contract_id: str, title: str = "", **more: Any) -> Contract:
    """A contract of one's own, made from one of the library's."""
    base = library.load("police.establishment")
    return variant(
        base, id=contract_id, edit=lambda document: document.update({"name": title or contract_id} | more)
    )


def fill(
    hub: Hub, number: int, *, organisations: int = 5, now: datetime | None = None, start: int = 0
) -> None:
    """So many datasets of so many organisations, of every kind, put into the tables as they would be.

    `start` are there already.
    """
    now = now or utc_now()
    contract = library.load("police.establishment")
    with hub.database.write() as session:
        catalogue.add_contract(session, contract.text)
        homes = [
            identities.add_organisation(session, f"body-{place}", f"Body {place}")
            for place in range(organisations)
        ]
        datasets, entries, versions = [], [], []
        for place in range(start, number):
            home, ident = homes[place % organisations], f"dat_{place:026d}"
            current = f"ver_{place:026d}" if place % 3 else None
            datasets.append(
                {
                    "id": ident, "organisation_id": home.id, "contract": f"made.set_{place}", "title": f"Set {place}",
                    "contract_digest": contract.digest, "created_at": now - timedelta(days=400),
                    "current_version": current, "visibility": "private" if place % 7 == 6 else "listed",
                }
            )  # fmt: skip
            entries.append(
                {
                    "dataset_id": ident, "form": 1, "words": f" set {place} body w{place % 11} ",
                    "title_key": f"set {place % 50}", "publisher_key": f"body {place % organisations}",
                    "domain": DOMAINS[place % 4], "sensitivity": KINDS[place % 4 if place % 5 else 0],
                    "frequency": ("", "daily", "monthly", "once")[place % 4], "described": "{}", "record": "{}",
                    "changed_at": now,
                }
            )  # fmt: skip
            if current:
                versions.append(
                    {
                        "id": current, "dataset_id": ident, "number": 1, "contract_digest": contract.digest,
                        "object_key": "k", "origin": "x", "rows": place,
                        "accepted_at": now - timedelta(days=place % 60),
                        "period_start": None, "period_end": None,
                    }
                )  # fmt: skip
        for table, rows in ((DatasetRow, datasets), (EntryRow, entries), (VersionRow, versions)):
            if rows:
                session.execute(insert(table), rows)


@contextmanager
def counted(hub: Hub) -> Iterator[list[str]]:
    """The statements that are sent to the database meanwhile."""
    sent: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(hub.database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(hub.database.engine, "before_cursor_execute", note)


# --- the UK model, as its own LinkML says


@cache
def model_of(folder: Path) -> tuple[dict[str, Any], dict[str, set[str]], frozenset[str]]:
    """The model's document, what its enumerations permit, and its prefixes."""
    model, others = (
        yaml.load((folder / name).read_text(encoding="utf-8"), yaml.CSafeLoader)
        for name in ("uk_cross_government_metadata_exchange_model.yaml", "uk-gov-orgs.yaml")
    )
    enums = {
        name: set(item["permissible_values"]) for name, item in (model["enums"] | others["enums"]).items()
    }
    return model, enums, frozenset(model["prefixes"])


def _slots(model: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """The slots of a class and of those it is made from, as the class uses them."""
    line = [kind]
    while parent := model["classes"][line[-1]].get("is_a"):
        line.append(parent)
    found: dict[str, dict[str, Any]] = {}
    for cls in (model["classes"][name] for name in reversed(line)):
        for slot in cls.get("slots", ()):
            found[slot] = dict(model["slots"][slot])
        for slot, usage in (cls.get("slot_usage") or {}).items():
            found[slot] |= usage
    return found


def uk_problems(test_data: Path, kind: str, record: dict[str, Any]) -> list[str]:
    """What the UK model has against a record of one of its classes; nothing when it conforms.

    The part of LinkML that the model uses: required, multivalued, ranges, patterns, least values, `any_of`, classes
    with inherited slots, no slots beyond those (https://linkml.io/linkml/schemas/constraints.html).
    """
    model, enums, _ = model_of(test_data / "ukgov_metadata" / "src" / "model")
    slots = _slots(model, kind)
    found = [f"{name}: not in the model" for name in record if name not in slots]
    for name, slot in slots.items():
        if name not in record:
            if slot.get("required"):
                found.append(f"{name}: missing")
            continue
        value = record[name]
        if bool(slot.get("multivalued")) != isinstance(value, list):
            found.append(f"{name}: one or many")
            continue
        for item in value if isinstance(value, list) else [value]:
            found += [f"{name}: {why}" for why in _value_problems(test_data, slot, item, enums)]
    if record.get("type") not in (None, f"dcat:{kind}", f"http://www.w3.org/ns/dcat#{kind}"):
        found.append(f"type: {record['type']} is no dcat:{kind}")
    return found


def _value_problems(
    test_data: Path, slot: dict[str, Any], value: Any, enums: dict[str, set[str]]
) -> list[str]:
    if "any_of" in slot:
        each = [_value_problems(test_data, option, value, enums) for option in slot["any_of"]]
        return [] if any(not item for item in each) else each[0]
    kind = slot.get("range", "string")
    if kind == "ContactPoint":
        return uk_problems(test_data, kind, value) if isinstance(value, dict) else ["is no contact"]
    fits = {
        "integer": lambda: isinstance(value, int) and value >= slot.get("minimum_value", value),
        "date": lambda: isinstance(value, date) or _is_date(value),
        "string": lambda: isinstance(value, str | date),
        "uri": lambda: isinstance(value, str) and "://" in value and _NO_SPACE.fullmatch(value),
        "uriorcurie": lambda: isinstance(value, str) and _NO_SPACE.fullmatch(value),
    }
    if not (value in enums[kind] if kind in enums else fits[kind]()):
        return [f"{value!r} is no {kind}"]
    return [f"{value!r} does not fit"] if not re.search(slot.get("pattern", ""), str(value)) else []


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(value) == 10 and bool(date.fromisoformat(value))
    except ValueError:
        return False


# --- linked data


@cache
def shapes(folder: Path, *files: str) -> Any:
    """The shapes in some files of DCAT-AP 3.0.1, as a graph."""
    from rdflib import Graph

    graph = Graph()
    for file in files:
        graph.parse(folder / "dcat_ap" / "3.0.1" / file)
    return graph


def violations(graph: Any, shape_graph: Any) -> tuple[list[str], set[str]]:
    """What breaks the shapes, and the paths that they only warn of."""
    import pyshacl
    from rdflib import SH

    _, report, _ = pyshacl.validate(graph, shacl_graph=shape_graph, advanced=True, do_owl_imports=False)
    found, warned = [], set()
    for result in report.subjects(SH.resultSeverity, None):
        path, severity = report.value(result, SH.resultPath), report.value(result, SH.resultSeverity)
        if (None, SH.result, result) not in report:
            continue  # a detail of another
        if severity == SH.Warning:
            warned.add(str(path))
        else:
            found.append(
                f"{report.value(result, SH.focusNode)} {path}: {report.value(result, SH.resultMessage)}"
            )
    return found, warned


def graph_of(text: str, form: str) -> Any:
    """A document read by rdflib."""
    from rdflib import Graph

    return Graph().parse(data=text, format="json-ld" if form == "jsonld" else "turtle")


def records(text: str) -> list[dict[str, Any]]:
    """The nodes of a JSON-LD document as plain JSON."""
    found: list[dict[str, Any]] = json.loads(text)["@graph"]
    return found
