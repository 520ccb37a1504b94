"""Commands that send: `push` one source, `run` all that are configured."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config import MODES, Config, DatasetConfig, load_config
from ..errors import EXIT_CLEAN, EXIT_FAULTS, EXIT_REFUSED, ConfigError
from .options import as_json, config_option, contract_option, format_option, report_option, source_options

if TYPE_CHECKING:
    from ..pushing import Pusher, Result
    from ..report import FaultReport
    from ..running import Turn

__all__ = ["push", "run"]


@click.command(
    epilog="""\b
Examples:
  hub-connector push schools.attendance --wait                # a dataset of the configuration
  hub-connector push --contract library:schools.attendance exports/attendance.csv
  hub-connector push --contract attendance.yaml exports/attendance.csv --wait --report faults.csv

\b
Run the same command again after a cut: it goes on where it stopped. Data that was delivered before is
recognised and not sent twice.

\b
Exit status: 0 delivered, 1 delivered with rows at fault, 2 cannot be read or used, 3 the hub cannot be
reached (run it again), 4 refused by the hub or by the contract's threshold.
"""
)
@config_option
@contract_option(required=False)
@click.option("--mode", type=click.Choice(MODES), help="What the rows do to the dataset.  [default: full]")
@click.option("--wait/--no-wait", default=False, help="Stay until the hub has decided.")
@click.option(
    "--timeout", type=click.IntRange(1), default=600, show_default=True, help="Seconds to wait with --wait."
)
@click.option("--again", is_flag=True, help="Send it also when the same data was delivered before.")
@click.option(
    "--force", is_flag=True, help="Send it also when the contract's threshold says it will be refused."
)
@report_option
@format_option
@source_options
@click.argument("source")
def push(config_path: Path, source: str, report: Path | None, style: str, **given: Any) -> int:
    """Check SOURCE, seal it to the hub's key, sign it and send it.

    SOURCE is a file together with --contract, or the name of a dataset in the configuration. Rows at fault go
    sealed into the hub's quarantine; nothing is written in the clear.
    """
    from ..pushing import Pusher
    from .progress import Progress

    config = load_config(config_path)
    dataset = _meant(config, given["contract"], source, given["mode"], given["options"])
    wait = given["timeout"] if given["wait"] else 0
    with Progress(quiet=style == "json") as progress:
        how = Pusher(config, again=given["again"], force=given["force"], wait=wait, watcher=progress)
        result = _push(how, dataset, report)
    if style == "json":
        as_json(_result_json(dataset, result))
    else:
        _print_result(dataset, result, report)
    return _code(result)


@click.command(
    epilog="""\b
Examples:
  hub-connector run --once        # every dataset of the configuration, one time; for cron or a task scheduler
  hub-connector run               # stays, and pushes each dataset at its interval (every = "1d")
