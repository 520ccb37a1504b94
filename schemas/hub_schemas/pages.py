"""A page for people about one contract: what it is, what each column holds, what is checked.

`describe` says it as plain values, for pages of any kind; `contract_page` as Markdown.
"""

from __future__ import annotations

from dataclasses import dataclass

from hub_schemas.contract import Contract
from hub_schemas.faults import message, row_message, written
from hub_schemas.identifier_kinds import KINDS
from hub_schemas.measures_text import measure_text
from hub_schemas.model import Column

__all__ = ["ColumnPage", "ContractDescription", "contract_page", "describe"]


@dataclass(frozen=True, slots=True)
class ColumnPage:
    """One column in words. `header` is its name in the source where that differs; "(empty)" for an empty one.

    `identifier` is the title of its kind of identifier, `role` what linking uses it for; both may be empty.
    """

    name: str
    header: str
    type: str
    needed: bool
    classification: str
    description: str
    checks: tuple[str, ...]
    identifier: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class ContractDescription:
    """A contract in words: texts as the contract has them, sentences without a full stop. Nothing is escaped."""

    id: str
    version: str
    status: str
    title: str
    texts: tuple[str, ...]
    limitations: str
    facts: tuple[str, ...]
    columns: tuple[ColumnPage, ...]
    rules: tuple[str, ...]
    checks: tuple[str, ...]


def describe(contract: Contract) -> ContractDescription:
    """A contract in words; the same contract always gives the same."""
    facts = [f"Grain: {contract.granularity}"] if contract.granularity else []
    if contract.primary_key:
        facts.append(f"Key: {', '.join(contract.primary_key)}")
    share = f"{contract.refusal_threshold * 100:.4g}%"
    facts.append(f"A delivery is refused whole when more than {share} of its rows are at fault")
    if contract.unexpected_columns == "fault":
        facts.append("Columns the contract does not know are a fault")
    rules = [row_message(rule) for rule in contract.rules]
    rules += [
        f"{', '.join(names)} together must be different in every row" for names in contract.unique_together
    ]
    return ContractDescription(
        contract.id, contract.version, contract.status, contract.title,
        tuple(text for text in (contract.description, contract.usage) if text), contract.limitations,
        tuple(facts), tuple(_column(column) for column in contract.columns), tuple(rules),
        tuple(measure_text(check) for check in contract.quality),
    )  # fmt: skip


def _column(column: Column) -> ColumnPage:
    header = "(empty)" if column.source_name == "" else column.source_name
    return ColumnPage(
        column.name, header if column.source_name != column.name else "", column.type, column.required,
        column.classification, column.description or column.title, tuple(_checks(column)),
        KINDS[column.identifier].title if column.identifier else "",
        (column.linkage_role or "").replace("_", " "),
    )  # fmt: skip


def contract_page(contract: Contract) -> str:
    """The contract as a Markdown page; the same contract always gives the same page."""
    page = describe(contract)
    parts = [f"# {_plain(page.title)}", f"`{page.id}` version {page.version}, {_plain(page.status)}"]
    parts += [_plain(text) for text in page.texts]
    if page.limitations:
        parts.append(f"**Know before use.** {_plain(page.limitations)}")
    parts += ["\n".join(f"- {_plain(fact)}." for fact in page.facts), "## Columns", _table(page)]
    if page.rules:
        parts += ["## Rules across columns", "\n".join(f"- {_plain(rule)}." for rule in page.rules)]
    if page.checks:
        lines = "\n".join(f"- {_plain(check)}." for check in page.checks)
        parts += ["## Checks of the dataset as a whole", lines]
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Text that Markdown and HTML leave alone: contracts come from outside."""
    for sign in "\\`*_{}[]<>#|":
        text = text.replace(sign, f"\\{sign}" if sign not in "<>" else {"<": "&lt;", ">": "&gt;"}[sign])
    return " ".join(text.split())


def _table(page: ContractDescription) -> str:
    rows = [
        "| column | header | type | needed | class | what it holds | what is checked |",
        "|---|---|---|---|---|---|---|",
    ]
    for column in page.columns:
        cells = [
            f"`{column.name}`",
            column.header if column.header == "(empty)" else _plain(column.header),
            column.type,
            "yes" if column.needed else "no",
            column.classification,
            _plain(column.description),
            "; ".join(_plain(check) for check in column.checks),
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
