"""The parts of a contract as typed and frozen values: columns, rules across them, checks of the whole.

Everything a validator needs is in these classes, so the record path (`record.py`) and the columnar path
(`columnar.py`) work from the same facts. Nothing here reads a file or loads a heavy package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

__all__ = [
    "CLASSIFICATIONS",
    "DEFAULT_DATE_FORMATS",
    "DEFAULT_TIMESTAMP_FORMATS",
    "LINKAGE_ROLES",
    "OPERATORS",
    "BothOrNeither",
    "Cell",
    "Column",
    "NotBefore",
    "NotMoreThan",
    "Quality",
    "Reference",
    "RequiredWhen",
    "RowRule",
    "Type",
]

Type = Literal["string", "integer", "number", "boolean", "date", "timestamp"]
#: A typed cell value; None is a missing one.
Cell = str | int | float | bool | date | datetime | None

CLASSIFICATIONS: Final = ("open", "official", "personal", "special-category")
LINKAGE_ROLES: Final = (
    "forename", "surname", "full_name", "date_of_birth", "sex", "postcode", "uprn", "address",
    "nhs_number", "nino", "upn",
)  # fmt: skip
DEFAULT_DATE_FORMATS: Final = ("%Y-%m-%d",)
DEFAULT_TIMESTAMP_FORMATS: Final = (
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%d %H:%M:%S.%f%z",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
)


@dataclass(frozen=True, slots=True)
class Reference:
    """The values of a column must stand in a column of another dataset."""

    dataset: str
    column: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a contract.

    `name` is the canonical name; `source_name` the header in the source (may be the empty string).
    `minimum` and `maximum` hold typed values (numbers, dates or aware UTC timestamps), the `exclusive_*`
    ones likewise. `formats` are the accepted layouts of dates and timestamps (see `layouts.py`), tried in
    order. `about_others`: the column says something about somebody else than the person whose row it is.
    """

    name: str
    source_name: str
    type: Type
    description: str = ""
    title: str = ""
    required: bool = False
    unique: bool = False
    classification: str = "official"
    identifier: str | None = None
    linkage_role: str | None = None
    formats: tuple[str, ...] = ()
    timezone: str = "UTC"
    pattern: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    minimum: Cell = None
    maximum: Cell = None
    exclusive_minimum: Cell = None
    exclusive_maximum: Cell = None
    enum: tuple[Cell, ...] = ()
    missing_values: tuple[str, ...] = ()
    references: Reference | None = None
    examples: tuple[str, ...] = ()
    about_others: bool = False

    @property
    def is_personal(self) -> bool:
        """Whether values of this column must be masked wherever they are shown."""
        return self.classification in ("personal", "special-category")


@dataclass(frozen=True, slots=True)
class BothOrNeither:
    """Either every one of these columns has a value in a row, or none has."""

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotBefore:
    """Where both have a value, `later` must not be less than `earlier` (both of one ordered type)."""

    later: str
    earlier: str


@dataclass(frozen=True, slots=True)
class RequiredWhen:
    """`column` must have a value in rows where `when` has one of `values` (typed as that column)."""

    column: str
    when: str
    values: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class NotMoreThan:
    """Where both have a value, `column` must not be more than `than` (both numbers or both integers)."""

    column: str
    than: str


RowRule = BothOrNeither | NotBefore | NotMoreThan | RequiredWhen


@dataclass(frozen=True, slots=True)
class Quality:
    """A check of the whole dataset, evaluated when every row has been seen.

    metric: rowCount | nullValues | missingValues | invalidValues | duplicateValues | freshness. The measured
    figure is a count of rows, or a percentage of them with `unit == "percent"`; for freshness it is the age
    in days of the newest value. It must satisfy `operator` (for example `mustBeLessThan`) with `operands`.
    """

    metric: str
    operator: str
    operands: tuple[float, ...]
    unit: Literal["rows", "percent", "days"] = "rows"
    columns: tuple[str, ...] = ()
    values: tuple[Cell, ...] = ()
    blocking: bool = True
    description: str = ""


#: How a measured figure is compared, by the names of the standard's operators.
OPERATORS: Final[dict[str, Callable[[float, tuple[float, ...]], bool]]] = {
    "mustBe": lambda value, to: value == to[0],
    "mustNotBe": lambda value, to: value != to[0],
    "mustBeGreaterThan": lambda value, to: value > to[0],
    "mustBeGreaterOrEqualTo": lambda value, to: value >= to[0],
    "mustBeLessThan": lambda value, to: value < to[0],
    "mustBeLessOrEqualTo": lambda value, to: value <= to[0],
    "mustBeBetween": lambda value, to: to[0] <= value <= to[1],
    "mustNotBeBetween": lambda value, to: not to[0] <= value <= to[1],
}
