"""hub datasets, link, audit."""

from __future__ import annotations

import click

from hub.cli.base import dir_option, format_option, hub_of, operator, print_table

__all__ = ["audit", "datasets", "link"]


@click.group()
def datasets() -> None:
    """Datasets and their versions."""


@datasets.command("list", epilog="Example:\n\n  hub datasets list --format json")
@dir_option
@format_option
@click.pass_context
def list_datasets(ctx: click.Context, directory: str, form: str) -> None:
    """List the datasets with their current version."""
    from hub.workflows import overview

    found = overview.datasets_page(hub_of(ctx, directory), operator(), limit=10_000)
    rows = [
        (
            f"{home.slug}/{dataset.contract}", version.number if version else None, version.rows if version else None,
            version.accepted_at if version else None, dataset.id,
        )
        for dataset, home, version in found
    ]  # fmt: skip
    print_table(form, ["dataset", "version", "rows", "accepted", "id"], rows)


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
def audit() -> None:
    """The audit log."""


@audit.command("verify", epilog="Example:\n\n  hub audit verify --checkpoint published.txt")
@click.option(
    "--checkpoint", "files", type=click.File("r", encoding="utf-8"), multiple=True, metavar="FILE",
    help="A checkpoint that was published outside the hub; may be given several times.",
)  # fmt: skip
@dir_option
@click.pass_context
def verify(ctx: click.Context, files: tuple[click.utils.LazyFile, ...], directory: str) -> None:
    """Recompute the whole log and compare it with its signed checkpoints; exit status 1 if anything is bent."""
    from hub.workflows import auditing

    found = auditing.verify(hub_of(ctx, directory), [file.read() for file in files])
    click.echo(f"{found.entries:,} entries, {found.sealed:,} sealed under {found.checkpoints:,} checkpoints.")
    for problem in found.problems:
        click.echo(f"BENT: {problem}", err=True)
    if not found.ok:
        ctx.exit(1)
    click.echo("Everything holds.")


@audit.command("seal", epilog="Example:\n\n  hub audit seal > published.txt")
@dir_option
@click.pass_context
def seal(ctx: click.Context, directory: str) -> None:
    """Seal what was written since the last checkpoint (the worker does it by itself), and print the checkpoint."""
    from hub.audit.log import latest_checkpoint
    from hub.workflows import auditing

    hub = hub_of(ctx, directory)
    auditing.seal_log(hub)
    with hub.database.read() as session:
        click.echo(latest_checkpoint(session) or "The log is empty.", nl=False)
