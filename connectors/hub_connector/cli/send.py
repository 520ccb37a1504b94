"""The command that sends one dataset: `push`. What it makes of a dataset is also what `run` does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config import MODES, Config, DatasetConfig, load_config
from ..errors import EXIT_CLEAN, EXIT_FAULTS, ConfigError
from .options import as_json, config_option, contract_option, format_option, report_option, source_options

if TYPE_CHECKING:
    from ..jobs import Job
    from ..pushing import Pusher, Result
    from ..report import FaultReport

__all__ = ["deliver", "known_as", "print_summary", "push", "reporter", "result_json"]


@click.command(
    epilog="""\b
Examples:
  hub-connector push schools.attendance --wait                # a dataset of the configuration
  hub-connector push --contract library:schools.attendance exports/attendance.csv
  hub-connector push --contract attendance.yaml exports/attendance.csv --wait --report faults.csv
  hub-connector push --contract attendance.yaml leavers.csv --mode delete

\b
Modes:
  full     the rows are the whole dataset and replace what the hub has
  append   the rows are added
  upsert   the rows are added, or replace those with the same primary key
  delete   the rows with these primary keys are removed (the source needs the key's columns only)

\b
Run the same command again after a cut: it goes on where it stopped. Data that was delivered before is
recognised and not sent twice.

\b
Exit status: 0 delivered, 1 delivered with rows at fault, 2 cannot be read or used, 3 the hub cannot be
reached (run it again), 4 held back, or refused by the hub.
"""
)
@config_option
@contract_option(required=False)
@click.option(
    "--mode",
    type=click.Choice(MODES),
    help="What the rows do to the dataset.  [default: the configuration's, else full]",
)
@click.option("--wait/--no-wait", default=False, help="Stay until the hub has decided.")
@click.option(
    "--timeout", type=click.IntRange(1), default=600, show_default=True, help="Seconds to wait with --wait."
)
@click.option("--again", is_flag=True, help="Send it also when the same data was delivered before.")
@click.option(
    "--force",
    is_flag=True,
    help="Send it also when it would be held back: too many rows at fault, or far fewer rows than before.",
)
@click.option("--from-start", is_flag=True, help="Read a source with a watermark from its start this once.")
@click.option(
    "--keep-mark", is_flag=True, help="Go on from the mark although the source or the hub was changed."
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
    from ..wording import code_of
    from .progress import Progress

    config = load_config(config_path)
    dataset = _meant(config, given["contract"], source, given["mode"], given["options"])
    wait = given["timeout"] if given["wait"] else 0
    if given["from_start"] and given["keep_mark"]:
        raise ConfigError("--from-start and --keep-mark say opposite things.", "Choose one of them.")
    with Progress(quiet=style == "json") as progress:
        how = Pusher(
            config, again=given["again"], force=given["force"], from_start=given["from_start"],
            keep_mark=given["keep_mark"], wait=wait, watcher=progress,
        )  # fmt: skip
        job, result = deliver(how, dataset, report)
    if config.dataset(dataset.name) is not None:
        _note(config, job, result)
    if style == "json":
        as_json(result_json(job, result))
    else:
        _print_result(job, result, report)
    return code_of(result)


def deliver(how: Pusher, dataset: DatasetConfig, report: Path | None = None) -> tuple[Job, Result]:
    """Open a dataset's source and push it.

    Raises:
        ConnectorError: as `pushing.push`.
    """
    from ..checking import find_contract
    from ..jobs import Job
    from ..pushing import push as push_source
    from ..sources import open_source

    contract = find_contract(dataset.contract)
    mode = dataset.mode or _usual_mode(how.config, contract.id)
    job = Job(
        contract, open_source(dataset.source, dataset.options), mode, dataset.name,
        location=known_as(dataset.source), options=dataset.options, contract_place=known_as(dataset.contract),
        least_share=dataset.least_share,
    )  # fmt: skip
    return job, push_source(how, job, reporter(report))


def _note(config: Config, job: Job, result: Result) -> None:
    """A push by hand that went well is a success for whoever watches the dataset, too."""
    from datetime import UTC, datetime

    from ..heartbeat import Heartbeat
    from ..wording import code_of, result_words

    if (code := code_of(result)) <= EXIT_FAULTS:
        words = result_words(job.source.name, result)
        Heartbeat(config.state).note(job.called, code, words, datetime.now(UTC))


def known_as(place: str) -> str:
    """A file's place as it can be found again from any folder; an address or a library's name as it is."""
    path = Path(place)
    return str(path.resolve()) if path.exists() else place


def reporter(path: Path | None) -> Callable[[], AbstractContextManager[FaultReport]] | None:
    """What opens the report of faults, None when none is wanted."""
    from ..report import fault_report

    return None if path is None else lambda: fault_report(path)


def _meant(
    config: Config, contract: str | None, source: str, mode: str | None, options: dict[str, Any]
) -> DatasetConfig:
    """The dataset that a command line means: a configured one by name or by its file, or one given in full.

    An empty mode is still to be found out, see `_usual_mode`.
    """
    known = config.dataset(source)
    if known is None and not contract:
        same = [item for item in config.datasets if Path(item.source) == Path(source).resolve()]
        known = same[0] if len(same) == 1 else None
    if known is not None:
        return replace(
            known,
            contract=contract or known.contract,
            mode=mode or known.mode,
            options={**known.options, **options},
        )
    if contract:
        return DatasetConfig("", source, contract, mode or "", None, options)
    names = ", ".join(dataset.name for dataset in config.datasets)
    raise ConfigError(
        f"Which contract does {source} keep?",
        "Say it with --contract, or add the dataset to the configuration and push it by its name"
        + (f" (there are: {names})." if names else "."),
    )


def _usual_mode(config: Config, contract_id: str) -> str:
    """The mode of a file that was given without one: full, unless this dataset is usually changed in part.

    Raises:
        ConfigError: when replacing the whole dataset would be a surprise.
    """
    usual = config.dataset(contract_id)
    if usual is None or usual.mode == "full":
        return "full"
    raise ConfigError(
        f"The configuration delivers {contract_id} in mode {usual.mode}; without a mode this file would replace the "
        "whole dataset.",
        f"Say --mode {usual.mode}, or --mode full if that is what you mean.",
    )


def print_summary(job: Job, result: Result) -> None:
    """What the check found, when there is something to say."""
    from ..report import summary_text

    summary = result.summary
    if summary is None:
        return
    if not summary.clean:
        # The last line says what the hub would do; what it did comes after.
        click.echo(summary_text(job.contract, job.source.name, summary).rpartition("\n")[0])
    else:
        for warning in summary.warnings:
            click.echo(f"note: {warning}")


def _print_result(job: Job, result: Result, report: Path | None) -> None:
    from ..wording import code_of, result_words

    print_summary(job, result)
    click.echo(result_words(job.source.name, result))
    summary = result.summary
    if report is not None and summary is None:
        click.echo(
            f"Nothing was checked this time, so {report} was not written: hub-connector errors DELIVERY"
        )
    elif (
        report is None
        and code_of(result) != EXIT_CLEAN
        and (result.delivery or (summary and summary.refused))
    ):
        short = result.delivery[:8]
        click.echo(
            f"Row by row: hub-connector errors {short}" if short else "Row by row: --report faults.csv"
        )
        if result.status.get("state") == "accepted":
            click.echo(f"To mend them: hub-connector errors {short} --rows mend.csv")


def result_json(job: Job, result: Result) -> dict[str, Any]:
    """A push as plain values."""
    from ..report import summary_json

    summary = result.summary
    return {
        "dataset": job.called,
        "mode": job.mode,
        "outcome": result.outcome,
        "delivery": result.delivery or None,
        "resumed": result.resumed,
        "reason": result.reason or None,
        "status": result.status or None,
        "check": summary_json(job.contract, job.source.name, summary) if summary else None,
        "earlier": [{"delivery": item.delivery, "status": item.status or None} for item in result.earlier],
    }
