"""Registrations that wait for a second operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import flash, redirect, url_for

from hub.errors import Conflict, Forbidden
from hub.policy.roles import Permission
from hub.policy.scope import whole_hub
from hub.web import pages
from hub.web.forms import RegistrationForm
from hub.web.rendering import render
from hub.web.sessions import me
from hub.web.views.common import i_may
from hub.workflows import registering

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["VIEWS", "waiting_registrations"]

#: The first page names so many, and then how many more there are.
_MOST_NAMED = 5


def registrations(hub: Hub) -> Any:
    """All that waits."""
    return render(
        pages.RegistrationsPage(
            waiting=tuple(registering.waiting(hub, me())),
            problem=registering.problem_of_one_operator(hub) or "",
        )
    )


def registration(hub: Hub, kind: str, ident: str) -> Any:
    """One that waits, and the decision about it."""
    item = registering.waiting_one(hub, me(), kind, ident)
    form = RegistrationForm()
    page = pages.RegistrationPage(item=item, form=form)
    if not form.validate_on_submit():
        return render(page, 422 if form.errors else 200)
    event = form.decision.data
    try:
        if kind == "organisation":
            registering.decide_organisation(hub, me(), ident, event)
        else:
            registering.decide_client(hub, me(), ident, event)
    except (Conflict, Forbidden) as error:
        form.decision.errors = [error.detail]
        return render(page, 422)
    flash(f"{item.name} is {'approved' if event == 'approve' else 'refused'}.")
    return redirect(url_for("web.registrations"), 303)


def waiting_registrations(hub: Hub) -> tuple[pages.Attention, ...]:
    """What an operator's first page says about registrations."""
    if not i_may(Permission.MANAGE_CLIENTS) or not whole_hub(me(), Permission.MANAGE_CLIENTS):
        return ()
    found = [item for item in registering.waiting(hub, me()) if not item.mine]
    items = [
        pages.Attention(
            f"{item.name} waits for approval",
            url_for("web.registration", kind=item.kind, ident=item.id), "Decide", item.registered_at,
        )
        for item in found[:_MOST_NAMED]
    ]  # fmt: skip
    if more := len(found) - len(items):
        items.append(
            pages.Attention(f"{more:,} more wait for approval", url_for("web.registrations"), "Decide")
        )
    if problem := registering.problem_of_one_operator(hub):
        items.append(pages.Attention(problem, url_for("web.registrations")))
    return tuple(items)


VIEWS = {"registrations": registrations, "registration": registration}
