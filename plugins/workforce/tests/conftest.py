"""A small force, made from a seed: incidents, time recording and establishment with known properties."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from joinedup_workforce.panel import Panel, add_months, days_in

FIRST = date(2023, 7, 1)
MONTHS = 36
TODAY = date(2026, 7, 1)
TEAMS = {"Response East": ("East", "response"), "Response West": ("West", "response")}
SHARES = {"response": 0.6, "prevention": 0.2, "investigation": 0.1, "internal": 0.05, "training": 0.05}


def seasonal_panel(
    seed: int, *, mean: float = 40.0, swing: float = 0.3, growth: float = 0.0, areas: int = 4
) -> Panel:
    """Poisson counts of two categories in several areas, with a yearly wave and a steady growth."""
    rng = np.random.default_rng(seed)
    months = [add_months(FIRST, number) for number in range(MONTHS)]
    years = np.arange(MONTHS) / 12
    wave = np.array([1 + swing * np.cos(2 * np.pi * (month.month - 7) / 12) for month in months])
    days = np.array([days_in(month) for month in months]) / 30.44
    expected = mean * wave * days * np.exp(growth * years)
    names = [(f"Area {place}", category) for place in range(areas) for category in ("calm", "wild")]
    counts = rng.poisson(np.broadcast_to(expected, (len(names), MONTHS))).astype(float)
    return Panel(tuple(area for area, _ in names), tuple(category for _, category in names), FIRST, counts)


@dataclass
class Force:
    """Tables of a force of two response teams.

    `drift` moves hours of the last weeks from prevention to response.
    """

    seed: int = 1
    drift: float = 0.0
    drift_weeks: int = 10
    weekly_hours: float = 400.0
    fte: float = 10.0
    abstraction: float = 0.25
    minutes: int = 60
    incidents_a_month: float = 60.0
    teams: dict[str, tuple[str, str]] = field(default_factory=lambda: dict(TEAMS))

    def incidents(self) -> pl.DataFrame:
        rng = np.random.default_rng(self.seed)
        rows = []
        for number in range(MONTHS):
            month = add_months(FIRST, number)
            for team, (area, _) in self.teams.items():
                for category in ("burglary", "theft"):
                    for _ in range(rng.poisson(self.incidents_a_month / 2)):
                        day = int(rng.integers(0, days_in(month)))
                        moment = datetime(month.year, month.month, day + 1, int(rng.integers(0, 24)))
                        rows.append((moment, area, category, team, 2, self.minutes))
        names = ("occurred_at", "area", "category", "team", "officers", "minutes")
        return pl.DataFrame(rows, schema=list(names), orient="row").cast(
            {"occurred_at": pl.Datetime("us", "UTC")}
        )

    def recording(self) -> pl.DataFrame:
        rng = np.random.default_rng(self.seed + 1)
        start = date(2023, 7, 3)
        weeks = [start + timedelta(days=7 * number) for number in range(156)]
        rows = []
        for team in self.teams:
            for place, week in enumerate(weeks):
                moved = (
                    self.drift if place >= len(weeks) - self.drift_weeks and team == "Response East" else 0.0
                )
                noise = rng.normal(0, 0.01)
                for activity, share in SHARES.items():
                    change = {"response": moved + noise, "prevention": -moved - noise}.get(activity, 0.0)
                    rows.append(
                        (
                            team,
                            week,
                            activity,
                            self.weekly_hours * share,
                            self.weekly_hours * (share + change),
                        )
                    )
        names = ("team", "week_start", "activity", "planned_hours", "actual_hours")
        return pl.DataFrame(rows, schema=list(names), orient="row")

    def establishment(self) -> pl.DataFrame:
        rows = [
            (team, area, kind, add_months(FIRST, number), self.fte, 160.0, self.abstraction)
            for number in range(MONTHS)
            for team, (area, kind) in self.teams.items()
        ]
        names = ("team", "area", "kind", "month", "fte", "contracted_hours", "abstraction_rate")
        return pl.DataFrame(rows, schema=list(names), orient="row")

    def tables(self) -> dict[str, object]:
        """The force as the inputs of the plugin."""
        return {
            "incidents": self.incidents().to_arrow(),
            "time_recording": self.recording().to_arrow(),
            "establishment": self.establishment().to_arrow(),
        }


@pytest.fixture
def force() -> type[Force]:
    """Makes forces."""
    return Force


@pytest.fixture
def make_panel():
    """Makes panels of Poisson counts with a known season and growth."""
    return seasonal_panel
