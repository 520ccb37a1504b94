"""Keys are rotated while the hub serves; killed anywhere nothing is lost; the old ones are useless afterwards."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from hub.app import create_app, open_hub
from hub.audit import log as audit_log
from hub.audit.checkpoint import Checkpoint, sign
from hub.audit.succession import SuccessionError, public_keys
from hub.config import load_settings
from hub.errors import Conflict, Invalid, Unavailable
from hub.identity.principal import Principal, system
from hub.policy.decide import whole_file
from hub.storage.database import utc_now
from hub.vault import rotate
from hub.vault.keyfile import locked
from hub.vault.keyring import Keyring
from hub.workflows import auditing, keeping
from hub.workflows.hub import Hub, note
from hub_schemas import library
from support.hubs import principal_of
from support.sealing import Sender

OPERATOR = Principal("system", "test", "test", "", "hub", frozenset({"operator"}))
DRIVER = Path(__file__).resolve().parents[1] / "support" / "rotating.py"
TABLE = pa.table({"row_number": pa.array([1, 2], pa.int64()), "surname": ["Quillfeather", "Brackenbury"]})
CLASSES = {"row_number": "open", "surname": "personal"}
CONTRACT = library.load("police.establishment")
ROW = {
    "team": "Team 1", "area": "North", "kind": "response", "month": "2026-01-01", "fte": "12.5",
    "contracted_hours": "160", "abstraction_rate": "0.2",
}  # fmt: skip


def put(hub: Hub, name: str) -> None:
    """An owner with a file."""
    owner = hub.vault.new_owner(name)
    file = hub.vault.write(owner, f"versions/{name}/rows.parquet", name, [TABLE], TABLE.schema, CLASSES)
    with hub.database.write() as session:
        hub.vault.register(session, owner, [file])


def read(hub: Hub, name: str) -> pa.Table:
    with hub.database.read() as session:
        file = hub.vault.locate(session, f"versions/{name}/rows.parquet", name)
    return hub.vault.read(file, TABLE.column_names, whole_file("test", "a test"))


def again(hub: Hub, **settings: Any) -> Hub:
    """The same hub as another process has it."""
    return open_hub(
        load_settings(
            hub.settings.dir, environ={}, database_url=hub.settings.database_url, public_url="http://hub.test",
            **settings,
        )
    )  # fmt: skip


@pytest.fixture
def other(hub: Hub) -> Iterator[Hub]:
    made = again(hub)
    yield made
    made.database.close()


def test_a_rotation_changes_every_key_and_no_data_and_other_processes_follow(hub: Hub, other: Hub) -> None:
    for number in range(7):
        put(hub, f"ver_{number}")
    before = {path: path.read_bytes() for path in (hub.settings.dir / "objects").rglob("*.parquet")}
    old, seen = hub.keyring.current_root, []
    done = keeping.rotate_root(hub, OPERATOR, progress=lambda *at: seen.append(at))
    assert (done.keys, done.ended) == (7, (old,))
    assert seen[0] == (0, 7)
    assert seen[-1] == (7, 7)
    assert before == {path: path.read_bytes() for path in (hub.settings.dir / "objects").rglob("*.parquet")}
    assert list(hub.keyring.secrets.roots) == [done.root] != [old]
    put(other, "ver_later")
    assert all(read(other, f"ver_{number}").equals(TABLE) for number in [*range(7), "later"])
    with hub.database.read() as session:
        assert rotate.current_root(session) == done.root
        assert rotate.under_others(session, done.root) == 0
    assert keeping.keys_state(other).problems == ()
    keeping.rotate_root(other, OPERATOR)
    assert read(hub, "ver_0").equals(TABLE), "and back the other way"


def test_an_old_database_opens_only_with_the_old_keyring(sqlite_hub: Hub, tmp_path: Path) -> None:
    hub = sqlite_hub
    put(hub, "ver_1")
    with hub.database.engine.connect() as connection:
        connection.connection.dbapi_connection.execute("VACUUM INTO ?", (str(tmp_path / "old.db"),))
    shutil.copytree(hub.settings.keys_dir, tmp_path / "old-keys")
    keeping.rotate_root(hub, OPERATOR)
    settings = load_settings(
        hub.settings.dir,
        environ={},
        database_url=f"sqlite:///{tmp_path / 'old.db'}",
        public_url="http://hub.test",
    )
    old = open_hub(settings)
    with pytest.raises(Invalid, match="does not open with this hub's keyring"):
        read(old, "ver_1")
    with pytest.raises(Unavailable, match="newest root key"):
        put(old, "ver_2")
    assert "copy from before a rotation" in keeping.keys_state(old).problems[0]
    with pytest.raises(Conflict, match="belong together"):
        keeping.rotate_root(old, OPERATOR)
    old.database.close()
    shutil.rmtree(hub.settings.keys_dir)
    shutil.copytree(tmp_path / "old-keys", hub.settings.keys_dir)
    back = open_hub(settings)
    assert read(back, "ver_1").equals(TABLE), "that is what a kept copy of the keyring still opens"
    back.database.close()


def test_who_began_to_read_before_a_rotation_ended_still_reads(sqlite_hub: Hub) -> None:
    hub = sqlite_hub
    other = again(hub)
    put(hub, "ver_1")
    with other.database.read() as session:
        session.execute(
            text("SELECT count(*) FROM vault_keys")
        ).all()  # from here on this sees the database as it is
        keeping.rotate_root(hub, OPERATOR)
        file = other.vault.locate(session, "versions/ver_1/rows.parquet", "ver_1")
    assert other.vault.read(file, TABLE.column_names, whole_file("test", "a test")).equals(TABLE)
    other.database.close()


def test_a_key_made_before_a_rotation_and_registered_after_it_goes_under_the_new_root(hub: Hub) -> None:
    owner = hub.vault.new_owner("ver_1")
    file = hub.vault.write(owner, "versions/ver_1/rows.parquet", "ver_1", [TABLE], TABLE.schema, CLASSES)
    done = keeping.rotate_root(hub, OPERATOR)
    with hub.database.write() as session:
        hub.vault.register(session, owner, [file])
        assert session.execute(text("SELECT root FROM vault_keys")).scalar() == done.root
    assert read(hub, "ver_1").equals(TABLE)


def test_the_hub_reads_and_writes_while_keys_are_rotated(hub: Hub, other: Hub, monkeypatch: Any) -> None:
    monkeypatch.setattr(keeping, "_BATCH", 2)
    for number in range(20):
        put(hub, f"ver_{number}")
    stop, troubles, reads = threading.Event(), [], 0

    def serve() -> None:
        nonlocal reads
        while not stop.is_set():
            try:
                assert read(other, f"ver_{reads % 20}").equals(TABLE)
                put(other, f"new_{reads}")
                reads += 1
            except Exception as error:
                troubles.append(error)
                return

    thread = threading.Thread(target=serve)
    thread.start()
    while reads < 2 and thread.is_alive():
        time.sleep(0.005)
    for _ in range(2):
        done = keeping.rotate_root(hub, OPERATOR)
    stop.set()
    thread.join()
    assert troubles == []
    assert reads > 2
    for number in range(reads):
        assert read(hub, f"new_{number}").equals(TABLE)
    with hub.database.read() as session:
        assert rotate.under_others(session, done.root) == 0


def test_killed_at_any_step_nothing_is_lost_and_the_next_rotation_finishes(hub: Hub) -> None:
    for number in range(7):
        put(hub, f"ver_{number}")
    # Every other step on SQLite, every fourth of the others on PostgreSQL: the rest only takes longer.
    places = ["1", "2"] if hub.database.is_sqlite else ["2", "4"]
    command = [sys.executable, str(DRIVER), str(hub.settings.dir), hub.settings.database_url, *places]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 4, "it met many steps"
    keeping.rotate_root(hub, OPERATOR)
    fresh = Keyring.open(hub.settings.keys_dir)
    assert list(fresh.secrets.roots) == [fresh.current_root]
    assert fresh.secrets.doomed == {}
    assert keeping.keys_state(hub).problems == ()
    for number in range(7):
        assert read(hub, f"ver_{number}").equals(TABLE)


def test_a_key_that_does_not_open_keeps_the_old_root_and_is_told(sqlite_hub: Hub) -> None:
    hub = sqlite_hub
    for number in range(3):
        put(hub, f"ver_{number}")
    old = hub.keyring.current_root
    with hub.database.write() as session:
        session.execute(text("UPDATE vault_keys SET wrapped = zeroblob(60) WHERE owner = 'ver_1'"))
    with pytest.raises(Conflict, match=r"1 keys .*The old root key is kept"):
        keeping.rotate_root(hub, OPERATOR)
    assert hub.keyring.has_root(old)
    assert read(hub, "ver_2").equals(TABLE)
    with hub.database.write() as session:
        session.execute(text("UPDATE vault_keys SET wrapped = NULL WHERE owner = 'ver_1'"))
    keeping.rotate_root(hub, OPERATOR)
    assert not hub.keyring.has_root(old)


def test_two_rotations_at_once_are_refused_and_nobody_else_may_rotate(sqlite_hub: Hub) -> None:
    with locked(sqlite_hub.keyring.folder, "rotation"), pytest.raises(Conflict, match="under way"):
        keeping.rotate_root(sqlite_hub, OPERATOR)
    with pytest.raises(Exception, match="You may not rotate keys"):
        keeping.rotate_root(sqlite_hub, principal_of(sqlite_hub, "hub", "analyst"))


def test_a_hub_moves_from_a_key_file_to_a_passphrase_and_on(sqlite_hub: Hub) -> None:
    hub = sqlite_hub
    put(hub, "ver_1")
    keeping.rotate_root(hub, OPERATOR, kind="passphrase", passphrase="three random words")
    assert not (hub.settings.keys_dir / "keyring.key").exists()
    opened = again(hub, key_passphrase="three random words", key_provider="passphrase")
    assert read(opened, "ver_1").equals(TABLE)
    opened.database.close()
    keeping.rotate_root(hub, OPERATOR, kind="file", passphrase="")
    opened = again(hub, key_provider="file")
    assert read(opened, "ver_1").equals(TABLE)
    opened.database.close()


# --- sealing


def test_a_delivery_sealed_to_the_old_key_is_taken_until_the_overlap_ends(sqlite_hub: Hub) -> None:
    hub = sqlite_hub
    sender = Sender(hub, "police", principal_of(hub, "hub", "operator"))
    sender.publish(CONTRACT)
    early, late = sender.pack(CONTRACT, [ROW]), sender.pack(CONTRACT, [ROW])
    old = hub.keyring.current_sealing
    name, until = keeping.rotate_sealing(hub, OPERATOR, timedelta(days=30))
    assert hub.keyring.current_sealing == name != old
    app = create_app(hub.settings, hub)
    told = app.test_client().get("/api/v1/hub").get_json()
    assert told["sealing_key"]["id"] == name
    assert [item["id"] for item in told["earlier_sealing_keys"]] == [old]
    assert datetime.fromisoformat(told["earlier_sealing_keys"][0]["until"]) == until
    assert sender.send(early).id
    hub.keyring.change(
        lambda held: type(held)(
            **held.__dict__
            | {
                "sealing": {
                    key: type(pair)(pair.seed, pair.exchange, pair.until and utc_now())
                    for key, pair in held.sealing.items()
                }
            }
        )
    )
    with pytest.raises(Invalid, match="sealed to a key this hub does not have"):
        sender.send(late)
    assert keeping.prune_keys(hub) == 0, "not while a delivery waits for it"
    from hub.workflows.work import drain

    drain(hub)
    assert keeping.prune_keys(hub) == 1
    assert list(hub.keyring.secrets.sealing) == [name]


# --- signing


def test_the_log_verifies_over_changes_of_its_key_and_old_tokens_hold_for_a_while(sqlite_hub: Hub) -> None:
    hub = sqlite_hub
    sender = Sender(hub, "police", principal_of(hub, "hub", "operator"))
    origin = hub.audit_origin
    token = hub.tokens
    for _ in range(2):
        with hub.database.write() as session:
            note(session, system("test"), "test.act")
        auditing.seal_log(hub)
        published = [_latest(hub)]
        old_keys = hub.keyring.token_keys()
        keeping.rotate_signing(hub, OPERATOR, timedelta(hours=1))
        assert hub.keyring.token_keys()[1:] == old_keys
        found = auditing.verify(hub, published)
        assert found.ok, found.problems
    assert hub.audit_origin == origin == open_again(hub).audit_origin
    assert token.keys
    assert sender.principal.id
    with hub.database.read() as session:
        entries = audit_log.recent(session, action="keys.signing-rotated")
    assert len(entries) == 2
    assert {"old", "next", "by_old", "by_next"} <= set(entries[0].content["detail"])


def open_again(hub: Hub) -> Keyring:
    return Keyring.open(hub.settings.keys_dir)


def _latest(hub: Hub) -> str:
    with hub.database.read() as session:
        found = audit_log.latest_checkpoint(session)
    assert found
    return found


def test_a_stolen_old_key_signs_nothing_that_is_believed(sqlite_hub: Hub) -> None:
    hub = sqlite_hub
    stolen = hub.keyring.checkpoint_private_key
    with hub.database.write() as session:
        note(session, system("test"), "test.act")
    keeping.rotate_signing(hub, OPERATOR, timedelta(0))
    with hub.database.write() as session:
        note(session, system("test"), "test.act")
    auditing.seal_log(hub)
    size = int(_latest(hub).split("\n")[1])
    forged = sign(Checkpoint(hub.audit_origin, size + 5, b"x" * 32), stolen)
    found = auditing.verify(hub, [forged])
    assert any("signed with a key that had been followed by another" in item for item in found.problems)
    stranger = sign(Checkpoint(hub.audit_origin, 1, b"x" * 32), Ed25519PrivateKey.generate())
    assert not auditing.verify(hub, [stranger]).ok
    past = hub.keyring.secrets.past_checkpoint_keys
    bent = (type(past[0])(**past[0].__dict__ | {"ended_at": datetime.now(UTC)}),)
    with pytest.raises(SuccessionError):
        public_keys(hub.audit_origin, bent, hub.keyring.checkpoint_private_key.public_key())
