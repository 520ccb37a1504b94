"""Finding a household and reading its page: for a purpose and a reason, and always logged."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from flask import redirect, request, session, url_for

from hub.errors import Invalid, NotFound
from hub.insights.people import PersonQuery
from hub.storage.database import utc_now
from hub.web import pages
from hub.web.forms import ReidentifyForm, SearchForm
from hub.web.handles import MINUTES, make_handle, open_handle
from hub.web.rendering import render
from hub.web.sessions import me
from hub.workflows import reidentifying, viewing
from hub.workflows.hub import today

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["VIEWS"]

#: Where the browser's signed cookie keeps the last search, sealed.
_LAST = "search"
_WAYS = {
    "name": ("forename", "surname", "date_of_birth"),
    "nhs": ("nhs_number",),
    "address": ("postcode", "uprn"),
}


def search(hub: Hub) -> Any:
    """Ask for purpose, reason and whom to look for. What was asked for last stands in the form again."""
    if request.method == "GET":
        return render(pages.SearchPage(form=_form(hub, _last(hub) or {})))
    form = _form(hub, {})
    if not form.validate_on_submit():
        return render(pages.SearchPage(form=form), 422)
    wanted = ("agreement", "reason", "way", *_WAYS[form.way.data])
    asked = {name: form[name].data for name in wanted if form[name].data}
    if "date_of_birth" in asked:
        asked["date_of_birth"] = asked["date_of_birth"].isoformat()
    session[_LAST] = make_handle(hub, "search", me(), asked)
    return redirect(url_for("web.found"), 303)


def found(hub: Hub) -> Any:
    """Search, and show who matches. The address holds nothing, so the page can be opened again by going back."""
    asked = _last(hub)
    if asked is None:
        return redirect(url_for("web.search"))
    purpose = viewing.Purpose(asked["agreement"], asked["reason"])
    query = PersonQuery(**{name: asked[name] for name in _WAYS[asked["way"]] if name in asked})
    try:
        people = viewing.search_people(hub, me(), purpose, query)
    except Invalid as error:
        form = _form(hub, asked)
        form.form_errors = [error.detail.rstrip(".")]
        return render(pages.SearchPage(form=form), 422)
    hits = tuple(
        pages.Hit(
            make_handle(
                hub, "household", me(),
                {"household": one.household_id, "person": one.person_id, "agreement": purpose.agreement,
                 "reason": purpose.reason},
            ) if one.household_id else "",
            f"{one.forename} {one.surname}".strip() or "Name not known", one.date_of_birth, one.postcode,
        )
        for one in people
    )  # fmt: skip
    return render(pages.SearchPage(form=_form(hub, asked), found=hits))


def household(hub: Hub, handle: str) -> Any:
    """One household, under the purpose and for the reason given when it was searched for."""
    content = open_handle(hub, "household", me(), handle)
    if content is None:
        raise NotFound(
            f"A link to a household works for {MINUTES} minutes, and only for the person who searched. Search again."
        )
    purpose = viewing.Purpose(content["agreement"], content["reason"])
    opened = viewing.open_household(hub, me(), content["household"], purpose)
    agreement = opened.agreement
    access = pages.Access(
        agreement.purpose, agreement.id, agreement.title, purpose.reason, utc_now(), opened.entry
    )
    return render(
        pages.HouseholdPage(
            view=opened.view,
            access=access,
            on=today(hub),
            contact=agreement.contact,
            searched=content["person"],
        )
    )


def _form(hub: Hub, asked: dict[str, Any]) -> SearchForm:
    """The form with the purposes this person may have, filled with what was asked for last."""
    offered = [(item.id, item.title, item.purpose) for item in viewing.purposes(hub, me())]
    return SearchForm(data=asked).offer(offered)


def _last(hub: Hub) -> dict[str, Any] | None:
    """The last search of this person in this browser, if it is not too long ago."""
    asked = open_handle(hub, "search", me(), session.get(_LAST))
    if asked is not None and "date_of_birth" in asked:
        asked["date_of_birth"] = date.fromisoformat(asked["date_of_birth"])
    return asked


def reidentify(hub: Hub, result_id: str) -> Any:
    """Ask for a pseudonym and a reason, and show who is behind it. Nothing of it is in an address or a cookie."""
    why_not, form = reidentifying.why_not(hub, me(), result_id), ReidentifyForm()
    if request.method == "GET":
        return render(pages.ReidentifyPage(result_id=result_id, form=form, why_not=why_not))
    if not form.validate_on_submit():
        return render(pages.ReidentifyPage(result_id=result_id, form=form, why_not=why_not), 422)
    try:
        found = reidentifying.reidentify(hub, me(), result_id, form.pseudonym.data, form.reason.data)
    except NotFound as error:
        form.form_errors = [error.detail.rstrip(".")]
        return render(pages.ReidentifyPage(result_id=result_id, form=form, why_not=why_not), 422)
    return render(pages.ReidentifyPage(result_id=result_id, form=form, found=found))


VIEWS = {"search": search, "found": found, "household": household, "reidentify": reidentify}
