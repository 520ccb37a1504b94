"""What a run hands back: tables, and a report made of plain text, tables and charts.

Nothing here is HTML or an image: the hub draws charts itself (as SVG, and the same figures as a table) and
escapes all text. All classes are frozen, check themselves when made (`FormatError` says where) and go to
JSON and back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hub_sdk import checks
from hub_sdk.checks import FormatError, inside

if TYPE_CHECKING:
    import pyarrow as pa

Cell: TypeAlias = str | int | float | None
ChartKind = Literal["line", "bar", "stacked"]
CHART_KINDS = ("line", "bar", "stacked")

MOST_ROWS = 2_000
MOST_COLUMNS = 50
MOST_POINTS = 2_000
MOST_SERIES = 20
MOST_BLOCKS = 100


def _title(place: str, value: object) -> str:
    return checks.text(place, value, longest=200, empty=False)


def _label(place: str, value: object) -> str:
    return checks.text(place, value, longest=200)


def _cell(place: str, value: object) -> Cell:
    if value is None:
        return None
    if isinstance(value, str):
        return checks.text(place, value, longest=1000)
    if isinstance(value, bool):
        raise FormatError(place, "must be text, a number or None; write 'yes' or 'no'")
    return _figure(place, value)


def _figure(place: str, value: object) -> int | float | None:
    """A finite number, kept whole where it is whole; None where there is no value."""
    if value is None:
        return None
    found = checks.number(place, value)
    return checks.whole(place, value) if hasattr(value, "__index__") else found


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph or several (empty lines part them) under a heading."""

    heading: str
    body: str

    def __post_init__(self) -> None:
        checks.text("heading", self.heading, longest=200)
        checks.text("body", self.body, longest=20_000, empty=False, lines=True)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        return {"kind": "text", "heading": self.heading, "body": self.body}


@dataclass(frozen=True, slots=True)
class Table:
    """A table to read, at most 2,000 rows of 50 columns; every row has a cell a column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        _title("title", self.title)
        columns = checks.several("columns", self.columns, _title, least=1, most=MOST_COLUMNS)
        checks.distinct("columns", columns)
        width = len(columns)
        rows = checks.several(
            "rows",
            self.rows,
            lambda at, row: checks.several(at, row, _cell, least=width, most=width),
            most=MOST_ROWS,
        )
        checks.text("note", self.note, longest=1000)
        checks.settle(self, columns=columns, rows=rows)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        return {
            "kind": "table",
            "title": self.title,
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Series:
    """One line or set of bars: a value for each x, None where there is none.

    `lower` and `upper` come together and are the ends of an interval; what interval it is belongs in the
    name or the chart's note.
    """

    name: str
    values: tuple[float | None, ...]
    lower: tuple[float | None, ...] | None = None
    upper: tuple[float | None, ...] | None = None

    def __post_init__(self) -> None:
        _title("name", self.name)
        values = checks.several("values", self.values, _figure, most=MOST_POINTS)
        if (self.lower is None) != (self.upper is None):
            raise FormatError("lower", "lower and upper come together")
        checks.settle(self, values=values)
        for end in ("lower", "upper"):
            given = getattr(self, end)
            if given is not None:
                size = len(values)
                checks.settle(self, **{end: checks.several(end, given, _figure, least=size, most=size)})

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        return {
            "name": self.name,
            "values": list(self.values),
            "lower": None if self.lower is None else list(self.lower),
            "upper": None if self.upper is None else list(self.upper),
        }


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart over the labels `x`, each series with a value for each; `stacked` bars have no negatives."""

    title: str
    kind: ChartKind
    x_label: str
    y_label: str
    x: tuple[str, ...]
    series: tuple[Series, ...]
    note: str = ""

    def __post_init__(self) -> None:
        _title("title", self.title)
        checks.choice("kind", self.kind, CHART_KINDS)
        _label("x_label", self.x_label)
        _label("y_label", self.y_label)
        x = checks.several("x", self.x, _label, least=1, most=MOST_POINTS)
        series = checks.several("series", self.series, checks.instance(Series), least=1, most=MOST_SERIES)
        checks.distinct("series", [item.name for item in series])
        for index, item in enumerate(series):
            if len(item.values) != len(x):
                raise FormatError(
                    f"series[{index}].values", f"has {len(item.values)} values for {len(x)} labels"
                )
            if self.kind == "stacked" and (item.lower is not None or any((v or 0) < 0 for v in item.values)):
                raise FormatError(
                    f"series[{index}]", "a stacked chart has no intervals and no negative values"
                )
        checks.text("note", self.note, longest=1000)
        checks.settle(self, x=x, series=series)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        return {
            "kind": "chart",
            "title": self.title,
            "chart": self.kind,
            "x_label": self.x_label,
            "y_label": self.y_label,
            "x": list(self.x),
            "series": [item.to_json() for item in self.series],
            "note": self.note,
        }


