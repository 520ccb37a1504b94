"""Commands that need no hub: `check` and `infer`."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from ..errors import EXIT_CLEAN, EXIT_FAULTS, ConfigError
from .options import as_json, contract_option, format_option, report_option, source_options

__all__ = ["check", "infer"]


@click.command(
    epilog="""\b
Examples:
  hub-connector check --contract library:schools.attendance exports/attendance.csv
  hub-connector check --contract attendance.yaml exports/attendance.csv --report faults.csv
  hub-connector check --contract attendance.yaml old-export.txt --encoding cp1252 --delimiter semicolon

\b
Exit status: 0 every row keeps the contract, 1 rows are at fault, 2 it cannot be read at all.
"""
)
@contract_option(required=True)
@report_option
@format_option
@source_options
@click.argument("source")
def check(contract: str, report: Path | None, style: str, options: dict[str, Any], source: str) -> int:
    """Check SOURCE against a contract. Needs no hub and sends nothing.

    Prints how many rows are at fault and why; row numbers count data rows from 1.
    """
    from ..checking import Summary, check_source, find_contract
    from ..report import fault_report, summary_json, summary_text
    from ..sources import open_source
    from .progress import Progress

    agreed = find_contract(contract)
    opened = open_source(source, options)
    summary = Summary()
    with (
        fault_report(report) if report else nullcontext() as faults,
        Progress(quiet=style == "json") as progress,
    ):
        for outcome in check_source(agreed, opened, summary):
            if faults is not None:
                faults.add(outcome.faults)
            progress.checked(summary.rows, summary.refused)
    # An address may hold what only its service should see; the source knows its own name.
    shown = opened.name if "://" in source else source
    if style == "json":
        as_json(summary_json(agreed, shown, summary))
    else:
        click.echo(summary_text(agreed, shown, summary))
        if faults is not None:
            click.echo(f"Every fault is in {report} ({faults.lines:,} lines).")
        elif not summary.clean:
            click.echo("For every fault: --report faults.csv")
    return EXIT_CLEAN if summary.clean else EXIT_FAULTS


@click.command(
    epilog="""\b
Examples:
  hub-connector infer exports/attendance.csv
  hub-connector infer exports/attendance.csv --id schools.attendance --out attendance.yaml
"""
)
@click.option("--id", "contract_id", metavar="ID", help="The contract's id, such as schools.attendance.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the draft there."
)
@click.option(
    "--rows", type=click.IntRange(1, 1_000_000), default=50_000, show_default=True, help="Rows to look at."
)
@source_options
@click.argument("source")
def infer(contract_id: str | None, out: Path | None, rows: int, options: dict[str, Any], source: str) -> int:
    """Write a first draft of a contract from a sample, with comments on what to decide.

    Finds types, date formats, identifiers by their check digits, lists of values, keys and what is likely to be
    personal. The draft holds no value of a column that names people.
    """
    from ..inferring import take_sample, write_draft
    from ..sources import open_source

    opened = open_source(source, options)
    identity = contract_id or f"draft.{_stem(opened.name)}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9][A-Za-z0-9_-]{0,62}){0,5}", identity):
        raise ConfigError(
            f"{identity!r:.80} is no contract id.", "Write words joined by dots: schools.attendance"
        )
    if out is not None and out.exists():
        raise ConfigError(f"{out} is there already.", "Choose another name, or move it away.")
    draft = write_draft(take_sample(opened, rows), identity)
    if out is None:
        click.echo(draft, nl=False)
        return EXIT_CLEAN
    try:
        out.write_text(draft, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror}.", "Choose another place.") from None
    open_points = draft.count("DECIDE:")
    click.echo(f"Wrote {out} ({identity}). {open_points} points are marked DECIDE: read them, then try")
    again = "SOURCE" if "://" in source else source
    click.echo(f"  hub-connector check --contract {out} {again}")
    return EXIT_CLEAN


def _stem(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", Path(name).stem).strip("_").lower()[:60] or "dataset"
