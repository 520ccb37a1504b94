"""Every key provider keeps the same promises, and with one that is not local the hub's folder alone opens nothing.

PKCS#11 is tested on SoftHSM2 itself. AWS KMS is tested against moto's server. HashiCorp Vault is tested at the level of
its protocol only, against a small server that does what transit's documentation says (`support.transit`).
"""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest

from hub.app import init_hub, open_hub
from hub.config import load_settings
from hub.errors import ConfigurationError, HubError, Invalid, Unavailable
from hub.policy.decide import whole_file
from hub.vault.keyring import Keyring
from hub.vault.providers import KINDS, LOCAL, KeyProvider, Providers
from hub.workflows.hub import Hub
from support.s3 import CREDENTIALS, S3Server
from support.softhsm import SoftHsm, make_softhsm
from support.transit import TransitServer, running_transit

KEY = bytes(range(32))
TABLE = pa.table({"row_number": pa.array([1, 2], pa.int64()), "surname": ["Quillfeather", "Brackenbury"]})


@dataclass
class Place:
    """A kind of provider, the settings that lead to it, and how it is taken away and brought back."""

    kind: str
    settings: dict[str, str] = field(default_factory=dict)
    away: Callable[[], object] | None = None
    back: Callable[[], object] | None = None
    is_gone: Callable[[str], bool] | None = None

    @property
    def name(self) -> str:
        return LOCAL if self.kind in ("file", "passphrase") else self.kind


@pytest.fixture(scope="module")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    known = os.environ.get("SOFTHSM2_CONF")
    yield make_softhsm(tmp_path_factory.mktemp("softhsm"))
    os.environ.pop("SOFTHSM2_CONF") if known is None else os.environ.update(SOFTHSM2_CONF=known)


@pytest.fixture(scope="module")
def transit() -> Iterator[TransitServer]:
    with running_transit() as server:
        yield server


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "pkcs11":
        hsm: SoftHsm = request.getfixturevalue("softhsm")
        return Place("pkcs11", hsm.settings(), hsm.unplug, hsm.plug_in)
    if request.param == "vault":
        server: TransitServer = request.getfixturevalue("transit")

        def seal(sealed: bool) -> None:
            server.sealed = sealed

        return Place("vault", server.settings(), lambda: seal(True), lambda: seal(False))
    if request.param == "aws":
        moto: S3Server = request.getfixturevalue("s3_server")
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        address = f"http://{moto._endpoint}"

        def is_gone(handle: str) -> bool:
            """moto goes on using a key that waits for its deletion, which KMS refuses: so its state is looked at."""
            client = boto3.client("kms", endpoint_url=address)
            state = client.describe_key(KeyId=handle)["KeyMetadata"]["KeyState"]
            client.close()
            return state == "PendingDeletion"

        return Place("aws", {"aws_kms_endpoint": address, "aws_region": "eu-west-2"}, is_gone=is_gone)
    return Place(
        request.param, {"key_passphrase": "a long passphrase"} if request.param == "passphrase" else {}
    )


@pytest.fixture
def provider(place: Place, tmp_path: Path) -> Iterator[KeyProvider]:
    providers = Providers(load_settings(tmp_path, environ={}, **place.settings))
    yield providers.get(place.name)
    providers.close()


def test_what_is_wrapped_opens_again_and_shows_nothing(provider: KeyProvider) -> None:
    root = provider.create_root()
    wrapped = provider.wrap(root, KEY, b"ver_1")
    assert KEY not in wrapped
    assert wrapped != provider.wrap(root, KEY, b"ver_1"), "the same key twice looks different"
    assert provider.unwrap(root, wrapped, b"ver_1") == KEY
    assert provider.ping(root)


