"""What leaves the hub to be kept elsewhere: published checkpoints, and the export that is verified with no hub."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from hub.audit import log as audit
from hub.audit.checkpoint import (
    Checkpoint,
    CheckpointError,
    read_unverified,
    read_verifier_key,
    sign,
    verifier_key,
)
from hub.audit.export import ExportError, verify_export
from hub.audit.proofs import verify_consistency, verify_inclusion
from hub.errors import Conflict, Invalid, NotFound, Unavailable
from hub.identity.principal import Principal
from hub.storage.database import utc_now
from hub.workflows import auditing, keeping
from hub.workflows.hub import Hub
from support.hubs import principal_of

LATEST = "audit/checkpoints/latest"


def _write(hub: Hub, number: int, target: str = "t") -> None:
    with hub.database.write() as session:
        for count in range(number):
            audit.record(
                session, actor="system:test", action="test.act", target=f"{target}{count}", subjects=["s"]
            )


def _roll_back(hub: Hub, size: int) -> None:
    with hub.database.write() as session:
        for statement in (
            "DELETE FROM audit_subjects WHERE entry_id IN (SELECT id FROM audit_entries WHERE leaf_index >= :size)",
            "DELETE FROM audit_entries WHERE leaf_index >= :size",
            "DELETE FROM audit_checkpoints WHERE size > :size",
        ):
            session.execute(text(statement), {"size": size})


@pytest.fixture
def auditor(sqlite_hub: Hub) -> Principal:
    return principal_of(sqlite_hub, "police", "auditor")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    return tmp_path / "outside"


@pytest.fixture
def published(sqlite_hub: Hub, auditor: Principal, outside: Path) -> Iterator[Hub]:
    """A hub whose log was published at five entries, and sealed again at nine."""
    _write(sqlite_hub, 5)
    auditing.publish(sqlite_hub, auditor, outside)
    _write(sqlite_hub, 4)
    auditing.seal_log(sqlite_hub)
    yield sqlite_hub


# --- sealing


def test_what_waits_is_sealed_batch_by_batch_with_a_checkpoint_after_each(hub: Hub) -> None:
    _write(hub, 12)
    with hub.database.write() as session:
        key = hub.keyring.checkpoint_private_key
        sizes = [
            made.size
            for _ in range(4)
            if (made := audit.seal(session, hub.audit_origin, key, limit=5)) is not None
        ]
        assert sizes == [5, 10, 12]
    found = auditing.verify(hub)
    assert found.ok and found.checkpoints == 3, found.problems


def test_the_worker_seals_all_that_waits(sqlite_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "BATCH", 4)
    _write(sqlite_hub, 10)
    assert auditing.seal_log(sqlite_hub)
    with sqlite_hub.database.read() as session:
        assert audit.is_sealed(session) and audit.sealed_size(session) == audit.length(session) == 10
    assert auditing.verify(sqlite_hub).checkpoints == 3


_LATER = "(SELECT max(id) FROM audit_entries)"
_FORGED = "x' || char(10) || '8' || char(10) || '{}=' || char(10) || char(10) || '".format("A" * 43)


@pytest.mark.parametrize(
    "bend",
    [
        f"UPDATE audit_checkpoints SET roots = x'{7:0128x}'",
        "UPDATE audit_checkpoints SET note = replace(note, 'joinedup', 'disjoint')",
        f"INSERT INTO audit_checkpoints (size, at, roots, note) VALUES (8, '2026-01-01', x'{0:064x}', '{_FORGED}')",
        f"UPDATE audit_entries SET leaf_index = 4 WHERE id = {_LATER}",
    ],
)
def test_nothing_is_sealed_onto_a_log_that_was_bent_and_work_goes_on(sqlite_hub: Hub, bend: str) -> None:
    _write(sqlite_hub, 3)
    auditing.seal_log(sqlite_hub)
    _write(sqlite_hub, 4)
    with sqlite_hub.database.write() as session:
        session.execute(text(bend))
    assert not auditing.seal_log(sqlite_hub)
    assert not auditing.verify(sqlite_hub).ok


def test_hashes_that_somebody_put_where_the_next_tile_goes_do_not_stop_sealing(sqlite_hub: Hub) -> None:
    with sqlite_hub.database.write() as session:
        session.execute(
            text("INSERT INTO audit_subtrees (level, place, root) VALUES (8, 0, x'00'), (8, 1, x'00')")
        )
    _write(sqlite_hub, 260)
    assert auditing.seal_log(sqlite_hub)
    assert auditing.verify(sqlite_hub).ok


def test_old_checkpoints_that_later_ones_cover_are_forgotten_and_the_log_still_holds(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)
    moments = [start + timedelta(seconds=20 * count) for count in range(200)]  # an hour and seven minutes
    moments += [start + timedelta(days=2, seconds=20 * count) for count in range(6)]
    moments.append(start + timedelta(days=2, hours=3))
    for place, moment in enumerate(moments):
        monkeypatch.setattr(audit, "utc_now", lambda moment=moment: moment)
        with hub.database.write() as session:
            audit.record(session, actor="system:test", action="test.act")
            audit.seal(session, hub.audit_origin, hub.keyring.checkpoint_private_key)
            if place == 99:
                kept = audit.latest_checkpoint(session)
                keeper = hub.keyring.checkpoint_public_keys
    monkeypatch.setattr(audit, "utc_now", utc_now)
    with hub.database.write() as session:
        audit.thin(session, moments[-1] + timedelta(minutes=1))
        sizes = session.execute(text("SELECT size FROM audit_checkpoints ORDER BY size")).scalars().all()
        assert audit.thin(session, moments[-1] + timedelta(minutes=1)) == 0
        # The first, the last of each of two hours, of each of two minutes two days later, and the newest.
        assert sizes == [1, 180, 200, 203, 206, 207]
    with hub.database.read() as session:
        assert audit.verify_log(session, hub.audit_origin, keeper, [str(kept)]).ok


def test_the_first_checkpoint_of_a_new_key_is_never_forgotten(sqlite_hub: Hub) -> None:
    hub, later = sqlite_hub, timedelta(days=3)
    for turn in range(3):
        for _ in range(3):
            _write(hub, 1)
            auditing.seal_log(hub)
        if turn == 1:
            keeping.rotate_signing(hub, principal_of(hub, "hub", "operator"), timedelta(0))
    with hub.database.write() as session:
        before = set(session.execute(text("SELECT size FROM audit_checkpoints")).scalars())
        audit.thin(session, hub.clock() + later)
        after = set(session.execute(text("SELECT size FROM audit_checkpoints")).scalars())
    notes = {size: size >= 7 for size in before}
    first_new = min(size for size, new in notes.items() if new)
    assert {min(before), max(before), first_new} <= after < before
    assert auditing.verify(hub).ok


# --- checkpoints kept elsewhere


def test_a_folder_gets_the_newest_checkpoint_and_the_days(
    published: Hub, outside: Path, auditor: Principal
) -> None:
    auditing.publish(published, auditor, outside)
    day = f"checkpoint-{published.clock():%Y-%m-%d}.txt"
    assert sorted(file.name for file in outside.iterdir()) == [day, "checkpoint.txt"]
    newest = (outside / "checkpoint.txt").read_text()
    assert newest == auditing.checkpoint(published, auditor) == (outside / day).read_text()
    assert read_unverified(newest).size == 9
    assert auditing.verify(published, [newest]).ok


def test_the_worker_publishes_after_sealing_where_the_setting_names_a_folder(
    sqlite_hub: Hub, outside: Path
) -> None:
    from dataclasses import replace

    hub = replace(sqlite_hub, settings=replace(sqlite_hub.settings, audit_publish=str(outside)))
    with pytest.raises(NotFound, match="audit_publish"):
        auditing.verify(hub)  # what cannot be compared is no success
    for size in (3, 6):
        _write(hub, 3)
        assert auditing.seal_log(hub)
        assert read_unverified((outside / "checkpoint.txt").read_text()).size == size
    assert auditing.verify(hub).ok
    _roll_back(hub, 3)
    hub.objects.delete(LATEST)
    problems = auditing.verify(hub).problems
    assert problems and all("published checkpoint of size 6" in problem for problem in problems)
    _write(hub, 1)
    assert auditing.seal_log(hub)  # work goes on, and the evidence stays
    assert read_unverified((outside / "checkpoint.txt").read_text()).size == 6


@pytest.mark.parametrize("again", [0, 10])
def test_what_a_rolled_back_log_contradicts_is_never_written_over(
    published: Hub, outside: Path, auditor: Principal, again: int
) -> None:
    auditing.publish(published, auditor, outside)
    kept = (outside / "checkpoint.txt").read_text(), published.objects.get_bytes(LATEST)
    _roll_back(published, 5)
    _write(published, again, "other")
    auditing.seal_log(published)
    with pytest.raises(Conflict, match="does not begin with what was published"):
        auditing.publish(published, auditor, outside)
    assert ((outside / "checkpoint.txt").read_text(), published.objects.get_bytes(LATEST)) == kept
    found = auditing.verify(published, [kept[0]])
    assert sum("published checkpoint of size 9" in problem for problem in found.problems) == 2


def test_a_folder_of_another_log_or_with_something_else_in_it_is_left_alone(
    published: Hub, outside: Path, auditor: Principal
) -> None:
    file = outside / "checkpoint.txt"
    other = sign(Checkpoint("other", 3, b"x" * 32), Ed25519PrivateKey.generate())
    for content in (other, "a shopping list", "x\n" + "9" * 400 + "\nAAAA\n\n"):
        file.write_text(content)
        with pytest.raises(Conflict):
            auditing.publish(published, auditor, outside)
        assert file.read_text() == content


def test_a_folder_that_cannot_be_written_is_named_without_its_path(
    published: Hub, auditor: Principal, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="could not be written") as error:
        auditing.publish(published, auditor, tmp_path / "file" / "folder")
    assert str(tmp_path) not in error.value.detail
    with pytest.raises(Invalid, match="the hub's own"):
        auditing.publish(published, auditor, published.settings.dir / "audit")


# --- proofs


def test_proofs_hold_against_published_checkpoints(published: Hub, outside: Path, auditor: Principal) -> None:
    early = read_unverified((outside / "checkpoint.txt").read_text())
    late = read_unverified(auditing.checkpoint(published, auditor))
    found = auditing.prove_consistency(published, auditor, first=5, second=None)
    verify_consistency(5, 9, found.hashes, early.root, late.root)
    with published.database.read() as session:
        entry = audit.recent(session, limit=1)[0]
    proof, note = auditing.prove_inclusion(published, auditor, entry=entry.id)
    verify_inclusion(proof.leaf, proof.index, 9, proof.hashes, late.root)
    assert json.loads(proof.entry) == entry.content
    assert note is not None and read_unverified(note) == late
    proof, note = auditing.prove_inclusion(published, auditor, leaf_index=2, size=4)
    verify_inclusion(proof.leaf, 2, 4, proof.hashes, proof.root)
    assert note is None


def test_what_cannot_be_proved_is_said(published: Hub, auditor: Principal) -> None:
    _write(published, 1)
    with published.database.read() as session:
        waiting = audit.recent(session, limit=1)[0].id
    with pytest.raises(Conflict, match="not sealed yet"):
        auditing.prove_inclusion(published, auditor, entry=waiting)
    with pytest.raises(NotFound, match="no entry 999"):
        auditing.prove_inclusion(published, auditor, entry=999)
    with pytest.raises(NotFound, match="9 sealed entries"):
        auditing.prove_inclusion(published, auditor, leaf_index=9)
    for which in (
        {},
        {"entry": 1, "leaf_index": 0},
        {"leaf_index": 3, "size": 3},
        {"leaf_index": 3, "size": 10},
    ):
        with pytest.raises(Invalid):
            auditing.prove_inclusion(published, auditor, **which)
    for first, second in ((0, 9), (6, 5), (5, 10), (10, None)):
        with pytest.raises(Invalid, match="from 1 to 9"):
            auditing.prove_consistency(published, auditor, first=first, second=second)


# --- the export


def _export(hub: Hub, auditor: Principal) -> list[bytes]:
    return list(auditing.export(hub, auditor))


def _problems(lines: list[bytes], key: str, published: tuple[str, ...] = ()) -> list[str]:
    return verify_export(io.BytesIO(b"".join(lines)), [key], published).problems


@pytest.fixture
def key(published: Hub, auditor: Principal) -> str:
    return auditing.verifier_keys(published, auditor)[-1]


def test_an_export_holds_with_nothing_but_a_key_and_a_checkpoint(
    published: Hub, outside: Path, auditor: Principal, key: str
) -> None:
    lines = _export(published, auditor)
    told: list[tuple[int, int]] = []
    note = (outside / "checkpoint.txt").read_text()
    found = verify_export(io.BytesIO(b"".join(lines)), [key], [note], lambda *said: told.append(said))
    assert (found.ok, found.entries, found.sealed, found.checkpoints) == (True, 10, 10, 3), found.problems
    assert told[-1] == (10, 10)
    with published.database.read() as session:
        assert audit.recent(session, limit=1)[0].action == "audit.exported"


def test_every_bend_of_an_export_is_found(
    published: Hub, outside: Path, auditor: Principal, key: str
) -> None:
    lines = _export(published, auditor)
    entries = [place for place, line in enumerate(lines) if line[:1] == b"{"][1:]
    notes = [place for place, line in enumerate(lines) if line[:1] == b'"']
    forged = sign(Checkpoint(published.audit_origin, 10, b"x" * 32), Ed25519PrivateKey.generate())
    bent = {
        "edited": [line.replace(b'"t3"', b'"t8"') for line in lines],
        "deleted": [line for place, line in enumerate(lines) if place != entries[2]],
        "twice": [*lines[: entries[2]], lines[entries[2]], *lines[entries[2] :]],
        "swapped": [*lines[: entries[2]], lines[entries[3]], lines[entries[2]], *lines[entries[4] :]],
        "the last left out": [line for place, line in enumerate(lines) if place != entries[-1]],
        "cut": lines[:-1],
        "one more": [*lines, lines[entries[0]]],
        "the newest checkpoint left out": lines[: notes[-1]],
        "a forged checkpoint": [*lines[: notes[-1]], json.dumps(forged).encode() + b"\n"],
        "a checkpoint that is none": [*lines, b'"\n'],
        "a checkpoint before there is anything": [lines[0], lines[notes[0]], *lines[1:]],
        "a checkpoint twice": [*lines, lines[-1]],
        "nothing but a header": lines[:1],
    }
    for name, some in bent.items():
        assert _problems(some, key), name
    # Cut back with its header made to fit, it is an earlier log; only what was kept elsewhere tells.
    header = json.loads(lines[0]) | {"entries": 5}
    cut = [json.dumps(header).encode() + b"\n", *lines[1 : notes[0] + 1]]
    assert _problems(cut, key) == []
    auditing.publish(published, auditor, outside)
    assert len(_problems(cut, key, ((outside / "checkpoint.txt").read_text(),))) == 1


def test_an_export_is_believed_only_as_far_as_a_known_key_leads(
    published: Hub, auditor: Principal, key: str
) -> None:
    keeping.rotate_signing(published, principal_of(published, "hub", "operator"), timedelta(0))
    _write(published, 2)
    lines = _export(published, auditor)
    newer = auditing.verifier_keys(published, auditor)[-1]
    assert newer != key
    for known in (key, newer):
        assert _problems(lines, known) == []
    stranger = verifier_key(published.audit_origin, Ed25519PrivateKey.generate().public_key())
    for known in (stranger, key.replace("joinedup", "another"), "nonsense", ""):
        with pytest.raises(ExportError):
            _problems(lines, known)
    with pytest.raises(ExportError, match="a key that you know"):
        verify_export(io.BytesIO(b"".join(lines)), [])
    header = json.loads(lines[0])
    for change in (
        {"succession": []},
        {"origin": "x"},
        {"format": "x"},
        {"entries": "x"},
        {"key": stranger},
        {"succession": [header["succession"][0] | {"old": "AAAA"}]},
    ):
        with pytest.raises(ExportError):
            _problems([json.dumps(header | change).encode() + b"\n", *lines[1:]], key)
    for junk in (b"", b"\x00\xff", b"[" * 100_000, b"{}\n"):
        with pytest.raises(ExportError):
            _problems([junk], key)


def test_verifier_keys_are_read_back_and_nothing_else_is(key: str, published: Hub) -> None:
    name, read = read_verifier_key(f" {key}\n")
    assert (name, verifier_key(name, read)) == (published.audit_origin, key)
    for wrong in (key.replace("+", "-", 1), key[:-4], key.replace("+A", "+B"), f"x{key}"):
        with pytest.raises(CheckpointError):
            read_verifier_key(wrong)


# --- older hubs, and long logs


def test_a_long_log_of_an_older_hub_gets_its_hashes_and_its_proofs_read_little(tmp_path: Path) -> None:
    from alembic import command
    from sqlalchemy import event

    from hub.audit.merkle import CompactRange, leaf_hash
    from hub.migrations import upgrade as migrations
    from hub.storage.database import Database

    size = 256 * 256 + 300
    leaves = [leaf_hash(number.to_bytes(4)) for number in range(size)]
    database = Database(f"sqlite:///{tmp_path / 'old.db'}")
    with database.engine.execution_options(hub_write=True).begin() as connection:
        command.upgrade(migrations._config(connection), "0005")
        connection.execute(
            text(
                "INSERT INTO audit_entries (at, actor, action, entry, leaf_hash, leaf_index) "
                "VALUES ('2026-01-01 00:00:00.000000', 'a', 'b', '', :leaf, :place)"
            ),
            [{"leaf": leaf, "place": place} for place, leaf in enumerate(leaves)],
        )
        command.upgrade(migrations._config(connection), "0006")
    tree, expected = CompactRange(), []
    for leaf in leaves:
        expected += tree.append(leaf)
    with database.read() as session:
        kept = session.execute(text("SELECT level, place, root FROM audit_subtrees")).all()
        assert sorted(tuple(row) for row in kept) == sorted(expected)
        assert len(expected) == 257 + 1
        rows = 0

        def count(_: object, cursor: object, *more: object) -> None:
            nonlocal rows
            rows += 1

        event.listen(database.engine, "after_cursor_execute", count)
        for index in (0, 255, 256, 65_535, 65_536, size - 1):
            proof = audit.inclusion(session, index, size)
            verify_inclusion(leaves[index], index, size, proof.hashes, tree.root())
        for first in (1, 256, 65_535, 65_536, 65_537, size):
            found = audit.consistency(session, first, size)
            assert found.second_root == tree.root()
            verify_consistency(first, size, found.hashes, found.first_root, tree.root())
        assert rows <= 12 * 7  # each reads a few tiles of at most 256 hashes
    database.close()
