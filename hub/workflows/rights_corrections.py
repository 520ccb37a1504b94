"""Rectification: what a person says is wrong goes to the department it came from, and comes back.

The hub never overwrites what a department sent. The department puts it right in its own records and sends its data as
always; the hub then finds the right value in a later version and says so. Or the department answers why not.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from sqlalchemy.orm import Session

from hub.catalogue import store as catalogue
from hub.catalogue.store import Dataset, Version
from hub.errors import Conflict, HubError, Invalid, NotFound
from hub.identity import store as identities
from hub.identity.principal import Principal, system
from hub.policy.decide import Grant, whole_file
from hub.policy.roles import Permission
from hub.policy.scope import whole_hub
from hub.rights import corrections
from hub.rights import store as rights
from hub.rights.corrections import Correction
from hub.rights.states import CorrectionState, RequestKind, RequestState
from hub.workflows.hub import Hub, authorise, note
from hub.workflows.rights import noted, own_request
from hub.workflows.rights_people import History, check_text, history, unseal
from hub_schemas import Contract
from hub_schemas.delivery import ROW_NUMBER

__all__ = [
    "OwnRow", "Task", "confirm_corrections", "decline", "list_tasks", "read_task", "rows_to_correct", "send",
    "tasks_of_request", "titles",
]  # fmt: skip

_WHY = "a person's right to have data put right"
_WORKER = system("rights")


@dataclass(frozen=True, repr=False)
class OwnRow:
    """A row about the person as the current version of a dataset has it: where it stands, and its columns in words."""

    dataset_id: str
    title: str
    organisation: str
    row: int
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, repr=False)
class Task:
    """A correction with what it says: the row's key, the column, what stands there and what should."""

    correction: Correction
    dataset: Dataset
    organisation: str
    key: tuple[tuple[str, str], ...]
    column: str
    says: str
    should: str
    reason: str
    due_on: date


# --- the officer


def rows_to_correct(hub: Hub, principal: Principal, request_id: str) -> list[OwnRow]:
    """The rows about the person in the current versions, for the officer who asks what is wrong; noted."""
    authorise(principal, Permission.HANDLE_RIGHTS)
    with hub.database.write() as session:
        request = own_request(session, principal, request_id)
        _must_be(request, RequestState.IN_HAND, RequestState.ASKED)
        found = history(hub, session, unseal(hub, request.person))
        rows = [
            row
            for dataset, version, contract in _current(session, found)
            for row in _own_rows(hub, session, dataset, version, contract, found)
        ]
        noted(session, principal, request, "rights.rows-read", rows=len(rows))
    return rows


def _must_be(request: rights.Request, *states: RequestState) -> None:
    if request.kind is not RequestKind.RECTIFICATION:
        raise Conflict("Only a request for a correction sends corrections; open one for this person.")
    if request.state not in states:
        raise Conflict(f"The request is {request.state}: take it in hand first.")


def _current(session: Session, found: History) -> list[tuple[Dataset, Version, Contract]]:
    current = []
    for version in catalogue.versions_by_id(session, sorted(found.rows)).values():
        dataset = catalogue.dataset(session, version.dataset_id)
        if dataset.current_version == version.id:
            current.append((dataset, version, catalogue.contract_by_digest(session, version.contract_digest)))
    return sorted(current, key=lambda item: item[0].id)


def _own_rows(
    hub: Hub, session: Session, dataset: Dataset, version: Version, contract: Contract, found: History
) -> list[OwnRow]:
    home = identities.organisation(session, dataset.organisation_id).name
    columns = [column.name for column in contract.columns if not column.about_others]
    rows = _rows(hub, session, version, contract, columns, found.rows[version.id])
    return [
        OwnRow(
            dataset.id, contract.title, home, row[ROW_NUMBER],
            tuple((name, _text(row[name])) for name in columns),
        )
        for row in rows
    ]  # fmt: skip


