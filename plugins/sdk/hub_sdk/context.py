"""The run context: everything a plugin may use while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hub_sdk import checks
from hub_sdk.manifest import Manifest
from hub_sdk.parameters import Value

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Coverage:
    """What an input covers: show it beside every figure, so that silence is not read as absence.

    `rows` in the table, `as_at` the day its newest version was accepted, and the first and last day it is
    about (None where the contract has no date to tell it by).
    """

    rows: int
    as_at: date | None = None
    period_start: date | None = None
    period_end: date | None = None

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        days = {name: getattr(self, name) for name in ("as_at", "period_start", "period_end")}
        return {"rows": self.rows, **{name: day and day.isoformat() for name, day in days.items()}}

    @classmethod
    def from_json(cls, data: object, place: str = "") -> Coverage:
        """The checked opposite of `to_json`; raises `FormatError`."""
        days = ("as_at", "period_start", "period_end")
        given = checks.fields(place, data, ("rows",), days)
        found = {
            name: checks.day(checks.inside(place, name), given[name])
            for name in days
            if given.get(name) is not None
        }
        return cls(rows=checks.whole(checks.inside(place, "rows"), given["rows"], least=0), **found)


class Context:
    """The agreed tables, the parameters, and a way to say how far the run is.

    `parameters`: every parameter of the manifest with its value. `seed`: use it wherever chance plays a
    part. `today`: the date the run is as at; use it and never the clock, so that a run can be repeated.
    `scratch`: an empty folder that vanishes after the run. Tables are shared, not copied: do not write into
    their buffers.
    """

    def __init__(
        self,
        manifest: Manifest,
        tables: Mapping[str, pa.Table],
        *,
        parameters: Mapping[str, Value],
        seed: int,
        today: date,
        scratch: Path,
        coverage: Mapping[str, Coverage] | None = None,
        on_progress: Callable[[float, str], None] | None = None,
        on_log: Callable[[str], None] | None = None,
        memory_mb: int = 0,
    ) -> None:
        self._inputs = {item.name: item for item in manifest.inputs}
        self._tables = {self._known(name): table for name, table in tables.items()}
        self._coverage = {self._known(name): item for name, item in (coverage or {}).items()}
        self._on_progress = on_progress
        self._on_log = on_log
        self._memory_mb = memory_mb
        self._connection: duckdb.DuckDBPyConnection | None = None
        self.parameters: Mapping[str, Value] = MappingProxyType(dict(parameters))
        self.seed = seed
        self.today = today
        self.scratch = scratch

    def _known(self, name: str) -> str:
        if name not in self._inputs:
            raise KeyError(
                f"no input is called {name!r}; the manifest has: {', '.join(self._inputs) or 'none'}"
            )
        return name

    def has(self, name: str) -> bool:
        """Whether the table of this input is there. KeyError for a name the manifest does not have."""
        return self._known(name) in self._tables

    def table(self, name: str) -> pa.Table | None:
        """The table of this input, its columns `Input.column_names`; None if it is optional and absent."""
        return self._tables.get(self._known(name))

    def polars(self, name: str) -> pl.DataFrame | None:
        """The same as a polars data frame, without copying where polars can; None if absent."""
        table = self.table(name)
        if table is None:
            return None
        import polars

        return polars.DataFrame(table)

    def pandas(self, name: str) -> pd.DataFrame | None:
        """The same as a pandas data frame (a copy, with dates as objects); None if absent."""
        table = self.table(name)
        return None if table is None else table.to_pandas()

    def duckdb(self) -> duckdb.DuckDBPyConnection:
        """A connection to an in-memory DuckDB that knows each present table by its input's name.

        The same connection at each call, closed after the run; it loads no extensions. Fetch results as
        Arrow with `connection.sql(query).to_arrow_table()`, and keep no relations beyond that.
        """
        if self._connection is None:
            import duckdb

            config: dict[str, str | bool | int | float | list[str]] = {
                "temp_directory": str(self.scratch / "duckdb"),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            }
            if self._memory_mb:
                # The rest is for the interpreter and for what the plugin makes of the results.
                config["memory_limit"] = f"{self._memory_mb * 6 // 10}MiB"
            connection = duckdb.connect(":memory:", config=config)
            for name, table in self._tables.items():
                connection.register(name, table)
            self._connection = connection
        return self._connection

    def coverage(self, name: str) -> Coverage | None:
        """What the table of this input covers; None if it is absent."""
        return self._coverage.get(self._known(name))

    def progress(self, fraction: float, message: str = "") -> None:
        """Tell how much is done (0 to 1, held to these ends) and what is being done. No personal data."""
        if self._on_progress is not None:
            self._on_progress(min(1.0, max(0.0, float(fraction))), str(message))

    def log(self, message: str) -> None:
        """Add a line to the run's log, for whoever looks into it later. No personal data."""
        if self._on_log is not None:
            self._on_log(str(message))

    def close(self) -> None:
        """Close what was opened; the worker and the test harness call it after the run."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
