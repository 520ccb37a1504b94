"""The options of one dataset's source, read and checked one by one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Final

from ...errors import ConfigError
from ...secrets import Secret, find_secret, names_a_secret

__all__ = ["Settings", "separate"]

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES: Final = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}


class Settings:
    """Options by name. On the command line every option is text, so text is understood wherever it can be.

    Every method raises ConfigError when the option is not of its kind; no message shows a value that may be a secret.
    """

    def __init__(self, kind: str, values: Mapping[str, object], known: Mapping[str, str]) -> None:
        self.kind, self._values = kind, dict(values)
        for name in self._values:
            if name not in known:
                raise ConfigError(
                    f"{kind} sources have no option {name!r:.60}{_near(name, known)}",
                    f"They have: {', '.join(known)}.",
                )

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """Some text."""
        value = self._values.get(name, default)
        if not isinstance(value, str) or (name in self and not value.strip()):
            raise self._wrong(name, "text")
        return value.strip()

    def one_of(self, name: str, choices: Mapping[str, str], default: str | None = None) -> str:
        """One of some words; `choices` say what each means."""
        value = self._values.get(name, default)
        if value not in choices:
            listed = "; ".join(f"{choice} ({meaning})" for choice, meaning in choices.items())
            what = "is needed" if value is None else "has another value"
            raise ConfigError(f"The option {name} of {self.kind} sources {what}.", f"It is one of: {listed}.")
        return str(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self._values.get(name, default)
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def count(self, name: str, default: int, least: int = 1, most: int = 10**9) -> int:
        """A whole number."""
        value = self._values.get(name, default)
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self._wrong(name, f"a whole number from {least:,} to {most:,}")
        return value

    def seconds(self, name: str, default: float, most: float = 86400.0) -> float:
        """A length of time: seconds, or text such as 90s, 5m or 2h."""
        value = self._values.get(name, default)
        if isinstance(value, str):
            match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([smhd]?)", value.strip())
            value = float(match[1]) * _UNITS[match[2] or "s"] if match else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
            raise self._wrong(name, f"a length of time such as 90s, 5m or 2h, at most {most:,.0f} seconds")
        return float(value)

    def size(self, name: str, default: int) -> int:
        """Bytes: a number, or text such as 500MB or 2GB."""
        value = self._values.get(name, default)
        if isinstance(value, str):
            match = re.fullmatch(r"([0-9]{1,12})\s*([kmgt]?b)?", value.strip().lower())
            value = int(match[1]) * _SIZES[match[2] or ""] if match else None
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self._wrong(name, "a size such as 500MB or 2GB")
        return value

    def names(self, name: str) -> tuple[str, ...]:
        """A list of names, or text with commas between them."""
        value = self._values.get(name, [])
        if isinstance(value, str):
            value = value.split(",")
        if not isinstance(value, list | tuple) or not all(
            isinstance(one, str) and one.strip() for one in value
        ):
            raise self._wrong(name, "a list of names")
        return tuple(one.strip() for one in value)

    def secret(self, name: str) -> Secret | None:
        """A secret that the option points to, None when it is not given."""
        return find_secret(self._values[name], name) if name in self else None

    def text_or_secret(self, name: str) -> str:
        """Text that may be a secret or not, such as a user name."""
        if names_a_secret(self._values.get(name)):
            return find_secret(self._values[name], name).reveal()
        return self.text(name)

    def table(self, name: str, *, secret: bool) -> dict[str, str]:
        """A table of names and texts; with `secret`, each text may also be the place of a secret."""
        value = self._values.get(name, {})
        if not isinstance(value, Mapping):
            raise self._wrong(name, 'a table such as { "Name" = "text" }')
        found: dict[str, str] = {}
        for key, one in value.items():
            if secret and names_a_secret(one):
                found[str(key)] = find_secret(one, f"{name}.{key}").reveal()
            elif isinstance(one, str | int) and not isinstance(one, bool):
                found[str(key)] = str(one)
            else:
                raise self._wrong(f"{name}.{key}", "text")
        return found

    def _wrong(self, name: str, wanted: str) -> ConfigError:
        return ConfigError(f"The option {name} of {self.kind} sources must be {wanted}.", "Mend that option.")


def separate(
    kind: str, options: Mapping[str, object], known: Mapping[str, str]
) -> tuple[Settings, dict[str, object]]:
    """A place's own options, and the rest, which are for the format of the file found there.

    Raises:
        ConfigError: when one of the rest looks like a slip of the pen for one of its own.
    """
    own = {name: value for name, value in options.items() if name in known}
    rest = {name: value for name, value in options.items() if name not in known}
    for name in rest:
        if difflib.get_close_matches(name, known, n=1, cutoff=0.8):
            raise ConfigError(
                f"{kind} sources have no option {name!r:.60}{_near(name, known)}",
                f"They have: {', '.join(known)}; and the options of the file's format.",
            )
    return Settings(kind, own, known), rest


def _near(name: str, known: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else "."
