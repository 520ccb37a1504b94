"""hub users."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from hub.cli.base import as_options, dir_option, format_option, hub_of, operator, print_table

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["users"]


@click.group()
def users() -> None:
    """People and their accounts."""


@users.command("list", epilog="Example:\n\n  hub users list --format json")
@dir_option
@format_option
@click.pass_context
def list_users(ctx: click.Context, directory: str, form: str) -> None:
    """List the accounts."""
    from hub.workflows import accounts

    columns = ["username", "organisation", "roles", "active", "second factor", "invited"]
    rows = [
        (
            item.account.username, item.account.organisation, ", ".join(item.account.roles), item.account.active,
            item.second_factor, item.invited,
        )
        for item in accounts.list_users(hub_of(ctx, directory), operator())
    ]  # fmt: skip
    print_table(form, columns, rows)


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
    """Make an account; the password is asked for (`hub users invite` lets the person choose it)."""
    from hub.workflows import accounts

    hub = hub_of(ctx, directory)
    word = password or click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    accounts.add_user(hub, operator(), username, name or username, slug, roles, word)
    click.echo(f"{username} can sign in.")


@users.command(
    "invite", epilog='Example:\n\n  hub users invite sam --org wexbourne-housing --role "service user"'
)
@click.argument("username")
@click.option("--name", default="", metavar="NAME", help="How pages greet the person.")
@click.option("--org", "slug", required=True, metavar="SLUG", help="The person's organisation.")
@click.option(
    "--role", "roles", multiple=True, required=True, metavar="ROLE", help="May be given several times."
)
@click.option("--no-code", is_flag=True, help="The person signs in through the OpenID provider only.")
@dir_option
@click.pass_context
def invite(
    ctx: click.Context, username: str, name: str, slug: str, roles: tuple[str, ...], no_code: bool, directory: str
) -> None:  # fmt: skip
    """Make an account and print a one-time code with which the person chooses a password."""
    from hub.workflows import accounts

    hub = hub_of(ctx, directory)
    _, code = accounts.invite(hub, operator(), username, name or username, slug, roles, code=not no_code)
    if no_code:
        click.echo(
            f"{username} has an account. Let them sign in: hub users bind {username} --subject REFERENCE"
        )
    else:
        _tell_code(hub, username, code)


@users.command("reset", epilog="Example:\n\n  hub users reset sam\n\n  hub users reset sam --second-factor")
@click.argument("username")
@click.option("--second-factor", is_flag=True, help="The code takes the second factor off, too.")
@dir_option
@click.pass_context
def reset(ctx: click.Context, username: str, second_factor: bool, directory: str) -> None:
    """Print a one-time code for somebody who cannot sign in any more. Nothing changes until it is used."""
    from hub.workflows import accounts

    hub = hub_of(ctx, directory)
    _tell_code(
        hub, username, accounts.reset(hub, operator(), _id_of(hub, username), clear_factor=second_factor)
    )


@users.command("roles", epilog='Example:\n\n  hub users roles sam --role analyst --role "data steward"')
@click.argument("username")
@click.option(
    "--role", "roles", multiple=True, required=True, metavar="ROLE", help="All that they shall hold."
)
@dir_option
@click.pass_context
def change_roles(ctx: click.Context, username: str, roles: tuple[str, ...], directory: str) -> None:
    """Give somebody these roles and no others; they sign in anew."""
    from hub.workflows import accounts

    hub = hub_of(ctx, directory)
    accounts.set_roles(hub, operator(), _id_of(hub, username), roles)
    click.echo(f"{username} is now {', '.join(sorted(set(roles)))}.")


@users.command("close", epilog="Example:\n\n  hub users close sam")
@click.argument("username")
@dir_option
@click.pass_context
def close(ctx: click.Context, username: str, directory: str) -> None:
    """Close an account at once: sessions end, codes stop working."""
    from hub.workflows import accounts

    hub = hub_of(ctx, directory)
    accounts.set_active(hub, operator(), _id_of(hub, username), False)
    click.echo(f"{username} cannot sign in any more.")


@users.command("open", epilog="Example:\n\n  hub users open sam")
@click.argument("username")
@dir_option
@click.pass_context
def reopen(ctx: click.Context, username: str, directory: str) -> None:
    """Open an account that was closed."""
    from hub.workflows import accounts

    hub = hub_of(ctx, directory)
    accounts.set_active(hub, operator(), _id_of(hub, username), True)
    click.echo(f"{username} can sign in again.")


@users.command("sign-out", epilog="Example:\n\n  hub users sign-out sam")
@click.argument("username")
@dir_option
@click.pass_context
def sign_out(ctx: click.Context, username: str, directory: str) -> None:
    """End all sessions of somebody."""
    from hub.workflows import accounts

    hub = hub_of(ctx, directory)
    count = accounts.end_sessions_of(hub, operator(), _id_of(hub, username))
    click.echo(f"Ended {count} {'session' if count == 1 else 'sessions'} of {username}.")


@users.command("bind", epilog="Example:\n\n  hub users bind sam --subject 248289761001")
@click.argument("username")
@click.option(
    "--subject", required=True, metavar="REFERENCE", help="What the provider calls the person (sub)."
)
@dir_option
@click.pass_context
def bind(ctx: click.Context, username: str, subject: str, directory: str) -> None:
    """Let somebody sign in through the OpenID provider."""
    from hub.workflows import accounts

    hub = hub_of(ctx, directory)
    accounts.bind(hub, operator(), _id_of(hub, username), subject)
    click.echo(f"{username} can sign in through {hub.settings.oidc_name}.")


@users.command("second-factor", epilog="Example:\n\n  hub users second-factor --as sam")
@as_options
@dir_option
@click.pass_context
def second_factor(ctx: click.Context, username: str | None, password: str | None, directory: str) -> None:
    """Set up your own second factor at the terminal: a QR code, a code back, ten recovery codes."""
    import io

    import segno

    from hub.errors import Conflict
    from hub.workflows import own_account, signing_in

    hub = hub_of(ctx, directory)
    name = username or click.prompt("Username", err=True)
    word = password or click.prompt("Password", hide_input=True, err=True)
    entry = signing_in.sign_in(hub, name, word, signing_in.COMMAND_LINE)
    me = signing_in.session_of(hub, entry.token)
    try:
        if me is None and entry.stage == "code":
            raise Conflict(
                "You have a second factor. Change it on your account's page, or ask for: hub users reset"
            )
        offer = own_account.offer_factor(hub, me) if me else own_account.offer_to_pending(hub, entry.token)
        drawn = io.StringIO()
        segno.make(offer.address, error="m").terminal(out=drawn, compact=True)
        click.echo(drawn.getvalue())
        click.echo(f"Scan this with an authenticator app, or type the key: {offer.secret}")
        code = click.prompt("Code from the app", err=True)
        if me is None:
            entry, codes = own_account.finish_enrolment(hub, entry.token, code)
        else:
            token, codes = own_account.confirm_factor(
                hub, me, entry.token, word, code, signing_in.COMMAND_LINE
            )
            entry = replace(entry, token=token)
        click.echo("Keep these recovery codes where only you find them; each works once:")
        for item in codes:
            click.echo(f"  {item}")
    finally:
        signing_in.sign_out(hub, entry.token)


def _id_of(hub: Hub, username: str) -> str:
    """The id of an account by its username."""
    from hub.errors import NotFound
    from hub.workflows import accounts

    for item in accounts.list_users(hub, operator()):
        if item.account.username.lower() == username.lower():
            return item.account.id
    raise NotFound(f"There is no account {username!r}; `hub users list` shows those there are.")


def _tell_code(hub: Hub, username: str, code: str) -> None:
    click.echo(
        f"Give this code to {username} and to nobody else; it works once, for {hub.settings.code_hours} hours:"
    )
    click.echo(f"  {code}")
    click.echo(f"They choose a password at {hub.settings.resolved_public_url}/sign-in/one-time-code")
