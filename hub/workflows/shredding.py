"""Destroying data for good: the keys of versions, of everything made from them, of quarantines and of results.

What is destroyed, who agreed and the digests of the destroyed keys stand in the audit log, under its next signed
checkpoint. A copy of the database from before still holds the wrapped keys; rotating the root key afterwards makes them
useless there too, as long as nobody kept the keyring of that time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import structlog
from sqlalchemy.orm import Session

from hub.catalogue import lineage
from hub.catalogue import store as catalogue
from hub.errors import Conflict, Forbidden, HubError, Invalid, NotFound
from hub.identity.principal import Principal, system
from hub.intake import store as intake
from hub.intake.states import FINAL
from hub.intake.verify import quarantine_owner
from hub.policy import store as agreements
from hub.policy.agreement import Agreement
from hub.policy.roles import Permission
from hub.policy.states import ENDED
from hub.rights import corrections
from hub.runs import keeping as kept_runs
from hub.runs.store import Result, Run, get_result, get_run
from hub.vault import shred
from hub.vault.shred import Held
from hub.workflows import auditing, keeping
from hub.workflows.hub import Hub, authorise, note, today

__all__ = ["Doomed", "Plan", "Proof", "carry_out", "expire_results", "plan", "sweep", "tidy"]

_RETENTION = system("retention")
_KINDS = {"res_": "result", "run_": "log", "cpy_": "copy"}
_DESTROYED = "Its keys were destroyed; nothing can read it any more."


@dataclass(frozen=True)
class Doomed:
    """One thing that goes: a version, a quarantine, a result or a run's log, in words, and why it goes along."""

    kind: str
    owner: str
    what: str
    why: str
    rows: int
    objects: int


@dataclass(frozen=True)
class Plan:
    """What shredding a target destroys; `digest` stands for exactly this.

    `moves` are datasets whose current version goes, with the number of the version that takes its place, None without.
    """

    target: str
    doomed: tuple[Doomed, ...]
    moves: tuple[tuple[str, int | None], ...]
    digest: str


@dataclass(frozen=True)
class Proof:
    """What was destroyed: the id of the audit entry and the keys, by the digests of their wrapped forms."""

    entry: int
    keys: tuple[Held, ...]
    objects_left: int


@dataclass
class _Closure:
    """Everything that descends from a target."""

    owners: dict[str, Doomed]
    versions: set[str]
    runs: list[tuple[Run, Result | None]]
    moves: dict[str, tuple[str, catalogue.Version | None]]  # dataset id -> name, version that takes over

    @property
    def digest(self) -> str:
        """Stands for exactly these owners."""
        return sha256("\n".join(sorted(self.owners)).encode()).hexdigest()


def plan(hub: Hub, principal: Principal, target: str, older_than_days: int | None = None) -> Plan:
    """What would go if a version, a delivery, a result or a dataset were shredded; changes nothing.

    Raises:
        NotFound: when there is no such thing, or nothing of it is left.
        Invalid: when an age is given for something that is no dataset.
    """
    authorise(principal, Permission.DESTROY_DATA)
    with hub.database.read() as session:
        found = _closure(session, hub, target, older_than_days)
    moves = tuple((name, version.number if version else None) for name, version in found.moves.values())
    return Plan(target, tuple(found.owners.values()), moves, found.digest)


def carry_out(
    hub: Hub,
    principal: Principal,
    second: Principal,
    planned: Plan,
    reason: str,
    older_than_days: int | None = None,
) -> Proof:
    """Destroy what was planned, when two people with the right to do so agree; the objects are removed as well.

    Raises:
        Forbidden: when the second person is the first.
        Invalid: when no reason is given.
        Conflict: when more has come to descend from the target since: look at a new plan.
    """
    for person in (principal, second):
        authorise(person, Permission.DESTROY_DATA)
    if principal.reference == second.reference or second.kind != "person":
        raise Forbidden(
            "Destroying data takes two people: somebody else must agree, with an account of their own."
        )
    if not reason.strip():
        raise Invalid("Say in a few words why this data is destroyed.", fields={"reason": ["missing"]})
    with hub.database.write() as session:
        found = _closure(session, hub, planned.target, older_than_days)
        if found.digest != planned.digest:
            raise Conflict(
                "Something was made from this data, or destroyed, since you looked. Look at what goes now, then decide."
            )
        detail = {"target": planned.target, "second": second.reference}
        entry, keys = _destroy(hub, session, principal, found, detail, hub.vault.seal_text(reason.strip()))
    left = _afterwards(hub)
    return Proof(entry, tuple(keys), left)


