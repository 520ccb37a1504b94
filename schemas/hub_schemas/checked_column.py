"""One column, read and checked: text in, typed values and the rows at fault under each rule out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from itertools import product

import polars as pl

from hub_schemas.cell_texts import Cells, Repetition
from hub_schemas.cells import FALSE, TRUE
from hub_schemas.dates_columnar import parse_series
from hub_schemas.identifiers_columnar import canonical, normalise_series
from hub_schemas.model import Cell, Column
from hub_schemas.patterns import compile_pattern
from hub_schemas.texts import out_of_calendar

__all__ = ["Checked", "check_text_column", "check_typed_column"]


class Checked:
    """A column after its checks.

    faults: for each rule that any row breaks, a mask of the rows that do.
    """

    def __init__(self, value: pl.Series | Callable[[], pl.Series], present: pl.Series) -> None:
        """value: the values, or what makes them when they are asked for."""
        self._value, self._present = value, present
        self.faults: list[tuple[str, pl.Series]] = []

    @property
    def value(self) -> pl.Series:
        """Typed, null where missing or not of the type."""
        if not isinstance(self._value, pl.Series):
            self._value = self._value()
        return self._value

    @property
    def present(self) -> pl.Series:
        """Whether the cell had anything in it once trimmed."""
        return self._present

    def holding(self) -> pl.Series:
        """The values that break no rule by themselves; null for the others."""
        value = self.value
        for _, mask in self.faults:
            value = _without(value, mask)
        return value

    def forget(self, mask: pl.Series) -> None:
        """Take the values of the mask for none of the type."""
        self._value = _without(self.value, mask)

    def note(self, rule: str, mask: pl.Series) -> None:
        """Keep the mask if any row is at fault; a null is no fault."""
        if mask.any():
            self.faults.append((rule, mask.fill_null(False)))


class _Spread(Checked):
    """A column of which only the different cells were checked; `codes` says which of them each row holds."""

    def __init__(self, distinct: Checked, codes: pl.Series) -> None:
        self._distinct, self._codes = distinct, codes
        self.faults = [(rule, mask.gather(codes)) for rule, mask in distinct.faults]

    @cached_property
    def value(self) -> pl.Series:
        return self._distinct.value.gather(self._codes)

    @cached_property
    def present(self) -> pl.Series:
        if self._distinct.present.all():
            return pl.repeat(True, len(self._codes), dtype=pl.Boolean, eager=True)
        return self._distinct.present.gather(self._codes)

    def holding(self) -> pl.Series:
        return self._distinct.holding().gather(self._codes)


def check_text_column(
    column: Column,
    sent: Cells,
    *,
    repetition: Repetition | None = None,
    references: pl.Series | None = None,
    demand: bool = True,
) -> Checked:
    """Check the texts of a column.

    repetition: of the column, from batch to batch; without one every cell is looked at. demand: whether a missing
    required value is a fault.
    """
    parts = repetition.distinct(sent) if repetition is not None else None
    if parts is None:
        return _check_texts(column, sent, references, demand=demand)
    distinct, codes = parts
    return _Spread(_check_texts(column, distinct, references, demand=demand), codes)


def _check_texts(column: Column, sent: Cells, references: pl.Series | None, *, demand: bool) -> Checked:
    if column.missing_values or (column.type == "string" and not column.identifier):
        neat = sent.neat and not column.missing_values
        text = sent.series if neat else _trimmed(column, sent.series)
        checked = Checked(_typed(column, text), text.is_not_null())
    elif column.identifier:
        checked = _identified(column, column.identifier, sent)
    else:
        present, value = _typed_as_sent(column, sent.series)
        checked = Checked(value, present)
    present = checked.present
    if column.required and demand and not present.all():
        checked.faults.insert(0, ("required", ~present))
    if not column.identifier or column.missing_values:
        value = checked.value
        if value.null_count() > len(present) - (present.sum() or 0):
            checked.note("identifier" if column.identifier else "type-error", present & value.is_null())
    _constraints(column, checked, references)
    return checked


def _identified(column: Column, kind: str, sent: Cells) -> Checked:
    """A column of identifiers: the cells that are not canonical as they stand are tidied and looked at again."""
    good = canonical(kind, sent)
    present = pl.repeat(True, len(sent), dtype=pl.Boolean, eager=True)
    if good.all():
        return Checked(lambda: sent.series, present)
    rest = (~good).arg_true()
    text = _trimmed(column, sent.filter(~good))
    value = normalise_series(kind, text)
    if text.null_count():
        present = present.scatter(rest, text.is_not_null())

    def whole() -> pl.Series:
        if value.null_count() == len(value):
            return _without(sent.series, ~good)
        return sent.series.clone().scatter(rest, value)

    checked = Checked(whole, present)
    wrong = text.is_not_null() & value.is_null()
    if wrong.any():
        checked.note("identifier", pl.repeat(False, len(sent), eager=True).scatter(rest, wrong))
    return checked


def _typed_as_sent(column: Column, sent: pl.Series) -> tuple[pl.Series, pl.Series]:
    """(present, value), trimming only the cells that cannot be read as they are.

    No layout or number begins or ends with white space, so a cell that can be read needs no trim.
    """
    present, value = sent.is_not_null(), _typed(column, sent)
    unread = present & value.is_null()
    if not unread.any():
        return present, value
    text = _trimmed(column, sent.filter(unread))
    places = unread.arg_true()
    return present.scatter(places, text.is_not_null()), value.clone().scatter(places, _typed(column, text))


def check_typed_column(
    column: Column,
    value: Cells | pl.Series,
    *,
    repetition: Repetition | None = None,
    references: pl.Series | None = None,
) -> Checked:
    """Check typed values again: what a column of accepted rows may hold, no more. value: Cells if it is of texts."""
    if isinstance(value, pl.Series):
        return _check_values(column, value, references)
    parts = repetition.distinct(value) if repetition is not None else None
    if parts is None:
        return _check_typed_texts(column, value, references)
    return _Spread(_check_typed_texts(column, parts[0], references), parts[1])


def _check_typed_texts(column: Column, cells: Cells, references: pl.Series | None) -> Checked:
    present = pl.Series(cells.array.is_valid())
    checked = Checked(lambda: cells.series, present)
    if column.required:
        checked.note("required", ~present)
    if column.identifier and not column.missing_values:
        # A canonical form is the only one that stays as it is when tidied.
        checked.note("identifier", ~canonical(column.identifier, cells) & present)
    elif column.missing_values or not cells.neat:
        text = _trimmed(column, cells.series)
        if column.identifier:
            checked.note("identifier", ~normalise_series(column.identifier, text).eq_missing(cells.series))
        else:
            checked.note("type-error", ~text.eq_missing(cells.series))
    _constraints(column, checked, references)
    return checked


def _check_values(column: Column, value: pl.Series, references: pl.Series | None) -> Checked:
    present = value.is_not_null()
    checked = Checked(value, present)
    if column.required:
        checked.note("required", ~present)
    if column.type == "number":
        checked.note("type-error", ~value.is_finite())
    elif column.type in ("date", "timestamp"):
        outside = out_of_calendar(value)
        checked.note("type-error", outside)
        checked.forget(outside)
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


def _alike(references: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Those of another dataset's values that this column could hold: of another type, it refers to none of them."""
    try:
        return references.cast(dtype, strict=False).drop_nulls()
    except pl.exceptions.PolarsError:  # it names the values in its words: they go nowhere
        return pl.Series([], dtype=dtype)


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
        checked.note("foreign-key", ~value.is_in(_alike(references, value.dtype).implode()))


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
