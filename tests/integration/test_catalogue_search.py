"""Finding datasets on both databases: words, filters, counts, order and pages; what one may not find is not there."""

from collections import Counter
from typing import Any

import pytest

from hub.app import create_app
from hub.audit import log as audit_log
from hub.catalogue import search
from hub.catalogue import store as catalogue
from hub.catalogue.record import Record
from hub.catalogue.search import FACETS, Filters, Freshness, Sort
from hub.errors import Forbidden, Invalid, NotFound
from hub.identity import people
from hub.identity import store as identities
from hub.workflows import cataloguing, contracting, describing, finding, overview, tracing, visible
from hub.workflows.catalogue_export import export, export_dataset
from hub.workflows.hub import Hub
from hub_schemas import library
from support.agreements import put_in_force
from support.callers import client_of
from support.catalogues import counted, fill, graph_of, named, publish
from support.contracts import added, variant
from support.hubs import PASSWORD, principal_of
from support.lived_in import sign_in
from support.staged import AGREEMENT


def titles(hub: Hub, who: Any, text: str = "", **more: Any) -> list[str]:
    return [line.dataset.title for line in finding.find(hub, who, Filters(text), limit=200, **more).lines]


def test_words_are_found_where_they_begin_and_all_must_be_there(hub: Hub) -> None:
    publish(hub, "schools", library.load("schools.attendance"), name="École Board")
    publish(hub, "police", named("police.rota", "100% of rota_hours", tags=["overtime"]))
    who = principal_of(hub, "council", "analyst")
    pupils, rota = ["Pupil attendance and exclusions"], ["100% of rota_hours"]
    for text, expected in {
        "pupil": pupils, "PUP att": pupils, "upil": [], "ecole": pupils, "École": pupils, "school_urn": pupils,
        "sessions missed": pupils, "rota": rota, "hours": rota, "overtime": rota, "pupil rota": [], "100": rota,
        "%": [], "_": [], "rota%": rota, "ro%xx": [], "rot\\": rota, "'": [], "police.rota": rota,
    }.items():  # fmt: skip
        assert titles(hub, who, text) == expected, text
    assert titles(hub, who, "  ") == [*rota, *pupils]


def test_what_is_found_follows_the_contract_and_the_steward(hub: Hub) -> None:
    dataset = publish(hub, "police", named("police.rota", "Rota"))
    who, steward = principal_of(hub, "council", "analyst"), principal_of(hub, "police", "data steward")
    describing.describe(hub, steward, dataset.id, Record(keywords=("rostering",), frequency="weekly"))
    assert titles(hub, who, "rostering") == ["Rota"]
    with hub.database.write() as session:
        newer = variant(
            named("police.rota", "Shifts"), "1.1.0", added("lateness", description="How late somebody came")
        )
        catalogue.add_contract(session, newer.text)
        catalogue.put_dataset(session, dataset.organisation_id, newer)
    assert titles(hub, who, "rota lateness") == titles(hub, who, "rostering") == ["Shifts"]
    assert finding.known(hub, who, dataset.id).entry.frequency == "weekly", "what the steward said stays"


