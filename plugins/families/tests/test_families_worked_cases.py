"""Worked cases for TF-2012.

For every need each of the four answers, and where exactly one turns into another.
"""

from __future__ import annotations

import json
from datetime import date, datetime

import polars as pl
import pytest

from joinedup_families.answers import CANNOT_TELL, MET, NO, NO_DATA, NOT_MET, SOURCE_NOT_COVERED, YES

AS_AT = date(2026, 6, 30)
TERMS = (date(2025, 9, 1), date(2026, 1, 5), date(2026, 4, 13))
OFFENCE = {"outcome": "proven offence"}
ASB = {"category": "anti-social behaviour"}


class TestCrime:
    def test_proven_offence_of_a_child_is_met_with_its_date(self, family):
        row = family.incident("child", date(2026, 3, 4), **OFFENCE).answers()
        assert row["crime_and_asb"] == MET
        assert "1 row in police.incidents, 4 March 2026" in row["crime_and_asb_evidence"]

    def test_nothing_recorded_in_a_source_that_covers_the_year_is_not_met(self, family):
        assert family.answers()["crime_and_asb"] == NOT_MET

    def test_proven_offence_of_an_adult_is_not_met(self, family):
        assert family.incident("adult", **OFFENCE).answers()["crime_and_asb"] == NOT_MET

    @pytest.mark.parametrize("role", ["victim", "witness"])
    def test_victims_and_witnesses_never_count(self, family, role):
        row = family.incident("child", involved_role=role, **OFFENCE).incident(
            "adult", involved_role=role, **ASB
        )
        assert row.answers()["crime_and_asb"] == NOT_MET

    @pytest.mark.parametrize("outcome", ["under investigation", "no further action"])
    def test_an_offence_that_is_not_proven_is_not_met(self, family, outcome):
        assert family.incident("child", outcome=outcome).answers()["crime_and_asb"] == NOT_MET

    def test_an_empty_outcome_leaves_the_answer_open(self, family):
        row = family.incident("child", date(2026, 5, 6), outcome=None).answers()
        assert row["crime_and_asb"] == NO_DATA
        assert "outcome" in row["crime_and_asb_evidence"]
        assert "6 May 2026" in row["crime_and_asb_evidence"]

    def test_an_empty_cell_that_cannot_matter_does_not_leave_it_open(self, family):
        assert (
            family.incident("child", involved_role="victim", outcome=None).answers()["crime_and_asb"]
            == NOT_MET
        )

    def test_the_age_counts_on_the_day_of_the_offence_not_of_the_run(self, family):
        eighteen_in_may = date(2008, 5, 10)
        family.person("youth", eighteen_in_may)
        assert family.incident("youth", date(2026, 5, 9), **OFFENCE).answers()["crime_and_asb"] == MET

    def test_an_offence_on_the_eighteenth_birthday_is_an_adults(self, family):
        family.person("youth", date(2008, 5, 10))
        assert family.incident("youth", date(2026, 5, 10), **OFFENCE).answers()["crime_and_asb"] == NOT_MET

    def test_offence_of_a_member_of_unknown_age_leaves_it_open(self, family):
        assert (
            family.person("someone", None).incident("someone", **OFFENCE).answers()["crime_and_asb"]
            == NO_DATA
        )

    @pytest.mark.parametrize(
        ("on", "answer"),
        [
            (date(2025, 6, 30), NOT_MET),
            (date(2025, 7, 1), MET),
            (date(2026, 6, 30), MET),
            (date(2026, 7, 1), NOT_MET),
        ],
    )
    def test_the_window_is_twelve_months_and_both_its_ends_count(self, family, on, answer):
        assert family.incident("child", on, **OFFENCE).answers()["crime_and_asb"] == answer

    def test_the_hour_after_midnight_in_summer_belongs_to_its_own_day(self, family):
        family.incident("child", **OFFENCE)
        # Half past midnight on 1 July 2025 in the United Kingdom: the first day of the window.
        family.incidents[-1]["occurred_at"] = datetime(2025, 6, 30, 23, 30)
        assert family.answers()["crime_and_asb"] == MET

    def test_a_shorter_look_back_can_be_chosen(self, family):
        family.incident("child", date(2025, 11, 1), **OFFENCE)
        assert family.answers()["crime_and_asb"] == MET
        assert family.answers(look_back=6)["crime_and_asb"] == NOT_MET

    def test_anti_social_behaviour_of_any_member_is_met(self, family):
        assert family.incident("adult", **ASB).answers()["crime_and_asb"] == MET

    def test_councils_may_count_only_anti_social_behaviour_that_led_to_an_intervention(self, family):
        family.incident("adult", **ASB)
        assert family.answers(asb_counts="intervention")["crime_and_asb"] == NOT_MET
        family.incident("adult", outcome="community resolution", **ASB)
        assert family.answers(asb_counts="intervention")["crime_and_asb"] == MET

    def test_anti_social_behaviour_at_the_address_by_nobody_named_leaves_it_open(self, family):
        family.incident(None, involved_role=None, **ASB)
        family.incidents[-1]["household_id"] = "H1"
        assert family.answers()["crime_and_asb"] == NO_DATA

    def test_a_burglary_at_the_address_by_nobody_named_says_nothing_about_the_household(self, family):
        family.incident(None, category="burglary", involved_role=None, outcome=None)
        family.incidents[-1]["household_id"] = "H1"
        assert family.answers()["crime_and_asb"] == NOT_MET

    def test_an_incident_counts_for_the_persons_household_not_for_that_of_the_place(self, family):
        family.family("H2").incident("child", **ASB)
        family.incidents[-1]["household_id"] = "H2"
        assert family.answers("H1")["crime_and_asb"] == MET
        assert family.answers("H2")["crime_and_asb"] == NOT_MET