def test_it_opens_in_its_own_place_only(provider: KeyProvider) -> None:
    root, other = provider.create_root(), provider.create_root()
    wrapped = provider.wrap(root, KEY, b"ver_1")
    with pytest.raises(Invalid):
        provider.unwrap(root, wrapped, b"ver_2")
    with pytest.raises(HubError):
        provider.unwrap(other, wrapped, b"ver_1")
    changed = bytearray(wrapped)
    changed[-2] ^= 1
    for bent in (bytes(changed), wrapped[:20], b""):
        with pytest.raises(HubError):
            provider.unwrap(root, bent, b"ver_1")
    assert provider.unwrap(root, wrapped, b"ver_1") == KEY, "and it works on after that"


def test_many_move_from_one_root_to_another_in_order(provider: KeyProvider) -> None:
    old, new = provider.create_root(), provider.create_root()
    keys = [bytes([number]) * 32 for number in range(5)]
    contexts = [f"ver_{number}".encode() for number in range(5)]
    wrapped = [provider.wrap(old, key, context) for key, context in zip(keys, contexts, strict=True)]
    moved = provider.rewrap(old, new, list(zip(wrapped, contexts, strict=True)))
    assert [
        provider.unwrap(new, item, context) for item, context in zip(moved, contexts, strict=True)
    ] == keys
    with pytest.raises(HubError):
        provider.rewrap(old, new, [(wrapped[0], contexts[0]), (wrapped[1], b"another")])


def test_a_destroyed_root_opens_nothing_and_the_others_do(provider: KeyProvider, place: Place) -> None:
    root, other = provider.create_root(), provider.create_root()
    wrapped, kept = provider.wrap(root, KEY, b"x"), provider.wrap(other, KEY, b"x")
    assert provider.destroy_root(root)
    assert provider.destroy_root(root), "twice is no error: the first answer may have been lost"
    assert provider.unwrap(other, kept, b"x") == KEY
    if place.name == LOCAL:
        return  # the handle is the key: whoever drops it has destroyed it
    if place.is_gone is not None:
        assert place.is_gone(root)
        return
    with pytest.raises(Unavailable):
        provider.unwrap(root, wrapped, b"x")
    with pytest.raises(Unavailable):
        provider.ping(root)


def test_threads_do_not_disturb_each_other(provider: KeyProvider) -> None:
    root, found = provider.create_root(), []

    def work(number: int) -> None:
        for turn in range(5):
            context = f"{number}/{turn}".encode()
            found.append(provider.unwrap(root, provider.wrap(root, KEY, context), context) == KEY)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 20


@pytest.mark.parametrize("place", ["pkcs11", "vault"], indirect=True)
def test_one_that_is_away_says_so_and_is_there_again_afterwards(provider: KeyProvider, place: Place) -> None:
    assert place.away and place.back
    root = provider.create_root()
    wrapped = provider.wrap(root, KEY, b"x")
    place.away()
    try:
        for act in (
            lambda: provider.unwrap(root, wrapped, b"x"), lambda: provider.wrap(root, KEY, b"x"), provider.create_root,
        ):  # fmt: skip
            with pytest.raises(Unavailable):
                act()
    finally:
        place.back()
    assert provider.unwrap(root, wrapped, b"x") == KEY


# --- whole hubs


@pytest.fixture
def settings(place: Place, tmp_path: Path) -> dict[str, Any]:
    return {"key_provider": place.kind, "public_url": "http://hub.test", **place.settings}


@pytest.fixture
def made(settings: dict[str, Any], tmp_path: Path) -> Iterator[Hub]:
    hub = init_hub(load_settings(tmp_path / "hub", environ={}, **settings))
    owner = hub.vault.new_owner("ver_1")
    file = hub.vault.write(
        owner, "versions/ver_1/rows.parquet", "v=1", [TABLE], TABLE.schema,
        {"row_number": "open", "surname": "personal"},
    )  # fmt: skip
    with hub.database.write() as session:
        hub.vault.register(session, owner, [file])
    yield hub
    hub.keyring.close()
    hub.database.close()


def _read(hub: Hub) -> pa.Table:
    with hub.database.read() as session:
        file = hub.vault.locate(session, "versions/ver_1/rows.parquet", "v=1")
    return hub.vault.read(file, TABLE.column_names, whole_file("test", "a test"))


