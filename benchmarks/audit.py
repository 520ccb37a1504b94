"""What the audit log costs: an entry in a transaction, alone and among sixteen writers; sealing, verifying, proofs."""

from __future__ import annotations

import random
import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.orm import Session

from benchmarks.audit_writers import writers
from benchmarks.measure import interleaved
from benchmarks.registry import Scale
from benchmarks.table import Table, count, milliseconds, rate, ratio, seconds, turns
from hub.audit import log as audit_log
from hub.audit.vouching import SESSION_KEY
from hub.identity import store as identities
from hub.migrations.upgrade import upgrade
from hub.storage.database import Database

__all__ = ["run"]

_ORIGIN = "joinedup-hub/benchmark"
_TRANSACTIONS = 200
_ACTS = 100
_SUBJECTS = 5
_CHECKPOINTS = 100
_MOST_A_TRANSACTION = 5_000
_PROOFS = 50


@dataclass
class _Log:
    """A migrated database with the key that signs its checkpoints."""

    database: Database
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)


def run(scale: Scale) -> list[Table]:
    """Three tables: transactions with and without entries; sealing and verifying; sixteen writers."""
    with tempfile.TemporaryDirectory(prefix="bench-audit-") as name:
        tables = []
        for part, measure in (("write", _writing), ("verify", _verifying)):
            database = Database(f"sqlite:///{Path(name) / part}.db")
            database.session_info[SESSION_KEY] = secrets.token_bytes(32)
            upgrade(database)
            try:
                tables.append(measure(_Log(database), scale))
            finally:
                database.close()
    return [*tables, writers(scale)]


def _act(session: Session) -> None:
    """The smallest thing a workflow writes: one row, looked for first."""
    slug = f"bench-{secrets.token_hex(8)}"
    identities.add_organisation(session, slug, slug)


def _entry(session: Session, subjects: int = 0) -> None:
    """An entry as `workflows.hub.note` writes it."""
    audit_log.record(
        session, actor="person:bench", action="household.read", target=f"ver_{secrets.token_hex(8)}",
        agreement="troubled-families", purpose="Find families who meet published criteria for early help",
        reason=secrets.token_urlsafe(60), subjects=[secrets.token_hex(32) for _ in range(subjects)],
        detail={"datasets": ["benefits.claims", "housing.tenancies", "schools.attendance"]},
        request_id=secrets.token_hex(8),
    )  # fmt: skip


def _transactions(log: _Log, number: int, acts: int, entry: Callable[[Session], None] | None) -> None:
    for _ in range(number):
        with log.database.write() as session:
            for _ in range(acts):
                _act(session)
                if entry is not None:
                    entry(session)


def _writing(log: _Log, scale: Scale) -> Table:
    number = min(_TRANSACTIONS, scale.entries)
    acts = min(_ACTS, scale.entries)
    named = partial(_entry, subjects=_SUBJECTS)
    several = max(1, number // 40)
    kinds = {
        "one act a transaction": (number, 1),
        f"{acts} acts": (several, acts),
    }
    entries = {"alone": None, "with an entry": _entry, f"with an entry about {_SUBJECTS} people": named}
    tasks = {
        f"{kind}|{name}": partial(_transactions, log, transactions, each, entry)
        for kind, (transactions, each) in kinds.items()
        for name, entry in entries.items()
    }
    timings = interleaved(tasks, scale.repeats)
    lines = []
    for kind, (transactions, each) in kinds.items():
        done = transactions * each
        for name in entries:
            taken = timings.median(f"{kind}|{name}")
            times = timings.ratio(f"{kind}|{name}", f"{kind}|alone")
            lines.append((f"{kind}: {name}", rate(done, taken), milliseconds(taken / done), ratio(times)))
    return Table(
        "audit: acts with and without an entry in their transaction, SQLite (WAL, synchronous=FULL)",
        ("what", "acts/s", "ms an act", "to alone"),
        tuple(lines),
        (f"{turns(scale.repeats)} of {number:,} transactions of one act and {several:,} of {acts:,}.",),
    )


def _verifying(log: _Log, scale: Scale) -> Table:
    appended, sealed = _fill(log, scale.entries)
    public = log.key.public_key()
    found: list[audit_log.Verification] = []

    def verify() -> None:
        with log.database.read() as session:
            found.append(audit_log.verify_log(session, _ORIGIN, public))

    floor, whole = "floor: read the entries and hash each", "verify the log"
    timings = interleaved({floor: partial(_read_and_hash, log), whole: verify}, scale.repeats)
    if not found[-1].ok or found[-1].sealed != scale.entries:
        raise RuntimeError(f"the log does not verify: {found[-1]}")
    proofs = {name: _proving(log, scale.entries, name) for name in ("inclusion", "consistency")}
    lines = [
        ("append (one run)", seconds(appended), rate(scale.entries, appended), "-"),
        ("seal: places, tree, checkpoints (one run)", seconds(sealed), rate(scale.entries, sealed), "-"),
        *(
            (name, seconds(timings.median(name)), rate(scale.entries, timings.median(name)), ratio(times))
            for name, times in ((floor, 1.0), (whole, timings.ratio(whole, floor)))
        ),
        *(
            (f"a proof of {name} (mean of {_PROOFS})", seconds(taken), "-", "-")
            for name, taken in proofs.items()
        ),
    ]
    return Table(
        f"audit: a log of {scale.entries:,} entries under {count(found[-1].checkpoints)} checkpoints",
        ("what", "seconds", "entries/s", "to floor"),
        tuple(lines),
        (
            f"{turns(scale.repeats)}; appended and sealed {_at_once(scale.entries):,} at a time; every fourth entry is "
            f"about {_SUBJECTS} people.",
        ),
    )


def _proving(log: _Log, size: int, kind: str) -> float:
    """Seconds that a proof takes, on the average, each in a transaction of its own."""
    chosen = random.Random(7)
    started = time.perf_counter()
    for _ in range(_PROOFS):
        second = chosen.randint(1, size)
        with log.database.read() as session:
            if kind == "inclusion":
                audit_log.inclusion(session, chosen.randrange(second), second)
            else:
                audit_log.consistency(session, chosen.randint(1, second), second)
    return (time.perf_counter() - started) / _PROOFS


def _at_once(entries: int) -> int:
    return max(1, min(_MOST_A_TRANSACTION, entries // _CHECKPOINTS))


def _fill(log: _Log, entries: int) -> tuple[float, float]:
    """Append so many entries and seal them bit by bit; seconds of each."""
    appended = sealed = 0.0
    each = _at_once(entries)
    for start in range(0, entries, each):
        began = time.perf_counter()
        with log.database.write() as session:
            for number in range(start, min(start + each, entries)):
                _entry(session, 0 if number % 4 else _SUBJECTS)
        appended += time.perf_counter() - began
        began = time.perf_counter()
        with log.database.write() as session:
            audit_log.seal(session, _ORIGIN, log.key)
        sealed += time.perf_counter() - began
    return appended, sealed


def _read_and_hash(log: _Log) -> bytes:
    last = b""
    with log.database.read() as session:
        for (entry,) in session.execute(text("SELECT entry FROM audit_entries ORDER BY leaf_index")):
            last = sha256(entry.encode()).digest()
    return last
