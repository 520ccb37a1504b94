"""Signing in and out, the first page, one's account, and the pages of words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import redirect, request, session, url_for

from hub.errors import Unauthorised
from hub.policy.roles import Permission, permissions_of
from hub.web import pages
from hub.web.forms import SignInForm
from hub.web.handles import MINUTES
from hub.web.rendering import render
from hub.web.sessions import COOKIE, find_principal, keep, local_address, me
from hub.web.views.analysis import run_line, upcoming
from hub.web.views.common import i_may, organisation_name, plugin_titles
from hub.workflows import contracting, enrolling, overview, releasing

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["VIEWS"]

_MOST_NEWS = 5


# --- signing in


def sign_in(hub: Hub) -> Any:
    """Ask for name and password; go on to where the person wanted to go."""
    goal = local_address(request.args.get("next")) or url_for("web.home")
    if request.method == "GET" and find_principal(hub) is not None:
        return redirect(goal)
    form = SignInForm()
    if not form.validate_on_submit():
        return render(pages.SignInPage(form=form), 422 if form.errors else 200)
    try:
        token, _ = enrolling.sign_in(hub, form.username.data, form.password.data)
    except Unauthorised as error:
        form.username.errors = [error.detail.rstrip(".")]
        return render(pages.SignInPage(form=form), 422)
    _end_session(hub)
    return keep(redirect(goal, 303), hub, token)  # type: ignore[arg-type]


def sign_out(hub: Hub) -> Any:
    """End the session, here and in the browser."""
    _end_session(hub)
    return keep(redirect(url_for("web.sign_in"), 303), hub, None)  # type: ignore[arg-type]


def _end_session(hub: Hub) -> None:
    """End the session that the browser came with, so that none outlives signing in again or out."""
    if (principal := find_principal(hub)) is not None:
        enrolling.sign_out(hub, principal, request.cookies[COOKIE])
    session.clear()


def account(hub: Hub) -> Any:
    """Who I am and what I may do."""
    principal = me()
    held = permissions_of(principal.roles)
    return render(
        pages.AccountPage(
            name=principal.name,
            organisation=organisation_name(hub, principal),
            roles=tuple(sorted(principal.roles)),
            permissions=tuple(item.value for item in Permission if item in held),
            session_minutes=hub.settings.session_minutes,
        )
    )


# --- what is happening


def home(hub: Hub) -> Any:
    """What is happening, as far as this person's roles show it."""
    found = overview.home(hub, me())
    titles = plugin_titles(hub)
    sees = {
        "deliveries": Permission.READ_DELIVERIES, "linkage": Permission.READ_CATALOGUE,
        "runs": Permission.READ_RUNS, "schedules": Permission.READ_RUNS,
    }  # fmt: skip
    return render(
        pages.HomePage(
            start=_start(),
            figures=_figures(found),
            attention=_attention(found, titles) + _proposed(hub),
            deliveries=tuple(
                pages.DeliveryLine(
                    item.id, dataset.title, home.name, item.state, item.sent, item.accepted, item.refused,
                    item.created_at,
                )
                for item, dataset, home in found.deliveries
            ),
            linked=_linked(found),
            runs=tuple(run_line(run, result, titles) for run, result in found.runs),
            upcoming=upcoming(hub, titles) if i_may(Permission.READ_RUNS) else (),
            released=_released(hub),
            sees=frozenset(name for name, permission in sees.items() if i_may(permission)),
        )
    )  # fmt: skip


def _start() -> tuple[tuple[str, str], ...]:
    """What a person most likely came for: address and words."""
    offers = (
        (Permission.SEARCH_PEOPLE, "web.search", "Find a household"),
        (Permission.REVIEW_RESULTS, "web.results", "Decide about results"),
        (Permission.READ_AUDIT, "web.audit", "Read the audit log"),
    )
    return tuple((url_for(name), words) for permission, name, words in offers if i_may(permission))


