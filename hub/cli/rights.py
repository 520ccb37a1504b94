"""hub rights: what people ask about their own data."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.base import as_options, dir_option, format_option, hub_of, person, print_table

if TYPE_CHECKING:
    from hub.identity.principal import Principal
    from hub.workflows.hub import Hub

__all__ = ["rights"]

_STEPS = ("take", "ask", "restrict", "lift", "extend", "answer", "refuse", "withdraw")


@click.group()
def rights() -> None:
    """What people ask about their own data: requests, corrections, codes."""


@rights.command("list", epilog="Example:\n\n  hub rights list --as olive --format json")
@click.option("--all", "everything", is_flag=True, help="Closed requests too.")
@click.option(
    "--corrections", is_flag=True, help="Corrections that wait for your organisation (data stewards) instead."
)
@as_options
@dir_option
@format_option
@click.pass_context
def list_requests(
    ctx: click.Context, everything: bool, corrections: bool, username: str | None, password: str | None,
    directory: str, form: str,
) -> None:  # fmt: skip
    """List requests by the day they are due, or the corrections that wait."""
    from hub.workflows import rights as workflow
    from hub.workflows import rights_corrections
    from hub.workflows.hub import today

    hub = hub_of(ctx, directory)
    who = person(hub, username, password)
    if corrections:
        tasks = rights_corrections.list_tasks(hub, who)
        lines = [(item.id, item.dataset_id, item.state.value, item.sent_at) for item in tasks]
        print_table(form, ["correction", "dataset", "state", "sent"], lines)
        return
    found = workflow.list_requests(hub, who, only_open=not everything, limit=500)
    rows = [
        (item.id, item.kind.value, item.state.value, item.received_on, item.due_on, item.overdue(today(hub)))
        for item in found
    ]
    print_table(form, ["request", "kind", "state", "received", "due", "overdue"], rows)


@rights.command("show", epilog="Example:\n\n  hub rights show rgt_01kb2 --as olive")
@click.argument("request_id", metavar="REQUEST")
@as_options
@dir_option
@click.pass_context
def show(
    ctx: click.Context, request_id: str, username: str | None, password: str | None, directory: str
) -> None:
    """Show a request with what the person wrote."""
    from hub.workflows import rights as workflow

    hub = hub_of(ctx, directory)
    found = workflow.read_request(hub, person(hub, username, password), request_id)
    item = found.request
    click.echo(f"{item.kind.value}, {item.state.value}; received {item.received_on}, due {item.due_on}")
    for name, text in (
        ("They said", found.wish),
        ("Extended", found.extension_reason),
        ("Answer", found.answer),
    ):
        if text:
            click.echo(f"{name}: {text}")


@rights.command(
    "open",
    epilog="Example:\n\n  hub rights open access --received 2026-03-03 --as olive\n\n"
    "Who it is, why you look and what they said is asked for: it never stands on the command line.",
)
@click.argument("kind", type=click.Choice(["access", "rectification", "restriction", "objection"]))
@click.option("--received", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The day it was received.")
@click.option("--agreement", default="", metavar="ID", help="For an objection: the agreement.")
@as_options
@dir_option
@click.pass_context
def open_request(
    ctx: click.Context, kind: str, received: datetime, agreement: str, username: str | None, password: str | None,
    directory: str,
) -> None:  # fmt: skip
    """Write down what somebody asks for; exactly one person must match."""
    from hub.rights.states import RequestKind
    from hub.workflows import rights as workflow

    hub = hub_of(ctx, directory)
    officer = person(hub, username, password)
    ident = _one_person(hub, officer)
    wish = click.prompt("What did they say", err=True)
    made = workflow.open_request(hub, officer, ident, RequestKind(kind), wish, received.date(), agreement)
    click.echo(f"{made.id} is due on {made.due_on}.")


def _one_person(hub: Hub, officer: Principal) -> str:
    """Ask whom to look for, and find the one person who matches; nothing of it stands in the process list."""
    from hub.insights.people import PersonQuery
    from hub.workflows import rights_people

    number = click.prompt(
        "NHS number (empty: name and date of birth)", default="", show_default=False, err=True
    )
    query = PersonQuery(nhs_number=number)
    if not number:
        surname = click.prompt("Last name", err=True)
        born = click.prompt("Date of birth, as 1985-03-04", type=click.DateTime(["%Y-%m-%d"]), err=True)
        query = PersonQuery(surname=surname, date_of_birth=born.date())
    reason = click.prompt("Why do you look for this person", err=True)
    found = rights_people.find_person(hub, officer, query, reason)
    if len(found) != 1:
        raise click.ClickException(
            f"{len(found)} people match. Say more about the person who asks, or look for them on the page."
        )
    return found[0].person_id


@rights.command(
    "step",
    epilog="Example:\n\n  hub rights step rgt_01kb2 answer --as olive\n\n"
    "Your words are asked for where they are needed; the person reads what you answer, refuse or extend.",
)
@click.argument("request_id", metavar="REQUEST")
@click.argument("step", type=click.Choice(_STEPS))
@as_options
@dir_option
@click.pass_context
def step(
    ctx: click.Context, request_id: str, step: str, username: str | None, password: str | None, directory: str
) -> None:
    """Take a step of a request: take, ask, restrict, lift, extend, answer, refuse or withdraw."""
    from hub.workflows import rights as workflow
    from hub.workflows import rights_objections

    hub = hub_of(ctx, directory)
    officer = person(hub, username, password)
    silent = {"take": workflow.take, "restrict": workflow.restrict, "ask": rights_objections.ask_steward}
    spoken: dict[str, Any] = {
        "lift": workflow.lift, "extend": workflow.extend, "answer": workflow.answer, "refuse": workflow.refuse,
        "withdraw": workflow.withdraw,
    }  # fmt: skip
    if step in silent:
        silent[step](hub, officer, request_id)
    else:
        spoken[step](hub, officer, request_id, click.prompt("Your words", err=True))
    click.echo(f"{request_id}: done.")


@rights.command("copy", epilog="Example:\n\n  hub rights copy rgt_01kb2 --to copy.zip --as olive")
@click.argument("request_id", metavar="REQUEST")
@click.option(
    "--to", "target", type=click.Path(path_type=Path, dir_okay=False), help="Also write the zip file here."
)
@click.option(
    "--leave-out", multiple=True, metavar="CONTRACT:COLUMN", help="A column that is about somebody else."
)
@as_options
@dir_option
@click.pass_context
def copy(
    ctx: click.Context, request_id: str, target: Path | None, leave_out: tuple[str, ...], username: str | None,
    password: str | None, directory: str,
) -> None:  # fmt: skip
    """Make the copy of what the hub holds about the person who asks."""
    import os

    from hub.workflows import rights_copies

    hub = hub_of(ctx, directory)
    officer = person(hub, username, password)
    made = rights_copies.make_copy(hub, officer, request_id, leave_out)
    for part in rights_copies.contents(hub, made):
        click.echo(f"{part.title} ({part.organisation}): {part.rows} rows")
    if target is not None:
        try:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise click.ClickException(f"{target} cannot be written: {error.strerror}.") from None
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(rights_copies.fetch(hub, officer, request_id))
        click.echo(f"Written to {target}, in the clear: look at it, then delete it.")


@rights.command(
    "code",
    epilog="Example:\n\n  hub rights code --as olive\n\n"
    "Who it is and how you checked that is asked for: it never stands on the command line.",
)
@as_options
@dir_option
@click.pass_context
def code(ctx: click.Context, username: str | None, password: str | None, directory: str) -> None:
    """Make a one-time code for a person's own page; it is shown once."""
    from hub.workflows import rights_citizen

    hub = hub_of(ctx, directory)
    officer = person(hub, username, password)
    ident = _one_person(hub, officer)
    wanted = click.DateTime(["%Y-%m-%d"])
    born = click.prompt("Date of birth, as on what they showed you", type=wanted, err=True)
    checked = click.prompt("How did you check who they are", err=True)
    click.echo(rights_citizen.make_code(hub, officer, ident, born.date(), checked))
