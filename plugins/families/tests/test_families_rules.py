"""Rulesets as data, the arithmetic of answers, and ages.

Against plain reference versions written out here.
"""

from __future__ import annotations

from datetime import date
from itertools import product

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joinedup_families.answers import CANNOT_TELL, MET, NO, NO_DATA, NOT_MET, SOURCE_NOT_COVERED, YES
from joinedup_families.dates import look_back, months_back
from joinedup_families.engine import evaluate
from joinedup_families.logic import age_in_years, compulsory_school_age, where
from joinedup_families.plugin import CRITERIA, DATASETS, RULESETS, FamiliesPlugin
from joinedup_families.ruleset import RulesetError, load_ruleset, parse_ruleset, ruleset_ids
from joinedup_families.sources import Source, Sources

SMALL = """
format = 1
id = "LOCAL"
version = "3"
title = "A council's own rules"
source = "Cabinet paper"
wording_status = "unverified"
needs_required = 1
[population]
child_under = 18
[[criteria]]
id = "help"
title = "Children who need help"
rule = "A child with an open case."
[[criteria.indicators]]
id = "open_case"
title = "Open case"
test = "register"
source = "children.in_need"
start = "start_date"
end = "end_date"
where = { status = ["child in need", "early help"] }
at_least = 1
"""


class TestRulesets:
    def test_every_ruleset_that_ships_can_be_loaded_and_is_offered(self):
        assert tuple(ruleset_ids()) == RULESETS
        for name in ruleset_ids():
            assert load_ruleset(name).id == name

    def test_the_plugin_asks_for_exactly_the_columns_that_some_rule_reads(self):
        used: dict[str, set[str]] = {}
        for name, choice in product(
            ruleset_ids(), ({}, {"absence_counts": "all"}, {"asb_counts": "intervention"})
        ):
            for dataset, columns in load_ruleset(name, choice).columns().items():
                used.setdefault(dataset, set()).update(columns)
        manifest = FamiliesPlugin().hub_describe()
        asked = {dataset: set(manifest.input(DATASETS[dataset]).columns) for dataset in DATASETS}
        assert asked == used

    def test_every_criterion_of_every_ruleset_has_a_column(self):
        assert {
            one.id: one.title for name in ruleset_ids() for one in load_ruleset(name).criteria
        } == CRITERIA

    def test_every_parameter_choice_is_a_variant_or_what_is_published(self):
        published = load_ruleset("TF-2012")
        assert published.choices == ()
        assert (
            load_ruleset("TF-2012", {"absence_counts": "unauthorised", "asb_counts": "any"}, 12) == published
        )
        assert load_ruleset("TF-2012", {"absence_counts": "all"}).choices == ("absence counts: all",)
        assert load_ruleset("TF-2012", None, 6).choices == ("look-back of 6 months instead of 12",)

    def test_another_programme_is_another_file(self):
        ruleset = parse_ruleset(SMALL)
        people = pl.DataFrame(
            {"person_id": ["c"], "household_id": ["H"], "date_of_birth": [date(2015, 1, 1)]}
        )
        row = {
            "person_id": ["c"],
            "household_id": ["H"],
            "status": ["early help"],
            "start_date": [date(2026, 1, 1)],
        }
        cases = pl.DataFrame({**row, "end_date": pl.Series([None], dtype=pl.Date)})
        sources = Sources({"children.in_need": Source("children.in_need", cases, as_at=date(2026, 6, 1))})
        found = evaluate(ruleset, people, sources, date(2026, 6, 30)).households
        assert found.select("help", "eligible", "ruleset").row(0) == (MET, YES, "LOCAL version 3")

    def test_an_unknown_name_says_which_there_are(self):
        with pytest.raises(RulesetError, match="Choose one of: TF-2012"):
            load_ruleset("TF-1066")

    @pytest.mark.parametrize(
        ("old", "new", "place"),
        [
            ("format = 1", "format = 2", "format"),
            ('version = "3"', "version = 3", "version"),
            ("needs_required = 1", "needs_required = 2", "needs_required"),
            ("child_under = 18", "", "population.child_under"),
            ('test = "register"', 'test = "guess"', r"criteria\[0\].indicators\[0\].test"),
            ('start = "start_date"', "", r"criteria\[0\].indicators\[0\].start"),
            ("at_least = 1", 'at_least = 1\nno_rows = "met"', r"criteria\[0\].indicators\[0\].no_rows"),
            ("at_least = 1", "at_least = 1\nweight = 3", r"criteria\[0\].indicators\[0\].weight"),
            ('id = "help"', 'id = "need help"', r"criteria\[0\].id"),
            ('wording_status = "unverified"', 'wording_status = "sure"', "wording_status"),
            ('rule = "A child with an open case."', "", r"criteria\[0\]: lacks rule"),
        ],
    )
    def test_a_mistake_is_refused_with_its_place(self, old, new, place):
        assert old in SMALL
        with pytest.raises(RulesetError, match=place):
            parse_ruleset(SMALL.replace(old, new))

    def test_all_mistakes_are_told_at_once(self):
        broken = SMALL.replace("format = 1", "format = 9").replace('test = "register"', 'test = "guess"')
        with pytest.raises(RulesetError) as error:
            parse_ruleset(broken)
        assert "format" in str(error.value)
        assert "test" in str(error.value)

    def test_a_file_that_is_no_toml_is_refused(self):
        with pytest.raises(RulesetError, match="not TOML"):
            parse_ruleset("format: 1")


