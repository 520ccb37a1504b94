"""From entries of the audit log to what a person reads about who used data about them. Pure: nothing is looked up here.

What a line says, and what it leaves out:

- the organisation and the kind of job, never the officer's name; the purpose of the agreement, never the reason that
  was typed (it may be about somebody else; people can ask for it, and an officer then reads it first);
- that the household was looked at, never about whom of it; a search only to those it found. Lines are found by the
  person's own keyed reference, so what was only about a relative is not among them;
- of bulk uses, those whose data held rows about the person: a delivery, a linking, a run, a result of it.

An act with the person's reference that nothing here knows is shown too, in general words: what is new cannot hide.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any, Final, Protocol

from hub.audit.log import Entry

__all__ = ["BULK", "JOBS", "Facts", "Line", "Run", "Use", "gather", "hold_back", "uses"]

#: Acts about many people at once; the log names the versions that were used, not the people.
BULK: Final = ("delivery.accepted", "people.linked", "data.read", "result.released")
#: What somebody's role is called to a person who does not work here.
JOBS: Final[Mapping[str, str]] = {
    "service user": "a worker who helps people", "investigating officer": "an investigator",
    "analyst": "a worker who studies figures", "output checker": "a worker who checks results",
    "data steward": "a worker who looks after data", "rights officer": "a worker who answers questions about data",
    "operator": "a worker who keeps the hub running", "auditor": "a worker who checks the hub",
    "connector": "a computer that sends data",
}  # fmt: skip
#: The role in which somebody does an act, where they may have several.
_ROLE_FOR: Final[Mapping[str, tuple[str, ...]]] = {
    "household.read": ("service user", "investigating officer"),
    "people.searched": ("service user", "investigating officer"),
    "person.reidentified": ("service user",),
    "rights.": ("rights officer", "data steward"),
    "result.": ("output checker",),
}
_SAID: Final[Mapping[str, str]] = {
    "household.read": "Your household was looked at",
    "people.searched": "A search found you",
    "person.reidentified": "Somebody found out who you are from a list without names",
    "rights.person-found": "A search for somebody who asked about their data found you",
    "rights.code-made": "A code for your own page was made",
    "rights.page-opened": "Your own page was opened with your code",
    "rights.code-refused": "Somebody typed your code with a wrong date of birth",
    "rights.request-opened": "What you asked for was written down",
    "rights.rows-read": "Rows about you were read, to answer what you asked",
    "rights.restriction-began": "Your data was set aside: it is not used",
    "rights.restriction-lifted": "Your data is used again",
    "rights.copy-made": "A copy of your data was made for you",
    "rights.copy-checked": "The copy of your data was checked before you get it",
    "rights.copy-given": "You were given the copy of your data",
    "rights.copy-fetched": "The copy of your data was fetched with your code",
    "rights.correction-read": "What you say is wrong was read by those who hold it",
    "delivery.accepted": "A service brought its data up to date, and rows about you are in it",
    "people.linked": "Records about you were put together with others about you",
    "data.read": "A computer program used rows about you",
    "result.released": "A result that rows about you are part of was given out",
}
_ANYTHING: Final = "Data about you was used"
_WORKED_ON: Final = "What you asked for was worked on"
_HOUSEHOLD_BEHIND: Final = "Somebody found out which household is yours from a list without names"
_OWN: Final = "rights."


class _Actor(Protocol):
    @property
    def slug(self) -> str: ...
    @property
    def organisation(self) -> str: ...
    @property
    def roles(self) -> frozenset[str]: ...


class _Delay(Protocol):
    @property
    def until(self) -> datetime: ...
    def holds(self, now: datetime) -> bool: ...
    def covers(self, organisation: str, subjects: Collection[str], at: datetime) -> bool: ...


@dataclass(frozen=True)
class Run:
    """A run that read rows about the person: the plugin's title, for which organisation, under which agreement."""

    title: str
    organisation: str
    agreement: str


@dataclass(frozen=True)
class Facts:
    """What must be known to read entries for one person.

    references: the person's keyed references; actors: who acted, by reference; agreements: id -> (title, purpose);
    deliveries: those whose version holds rows about them -> (title of the dataset, who sent it); linkings: index
    versions they are in; runs: those whose inputs held rows about them; results: result -> its run.
    """

    references: frozenset[str]
    actors: Mapping[str, _Actor] = field(default_factory=dict)
    agreements: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    deliveries: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    linkings: Collection[str] = ()
    runs: Mapping[str, Run] = field(default_factory=dict)
    results: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Use:
    """One use. `slug` and `mine` (the person's references in the entry) decide about delays and are not shown."""

    at: datetime
    act: str
    said: str
    organisation: str
    job: str
    purpose: str = ""
    agreement: str = ""
    what: str = ""
    held_back: bool = False
    slug: str = ""
    mine: frozenset[str] = frozenset()

    @property
    def bulk(self) -> bool:
        """Whether many people's data was used at once."""
        return self.act in BULK

    @property
    def gathered(self) -> bool:
        """Whether it may stand in one line with others that read the same: bulk uses, and work on what was asked."""
        return self.bulk or self.said == _WORKED_ON


@dataclass(frozen=True)
class Line:
    """Uses that read the same, in one month: how often, the first and the last."""

    use: Use
    times: int
    first: datetime
    last: datetime


