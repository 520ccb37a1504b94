"""Hypothesis strategies for contracts and for cells that try to be awkward."""

from __future__ import annotations

import json
import string
from typing import Any

from hypothesis import strategies as st

from hub_schemas.cells import WHITE
from hub_schemas.identifiers import KINDS

DATE_FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%d-%b-%Y", "%d/%m/%y", "%-d/%-m/%Y", "%Y-%m", "%d %B %Y", "%Y%m%d")
TIME_FORMATS = (
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%MZ",
)
PATTERNS = (
    "^[A-Z]{2}[0-9]{2,4}$",
    "a|bc|d*",
    "[^0-9]+",
    r"\w+\s\d",
    r".*\bcat\b.*",
    "(?:é|ü)+x?",
    r"[\d\-x]*",
    "^.{0,3}$",
    r"[^\x41-\u0043]*",
)

ODD_NUMBERS = (
    "1e400", "-1e400", "1e-400", "inf", "NaN", "-0", ".", "1.", ".5", "1e5", "1_0", "0x1", "9" * 400, "--1",
    "5-", "1,000", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
)  # fmt: skip
ODD_BOOLEANS = (
    "true", "TRUE", "True", "tRuE", "t", "F", "yes", "No", "y", "N", "1", "0", "2", "on", "ye", "trueyes",
)  # fmt: skip
ODD_YEARS = (
    "0000", "0001", "1899", "1900", "1969", "2000", "2023", "2024", "9999", "99", "00", "68", "69", "+024",
)  # fmt: skip
ODD_ZONES = (
    "",
    "",
    "Z",
    "z",
    "+00:00",
    "+0100",
    "-05:30",
    "+24:00",
    "+01",
    "Europe/London",
    "+1:00",
    "+0a:00",
)

_SIGNS = st.sampled_from([*string.printable, *WHITE, "\0", *"éßİıſ\u212a٣０１\u200b\ufeff🙂"])
_SOUP = st.text(_SIGNS, max_size=12)
_ANY = st.text(max_size=8)
_PAD = st.sampled_from(["", "", "", " ", "\t", "\u00a0", " \n", "\u2003"])


def _padded(core: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda before, text, after: before + text + after, _PAD, core, _PAD)


_NUMBERS = st.one_of(
    st.integers(-(2**65), 2**65).map(str),
    st.integers(-20, 20).map(str),
    st.integers(0, 9).map(lambda number: f"+{number:05}"),
    st.floats().map(str),
    st.floats(-50, 50).map(lambda number: f"{number:.2f}"),
    st.sampled_from(ODD_NUMBERS),
)
_BOOLEANS = st.sampled_from(ODD_BOOLEANS)
_YEAR = st.sampled_from(ODD_YEARS)
_TWO = st.one_of(
    st.integers(0, 61).map(lambda number: f"{number:02}"),
    st.integers(0, 61).map(str),
    st.sampled_from(["+1", " 1", "-1", "1 ", "٠١", "1a"]),
)
_MONTH = st.one_of(_TWO, st.sampled_from(["Jan", "FEB", "sep", "Sept", "May", "December", "MARCH", "ja\0"]))
_SEPARATOR = st.sampled_from(["-", "/", " ", "", "T", ":"])
_ZONE = st.sampled_from(ODD_ZONES)


@st.composite
def _dates(draw: st.DrawFn) -> str:
    separator = draw(_SEPARATOR)
    parts = [draw(_YEAR), draw(_MONTH), draw(_TWO)]
    return separator.join(parts if draw(st.booleans()) else parts[::-1])


@st.composite
def _good_dates(draw: st.DrawFn) -> str:
    day = draw(st.dates())
    text = draw(st.sampled_from(DATE_FORMATS)).replace("%-d", str(day.day)).replace("%-m", str(day.month))
    year = f"{day.year:04}"
    return day.strftime(text.replace("%Y", year).replace("%y", year[2:]))


@st.composite
def _times(draw: st.DrawFn) -> str:
    day = draw(st.one_of(_good_dates(), _dates()))
    clock = ":".join(draw(st.lists(_TWO, min_size=1, max_size=3)))
    fraction = draw(st.sampled_from(["", "", ".5", ".123456", ".1234567", "."]))
    return day + draw(st.sampled_from(["T", " ", "t"])) + clock + fraction + draw(_ZONE)


@st.composite
def _good_times(draw: st.DrawFn) -> str:
    moment = draw(st.datetimes())
    text = moment.strftime(
        draw(st.sampled_from(TIME_FORMATS)).replace("%Y", f"{moment.year:04}").replace("%z", "")
    )
    return text + draw(_ZONE)


# Around the hours that come twice or not at all in Britain.
_CLOCK_CHANGES = st.builds(
    lambda day, hour, minute: f"{day}T{hour:02}:{minute:02}:00",
    st.sampled_from(["2024-03-31", "2024-10-27", "1968-10-27", "1971-10-31", "1940-02-25"]),
    st.integers(0, 3),
    st.sampled_from([0, 30, 59]),
)


@st.composite
def _identifiers(draw: st.DrawFn, kind: str) -> str:
    text = draw(st.sampled_from([KINDS[kind].example, KINDS[kind].example.replace(" ", "")]))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text)))
        text = (
            text[:at]
            + draw(st.sampled_from([*"0123456789ABXZabk/-. GBHA", "é", "\0"]))
            + text[at + draw(st.integers(0, 1)) :]
        )
    return text


_DIGITS = st.integers(0, 10**13).map(str)