Block: TypeAlias = Text | Table | Chart


@dataclass(frozen=True, slots=True)
class Report:
    """What a reader is told: a title, one paragraph of summary, blocks in order, and warnings shown first.

    No personal data and no pseudonyms: a report is shown more widely than the tables. Figures about few
    people belong in an output, where disclosure control sees them.
    """

    title: str
    summary: str
    blocks: tuple[Block, ...] = ()
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _title("title", self.title)
        checks.text("summary", self.summary, longest=2000, empty=False, lines=True)
        blocks = checks.several("blocks", self.blocks, _block, most=MOST_BLOCKS)
        warnings = checks.several(
            "warnings",
            self.warnings,
            lambda at, item: checks.text(at, item, longest=500, empty=False),
            most=50,
        )
        checks.settle(self, blocks=blocks, warnings=warnings)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON values; each block names its `kind`."""
        return {
            "title": self.title,
            "summary": self.summary,
            "blocks": [block.to_json() for block in self.blocks],
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_json(cls, data: object, place: str = "") -> Report:
        """The checked opposite of `to_json`; raises `FormatError`."""
        given = checks.fields(place, data, ("title", "summary"), ("blocks", "warnings"))
        given["blocks"] = checks.several(
            inside(place, "blocks"), given.get("blocks", ()), _block_from_json, most=MOST_BLOCKS
        )
        return checks.made(cls, given, place)


@dataclass(frozen=True, slots=True)
class RunOutput:
    """The result of `hub_run`: a `pyarrow.Table` for every output of the manifest, and the report.

    Columns may come in any order and in Arrow's near relatives of the declared types (large strings,
    dictionaries, smaller integers); see `hub_sdk.tables.conform`.
    """

    tables: Mapping[str, pa.Table]
    report: Report

    def __post_init__(self) -> None:
        if not isinstance(self.tables, Mapping):
            raise FormatError("tables", "must map the names of outputs to pyarrow tables")
        checks.instance(Report)("report", self.report)


def _block(place: str, value: object) -> Block:
    if not isinstance(value, Text | Table | Chart):
        raise FormatError(place, f"must be Text, Table or Chart, not {type(value).__name__}")
    return value


_BLOCK_FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "text": (("kind", "heading", "body"), ()),
    "table": (("kind", "title", "columns", "rows"), ("note",)),
    "chart": (("kind", "title", "chart", "x_label", "y_label", "x", "series"), ("note",)),
}
_BLOCK_KINDS: Mapping[str, type[Text] | type[Table] | type[Chart]] = {
    "text": Text,
    "table": Table,
    "chart": Chart,
}


def _block_from_json(place: str, data: object) -> Block:
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if not isinstance(kind, str) or kind not in _BLOCK_KINDS:
        raise FormatError(place, f"must be an object whose kind is one of {', '.join(_BLOCK_KINDS)}")
    given = checks.fields(place, data, *_BLOCK_FIELDS[kind])
    del given["kind"]
    if kind == "chart":
        given["kind"] = given.pop("chart")
        given["series"] = checks.several(
            inside(place, "series"), given["series"], _series_from_json, most=MOST_SERIES
        )
    maker: Callable[..., Block] = _BLOCK_KINDS[kind]
    return checks.made(maker, given, place)


def _series_from_json(place: str, data: object) -> Series:
    given = checks.fields(place, data, ("name", "values"), ("lower", "upper"))
    return checks.made(Series, given, place)
