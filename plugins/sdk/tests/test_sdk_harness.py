"""The harness for plugin authors: it runs as the hub would, and its conformance suite finds faults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from hub_sdk import (
    Context,
    Coverage,
    FormatError,
    Input,
    Manifest,
    Output,
    OutputColumn,
    Parameter,
    Report,
    RunOutput,
    hookimpl,
)
from hub_sdk.tables import OutputError
from hub_sdk.testing import PluginConformance, describe, empty_table, read_csv, run_plugin

ROWS = pa.table({"household_id": ["house one", "house two"], "n": [1, 2], "extra": ["x", "y"]})


class Adder:
    """A plugin whose behaviour a test can change."""

    work: ClassVar[Callable[[Context], Any]]

    @hookimpl
    def hub_describe(self) -> Manifest:
        return Manifest(
            name="adder",
            version="1",
            title="Adder",
            summary="Adds.",
            inputs=(
                Input("rows", "test.rows", ("n",), link=("household",)),
                Input("more", "test.more", ("n",), required=False),
            ),
            outputs=(Output("sums", (OutputColumn("total", "integer", "Sum"),), "open"),),
            parameters=(Parameter("factor", "integer", 1, "Factor", minimum=1),),
        )

    @hookimpl
    def hub_run(self, context: Context) -> RunOutput:
        return type(self).work(context)  # type: ignore[no-any-return]


def adds(context: Context) -> RunOutput:
    table = context.table("rows")
    assert table is not None
    factor = context.parameters["factor"]
    assert isinstance(factor, int)
    total = sum(table["n"].to_pylist()) * factor
    return RunOutput(
        {"sums": pa.table({"total": pa.array([total], pa.int64())})}, Report("Sums", "Added up.")
    )


def plugin(work: Callable[[Context], Any] = adds) -> type[Adder]:
    return type("Made", (Adder,), {"work": staticmethod(work)})


def test_a_plugin_runs_on_the_given_tables() -> None:
    result = run_plugin(plugin(), {"rows": ROWS}, parameters={"factor": 5})

    assert result.tables["sums"].to_pylist() == [{"total": 15}]
    assert result.report.title == "Sums"


def test_a_csv_file_and_a_data_frame_will_do(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed here")
    path = tmp_path / "rows.csv"
    path.write_text("household_id,n\nh1,4\nh2,\n")

    assert read_csv(path, {"n": pa.int64()})["n"].to_pylist() == [4, None]
    path.write_text("household_id,n\nh1,4\nh2,5\n")
    for rows in (path, str(path), polars.read_csv(path)):
        assert run_plugin(plugin(), {"rows": rows}).tables["sums"]["total"].to_pylist() == [9]


def test_the_plugin_sees_what_the_hub_would_show_it() -> None:
    seen: dict[str, Any] = {}

    def look(context: Context) -> RunOutput:
        table = context.table("rows")
        assert table is not None
        seen.update(columns=table.column_names, has=context.has("more"), more=context.table("more"))
        seen.update(
            today=context.today, seed=context.seed, coverage=context.coverage("rows"), scratch=context.scratch
        )
        (context.scratch / "note").write_text("x")
        context.progress(0.5, "half")
        context.progress(7)
        context.log("said")
        return adds(context)

    result = run_plugin(plugin(look), {"rows": ROWS}, seed=3, today=date(2026, 1, 2))

    assert seen["columns"] == ["household_id", "n"]
    assert (seen["has"], seen["more"]) == (False, None)
    assert (seen["today"], seen["seed"]) == (date(2026, 1, 2), 3)
    assert seen["coverage"] == Coverage(rows=2, as_at=date(2026, 1, 2))
    assert not seen["scratch"].exists()
    assert result.progress == ((0.5, "half"), (1.0, ""))
    assert result.log == ("said",)


def test_tables_are_offered_in_every_form() -> None:
    pytest.importorskip("polars", reason="polars is not installed here")
    pytest.importorskip("duckdb", reason="duckdb is not installed here")
    seen: dict[str, Any] = {}

    def look(context: Context) -> RunOutput:
        frame = context.polars("rows")
        assert frame is not None
        seen["polars"] = frame["n"].sum()
        assert context.duckdb() is context.duckdb()
        seen["duckdb"] = (
            context.duckdb().sql("select sum(n)::int as n from rows").to_arrow_table()["n"][0].as_py()
        )
        seen["absent"] = (context.polars("more"), context.pandas("more"))
        return adds(context)

    run_plugin(plugin(look), {"rows": ROWS})

    assert seen == {"polars": 3, "duckdb": 3, "absent": (None, None)}


def test_a_misspelt_input_is_told_with_the_right_names() -> None:
    for ask in (Context.table, Context.has, Context.coverage, Context.polars):
        with pytest.raises(KeyError, match="the manifest has: rows, more"):
            run_plugin(plugin(lambda context, ask=ask: ask(context, "row")), {"rows": ROWS})


@pytest.mark.parametrize(
    ("tables", "problem"),
    [
        ({}, "rows: required by adder but not given"),
        ({"rows": ROWS, "other": ROWS}, "other: not an input of adder"),
        ({"rows": pa.table({"n": [1]})}, "lacks the columns household_id"),
    ],
)
def test_inputs_that_do_not_fit_are_told(tables: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        run_plugin(plugin(), tables)


def test_outputs_that_do_not_fit_are_told_with_the_names_that_are_not_declared() -> None:
    def wrong(context: Context) -> RunOutput:
        return RunOutput({"sums": pa.table({"total": [1], "surprise": [2]})}, Report("T", "S"))

    with pytest.raises(OutputError, match="1 columns the manifest does not declare") as refused:
        run_plugin(plugin(wrong), {"rows": ROWS})

    assert refused.value.__notes__ == ["not in the manifest: surprise"]


def test_parameters_out_of_bounds_are_told() -> None:
    with pytest.raises(FormatError, match="factor: must be at least 1"):
        run_plugin(plugin(), {"rows": ROWS}, parameters={"factor": 0})


def test_what_hands_back_no_result_is_told() -> None:
    with pytest.raises(FormatError, match="hub_run: returned dict, not a RunOutput"):
        run_plugin(plugin(lambda context: {}), {"rows": ROWS})


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({}, "does not implement hub_describe"),
        ({"hub_describe": hookimpl(lambda self: None)}, "does not implement hub_run"),
        (
            {"hub_describe": hookimpl(lambda self: None), "hub_run": hookimpl(lambda self, context: None)},
            "hub_describe returned NoneType",
        ),
        ({"hub_run": hookimpl(lambda self, tables: None)}, "does not match the hooks"),
        ({"hub_train": hookimpl(lambda self: None)}, "does not match the hooks"),
    ],
)
def test_a_class_that_is_no_plugin_is_told_why(members: Mapping[str, Any], problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        describe(type("Broken", (), dict(members)))


def test_an_empty_table_has_the_columns_of_the_input() -> None:
    item = describe(plugin()).inputs[0]

    table = empty_table(item, {"n": pa.int64()})

    assert table.schema == pa.schema([("household_id", pa.string()), ("n", pa.int64())])


# ---- the conformance suite


class TestAWellMadePlugin(PluginConformance):
    plugin = plugin()
    parameters: ClassVar[Mapping[str, object]] = {"factor": 2}

    def tables(self) -> Mapping[str, Any]:
        return {"rows": ROWS}


def counting() -> Callable[[Context], RunOutput]:
    calls = iter(range(100))

    def work(context: Context) -> RunOutput:
        return RunOutput({"sums": pa.table({"total": [next(calls)]})}, Report("T", "S"))

    return work


def first_row(context: Context) -> RunOutput:
    table = context.table("rows")
    assert table is not None
    first = table["n"][0].as_py() if table.num_rows else 0
    return RunOutput({"sums": pa.table({"total": pa.array([first], pa.int64())})}, Report("T", "S"))


def needs_more(context: Context) -> RunOutput:
    assert context.has("more"), "cannot do without"
    return adds(context)


def divides(context: Context) -> RunOutput:
    table = context.table("rows")
    assert table is not None
    return RunOutput({"sums": pa.table({"total": [3 // table.num_rows]})}, Report("T", "S"))


def tells(context: Context) -> RunOutput:
    return RunOutput(adds(context).tables, Report("Worst household", "It is house two."))


@pytest.mark.parametrize(
    ("work", "test"),
    [
        (counting(), "test_the_same_input_gives_the_same_output"),
        (first_row, "test_row_order_of_the_input_does_not_matter"),
        (needs_more, "test_runs_without_its_optional_inputs"),
        (divides, "test_runs_on_inputs_without_rows"),
        (tells, "test_report_shows_no_pseudonyms"),
    ],
)
def test_the_suite_finds_the_fault(work: Callable[[Context], Any], test: str) -> None:
    suite = type(
        "Suite", (PluginConformance,), {"plugin": plugin(work), "tables": lambda self: {"rows": ROWS}}
    )()

    with pytest.raises((AssertionError, ZeroDivisionError)):
        getattr(suite, test)()


def test_the_suite_finds_an_entry_point_of_another_name() -> None:
    members = {"plugin": plugin(), "entry_point": "subtractor", "tables": lambda self: {"rows": ROWS}}
    suite = type("Suite", (PluginConformance,), members)()

    with pytest.raises(AssertionError, match="must use one name"):
        suite.test_entry_point_names_the_plugin()


def test_the_suite_needs_tables() -> None:
    with pytest.raises(NotImplementedError, match="override tables"):
        PluginConformance().tables()
