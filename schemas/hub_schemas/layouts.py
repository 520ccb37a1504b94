"""Layouts of dates and timestamps: a small strict language in place of strptime.

strptime is lenient in ways that differ between programs (signs, blanks, one digit for two), so a contract's
formats are read here into layouts of fixed width which both validators follow to the letter:

    %Y four digits      %y two digits (69-99 -> 19xx, 00-68 -> 20xx, as POSIX)
    %m %d %H %M %S two digits           %-m %-d one or two digits
    %b Jan..Dec         %B January..December (any case)
    %f one to six digits of a second    %z Z, +hh:mm or +hhmm (or with -)

Anything else stands for itself. A date without %d is the first of its month.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from itertools import product
from typing import Final
from zoneinfo import ZoneInfo

__all__ = [
    "DIRECTIVES",
    "MONTHS",
    "TIMEZONES",
    "Layout",
    "Part",
    "from_java",
    "layouts",
    "parse_date",
    "parse_timestamp",
]

MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
#: Time zones a contract may name for timestamps that carry none of their own.
TIMEZONES: Final = ("UTC", "Europe/London")

MAX_FORMAT: Final = 40
MAX_LAYOUTS: Final = 64

# A format directive -> the fixed-width fields it may stand for.
_FIELDS: Final[dict[str, tuple[tuple[str, int], ...]]] = {
    "Y": (("year", 4),),
    "y": (("year2", 2),),
    "m": (("month", 2),),
    "-m": (("month", 1), ("month", 2)),
    "b": (("month3", 3),),
    "B": tuple((name, len(name)) for name in MONTHS),
    "d": (("day", 2),),
    "-d": (("day", 1), ("day", 2)),
    "H": (("hour", 2),),
    "M": (("minute", 2),),
    "S": (("second", 2),),
    "f": tuple(("fraction", width) for width in range(1, 7)),
    "z": (("zulu", 1), ("offset", 6), ("offset", 5)),
}
#: The directives that a format may hold, without their %.
DIRECTIVES: Final = tuple(_FIELDS)
_KIND: Final = {"y": "Y", "-m": "m", "b": "m", "B": "m", "-d": "d"}


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a layout: what it holds and which bytes. `field` "literal" and month names hold `text`."""

    field: str
    start: int
    width: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """A run of fields of fixed width; `width` is the length in bytes (all ASCII) of every text it fits."""

    parts: tuple[Part, ...]
    width: int


def _tokens(pattern: str) -> list[tuple[str, str]]:
    """The format as ("field", directive) and ("literal", text) pairs. Raises ValueError with the reason."""
    if not pattern or len(pattern) > MAX_FORMAT or not pattern.isascii() or not pattern.isprintable():
        raise ValueError(f"a format is 1 to {MAX_FORMAT} printable ASCII characters")
    if pattern != pattern.strip():
        raise ValueError("a format cannot begin or end with a space, for values are trimmed")
    tokens: list[tuple[str, str]] = []
    position = 0
    while position < len(pattern):
        if pattern[position] != "%":
            tokens.append(("literal", pattern[position]))
            position += 1
            continue
        width = 3 if pattern[position + 1 : position + 2] == "-" else 2
        name = pattern[position + 1 : position + width]
        if name not in _FIELDS:
            known = " ".join(f"%{key}" for key in _FIELDS)
            raise ValueError(f"%{name} is not supported; use {known}")
        tokens.append(("field", name))
        position += width
    return tokens


def _check(tokens: list[tuple[str, str]], *, with_time: bool) -> None:
    kinds = [_KIND.get(name, name) for what, name in tokens if what == "field"]
    if len(kinds) != len(set(kinds)):
        raise ValueError("a field stands twice")
    if not {"Y", "m"} <= set(kinds):
        raise ValueError("a year (%Y or %y) and a month (%m, %-m, %b or %B) are needed")
    time = set("HMSfz") & set(kinds)
    if time and not with_time:
        raise ValueError("a date has no time of day; use logicalType: timestamp")
    needed = {"M": "H", "S": "M", "f": "S"}
    for name, other in needed.items():
        if name in kinds and other not in kinds:
            raise ValueError(f"%{name} needs %{other}")
    if time and "d" not in kinds:
        raise ValueError("a time of day needs a day (%d)")


@lru_cache(maxsize=512)
def layouts(pattern: str, *, with_time: bool = False) -> tuple[Layout, ...]:
    """The layouts of one format, in the order they are tried.

    Raises:
        ValueError: saying what in the format is not supported.
    """
    tokens = _tokens(pattern)
    _check(tokens, with_time=with_time)
    # A Z written in the format right after the time says UTC, as it does in ISO 8601.
    if len(tokens) > 1 and tokens[-1] == ("literal", "Z") and tokens[-2][1] in ("M", "S", "f"):
        choices: list[tuple[tuple[str, int], ...]] = [_choices(token) for token in tokens[:-1]]
        choices.append((("zulu", 1),))
    else:
        choices = [_choices(token) for token in tokens]
    found = []
    for combination in product(*choices):
        parts, start = [], 0
        for name, width in combination:
            is_text = len(name) == 1 or name in MONTHS
            field = "literal" if len(name) == 1 else ("name" if name in MONTHS else name)
            parts.append(Part(field, start, width, name if is_text else ""))
            start += width
        found.append(Layout(tuple(parts), start))
        if len(found) > MAX_LAYOUTS:
            raise ValueError("the format leaves too much open; write it as several formats")
    return tuple(found)