class TestCrimeCoverage:
    def test_police_data_that_starts_too_late_is_source_not_covered(self, family):
        family.covers["police.incidents"] = (date(2025, 12, 1), AS_AT, AS_AT)
        row = family.answers()
        assert row["crime_and_asb"] == SOURCE_NOT_COVERED
        assert "police.incidents starts on 1 December 2025" in row["crime_and_asb_evidence"]

    def test_police_data_that_ends_too_early_is_source_not_covered(self, family):
        family.covers["police.incidents"] = (date(2023, 7, 1), date(2026, 3, 31), AS_AT)
        assert family.answers()["crime_and_asb"] == SOURCE_NOT_COVERED

    def test_a_month_in_arrear_is_covered(self, family):
        family.covers["police.incidents"] = (date(2023, 7, 1), date(2026, 5, 31), AS_AT)
        assert family.answers()["crime_and_asb"] == NOT_MET

    def test_evidence_inside_the_window_counts_even_where_the_source_covers_only_part_of_it(self, family):
        family.covers["police.incidents"] = (date(2025, 12, 1), AS_AT, AS_AT)
        assert family.incident("child", date(2026, 3, 4), **OFFENCE).answers()["crime_and_asb"] == MET

    def test_a_source_that_was_not_supplied_is_source_not_covered(self, family):
        family.without.add("police.incidents")
        row = family.answers()
        assert row["crime_and_asb"] == SOURCE_NOT_COVERED
        assert "not supplied" in row["crime_and_asb_evidence"]

    def test_without_a_stated_period_the_dates_of_the_rows_tell(self, family):
        family.covers["police.incidents"] = (None, None, None)
        assert family.answers()["crime_and_asb"] == SOURCE_NOT_COVERED  # no rows, so no period at all
        family.person("other", date(1990, 1, 1), "H9").incident("other", date(2025, 7, 2)).incident(
            "other", AS_AT
        )
        assert family.answers()["crime_and_asb"] == NOT_MET


