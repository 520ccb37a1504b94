"""From a pseudonym in a released result back to the person: under an agreement, with a reason, noted first."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from hub.catalogue import store as catalogue
from hub.errors import Conflict, Invalid, NotFound
from hub.identity.principal import Principal
from hub.policy.agreement import HUB_PUBLISHER, Agreement
from hub.policy.decide import Asked, Grant, decide, require_grant, whole_file
from hub.policy.roles import Permission
from hub.runs import store as runs
from hub.runs.states import ResultState
from hub.runs.store import Result
from hub.workflows.hub import Hub, authorise, note, today
from hub.workflows.linking import PEOPLE_CONTRACT
from hub.workflows.looking import Purpose, check_reason, refusals_recorded
from hub.workflows.rights_people import restricted
from hub.workflows.scoping import result_seen

__all__ = ["Reidentified", "reidentify", "why_not"]

_OPERATION: Final = "re-identify"
_PSEUDONYM: Final = re.compile(r"[0-9a-f]{32}")
_IDS: Final = frozenset({"person_id", "household_id"})
_MOST: Final = 50


@dataclass(frozen=True, repr=False)
class Reidentified:
    """Who is behind a pseudonym: `kind` person or household, what the agreement gives of each, and the audit entry."""

    kind: str
    columns: tuple[str, ...]
    people: tuple[tuple[str | int | date | None, ...], ...]
    agreement: Agreement
    entry: int


def why_not(hub: Hub, principal: Principal, result_id: str) -> str:
    """Why this principal cannot re-identify anybody in a result, in words; empty when they can.

    Raises:
        NotFound: when there is no such result, or it is not released.
    """
    authorise(principal, Permission.REIDENTIFY)
    with hub.database.read() as session:
        result, _, agreement = result_seen(hub, session, principal, result_id, only=[ResultState.RELEASED])
        if not _tables(result):
            return "This result has no table about single people or households, so there are no pseudonyms in it."
    decision = decide(_asked(hub, principal, agreement), [agreement])
    return "" if decision.allowed else f"Refused: {decision.reason}."


def reidentify(hub: Hub, principal: Principal, result_id: str, pseudonym: str, reason: str) -> Reidentified:
    """The person or household behind a pseudonym that stands in a released result.

    The act is in the audit log, with keyed references of those found, before anything is returned. Refused and
    fruitless attempts stand there too.

    Raises:
        Invalid: when the pseudonym is none or the reason is missing.
        Forbidden: when the result's agreement does not allow it to this principal.
        NotFound: when the result is not released, the pseudonym is not in it, or the person is no longer known by it.
    """
    pseudonym = pseudonym.strip().lower()
    with refusals_recorded(
        hub, principal, "person.reidentify-refused", _purpose(hub, result_id, reason), result_id
    ):
        authorise(principal, Permission.REIDENTIFY)
        check_reason(Purpose("", reason))
        if not _PSEUDONYM.fullmatch(pseudonym):
            raise Invalid(
                "A pseudonym has 32 of 0-9 and a-f; copy it from the result.",
                fields={"pseudonym": ["not one"]},
            )
        agreement, kind, grant, people = _find(hub, principal, result_id, pseudonym)
    subjects = [hub.vault.reference("person", item) for item in people["person_id"].to_pylist()]
    if kind == "household":
        subjects.append(hub.vault.reference("household", people["household_id"][0].as_py()))
    with hub.database.write() as session:
        entry = note(
            session, principal, "person.reidentified", result_id, agreement=agreement.id, purpose=agreement.purpose,
            reason=hub.vault.seal_text(reason.strip()), subjects=subjects,
            detail={"kind": kind, "people": people.num_rows},
        )  # fmt: skip
    shown = [name for name in people.column_names if grant.permits(name) and name not in _IDS]
    rows = tuple(tuple(row[name] for name in shown) for row in people.to_pylist())
    return Reidentified(kind, tuple(shown), rows, agreement, entry)


def _purpose(hub: Hub, result_id: str, reason: str) -> Purpose:
    """What a refusal is noted with: the agreement of the result, when there is such a result (seen or not)."""
    try:
        with hub.database.read() as session:
            return Purpose(
                runs.get_run(session, runs.get_result(session, result_id).run_id).agreement_id, reason
            )
    except NotFound:
        return Purpose("", reason)


def _find(
    hub: Hub, principal: Principal, result_id: str, pseudonym: str
) -> tuple[Agreement, str, Grant, pa.Table]:
    with hub.database.read() as session:
        result, run, agreement = result_seen(hub, session, principal, result_id, only=[ResultState.RELEASED])
        grant = require_grant(_asked(hub, principal, agreement), [agreement])
        kind = _kind(hub, session, result, pseudonym)
        people = _people(hub, session, grant)
        hidden = restricted(hub, session, agreement.id)
    names = hub.vault.pseudonyms(agreement.id, kind, people[f"{kind}_id"])
    found = people.filter(pc.equal(names, pseudonym))
    found = found.filter(pc.invert(pc.is_in(found["person_id"], pa.array(sorted(hidden), pa.string()))))
    if found.num_rows == 0:
        raise NotFound(
            f"Nobody is known by this pseudonym any more: people were linked anew since the result of {run.as_at}. Run "
            "the plugin again."
        )
    if found.num_rows > _MOST:
        raise Conflict(
            f"More than {_MOST} people are behind this pseudonym: that is no household. Ask the operator."
        )
    return agreement, kind, grant, found.sort_by("person_id")


def _tables(result: Result) -> list[str]:
    return [name for name, terms in result.tables.items() if terms["disclosure"] == "person"]


def _kind(hub: Hub, session: Any, result: Result, pseudonym: str) -> str:
    """What the pseudonym stands for, by the table of the result that it is in."""
    for name in _tables(result):
        terms = result.tables[name]
        file = hub.vault.locate(session, terms["object"], result.binding(name))
        ids = [item for item in ("person_id", "household_id") if item in terms["columns"]]
        table = hub.vault.read(file, ids, whole_file(name, f"a pseudonym in released result {result.id}"))
        for column in ids:
            if pc.any(pc.equal(table[column], pseudonym)).as_py():
                return column.removesuffix("_id")
    raise NotFound("This pseudonym is not in this result. Copy it from there again.")


def _people(hub: Hub, session: Any, grant: Grant) -> pa.Table:
    """The people table as the agreement gives it, with the hub's own ids."""
    version = catalogue.current_version(session, PEOPLE_CONTRACT)
    if version is None:
        raise Conflict("People have not been linked yet; link them first (hub link).")
    file = hub.vault.locate(session, version.object_key, version.binding)
    columns = sorted(grant.columns | _IDS)
    return hub.vault.read(file, columns, replace(grant, columns=grant.columns | _IDS))


def _asked(hub: Hub, principal: Principal, agreement: Agreement) -> Asked:
    return Asked(
        _OPERATION, PEOPLE_CONTRACT, principal.organisation, today(hub), roles=principal.roles,
        agreement=agreement.id, publisher=HUB_PUBLISHER,
    )  # fmt: skip
