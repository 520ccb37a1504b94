"""The household view: who lives there, which services are in touch, what the needs answers say and why.

Coverage dates and last updates stand beside everything: what a service does not show may only be what it has not
sent. There is no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hub_schemas import Contract

__all__ = [
    "Contact",
    "HouseholdView",
    "Member",
    "Need",
    "NeedsAnswers",
    "contact",
    "members",
    "needs_answers",
]


@dataclass(frozen=True, repr=False)
class Member:
    """A person of the household, with the best-known values."""

    person_id: str
    forename: str
    surname: str
    date_of_birth: date | str | None
    sex: str
    datasets: int

    def age(self, on: date) -> int | None:
        """Age in whole years; None where the date of birth is not known, or the agreement gives it coarsely (text)."""
        if not isinstance(self.date_of_birth, date):
            return None
        born = self.date_of_birth
        return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


@dataclass(frozen=True, repr=False)
class Contact:
    """A service that holds rows about the household; `rows` are the agreed columns, newest first."""

    contract: str
    title: str
    organisation: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    last_update: datetime
    period_start: str | None
    period_end: str | None


@dataclass(frozen=True, repr=False)
class Need:
    """One question of a ruleset with its answer and the evidence behind it."""

    title: str
    answer: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class NeedsAnswers:
    """What the families plugin answered for a household, and when."""

    ruleset: str
    as_at: str
    eligible: str
    needs: tuple[Need, ...]
    isolation: str


@dataclass(repr=False)
class HouseholdView:
    """The whole picture of one household.

    Services that are not in touch are named, with their titles, by why: they hold no record about the household, the
    agreement gives them but they have sent nothing that could be linked, or the agreement does not give them.
    """

    household_id: str
    members: list[Member] = field(default_factory=list)
    postcode: str = ""
    uprn: str = ""
    contacts: list[Contact] = field(default_factory=list)
    not_in_touch: list[str] = field(default_factory=list)
    not_covered: list[str] = field(default_factory=list)
    answers: NeedsAnswers | None = None
    nothing_sent: list[str] = field(default_factory=list)


def members(people: pa.Table, household_id: str) -> list[Member]:
    """The people of a household, oldest first."""
    rows = people.filter(pc.equal(people["household_id"], household_id)).to_pylist()
    found = [
        Member(
            row["person_id"], row["forename"] or "", row["surname"] or "", row["date_of_birth"], row["sex"] or "",
            row["datasets"] or 0,
        )
        for row in rows
    ]  # fmt: skip
    # ISO dates and the months and years made from them sort as text; age bands only by their first digits
    return sorted(found, key=lambda member: (str(member.date_of_birth or "~"), member.forename))


def contact(
    contract: Contract, organisation: str, table: pa.Table, person_of_row: dict[int, str], accepted_at: datetime,
    period: tuple[str | None, str | None], columns: Sequence[str],
) -> Contact | None:  # fmt: skip
    """What one service holds about the people, or None when it holds nothing.

    `table` has `row_number` and the agreed columns; `person_of_row` says which rows are the household's.
    """
    wanted = pa.array(sorted(person_of_row), pa.int64())
    rows = table.filter(pc.is_in(table["row_number"], wanted)).to_pylist()
    if not rows:
        return None
    order = contract.coverage_column if contract.coverage_column in columns else None
    if order:
        rows.sort(key=lambda row: str(row[order] or ""), reverse=True)
    shown = tuple(
        {"person_id": person_of_row[row["row_number"]], **{name: row[name] for name in columns}}
        for row in rows
    )
    return Contact(
        contract.id, contract.title, organisation, tuple(columns), shown, accepted_at, period[0], period[1]
    )


def needs_answers(
    table: pa.Table, household: str, titles: dict[str, str], isolation: str
) -> NeedsAnswers | None:
    """The families plugin's row of a household (by pseudonym) in words; None when it has none.

    `titles` maps each answer column of the plugin's output to the question it answers; the sentences behind the answer
    stand in the column of the same name with `_evidence`.
    """
    rows = table.filter(pc.equal(table["household_id"], household)).to_pylist()
    if not rows:
        return None
    row = rows[0]
    needs = tuple(
        Need(title, str(row[name] or "no data"), _lines(row[f"{name}_evidence"]))
        for name, title in titles.items()
    )
    return NeedsAnswers(
        str(row.get("ruleset") or ""),
        str(row.get("as_at") or ""),
        str(row.get("eligible") or ""),
        needs,
        isolation,
    )


def _lines(text: str | None) -> tuple[str, ...]:
    """The plugin's sentences of evidence, a line each."""
    return tuple(line.strip() for line in (text or "").split("; ") if line.strip())
