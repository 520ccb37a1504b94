"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from ..config import CONFIG_VARIABLE, DEFAULT_NAME

__all__ = ["as_json", "config_option", "contract_option", "format_option", "report_option", "source_options"]

F = TypeVar("F", bound=Callable[..., Any])


class ContractType(click.ParamType[str]):
    """A contract file or library:NAME; completes both."""

    name = "contract"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Names of the library, or files."""
        if not "library:".startswith(incomplete[:8]) or not incomplete:
            return [CompletionItem(incomplete, type="file")]
        from hub_schemas import library

        names = (f"library:{name}" for name in library.names())
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def config_option(command: F) -> F:
    """Add --config."""
    return click.option(
        "--config", "config_path", type=click.Path(path_type=Path, dir_okay=False), default=DEFAULT_NAME,
        envvar=CONFIG_VARIABLE, show_default=True, show_envvar=True, help="The configuration that init wrote.",
    )(command)  # fmt: skip


def contract_option(*, required: bool) -> Callable[[F], F]:
    """Add --contract."""
    return click.option(
        "--contract", type=ContractType(), required=required, metavar="FILE",
        help="A contract (YAML), or library:NAME such as library:schools.attendance.",
    )  # fmt: skip


def report_option(command: F) -> F:
    """Add --report."""
    return click.option(
        "--report", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.csv",
        help="Write every fault there: row, column, value_shown, rule, message. Personal values are masked.",
    )(command)  # fmt: skip


def format_option(command: F) -> F:
    """Add --format."""
    return click.option(
        "--format",
        "style",
        type=click.Choice(["text", "json"]),
        default="text",
        help="How to print the result.",
    )(command)


def source_options(command: F) -> F:
    """How to read a CSV source, where detection gets it wrong; arrives as the argument `options`."""
    import functools

    @functools.wraps(command)
    def gathered(*args: Any, **values: Any) -> Any:
        names = ("encoding", "delimiter", "quote", "escape", "header_row")
        given = {name: values.pop(name) for name in names}
        return command(
            *args, options={name: value for name, value in given.items() if value is not None}, **values
        )

    for option in (
        click.option(
            "--header-row", type=click.IntRange(1), help="Which row is the header, blank lines not counted."
        ),
        click.option(
            "--escape", metavar="CHAR", help="The character that takes the meaning off the next one."
        ),
        click.option("--quote", metavar="CHAR", help='The quotation mark, or none.  [default: "]'),
        click.option("--delimiter", metavar="CHAR", help="What separates cells: a character, or its name."),
        click.option("--encoding", help="Text encoding, such as utf-8 or cp1252."),
    ):
        gathered = option(gathered)
    return gathered  # type: ignore[return-value]


def as_json(value: object) -> None:
    """Print a value as JSON."""
    import json

    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
