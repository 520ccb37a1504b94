"""What teams are really busy doing against what was planned.

The share of response work by week, and its drift.

Two findings are kept apart: that the share has *changed* (an XmR signal against the team's own past) and
that it is *off plan* (beside its planned share). A team can be off plan for years without a change, and
change without being off plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from joinedup_workforce import xmr

if TYPE_CHECKING:
    import polars as pl

# The weeks that are shown and watched, and the year before them that sets the mean and the limits.
WATCHED_WEEKS = 26
REFERENCE_WEEKS = 52
# Between plan and practice this much is taken for ordinary (assumed; percentage points).
OFF_PLAN = 0.05


@dataclass(frozen=True)
class Mix:
    """One team's share of response work. `weeks`, `shares`: the watched weeks, oldest first.

    `recent` and `planned` are the shares of all hours of the last seven weeks. `run`: weeks in a row above
    (positive) or below the mean.
    """

    team: str
    weeks: tuple[date, ...]
    shares: tuple[float, ...]
    limits: xmr.Limits
    recent: float
    planned: float | None
    run: int
    signals: tuple[str, ...]

    @property
    def off_plan(self) -> bool:
        """Whether the recent share is further from the planned one than is taken for ordinary."""
        return self.planned is not None and abs(self.recent - self.planned) > OFF_PLAN

    @property
    def drifting(self) -> bool:
        """Changed against its own past, and off plan."""
        return bool(self.signals) and self.off_plan

    def sentence(self) -> str:
        """The finding in words."""
        side = "above" if self.run > 0 else "below"
        weeks = abs(self.run)
        plan = "" if self.planned is None else f" against {self.planned:.0%} planned"
        run = f"{weeks} week{'s' if weeks != 1 else ''} {side} its mean" if weeks else "on its mean"
        return f"{self.team}: response share {self.recent:.0%}{plan}, {run} of {self.limits.mean:.0%}"


def weekly(recording: pl.DataFrame, last: date) -> pl.DataFrame:
    """Response hours and all hours by team and week, recorded and planned, for weeks that ended by `last`.

    `recording`: `team`, `week_start` (date), `activity`, `planned_hours`, `actual_hours`, a row a team, week
    and activity. `complete` is false for weeks that lack an activity which the team usually records, or
    hours at all: the shares of the other activities would be too high there.
    """
    import polars as pl

    response = pl.col("activity") == "response"
    weeks = recording.filter(
        pl.col("week_start").dt.offset_by("6d") <= last, pl.col("actual_hours").is_not_null()
    )
    summed = weeks.group_by("team", "week_start").agg(
        actual=pl.col("actual_hours").filter(response).sum(),
        total=pl.col("actual_hours").sum(),
        planned=pl.col("planned_hours").filter(response).sum(),
        planned_total=pl.col("planned_hours").sum(),
        activities=pl.col("activity").n_unique(),
    )
    usual = pl.col("activities").median().over("team")
    complete = (pl.col("total") > 0) & (pl.col("activities") >= usual)
    return summed.with_columns(complete=complete).sort("team", "week_start")


def team_mixes(weeks: pl.DataFrame) -> list[Mix]:
    """The mix of every team with enough complete weeks (from `weekly`), those that drift first."""
    complete = weeks.filter("complete")
    mixes = [_mix(str(team), rows) for (team,), rows in complete.group_by("team", maintain_order=True)]
    found = [mix for mix in mixes if mix is not None]
    return sorted(
        found, key=lambda mix: (not mix.drifting, -abs(mix.recent - (mix.planned or mix.recent)), mix.team)
    )


def _mix(team: str, rows: pl.DataFrame) -> Mix | None:
    """One team's weeks, oldest first; None where there are too few to set limits."""
    shares = [actual / total for actual, total in rows.select("actual", "total").iter_rows()]
    watched = min(WATCHED_WEEKS, len(shares) // 2)
    if len(shares) - watched < xmr.LEAST_POINTS:
        return None
    limits = xmr.limits(shares[:-watched][-REFERENCE_WEEKS:])
    run = xmr.run_at_end(shares, limits.mean)
    signals = tuple(xmr.signals(shares, limits))
    recent = (
        rows.tail(min(watched, xmr.RUN)).select("actual", "total", "planned", "planned_total").sum().row(0)
    )
    return Mix(
        team=team,
        weeks=tuple(rows["week_start"].tail(watched)),
        shares=tuple(shares[-watched:]),
        limits=limits,
        recent=recent[0] / recent[1],
        planned=recent[2] / recent[3] if recent[3] else None,
        run=run,
        signals=signals,
    )
