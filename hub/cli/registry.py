"""hub orgs, users, clients."""

from __future__ import annotations

import click

from hub.cli.base import dir_option, format_option, hub_of, operator, print_table

__all__ = ["clients", "orgs", "users"]


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
    print_table(form, ["slug", "name", "id"], [(item.slug, item.name, item.id) for item in found])


@orgs.command("add", epilog='Example:\n\n  hub orgs add wexbourne-housing "Wexbourne Housing"')
@click.argument("slug")
@click.argument("name")
@dir_option
@click.pass_context
def add_org(ctx: click.Context, slug: str, name: str, directory: str) -> None:
    """Register an organisation."""
    from hub.workflows import enrolling

    enrolling.add_organisation(hub_of(ctx, directory), operator(), slug, name)
    click.echo(f"Registered {name}. Let its connector register: hub clients invite {slug}")


@click.group()
def users() -> None:
    """People with local accounts."""


@users.command("list", epilog="Example:\n\n  hub users list --format json")
@dir_option
@format_option
@click.pass_context
def list_users(ctx: click.Context, directory: str, form: str) -> None:
    """List the accounts."""
    from hub.workflows import enrolling

    rows = enrolling.list_users(hub_of(ctx, directory), operator())
    print_table(form, ["username", "organisation", "roles", "active"], [row[1:] for row in rows])


@users.command("add", epilog='Example:\n\n  hub users add sam --org wexbourne-housing --role "service user"')
@click.argument("username")
@click.option("--name", default="", metavar="NAME", help="How pages greet the person.")
@click.option("--org", "slug", required=True, metavar="SLUG", help="The person's organisation.")
@click.option(
    "--role", "roles", multiple=True, required=True, metavar="ROLE", help="May be given several times."
)
@click.option("--password", envvar="HUB_PASSWORD", metavar="WORD", help="Better typed when asked.")
@dir_option
@click.pass_context
def add_user(
    ctx: click.Context,
    username: str,
    name: str,
    slug: str,
    roles: tuple[str, ...],
    password: str | None,
    directory: str,
) -> None:
    """Make an account; the password is asked for."""
    from hub.workflows import enrolling

    hub = hub_of(ctx, directory)
    word = password or click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    enrolling.add_user(hub, operator(), username, name or username, slug, roles, word)
    click.echo(f"{username} can sign in.")


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


@clients.command("revoke", epilog="Example:\n\n  hub clients revoke cli_01kb...")
@click.argument("client_id")
@dir_option
@click.pass_context
def revoke(ctx: click.Context, client_id: str, directory: str) -> None:
    """Stop a client at once."""
    from hub.workflows import enrolling

    enrolling.revoke_client(hub_of(ctx, directory), operator(), client_id)
    click.echo(f"{client_id} can do nothing any more.")
