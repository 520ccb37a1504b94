"""hub requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.base import as_options, dir_option, format_option, hub_of, operator, person, print_table

if TYPE_CHECKING:
    from hub.workflows.requesting import ShownRequest

__all__ = ["requests"]


@click.group()
def requests() -> None:
    """Requests for data: an analyst asks, a data steward of the publisher answers."""


@requests.command("list", epilog="Example:\n\n  hub requests list --format json")
@dir_option
@format_option
@click.pass_context
def list_requests(ctx: click.Context, directory: str, form: str) -> None:
    """List the requests, newest first."""
    from hub.workflows import requesting

    found = requesting.list_requests(hub_of(ctx, directory), operator(), limit=500)
    rows = [
        (item.request.id, item.title, item.publisher, item.organisation, item.request.state.value,
         item.request.agreement_id, item.request.changed_at)
        for item in found
    ]  # fmt: skip
    print_table(form, ["request", "dataset", "asked of", "asked by", "state", "agreement", "changed"], rows)


@requests.command("show", epilog="Example:\n\n  hub requests show req_01kb...")
@click.argument("request_id")
@dir_option
@format_option
@click.pass_context
def show(ctx: click.Context, request_id: str, directory: str, form: str) -> None:
    """Show a request: its answers and what happened to it."""
    from hub.workflows import requesting

    shown = requesting.read(hub_of(ctx, directory), operator(), request_id)
    if form == "json":
        click.echo(json.dumps(_plain(shown), indent=2, default=str, ensure_ascii=False))
        return
    click.echo(f"{shown.about.organisation_name} asks {shown.publisher} for {shown.dataset.title}.")
    click.echo(f"{request_id} is {shown.request.state.value}; asked by {shown.asked_by}.")
    if shown.agreement:
        click.echo(f"It became the draft of an agreement: {shown.agreement}")
    print_table(
        form, ["question", "answer"], [(item.question.title, _flat(item.value)) for item in shown.answers]
    )
    for step in shown.steps:
        click.echo(
            f"{step.at:%Y-%m-%d %H:%M} {step.act} by {step.by}{': ' + step.words if step.words else ''}"
        )


def _plain(shown: ShownRequest) -> dict[str, Any]:
    return {
        "id": shown.request.id, "state": shown.request.state.value, "dataset": shown.request.dataset_id,
        "publisher": shown.request.publisher, "organisation": shown.request.organisation,
        "asked_by": shown.asked_by, "agreement": shown.agreement or None,
        "answers": {item.question.key: item.value for item in shown.answers},
        "steps": [
            {"act": item.act, "by": item.by, "at": item.at.isoformat(), "words": item.words} for item in shown.steps
        ],
    }  # fmt: skip


def _flat(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str("" if value is None else value)


@requests.command(
    "questions", epilog="Example:\n\n  hub requests questions dat_01kb... --as ana > answers.json"
)
@click.argument("dataset_id")
@as_options
@dir_option
@click.pass_context
def questions(
    ctx: click.Context, dataset_id: str, username: str | None, password: str | None, directory: str
) -> None:
    """Print the questions about a dataset as JSON, answered as far as is known: mend it and ask with it."""
    from hub.workflows import requesting

    hub = hub_of(ctx, directory)
    asked = requesting.prepare(hub, person(hub, username, password), dataset_id)
    answers = {item.key: asked.answers.get(item.key) for item in asked.questions}
    click.echo(json.dumps(answers, indent=2, ensure_ascii=False))
    for item in asked.questions:
        offered = "; ".join(value for value, _ in item.choices)
        click.echo(f"{item.key}: {item.title}{' One of: ' + offered if offered else ''}", err=True)


@requests.command("ask", epilog="Example:\n\n  hub requests ask dat_01kb... answers.json --as ana")
@click.argument("dataset_id")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_options
@dir_option
@click.pass_context
def ask(
    ctx: click.Context,
    dataset_id: str,
    file: Path,
    username: str | None,
    password: str | None,
    directory: str,
) -> None:
    """Ask for a dataset with the answers in a JSON file; an analyst does this."""
    from hub.workflows import requesting

    try:
        answers = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise click.ClickException(
            f"{file} is not JSON; hub requests questions prints what to fill in."
        ) from None
    if not isinstance(answers, dict):
        raise click.ClickException(f"{file} must hold an object of questions and answers.")
    hub = hub_of(ctx, directory)
    given = {key: value for key, value in answers.items() if value not in (None, "", [])}
    made = requesting.ask_all(hub, person(hub, username, password), dataset_id, given)
    click.echo(made.id)


def _act(
    ctx: click.Context,
    request_id: str,
    act: str,
    words: str,
    who: tuple[str | None, str | None],
    directory: str,
) -> None:
    from hub.workflows import requesting

    hub = hub_of(ctx, directory)
    principal = person(hub, *who)
    if act == "answer":
        done = requesting.reply(hub, principal, request_id, words)
    elif act == "withdraw":
        done = requesting.withdraw(hub, principal, request_id)
    else:
        done = requesting.decide(hub, principal, request_id, act, words)
    click.echo(f"{request_id} is {done.state.value}.")
    if act == "accept":
        click.echo(f"Drafted the agreement {done.agreement_id}; a data steward goes on with it.")


_WORDS = click.option("--words", required=True, metavar="WORDS", help="What you say to the other side.")


@requests.command(
    "answer", epilog='Example:\n\n  hub requests answer req_01kb... --words "until July" --as ana'
)
@click.argument("request_id")
@_WORDS
@as_options
@dir_option
@click.pass_context
def answer(
    ctx: click.Context,
    request_id: str,
    words: str,
    username: str | None,
    password: str | None,
    directory: str,
) -> None:
    """Answer what the publisher's steward asked back about your request."""
    _act(ctx, request_id, "answer", words, (username, password), directory)


@requests.command("withdraw", epilog="Example:\n\n  hub requests withdraw req_01kb... --as ana")
@click.argument("request_id")
@as_options
@dir_option
@click.pass_context
def withdraw(
    ctx: click.Context, request_id: str, username: str | None, password: str | None, directory: str
) -> None:
    """Take your request back."""
    _act(ctx, request_id, "withdraw", "", (username, password), directory)


@requests.command(
    "decide", epilog='Example:\n\n  hub requests decide req_01kb... accept --words "as discussed" --as stella'
)
@click.argument("request_id")
@click.argument("act", type=click.Choice(["return", "refuse", "accept"]))
@_WORDS
@as_options
@dir_option
@click.pass_context
def decide(
    ctx: click.Context, request_id: str, act: str, words: str, username: str | None, password: str | None,
    directory: str,
) -> None:  # fmt: skip
    """Ask back, refuse or accept, as a data steward of the publisher; accepting drafts an agreement."""
    _act(ctx, request_id, act, words, (username, password), directory)
