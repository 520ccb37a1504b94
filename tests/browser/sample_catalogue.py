"""Made-up content for the pages of the catalogue."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from browser.samples import DATASET, HOSTILE, NOW, VERSIONS
from hub.catalogue.described import describe
from hub.catalogue.entries import Entry
from hub.catalogue.record import Record
from hub.catalogue.search import Freshness
from hub.errors import Invalid
from hub.identity.store import Organisation
from hub.web import pages
from hub.web.forms_catalogue import DescribeForm, VisibilityForm
from hub.workflows.finding import Coverage, Known
from hub.workflows.tracing import Lineage, Place
from hub_schemas import library

RECORD = Record(
    summary="Who missed school, and why", keywords=("truancy", HOSTILE[:60]), contact_name="Data team",
    contact_email="data@schools.example", themes=("EDUC",), frequency="termly", spatial=("https://sws.geonames.org/1/",),
)  # fmt: skip
KNOWN = Known(
    DATASET,
    Organisation("org1", "schools", "Wexbourne Schools"),
    Entry(
        "ds1", "schools", "special-category", "termly",
        describe(library.load("schools.attendance"), RECORD, "Wexbourne Schools"), RECORD,
    ),
    Coverage(7002, "2025-04-22", "2026-02-13", NOW, Freshness.LATE, NOW + timedelta(days=3)),
    True,
)  # fmt: skip
SEARCH = pages.SearchView(
    text="absence",
    filters=(
        pages.FilterView(
            "organisation", "Published by",
            (pages.FilterOption("schools", "Wexbourne Schools", 2, chosen=True), pages.FilterOption("x", HOSTILE, 0)),
        ),
        pages.FilterView("freshness", "Up to date", (pages.FilterOption("late", "Late", 1),)),
    ),
    sort="updated", total=2, older="WyJhIl0", contract="schools.attendance",
)  # fmt: skip
LINES = (
    pages.DatasetLine(
        "ds1", "schools.attendance", DATASET.title, "Wexbourne Schools", 7002, 2, NOW, "2025-04-22", "2026-02-13",
        "special-category", "Three times a year", "late", "private",
    ),
    pages.DatasetLine("ds2", "police.incidents", HOSTILE, "Wexbourne Police"),
)  # fmt: skip


def describing(*, wrong: bool = False) -> pages.DescribePage:
    """What a steward says; with `wrong`, something that cannot be used."""
    form = DescribeForm(formdata=None, meta={"csrf": False}).show(RECORD)
    if wrong:
        form.validate()
        form.complain(
            Invalid("no", fields={name: ["cannot be used"] for name in ("contact_email", "themes", "access")})
        )
    return pages.DescribePage(
        known=KNOWN, form=form, missing=() if wrong else ("it names no email address to ask",)
    )


def hiding(*, wrong: bool = False) -> pages.VisibilityPage:
    """Who finds a dataset; with `wrong`, nothing was chosen."""
    form = VisibilityForm(formdata=None, meta={"csrf": False})
    if wrong:
        form.validate()
    return pages.VisibilityPage(dataset=DATASET, organisation="Wexbourne Schools", form=form)


LINEAGE = pages.LineagePage(
    dataset=DATASET,
    organisation="Wexbourne Schools",
    lineage=Lineage(
        upstream=[Place("d" * 32, "delivery", DATASET.title, NOW, "accepted")],
        versions=[
            Place(item.id, "version", DATASET.title, item.accepted_at, "current", "ds1", item.number)
            for item in VERSIONS
        ],
        downstream=[
            Place("p1", "version", "People", NOW, "current", "ds9", 3),
            Place("run1", "run", "families", NOW, "succeeded"),
            Place("res1", "result", "unknown", NOW, "released"),
        ],
        edges=[("d" * 32, "v2"), ("v2", "p1"), ("v2", "run1"), ("run1", "res1")],
    ),
    names={"families": HOSTILE},
)  # fmt: skip

CATALOGUE = {
    "datasets-found": lambda: pages.DatasetsPage(datasets=LINES, search=SEARCH),
    "datasets-not-found": lambda: pages.DatasetsPage(datasets=(), search=replace(SEARCH, total=0, older=None)),
    "dataset-known": lambda: pages.DatasetPage(
        dataset=replace(DATASET, visibility="private"), organisation="Wexbourne Schools",
        contract=library.load("schools.attendance"), versions=VERSIONS, known=KNOWN, ask="/datasets/ds1/ask",
        may_upload=True,
    ),
    "describe": describing,
    "describe-errors": lambda: describing(wrong=True),
    "visibility": hiding,
    "visibility-errors": lambda: hiding(wrong=True),
    "lineage": lambda: LINEAGE,
    "lineage-empty": lambda: replace(LINEAGE, lineage=Lineage()),
}  # fmt: skip