def reference_eligibility(answers: list[str], required: int) -> str:
    """What eligibility means: try every way in which the open answers could turn out."""
    ways = product(*((MET, NOT_MET) if one in (NO_DATA, SOURCE_NOT_COVERED) else (one,) for one in answers))
    outcomes = {way.count(MET) >= required for way in ways}
    return CANNOT_TELL if len(outcomes) == 2 else YES if outcomes == {True} else NO


class TestEligibilityArithmetic:
    @pytest.mark.parametrize("answers", list(product(("met", "not met", "open"), repeat=3)))
    def test_eligibility_is_what_every_way_of_turning_out_agrees_on(self, answers, new_case):
        case = new_case().family()
        crime, education, work = answers
        if crime == "met":
            case.incident("adult", category="anti-social behaviour")
        if crime == "open":
            case.without.add("police.incidents")
        if education == "met":
            case.school("child", permanent_exclusion=True)
        if education == "open":
            case.person("unseen", date(2016, 3, 3))
        if work == "met":
            case.claim("adult")
        if work == "open":
            case.claim("adult", out_of_work=None)
        row = case.answers()
        given = [row["crime_and_asb"], row["education"], row["out_of_work"]]
        assert [one if one in (MET, NOT_MET) else "open" for one in given] == list(answers)
        assert row["eligible"] == reference_eligibility(given, 2)


days = st.dates(date(1930, 1, 1), date(2030, 12, 31))


class TestDates:
    @settings(max_examples=300, deadline=None)
    @given(born=days, on=days)
    def test_age_over_columns_is_the_number_of_birthdays_that_have_passed(self, born, on):
        reference = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
        frame = pl.DataFrame({"born": [born, None]}, schema={"born": pl.Date})
        assert frame.select(age=age_in_years("born", pl.lit(on)))["age"].to_list() == [reference, None]

    @pytest.mark.parametrize(
        ("born", "expected"),
        [
            (date(2021, 1, 5), True),  # five on the day that term starts
            (date(2021, 1, 6), False),  # five the day after: from next term
            (date(2010, 8, 31), True),  # turns 16 on the last day of this school year
            (date(2009, 9, 1), True),  # turned 16 on its first day, and stays to June
            (date(2009, 8, 31), False),  # turned 16 on the last day of the school year before
        ],
    )
    def test_compulsory_school_age_in_the_spring_term_of_2026(self, born, expected):
        frame = pl.DataFrame({"born": [born]})
        found = frame.select(must=compulsory_school_age("born", date(2026, 1, 5)))["must"].item()
        assert found == expected

    def test_months_back_keeps_to_the_end_of_short_months(self):
        assert months_back(date(2026, 3, 31), 1) == date(2026, 2, 28)
        assert months_back(date(2024, 2, 29), 12) == date(2023, 2, 28)
        assert months_back(date(2026, 1, 15), 13) == date(2024, 12, 15)

    def test_a_look_back_of_a_calendar_year_is_the_calendar_year(self):
        assert look_back(date(2026, 12, 31), 12) == (date(2026, 1, 1), date(2026, 12, 31))


class TestThreeValuedLogic:
    def test_an_empty_cell_is_open_unless_another_column_rules_the_row_out(self):
        frame = pl.DataFrame({"a": ["x", "x", "y", None], "b": [True, None, None, False]})
        found = frame.select(verdict=where({"a": ("x",), "b": (True,)}))["verdict"].to_list()
        assert found == [True, None, False, False]

    def test_capitals_and_stray_spaces_do_not_change_a_value(self):
        frame = pl.DataFrame({"a": [" Suspect", "SUSPECT", "victim"]})
        assert frame.select(v=where({"a": ("suspect",)}))["v"].to_list() == [True, True, False]
