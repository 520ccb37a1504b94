"""Builders for worked cases.

A household, the rows that departments hold about it, and the answers it gets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from joinedup_families.engine import Result, evaluate
from joinedup_families.ruleset import load_ruleset
from joinedup_families.sources import Source, Sources

AS_AT = date(2026, 6, 30)
TERMS = (date(2025, 9, 1), date(2026, 1, 5), date(2026, 4, 13))
CHILD = date(2014, 5, 1)  # 12 years old
ADULT = date(1985, 2, 3)

PEOPLE = {"person_id": pl.String, "household_id": pl.String, "date_of_birth": pl.Date}
LINK = {"person_id": pl.String, "household_id": pl.String}
ATTENDANCE = LINK | {
    "term_start": pl.Date,
    "sessions_possible": pl.Int64,
    "absence_authorised": pl.Int64,
    "absence_unauthorised": pl.Int64,
    "fixed_exclusions": pl.Int64,
    "permanent_exclusion": pl.Boolean,
    "on_roll": pl.Boolean,
    "provision": pl.String,
}
INCIDENTS = LINK | {
    "occurred_at": pl.Datetime("us", "UTC"),
    "category": pl.String,
    "involved_role": pl.String,
    "outcome": pl.String,
}
CLAIMS = LINK | {"out_of_work": pl.Boolean, "start_date": pl.Date, "end_date": pl.Date}
CHILDREN = LINK | {"status": pl.String, "start_date": pl.Date, "end_date": pl.Date}


@dataclass
class Case:
    """A borough of one or few households; every method adds rows and returns the case."""

    people: list[dict[str, Any]] = field(default_factory=list)
    attendance: list[dict[str, Any]] = field(default_factory=list)
    incidents: list[dict[str, Any]] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    children: list[dict[str, Any]] = field(default_factory=list)
    without: set[str] = field(default_factory=set)
    covers: dict[str, tuple[date | None, date | None, date | None]] = field(default_factory=dict)

    def person(self, person_id: str, born: date | None, household: str | None = "H1") -> Case:
        self.people.append({"person_id": person_id, "household_id": household, "date_of_birth": born})
        return self

    def family(self, household: str = "H1") -> Case:
        """A parent and a child of twelve with an ordinary school year; no other record."""
        parent, child = (
            ("adult", "child") if household == "H1" else (f"adult-{household}", f"child-{household}")
        )
        return self.person(parent, ADULT, household).person(child, CHILD, household).school(child)

    def school(self, person_id: str, terms: tuple[date, ...] = TERMS, **values: Any) -> Case:
        """A row a term; replaces the rows this person had in these terms."""
        self.attendance = [
            row for row in self.attendance if row["person_id"] != person_id or row["term_start"] not in terms
        ]
        ordinary = {
            "sessions_possible": 120,
            "absence_authorised": 4,
            "absence_unauthorised": 1,
            "fixed_exclusions": 0,
            "permanent_exclusion": False,
            "on_roll": True,
            "provision": "mainstream",
        }
        self.attendance += [
            {"person_id": person_id, "term_start": term, **ordinary, **values} for term in terms
        ]
        return self

    def incident(self, person_id: str | None, on: date = date(2026, 3, 4), **values: Any) -> Case:
        row = {"category": "theft", "involved_role": "suspect", "outcome": "no further action", **values}
        moment = datetime(on.year, on.month, on.day, 12, 30)
        self.incidents.append({"person_id": person_id, "occurred_at": moment, **row})
        return self

    def claim(self, person_id: str, start: date | None = date(2025, 11, 1), **values: Any) -> Case:
        row = {"out_of_work": True, "end_date": None, **values}
        self.claims.append({"person_id": person_id, "start_date": start, **row})
        return self

    def case(self, person_id: str, start: date = date(2026, 2, 1), **values: Any) -> Case:
        row = {"status": "child in need", "end_date": None, **values}
        self.children.append({"person_id": person_id, "start_date": start, **row})
        return self

    def sources(self) -> Sources:
        """The sources as departments with a full window hold them, but for what the case says."""
        window = (date(2023, 7, 1), AS_AT, AS_AT)
        frames = {
            "schools.attendance": (self.attendance, ATTENDANCE),
            "police.incidents": (self.incidents, INCIDENTS),
            "benefits.claims": (self.claims, CLAIMS),
            "children.in_need": (self.children, CHILDREN),
        }
        return Sources(
            {
                name: Source(name, pl.DataFrame(rows, schema=schema), *self.covers.get(name, window))
                for name, (rows, schema) in frames.items()
                if name not in self.without
            }
        )

    def run(self, as_at: date = AS_AT, look_back: int | None = None, **choices: str) -> Result:
        ruleset = load_ruleset("TF-2012", choices, look_back)
        return evaluate(ruleset, pl.DataFrame(self.people, schema=PEOPLE), self.sources(), as_at)

    def answers(self, household: str = "H1", **settings: Any) -> dict[str, Any]:
        """The row of one household."""
        found = self.run(**settings).households.filter(pl.col("household_id") == household)
        assert found.height == 1, f"household {household} is not in the population"
        return found.row(0, named=True)


@pytest.fixture
def case() -> Case:
    """An empty borough."""
    return Case()


@pytest.fixture
def family() -> Case:
    """A parent and a child of twelve with an ordinary school year, and no other record."""
    return Case().family()


@pytest.fixture
def new_case() -> Callable[[], Case]:
    """Makes empty boroughs, for tests that need several."""
    return Case
