"""The decision: may this principal do this operation on these columns, under which agreement, and why (not).

Default deny. Nothing here reads a clock, a database or a setting: the same question always has the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from hub.errors import Forbidden
from hub.policy.agreement import Agreement, AgreementState
from hub.policy.generalise import Generalisation, of_columns

__all__ = ["Asked", "Decision", "Grant", "decide", "decide_for_any", "require_grant", "whole_file"]

_EVERYTHING = frozenset({"*"})


@dataclass(frozen=True)
class Asked:
    """The question. `columns` empty means: whatever the agreement gives of the dataset.

    `publisher` is the slug of the organisation whose dataset it is. A question that names nobody is refused: use
    `decide_for_any` where no particular dataset is in question yet.
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


@dataclass(frozen=True)
class Grant:
    """What the vault may unwrap: these columns of this contract's files, for this agreement.

    `coarse` are the columns that the vault gives less exactly than they are stored; ages are those on the day `on`.
    """

    contract: str
    columns: frozenset[str]
    agreement: str
    reason: str
    coarse: tuple[Generalisation, ...] = ()
    on: date | None = None

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


def _refusal(asked: Asked, agreement: Agreement) -> tuple[int, str] | None:
    """None when the agreement allows it, else how far the question got and why it stopped."""
    name = f"agreement {agreement.id}"
    columns = agreement.columns_of(asked.contract)
    given = agreement.columns_from(asked.contract, asked.publisher)
    missing = asked.columns - given
    checks = (
        (asked.agreement in ("", agreement.id), f"{name} is not the one asked for ({asked.agreement})"),
        (bool(columns), f"{name} does not cover {asked.contract}"),
        (agreement.state is AgreementState.ACTIVE, f"{name} is {agreement.state.value}, not active"),
        (
            agreement.start <= asked.on <= agreement.end,
            f"{name} holds from {agreement.start} to {agreement.end}, not on {asked.on}",
        ),
        (
            asked.organisation in agreement.organisations,
            f"{name} is not for the organisation {asked.organisation or '(none)'}",
        ),
        (
            not agreement.roles or not asked.roles or bool(asked.roles & set(agreement.roles)),
            f"{name} is for the roles {', '.join(agreement.roles)} only",
        ),
        (asked.purpose in ("", agreement.purpose), f"{name} serves another purpose: {agreement.purpose}"),
        (asked.operation in agreement.operations, f"{name} does not allow the operation {asked.operation!r}"),
        (
            not asked.plugin or asked.plugin in agreement.plugins,
            f"{name} does not name the plugin {asked.plugin}",
        ),
        (bool(asked.publisher), f"the question does not say who publishes {asked.contract}"),
        (
            bool(given),
            f"{name} is about {asked.contract} of {', '.join(agreement.publishers_of(asked.contract))}, not of "
            f"{asked.publisher}",
        ),
        (not missing, f"{name} does not give {', '.join(sorted(missing))} of {asked.contract}"),
    )
    for depth, (holds, reason) in enumerate(checks):
        if not holds:
            return depth, reason
    return None
