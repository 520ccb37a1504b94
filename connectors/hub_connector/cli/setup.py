"""Commands that set a connector up: `init`, and `trust` for a hub whose sealing key was changed."""

from __future__ import annotations

import platform
from pathlib import Path

import click

from ..config import DEFAULT_NAME, load_config
from ..errors import EXIT_CLEAN, ConfigError
from .options import config_option

__all__ = ["init", "trust"]


@click.command(
    epilog="""\b
Examples:
  hub-connector init --hub https://hub.example.gov.uk --code 1a2b-3c4d-5e6f-7a8b-9c0d-1e2f
  HUB_CONNECTOR_CODE=... hub-connector init --hub https://hub.example.gov.uk --name "Schools, night export"

\b
Beside the configuration it writes a private key (readable by you alone; with a passphrase if
HUB_CONNECTOR_KEY_PASSPHRASE is set) and the hub's public sealing key.
"""
)
@click.option("--hub", "url", required=True, metavar="URL", help="The hub's address.")
@click.option(
    "--code", envvar="HUB_CONNECTOR_CODE", show_envvar=True, help="The one-time code from the hub's operator."
)
@click.option("--name", help="What the hub's people shall see.  [default: this computer's name]")
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path, dir_okay=False), default=DEFAULT_NAME,
    show_default=True, envvar="HUB_CONNECTOR_CONFIG", help="The configuration to write.",
)  # fmt: skip
@click.option(
    "--allow-http", is_flag=True, help="Let the address be unencrypted, on a network closed in itself."
)
def init(url: str, code: str | None, name: str | None, config_path: Path, allow_http: bool) -> int:
    """Register this connector with a hub: makes its key pair and its configuration."""
    from ..enrolling import enrol

    code = code or click.prompt("The one-time code from the hub's operator", hide_input=True)
    made = enrol(url, code, name or platform.node() or "connector", config_path, allow_http=allow_http)
    click.echo(f"Registered with {made.hub or url} for {made.organisation} as {made.client_id}.")
    click.echo(f"  configuration  {made.config}")
    click.echo(f"  private key    {made.key} (keep it to yourself)")
    click.echo(f"  hub's sealing key has the fingerprint {made.fingerprint}")
    click.echo("  Compare it with the one the hub's operator tells you: rows are sealed to this key.")
    if made.waiting:
        click.echo(
            "Waiting for approval: a second operator of the hub must approve this connector before it can push."
        )
        click.echo(f"  Call them and read out the thumbprint of its key: {made.thumbprint}")
        click.echo("  hub-connector status says whether they have.")
    click.echo(f"Next: name your datasets in {made.config}, or push one now:")
    config = "" if str(made.config) == DEFAULT_NAME else f" --config {made.config}"
    click.echo(
        f"  hub-connector push{config} --contract library:schools.attendance exports/attendance.csv --wait"
    )
    return EXIT_CLEAN


@click.command(
    epilog="""\b
Examples:
  hub-connector trust                                                       # shows both fingerprints and asks
  hub-connector trust --fingerprint "0123 4567 89ab cdef 0123 4567 89ab cdef"
"""
)
@config_option
@click.option("--fingerprint", "expected", metavar="HEX", help="The fingerprint the operator told you.")
def trust(config_path: Path, expected: str | None) -> int:
    """Pin the sealing key that the hub presents now, after its operator changed it.

    Ask the operator for the fingerprint by another way than this connection, for example by telephone.
    """
    from ..client import HubClient
    from ..config import read_sealing_key, write_sealing_key
    from ..keys import fingerprint

    config = load_config(config_path)
    with HubClient(config.hub.url) as client:
        offered = client.hub()["sealing_key"]
    now = fingerprint(offered)
    try:
        pinned = fingerprint(read_sealing_key(config.hub.sealing_key))
    except ConfigError:
        pinned = "none"
    if pinned == now:
        click.echo(f"The hub presents the key that is pinned ({now}). Nothing to do.")
        return EXIT_CLEAN
    click.echo(f"pinned here     {pinned}\npresented now   {now}")
    if expected is not None:
        if "".join(expected.split()).lower() != now.replace(" ", ""):
            raise ConfigError("The hub presents another key than the one you expect. Nothing was changed.",
                              "Do not push. Tell the hub's operator.")  # fmt: skip
    elif not click.confirm("Did the hub's operator tell you the second one?"):
        click.echo("Nothing was changed.")
        return EXIT_CLEAN
    write_sealing_key(config.hub.sealing_key, offered)
    click.echo("Pinned. Rows are sealed to this key from now on.")
    return EXIT_CLEAN
