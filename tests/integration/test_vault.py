"""The vault gives out what the grant says, even to code that goes around it, and notices every change."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hub.errors import ConfigurationError, Forbidden, Invalid, NotFound
from hub.policy.decide import Grant, whole_file
from hub.vault.keyring import Keyring
from hub.vault.kms import OwnerClient, decryption
from hub.vault.store import StoredFile
from hub.workflows.hub import Hub

TABLE = pa.table(
    {
        "row_number": pa.array([1, 2, 3], pa.int64()),
        "surname": pa.array(["Quillfeather", "Brackenbury", None]),
        "absence": pa.array([3, 40, 7], pa.int64()),
    }
)
CLASSES = {"row_number": "open", "surname": "personal", "absence": "official"}
EVERYTHING = whole_file("test", "a test")


@pytest.fixture
def stored(sqlite_hub: Hub) -> Iterator[tuple[Hub, StoredFile]]:
    """A hub with one encrypted file."""
    owner = sqlite_hub.vault.new_owner("ver_1")
    file = sqlite_hub.vault.write(owner, "versions/ver_1/rows.parquet", "v=1", [TABLE], TABLE.schema, CLASSES)
    with sqlite_hub.database.write() as session:
        sqlite_hub.vault.register(session, owner, [file])
    with sqlite_hub.database.read() as session:
        yield sqlite_hub, sqlite_hub.vault.locate(session, file.object_key, "v=1")


def test_a_file_reads_back_as_it_was_written(stored: tuple[Hub, StoredFile]) -> None:
    hub, file = stored
    assert hub.vault.read(file, TABLE.column_names, EVERYTHING).equals(TABLE)
    assert pa.Table.from_batches(hub.vault.batches(file, ["absence"], EVERYTHING)).num_rows == 3


def test_nothing_of_it_is_readable_on_disk(stored: tuple[Hub, StoredFile]) -> None:
    hub, file = stored
    raw = hub.objects.get_bytes(file.object_key)
    assert raw.startswith(b"PARE"), "the footer is encrypted too"
    for word in ("Quillfeather", "surname", "absence"):
        assert word.encode() not in raw
        assert word.encode("utf-16-le") not in raw


def test_a_column_outside_the_grant_is_not_decrypted(stored: tuple[Hub, StoredFile]) -> None:
    hub, file = stored
    grant = Grant("test", frozenset({"absence"}), "an-agreement", "a test")
    assert hub.vault.read(file, ["row_number", "absence"], grant).num_rows == 3
    with pytest.raises(Forbidden, match="column surname is outside the grant"):
        hub.vault.read(file, ["surname"], grant)


def test_going_around_the_vault_with_pyarrow_does_not_help(stored: tuple[Hub, StoredFile]) -> None:
    hub, file = stored
    client = OwnerClient(file.key, file.binding, Grant("test", frozenset({"absence"}), "a", "a test"))
    properties, alive = decryption(client, file.material)
    parquet = pq.ParquetFile(hub.objects.path(file.object_key), decryption_properties=properties)
    assert parquet.read(columns=["absence"]).num_rows == 3
    with pytest.raises(Forbidden):
        parquet.read(columns=["surname"])
    with pytest.raises(Forbidden):
        parquet.read()
    assert alive


def test_a_grant_about_one_dataset_opens_no_other_of_the_same_contract(sqlite_hub: Hub) -> None:
    vault, binding = sqlite_hub.vault, "version=ver_1;dataset=dat_1;contract=c;rows"
    owner = vault.new_owner("ver_1")
    file = vault.write(owner, "versions/ver_1/rows.parquet", binding, [TABLE], TABLE.schema, CLASSES)
    with sqlite_hub.database.write() as session:
        vault.register(session, owner, [file])
        stored = vault.locate(session, file.object_key, binding)
    grant = Grant("c", frozenset({"surname"}), "agreement", "a test", dataset="dat_1")
    assert vault.read(stored, ["surname"], grant).num_rows == 3
    for elsewhere in ("dat_2", "dat_", "dat_11", "1"):
        with pytest.raises(Forbidden, match="outside the grant"):
            vault.read(stored, ["surname"], replace(grant, dataset=elsewhere))


def test_without_a_grant_not_even_the_footer_opens(stored: tuple[Hub, StoredFile]) -> None:
    hub, file = stored
    properties, _alive = decryption(OwnerClient(file.key, file.binding, None), file.material)
    with pytest.raises((Forbidden, OSError)):
        pq.ParquetFile(hub.objects.path(file.object_key), decryption_properties=properties)


@contextmanager
def _changed(hub: Hub, key: str, change: bytes) -> Iterator[None]:
    hub.objects.put_bytes(key, change)
    yield


@pytest.mark.parametrize("place", [10, 60, -20, -200])
def test_a_flipped_bit_is_noticed(stored: tuple[Hub, StoredFile], place: int) -> None:
    hub, file = stored
    raw = bytearray(hub.objects.get_bytes(file.object_key))
    raw[place] ^= 1
    with _changed(hub, file.object_key, bytes(raw)), pytest.raises(Invalid, match="cannot be read"):
        hub.vault.read(file, TABLE.column_names, EVERYTHING)


def test_a_truncated_file_is_noticed(stored: tuple[Hub, StoredFile]) -> None:
    hub, file = stored
    raw = hub.objects.get_bytes(file.object_key)
    with _changed(hub, file.object_key, raw[: len(raw) // 2]), pytest.raises(Invalid, match="cannot be read"):
        hub.vault.read(file, TABLE.column_names, EVERYTHING)


def test_a_file_put_in_anothers_place_is_noticed(stored: tuple[Hub, StoredFile]) -> None:
    hub, file = stored
    other = hub.vault.new_owner("ver_2")
    swapped = hub.vault.write(other, "versions/ver_2/rows.parquet", "v=2", [TABLE], TABLE.schema, CLASSES)
    raw = hub.objects.get_bytes(swapped.object_key)
    with _changed(hub, file.object_key, raw), pytest.raises(Invalid):
        hub.vault.read(file, TABLE.column_names, EVERYTHING)


def test_key_material_of_another_version_does_not_open(stored: tuple[Hub, StoredFile]) -> None:
    hub, file = stored
    other = hub.vault.new_owner("ver_2")
    swapped = hub.vault.write(other, "versions/ver_2/rows.parquet", "v=2", [TABLE], TABLE.schema, CLASSES)
    bent = StoredFile(file.object_key, file.binding, swapped.material.encode(), 3, file.key)
    with pytest.raises(Invalid, match=r"changed or swapped|cannot be read"):
        hub.vault.read(bent, TABLE.column_names, EVERYTHING)


def test_swapped_columns_are_noticed(stored: tuple[Hub, StoredFile]) -> None:
    hub, file = stored
    material = {name: json.loads(text) for name, text in json.loads(file.material).items()}
    surname = next(entry for entry in material.values() if entry["masterKeyID"].endswith("surname"))
    absence = next(entry for entry in material.values() if entry["masterKeyID"].endswith("absence"))
    surname["masterKeyID"], absence["masterKeyID"] = absence["masterKeyID"], surname["masterKeyID"]
    bent = {name: json.dumps(entry) for name, entry in material.items()}
    with pytest.raises(Invalid, match="changed or swapped"):
        hub.vault.read(
            StoredFile(file.object_key, file.binding, json.dumps(bent).encode(), 3, file.key),
            ["surname"],
            EVERYTHING,
        )


def test_a_record_that_points_to_another_version_is_noticed(stored: tuple[Hub, StoredFile]) -> None:
    hub, file = stored
    with hub.database.read() as session:
        with pytest.raises(Invalid, match="belongs to another version"):
            hub.vault.locate(session, file.object_key, "v=2")
        with pytest.raises(NotFound):
            hub.vault.locate(session, "versions/nothing", "v=1")


def test_pseudonyms_of_two_agreements_have_nothing_in_common(sqlite_hub: Hub) -> None:
    people = pa.array(["p1", "p2", None, "p1"])
    first, second = (sqlite_hub.vault.pseudonyms(name, "person", people).to_pylist() for name in ("a", "b"))
    assert first[0] == first[3]
    assert first[2] is None
    assert not set(filter(None, first)) & set(filter(None, second))
    assert sqlite_hub.vault.pseudonym("a", "household", "p1") != first[0]
    assert sqlite_hub.vault.pseudonym("a", "person", "p1") == first[0]


def test_sealed_text_reads_back_and_notices_changes(sqlite_hub: Hub) -> None:
    sealed = sqlite_hub.vault.seal_text("visit on Friday")
    assert "Friday" not in sealed
    assert sqlite_hub.vault.open_text(sealed) == "visit on Friday"
    with pytest.raises(Invalid):
        sqlite_hub.vault.open_text(sealed[:-8] + "AAAAAAA=")


def test_a_report_belongs_to_its_owner_and_place(sqlite_hub: Hub) -> None:
    owner = sqlite_hub.vault.new_owner("res_1")
    sqlite_hub.vault.write_blob(owner, "results/res_1/report", "r=1", b"{}")
    with sqlite_hub.database.write() as session:
        sqlite_hub.vault.register(session, owner, [])
        assert sqlite_hub.vault.read_blob(session, "res_1", "results/res_1/report", "r=1") == b"{}"
        with pytest.raises(Invalid):
            sqlite_hub.vault.read_blob(session, "res_1", "results/res_1/report", "r=2")


class TestKeyring:
    """The keyring opens for its owner only."""

    def test_it_opens_again_with_its_passphrase(self, tmp_path) -> None:
        made = Keyring.create(tmp_path, "a long passphrase")
        assert Keyring.open(tmp_path, "a long passphrase") == made

    def test_it_opens_again_with_its_key_file(self, tmp_path) -> None:
        made = Keyring.create(tmp_path)
        assert Keyring.open(tmp_path) == made
        assert "root" in repr(made)
        assert made.token_key.hex() not in repr(made)

    def test_another_passphrase_or_none_is_refused(self, tmp_path) -> None:
        Keyring.create(tmp_path, "a long passphrase")
        with pytest.raises(ConfigurationError, match="does not open"):
            Keyring.open(tmp_path, "another passphrase")
        with pytest.raises(ConfigurationError, match="HUB_KEY_PASSPHRASE"):
            Keyring.open(tmp_path)

    def test_a_file_that_others_can_read_is_refused(self, tmp_path) -> None:
        Keyring.create(tmp_path)
        (tmp_path / "keyring.json").chmod(0o644)
        with pytest.raises(ConfigurationError, match="chmod 600"):
            Keyring.open(tmp_path)

    def test_it_is_never_overwritten(self, tmp_path) -> None:
        Keyring.create(tmp_path)
        with pytest.raises(ConfigurationError, match="never overwritten"):
            Keyring.create(tmp_path)

    def test_a_missing_or_damaged_one_says_what_to_do(self, tmp_path) -> None:
        with pytest.raises(ConfigurationError, match="hub init"):
            Keyring.open(tmp_path)
        Keyring.create(tmp_path)
        (tmp_path / "keyring.json").write_text("{}")
        with pytest.raises(ConfigurationError, match="Restore it"):
            Keyring.open(tmp_path)
