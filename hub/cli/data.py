"""hub link, geography."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.base import dir_option, hub_of, operator

__all__ = ["geography", "link"]


@click.command(epilog="Example:\n\n  hub link --dir hub-data")
@dir_option
@click.pass_context
def link(ctx: click.Context, directory: str) -> None:
    """Link people and households across the newest versions now (the worker does it by itself)."""
    from hub.workflows.linking import link_now

    click.echo("Linking people and households ...", err=True)
    summary = link_now(hub_of(ctx, directory), operator())
    for name, value in summary.items():
        click.echo(
            f"{name.replace('_', ' '):28}{value:>12,}"
            if isinstance(value, int | float)
            else f"{name} {value}"
        )


@click.group()
def geography() -> None:
    """Where postcodes lie: a public table, for agreements that give small areas (LSOA) instead of postcodes."""


@geography.command("load", epilog="Example:\n\n  hub geography load ONSPD_MAY_2026_UK.csv")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--postcode-column", metavar="NAME", help="If it is not called pcds, pcd or postcode.")
@click.option("--area-column", metavar="NAME", help="If it is not called lsoa21cd, lsoa21, lsoa11 or lsoa.")
@dir_option
@click.pass_context
def load(
    ctx: click.Context, file: Path, postcode_column: str | None, area_column: str | None, directory: str
) -> None:
    """Load the ONS Postcode Directory, or any CSV with a postcode and the code of an area in each row."""
    from hub.workflows.geography import load_areas

    click.echo(f"Reading {file.name} ...", err=True)
    found = load_areas(hub_of(ctx, directory), operator(), file, postcode_column, area_column)
    click.echo(
        f"{found.postcodes:,} postcodes are known now, with areas from the column {found.columns[1]}. "
        f"{found.left_out:,} rows without a postcode or an area were left out."
    )
