"""What can be said about how a source is to be read, and saying so when it makes no sense."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import ConfigError

__all__ = ["known_only", "one_of", "text_of", "whole_number"]


def known_only(options: Mapping[str, object], known: Mapping[str, str], what: str) -> None:
    """Refuse options that sources of this kind do not have.

    Raises:
        ConfigError: naming the ones there are.
    """
    for name in options:
        if name not in known:
            has = f"They have: {', '.join(known)}." if known else "They need none."
            raise ConfigError(f"{what} sources have no option {name!r}.", has)


def whole_number(options: Mapping[str, object], name: str, hint: str) -> int | None:
    """A whole number from 1, None when nothing was said.

    Raises:
        ConfigError: when it is something else.
    """
    value = options.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ConfigError(f"{name} is a whole number from 1.", hint)
    return value


def text_of(options: Mapping[str, object], name: str, hint: str) -> str | None:
    """Some text, None when nothing was said.

    Raises:
        ConfigError: when it is empty or no text.
    """
    value = options.get(name)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise ConfigError(f"{name} is some text.", hint)
    return value


def one_of(options: Mapping[str, object], name: str, choices: tuple[str, ...]) -> str:
    """One of some words, the first when nothing was said.

    Raises:
        ConfigError: naming the words.
    """
    value = options.get(name, choices[0])
    if value not in choices:
        raise ConfigError(f"{name} must be {' or '.join(choices)}.", f"Without it, it is {choices[0]}.")
    return str(value)
