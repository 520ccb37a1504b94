"""A page for people about one contract: what it is, what each column holds, what is checked. Markdown."""

from __future__ import annotations

from hub_schemas.contract import Contract
from hub_schemas.faults import message, row_message, written
from hub_schemas.identifier_kinds import KINDS
from hub_schemas.measures_text import measure_text
from hub_schemas.model import Column

__all__ = ["contract_page"]


def contract_page(contract: Contract) -> str:
    """The contract as a Markdown page; the same contract always gives the same page."""
    parts = [
        f"# {_plain(contract.title)}",
        f"`{contract.id}` version {contract.version}, {_plain(contract.status)}",
    ]
    parts += [_plain(text) for text in (contract.description, contract.usage) if text]
    if contract.limitations:
        parts.append(f"**Know before use.** {_plain(contract.limitations)}")
    facts = [f"- Grain: {_plain(contract.granularity)}."] if contract.granularity else []
    if contract.primary_key:
        facts.append(f"- Key: {_names(contract.primary_key)}.")
    facts.append(
        f"- A delivery is refused whole when more than {contract.refusal_threshold:.4g} of its rows are at fault."
    )
    if contract.unexpected_columns == "fault":
        facts.append("- Columns the contract does not know are a fault.")
    parts += ["\n".join(facts), "## Columns", _table(contract)]
    rules = [row_message(rule) for rule in contract.rules]
    rules += [
        f"{_names(names)} together must be different in every row" for names in contract.unique_together
    ]
    if rules:
        parts += ["## Rules across columns", "\n".join(f"- {_plain(rule)}." for rule in rules)]
    if contract.quality:
        checks = [_plain(measure_text(check)) for check in contract.quality]
        parts += ["## Checks of the dataset as a whole", "\n".join(f"- {check}." for check in checks)]
    return "\n\n".join(parts) + "\n"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _plain(text: str) -> str:
    """Text that Markdown and HTML leave alone: contracts come from outside."""
    for sign in "\\`*_{}[]<>#|":
        text = text.replace(sign, f"\\{sign}" if sign not in "<>" else {"<": "&lt;", ">": "&gt;"}[sign])
    return " ".join(text.split())


def _table(contract: Contract) -> str:
    rows = [
        "| column | header | type | needed | class | what it holds | what is checked |",
        "|---|---|---|---|---|---|---|",
    ]
    for column in contract.columns:
        header = "(empty)" if column.source_name == "" else _plain(column.source_name)
        cells = [
            f"`{column.name}`",
            header if column.source_name != column.name else "",
            column.type,
            "yes" if column.required else "no",
            column.classification,
            _plain(column.description),
            "; ".join(_plain(check) for check in _checks(column)),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _checks(column: Column) -> list[str]:
    """Words for each check of a cell, without the name of the column they begin with."""
    found = (
        [f"{KINDS[column.identifier].title}: {KINDS[column.identifier].hint}"] if column.identifier else []
    )
    if column.formats:
        found.append(_words(column, "type-error"))
    if column.unique:
        found.append("different in every row")
    given = {
        "minLength": column.min_length,
        "maxLength": column.max_length,
        "minimum": column.minimum if column.minimum is not None else column.exclusive_minimum,
        "maximum": column.maximum if column.maximum is not None else column.exclusive_maximum,
        "pattern": column.pattern,
        "foreign-key": column.references,
    }
    found += [
        _words(column, rule) for rule, value in given.items() if value is not None and rule != "foreign-key"
    ]
    if column.enum:
        found.append(f"one of: {', '.join(written(value) for value in column.enum)}")
    if column.references:
        found.append(f"found in {column.references.dataset}.{column.references.column}")
    return found


def _words(column: Column, rule: str) -> str:
    return message(column, rule).removeprefix(f"{column.name} ")
