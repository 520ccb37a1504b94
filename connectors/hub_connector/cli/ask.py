"""Commands that say what became of deliveries: `status` and `errors`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config import Config, load_config
from ..errors import EXIT_CLEAN, EXIT_FAULTS, ConfigError
from .options import as_json, config_option, format_option
from .replay import connected, read_faults

if TYPE_CHECKING:
    from ..heartbeat import Turns
    from ..state import State

__all__ = ["errors", "status"]

_SHOWN = 20
#: A running process says every minute that it lives.
_SILENT = 180


@click.command(
    epilog="""\b
Examples:
  hub-connector status                        # the newest deliveries, and how far growing sources were read
  hub-connector status last                   # the last one from here
  hub-connector status 4f2a91c0               # one of them, by the first characters of its id
  hub-connector status --local                # when each dataset last succeeded; asks no hub
  hub-connector status --local --max-age 26h  # exit status 1 when one has not succeeded for so long
"""
)
@config_option
@click.option("--local", is_flag=True, help="Only what is known on this machine: turns, marks, unfinished.")
@click.option(
    "--max-age",
    metavar="AGE",
    help="With --local: end with 1 if a dataset has not succeeded for so long (26h, 8d).",
)
@format_option
@click.argument("delivery", required=False)
def status(config_path: Path, local: bool, max_age: str | None, style: str, delivery: str | None) -> int:
    """Where deliveries stand, newest first, or one DELIVERY with its faults by rule."""
    from ..state import SEALED, State
    from ..times import read_interval

    config = load_config(config_path)
    state = State(config.state)
    if max_age is not None and not local:
        raise ConfigError("--max-age looks at what is known on this machine.", "Add --local.")
    if local:
        if delivery is not None:
            raise ConfigError(
                "--local is about datasets, not about one delivery.", "Leave one of the two out."
            )
        return _local(config, state, read_interval(max_age) if max_age else None, style)
    waiting = [record for record in state.records() if record.state == SEALED]
    with connected(config) as client:
        if delivery is not None:
            found = client.delivery(state.find(delivery))
            as_json(found) if style == "json" else _print_one(found)
            return EXIT_CLEAN
        listed = client.deliveries(_SHOWN)
    if style == "json":
        marks = {name: mark.__dict__ for name, mark in state.marks().items()}
        as_json({"deliveries": listed, "unfinished": [record.id for record in waiting], "marks": marks})
        return EXIT_CLEAN
    if not listed and not waiting:
        click.echo("Nothing has been delivered yet.")
    if listed:
        _print_listed(listed)
    for record in waiting:
        click.echo(f"Not through yet: {record.source} ({record.dataset}). Push it again to go on.")
    _print_marks(state)
    return EXIT_CLEAN


@click.command(
    epilog="""\b
Examples:
  hub-connector errors last
  hub-connector errors 4f2a91c0 --out faults.csv
  hub-connector errors last --rows mend.csv      # the rows themselves, from your own source, to mend them
