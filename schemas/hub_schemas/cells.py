"""One cell: text as it was sent -> a typed value. The reference that the columnar path is proven against.

White space round a value is dropped (the 25 characters of Unicode's White_Space), what is then empty or one
of the column's `missing_values` is missing. Numbers are 64-bit floats (sums of money are exact to the penny
up to 90 million million); write pence as integers where that is not enough. Whole numbers are 64-bit.
"""

from __future__ import annotations

import re
from typing import Final

from hub_schemas.identifier_kinds import normalise
from hub_schemas.layouts import parse_date, parse_timestamp
from hub_schemas.model import Cell, Column

__all__ = ["FALSE", "TRUE", "WHITE", "parse", "trim"]

#: Unicode White_Space, spelt out because str.strip and Rust's trim differ on four control characters.
WHITE: Final = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
#: Accepted spellings of a boolean, in any case.
TRUE: Final = ("true", "t", "yes", "y", "1")
FALSE: Final = ("false", "f", "no", "n", "0")

_INTEGER: Final = re.compile("[+-]?[0-9]+")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LOWER: Final = {ord(letter): ord(letter) + 32 for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_MOST: Final = 2**63 - 1


def trim(text: str | None, column: Column | None = None) -> str | None:
    """The text without white space at its ends; None when nothing is left or the column calls it missing."""
    if text is None:
        return None
    text = text.strip(WHITE)
    return None if not text or (column is not None and text in column.missing_values) else text


def parse(column: Column, text: str) -> Cell:
    """The typed value of a trimmed text, or None when it is not one of the column's type (or identifier)."""
    match column.type:
        case "integer":
            return _integer(text)
        case "number":
            return _number(text)
        case "boolean":
            lower = text.translate(_LOWER)
            return True if lower in TRUE else False if lower in FALSE else None
        case "date":
            return parse_date(text, column.formats)
        case "timestamp":
            return parse_timestamp(text, column.formats, column.timezone)
        case "string":
            return text if column.identifier is None else normalise(column.identifier, text)


def _integer(text: str) -> int | None:
    if _INTEGER.fullmatch(text) is None:
        return None
    # int() refuses thousands of digits; more than 19 beyond leading noughts do not fit anyway.
    digits = text.lstrip("+-").lstrip("0")
    if len(digits) > 19:
        return None
    value = -int(digits or "0") if text.startswith("-") else int(digits or "0")
    return value if -_MOST - 1 <= value <= _MOST else None


def _number(text: str) -> float | None:
    if _NUMBER.fullmatch(text) is None:
        return None
    value = float(text)
    return value if abs(value) != float("inf") else None
