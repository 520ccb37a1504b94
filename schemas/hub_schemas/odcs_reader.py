"""Reading parts of a parsed document: each accessor checks the type and notes the place of what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final

from hub_schemas.problems import Problem

__all__ = ["Node"]

MAX_TEXT: Final = 10_000
MAX_ITEMS: Final = 10_000


class Node:
    """A mapping of the document with its place; problems go to one shared list, reading goes on."""

    def __init__(self, data: Any, place: str, problems: list[Problem]) -> None:
        self.place, self.problems = place, problems
        if not isinstance(data, dict):
            self.wrong("", f"must be a mapping of names to values, not {_kind(data)}")
            data = {}
        self.data: dict[str, Any] = data

    def wrong(self, key: str, message: str) -> None:
        """Note a problem at `key` (at the node itself with an empty key)."""
        place = f"{self.place}.{key}" if self.place and key else self.place or key or "contract"
        self.problems.append(Problem(place, message))

    def only(self, known: frozenset[str], supported_elsewhere: str = "") -> None:
        """Note every key that the standard does not have here."""
        for key in self.data:
            if key not in known:
                close = get_close_matches(key, known, 1)
                hint = f"did you mean {close[0]}?" if close else "extra facts go under customProperties"
                self.wrong(key[:60], f"not a field of ODCS 3.1 here; {hint}{supported_elsewhere}")

    def text(self, key: str, default: str = "", *, required: bool = False, most: int = MAX_TEXT) -> str:
        """A text; numbers and booleans are not taken for one."""
        value = self.data.get(key)
        if value is None:
            if required:
                self.wrong(key, "is missing")
            return default
        if not isinstance(value, str):
            self.wrong(key, f'must be text, not {_kind(value)}; put it in quotes: "{value!s:.40}"')
            return default
        if len(value) > most:
            self.wrong(key, f"longer than {most} characters")
            return default
        if "\0" in value:
            self.wrong(key, "holds a null character")
            return default
        return value.strip()

    def flag(self, key: str) -> bool:
        """A true or false; false when absent."""
        value = self.data.get(key, False)
        if not isinstance(value, bool):
            self.wrong(key, f"must be true or false, not {_kind(value)}")
            return False
        return value

    def integer(self, key: str, *, least: int | None = None) -> int | None:
        """A whole number, or None when absent."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or (least is not None and value < least):
            bound = "" if least is None else f" of at least {least}"
            self.wrong(key, f"must be a whole number{bound}, not {str(value)[:40]!r}")
            return None
        return value

    def items(self, key: str) -> list[Any]:
        """A list; empty when absent."""
        value = self.data.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            self.wrong(key, f"must be a list of at most {MAX_ITEMS:,}, not {_kind(value)}")
            return []
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty when absent."""
        found = []
        for index, value in enumerate(self.items(key)):
            if isinstance(value, str) and len(value) <= MAX_TEXT:
                found.append(value)
            else:
                self.wrong(f"{key}[{index}]", f"must be text, not {_kind(value)}")
        return tuple(found)

    def nodes(self, key: str) -> Iterator[Node]:
        """The mappings of a list."""
        for index, value in enumerate(self.items(key)):
            yield Node(
                value, f"{self.place}.{key}[{index}]" if self.place else f"{key}[{index}]", self.problems
            )

    def node(self, key: str) -> Node:
        """A mapping; empty when absent."""
        value = self.data.get(key)
        return Node(
            {} if value is None else value, f"{self.place}.{key}" if self.place else key, self.problems
        )

    def custom(self, known: frozenset[str]) -> list[tuple[Node, str, Any]]:
        """The customProperties as (node, name, value); a name that nearly is one of `known` is noted.

        Names that are not ours are left alone: the standard lets anyone add some.
        """
        found = []
        for entry in self.nodes("customProperties"):
            name = entry.text("property", required=True, most=200)
            if "value" not in entry.data:
                entry.wrong("value", "is missing")
                continue
            close = get_close_matches(name, known, 1, cutoff=0.85)
            if name in known:
                found.append((entry, name, entry.data["value"]))
            elif close:
                entry.wrong("property", f"{name!r:.60} is not known; did you mean {close[0]}?")
        return found


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "text", bool: "true/false", type(None): "nothing"}
    return names.get(type(value), "a number")
