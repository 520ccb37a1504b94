"""Rules across columns, over checked columns."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from hub_schemas.checked_column import Checked
from hub_schemas.contract import Contract
from hub_schemas.model import BothOrNeither, Column, NotBefore, NotMoreThan, RequiredWhen, RowRule

__all__ = ["broken_rules"]


def broken_rules(
    contract: Contract, checked: dict[str, Checked]
) -> Iterator[tuple[RowRule, Column, pl.Series]]:
    """Each rule that any row breaks, the column to name for it, and a mask of the rows.

    Presence is judged on what was sent, order and conditions on values that hold by themselves: a cell at
    fault is reported once, under its own rule.
    """
    for rule in contract.rules:
        if isinstance(rule, BothOrNeither):
            for name, mask in _lone(rule, checked):
                if mask.any():
                    yield rule, contract.column(name), mask
            continue
        if isinstance(rule, NotBefore):
            name, mask = rule.later, _less(checked[rule.later], checked[rule.earlier])
        elif isinstance(rule, NotMoreThan):
            name, mask = rule.column, _less(checked[rule.than], checked[rule.column])
        else:
            name, mask = rule.column, _needed(rule, checked)
        if mask.any():
            yield rule, contract.column(name), mask


def _lone(rule: BothOrNeither, checked: dict[str, Checked]) -> Iterator[tuple[str, pl.Series]]:
    """For each column of the rule the rows where it is empty though another has a value."""
    any_present = checked[rule.columns[0]].present
    for name in rule.columns[1:]:
        any_present = any_present | checked[name].present
    for name in rule.columns:
        yield name, any_present & ~checked[name].present


def _less(smaller: Checked, greater: Checked) -> pl.Series:
    return (smaller.holding() < greater.holding()).fill_null(False)


def _needed(rule: RequiredWhen, checked: dict[str, Checked]) -> pl.Series:
    when = checked[rule.when].holding()
    holds = when.is_in(pl.Series(list(rule.values), dtype=when.dtype).implode()).fill_null(False)
    return holds & ~checked[rule.column].present
