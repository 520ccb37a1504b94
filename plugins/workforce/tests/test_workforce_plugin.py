"""Both plugins as the hub runs them: the SDK's conformance suite, their outputs and their reports."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest

from hub_sdk import Chart, Coverage, Table
from hub_sdk.loading import load_object
from hub_sdk.testing import PluginConformance, describe, run_plugin
from joinedup_workforce.plugin import WorkforcePlugin
from joinedup_workforce.profile import DemandProfilePlugin

TODAY = date(2026, 7, 1)


def _installed() -> bool:
    try:
        return bool(version("joinedup-plugin-workforce"))
    except PackageNotFoundError:
        return False


def blocks(report, kind, words: str) -> list:
    """The blocks of a kind whose title has these words."""
    return [block for block in report.blocks if isinstance(block, kind) and words in block.title]


class TestWorkforceConformance(PluginConformance):
    plugin = WorkforcePlugin
    entry_point: ClassVar[str] = "workforce" if _installed() else ""
    today = TODAY

    @pytest.fixture(autouse=True)
    def _force(self, force):
        self.force = force(drift=0.15).tables()

    def tables(self):
        return self.force


class TestWorkforceRun:
    def run(self, made, **settings):
        return run_plugin(WorkforcePlugin, made.tables(), today=TODAY, **settings)

    def test_forecast_has_a_row_for_every_line_and_month_ahead(self, force):
        found = pl.DataFrame(self.run(force(), parameters={"months_ahead": 3}).tables["forecast"])
        assert found.height == (4 + 2 + 2 + 1) * 3
        assert found["month"].unique().sort().to_list() == [
            date(2026, 7, 1),
            date(2026, 8, 1),
            date(2026, 9, 1),
        ]
        assert found.filter(
            (pl.col("lower_95") > pl.col("forecast")) | (pl.col("upper_95") < pl.col("forecast"))
        ).is_empty()

    def test_the_month_of_the_run_is_not_over_and_not_counted(self, force):
        coverage = {
            "incidents": Coverage(rows=1, period_start=date(2023, 7, 1), period_end=date(2026, 6, 30))
        }
        found = self.run(force(), coverage=coverage)
        early = run_plugin(WorkforcePlugin, force().tables(), today=date(2026, 6, 15), coverage=coverage)
        assert min(found.tables["forecast"]["month"].to_pylist()) == date(2026, 7, 1)
        assert min(early.tables["forecast"]["month"].to_pylist()) == date(2026, 6, 1)

    def test_both_methods_stand_side_by_side_and_the_better_one_is_used(self, force):
        found = self.run(force())
        for row in found.tables["backtest"].to_pylist():
            better = "model" if row["mase_model"] < row["mase_baseline"] else "same month last year"
            assert row["method"] == better
        table = blocks(found.report, Table, "beat last year")[0]
        assert table.columns[2:4] == ("Model", "Same month last year")
        assert str(table.rows[0][4]).startswith("as used: ")

    def test_measured_coverage_of_the_intervals_is_reported(self, force):
        table = blocks(self.run(force()).report, Table, "intervals hold")[0]
        assert [row[:2] for row in table.rows] == [
            ("Series", "80%"),
            ("Series", "95%"),
            ("Totals", "80%"),
            ("Totals", "95%"),
        ]
        assert all(row[3] > 0 and row[2].endswith("%") for row in table.rows)

    def test_drift_is_the_first_alert_and_in_the_summary(self, force):
        found = self.run(force(drift=0.15))
        first = found.tables["alerts"].to_pylist()[0]
        assert (first["team"], first["kind"]) == ("Response East", "mix drift")
        assert first["message"] in found.report.summary
        assert first["value"] > first["usual"]

    def test_the_drifting_team_has_an_xmr_chart_with_mean_limits_and_plan(self, force):
        chart = blocks(self.run(force(drift=0.15)).report, Chart, "Response East: response share")[0]
        levels = {series.name: series.values for series in chart.series}
        assert set(levels) == {"Response share", "Mean before", "Upper limit", "Lower limit", "Planned"}
        assert levels["Planned"][0] == 60.0
        assert levels["Response share"][-1] > levels["Upper limit"][-1] > levels["Mean before"][-1]

    def test_the_fan_shows_history_then_forecast_with_both_intervals(self, force):
        chart = blocks(self.run(force()).report, Chart, "all incidents")[0]
        recorded, *ahead = chart.series
        assert recorded.values[23] is not None
        assert recorded.values[24] is None
        assert [one.name for one in ahead] == ["Expected, with 95% interval", "Expected, with 80% interval"]
        assert (
            ahead[0].lower[24]
            < ahead[1].lower[24]
            < ahead[1].values[24]
            < ahead[1].upper[24]
            < ahead[0].upper[24]
        )

    def test_every_parameter_says_whether_it_was_measured_surveyed_or_assumed(self, force):
        table = blocks(self.run(force()).report, Table, "rest on")[0]
        assert table.columns[2:] == ("Status", "Source")
        assert {row[2] for row in table.rows} == {"measured", "surveyed", "assumed"}
        assert all(row[3] for row in table.rows)

    def test_low_counts_are_a_warning(self, force):
        assert any("low count" in one for one in self.run(force(incidents_a_month=20.0)).report.warnings)

    def test_without_time_recording_and_establishment_the_forecast_still_runs_and_says_what_is_missing(
        self, force
    ):
        found = run_plugin(WorkforcePlugin, {"incidents": force().tables()["incidents"]}, today=TODAY)
        assert found.tables["forecast"].num_rows
        assert not found.tables["load"].num_rows
        assert any("No time recording and no establishment" in one for one in found.report.warnings)


def crime_rows() -> pl.DataFrame:
    """Two forces and a fraud body over four quarters; Q4 of one takes offences back."""
    rows = []
    for quarter in (1, 2, 3, 4):
        rows += [
            ("2017/18", quarter, "Big", "Theft offences", "Domestic burglary", 100 * quarter),
            ("2017/18", quarter, "Big", "Theft offences", "Shoplifting", 200),
            ("2017/18", quarter, "Small", "Public order offences", "Public order offences", 60),
            ("2017/18", quarter, "Small", "Drug offences", "Possession of drugs", 40 if quarter < 4 else -5),
        ]
    rows += [
        ("2017/18", quarter, "UK Finance", "Fraud offences", "Fraud: UK Finance", 1000)
        for quarter in (2, 3, 4)
    ]
    names = [
        "financial_year",
        "financial_quarter",
        "force_name",
        "offence_group",
        "offence_subgroup",
        "number_of_offences",
    ]
    return pl.DataFrame(rows, schema=names, orient="row")


class TestProfileConformance(PluginConformance):
    plugin = DemandProfilePlugin
    entry_point: ClassVar[str] = "demand-profile" if _installed() else ""
    today = TODAY

    def tables(self):
        return {"recorded_crime": crime_rows().to_arrow()}


class TestProfileRun:
    def run(self, rows=None, **parameters):
        return run_plugin(
            DemandProfilePlugin,
            {"recorded_crime": crime_rows() if rows is None else rows},
            parameters=parameters,
        )

    def table(self, name, **parameters) -> pl.DataFrame:
        return pl.DataFrame(self.run(**parameters).tables[name])

    def test_sums_shares_and_changes_by_force(self):
        found = self.table("by_force").filter(pl.col("force") == "Big")
        assert found["offences"].to_list() == [300, 400, 500, 600]
        assert found["share"].to_list() == pytest.approx([300 / 400, 400 / 1500, 500 / 1600, 600 / 1655])
        assert found["change"].to_list() == pytest.approx([None, 1 / 3, 1 / 4, 1 / 5])

    def test_shares_of_a_quarter_add_up_to_one(self):
        for name in ("by_force", "by_group"):
            sums = self.table(name).group_by("financial_quarter").agg(pl.col("share").sum())["share"]
            assert sums.to_list() == pytest.approx([1.0] * 4)

    def test_bodies_that_are_no_territorial_force_are_told_apart(self):
        kinds = dict(self.table("by_force").select("force", "kind").unique().iter_rows())
        assert kinds == {
            "Big": "territorial force",
            "Small": "territorial force",
            "UK Finance": "fraud reporting body",
        }
        chart = blocks(self.run().report, Chart, "territorial forces with most")[0]
        assert chart.x == ("Big", "Small")
        assert chart.series[0].values == (1800, 355)

    def test_there_is_no_change_over_a_quarter_that_is_missing(self):
        rows = crime_rows().filter((pl.col("force_name") != "Big") | (pl.col("financial_quarter") != 2))
        found = pl.DataFrame(self.run(rows).tables["by_force"]).filter(pl.col("force") == "Big")
        assert found["change"].to_list() == pytest.approx([None, None, 1 / 5])

    def test_negative_numbers_are_counted_as_they_stand_and_told(self):
        found = self.run()
        assert any(
            "1 rows have a negative number of offences (-5 in all)" in one for one in found.report.warnings
        )
        group = pl.DataFrame(found.tables["by_group"]).filter(pl.col("offence_group") == "Drug offences")
        assert group["offences"].to_list() == [40, 40, 40, -5]
        chart = blocks(found.report, Chart, "by offence group")[0]
        assert {series.name: series.values for series in chart.series}["Drug offences"] == (40, 40, 40, 0)

    def test_a_body_that_is_not_in_every_quarter_is_told(self):
        assert any("UK Finance (3)" in one for one in self.run().report.warnings)

    def test_officer_hours_are_surveyed_only_where_a_survey_gives_the_figure(self):
        found = {row["offence_subgroup"]: row for row in self.table("officer_hours").iter_rows(named=True)}
        assert found["Domestic burglary"]["basis"] == "surveyed"
        assert found["Domestic burglary"]["officer_hours"] == pytest.approx(1000 * 56.2 / 60)
        assert (found["Shoplifting"]["basis"], found["Shoplifting"]["minutes"]) == ("assumed", 50.1)
        assert (found["Public order offences"]["basis"], found["Public order offences"]["minutes"]) == (
            "assumed",
            33.1,
        )
        fraud = found["Fraud: UK Finance"]
        assert (fraud["basis"], fraud["minutes"], fraud["officer_hours"]) == ("none", None, None)

    def test_assumed_officers_and_attendance_scale_the_estimate(self):
        before, after = (
            self.table("officer_hours"),
            self.table("officer_hours", officers_per_offence=2.0, attended=0.25),
        )
        assert after["officer_hours"].to_list() == pytest.approx((before["officer_hours"] / 2).to_list())

    def test_one_force_can_be_chosen_for_offence_groups(self):
        assert self.table("by_group", force="Small")["offence_group"].unique().sort().to_list() == [
            "Drug offences",
            "Public order offences",
        ]
        assert set(self.table("by_force", force="Small")["force"]) == {"Big", "Small", "UK Finance"}

    def test_a_force_that_the_source_does_not_have_is_told_and_every_force_shown(self):
        found = self.run(force="Huge")
        assert "The source has no force called 'Huge'" in found.report.warnings[0]
        assert found.tables["by_group"].equals(self.run().tables["by_group"])

    def test_no_forecast_is_claimed_from_four_quarters(self):
        report = self.run().report
        text = next(block for block in report.blocks if getattr(block, "heading", "") == "No forecast")
        assert "4 quarters" in text.body
        assert "none is made" in text.body
        assert not any("forecast" in name for name in self.run().tables)

    def test_many_quarters_are_cut_to_the_last_twelve_in_the_report_only(self):
        years = [
            crime_rows().with_columns(financial_year=pl.lit(f"20{year}/{year + 1}")) for year in range(10, 18)
        ]
        found = self.run(pl.concat(years))
        assert len(blocks(found.report, Chart, "by offence group")[0].x) == 12
        assert pl.DataFrame(found.tables["by_force"]).filter(pl.col("force") == "Big").height == 32

    def test_only_published_figures_go_in_so_all_outputs_are_open(self):
        assert {output.disclosure for output in describe(DemandProfilePlugin).outputs} == {"open"}


class TestDistribution:
    def test_entry_points_of_the_distribution_are_the_plugins(self):
        project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
        points = project["entry-points"]["joinedup.plugins"]
        assert {name: load_object(reference) for name, reference in points.items()} == {
            "demand-profile": DemandProfilePlugin,
            "workforce": WorkforcePlugin,
        }

    def test_it_reads_about_teams_and_asks_for_no_person(self):
        manifest = describe(WorkforcePlugin)
        asked = {column for item in manifest.inputs for column in item.column_names}
        assert not [
            name
            for name in asked
            if name.startswith("involved_") or name in ("person_id", "household_id", "uprn")
        ]
        assert {output.disclosure for output in manifest.outputs} == {"aggregate"}

    def test_it_imports_neither_the_hub_nor_its_web_and_database_libraries(self):
        folder = Path(find_spec("joinedup_workforce").origin).parent
        for path in folder.glob("*.py"):
            lines = path.read_text("utf-8").splitlines()
            imported = [line.split()[1] for line in lines if line.startswith(("from ", "import "))]
            assert not [
                name
                for name in imported
                if name.split(".")[0] in ("hub", "flask", "sqlalchemy", "hub_schemas")
            ]

    def test_what_the_manifests_say_can_be_written_down(self):
        for plugin in (WorkforcePlugin, DemandProfilePlugin):
            assert json.dumps(describe(plugin).to_json())
