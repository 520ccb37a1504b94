"""The catalogue at every door: API, pages and command line find, describe, hide, trace and export the same."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from rdflib import DCAT, RDF, URIRef

from hub.__main__ import main
from hub.app import create_app
from hub.identity import people
from hub.identity import store as identities
from hub_schemas import library
from support.callers import client_of
from support.catalogues import graph_of, named, publish, records, shapes, uk_problems, violations
from support.hubs import PASSWORD, make_hub, migrate
from support.lived_in import sign_in, token_of
from support.staged import Staged, stage_all

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(rdflib|pyshacl|pyparsing|owlrl).*")


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    """A hub in which things were delivered, run and released; its people are named by what they are."""
    folder = tmp_path_factory.mktemp("catalogue")
    url = f"sqlite:///{folder / 'hub.db'}"
    migrate(url)
    made = stage_all(make_hub(folder / "hub", url, catalogue_contact="data@hub.example"))
    for domain in ("housing", "schools"):
        publish(
            made.hub,
            domain,
            library.load({"housing": "housing.tenancies", "schools": "schools.attendance"}[domain]),
        )
    with made.hub.database.write() as session:
        home = {slug: identities.find_organisation(session, slug).id for slug in ("police", "housing")}
        people.add_user(session, "pat", "Pat", home["police"], ["data steward", "analyst"], PASSWORD)
        people.add_user(session, "hal", "Hal", home["housing"], ["data steward", "analyst"], PASSWORD)
    yield made
    made.hub.database.close()


@pytest.fixture(scope="module")
def app(staged: Staged) -> Any:
    return create_app(staged.hub.settings, staged.hub)


@pytest.fixture(scope="module")
def api(app: Any, staged: Staged) -> Callable[..., Any]:
    """Ask the API as a machine of an organisation with roles."""
    known: dict[tuple[str, ...], dict[str, str]] = {}

    def ask(slug: str, *roles: str) -> Callable[..., Any]:
        headers = known.setdefault((slug, *roles), client_of(staged.hub, slug, *roles).headers())

        def send(address: str, method: str = "GET", accept: str = "", **more: Any) -> Any:
            extra = {"Accept": accept} if accept else {}
            return app.test_client().open(f"/api/v1{address}", method=method, headers=headers | extra, **more)

        return send

    return ask


@pytest.fixture
def pat(app: Any) -> FlaskClient:
    client: FlaskClient = app.test_client()
    assert sign_in(client, "pat").status_code == 303
    return client


def hub_cli(staged: Staged, *words: str, code: int = 0) -> Any:
    settings = staged.hub.settings
    variables = {
        "HUB_DATABASE_URL": settings.database_url, "HUB_LOG_LEVEL": "error", "HUB_PASSWORD": PASSWORD,
        "HUB_PUBLIC_URL": settings.public_url, "HUB_REQUIRE_SECOND_FACTOR": "",
    }  # fmt: skip
    done = CliRunner().invoke(main, [*words, "--dir", str(settings.dir)], env=variables)
    assert done.exit_code == code, done.output
    return done


def test_the_api_searches_filters_counts_and_pages(api: Any, staged: Staged) -> None:
    ask = api("council", "analyst")
    first = ask("/datasets?limit=1&counts=true").get_json()
    seen = [*first["items"]]
    assert first["total"] == 3
    while first["next"]:
        first = ask(f"/datasets?limit=1&cursor={first['next']}").get_json()
        assert first["total"] is None
        seen += first["items"]
    assert [item["title"] for item in seen] == sorted((item["title"] for item in seen), key=str.casefold)
    assert len({item["id"] for item in seen}) == len(seen)
    found = ask(
        "/datasets?q=establish&organisation=police&current=true&sensitivity=official&sort=updated"
    ).get_json()
    assert [item["id"] for item in found["items"]] == [staged.dataset]
    # How often it comes is what its steward says, on which another test may have had a say before.
    said = {
        name: value for name, value in found["items"][0].items() if name not in ("frequency", "freshness")
    }
    assert said | {"version": None} == {
        "id": staged.dataset, "name": "police/police.establishment", "title": "Police establishment",
        "organisation": "police", "contract": "police.establishment", "version": None, "visibility": "listed",
        "domain": "police", "sensitivity": "official",
    }  # fmt: skip
    assert ask("/datasets?organisation=nobody").get_json()["items"] == []
    for wrong in (
        "sort=size",
        "sensitivity=x",
        "freshness=x",
        "frequency=x",
        "current=perhaps",
        "q=" + "x" * 501,
        "z=1",
    ):
        assert ask(f"/datasets?{wrong}").status_code == 422, wrong
    cursor = ask("/datasets?limit=1").get_json()["next"]
    assert ask(f"/datasets?limit=1&sort=updated&cursor={cursor}").status_code == 422


def test_a_steward_describes_a_dataset_over_the_api_and_nobody_else_does(api: Any, staged: Staged) -> None:
    address, steward = f"/datasets/{staged.dataset}", api("police", "data steward")
    body = {
        "summary": "Who is where",
        "frequency": "daily",
        "contact_email": "desk@police.example",
        "themes": ["JUST"],
    }
    assert api("council", "data steward")(f"{address}/metadata", "PUT", json=body).status_code == 403
    assert api("police", "connector")(f"{address}/metadata", "PUT", json=body).status_code == 403
    done = steward(f"{address}/metadata", "PUT", json=body)
    assert done.status_code == 200
    assert done.get_json()["known"]["said"]["frequency"] == "steward"
    seen = api("council", "analyst")(f"{address}/metadata").get_json()
    assert (seen["known"]["contact_email"], seen["known"]["access"]) == ("desk@police.example", "internal")
    detail = api("council", "analyst")(address).get_json()
    assert (detail["frequency"], detail["freshness"]) == ("daily", "on time")
    assert detail["due"] > "2026"
    wrong = steward(f"{address}/metadata", "PUT", json={"access": "open", "licence": "javascript:1"})
    assert wrong.status_code == 422
    assert set(wrong.get_json()["errors"]) == {"access", "licence"}
    for extra in ({"visibility": "private"}, {"id": "x"}, {"organisation_id": "x"}):
        assert steward(f"{address}/metadata", "PUT", json=body | extra).status_code == 422


def kinds(found: dict[str, Any]) -> set[str]:
    return {place["kind"] for part in ("upstream", "versions", "downstream") for place in found[part]}


def test_lineage_leads_from_deliveries_to_results_as_far_as_one_may_see(api: Any, staged: Staged) -> None:
    address = f"/datasets/{staged.dataset}/lineage"
    mine = api("police", "analyst", "data steward")(address).get_json()
    assert kinds(mine) == {"delivery", "version", "run", "result"}
    run = next(place for place in mine["downstream"] if place["kind"] == "run")
    edges = {(edge["cause"], edge["effect"]) for edge in mine["edges"]}
    assert (mine["versions"][0]["id"], run["id"]) in edges
    assert {effect for cause, effect in edges if cause == run["id"]} <= {p["id"] for p in mine["downstream"]}
    known = {place["id"] for part in ("upstream", "versions", "downstream") for place in mine[part]}
    assert {ident for edge in edges for ident in edge} <= known
    assert kinds(api("council", "analyst", "data steward")(address).get_json()) == {"version"}


def test_the_catalogue_comes_in_the_format_that_is_asked_for_and_conforms(
    api: Any, staged: Staged, test_data: Path
) -> None:
    ask = api("council", "analyst")
    answers = {
        "turtle": [ask("/catalogue", accept="text/turtle"), ask("/catalogue.ttl")],
        "jsonld": [
            ask("/catalogue"),
            ask("/catalogue", accept="*/*"),
            ask("/catalogue.jsonld", accept="text/turtle"),
        ],
    }
    for form, given in answers.items():
        kind = "text/turtle" if form == "turtle" else "application/ld+json"
        assert {answer.mimetype for answer in given} == {kind}
        assert len({answer.text for answer in given}) == 1
        graph = graph_of(given[0].text, form)
        assert violations(graph, shapes(test_data, "shacl/dcat-ap-SHACL.ttl"))[0] == []
        iri = URIRef(f"{staged.hub.settings.public_url}/datasets/{staged.dataset}#dataset")
        assert (iri, RDF.type, DCAT.Dataset) in graph
    one = ask(f"/catalogue/{staged.dataset}.ttl")
    assert one.text.count("a dcat:Dataset") == 1
    assert ask(f"/catalogue/{staged.dataset}", accept="text/turtle").text == one.text
    assert ask("/catalogue?as=other").status_code == 422
    assert ask("/catalogue/dat_nothing.ttl").status_code == 404
    poor = ask(f"/catalogue/{staged.dataset}?as=uk")
    assert poor.status_code == 422
    assert "GOV.UK" in poor.text
    body = {"govuk_organisation": "home-office", "contact_email": "desk@police.example", "frequency": "daily"}
    api("police", "data steward")(f"/datasets/{staged.dataset}/metadata", "PUT", json=body)
    found = records(ask("/catalogue?as=uk").text)
    assert [item["type"] for item in found] == ["dcat:Dataset", "dcat:Distribution"]
    for item in found:
        assert uk_problems(test_data, item["type"].partition(":")[2], item) == []
    assert found[0]["updateFrequency"] == "freq:daily"
    assert ask(f"/catalogue/{staged.dataset}?as=uk").status_code == 200


def test_a_private_dataset_gives_404_at_every_address_and_is_in_no_list(
    api: Any, staged: Staged, app: Any
) -> None:
    """The same answer, word for word, as for a dataset that there never was."""
    hidden = publish(staged.hub, "police", named("police.hidden", "Quagga patrols"), visibility="private")
    browser = app.test_client()
    sign_in(browser, "hal")
    ask = api("council", "analyst", "data steward", "connector")
    for template, method, body in (
        ("", "GET", None), ("/contract", "GET", None), ("/metadata", "GET", None), ("/lineage", "GET", None),
        ("/metadata", "PUT", {"summary": "x"}), ("/visibility", "PUT", {"visibility": "listed"}),
    ):  # fmt: skip
        answers = [
            ask(f"/datasets/{ident}{template}", method, json=body) for ident in (hidden.id, "dat_nothing")
        ]
        assert [answer.status_code for answer in answers] == [404, 404], (template, method)
        assert answers[0].text.replace(hidden.id, "dat_nothing").count("dat_nothing") == answers[
            1
        ].text.count("dat_nothing")
    for ending in ("", ".ttl", ".jsonld"):
        assert ask(f"/catalogue/{hidden.id}{ending}").status_code == 404
    for address in ("", "/lineage", "/record/dcat-ap.ttl", "/record/uk.jsonld"):
        assert browser.get(f"/datasets/{hidden.id}{address}").status_code == 404
    for address in (f"/contracts/{hidden.contract}", f"/contracts/versions/{hidden.contract_digest}"):
        assert browser.get(address).status_code == 404
    for text in (
        ask("/datasets?counts=true&limit=500").text, ask("/datasets?q=quagga&counts=true").text,
        ask("/catalogue.ttl?private=true").text, ask("/contracts/proposals").text,
        browser.get("/datasets?organisation=police").text, browser.get("/contracts").text,
        browser.get("/datasets/catalogue/dcat-ap.ttl").text,
    ):  # fmt: skip
        assert "Quagga" not in text
        assert "police.hidden" not in text
        assert hidden.id not in text
    assert "Quagga" in api("police", "analyst")("/datasets?q=quagga").text
    assert "Quagga" not in api("police", "analyst")("/catalogue.ttl").text
    assert "Quagga" in api("police", "analyst")("/catalogue.ttl?private=true").text


def test_pages_find_describe_hide_and_show_where_it_came_from(pat: FlaskClient, staged: Staged) -> None:
    address = f"/datasets/{staged.dataset}"
    found = pat.get("/datasets?q=establ&organisation=police")
    assert address in found.text
    assert "1 dataset<" in found.text
    nothing = pat.get("/datasets?q=zebra%25").text
    assert "No datasets found" in nothing
    assert "Clear the search" in nothing
    assert pat.get("/datasets?after=nonsense").status_code == 422
    form = pat.get(f"{address}/describe")
    data = {"csrf_token": token_of(form), "contact_email": "nonsense", "access": "open"}
    wrong = pat.post(f"{address}/describe", data=data)
    assert wrong.status_code == 422
    assert "<title>Error: Describe this dataset" in wrong.text
    assert "must be an email address" in wrong.text
    data |= {
        "contact_email": "desk@police.example",
        "access": "",
        "frequency": "weekly",
        "keywords": "<b>rota</b>\nshift",
    }
    assert pat.post(f"{address}/describe", data=data).status_code == 303
    page = pat.get(address).text
    assert "desk@police.example" in page
    assert "&lt;b&gt;rota&lt;/b&gt;, shift" in page
    assert "The next version is due by" in page
    for visibility, words in (("private", "Private"), ("listed", "Everybody who is signed in")):
        data = {"csrf_token": token_of(pat.get(f"{address}/visibility")), "visibility": visibility}
        assert pat.post(f"{address}/visibility", data=data).status_code == 303
        assert words in pat.get(address).text
    lineage = pat.get(f"{address}/lineage").text
    for words in ("Delivery of Police establishment", "Version 1", "Run of Counting", "Result of Counting"):
        assert words in lineage
    taken = pat.get(f"{address}/record/dcat-ap.jsonld")
    assert json.loads(taken.data)["@graph"]
    assert taken.headers["Content-Disposition"].startswith("attachment")


def test_the_command_line_finds_shows_hides_and_exports(staged: Staged, tmp_path: Path) -> None:
    rows = json.loads(hub_cli(staged, "datasets", "list", "--search", "establ", "--format", "json").stdout)
    assert [row["dataset"] for row in rows] == ["police/police.establishment"]
    shown = {row["what"]: row["value"] for row in json.loads(
        hub_cli(staged, "datasets", "show", "police/police.establishment", "--format", "json").stdout
    )}  # fmt: skip
    assert (shown["visibility"], shown["title"]) == ("listed", "Police establishment")
    words = ("datasets", "set-visibility", "police/police.establishment")
    assert "is private" in hub_cli(staged, *words, "private", "--as", "pat").output
    assert "There is no dataset" in hub_cli(staged, *words, "listed", "--as", "hal", code=1).output
    listed = hub_cli(staged, "datasets", "export").stdout
    assert "Police establishment" not in listed
    assert "Police establishment" in hub_cli(staged, "datasets", "export", "--private").stdout
    hub_cli(staged, *words, "listed", "--as", "pat")
    file = tmp_path / "catalogue.jsonld"
    told = hub_cli(staged, "datasets", "export", "--as", "uk", "--format", "jsonld", "--output", str(file))
    assert "Left out: " in told.stderr
    assert all(
        record["type"] in ("dcat:Dataset", "dcat:Distribution") for record in records(file.read_text())
    )
    one = hub_cli(staged, "datasets", "export", "--dataset", "police/police.establishment").stdout
    assert len(set(graph_of(one, "turtle").subjects(RDF.type, DCAT.Dataset))) == 1
    assert "no dataset police/nothing" in hub_cli(staged, "datasets", "show", "police/nothing", code=1).output