def test_lists_counts_and_pages_agree_with_looking_at_each_dataset(hub: Hub) -> None:
    """Every filter by itself and with others, in every order, page by page, for somebody who does not find all."""
    fill(hub, 120, now=hub.clock())
    who = principal_of(hub, "body-1", "analyst")
    with hub.database.read() as session:
        everything = search.batch(session, search.LISTED | ~search.LISTED, limit=1000)
        sees = visible.sight_of(hub, session, who)
        homes = {item.id: item.slug for item in identities.list_organisations(session)}
    rows = []
    for dataset, entry, version in everything:
        if sees.sees(dataset.visibility, dataset.contract, homes[dataset.organisation_id]):
            updated = version.accepted_at if version else dataset.created_at
            fresh = search.freshness_of(entry.frequency, updated, hub.clock())[0]
            values = (
                dataset.organisation_id, entry.domain, entry.sensitivity, version is not None, fresh, entry.frequency,
            )  # fmt: skip
            rows.append((dataset.id, dict(zip(FACETS, values, strict=True))))
    assert 100 < len(rows) < 120
    assert {row["freshness"] for _, row in rows} == set(Freshness)
    mine = rows[0][1]["organisation"]
    for chosen in (
        {}, {"sensitivity": "open"}, {"current": True, "domain": "housing"}, {"freshness": Freshness.LATE},
        {"frequency": ""}, {"organisation": mine, "current": False, "sensitivity": "open"}, {"domain": "none"},
    ):  # fmt: skip
        expected = {ident for ident, row in rows if all(row[name] == value for name, value in chosen.items())}
        for sort in Sort:
            got, after = [], ()
            while after is not None:
                page = finding.find(
                    hub, who, Filters(**chosen), sort=sort, after=after, limit=17, counts=True
                )
                got += page.lines
                after = page.after
            assert len(got) == len(expected), (chosen, sort)
            assert {line.dataset.id for line in got} == expected
            assert page.total == len(expected)
            keys = {
                Sort.TITLE: lambda line: (line.title_key, line.dataset.id),
                Sort.ORGANISATION: lambda line: (line.publisher_key, line.title_key, line.dataset.id),
                Sort.UPDATED: search_updated,
            }[sort]
            assert got == sorted(got, key=keys, reverse=sort is Sort.UPDATED)
        for name in FACETS:
            others = {key: value for key, value in chosen.items() if key != name}
            counts = Counter(
                row[name] for _, row in rows if all(row[key] == value for key, value in others.items())
            )
            assert page.facets is not None
            assert dict(page.facets[name]) == counts, name


def search_updated(line: Any) -> tuple[str, str]:
    return search.place_of(line, Sort.UPDATED)  # type: ignore[return-value]


def test_a_place_that_the_hub_did_not_give_is_refused(sqlite_hub: Hub) -> None:
    who = principal_of(sqlite_hub, "council", "analyst")
    for sort, after in (
        ("title", ("a",)),
        ("updated", ("yesterday", "x")),
        ("updated", ("2026-01-01", "x")),
        ("size", ()),
    ):
        with pytest.raises(Invalid):
            finding.find(sqlite_hub, who, sort=sort, after=after)


def test_a_private_dataset_does_not_exist_for_others(hub: Hub) -> None:
    """In lists, counts, pages, contracts, proposals, lineage and exports; for those concerned it does."""
    secret = named("police.secret", "Undercover rota", tags=["zebra"])
    dataset = publish(hub, "police", secret)
    steward, other = (
        principal_of(hub, "police", "data steward"),
        principal_of(hub, "council", "analyst", "data steward"),
    )
    assert titles(hub, other, "zebra") == ["Undercover rota"]
    describing.set_visibility(hub, steward, dataset.id, "private")
    for who in (steward, principal_of(hub, "hub", "operator"), principal_of(hub, "elsewhere", "auditor")):
        assert titles(hub, who, "zebra") == ["Undercover rota"]
        assert finding.known(hub, who, dataset.id).dataset.visibility == "private"
    missing = "There is no dataset"
    for act in (
        lambda: finding.known(hub, other, dataset.id), lambda: overview.dataset_page(hub, other, dataset.id),
        lambda: tracing.trace(hub, other, dataset.id), lambda: export_dataset(hub, other, dataset.id),
        lambda: describing.set_visibility(hub, other, dataset.id, "listed"),
        lambda: describing.describe(hub, other, dataset.id, Record()),
        lambda: cataloguing.history(hub, other, dataset), lambda: cataloguing.why_not_linked(hub, other, dataset.id),
        lambda: contracting.list_proposals(hub, other, dataset_id=dataset.id),
    ):  # fmt: skip
        with pytest.raises(NotFound, match=missing):
            act()
    with pytest.raises(NotFound):
        cataloguing.contract(hub, other, "police.secret")
    with pytest.raises(NotFound, match="no contract with this digest"):
        cataloguing.contract_version(hub, other, secret.digest)
    assert "police.secret" not in {line.id for line in cataloguing.contracts(hub, other)}
    assert overview.contracts(hub, other, ["police.secret"], {"police.secret": ["police"]}) == {}
    page = finding.find(hub, other, counts=True)
    assert (page.lines, page.total, page.facets) == ([], 0, {name: Counter() for name in FACETS})
    assert overview.home(hub, other).datasets == 0
    for private in (False, True):
        assert "Undercover" not in "".join(export(hub, other, private=private).pieces)
    assert "Undercover" not in "".join(export(hub, steward).pieces), "an export is made to be given away"
    assert "Undercover" in "".join(export(hub, steward, private=True).pieces)
    shared = AGREEMENT.replace("police.establishment", "police.secret")
    put_in_force(hub, shared.replace("organisations: [police]", "organisations: [council]"))
    assert titles(hub, other, "zebra") == ["Undercover rota"], "now they are a party"
    assert titles(hub, principal_of(hub, "elsewhere", "analyst"), "zebra") == []