def cells(column: dict[str, Any]) -> st.SearchStrategy[str | None]:
    """Texts for a column: right ones, nearly right ones, and anything at all."""
    kind = column["logicalType"]
    identifier = next(
        (c["value"] for c in column.get("customProperties", []) if c["property"] == "identifier"), None
    )
    likely: dict[str, st.SearchStrategy[str]] = {
        "string": st.one_of(
            st.sampled_from(["AB12", "ab", "cat", "a cat!", "red", "blue", "ddd", "é", "a 1"]), _SOUP
        ),
        "integer": _NUMBERS,
        "number": _NUMBERS,
        "boolean": _BOOLEANS,
        "date": st.one_of(_good_dates(), _dates()),
        "timestamp": st.one_of(_good_times(), _times(), _CLOCK_CHANGES),
    }
    core = st.one_of(_identifiers(identifier), _DIGITS) if identifier else likely[kind]
    return st.one_of(
        st.none(), _padded(core), _padded(core), _SOUP, _ANY, st.sampled_from(["", " ", "N/A", "-"])
    )


@st.composite
def columns(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """One property of a contract, as a dict."""
    kind = draw(st.sampled_from(["string", "string", "integer", "number", "boolean", "date", "timestamp"]))
    options: dict[str, Any] = {}
    custom: list[dict[str, Any]] = []
    quality: list[dict[str, Any]] = []
    if draw(st.integers(0, 3)) == 0:
        custom.append({"property": "missingValues", "value": ["N/A", "-", "0"]})
    if kind == "string":
        _string(draw, options, custom, quality)
    elif kind in ("integer", "number"):
        _number(draw, kind, options, quality)
    elif kind in ("date", "timestamp"):
        _time(draw, kind, options, custom)
    return {
        "name": name, "logicalType": kind, "required": draw(st.booleans()), "logicalTypeOptions": options,
        "customProperties": custom, "quality": quality, "classification": "personal",
    }  # fmt: skip


def _enum(values: list[Any]) -> dict[str, Any]:
    return {"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": values}}


def _string(draw: st.DrawFn, options: dict[str, Any], custom: list[Any], quality: list[Any]) -> None:
    choice = draw(st.sampled_from(["plain", "identifier", "pattern", "length", "enum"]))
    if choice == "identifier":
        custom.append({"property": "identifier", "value": draw(st.sampled_from(sorted(KINDS)))})
    elif choice == "pattern":
        options["pattern"] = draw(st.sampled_from(PATTERNS))
    elif choice == "length":
        options |= {"minLength": draw(st.integers(0, 3)), "maxLength": draw(st.integers(3, 6))}
    elif choice == "enum":
        quality.append(_enum(["red", "blue", "ddd"]))


def _number(draw: st.DrawFn, kind: str, options: dict[str, Any], quality: list[Any]) -> None:
    bounds = {"minimum": -5, "maximum": 12.5, "exclusiveMinimum": -6, "exclusiveMaximum": 12}
    for name in draw(st.sets(st.sampled_from(sorted(bounds)))):
        options[name] = bounds[name]
    if kind == "integer":
        options |= draw(st.sampled_from([{}, {"format": "u8"}, {"format": "i64"}]))
    if draw(st.integers(0, 4)) == 0:
        quality.append(_enum([1, 2, -3]))


def _time(draw: st.DrawFn, kind: str, options: dict[str, Any], custom: list[Any]) -> None:
    choice = DATE_FORMATS if kind == "date" else TIME_FORMATS
    if draw(st.booleans()):
        formats = draw(st.lists(st.sampled_from(choice), min_size=1, max_size=3, unique=True))
        custom.append({"property": "format", "value": formats})
    if kind == "timestamp" and draw(st.booleans()):
        options["defaultTimezone"] = "Europe/London"
    clock = "" if kind == "date" else "T00:00:00"
    for name in draw(st.sets(st.sampled_from(["minimum", "exclusiveMaximum"]))):
        options[name] = ("1900-01-01" if name == "minimum" else "2024-03-31") + clock


def contract_text(
    properties: list[dict[str, Any]], custom: list[dict[str, Any]] | None = None, **table: Any
) -> str:
    """The YAML (JSON is YAML) of a contract with these properties."""
    head = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "test.rows", "version": "1.0.0"}
    rows = {"name": "rows", "properties": properties, "customProperties": custom or [], **table}
    document = {**head, "status": "draft", "schema": [rows]}
    return json.dumps(document)


@st.composite
def contracts(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]]]:
    """The text of a contract and its properties, with rules across columns where types allow."""
    properties = [draw(columns(f"c{index}")) for index in range(draw(st.integers(1, 4)))]
    names = [column["name"] for column in properties]
    custom: list[dict[str, Any]] = []
    if len(names) > 1 and draw(st.booleans()):
        custom.append({"property": "bothOrNeither", "value": names[:2]})
        kinds = {column["logicalType"] for column in properties[:2]}
        if len(kinds) == 1 and kinds <= {"date", "timestamp"}:
            custom.append({"property": "notBefore", "value": {"later": names[0], "earlier": names[1]}})
        if len(kinds) == 1 and kinds <= {"integer", "number"}:
            custom.append({"property": "notMoreThan", "value": {"column": names[0], "than": names[1]}})
        if properties[0]["logicalType"] == "boolean":
            value = {"column": names[1], "when": names[0], "in": [True]}
            custom.append({"property": "requiredWhen", "value": value})
    return contract_text(properties, custom), properties
