"""Faults: the codes, the masking of values, and the words a department reads.

Codes follow the error taxonomy of frictionless-py (Table Schema constraint names for its `constraint-error`), and
`FRICTIONLESS` says which of its errors each one is.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from hub_schemas.model import BothOrNeither, Cell, Column, NotBefore, NotMoreThan, RowRule
from hub_schemas.identifier_kinds import KINDS

__all__ = [
    "FRICTIONLESS",
    "RULES",
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

MAX_SHOWN: Final = 60
HIDDEN: Final = "(hidden)"
_SHAPE: Final = str.maketrans(
    {letter: "A" for letter in string.ascii_uppercase}
    | {letter: "a" for letter in string.ascii_lowercase}
    | {digit: "9" for digit in string.digits}
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


_TYPE_HINT: Final = {
    "integer": "must be a whole number, without thousands separators or decimals",
    "number": "must be a number like 1234.50, without thousands separators or a currency sign",
    "boolean": "must be one of true, false, yes, no, y, n, t, f, 1, 0",
}


def message(column: Column, rule: str) -> str:
    """What is wrong with a cell of that column under that rule, and what to do. The same for every row."""
    if rule == "type-error":
        if column.type in ("date", "timestamp"):
            formats = " or ".join(column.formats[:3])
            return f"{column.name} must be a real {column.type} written as {formats}"
        return f"{column.name} {_TYPE_HINT.get(column.type, 'must be text')}"
    if rule == "identifier":
        kind = KINDS[column.identifier or ""]
        return f"{column.name} is not a valid {kind.title} ({kind.hint}); correct it at the source"
    match rule:
        case "required":
            return f"{column.name} is empty; every row needs a value"
        case "minLength":
            return f"{column.name} must be at least {column.min_length} characters long"
        case "maxLength":
            return f"{column.name} must be at most {column.max_length} characters long"
        case "minimum":
            if column.exclusive_minimum is not None:
                return f"{column.name} must be more than {written(column.exclusive_minimum)}"
            return f"{column.name} must be {written(column.minimum)} or more"
        case "maximum":
            if column.exclusive_maximum is not None:
                return f"{column.name} must be less than {written(column.exclusive_maximum)}"
            return f"{column.name} must be {written(column.maximum)} or less"
        case "pattern":
            return f"{column.name} must look like {column.pattern}"
        case "enum":
            values = ", ".join(written(value) for value in column.enum[:20])
            more = f" and {len(column.enum) - 20} more" if len(column.enum) > 20 else ""
            return f"{column.name} must be one of: {values}{more} (capitals matter)"
        case "foreign-key":
            target = column.references
            where = f"{target.dataset}.{target.column}" if target else "the other dataset"
            return f"{column.name} is not found in {where}; send that dataset first or correct the value"
    raise KeyError(rule)


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