def test_a_hub_opens_again_with_its_provider(made: Hub, settings: dict[str, Any], place: Place) -> None:
    assert _read(made).equals(TABLE)
    again = open_hub(load_settings(made.settings.dir, environ={}, **settings))
    assert _read(again).equals(TABLE)
    assert again.keyring == made.keyring
    assert again.keyring.kind == place.kind
    assert again.keyring.ping()
    again.keyring.close()
    again.database.close()


def test_the_folder_alone_opens_nothing(made: Hub, place: Place, tmp_path: Path) -> None:
    stolen = tmp_path / "stolen"
    shutil.copytree(made.settings.dir, stolen)
    if place.kind == "file":
        (
            stolen / "keys" / "keyring.key"
        ).unlink()  # with its key file a keyring is no secret: it must lie elsewhere
    with pytest.raises(HubError):
        open_hub(
            load_settings(stolen, environ={}, aws_region="eu-west-2", aws_kms_endpoint="http://127.0.0.1:9")
        )
    everything = b"".join(path.read_bytes() for path in stolen.rglob("*") if path.is_file())
    held = made.keyring.secrets
    secret = [held.checkpoint_key, held.reference_key, held.pseudonym_key, held.token_keys[0].key]
    secret += [part for pair in held.sealing.values() for part in (pair.seed, pair.exchange)]
    assert not [raw for raw in secret if raw in everything]
    document = json.loads((stolen / "keys" / "keyring.json").read_text())
    assert document["guard"]["kind"] == place.kind


def test_a_guard_that_was_changed_or_comes_from_another_hub_is_refused(
    made: Hub, place: Place, settings: dict[str, Any], tmp_path: Path
) -> None:
    init_hub(load_settings(tmp_path / "other", environ={}, **settings)).database.close()
    path, other = made.settings.keys_dir / "keyring.json", tmp_path / "other" / "keys" / "keyring.json"
    mine, theirs = json.loads(path.read_text()), json.loads(other.read_text())
    for bent in (mine | {"keys": theirs["keys"]}, mine | {"guard": mine["guard"] | {"more": 1}}):
        path.write_text(json.dumps(bent))
        with pytest.raises(ConfigurationError, match="does not open"):
            open_hub(load_settings(made.settings.dir, environ={}, **settings))


@pytest.mark.parametrize("place", ["pkcs11", "vault"], indirect=True)
def test_a_hub_whose_provider_is_away_says_so_begins_nothing_and_goes_on_later(
    made: Hub, place: Place
) -> None:
    assert place.away and place.back
    place.away()
    try:
        with pytest.raises(Unavailable):
            made.vault.new_owner("ver_2")
        with pytest.raises(Unavailable), made.database.read() as session:
            made.vault.locate(session, "versions/ver_1/rows.parquet", "v=1")
        assert made.vault.pseudonym("a", "person", "p1"), "what needs no root key goes on"
    finally:
        place.back()
    assert _read(made).equals(TABLE)


# --- the refusals of each


def test_where_nobody_answers_the_error_says_what_to_look_at(tmp_path: Path, monkeypatch: Any) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    nowhere = "http://127.0.0.1:9"
    told = {
        "vault": {"vault_address": nowhere, "vault_token": "x"},
        "aws": {"aws_kms_endpoint": nowhere, "aws_region": "eu-west-2"},
        "pkcs11": {"pkcs11_module": "/nowhere.so", "pkcs11_token": "x", "pkcs11_pin": "x"},
    }
    for kind, values in told.items():
        providers = Providers(load_settings(tmp_path, environ={}, **values))
        with pytest.raises(Unavailable, match=r"does not answer \(.*look at"):
            providers.get(kind).create_root()
        providers.close()


@pytest.mark.parametrize("kind", ["pkcs11", "vault"])
def test_a_provider_without_its_settings_names_them(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"give {kind}_"):
        init_hub(load_settings(tmp_path, environ={}, key_provider=kind))
    assert not (tmp_path / "keys" / "keyring.json").exists()


