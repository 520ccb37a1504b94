"""What the commands share: lazy loading, the composition they are given, tables, and errors without tracebacks."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hub.errors import HubError
from hub.logs import where_it_broke

if TYPE_CHECKING:
    from hub.config import Settings
    from hub.identity.principal import Principal
    from hub.workflows.hub import Hub

__all__ = [
    "Composition",
    "LazyGroup",
    "dir_option",
    "format_option",
    "hub_of",
    "operator",
    "person",
    "print_table",
]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Composition:
    """How commands get at a hub without knowing how one is put together (`hub.app` stands above them)."""

    load_settings: Callable[..., Settings]
    init_hub: Callable[[Settings], Hub]
    open_hub: Callable[[Settings], Hub]
    serve: Callable[..., None]
    work: Callable[[Settings], None]
    restore_hub: Callable[..., tuple[Hub, list[str]]]


class LazyGroup(click.Group):
    """A group whose commands are named by module and attribute and imported when they are used."""

    def __init__(self, *args: Any, lazy: dict[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which they are used."""
        return [*self._lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a command."""
        if name not in self._lazy:
            return super().get_command(ctx, name)
        module, _, attribute = self._lazy[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the short helps kept here: nothing is imported for it."""
        rows = [(name, short) for name, (_, short) in self._lazy.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error becomes one line on stderr and exit status 1, never a traceback.

        An error that nobody foresaw is named by type and place only: its text may hold what was read.
        """
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except UnicodeDecodeError as error:
            click.echo(f"hub: A file is not text in UTF-8 (byte {error.start}); save it as UTF-8.", err=True)
            ctx.exit(1)
        except HubError as error:
            click.echo(f"hub: {error.detail}", err=True)
            for place, problem in error.fields.items():
                click.echo(f"  {place}: {_flat(problem)}", err=True)
            ctx.exit(1)
        except Exception as error:
            found = where_it_broke(error)
            click.echo(f"hub: This went wrong unexpectedly: {found['error']} at {found['at']}.", err=True)
            ctx.exit(1)


def _flat(problem: object) -> str:
    if isinstance(problem, dict):
        return "; ".join(f"{name}: {_flat(value)}" for name, value in problem.items())
    if isinstance(problem, list):
        return " ".join(_flat(item) for item in problem)
    return str(problem)


def dir_option(command: F) -> F:
    """`--dir`: the hub's folder."""
    return click.option(
        "--dir", "directory", envvar="HUB_DIR", default="hub-data", show_default=True, metavar="FOLDER",
        help="The hub's folder (also HUB_DIR).",
    )(command)  # fmt: skip


def format_option(command: F) -> F:
    """`--format`: a table for people or JSON for programs."""
    return click.option(
        "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
        help="How to print.",
    )(command)  # fmt: skip


def hub_of(ctx: click.Context, directory: str) -> Hub:
    """The hub in a folder, closed when the command ends."""
    composition: Composition = ctx.find_root().obj
    hub = composition.open_hub(composition.load_settings(directory))
    ctx.call_on_close(hub.keyring.close)
    ctx.call_on_close(hub.database.close)
    return hub


def operator(*roles: str) -> Principal:
    """The person at the machine: who can read the hub's folder is its operator. Noted as `system:command-line`."""
    from hub.identity.principal import Principal

    return Principal("system", "command-line", "command line", "", "hub", frozenset(roles or ("operator",)))


def person(
    hub: Hub, username: str | None, password: str | None, *, code_variable: str = "HUB_CODE"
) -> Principal:
    """A person who proves who they are, for acts that count by who does them (agreements, releases).

    The code of a second factor is asked for where the account has one (or taken from the environment).
    """
    from hub.workflows import signing_in

    name = username or click.prompt("Username", err=True)
    word = password or click.prompt("Password", hide_input=True, err=True)
    asked = "Code from your app, or a recovery code"
    return signing_in.prove(
        hub,
        name,
        word,
        lambda: os.environ.get(code_variable) or click.prompt(asked, hide_input=True, err=True),
    )


def as_options(command: F) -> F:
    """`--as` and the password's environment variable."""
    command = click.option(
        "--as", "username", metavar="USERNAME", help="Who you are; asked for if not given."
    )(command)
    return click.option(
        "--password",
        envvar="HUB_PASSWORD",
        metavar="WORD",
        help="Better given as HUB_PASSWORD, or typed when asked.",
    )(command)


def print_table(form: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows as an aligned table, or as a JSON list of objects."""
    rows = [list(row) for row in rows]
    if form == "json":
        items = [dict(zip(columns, row, strict=True)) for row in rows]
        click.echo(json.dumps(items, indent=2, default=_plain, ensure_ascii=False))
        return
    if not rows:
        click.echo("(none)")
        return
    text = [[_cell(value) for value in row] for row in [list(columns), *rows]]
    widths = [max(len(row[place]) for row in text) for place in range(len(columns))]
    for number, row in enumerate(text):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.echo(click.style(line, bold=True) if number == 0 and sys.stdout.isatty() else line)


def _plain(value: Any) -> str:
    """Moments and days in ISO 8601."""
    return str(value.isoformat() if hasattr(value, "isoformat") else value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if hasattr(value, "strftime") and hasattr(value, "hour"):
        return str(value.strftime("%Y-%m-%d %H:%M"))
    return str(value)
