"""The plugin as the hub runs it: the SDK's conformance suite, its outputs and its report."""

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

from hub_sdk import Chart, Coverage, Table, Text
from hub_sdk.loading import load_object
from hub_sdk.testing import PluginConformance, describe, run_plugin
from joinedup_families.plugin import DATASETS, FamiliesPlugin
from joinedup_families.report import SMALL, rounded

AS_AT = date(2026, 6, 30)
WINDOW = Coverage(rows=1, as_at=AS_AT, period_start=date(2023, 7, 1), period_end=AS_AT)
PEOPLE = {"person_id": pl.String, "household_id": pl.String, "date_of_birth": pl.Date}


def _installed() -> bool:
    try:
        return bool(version("joinedup-plugin-families"))
    except PackageNotFoundError:
        return False


def tables_of(case) -> dict[str, object]:
    """The case as the inputs of the plugin."""
    sources = case.sources().by_name
    found = {
        name: sources[dataset].rows.to_arrow() for dataset, name in DATASETS.items() if dataset in sources
    }
    return {"people": pl.DataFrame(case.people, schema=PEOPLE).to_arrow(), **found}


def borough(new_case):
    """Forty families: ten eligible, ten with one need, ten with a child unseen by schools, ten with none."""
    case = new_case()
    for number in range(40):
        home = f"HOUSE-{number:04d}"
        case.family(home)
        if number < 20:
            case.claim(f"adult-{home}")
        if number < 10:
            case.incident(f"child-{home}", outcome="proven offence")
        if 20 <= number < 30:
            case.person(f"unseen-{home}", date(2016, 3, 3), home)
    return case.case("child-HOUSE-0000")


class TestConformance(PluginConformance):
    plugin = FamiliesPlugin
    entry_point: ClassVar[str] = "families" if _installed() else ""
    today = AS_AT

    @pytest.fixture(autouse=True)
    def _borough(self, new_case):
        self.borough = tables_of(borough(new_case))

    def tables(self):
        return self.borough


def run(case, **settings):
    covered = {name: WINDOW for name in tables_of(case) if name != "people"}
    return run_plugin(FamiliesPlugin, tables_of(case), today=AS_AT, **{"coverage": covered, **settings})


class TestOutputs:
    def test_a_row_a_family_with_answers_evidence_and_ruleset(self, new_case):
        rows = run(borough(new_case)).tables["households"].to_pylist()
        assert len(rows) == 40
        first = rows[0]
        assert first["household_id"] == "HOUSE-0000"
        assert (first["crime_and_asb"], first["education"], first["out_of_work"]) == ("met", "not met", "met")
        assert (first["criteria_met"], first["needs_no_data"], first["eligible"]) == (2, 0, "yes")
        assert (first["ruleset"], first["as_at"]) == ("TF-2012 version 1", AS_AT)
        assert json.loads(first["evidence"])["out_of_work"][0]["first"] == "2025-11-01"

    def test_summary_holds_true_counts_for_disclosure_control(self, new_case):
        found = {
            (row["criterion"], row["answer"]): row["households"]
            for row in run(borough(new_case)).tables["summary"].to_pylist()
        }
        assert found["eligible", "yes"] == 10
        assert found["out_of_work", "met"] == 20
        assert found["education", "no data"] == 10
        assert found["crime_and_asb", "source not covered"] == 0
        assert describe(FamiliesPlugin).output("summary").count_columns == ("households",)

    def test_parameters_reach_the_rules(self, new_case):
        case = new_case().family().school("child", absence_authorised=30, absence_unauthorised=0)
        assert run(case).tables["households"]["education"].to_pylist() == ["not met"]
        found = run(case, parameters={"absence_counts": "all"}).tables["households"]
        assert found["education"].to_pylist() == ["met"]

    def test_coverage_reaches_the_rules(self, new_case):
        late = {"incidents": Coverage(rows=0, as_at=AS_AT, period_start=date(2026, 1, 1), period_end=AS_AT)}
        found = run(new_case().family(), coverage=late).tables["households"]
        assert found["crime_and_asb"].to_pylist() == ["source not covered"]


