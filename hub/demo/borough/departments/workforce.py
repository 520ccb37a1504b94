"""Wexbourne Police: teams, what they were planned to do each week, what they did, and how many they are.

One team shows what a workforce analysis must find: for its last twelve weeks Neighbourhood North records
about 41 % of its hours as response work against a plan of 25 %, at the cost of prevention. The incidents
say the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from hub.demo.borough.identifiers import Ints, Texts
from hub.demo.borough.places import AREA_SHARES, AREAS
from hub.demo.borough.population import Dates, Floats
from hub.demo.borough.sheets import Sheet, dates, decimals, nobody
from hub.demo.borough.terms import last_mondays, last_months

TIME_RECORDING = "police.time_recording"
ESTABLISHMENT = "police.establishment"
KINDS: tuple[str, ...] = ("response", "neighbourhood", "investigation")
ACTIVITIES: tuple[str, ...] = ("response", "prevention", "investigation", "internal", "training")
PLANNED_MIX: dict[str, tuple[float, ...]] = {
    "response": (0.66, 0.07, 0.12, 0.10, 0.05),
    "neighbourhood": (0.25, 0.50, 0.08, 0.12, 0.05),
    "investigation": (0.04, 0.03, 0.78, 0.10, 0.05),
}
"""Planned share of each activity in a team's hours."""
STRAINED_AREA = "North"
STRAINED_TEAM = f"Neighbourhood {STRAINED_AREA}"
STRAINED_RESPONSE = 0.41
STRAINED_WEEKS = 12
CONTRACTED_HOURS = 173.33
"""Hours a month for one full-time post: 40 a week."""
_OFFICERS_A_THOUSAND = {"response": 0.45, "neighbourhood": 0.4, "investigation": 0.35}
_STREAM = 1_000_002


@dataclass(frozen=True)
class Team:
    """A police team, the area it sits in and its posts."""

    name: str
    area: str
    kind: str
    fte: float


def teams(people: int) -> list[Team]:
    """Four response, four neighbourhood and two investigation teams, sized for `people` people."""
    made = []
    for kind in ("response", "neighbourhood"):
        for area, share in zip(AREAS, AREA_SHARES, strict=True):
            posts = max(2.0, _OFFICERS_A_THOUSAND[kind] * people / 1000 * share)
            made.append(Team(f"{kind.title()} {area}", area, kind, round(posts * 2) / 2))
    for area, pair in (("North", "North and East"), ("South", "South and West")):
        posts = max(2.0, _OFFICERS_A_THOUSAND["investigation"] * people / 1000 * 0.5)
        made.append(Team(f"Investigation {pair}", area, "investigation", round(posts * 2) / 2))
    return made


def establishment(seed: int, today: date, people: int) -> Sheet:
    """Posts filled, contracted hours and abstraction of each team for the last 36 months."""
    months = last_months(today)
    group = teams(people)
    fte, abstraction = _strength(seed, group, months)
    count = len(group) * len(months)
    order = np.arange(count).reshape(len(group), len(months)).T.ravel()  # by month, then team
    return _ordered(
        ESTABLISHMENT,
        order,
        {
            "team": _repeat([team.name for team in group], len(months)),
            "area": _repeat([team.area for team in group], len(months)),
            "kind": _repeat([team.kind for team in group], len(months)),
            "month": np.tile(dates(months.astype("datetime64[D]")), len(group)),
            "fte": decimals(fte.ravel(), 1),
            "contracted_hours": decimals(np.full(count, CONTRACTED_HOURS), 2),
            "abstraction_rate": decimals(abstraction.ravel(), 3),
        },
    )


def time_recording(seed: int, today: date, people: int) -> Sheet:
    """Planned and recorded hours of each team by week (Monday) and activity for the last 156 weeks."""
    rng = np.random.default_rng([seed, _STREAM + 1])
    weeks = last_mondays(today)
    group = teams(people)
    months = last_months(today)
    fte, abstraction = _strength(seed, group, months)
    # Weeks before the first or after the last whole month go by that month.
    month = (weeks.astype("datetime64[M]") - months[0]).astype(np.int64).clip(0, len(months) - 1)
    planned, actual = [], []
    for at, team in enumerate(group):
        hours = (fte[at] * CONTRACTED_HOURS * 12 / 52 * (1 - abstraction[at]))[month]
        mix = np.array(PLANNED_MIX[team.kind])
        planned.append(hours[:, None] * mix)
        real = _actual_mix(rng, team, mix, len(weeks))
        total = hours * np.exp(rng.normal(0, 0.03, len(weeks)))
        if team.name == STRAINED_TEAM:
            total[-STRAINED_WEEKS:] *= 1.06
        actual.append(real * total[:, None])
    shape = (len(weeks), len(ACTIVITIES))
    order = np.arange(len(group) * shape[0] * shape[1]).reshape(len(group), *shape).transpose(1, 0, 2).ravel()
    return _ordered(
        TIME_RECORDING,
        order,
        {
            "team": _repeat([team.name for team in group], shape[0] * shape[1]),
            "area": _repeat([team.area for team in group], shape[0] * shape[1]),
            "week_start": np.tile(np.repeat(dates(weeks), shape[1]), len(group)),
            "activity": np.tile(np.array(ACTIVITIES, dtype=object), len(group) * shape[0]),
            "planned_hours": decimals(np.concatenate([part.ravel() for part in planned]), 1),
            "actual_hours": decimals(np.concatenate([part.ravel() for part in actual]), 1),
        },
    )


def _strength(seed: int, group: list[Team], months: Dates) -> tuple[Floats, Floats]:
    """Posts filled and share of hours abstracted, shape (teams, months): leave in summer and December."""
    rng = np.random.default_rng([seed, _STREAM])
    shape = (len(group), len(months))
    steps = rng.choice([-0.06, 0.0, 0.05], size=shape, p=[0.1, 0.78, 0.12])
    vacancies = np.cumsum(steps, axis=1).clip(-0.12, 0.06)
    posts = np.array([team.fte for team in group])
    season = 0.03 * np.isin(months.astype(np.int64) % 12, (6, 7, 11))
    return posts[:, None] * (1 + vacancies), 0.19 + season + rng.normal(0, 0.008, shape)


def _actual_mix(rng: np.random.Generator, team: Team, mix: np.ndarray, weeks: int) -> np.ndarray:
    """Recorded share of each activity by week: the plan with noise; the strained team drifts at the end."""
    base = np.tile(mix, (weeks, 1))
    if team.name == STRAINED_TEAM:
        base[-STRAINED_WEEKS:, 0] = STRAINED_RESPONSE
        base[-STRAINED_WEEKS:, 1] -= STRAINED_RESPONSE - mix[0]
    noisy = base * np.exp(rng.normal(0, 0.05, base.shape))
    return noisy / noisy.sum(axis=1, keepdims=True)


def _ordered(dataset: str, order: Ints, columns: dict[str, Texts]) -> Sheet:
    """A sheet about nobody, its rows put in `order`."""
    columns = {name: values[order] for name, values in columns.items()}
    return Sheet(dataset, columns, nobody(len(order)), nobody(len(order)))


def _repeat(values: list[str], times: int) -> np.ndarray:
    return np.repeat(np.array(values, dtype=object), times)