def _destroy(
    hub: Hub,
    session: Session,
    principal: Principal,
    found: _Closure,
    detail: dict[str, Any],
    reason: str = "",
) -> tuple[int, list[Held]]:
    """Keys, logs and states, in the caller's transaction; the entry proves it."""
    keys = shred.destroy(session, list(found.owners))
    corrections.forget_copies(session, found.owners, hub.clock())
    runs = [run for run, _ in found.runs]
    stopped = kept_runs.stop_runs(session, runs, "Stopped: what it had read was destroyed.")
    kept_runs.forget_logs(session, [run.id for run in runs])
    for _, result in found.runs:
        if result is not None and result.id in found.owners:
            kept_runs.close_result(session, result, principal.reference, hub.vault.seal_text(_DESTROYED))
    for dataset_id, (_, version) in found.moves.items():
        lineage.set_current(session, dataset_id, version.id if version else None)
    entry = note(
        session, principal, "keys.shredded", str(detail.get("target", "")), reason=reason,
        detail={
            **detail, "stopped_runs": stopped,
            "keys": [{"owner": item.owner, "root": item.root, "wrapped_sha256": item.digest} for item in keys],
            "current": {name: version.id if version else None for name, version in found.moves.values()},
        },
    )  # fmt: skip
    return entry, keys


def _afterwards(hub: Hub) -> int:
    """Remove the objects, put the proof under a signed checkpoint, and wipe SQLite's log of changes."""
    left = sweep(hub)
    auditing.seal_log(hub)
    if hub.database.is_sqlite:
        connection = hub.database.engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
    return left


# --- what goes


def _closure(session: Session, hub: Hub, target: str, older_than_days: int | None) -> _Closure:
    if older_than_days is not None and not target.startswith("dat_"):
        raise Invalid("An age is for datasets: hub keys shred DATASET --older-than DAYS.")
    if target.startswith("res_"):
        result = get_result(session, target)
        return _made(session, {}, set(), [(get_run(session, result.run_id), result)], target)
    if target.startswith("dat_"):
        dataset = catalogue.dataset(session, target)
        versions = catalogue.versions(session, dataset.id, limit=1_000_000)
        if older_than_days is not None:
            before = hub.clock() - timedelta(days=older_than_days)
            versions = [item for item in versions if item.accepted_at < before]
        return _of_versions(session, [item.id for item in versions], set(), target)
    if target.startswith("ver_"):
        return _of_versions(session, [catalogue.version(session, target).id], set(), target)
    delivery = intake.get(session, target)
    if delivery.state not in FINAL:
        raise Conflict(
            f"The delivery is {delivery.state.value}: it is not decided yet. Wait until it is, or until the hub "
            "gives it up."
        )
    return _of_versions(session, lineage.versions_of_origins(session, [target]), {target}, target)


def _of_versions(session: Session, start: Sequence[str], deliveries: set[str], target: str) -> _Closure:
    """Versions, what was made from them, the quarantines of their deliveries, and results of runs that read them."""
    made_from = lineage.descendants(session, start)
    why = dict.fromkeys(start, "asked for") | {
        child: f"made from {parent}" for child, parent in made_from.items()
    }
    for version_id, origin in lineage.origins(session, why).items():
        try:
            deliveries.add(intake.get(session, origin).id)
        except NotFound:
            continue  # the hub made this version itself
        why[quarantine_owner(origin)] = f"refused rows of the delivery that became {version_id}"
    for delivery_id in deliveries:
        why.setdefault(quarantine_owner(delivery_id), f"refused rows of delivery {delivery_id}")
    versions = {*start, *made_from}
    return _made(session, why, versions, kept_runs.runs_that_read(session, versions), target)


def _made(
    session: Session,
    why: dict[str, str],
    versions: set[str],
    runs: list[tuple[Run, Result | None]],
    target: str,
) -> _Closure:
    for run, result in runs:
        why[run.id] = "what the plugin said while it read it"
        if result is not None:
            why[result.owner] = "asked for" if result.id == target else f"made by run {run.id}, which read it"
    read = versions | {result.owner for _, result in runs if result is not None}
    for copy in corrections.copies_made_from(session, read):
        why[copy.owner] = "the copy that somebody asked for of data about them, made from it"
    known = catalogue.versions_by_id(session, sorted(versions))
    names = {item.id: item for item in catalogue.list_datasets(session, limit=1_000_000)} if known else {}
    owners = {}
    for item in shred.held(session, list(why)):
        version = known.get(item.owner)
        kind = "version" if version else _KINDS.get(item.owner[:4], "quarantine")
        what = f"{names[version.dataset_id].contract} version {version.number}" if version else item.owner
        owners[item.owner] = Doomed(kind, item.owner, what, why[item.owner], item.rows, len(item.objects))
    if not owners:
        raise NotFound(f"Nothing of {target} is left to destroy, or nothing of it is that old.")
    moves = {
        dataset.id: (dataset.contract, _successor(session, dataset.id, versions))
        for dataset in names.values()
        if dataset.current_version in versions
    }
    return _Closure(owners, versions, runs, moves)


