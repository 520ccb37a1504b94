"""Commands about this connector's own signing key: `keys show` and `keys rotate`."""

from __future__ import annotations

from pathlib import Path

import click

from ..config import load_config
from ..errors import EXIT_CLEAN
from .options import config_option

__all__ = ["keys"]


@click.group(
    epilog="""\b
Examples:
  hub-connector keys show
  hub-connector keys rotate
"""
)
def keys() -> None:
    """This connector's signing key: look at it, change it."""


@keys.command(
    epilog="""\b
Example:
  hub-connector keys show
"""
)
@config_option
def show(config_path: Path) -> int:
    """Show the thumbprint of the signing key, to read out to the hub's operators."""
    from ..keys import SigningKey, next_file

    path = load_config(config_path).hub.signing_key
    click.echo(f"{path}: {SigningKey.load(path).spoken_thumbprint()}")
    if next_file(path).exists():
        click.echo("A change of keys was begun and not ended. Go on with it: hub-connector keys rotate")
    return EXIT_CLEAN


@keys.command(
    epilog="""\b
Examples:
  hub-connector keys rotate           # once a year, say; the old key is taken for a while longer
  hub-connector keys rotate --lost    # somebody else may have the key: it ends at once

\b
Broken off at any point, the same command goes on. What was sent before is still recognised, and deliveries that are
not through yet are signed anew.
"""
)
@config_option
@click.option("--lost", is_flag=True, help="The present key may be in other hands: the hub takes it no more.")
def rotate(config_path: Path, lost: bool) -> int:
    """Change the signing key: make a new pair and let the hub take it in place of the present one."""
    from ..rotating import rotate as change

    done = change(load_config(config_path), lost=lost)
    click.echo(
        f"{'Went on with a change that was broken off. ' if done.resumed else ''}The signing key was changed."
    )
    if lost:
        click.echo("The hub does not take the old key any more.")
    else:
        click.echo(
            f"Until {done.old_key_until[:16].replace('T', ' ')} UTC the hub takes the old key as well."
        )
    if done.signed_anew:
        click.echo(f"Signed anew: {done.signed_anew} deliveries that are not through yet.")
    click.echo(f"The new key's thumbprint: {done.thumbprint}")
    return EXIT_CLEAN