def _choices(token: tuple[str, str]) -> tuple[tuple[str, int], ...]:
    what, name = token
    return _FIELDS[name] if what == "field" else ((name, 1),)


_JAVA: Final = (
    ("yyyy", "%Y"), ("uuuu", "%Y"), ("yy", "%y"), ("MMMM", "%B"), ("MMM", "%b"), ("MM", "%m"), ("M", "%-m"),
    ("dd", "%d"), ("d", "%-d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S"), ("SSSSSS", "%f"), ("SSS", "%f"),
    ("XXX", "%z"), ("X", "%z"), ("xxx", "%z"), ("Z", "%z"),
)  # fmt: skip


def from_java(pattern: str) -> str:
    """A format in the letters of Java's DateTimeFormatter (as the standard has it) in ours.

    Raises:
        ValueError: naming the letter that is not supported.
    """
    if len(pattern) > MAX_FORMAT:
        raise ValueError(f"a format is at most {MAX_FORMAT} characters")
    result, position = "", 0
    while position < len(pattern):
        rest = pattern[position:]
        if rest.startswith("'"):
            end = rest.find("'", 1)
            if end < 0:
                raise ValueError("a quote is not closed")
            result += rest[1:end].replace("%", "") or "'"
            position += end + 1
            continue
        run = len(rest) - len(rest.lstrip(rest[0]))
        for java, ours in _JAVA:
            if rest[:run] == java:
                result += ours
                break
        else:
            if rest[0].isalpha() or rest[0] == "%":
                raise ValueError(
                    f"{rest[:run]!r} is not supported; write customProperties `format` like %d/%m/%Y"
                )
            result += rest[:run]
        position += run
    return result


def _fields(text: str, layout: Layout) -> dict[str, int] | None:
    """The numbers of the fields, or None when the text does not fit the layout."""
    values: dict[str, int] = {}
    for part in layout.parts:
        piece = text[part.start : part.start + part.width]
        if part.field == "literal":
            if piece != part.text:
                return None
            continue
        name, read = _READERS.get(part.field, (part.field, _digits))
        value = read(piece) if part.field != "name" or piece.lower() == part.text else None
        if value is None:
            return None
        values[name] = value
    return values


def _digits(piece: str) -> int | None:
    return int(piece) if piece.isascii() and piece.isdigit() else None


def _short_year(piece: str) -> int | None:
    value = _digits(piece)
    return None if value is None else value + (1900 if value >= 69 else 2000)


def _month_name(piece: str) -> int | None:
    names = MONTHS if len(piece) != 3 else tuple(name[:3] for name in MONTHS)
    return names.index(piece.lower()) + 1 if piece.lower() in names else None


def _fraction(piece: str) -> int | None:
    return None if _digits(piece) is None else int(piece.ljust(6, "0"))


def _zulu(piece: str) -> int | None:
    return 0 if piece == "Z" else None


def _offset(piece: str) -> int | None:
    """Minutes east of UTC."""
    if piece[0] not in "+-" or (len(piece) == 6 and piece[3] != ":"):
        return None
    hours, minutes = _digits(piece[1:3]), _digits(piece[-2:])
    if hours is None or minutes is None or hours > 23 or minutes > 59:
        return None
    return (hours * 60 + minutes) * (-1 if piece[0] == "-" else 1)


# How a field's text is read, and the name its number goes by; fields not listed are plain digits.
_READERS: Final[dict[str, tuple[str, Callable[[str], int | None]]]] = {
    "year2": ("year", _short_year),
    "month3": ("month", _month_name),
    "name": ("month", _month_name),
    "fraction": ("microsecond", _fraction),
    "zulu": ("offset", _zulu),
    "offset": ("offset", _offset),
}


def _first(text: str, formats: tuple[str, ...], *, with_time: bool) -> dict[str, int] | None:
    """Fields of the first layout that fits and makes a date of the calendar."""
    if not text.isascii():
        return None
    for pattern in formats:
        for layout in layouts(pattern, with_time=with_time):
            if layout.width != len(text):
                continue
            fields = _fields(text, layout)
            if fields is None:
                continue
            try:
                clock = {key: value for key, value in fields.items() if key != "offset"}
                datetime(**{"day": 1, **clock})  # type: ignore[arg-type]
            except ValueError:
                continue
            return fields
    return None


def parse_date(text: str, formats: tuple[str, ...]) -> date | None:
    """The date that `text` writes in the first of `formats` it fits, else None."""
    fields = _first(text, formats, with_time=False)
    return None if fields is None else date(fields["year"], fields["month"], fields.get("day", 1))


def parse_timestamp(text: str, formats: tuple[str, ...], zone: str = "UTC") -> datetime | None:
    """The moment (aware, in UTC) that `text` writes, else None.

    A text without an offset is local time in `zone`: of an hour that comes twice in autumn the first is
    taken, an hour that spring leaves out is no time at all.
    """
    fields = _first(text, formats, with_time=True)
    if fields is None:
        return None
    offset = fields.pop("offset", None)
    plain = datetime(**{"day": 1, **fields})  # type: ignore[arg-type]
    try:
        if offset is not None:
            return plain.replace(tzinfo=timezone(timedelta(minutes=offset))).astimezone(UTC)
        moment = plain.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        return moment if moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == plain else None
    except OverflowError:
        return None
