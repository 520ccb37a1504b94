"""The national data opt-out: which rows go before anybody plans with them, and how to say how many.

Pure. Whoever is on the list has no row left in what a run reads of confidential patient information. A row that cannot
be checked, because nobody knows its person's NHS number, goes too.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LIST_CONTRACT", "figure", "kept_rows", "numbers_of"]

#: The contract under which NHS bodies publish who has opted out.
LIST_CONTRACT: Final = "health.opt_outs"
_LEAST: Final = 10
_ROUND: Final = 5


def numbers_of(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    """NHS numbers in one form: their ten digits, null where there are not ten or the check digit is wrong."""
    import pyarrow as pa

    from hub_schemas.identifiers import is_valid

    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    encoded = array.cast(pa.string()).dictionary_encode()
    plain: list[str | None] = []
    for value in encoded.dictionary.to_pylist():
        digits = "".join(sign for sign in value or "" if sign in "0123456789")
        plain.append(digits if len(digits) == 10 and is_valid("nhs-number", digits) else None)
    return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(plain, pa.string())).cast(pa.string())


def kept_rows(numbers: pa.Array, opted_out: Collection[str]) -> pa.Array:
    """For each row whether it stays: its NHS number is known and not on the list."""
    import pyarrow as pa
    import pyarrow.compute as pc

    listed = pc.is_in(numbers, pa.array(sorted(opted_out), pa.string()))
    return pc.and_(pc.is_valid(numbers), pc.invert(listed))


def figure(rows: int) -> str:
    """How many rows went, in words that point at nobody: fewer than 10, or about so many to the nearest 5."""
    return "fewer than 10" if rows < _LEAST else f"about {_ROUND * round(rows / _ROUND):,}"
