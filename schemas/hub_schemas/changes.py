"""What changed between two versions of a contract, and whom it can hurt.

A change is breaking when rows accepted under the old version could be refused under the new one, or when a reader
of the old columns would miss one, get another type, another meaning of a key, or a stricter class of secrecy.
Anything else is compatible. Semantic versioning follows: breaking needs a new major version, an added column or a
looser rule a minor one, words alone a patch.

Some changes can hurt those who send only (a tighter rule, another header), others those who read as well (a column
dropped, its type, its meaning): `Change.readers` tells them apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from hub_schemas.contract import Contract
from hub_schemas.faults import row_message, written
from hub_schemas.measures_text import measure_text
from hub_schemas.model import CLASSIFICATIONS, Column

__all__ = [
    "Change",
    "Effect",
    "compare",
    "effect_of",
    "least_version",
    "next_version",
    "precedence",
    "version_problem",
]

Effect = Literal["breaking", "compatible", "words"]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `column` is None for the contract as a whole; `effect` says what it may do.

    `readers` says that whoever reads the data may be hurt or misled, not only whoever sends it.
    """

    column: str | None
    what: str
    effect: Effect
    readers: bool = False


def compare(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Every difference that matters between two versions of one contract, columns in the order of the new one.

    Raises:
        ValueError: when the two are not versions of one contract.
    """
    if old.id != new.id:
        raise ValueError(f"{old.id} and {new.id} are two contracts, not versions of one")
    return (*_whole(old, new), *_columns(old, new))


def effect_of(changes: tuple[Change, ...]) -> Effect:
    """The gravest effect among some changes; words when there is none."""
    effects = {change.effect for change in changes}
    return "breaking" if "breaking" in effects else "compatible" if "compatible" in effects else "words"


def least_version(old: Contract, changes: tuple[Change, ...]) -> str:
    """The lowest version number that semantic versioning allows after these changes (the old one if none)."""
    major, minor, patch = (int(part) for part in old.version.partition("-")[0].split("."))
    effects = {change.effect for change in changes}
    if "breaking" in effects:
        return f"{major + 1}.0.0"
    if "compatible" in effects:
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}" if effects else old.version


def next_version(old: Contract, changes: tuple[Change, ...]) -> str:
    """The number that a new text should take after these changes; a higher one than the old in any case."""
    if changes:
        return least_version(old, changes)
    major, minor, patch = old.version.partition("-")[0].split(".")
    return f"{major}.{minor}.{int(patch) + 1}"


def version_problem(old: Contract, new: Contract, changes: tuple[Change, ...]) -> str:
    """What is wrong with the new version number, and which one to take; empty when it fits the changes.

    It must rise; after a breaking change its first part must.
    """
    take = next_version(old, changes)
    if precedence(new.version) <= precedence(old.version):
        state = (
            "is the number of another text" if new.version == old.version else f"is not above {old.version}"
        )
        return f"{new.version} {state}: a published version is never changed. Take {take}."
    major = int(new.version.split(".")[0])
    if effect_of(changes) == "breaking" and major <= int(old.version.split(".")[0]):
        return f"The change is breaking, so the first part of the number must rise from {old.version}. Take {take}."
    return ""


def precedence(version: str) -> tuple[object, ...]:
    """Where a version stands among others, as in semantic versioning 2.0.0 section 11: compare with < and >."""
    core, _, label = version.partition("-")
    numbers = tuple(int(part) for part in core.split("."))
    if not label:
        return (*numbers, (1,))
    parts = tuple(
        (0, int(part), "") if re.fullmatch("[0-9]+", part) else (1, 0, part) for part in label.split(".")
    )
    return (*numbers, (0, *parts))


def _whole(old: Contract, new: Contract) -> Iterator[Change]:
    if old.primary_key != new.primary_key:
        yield Change(
            None, f"the key is {_list(new.primary_key)}, was {_list(old.primary_key)}", "breaking", True
        )
    yield from _lists(old, new)
    if old.unexpected_columns != new.unexpected_columns:
        effect: Effect = "breaking" if new.unexpected_columns == "fault" else "compatible"
        yield Change(None, f"unexpected columns: {new.unexpected_columns}", effect)
    if old.refusal_threshold != new.refusal_threshold:
        effect = "breaking" if new.refusal_threshold < old.refusal_threshold else "compatible"
        yield Change(None, f"the refusal threshold is {new.refusal_threshold:g}", effect)
    if old.coverage_column != new.coverage_column:
        words = f"the column that says what is covered is {new.coverage_column or 'none'}"
        yield Change(None, words, "compatible")
    if old.confidential_patient_information != new.confidential_patient_information:
        marked = new.confidential_patient_information
        words = f"its rows are {'' if marked else 'no longer '}confidential patient information"
        # Without the mark the national data opt-out is no longer applied: somebody else has to agree to that.
        yield Change(None, words, "compatible" if marked else "breaking", True)
    if any(getattr(old, name) != getattr(new, name) for name in _WORDS):
        yield Change(None, "its title, description or status", "words")


def _lists(old: Contract, new: Contract) -> Iterator[Change]:
    """Rules across columns, columns unique together, and checks of the whole: added and dropped."""
    for rule in _more(new.rules, old.rules):
        yield Change(None, f"a rule was added: {row_message(rule)}", "breaking")
    for rule in _more(old.rules, new.rules):
        yield Change(None, f"a rule was dropped: {row_message(rule)}", "compatible")
    for names in _more(new.unique_together, old.unique_together):
        yield Change(None, f"{_list(names)} must now be unique together", "breaking")
    for names in _more(old.unique_together, new.unique_together):
        yield Change(None, f"{_list(names)} need no longer be unique together", "compatible")
    for check in _more(new.quality, old.quality):
        effect: Effect = "breaking" if check.blocking else "compatible"
        yield Change(None, f"a check was added: {measure_text(check)}", effect)
    for check in _more(old.quality, new.quality):
        yield Change(None, f"a check was dropped: {measure_text(check)}", "compatible")


def _more(these: tuple[_T, ...], those: tuple[_T, ...]) -> list[_T]:
    return [item for item in these if item not in those]


_WORDS: Final = ("title", "description", "usage", "limitations", "granularity", "status")


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
            yield Change(name, "was dropped", "breaking", True)


def _column(old: Column, new: Column) -> Iterator[Change]:
    for field in ("type", "identifier", "timezone", "source_name"):
        if getattr(old, field) != getattr(new, field):
            words = f"{field.replace('_', ' ')} is {getattr(new, field)!r}, was {getattr(old, field)!r}"
            yield Change(old.name, words, "breaking", field != "source_name")
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
        yield Change(old.name, words, "breaking", True)
    if old.pattern != new.pattern:
        yield Change(old.name, f"the pattern is {new.pattern}", "breaking" if new.pattern else "compatible")
    yield from _sets(old, new)
    for field in _LOWER + _UPPER:
        yield from _bound(old, new, field)
    if old.linkage_role != new.linkage_role:
        yield Change(old.name, f"its role in linking is {new.linkage_role or 'none'}", "compatible", True)
    if old.about_others != new.about_others:
        words = f"is {'' if new.about_others else 'not '}about others than the row's person"
        yield Change(old.name, words, "compatible", True)
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
