"""Makes values less exact, where a grant says so: what leaves the vault is already coarse.

Every generalised column is text. A value that has no coarse form (a postcode that is none, a birth after the day in
question) becomes null: never the value itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from hub.errors import Conflict
from hub.policy.decide import Grant
from hub.policy.generalise import TOP_AGE, Generalisation
from hub.vault.geography import Areas

__all__ = ["generalise"]

_POSTCODE: Final = r"^(?P<district>[A-Z]{1,2}[0-9][A-Z0-9]?)(?P<sector>[0-9])[A-Z]{2}$"


def generalise(table: pa.Table, grant: Grant, areas: Areas) -> pa.Table:
    """The table with each column as the grant gives it: text where it is coarse, as stored otherwise.

    `areas` says where postcodes lie, for columns that are given as small areas.

    Raises:
        Conflict: when a column has a type that cannot be made coarse in the agreed way: nothing is given then.
    """
    known = _Known(grant.on, areas)
    for item in grant.coarse:
        if item.column in table.column_names:
            place = table.column_names.index(item.column)
            table = table.set_column(place, item.column, _coarse(table[item.column], item, known))
    return table


@dataclass(frozen=True)
class _Known:
    """What a coarse value may depend on besides the exact one: the day in question, and where postcodes lie."""

    on: date | None
    areas: Areas


def _coarse(values: pa.ChunkedArray, item: Generalisation, known: _Known) -> pa.ChunkedArray:
    fits, make = _MAKERS[item.kind]
    if not fits(values.type) or (item.kind == "age" and known.on is None):
        raise Conflict(
            f"The agreement gives {item.column} as {item.words}, and this dataset has it as {values.type}, which "
            "cannot be given so. Draft the agreement anew."
        )
    return make(values, item, known).cast(pa.string())


def _age(values: pa.ChunkedArray, item: Generalisation, known: _Known) -> pa.ChunkedArray:
    """Whole years on a day, in bands; somebody born on 29 February is a year older on 1 March of common years."""
    day = known.on or date.max  # `_coarse` has seen that there is one
    born = values.cast(pa.date32())
    day_of_year = pc.add(pc.multiply(pc.month(born), 100), pc.day(born))
    later = pc.cast(pc.greater(day_of_year, day.month * 100 + day.day), pa.int64())
    age = pc.subtract(pc.subtract(day.year, pc.year(born)), later)
    age = pc.if_else(pc.less(age, 0), pa.scalar(None, pa.int64()), age)
    lowest = pc.multiply(pc.divide(age, item.width), item.width)
    band = pc.binary_join_element_wise(
        lowest.cast(pa.string()), pc.add(lowest, item.width - 1).cast(pa.string()), " to "
    )
    return pc.if_else(pc.greater_equal(age, TOP_AGE), f"{TOP_AGE} and over", band)


def _month(values: pa.ChunkedArray, item: Generalisation, known: _Known) -> pa.ChunkedArray:
    day = values.cast(pa.date32())
    month = pc.utf8_lpad(pc.month(day).cast(pa.string()), 2, "0")
    return pc.binary_join_element_wise(_year(day, item, known), month, "-")


def _year(values: pa.ChunkedArray, item: Generalisation, known: _Known) -> pa.ChunkedArray:
    return pc.utf8_lpad(pc.year(values.cast(pa.date32())).cast(pa.string()), 4, "0")


def _postcode(values: pa.ChunkedArray, item: Generalisation, known: _Known) -> pa.ChunkedArray:
    parts = pc.extract_regex(_without_spaces(values), _POSTCODE)
    district = pc.struct_field(parts, "district")
    if item.kind == "district":
        return district
    return pc.binary_join_element_wise(district, pc.struct_field(parts, "sector"), " ")


def _area(values: pa.ChunkedArray, item: Generalisation, known: _Known) -> pa.ChunkedArray:
    return pa.chunked_array([known.areas.of(_without_spaces(values).combine_chunks())])


def _without_spaces(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.replace_substring_regex(pc.utf8_upper(values.cast(pa.string())), r"\s+", "")


def _band(values: pa.ChunkedArray, item: Generalisation, known: _Known) -> pa.ChunkedArray:
    whole = pa.types.is_integer(values.type)
    encoded = values.combine_chunks().dictionary_encode()
    bands = pa.array(
        [_band_of(one, item.width, whole) for one in encoded.dictionary.to_pylist()], pa.string()
    )
    return pa.chunked_array([bands.take(encoded.indices)], pa.string())


def _band_of(value: float | Decimal | None, width: int, whole: bool) -> str | None:
    if value is None or not math.isfinite(value):
        return None
    lowest = math.floor(value / width) * width if not whole else int(value) // width * width
    return f"{lowest} to {lowest + width - 1}" if whole else f"{lowest} to under {lowest + width}"


def _is_day(kind: pa.DataType) -> bool:
    return pa.types.is_date(kind) or pa.types.is_timestamp(kind)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


_Make = Callable[[pa.ChunkedArray, Generalisation, _Known], pa.ChunkedArray]
#: Kind -> which types it is made from, and how.
_MAKERS: Final[dict[str, tuple[Callable[[pa.DataType], bool], _Make]]] = {
    "age": (_is_day, _age), "month": (_is_day, _month), "year": (_is_day, _year), "sector": (_is_text, _postcode),
    "district": (_is_text, _postcode), "area": (_is_text, _area), "band": (_is_number, _band),
}  # fmt: skip
