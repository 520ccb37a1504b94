"""The forecast, its test on past months and its intervals: golden figures and known processes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import numpy as np
import polars as pl
import pytest

from joinedup_workforce import conformal
from joinedup_workforce.backtest import Backtest, as_used, backtest, calibrate, choose, mase
from joinedup_workforce.forecast import (
    damped_trend,
    same_month_last_year,
    seasonal_factors,
    seasonal_model,
)
from joinedup_workforce.outlook import ALL_AREAS, ALL_CATEGORIES, covered_days, outlook
from joinedup_workforce.panel import Panel, add_months, monthly_panel, whole_months


class TestPanel:
    def test_only_whole_months_are_counted(self):
        assert whole_months(date(2026, 1, 1), date(2026, 3, 31)) == (date(2026, 1, 1), 3)
        assert whole_months(date(2026, 1, 2), date(2026, 3, 30)) == (date(2026, 2, 1), 1)
        assert whole_months(date(2026, 1, 2), date(2026, 1, 30)) == (date(2026, 2, 1), 0)

    def test_two_days_short_of_a_month_are_forgiven_and_three_are_not(self):
        assert covered_days(date(2026, 1, 3), date(2026, 3, 29)) == (date(2026, 1, 1), date(2026, 3, 31))
        assert covered_days(date(2026, 1, 4), date(2026, 3, 28)) == (date(2026, 1, 4), date(2026, 3, 28))

    def test_a_month_without_incidents_counts_nothing_and_the_edges_fall_where_they_should(self):
        days = [date(2026, 1, 1), date(2026, 1, 31), date(2026, 3, 1), date(2026, 4, 1)]
        incidents = pl.DataFrame(
            {"occurred_at": days, "area": ["N", "N", "N", "N"], "category": ["a", "a", None, "a"]}
        )
        panel = monthly_panel(incidents, date(2026, 1, 1), date(2026, 3, 31))
        found = dict(zip(zip(panel.areas, panel.categories, strict=True), panel.counts.tolist(), strict=True))
        assert found == {("N", "a"): [2, 0, 0], ("N", "not recorded"): [0, 0, 1]}
        assert panel.months() == [date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)]
        assert panel.months(ahead=2) == [date(2026, 4, 1), date(2026, 5, 1)]

    def test_the_hour_after_midnight_in_summer_belongs_to_its_own_month(self):
        instant = pl.Series([datetime(2026, 6, 30, 23, 30)], dtype=pl.Datetime("us", "UTC"))
        incidents = pl.DataFrame({"occurred_at": instant, "area": ["N"], "category": ["a"]})
        assert monthly_panel(incidents, date(2026, 6, 1), date(2026, 7, 31)).counts.tolist() == [[0, 1]]

    def test_months_are_added_over_the_turn_of_the_year(self):
        assert add_months(date(2026, 11, 1), 3) == date(2027, 2, 1)
        assert add_months(date(2026, 2, 1), -3) == date(2025, 11, 1)


class TestBaseline:
    def test_each_month_repeats_the_same_month_of_the_last_year(self):
        counts = np.arange(30, dtype=float)[None, :]
        # Months 18 to 29 are the last year; the next month is of the same name as month 18.
        assert same_month_last_year(counts, 14)[0].tolist() == [*range(18, 30), 18, 19]

    def test_less_than_a_year_is_refused(self):
        with pytest.raises(ValueError, match="12 months"):
            same_month_last_year(np.ones((1, 11)), 1)


class TestModel:
    calendar = np.arange(36) % 12

    def test_a_clean_season_is_found(self):
        season = 1 + 0.3 * np.cos(2 * np.pi * self.calendar / 12)
        factors = seasonal_factors(100 * season, self.calendar)
        assert factors / factors.mean() == pytest.approx(season[:12], abs=0.02)

    def test_a_straight_growth_is_no_season(self):
        factors = seasonal_factors(100 * np.exp(0.02 * np.arange(36)), self.calendar)
        assert factors == pytest.approx(np.ones(12), abs=1e-6)

    def test_noise_is_mostly_shrunk_away(self):
        rng = np.random.default_rng(5)
        raw, kept = [], []
        for _ in range(40):
            rates = rng.poisson(100, 36).astype(float)
            kept.append(np.std(np.log(seasonal_factors(rates, self.calendar))))
            raw.append(np.std(np.log(rates).reshape(3, 12).mean(axis=0)))
        assert np.mean(kept) < 0.45 * np.mean(raw)

    def test_a_steady_series_is_carried_on(self):
        _, ahead = damped_trend(np.full((1, 36), 7.0), 6)
        assert ahead[0] == pytest.approx([7.0] * 6)

    def test_a_trend_is_followed_and_damped(self):
        _, ahead = damped_trend(np.arange(1, 37, dtype=float)[None, :], 12)
        steps = np.diff(ahead[0])
        assert ahead[0, 0] > 34
        assert (steps > 0).all()
        assert (np.diff(steps) < 0).all()

    def test_long_months_get_more_than_short_ones(self):
        days = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] * 3, dtype=float)
        fit = seasonal_model(days[None, :] * 2, ("a",), date(2021, 1, 1), 2)
        assert fit.ahead[0] == pytest.approx([62, 58 * 28 / 28.25], rel=0.04)
        assert fit.ahead[0, 0] > fit.ahead[0, 1]

    def test_two_years_are_needed(self):
        with pytest.raises(ValueError, match="24 months"):
            seasonal_model(np.ones((1, 23)), ("a",), date(2024, 1, 1), 1)

    def test_series_of_nothing_are_forecast_as_nothing(self):
        fit = seasonal_model(np.zeros((2, 30)), ("a", "a"), date(2024, 1, 1), 3)
        assert fit.ahead.tolist() == [[0, 0, 0], [0, 0, 0]]


def tiny_backtest(actual, model, baseline, naive=1.0) -> Backtest:
    """One series, origins at months 24, 25, ..., one month ahead."""

    def shaped(values):
        return np.array(values, dtype=float)[None, :, None]

    count = len(actual)
    scale = np.full((1, count), naive)
    return Backtest(
        tuple(range(24, 24 + count)),
        shaped(actual),
        shaped(model),
        shaped(baseline),
        scale,
        np.full((1, count), 0.5),
    )


class TestBacktest:
    def test_mase_is_the_mean_error_over_the_naive_error(self):
        test = tiny_backtest([10, 12, 8], model=[11, 11, 10], baseline=[14, 12, 4], naive=2.0)
        assert mase(test.scaled_errors(test.model)) == pytest.approx((1 + 1 + 2) / 3 / 2)
        assert mase(test.scaled_errors(test.baseline)) == pytest.approx((4 + 0 + 4) / 3 / 2)

    def test_mase_of_the_baseline_one_step_ahead_over_its_own_history_is_near_one(self, make_panel):
        found = [backtest(make_panel(seed), 1) for seed in range(12)]
        assert np.mean([mase(one.scaled_errors(one.baseline)) for one in found]) == pytest.approx(
            1.0, abs=0.08
        )

    def test_a_series_without_naive_error_has_no_scaled_error(self):
        test = tiny_backtest([10, 12], model=[10, 10], baseline=[10, 10], naive=0.0)
        assert mase(test.scaled_errors(test.model)) is None
        assert not choose(test).any()

    def test_each_origin_knows_only_what_came_before_it(self, make_panel):
        panel = make_panel(3)
        changed = panel.counts.copy()
        changed[:, 30:] *= 5
        before, after = backtest(panel, 3), backtest(replace(panel, counts=changed), 3)
        early = slice(0, 7)  # origins 24 to 30 are made from months 0 to 29
        assert np.array_equal(before.model[:, early], after.model[:, early])
        assert np.array_equal(before.noise[:, early], after.noise[:, early])
        assert not np.array_equal(before.model[:, 7:], after.model[:, 7:])

    def test_what_is_used_at_an_origin_is_chosen_without_what_came_later(self):
        # The model loses by far at the end: that must not reach back.
        good_then_bad = tiny_backtest([10] * 6, model=[10, 10, 10, 10, 90, 90], baseline=[12] * 6)
        assert as_used(good_then_bad)[0, :, 0].tolist() == [12, 10, 10, 10, 90, 12]
        assert not choose(good_then_bad).any()

    def test_the_model_beats_last_year_on_seasonal_counts_with_growth(self, make_panel):
        test = backtest(make_panel(1, growth=0.10), 6)
        assert mase(test.scaled_errors(test.model)) < 0.85 * mase(test.scaled_errors(test.baseline))
        assert choose(test).mean() > 0.8

    def test_last_year_is_used_where_it_cannot_be_beaten(self):
        # Twelve unlike months that repeat exactly, beside noise that makes the naive error positive.
        rng = np.random.default_rng(2)
        year = rng.permutation(np.arange(12) * 20 + 10).astype(float)
        counts = np.tile(year, 3)[None, :]
        counts[0, 0] += 6
        found = outlook(Panel(("N",), ("a",), date(2023, 7, 1), counts), 3)
        line = found.line("N", "a")
        assert line.mase_baseline < line.mase_model
        assert line.method == "same month last year"
        assert line.ahead == tuple(year[:3])

    def test_without_a_month_to_compare_with_there_is_no_test(self, make_panel):
        panel = make_panel(1)
        assert backtest(replace(panel, counts=panel.counts[:, :24]), 6) is None

    def test_totals_are_tested_on_their_own_sums(self, make_panel):
        panel = make_panel(1)
        test = backtest(panel, 2, [[0, 2], [1]])
        assert test.actual[0, 0, 0] == panel.counts[[0, 2], 24].sum()
        naive = np.abs(panel.counts[[0, 2], 12:24].sum(axis=0) - panel.counts[[0, 2], :12].sum(axis=0)).mean()
        assert test.naive[0, 0] == pytest.approx(naive)


class TestConformal:
    @pytest.mark.parametrize(
        ("count", "confidence", "place"), [(9, 0.8, 8), (19, 0.95, 19), (99, 0.95, 95), (4, 0.8, 4)]
    )
    def test_the_quantile_is_the_ceil_of_n_plus_1_times_confidence_th_smallest(
        self, count, confidence, place
    ):
        past = np.random.default_rng(1).permutation(np.arange(1, count + 1)).astype(float)
        assert conformal.quantile(past, confidence) == place

    def test_too_few_past_errors_give_no_interval(self):
        assert conformal.quantile(np.arange(18.0), 0.95) is None
        assert conformal.quantile(np.arange(19.0), 0.95) == 18.0
        assert conformal.quantile(np.array([]), 0.8) is None

    def test_months_that_have_not_come_are_left_out(self):
        assert conformal.quantile(np.array([1.0, np.nan, 2.0, 3.0, np.nan, 4.0]), 0.8) == 4.0

    @pytest.mark.parametrize("confidence", [0.8, 0.95])
    def test_coverage_on_a_known_distribution_is_what_is_promised(self, confidence):
        rng = np.random.default_rng(7)
        # Heavy-tailed and lopsided on purpose: the promise does not depend on the distribution.
        held = [
            rng.exponential() ** 2 <= conformal.quantile(rng.exponential(size=99) ** 2, confidence)
            for _ in range(6000)
        ]
        assert np.mean(held) == pytest.approx(confidence, abs=0.012)

    def test_the_scale_makes_the_noise_of_counts_alike(self):
        rng = np.random.default_rng(3)
        assert [
            np.std(conformal.stabilise(rng.poisson(mean, 20000).astype(float))) for mean in (5, 40, 900)
        ] == pytest.approx([0.5, 0.5, 0.5], abs=0.04)

    def test_the_interval_is_where_the_score_reaches_its_limit(self):
        forecast, noise = np.array([20.0]), np.array([0.7])
        for end in conformal.interval(forecast, noise, 1.5):
            assert conformal.scores(end, forecast, noise)[0] == pytest.approx(1.5)

    def test_no_interval_reaches_below_nothing(self):
        lower, upper = conformal.interval(np.array([0.0, 0.4]), np.array([0.6, 0.6]), 3.0)
        assert (lower >= 0).all()
        assert (upper > 0).all()

    def test_measured_coverage_of_rolling_intervals_is_near_the_promise_on_known_counts(self, make_panel):
        inside = dict.fromkeys((0.80, 0.95), (0, 0))
        for seed in range(15):
            found = calibrate(backtest(make_panel(seed, growth=0.05), 6))
            for confidence, (held, measured) in found.coverage.items():
                inside[confidence] = (inside[confidence][0] + held, inside[confidence][1] + measured)
        for confidence, (held, measured) in inside.items():
            assert measured > 2500
            assert held / measured == pytest.approx(confidence, abs=0.03)

    def test_past_intervals_are_judged_by_what_came_after_them_only(self):
        # Fifty series, one month ahead: months of ordinary errors, then one in which all are far off.
        ordinary = 100 + np.linspace(1, 10, 50)
        actual = np.stack([ordinary, ordinary, ordinary, np.full(50, 400.0)], axis=1)[:, :, None]
        level = np.full_like(actual, 100.0)
        scale = np.ones((50, 4))
        found = calibrate(Backtest((24, 25, 26, 27), actual, level, level, scale, scale))
        # The first origin is left out and the second has nothing before it. The third holds for the
        # ceil(51 x confidence) smallest errors, which were the same the month before; the fourth for none.
        assert found.coverage == {0.80: (41, 100), 0.95: (49, 100)}

    def test_the_next_interval_is_as_wide_as_the_past_errors_of_what_was_used(self, make_panel):
        test = backtest(make_panel(2), 3)
        past = conformal.scores(test.actual, as_used(test), test.noise[:, :, None])[:, 1:]
        assert calibrate(test).scores[0, 0.80] == conformal.quantile(past, 0.80)


class TestOutlook:
    def test_low_counts_wear_a_badge(self, make_panel):
        assert all(line.low_count for line in outlook(make_panel(1, mean=20), 3).lines if not line.is_total)
        assert not any(line.low_count for line in outlook(make_panel(1, mean=60), 3).lines)

    def test_there_is_a_line_for_every_series_area_category_and_the_whole(self, make_panel):
        found = outlook(make_panel(1, areas=3), 3)
        assert len(found.lines) == 6 + 3 + 2 + 1
        whole = found.line(ALL_AREAS, ALL_CATEGORIES)
        assert whole.history[-1] == sum(line.history[-1] for line in found.lines if not line.is_total)

    def test_intervals_hold_the_forecast_and_the_wider_one_the_narrower(self, make_panel):
        for line in outlook(make_panel(1), 6).lines:
            for step, value in enumerate(line.ahead):
                ends = [
                    line.lower[0.95][step],
                    line.lower[0.80][step],
                    value,
                    line.upper[0.80][step],
                    line.upper[0.95][step],
                ]
                assert ends == sorted(ends)

    def test_the_wave_is_carried_on(self, make_panel):
        line = outlook(make_panel(4, mean=200), 12).line()
        july, january = line.ahead[0], line.ahead[6]
        assert july / january == pytest.approx(1.3 / 0.7, rel=0.1)

    def test_without_a_year_of_history_there_is_no_forecast_and_it_says_so(self, make_panel):
        panel = make_panel(1)
        found = outlook(replace(panel, counts=panel.counts[:, :11]), 3)
        assert not found.lines
        assert "a forecast needs 12" in found.why_none

    def test_between_one_and_two_years_last_year_is_all_there_is_untested_and_without_intervals(
        self, make_panel
    ):
        panel = make_panel(1)
        found = outlook(replace(panel, counts=panel.counts[:, :18]), 3)
        assert {line.method for line in found.lines} == {"same month last year"}
        assert {end for line in found.lines for end in line.lower[0.8]} == {None}
        assert "no forecast can be tested" in found.why_none
