"""Load, capacity and the mix of work: formulas on figures that can be checked by hand, and XmR charts."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from joinedup_workforce import load, mix, xmr
from joinedup_workforce.findings import Settings, find

PERIOD = (date(2023, 7, 1), date(2026, 6, 30))


def one_month(**values: float) -> dict[str, float]:
    """A team's month through the formulas."""
    row = {
        "response_hours": 900.0,
        "investigation_hours": 300.0,
        "proactive_hours": 250.0,
        "internal_hours": 150.0,
        "fte": 12.0,
        "contracted_hours": 160.0,
        "abstraction_rate": 0.30,
        **values,
    }
    table = pl.DataFrame([{"team": "T", "month": date(2026, 1, 1), **row}])
    return load.with_load(table).row(0, named=True)


class TestFormulas:
    def test_load_is_the_sum_of_its_four_parts(self):
        assert one_month()["load_hours"] == 1600

    def test_capacity_is_posts_times_hours_times_what_abstraction_leaves(self):
        assert one_month()["capacity_hours"] == pytest.approx(12 * 160 * 0.7)

    def test_rho_is_load_over_capacity(self):
        assert one_month()["rho"] == pytest.approx(1600 / 1344)

    def test_posts_needed_are_on_duty_posts_divided_by_what_shrinkage_leaves(self):
        # 1600 hours are 10 posts on duty. Dividing by 0.7 gives 14.3; multiplying by 1.3 would give 13 and
        # understaff.
        assert one_month()["fte_needed"] == pytest.approx(10 / 0.7)

    def test_with_the_posts_needed_load_is_exactly_capacity(self):
        needed = one_month()["fte_needed"]
        assert one_month(fte=needed)["rho"] == pytest.approx(1.0)

    def test_no_posts_are_no_capacity_and_no_ratio(self):
        row = one_month(fte=0.0)
        assert row["rho"] is None
        assert row["fte_needed"] == pytest.approx(10 / 0.7)

    def test_nobody_is_ever_on_duty_when_all_time_is_abstracted(self):
        row = one_month(abstraction_rate=1.0)
        assert (row["rho"], row["fte_needed"]) == (None, None)


class TestHours:
    def test_officer_hours_are_officers_times_minutes(self):
        incidents = pl.DataFrame(
            {"occurred_at": [date(2026, 1, 31)], "category": ["theft"], "officers": [3], "minutes": [40]}
        )
        row = load.officer_hours(incidents).row(0, named=True)
        assert (row["hours"], row["month"]) == (2.0, date(2026, 1, 1))

    def test_surveyed_minutes_stand_in_where_none_are_recorded(self):
        incidents = pl.DataFrame(
            {
                "occurred_at": [date(2026, 1, 1)] * 2,
                "category": ["burglary", "arson"],
                "officers": [2, None],
                "minutes": [None, None],
            },
            schema_overrides={"minutes": pl.Int64},
        )
        assert load.officer_hours(incidents)["hours"].to_list() == pytest.approx([2 * 56.2 / 60, 50.1 / 60])

    def test_weeks_are_shared_out_over_the_days_of_their_months(self):
        mondays = [date(2025, 12, 29) + timedelta(days=7 * number) for number in range(10)]
        rows = [("T", week, "response", 70.0, 140.0) for week in mondays]
        names = ["team", "week_start", "activity", "planned_hours", "actual_hours"]
        recording = pl.DataFrame(rows, schema=names, orient="row")
        found = load.monthly_hours(recording, [date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)])
        # 20 hours a day: 31 days, 28 days; March has 8 covered days and does not count.
        assert found["month"].to_list() == [date(2026, 1, 1), date(2026, 2, 1)]
        assert found["actual"].to_list() == pytest.approx([620, 560])
        assert found["planned"].to_list() == pytest.approx([310, 280])


