"""One property of an ODCS contract -> one Column, with every construct that is not supported named."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, cast, get_args

from hub_schemas import cells
from hub_schemas.identifier_kinds import KINDS
from hub_schemas.layouts import TIMEZONES, from_java, layouts
from hub_schemas.model import (
    CLASSIFICATIONS,
    DEFAULT_DATE_FORMATS,
    DEFAULT_TIMESTAMP_FORMATS,
    LINKAGE_ROLES,
    Cell,
    Column,
    Quality,
    Reference,
    Type,
)
from hub_schemas.odcs_quality import ColumnRules, column_quality
from hub_schemas.odcs_reader import Node
from hub_schemas.patterns import PatternError, compile_pattern

__all__ = ["ReadColumn", "read_column"]

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_RESERVED: Final = ("row_number",)
_KNOWN: Final = frozenset(
    [
        "id", "name", "physicalType", "description", "businessName", "authoritativeDefinitions", "tags",
        "customProperties", "primaryKey", "primaryKeyPosition", "logicalType", "logicalTypeOptions",
        "physicalName", "required", "unique", "partitioned", "partitionKeyPosition", "classification",
        "encryptedName", "transformSourceObjects", "transformLogic", "transformDescription", "examples",
        "criticalDataElement", "relationships", "quality", "items", "properties",
    ]
)  # fmt: skip
CUSTOM: Final = frozenset(
    {"identifier", "linkageRole", "format", "missingValues", "references", "aboutOthers"}
)
_TYPES: Final = get_args(Type)
_BOUNDS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_OPTIONS: Final[dict[str, frozenset[str]]] = {
    "string": frozenset({"minLength", "maxLength", "pattern"}),
    "integer": frozenset({*_BOUNDS, "format"}),
    "number": frozenset({*_BOUNDS, "format"}),
    "boolean": frozenset(),
    "date": frozenset({*_BOUNDS, "format"}),
    "timestamp": frozenset({*_BOUNDS, "format", "timezone", "defaultTimezone"}),
}
# What a whole number of that width can hold; i64 is what every column holds anyway.
_WIDTHS: Final = {
    "i8": (-(2**7), 2**7 - 1), "i16": (-(2**15), 2**15 - 1), "i32": (-(2**31), 2**31 - 1),
    "i64": (None, None), "u8": (0, 2**8 - 1), "u16": (0, 2**16 - 1), "u32": (0, 2**32 - 1),
}  # fmt: skip
_PERSONAL_KINDS: Final = ("nhs-number", "nino", "upn", "uln", "pnc-id", "utr")
_PERSONAL_ROLES: Final = frozenset(LINKAGE_ROLES) - {"uprn", "postcode"}


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """A column with what its property says about the dataset: its place in the key, and quality checks."""

    column: Column
    key_position: int | None
    quality: tuple[Quality, ...]


def read_column(node: Node, missing_values: tuple[str, ...]) -> ReadColumn | None:
    """The column of one property, or None when too much of it is wrong (problems are noted on the node)."""
    node.only(_KNOWN)
    name = node.text("name", required=True)
    if name and not _NAME.fullmatch(name):
        node.wrong(
            "name", f"{name!r:.70} must be letters, digits and underscores; headers go in physicalName"
        )
        return None
    if name.lower() in _RESERVED:
        node.wrong("name", f"{name} is a name the hub uses itself; call the column something else")
        return None
    kind = _type(node)
    if not name or kind is None:
        return None
    source_name = name if node.data.get("physicalName") is None else _header(node)
    column = Column(
        name=name,
        source_name=source_name,
        type=kind,
        description=node.text("description"),
        title=node.text("businessName", most=200),
        required=node.flag("required") or node.flag("primaryKey"),
        unique=node.flag("unique"),
        missing_values=missing_values,
        examples=tuple(str(example)[:200] for example in node.items("examples")),
    )
    column = _with_custom(node, column)
    column = _with_options(node, column)
    column = replace(column, classification=_classification(node, column))
    rules, quality = column_quality(node, column)
    column = _with_rules(node, column, rules)
    return ReadColumn(column, _key_position(node), quality)


def _header(node: Node) -> str:
    """The header as it stands in the source: not trimmed, may be empty."""
    node.text("physicalName", most=200)
    value = node.data["physicalName"]
    return value if isinstance(value, str) else ""


def _type(node: Node) -> Type | None:
    kind = node.text("logicalType")
    if kind in _TYPES:
        return cast(Type, kind)
    if kind in ("object", "array", "time"):
        node.wrong("logicalType", f"{kind} is not supported; a column holds one of: {', '.join(_TYPES)}")
    elif kind:
        node.wrong(
            "logicalType", f"{kind!r:.40} is not a type of the standard; use one of: {', '.join(_TYPES)}"
        )
    else:
        node.wrong("logicalType", f"is missing; say one of: {', '.join(_TYPES)}")
    return None


def _key_position(node: Node) -> int | None:
    if not node.flag("primaryKey"):
        return None
    position = node.integer("primaryKeyPosition")
    return position if position is not None and position > 0 else 10_000


def _classification(node: Node, column: Column) -> str:
    person = column.identifier in _PERSONAL_KINDS or column.linkage_role in _PERSONAL_ROLES
    if node.data.get("classification") is None:
        return "personal" if person else "official"
    value = node.text("classification")
    if value not in CLASSIFICATIONS:
        node.wrong(
            "classification", f"{value!r:.40} is not supported; use one of: {', '.join(CLASSIFICATIONS)}"
        )
    elif person and value in ("open", "official"):
        what = column.identifier if column.identifier in _PERSONAL_KINDS else column.linkage_role
        node.wrong("classification", f"{what} is about a person; it must be personal or special-category")
    return value


def _with_custom(node: Node, column: Column) -> Column:
    for entry, name, value in node.custom(CUSTOM):
        if name == "identifier":
            if value not in tuple(KINDS) or column.type != "string":
                entry.wrong("value", f"must be one of {', '.join(KINDS)}, on a column of type string")
            else:
                column = replace(column, identifier=value)
        elif name == "linkageRole":
            if value not in LINKAGE_ROLES:
                entry.wrong("value", f"must be one of {', '.join(LINKAGE_ROLES)}")
            else:
                column = replace(column, linkage_role=value)
        elif name == "format":
            column = replace(column, formats=_formats(entry, column, value))
        elif name == "missingValues":
            column = replace(column, missing_values=column.missing_values + entry.texts("value"))
        elif name == "aboutOthers":
            column = replace(column, about_others=_flag(entry, value))
        else:
            reference = entry.node("value")
            column = replace(
                column,
                references=Reference(
                    reference.text("dataset", required=True, most=100),
                    reference.text("column", required=True),
                ),
            )
    return column


def _flag(entry: Node, value: Any) -> bool:
    if not isinstance(value, bool):
        entry.wrong("value", "must be true or false")
    return value is True


def _formats(entry: Node, column: Column, value: Any) -> tuple[str, ...]:
    given = (value,) if isinstance(value, str) else entry.texts("value")
    if column.type not in ("date", "timestamp") or not given or len(given) > 20:
        entry.wrong("value", "must be 1 to 20 formats like %d/%m/%Y, on a date or timestamp")
        return ()
    for pattern in given:
        try:
            layouts(pattern, with_time=column.type == "timestamp")
        except ValueError as error:
            entry.wrong("value", f"format {pattern!r:.60}: {error}")
            return ()
    return tuple(given)


def _with_options(node: Node, column: Column) -> Column:
    options = node.node("logicalTypeOptions")
    for key in options.data:
        if key not in _OPTIONS[column.type]:
            options.wrong(key[:60], f"is not supported for {column.type}")
    if column.type == "string":
        return _with_text_options(options, column)
    if column.type in ("date", "timestamp"):
        column = _with_time_options(options, column)
    elif column.type == "integer":
        column = _with_width(options, column)
    elif options.text("format", "f64") != "f64":
        options.wrong("format", "only f64 is supported: every number is held as a 64-bit float")
    bounds: dict[str, Cell] = {}
    for key in _BOUNDS:
        value = _bound(options, column, key)
        if value is not None:
            bounds[_snake(key)] = value
    return replace(column, **bounds)  # type: ignore[arg-type]


def _snake(key: str) -> str:
    return re.sub("(?=[A-Z])", "_", key).lower()


def _with_text_options(options: Node, column: Column) -> Column:
    pattern = options.text("pattern") or None
    if pattern is not None:
        try:
            compile_pattern(pattern)
        except PatternError as error:
            options.wrong("pattern", str(error))
            pattern = None
    shortest, longest = options.integer("minLength", least=0), options.integer("maxLength", least=1)
    if shortest is not None and longest is not None and shortest > longest:
        options.wrong("minLength", "is more than maxLength")
    return replace(column, pattern=pattern, min_length=shortest, max_length=longest)


def _with_time_options(options: Node, column: Column) -> Column:
    formats = column.formats
    given = options.text("format")
    if given and not formats:
        try:
            ours = from_java(given)
            layouts(ours, with_time=column.type == "timestamp")
            formats = (ours,)
        except ValueError as error:
            options.wrong("format", f"{given!r:.60}: {error}")
    if not formats:
        formats = DEFAULT_DATE_FORMATS if column.type == "date" else DEFAULT_TIMESTAMP_FORMATS
    zone = "UTC"
    if column.type == "timestamp":
        zone = {"Etc/UTC": "UTC"}.get(given_zone := options.text("defaultTimezone", "UTC"), given_zone)
        if zone not in TIMEZONES:
            options.wrong(
                "defaultTimezone", f"{zone!r:.40} is not supported; use one of: {', '.join(TIMEZONES)}"
            )
            zone = "UTC"
        options.flag("timezone")
    return replace(column, formats=formats, timezone=zone)


def _with_width(options: Node, column: Column) -> Column:
    width = options.text("format", "i64")
    if width not in _WIDTHS:
        options.wrong("format", f"{width!r:.10} is not supported; use one of: {', '.join(_WIDTHS)}")
        return column
    low, high = _WIDTHS[width]
    return replace(column, minimum=low, maximum=high)


def _bound(options: Node, column: Column, key: str) -> Cell:
    value = options.data.get(key)
    if value is None:
        return None
    if column.type in ("integer", "number"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            options.wrong(key, f"must be a number, not {str(value)[:40]!r}")
            return None
        return value if column.type == "integer" else float(value)
    parsed = cells.parse(column, str(value)) if isinstance(value, str) else None
    if parsed is None and isinstance(value, str):
        # Bounds may be written in ISO form whatever the source's own format is.
        formats = DEFAULT_DATE_FORMATS if column.type == "date" else DEFAULT_TIMESTAMP_FORMATS
        parsed = cells.parse(replace(column, formats=formats), value)
    if not isinstance(parsed, date | datetime):
        options.wrong(key, f'must be a {column.type} in quotes, like "2020-01-31", not {str(value)[:40]!r}')
        return None
    return parsed


def _with_rules(node: Node, column: Column, rules: ColumnRules) -> Column:
    if rules.pattern is not None and column.pattern is not None:
        node.wrong("quality", "a pattern stands in logicalTypeOptions already; keep one of them")
    return replace(
        column,
        required=column.required or rules.required,
        unique=column.unique or rules.unique,
        enum=rules.enum,
        pattern=column.pattern or rules.pattern,
    )
