"""Whose rows are whose, for people's rights: finding a person, and everything that was ever linked to them.

An officer finds a person under a duty, not under an agreement: to answer what that person asked. What is kept of a
person is their id and the keys of their rows, sealed: an id may go when people are linked anew, the keys stay.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.orm import Session

from hub.catalogue import store as catalogue
from hub.catalogue.store import Version
from hub.errors import Conflict, Invalid, NotFound
from hub.identity.principal import Principal
from hub.insights.people import Found, PersonQuery, find_people
from hub.policy.decide import whole_file
from hub.policy.roles import Permission
from hub.rights import store as rights
from hub.runs.prepare import INDEX_CONTRACT
from hub.vault.store import Vault
from hub.workflows.hub import Hub, authorise, note
from hub.workflows.linking import PEOPLE_CONTRACT, linked_versions
from hub.workflows.looking import LEAST_REASON

__all__ = [
    "History", "Subject", "check_text", "find_person", "history", "known_as", "own_row", "reference", "restricted",
    "seal", "seen_by_index", "subject_of", "unseal",
]  # fmt: skip

_WHY = "a person's own rights"
_INDEX = ["version_id", "source_row", "person_id", "record_key"]
_FOUND = [
    "person_id", "household_id", "forename", "surname", "date_of_birth", "postcode", "uprn", "nhs_number",
]  # fmt: skip


@dataclass(frozen=True, repr=False)
class Subject:
    """A person as they were known when something was written down about them: their id, and the keys of their rows."""

    person: str
    keys: frozenset[str]


@dataclass(repr=False)
class History:
    """Where rows about a person lie: version -> row numbers; and the index and people versions they are in."""

    rows: dict[str, set[int]] = field(default_factory=dict)
    linkings: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)


def check_text(text: str, name: str, example: str, most: int = 2000) -> str:
    """A text that says something, without the spaces around it.

    Raises:
        Invalid: saying what is wanted.
    """
    said = text.strip()
    if len(said) < LEAST_REASON:
        raise Invalid(
            f"Write a little more, at least {LEAST_REASON} characters, for example: {example}.",
            fields={name: ["too short"]},
        )
    if len(said) > most:
        raise Invalid(f"Write at most {most:,} characters.", fields={name: ["too long"]})
    return said


def find_person(hub: Hub, principal: Principal, query: PersonQuery, reason: str) -> list[Found]:
    """People that match what somebody who asks about their data said of themselves; noted with those found.

    Raises:
        Invalid: when the reason is missing, or the query is too wide.
        Conflict: when nobody was linked yet.
    """
    authorise(principal, Permission.HANDLE_RIGHTS)
    said = check_text(reason, "reason", "wrote to us on 3 March, asks for a copy")
    query.check()
    with hub.database.read() as session:
        linked = linked_versions(session)
        if linked is None:
            raise Conflict("People have not been linked yet, so nobody can be found. Ask the hub's operator.")
        found = find_people(_read(hub, session, linked[0], _FOUND), query)
    with hub.database.write() as session:
        note(
            session, principal, "rights.person-found", reason=hub.vault.seal_text(said),
            subjects=[reference(hub, person.person_id) for person in found], detail={"found": len(found)},
        )  # fmt: skip
    return found


def reference(hub: Hub, person_id: str) -> str:
    """How the audit log and the tables of rights name a person."""
    return hub.vault.reference("person", person_id)


def subject_of(hub: Hub, session: Session, person_id: str) -> Subject:
    """A person as they are known now.

    Raises:
        NotFound: when people were linked anew and nobody has this id any more.
    """
    linked = linked_versions(session)
    index = _read(hub, session, linked[1], ["person_id", "record_key"]) if linked else None
    keys = index.filter(pc.equal(index["person_id"], person_id))["record_key"].to_pylist() if index else []
    if not keys:
        raise NotFound("There is no such person any more: people were linked anew. Look for them again.")
    return Subject(person_id, frozenset(keys))


def seal(hub: Hub, subject: Subject) -> str:
    """A person for the database."""
    return hub.vault.seal_text(json.dumps({"person": subject.person, "keys": sorted(subject.keys)}))


def unseal(hub: Hub, sealed: str) -> Subject:
    """The person that `seal` sealed."""
    found = json.loads(hub.vault.open_text(sealed))
    return Subject(found["person"], frozenset(found["keys"]))


def known_as(hub: Hub, session: Session, subjects: Collection[Subject]) -> frozenset[str]:
    """The ids under which some people are known now: of whom has their rows, else the one they had."""
    if (linked := linked_versions(session)) is None:
        return frozenset(subject.person for subject in subjects)
    keys = {key for subject in subjects for key in subject.keys}
    index = _read(hub, session, linked[1], ["person_id", "record_key"])
    mine = index.filter(pc.is_in(index["record_key"], pa.array(sorted(keys), pa.string())))
    owner = dict(zip(mine["record_key"].to_pylist(), mine["person_id"].to_pylist(), strict=True))
    ids: set[str] = set()
    for subject in subjects:
        ids |= {owner[key] for key in subject.keys if key in owner} or {subject.person}
    return frozenset(ids)


_known: WeakKeyDictionary[Vault, tuple[tuple[str, ...], frozenset[str]]] = WeakKeyDictionary()


def restricted(hub: Hub, session: Session, agreement_id: str) -> frozenset[str]:
    """The ids of the people whose rows are left out of what an agreement is for; nobody is told who they are.

    Kept in memory for as long as neither the linking nor the restrictions change.
    """
    in_force = rights.in_force(session, agreement_id)
    if not in_force:
        return frozenset()
    linked = linked_versions(session)
    stamp = (linked[1].id if linked else "", *(item.id for item in in_force))
    before = _known.get(hub.vault)
    if before is not None and before[0] == stamp:
        return before[1]
    found = known_as(hub, session, [unseal(hub, item.person) for item in in_force])
    _known[hub.vault] = (stamp, found)
    return found


def history(hub: Hub, session: Session, subject: Subject) -> History:
    """Every row that any linking put to the person, in versions that are still there; reads every person index.

    Linking may have changed its mind: a row that it now puts to somebody else is theirs, whatever it said before, and
    an id that somebody else has now is theirs too.

    Raises:
        Conflict: when the person's rows now belong to several people: somebody has to look again who they are.
    """
    current = known_as(hub, session, [subject])
    if len(current) > 1:
        raise Conflict(
            "People were linked anew, and the records of this person now belong to several people. An officer has to "
            "find the person again."
        )
    keys, ids = pa.array(sorted(subject.keys), pa.string()), pa.array(sorted(current))
    candidates: list[tuple[str, dict[str, Any]]] = []
    for version in _index_versions(session):
        try:
            index = _read(hub, session, version, _INDEX)
        except NotFound:
            continue  # destroyed
        wanted = pc.or_(pc.is_in(index["record_key"], keys), pc.is_in(index["person_id"], ids))
        candidates += [(version.id, row) for row in index.filter(wanted).to_pylist()]
    foreign_keys, foreign_ids = _of_others(hub, session, current, [row for _, row in candidates])
    found = History(ids=set(current))
    for linking, row in candidates:
        if row["record_key"] in foreign_keys:
            continue
        found.linkings.add(linking)
        found.ids |= {row["person_id"]} - foreign_ids
        found.rows.setdefault(row["version_id"], set()).add(row["source_row"])
    found.people = set(_people_of(session, found.linkings))
    return found


def _of_others(
    hub: Hub, session: Session, current: Collection[str], rows: list[dict[str, Any]]
) -> tuple[set[str], set[str]]:
    """Which keys and ids of some rows belong to somebody else now."""
    if (linked := linked_versions(session)) is None:
        return set(), set()
    index = _read(hub, session, linked[1], ["person_id", "record_key"])
    mine = pc.is_in(index["person_id"], pa.array(sorted(current)))
    others = index.filter(pc.invert(mine))
    keys = pa.array(sorted({row["record_key"] for row in rows}), pa.string())
    ids = pa.array(sorted({row["person_id"] for row in rows}), pa.string())
    return (
        set(others.filter(pc.is_in(others["record_key"], keys))["record_key"].to_pylist()),
        set(others.filter(pc.is_in(others["person_id"], ids))["person_id"].to_pylist()),
    )


def _index_versions(session: Session) -> Iterator[Version]:
    for dataset in catalogue.datasets_of_contract(session, INDEX_CONTRACT):
        yield from catalogue.versions(session, dataset.id, limit=1_000_000)


def _people_of(session: Session, linkings: Collection[str]) -> Iterator[str]:
    """The versions of the people table that were made together with some versions of the index."""
    from hub.insights import store as insights

    for dataset in catalogue.datasets_of_contract(session, PEOPLE_CONTRACT):
        for version in catalogue.versions(session, dataset.id, limit=1_000_000):
            linking = insights.linking_of(session, version.id)
            if linking is not None and linking.person_index in linkings:
                yield version.id


def own_row(hub: Hub, session: Session, ids: Collection[str]) -> list[dict[str, Any]]:
    """What the people table says of somebody now, a row for each id under which they are known."""
    if (linked := linked_versions(session)) is None:
        return []
    columns = [column.name for column in _contract(session, linked[0]).columns]
    people = _read(hub, session, linked[0], columns)
    rows: list[dict[str, Any]] = people.filter(
        pc.is_in(people["person_id"], pa.array(sorted(ids)))
    ).to_pylist()
    return rows


def seen_by_index(hub: Hub, session: Session) -> tuple[pa.Table, pa.Table] | None:
    """The newest person index and who has which NHS number, for taking rows out; None when nobody was linked."""
    if (linked := linked_versions(session)) is None:
        return None
    people = _read(hub, session, linked[0], ["person_id", "nhs_number"])
    return _read(hub, session, linked[1], _INDEX), people


def _contract(session: Session, version: Version) -> Any:
    return catalogue.contract_by_digest(session, version.contract_digest)


def _read(hub: Hub, session: Session, version: Version, columns: list[str]) -> pa.Table:
    file = hub.vault.locate(session, version.object_key, version.binding)
    return hub.vault.read(file, columns, whole_file(INDEX_CONTRACT, _WHY))