class TestEducation:
    def test_an_ordinary_year_is_not_met(self, family):
        row = family.answers()
        assert row["education"] == NOT_MET
        assert "3 rows in schools.attendance" in row["education_evidence"]

    def test_fifteen_per_cent_unauthorised_absence_is_met(self, family):
        row = family.school("child", absence_unauthorised=18).answers()  # 54 of 360 sessions
        assert row["education"] == MET
        assert "unauthorised absence" in row["education_evidence"]
        assert "3 rows in schools.attendance, 1 September 2025 to 13 April 2026" in row["education_evidence"]

    def test_just_under_fifteen_per_cent_is_not_met(self, family):
        family.school("child", absence_unauthorised=18).school("child", TERMS[:1], absence_unauthorised=17)
        assert family.answers()["education"] == NOT_MET

    def test_authorised_absence_counts_only_where_the_council_says_so(self, family):
        family.school("child", absence_authorised=30, absence_unauthorised=0)
        assert family.answers()["education"] == NOT_MET
        row = family.answers(absence_counts="all")
        assert row["education"] == MET
        assert "absence of any kind" in row["education_evidence"]

    def test_three_fixed_exclusions_over_three_terms_are_met(self, family):
        assert family.school("child", fixed_exclusions=1).answers()["education"] == MET

    def test_two_fixed_exclusions_are_not(self, family):
        assert family.school("child", TERMS[:2], fixed_exclusions=1).answers()["education"] == NOT_MET

    def test_exclusions_of_two_children_do_not_add_up(self, family):
        family.person("sister", date(2012, 8, 1)).school("sister", TERMS[:2], fixed_exclusions=1)
        family.school("sister", TERMS[2:]).school("child", TERMS[:2], fixed_exclusions=1)
        assert family.answers()["education"] == NOT_MET

    def test_a_permanent_exclusion_is_met(self, family):
        assert family.school("child", TERMS[1:2], permanent_exclusion=True).answers()["education"] == MET

    def test_a_pupil_referral_unit_after_an_exclusion_is_met(self, family):
        family.school("child", TERMS[:1], fixed_exclusions=1).school("child", TERMS[1:], provision="pru")
        assert family.answers()["education"] == MET

    def test_a_pupil_referral_unit_without_an_exclusion_on_record_leaves_it_open(self, family):
        row = family.school("child", TERMS[1:], provision="pru").answers()
        assert row["education"] == NO_DATA
        assert "no exclusion" in row["education_evidence"]

    def test_a_unit_left_behind_is_not_met(self, family):
        assert family.school("child", TERMS[:1], provision="pru").answers()["education"] == NOT_MET

    def test_not_on_a_roll_in_the_last_term_is_met(self, family):
        family.school(
            "child",
            TERMS[2:],
            on_roll=False,
            sessions_possible=0,
            absence_authorised=0,
            absence_unauthorised=0,
        )
        assert family.answers()["education"] == MET

    def test_a_school_leaver_of_sixteen_who_is_not_on_a_roll_is_not_met(self, case):
        case.person("adult", date(1980, 1, 1)).person("leaver", date(2009, 8, 1)).school(
            "leaver", on_roll=False
        )
        assert case.answers()["education"] == NOT_MET

    def test_a_child_of_school_age_without_a_row_is_no_data_and_not_a_silent_no(self, family):
        row = family.person("second", date(2016, 3, 3)).answers()
        assert row["education"] == NO_DATA
        assert "1 child of school age" in row["education_evidence"]

    def test_a_child_with_a_term_missing_is_no_data(self, family):
        family.attendance = family.attendance[:2]
        # Another pupil has all three terms, so that the source covers them.
        family.family("H2")
        assert family.answers()["education"] == NO_DATA

    def test_what_missing_terms_could_not_undo_is_met_all_the_same(self, family):
        family.school("child", absence_unauthorised=40).attendance.pop()
        family.family("H2")
        # 80 of 240 held; 80 of 360 had the missing term been spotless: 22%.
        assert family.answers()["education"] == MET

    def test_what_missing_terms_could_undo_is_not_yet_met(self, family):
        family.school("child", absence_unauthorised=20).attendance.pop()
        family.family("H2")
        # 40 of 240 held is 17%; 40 of 360 would be 11%.
        assert family.answers()["education"] == NO_DATA

    def test_a_child_under_school_age_is_not_expected_in_the_source(self, case):
        case.person("adult", date(1990, 1, 1)).person("toddler", date(2023, 1, 1)).family("H2")
        assert case.answers()["education"] == NOT_MET

    def test_a_child_who_turned_five_this_year_is_expected_from_the_term_after(self, case):
        case.person("adult", date(1990, 1, 1)).person("starter", date(2021, 2, 1)).family("H2")
        case.school("starter", TERMS[2:])
        assert case.answers()["education"] == NOT_MET

    def test_an_empty_figure_leaves_it_open(self, family):
        assert family.school("child", TERMS[:1], absence_unauthorised=None).answers()["education"] == NO_DATA

    def test_no_possible_sessions_is_no_share_at_all(self, family):
        family.school("child", sessions_possible=0, absence_unauthorised=0, absence_authorised=0)
        assert family.answers()["education"] == NO_DATA

    def test_two_terms_in_the_source_are_not_three(self, family):
        family.attendance = [row for row in family.attendance if row["term_start"] != TERMS[0]]
        row = family.answers()
        assert row["education"] == SOURCE_NOT_COVERED
        assert "2 of the 3" in row["education_evidence"]

    def test_terms_with_a_gap_are_not_consecutive(self, family):
        family.attendance = []
        family.school("child", (date(2024, 9, 2), date(2026, 1, 5), date(2026, 4, 13)))
        assert family.answers()["education"] == SOURCE_NOT_COVERED

    def test_terms_of_long_ago_are_no_evidence_for_now(self, family):
        family.attendance = []
        family.school(
            "child", (date(2023, 9, 4), date(2024, 1, 8), date(2024, 4, 15)), permanent_exclusion=True
        )
        assert family.answers()["education"] == SOURCE_NOT_COVERED

    def test_the_term_in_progress_may_not_have_been_delivered_yet(self, family):
        assert family.answers(as_at=date(2026, 12, 15))["education"] == NOT_MET

    def test_one_child_who_meets_it_is_enough_whatever_is_missing_about_another(self, family):
        family.person("second", date(2016, 3, 3)).school("child", fixed_exclusions=1)
        assert family.answers()["education"] == MET