class TestReport:
    def test_it_says_what_ran_under_which_rules_and_whether_their_wording_was_checked(self, new_case):
        text = json.dumps(run(borough(new_case)).report.to_json())
        for words in ("TF-2012 version 1", "30 June 2026", "Wording status: checked", "financial framework"):
            assert words in text

    def test_it_says_what_it_cannot_say(self, new_case):
        report = run(borough(new_case)).report
        limits = report.blocks[-1]
        assert isinstance(limits, Text)
        for words in ("not a prediction", "A person decides", "ask for them to be corrected"):
            assert words in limits.body

    def test_answers_stand_in_a_table_and_the_same_figures_in_a_chart(self, new_case):
        report = run(borough(new_case)).report
        table = next(block for block in report.blocks if isinstance(block, Table))
        chart = next(block for block in report.blocks if isinstance(block, Chart))
        figures = {series.name: series.values for series in chart.series}
        for row, column in enumerate(table.rows):
            for answer, cell in zip(table.columns[1:], column[1:], strict=True):
                assert figures[answer][row] == (None if isinstance(cell, str) else cell)
        assert figures["Met"] == (10, 0, 20)

    def test_small_figures_are_not_shown(self, new_case):
        case = borough(new_case)
        case.school("child-HOUSE-0003", permanent_exclusion=True)
        rows = {row[0]: row[1:] for row in run(case).report.blocks[0].rows}
        assert rows["Education"][0] == f"fewer than {SMALL}"

    @pytest.mark.parametrize(
        ("number", "shown"), [(0, 0), (1, None), (9, None), (10, 10), (12, 10), (13, 15)]
    )
    def test_figures_are_rounded_to_the_nearest_five(self, number, shown):
        assert rounded(number) == shown

    def test_a_source_that_does_not_reach_is_a_warning(self, new_case):
        late = {"incidents": Coverage(rows=0, as_at=AS_AT, period_start=date(2026, 1, 1), period_end=AS_AT)}
        case = borough(new_case)
        case.without.add("benefits.claims")
        warnings = " ".join(run(case, coverage=late).report.warnings)
        assert (
            "Crime and anti-social behaviour: source not covered, because police.incidents starts on 1 "
            "January 2026" in warnings
        )
        assert "because benefits.claims was not supplied" in warnings

    def test_rows_that_nobody_is_linked_to_are_a_warning(self, new_case):
        case = borough(new_case)
        for _ in range(10):
            case.incident(None)
        assert any(
            "police.incidents: 50% of its rows are linked to no person" in one
            for one in run(case).report.warnings
        )

    def test_choices_that_depart_from_what_is_published_are_told(self, new_case):
        text = json.dumps(run(borough(new_case), parameters={"look_back_months": 6}).report.to_json())
        assert "look-back of 6 months instead of 12" in text


class TestDistribution:
    def test_the_entry_point_of_the_distribution_is_the_plugin(self):
        project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
        points = project["entry-points"]["joinedup.plugins"]
        assert {name: load_object(reference) for name, reference in points.items()} == {
            "families": FamiliesPlugin
        }

    def test_it_never_mentions_a_score(self):
        manifest = describe(FamiliesPlugin)
        names = [column.name for output in manifest.outputs for column in output.columns]
        assert not [name for name in names if "score" in name or "risk" in name or "rank" in name]

    def test_it_imports_neither_the_hub_nor_its_web_and_database_libraries(self):
        folder = Path(find_spec("joinedup_families").origin).parent
        for path in folder.glob("*.py"):
            imported = [
                line.split()[1]
                for line in path.read_text("utf-8").splitlines()
                if line.startswith(("from ", "import "))
            ]
            assert not [
                name
                for name in imported
                if name.split(".")[0] in ("hub", "flask", "sqlalchemy", "hub_schemas")
            ]
