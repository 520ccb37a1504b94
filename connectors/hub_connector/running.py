"""Running the configured datasets: once, or again and again at the times each one names.

APScheduler keeps the times; turns are taken one after the other, for all datasets share one outbox. A turn that fails
in a way that may pass is taken again, after a minute, two, four, up to an hour, until the next regular turn.
"""

from __future__ import annotations

import logging
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from .delivering import Watcher
from .errors import EXIT_FAULTS, EXIT_REFUSED, ConfigError, ConnectorError
from .times import cron_trigger, span_words

if TYPE_CHECKING:
    from types import FrameType

    from apscheduler.schedulers.blocking import BlockingScheduler

    from .config import Config, DatasetConfig
    from .heartbeat import Heartbeat, Turns

__all__ = ["GRACE", "Runner", "Stopped", "Stopping", "Turn", "first_turn", "retry_pause", "run_once"]

#: A turn at a time of day that was missed by more than this (the machine was off) is not made up for.
GRACE: Final = timedelta(hours=1)
_FIRST_RETRY: Final = 60.0
_LONGEST_RETRY: Final = 3600.0
_BEAT: Final = 60
_UNFORESEEN: Final = 70


@dataclass(frozen=True)
class Turn:
    """One dataset's turn: `code` is an exit status of `errors`, `words` what became of it, `facts` for the log."""

    dataset: str
    code: int
    words: str
    facts: Mapping[str, object] = field(default_factory=dict)
    upcoming: datetime | None = None

    @property
    def failed(self) -> bool:
        """Whether nothing was delivered that should have been."""
        return self.code > EXIT_FAULTS


class Stopped(ConnectorError):
    """This process was asked to end; what was under way goes on at the next start."""

    exit_code = 0