class TestOutOfWork:
    def test_a_claim_in_payment_is_met_with_its_start(self, family):
        row = family.claim("adult", date(2025, 11, 1)).answers()
        assert row["out_of_work"] == MET
        assert "1 row in benefits.claims, since 1 November 2025" in row["out_of_work_evidence"]

    def test_no_claim_in_an_up_to_date_register_is_not_met(self, family):
        assert family.answers()["out_of_work"] == NOT_MET

    @pytest.mark.parametrize(
        ("end", "answer"), [(date(2026, 6, 29), NOT_MET), (date(2026, 6, 30), MET), (date(2026, 12, 1), MET)]
    )
    def test_a_claim_counts_to_its_last_day(self, family, end, answer):
        assert family.claim("adult", end_date=end).answers()["out_of_work"] == answer

    def test_a_claim_that_starts_later_does_not_count(self, family):
        assert family.claim("adult", date(2026, 7, 1)).answers()["out_of_work"] == NOT_MET

    def test_a_benefit_for_people_in_work_is_not_met(self, family):
        assert family.claim("adult", out_of_work=False).answers()["out_of_work"] == NOT_MET

    def test_an_empty_flag_leaves_it_open(self, family):
        assert family.claim("adult", out_of_work=None).answers()["out_of_work"] == NO_DATA

    def test_an_empty_start_leaves_it_open(self, family):
        assert family.claim("adult", None).answers()["out_of_work"] == NO_DATA

    def test_a_claim_of_someone_under_18_is_not_met(self, family):
        assert family.person("youth", date(2009, 1, 1)).claim("youth").answers()["out_of_work"] == NOT_MET

    def test_a_claim_of_a_member_of_unknown_age_leaves_it_open(self, family):
        assert family.person("someone", None).claim("someone").answers()["out_of_work"] == NO_DATA

    def test_a_household_without_a_known_adult_is_no_data(self, case):
        row = case.person("child", date(2014, 5, 1)).school("child").answers()
        assert row["out_of_work"] == NO_DATA
        assert "nobody known in the household" in row["out_of_work_evidence"]

    def test_a_stale_register_is_source_not_covered_whatever_it_holds(self, family):
        family.covers["benefits.claims"] = (None, None, date(2026, 3, 29))
        assert family.claim("adult", date(2026, 1, 1)).answers()["out_of_work"] == SOURCE_NOT_COVERED

    def test_a_register_of_last_month_will_do(self, family):
        family.covers["benefits.claims"] = (None, None, date(2026, 5, 31))
        assert family.claim("adult", date(2026, 1, 1)).answers()["out_of_work"] == MET

    def test_a_register_without_dates_of_its_own_is_as_fresh_as_its_newest_claim(self, family):
        family.covers["benefits.claims"] = (None, None, None)
        assert family.answers()["out_of_work"] == SOURCE_NOT_COVERED
        assert family.claim("adult", date(2026, 6, 1)).answers()["out_of_work"] == MET


