"""The catalogue: finding datasets, describing them, who finds them, lineage, and the catalogue as linked data."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Final

from flask import Response, flash, redirect, request, url_for

from hub.catalogue.search import Facets, Filters, Freshness, Sort
from hub.catalogue.terms import FREQUENCIES, SENSITIVITIES
from hub.errors import Forbidden, Invalid, NotFound
from hub.web import pages
from hub.web.forms_catalogue import DescribeForm, VisibilityForm
from hub.web.rendering import render
from hub.web.sessions import me
from hub.web.text import clean
from hub.web.views.common import plugin_titles
from hub.workflows import catalogue_export, describing, finding, tracing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.catalogue.search import Line
    from hub.identity.store import Organisation
    from hub.workflows.finding import Found
    from hub.workflows.hub import Hub

__all__ = ["VIEWS"]

_PAGE: Final = 50
_MOST_OPTIONS: Final = 200
_YES_NO: Final = {"yes": True, "no": False}
_FRESHNESS: Final = {"on time": "On time", "late": "Late", "not stated": "Not stated"}
_ENDINGS: Final = {"ttl": "turtle", "jsonld": "jsonld"}


def datasets(hub: Hub) -> Any:
    """The datasets that fit what is looked for, with what they hold now."""
    asked = {name: request.args.get(name, "").strip() for name in _ASKED}
    text = clean(request.args.get("q", ""), 200)
    contract = clean(request.args.get("contract", ""), 200)
    sort = request.args.get("sort", Sort.TITLE)
    found = finding.find(
        hub, me(),
        Filters(
            text, contract, domain=asked["domain"] or None, sensitivity=asked["sensitivity"] or None,
            current=_YES_NO.get(asked["data"]), freshness=_freshness(asked["freshness"]),
            frequency=_frequency(asked["frequency"]),
        ),
        organisation=asked["organisation"], sort=sort, after=_place(request.args.get("after")), limit=_PAGE,
        counts=True,
    )  # fmt: skip
    view = pages.SearchView(
        text, _filters(found, asked), sort, found.total or 0, _packed(found.after), contract
    )  # fmt: skip
    return render(
        pages.DatasetsPage(
            datasets=tuple(_line(item, found.organisations) for item in found.lines), search=view
        )
    )


def _line(item: Line, homes: Mapping[str, Organisation]) -> pages.DatasetLine:
    version = item.version
    return pages.DatasetLine(
        item.dataset.id, item.dataset.contract, item.dataset.title, homes[item.dataset.organisation_id].name,
        version.rows if version else None, version.number if version else None,
        version.accepted_at if version else None, version.period_start if version else None,
        version.period_end if version else None, item.sensitivity, FREQUENCIES[item.frequency].words,
        item.freshness.value, item.dataset.visibility,
    )  # fmt: skip


def _freshness(text: str) -> Freshness | None:
    return Freshness(text) if text in _FRESHNESS else None


def _frequency(text: str) -> str | None:
    """The code of a frequency; "not stated" stands for the empty one."""
    return "" if text == "not stated" else text or None


#: Name in the address -> (what it is called, filter, its values as they stand in the address, and in words).
_ASKED: Final[dict[str, tuple[str, str]]] = {
    "organisation": ("Published by", "organisation"),
    "domain": ("Subject", "domain"),
    "sensitivity": ("Most sensitive column", "sensitivity"),
    "data": ("Has data", "current"),
    "freshness": ("Up to date", "freshness"),
    "frequency": ("Updated", "frequency"),
}


def _filters(found: Found, asked: dict[str, str]) -> tuple[pages.FilterView, ...]:
    return tuple(
        pages.FilterView(name, label, _options(found, facet, found.facets or {}, asked[name]))
        for name, (label, facet) in _ASKED.items()
    )


def _options(found: Found, facet: str, counts: Facets, chosen: str) -> tuple[pages.FilterOption, ...]:
    """What can be chosen, with counts; of very many values the most frequent ones, and always the chosen one."""
    options: dict[str, tuple[str, int]] = {}
    for value, number in counts.get(facet, {}).items():
        word, text = _in_words(found, facet, value)
        options[word] = (text, number)
    if chosen and chosen not in options:
        options[chosen] = (clean(chosen, 80), 0)
    most = sorted(options, key=lambda word: (word != chosen, -options[word][1], word))[:_MOST_OPTIONS]
    return tuple(
        pages.FilterOption(word, *options[word], chosen=word == chosen)
        for word in sorted(most, key=lambda word: options[word][0].casefold())
    )


def _in_words(found: Found, facet: str, value: Any) -> tuple[str, str]:
    """A value as it stands in the address, and in words."""
    if facet == "organisation":
        home = found.organisations[value]
        return home.slug, home.name
    if facet == "current":
        return ("yes", "Yes") if value else ("no", "Not yet")
    if facet == "frequency":
        return value or "not stated", FREQUENCIES[value].words if value in FREQUENCIES else value
    words = {"sensitivity": SENSITIVITIES, "freshness": _FRESHNESS}.get(facet, {})
    return value, words.get(value, value)


def _packed(place: tuple[str, ...] | None) -> str | None:
    """From where the list goes on, as it stands in an address."""
    if place is None:
        return None
    return urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _place(text: str | None) -> tuple[str, ...]:
    if not text:
        return ()
    try:
        values = json.loads(urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)))
        if not isinstance(values, list) or not all(
            isinstance(item, str) and item.isprintable() for item in values
        ):
            raise ValueError("not one of ours")
    except (binascii.Error, ValueError, RecursionError):
        raise Invalid("This address is not one that the hub gave. Open the list of datasets anew.") from None
    return tuple(values)


# --- one dataset


def describe(hub: Hub, dataset_id: str) -> Any:
    """Say what is known of a dataset beyond its contract."""
    known = finding.known(hub, me(), dataset_id)
    if not known.may_describe:
        raise Forbidden(
            f"This is not yours to say: a data steward of {known.organisation.name} describes it."
        )
    form = DescribeForm().show(known.entry.record)
    if form.validate_on_submit():
        try:
            describing.describe(hub, me(), dataset_id, form.record())
        except Invalid as error:
            form.complain(error)
        else:
            flash("The description was saved.")
            return redirect(url_for("web.dataset", dataset_id=dataset_id), 303)
    missing = catalogue_export.missing_for_uk(hub, me(), dataset_id)
    return render(pages.DescribePage(known=known, form=form, missing=missing), 422 if form.errors else 200)


def visibility(hub: Hub, dataset_id: str) -> Any:
    """Say who finds a dataset."""
    known = finding.known(hub, me(), dataset_id)
    if not known.may_describe:
        raise Forbidden(f"This is not yours to say: a data steward of {known.organisation.name} decides it.")
    form = VisibilityForm(data={"visibility": known.dataset.visibility})
    if form.validate_on_submit():
        describing.set_visibility(hub, me(), dataset_id, form.visibility.data)
        flash("Who finds this dataset was saved.")
        return redirect(url_for("web.dataset", dataset_id=dataset_id), 303)
    page = pages.VisibilityPage(dataset=known.dataset, organisation=known.organisation.name, form=form)
    return render(page, 422 if form.errors else 200)


def lineage(hub: Hub, dataset_id: str) -> Any:
    """What a dataset came from and what came of it."""
    known = finding.known(hub, me(), dataset_id)
    return render(
        pages.LineagePage(
            dataset=known.dataset, organisation=known.organisation.name,
            lineage=tracing.trace(hub, me(), dataset_id), names=plugin_titles(hub),
        )
    )  # fmt: skip


# --- linked data


def catalogue(hub: Hub, profile: str, ending: str) -> Any:
    """What is listed, as linked data to take away."""
    if ending not in _ENDINGS or profile not in catalogue_export.PROFILES:
        raise NotFound("There is no such page.")
    found = catalogue_export.export(hub, me(), profile, _ENDINGS[ending])
    return _file(found, f"catalogue-{profile}.{ending}")


def dataset_record(hub: Hub, dataset_id: str, profile: str, ending: str) -> Any:
    """One dataset as linked data to take away."""
    if ending not in _ENDINGS or profile not in catalogue_export.PROFILES:
        raise NotFound("There is no such page.")
    found = catalogue_export.export_dataset(hub, me(), dataset_id, profile, _ENDINGS[ending])
    return _file(found, f"dataset-{profile}.{ending}")


def _file(found: catalogue_export.Export, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(found.pieces, content_type=found.content_type, headers=headers)


VIEWS = {
    "datasets": datasets, "describe": describe, "visibility": visibility, "lineage": lineage,
    "catalogue": catalogue, "dataset_record": dataset_record,
}  # fmt: skip
