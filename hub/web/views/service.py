"""The first page, and the pages of words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import url_for

from hub.identity.devices import DAYS
from hub.policy.roles import Permission
from hub.web import pages
from hub.web.handles import MINUTES
from hub.web.rendering import render
from hub.web.sessions import COOKIE, DEVICES, cookie_name, find_principal, me
from hub.web.views import citizen
from hub.web.views.analysis import run_lines, upcoming
from hub.web.views.common import i_may, plugin_titles
from hub.web.views.registrations import waiting_registrations
from hub.web.views.requests import waiting_requests
from hub.workflows import contracting, overview, releasing

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["VIEWS"]

_MOST_NEWS = 5


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
            attention=_attention(found, titles) + waiting_registrations(hub) + waiting_requests(hub) + _proposed(hub),
            deliveries=tuple(
                pages.DeliveryLine(
                    item.id, dataset.title, home.name, item.state, item.sent, item.accepted, item.refused,
                    item.created_at,
                )
                for item, dataset, home in found.deliveries
            ),
            linked=_linked(found),
            runs=run_lines(hub, found.runs, titles),
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
    if found.waiting is not None:
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
    settings = hub.settings
    idle = (
        f"Until you close the browser, {settings.session_minutes} minutes after your last activity, or "
        f"{settings.session_hours} hours after you signed in"
    )
    return render(
        pages.TextPage(
            name="cookies",
            cookies=(
                (cookie_name(hub, COOKIE), "Keeps you signed in", idle),
                (
                    cookie_name(hub, DEVICES),
                    "Says that you signed in with this browser before, so that others who guess at your password "
                    "cannot keep you out. It does not sign you in",
                    f"{DAYS} days",
                ),
                (
                    cookie_name(hub, "hub_state"),
                    f"Guards the forms you send, and keeps your last search, encrypted, for {MINUTES} minutes",
                    "Until you close the browser or sign out",
                ),
                (
                    citizen.cookie(hub),
                    "Keeps your own page open, if you opened one with a code. It goes to that page only",
                    f"{hub.settings.rights_session_minutes} minutes, or until you close the browser",
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
    "home": home, "cookies": cookies,
    "privacy": privacy, "accessibility": accessibility,
}  # fmt: skip
