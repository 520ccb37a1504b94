"""Which rows a run does not get: those of people who restricted or object, and of those who opted out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.orm import Session

from hub.catalogue import store as catalogue
from hub.catalogue.store import Version
from hub.errors import Conflict
from hub.policy.agreement import Agreement
from hub.policy.decide import whole_file
from hub.rights import store as rights
from hub.rights.optout import LIST_CONTRACT, figure, kept_rows, numbers_of
from hub.runs.prepare import Source
from hub.workflows import rights_people
from hub.workflows.granting import slugs
from hub.workflows.hub import Hub, today
from hub_schemas import Contract, library
from hub_schemas.delivery import ROW_NUMBER

__all__ = ["Applied", "applies", "confidential", "leave_out", "opted_out_numbers"]

_RESTRICTED = "rows that a person's restriction takes out"
_OPTED_OUT = "rows that the national data opt-out takes out"


@dataclass
class Applied:
    """What the national data opt-out did to a run: the inputs it was applied to, the lists, and how many rows went."""

    inputs: set[str] = field(default_factory=set)
    lists: list[str] = field(default_factory=list)
    rows: int = 0

    @property
    def figure(self) -> str:
        """How many rows, in words that point at nobody."""
        return figure(self.rows)

    @property
    def detail(self) -> dict[str, object]:
        """For the audit log."""
        return {"inputs": sorted(self.inputs), "lists": self.lists, "rows": self.figure}


def applies(agreement: Agreement) -> bool:
    """Whether the opt-out applies to what an agreement is for: unless it says why not, or is for people's own care.

    An agreement from before it could say so says nothing, and then it applies.
    """
    said = str(getattr(agreement, "opt_out", ""))
    return not (getattr(agreement, "individual_care", False) or said == "does not apply")


def confidential(contract: Contract) -> bool:
    """Whether rows are confidential patient information: the contract says so, or the library's of that id does."""
    if contract.confidential_patient_information:
        return True
    return (
        contract.id in library.names() and library.load(contract.id).confidential_patient_information
    )  # a publisher's own text cannot take the mark away


def leave_out(
    hub: Hub, session: Session, agreement: Agreement, sources: Mapping[str, Sequence[Source]], people: Source | None
) -> tuple[dict[str, list[Source]], Source | None, Applied | None]:  # fmt: skip
    """The sources of a run without the rows that must not be used, and what the opt-out did (None: not applied).

    Raises:
        Conflict: when the opt-out applies and there is no list that is new enough, or rows cannot be checked.
    """
    marked = {
        name
        for name, found in sources.items()
        if any(
            confidential(catalogue.contract_by_digest(session, item.version.contract_digest))
            for item in found
        )
    }
    ids = rights_people.restricted(hub, session, agreement.id)
    wanted = marked if applies(agreement) else set()
    if not ids and not wanted:
        return {name: list(found) for name, found in sources.items()}, people, None
    room = _Room(hub, session, agreement)
    if ids:
        sources = {name: [room.unrestricted(item, ids) for item in found] for name, found in sources.items()}
        people = room.unrestricted(people, ids) if people else None
    applied = None
    if wanted:
        applied = Applied(wanted)
        numbers, applied.lists = opted_out_numbers(hub, session, today(hub))
        sources = {
            name: [room.opted_in(item, numbers, applied) for item in found] if name in wanted else found
            for name, found in sources.items()
        }
    return {name: list(found) for name, found in sources.items()}, people, applied


def opted_out_numbers(hub: Hub, session: Session, on: date) -> tuple[frozenset[str], list[str]]:
    """The NHS numbers on the newest lists that count, and the versions of these.

    Raises:
        Conflict: when there is none, or one is too old.
    """
    named = [part.strip() for part in hub.settings.opt_out_publishers.split(",") if part.strip()]
    slug_of, lists = slugs(session), catalogue.current_versions(session, [LIST_CONTRACT])[LIST_CONTRACT]
    found = [(slug_of[dataset.organisation_id], version) for dataset, version in lists]
    if named:
        found = [item for item in found if item[0] in named]
    missing = sorted(set(named) - {slug for slug, _ in found})
    if missing or not found:
        raise Conflict(
            "Not run: the national data opt-out applies, and there is no list of who has opted out"
            f"{' by ' + ', '.join(missing) if missing else ''}. An NHS body publishes it as {LIST_CONTRACT}; run again "
            "when it is there."
        )
    numbers: set[str] = set()
    for slug, version in found:
        day = min(version.accepted_at.date(), date.fromisoformat(version.period_end or "9999-12-31"))
        if on - day > timedelta(days=hub.settings.opt_out_list_days):
            raise Conflict(
                f"Not run: the list of national data opt-outs by {slug} is of {day} and counts for "
                f"{hub.settings.opt_out_list_days} days. Run again when {slug} has sent a newer one."
            )
        file = hub.vault.locate(session, version.object_key, version.binding)
        table = hub.vault.read(file, ["nhs_number"], whole_file(LIST_CONTRACT, _OPTED_OUT))
        numbers |= set(numbers_of(table["nhs_number"]).to_pylist()) - {None}
    return frozenset(numbers), [version.id for _, version in found]


