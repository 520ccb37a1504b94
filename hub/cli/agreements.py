"""hub agreements: drafting, reviewing, ending, explaining. Signing stands in `hub.cli.signing`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hub.cli.base import as_options, dir_option, format_option, hub_of, operator, person, print_table
from hub.cli.signing import keys, sign, statement

__all__ = ["agreements"]


@click.group()
def agreements() -> None:
    """Data sharing agreements, which the hub enforces."""


agreements.add_command(statement)
agreements.add_command(sign)
agreements.add_command(keys)


@agreements.command("list", epilog="Example:\n\n  hub agreements list")
@dir_option
@format_option
@click.pass_context
def list_agreements(ctx: click.Context, directory: str, form: str) -> None:
    """List the agreements."""
    from hub.workflows import agreeing

    found = agreeing.list_agreements(hub_of(ctx, directory), operator())
    rows = [
        (item.id, "not trusted" if item.trouble else item.state.value, item.start, item.end, item.title)
        for item in found
    ]
    print_table(form, ["id", "state", "from", "to", "title"], rows)


@agreements.command("show", epilog="Example:\n\n  hub agreements show troubled-families")
@click.argument("agreement_id")
@dir_option
@click.pass_context
def show(ctx: click.Context, agreement_id: str, directory: str) -> None:
    """Show an agreement: its state, who signed it, and its text (YAML)."""
    from hub.workflows import agreeing

    found = agreeing.standing(hub_of(ctx, directory), operator(), agreement_id)
    click.echo(f"{agreement_id}, version {found.agreement.version}: {found.agreement.state.value}")
    if found.agreement.trouble:
        click.echo(f"Not trusted: {found.agreement.trouble}.")
    if found.record.unsigned:
        click.echo("Put into force before signatures were kept.")
    for item in found.signatures:
        ending = "" if item.holds else " (does not hold)"
        click.echo(f"Signed for {item.organisation} by {item.signer} on {item.at:%Y-%m-%d}{ending}")
    for slug in found.missing:
        click.echo(f"Not signed yet: {slug}")
    click.echo("---")
    click.echo(found.text, nl=False)


@agreements.command("draft", epilog="Example:\n\n  hub agreements draft agreement.yaml --as stella")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Give the draft of the same id this text: its next version.")
@as_options
@dir_option
@click.pass_context
def draft(
    ctx: click.Context, file: Path, replace: bool, username: str | None, password: str | None, directory: str
) -> None:
    """Keep a draft of an agreement (YAML); a data steward does this."""
    from hub.policy.agreement import load_agreement
    from hub.workflows import agreeing

    hub, text = hub_of(ctx, directory), file.read_text(encoding="utf-8")
    who = person(hub, username, password)
    known = load_agreement(text).id if replace else ""
    agreement = agreeing.rewrite(hub, who, known, text) if replace else agreeing.draft(hub, who, text)
    click.echo(
        f"Drafted {agreement.id}, version {agreement.version}. Hand it in for review: hub agreements submit "
        f"{agreement.id}"
    )


def _step(name: str, act: str, said: str, about: str, example: str) -> click.Command:
    """One command for one step of an agreement's life."""

    @click.argument("agreement_id")
    @click.option("--reason", default="", metavar="WORDS", help="Why; kept sealed.")
    @as_options
    @dir_option
    @click.pass_context
    def step(
        ctx: click.Context, agreement_id: str, reason: str, username: str | None, password: str | None, directory: str
    ) -> None:  # fmt: skip
        from hub.workflows import agreeing

        hub = hub_of(ctx, directory)
        agreeing.change(hub, person(hub, username, password), agreement_id, act, reason)
        click.echo(f"{agreement_id} {said}")

    step.__doc__ = about
    command = click.command(name, epilog=f"Example:\n\n  hub agreements {name} {example}")(step)
    agreements.add_command(command)
    return command


