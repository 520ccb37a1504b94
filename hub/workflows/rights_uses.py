"""Who used a person's data: looks up what the pure reading of the audit log in `hub.rights.uses` needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.orm import Session

from hub.audit import log as audit_log
from hub.audit.log import Entry
from hub.catalogue import store as catalogue
from hub.errors import NotFound
from hub.identity import store as identities
from hub.identity.actors import Actor, actor_of
from hub.policy import store as agreements
from hub.policy.decide import whole_file
from hub.rights import delays
from hub.rights import store as rights
from hub.rights.optout import LIST_CONTRACT, numbers_of
from hub.rights.uses import BULK, Facts, Run, Use, hold_back, uses
from hub.runs import store as runs
from hub.workflows.hub import Hub
from hub.workflows.rights_people import History, own_row, reference

__all__ = ["collect", "concerned"]

_PAGE = 1000


def collect(hub: Hub, session: Session, found: History) -> list[Use]:
    """Every use of data about the person of a history, newest first, without those that an investigation delays."""
    references = frozenset(reference(hub, item) for item in found.ids)
    direct = list(_unique(_pages(session, subject=item) for item in sorted(references)))
    bulk = list(_unique(_pages(session, action=action) for action in BULK))
    facts = _facts(hub, session, found, references, [*direct, *bulk])
    read = uses(_unique([direct, bulk]), facts)
    return hold_back(read, delays.ever_approved(session), hub.clock())


def _pages(session: Session, **which: Any) -> Iterator[Entry]:
    before: int | None = None
    while page := audit_log.recent(session, limit=_PAGE, before=before, **which):
        yield from page
        before = page[-1].id


def _unique(parts: Iterable[Iterable[Entry]]) -> Iterator[Entry]:
    seen: set[int] = set()
    for part in parts:
        for entry in part:
            if entry.id not in seen:
                seen.add(entry.id)
                yield entry


def _facts(
    hub: Hub, session: Session, found: History, references: frozenset[str], entries: list[Entry]
) -> Facts:
    concerning = concerned(hub, session, found, entries)
    known_runs = {run_id: _run(session, run_id) for run_id in concerning}
    ids = {str(entry.content.get("agreement") or "") for entry in entries} | {
        run.agreement for run in known_runs.values()
    }
    return Facts(
        references, _actors(session, entries), _agreements(session, ids), _deliveries(session, found),
        frozenset(found.linkings), known_runs, _results(session, entries),
    )  # fmt: skip


def concerned(hub: Hub, session: Session, found: History, entries: Iterable[Entry]) -> set[str]:
    """The runs that were given rows about the person: not those from which these were left out."""
    subjects = [reference(hub, item) for item in found.ids]
    kept_out = rights.restrictions_ever(session, subjects)
    listed = _Listed(hub, session, found)
    concerning = set()
    for entry in entries:
        if entry.action != "data.read":
            continue
        agreement, detail = str(entry.content.get("agreement") or ""), entry.content.get("detail") or {}
        if any(item.covers(agreement, entry.at) for item in kept_out):
            continue
        opt_out = detail.get("opt_out") or {}
        left_out = set(opt_out.get("inputs", ())) if listed.on(opt_out.get("lists", ())) else set()
        mine = found.rows.keys() | found.people
        for name, versions in (detail.get("versions") or {}).items():
            if name not in left_out and mine & set(versions):
                concerning.add(str(entry.content["target"]))
    return concerning


class _Listed:
    """Whether the person was on lists of national data opt-outs; each version is read once."""

    def __init__(self, hub: Hub, session: Session, found: History) -> None:
        self._hub, self._session, self._found = hub, session, found
        self._numbers: set[str] | None = None
        self._on: dict[str, bool] = {}

    def on(self, versions: Collection[str]) -> bool:
        """Whether one of the lists has an NHS number of the person."""
        return any(self._has(version) for version in versions)

    def _has(self, version_id: str) -> bool:
        if version_id not in self._on:
            if self._numbers is None:
                rows = own_row(self._hub, self._session, self._found.ids)
                self._numbers = set(
                    numbers_of(pa.array([row["nhs_number"] for row in rows], pa.string())).to_pylist()
                )
            try:
                version = catalogue.version(self._session, version_id)
                file = self._hub.vault.locate(self._session, version.object_key, version.binding)
                grant = whole_file(LIST_CONTRACT, "whether somebody's rows were left out")
                there = numbers_of(self._hub.vault.read(file, ["nhs_number"], grant)["nhs_number"])
                wanted = pa.array(sorted(self._numbers - {None}), pa.string())
                self._on[version_id] = bool(pc.any(pc.is_in(there, wanted)).as_py())
            except NotFound:
                self._on[version_id] = False  # destroyed since: then it is said that the row was used
        return self._on[version_id]


def _actors(session: Session, entries: Iterable[Entry]) -> dict[str, Actor]:
    found = {}
    for name in {entry.actor for entry in entries}:
        if (actor := actor_of(session, name)) is not None:
            found[name] = actor
    return found


def _agreements(session: Session, ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    def terms(ident: str) -> tuple[str, str]:
        agreement = agreements.get(session, ident)
        return agreement.title, agreement.purpose

    return _each(ids, terms)


def _each(ids: Iterable[str], look_up: Callable[[str], Any]) -> dict[str, Any]:
    found = {}
    for ident in sorted(set(ids) - {""}):
        try:
            found[ident] = look_up(ident)
        except NotFound:
            continue
    return found


def _run(session: Session, run_id: str) -> Run:
    run = runs.get_run(session, run_id)
    try:
        title = str(runs.get_plugin(session, run.plugin).manifest["title"])
    except NotFound:
        title = run.plugin
    names = {item.slug: item.name for item in identities.list_organisations(session)}
    return Run(title, names.get(run.organisation, run.organisation), run.agreement_id)


def _results(session: Session, entries: Iterable[Entry]) -> dict[str, str]:
    ids = [str(entry.content.get("target")) for entry in entries if entry.action == "result.released"]
    return _each(ids, lambda ident: runs.get_result(session, ident).run_id)


def _deliveries(session: Session, found: History) -> dict[str, tuple[str, str]]:
    """The deliveries that became versions with rows about the person: title of the dataset, and who sent it."""
    homes = {item.id: item.name for item in identities.list_organisations(session)}
    sent = {}
    for version in catalogue.versions_by_id(session, sorted(found.rows)).values():
        dataset = catalogue.dataset(session, version.dataset_id)
        sent[version.origin] = (dataset.title, homes.get(dataset.organisation_id, ""))
    return sent
