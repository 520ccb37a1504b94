"""The command that sends mended rows back: `replay`."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config import Config, load_config
from ..errors import EXIT_CLEAN, EXIT_FAULTS, ConfigError
from .options import as_json, config_option, contract_option, format_option, report_option, source_options
from .send import known_as, print_summary, reporter, result_json

if TYPE_CHECKING:
    from ..client import HubClient
    from ..delivering import Result
    from ..jobs import Job
    from ..mending import Mended
    from ..state import Record

__all__ = ["connected", "read_faults", "replay"]


@click.command(
    epilog="""\b
Examples:
  hub-connector replay last mend.csv
  hub-connector replay 4f2a91c0 mend.xlsx

\b
`hub-connector errors last --rows mend.csv` writes the file: the rows at fault, and what is wrong with each. The
first column of FILE is the row's number in the delivery. Rows that keep the contract now are sent; the
others stay open. Do it again until nothing is open.

\b
Exit status: 0 nothing is open any more, 1 rows are still open, 2 cannot be read or used, 3 the hub cannot be
reached (run it again), 4 refused by the hub.
"""
)
@config_option
@contract_option(required=False)
@click.option("--wait/--no-wait", default=True, help="Stay until the hub has decided.")
@click.option(
    "--timeout", type=click.IntRange(1), default=600, show_default=True, help="Seconds to wait with --wait."
)
@report_option
@format_option
@source_options
@click.argument("delivery")
@click.argument("file")
def replay(config_path: Path, delivery: str, file: str, report: Path | None, style: str, **given: Any) -> int:
    """Send mended rows of a DELIVERY back to the hub, from a FILE that `errors --rows` wrote.

    DELIVERY is an id or its first characters, a dataset's name, or "last".
    """
    from ..delivering import Pusher
    from ..pushing import catch_up
    from ..pushing import push as push_source
    from .progress import Progress

    config = load_config(config_path)
    wait = given["timeout"] if given["wait"] else 0
    with Progress(quiet=style == "json") as progress, connected(config) as client:
        how = Pusher(config, wait=wait, watcher=progress)
        found, record, faults = _open_rows(config, client, delivery)
        identity = str(found["id"])
        if not faults:
            if record is not None:
                catch_up(how, record.dataset)
            click.echo(f"No row of delivery {identity[:8]} is open any more.")
            return EXIT_CLEAN
        job, mended = _job(record, found, faults, file, given["contract"], given["options"])
        result = None
        if mended.rows:
            result = push_source(how, job, reporter(report))
        if result is not None and result.summary is not None:
            mended.number_summary(result.summary)
        status = client.delivery(identity)
    if style == "json":
        as_json({**(result_json(job, result) if result else {}), "mended": status, "left_out": mended.closed})
    else:
        _print(job, mended, result, status)
    return _code(result, status)


def connected(config: Config) -> HubClient:
    """A session with the configured hub."""
    from ..client import HubClient
    from ..keys import SigningKey

    return HubClient(config.hub.url, config.hub, SigningKey.load(config.hub.signing_key))


def read_faults(client: HubClient, delivery: str) -> list[dict[str, str]]:
    """The faults of a delivery as the hub lists them (personal values masked)."""
    text = client.faults_csv(delivery)
    return [dict(fault) for fault in csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))]


def _open_rows(
    config: Config, client: HubClient, words: str
) -> tuple[dict[str, Any], Record | None, dict[int, str]]:
    """What the hub says of the delivery that is meant, what is known of it here, and its rows that are open."""
    from ..mending import open_faults
    from ..state import State

    state = State(config.state)
    identity = state.find(words)
    status = client.delivery(identity)
    if status.get("replays"):
        # Whoever names the mending means what was mended.
        identity = str(status["replays"])
        status = client.delivery(identity)
    if status["state"] == "refused":
        raise ConfigError(
            f"Delivery {identity[:8]} was refused as a whole, so there is nothing that mended rows could be added to.",
            "Mend the source and push it again.",
        )
    if status["state"] != "accepted":
        raise ConfigError(
            f"The hub has not decided on delivery {identity[:8]} yet ({status['state']}).",
            "Try again in a while.",
        )
    if not (status.get("rows") or {}).get("refused"):
        return status, state.get(identity), {}
    return status, state.get(identity), open_faults(read_faults(client, identity))


def _job(
    record: Record | None, found: dict[str, Any], faults: dict[int, str], file: str, contract: str | None,
    options: dict[str, Any],
) -> tuple[Job, Mended]:  # fmt: skip
    from ..checking import find_contract
    from ..jobs import Job
    from ..mending import MODES_OF_REPLAYS, Mended
    from ..packing import checked_contract
    from ..sources import open_source

    place = contract or (record.contract if record else "")
    if not place:
        raise ConfigError(
            f"Delivery {found['id'][:8]} was not sent from here, so its contract is not known.",
            "Say it with --contract.",
        )
    agreed = find_contract(place)
    mode = MODES_OF_REPLAYS[str(found.get("mode", "full"))]
    mended = Mended(open_source(file, options), str(found["id"]), faults, checked_contract(agreed, mode))
    name = record.called if record else ""
    job = Job(agreed, mended, mode, name, mended, known_as(file), options, known_as(place))
    return job, mended


def _print(job: Job, mended: Mended, result: Result | None, status: dict[str, Any]) -> None:
    from ..wording import result_words, rows_words

    if mended.closed:
        click.echo(
            f"Left out, for they are not open (mended before, or never at fault): {_numbers(mended.closed)}."
        )
    if result is None:
        click.echo(f"{mended.name} has no row that is still open; nothing was sent.")
    else:
        print_summary(job, result)
        click.echo(result_words(mended.name, result))
    short = str(status["id"])[:8]
    click.echo(f"Delivery {short}: {rows_words(status)}.")
    if (status.get("rows") or {}).get("refused"):
        click.echo(f"To see what is still open: hub-connector errors {short} --rows still-open.csv")
    else:
        click.echo("Nothing of it is open any more.")


def _numbers(rows: list[int]) -> str:
    more = f" and {len(rows) - 10:,} more" if len(rows) > 10 else ""
    return ("row " if len(rows) == 1 else "rows ") + ", ".join(map(str, rows[:10])) + more


def _code(result: Result | None, status: dict[str, Any]) -> int:
    from ..wording import code_of

    still = EXIT_FAULTS if (status.get("rows") or {}).get("refused") else EXIT_CLEAN
    sent = code_of(result) if result is not None and result.outcome != "nothing to send" else EXIT_CLEAN
    return sent if sent > EXIT_FAULTS else still
