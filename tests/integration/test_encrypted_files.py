"""Encrypted files below the application: the format as published, what pyarrow gives out, every change noticed."""

import base64
import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.errors import Forbidden, HubError, Invalid
from hub.intake.brief import ReadFile
from hub.intake.sheets import read_sheet
from hub.intake.states import DeliveryState
from hub.policy.decide import Grant, whole_file
from hub.vault.files import open_parquet, write_parquet
from hub.vault.kms import KeyTable, OwnerClient, decryption
from hub.vault.material import wrapped_keys
from hub.workflows import publish
from hub.workflows.hub import Hub
from hub_schemas import library
from support import sealing
from support.hubs import principal_of
from support.modular import ModularFile
from support.sealing import Parcel, Sender

EVERYTHING = whole_file("test", "a test")
CLASSES = {
    "row_number": "open",
    "surname": "personal",
    "born": "personal",
    "left": "official",
    "right": "official",
}
#: Two row groups and two columns with the very same values: moved to each other's place, they would go unnoticed.
GROUP = pa.table(
    {
        "row_number": pa.array(range(1, 41), pa.int64()),
        "surname": pa.array(
            [None if number % 7 == 0 else f"Quillfeather {number % 5}" for number in range(40)]
        ),
        "born": pa.array(range(7000, 7040), pa.int32()).cast(pa.date32()),
        "left": pa.array(range(40), pa.int64()),
        "right": pa.array(range(40), pa.int64()),
    }
)
KEY, BINDING = bytes(range(32)), "version=ver_1;dataset=d;contract=c"
SEED = 20261124


def _written(key: bytes = KEY, binding: str = BINDING) -> tuple[bytes, bytes]:
    sink = pa.BufferOutputStream()
    material, _ = write_parquet(sink, key, binding, [GROUP, GROUP], GROUP.schema, CLASSES)
    return sink.getvalue().to_pybytes(), material.encode()


@pytest.fixture(scope="module")
def stored() -> tuple[bytes, bytes]:
    """The bytes of an encrypted file and its key material."""
    return _written()


def _read(data: bytes, material: bytes, key: bytes = KEY, binding: str = BINDING) -> pa.Table:
    with open_parquet(
        OwnerClient(key, binding, EVERYTHING), pa.BufferReader(data), material, "it"
    ) as parquet:
        return parquet.read()


def _by_the_rules(data: bytes, material: bytes, key: bytes = KEY, binding: str = BINDING) -> ModularFile:
    """The file as another implementation reads it: keys from the material (PKMT1), modules as the format says."""
    entries = json.loads(material)

    def key_of(metadata: bytes) -> bytes:
        entry = json.loads(entries[json.loads(metadata)["keyReference"]])
        raw = base64.b64decode(entry["wrappedDEK"])
        return AESGCM(key).decrypt(raw[:12], raw[12:], f"{binding}|{entry['masterKeyID']}".encode())

    return ModularFile(data, key_of)


# --- the published format


def test_a_reader_written_from_the_format_alone_reads_our_file(stored: tuple[bytes, bytes]) -> None:
    file = _by_the_rules(*stored)
    assert file.algorithm == 1, "AES_GCM_V1: pages are authenticated too"
    assert len(file.footer_key) == 32
    assert file.names == GROUP.column_names
    assert len(file.footer[4]) == 2
    both = pa.concat_tables([GROUP, GROUP])
    for name in GROUP.column_names:
        expected = both[name].cast(pa.int32()) if name == "born" else both[name]
        assert file.column(name) == expected.to_pylist(), name
    keys = {file.chunk(name, 0)[1] for name in file.names} | {file.footer_key}
    assert len(keys) == len(file.names) + 1, "a key for each column, and one for the footer"


def test_a_reader_that_uses_another_place_or_key_reads_nothing(stored: tuple[bytes, bytes]) -> None:
    from cryptography.exceptions import InvalidTag

    file = _by_the_rules(*stored)
    file.aad = file.aad[:-1] + bytes([file.aad[-1] ^ 1])
    with pytest.raises(InvalidTag):
        file.column("left")
    with pytest.raises(InvalidTag):
        _by_the_rules(*stored, binding="version=ver_2;dataset=d;contract=c")