def send(
    hub: Hub, principal: Principal, request_id: str, dataset_id: str, row: int, column: str, should: str
) -> Correction:
    """Send one wrong value to the department that publishes the dataset.

    Raises:
        NotFound: when there is no such row about the person.
        Invalid: when the column is none, the value cannot stand there, or stands there already.
        Conflict: when the dataset's rows have no key by which the department could find them.
    """
    authorise(principal, Permission.HANDLE_RIGHTS)
    with hub.database.write() as session:
        request = own_request(session, principal, request_id)
        _must_be(request, RequestState.IN_HAND, RequestState.ASKED)
        found = history(hub, session, unseal(hub, request.person))
        dataset, version, contract = _wanted(session, found, dataset_id)
        if row not in found.rows[version.id]:
            raise NotFound("There is no such row about this person; look at the rows again.")
        content = _content(hub, session, version, contract, row, column, should)
        correction = corrections.add_correction(
            session, request_id, dataset.id, version.id, dataset.organisation_id,
            hub.vault.seal_text(json.dumps(content)), principal.reference,
        )  # fmt: skip
        if request.state is RequestState.IN_HAND:
            rights.move(session, request_id, "ask", principal.reference)
        noted(
            session, principal, request, "rights.correction-sent", correction=correction.id, dataset=dataset.id
        )  # fmt: skip
    return correction


def _wanted(session: Session, found: History, dataset_id: str) -> tuple[Dataset, Version, Contract]:
    for item in _current(session, found):
        if item[0].id == dataset_id:
            return item
    raise NotFound("There is no row about this person in that dataset; look at the rows again.")


def _content(
    hub: Hub, session: Session, version: Version, contract: Contract, row: int, column: str, should: str
) -> dict[str, Any]:
    if column not in {item.name for item in contract.columns if not item.about_others}:
        raise Invalid(
            f"{contract.title} has no column {column!r}; choose one that is shown.",
            fields={"column": ["not there"]},
        )
    if not contract.primary_key:
        raise Conflict(
            f"Rows of {contract.title} have no key, so the department cannot be told which one it is. Write to its "
            "data steward."
        )
    if column in contract.primary_key:
        raise Conflict(
            f"{column} is part of the key by which the row is found. Write to the department's data steward."
        )
    names = list(dict.fromkeys([*contract.primary_key, column]))
    (mine,) = _rows(hub, session, version, contract, names, {row})
    said = should.strip()
    if _same(mine[column], said):
        raise Invalid(
            "That is what stands there already; write what it should say.",
            fields={"should": ["stands there already"]},
        )
    if len(said) > 500:
        raise Invalid("Write at most 500 characters.", fields={"should": ["too long"]})
    return {
        "key": {name: _text(mine[name]) for name in contract.primary_key}, "column": column,
        "says": _text(mine[column]), "should": said,
    }  # fmt: skip


def tasks_of_request(hub: Hub, principal: Principal, request_id: str) -> list[Task]:
    """The corrections of a request with what they say, for the officer who handles it."""
    authorise(principal, Permission.HANDLE_RIGHTS)
    with hub.database.read() as session:
        own_request(session, principal, request_id)
        return [_task(hub, session, item) for item in corrections.corrections_of(session, request_id)]


# --- the department


def list_tasks(hub: Hub, principal: Principal) -> list[Correction]:
    """Corrections that wait for the steward's organisation (at the hub: for any), without what they say."""
    authorise(principal, Permission.ANSWER_CORRECTIONS)
    home = (
        None if whole_hub(principal, Permission.ANSWER_CORRECTIONS) else principal.organisation_id or "none"
    )
    with hub.database.read() as session:
        return corrections.open_corrections(session, home)


def titles(hub: Hub, principal: Principal, items: Sequence[Correction]) -> dict[str, str]:
    """The titles of the datasets that some corrections are about, by dataset."""
    authorise(principal, Permission.ANSWER_CORRECTIONS)
    with hub.database.read() as session:
        return {item.dataset_id: catalogue.dataset(session, item.dataset_id).title for item in items}


def read_task(hub: Hub, principal: Principal, correction_id: str) -> Task:
    """One correction with the row's key and the values; that it was read is noted, and the person sees that.

    Raises:
        NotFound: when it is not there for this organisation.
    """
    authorise(principal, Permission.ANSWER_CORRECTIONS)
    with hub.database.write() as session:
        correction = _own(session, principal, correction_id)
        request = rights.get_request(session, correction.request_id)
        note(
            session, principal, "rights.correction-read", correction_id, subjects=[request.subject],
            detail={"dataset": correction.dataset_id},
        )  # fmt: skip
        return _task(hub, session, correction)


def decline(hub: Hub, principal: Principal, correction_id: str, reason: str) -> Correction:
    """The department answers why it does not change the value.

    Raises:
        NotFound: when it is not there for this organisation.
        Conflict: when it was decided already.
    """
    authorise(principal, Permission.ANSWER_CORRECTIONS)
    said = check_text(reason, "reason", "the birth certificate that we hold says the same as the record")
    with hub.database.write() as session:
        _own(session, principal, correction_id)
        sealed = hub.vault.seal_text(said)
        correction = corrections.decide(session, correction_id, "decline", principal.reference, reason=sealed)
        _came_back(session, principal, correction, "rights.correction-declined", sealed)
    return correction