class TestEligibility:
    def test_two_of_three_met_is_eligible(self, family):
        row = family.incident("child", **OFFENCE).claim("adult").answers()
        assert (row["criteria_met"], row["needs_no_data"], row["eligible"]) == (2, 0, YES)

    def test_one_of_three_is_not_eligible_when_the_others_are_known(self, family):
        row = family.claim("adult").answers()
        assert (row["criteria_met"], row["needs_no_data"], row["eligible"]) == (1, 0, NO)

    def test_one_met_and_one_open_cannot_be_told(self, family):
        row = family.claim("adult").person("second", date(2016, 3, 3)).answers()
        assert (row["criteria_met"], row["needs_no_data"], row["eligible"]) == (1, 1, CANNOT_TELL)

    def test_two_met_is_eligible_whatever_is_open(self, family):
        family.without.add("schools.attendance")
        row = family.incident("child", **OFFENCE).claim("adult").answers()
        assert (row["criteria_met"], row["needs_no_data"], row["eligible"]) == (2, 1, YES)

    def test_one_open_alone_cannot_make_two(self, family):
        family.without.add("schools.attendance")
        row = family.answers()
        assert (row["criteria_met"], row["needs_no_data"], row["eligible"]) == (0, 1, NO)

    def test_without_any_source_nothing_can_be_told(self, family):
        family.without |= {"schools.attendance", "police.incidents", "benefits.claims"}
        row = family.answers()
        assert (row["criteria_met"], row["needs_no_data"], row["eligible"]) == (0, 3, CANNOT_TELL)


class TestPopulation:
    def test_households_without_a_child_are_counted_and_not_looked_at(self, family):
        family.person("single", date(1990, 1, 1), "H2").incident("single", **ASB).claim("single")
        result = family.run()
        assert result.households["household_id"].to_list() == ["H1"]
        assert result.summary.filter(pl.col("answer") == "no child")["households"].item() == 1

    def test_a_household_with_a_member_of_unknown_age_is_listed_and_never_eligible(self, family):
        family.person("one", date(1990, 1, 1), "H2").person("other", None, "H2")
        row = family.incident("one", **ASB).claim("one").answers("H2")
        assert (row["criteria_met"], row["eligible"]) == (2, CANNOT_TELL)

    def test_a_child_is_one_until_the_eighteenth_birthday(self, case):
        case.person("adult", date(1980, 1, 1)).person("youth", date(2008, 7, 1))
        assert case.run(as_at=date(2026, 6, 30)).households.height == 1
        assert case.run(as_at=date(2026, 7, 1)).households.height == 0

    def test_people_without_a_household_are_counted(self, family):
        assert family.person("nowhere", date(1990, 1, 1), None).run().people_without_household == 1


class TestEvidence:
    def test_evidence_holds_counts_dates_and_sources_and_nobody(self, family):
        family.incident("child", date(2026, 3, 4), **OFFENCE).incident("child", date(2026, 5, 6), **OFFENCE)
        evidence = json.loads(family.answers()["evidence"])
        assert list(evidence) == ["crime_and_asb", "education", "out_of_work"]
        assert evidence["crime_and_asb"][0] == {
            "indicator": "proven_offence_under_18",
            "answer": MET,
            "source": "police.incidents",
            "rows": 2,
            "first": "2026-03-04",
            "last": "2026-05-06",
            "why": "",
        }
        assert "child" not in family.answers()["evidence"].replace("in_need", "")

    def test_every_indicator_of_the_ruleset_is_accounted_for(self, family):
        result = family.run()
        evidence = json.loads(result.households["evidence"][0])
        for criterion in result.ruleset.criteria:
            assert [item["indicator"] for item in evidence[criterion.id]] == [
                one.id for one in criterion.indicators
            ]

    def test_services_in_touch_are_context_and_change_no_answer(self, family):
        before = family.answers()
        after = family.case("child", date(2026, 2, 1)).answers()
        assert after["in_touch"] == "Children's services: open case since 1 February 2026"
        assert {**after, "in_touch": before["in_touch"]} == before

    def test_a_closed_case_is_not_in_touch(self, family):
        assert not family.case("child", end_date=date(2026, 5, 1)).answers()["in_touch"]

    def test_summary_counts_every_household_once_for_each_criterion(self, family):
        family.family("H2").claim("adult-H2")
        summary = family.run().summary
        for criterion in ("crime_and_asb", "education", "out_of_work", "eligible"):
            assert summary.filter(pl.col("criterion") == criterion)["households"].sum() == 2
        met = (pl.col("criterion") == "out_of_work") & (pl.col("answer") == MET)
        assert summary.filter(met)["households"].item() == 1
