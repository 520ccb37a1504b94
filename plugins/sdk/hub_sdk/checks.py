"""Small checks with a place in the message, for manifest, report and messages of the worker.

Every check takes the place of the value (`inputs[0].columns`) first, returns the value in the type it should
have, and raises `FormatError` otherwise. What comes from a plugin crosses into the hub only through these.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields as dataclass_fields
from datetime import date
from typing import Any, TypeVar

T = TypeVar("T")

# Control characters other than tab and line feed; also the marks that turn the direction of text round (they
# can make a report read differently from what it says).
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_BREAKS = re.compile("[\t\n\u2028\u2029]")


class FormatError(ValueError):
    """A manifest, report or message is not as it must be; the text says where and how to mend it."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}" if place else problem)
        self.place = place
        self.problem = problem


def text(
    place: str,
    value: object,
    *,
    longest: int = 200,
    empty: bool = True,
    lines: bool = False,
    pattern: re.Pattern[str] | None = None,
) -> str:
    """A string of at most `longest` characters without control characters; line breaks only if `lines`."""
    if not isinstance(value, str):
        raise FormatError(place, f"must be a string, not {type(value).__name__}")
    if len(value) > longest:
        raise FormatError(place, f"has {len(value)} characters; at most {longest} are allowed")
    if not empty and not value.strip():
        raise FormatError(place, "must not be empty")
    if _UNWANTED.search(value) or (not lines and _BREAKS.search(value)):
        raise FormatError(place, "must not hold control characters" + ("" if lines else " or line breaks"))
    if pattern is not None and not pattern.fullmatch(value):
        raise FormatError(place, f"must match {pattern.pattern}")
    return value


def name(place: str, value: object) -> str:
    """A name as columns, inputs and parameters have: snake_case, at most 60 characters."""
    return text(place, value, longest=60, pattern=_NAME)


def whole(place: str, value: object, *, least: int | None = None, most: int | None = None) -> int:
    """A whole number (numpy's are turned into Python's) within the bounds."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise FormatError(place, f"must be a whole number, not {type(value).__name__}")
    return _bounded(place, int(value), least, most)


def number(place: str, value: object, *, least: float | None = None, most: float | None = None) -> float:
    """A finite number within the bounds. Missing values are None, never NaN."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise FormatError(place, f"must be a number, not {type(value).__name__}")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise FormatError(place, "must be finite; write None where there is no value")
    return _bounded(place, found, least, most)


N = TypeVar("N", int, float)


def _bounded(place: str, value: N, least: float | None, most: float | None) -> N:
    if least is not None and value < least:
        raise FormatError(place, f"must be at least {least}")
    if most is not None and value > most:
        raise FormatError(place, f"must be at most {most}")
    return value


def flag(place: str, value: object) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise FormatError(place, f"must be true or false, not {type(value).__name__}")
    return value


def day(place: str, value: object) -> date:
    """A date: a `date`, or its ISO 8601 form (`2026-03-31`)."""
    if isinstance(value, date) and type(value) is date:
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise FormatError(place, "must be a date such as 2026-03-31")


def choice(place: str, value: object, choices: Sequence[str]) -> str:
    """One of the given strings."""
    if not isinstance(value, str) or value not in choices:
        raise FormatError(place, f"must be one of {', '.join(choices)}")
    return value


def several(
    place: str, value: object, each: Callable[[str, object], T], *, least: int = 0, most: int = 1000
) -> tuple[T, ...]:
    """A list or tuple of between `least` and `most` items, each checked by `each(place, item)`."""
    if not isinstance(value, list | tuple):
        raise FormatError(place, f"must be a list, not {type(value).__name__}")
    if not least <= len(value) <= most:
        raise FormatError(place, f"has {len(value)} items; there must be {least} to {most}")
    return tuple(each(f"{place}[{index}]", item) for index, item in enumerate(value))


def distinct(place: str, values: Sequence[str]) -> None:
    """No value twice. The message counts instead of quoting: names in a report may be data."""
    for index, value in enumerate(values):
        if value in values[:index]:
            raise FormatError(place, f"has one name twice (item {index + 1} repeats an earlier one)")


def instance(kind: type[T]) -> Callable[[str, object], T]:
    """A check that the item is of one class; for the parts of dataclasses built in Python."""

    def check(place: str, value: object) -> T:
        if not isinstance(value, kind):
            raise FormatError(place, f"must be {kind.__name__}, not {type(value).__name__}")
        return value

    return check


def fields(
    place: str, value: object, required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, object]:
    """A JSON object with all the required fields and no field beyond the optional ones.

    Returns only the fields that are there, so that absent ones keep the defaults of the class they are for.
    """
    if not isinstance(value, Mapping):
        raise FormatError(place, f"must be an object, not {type(value).__name__}")
    missing = [name for name in required if name not in value]
    if missing:
        raise FormatError(place, f"lacks {', '.join(missing)}")
    known = [*required, *optional]
    if not all(name in known for name in value):
        raise FormatError(place, f"has fields that are not known here; known are: {', '.join(known)}")
    return {str(name): item for name, item in value.items()}


def inside(place: str, name: str) -> str:
    """The place of a field: `inputs[0]` and `columns` make `inputs[0].columns`."""
    return f"{place}.{name}" if place else name


def made(kind: Callable[..., T], given: Mapping[str, object], place: str) -> T:
    """Make an object from checked fields; its own complaints get the place they belong to."""
    try:
        return kind(**given)
    except FormatError as error:
        raise FormatError(inside(place, error.place) if error.place else place, error.problem) from None


def settle(instance: object, **values: object) -> None:
    """Store checked values in a frozen dataclass while it is being made."""
    for name, value in values.items():
        object.__setattr__(instance, name, value)


def plain(instance: Any) -> dict[str, Any]:
    """The fields of a dataclass as they are, by name."""
    return {field.name: getattr(instance, field.name) for field in dataclass_fields(instance)}