def _own(session: Session, principal: Principal, correction_id: str) -> Correction:
    correction = corrections.correction(session, correction_id)
    mine = correction.organisation_id == principal.organisation_id
    if not mine and not whole_hub(principal, Permission.ANSWER_CORRECTIONS):
        raise NotFound(f"There is no correction {correction_id}.")
    return correction


def _came_back(
    session: Session, by: Principal, correction: Correction, action: str, reason: str = ""
) -> None:
    """Note what came of a correction; when none of the request is open any more, the officer goes on."""
    request = rights.get_request(session, correction.request_id, lock=True)
    noted(session, by, request, action, reason, correction=correction.id, dataset=correction.dataset_id)
    waiting = [
        item for item in corrections.corrections_of(session, request.id) if item.state is CorrectionState.SENT
    ]
    if not waiting and request.state is RequestState.ASKED:
        rights.move(session, request.id, "hear back", request.handled_by or by.reference)


# --- the hub by itself


def confirm_corrections(hub: Hub) -> int:
    """Look whether later versions have the right values; how many corrections were confirmed."""
    with hub.database.read() as session:
        waiting = corrections.open_corrections(session)
    count = 0
    for item in waiting:
        try:
            count += _confirm(hub, item)
        except HubError as error:  # a version that was destroyed, or that somebody else decides now
            structlog.get_logger().warning("rights.correction-waits", error=type(error).__name__)
    return count


def _confirm(hub: Hub, item: Correction) -> bool:
    with hub.database.write() as session:
        dataset = catalogue.dataset(session, item.dataset_id)
        if dataset.current_version in (None, item.version_id):
            return False
        version = catalogue.version(session, str(dataset.current_version))
        if not _is_right(hub, session, item, version):
            return False
        decided = corrections.decide(session, item.id, "confirm", _WORKER.reference, found_in=version.id)
        _came_back(session, _WORKER, decided, "rights.correction-confirmed")
    return True


def _is_right(hub: Hub, session: Session, item: Correction, version: Version) -> bool:
    """Whether a version has the right value, or no such row any more."""
    content = json.loads(hub.vault.open_text(item.content))
    contract = catalogue.contract_by_digest(session, version.contract_digest)
    names = [*content["key"], content["column"]]
    if not set(names) <= {column.name for column in contract.columns}:
        return False  # the contract has changed: somebody has to look
    for row in _rows(hub, session, version, contract, names, key=content["key"]):
        if all(_text(row[name]) == value for name, value in content["key"].items()):
            return _same(row[content["column"]], content["should"])
    return True


def _rows(
    hub: Hub, session: Session, version: Version, contract: Contract, columns: list[str],
    numbers: Collection[int] | None = None, key: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows with these numbers, or that may have this key (texts are compared here, the rest by the caller)."""
    file = hub.vault.locate(session, version.object_key, version.binding)
    grant = Grant(contract.id, frozenset(columns), "", whole_file(contract.id, _WHY).reason)
    found: list[dict[str, Any]] = []
    for rows in hub.vault.batches(file, [ROW_NUMBER, *columns], grant):
        batch = rows
        if numbers is not None:
            batch = batch.filter(pc.is_in(batch[ROW_NUMBER], pa.array(sorted(numbers), pa.int64())))
        for name, value in (key or {}).items():
            if pa.types.is_string(batch[name].type):
                batch = batch.filter(pc.equal(batch[name], value))
        found += batch.to_pylist()
    return found


def _task(hub: Hub, session: Session, correction: Correction) -> Task:
    content = json.loads(hub.vault.open_text(correction.content))
    return Task(
        correction, catalogue.dataset(session, correction.dataset_id),
        identities.organisation(session, correction.organisation_id).name, tuple(content["key"].items()),
        content["column"], content["says"], content["should"],
        hub.vault.open_text(correction.reason) if correction.reason else "",
        rights.get_request(session, correction.request_id).due_on,
    )  # fmt: skip


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _same(value: Any, said: str) -> bool:
    """Whether a value says what somebody typed: capitals and spaces do not count, numbers count as numbers."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        try:
            return Decimal(str(value)) == Decimal(said)
        except InvalidOperation:
            return False
    return "".join(_text(value).casefold().split()) == "".join(said.casefold().split())
