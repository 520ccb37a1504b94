"""Rulesets: eligibility rules as versioned data, read from TOML and checked whole before anything runs."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal

from joinedup_families.answers import NO_DATA, NOT_MET

FORMAT = 1
WORDING = ("checked", "unverified")


class RulesetError(ValueError):
    """A ruleset that cannot be used; the message lists every problem with its place."""


@dataclass(frozen=True)
class Indicator:
    """One way in which a criterion can be met. The three kinds below say how the rows of `source` are read.

    `where` maps a column to the values that count; a row counts when every column has one of them, and is
    *unclear* when a deciding column is empty and no other rules the row out. `subject` is who the row must
    be about: a `person` of the household, or the `household` (also rows that are linked to its address
    alone). `no_rows` is the answer where a covered source holds nothing about the household, `no_subject`
    where nobody known in it is someone the rule is about.
    """

    id: str
    title: str
    source: str
    at_least: float
    where: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    subject: Literal["person", "household"] = "person"
    age_under: int | None = None
    age_at_least: int | None = None
    no_rows: str = NOT_MET
    no_subject: str = NOT_MET

    def columns(self) -> set[str]:
        """The columns of the source that this indicator reads."""
        return set(self.where)


@dataclass(frozen=True)
class Events(Indicator):
    """Things that happened, looked at over a window of months that ends on the as-at date."""

    date: str = ""
    look_back_months: int = 12
    age_at: Literal["event", "as_at"] = "event"

    def columns(self) -> set[str]:  # noqa: D102
        return super().columns() | {self.date}


@dataclass(frozen=True)
class Register(Indicator):
    """Things that are so: rows with a start and perhaps an end, counted while they run on the as-at date."""

    start: str = ""
    end: str = ""
    stale_after_months: int = 3
    age_at: Literal["as_at"] = "as_at"

    def columns(self) -> set[str]:  # noqa: D102
        return super().columns() | {self.start, self.end}


@dataclass(frozen=True)
class Terms(Indicator):
    """Rows a pupil a school term, looked at over the last `terms` terms that the source holds.

    `measure`: `sum` of `column_names` reaches `at_least`; their `share` of column `of` does; `any` row or
    the row of the `latest` term satisfies `where`. `supported_by` names columns of which at least one must
    be above zero (or true) in these terms for a hit to count; without one the hit is unclear, for the reason
    given.
    """

    measure: Literal["sum", "share", "any", "latest"] = "any"
    terms: int = 3
    term_start: str = "term_start"
    column_names: tuple[str, ...] = ()
    of: str = ""
    compulsory_age_only: bool = False
    supported_by: tuple[str, ...] = ()
    supported_by_reason: str = ""

    def columns(self) -> set[str]:  # noqa: D102
        named = {self.term_start, *self.column_names, *self.supported_by}
        return super().columns() | named | ({self.of} if self.of else set())


KINDS: dict[str, type[Indicator]] = {"events": Events, "register": Register, "terms": Terms}
# Written differently in the file, where the shorter word reads better.
RENAMED = {"columns": "column_names"}


@dataclass(frozen=True)
class Criterion:
    """One need: met when any of its indicators is. `id` is the name of its column in the results."""

    id: str
    title: str
    rule: str
    indicators: tuple[Indicator, ...]


@dataclass(frozen=True)
class Ruleset:
    """A programme's eligibility rules: how many of the criteria a household must meet, and what each is."""

    id: str
    version: str
    title: str
    source: str
    wording_status: str
    wording_note: str
    needs_required: int
    population: str
    child_under: int
    criteria: tuple[Criterion, ...]
    context: tuple[Indicator, ...] = ()
    choices: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Name and version, as written beside every answer."""
        return f"{self.id} version {self.version}"

    def columns(self) -> dict[str, set[str]]:
        """The columns that the rules read, by dataset."""
        found: dict[str, set[str]] = {}
        for indicator in (
            *self.context,
            *(one for criterion in self.criteria for one in criterion.indicators),
        ):
            found.setdefault(indicator.source, set()).update(indicator.columns())
        return found


def ruleset_ids() -> list[str]:
    """The rulesets that come with the plugin."""
    folder = resources.files("joinedup_families") / "rulesets"
    return sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )


def load_ruleset(
    ruleset_id: str, choices: Mapping[str, str] | None = None, look_back_months: int | None = None
) -> Ruleset:
    """One of the rulesets that come with the plugin, with a council's choices applied.

    `choices` picks a variant of an indicator by parameter (`{"absence_counts": "all"}`); a value for which
    an indicator has no variant leaves it as published. Raises RulesetError for a name that is not among
    `ruleset_ids()`.
    """
    if ruleset_id not in ruleset_ids():
        raise RulesetError(f"There is no ruleset {ruleset_id!r}. Choose one of: {', '.join(ruleset_ids())}.")
    text = (resources.files("joinedup_families") / "rulesets" / f"{ruleset_id}.toml").read_text("utf-8")
    return parse_ruleset(text, choices, look_back_months)


def parse_ruleset(
    text: str, choices: Mapping[str, str] | None = None, look_back_months: int | None = None
) -> Ruleset:
    """Read and check a ruleset. Raises RulesetError with every problem found, each with its place."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RulesetError(f"The ruleset is not TOML: {error}") from None
    reader = _Reader(dict(choices or {}), look_back_months)
    ruleset = reader.ruleset(document)
    if reader.problems or ruleset is None:
        raise RulesetError("The ruleset cannot be used:\n  " + "\n  ".join(reader.problems))
    return ruleset


