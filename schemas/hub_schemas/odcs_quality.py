"""Quality checks of the standard: those about every row become rules of the column, others are measured.

`nullValues`, `invalidValues` and `duplicateValues` with `mustBe: 0` say that no row may fail, so each row
that does is a fault of its own (required, enum or pattern, unique). With any other bound they are measured
over all rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from hub_schemas import cells
from hub_schemas.model import OPERATORS, Cell, Column, Quality
from hub_schemas.odcs_reader import Node
from hub_schemas.patterns import PatternError, compile_pattern

__all__ = ["ColumnRules", "TableRules", "column_quality", "freshness", "table_quality"]

_PERCENT: Final = ("percent", "%", "percentage")
_ROW_LEVEL: Final = ("mustBe", (0.0,))


@dataclass
class ColumnRules:
    """What a column's quality checks ask of every row."""

    required: bool = False
    unique: bool = False
    pattern: str | None = None
    enum: tuple[Cell, ...] = ()


@dataclass
class TableRules:
    """What a table's quality checks ask of every row: sets of columns whose values come once together."""

    unique_together: tuple[tuple[str, ...], ...] = ()


def _supported(node: Node, metrics: tuple[str, ...]) -> bool:
    kind = node.text("type", "library")
    if kind == "text":
        return False  # words for people; nothing to evaluate
    if kind == "sql":
        node.wrong("type", "sql is not supported: a contract cannot carry a query; use a library metric")
        return False
    if kind == "custom":
        engine = node.text("engine") or "custom"
        node.wrong("type", f"custom checks (engine {engine!r:.40}) are not supported; use a library metric")
        return False
    metric = node.text("metric") or node.text("rule")
    if metric not in metrics:
        node.wrong(
            "metric", f"{metric or 'nothing'!r:.40} is not supported here; use one of: {', '.join(metrics)}"
        )
        return False
    return True


