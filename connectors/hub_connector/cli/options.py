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
    """How to read a source, where detection gets it wrong; arrives as the argument `options`."""
    import functools

    @functools.wraps(command)
    def gathered(*args: Any, **values: Any) -> Any:
        names = (
            "encoding", "delimiter", "quote", "escape", "header_row", "sheet", "merged", "rows_path",
        )  # fmt: skip
        given = {name: values.pop(name) for name in names}
        options = _named_options(values.pop("more_options"))
        options |= {name: value for name, value in given.items() if value is not None}
        return command(*args, options=options, **values)

    for option in (
        click.option(
            "--option",
            "more_options",
            multiple=True,
            metavar="NAME=VALUE",
            help="Databases and addresses: any option of the source, such as table=pupils; may be given often.",
        ),
        click.option("--rows-path", metavar="PATH", help="JSON, XML: where rows are, as a.b or export/row."),
        click.option(
            "--merged",
            type=click.Choice(["first", "fill"]),
            help="Spreadsheets: which of merged cells has their value.  [default: first]",
        ),
        click.option("--sheet", metavar="NAME", help="Spreadsheets: the sheet, by its name or number."),
        click.option(
            "--header-row",
            type=click.IntRange(1),
            help="Which row is the header: as a spreadsheet numbers it; in CSV, blank lines not counted.",
        ),
        click.option(
            "--escape", metavar="CHAR", help="CSV: the character that takes the meaning off the next one."
        ),
        click.option("--quote", metavar="CHAR", help='CSV: the quotation mark, or none.  [default: "]'),
        click.option(
            "--delimiter", metavar="CHAR", help="CSV: what separates cells, a character or its name."
        ),
        click.option("--encoding", help="CSV, JSON, XML: text encoding, such as utf-8 or cp1252."),
    ):
        gathered = option(gathered)
    return gathered  # type: ignore[return-value]


def _named_options(given: tuple[str, ...]) -> dict[str, object]:
    """Options written NAME=VALUE; a dot in the name makes a table: headers.X-Key=env:TOKEN."""
    found: dict[str, object] = {}
    for one in given:
        name, equals, value = one.partition("=")
        name = name.strip()
        if not name or not equals:
            # Not repeated: it may be a secret that was meant for another place.
            raise click.UsageError("--option is written NAME=VALUE, for example --option table=pupils.")
        table, dot, key = name.partition(".")
        inner = found.setdefault(table, {}) if dot else found
        if not isinstance(inner, dict) or (key if dot else name) in inner:
            raise click.UsageError(f"--option {name} is given twice.")
        inner[key if dot else name] = value
    return found


def as_json(value: object) -> None:
    """Print a value as JSON."""
    import json

    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
