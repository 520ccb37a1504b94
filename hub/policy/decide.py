"""The decision: may this principal do this operation on these columns, under which agreement, and why (not).

Default deny. Nothing here reads a clock, a database or a setting: the same question always has the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from hub.errors import Forbidden
from hub.policy.agreement import Agreement, AgreementState

__all__ = ["Asked", "Decision", "Grant", "decide", "require_grant", "whole_file"]

_EVERYTHING = frozenset({"*"})


@dataclass(frozen=True)
class Asked:
    """The question. `columns` empty means: whatever the agreement gives of the dataset."""

    operation: str
    contract: str
    organisation: str
    on: date
    columns: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    plugin: str = ""
    agreement: str = ""
    purpose: str = ""


@dataclass(frozen=True)
class Grant:
    """What the vault may unwrap: these columns of this contract's files, for this agreement."""

    contract: str
    columns: frozenset[str]
    agreement: str
    reason: str

    def permits(self, column: str) -> bool:
        """Whether a column's key may be unwrapped."""
        return self.columns == _EVERYTHING or column in self.columns


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
            columns = agreement.columns_of(asked.contract)
            granted = columns & asked.columns if asked.columns else columns
            text = f"allowed by agreement {agreement.id}: {asked.operation} on {asked.contract}"
            return Decision(Grant(asked.contract, granted, agreement.id, text), text)
        refusals.append(reason)
    if not refusals:
        return Decision(None, f"no agreement covers {asked.contract}")
    _, text = max(refusals)
    return Decision(None, text)


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
    missing = asked.columns - columns
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
        (not missing, f"{name} does not give {', '.join(sorted(missing))} of {asked.contract}"),
    )
    for depth, (holds, reason) in enumerate(checks):
        if not holds:
            return depth, reason
    return None