# --- column access, below the application


#: Asks pyarrow for a column that is not granted where it looks at statistics, or filters on threads of its own: pyarrow
#: then ends or stops the process instead of raising, so another process asks.
_ASK = """
import faulthandler, json, sys
import pyarrow.compute as pc, pyarrow.dataset as ds, pyarrow.parquet as pq
from hub.policy.decide import Grant
from hub.vault.kms import OwnerClient, decryption
told = json.loads(sys.stdin.read())
path, granted, other, place = told["path"], told["granted"], told["other"], told["place"]
client = OwnerClient(bytes.fromhex(told["key"]), told["binding"], Grant("test", frozenset({granted}), "a", "a test"))
properties, alive = decryption(client, told["material"].encode())
scan = ds.ParquetFragmentScanOptions(decryption_properties=properties)
rows = ds.dataset(path, format=ds.ParquetFileFormat(default_fragment_scan_options=scan))
print("HAS", rows.to_table(columns=[granted]).num_rows, flush=True)
wanted = pc.field(other).is_valid()
faulthandler.dump_traceback_later(2, exit=True)
found = {
    "row filter": lambda: rows.to_table(columns=[granted], filter=wanted).num_rows,
    "count": lambda: rows.count_rows(filter=wanted),
    "projection": lambda: rows.to_table(columns={"it": pc.field(other)}).num_rows,
    "statistics": lambda: pq.ParquetFile(path, decryption_properties=properties).metadata.row_group(0).column(
        place).statistics.min,
}[told["way"]]()
print("GAVE", found, flush=True)
"""


def test_pyarrow_gives_only_granted_columns_however_it_is_asked(
    stored: tuple[bytes, bytes], tmp_path: Path
) -> None:
    data, material = stored
    path = tmp_path / "rows.parquet"
    path.write_bytes(data)
    names = [name for name in GROUP.column_names if name != "row_number"]  # its key is given with every grant
    pairs = itertools.permutations(names, 2)
    asking = [
        _another_process(_ASK, path=str(path), granted=granted, other=other, place=GROUP.column_names.index(other),
                         key=KEY.hex(), binding=BINDING, material=material.decode(), way=way)
        for way, (granted, other) in zip(("row filter", "count", "projection", "statistics"), pairs, strict=False)
    ]  # fmt: skip
    for granted in names:
        client = OwnerClient(KEY, BINDING, Grant("test", frozenset({granted}), "a", "a test"))
        properties, alive = decryption(client, material)
        scan = ds.ParquetFragmentScanOptions(decryption_properties=properties)
        rows = ds.dataset(path, format=ds.ParquetFileFormat(default_fragment_scan_options=scan))
        assert rows.to_table(columns=[granted], filter=pc.field(granted).is_valid()).num_rows > 0
        for other in (name for name in names if name != granted):
            for way, act in _ways(path, rows, properties, granted, other).items():
                with pytest.raises(Forbidden, match="outside the grant"):
                    pytest.fail(f"{way} gave {other} under a grant of {granted}: {act()}")
        assert alive
    for process in asking:
        with process:
            out, err = process.communicate(timeout=60)
        assert "HAS 80" in out, err
        assert "GAVE" not in out
        assert process.returncode != 0


def _ways(
    path: Path, rows: ds.Dataset, properties: Any, granted: str, other: str
) -> dict[str, Callable[[], Any]]:
    """Ways to ask for a column that is not granted."""

    def opened() -> pq.ParquetFile:
        return pq.ParquetFile(path, decryption_properties=properties)

    return {
        "read": lambda: opened().read(columns=[granted, other]),
        "all": lambda: opened().read(),
        "row group": lambda: opened().read_row_group(1, columns=[other]),
        "batches": lambda: list(opened().iter_batches(columns=[other])),
        "scan": lambda: rows.to_table(columns=[other]),
    }


def _another_process(code: str, **told: Any) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert process.stdin is not None
    process.stdin.write(json.dumps(told))
    process.stdin.flush()
    return process


