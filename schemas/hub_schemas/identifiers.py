"""British identifiers: checked and brought to one form, a text or a polars column at a time.

    normalise("nhs-number", "943 476 5919") == "9434765919"
    frame.with_columns(normalise_expr("postcode", pl.col("postcode")))

The kinds and their rules are in `identifier_kinds.py`. polars is loaded only where a column is checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_schemas.identifier_kinds import KINDS, Kind, display, is_valid, normalise

if TYPE_CHECKING:
    import polars as pl

__all__ = ["KINDS", "Kind", "display", "is_valid", "normalise", "normalise_expr", "normalise_series"]


def normalise_series(kind: str, values: pl.Series) -> pl.Series:
    """Canonical forms of a String series; null where the value is missing or not of that kind."""
    from hub_schemas.identifiers_columnar import normalise_series as columnar

    return columnar(kind, values)


def normalise_expr(kind: str, values: pl.Expr) -> pl.Expr:
    """The same as an expression over a String column (elementwise, String out)."""
    import polars as pl

    return values.map_batches(
        lambda series: normalise_series(kind, series), return_dtype=pl.String, is_elementwise=True
    )