def _successor(session: Session, dataset_id: str, doomed: set[str]) -> catalogue.Version | None:
    """The newest version of a dataset that stays."""
    for version in catalogue.versions(session, dataset_id, limit=1_000_000):
        if version.id not in doomed and shred.held(session, [version.id]):
            return version
    return None


# --- what the hub does by itself


def tidy(hub: Hub) -> None:
    """Once a day: end keys whose overlap is over, results whose time has come, and what is left of destroyed data."""
    for part in (keeping.prune_keys, expire_results, shred_stragglers, sweep):
        try:
            part(hub)
        except HubError as error:
            structlog.get_logger().error("keys.tidy", part=part.__name__, error=type(error).__name__)


def expire_results(hub: Hub) -> int:
    """Destroy results and logs whose agreement says that their time is over; returns of how many runs."""
    count = 0
    with hub.database.read() as session:
        terms = [
            (item.id, item.retention_days, before)
            for item in agreements.list_all(session)
            if (before := _going(hub, item)) is not None
        ]
    for agreement_id, days, before in terms:
        with hub.database.read() as session:
            old = kept_runs.made_before(session, agreement_id, before)
            if not _kept(session, old):
                continue
        with hub.database.write() as session:
            going = _kept(session, old)
            runs = [
                (get_run(session, run_id), get_result(session, result_id) if result_id else None)
                for run_id, result_id in old
                if going.intersection((run_id, result_id))
            ]
            found = _Closure(
                {owner: Doomed(_KINDS[owner[:4]], owner, owner, "retention", 0, 0) for owner in sorted(going)},
                set(), runs, {},
            )  # fmt: skip
            _destroy(hub, session, _RETENTION, found, {"target": agreement_id, "retention_days": days})
        count += len(runs)
    if count:
        _afterwards(hub)
    return count


def _going(hub: Hub, agreement: Agreement) -> datetime | None:
    """Results of an agreement made before this moment are to be destroyed; None when none is."""
    everything = datetime.max.replace(tzinfo=UTC)
    retention, on = timedelta(days=agreement.retention_days), today(hub)
    ended = agreement.state in ENDED or on > agreement.end
    if ended and agreement.results_at_end == "destroyed":
        return everything
    if agreement.retention_trigger == "made":
        return hub.clock() - retention
    return everything if ended and on > agreement.last_day + retention else None


def _kept(session: Session, runs: Iterable[tuple[str, str | None]]) -> set[str]:
    """Those of some runs and their results whose keys are not destroyed."""
    return {item.owner for item in shred.held(session, [owner for pair in runs for owner in pair if owner])}


def shred_stragglers(hub: Hub) -> int:
    """Destroy what came to descend from destroyed versions while they were destroyed; returns how many keys."""
    with hub.database.write() as session:
        gone = shred.destroyed(session, "ver_")
        if not gone:
            return 0
        try:
            found = _of_versions(session, gone, set(), "what was destroyed before")
        except NotFound:
            return 0
        _, keys = _destroy(
            hub, session, _RETENTION, found, {"target": "", "basis": "descends from destroyed versions"}
        )
    _afterwards(hub)
    return len(keys)


def sweep(hub: Hub) -> int:
    """Remove the objects of destroyed keys: nobody can read them, but they take room. Returns how many are left."""
    while True:
        with hub.database.read() as session:
            left = shred.leftovers(session)
        if not left:
            return 0
        try:
            for object_key in left:
                if object_key.startswith("results/"):  # its report lies beside its tables
                    hub.objects.delete_prefix(object_key.rpartition("/")[0])
                hub.objects.delete(object_key)
        except OSError as error:
            structlog.get_logger().warning("keys.objects-left", error=type(error).__name__, objects=len(left))
            return len(left)
        with hub.database.write() as session:
            shred.note_removed(session, left)
