"""The keyring: the few secrets from which everything else hangs, in one encrypted file.

The file is AES-256-GCM under a key that is derived from a passphrase (argon2id, RFC 9106), read from a key file that
only the hub's user can read, or wrapped by the root key in a hardware security module or key management service. Losing
it loses all data; copying it beside a backup undoes crypto-shredding.

A `Keyring` follows its file: when another process of the hub changes the keys, the next look sees them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hub.errors import ConfigurationError, HubError
from hub.storage.database import utc_now
from hub.storage.ids import new_id
from hub.vault.keyfile import FILE, KEY_FILE, kind_of, locked, read_keyring, stamp_of, write_keyring
from hub.vault.providers import LOCAL, Providers
from hub.vault.secrets import Root, SealingPair, Secrets

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

__all__ = ["Keyring", "copy_keyring"]

_RETRY_SECONDS = 5.0
_MIN_PASSPHRASE = 12


class Keyring:
    """The opened keyring; safe to use from several threads."""

    def __init__(self, folder: Path, passphrase: str, providers: Providers, opened: Secrets) -> None:
        self.folder, self.providers = folder, providers
        self._passphrase, self._secrets = passphrase, opened
        self._stamp = stamp_of(folder)
        self._retry_at = 0.0
        self._lock = threading.Lock()
        self._announced: dict[str, str] = {}

    def __repr__(self) -> str:
        """Names no key."""
        return f"<Keyring root={self._secrets.current_root} sealing={self._secrets.current_sealing}>"

    def __eq__(self, other: object) -> bool:
        """Two keyrings are the same when they hold the same keys."""
        return isinstance(other, Keyring) and self._secrets == other._secrets

    def __hash__(self) -> int:
        """By identity: a keyring changes."""
        return id(self)

    @classmethod
    def create(
        cls, folder: Path, passphrase: str = "", *, kind: str = "", providers: Providers | None = None
    ) -> Keyring:
        """Make a new keyring in `folder`; `kind` as in `KINDS`, by default passphrase if there is one, else file.

        Raises:
            ConfigurationError: when there is one already, or passphrase and kind do not fit.
            Unavailable: when the provider does not answer.
        """
        if (folder / FILE).exists():
            raise ConfigurationError(f"There is a keyring in {folder} already; it is never overwritten.")
        kind = kind or ("passphrase" if passphrase else "file")
        provider = _provider_of(kind, passphrase)
        providers = providers or Providers()
        fresh = Secrets.new(Root(provider, providers.get(provider).create_root()))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        write_keyring(folder, fresh, passphrase, providers)
        return cls(folder, passphrase, providers, fresh)

    @classmethod
    def open(
        cls, folder: Path, passphrase: str = "", *, kind: str = "", providers: Providers | None = None
    ) -> Keyring:
        """Read the keyring; with `kind`, only one of that kind.

        Raises:
            ConfigurationError: when it is missing, damaged, open to other users, of another kind, or under another
                passphrase; also when a passphrase is given and it has none.
            Unavailable: when the provider of its root key does not answer.
        """
        providers = providers or Providers()
        opened, found = read_keyring(folder, passphrase, providers)
        if kind and kind != found:
            raise ConfigurationError(
                f"This keyring is of the kind {found}, and the setting key_provider says {kind}. Give the keyring that "
                f"belongs here, or change the setting; `hub keys rotate --keys {kind}` moves a hub's keys."
            )
        return cls(folder, passphrase, providers, opened)

    # --- staying in step with the file

    @property
    def secrets(self) -> Secrets:
        """What the file holds now."""
        if stamp_of(self.folder) != self._stamp and time.monotonic() >= self._retry_at:
            self._reload()
        return self._secrets

    def _reload(self) -> None:
        """Read the file again; while that does not work, go on with what is known."""
        with self._lock:
            stamp = stamp_of(self.folder)
            if stamp == self._stamp:
                return
            try:
                self._secrets, _ = read_keyring(self.folder, self._passphrase, self.providers)
                self._stamp = stamp
            except HubError as error:
                import structlog

                self._retry_at = time.monotonic() + _RETRY_SECONDS
                structlog.get_logger().warning("keyring.not-read-again", error=type(error).__name__)

    def change(self, how: Callable[[Secrets], Secrets], *, passphrase: str | None = None) -> Secrets:
        """Change the keyring, whole and durably, one process at a time; returns what it holds now.

        Raises:
            Unavailable: when the provider of the root key does not answer; then nothing has changed.
        """
        with locked(self.folder), self._lock:
            if stamp_of(self.folder) != self._stamp:
                self._secrets, _ = read_keyring(self.folder, self._passphrase, self.providers)
            changed = how(self._secrets)
            if passphrase is not None:
                self._passphrase = passphrase
            write_keyring(self.folder, changed, self._passphrase, self.providers)
            self._secrets, self._stamp = changed, stamp_of(self.folder)
        return changed

    def close(self) -> None:
        """Close what the providers hold open."""
        self.providers.close()

    # --- root keys

    @property
    def current_root(self) -> str:
        """The name of the root key that new owners' keys are wrapped under."""
        return self.secrets.current_root

    @property
    def passphrase(self) -> str:
        """What it was opened with; empty without one."""
        return self._passphrase

    @property
    def kind(self) -> str:
        """Where the root key lives: file, passphrase, pkcs11, vault or aws."""
        return kind_of(self.secrets, self._passphrase)

    @property
    def kind_of_root(self) -> str:
        """As `kind`, for a copy that is under a passphrase in any case: a local root goes back under a key file."""
        provider = self.secrets.roots[self.current_root].provider
        return "file" if provider == LOCAL else provider

    def has_root(self, root: str) -> bool:
        """Whether a root key can still be used."""
        return root in self.secrets.roots

    def wrap(self, root: str, key: bytes, context: bytes) -> bytes:
        """A key under a root; KeyError when the keyring has no such root, Unavailable as its provider says."""
        found = self.secrets.roots[root]
        return self.providers.get(found.provider).wrap(found.handle, key, context)

    def unwrap(self, root: str, wrapped: bytes, context: bytes) -> bytes:
        """The key that was wrapped; also raises Invalid when it does not open."""
        found = self.secrets.roots[root]
        return self.providers.get(found.provider).unwrap(found.handle, wrapped, context)

    def rewrap(self, old: str, new: str, items: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """(wrapped, context) pairs from one root to another, in the same order; raises as `unwrap` and `wrap` do."""
        roots = self.secrets.roots
        before, after = roots[old], roots[new]
        if before.provider == after.provider:
            return self.providers.get(before.provider).rewrap(before.handle, after.handle, items)
        return [self.wrap(new, self.unwrap(old, sealed, context), context) for sealed, context in items]

    def add_root(self, kind: str = "", passphrase: str | None = None) -> str:
        """Make a new root key and make it the current one; older ones can still be used. Returns its name.

        With `kind` it is made there, and the keyring itself goes under it.
        """
        name, now = new_id("kek"), self.secrets
        words = self._passphrase if passphrase is None else passphrase
        provider = _provider_of(kind, words) if kind else now.roots[now.current_root].provider
        root = Root(provider, self.providers.get(provider).create_root())
        self.change(
            lambda held: replace(held, roots={**held.roots, name: root}, current_root=name),
            passphrase=passphrase,
        )
        return name

    def drop_roots(self, names: Sequence[str]) -> list[str]:
        """Forget root keys that nothing is under any more and let their providers destroy them.

        Returns what each provider says that means. Killed on the way, the next call goes on.
        """

        def doom(held: Secrets) -> Secrets:
            going = {
                name: root for name, root in held.roots.items() if name in names and name != held.current_root
            }
            return replace(
                held, roots={name: root for name, root in held.roots.items() if name not in going},
                doomed={**held.doomed, **{name: root for name, root in going.items() if root.provider != LOCAL}},
            )  # fmt: skip

        before = self.secrets
        held = self.change(doom)
        said = {
            self.providers.get(LOCAL).destroy_root(root.handle)
            for name, root in before.roots.items()
            if name not in held.roots and root.provider == LOCAL
        }
        for root in held.doomed.values():
            said.add(self.providers.get(root.provider).destroy_root(root.handle))
        if held.doomed:
            self.change(lambda now: replace(now, doomed={}))
        if kind_of(held, self._passphrase) != "file":
            (self.folder / KEY_FILE).unlink(missing_ok=True)
        return sorted(said)

    def ping(self) -> str:
        """Use the current root key once; says where it is.

        Raises:
            Unavailable: when its provider does not answer.
        """
        now = self.secrets
        root = now.roots[now.current_root]
        return self.providers.get(root.provider).ping(root.handle)

    # --- sealing keys

    @property
    def sealing(self) -> dict[str, SealingPair]:
        """The keys that deliveries may be sealed to now, by id: the current one and those in their overlap."""
        now, known = utc_now(), self.secrets.sealing
        return {name: pair for name, pair in known.items() if pair.until is None or pair.until > now}

    @property
    def current_sealing(self) -> str:
        """The id of the key that connectors are to seal to."""
        return self.secrets.current_sealing

    def sealing_private_key(self, key_id: str) -> MLKEM768X25519PrivateKey:
        """The private key that opens data keys sealed to `key_id`; KeyError when there is none (any more)."""
        from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
        from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

        pair = self.secrets.sealing[key_id]
        return MLKEM768X25519PrivateKey(
            mlkem.MLKEM768PrivateKey.from_seed_bytes(pair.seed),
            x25519.X25519PrivateKey.from_private_bytes(pair.exchange),
        )

    def public_text(self, key_id: str) -> str:
        """A public sealing key as it is announced to connectors."""
        from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

        from hub_schemas.delivery import sealing_public_text

        if key_id not in self._announced:
            pair = self.secrets.sealing[key_id]
            self._announced[key_id] = sealing_public_text(
                mlkem.MLKEM768PrivateKey.from_seed_bytes(pair.seed).public_key().public_bytes_raw(),
                x25519.X25519PrivateKey.from_private_bytes(pair.exchange).public_key().public_bytes_raw(),
            )
        return self._announced[key_id]

    @property
    def sealing_public_text(self) -> str:
        """The current public sealing key as it is announced to connectors."""
        return self.public_text(self.current_sealing)

    @property
    def sealing_fingerprint(self) -> str:
        """The current sealing key as people compare it."""
        from hub_schemas.delivery import sealing_fingerprint

        return sealing_fingerprint(self.sealing_public_text)

    @property
    def earlier_sealing(self) -> list[tuple[str, str, datetime]]:
        """Sealing keys in their overlap, as (id, public key as announced, end)."""
        return [
            (name, self.public_text(name), pair.until) for name, pair in self.sealing.items() if pair.until
        ]

    # --- signing and the rest

    @property
    def token_key(self) -> bytes:
        """The raw Ed25519 key that signs access tokens."""
        return self.secrets.token_keys[0].key

    def token_keys(self) -> list[bytes]:
        """The keys that access tokens may be signed with: the current one first, then those in their overlap."""
        now = utc_now()
        return [item.key for item in self.secrets.token_keys if item.until is None or item.until > now]

    @property
    def checkpoint_private_key(self) -> Ed25519PrivateKey:
        """The key that signs the audit log's checkpoints."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.secrets.checkpoint_key)

    @property
    def checkpoint_public_keys(self) -> list[Ed25519PublicKey]:
        """Every key that ever signed the audit log, oldest first."""
        from hub.audit.succession import public_keys

        now = self.secrets
        return public_keys(now.origin, now.past_checkpoint_keys, self.checkpoint_private_key.public_key())

    @property
    def audit_origin(self) -> str:
        """The name under which the audit log signs; it stays when keys change."""
        return self.secrets.origin

    @property
    def pseudonym_key(self) -> bytes:
        """The key of all pseudonyms."""
        return self.secrets.pseudonym_key

    @property
    def reference_key(self) -> bytes:
        """The key of references, sealed texts and row keys."""
        return self.secrets.reference_key


def copy_keyring(keyring: Keyring, folder: Path, passphrase: str, kind: str = "passphrase") -> None:
    """Write a copy of a keyring into another folder: under a passphrase, or as `kind` says.

    The root keys of a hardware security module or key management service do not come along; they never leave it.
    """
    if (folder / FILE).exists():
        raise ConfigurationError(f"There is a keyring in {folder} already; it is never overwritten.")
    if kind == "passphrase" and not passphrase:
        raise ConfigurationError("A copy of the keyring needs a passphrase.")
    _long_enough(passphrase)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_keyring(folder, keyring.secrets, passphrase, keyring.providers, copy=kind == "passphrase")


def _long_enough(passphrase: str) -> None:
    if 0 < len(passphrase) < _MIN_PASSPHRASE:
        raise ConfigurationError(
            f"The passphrase of a keyring must have {_MIN_PASSPHRASE} characters or more; four random words do well."
        )


def _provider_of(kind: str, passphrase: str) -> str:
    """The provider behind a kind.

    Raises:
        ConfigurationError: when a passphrase is missing, or would guard nothing.
    """
    if kind == "passphrase" and not passphrase:
        raise ConfigurationError("Give the passphrase of the keyring in HUB_KEY_PASSPHRASE.")
    _long_enough(passphrase)
    if kind != "passphrase" and passphrase:
        raise ConfigurationError(
            f"A passphrase is set (HUB_KEY_PASSPHRASE), and a keyring of the kind {kind} has none: it would guard "
            "nothing. Take it away, or choose the kind passphrase."
        )
    return LOCAL if kind in ("file", "passphrase") else kind
