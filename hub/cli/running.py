"""hub init, serve, worker, scheduler, doctor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from hub.cli.base import Composition, dir_option, hub_of, operator
from hub.errors import HubError

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["doctor", "init", "scheduler", "serve", "worker"]


@click.command(
    epilog="Examples:\n\n  hub init --dir hub-data\n\n  HUB_KEY_PASSPHRASE=... hub init --dir hub-data --admin anna\n\n"
    "  HUB_VAULT_TOKEN=... HUB_VAULT_ADDRESS=https://vault:8200 hub init --keys vault"
)
@dir_option
@click.option(
    "--keys",
    type=click.Choice(["file", "passphrase", "pkcs11", "vault", "aws"]),
    help="Where the root key lives (setting key_provider); without it a passphrase if one is set, else a key file.",
)
@click.option(
    "--admin", metavar="USERNAME", help="Make a first operator's account; the password is asked for."
)
@click.option("--password", envvar="HUB_PASSWORD", metavar="WORD", help="Better given as HUB_PASSWORD.")
@click.option(
    "--second-admin",
    metavar="USERNAME",
    help="Make a second operator's account, for what one registers the other approves; its password is asked for.",
)
@click.option(
    "--second-password",
    envvar="HUB_SECOND_PASSWORD",
    metavar="WORD",
    help="Better given as HUB_SECOND_PASSWORD.",
)
@click.pass_context
def init(
    ctx: click.Context, directory: str, keys: str | None, admin: str | None, password: str | None,
    second_admin: str | None, second_password: str | None,
) -> None:  # fmt: skip
    """Make a hub in a folder, or bring the one that is there to this version.

    Makes the keyring (keep a copy of keys/ somewhere else than the backups of the data: without it nothing can be
    read), the database and a commented hub.toml. Nothing that is there is overwritten.
    """
    from hub.workflows.registering import problem_of_one_operator

    composition: Composition = ctx.find_root().obj
    hub = composition.init_hub(composition.load_settings(directory, key_provider=keys))
    click.echo(f"The hub is ready in {hub.settings.dir}.")
    for name, word in ((admin, password), (second_admin, second_password)):
        if name:
            _make_operator(hub, name, word)
    if problem := problem_of_one_operator(hub):
        click.echo(problem)
    click.echo(f"Start it: hub serve --dir {directory}")
    hub.keyring.close()
    hub.database.close()


def _make_operator(hub: Hub, username: str, password: str | None) -> None:
    from hub.workflows import accounts

    word = password or click.prompt(
        f"Password of {username}", hide_input=True, confirmation_prompt=True, err=True
    )
    accounts.add_user(hub, operator(), username, username, "hub", ["operator"], word)
    click.echo(f"Sign in as {username}.")


@click.command(epilog="Examples:\n\n  hub serve\n\n  hub serve --port 8601 --no-work")
@dir_option
@click.option("--host", metavar="ADDRESS", help="Address to listen on (setting host).")
@click.option("--port", type=int, metavar="NUMBER", help="Port to listen on (setting port).")
@click.option(
    "--work/--no-work", default=True, show_default=True, help="Also work off deliveries, links and runs."
)
@click.pass_context
def serve(ctx: click.Context, directory: str, host: str | None, port: int | None, work: bool) -> None:
    """Serve the API and the pages until Ctrl-C."""
    composition: Composition = ctx.find_root().obj
    settings = composition.load_settings(directory, host=host, port=port)
    composition.serve(
        settings, work=work, on_ready=lambda url: click.echo(f"The hub listens on {url} (Ctrl-C ends it).")
    )


@click.command(epilog="Example:\n\n  hub worker --dir hub-data --once")
@dir_option
@click.option("--once", is_flag=True, help="Work off what waits now, then end.")
@click.pass_context
def worker(ctx: click.Context, directory: str, once: bool) -> None:
    """Decide deliveries, link people, carry out runs, and keep the schedules, without serving pages."""
    composition: Composition = ctx.find_root().obj
    if once:
        from hub.workflows.work import drain

        count = drain(hub_of(ctx, directory))
        click.echo(f"{count} pieces of work done.")
        return
    click.echo("Working (Ctrl-C ends it).")
    composition.work(composition.load_settings(directory))


@click.command(epilog="Example:\n\n  hub scheduler --dir hub-data")
@dir_option
@click.pass_context
def scheduler(ctx: click.Context, directory: str) -> None:
    """Keep the schedules and work off what waits: the same as `hub worker`. Only one process of a hub leads."""
    composition: Composition = ctx.find_root().obj
    click.echo("Keeping the schedules (Ctrl-C ends it).")
    composition.work(composition.load_settings(directory))


@click.command(epilog="Example:\n\n  hub doctor --dir hub-data")
@dir_option
@click.pass_context
def doctor(ctx: click.Context, directory: str) -> None:
    """Look whether everything the hub needs is there, and say what to do where it is not."""
    hub = hub_of(ctx, directory)
    from hub.storage.objects import shown
    from hub.workflows.auditing import verify
    from hub.workflows.keeping import keys_state
    from hub.workflows.registering import problem_of_one_operator

    def database() -> tuple[bool, str, Sequence[str]]:
        hub.database.ping()
        return True, hub.database.engine.url.render_as_string(hide_password=True), ()

    def objects() -> tuple[bool, str, Sequence[str]]:
        hub.objects.ping()
        return True, shown(hub.settings.resolved_objects), ()

    def keyring() -> tuple[bool, str, Sequence[str]]:
        state = keys_state(hub)
        return not state.problems, f"{state.kind} ({state.place}), root {state.root}", state.problems

    def audit_log() -> tuple[bool, str, Sequence[str]]:
        found = verify(hub)
        return found.ok, f"{found.sealed:,} of {found.entries:,} entries sealed", found.problems

    def approvals() -> tuple[bool, str, Sequence[str]]:
        problem = problem_of_one_operator(hub)
        word = "one person" if not hub.settings.two_person_registration else "two people"
        return True, f"{word} for each registration", (problem,) if problem else ()

    def signing_in() -> tuple[bool, str, Sequence[str]]:
        settings = hub.settings
        asked = settings.require_second_factor or "nobody"
        hints = (
            ["Set require_second_factor before real data comes."] if not settings.second_factor_roles else []
        )
        if not settings.secure_cookies and not settings.resolved_public_url.startswith("http://127."):
            hints.append("Set secure_cookies: this hub is reached by other machines.")
        return True, f"second factor for: {asked}", hints

    def sandbox() -> tuple[bool, str, Sequence[str]]:
        isolation = hub.sandbox().isolation()
        return isolation.level != "none", isolation.level, isolation.details

    well = [_look(part) for part in (database, objects, keyring, audit_log, approvals, signing_in, sandbox)]
    ctx.exit(0 if all(well) else 1)


def _look(part: Callable[[], tuple[bool, str, Sequence[str]]]) -> bool:
    """Print how a part is (well or not, in a word, in detail), and say whether it is well."""
    try:
        well, word, details = part()
    except HubError as error:
        well, word, details = False, error.detail, ()
    except OSError as error:
        well, word, details = False, f"does not answer ({type(error).__name__})", ()
    click.echo(f"{part.__name__.replace('_', ' '):11} {'ok ' if well else 'BAD'}  {word}")
    for detail in details:
        click.echo(f"{'':17}{detail}")
    return well