"""
)
@config_option
@click.option("--once", is_flag=True, help="Push every configured dataset one time and end.")
@click.option("--wait/--no-wait", default=True, help="Stay with each until the hub has decided.")
def run(config_path: Path, once: bool, wait: bool) -> int:
    """Push the datasets of the configuration: once, or each at its own interval until stopped.

    A dataset that fails does not keep the others from their turn. With --once the exit status is the highest of
    all turns (see `push`).
    """
    from ..pushing import Pusher
    from ..running import Turn, run_forever, run_once

    config = load_config(config_path)
    how = Pusher(config, wait=600 if wait else 0)

    def push_one(dataset: DatasetConfig) -> Turn:
        result = _push(how, dataset, None)
        return Turn(dataset.name, _code(result), _words(dataset, result))

    if once:
        return max(turn.code for turn in run_once(config, push_one, _tell))
    stop: list[int] = []
    previous = signal.signal(signal.SIGTERM, lambda number, _frame: stop.append(number))
    try:
        run_forever(config, push_one, _tell, stopped=lambda: bool(stop))
    finally:
        signal.signal(signal.SIGTERM, previous)
    return EXIT_CLEAN


def _meant(
    config: Config, contract: str | None, source: str, mode: str | None, options: dict[str, Any]
) -> DatasetConfig:
    """The dataset that a command line means: a configured one by name or by its file, or one given in full."""
    known = config.dataset(source)
    if known is None and not contract:
        same = [item for item in config.datasets if Path(item.source) == Path(source).resolve()]
        known = same[0] if len(same) == 1 else None
    if contract:
        return DatasetConfig(
            contract, known.source if known else source, contract, mode or "full", None, options
        )
    if known is None:
        raise ConfigError(
            f"Which contract does {source} keep?",
            "Say it with --contract, or add the dataset to the configuration and push it by its name.",
        )
    merged = {**known.options, **options}
    return DatasetConfig(known.name, known.source, known.contract, mode or known.mode, known.every, merged)


def _push(how: Pusher, dataset: DatasetConfig, report: Path | None) -> Result:
    from ..checking import find_contract
    from ..pushing import push as push_source
    from ..report import fault_report
    from ..sources import open_source

    contract = find_contract(dataset.contract)
    source = open_source(dataset.source, dataset.options)
    opened: Callable[[], AbstractContextManager[FaultReport]] | None = None
    if report is not None:
        path = report

        def opened() -> AbstractContextManager[FaultReport]:
            return fault_report(path)

    return push_source(how, contract, source, dataset.mode, opened)


def _code(result: Result) -> int:
    state = result.status.get("state")
    if result.outcome == "held back" or state in ("refused", "failed"):
        return EXIT_REFUSED
    refused = result.status.get("rows", {}).get("refused") or (
        result.summary.refused if result.summary else 0
    )
    return EXIT_FAULTS if refused else EXIT_CLEAN


def _words(dataset: DatasetConfig, result: Result) -> str:
    """What became of a push, in one or two lines."""
    name = Path(dataset.source).name
    if result.outcome == "held back":
        return f"Not sent: the hub would refuse it. {result.reason[:1].upper()}{result.reason[1:]}."
    status = result.status
    short, state = result.delivery[:8], status.get("state", "")
    begin = f"{name}: the same data was delivered before as {short}, nothing sent;" if result.outcome == "known" else (
        f"{name} delivered as {short}{' (went on after a cut)' if result.resumed else ''};"
    )  # fmt: skip
    rows = status.get("rows") or {}
    if state == "accepted":
        version = status.get("version") or {}
        aside = f", {rows['refused']:,} set aside" if rows.get("refused") else ""
        return f"{begin} accepted as version {version.get('number', '?')}: {rows.get('accepted', 0):,} rows{aside}."
    if state in ("refused", "failed"):
        return f"{begin} {state} by the hub: {status.get('problem') or 'no reason was given'}"
    return f"{begin} the hub has it and has not decided yet (hub-connector status {short})."


def _print_result(dataset: DatasetConfig, result: Result, report: Path | None) -> None:
    from ..checking import find_contract
    from ..report import summary_text

    summary = result.summary
    if summary is not None and not summary.clean:
        text = summary_text(find_contract(dataset.contract), Path(dataset.source).name, summary)
        click.echo(
            text.rpartition("\n")[0]
        )  # the last line says what the hub would do; the next says what it did
    click.echo(_words(dataset, result))
    if report is not None and summary is None:
        click.echo(
            f"Nothing was checked this time, so {report} was not written: hub-connector errors DELIVERY"
        )
    elif report is None and _code(result) != EXIT_CLEAN:
        where = f"hub-connector errors {result.delivery[:8]}" if result.delivery else "--report faults.csv"
        click.echo(f"Row by row: {where}")


def _result_json(dataset: DatasetConfig, result: Result) -> dict[str, Any]:
    from ..checking import find_contract
    from ..report import summary_json

    contract = find_contract(dataset.contract)
    summary = result.summary
    return {
        "outcome": result.outcome,
        "delivery": result.delivery or None,
        "resumed": result.resumed,
        "reason": result.reason or None,
        "status": result.status or None,
        "check": summary_json(contract, Path(dataset.source).name, summary) if summary else None,
    }


def _tell(turn: Turn) -> None:
    from datetime import datetime

    moment = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    click.echo(f"{moment}  {turn.dataset}  [{turn.code}] {turn.words}")
