"""Faults planted on purpose: rows that break their contract, about one in a hundred.

Every fault has a kind and a column. Planting never makes a second fault in a row, and what it writes can
never be right by chance: a transposed check digit always fails modulo 11 or 23, and the texts below mean
nothing in their column.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hub.demo.borough.errors import swapped_digits
from hub.demo.borough.identifiers import Ints
from hub.demo.borough.sheets import Sheet

RATE = 0.01
Spoil = Callable[[str, Generator], str | None]


@dataclass(frozen=True)
class Fault:
    """A way to spoil one column: `spoil` gets the text of the row (never empty), gives what to write."""

    kind: str
    column: str
    spoil: Spoil


def _always(*texts: str) -> Spoil:
    return lambda text, rng: texts[int(rng.integers(len(texts)))]


def _empty(text: str, rng: Generator) -> None:
    return None


def _transposed(text: str, rng: Generator) -> str:
    return swapped_digits(text, rng)


def _impossible_day(text: str, rng: Generator) -> str:
    return f"{text[:4]}-02-30"


def _nino_with_letter_o(text: str, rng: Generator) -> str:
    at = int(rng.integers(2, 8))
    return text[:at] + "O" + text[at + 1 :]


def _without_space_or_end(text: str, rng: Generator) -> str:
    return text.replace(" ", "")[:-1]


def _negative(text: str, rng: Generator) -> str:
    return f"-{text}" if float(text) > 0 else "-1"


_DATE = _always("unknown", "00/00/0000", "n/k")
_NUMBER = _always("n/a", "see notes", "#REF!")
_UPRN = _always("TBC", "99003120445X", "9900312044521")

FAULTS: dict[str, tuple[Fault, ...]] = {
    "schools.attendance": (
        Fault("check letter wrong", "upn", _transposed),
        Fault("impossible date", "date_of_birth", _impossible_day),
        Fault("not a date", "date_of_birth", _DATE),
        Fault("not a number", "absence_unauthorised", _NUMBER),
        Fault("required value missing", "surname", _empty),
        Fault("value not in the list", "provision", _always("mainstrm", "PRU/AP?", "home")),
    ),
    "children.in_need": (
        Fault("check digit wrong", "nhs_number", _transposed),
        Fault("impossible date", "date_of_birth", _impossible_day),
        Fault("value not in the list", "status", _always("CIN?", "open", "s.47 / EH")),
        Fault("not a date", "start_date", _DATE),
    ),
    "police.incidents": (
        Fault("value not in the list", "category", _always("A.S.B.", "other", "burg dwelling")),
        Fault("not a date", "occurred_at", _always("not recorded", "2025-13-45T99:00:00")),
        Fault("not a number", "minutes", _NUMBER),
        Fault("required value missing", "area", _empty),
        Fault("postcode incomplete", "postcode", _without_space_or_end),
    ),
    "police.time_recording": (
        Fault("not a number", "actual_hours", _NUMBER),
        Fault("value not in the list", "activity", _always("respnse", "misc")),
        Fault("negative", "actual_hours", _negative),
    ),
    "police.establishment": (
        Fault("not a number", "fte", _NUMBER),
        Fault("negative", "fte", _negative),
    ),
    "housing.tenancies": (
        Fault("impossible date", "date_of_birth", _impossible_day),
        Fault("not a number", "arrears", _NUMBER),
        Fault("value not in the list", "tenure", _always("leasehold?", "C", "shared")),
        Fault("not a UPRN", "uprn", _UPRN),
    ),
    "benefits.claims": (
        Fault("malformed", "nino", _nino_with_letter_o),
        Fault("impossible date", "date_of_birth", _impossible_day),
        Fault("value not in the list", "benefit", _always("UC/HB", "tax credit (old)")),
        Fault("required value missing", "start_date", _empty),
        Fault("postcode incomplete", "postcode", _without_space_or_end),
    ),
    "health.registrations": (
        Fault("check digit wrong", "nhs_number", _transposed),
        Fault("check digit wrong", "nhs_number", _transposed),
        Fault("impossible date", "date_of_birth", _impossible_day),
        Fault("malformed", "practice_code", _always("GP SURGERY", "Z9", "9000Z1")),
        Fault("value not in the list", "sex", _always("Female", "9", "not known")),
        Fault("not a UPRN", "uprn", _UPRN),
    ),
}
"""Ways to spoil each dataset; those named twice happen twice as often."""

KEYS: dict[str, tuple[str, ...]] = {
    "schools.attendance": ("upn", "term"),
    "children.in_need": ("case_id",),
    "police.incidents": ("incident_id",),
    "police.time_recording": ("team", "week_start", "activity"),
    "police.establishment": ("team", "month"),
    "housing.tenancies": ("tenancy_id", "person_number"),
    "benefits.claims": ("claim_id",),
    "health.registrations": ("local_id",),
}
"""Primary keys, as their contracts have them."""

_SAME_KEY = "key of an earlier row"


def plant(
    sheet: Sheet, rng: Generator, rate: float = RATE, *, spare_after: int | None = None
) -> list[tuple[int, str, str]]:
    """Spoil a share of the rows of `sheet` in place; gives row, column and kind of each fault.

    One fault in eight gives a row the key of the row before it, and so refuses the second of the two. Rows
    from `spare_after` on are left alone.
    """
    count = len(sheet) if spare_after is None else spare_after
    # Never above one and a half times the rate, so that small sheets stay below what a contract tolerates.
    wanted = min(int(rate * len(sheet) + rng.random()), int(1.5 * rate * len(sheet)))
    rows = np.sort(rng.choice(np.arange(1, count), size=min(wanted, count // 3), replace=False))
    planted = []
    taken: set[int] = set()
    for row in rows.tolist():
        done = _same_key(sheet, row, taken) if rng.random() < 1 / 8 else None
        done = done or _spoil(sheet, row, rng)
        if done:
            taken.add(row)
            planted.append((row, *done))
    return planted


def _spoil(sheet: Sheet, row: int, rng: Generator) -> tuple[str, str] | None:
    """Make one fault in a row, trying kinds in random order until one fits; its column and kind."""
    faults = FAULTS[sheet.dataset]
    for at in rng.permutation(len(faults)).tolist():
        fault = faults[at]
        text = sheet.columns[fault.column][row]
        if text is None:
            continue
        wrong = fault.spoil(text, rng)
        if wrong != text:
            sheet.columns[fault.column][row] = wrong
            return fault.column, fault.kind
    return None


def _same_key(sheet: Sheet, row: int, taken: set[int]) -> tuple[str, str] | None:
    """Give a row the key of the row before it, unless that one is at fault already."""
    if row - 1 in taken:
        return None
    key = KEYS[sheet.dataset]
    for column in key:
        sheet.columns[column][row] = sheet.columns[column][row - 1]
    return key[-1], _SAME_KEY


def positions(planted: list[tuple[int, str, str]]) -> Ints:
    """The rows of planted faults."""
    return np.array([row for row, _, _ in planted], dtype=np.int64)
