"""One column, read and checked: text in, typed values and the rows at fault under each rule out."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import product

import polars as pl

from hub_schemas.cells import FALSE, TRUE
from hub_schemas.dates_columnar import parse_series
from hub_schemas.identifiers_columnar import normalise_series
from hub_schemas.model import Cell, Column
from hub_schemas.patterns import compile_pattern
from hub_schemas.texts import out_of_calendar

__all__ = ["Checked", "check_text_column", "check_typed_column"]


@dataclass(slots=True)
class Checked:
    """A column after its checks.

    value: typed, null where missing or not of the type. present: whether the cell had anything in it once
    trimmed. faults: for each rule that any row breaks, a mask of the rows that do.
    """

    value: pl.Series
    present: pl.Series
    faults: list[tuple[str, pl.Series]] = field(default_factory=list)

    def holding(self) -> pl.Series:
        """The values that break no rule by themselves; null for the others."""
        value = self.value
        for _, mask in self.faults:
            value = _without(value, mask)
        return value

    def note(self, rule: str, mask: pl.Series) -> None:
        """Keep the mask if any row is at fault; a null is no fault."""
        if mask.any():
            self.faults.append((rule, mask.fill_null(False)))


def check_text_column(
    column: Column, sent: pl.Series, *, references: pl.Series | None = None, demand: bool = True
) -> Checked:
    """Check the texts of a column. demand: whether a missing required value is a fault."""
    if column.missing_values or (column.type == "string" and not column.identifier):
        text = _trimmed(column, sent)
        present, value = text.is_not_null(), _typed(column, text)
    else:
        present, value = _typed_as_sent(column, sent)
    checked = Checked(value, present)
    if column.required and demand:
        checked.note("required", ~present)
    if value.null_count() > len(present) - (present.sum() or 0):
        checked.note("identifier" if column.identifier else "type-error", present & value.is_null())
    _constraints(column, checked, references)
    return checked


def _typed_as_sent(column: Column, sent: pl.Series) -> tuple[pl.Series, pl.Series]:
    """(present, value), trimming only the cells that cannot be read as they are.

    No layout, number or identifier begins or ends with white space, so a cell that can be read needs no trim.
    """
    present, value = sent.is_not_null(), _typed(column, sent)
    unread = present & value.is_null()
    if not unread.any():
        return present, value
    text = _trimmed(column, sent.filter(unread))
    places = unread.arg_true()
    return present.scatter(places, text.is_not_null()), value.clone().scatter(places, _typed(column, text))


def check_typed_column(column: Column, value: pl.Series, *, references: pl.Series | None = None) -> Checked:
    """Check typed values again: what a column of accepted rows may hold, no more."""
    present = value.is_not_null()
    checked = Checked(value, present)
    if column.required:
        checked.note("required", ~present)
    if column.type == "number":
        checked.note("type-error", ~value.is_finite())
    elif column.type in ("date", "timestamp"):
        outside = out_of_calendar(value)
        checked.note("type-error", outside)
        checked.value = _without(value, outside)
    elif column.type == "string":
        text = _trimmed(column, value)
        if column.identifier:
            checked.note("identifier", ~normalise_series(column.identifier, text).eq_missing(value))
        else:
            checked.note("type-error", ~text.eq_missing(value))
    _constraints(column, checked, references)
    return checked


def _trimmed(column: Column, sent: pl.Series) -> pl.Series:
    text = sent.str.strip_chars()
    empty = text.str.len_bytes() == 0
    if column.missing_values:
        empty = empty | text.is_in(list(column.missing_values))
    return _without(text, empty)


def _without(values: pl.Series, mask: pl.Series) -> pl.Series:
    """The values with null where the mask holds."""
    if not mask.any():
        return values
    return values.zip_with(~mask.fill_null(True), pl.Series([None], dtype=values.dtype))


def _typed(column: Column, text: pl.Series) -> pl.Series:
    match column.type:
        case "integer":
            return text.cast(pl.Int64, strict=False)
        case "number":
            value = text.cast(pl.Float64, strict=False)
            return _without(value, ~value.is_finite())
        case "boolean":
            true, false = text.is_in(_spellings(TRUE)), text.is_in(_spellings(FALSE))
            return _without(true, ~(true | false))
        case "date" | "timestamp":
            return parse_series(column, text)
        case "string":
            return normalise_series(column.identifier, text) if column.identifier else text


@cache
def _spellings(words: tuple[str, ...]) -> list[str]:
    """The words in every mixture of small and capital letters."""
    return ["".join(letters) for word in words for letters in product(*({a, a.upper()} for a in word))]


def _constraints(column: Column, checked: Checked, references: pl.Series | None) -> None:
    value = checked.value
    if column.min_length is not None or column.max_length is not None:
        length = value.str.len_chars()
        if column.min_length is not None:
            checked.note("minLength", length < column.min_length)
        if column.max_length is not None:
            checked.note("maxLength", length > column.max_length)
    _range(column, checked)
    if column.pattern is not None:
        checked.note("pattern", ~value.str.contains(compile_pattern(column.pattern).rust))
    if column.enum:
        checked.note("enum", ~value.is_in(pl.Series(list(column.enum), dtype=value.dtype).implode()))
    if references is not None:
        checked.note("foreign-key", ~value.is_in(references.cast(value.dtype).implode()))


def _range(column: Column, checked: Checked) -> None:
    value = checked.value

    def literal(bound: Cell) -> pl.Series:
        kind = pl.Float64 if value.dtype == pl.Int64 and isinstance(bound, float) else value.dtype
        return pl.Series([bound], dtype=kind)

    low, high = [], []
    if column.minimum is not None:
        low.append(value < literal(column.minimum))
    if column.exclusive_minimum is not None:
        low.append(value <= literal(column.exclusive_minimum))
    if column.maximum is not None:
        high.append(value > literal(column.maximum))
    if column.exclusive_maximum is not None:
        high.append(value >= literal(column.exclusive_maximum))
    for rule, masks in (("minimum", low), ("maximum", high)):
        if masks:
            checked.note(rule, masks[0] if len(masks) == 1 else masks[0] | masks[1])
