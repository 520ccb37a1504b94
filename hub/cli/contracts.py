"""hub contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hub.cli.base import as_options, dir_option, format_option, hub_of, operator, person, print_table

if TYPE_CHECKING:
    from hub.workflows.contracting import ShownProposal

__all__ = ["contracts"]


@click.group()
def contracts() -> None:
    """Contracts: the library that comes with the hub, what is published, and changes that wait for a decision."""


@contracts.command(
    "list", epilog="Examples:\n\n  hub contracts list\n\n  hub contracts list --published --format json"
)
@click.option(
    "--published", is_flag=True, help="What organisations publish in this hub, not the library alone."
)
@dir_option
@format_option
@click.pass_context
def list_contracts(ctx: click.Context, published: bool, directory: str, form: str) -> None:
    """List the library's contracts, or those that organisations publish."""
    if published:
        from hub.workflows import cataloguing

        lines = cataloguing.contracts(hub_of(ctx, directory), operator())
        rows: list[tuple[Any, ...]] = [
            (line.id, line.version, line.title, line.in_library, ", ".join(line.publishers))
            for line in lines
            if line.publishers
        ]
        print_table(form, ["contract", "version", "title", "in library", "published by"], rows)
        return
    from hub_schemas import library

    rows = [(item.id, item.version, item.title) for item in (library.load(name) for name in library.names())]
    print_table(form, ["contract", "version", "title"], rows)


@contracts.command(
    "show",
    epilog="Examples:\n\n  hub contracts show schools.attendance > attendance.yaml\n\n"
    "  hub contracts show schools.attendance --page\n\n"
    "  hub contracts show wexbourne-schools/schools.attendance --format json",
)
@click.argument("name")
@click.option("--page", is_flag=True, help="As a page for people (Markdown) instead of YAML.")
@click.option(
    "--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True,
    help="The contract itself, or its columns and checks in words as JSON.",
)  # fmt: skip
@dir_option
@click.pass_context
def show_contract(ctx: click.Context, name: str, page: bool, form: str, directory: str) -> None:
    """Print a contract: NAME is one of the library, or ORGANISATION/CONTRACT for what is in force in this hub."""
    import json
    from dataclasses import asdict

    from hub_schemas import library
    from hub_schemas.pages import contract_page, describe

    if "/" in name:
        from hub.workflows import cataloguing

        slug, _, contract_id = name.partition("/")
        shown = cataloguing.contract(hub_of(ctx, directory), operator(), contract_id)
        found = next((item.contract for item in shown.publishers if item.organisation.slug == slug), None)
        if found is None:
            raise click.ClickException(
                f"{slug} publishes nothing under {contract_id}; `hub datasets list` shows what is published."
            )
    elif name in library.names():
        found = library.load(name)
    else:
        raise click.ClickException(
            f"The library has no contract {name!r}; `hub contracts list` shows those there are."
        )
    if form == "json":
        click.echo(json.dumps(asdict(describe(found)), indent=2, ensure_ascii=False))
    else:
        click.echo(contract_page(found) if page else found.text, nl=False)


@contracts.command(
    "changes",
    epilog="Examples:\n\n  hub contracts changes\n\n  hub contracts changes prp_01kb...\n\n"
    "  hub contracts changes --all --format json",
)
@click.argument("proposal_id", required=False, default="")
@click.option("--all", "all_states", is_flag=True, help="Also those that are decided.")
@dir_option
@format_option
@click.pass_context
def changes(ctx: click.Context, proposal_id: str, all_states: bool, directory: str, form: str) -> None:
    """List proposed contracts, or say what one of them changes and whom it touches."""
    from hub.workflows import contracting

    hub = hub_of(ctx, directory)
    if proposal_id:
        _print(contracting.read_proposal(hub, operator(), proposal_id), form)
        return
    rows = [
        (item.proposal.id, f"{item.publisher}: {item.dataset.contract}", item.proposal.version,
         item.proposal.state.value, ", ".join(one.title for one in item.judged.touched),
         ", ".join(item.judged.waits_for) if item.proposal.state == "proposed" else "", item.proposal.proposed_at)
        for item in contracting.list_proposals(hub, operator(), all_states=all_states)
    ]  # fmt: skip
    print_table(form, ["proposal", "dataset", "version", "state", "touches", "waits for", "proposed"], rows)


def _print(shown: ShownProposal, form: str) -> None:
    """What a proposal changes and whom it touches."""
    judged = shown.judged
    rows = [
        ("change", change.column or "(the whole)", change.what, change.effect) for change in judged.changes
    ]
    rows += [
        ("touches", item.title, ", ".join(item.columns), ", ".join(item.organisations) or item.kind)
        for item in judged.touched
    ]
    if form == "table":
        waits = f", waits for {' or '.join(judged.waits_for)}" if shown.proposal.state == "proposed" else ""
        click.echo(
            f"{shown.publisher}: {shown.dataset.contract} {shown.proposal.version}, {shown.proposal.state.value}{waits}"
        )
        if judged.problem and shown.proposal.state == "proposed":
            click.echo(f"It cannot be accepted any more: {judged.problem}")
        if shown.reason:
            click.echo(f"Decided by {shown.decided_by}: {shown.reason}")
    print_table(form, ["what", "where", "how", "effect or whose"], rows)


def _decide(
    ctx: click.Context, proposal_id: str, event: str, reason: str, username: str | None, password: str | None,
    directory: str,
) -> None:  # fmt: skip
    from hub.workflows import contracting

    hub = hub_of(ctx, directory)
    decided = contracting.decide(hub, person(hub, username, password), proposal_id, event, reason)
    click.echo(f"{proposal_id} (version {decided.version}) is {decided.state.value}.")


@contracts.command(
    "accept",
    epilog='Example:\n\n  hub contracts accept prp_01kb... --reason "we read the new column from May" --as stella',
)
@click.argument("proposal_id")
@click.option("--reason", required=True, metavar="WORDS", help="Why; the publisher reads it.")
@as_options
@dir_option
@click.pass_context
def accept(
    ctx: click.Context,
    proposal_id: str,
    reason: str,
    username: str | None,
    password: str | None,
    directory: str,
) -> None:
    """Put a proposed contract into force; a data steward of those it touches does this."""
    _decide(ctx, proposal_id, "accept", reason, username, password, directory)


@contracts.command(
    "reject",
    epilog='Example:\n\n  hub contracts reject prp_01kb... --reason "keep the column until July" --as stella',
)
@click.argument("proposal_id")
@click.option(
    "--reason", required=True, metavar="WORDS", help="Why, and what would do; the publisher reads it."
)
@as_options
@dir_option
@click.pass_context
def reject(
    ctx: click.Context,
    proposal_id: str,
    reason: str,
    username: str | None,
    password: str | None,
    directory: str,
) -> None:
    """Turn a proposed contract down; a data steward of those it touches does this."""
    _decide(ctx, proposal_id, "reject", reason, username, password, directory)