def test_only_its_stewards_say_who_finds_a_dataset_and_it_is_noted(sqlite_hub: Hub) -> None:
    hub, dataset = sqlite_hub, publish(sqlite_hub, "police", named("police.rota"))
    for who in (principal_of(hub, "council", "data steward"), principal_of(hub, "hub", "data steward")):
        with pytest.raises(Forbidden, match="data steward of police"):
            describing.set_visibility(hub, who, dataset.id, "private")
    with pytest.raises(Forbidden):
        describing.describe(hub, principal_of(hub, "police", "analyst", "operator"), dataset.id, Record())
    steward = principal_of(hub, "police", "data steward")
    with pytest.raises(Invalid):
        describing.set_visibility(hub, steward, dataset.id, "secret")
    for visibility in ("private", "private", "listed"):
        describing.set_visibility(hub, steward, dataset.id, visibility)
    record = Record(summary="Who works when", contact_email="rota@police.example")
    for _ in range(2):
        describing.describe(hub, steward, dataset.id, record)
    with hub.database.read() as session:
        noted = [(entry.action, entry.content["detail"]) for entry in audit_log.recent(session, limit=50)]
    assert [detail for act, detail in noted if act == "dataset.visibility"] == [
        {"visibility": "listed"}, {"visibility": "private"},
    ]  # fmt: skip
    assert [detail for act, detail in noted if act == "dataset.described"] == [
        {"fields": ["summary", "contact_email"]}
    ], "fields, not what was entered"


def test_a_page_of_3000_datasets_costs_what_one_of_30_costs(sqlite_hub: Hub) -> None:
    """The same number of queries, and answers that stay small: workflow, API and page."""
    hub, seen = sqlite_hub, []
    web, browser = (create_app(hub.settings, hub).test_client() for _ in range(2))
    fill(hub, 30, organisations=20)
    who = principal_of(hub, "body-1", "analyst")
    headers = client_of(hub, "body-1", "connector").headers()
    with hub.database.write() as session:
        people.add_user(session, "ann", "Ann", who.organisation_id, ["analyst"], PASSWORD)
    sign_in(browser, "ann")
    asked = (
        lambda: finding.find(hub, who, counts=True),
        lambda: finding.find(hub, who, Filters("set body"), sort="organisation", counts=True),
        lambda: finding.find(
            hub, who, Filters(sensitivity="open", current=True), sort="updated", counts=True
        ),
        lambda: web.get("/api/v1/datasets?counts=true&limit=50", headers=headers),
        lambda: browser.get("/datasets?q=set&sensitivity=open"),
    )
    for size in (30, 3000):
        fill(hub, size, organisations=20, start=30 if size > 30 else size)
        costs = []
        for ask in asked:
            with counted(hub) as sent:
                answer = ask()
            costs.append(len(sent))
        seen.append(costs)
    assert seen[0] == seen[1], "queries for 30 and for 3,000 datasets"
    assert max(seen[0]) <= 15
    listed = web.get("/api/v1/datasets?counts=true&limit=50", headers=headers)
    assert listed.get_json()["total"] == finding.find(hub, who, counts=True, limit=1).total > 2500
    assert len(listed.get_json()["items"]) == 50
    assert len(listed.data) < 40_000
    assert answer.status_code == 200
    assert len(answer.data) < 90_000


def test_a_catalogue_is_exported_batch_by_batch(sqlite_hub: Hub) -> None:
    fill(sqlite_hub, 450)
    with counted(sqlite_hub) as sent:
        pieces = export(sqlite_hub, principal_of(sqlite_hub, "body-0", "analyst"), "dcat-ap", "turtle").pieces
        first = next(pieces)
        begun = len(sent)
        text = first + "".join(pieces)
    assert begun < 8, "nothing is read before it is asked for"
    assert text.count("a dcat:Dataset") == sum(1 for place in range(450) if place % 7 != 6)
    assert len(graph_of(text, "turtle")) > 450 * 20
