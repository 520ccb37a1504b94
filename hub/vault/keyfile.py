"""The file of a keyring: how it is locked, read and written.

Form joinedup-keyring/2: what guards it stands in the clear beside the ciphertext and is authenticated with it. The
first form, without guards of other kinds, is still read.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from hub.errors import ConfigurationError, Conflict, Invalid
from hub.vault.providers import LOCAL, Providers
from hub.vault.secrets import Secrets

__all__ = ["FILE", "KEY_FILE", "kind_of", "locked", "read_keyring", "stamp_of", "write_keyring"]

FILE: Final = "keyring.json"
KEY_FILE: Final = "keyring.key"
_FIRST, _FORMAT = "joinedup-keyring/1", "joinedup-keyring/2"
_ARGON2 = {"lanes": 4, "memory_cost": 64 * 1024, "iterations": 3}
_NOT_OPEN = (
    "The keyring in {folder} does not open: the passphrase (HUB_KEY_PASSPHRASE) or the key file is not the one it was "
    "made with, or the file was changed."
)


def kind_of(held: Secrets, passphrase: str) -> str:
    """How a keyring with these secrets is guarded."""
    provider = held.roots[held.current_root].provider
    if provider != LOCAL:
        return provider
    return "passphrase" if passphrase else "file"


def stamp_of(folder: Path) -> tuple[int, int, int] | None:
    """What changes whenever the keyring's file does."""
    try:
        found = (folder / FILE).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


@contextmanager
def locked(folder: Path, name: str = "lock", *, busy: str = "") -> Iterator[None]:
    """Hold a lock in the keyring's folder; it goes with the process, however that ends.

    Raises:
        Conflict: with the words of `busy`, when another holds it; without them one waits.
    """
    descriptor = os.open(folder / f".{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError:
            raise Conflict(busy) from None
        yield
    finally:
        os.close(descriptor)


def read_keyring(folder: Path, passphrase: str, providers: Providers) -> tuple[Secrets, str]:
    """The secrets in a folder's keyring, and how it is guarded.

    Raises:
        ConfigurationError: as `Keyring.open`.
        Unavailable: when the provider that guards it does not answer.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    path = folder / FILE
    if not path.exists():
        raise ConfigurationError(f"There is no keyring in {folder}. Make a hub there first: hub init.")
    _check_mode(path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        guard = _guard_of(document)
        key = _open_guard(guard, folder, passphrase, providers)
        plain = AESGCM(key).decrypt(
            base64.b64decode(document["nonce"]),
            base64.b64decode(document["keys"]),
            _bound(document["format"], guard),
        )
        data = json.loads(plain)
        first = document["format"] == _FIRST
        return (Secrets.from_first_form(data) if first else Secrets.from_json(data)), str(guard["kind"])
    except InvalidTag:
        raise ConfigurationError(_NOT_OPEN.format(folder=folder)) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"The keyring {path} is damaged ({error}). Restore it from its backup."
        ) from None


def write_keyring(
    folder: Path, held: Secrets, passphrase: str, providers: Providers, *, copy: bool = False
) -> None:
    """Write a keyring whole and durably, readable by the hub's user only; `copy`: under the passphrase in any case."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    kind = "passphrase" if copy else kind_of(held, passphrase)
    guard: dict[str, Any] = {"kind": kind}
    if kind == "passphrase":
        guard["kdf"] = {"name": "argon2id", **_ARGON2, "salt": _text(os.urandom(16))}
        key = _derived(guard["kdf"], passphrase)
    elif kind == "file":
        if not (folder / KEY_FILE).exists():
            _write_private(folder / KEY_FILE, base64.b64encode(secrets.token_bytes(32)) + b"\n")
        key = _key_file(folder)
    else:
        key, root = secrets.token_bytes(32), held.roots[held.current_root]
        wrapped = providers.get(root.provider).wrap(root.handle, key, _FORMAT.encode())
        guard |= {"handle": root.handle, "wrapped": _text(wrapped)}
    nonce = os.urandom(12)
    sealed = AESGCM(key).encrypt(nonce, json.dumps(held.to_json()).encode(), _bound(_FORMAT, guard))
    document = {"format": _FORMAT, "guard": guard, "nonce": _text(nonce), "keys": _text(sealed)}
    _write_private(folder / FILE, json.dumps(document, indent=2).encode())


def _guard_of(document: dict[str, Any]) -> dict[str, Any]:
    if document["format"] == _FIRST:
        kdf = document.get("kdf")
        return {"kind": "file"} if kdf is None else {"kind": "passphrase", "kdf": kdf}
    if document["format"] != _FORMAT:
        raise ValueError("unknown format")
    return dict(document["guard"])


def _bound(form: str, guard: dict[str, Any]) -> bytes:
    """What is authenticated with the ciphertext."""
    return form.encode() if form == _FIRST else json.dumps([form, guard], sort_keys=True).encode()


def _open_guard(guard: dict[str, Any], folder: Path, passphrase: str, providers: Providers) -> bytes:
    kind = guard["kind"]
    if kind == "passphrase":
        if not passphrase:
            raise ConfigurationError("This keyring is under a passphrase: give it in HUB_KEY_PASSPHRASE.")
        return _derived(guard["kdf"], passphrase)
    if passphrase:
        where = "a key file" if kind == "file" else kind
        raise ConfigurationError(
            f"A passphrase is set (HUB_KEY_PASSPHRASE), and this keyring is under {where}: the passphrase guards "
            "nothing. Take it away; or put the keys under it: hub keys rotate --keys passphrase."
        )
    if kind == "file":
        return _key_file(folder)
    try:
        wrapped = base64.b64decode(guard["wrapped"], validate=True)
        return providers.get(str(kind)).unwrap(str(guard["handle"]), wrapped, _FORMAT.encode())
    except Invalid:
        raise ConfigurationError(
            f"The keyring in {folder} does not open with the root key in {kind}: it belongs to another hub, or "
            "was changed."
        ) from None


def _derived(kdf: dict[str, Any], passphrase: str) -> bytes:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    derive = Argon2id(
        salt=base64.b64decode(kdf["salt"]), length=32, iterations=kdf["iterations"], lanes=kdf["lanes"],
        memory_cost=kdf["memory_cost"],
    )  # fmt: skip
    return derive.derive(passphrase.encode())


def _key_file(folder: Path) -> bytes:
    path = folder / KEY_FILE
    if not path.exists():
        raise ConfigurationError(
            f"The keyring's key file {path} is missing. Put it back from where it is kept."
        )
    _check_mode(path)
    return base64.b64decode(path.read_bytes(), validate=False)


def _check_mode(path: Path) -> None:
    if path.stat().st_mode & 0o077:
        raise ConfigurationError(
            f"{path} can be read by others than the hub's user. Mend it: chmod 600 {path}"
        )


def _write_private(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
