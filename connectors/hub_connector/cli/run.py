"""The command that runs the configured datasets: `run`."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config import Config, DatasetConfig, load_config
from ..errors import EXIT_CLEAN
from .options import config_option, format_option
from .send import deliver

if TYPE_CHECKING:
    from ..delivering import Pusher, Result
    from ..heartbeat import Heartbeat
    from ..running import Turn

__all__ = ["run"]

_WAIT = 600


@click.command(
    epilog="""\b
Examples:
  hub-connector run                             # stays, and pushes each dataset at its times
  hub-connector run --once                      # every dataset one time; for cron or a task scheduler
  hub-connector run --once schools.attendance   # this one only

\b
Times stand in the configuration: every = "1d", or at = "0 6 * * MON-FRI" (minute hour day month weekday, in
the dataset's timezone). One line is printed for each turn. A turn that fails is taken again after 1, 2, 4 ...
60 minutes; SIGTERM ends cleanly. `hub-connector status --local` says when each dataset last succeeded.
"""
)
@config_option
@click.option("--once", is_flag=True, help="Push every configured dataset one time and end.")
@click.option("--wait/--no-wait", default=True, help="Stay with each until the hub has decided.")
@format_option
@click.argument("datasets", nargs=-1)
def run(config_path: Path, once: bool, wait: bool, style: str, datasets: tuple[str, ...]) -> int:
    """Push the datasets of the configuration: once, or each at its own times until stopped.

    A dataset that fails does not keep the others from their turn. With --once the exit status is the highest of
    all turns (see `push`).
    """
    from ..delivering import Pusher
    from ..files import exclusive, private_folder
    from ..heartbeat import Heartbeat
    from ..running import run_once

    config = load_config(config_path)
    heartbeat = Heartbeat(config.state)
    tell = _teller(style)
    if once:
        how = Pusher(config, wait=_WAIT if wait else 0)
        turns = run_once(config, lambda dataset: _turn(how, dataset), tell, heartbeat, datasets)
        return max(turn.code for turn in turns)
    if datasets:
        raise click.UsageError(
            "Datasets are named with --once only; without it, each comes at its own times."
        )
    with exclusive(private_folder(config.state) / "running.lock", f"{config.path.name} (hub-connector run)"):
        _stay(config, _WAIT if wait else 0, heartbeat, tell)
    return EXIT_CLEAN


def _stay(config: Config, wait: float, heartbeat: Heartbeat, tell: Callable[[Turn], None]) -> None:
    from ..client import HubClient
    from ..delivering import Pusher
    from ..running import Runner, Stopping

    stop = threading.Event()
    watcher = Stopping(stop)
    how = Pusher(
        config, wait=wait, watcher=watcher, sleep=watcher.sleep,
        connect=lambda known, key: HubClient(known.hub.url, known.hub, key, sleep=watcher.sleep),
    )  # fmt: skip
    runner = Runner(config, lambda dataset: _turn(how, dataset), tell, heartbeat, stop)
    runner.run()


def _turn(how: Pusher, dataset: DatasetConfig) -> Turn:
    from ..running import Turn
    from ..wording import code_of, result_words

    job, result = deliver(how, dataset)
    return Turn(dataset.name, code_of(result), result_words(job.source.name, result), _facts(result))


def _facts(result: Result) -> dict[str, object]:
    """What a log is searched for."""
    status = result.status
    rows = status.get("rows") or {}
    found = {
        "outcome": result.outcome.replace(" ", "-"),
        "delivery": result.delivery[:8],
        "state": status.get("state"),
        "version": (status.get("version") or {}).get("number"),
        **{name: rows.get(name) for name in ("sent", "accepted", "refused")},
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def _teller(style: str) -> Callable[[Turn], None]:
    """Prints one line for each turn: names and values, or JSON."""

    def tell(turn: Turn) -> None:
        line = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "dataset": turn.dataset,
            "code": turn.code,
            **turn.facts,
            **(
                {"next": turn.upcoming.astimezone(UTC).isoformat(timespec="seconds")} if turn.upcoming else {}
            ),
            "words": " ".join(turn.words.split()),
        }
        if style == "json":
            click.echo(json.dumps(line, ensure_ascii=False))
        else:
            click.echo(" ".join(f"{name}={_quoted(value)}" for name, value in line.items()))

    return tell


def _quoted(value: object) -> str:
    text = str(value)
    return text if text and not set(text) & set(' "=') else json.dumps(text, ensure_ascii=False)