class _Room:
    """What is read once for one run: the newest index, and whose rows are whose."""

    def __init__(self, hub: Hub, session: Session, agreement: Agreement) -> None:
        self.hub, self.session, self.agreement = hub, session, agreement
        self._linked: tuple[pa.Table, pa.Table] | None = None
        self._asked = False

    def linked(self) -> tuple[pa.Table, pa.Table] | None:
        """The newest person index and who has which NHS number."""
        if not self._asked:
            self._linked, self._asked = rights_people.seen_by_index(self.hub, self.session), True
        return self._linked

    # --- restrictions and objections

    def unrestricted(self, source: Source, ids: frozenset[str]) -> Source:
        """A source without the rows of some people."""
        linked = self.linked()
        if source.grant.contract == rights_people.PEOPLE_CONTRACT:
            table = self._read(source, [ROW_NUMBER, "person_id"], _RESTRICTED)
            return _without(source, table.filter(_among(table["person_id"], ids))[ROW_NUMBER])
        if linked is None:
            return source
        mine = linked[0].filter(_among(linked[0]["person_id"], ids))
        here = mine.filter(pc.equal(mine["version_id"], source.version.id))["source_row"]
        if pc.any(pc.equal(linked[0]["version_id"], source.version.id)).as_py():
            return _without(source, here)
        return _without(source, self._by_key(source, set(mine["record_key"].to_pylist()) | self._kept_keys()))

    def _kept_keys(self) -> set[str]:
        """Keys of rows that were somebody's when they restricted: for versions that are not linked (yet)."""
        found: set[str] = set()
        for item in rights.in_force(self.session, self.agreement.id):
            found |= rights_people.unseal(self.hub, item.person).keys
        return found

    def _by_key(self, source: Source, keys: set[str]) -> pa.Array:
        """The rows with these keys.

        Raises:
            Conflict: when rows about people have no key to go by.
        """
        contract = catalogue.contract_by_digest(self.session, source.version.contract_digest)
        if not contract.primary_key:
            if any(column.linkage_role for column in contract.columns):
                raise Conflict(
                    f"Not run: the newest version of {contract.id} is not linked yet and its rows have no key, so "
                    "nobody can tell which are about somebody whose data is restricted. Link it first (the worker does "
                    "it by itself), then run again."
                )
            return pa.array([], pa.int64())
        table = self._read(source, [ROW_NUMBER, *contract.primary_key], _RESTRICTED)
        values = [table[name].combine_chunks() for name in contract.primary_key]
        found = self.hub.vault.row_keys(source.version.dataset_id, values)
        return table[ROW_NUMBER].combine_chunks().filter(_among(found, keys))

    # --- the national data opt-out

    def opted_in(self, source: Source, opted_out: frozenset[str], applied: Applied) -> Source:
        """A source of confidential patient information without the rows of those who opted out.

        Raises:
            Conflict: when nobody's NHS number is known for its rows.
        """
        contract = catalogue.contract_by_digest(self.session, source.version.contract_digest)
        if not confidential(contract):
            return source
        column = _number_column(contract)
        table = self._read(source, [ROW_NUMBER, *([column] if column else [])], _OPTED_OUT)
        rows = table[ROW_NUMBER].combine_chunks()
        own = numbers_of(table[column]) if column else pa.nulls(table.num_rows, pa.string())
        persons = self._numbers_of_people(source.version, rows)
        if persons is None and column is None:
            raise Conflict(
                f"Not run: the national data opt-out applies to {contract.id}, which has no NHS numbers and is not "
                "linked, so nobody can tell who has opted out. Link it first, or leave it out."
            )
        number = own if persons is None else pc.coalesce(own, persons)
        stays = kept_rows(number, opted_out)
        if persons is not None:
            stays = pc.and_(stays, pc.invert(_among(persons, opted_out)))
        gone = rows.filter(pc.invert(stays))
        before = set() if source.without is None else set(source.without.to_pylist())
        applied.rows += len(set(gone.to_pylist()) - before)
        return _without(source, gone)

    def _numbers_of_people(self, version: Version, rows: pa.Array) -> pa.Array | None:
        """For each row the NHS number of the person it was linked to, null where none is known."""
        if (linked := self.linked()) is None:
            return None
        index, people = linked
        mine = index.filter(pc.equal(index["version_id"], version.id))
        if mine.num_rows == 0:
            return None
        at = pc.index_in(rows, mine["source_row"].combine_chunks())
        person = mine["person_id"].combine_chunks().take(at)
        home = pc.index_in(person, people["person_id"].combine_chunks())
        return numbers_of(people["nhs_number"].combine_chunks().take(home))

    def _read(self, source: Source, columns: list[str], why: str) -> pa.Table:
        return self.hub.vault.read(source.file, columns, whole_file(source.grant.contract, why))


def _number_column(contract: Contract) -> str | None:
    """The column with the person's NHS number."""
    for wanted in ("linkage_role", "identifier"):
        for column in contract.columns:
            if (getattr(column, wanted) or "").replace("-", "_") == "nhs_number" and not column.about_others:
                return column.name
    return None


def _among(values: pa.ChunkedArray | pa.Array, wanted: Iterable[str]) -> pa.Array:
    return pc.fill_null(pc.is_in(values, pa.array(sorted(wanted), pa.string())), False)


def _without(source: Source, rows: pa.ChunkedArray | pa.Array) -> Source:
    """The source with more rows left out."""
    numbers = set(rows.to_pylist()) | set(source.without.to_pylist() if source.without is not None else ())
    if not numbers:
        return source
    return replace(source, without=pa.array(sorted(numbers), pa.int64()))