class TestLoad:
    def found(self, force, **settings):
        return find(force.incidents(), force.recording(), force.establishment(), PERIOD, Settings(**settings))

    def test_overhead_is_measured_as_recorded_response_hours_for_each_hour_at_incidents(self, force):
        # About 60 incidents a month of 2 officers and an hour: 120 hours; 400 x 0.6 a week recorded: about
        # 1,040 a month.
        found = self.found(force())
        assert found.overhead.measured
        assert found.overhead.by_team["Response West"] == pytest.approx(
            400 * 0.6 * 365.25 / 7 / 12 / 120, rel=0.05
        )

    def test_overhead_can_be_set_instead(self, force):
        found = self.found(force(), overhead=1.5)
        assert not found.overhead.measured
        recorded = found.load.filter(pl.col("basis") == "recorded")
        assert (recorded["response_hours"] / recorded["incident_hours"]).to_list() == pytest.approx(
            [1.5] * recorded.height
        )

    def test_the_most_strained_team_comes_first(self, force):
        made = force()
        posts = made.establishment().with_columns(
            fte=pl.when(pl.col("team") == "Response West").then(pl.lit(5.0)).otherwise(pl.col("fte"))
        )
        found = find(made.incidents(), made.recording(), posts, PERIOD, Settings())
        assert found.teams["team"].to_list() == ["Response West", "Response East"]
        assert found.alerts[0].kind == "over capacity"
        assert "Response West" in found.alerts[0].message

    def test_load_ahead_carries_the_present_on_when_nothing_changes(self, force):
        found = self.found(force(incidents_a_month=400.0))
        for row in found.teams.iter_rows(named=True):
            assert row["rho_ahead"] == pytest.approx(row["rho"], rel=0.06)
        assert set(found.load.filter(pl.col("basis") == "forecast")["month"]) == set(found.outlook.ahead)

    def test_training_is_not_counted_twice(self, force):
        found = self.found(force(), overhead=1.0)
        row = found.load.filter(pl.col("basis") == "recorded").row(0, named=True)
        parts = ("response_hours", "investigation_hours", "proactive_hours", "internal_hours")
        assert row["load_hours"] == pytest.approx(sum(row[name] for name in parts))
        days = 365.25 / 12
        assert row["internal_hours"] == pytest.approx(400 * 0.05 * days / 7, rel=0.03)

    def test_prevention_counts_as_planned_when_response_work_has_crowded_it_out(self, force):
        found = self.found(force(drift=0.15, drift_weeks=20))
        row = found.load.filter((pl.col("basis") == "recorded") & (pl.col("team") == "Response East")).tail(1)
        assert row["proactive_hours"].item() == pytest.approx(400 * 0.2 * 30 / 7, rel=0.01)

    def test_a_team_that_is_no_longer_there_has_no_months_ahead(self, force):
        made = force()
        gone = (pl.col("team") == "Response West") & (pl.col("month") > date(2026, 1, 1))
        found = find(
            made.incidents(), made.recording(), made.establishment().filter(~gone), PERIOD, Settings()
        )
        ahead = found.load.filter(pl.col("basis") == "forecast")
        assert set(ahead["team"]) == {"Response East"}

    def test_response_hours_that_incidents_do_not_explain_are_told(self, force):
        made = force(drift=0.25, drift_weeks=14, incidents_a_month=200.0)
        found = self.found(made)
        kinds = {(one.team, one.kind) for one in found.alerts}
        assert ("Response East", "hours not explained") in kinds
        assert ("Response West", "hours not explained") not in kinds

    def test_teams_too_small_to_be_more_than_an_officer_are_left_out_everywhere(self, force):
        found = self.found(force(fte=1.5, drift=0.2))
        assert found.small_teams == 2
        assert found.load.is_empty()
        assert not found.mixes
        assert not found.alerts