# --- changes to a stored file


def _noticed(data: bytes, material: bytes) -> None:
    with pytest.raises(Invalid):
        pytest.fail(f"read as if nothing had happened: {_read(data, material).num_rows} rows")


def test_a_flipped_bit_anywhere_is_noticed(stored: tuple[bytes, bytes]) -> None:
    data, material = stored
    chance = random.Random(SEED)
    places = {*range(4, 40), *range(len(data) - 60, len(data)), *chance.sample(range(4, len(data)), 150)}
    for place in sorted(places):
        bent = bytearray(data)
        bent[place] ^= 1 << chance.randrange(8)
        _noticed(bytes(bent), material)
    for place in range(
        4
    ):  # the first four bytes say only that an encrypted file begins; no reader needs them
        bent = bytearray(data)
        bent[place] ^= 1
        assert _read(bytes(bent), material).equals(_read(data, material))


def test_a_file_cut_anywhere_or_grown_is_noticed(stored: tuple[bytes, bytes]) -> None:
    data, material = stored
    chance = random.Random(SEED)
    for end in (0, 1, 4, 8, 12, len(data) - 1, *chance.sample(range(len(data)), 30)):
        _noticed(data[:end], material)
    _noticed(data + b"PARE", material)
    _noticed(data[:-8] + data[:200] + data[-8:], material)


def _moved(data: bytes, one: tuple[int, int], other: tuple[int, int]) -> bytes:
    """The bytes with two stretches of the same length in each other's place."""
    assert one[1] - one[0] == other[1] - other[0], "the same values take the same room"
    bent = bytearray(data)
    bent[slice(*one)], bent[slice(*other)] = data[slice(*other)], data[slice(*one)]
    return bytes(bent)


def test_pages_moved_to_another_column_row_group_or_version_are_noticed(stored: tuple[bytes, bytes]) -> None:
    data, material = stored
    file = _by_the_rules(data, material)
    for name in ("left", "surname"):
        _noticed(_moved(data, file.span(name, 0), file.span(name, 1)), material)
    for group in (0, 1):
        _noticed(_moved(data, file.span("left", group), file.span("right", group)), material)
    other, _ = _written()  # the same rows under the same owner's key: an earlier version, say
    there = _by_the_rules(other, _).span("left", 0)
    here = file.span("left", 0)
    _noticed(data[: here[0]] + other[slice(*there)] + data[here[1] :], material)
    _noticed(other, material)
    _noticed(data, _)
    _noticed(data[: file.footer_at] + other[len(other) - (len(data) - file.footer_at) :], material)


def test_file_and_key_material_moved_together_are_noticed(sqlite_hub: Hub) -> None:
    from hub.vault.tables import FileRow, KeyRow

    vault, files = sqlite_hub.vault, {}
    for number in (1, 2):
        owner = vault.new_owner(f"ver_{number}")
        file = vault.write(
            owner, f"versions/ver_{number}/rows.parquet", f"v={number}", [GROUP], GROUP.schema, CLASSES
        )
        with sqlite_hub.database.write() as session:
            vault.register(session, owner, [file])
        files[number] = file
    first, second = files[1], files[2]
    sqlite_hub.objects.put_bytes(first.object_key, sqlite_hub.objects.get_bytes(second.object_key))
    with (
        sqlite_hub.database.write() as session
    ):  # somebody with the disk and the database, without the keyring
        row = session.get(FileRow, first.object_key)
        assert row is not None
        row.material = second.material
    with sqlite_hub.database.read() as session:
        located = vault.locate(session, first.object_key, "v=1")
    with pytest.raises(Invalid):
        vault.read(located, ["left"], EVERYTHING)
    with sqlite_hub.database.write() as session:  # and with the wrapped key of the other version as well
        old, new = session.get(KeyRow, "ver_1"), session.get(KeyRow, "ver_2")
        assert old is not None and new is not None
        old.wrapped, old.root = new.wrapped, new.root
    with sqlite_hub.database.read() as session, pytest.raises(Invalid):
        vault.locate(session, first.object_key, "v=1")


# --- weaker forms of the format, in a version and in a delivery

