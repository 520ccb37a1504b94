"""Results that are about one person, as that person may see them."""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc
from sqlalchemy.orm import Session

from hub.audit import log as audit_log
from hub.errors import NotFound
from hub.policy import store as agreements
from hub.policy.decide import whole_file
from hub.runs import store as runs
from hub.runs.store import Result, Run
from hub.workflows.hub import Hub
from hub.workflows.linking import PEOPLE_CONTRACT, linked_versions
from hub.workflows.rights_people import History, own_row
from hub.workflows.rights_uses import concerned

__all__ = ["results_about"]

_WHY = "results about a person, for that person"
_SHARED = (
    "This result is about your household, and other people live in it. What it says may be about them, so it is not "
    "in this copy. Ask us: an officer then looks at what can be told to you."
)


def results_about(hub: Hub, session: Session, found: History) -> tuple[list[dict[str, Any]], set[str]]:
    """What plugins worked out about a person, for JSON, and the results that this came from.

    Rows about the person are given whole. Rows about a household are given only where the person lives alone in it,
    for what they say may be about somebody else.
    """
    homes = {
        row["household_id"] for row in own_row(hub, session, found.ids) if row["household_id"] is not None
    }
    alone = _alone(hub, session, homes, found)
    about, sources = [], set()
    for run_id in sorted(concerned(hub, session, found, _entries(session))):
        run = runs.get_run(session, run_id)
        result = runs.result_of_run(session, run_id)
        if result is None:
            continue
        for name, terms in result.tables.items():
            if terms["disclosure"] != "person":
                continue
            try:
                rows, shared = _rows(hub, session, (run, result), name, found, homes, alone)
            except NotFound:
                continue  # destroyed
            if rows or shared:
                about.append(_described(session, run, result, name, rows, shared))
                sources.add(result.owner)
    return about, sources


def _entries(session: Session) -> list[audit_log.Entry]:
    found, before = [], None
    while page := audit_log.recent(session, limit=1000, before=before, action="data.read"):
        found += page
        before = page[-1].id
    return found


def _described(
    session: Session, run: Run, result: Result, name: str, rows: list[dict[str, Any]], shared: bool
) -> dict[str, Any]:
    agreement = agreements.get(session, run.agreement_id)
    return {
        "made_by": str(runs.get_plugin(session, run.plugin).manifest["title"]), "version": run.plugin_version,
        "as_at": run.as_at, "made_at": result.created_at, "state": result.state.value, "table": name,
        "agreement": agreement.title, "purpose": agreement.purpose, "rows": rows, "note": _SHARED if shared else "",
    }  # fmt: skip


def _alone(hub: Hub, session: Session, homes: set[str], found: History) -> set[str]:
    """Those of some households in which nobody else lives."""
    if (linked := linked_versions(session)) is None:
        return set()
    file = hub.vault.locate(session, linked[0].object_key, linked[0].binding)
    people = hub.vault.read(file, ["person_id", "household_id"], whole_file(PEOPLE_CONTRACT, _WHY))
    alone = set()
    for home in homes:
        members = people.filter(pc.equal(people["household_id"], home))["person_id"].to_pylist()
        if set(members) <= found.ids:
            alone.add(home)
    return alone


def _rows(
    hub: Hub, session: Session, made: tuple[Run, Result], name: str, found: History, homes: set[str], alone: set[str]
) -> tuple[list[dict[str, Any]], bool]:  # fmt: skip
    """A table's rows about the person, and whether there is one about a household that they share."""
    run, result = made
    terms = result.tables[name]
    file = hub.vault.locate(session, terms["object"], result.binding(name))
    table = hub.vault.read(file, terms["columns"], whole_file(name, _WHY))
    rows, shared = [], False
    for kind, ids in (("person", found.ids), ("household", homes)):
        column = f"{kind}_id"
        if column not in table.column_names or (kind == "household" and "person_id" in table.column_names):
            continue
        for ident in sorted(ids):
            pseudonym = hub.vault.pseudonym(run.agreement_id, kind, ident)
            mine = table.filter(pc.equal(table[column], pseudonym))
            if kind == "household" and ident not in alone:
                shared = shared or mine.num_rows > 0
                continue
            plain = [item for item in mine.column_names if item not in ("person_id", "household_id")]
            rows += mine.select(plain).to_pylist()
    return rows, shared