class _Reader:
    """Turns the parsed document into the dataclasses above and collects what is wrong with it."""

    def __init__(self, choices: dict[str, str], look_back_months: int | None) -> None:
        self.choices = choices
        self.look_back_months = look_back_months
        self.problems: list[str] = []
        self.applied: list[str] = []

    def ruleset(self, document: dict[str, Any]) -> Ruleset | None:
        if document.get("format") != FORMAT:
            self.problems.append(f"format: must be {FORMAT}, found {document.get('format')!r}")
        for name in ("id", "version", "title", "source", "wording_status"):
            if not isinstance(document.get(name), str):
                self.problems.append(f"{name}: must be given as text")
        if document.get("wording_status") not in WORDING:
            self.problems.append(f"wording_status: must be one of {', '.join(WORDING)}")
        criteria = tuple(
            one
            for number, entry in enumerate(document.get("criteria", []))
            if (one := self.criterion(f"criteria[{number}]", entry)) is not None
        )
        context = self.indicators("context", document.get("context", []))
        ids = [criterion.id for criterion in criteria]
        if len(set(ids)) < len(ids):
            self.problems.append("criteria: two have the same id")
        required = document.get("needs_required")
        if not isinstance(required, int) or not 1 <= required <= len(document.get("criteria", [])):
            self.problems.append("needs_required: must be a number from 1 to the number of criteria")
        population = document.get("population", {})
        if not isinstance(population.get("child_under"), int):
            self.problems.append("population.child_under: must be an age in years")
        if self.problems:
            return None
        return Ruleset(
            id=document["id"],
            version=document["version"],
            title=document["title"],
            source=document["source"],
            wording_status=document["wording_status"],
            wording_note=document.get("wording_note", ""),
            needs_required=document["needs_required"],
            population=population.get("title", ""),
            child_under=population["child_under"],
            criteria=criteria,
            context=context,
            choices=tuple(dict.fromkeys(self.applied)),
        )

    def criterion(self, place: str, entry: dict[str, Any]) -> Criterion | None:
        missing = [name for name in ("id", "title", "rule", "indicators") if not entry.get(name)]
        if missing:
            self.problems.append(f"{place}: lacks {', '.join(missing)}")
            return None
        if not entry["id"].isidentifier():
            self.problems.append(f"{place}.id: {entry['id']!r} cannot name a column")
        indicators = self.indicators(f"{place}.indicators", entry["indicators"])
        return Criterion(entry["id"], entry["title"], entry["rule"], indicators)

    def indicators(self, place: str, entries: list[dict[str, Any]]) -> tuple[Indicator, ...]:
        read = (self.indicator(f"{place}[{number}]", entry) for number, entry in enumerate(entries))
        return tuple(one for one in read if one is not None)

    def indicator(self, place: str, entry: dict[str, Any]) -> Indicator | None:
        entry = self.chosen(entry)
        kind = KINDS.get(entry.pop("test", ""))
        if kind is None:
            self.problems.append(f"{place}.test: must be one of {', '.join(KINDS)}")
            return None
        support = entry.pop("supported_by", None)
        if support is not None:
            entry |= {"supported_by": support["columns"], "supported_by_reason": support["reason"]}
        values = {RENAMED.get(name, name): _frozen(value) for name, value in entry.items()}
        fields = {one.name: one for one in dataclasses.fields(kind)}
        problems = [
            f"{place}.{name}: is not a field of a {kind.__name__.lower()} test"
            for name in values.keys() - fields
        ]
        problems += [
            f"{place}.{name}: is missing"
            for name in ("id", "title", "source", "at_least", *NEEDED[kind])
            if not values.get(name)
        ]
        problems += [
            f"{place}.{name}: must be {NOT_MET!r} or {NO_DATA!r}"
            for name in ("no_rows", "no_subject")
            if values.get(name, NOT_MET) not in (NOT_MET, NO_DATA)
        ]
        self.problems += problems
        return None if problems else kind(**values)

    def chosen(self, entry: dict[str, Any]) -> dict[str, Any]:
        """The indicator as written, with this run's choices in place of what they replace."""
        entry = dict(entry)
        for parameter, variants in entry.pop("variants", {}).items():
            value = self.choices.get(parameter)
            if value in variants:
                entry |= variants[value]
                self.applied.append(f"{parameter.replace('_', ' ')}: {value}")
        published = entry.get("look_back_months")
        if published and self.look_back_months and self.look_back_months != published:
            entry["look_back_months"] = self.look_back_months
            self.applied.append(f"look-back of {self.look_back_months} months instead of {published}")
        return entry


NEEDED: dict[type[Indicator], tuple[str, ...]] = {
    Events: ("date", "look_back_months", "where"),
    Register: ("start", "end", "where"),
    Terms: ("terms", "measure"),
}


def _frozen(value: Any) -> Any:
    """Lists as tuples, also inside `where`, so that indicators can be shared safely."""
    if isinstance(value, dict):
        return {name: _frozen(item) for name, item in value.items()}
    return tuple(value) if isinstance(value, list) else value