_step(
    "submit", "submit", "is in review: another data steward approves it or returns it.",
    "Hand a draft in for review.", "troubled-families --as stella",
)  # fmt: skip
_step(
    "return", "return", "is a draft again.", "Hand a draft back to its authors, saying what has to change.",
    'troubled-families --reason "Name the DPIA." --as theo',
)  # fmt: skip
_step(
    "approve", "approve", "is agreed and waits for signatures: hub agreements show says whose.",
    "Approve an agreement, so that it can be signed; none of its authors does.", "troubled-families --as theo",
)  # fmt: skip
_step(
    "withdraw", "withdraw", "is withdrawn; nothing reads under it any more, its schedules and runs are stopped.",
    "End an agreement at once.", "troubled-families --as stella",
)  # fmt: skip


@agreements.command(
    "compare", epilog="Example:\n\n  hub agreements compare families-2027 --with families-2026"
)
@click.argument("agreement_id")
@click.option("--with", "other", default="", metavar="ID", help="Another agreement; nothing if not given.")
@dir_option
@format_option
@click.pass_context
def compare(ctx: click.Context, agreement_id: str, other: str, directory: str, form: str) -> None:
    """Say what an agreement would change."""
    from hub.workflows import agreeing

    _, _, found = agreeing.compare(hub_of(ctx, directory), operator(), agreement_id, other)
    rows = [(item.what, item.before, item.after, item.wider) for item in found]
    print_table(form, ["what", "before", "after", "wider"], rows)


@agreements.command(
    "explain",
    epilog='Example:\n\n  hub agreements explain --operation "run plugin" --contract benefits.claims --org council',
)
@click.option(
    "--operation", required=True, metavar="WORDS", help='For example "run plugin" or "read person".'
)
@click.option("--contract", required=True, metavar="ID", help="The dataset's contract.")
@click.option("--org", "organisation", required=True, metavar="SLUG", help="Who asks.")
@click.option("--column", "columns", multiple=True, metavar="NAME", help="May be given several times.")
@click.option("--plugin", default="", metavar="NAME", help="Which plugin would run.")
@click.option(
    "--publisher", default="", metavar="SLUG", help="Whose data; any that the agreement names if not given."
)
@click.option("--agreement", default="", metavar="ID", help="Only this agreement.")
@click.option("--purpose", default="", metavar="WORDS", help="For which purpose.")
@click.option("--power", default="", metavar="ID", help="Under which legal power.")
@click.option("--objective", default="", metavar="ID", help="For which objective of the power.")
@click.option("--on", default=None, metavar="DATE", help="On which day, as 2026-03-31; today if not given.")
@dir_option
@format_option
@click.pass_context
def explain(ctx: click.Context, directory: str, form: str, **given: Any) -> None:
    """Say why something is allowed or refused, check by check. Exits 0 when it is allowed, 1 when not."""
    from hub.workflows import agreeing
    from hub.workflows.hub import today

    hub = hub_of(ctx, directory)
    asked = _asked(given, today(hub))
    decision, explained = agreeing.explain_fully(hub, operator(), asked)
    if form == "json":
        click.echo(json.dumps(_plain(decision, explained), indent=2, ensure_ascii=False))
        ctx.exit(0 if decision.allowed else 1)
    click.echo(("Allowed: " if decision.allowed else "Refused: ") + decision.reason + ".")
    if decision.grant:
        click.echo("Columns: " + ", ".join(sorted(decision.grant.columns)))
    for item in explained:
        click.echo("")
        click.echo(f"{item.agreement}, data of {item.publisher or 'nobody'}:")
        for check in item.checks:
            click.echo(f"  {'✓' if check.holds else '✗'} {check.words}")
    ctx.exit(0 if decision.allowed else 1)


def _asked(given: dict[str, Any], today: Any) -> Any:
    from datetime import date

    from hub.policy.decide import Asked

    try:
        on = date.fromisoformat(given.pop("on")) if given["on"] else today
    except ValueError:
        raise click.BadParameter("write the day as 2026-03-31", param_hint="--on") from None
    given.pop("on", None)
    return Asked(**given | {"on": on, "columns": frozenset(given["columns"])})


def _plain(decision: Any, explained: Any) -> dict[str, Any]:
    return {
        "allowed": decision.allowed,
        "reason": decision.reason,
        "columns": sorted(decision.grant.columns) if decision.grant else [],
        "agreements": [
            {
                "agreement": item.agreement, "publisher": item.publisher, "allowed": item.allowed,
                "checks": [{"holds": check.holds, "words": check.words} for check in item.checks],
            }
            for item in explained
        ],
    }  # fmt: skip