"""
)
@config_option
@click.option(
    "--out", "--report", "out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.csv",
    help="Write all faults there; personal values are masked.",
)  # fmt: skip
@click.option(
    "--rows", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.csv",
    help="Write the rows at fault there as they stand in your source, IN THE CLEAR, for you alone to read.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="With --rows: also when the source has changed since.")
@format_option
@click.argument("delivery")
@click.argument("source", required=False)
def errors(
    config_path: Path, out: Path | None, rows: Path | None, force: bool, style: str, delivery: str,
    source: str | None,
) -> int:  # fmt: skip
    """Rows at fault in a DELIVERY that are still open, with the row numbers of the source.

    DELIVERY is an id or its first characters, a dataset's name, or "last". With --rows, SOURCE is where the rows were
    read from, if it is not where it was. Exit status 0 when there are none, 1 when there are.
    """
    from ..report import fault_report
    from ..state import State

    config = load_config(config_path)
    if source is not None and rows is None:
        raise ConfigError("A source is looked at only to write its rows.", "Add --rows mend.csv.")
    identity = State(config.state).find(delivery)
    with connected(config) as client:
        faults = read_faults(client, identity)
    if out is not None:
        with fault_report(out) as file:
            for fault in faults:
                file.add_line(fault)
    single = any(fault.get("row") for fault in faults)
    written = _write_rows(config, identity, faults, rows, source, force) if rows is not None and single else 0
    if style == "json":
        as_json(faults)
    elif not faults:
        click.echo("No rows at fault.")
    else:
        _print_faults(faults, out)
        if rows is not None and single:
            _print_written(identity, rows, written)
        elif rows is not None:
            click.echo("No single row is at fault, so none was written.")
    return EXIT_FAULTS if faults else EXIT_CLEAN


def _write_rows(
    config: Config, identity: str, faults: list[dict[str, str]], path: Path, source: str | None, force: bool
) -> int:
    from ..checking import find_contract
    from ..keys import SigningKey
    from ..mending import open_faults, write_rows
    from ..packing import checked_contract
    from ..sources import open_source
    from ..state import State

    record = State(config.state).get(identity)
    if record is None or not (source or record.location) or not record.contract:
        raise ConfigError(
            f"Nothing is known here of how delivery {identity[:8]} was made, so its rows cannot be found.",
            "Run this where it was pushed from.",
        )
    contract = checked_contract(find_contract(record.contract), record.mode)
    opened = open_source(source or record.location, record.options)
    key = SigningKey.load(config.hub.signing_key)
    return write_rows(path, open_faults(faults), opened, contract, record, key, force=force)


def _print_faults(faults: list[dict[str, str]], out: Path | None) -> None:
    from ..report import REPORT_COLUMNS

    rows: list[tuple[str, ...]] = [("row", "column", "value", "rule", "message")]
    rows += [tuple(fault.get(key) or "" for key in REPORT_COLUMNS) for fault in faults[:_SHOWN]]
    _print_table(rows)
    if len(faults) > _SHOWN:
        click.echo(f"and {len(faults) - _SHOWN:,} more{'' if out else '; --out faults.csv writes them all'}")
    if out is not None:
        click.echo(f"All {len(faults):,} are in {out}.")


def _print_written(identity: str, path: Path, written: int) -> None:
    click.echo(
        f"Wrote {written:,} {'row' if written == 1 else 'rows'} to {path}, IN THE CLEAR: it is your own data."
    )
    click.echo(
        "Only you can read the file; delete it when you are done. Mend the cells, leave the first column, then:"
    )
    click.echo(f"  hub-connector replay {identity[:8]} {path}")


def _print_listed(listed: list[dict[str, Any]]) -> None:
    rows = [("delivery", "dataset", "mode", "state", "rows", "open", "made at (UTC)")]
    for item in listed:
        counts = item.get("rows") or {}
        mode = f"mends {item['replays'][:8]}" if item.get("replays") else item.get("mode", "full")
        rows.append(
            (item["id"][:8], item.get("dataset", ""), mode, item["state"], f"{counts.get('sent', 0):,}",
             f"{counts.get('refused', 0):,}" if item["state"] == "accepted" else "",
             str(item.get("created_at", ""))[:16].replace("T", " "))
        )  # fmt: skip
    _print_table(rows)


def _print_one(found: dict[str, Any]) -> None:
    from ..wording import fate_words, rows_words

    short = found["id"][:8]
    click.echo(f"{found['id']}  {found.get('dataset', '')}")
    mode = f"mends rows of {found['replays'][:8]}" if found.get("replays") else found.get("mode", "full")
    click.echo(f"  mode      {mode}")
    click.echo(f"  fate      {fate_words(found, short)}")
    click.echo(f"  rows      {rows_words(found)}")
    mended = found.get("replays_of_this") or []
    if mended:
        click.echo(f"  mended by {', '.join(name[:8] for name in mended)}")
    if (found.get("rows") or {}).get("refused") and found.get("faults_by_rule"):
        _print_table(
            [
                ("count", "column", "rule"),
                *(
                    (f"{it['count']:,}", it["column"] or "(row)", it["rule"])
                    for it in found["faults_by_rule"]
                ),
            ]
        )
        click.echo(f"Row by row: hub-connector errors {short}")
        if found["state"] == "accepted":
            click.echo(f"To mend them: hub-connector errors {short} --rows mend.csv")


def _print_marks(state: State) -> None:
    for name, mark in state.marks().items():
        by = f"with delivery {mark.delivery[:8]}" if mark.delivery else "set by hand"
        click.echo(f"{name} was read up to {mark.shown} ({by}, {_short(mark.moved_at)}).")


def _local(config: Config, state: State, most: int | None, style: str) -> int:
    """When each dataset last had its turn and last succeeded; what lies here unfinished."""
    from ..heartbeat import Heartbeat
    from ..state import SEALED

    turns, beat = Heartbeat(config.state).read()
    now = datetime.now(UTC)
    late = [
        dataset.name
        for dataset in config.datasets
        if most is not None and _age(turns.get(dataset.name), now) > most
    ]
    waiting = [record for record in state.records() if record.state == SEALED]
    alive = beat is not None and (now - datetime.fromisoformat(beat.at)).total_seconds() < _SILENT
    if style == "json":
        as_json(
            {
                "running": {**beat.__dict__, "alive": alive} if beat else None,
                "datasets": {name: entry.__dict__ for name, entry in turns.items()},
                "late": late,
                "unfinished": [record.id for record in waiting],
                "marks": {name: mark.__dict__ for name, mark in state.marks().items()},
            }
        )
        return EXIT_FAULTS if late else EXIT_CLEAN
    rows: list[tuple[str, ...]] = [("dataset", "last success (UTC)", "last turn", "exit", "next turn")]
    rows += [_turn_row(dataset.name, turns.get(dataset.name)) for dataset in config.datasets]
    if len(rows) > 1:
        _print_table(rows)
    else:
        click.echo(f"{config.path.name} names no datasets.")
    for name, entry in turns.items():
        if entry.failures:
            click.echo(f"{name} has failed {_times(entry.failures)}. {' '.join(entry.words.split())}")
    for record in waiting:
        click.echo(f"Not through yet: {record.source} ({record.dataset}). Push it again to go on.")
    _print_marks(state)
    if beat is not None:
        click.echo(
            f"hub-connector run is up (process {beat.pid}, since {_short(beat.since)})."
            if alive
            else f"hub-connector run (process {beat.pid}) has not been heard of since {_short(beat.at)}."
        )
    for name in late:
        click.echo(f"LATE: {name} has not succeeded within the time given.")
    return EXIT_FAULTS if late else EXIT_CLEAN


def _turn_row(name: str, entry: Turns | None) -> tuple[str, ...]:
    if entry is None:
        return (name, "never", "never", "", "")
    code = str(entry.code) if entry.last_turn else ""
    return (
        name, _short(entry.last_success) or "never", _short(entry.last_turn) or "never", code,
        _short(entry.next_turn),
    )  # fmt: skip


def _age(entry: Turns | None, now: datetime) -> float:
    if entry is None or not entry.last_success:
        return float("inf")
    return (now - datetime.fromisoformat(entry.last_success)).total_seconds()


def _short(moment: str) -> str:
    return moment[:16].replace("T", " ")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(str(row[index])) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        cells = (f"{cell!s:<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo(("  " + "  ".join(cells)).rstrip())
