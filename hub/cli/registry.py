"""hub orgs, clients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.base import as_options, dir_option, format_option, hub_of, operator, person, print_table

if TYPE_CHECKING:
    from hub.workflows.registering import Waiting

__all__ = ["clients", "orgs"]


@click.group()
def orgs() -> None:
    """Organisations: departments, councils, forces, NHS bodies."""


@orgs.command("list", epilog="Example:\n\n  hub orgs list")
@dir_option
@format_option
@click.pass_context
def list_orgs(ctx: click.Context, directory: str, form: str) -> None:
    """List the organisations."""
    from hub.workflows import enrolling

    found = enrolling.list_organisations(hub_of(ctx, directory), operator())
    rows = [(item.slug, item.name, item.id, item.state.value) for item in found]
    print_table(form, ["slug", "name", "id", "state"], rows)


@orgs.command("add", epilog='Example:\n\n  hub orgs add wexbourne-housing "Wexbourne Housing"')
@click.argument("slug")
@click.argument("name")
@dir_option
@click.pass_context
def add_org(ctx: click.Context, slug: str, name: str, directory: str) -> None:
    """Register an organisation; another operator approves it."""
    from hub.workflows import enrolling

    made = enrolling.add_organisation(hub_of(ctx, directory), operator(), slug, name)
    if made.state == "waiting":
        click.echo(f"Registered {name}. It waits for an operator to approve it: hub orgs approve {slug}")
    else:
        click.echo(f"Registered {name}.")
    click.echo(f"Let its connector register: hub clients invite {slug}")


@orgs.command("approve", epilog="Example:\n\n  hub orgs approve wexbourne-housing --as olga")
@click.argument("slug")
@as_options
@dir_option
@click.pass_context
def approve_org(
    ctx: click.Context, slug: str, username: str | None, password: str | None, directory: str
) -> None:
    """Approve an organisation that somebody else registered; an operator signs with their account."""
    from hub.workflows import registering

    hub = hub_of(ctx, directory)
    decided = registering.decide_organisation(hub, person(hub, username, password), slug, "approve")
    click.echo(f"{decided.name} is approved.")


@orgs.command("refuse", epilog="Example:\n\n  hub orgs refuse wexbourne-housing")
@click.argument("slug")
@dir_option
@click.pass_context
def refuse_org(ctx: click.Context, slug: str, directory: str) -> None:
    """Refuse an organisation that waits for approval."""
    from hub.workflows import registering

    decided = registering.decide_organisation(hub_of(ctx, directory), operator(), slug, "refuse")
    click.echo(f"{decided.name} is refused.")


@orgs.command("revoke", epilog="Example:\n\n  hub orgs revoke wexbourne-housing")
@click.argument("slug")
@dir_option
@click.pass_context
def revoke_org(ctx: click.Context, slug: str, directory: str) -> None:
    """Stop an organisation at once: its machines' tokens and its people's sessions end. It cannot be undone."""
    from hub.workflows import registering

    registering.revoke_organisation(hub_of(ctx, directory), operator(), slug)
    click.echo(f"{slug} can do nothing any more.")


@click.group()
def clients() -> None:
    """Machine clients: connectors and tools."""


@clients.command("list", epilog="Example:\n\n  hub clients list")
@dir_option
@format_option
@click.pass_context
def list_clients(ctx: click.Context, directory: str, form: str) -> None:
    """List the clients."""
    from hub.workflows import enrolling

    rows = enrolling.list_clients(hub_of(ctx, directory), operator())
    print_table(form, ["id", "name", "organisation", "roles", "active"], rows)


@clients.command("waiting", epilog="Example:\n\n  hub clients waiting")
@dir_option
@format_option
@click.pass_context
def list_waiting(ctx: click.Context, directory: str, form: str) -> None:
    """List the organisations and clients that wait for approval, with who registered them and their keys."""
    from hub.workflows import registering

    rows = [
        (
            item.kind,
            item.id,
            item.name,
            item.organisation,
            item.registered_by,
            item.invited_by,
            ", ".join(item.keys),
        )
        for item in registering.waiting(hub_of(ctx, directory), operator())
    ]
    columns = ["kind", "id", "name", "organisation", "registered by", "invited by", "key's thumbprint"]
    print_table(form, columns, rows)


@clients.command(
    "approve",
    epilog="Examples:\n\n  hub clients approve cli_01kb... --as olga\n\n"
    '  hub clients approve cli_01kb... --as olga --thumbprint "0123 4567 89ab cdef 0123 4567 89ab cdef"',
)
@click.argument("client_id")
@click.option(
    "--thumbprint", metavar="HEX", help="What its people read out; without it you are asked to compare."
)
@as_options
@dir_option
@click.pass_context
def approve_client(
    ctx: click.Context, client_id: str, thumbprint: str | None, username: str | None, password: str | None,
    directory: str,
) -> None:  # fmt: skip
    """Approve a client that somebody else registered or invited; an operator signs with their account."""
    from hub.workflows import registering

    hub = hub_of(ctx, directory)
    who = person(hub, username, password)
    item = registering.waiting_one(hub, who, "client", client_id)
    _show(item)
    if thumbprint is None and not click.confirm("Did its people read out this thumbprint to you?", err=True):
        raise click.ClickException("Nothing was approved. To turn it away: hub clients refuse " + client_id)
    registering.decide_client(hub, who, client_id, "approve", thumbprint)
    click.echo(f"{client_id} is approved.")


def _show(item: Waiting) -> None:
    """What whoever approves should know."""
    lines = {
        "client": item.name, "organisation": item.organisation, "roles": ", ".join(item.roles),
        "registered by": item.registered_by, "invited by": item.invited_by, "keys at": item.jwks_url,
        "key's thumbprint": ", ".join(item.keys),
    }  # fmt: skip
    for name, value in lines.items():
        if value:
            click.echo(f"{name:17} {value}")


@clients.command("refuse", epilog="Example:\n\n  hub clients refuse cli_01kb...")
@click.argument("client_id")
@dir_option
@click.pass_context
def refuse_client(ctx: click.Context, client_id: str, directory: str) -> None:
    """Refuse a client that waits for approval."""
    from hub.workflows import registering

    registering.decide_client(hub_of(ctx, directory), operator(), client_id, "refuse")
    click.echo(f"{client_id} is refused.")


@clients.command(
    "add",
    epilog='Examples:\n\n  hub clients add nhs-wexbourne --name "Night export" --role connector --jwks keys.json\n\n'
    '  hub clients add hub --name "Monitoring" --role auditor --jwks-url https://keys.example.gov.uk/jwks.json',
)
@click.argument("slug")
@click.option("--name", required=True, metavar="NAME", help="What the hub's people shall see.")
@click.option(
    "--role", "roles", multiple=True, required=True, metavar="ROLE", help="May be given several times."
)
@click.option(
    "--jwks", "path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with its public keys: a JWK Set, or one JWK.",
)  # fmt: skip
@click.option("--jwks-url", metavar="URL", help="Where its set of public keys is published.")
@dir_option
@click.pass_context
def add_client(
    ctx: click.Context, slug: str, name: str, roles: tuple[str, ...], path: Path | None, jwks_url: str | None,
    directory: str,
) -> None:  # fmt: skip
    """Register a machine client of an organisation with its public keys; another operator approves it."""
    from hub.workflows import enrolling

    if (path is None) == (jwks_url is None):
        raise click.UsageError("Give either --jwks FILE or --jwks-url URL.")
    hub = hub_of(ctx, directory)
    keys = _read_keys(path) if path is not None else {"jwks_url": jwks_url}
    made = enrolling.add_client(hub, operator(), slug, name, roles, **keys)
    click.echo(f"Registered {name} as {made}.")
    if hub.settings.two_person_registration:
        click.echo(f"It waits for an operator to approve it: hub clients approve {made}")


def _read_keys(path: Path) -> dict[str, Any]:
    import json

    try:
        document = json.loads(path.read_bytes())
    except ValueError:
        raise click.ClickException(f"{path} is not JSON.") from None
    return (
        {"jwks": document} if isinstance(document, dict) and "keys" in document else {"signing_key": document}
    )


@clients.command("invite", epilog="Example:\n\n  hub clients invite wexbourne-housing")
@click.argument("slug")
@dir_option
@click.pass_context
def invite(ctx: click.Context, slug: str, directory: str) -> None:
    """Print a one-time code with which a connector of the organisation registers (valid for three days)."""
    from hub.workflows import enrolling

    hub = hub_of(ctx, directory)
    code = enrolling.invite_connector(hub, operator(), slug)
    click.echo("Give this code to the department's data engineer, who runs:")
    click.echo(f"  hub-connector init --hub {hub.settings.resolved_public_url} --code {code}")
    click.echo(f"It will show the hub's sealing key; tell them it must be: {hub.keyring.sealing_fingerprint}")
    if hub.settings.two_person_registration:
        click.echo("Then an operator with an account approves it: hub clients waiting, hub clients approve")


@clients.command("revoke", epilog="Example:\n\n  hub clients revoke cli_01kb...")
@click.argument("client_id")
@dir_option
@click.pass_context
def revoke(ctx: click.Context, client_id: str, directory: str) -> None:
    """Stop a client at once."""
    from hub.workflows import enrolling

    enrolling.revoke_client(hub_of(ctx, directory), operator(), client_id)
    click.echo(f"{client_id} can do nothing any more.")
