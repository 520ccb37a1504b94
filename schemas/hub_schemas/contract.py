"""The contract: what one dataset must look like. Made by `load_contract` from ODCS YAML (see `odcs.py`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from hub_schemas.model import Column, Quality, RowRule

if TYPE_CHECKING:
    import marshmallow
    import pyarrow as pa

__all__ = ["Contract"]


@dataclass(frozen=True)
class Contract:
    """A contract, checked. Equal text gives an equal contract; `digest` names it."""

    id: str
    version: str
    title: str
    description: str
    domain: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    refusal_threshold: float
    text: str
    digest: str
    status: str = "active"
    usage: str = ""
    limitations: str = ""
    granularity: str = ""
    rules: tuple[RowRule, ...] = ()
    quality: tuple[Quality, ...] = ()
    unexpected_columns: Literal["ignore", "fault"] = "ignore"
    unique_together: tuple[tuple[str, ...], ...] = ()
    tags: tuple[str, ...] = ()
    coverage_column: str | None = None
    confidential_patient_information: bool = False

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    def column(self, name: str) -> Column:
        """The column of that canonical name.

        Raises:
            KeyError: naming the columns there are.
        """
        try:
            return self._by_name[name]
        except KeyError:
            names = ", ".join(self._by_name)
            raise KeyError(f"{self.id} has no column {name!r}; it has: {names}") from None

    def key_contract(self) -> Contract:
        """What a delivery that deletes rows must look like: the primary key's columns and nothing else.

        Its id, version and digest are this contract's own, for it is a part of it.

        Raises:
            ValueError: when the contract has no primary key, so that no row of it can be named.
        """
        if not self.primary_key:
            raise ValueError(f"{self.id} has no primary key, so its rows cannot be named one by one")
        columns = tuple(
            replace(self.column(name), required=True, unique=False, references=None)
            for name in self.primary_key
        )
        coverage = self.coverage_column if self.coverage_column in self.primary_key else None
        return replace(
            self, columns=columns, rules=(), quality=(), unique_together=(), unexpected_columns="ignore",
            coverage_column=coverage,
        )  # fmt: skip

    def arrow_schema(self) -> pa.Schema:
        """The Arrow schema of accepted rows (typed), without the row number."""
        from hub_schemas.arrow import arrow_schema

        return arrow_schema(self.columns)

    def marshmallow_schema(self) -> type[marshmallow.Schema]:
        """The marshmallow schema for one record: the reference meaning of the contract."""
        from hub_schemas.record import marshmallow_schema

        return marshmallow_schema(self)