def _figures(found: overview.Home) -> tuple[pages.Figure, ...]:
    figures = []
    if i_may(Permission.READ_CATALOGUE):
        figures.append(pages.Figure("datasets", found.datasets, url_for("web.datasets")))
        if found.linked:
            homes = found.linked["households"]
            detail = f"in {homes:,} households" if homes is not None else ""
            figures.append(pages.Figure("people linked", found.linked["people"], detail=detail))
    if i_may(Permission.READ_DELIVERIES):
        refused = [item.refused for item, *_ in found.deliveries if item.refused]
        detail = f"of the last {len(found.deliveries)} deliveries" if found.deliveries else ""
        figures.append(pages.Figure("rows refused", sum(refused), url_for("web.deliveries"), detail))
    if i_may(Permission.READ_RUNS):
        figures.append(pages.Figure("pieces of work waiting", found.waiting, detail="deliveries and runs"))
    if i_may(Permission.REVIEW_RESULTS):
        figures.append(pages.Figure("results to decide", len(found.held), url_for("web.results")))
    return tuple(figures)


def _attention(found: overview.Home, titles: dict[str, str]) -> tuple[pages.Attention, ...]:
    """What went wrong and was not made good since, and what waits for this person."""
    items = []
    made_good: set[str] = set()
    for item, dataset, home in found.deliveries:
        if item.state in ("refused", "failed") and dataset.id not in made_good:
            words = "was refused as a whole" if item.state == "refused" else "could not be checked"
            text = f"{home.name}: the newest delivery of {dataset.title} {words}"
            href = url_for("web.delivery", delivery_id=item.id)
            items.append(pages.Attention(text, href, item.state.capitalize(), item.changed_at))
        if item.state in ("accepted", "refused", "failed"):
            made_good.add(dataset.id)
    for run, _ in found.runs:
        if run.state == "failed" and run.plugin not in made_good:
            text = f"The last run of {titles.get(run.plugin, run.plugin)} failed"
            items.append(pages.Attention(text, url_for("web.run", run_id=run.id), "Failed", run.finished_at))
        if run.state in ("succeeded", "failed"):
            made_good.add(run.plugin)
    for run, result in found.held:
        text = f"A result of {titles.get(run.plugin, run.plugin)} waits for a decision"
        items.append(
            pages.Attention(text, url_for("web.result", result_id=result.id), "Decide", result.created_at)
        )
    return tuple(items)


def _proposed(hub: Hub) -> tuple[pages.Attention, ...]:
    """Changes of contracts about which this person decides."""
    if not i_may(Permission.DECIDE_CONTRACTS):
        return ()
    return tuple(
        pages.Attention(
            f"{item.publisher}: a change of the contract of {item.dataset.title} waits for a decision",
            url_for("web.dataset", dataset_id=item.dataset.id), "Decide", item.proposal.proposed_at,
        )
        for item in contracting.list_proposals(hub, me(), all_states=False)
        if item.events
    )  # fmt: skip


def _linked(found: overview.Home) -> pages.Linked | None:
    if found.linked is None:
        return None
    facts = found.linked
    return pages.Linked(facts["at"], facts["rows"], facts["people"], facts["households"], facts["datasets"])


def _released(hub: Hub) -> tuple[pages.ResultLine, ...]:
    """The newest released results, for those whose home page shows no runs."""
    if i_may(Permission.READ_RUNS) or not i_may(Permission.READ_RESULTS):
        return ()
    found = releasing.list_results(hub, me(), limit=_MOST_NEWS)
    return tuple(pages.ResultLine(item.result, item.run, item.plugin.manifest["title"]) for item in found)


# --- pages of words


def cookies(hub: Hub) -> Any:
    """The cookies there are."""
    find_principal(hub)
    idle = f"Until you close the browser, or {hub.settings.session_minutes} minutes after your last activity"
    return render(
        pages.TextPage(
            name="cookies",
            cookies=(
                (COOKIE, "Keeps you signed in", idle),
                (
                    "hub_state",
                    f"Guards the forms you send, and keeps your last search, encrypted, for {MINUTES} minutes",
                    "Until you close the browser or sign out",
                ),
            ),
        )
    )


def privacy(hub: Hub) -> Any:
    """How the hub uses information about people."""
    return render(pages.TextPage(name="privacy"))


def accessibility(hub: Hub) -> Any:
    """How accessible the pages are."""
    return render(pages.TextPage(name="accessibility"))


VIEWS = {
    "sign_in": sign_in, "sign_out": sign_out, "account": account, "home": home, "cookies": cookies,
    "privacy": privacy, "accessibility": accessibility,
}  # fmt: skip
