"""Objects are whole or absent, in a folder and in S3 alike, and lie nowhere but under their root."""

import os
import stat
from pathlib import Path

import pytest

from hub.errors import ConfigurationError, NotFound, Unavailable
from hub.storage.objects import ObjectStore
from support.s3 import CREDENTIALS, S3Server


@pytest.fixture
def store(objects_root: str) -> ObjectStore:
    """An empty store: once a folder, once an S3 bucket."""
    return ObjectStore(objects_root)


def test_an_object_comes_back_as_it_was_put(store: ObjectStore, tmp_path: Path) -> None:
    for size in (0, 1, 5_000_001):
        data = os.urandom(size)
        store.put_bytes(f"a/b/{size}", data)
        assert store.get_bytes(f"a/b/{size}") == data
        assert store.size(f"a/b/{size}") == size
        with store.open(f"a/b/{size}") as stream:
            stream.seek(size // 2)
            assert stream.read() == data[size // 2 :]
        (tmp_path / "file").write_bytes(data)
        store.put_file(f"copy/{size}", tmp_path / "file")
        assert store.get_bytes(f"copy/{size}") == data


def test_an_object_is_replaced_as_a_whole(store: ObjectStore) -> None:
    store.put_bytes("a", b"x" * 1000)
    store.put_bytes("a", b"y")
    assert store.get_bytes("a") == b"y"


def test_a_write_cut_in_the_middle_leaves_nothing(store: ObjectStore) -> None:
    with pytest.raises(RuntimeError), store.writer("new/object") as stream:
        stream.write(b"half of " * 1_000_000)
        stream.flush()
        raise RuntimeError
    assert store.size("new/object") is None
    assert store.list("new") == []


def test_a_write_cut_in_the_middle_leaves_the_old_object(store: ObjectStore) -> None:
    store.put_bytes("a", b"old")
    with pytest.raises(KeyboardInterrupt), store.writer("a") as stream:
        stream.write(b"new")
        raise KeyboardInterrupt
    assert store.get_bytes("a") == b"old"


def test_an_object_is_not_there_before_its_writer_has_ended(store: ObjectStore) -> None:
    with store.writer("deliveries/x") as stream:
        stream.write(b"whole")
        stream.flush()
        assert store.size("deliveries/x") is None
        assert store.list("deliveries") == []
    assert store.get_bytes("deliveries/x") == b"whole"


def test_what_is_not_there_is_not_found(store: ObjectStore) -> None:
    for read in (store.get_bytes, store.open):
        with pytest.raises(NotFound, match="no object a/b"):
            read("a/b")
    assert store.size("a/b") is None
    assert store.list("a") == []
    store.delete("a/b")
    store.delete_prefix("a")


def test_objects_are_listed_and_removed_by_their_folder(store: ObjectStore) -> None:
    for key in ("a/1", "a/b/2", "a/b/c/3", "ab/4"):
        store.put_bytes(key, b"x")
    assert store.list("a") == ["a/1", "a/b/2", "a/b/c/3"]
    store.delete("a/1")
    assert store.list("a") == ["a/b/2", "a/b/c/3"]
    store.delete_prefix("a/b")
    assert store.list("a") == []
    assert store.list("ab") == ["ab/4"], "a folder is not the beginning of a name"


@pytest.mark.parametrize(
    "key", ["", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "a//b", "a/", "./a", "a/./b", "."]
)
def test_a_key_that_leads_out_of_the_root_is_refused(store: ObjectStore, key: str) -> None:
    for act in (
        store.get_bytes,
        store.open,
        store.size,
        store.list,
        store.delete,
        store.delete_prefix,
        store.writer,
        store.path,
    ):
        with pytest.raises(ValueError, match="not an object key"):
            act(key)  # type: ignore[operator]
    with pytest.raises(ValueError, match="not an object key"):
        store.put_bytes(key, b"x")


def test_a_store_that_is_there_answers(store: ObjectStore) -> None:
    store.ping()
    store.put_bytes("a", b"x")
    store.ping()


def test_two_stores_on_one_root_see_the_same(objects_root: str, store: ObjectStore) -> None:
    store.put_bytes("a/b", b"x")
    assert ObjectStore(objects_root).list("a") == ["a/b"]


def test_a_folder_that_is_gone_is_noticed(tmp_path: Path) -> None:
    store = ObjectStore(str(tmp_path / "objects"))
    (tmp_path / "objects").rmdir()
    with pytest.raises(Unavailable, match="objects"):
        store.ping()


def test_a_bucket_that_is_not_there_is_noticed(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    there = s3_server.bucket()
    ObjectStore(there).ping()
    with pytest.raises(Unavailable, match="objects"):
        ObjectStore(there.replace("test-bucket-", "no-such-bucket-")).ping()


@pytest.mark.parametrize("root", ["nothing://x", "s3://", "/dev/null/objects"])
def test_a_root_that_cannot_be_one_is_named_without_its_secrets(root: str) -> None:
    with pytest.raises(ConfigurationError, match=f"The object store {root}"):
        ObjectStore(root)


def test_a_key_in_a_root_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        ObjectStore("s3://access:s3cret@bucket/x?endpoint_override=x&nonsense=1")
    assert "s3cret" not in refused.value.detail


def test_files_are_their_owners_alone_and_no_halves_lie_about(tmp_path: Path) -> None:
    store = ObjectStore(str(tmp_path / "objects"))
    store.put_bytes("a/b/c", b"x")
    with pytest.raises(RuntimeError), store.writer("a/b/d") as stream:
        stream.write(b"x")
        raise RuntimeError
    for path in [tmp_path / "objects", *(tmp_path / "objects").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert [path.name for path in (tmp_path / "objects" / "a" / "b").iterdir()] == ["c"]


def test_a_half_that_a_killed_process_left_is_not_listed(tmp_path: Path) -> None:
    store = ObjectStore(str(tmp_path / "objects"))
    store.put_bytes("a/b", b"x")
    writer = store.writer("a/c")
    writer.__enter__().write(b"half")
    assert store.list("a") == ["a/b"]
    writer.__exit__(RuntimeError, None, None)
