"""Root keys in a hardware security module, over PKCS#11 (tested on SoftHSM2).

Each root is an AES-256 key that the module made itself, marked sensitive and not extractable; wrapping is AES-GCM in
the module (CKM_AES_GCM, PKCS#11 v2.40 section 2.12). The handle is the key's CKA_ID in hex.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from hub.errors import ConfigurationError, Invalid, Unavailable

if TYPE_CHECKING:
    from hub.config import Settings

__all__ = ["Pkcs11Provider"]

T = TypeVar("T")
_NONCE, _TAG_BITS, _LABEL = 12, 128, "joinedup-hub root"
_NOT_OPEN = "A wrapped key does not open: it was changed, or belongs elsewhere."


class Pkcs11Provider:
    """One session with one token. PKCS#11 sessions serve one thread at a time, hence the lock."""

    name = "pkcs11"

    def __init__(self, module: str, token: str, pin: str) -> None:
        import pkcs11

        self._pkcs11 = pkcs11
        self._module, self._token, self._pin = module, token, pin
        self._lock = threading.RLock()
        self._session: Any = None
        self._keys: dict[str, Any] = {}

    @classmethod
    def of(cls, settings: Settings) -> Pkcs11Provider:
        """From the hub's settings.

        Raises:
            ConfigurationError: when one of them is missing.
        """
        if not (settings.pkcs11_module and settings.pkcs11_token and settings.pkcs11_pin):
            raise ConfigurationError(
                "The keys are in a hardware security module: give pkcs11_module (the maker's library), pkcs11_token "
                "(the token's label) and the PIN in HUB_PKCS11_PIN."
            )
        return cls(settings.pkcs11_module, settings.pkcs11_token, settings.pkcs11_pin)

    def create_root(self) -> str:
        """A key made in the module; returns its CKA_ID in hex."""
        p, identity = self._pkcs11, secrets.token_bytes(16)

        def make(session: Any) -> None:
            session.generate_key(
                p.KeyType.AES, 256, id=identity, label=f"{_LABEL} {identity.hex()[:8]}", store=True,
                capabilities=p.MechanismFlag.ENCRYPT | p.MechanismFlag.DECRYPT,
                template={p.Attribute.SENSITIVE: True, p.Attribute.EXTRACTABLE: False},
            )  # fmt: skip

        self._call(make)
        return identity.hex()

    def wrap(self, handle: str, plain: bytes, context: bytes) -> bytes:
        """Nonce, ciphertext and tag."""
        nonce = os.urandom(_NONCE)
        sealed: bytes = self._call(
            lambda session: self._key(session, handle).encrypt(plain, **self._gcm(nonce, context))
        )
        return nonce + sealed

    def unwrap(self, handle: str, wrapped: bytes, context: bytes) -> bytes:
        """What `wrap` wrapped; raises Invalid.

        Modules report a tag that does not fit with the same errors as a broken device. So after an error the key itself
        is tried (which also mends the session); when it works and this still does not open, it was the wrapped key.
        """
        if len(wrapped) <= _NONCE + _TAG_BITS // 8:
            raise Invalid(_NOT_OPEN)

        def open_it(session: Any) -> bytes:
            plain: bytes = self._key(session, handle).decrypt(
                wrapped[_NONCE:], **self._gcm(wrapped[:_NONCE], context)
            )
            return plain

        with self._lock:
            try:
                return open_it(self._open())
            except (self._pkcs11.PKCS11Error, RuntimeError, OSError):
                self.ping(handle)
            try:
                return open_it(self._open())
            except self._pkcs11.PKCS11Error:
                raise Invalid(_NOT_OPEN) from None

    def rewrap(self, old: str, new: str, items: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """One after the other; the keys between the two roots are in this process's memory for a moment."""
        return [self.wrap(new, self.unwrap(old, wrapped, context), context) for wrapped, context in items]

    def destroy_root(self, handle: str) -> str:
        """Remove the key from the token."""

        def destroy(session: Any) -> None:
            self._keys.pop(handle, None)
            template = {
                self._pkcs11.Attribute.CLASS: self._pkcs11.ObjectClass.SECRET_KEY,
                self._pkcs11.Attribute.ID: bytes.fromhex(handle),
            }
            for key in list(session.get_objects(template)):
                key.destroy()

        self._call(destroy)
        return "It was removed from the token: gone for good, unless the module itself was backed up."

    def ping(self, handle: str) -> str:
        """Wrap something and open it again."""

        def use(session: Any) -> bool:
            key, how = self._key(session, handle), self._gcm(os.urandom(_NONCE), b"ping")
            return bool(key.decrypt(key.encrypt(b"ping", **how), **how) == b"ping")

        if not self._call(use):
            raise Unavailable("The hardware security module gives wrong answers.")
        return f"token {self._token}"

    def close(self) -> None:
        """End the session."""
        with self._lock:
            session, self._session = self._session, None
            self._keys.clear()
            if session is not None:
                try:
                    session.close()
                except self._pkcs11.PKCS11Error:
                    return  # it is over either way

    def _gcm(self, nonce: bytes, context: bytes) -> dict[str, Any]:
        return {
            "mechanism": self._pkcs11.Mechanism.AES_GCM,
            "mechanism_param": self._pkcs11.GCMParams(nonce, context, _TAG_BITS),
        }

    def _key(self, session: Any, handle: str) -> Any:
        if handle not in self._keys:
            self._keys[handle] = session.get_key(
                object_class=self._pkcs11.ObjectClass.SECRET_KEY, id=bytes.fromhex(handle)
            )
        return self._keys[handle]

    def _call(self, act: Callable[[Any], T]) -> T:
        """Do something in the session; in a fresh one when it broke, and after that in a fresh start of the module."""
        p = self._pkcs11
        with self._lock:
            for mend in (self.close, self._restart, None):
                try:
                    return act(self._open())
                except (p.PinIncorrect, p.PinLocked):
                    raise Unavailable(
                        "The hardware security module refuses the PIN. Mend HUB_PKCS11_PIN; don't try often, tokens "
                        "lock themselves."
                    ) from None
                except (p.PKCS11Error, RuntimeError, OSError) as error:
                    if mend is None:
                        raise Unavailable(self._trouble(error)) from None
                    mend()
        raise AssertionError("unreachable")

    def _trouble(self, error: Exception) -> str:
        if isinstance(error, self._pkcs11.NoSuchKey):
            return f"The token {self._token} does not hold the hub's root key: another token, or the key was removed."
        return (
            f"The hardware security module does not answer ({type(error).__name__}): look at pkcs11_module and "
            "pkcs11_token, and whether it is connected."
        )

    def _open(self) -> Any:
        if self._session is None:
            token = self._pkcs11.lib(self._module).get_token(token_label=self._token)
            try:
                self._session = token.open(rw=True, user_pin=self._pin)
            except (
                self._pkcs11.UserAlreadyLoggedIn
            ):  # another session of this process; a login is the process's
                self._session = token.open(rw=True)
        return self._session

    def _restart(self) -> None:
        """Let the module start anew: after a token went away and came back nothing else helps with some of them."""
        self.close()
        try:
            self._pkcs11.lib(self._module).reinitialize()
        except (self._pkcs11.PKCS11Error, RuntimeError, OSError):
            return
