"""Who sees what: how far a role reaches, by organisation. Pure functions; the rule of each is its first sentence.

A role says what one may do (`hub.policy.roles`), an agreement what may be read (`hub.policy.decide`); this module says
on whose things. What one may not see is absent from lists and does not exist when asked for by its id.
`docs/explanation/who-sees-what.md` has the rules as a table.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final, Protocol

from hub.policy.agreement import HUB_PUBLISHER, Agreement
from hub.policy.roles import ROLES, Permission
from hub.policy.states import ENDED

__all__ = [
    "REACH_ALL", "Viewer", "bound", "for_organisation", "kept_since", "may_act_for", "may_change_agreement",
    "may_check", "may_see_agreement", "may_see_log", "may_see_request", "may_see_result", "may_see_run", "parties",
    "whole_hub",
]  # fmt: skip

#: Roles that serve their own organisation only, even when that is the hub's.
_FOR_ITS_OWN: Final = frozenset({"analyst", "service user", "investigating officer", "connector"})
#: Roles that look after data and outputs rather than use them: an agreement's `roles` are about those who use.
_LOOKS_AFTER: Final = frozenset({"data steward", "output checker", "operator", "auditor", "rights officer"})


#: Roles that reach people and things of all organisations wherever they work: only the hub's operators give them.
REACH_ALL: Final = frozenset({"auditor", "rights officer"})


class Viewer(Protocol):
    """Who looks: the slug of their organisation and their roles. `hub.identity.principal.Principal` is one."""

    @property
    def organisation(self) -> str:
        """The slug of the organisation they act for."""

    @property
    def roles(self) -> frozenset[str]:
        """What they are."""


def whole_hub(viewer: Viewer, permission: Permission) -> bool:
    """The hub's own staff, and auditors wherever they work, use what their role permits on the whole hub.

    The role that reaches so far must be the one that carries the permission: an auditor who is an analyst as well
    analyses for their own organisation only.
    """
    staff = viewer.organisation == HUB_PUBLISHER
    return any(
        permission in ROLES.get(role, frozenset())
        and (role == "auditor" or (staff and role not in _FOR_ITS_OWN))
        for role in viewer.roles
    )


def may_act_for(viewer: Viewer, organisation: str, permission: Permission) -> bool:
    """One acts for one's own organisation; the hub's own staff for all."""
    return bool(organisation) and (viewer.organisation == organisation or whole_hub(viewer, permission))


def for_organisation(viewer: Viewer, permission: Permission) -> str | None:
    """The organisation (slug) to whose things a list is narrowed; None where it is not narrowed."""
    return None if whole_hub(viewer, permission) else viewer.organisation


def parties(agreement: Agreement) -> frozenset[str]:
    """Those who control, publish, use or process what an agreement is about, as far as they are named by slugs.

    The hub is none for making the people table: whoever looks after the hub sees agreements anyway.
    """
    return frozenset(agreement.parties()) | frozenset(agreement.processors)


def _party(viewer: Viewer, agreement: Agreement) -> bool:
    return bool(viewer.organisation) and viewer.organisation in parties(agreement)


def bound(viewer: Viewer, agreement: Agreement) -> bool:
    """Where an agreement names roles, only those use it and what comes of it.

    Those who look after data or outputs (stewards, checkers, the hub's operators) are not users: it does not bind
    them where they only look.
    """
    named = frozenset(agreement.roles)
    return not named or bool(viewer.roles & (named | _LOOKS_AFTER))


def may_see_agreement(viewer: Viewer, agreement: Agreement) -> bool:
    """The parties to an agreement see it, and those who serve the whole hub."""
    return whole_hub(viewer, Permission.READ_AGREEMENTS) or _party(viewer, agreement)


def may_change_agreement(viewer: Viewer, agreement: Agreement) -> bool:
    """Stewards of the parties draft, return and withdraw an agreement, and the hub's; nobody does it for others."""
    return whole_hub(viewer, Permission.MANAGE_AGREEMENTS) or _party(viewer, agreement)


def may_see_run(viewer: Viewer, organisation: str, agreement: Agreement) -> bool:
    """A run or a schedule is seen by the organisation it is for and by the parties to its agreement."""
    return (
        whole_hub(viewer, Permission.READ_RUNS)
        or (bool(organisation) and viewer.organisation == organisation)
        or _party(viewer, agreement)
    )


def may_see_log(viewer: Viewer, organisation: str) -> bool:
    """What a plugin wrote while it ran may hold anything it read: only the organisation it ran for sees it."""
    return may_act_for(viewer, organisation, Permission.READ_RUNS)


def may_check(viewer: Viewer, agreement: Agreement) -> bool:
    """An output checker sees and decides what waits under agreements of their own organisation, or of all at the hub.

    That it is not their own work is looked at where they decide.
    """
    if whole_hub(viewer, Permission.REVIEW_RESULTS):
        return True
    reviews = any(Permission.REVIEW_RESULTS in ROLES.get(role, frozenset()) for role in viewer.roles)
    return reviews and not agreement.trouble and _party(viewer, agreement)


def may_see_result(viewer: Viewer, agreement: Agreement, *, released: bool) -> bool:
    """A released result is for the parties to its agreement, in the roles it names; any other for those who check."""
    if not released:
        return may_check(viewer, agreement)
    return (
        whole_hub(viewer, Permission.READ_RESULTS)
        or may_check(viewer, agreement)
        or (_party(viewer, agreement) and bound(viewer, agreement))
    )


def may_see_request(
    viewer: Viewer, reference: str, asked_by: str, parts: tuple[str, str], *, sent: bool
) -> bool:
    """A request for data is seen by both organisations (`parts`: who asks, who publishes) once it is sent.

    Before that only who writes it sees it. `reference` is how the audit log names the viewer.
    """
    if reference == asked_by:
        return True
    return sent and (whole_hub(viewer, Permission.READ_REQUESTS) or viewer.organisation in parts)


def kept_since(agreement: Agreement, now: datetime, on: date) -> datetime | None:
    """A released result outlives its agreement only as far, and as long, as the agreement says so itself.

    Returns since when a result must have been made to be read now; None when no result can be read. `on` is today.
    """
    if agreement.trouble:
        return None  # nobody knows who may read under a record that was changed
    ended = agreement.state in ENDED or on > agreement.end or bool(agreement.trouble)
    if ended and agreement.results_at_end != "readable":
        return None
    retention = timedelta(days=agreement.retention_days)
    if agreement.retention_trigger == "made":
        return now - retention
    over = ended and on > agreement.last_day + retention
    return None if over else datetime.min.replace(tzinfo=now.tzinfo)
