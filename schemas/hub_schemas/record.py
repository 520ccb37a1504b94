"""One record at a time: a marshmallow schema made from a contract. This is the reference meaning.

A record maps canonical column names to texts as they were sent (None or empty is missing). JSON numbers and
booleans are read as their texts. Every message of a ValidationError is a `RuleMessage` that knows its rule
code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Protocol

import marshmallow as ma
import re2

from hub_schemas import cells
from hub_schemas.faults import RuleMessage, message, row_message, written
from hub_schemas.model import BothOrNeither, Cell, Column, NotBefore, NotMoreThan, RowRule
from hub_schemas.patterns import compile_pattern

__all__ = ["marshmallow_schema", "record_rules"]


class CellField(ma.fields.Field[Any]):
    """A field for one column: trims, parses and checks as the contract says."""

    def __init__(self, column: Column) -> None:
        default = ma.missing if column.required else None
        super().__init__(
            required=column.required, allow_none=True, load_default=default, metadata=_metadata(column)
        )
        self.column = column
        self.pattern = None if column.pattern is None else re2.compile(compile_pattern(column.pattern).re2)
        self.error_messages["required"] = _fault(column, "required")
        self.error_messages["null"] = _fault(column, "required")

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The typed value of a cell, None when it is missing and may be.

        Raises:
            marshmallow.ValidationError: with every rule the cell breaks.
        """
        text = cells.trim(_text(value), self.column)
        if text is None:
            if self.required:
                raise ma.ValidationError([_fault(self.column, "required")])
            return None
        typed = cells.parse(self.column, text)
        if typed is None:
            raise ma.ValidationError(
                [_fault(self.column, "identifier" if self.column.identifier else "type-error")]
            )
        broken = [_fault(self.column, rule) for rule in _broken(self.column, typed, self.pattern)]
        if broken:
            raise ma.ValidationError(broken)
        return typed

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else written(value)


def _metadata(column: Column) -> dict[str, Any]:
    return {"title": column.title or column.name, "description": column.description}


def _fault(column: Column, rule: str) -> RuleMessage:
    return RuleMessage(rule, message(column, rule))


def _text(value: Any) -> str | None:
    """What was sent, as text; JSON numbers and booleans in their JSON form."""
    if value is None or value is ma.missing:
        return None
    return value if isinstance(value, str) else json.dumps(value)


def _broken(column: Column, value: Cell, pattern: Any) -> list[str]:
    """The rules a typed value breaks, in the order they are reported."""
    rules = []
    if isinstance(value, str):
        if column.min_length is not None and len(value) < column.min_length:
            rules.append("minLength")
        if column.max_length is not None and len(value) > column.max_length:
            rules.append("maxLength")
    if _below(value, column.minimum) or _below(value, column.exclusive_minimum, even=True):
        rules.append("minimum")
    if _below(column.maximum, value) or _below(column.exclusive_maximum, value, even=True):
        rules.append("maximum")
    if pattern is not None and pattern.fullmatch(value) is None:
        rules.append("pattern")
    if column.enum and value not in column.enum:
        rules.append("enum")
    return rules


def _below(value: Any, bound: Any, *, even: bool = False) -> bool:
    """Whether value < bound, or equal with `even`; False when either is absent."""
    if value is None or bound is None:
        return False
    return bool(value <= bound if even else value < bound)


def _row_faults(
    rules: tuple[RowRule, ...], given: Mapping[str, bool], typed: Mapping[str, Cell]
) -> dict[str, Any]:
    """Column -> messages for each cross-column rule the record breaks."""
    found: dict[str, Any] = {}
    for rule in rules:
        if isinstance(rule, BothOrNeither):
            lone = [name for name in rule.columns if not given[name]]
            columns = lone if len(lone) < len(rule.columns) else []
        elif isinstance(rule, NotBefore):
            columns = [rule.later] if _below(typed.get(rule.later), typed.get(rule.earlier)) else []
        elif isinstance(rule, NotMoreThan):
            columns = [rule.column] if _below(typed.get(rule.than), typed.get(rule.column)) else []
        else:
            value = typed.get(rule.when)
            columns = (
                [rule.column] if value is not None and value in rule.values and not given[rule.column] else []
            )
        for name in columns:
            found.setdefault(name, []).append(RuleMessage("row-constraint", row_message(rule)))
    return found


class Described(Protocol):
    """What of a contract one record is checked against."""

    @property
    def id(self) -> str:
        """Its dotted name."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns."""

    @property
    def rules(self) -> tuple[RowRule, ...]:
        """Its rules across columns."""

    @property
    def unexpected_columns(self) -> str:
        """What becomes of names it does not know: ignore or fault."""


def marshmallow_schema(contract: Described) -> type[ma.Schema]:
    """The marshmallow schema of one record of the contract.

    `load` takes a mapping of canonical names to texts and gives typed values (None for missing ones); unknown
    names are left out, or refused where the contract says `unexpectedColumns: fault`. Uniqueness needs all
    rows and is not its business.
    """

    class RecordSchema(ma.Schema):
        class Meta:
            unknown = ma.RAISE if contract.unexpected_columns == "fault" else ma.EXCLUDE

        @ma.validates_schema(pass_original=True, skip_on_field_errors=False)
        def _across(self, data: Any, original: Any, **_: Any) -> None:
            given = {
                column.name: cells.trim(_text(original.get(column.name)), column) is not None
                for column in contract.columns
            }
            faults = _row_faults(contract.rules, given, data)
            if faults:
                raise ma.ValidationError(faults)

    fields = {column.name: CellField(column) for column in contract.columns}
    name = "".join(word.title() for word in re.split("[^A-Za-z0-9]", contract.id))
    return type(f"{name}Schema", (RecordSchema,), fields)


def record_rules(schema: ma.Schema, record: Mapping[str, Any]) -> dict[str, list[str]]:
    """Column -> the codes of the rules that a record breaks there; empty when it is accepted."""
    try:
        schema.load(record)
    except ma.ValidationError as error:
        messages: dict[str, list[str]] = error.normalized_messages()  # type: ignore[no-untyped-call]
        return {name: [getattr(text, "rule", "extra-label") for text in messages[name]] for name in messages}
    return {}