_PERSONAL = "personal/surname"


class _Known(pe.KmsClient):
    """Data keys in the clear: files of other implementations, made again with documented keys."""

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
        return base64.b64encode(key_bytes).decode()

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        return base64.b64decode(wrapped_key)


def _forms(**options: Any) -> bytes:
    """The rows in a form of the format that the hub does not write."""
    sink = pa.BufferOutputStream()
    configuration = pe.EncryptionConfiguration(footer_key="footer", double_wrapping=False, **options)
    properties = pe.CryptoFactory(lambda _: _Known()).file_encryption_properties(
        pe.KmsConnectionConfig(), configuration
    )
    pq.write_table(GROUP, sink, encryption_properties=properties)
    return sink.getvalue().to_pybytes()


def _plain() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(GROUP, sink)
    return sink.getvalue().to_pybytes()


_EACH = {f"{kind}/{name}": [name] for name, kind in CLASSES.items()}
FORMS: dict[str, Callable[[], bytes]] = {
    "plain": _plain,
    "uniform, 128 bits": lambda: _forms(uniform_encryption=True, data_key_length_bits=128),
    "footer in the clear, signed": lambda: _forms(column_keys=_EACH, plaintext_footer=True),
    "AES_GCM_CTR": lambda: _forms(column_keys=_EACH, encryption_algorithm="AES_GCM_CTR_V1"),
    "one column open": lambda: _forms(column_keys={_PERSONAL: ["surname"]}),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_weaker_form_put_in_a_versions_place_is_noticed(stored: tuple[bytes, bytes], form: str) -> None:
    _noticed(FORMS[form](), stored[1])


@pytest.mark.parametrize("form", sorted(FORMS.keys() - {"plain"}))
def test_what_other_implementations_write_opens_with_its_keys_and_not_with_wrong_ones(form: str) -> None:
    data = FORMS[form]()
    factory = pe.CryptoFactory(lambda _: _Known())
    properties = factory.file_decryption_properties(pe.KmsConnectionConfig(), pe.DecryptionConfiguration())
    assert pq.ParquetFile(pa.BufferReader(data), decryption_properties=properties).read().equals(GROUP)
    client = KeyTable({"footer": b"0123456789012345", _PERSONAL: b"1234567890123450"})
    with pytest.raises(HubError), open_parquet(client, pa.BufferReader(data), b"{}", "it") as parquet:
        pytest.fail(f"read {parquet.read().num_rows} rows")


CONTRACT = library.load("police.establishment")
ROWS = [
    {
        "team": f"Team {number}", "area": "North", "kind": "response", "month": "2026-01-01", "fte": "12.5",
        "contracted_hours": "160", "abstraction_rate": "0.2",
    }
    for number in range(30)
]  # fmt: skip


@pytest.fixture
def sender(sqlite_hub: Hub) -> Sender:
    """A connector of the police."""
    return Sender(sqlite_hub, "police", principal_of(sqlite_hub, "hub", "operator"))


def _with(monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    """Deliveries are sealed with other settings than a connector's."""
    usual = pe.EncryptionConfiguration

    def bent(**given: Any) -> pe.EncryptionConfiguration:
        return usual(**given | options)

    monkeypatch.setattr(sealing.pe, "EncryptionConfiguration", bent)


def _in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = pq.write_table
    monkeypatch.setattr(
        sealing.pq,
        "write_table",
        lambda table, sink, encryption_properties, **more: usual(table, sink, **more),
    )


BENT: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], dict[str, Any], str]] = {
    "plain": (_in_the_clear, {}, "footer is not encrypted"),
    "footer in the clear, signed": (lambda m: _with(m, plaintext_footer=True), {}, "footer is not encrypted"),
    "AES_GCM_CTR": (lambda m: _with(m, encryption_algorithm="AES_GCM_CTR_V1"), {}, "AES_GCM_V1 throughout"),
    "128 bits": (lambda m: _with(m, data_key_length_bits=128), {}, "has 128 bits, not 256"),
    "one column open": (lambda _: None, {"open_columns": frozenset({"team"})}, "official/team is open"),
    "one column more": (
        lambda _: None,
        {"typed": lambda table: table.append_column("shadow", table["team"]), "open_columns": frozenset({"shadow"})},
        "other columns than its contract",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", BENT)
def test_a_weaker_form_sent_as_a_delivery_is_refused_with_the_reason(
    sender: Sender, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bend, options, said = BENT[form]
    bend(monkeypatch)
    delivery = sender.deliver(CONTRACT, ROWS, **options)
    assert (delivery.state, delivery.version_id) == (DeliveryState.FAILED, None)
    assert said in (delivery.problem or "")


def _unsealed(hub: Hub, parcel: Parcel) -> dict[str, bytes]:
    manifest = parcel.manifest
    return hub.vault.sealed_keys(
        manifest["sealing_key_id"], manifest["delivery_id"], "rows", manifest["files"][0]["key_material"]
    )


def _sheet(parcel: Parcel, keys: dict[str, bytes], data: bytes) -> Iterator[pa.Table]:
    fd = os.memfd_create("sheet")
    try:
        os.write(fd, data)
        material = json.dumps(parcel.manifest["files"][0]["key_material"])
        yield from read_sheet(ReadFile(fd, material, keys, len(ROWS)), CONTRACT, "rows")
    finally:
        os.close(fd)


def test_no_change_of_a_delivered_file_gets_past_the_reader(sqlite_hub: Hub, sender: Sender) -> None:
    """Below the digests of the manifest, which notice it before: whoever sends could have made them fit."""
    parcel, other = sender.pack(CONTRACT, ROWS), sender.pack(CONTRACT, ROWS)
    data, keys = parcel.files["rows"], _unsealed(sqlite_hub, parcel)
    assert sum(table.num_rows for table in _sheet(parcel, keys, data)) == len(ROWS)
    chance = random.Random(SEED)
    bent = [data[:end] for end in (1, 11, len(data) - 1, *chance.sample(range(len(data)), 10))]
    for place in chance.sample(range(len(data)), 60):
        bent.append(data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :])
    bent.append(other.files["rows"])
    for changed in bent:
        with pytest.raises(Invalid):
            pytest.fail(f"read {sum(table.num_rows for table in _sheet(parcel, keys, changed))} rows")
    with pytest.raises(Invalid):
        list(_sheet(other, _unsealed(sqlite_hub, other), data))
    material = dict(parcel.manifest["files"][0]["key_material"])
    for role, delivery in (
        ("refused", parcel.manifest["delivery_id"]),
        ("rows", other.manifest["delivery_id"]),
    ):
        with pytest.raises(Invalid, match="does not open"):
            sqlite_hub.vault.sealed_keys(parcel.manifest["sealing_key_id"], delivery, role, material)
    assert len(wrapped_keys(material)) == len(CONTRACT.columns) + 2


def test_an_old_delivery_sent_again_changes_nothing_and_nobody_else_can_send_it(
    sqlite_hub: Hub, sender: Sender
) -> None:
    sender.publish(CONTRACT)
    old, new = sender.pack(CONTRACT, ROWS[:5]), sender.pack(CONTRACT, ROWS)
    from hub.catalogue import store as catalogue
    from hub.workflows.work import drain

    for parcel in (old, new):
        sender.send(parcel)
        drain(sqlite_hub)
    again, missing, fresh = publish.offer(sqlite_hub, sender.principal, old.manifest, old.signature)
    assert (again.state, missing, fresh) == (DeliveryState.ACCEPTED, [], False)
    assert drain(sqlite_hub) == 0
    with sqlite_hub.database.read() as session:
        current = catalogue.versions(session, again.dataset_id)[0]
    assert (current.number, current.rows) == (2, len(ROWS))
    thief = Sender(sqlite_hub, "housing", principal_of(sqlite_hub, "hub", "operator"))
    with pytest.raises(HubError):
        publish.offer(sqlite_hub, thief.principal, old.manifest, old.signature)
    changed = {**old.manifest, "delivery_id": "0" * 32}
    with pytest.raises(HubError, match="signature"):
        publish.offer(sqlite_hub, sender.principal, changed, old.signature)
