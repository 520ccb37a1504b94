"""Faults: the codes, the masking of values, and the words a department reads.

Codes follow the error taxonomy of frictionless-py (Table Schema constraint names for its
`constraint-error`), and `FRICTIONLESS` says which of its errors each one is.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from hub_schemas.identifier_kinds import KINDS
from hub_schemas.model import BothOrNeither, Cell, Column, NotBefore, NotMoreThan, RowRule

__all__ = [
    "FRICTIONLESS",
    "RULES",
    "SPOILT_RULES",
    "Fault",
    "RuleMessage",
    "is_masked_whole",
    "mask",
    "message",
    "row_message",
    "shown",
]

#: Rule code -> the error of frictionless-py it stands for (None where that taxonomy has none).
FRICTIONLESS: Final[dict[str, str | None]] = {
    "type-error": "type-error",
    "required": "constraint-error",
    "minLength": "constraint-error",
    "maxLength": "constraint-error",
    "minimum": "constraint-error",
    "maximum": "constraint-error",
    "pattern": "constraint-error",
    "enum": "constraint-error",
    "identifier": None,
    "unique": "unique-error",
    "primary-key": "primary-key",
    "foreign-key": "foreign-key",
    "row-constraint": "row-constraint",
    "missing-label": "missing-label",
    "extra-label": "extra-label",
    "table-dimensions": "table-dimensions",
    "null-values": None,
    "invalid-values": None,
    "duplicate-values": None,
    "freshness": None,
}
RULES: Final = tuple(FRICTIONLESS)
#: What a source may say of a row that cannot be laid against its header; frictionless has the same errors.
SPOILT_RULES: Final = ("blank-row", "encoding-error", "extra-cell", "missing-cell", "source-error")

MAX_SHOWN: Final = 60
HIDDEN: Final = "(hidden)"
_SHAPE: Final = str.maketrans(
    dict.fromkeys(string.ascii_uppercase, "A")
    | dict.fromkeys(string.ascii_lowercase, "a")
    | dict.fromkeys(string.digits, "9")
)
_KEPT: Final = frozenset("Aa9 " + string.punctuation)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong, as a row of FAULT_SCHEMA. `row` is None for the dataset as a whole."""

    row: int | None
    column: str | None
    value_shown: str
    rule: str
    message: str


class RuleMessage(str):
    """A message that remembers the code of its rule, so that marshmallow errors keep both."""

    rule: str

    def __new__(cls, rule: str, message: str) -> RuleMessage:
        """A message for that rule."""
        self = super().__new__(cls, message)
        self.rule = rule
        return self


def is_masked_whole(column: Column) -> bool:
    """Whether not even the shape of a value may be shown.

    In a special category, and where few values are possible, the shape gives the value away.
    """
    return column.classification == "special-category" or bool(column.enum) or column.type == "boolean"


def mask(value: str) -> str:
    """The shape of a value: capitals as A, small letters as a, digits as 9, beyond ASCII as ?.

    >>> mask("AB 12 34 56 C")
    'AA 99 99 99 A'
    """
    return "".join(sign if sign in _KEPT else "?" for sign in value[:MAX_SHOWN].translate(_SHAPE))


def shown(column: Column, value: str | None) -> str:
    """What a report may show of a value of that column."""
    if not value:
        return ""
    if not column.is_personal:
        return value[:MAX_SHOWN]
    return HIDDEN if is_masked_whole(column) else mask(value)


def written(value: Cell) -> str:
    """A typed value as a person writes it in a contract or a message."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ") if value.microsecond == 0 else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _friendly(layout: str) -> str:
    """A date format as a person writes it: %d/%m/%Y is DD/MM/YYYY."""
    for ours, theirs in _LETTERS:
        layout = layout.replace(ours, theirs)
    return layout


_LETTERS: Final = (
    ("%Y", "YYYY"), ("%y", "YY"), ("%-m", "M"), ("%m", "MM"), ("%b", "Mon"), ("%B", "Month"), ("%-d", "D"),
    ("%d", "DD"), ("%H", "hh"), ("%M", "mm"), ("%S", "ss"), ("%f", "ffffff"), ("%z", "+hh:mm"),
)  # fmt: skip


def _type_error(column: Column) -> str:
    match column.type:
        case "integer":
            return "must be a whole number, without thousands separators or decimals"
        case "number":
            return "must be a number like 1234.50, without thousands separators or a currency sign"
        case "boolean":
            return "must be one of true, false, yes, no, y, n, t, f, 1, 0"
        case "date" | "timestamp":
            formats = " or ".join(_friendly(layout) for layout in column.formats[:3])
            return f"must be a real {column.type} written as {formats}"
        case "string":
            return "must be text without white space at its ends"


def _identifier(column: Column) -> str:
    kind = KINDS[column.identifier or ""]
    return f"is not a valid {kind.title} ({kind.hint}); correct it at the source"


def _minimum(column: Column) -> str:
    least, above = column.minimum, column.exclusive_minimum
    parts = [] if least is None else [f"{written(least)} or more"]
    return "must be " + " and ".join(parts + ([] if above is None else [f"more than {written(above)}"]))


def _maximum(column: Column) -> str:
    most, below = column.maximum, column.exclusive_maximum
    parts = [] if most is None else [f"{written(most)} or less"]
    return "must be " + " and ".join(parts + ([] if below is None else [f"less than {written(below)}"]))


def _enum(column: Column) -> str:
    values = ", ".join(written(value) for value in column.enum[:20])
    more = f" and {len(column.enum) - 20} more" if len(column.enum) > 20 else ""
    return f"must be one of: {values}{more}" + (" (capitals matter)" if column.type == "string" else "")


def _foreign_key(column: Column) -> str:
    target = column.references
    where = f"{target.dataset}.{target.column}" if target else "the dataset it refers to"
    return f"is not found in {where}; send that dataset first or correct the value"


_MESSAGES: Final[dict[str, Callable[[Column], str]]] = {
    "type-error": _type_error,
    "identifier": _identifier,
    "required": lambda column: "is empty; every row needs a value",
    "minLength": lambda column: f"must be at least {column.min_length} characters long",
    "maxLength": lambda column: f"must be at most {column.max_length} characters long",
    "minimum": _minimum,
    "maximum": _maximum,
    "pattern": lambda column: f"must look like {column.pattern}",
    "enum": _enum,
    "foreign-key": _foreign_key,
}


def message(column: Column, rule: str) -> str:
    """What is wrong with a cell of that column under that rule, and what to do. The same for every row."""
    return f"{column.name} {_MESSAGES[rule](column)}"


def row_message(rule: RowRule) -> str:
    """What is wrong with a row under a cross-column rule."""
    if isinstance(rule, BothOrNeither):
        return f"{' and '.join(rule.columns)} must both have a value or both be empty"
    if isinstance(rule, NotBefore):
        return f"{rule.later} must not be before {rule.earlier}"
    if isinstance(rule, NotMoreThan):
        return f"{rule.column} must not be more than {rule.than}"
    values = ", ".join(written(value) for value in rule.values[:20])
    return f"{rule.column} is needed where {rule.when} is {values}"
