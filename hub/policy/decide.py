"""The decision: may this principal do this operation on these columns, under which agreement, and why (not).

Default deny. Nothing here reads a clock, a database or a setting: the same question always has the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from hub.errors import Forbidden
from hub.policy.generalise import Generalisation, of_columns
from hub.policy.powers import power_problem
from hub.policy.record import HUB_PUBLISHER, Agreement
from hub.policy.states import AgreementState

__all__ = [
    "Asked", "Check", "Decision", "Explained", "Grant", "checks", "decide", "decide_for_any", "explain",
    "require_grant", "whole_file",
]  # fmt: skip

_EVERYTHING = frozenset({"*"})


@dataclass(frozen=True)
class Asked:
    """The question. `columns` empty means: whatever the agreement gives of the dataset.

    `publisher` is the slug of the organisation whose dataset it is. A question that names nobody is refused: use
    `decide_for_any` where no particular dataset is in question yet. `power`, `objective` and `purpose` empty means:
    whatever the agreement rests on and serves.
    """

    operation: str
    contract: str
    organisation: str
    on: date
    columns: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    plugin: str = ""
    agreement: str = ""
    purpose: str = ""
    publisher: str = ""
    power: str = ""
    objective: str = ""


@dataclass(frozen=True)
class Grant:
    """What the vault may unwrap: these columns of this contract's files, for this agreement.

    `dataset` is the id of the one dataset whose versions it is about; empty for the hub's own duties and its own data.
    `coarse` are the columns that the vault gives less exactly than they are stored; ages are those on the day `on`.
    """

    contract: str
    columns: frozenset[str]
    agreement: str
    reason: str
    coarse: tuple[Generalisation, ...] = ()
    on: date | None = None
    dataset: str = ""

    def permits(self, column: str) -> bool:
        """Whether a column's key may be unwrapped."""
        return self.columns == _EVERYTHING or column in self.columns

    def exact(self, column: str) -> bool:
        """Whether a column may be unwrapped and is given as it was sent."""
        return self.permits(column) and all(item.column != column for item in self.coarse)


@dataclass(frozen=True)
class Decision:
    """The answer: a grant, or the reason there is none."""

    grant: Grant | None
    reason: str

    @property
    def allowed(self) -> bool:
        """Whether there is a grant."""
        return self.grant is not None


@dataclass(frozen=True)
class Check:
    """One thing that must hold: what is said when it does, and the reason for refusing when it does not."""

    holds: bool
    label: str
    refusal: str

    @property
    def words(self) -> str:
        """What to say about it."""
        return self.label if self.holds else self.refusal


@dataclass(frozen=True)
class Explained:
    """One agreement's answer to a question, check by check, for one publisher."""

    agreement: str
    publisher: str
    checks: tuple[Check, ...]

    @property
    def allowed(self) -> bool:
        """Whether everything holds."""
        return all(item.holds for item in self.checks)


def decide(asked: Asked, agreements: Iterable[Agreement]) -> Decision:
    """The first agreement that allows all that was asked; otherwise the reason that came closest."""
    refusals = []
    for agreement in agreements:
        reason = _refusal(asked, agreement)
        if reason is None:
            columns = agreement.columns_from(asked.contract, asked.publisher)
            granted = columns & asked.columns if asked.columns else columns
            text = f"allowed by agreement {agreement.id}: {asked.operation} on {asked.contract} of {asked.publisher}"
            coarse = of_columns(agreement.generalised(asked.contract), granted)
            return Decision(Grant(asked.contract, granted, agreement.id, text, coarse, asked.on), text)
        refusals.append(reason)
    return _closest(asked, refusals)


def _closest(asked: Asked, refusals: list[tuple[int, str]]) -> Decision:
    if not refusals:
        return Decision(None, f"no agreement covers {asked.contract}")
    _, text = max(refusals)
    return Decision(None, text)


def decide_for_any(asked: Asked, agreements: Iterable[Agreement]) -> Decision:
    """Whether what was asked is allowed for the data of anybody whom an agreement names as publisher.

    For questions before a particular dataset is read, for example whether a plugin may run at all. What is read is
    decided again, dataset by dataset. A publisher that the question names is the only one looked at.
    """
    refusals = []
    for agreement in agreements:
        publishers = (asked.publisher,) if asked.publisher else agreement.publishers_of(asked.contract)
        for publisher in publishers or ("",):
            this = replace(asked, publisher=publisher)
            if (reason := _refusal(this, agreement)) is None:
                return decide(this, [agreement])
            refusals.append(reason)
    return _closest(asked, refusals)


def explain(asked: Asked, agreements: Iterable[Agreement]) -> list[Explained]:
    """Every check of every agreement that is about the data in question, the nearest to allowing it first."""
    found = []
    for agreement in agreements:
        if asked.agreement not in ("", agreement.id) or not agreement.columns_of(asked.contract):
            continue
        publishers = (asked.publisher,) if asked.publisher else agreement.publishers_of(asked.contract)
        for publisher in publishers or ("",):
            this = replace(asked, publisher=publisher)
            found.append(Explained(agreement.id, publisher, checks(this, agreement)))
    return sorted(found, key=lambda item: (-sum(check.holds for check in item.checks), item.agreement))


def require_grant(asked: Asked, agreements: Iterable[Agreement]) -> Grant:
    """The grant.

    Raises:
        Forbidden: with the reason in words.
    """
    decision = decide(asked, agreements)
    if decision.grant is None:
        raise Forbidden(f"Refused: {decision.reason}.")
    return decision.grant