class Stopping(Watcher):
    """Ends a push cleanly at its next step once `stop` is set: nothing is lost, and nothing is sent twice."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def stage(self, words: str) -> None:
        """A new stage begins."""
        self._look()

    def warn(self, words: str) -> None:
        """For whoever reads what this process writes."""
        print(f"note: {words}", file=sys.stderr, flush=True)

    def checked(self, rows: int, refused: int) -> None:
        """So many rows have been checked and sealed."""
        self._look()

    def sent(self, done: int, total: int) -> None:
        """The hub has so many of so many bytes."""
        self._look()

    def sleep(self, seconds: float) -> None:
        """Sleep, but not longer than until `stop` is set."""
        self._stop.wait(seconds)
        self._look()

    def _look(self) -> None:
        if self._stop.is_set():
            raise Stopped(
                "Stopped: this process was asked to end.", "It goes on where it was at the next start."
            )


Push = Callable[["DatasetConfig"], Turn]
Tell = Callable[[Turn], None]


def run_once(
    config: Config, push_one: Push, tell: Tell, heartbeat: Heartbeat | None = None, names: Sequence[str] = ()
) -> list[Turn]:
    """Push every configured dataset, or those named; one that fails does not keep the others from their turn.

    Raises:
        ConfigError: when none is configured, or one that is named is not.
    """
    if not config.datasets:
        raise ConfigError(
            f"{config.path} names no datasets.",
            'Add a table such as [datasets."schools.attendance"] with source = "exports/attendance.csv".',
        )
    for name in names:
        if config.dataset(name) is None:
            known = ", ".join(dataset.name for dataset in config.datasets)
            raise ConfigError(f"{config.path} has no dataset {name!r:.80}.", f"It has: {known}.")
    turns = []
    for dataset in config.datasets:
        if names and dataset.name not in names:
            continue
        turn = _turn(dataset, push_one)
        if heartbeat is not None:
            heartbeat.note(turn.dataset, turn.code, turn.words, datetime.now(UTC))
        turns.append(turn)
        tell(turn)
    return turns


def first_turn(dataset: DatasetConfig, known: Turns | None, now: datetime) -> datetime | None:
    """When a dataset has its first turn after a start, from what is known of its turns before.

    A dataset with an interval waits for what is left of it. One with times of day makes up for a turn that was missed
    by less than `GRACE`. Either begins at once when its last turn failed.
    """
    last = datetime.fromisoformat(known.last_turn) if known and known.last_turn else None
    if known is not None and known.failures and known.code != EXIT_REFUSED:
        return now
    if dataset.every is not None:
        return now if last is None else max(now, last + timedelta(seconds=dataset.every))
    trigger = cron_trigger(dataset.at or "", dataset.timezone)
    if last is not None:
        missed = trigger.get_next_fire_time(None, max(last, now - GRACE))
        if missed is not None and missed <= now:
            return now
    upcoming: datetime | None = trigger.get_next_fire_time(None, now)
    return upcoming


def retry_pause(turn: Turn, failures: int, spread: float = 1.0) -> float | None:
    """Seconds after which a failed turn is taken again, None when that is of no use: the data has to change first."""
    if not turn.failed or turn.code == EXIT_REFUSED:
        return None
    return min(_LONGEST_RETRY, _FIRST_RETRY * 2.0 ** min(failures - 1, 20)) * spread


class Runner:
    """Keeps running the datasets that have an interval or times. `run` blocks until `stop` or a signal.

    Args:
        config: with the datasets.
        push_one: delivers one of them.
        tell: is told of every turn.
        heartbeat: where turns are written down.
        stop: set when this process is asked to end; `push_one` looks at it as well (see `Stopping`).
    """

    def __init__(
        self, config: Config, push_one: Push, tell: Tell, heartbeat: Heartbeat, stop: threading.Event
    ) -> None:
        self._config, self._push, self._tell = config, push_one, tell
        self._heartbeat, self._stop = heartbeat, stop
        self._datasets = {dataset.name: dataset for dataset in config.datasets if dataset.scheduled}
        self._one_at_a_time = threading.Lock()
        self._since = datetime.now(UTC)
        self._scheduler: BlockingScheduler | None = None

    def run(self) -> None:
        """Take turns until asked to end; the turn under way then stops cleanly, or is finished.

        Raises:
            ConfigError: when no dataset has an interval or times.
        """
        if not self._datasets:
            raise ConfigError(
                f"No dataset in {self._config.path} has an interval or times.",
                'Add every = "1d" or at = "0 6 * * MON-FRI" to those to repeat, or run them all one time: '
                "hub-connector run --once.",
            )
        self._scheduler = scheduler = self._make_scheduler()
        self._heartbeat.beat(self._since)
        self._heartbeat.upcoming({name: self._upcoming(name) for name in self._datasets})
        for name in self._datasets:
            self._tell(Turn(name, 0, "Waits for its turn.", {"outcome": "scheduled"}, self._upcoming(name)))
        with _signals(self._stop):
            try:
                scheduler.start()
            except _Asked:
                pass
            finally:
                self._stop.set()
                if scheduler.running:
                    scheduler.shutdown(wait=True)
                self._heartbeat.beat(None)

    def stop(self) -> None:
        """End after the turn under way; may be called from any thread."""
        self._stop.set()
        if self._scheduler is not None and self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _make_scheduler(self) -> BlockingScheduler:
        from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.blocking import BlockingScheduler
        from apscheduler.triggers.interval import IntervalTrigger

        quiet = logging.getLogger("hub_connector.running")
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False  # what is worth telling is told by `tell`
        scheduler = BlockingScheduler(
            logger=quiet, timezone=UTC, executors={"default": ThreadPoolExecutor(len(self._datasets) + 1)},
            job_defaults={"coalesce": True, "max_instances": 1},
        )  # fmt: skip
        known, _ = self._heartbeat.read()
        now = datetime.now(UTC)
        for name, dataset in self._datasets.items():
            trigger = (
                cron_trigger(dataset.at, dataset.timezone)
                if dataset.at
                else IntervalTrigger(seconds=dataset.every)
            )
            # An interval says how old the data may become, so a late turn is taken; a time of day says when it suits.
            grace = int(GRACE.total_seconds()) if dataset.at else None
            scheduler.add_job(
                self._take_turn, trigger, args=[name], id=_job(name), misfire_grace_time=grace,
                next_run_time=first_turn(dataset, known.get(name), now),
            )  # fmt: skip
        # It also wakes the scheduler, so that a machine that slept or a clock that was put right is noticed soon.
        scheduler.add_job(self._beat, IntervalTrigger(seconds=_BEAT), id="beat", misfire_grace_time=None)
        scheduler.add_listener(self._passed_over, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        return scheduler

    def _take_turn(self, name: str) -> None:
        with self._one_at_a_time:
            if self._stop.is_set():
                return
            started, begin = datetime.now(UTC), time.monotonic()
            turn = _turn(self._datasets[name], self._push)
            if turn.facts.get("outcome") == "stopped":
                self._tell(turn)
                return
            before = self._heartbeat.read()[0].get(name)
            spread = random.uniform(0.8, 1.2)  # noqa: S311  spreads retries; not a secret
            pause = retry_pause(turn, (before.failures if before else 0) + 1, spread)
            retried = pause is not None and self._sooner(name, datetime.now(UTC) + timedelta(seconds=pause))
            upcoming = self._upcoming(name)
            self._heartbeat.note(name, turn.code, turn.words, started, upcoming)
            seconds = round(time.monotonic() - begin, 1)
            facts = {**turn.facts, "seconds": seconds, **({"retry": "yes"} if retried else {})}
            self._tell(Turn(name, turn.code, turn.words, facts, upcoming))

    def _sooner(self, name: str, moment: datetime) -> bool:
        """Move a dataset's next turn forward to `moment`; False when its regular turn comes before that."""
        regular = self._upcoming(name)
        if self._scheduler is None or regular is None or regular <= moment or self._stop.is_set():
            return False
        self._scheduler.modify_job(_job(name), next_run_time=moment)
        return True

    def _upcoming(self, name: str) -> datetime | None:
        job = self._scheduler.get_job(_job(name)) if self._scheduler is not None else None
        moment: datetime | None = job.next_run_time if job is not None else None
        return moment

    def _beat(self) -> None:
        with suppress(ConnectorError):  # no room on the disk: the next beat tries again, and turns say so
            self._heartbeat.beat(self._since)

    def _passed_over(self, event: Any) -> None:
        """APScheduler let a turn go by: it came too late, or the one before is not over yet."""
        name = str(event.job_id).removeprefix(_job(""))
        if name not in self._datasets:
            return
        late = hasattr(event, "scheduled_run_time")
        words = (
            f"A turn was missed by more than {span_words(GRACE.total_seconds())} and is left out."
            if late
            else "A turn is left out, for the one before is not over yet."
        )
        self._tell(Turn(name, 0, words, {"outcome": "missed" if late else "busy"}, self._upcoming(name)))


class _Asked(BaseException):
    """A signal asked this process to end."""


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """Turn SIGTERM and Ctrl-C into an orderly end; only the main thread is told of signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def asked(_number: int, _frame: FrameType | None) -> None:
        if not stop.is_set():  # a second signal changes nothing: the first is being obeyed
            stop.set()
            raise _Asked

    previous = {number: signal.signal(number, asked) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _job(name: str) -> str:
    return f"dataset {name}"


def _turn(dataset: DatasetConfig, push_one: Push) -> Turn:
    try:
        return push_one(dataset)
    except Stopped as stopped:
        return Turn(dataset.name, stopped.exit_code, stopped.message, {"outcome": "stopped"})
    except ConnectorError as error:
        return Turn(dataset.name, error.exit_code, str(error), {"outcome": "failed"})
    except Exception as error:
        # The text of an unforeseen error may hold a value; its kind does not.
        words = f"Something unforeseen went wrong ({type(error).__name__}); this is a fault of hub-connector."
        return Turn(dataset.name, _UNFORESEEN, words, {"outcome": "failed"})
