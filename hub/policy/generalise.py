"""What an agreement gives less exactly than it was sent: ages in bands, months for days, the first part of a postcode.

An agreement writes `generalise:` with a kind for each column. Only the words of the kinds and their checks stand
here; `hub.vault.generalise` makes the values. A generalised value is always text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["KINDS", "TOP_AGE", "Generalisation", "of_columns", "parse"]

#: From this age on, all ages are one band.
TOP_AGE: Final = 90

#: What can be written, with an example where a number belongs in it, and the contract types each kind works on.
KINDS: Final = {
    "age band 5": ("date", "timestamp"), "age band 10": ("date", "timestamp"), "month": ("date", "timestamp"),
    "year": ("date", "timestamp"), "sector": ("string",), "district": ("string",),
    "area": ("string",),
    "band 50": ("integer", "number"),
}  # fmt: skip

_AGE = re.compile(r"age band (5|10)")
_BAND = re.compile(r"band ([2-9]|[1-9][0-9]{1,8})")
_SIMPLE = ("month", "year", "sector", "district", "area")


@dataclass(frozen=True)
class Generalisation:
    """How one column is given: `kind` is age, month, year, sector, district, area or band; `width` that of a band."""

    column: str
    kind: str
    width: int = 0

    @property
    def types(self) -> tuple[str, ...]:
        """The types of a contract's column that this works on."""
        return KINDS[{"age": "age band 5", "band": "band 50"}.get(self.kind, self.kind)]

    @property
    def words(self) -> str:
        """How pages and messages say it."""
        return {
            "age": f"age in bands of {self.width} years, {TOP_AGE} and over together",
            "band": f"bands of {self.width}", "month": "month", "year": "year",
            "sector": "postcode sector", "district": "postcode district",
            "area": "small statistical area (LSOA)",
        }[self.kind]  # fmt: skip


def parse(column: str, text: str) -> Generalisation:
    """The generalisation that an agreement writes.

    Raises:
        ValueError: saying what can be written.
    """
    if text in _SIMPLE:
        return Generalisation(column, text)
    if found := _AGE.fullmatch(text):
        return Generalisation(column, "age", int(found[1]))
    if found := _BAND.fullmatch(text):
        return Generalisation(column, "band", int(found[1]))
    raise ValueError(f"write one of {', '.join(KINDS)} (any whole number in place of the 50)")


def of_columns(items: Sequence[Generalisation], columns: frozenset[str]) -> tuple[Generalisation, ...]:
    """Those about some columns, each once, in the order of their names."""
    return tuple(sorted({item for item in items if item.column in columns}, key=lambda item: item.column))
