"""Data contracts of the JoinedUp Hub: what a dataset must look like, and the validators that check it.

    from hub_schemas import Checker, library
    checker = Checker(library.load("schools.attendance"))
    outcome = checker.check_text(rows)     # rows: a polars frame of texts, as read from the source
    whole = checker.finish()               # faults of the dataset as a whole

Importing this package loads neither polars nor pyarrow; `Checker`, `Outcome` and `FAULT_SCHEMA` do when used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_schemas import library
from hub_schemas.contract import Contract
from hub_schemas.model import Column
from hub_schemas.odcs import load_contract
from hub_schemas.problems import ContractError

if TYPE_CHECKING:
    from hub_schemas.arrow import FAULT_SCHEMA
    from hub_schemas.columnar import BatchError, Checker, Outcome

__version__ = "0.1.0"

__all__ = [
    "FAULT_SCHEMA",
    "BatchError",
    "Checker",
    "Column",
    "Contract",
    "ContractError",
    "Outcome",
    "library",
    "load_contract",
]


def __getattr__(name: str) -> Any:
    if name == "FAULT_SCHEMA":
        from hub_schemas.arrow import FAULT_SCHEMA

        return FAULT_SCHEMA
    if name in ("Checker", "Outcome", "BatchError"):
        from hub_schemas import columnar

        return getattr(columnar, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
