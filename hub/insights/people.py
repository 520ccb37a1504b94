"""Finding people in the hub's own people table, in the vault's memory."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hub.errors import Invalid

__all__ = ["SEARCH_KEYS", "Found", "PersonQuery", "find_people", "search_key"]

_MOST = 50
#: What people can be looked for by, the one that fewest share first.
SEARCH_KEYS = ("nhs_number", "uprn", "postcode", "date_of_birth")


@dataclass(frozen=True, repr=False)
class PersonQuery:
    """What a service user typed; all given parts must match."""

    forename: str = ""
    surname: str = ""
    date_of_birth: date | None = None
    nhs_number: str = ""
    uprn: str = ""
    postcode: str = ""

    def exact(self, name: str) -> Any:
        """What must stand in a column, in the form in which it stands there; None when nothing was asked of it."""
        value = getattr(self, name)
        return (_EXACT[name](value) if name in _EXACT else value) or None

    def check(self) -> None:
        """Refuse a search that would list half the borough.

        Raises:
            Invalid: saying what to add.
        """
        given = {item.name for item in fields(self) if getattr(self, item.name)}
        given -= {name for name in _EXACT if self.exact(name) is None}
        enough = given & {"nhs_number", "uprn", "postcode"} or {"surname", "date_of_birth"} <= given
        if not enough:
            raise Invalid("Give a surname with a date of birth, or an NHS number, a UPRN or a postcode.")


@dataclass(frozen=True, repr=False)
class Found:
    """A person that matched."""

    person_id: str
    household_id: str
    forename: str
    surname: str
    date_of_birth: date | str | None
    postcode: str


def search_key(query: PersonQuery) -> tuple[str, Any]:
    """The column that fewest people share of those that were asked for, and what must stand in it.

    Raises:
        Invalid: when the query is too wide.
    """
    query.check()
    return next((name, value) for name in SEARCH_KEYS if (value := query.exact(name)) is not None)


def find_people(people: pa.Table, query: PersonQuery) -> list[Found]:
    """People that match, at most 50, by surname and forename.

    Raises:
        Invalid: when the query is too wide or matches too many.
    """
    query.check()
    mask: Any = pa.array([True] * people.num_rows, pa.bool_())
    for name in (*_EXACT, "date_of_birth"):
        if (wanted := query.exact(name)) is not None:
            mask = pc.and_(mask, pc.fill_null(pc.equal(people[name], wanted), False))
    rows = people.filter(mask).to_pylist()
    for name in ("forename", "surname"):
        if wanted := _plain(getattr(query, name)):
            rows = [row for row in rows if _plain(row[name] or "").startswith(wanted)]
    if len(rows) > _MOST:
        raise Invalid(f"{len(rows)} people match; add a date of birth or a postcode.")
    found = [
        Found(
            row["person_id"], row["household_id"] or "", row["forename"] or "", row["surname"] or "",
            row["date_of_birth"], row["postcode"] or "",
        )
        for row in rows
    ]  # fmt: skip
    return sorted(
        found, key=lambda person: (person.surname.lower(), person.forename.lower(), person.person_id)
    )


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.strip().casefold())
    return re.sub(r"[^a-z]", "", folded)


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _postcode(text: str) -> str:
    joined = re.sub(r"\s", "", text).upper()
    return f"{joined[:-3]} {joined[-3:]}" if len(joined) > 4 else joined


_EXACT: dict[str, Callable[[str], str]] = {
    "nhs_number": _digits,
    "uprn": lambda text: _digits(text).lstrip("0"),
    "postcode": _postcode,
}