def whole_file(contract: str, reason: str) -> Grant:
    """A grant for the hub's own duties on a file (checking a delivery, reading its own index); never for people."""
    return Grant(contract, _EVERYTHING, "", reason)


def checks(asked: Asked, agreement: Agreement) -> tuple[Check, ...]:
    """Everything that must hold for an agreement to allow what is asked, in the order in which it is looked at."""
    return (*_in_force(asked, agreement), *_for_whom(asked, agreement), *_what(asked, agreement))


def _in_force(asked: Asked, agreement: Agreement) -> tuple[Check, ...]:
    name = f"agreement {agreement.id}"
    return (
        Check(
            asked.agreement in ("", agreement.id),
            f"{name} is in question",
            f"{name} is not the one asked for ({asked.agreement})",
        ),
        Check(
            bool(agreement.columns_of(asked.contract)),
            f"it covers {asked.contract}",
            f"{name} does not cover {asked.contract}",
        ),
        Check(
            agreement.state is AgreementState.ACTIVE,
            "it is active",
            f"{name} is {agreement.state.value}, not active",
        ),
        Check(
            not agreement.trouble,
            "its text is the one that was signed"
            if agreement.signed_by is not None
            else "it was put into force before signatures were kept",
            f"{name} cannot be trusted: {agreement.trouble}",
        ),
        Check(
            agreement.holds_on(asked.on),
            f"it holds from {agreement.start} to {agreement.end}, and {asked.on} lies between",
            f"{name} holds from {agreement.start} to {agreement.end}, not on {asked.on}",
        ),
    )


def _for_whom(asked: Asked, agreement: Agreement) -> tuple[Check, ...]:
    name, power = f"agreement {agreement.id}", agreement.known_power
    problem = power_problem(agreement.legal_power, agreement.objective)
    unlisted = _unlisted(asked, agreement)
    return (
        Check(
            asked.organisation in agreement.organisations,
            f"it is for the organisation {asked.organisation}",
            f"{name} is not for the organisation {asked.organisation or '(none)'}",
        ),
        Check(
            agreement.signed_by is None or asked.organisation in agreement.signed_by,
            f"{asked.organisation} has signed it" if agreement.signed_by is not None else "no signatures are kept",
            f"{name} has no signature of {asked.organisation} that holds",
        ),
        Check(
            not agreement.roles or not asked.roles or bool(asked.roles & set(agreement.roles)),
            "it is for the role" if agreement.roles else "it is for any role",
            f"{name} is for the roles {', '.join(agreement.roles)} only",
        ),
        Check(
            asked.power in ("", agreement.legal_power) and asked.objective in ("", agreement.objective),
            f"its power and objective: {agreement.power_words}; {agreement.objective_words}",
            f"{name} rests on another power or objective: {agreement.legal_power}; {agreement.objective}",
        ),
        Check(
            not problem,
            "the power serves the objective" if power else "the power is not checked by the hub",
            f"{name}: {problem}",
        ),
        Check(
            not unlisted,
            "the power is for these bodies" if power and power.listed else "no list of bodies is checked",
            f"{name} does not say that {unlisted} is a body that may use this power "
            f"({power.listed if power else ''})",
        ),
        Check(
            asked.purpose in ("", agreement.purpose),
            f"it serves the purpose: {agreement.purpose}",
            f"{name} serves another purpose: {agreement.purpose}",
        ),
    )  # fmt: skip


def _unlisted(asked: Asked, agreement: Agreement) -> str:
    """Who would have to be a body that the power lists and is not said to be one; the hub itself only processes."""
    power = agreement.known_power
    sides = {"publisher": asked.publisher, "user": asked.organisation}
    for side in power.lists if power else ():
        slug = sides[side]
        if slug and slug != HUB_PUBLISHER and slug not in agreement.listed_bodies:
            return slug
    return ""


def _what(asked: Asked, agreement: Agreement) -> tuple[Check, ...]:
    name = f"agreement {agreement.id}"
    given = agreement.columns_from(asked.contract, asked.publisher)
    missing = asked.columns - given
    signed = agreement.signed_by is None or asked.publisher in agreement.signed_by
    return (
        Check(
            asked.operation in agreement.operations,
            f"it allows the operation {asked.operation!r}",
            f"{name} does not allow the operation {asked.operation!r}",
        ),
        Check(
            not asked.plugin or asked.plugin in agreement.plugins,
            f"it names the plugin {asked.plugin}" if asked.plugin else "no plugin is in question",
            f"{name} does not name the plugin {asked.plugin}",
        ),
        Check(
            bool(asked.publisher),
            f"the data is published by {asked.publisher}",
            f"the question does not say who publishes {asked.contract}",
        ),
        Check(
            bool(given),
            f"it is about {asked.contract} of {asked.publisher}",
            f"{name} is about {asked.contract} of {', '.join(agreement.publishers_of(asked.contract))}, not of "
            f"{asked.publisher}",
        ),
        Check(
            signed or asked.publisher == HUB_PUBLISHER,
            f"{asked.publisher} has signed it",
            f"{name} has no signature of {asked.publisher} that holds",
        ),
        Check(
            not missing,
            f"it gives {', '.join(sorted(asked.columns or given))}",
            f"{name} does not give {', '.join(sorted(missing))} of {asked.contract}",
        ),
    )


def _refusal(asked: Asked, agreement: Agreement) -> tuple[int, str] | None:
    """None when the agreement allows it, else how far the question got and why it stopped."""
    for depth, check in enumerate(checks(asked, agreement)):
        if not check.holds:
            return depth, check.refusal
    return None
