"""Running the configured datasets: once, or again and again at the interval each one names."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .errors import ConfigError, ConnectorError

if TYPE_CHECKING:
    from .config import Config, DatasetConfig

__all__ = ["Turn", "run_forever", "run_once"]

_LONGEST_NAP: Final = 60.0


@dataclass(frozen=True)
class Turn:
    """One dataset's turn: `code` is an exit status of `errors`, `words` what became of it."""

    dataset: str
    code: int
    words: str


def run_once(
    config: Config, push_one: Callable[[DatasetConfig], Turn], tell: Callable[[Turn], None]
) -> list[Turn]:
    """Push every configured dataset; one that fails does not keep the others from their turn.

    Raises:
        ConfigError: when none is configured.
    """
    if not config.datasets:
        raise ConfigError(
            f"{config.path} names no datasets.",
            'Add a table such as [datasets."schools.attendance"] with source = "exports/attendance.csv".',
        )
    turns = []
    for dataset in config.datasets:
        turns.append(_turn(dataset, push_one))
        tell(turns[-1])
    return turns


def run_forever(
    config: Config,
    push_one: Callable[[DatasetConfig], Turn],
    tell: Callable[[Turn], None],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Push each dataset that has an interval now, and again whenever its interval has passed.

    A dataset's next turn is counted from the beginning of the last one; turns missed while the machine slept are
    not made up for. Returns when `stopped` says so.

    Raises:
        ConfigError: when no dataset has an interval.
    """
    repeated = {dataset.name: dataset for dataset in config.datasets if dataset.every}
    if not repeated:
        raise ConfigError(
            f"No dataset in {config.path} has an interval.",
            'Add every = "1d" to those to repeat, or run them all one time: hub-connector run --once.',
        )
    due = dict.fromkeys(repeated, clock())
    while not stopped():
        name = min(due, key=lambda known: due[known])
        wait = due[name] - clock()
        if wait > 0:
            # Short naps, so that a signal or a clock that was put right is noticed soon.
            sleep(min(wait, _LONGEST_NAP))
            continue
        started = clock()
        tell(_turn(repeated[name], push_one))
        due[name] = started + float(repeated[name].every or 0)


def _turn(dataset: DatasetConfig, push_one: Callable[[DatasetConfig], Turn]) -> Turn:
    try:
        return push_one(dataset)
    except ConnectorError as error:
        return Turn(dataset.name, error.exit_code, str(error))
