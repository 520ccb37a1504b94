"""hub plugins, runs, releases."""

from __future__ import annotations

import json

import click

from hub.cli.base import as_options, dir_option, format_option, hub_of, operator, person, print_table

__all__ = ["plugins", "releases", "runs"]


@click.group()
def plugins() -> None:
    """Analytics plugins."""


@plugins.command("list", epilog="Example:\n\n  hub plugins list")
@dir_option
@format_option
@click.pass_context
def list_plugins(ctx: click.Context, directory: str, form: str) -> None:
    """List the registered plugins."""
    from hub.workflows import overview

    found = overview.plugins(hub_of(ctx, directory), operator())
    rows = [(item.name, item.version, item.enabled, item.manifest["title"]) for item in found]
    print_table(form, ["plugin", "version", "enabled", "title"], rows)


@plugins.command("register", epilog="Example:\n\n  hub plugins register")
@dir_option
@click.pass_context
def register(ctx: click.Context, directory: str) -> None:
    """Look for plugins in the plugins' environment, in the sandbox, and register them."""
    from hub.workflows import running

    found, broken = running.register_plugins(hub_of(ctx, directory), operator())
    for plugin in found:
        click.echo(f"{plugin.name} {plugin.version}: {plugin.manifest['title']}")
    for name, reason in broken.items():
        click.echo(f"{name} cannot be used: {reason}", err=True)
    ctx.exit(1 if broken else 0)


@click.group()
def runs() -> None:
    """Runs of plugins."""


@runs.command("list", epilog="Example:\n\n  hub runs list --format json")
@dir_option
@format_option
@click.pass_context
def list_runs(ctx: click.Context, directory: str, form: str) -> None:
    """List the newest runs."""
    from hub.workflows import overview

    found = overview.runs_page(hub_of(ctx, directory), operator())
    rows = [
        (run.id, run.plugin, run.state.value, run.queued_at, run.seconds and round(run.seconds, 1),
         result.state.value if result else None)
        for run, result in found
    ]  # fmt: skip
    print_table(form, ["run", "plugin", "state", "asked for", "seconds", "result"], rows)


@runs.command(
    "start",
    epilog="Example:\n\n  hub runs start families --agreement troubled-families --org wexbourne-children",
)
@click.argument("plugin")
@click.option("--agreement", required=True, metavar="ID", help="The agreement it runs under.")
@click.option("--org", "organisation", required=True, metavar="SLUG", help="The organisation it runs for.")
@click.option("--parameter", "given", multiple=True, metavar="NAME=VALUE", help="May be given several times.")
@as_options
@dir_option
@click.pass_context
def start_run(
    ctx: click.Context, plugin: str, agreement: str, organisation: str, given: tuple[str, ...], username: str | None,
    password: str | None, directory: str,
) -> None:  # fmt: skip
    """Queue a run; the worker carries it out.

    Without --as you ask as the hub's operator, whom an agreement that names roles may not let.
    """
    from hub.workflows import running

    parameters = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="--parameter")
        try:
            parameters[name] = json.loads(value)
        except ValueError:
            parameters[name] = value
    hub = hub_of(ctx, directory)
    who = person(hub, username, password) if username else operator()
    run = running.request_run(hub, who, plugin, agreement, organisation, parameters)
    click.echo(run.id)


@click.group()
def releases() -> None:
    """Results that wait for somebody to look at them, and those released."""


@releases.command("list", epilog="Example:\n\n  hub releases list")
@dir_option
@format_option
@click.pass_context
def list_releases(ctx: click.Context, directory: str, form: str) -> None:
    """List results, newest first."""
    from hub.workflows import overview

    found = overview.runs_page(hub_of(ctx, directory), operator(), limit=500)
    rows = [(result.id, result.state.value, run.plugin, result.created_at) for run, result in found if result]
    print_table(form, ["result", "state", "plugin", "made"], rows)


@releases.command(
    "decide", epilog='Example:\n\n  hub releases decide res_01kb... release --reason "counts checked"'
)
@click.argument("result_id")
@click.argument("act", type=click.Choice(["release", "reject", "withdraw"]))
@click.option("--reason", required=True, metavar="WORDS", help="What you looked at and why you decide so.")
@as_options
@dir_option
@click.pass_context
def decide_release(
    ctx: click.Context,
    result_id: str,
    act: str,
    reason: str,
    username: str | None,
    password: str | None,
    directory: str,
) -> None:
    """Release, reject or withdraw a result; an output checker does this, never the run's author."""
    from hub.workflows import releasing

    hub = hub_of(ctx, directory)
    result = releasing.decide(hub, person(hub, username, password), result_id, act, reason)
    click.echo(f"{result_id} is {result.state.value}.")


@releases.command(
    "reidentify",
    epilog='Example:\n\n  hub releases reidentify res_01kb... 0f3c... --reason "early help agreed, case 2041" --as sam',
)
@click.argument("result_id")
@click.argument("pseudonym")
@click.option("--reason", required=True, metavar="WORDS", help="Why you need to know who this is.")
@as_options
@dir_option
@format_option
@click.pass_context
def reidentify(
    ctx: click.Context, result_id: str, pseudonym: str, reason: str, username: str | None, password: str | None,
    directory: str, form: str,
) -> None:  # fmt: skip
    """Show the person behind a pseudonym in a released result, where the agreement allows it to you.

    Who you are, who it is and your reason are noted in the audit log first; refused attempts too. The reason stands in
    your shell's history: name a case, not a person.
    """
    from hub.workflows import reidentifying

    hub = hub_of(ctx, directory)
    found = reidentifying.reidentify(hub, person(hub, username, password), result_id, pseudonym, reason)
    print_table(form, found.columns, found.people)
