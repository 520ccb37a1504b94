"""A harness for plugin authors: run a plugin on your own tables with no hub, and check it is well made.

::

    result = run_plugin(Arrears, {"tenancies": read_csv("tenancies.csv")}, parameters={"weeks": 8})
    result.tables["households"].to_pylist()

    class TestConformance(PluginConformance):
        plugin = Arrears

        def tables(self):
            return {"tenancies": tenancies()}

`PluginConformance` needs pytest. Nothing here is sandboxed: the plugin runs in the process of the tests.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hub_sdk.context import Context, Coverage
from hub_sdk.loading import LoadedPlugin
from hub_sdk.manifest import Input, Manifest
from hub_sdk.report import Report
from hub_sdk.tables import OutputError, arrow_schema, conform_all

if TYPE_CHECKING:
    import pyarrow as pa

# A run as at this day unless the test says otherwise: tests must not depend on the clock.
TODAY = date(2026, 6, 30)


@dataclass(frozen=True)
class Result:
    """What a run gave: output tables in exactly their declared schema, the report, and what was said."""

    tables: dict[str, pa.Table]
    report: Report
    progress: tuple[tuple[float, str], ...]
    log: tuple[str, ...]


def describe(plugin: Any) -> Manifest:
    """The manifest of a plugin class or instance; raises `FormatError` where it is not well made."""
    return LoadedPlugin(plugin).manifest


def run_plugin(
    plugin: Any,
    tables: Mapping[str, Any],
    *,
    parameters: Mapping[str, object] | None = None,
    seed: int = 1,
    today: date = TODAY,
    coverage: Mapping[str, Coverage] | None = None,
) -> Result:
    """Run a plugin in this process, with the same checks before and after that the hub makes.

    `tables` maps names of inputs to pyarrow tables (or polars or pandas data frames, or paths of CSV files);
    columns beyond the declared ones are taken away, as the hub would never give them. Coverage not given is
    made from the rows. Raises `ValueError` for inputs, `FormatError` for parameters, `OutputError` for
    outputs that do not fit.
    """
    loaded = LoadedPlugin(plugin)
    manifest = loaded.manifest
    given = _given(manifest, tables)
    known = {name: Coverage(rows=table.num_rows, as_at=today) for name, table in given.items()}
    progress: list[tuple[float, str]] = []
    log: list[str] = []
    with tempfile.TemporaryDirectory(prefix="hub-sdk-") as scratch:
        context = Context(
            manifest,
            given,
            parameters=manifest.values(parameters or {}),
            seed=seed,
            today=today,
            scratch=Path(scratch),
            coverage={**known, **(coverage or {})},
            on_progress=lambda fraction, message: progress.append((fraction, message)),
            on_log=log.append,
        )
        try:
            output = loaded.run(context)
            try:
                found = conform_all(output.tables, manifest)
            except OutputError as error:
                if error.undeclared:
                    error.add_note(f"not in the manifest: {', '.join(error.undeclared)}")
                raise
        finally:
            context.close()
    return Result(tables=found, report=output.report, progress=tuple(progress), log=tuple(log))


def read_csv(path: str | Path, types: Mapping[str, Any] | None = None) -> pa.Table:
    """A CSV file with a header as a table; `types` maps columns to Arrow types where guessing would be wrong.

    Empty fields are null, also in columns of text.
    """
    import pyarrow.csv

    options = pyarrow.csv.ConvertOptions(column_types=dict(types or {}), strings_can_be_null=True)
    return pyarrow.csv.read_csv(path, convert_options=options)


def empty_table(item: Input, types: Mapping[str, Any] | None = None) -> pa.Table:
    """A table without rows for an input; columns are strings where `types` does not say otherwise."""
    import pyarrow

    types = types or {}
    return pyarrow.schema(
        [(name, types.get(name, pyarrow.string())) for name in item.column_names]
    ).empty_table()


def _given(manifest: Manifest, tables: Mapping[str, Any]) -> dict[str, pa.Table]:
    import pyarrow

    declared = {item.name: item for item in manifest.inputs}
    unknown = [name for name in tables if name not in declared]
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)}: not an input of {manifest.name}; it has: {', '.join(declared)}"
        )
    absent = [item.name for item in manifest.inputs if item.required and item.name not in tables]
    if absent:
        raise ValueError(f"{', '.join(absent)}: required by {manifest.name} but not given")
    found: dict[str, pa.Table] = {}
    for name, source in tables.items():
        table = read_csv(source) if isinstance(source, str | Path) else source
        if not isinstance(table, pyarrow.Table):
            table = pyarrow.table(table)
        missing = [column for column in declared[name].column_names if column not in table.column_names]
        if missing:
            raise ValueError(f"input {name} lacks the columns {', '.join(missing)}")
        found[name] = table.select(list(declared[name].column_names))
    return found


class PluginConformance:
    """What every plugin must keep to: subclass it in your tests, name the plugin and give it tables.

    `plugin`: the class. `entry_point`: its name in the group `joinedup.plugins`, checked if given.
    `tables()`: a set of inputs as for `run_plugin`, with at least one row each. `parameters`, `seed`,
    `today`: for the runs.
    """

    plugin: ClassVar[Any]
    entry_point: ClassVar[str] = ""
    parameters: ClassVar[Mapping[str, object]] = {}
    seed: ClassVar[int] = 1
    today: ClassVar[date] = TODAY

    def tables(self) -> Mapping[str, Any]:
        """The inputs to run on; every subclass says its own."""
        raise NotImplementedError("say which tables the plugin is to be run on: override tables()")

    def run(self, tables: Mapping[str, Any] | None = None) -> Result:
        """One run with the settings of this class."""
        chosen = self.tables() if tables is None else tables
        return run_plugin(self.plugin, chosen, parameters=self.parameters, seed=self.seed, today=self.today)

    def test_manifest_survives_json(self) -> None:
        """The manifest goes to JSON and back without loss."""
        manifest = describe(self.plugin)
        assert Manifest.from_json(json.loads(json.dumps(manifest.to_json(), allow_nan=False))) == manifest

    def test_describing_always_gives_the_same_manifest(self) -> None:
        """The manifest depends on nothing but the code."""
        assert describe(self.plugin) == describe(self.plugin)

    def test_entry_point_names_the_plugin(self) -> None:
        """Entry point and manifest use one name."""
        from importlib.metadata import entry_points

        from hub_sdk.manifest import ENTRY_POINT_GROUP

        manifest = describe(self.plugin)
        if self.entry_point:
            assert self.entry_point == manifest.name, "the entry point and the manifest must use one name"
            found = [point for point in entry_points(group=ENTRY_POINT_GROUP) if point.name == manifest.name]
            assert found, (
                f"no installed distribution has an entry point {manifest.name} in {ENTRY_POINT_GROUP}"
            )
            assert all(point.load() is self.plugin for point in found)

    def test_outputs_are_exactly_as_declared(self) -> None:
        """Every output has the declared columns and types."""
        result = self.run()
        for output in describe(self.plugin).outputs:
            assert result.tables[output.name].schema.equals(arrow_schema(output))

    def test_report_survives_json(self) -> None:
        """The report goes to JSON and back without loss."""
        report = self.run().report
        assert Report.from_json(json.loads(json.dumps(report.to_json(), allow_nan=False))) == report

    def test_the_same_input_gives_the_same_output(self) -> None:
        """A run can be repeated."""
        first, second = self.run(), self.run()
        assert first.report == second.report
        for name, table in first.tables.items():
            assert table.equals(second.tables[name]), (
                f"output {name} differs between two runs on the same input"
            )

    def test_row_order_of_the_input_does_not_matter(self) -> None:
        """Rows come in no particular order."""
        backwards = {
            name: _backwards(table) for name, table in _given(describe(self.plugin), self.tables()).items()
        }
        first, second = self.run(), self.run(backwards)
        for name, table in first.tables.items():
            assert _as_set(table) == _as_set(second.tables[name]), (
                f"output {name} depends on the order of input rows"
            )

    def test_runs_without_its_optional_inputs(self) -> None:
        """What is optional may be absent."""
        required = {item.name for item in describe(self.plugin).inputs if item.required}
        self.run({name: table for name, table in self.tables().items() if name in required})

    def test_runs_on_inputs_without_rows(self) -> None:
        """Data may be empty."""
        given = _given(describe(self.plugin), self.tables())
        self.run({name: table.slice(0, 0) for name, table in given.items()})

    def test_report_shows_no_pseudonyms(self) -> None:
        """The report, which is shown more widely than the outputs, names nobody."""
        shown = json.dumps(self.run().report.to_json())
        for table in _given(describe(self.plugin), self.tables()).values():
            for column in ("person_id", "household_id"):
                if column in table.column_names:
                    for value in table.column(column).unique().to_pylist():
                        assert value is None or len(value) < 4 or value not in shown, (
                            "the report names a pseudonym"
                        )


def _backwards(table: pa.Table) -> pa.Table:
    return table.take(list(range(table.num_rows - 1, -1, -1)))


def _as_set(table: pa.Table) -> list[str]:
    """The rows in an order of their own, numbers to 9 digits (sums may differ in the last ones)."""

    def shown(value: object) -> str:
        return f"{value:.9g}" if isinstance(value, float) else repr(value)

    return sorted(
        "|".join(f"{name}={shown(value)}" for name, value in row.items()) for row in table.to_pylist()
    )
