"""Secrets of sources: the configuration says where they are kept, never what they are.

A secret is written `{ env = "NAME" }` (an environment variable) or `{ keyring = "service/user" }` (the system's
keyring); on the command line `env:NAME` or `keyring:service/user`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final, NoReturn

from .errors import ConfigError

__all__ = ["HOW", "Secret", "find_secret", "names_a_secret"]

#: How a secret is written, for messages.
HOW: Final = '{ env = "NAME" } or { keyring = "service/user" }'
_KINDS: Final = ("env", "keyring")


class Secret:
    """A secret and where it was found. It shows itself only to `reveal`, not to logs, messages or debuggers."""

    __slots__ = ("_text", "where")

    def __init__(self, text: str, where: str) -> None:
        self._text, self.where = text, where

    def reveal(self) -> str:
        """The secret itself."""
        return self._text

    def __repr__(self) -> str:
        return f"<secret from {self.where}>"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not to be stored")


def names_a_secret(value: object) -> bool:
    """Whether a setting is written as the place of a secret."""
    if isinstance(value, Mapping):
        return len(value) == 1 and next(iter(value)) in _KINDS
    return isinstance(value, str) and value.partition(":")[0] in _KINDS and ":" in value


def find_secret(value: object, what: str) -> Secret:
    """The secret that a setting points to.

    Args:
        value: `{env = NAME}`, `{keyring = service/user}`, or the same as text (`env:NAME`).
        what: the setting's name, for messages.

    Raises:
        ConfigError: when the setting is the secret itself or points nowhere. The message never repeats the setting's
            value, because that may be the secret.
    """
    if not names_a_secret(value):
        raise ConfigError(
            f"The setting {what} does not say where the secret is kept.",
            f"Secrets do not stand in the configuration. Write {what} = {HOW}; "
            f"on the command line {what}=env:NAME or {what}=keyring:service/user.",
        )
    if isinstance(value, Mapping):
        kind, place = next(iter(value.items()))
    else:
        kind, _, place = str(value).partition(":")
    if not isinstance(place, str) or not place:
        raise ConfigError(f"The setting {what} names no {kind}.", f"Write {what} = {HOW}.")
    found = _from_environment(place, what) if kind == "env" else _from_keyring(place, what)
    if not found.reveal():
        raise ConfigError(f"The secret {what} from {found.where} is empty.", "Set it, then try again.")
    return found


def _from_environment(name: str, what: str) -> Secret:
    text = os.environ.get(name)
    if text is None:
        raise ConfigError(
            f"The environment variable {name!r:.80} is not set; {what} is to come from it.",
            "Set it for the account that runs the connector (a service has an environment of its own).",
        )
    return Secret(text, f"environment variable {name}")


def _from_keyring(place: str, what: str) -> Secret:
    import keyring
    from keyring.errors import KeyringError

    service, _, user = place.rpartition("/")
    if not service or not user:
        raise ConfigError(
            f"The keyring entry for {what} is written service/user.",
            f'For example {what} = {{ keyring = "school-database/reader" }}.',
        )
    try:
        text = keyring.get_password(service, user)
    except (KeyringError, OSError, RuntimeError) as error:
        raise ConfigError(
            f"The system's keyring cannot be read ({type(error).__name__}); {what} is to come from it.",
            'Unlock it. Where there is none, as on most servers, use { env = "NAME" } instead.',
        ) from None
    if text is None:
        raise ConfigError(
            f"The keyring holds nothing for {place!r:.120}; {what} is to come from it.",
            f"Store it: keyring set {service} {user}",
        )
    return Secret(text, f"keyring entry {place}")
