"""Commands that ask the hub what became of deliveries: `status` and `errors`."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..config import Config, load_config
from ..errors import EXIT_CLEAN, EXIT_FAULTS
from .options import as_json, config_option, format_option

__all__ = ["errors", "status"]

_SHOWN = 20


@click.command(
    epilog="""\b
Examples:
  hub-connector status               # the newest deliveries
  hub-connector status last          # the last one from here
  hub-connector status 4f2a91c0      # one of them, by the first characters of its id
"""
)
@config_option
@format_option
@click.argument("delivery", required=False)
def status(config_path: Path, style: str, delivery: str | None) -> int:
    """Where deliveries stand, newest first, or one DELIVERY with its faults by rule."""
    from ..state import State

    config = load_config(config_path)
    waiting = [record for record in State(config.state).records() if record.state == "sealed"]
    with _client(config) as client:
        if delivery is not None:
            found = client.delivery(State(config.state).find(delivery))
            as_json(found) if style == "json" else _print_one(found)
            return EXIT_CLEAN
        listed = client.deliveries(_SHOWN)
    if style == "json":
        as_json({"deliveries": listed, "unfinished": [record.id for record in waiting]})
        return EXIT_CLEAN
    if not listed and not waiting:
        click.echo("Nothing has been delivered yet.")
    rows = [("delivery", "dataset", "state", "rows", "at fault", "made at")]
    for item in listed:
        counts = item.get("rows") or {}
        rows.append(
            (item["id"][:8], item.get("dataset", ""), item["state"], f"{counts.get('sent', 0):,}",
             f"{counts.get('refused', 0):,}", str(item.get("created_at", ""))[:16].replace("T", " "))
        )  # fmt: skip
    if listed:
        _print_table(rows)
    for record in waiting:
        click.echo(f"Not through yet: {record.source} ({record.dataset}). Push it again to go on.")
    return EXIT_CLEAN


@click.command(
    epilog="""\b
Examples:
  hub-connector errors last
  hub-connector errors 4f2a91c0 --report faults.csv
"""
)
@config_option
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    help="Write them all there.",
)
@format_option
@click.argument("delivery")
def errors(config_path: Path, report: Path | None, style: str, delivery: str) -> int:
    """Rows at fault in a DELIVERY, with the row numbers of the source. Personal values are masked.

    Exit status 0 when there are none, 1 when there are.
    """
    from ..report import REPORT_COLUMNS, fault_report
    from ..state import State

    config = load_config(config_path)
    with _client(config) as client:
        text = client.faults_csv(State(config.state).find(delivery))
    faults = [dict(fault) for fault in csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))]
    if report is not None:
        with fault_report(report) as file:
            for fault in faults:
                file.add_line(fault)
    if style == "json":
        as_json(faults)
    elif not faults:
        click.echo("No rows at fault.")
    else:
        rows: list[tuple[str, ...]] = [("row", "column", "value", "rule", "message")]
        rows += [tuple(fault.get(key) or "" for key in REPORT_COLUMNS) for fault in faults[:_SHOWN]]
        _print_table(rows)
        if len(faults) > _SHOWN:
            click.echo(
                f"and {len(faults) - _SHOWN:,} more{'' if report else '; --report faults.csv writes them all'}"
            )
        if report is not None:
            click.echo(f"All {len(faults):,} are in {report}.")
    return EXIT_FAULTS if faults else EXIT_CLEAN


def _client(config: Config) -> Any:
    from ..client import HubClient
    from ..keys import SigningKey

    return HubClient(config.hub.url, config.hub, SigningKey.load(config.hub.signing_key))


def _print_one(found: dict[str, Any]) -> None:
    counts = found.get("rows") or {}
    version = found.get("version") or {}
    click.echo(f"{found['id']}  {found.get('dataset', '')}")
    click.echo(f"  state     {found['state']}" + (f", version {version.get('number')}" if version else ""))
    click.echo(
        f"  rows      {counts.get('sent', 0):,} sent, {counts.get('accepted', 0):,} accepted, "
        f"{counts.get('refused', 0):,} at fault"
    )
    if found.get("problem"):
        click.echo(f"  reason    {found['problem']}")
    by_rule = found.get("faults_by_rule") or []
    if by_rule:
        _print_table(
            [("count", "column", "rule"), *((f"{it['count']:,}", it["column"], it["rule"]) for it in by_rule)]
        )
        click.echo(f"Row by row: hub-connector errors {found['id'][:8]}")


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(str(row[index])) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        cells = (f"{cell!s:<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo(("  " + "  ".join(cells)).rstrip())
