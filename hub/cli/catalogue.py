"""hub datasets: find, show, describe, hide and export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hub.cli.base import as_options, dir_option, format_option, hub_of, operator, person, print_table

if TYPE_CHECKING:
    from hub.workflows.finding import Known
    from hub.workflows.hub import Hub

__all__ = ["datasets"]

_PROFILES = ("dcat-ap", "uk")
_FORMATS = ("turtle", "jsonld")


@click.group()
def datasets() -> None:
    """Datasets: find them, say what is known of them and who finds them, and export the catalogue."""


@datasets.command("list", epilog='Example:\n\n  hub datasets list --search "date of birth" --format json')
@click.option(
    "--search", "text", default="", metavar="WORDS", help="Each word begins one of what is known of it."
)
@click.option("--organisation", default="", metavar="SLUG", help="Only what this organisation publishes.")
@click.option(
    "--late", is_flag=True, help="Only those whose next version is overdue by what contract or steward say."
)
@dir_option
@format_option
@click.pass_context
def list_datasets(
    ctx: click.Context, text: str, organisation: str, late: bool, directory: str, form: str
) -> None:
    """List the datasets with their current version."""
    from hub.catalogue.search import Filters, Freshness
    from hub.workflows import finding

    hub, filters = hub_of(ctx, directory), Filters(text, freshness=Freshness.LATE if late else None)
    rows, after = [], ()
    while after is not None:
        found = finding.find(
            hub, operator(), filters, organisation=organisation, sort="organisation", after=after, limit=500
        )
        after = found.after
        for line in found.lines:
            version, home = line.version, found.organisations[line.dataset.organisation_id]
            rows.append(
                (
                    f"{home.slug}/{line.dataset.contract}", version.number if version else None,
                    version.rows if version else None, version.accepted_at if version else None,
                    line.freshness.value, line.dataset.visibility, line.dataset.id,
                )
            )  # fmt: skip
    print_table(form, ["dataset", "version", "rows", "accepted", "freshness", "visibility", "id"], rows)


@datasets.command("show", epilog="Example:\n\n  hub datasets show wexbourne-schools/schools.attendance")
@click.argument("dataset")
@dir_option
@format_option
@click.pass_context
def show(ctx: click.Context, dataset: str, directory: str, form: str) -> None:
    """Show what the catalogue knows of a dataset (an id, or organisation/contract), and who said it."""
    from hub.workflows import catalogue_export, finding

    hub = hub_of(ctx, directory)
    known = finding.known(hub, operator(), _id(hub, dataset))
    missing = catalogue_export.missing_for_uk(hub, operator(), known.dataset.id)
    print_table(
        form, ["what", "value", "said by"], [*_rows(known), ("uk catalogue", "; ".join(missing) or "yes", "")]
    )


def _rows(known: Known) -> list[tuple[str, Any, str]]:
    described, coverage = known.entry.described, known.coverage
    period = f"{coverage.period_start} to {coverage.period_end}" if coverage.period_start else ""
    facts: list[tuple[str, Any, str]] = [
        ("id", known.dataset.id, ""), ("title", described.title, "contract"),
        ("organisation", known.organisation.name, ""),
        ("contract", f"{known.dataset.contract} {described.version}", ""), ("visibility", known.dataset.visibility, ""),
        ("sensitivity", known.entry.sensitivity, "contract"), ("rows", coverage.rows, ""), ("covers", period, ""),
        ("updated", coverage.updated, ""), ("freshness", coverage.freshness.value, ""), ("due", coverage.due, ""),
    ]  # fmt: skip
    for name, who in described.said.items():
        value = getattr(described, name)
        facts.append((name.replace("_", " "), ", ".join(value) if isinstance(value, tuple) else value, who))
    return facts


@datasets.command(
    "set-visibility",
    epilog="Example:\n\n  hub datasets set-visibility wexbourne-police/police.incidents private",
)
@click.argument("dataset")
@click.argument("visibility", type=click.Choice(["listed", "private"]))
@as_options
@dir_option
@click.pass_context
def set_visibility(
    ctx: click.Context,
    dataset: str,
    visibility: str,
    username: str | None,
    password: str | None,
    directory: str,
) -> None:
    """Say who finds a dataset; a data steward of its publisher signs in for it.

    listed: everybody who is signed in finds it and reads what it is. private: only its publisher, those who look after
    the hub, and the parties to an agreement in force that names it.
    """
    from hub.workflows import describing

    hub = hub_of(ctx, directory)
    done = describing.set_visibility(hub, person(hub, username, password), _id(hub, dataset), visibility)
    click.echo(f"{done.contract} is {done.visibility}.")


@datasets.command(
    "export", epilog="Example:\n\n  hub datasets export --as uk --format jsonld --output catalogue.jsonld"
)
@click.option(
    "--as",
    "profile",
    type=click.Choice(_PROFILES),
    default="dcat-ap",
    show_default=True,
    help="Which profile.",
)
@click.option(
    "--format", "form", type=click.Choice(_FORMATS), default="turtle", show_default=True, help="Which format."
)
@click.option("--dataset", metavar="DATASET", help="Only this one (an id, or organisation/contract).")
@click.option("--private", is_flag=True, help="Also private datasets: then do not give the file away.")
@click.option(
    "--output", type=click.Path(dir_okay=False, writable=True), metavar="FILE",
    help="Write into this file, put in its place when it is whole.",
)  # fmt: skip
@dir_option
@click.pass_context
def export(
    ctx: click.Context, profile: str, form: str, dataset: str | None, private: bool, output: str | None, directory: str
) -> None:  # fmt: skip
    """Write the catalogue as linked data: DCAT-AP 3, or the UK Cross-Government Metadata Exchange Model."""
    from hub.workflows import catalogue_export

    hub = hub_of(ctx, directory)
    left: list[str] = []
    if dataset is not None:
        found = catalogue_export.export_dataset(hub, operator(), _id(hub, dataset), profile, form)
    else:
        found = catalogue_export.export(
            hub, operator(), profile, form, private=private,
            left_out=lambda ident, title, why: left.append(f"{title} ({ident}): {'; '.join(why)}"),
        )  # fmt: skip
    if output is None:
        for piece in found.pieces:
            click.echo(piece, nl=False)
    else:
        with click.open_file(output, "w", encoding="utf-8", atomic=True) as file:
            file.writelines(found.pieces)
    for line in left:
        click.echo(f"Left out: {line}.", err=True)


def _id(hub: Hub, dataset: str) -> str:
    """The id of a dataset that is named by its id or as organisation/contract."""
    from hub.catalogue.search import Filters
    from hub.errors import NotFound
    from hub.workflows import finding

    slug, slash, contract = dataset.partition("/")
    if not slash:
        return dataset
    found = finding.find(hub, operator(), Filters(contract=contract), organisation=slug, limit=1)
    if not found.lines:
        raise NotFound(f"There is no dataset {dataset}; `hub datasets list` shows those there are.")
    return found.lines[0].dataset.id