def test_a_keyring_of_another_kind_than_the_setting_says_is_refused(tmp_path: Path) -> None:
    Keyring.create(tmp_path / "keys")
    with pytest.raises(
        ConfigurationError, match="of the kind file, and the setting key_provider says passphrase"
    ):
        Keyring.open(tmp_path / "keys", kind="passphrase")


def test_a_passphrase_that_would_guard_nothing_is_refused(tmp_path: Path) -> None:
    Keyring.create(tmp_path)
    with pytest.raises(ConfigurationError, match="guards nothing"):
        Keyring.open(tmp_path, "a passphrase")
    with pytest.raises(ConfigurationError, match="would guard nothing"):
        Keyring.create(tmp_path / "more", "a passphrase", kind="file")
    with pytest.raises(ConfigurationError, match="HUB_KEY_PASSPHRASE"):
        Keyring.create(tmp_path / "more", kind="passphrase")


def test_a_wrong_pin_and_a_token_that_ended_are_named(
    softhsm: SoftHsm, transit: TransitServer, tmp_path: Path
) -> None:
    wrong = Providers(load_settings(tmp_path, environ={}, **(softhsm.settings() | {"pkcs11_pin": "0000"})))
    with pytest.raises(Unavailable, match="HUB_PKCS11_PIN"):
        wrong.get("pkcs11").create_root()
    wrong.close()
    token = tmp_path / "token"
    token.write_text("ended\n")
    values = {"vault_address": transit.address, "vault_token_file": str(token)}
    providers = Providers(load_settings(tmp_path, environ={}, **values))
    with pytest.raises(Unavailable, match="token has ended"):
        providers.get("vault").create_root()
    token.write_text(f"{transit.token}\n")
    assert providers.get("vault").create_root(), "the agent renewed it"
    providers.close()


def test_a_root_in_the_module_cannot_be_taken_out(softhsm: SoftHsm, tmp_path: Path) -> None:
    import pkcs11

    providers = Providers(load_settings(tmp_path, environ={}, **softhsm.settings()))
    provider: Any = providers.get("pkcs11")
    root = provider.create_root()
    with pytest.raises(pkcs11.AttributeSensitive):
        provider._key(provider._open(), root)[pkcs11.Attribute.VALUE]
    providers.close()


def test_a_keyring_of_the_first_form_still_opens(tmp_path: Path) -> None:
    """Written by hand as the first hubs wrote it: no guard, local keys."""
    import base64

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key, nonce = os.urandom(32), os.urandom(12)
    names = ("token_key", "checkpoint_key", "pseudonym_key", "reference_key")
    data = {
        "root_keys": {"kek_1": base64.b64encode(KEY).decode()}, "current_root": "kek_1",
        "sealing": {"hpk_1": [base64.b64encode(bytes(64)).decode(), base64.b64encode(KEY).decode()]},
        "current_sealing": "hpk_1", **{name: base64.b64encode(KEY).decode() for name in names},
    }  # fmt: skip
    form = "joinedup-keyring/1"
    sealed = AESGCM(key).encrypt(nonce, json.dumps(data).encode(), form.encode())
    document = {
        "format": form,
        "nonce": base64.b64encode(nonce).decode(),
        "keys": base64.b64encode(sealed).decode(),
    }
    for name, text in (
        ("keyring.json", json.dumps(document)),
        ("keyring.key", base64.b64encode(key).decode()),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    opened = Keyring.open(tmp_path)
    assert (opened.current_root, opened.current_sealing, opened.token_key) == ("kek_1", "hpk_1", KEY)
    assert opened.unwrap("kek_1", opened.wrap("kek_1", KEY, b"x"), b"x") == KEY
    opened.change(lambda held: held)
    assert Keyring.open(tmp_path) == opened
    assert json.loads((tmp_path / "keyring.json").read_text())["format"] == "joinedup-keyring/2"