class TestXmr:
    def test_limits_are_mean_plus_and_minus_266_times_the_mean_moving_range(self):
        found = xmr.limits([10, 12, 11, 13])
        assert (found.mean, found.upper, found.lower) == pytest.approx(
            (11.5, 11.5 + 2.66 * 5 / 3, 11.5 - 2.66 * 5 / 3)
        )

    def test_one_value_sets_no_limits(self):
        with pytest.raises(ValueError, match="two values"):
            xmr.limits([1.0])

    @pytest.mark.parametrize(
        ("values", "run"),
        [([], 0), ([5, 6], 2), ([4, 6, 6], 2), ([6, 4, 4, 4], -3), ([6, 5], 0), ([6, 5, 6], 1)],
    )
    def test_a_run_is_counted_from_the_end_and_broken_by_the_mean_itself(self, values, run):
        assert xmr.run_at_end(values, 5 if 5 in values[1:] else 4.5) == run

    def test_seven_on_one_side_are_a_signal_and_six_are_not(self):
        around = xmr.Limits(10, 0, 20, 20)
        assert xmr.signals([9, *[11] * 6], around) == []
        assert xmr.signals([9, *[11] * 7], around) == ["seven on one side"]
        assert xmr.signals([11, *[9] * 7], around) == ["seven on one side"]

    def test_beyond_a_limit_is_a_signal_and_on_it_is_not(self):
        around = xmr.Limits(10, 7, 13, 20)
        assert "beyond a limit" in xmr.signals([10, 13.01], around)
        assert "beyond a limit" in xmr.signals([10, 6.99], around)
        assert xmr.signals([10, 13], around) == []

    def test_seven_points_rising_are_a_trend(self):
        around = xmr.Limits(10, 0, 20, 20)
        assert "seven-point trend" in xmr.signals([7, 8, 9, 10, 11, 12, 13], around)
        assert "seven-point trend" not in xmr.signals([7, 8, 9, 9, 11, 12, 13], around)

    def test_two_of_three_near_a_limit_are_a_signal(self):
        around = xmr.Limits(10, 7, 13, 20)
        assert xmr.signals([12.5, 9.5, 12.5], around) == ["two of three near a limit"]
        assert xmr.signals([12.5, 9.5, 10.5], around) == []
        assert xmr.signals([12.5, 9.5, 7.5], around) == []

    def test_steady_noise_gives_few_signals(self):
        rng = np.random.default_rng(4)
        series = rng.normal(50, 5, (400, 60))
        beyond = [("beyond a limit" in xmr.signals(row, xmr.limits(row[:40]))) for row in series]
        # Three standard deviations on either side: 0.3% of normal values, somewhat more with estimated
        # limits.
        assert np.mean(beyond) < 0.03


class TestMix:
    def mixes(self, force, **settings):
        return mix.team_mixes(mix.weekly(force(**settings).recording(), PERIOD[1]))

    def test_a_team_that_drifts_comes_first_and_is_told_in_plain_words(self, force):
        first = self.mixes(force, drift=0.15, drift_weeks=9)[0]
        assert first.drifting
        assert first.recent == pytest.approx(0.75, abs=0.02)
        assert first.planned == pytest.approx(0.60)
        assert first.run >= 9
        assert first.sentence() == (
            f"Response East: response share 75% against 60% planned, {first.run} weeks above its mean of 60%"
        )

    def test_weeks_of_drift_do_not_move_the_mean_they_are_held_against(self, force):
        drifted, steady = self.mixes(force, drift=0.15, drift_weeks=20)[0], self.mixes(force)
        same = next(one for one in steady if one.team == drifted.team)
        assert drifted.limits == same.limits

    def test_a_steady_team_neither_drifts_nor_is_off_plan(self, force):
        assert not any(one.drifting or one.off_plan for one in self.mixes(force))

    def test_off_plan_and_changed_are_two_findings(self, force):
        always = (
            force()
            .recording()
            .with_columns(
                planned_hours=pl.when(pl.col("activity") == "response")
                .then(pl.col("planned_hours") / 2)
                .otherwise(pl.col("planned_hours"))
            )
        )
        for one in mix.team_mixes(mix.weekly(always, PERIOD[1])):
            assert one.off_plan
            assert not one.drifting

    def test_a_week_that_lacks_an_activity_is_left_out_not_taken_for_drift(self, force):
        recording = force().recording()
        last = recording["week_start"].max()
        lacking = recording.filter((pl.col("week_start") != last) | (pl.col("activity") != "prevention"))
        weeks = mix.weekly(lacking, PERIOD[1])
        assert weeks.filter(~pl.col("complete")).height == 2
        assert not any(one.signals for one in mix.team_mixes(weeks))

    def test_weeks_that_have_not_ended_are_not_looked_at(self, force):
        weeks = mix.weekly(force().recording(), date(2026, 6, 20))
        assert weeks["week_start"].max() == date(2026, 6, 8)

    def test_too_few_weeks_set_no_limits(self, force):
        recording = force().recording().filter(pl.col("week_start") >= date(2026, 5, 1))
        assert mix.team_mixes(mix.weekly(recording, PERIOD[1])) == []
