"""Backups: a consistent copy of database and objects while the hub serves, and bringing one back.

The copy of the database is always one SQLite file, whichever database the hub uses: SQLite's own backup makes it from
SQLite, a single snapshot (REPEATABLE READ) read table by table from PostgreSQL. So a backup of one can be brought back
into the other. Objects are ciphertext that never changes; on one file system they are hard-linked. The keyring stays
out unless a passphrase is given for a copy of it.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Table, func, inspect, select, text

from hub import __version__
from hub.audit import log as audit_log
from hub.errors import ConfigurationError, HubError, Invalid, NotFound
from hub.identity.principal import Principal
from hub.policy.roles import Permission
from hub.runs import keeping as kept_runs
from hub.storage.database import Base, Database, utc_now
from hub.vault import shred
from hub.vault.keyfile import FILE as KEYRING_FILE
from hub.vault.keyring import copy_keyring
from hub.workflows import auditing, keeping
from hub.workflows.hub import Hub, authorise, note

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from hub.storage.objects import ObjectStore

__all__ = [
    "Backup", "believe", "check_restored", "copy_rows", "keyring_of", "make_backup", "note_restored", "put_objects",
    "read_backup",
]  # fmt: skip

_FORMAT: Final = "joinedup-backup/1"
_INDEX, _SIGNATURE, DATABASE = "backup.json", "backup.sig", "hub.db"
_OBJECTS, KEYS = "objects", "keys"
_INCOMING, _LATEST, _GEOGRAPHY = "incoming", "audit/checkpoints/latest", "geography"
_CHUNK = 4 * 1024 * 1024
#: What must not come back with a backup: who was signed in, who led, and stored jobs, which the schedules make anew.
_FLEETING: Final = ("user_sessions", "citizen_sessions", "leases", "scheduler_jobs")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Backup:
    """A backup in a folder: its index, and whether a copy of the keyring is with it."""

    folder: Path
    made_at: str
    objects: tuple[tuple[str, int, str], ...]  # key, size in bytes, SHA-256 in hex
    database: str  # SHA-256 in hex
    checkpoint: str
    with_keys: bool
    gone: int = 0
    raw: bytes = field(default=b"", repr=False)
    signature: bytes = field(default=b"", repr=False)

    @property
    def size(self) -> int:
        """Bytes of all objects."""
        return sum(size for _, size, _ in self.objects)


def make_backup(
    hub: Hub, principal: Principal, folder: Path, *, passphrase: str = "",
    progress: Progress = lambda done, total: None,
) -> Backup:  # fmt: skip
    """Copy database and objects into an empty folder while the hub serves; with a passphrase also the keyring.

    The index is written last: a folder without one is no backup.

    Raises:
        ConfigurationError: when the folder is not empty or cannot be written.
    """
    authorise(principal, Permission.MANAGE_KEYS)
    _empty(folder)
    auditing.seal_log(hub)
    copied: dict[str, tuple[int, str]] = {}
    # Parts of deliveries vanish once these are decided, so those from before the snapshot are taken first.
    _copy(hub.objects, hub.objects.list(_INCOMING), folder, copied)
    _snapshot(hub.database, folder / DATABASE)
    wanted, checkpoint = _wanted(hub, folder / DATABASE)
    gone = _copy(hub.objects, wanted, folder, copied, progress)
    if passphrase:
        copy_keyring(hub.keyring, folder / KEYS, passphrase)
    index = {
        "format": _FORMAT, "hub": __version__, "made_at": utc_now().isoformat(), "database": _digest(folder / DATABASE),
        "checkpoint": checkpoint, "with_keys": bool(passphrase), "gone": gone,
        "objects": [[key, size, digest] for key, (size, digest) in sorted(copied.items())],
    }  # fmt: skip
    raw = json.dumps(index, indent=0).encode()
    _write(folder / _SIGNATURE, base64.b64encode(hub.keyring.checkpoint_private_key.sign(raw)) + b"\n")
    _write(folder / _INDEX, raw)
    made = read_backup(folder)
    with hub.database.write() as session:
        note(
            session, principal, "hub.backed-up",
            detail={"objects": len(made.objects), "with_keys": made.with_keys, "database": made.database},
        )  # fmt: skip
    return made


def _empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(folder.iterdir()):
            raise ConfigurationError(f"The folder {folder} is not empty; a backup needs one of its own.")
    except OSError as error:
        raise ConfigurationError(f"The folder {folder} cannot be used: {error.strerror}.") from None


def _snapshot(database: Database, target: Path) -> None:
    """One consistent copy of the database, as a SQLite file without what is fleeting."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    if database.is_sqlite:
        connection = database.engine.raw_connection()
        try:
            with closing(sqlite3.connect(target)) as copy:
                connection.driver_connection.backup(copy)  # type: ignore[union-attr]
        finally:
            connection.close()
    else:
        made = Database(f"sqlite:///{target}")
        Base.metadata.create_all(made.engine)
        revision = _revision(database)
        with made.write() as session:
            session.execute(
                text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
            )
            session.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})
        copy_rows(database, made)
        made.close()
    with closing(sqlite3.connect(target)) as copy:
        known = {row[0] for row in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for name in known.intersection(_FLEETING):
            copy.execute(f'DELETE FROM "{name}"')  # noqa: S608 - names from a constant
        copy.commit()
        copy.execute("PRAGMA journal_mode=DELETE")
        copy.execute("VACUUM")


def _revision(database: Database) -> str:
    with database.read() as session:
        return str(session.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def copy_rows(source: Database, target: Database) -> None:
    """Every row of the hub's tables, as they are at one moment in `source`, into the empty tables of `target`.

    Raises:
        ConfigurationError: when the source has tables this hub does not know.
    """
    tables = [table for table in Base.metadata.sorted_tables if table.name not in _FLEETING]
    known = {*Base.metadata.tables, *_FLEETING, "alembic_version"}
    if strange := sorted(set(inspect(source.engine).get_table_names()) - known):
        raise ConfigurationError(
            f"The database has tables that this hub does not know: {', '.join(strange)}."
        )
    options: dict[str, Any] = {} if source.is_sqlite else {"isolation_level": "REPEATABLE READ"}
    with source.engine.connect().execution_options(**options) as reading, target.write() as session:
        for table in tables:
            rows = reading.execution_options(yield_per=1000).execute(select(table))
            for some in rows.mappings().partitions():
                session.execute(table.insert(), [dict(row) for row in some])
            if not target.is_sqlite:
                _count_on(session, table)


def _count_on(session: Any, table: Table) -> None:
    """Let PostgreSQL go on counting after the ids that were brought along."""
    column = table.autoincrement_column
    if column is None:
        return
    name = session.execute(select(func.pg_get_serial_sequence(table.name, column.name))).scalar()
    if name is not None:
        session.execute(
            text("SELECT setval(:name, :last + 1, false)"),
            {"name": name, "last": session.execute(select(func.coalesce(func.max(column), 0))).scalar()},
        )


def _wanted(hub: Hub, snapshot: Path) -> tuple[list[str], str]:
    """The objects that a snapshot of the database refers to, and its newest checkpoint."""
    copy = Database(f"sqlite:///{snapshot}")
    try:
        with copy.read() as session:
            results = kept_runs.all_results(session)
            alive = {item.owner for item in shred.held(session, [item.owner for item in results])}
            reports = [item.report for item in results if item.owner in alive]
            files, checkpoint = shred.objects_alive(session), audit_log.latest_checkpoint(session) or ""
    finally:
        copy.close()
    for more in ("-wal", "-shm"):
        snapshot.with_name(snapshot.name + more).unlink(missing_ok=True)
    return [*files, *reports, *hub.objects.list(_GEOGRAPHY), *hub.objects.list(_INCOMING)], checkpoint


def _copy(
    objects: ObjectStore, keys: Sequence[str], folder: Path, copied: dict[str, tuple[int, str]],
    progress: Progress = lambda done, total: None,
) -> int:  # fmt: skip
    """Link or copy objects that are not there yet; returns how many are gone meanwhile (destroyed, or decided)."""
    gone = 0
    for number, key in enumerate(keys):
        if key not in copied:
            target = folder / _OBJECTS / key
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                copied[key] = _link(objects, key, target)
            except (NotFound, FileNotFoundError):
                gone += 1
        progress(number + 1, len(keys))
    return gone


def _link(objects: ObjectStore, key: str, target: Path) -> tuple[int, str]:
    try:
        os.link(objects.path(key), target)
    except FileNotFoundError:
        if objects.size(key) is None:
            raise
        _fetch(objects, key, target)
    except OSError:  # another file system, a bucket, or one without hard links
        _fetch(objects, key, target)
    return target.stat().st_size, _digest(target)


def _fetch(objects: ObjectStore, key: str, target: Path) -> None:
    with objects.open(key) as source, target.open("wb") as stream:
        shutil.copyfileobj(source, stream, _CHUNK)
        stream.flush()
        os.fsync(stream.fileno())


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


# --- bringing one back


def read_backup(folder: Path) -> Backup:
    """The index of the backup in a folder; nothing of it is believed yet.

    Raises:
        ConfigurationError: when there is none, or it is not whole.
    """
    try:
        raw, signature = (folder / _INDEX).read_bytes(), (folder / _SIGNATURE).read_bytes()
        data = json.loads(raw)
        if data["format"] != _FORMAT:
            raise ValueError("unknown format")
        objects = tuple((str(key), int(size), str(digest)) for key, size, digest in data["objects"])
        return Backup(
            folder, data["made_at"], objects, data["database"], data["checkpoint"], data["with_keys"], data["gone"],
            raw, base64.b64decode(signature),
        )  # fmt: skip
    except FileNotFoundError:
        raise ConfigurationError(
            f"There is no finished backup in {folder}: it needs {_INDEX}, which is written last."
        ) from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ConfigurationError(f"The backup in {folder} cannot be read ({type(error).__name__}).") from None


def believe(backup: Backup, keys: Iterable[Ed25519PublicKey]) -> None:
    """Go on only with an index that this hub signed and a database that is the one it names.

    Raises:
        Invalid: when it was changed or is another hub's.
    """
    from cryptography.exceptions import InvalidSignature

    for key in keys:
        try:
            key.verify(backup.signature, backup.raw)
            break
        except InvalidSignature:
            continue
    else:
        raise Invalid(
            "The backup is not signed by this keyring's hub: it was changed, or belongs to another hub."
        )
    if _digest(backup.folder / DATABASE) != backup.database:
        raise Invalid(
            "The database in the backup is not the one that was backed up: it was changed or damaged."
        )


def put_objects(
    objects: ObjectStore, backup: Backup, progress: Progress = lambda done, total: None
) -> list[str]:
    """Bring the objects back that are not there; returns what is wrong with those that cannot be."""
    problems = []
    for number, (key, size, digest) in enumerate(backup.objects):
        source = backup.folder / _OBJECTS / key
        try:
            if source.stat().st_size != size or _digest(source) != digest:
                problems.append(f"The object {key} in the backup was changed or damaged.")
            elif objects.size(key) != size:
                objects.put_file(key, source)
        except (OSError, ValueError) as error:
            problems.append(f"The object {key} cannot be brought back ({type(error).__name__}).")
        progress(number + 1, len(backup.objects))
    if backup.checkpoint:
        objects.put_bytes(_LATEST, backup.checkpoint.encode())
    return problems


def check_restored(hub: Hub, progress: Progress = lambda done, total: None) -> list[str]:
    """Verify the audit log and open every file and report; returns what is wrong."""
    problems = [*keeping.keys_state(hub).problems, *auditing.verify(hub).problems]
    with hub.database.read() as session:
        files = shred.objects_alive(session)
        results = kept_runs.all_results(session)
        alive = {item.owner for item in shred.held(session, [item.owner for item in results])}
        for number, key in enumerate(files):
            try:
                hub.vault.probe(session, key)
            except HubError as error:
                problems.append(f"{key}: {error.detail}")
            progress(number + 1, len(files))
        for result in results:
            try:
                if result.owner in alive:
                    hub.vault.read_blob(session, result.owner, result.report, result.binding("report"))
            except HubError as error:
                problems.append(f"{result.report}: {error.detail}")
    return problems


def note_restored(hub: Hub, principal: Principal, backup: Backup, problems: Sequence[str]) -> None:
    """Write into the log that the hub was brought back to an earlier moment."""
    authorise(principal, Permission.MANAGE_KEYS)
    with hub.database.write() as session:
        note(
            session, principal, "hub.restored", detail={"made_at": backup.made_at, "problems": len(problems)}
        )


def keyring_of(backup: Backup) -> Path | None:
    """The folder of the keyring's copy in a backup, if it has one."""
    return backup.folder / KEYS if (backup.folder / KEYS / KEYRING_FILE).exists() else None