def _measure(node: Node, columns: tuple[str, ...], values: tuple[Cell, ...] = ()) -> Quality | None:
    given = [key for key in OPERATORS if key in node.data]
    if len(given) != 1:
        node.wrong("", f"needs exactly one of: {', '.join(OPERATORS)}")
        return None
    raw = node.data[given[0]]
    operands = raw if isinstance(raw, list) else [raw]
    pair = given[0].endswith("Between")
    numbers = [
        float(value) for value in operands if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if len(numbers) != len(operands) or len(numbers) != (2 if pair else 1):
        node.wrong(given[0], "needs two numbers, the smaller first" if pair else "needs a number")
        return None
    unit = node.text("unit", "rows")
    if unit not in ("rows", *_PERCENT):
        node.wrong("unit", f"{unit!r:.40} is not supported; use rows or percent")
        return None
    return Quality(
        metric=node.text("metric") or node.text("rule"),
        operator=given[0],
        operands=tuple(numbers),
        unit="percent" if unit in _PERCENT else "rows",
        columns=columns,
        values=values,
        blocking=node.text("severity", "error").lower() not in ("warning", "info", "low"),
        description=node.text("description"),
    )


def _is_for_every_row(quality: Quality) -> bool:
    return (quality.operator, quality.operands) == _ROW_LEVEL and quality.blocking


def column_quality(node: Node, column: Column) -> tuple[ColumnRules, tuple[Quality, ...]]:
    """The rules and the measures of one property's `quality` list."""
    rules, measures = ColumnRules(), []
    for check in node.nodes("quality"):
        if not _supported(check, ("nullValues", "missingValues", "invalidValues", "duplicateValues")):
            continue
        arguments = check.node("arguments")
        values = _values(arguments, column, check.text("metric") or check.text("rule"))
        quality = _measure(check, (column.name,), values)
        if quality is None:
            continue
        if not _is_for_every_row(quality) or quality.metric == "missingValues":
            if quality.metric == "invalidValues" and "pattern" in arguments.data:
                arguments.wrong("pattern", "is supported only with mustBe: 0, as a rule for every row")
            measures.append(quality)
        elif quality.metric == "nullValues":
            rules.required = True
        elif quality.metric == "duplicateValues":
            rules.unique = True
        else:
            rules.enum, rules.pattern = values, _pattern(arguments, column)
            if not ({"validValues", "pattern"} & set(arguments.data)):
                arguments.wrong("", "needs validValues (a list) or pattern")
    return rules, tuple(measures)


def _pattern(arguments: Node, column: Column) -> str | None:
    pattern = arguments.text("pattern") or None
    if pattern is None:
        return None
    if column.type != "string":
        arguments.wrong("pattern", f"is not supported for {column.type}")
        return None
    try:
        compile_pattern(pattern)
    except PatternError as error:
        arguments.wrong("pattern", str(error))
    return pattern


def _values(arguments: Node, column: Column, metric: str) -> tuple[Cell, ...]:
    """The values listed for a metric: typed as the column for invalidValues, texts for missingValues.

    Nothing and the empty text are left out: an empty cell is a missing one and `required` speaks of those.
    """
    if metric == "missingValues":
        return tuple(str(value) for value in arguments.items("missingValues") if value not in (None, ""))
    found: list[Cell] = []
    for index, value in enumerate(arguments.items("validValues")):
        if value is None or value == "":
            continue
        typed = _typed(value, column)
        if typed is None:
            arguments.wrong(f"validValues[{index}]", f"{str(value)[:40]!r} is not of type {column.type}")
        else:
            found.append(typed)
    return tuple(found)


def _typed(value: Any, column: Column) -> Cell:
    if isinstance(value, str):
        return cells.parse(column, cells.trim(value) or "")
    if isinstance(value, bool):
        return value if column.type == "boolean" else None
    if isinstance(value, int):
        return {"integer": value, "number": float(value)}.get(column.type)
    return value if isinstance(value, float) and column.type == "number" else None


def table_quality(node: Node, columns: tuple[str, ...]) -> tuple[TableRules, tuple[Quality, ...]]:
    """The rules and the measures of a table's `quality` list."""
    rules, measures = TableRules(), []
    for check in node.nodes("quality"):
        if not _supported(check, ("rowCount", "duplicateValues")):
            continue
        arguments = check.node("arguments")
        together = arguments.texts("properties")
        unknown = [name for name in together if name not in columns]
        if unknown:
            arguments.wrong("properties", f"no such column: {', '.join(unknown)[:100]}")
            continue
        quality = _measure(check, together)
        if quality is None:
            continue
        if quality.metric == "duplicateValues" and not together:
            arguments.wrong("properties", "needs the columns whose values may come once together")
        elif quality.metric == "duplicateValues" and _is_for_every_row(quality):
            rules.unique_together += (together,)
        elif quality.metric == "rowCount" and quality.unit == "percent":
            check.wrong("unit", "rowCount is in rows")
        else:
            measures.append(quality)
    return rules, tuple(measures)


_DAYS: Final[dict[str, float]] = {
    "d": 1, "day": 1, "days": 1, "h": 1 / 24, "hr": 1 / 24, "hour": 1 / 24, "hours": 1 / 24,
    "w": 7, "week": 7, "weeks": 7, "y": 365.25, "yr": 365.25, "year": 365.25, "years": 365.25,
}  # fmt: skip


def freshness(root: Node, table: str, columns: dict[str, Column]) -> tuple[Quality, ...]:
    """The `freshness` and `latency` promises (slaProperties) about a date or timestamp of this table.

    Other service levels, and those about other tables, are words between people and are left alone.
    """
    found = []
    for entry in root.nodes("slaProperties"):
        name, element = entry.text("property"), entry.text("element") or root.text("slaDefaultElement")
        owner, _, column = element.rpartition(".")
        if name not in ("freshness", "latency") or owner not in (table, "") or not column:
            continue
        value, unit = entry.data.get("value"), entry.text("unit", "d").lower()
        if column not in columns or columns[column].type not in ("date", "timestamp"):
            entry.wrong("element", f"{element!r:.80} is not a date or timestamp column of {table}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or unit not in _DAYS:
            entry.wrong("value", f"needs a number and a unit of: {', '.join(_DAYS)}")
        else:
            days: Literal["days"] = "days"
            found.append(
                Quality("freshness", "mustBeLessOrEqualTo", (value * _DAYS[unit],), days, (column,),
                        blocking=entry.text("driver") == "regulatory", description=entry.text("description"))
            )  # fmt: skip
    return tuple(found)
