"""What changed between two versions of a contract, and whom it can hurt.

A change is breaking when rows accepted under the old version could be refused under the new one, or when a reader
of the old columns would miss one, get another type, another meaning of a key, or a stricter class of secrecy.
Anything else is compatible. Semantic versioning follows: breaking needs a new major version, an added column or a
looser rule a minor one, words alone a patch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from hub_schemas.contract import Contract
from hub_schemas.faults import written
from hub_schemas.model import CLASSIFICATIONS, Column

__all__ = ["Change", "compare", "least_version"]

Effect = Literal["breaking", "compatible", "words"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `column` is None for the contract as a whole; `effect` says what it may do."""

    column: str | None
    what: str
    effect: Effect


def compare(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Every difference that matters between two versions of one contract, columns in the order of the new one.

    Raises:
        ValueError: when the two are not versions of one contract.
    """
    if old.id != new.id:
        raise ValueError(f"{old.id} and {new.id} are two contracts, not versions of one")
    return (*_whole(old, new), *_columns(old, new))


def least_version(old: Contract, changes: tuple[Change, ...]) -> str:
    """The lowest version number that semantic versioning allows after these changes (the old one if none)."""
    major, minor, patch = (int(part) for part in old.version.partition("-")[0].split("."))
    effects = {change.effect for change in changes}
    if "breaking" in effects:
        return f"{major + 1}.0.0"
    if "compatible" in effects:
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}" if effects else old.version


def _whole(old: Contract, new: Contract) -> Iterator[Change]:
    if old.primary_key != new.primary_key:
        yield Change(None, f"the key is {_list(new.primary_key)}, was {_list(old.primary_key)}", "breaking")
    for rule in new.rules:
        if rule not in old.rules:
            yield Change(None, f"a rule was added: {rule}", "breaking")
    for rule in old.rules:
        if rule not in new.rules:
            yield Change(None, f"a rule was dropped: {rule}", "compatible")
    for names in new.unique_together:
        if names not in old.unique_together:
            yield Change(None, f"{_list(names)} must now be unique together", "breaking")
    if old.unexpected_columns != new.unexpected_columns:
        effect: Effect = "breaking" if new.unexpected_columns == "fault" else "compatible"
        yield Change(None, f"unexpected columns: {new.unexpected_columns}", effect)
    if old.refusal_threshold != new.refusal_threshold:
        effect = "breaking" if new.refusal_threshold < old.refusal_threshold else "compatible"
        yield Change(None, f"the refusal threshold is {new.refusal_threshold:g}", effect)
    for check in new.quality:
        if check not in old.quality:
            yield Change(
                None, f"a check was added: {check.metric}", "breaking" if check.blocking else "compatible"
            )
    if (old.title, old.description, old.usage) != (new.title, new.description, new.usage):
        yield Change(None, "its title or description", "words")


def _columns(old: Contract, new: Contract) -> Iterator[Change]:
    before = {column.name: column for column in old.columns}
    after = {column.name: column for column in new.columns}
    for name, column in after.items():
        if name in before:
            yield from _column(before[name], column)
        elif column.required:
            yield Change(name, "was added and every row needs it", "breaking")
        else:
            yield Change(name, "was added; it may be empty", "compatible")
    for name in before:
        if name not in after:
            yield Change(name, "was dropped", "breaking")


def _column(old: Column, new: Column) -> Iterator[Change]:
    for field in ("type", "identifier", "timezone", "source_name"):
        if getattr(old, field) != getattr(new, field):
            words = f"{field.replace('_', ' ')} is {getattr(new, field)!r}, was {getattr(old, field)!r}"
            yield Change(old.name, words, "breaking")
    for field, words in (("required", "a value is needed"), ("unique", "values must be unique")):
        if getattr(old, field) != getattr(new, field):
            holds = getattr(new, field)
            yield Change(
                old.name, words if holds else f"no longer: {words}", "breaking" if holds else "compatible"
            )
    if old.classification != new.classification:
        stricter = CLASSIFICATIONS.index(new.classification) > CLASSIFICATIONS.index(old.classification)
        # Readers of a stricter class need a new agreement; a laxer one exposes what was promised to be kept.
        words = (
            f"is {new.classification} ({'stricter' if stricter else 'less strict'} than {old.classification})"
        )
        yield Change(old.name, words, "breaking")
    if old.pattern != new.pattern:
        yield Change(old.name, f"the pattern is {new.pattern}", "breaking" if new.pattern else "compatible")
    yield from _sets(old, new)
    for field in _LOWER + _UPPER:
        yield from _bound(old, new, field)
    if old.linkage_role != new.linkage_role:
        yield Change(old.name, f"its role in linking is {new.linkage_role or 'none'}", "compatible")
    if (old.title, old.description, old.examples) != (new.title, new.description, new.examples):
        yield Change(old.name, "its title, description or examples", "words")


def _sets(old: Column, new: Column) -> Iterator[Change]:
    if old.enum != new.enum:
        lost = [value for value in old.enum if value not in new.enum]
        narrower = bool(new.enum) and (not old.enum or bool(lost))
        words = f"values lost: {_list(lost)}" if lost and new.enum else "the list of values changed"
        yield Change(old.name, words, "breaking" if narrower else "compatible")
    lost_formats = [layout for layout in old.formats if layout not in new.formats]
    if old.formats != new.formats and old.type == new.type:
        words = f"formats lost: {_list(lost_formats)}" if lost_formats else "formats were added or reordered"
        yield Change(old.name, words, "breaking" if lost_formats or not _grown(old, new) else "compatible")
    if old.missing_values != new.missing_values:
        yield Change(old.name, "the spellings of a missing value changed", "breaking")
    if old.references != new.references:
        yield Change(old.name, "what it refers to changed", "breaking" if new.references else "compatible")


def _grown(old: Column, new: Column) -> bool:
    """Whether formats were only added at the end: a cell keeps the first format it fits, so order has meaning."""
    return new.formats[: len(old.formats)] == old.formats


_LOWER: Final = ("min_length", "minimum", "exclusive_minimum")
_UPPER: Final = ("max_length", "maximum", "exclusive_maximum")


def _bound(old: Column, new: Column, field: str) -> Iterator[Change]:
    before: Any = getattr(old, field)
    after: Any = getattr(new, field)
    if before == after or old.type != new.type:
        return
    name = field.replace("_", " ")
    if after is None:
        yield Change(old.name, f"{name} was dropped", "compatible")
        return
    tighter = before is None or (after > before if field in _LOWER else after < before)
    yield Change(old.name, f"{name} is {written(after)}", "breaking" if tighter else "compatible")


def _list(values: Any) -> str:
    return ", ".join(str(value) for value in values) or "nothing"
