"""Whoever writes into the database behind the hub's back is found out: each way of bending the log, one by one.

The log is built once for each database; every bend happens in a transaction that is rolled back afterwards.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.orm import Session

from hub.audit import log as audit
from hub.audit.checkpoint import Checkpoint, sign
from hub.audit.merkle import CompactRange, leaf_hash
from hub.audit.vouching import SESSION_KEY
from hub.migrations.upgrade import upgrade
from hub.storage.database import Database

ORIGIN = "joinedup-hub/tampered"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
#: Two whole tiles and a bit, under three checkpoints; two entries wait.
SIZES = (300, 590, 600)
Bend = Callable[[Session], None] | str


@dataclass(frozen=True)
class Log:
    """A log, its two earlier checkpoints as an auditor kept them, and its newest."""

    database: Database
    kept: tuple[str, ...]

    def problems(self, bend: Bend, published: tuple[str, ...] = ()) -> list[str]:
        """What verifying finds after a bend."""
        with self.database.read() as session:
            for act in bend if isinstance(bend, tuple) else (bend,):
                if callable(act):
                    act(session)
                else:
                    session.execute(text(act))
            return audit.verify_log(session, ORIGIN, KEY.public_key(), published).problems


@pytest.fixture
def log(databases: Any) -> Iterator[Log]:
    database = Database(databases.new(_write))
    with database.read() as session:
        kept = tuple(str(audit.checkpoint_at(session, size)) for size in SIZES)
    yield Log(database, kept)
    database.close()


def _write(url: str) -> None:
    database = Database(url)
    upgrade(database)
    for start, stop in zip((0, *SIZES), (*SIZES, SIZES[-1] + 2), strict=True):
        with database.write() as session:
            for number in range(start, stop):
                audit.record(
                    session, actor="person:p1", action="household.read", target=f"t{number}", agreement='a "b"',
                    subjects=[f"s{number % 7}", f"s{number % 5}"] if number % 3 else [], detail={"subjects": ["x"]},
                )  # fmt: skip
        if stop in SIZES:
            with database.write() as session:
                audit.seal(session, ORIGIN, KEY)
    database.close()


def _rewrite(session: Session, where: str, old: str, new: str) -> None:
    """Change texts, and the leaf hashes with them, as somebody would who knows how the log works."""
    for entry_id, entry in session.execute(
        text(f"SELECT id, entry FROM audit_entries WHERE {where}")
    ).fetchall():
        changed = entry.replace(old, new)
        assert changed != entry
        session.execute(
            text("UPDATE audit_entries SET entry = :entry, leaf_hash = :leaf WHERE id = :id"),
            {"entry": changed, "leaf": leaf_hash(changed.encode()), "id": entry_id},
        )


def _build_anew(session: Session, key: Ed25519PrivateKey = KEY, size: int = SIZES[-1]) -> None:
    """Make every hash and checkpoint fit the entries that are there."""
    session.execute(text("DELETE FROM audit_checkpoints"))
    session.execute(text("DELETE FROM audit_subtrees"))
    tree = CompactRange()
    query = text("SELECT leaf_hash FROM audit_entries WHERE leaf_index IS NOT NULL ORDER BY leaf_index")
    for (leaf,) in session.execute(query).fetchall():
        for tile in tree.append(bytes(leaf)):
            session.execute(
                text("INSERT INTO audit_subtrees (level, place, root) VALUES (:level, :place, :root)"),
                tile._asdict(),
            )
    session.execute(
        text("INSERT INTO audit_checkpoints (size, at, roots, note) VALUES (:size, :at, :roots, :note)"),
        {
            "size": tree.size, "at": "2026-01-01 00:00:00+00:00", "roots": b"".join(tree.roots),
            "note": sign(Checkpoint(ORIGIN, tree.size, tree.root()), key),
        },
    )  # fmt: skip


def _edit_and_hash(session: Session) -> None:
    _rewrite(session, "leaf_index = 17", '"target":"t17"', '"target":"t71"')


def _edit_and_build_anew(session: Session) -> None:
    _edit_and_hash(session)
    _build_anew(session, Ed25519PrivateKey.generate())


def _insert_between(session: Session) -> None:
    session.execute(text("UPDATE audit_entries SET leaf_index = leaf_index + 100000 WHERE leaf_index >= 250"))
    session.execute(
        text("UPDATE audit_entries SET leaf_index = leaf_index - 99999 WHERE leaf_index >= 100000")
    )
    session.execute(text("UPDATE audit_entries SET leaf_index = 250 WHERE id = 601"))


def _swap(session: Session) -> None:
    for old, new in ((3, 100_000), (4, 3), (100_000, 4)):
        session.execute(text(f"UPDATE audit_entries SET leaf_index = {new} WHERE leaf_index = {old}"))


def _cut(session: Session, size: int) -> None:
    """Take the end away with everything that speaks of it."""
    for statement in (
        "DELETE FROM audit_subjects WHERE entry_id IN (SELECT id FROM audit_entries WHERE leaf_index >= :size OR "
        "leaf_index IS NULL)",
        "DELETE FROM audit_entries WHERE leaf_index >= :size OR leaf_index IS NULL",
        "DELETE FROM audit_checkpoints WHERE size > :size",
        "DELETE FROM audit_subtrees WHERE (place + 1) * 256 > :size",
    ):
        session.execute(text(statement), {"size": size})


def _forge(checkpoint: Checkpoint, key: Ed25519PrivateKey = KEY, *, at: int = 600) -> Bend:
    def bend(session: Session) -> None:
        session.execute(
            text("UPDATE audit_checkpoints SET note = :note WHERE size = :size"),
            {"note": sign(checkpoint, key), "size": at},
        )

    return bend


_WRONG = Checkpoint(ORIGIN, 600, b"w" * 32)
_SUBJECT = "(SELECT id FROM audit_entries WHERE leaf_index = 17)"
BENDS: dict[str, tuple[Bend | tuple[Bend, ...], str]] = {
    "an entry edited": (
        """UPDATE audit_entries SET entry = replace(entry, '"t17"', '"t71"') WHERE leaf_index = 17""",
        "Entry 18 was changed",
    ),
    "a leaf hash changed": (
        "UPDATE audit_entries SET leaf_hash = (SELECT leaf_hash FROM audit_entries WHERE leaf_index = 16) "
        "WHERE leaf_index = 17",
        "Entry 18 was changed",
    ),
    "an entry edited together with its leaf hash": (_edit_and_hash, "size 300 does not match"),
    "an entry edited and everything above it built anew, under another key": (
        _edit_and_build_anew, "no signature by the hub's key",
    ),
    "who acted, in the column": ("UPDATE audit_entries SET actor = 'person:p2' WHERE leaf_index = 17", "columns say"),
    "what was done, in the column": ("UPDATE audit_entries SET action = 'x' WHERE leaf_index = 17", "columns say"),
    "when, in the column": (
        "UPDATE audit_entries SET at = (SELECT at FROM audit_entries WHERE leaf_index = 500) WHERE leaf_index = 17",
        "columns say",
    ),
    "an entry deleted": ("DELETE FROM audit_entries WHERE leaf_index = 17", "missing or out of place at 17"),
    "the first entry deleted": ("DELETE FROM audit_entries WHERE leaf_index = 0", "missing or out of place at 0"),
    "the last sealed entry deleted": ("DELETE FROM audit_entries WHERE leaf_index = 599", "size 600 covers entries"),
    "entries in another order": (_swap, "size 300 does not match"),
    "an entry moved to the end": (
        "UPDATE audit_entries SET leaf_index = 600 WHERE leaf_index = 17", "missing or out of place at 17",
    ),
    "an entry moved before the beginning": (
        "UPDATE audit_entries SET leaf_index = -5 WHERE leaf_index = 17", "missing or out of place",
    ),
    "an entry put among sealed ones": (_insert_between, "does not match"),
    "an entry put at the end with no checkpoint": (
        "UPDATE audit_entries SET leaf_index = 600 WHERE id = 601", "No checkpoint covers the 601",
    ),
    "the newest checkpoint removed": ("DELETE FROM audit_checkpoints WHERE size = 600", "one was removed"),
    "the log emptied but for a checkpoint": (
        ("DELETE FROM audit_subjects", "DELETE FROM audit_entries"), "size 300 covers entries that are gone",
    ),
    "a checkpoint of another root, by the hub's key": (_forge(_WRONG), "size 600 does not match"),
    "a checkpoint by another key": (
        _forge(_WRONG, Ed25519PrivateKey.generate()), "no signature by the hub's key",
    ),
    "a checkpoint of another log": (_forge(Checkpoint("other", 600, b"w" * 32)), "no signature by the hub's key"),
    "a checkpoint's text changed under its signature": (
        "UPDATE audit_checkpoints SET note = replace(note, '600', '601') WHERE size = 600", "signature does not hold",
    ),
    "an earlier checkpoint in the place of the newest": (
        "UPDATE audit_checkpoints SET note = (SELECT note FROM audit_checkpoints WHERE size = 590) WHERE size = 600",
        "stored for size 600 says 590",
    ),
    "the hashes kept with a checkpoint": (
        "UPDATE audit_checkpoints SET roots = (SELECT roots FROM audit_checkpoints WHERE size = 300) WHERE size = 600",
        "kept with the checkpoint of size 600",
    ),
    "a kept hash of a tile changed": (
        "UPDATE audit_subtrees SET root = (SELECT root FROM audit_subtrees WHERE place = 0) WHERE place = 1",
        "256 entries from place 256",
    ),
    "a kept hash of a tile deleted": ("DELETE FROM audit_subtrees WHERE place = 1", "256 entries from place 256"),
    "a kept hash of a tile that is not there": (
        "INSERT INTO audit_subtrees (level, place, root) SELECT level, 7, root FROM audit_subtrees WHERE place = 1",
        "Hashes are kept for entries that are not there",
    ),
    "a person's row removed": (f"DELETE FROM audit_subjects WHERE entry_id = {_SUBJECT}", "Entry 18 is not found by"),
    "one of two persons' rows removed": (
        f"DELETE FROM audit_subjects WHERE entry_id = {_SUBJECT} AND subject = 's2'", "entry 18 is found by",
    ),
    "a person's row changed": (
        f"UPDATE audit_subjects SET subject = 's9' WHERE entry_id = {_SUBJECT} AND subject = 's2'",
        "entry 18 is found by",
    ),
    "a person's row moved to another entry": (
        f"UPDATE audit_subjects SET entry_id = 16 WHERE entry_id = {_SUBJECT}", "Entry 16 is found by people",
    ),
    "a person's row for an entry that is not there": (
        "INSERT INTO audit_subjects (entry_id, subject) VALUES (100000000000, 's1')", "Entry 100000000000 is found by",
    ),
    "two persons' rows made one that reads the same": (
        (f"DELETE FROM audit_subjects WHERE entry_id = {_SUBJECT}",
         """INSERT INTO audit_subjects (entry_id, subject) VALUES (18, 's2","s3')"""),
        "what is no reference",
    ),
    "an entry edited while it waits": (
        """UPDATE audit_entries SET entry = replace(entry, '"t600"', '"t006"') WHERE id = 601""", "601 was changed",
    ),
    "a person's row of a waiting entry removed": (
        "DELETE FROM audit_subjects WHERE entry_id = 602", "Entry 602 is not found by",
    ),
    "a text that is no JSON": ("UPDATE audit_entries SET entry = '[' WHERE leaf_index = 17", "columns say"),
    "a text that is empty": ("UPDATE audit_entries SET entry = '' WHERE leaf_index = 17", "columns say"),
}  # fmt: skip


def test_an_untouched_log_holds_alone_and_against_everything_published(log: Log) -> None:
    assert log.problems("SELECT 1") == []
    assert log.problems("SELECT 1", log.kept) == []


def test_every_bend_is_found_and_named(log: Log, subtests: Any) -> None:
    for name, (bend, expected) in BENDS.items():
        with subtests.test(name):
            assert any(expected in problem for problem in log.problems(bend)), log.problems(bend)  # type: ignore[arg-type]


def test_a_log_cut_back_with_all_its_traces_is_told_by_what_was_published(log: Log) -> None:
    assert log.problems(lambda session: _cut(session, 300)) == []  # inside it, nothing is left to tell
    found = log.problems(lambda session: _cut(session, 300), log.kept)
    assert len(found) == 2
    assert all("covers entries that are gone: the log has 300" in problem for problem in found)


def test_a_past_written_anew_with_the_hubs_own_key_is_told_by_what_was_published(log: Log) -> None:
    def bend(session: Session) -> None:
        _edit_and_hash(session)
        _build_anew(session)

    assert log.problems(bend) == []  # whoever holds the hub's key can write another past ...
    found = log.problems(bend, log.kept[:1])
    assert found == ["The published checkpoint of size 300 does not match the entries before it."]


def test_a_published_checkpoint_that_the_hub_never_signed_is_told(log: Log) -> None:
    forged = sign(_WRONG, Ed25519PrivateKey.generate())
    for note in (forged, "", "no checkpoint", log.kept[0].replace("300", "301")):
        assert len(log.problems("SELECT 1", (note,))) == 1


def test_what_waits_unvouched_is_guarded_by_its_hash_only_until_the_worker_seals_it(log: Log) -> None:
    """Where no key is at hand (an export, an older hub) the first seconds are not told; afterwards everything is."""

    def bend(session: Session) -> None:
        _rewrite(session, "id = 601", '"target":"t600"', '"target":"t006"')

    assert log.problems(bend) == []

    def sealed(session: Session) -> None:
        audit.seal(session, ORIGIN, KEY)
        bend(session)

    assert any("does not match" in problem for problem in log.problems(sealed))


def test_values_that_no_hub_writes_are_told_and_do_not_break_verifying(log: Log) -> None:
    bends = [
        ("at", "'infinity'"),
        ("leaf_hash", "'x'"),
        ("entry", "'\\'"),
        ("actor", "''"),
        ("leaf_index", "-9"),
    ]
    if log.database.is_sqlite:  # which takes any value in any column
        bends += [
            (column, value)
            for column in ("at", "actor", "entry", "leaf_hash", "leaf_index")
            for value in ("x'ff'", "CAST(x'ff' AS TEXT)", "'seventeen'", "7000")
        ]
    for column, value in bends:
        assert log.problems(f"UPDATE audit_entries SET {column} = {value} WHERE leaf_index = 17"), (
            column,
            value,
        )


def test_a_bend_of_everything_is_told_briefly(log: Log) -> None:
    with log.database.read() as session:
        session.execute(text("UPDATE audit_entries SET actor = 'x'"))
        session.execute(text("UPDATE audit_entries SET leaf_hash = :leaf"), {"leaf": b"0" * 32})
        found = audit.verify_log(session, ORIGIN, KEY.public_key())
    assert (len(found.problems), found.more) == (1000, 2 * 602 - 1000)


def test_nothing_is_sealed_onto_hashes_that_were_changed(log: Log) -> None:
    from hub.audit.checkpoint import CheckpointError

    with log.database.read() as session:
        session.execute(
            text("UPDATE audit_checkpoints SET roots = :roots WHERE size = 600"), {"roots": b"r" * 128}
        )
        with pytest.raises(CheckpointError, match="not those it was signed for"):
            audit.seal(session, ORIGIN, KEY)


def test_how_far_verifying_is_can_be_told(log: Log) -> None:
    told: list[tuple[int, int]] = []
    with log.database.read() as session:
        found = audit.verify_log(session, ORIGIN, KEY.public_key(), progress=lambda *said: told.append(said))
    assert told == [(600, 600)]
    assert (found.entries, found.sealed, found.checkpoints) == (602, 600, 3)


def test_an_entry_removed_before_it_was_sealed_leaves_no_trace(log: Log) -> None:
    """The window that is left open knowingly (decision 3): about a second, for who can write the database."""
    log.database.session_info[SESSION_KEY] = b"k" * 32

    def bend(session: Session) -> None:
        entry_id = audit.record(session, actor="person:p1", action="result.read")
        session.execute(text("DELETE FROM audit_entries WHERE id = :id"), {"id": entry_id})

    assert log.problems(bend, log.kept) == []


# --- what only the hub can have written


def test_a_hub_that_vouches_finds_what_was_changed_or_added_before_it_was_sealed(
    log: Log, subtests: Any
) -> None:
    log.database.session_info[SESSION_KEY] = b"k" * 32
    with log.database.write() as session:  # the hub was brought to a version that vouches; older entries stay
        for number in range(3):
            audit.record(
                session, actor="person:p1", action="result.read", target=f"v{number}", subjects=["s1"]
            )
    assert log.problems("SELECT 1", log.kept) == []

    def forge(session: Session, **more: Any) -> None:
        info = dict(session.info)
        session.info.pop(SESSION_KEY)
        session.info.update(more)
        audit.record(session, actor="person:p2", action="result.read", target="never")
        session.info.update(info)

    def other_key(session: Session) -> None:
        forge(session, **{SESSION_KEY: b"x" * 32})

    def edited(session: Session) -> None:
        _rewrite(session, "id = 604", '"target":"v1"', '"target":"v9"')

    def unmarked(session: Session) -> None:
        _rewrite(session, "id = 604", '"vouched":"', '"vouches":"')

    def sealed(bend: Callable[[Session], None]) -> Callable[[Session], None]:
        def first_bent(session: Session) -> None:
            bend(session)
            audit.seal(session, ORIGIN, KEY)

        return first_bent

    for bend in (forge, other_key, edited, unmarked):
        for act in (bend, sealed(bend)):
            with subtests.test(f"{bend.__name__}, {'still waiting' if act is bend else 'sealed since'}"):
                found = log.problems(act)
                assert len(found) == 1 and "is not as this hub wrote it" in found[0], found
    with log.database.read() as session:
        assert [
            item.content["target"] for item in audit.about(session, actions=["result.read"], targets=["v1"])
        ] == ["v1"]
        assert len(audit.for_subjects(session, ["s1"], actions=["result.read"])) == 3


# --- finding entries


def test_entries_about_people_are_found_newest_first_and_each_once(log: Log) -> None:
    with log.database.read() as session:
        found = audit.for_subjects(session, ["s1", "s2"], limit=10_000)
        numbers = [int(entry.content["target"][1:]) for entry in found]
        expected = [n for n in range(602) if n % 3 and {n % 7, n % 5} & {1, 2}]
        assert numbers == expected[::-1]
        first = audit.for_subjects(session, ["s1", "s2"], limit=5)
        rest = audit.for_subjects(session, ["s1", "s2"], limit=10_000, before=first[-1].id)
        assert [*first, *rest] == found
        assert audit.for_subjects(session, ["s1"], actions=["people.searched"]) == []
        assert audit.for_subjects(session, []) == []


def test_entries_of_some_acts_are_found_by_target_agreement_and_time(log: Log) -> None:
    with log.database.read() as session:
        by_target = audit.about(
            session, actions=["household.read"], targets=["t17", "t300", "%"], agreement='a "b"'
        )
        assert [entry.content["target"] for entry in by_target] == ["t300", "t17"]
        assert audit.about(session, actions=["household.read"], targets=[]) == []
        assert audit.about(session, actions=["x"], targets=["t17"]) == []
        assert audit.about(session, actions=["household.read"], agreement="a") == []
        newest = audit.with_actions(session, ["household.read", "x"], limit=3)
        assert [entry.content["target"] for entry in newest] == ["t601", "t600", "t599"]
        assert audit.recent(session, actor="person:p2") == []
        assert len(audit.recent(session, actor="person:p1", limit=9)) == 9
        at = newest[0].at
        assert audit.recent(session, since=at, limit=1)[0].id == newest[0].id
        assert all(entry.at < at for entry in audit.recent(session, until=at, limit=9))


def test_entries_are_written_in_their_one_form(log: Log) -> None:
    with log.database.read() as session:
        said = session.execute(text("SELECT entry FROM audit_entries WHERE id = 18")).scalar()
    assert said is not None
    assert said == json.dumps(json.loads(said), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