def uses(entries: Iterable[Entry], facts: Facts) -> list[Use]:
    """What the entries say to the person, newest first; those that are not about them are left out."""
    found = []
    for entry in entries:
        read = _READERS.get(entry.action)
        use = read(entry, facts) if read else _direct(entry, facts)
        if use is not None:
            found.append(use)
    return sorted(found, key=lambda use: use.at, reverse=True)


def _use(entry: Entry, facts: Facts, **more: Any) -> Use:
    actor = facts.actors.get(entry.actor)
    agreement = str(entry.content.get("agreement") or "")
    title, purpose = facts.agreements.get(agreement, ("", ""))
    why = str(entry.content.get("purpose") or purpose)
    own = entry.action.startswith(_OWN)
    if own:
        why = "To answer what somebody asked about their own data"
    organisation = actor.organisation if actor else _NOBODY if _is_person(entry) else "The hub itself"
    use = Use(
        entry.at, entry.action, _SAID.get(entry.action, _WORKED_ON if own else _ANYTHING), organisation,
        _job(entry, actor), why,
        title or agreement, slug=actor.slug if actor else "",
    )  # fmt: skip
    return replace(use, **more)


def _is_person(entry: Entry) -> bool:
    return entry.actor.startswith(("person:", "client:"))


def _job(entry: Entry, actor: _Actor | None) -> str:
    if actor is None:
        return _SYSTEMS.get(
            entry.actor, "somebody who is not there any more" if _is_person(entry) else "a computer"
        )
    likely = next((roles for start, roles in _ROLE_FOR.items() if entry.action.startswith(start)), ())
    roles = [role for role in likely if role in actor.roles] or sorted(actor.roles)
    return JOBS.get(roles[0], roles[0]) if roles else "somebody who works there"


_SYSTEMS: Final[Mapping[str, str]] = {
    "system:citizen": "you, or somebody with your code", "system:command-line": JOBS["operator"],
}  # fmt: skip
_NOBODY: Final = "An organisation that is not there any more"


def _direct(entry: Entry, facts: Facts) -> Use | None:
    """An entry that names the person by their reference. The references of others in it are nobody's business."""
    mine = facts.references & set(entry.content.get("subjects") or ())
    return _use(entry, facts, mine=mine) if mine else None


def _reidentified(entry: Entry, facts: Facts) -> Use | None:
    use = _direct(entry, facts)
    if use is not None and (entry.content.get("detail") or {}).get("kind") == "household":
        return replace(use, said=_HOUSEHOLD_BEHIND)
    return use


def _delivered(entry: Entry, facts: Facts) -> Use | None:
    known = facts.deliveries.get(str(entry.content.get("target")))
    if known is None:
        return None
    title, sender = known
    return _use(entry, facts, organisation=sender, job=JOBS["connector"], what=title, purpose="")


def _linked(entry: Entry, facts: Facts) -> Use | None:
    if entry.content.get("target") not in facts.linkings:
        return None
    return _use(
        entry, facts, organisation="The hub itself", job="a computer",
        purpose="Know which records are about the same person",
    )  # fmt: skip


def _ran(entry: Entry, facts: Facts) -> Use | None:
    return _of_run(entry, facts, str(entry.content.get("target")))


def _released(entry: Entry, facts: Facts) -> Use | None:
    return _of_run(entry, facts, facts.results.get(str(entry.content.get("target")), ""))


def _of_run(entry: Entry, facts: Facts, run_id: str) -> Use | None:
    run = facts.runs.get(run_id)
    if run is None:
        return None
    title, purpose = facts.agreements.get(run.agreement, (run.agreement, ""))
    use = _use(entry, facts, agreement=title, purpose=purpose, what=run.title)
    return (
        replace(use, organisation=run.organisation, job="a computer") if entry.action == "data.read" else use
    )


_READERS: Final[Mapping[str, Callable[[Entry, Facts], Use | None]]] = {
    "person.reidentified": _reidentified, "delivery.accepted": _delivered, "people.linked": _linked,
    "data.read": _ran, "result.released": _released,
}  # fmt: skip


def hold_back(found: Sequence[Use], delays: Sequence[_Delay], now: datetime) -> list[Use]:
    """Leave out what a delay in force covers; what an earlier one covered says so. Bulk uses are never delayed."""
    shown = []
    for use in found:
        covering = (
            [delay for delay in delays if delay.covers(use.slug, use.mine, use.at)]
            if use.mine and not use.act.startswith(_OWN)
            else []
        )
        if not any(delay.holds(now) for delay in covering):
            shown.append(replace(use, held_back=bool(covering)))
    return shown


def gather(found: Sequence[Use], zone: tzinfo) -> list[Line]:
    """Lines for a page, newest first: bulk uses that read the same in one month become one line.

    So does the work on what the person asked for.
    """
    lines: dict[Any, Line] = {}
    for place, use in enumerate(found):
        local = use.at.astimezone(zone)
        same = (use.said, use.organisation, use.job, use.agreement, use.what, local.year, local.month)
        key: Any = same if use.gathered else place
        line = lines.get(key)
        lines[key] = (
            Line(use, 1, use.at, use.at)
            if line is None
            else replace(
                line, times=line.times + 1, first=min(line.first, use.at), last=max(line.last, use.at)
            )
        )
    return sorted(lines.values(), key=lambda line: line.last, reverse=True)
