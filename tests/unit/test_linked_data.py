"""The catalogue in DCAT-AP 3 and in the UK model: what others' own shapes and schema say of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import DCAT, DCTERMS, RDF, Literal, URIRef
from rdflib.compare import isomorphic

from hub.catalogue.linked import dcat, ukmodel
from hub.catalogue.linked.subject import Addresses, Subject
from hub.catalogue.linked.writing import jsonld, turtle
from hub.catalogue.record import is_govuk_slug
from support.catalogues import FULL, graph_of, model_of, records, shapes, subject, uk_problems, violations

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(rdflib|pyshacl|pyparsing|owlrl).*")

BASE = Addresses("https://hub.test")
SPECIFICATION = ("shacl/dcat-ap-SHACL.ttl",)
STRICT = ("html/shacl/shapes.ttl", "html/shacl/range.ttl", "html/shacl/mdr-vocabularies.shape.ttl")
HOSTILE = (
    'A "quoted" </script><b>\\ title\nin two\tlines, it\'s "x"@en ; <> . """ \N{RIGHT-TO-LEFT OVERRIDE} é 🐦'
)
NASTY = [HOSTILE, "\\", '"', "'''", '"""', "\r\n", "@en", "_:x", "%zz", "\x00\x1b"]


def hostile(text: str) -> Subject:
    found = subject("police.incidents", publisher=text)
    known = replace(
        found.known, title=text, description=text, keywords=(text,), contact_name=text, summary=text
    )
    return replace(found, entry=replace(found.entry, described=known))


def in_dcat(*subjects: Subject, form: str = "turtle") -> str:
    write = turtle if form == "turtle" else jsonld
    return "".join(write(dcat.PROFILE, dcat.nodes("A hub", BASE, subjects)))


def in_uk(*subjects: Subject, form: str = "jsonld") -> str:
    write = turtle if form == "turtle" else jsonld
    return "".join(write(ukmodel.PROFILE, ukmodel.nodes(BASE, subjects)))


EVERY = (
    subject("schools.attendance", FULL), subject("police.incidents"),
    subject("housing.tenancies", version=None), hostile(HOSTILE),
)  # fmt: skip


@pytest.mark.parametrize("form", ["turtle", "jsonld"])
@pytest.mark.parametrize(
    "files", [SPECIFICATION, STRICT], ids=["as published", "with controlled vocabularies"]
)
def test_the_catalogue_conforms_to_the_shapes_of_dcat_ap(
    form: str, files: tuple[str, ...], test_data: Path
) -> None:
    found, warned = violations(graph_of(in_dcat(*EVERY, form=form), form), shapes(test_data, *files))
    assert found == []
    assert warned <= {str(DCTERMS.publisher)}, "councils are no corporate bodies of the European Union"


@pytest.mark.parametrize(
    ("spoilt", "path"),
    [
        (("dct:accrualPeriodicity", "dct:unknown"), None),
        (("a dct:Frequency", "a dct:Rhythm"), DCTERMS.accrualPeriodicity),
        (("a foaf:Agent", "a foaf:Stranger"), DCTERMS.publisher),
        (("dct:title", "dct:name"), DCTERMS.title),
        (("dcat:accessURL", "dcat:nowhere"), DCAT.accessURL),
    ],
)
def test_the_shapes_would_have_found_a_fault(
    spoilt: tuple[str, str], path: URIRef | None, test_data: Path
) -> None:
    text = in_dcat(EVERY[0])
    assert spoilt[0] in text
    found, _ = violations(graph_of(text.replace(*spoilt), "turtle"), shapes(test_data, *SPECIFICATION))
    assert (not found) if path is None else any(str(path) in line for line in found)


def test_each_dataset_has_what_others_look_for() -> None:
    graph = graph_of(in_dcat(*EVERY), "turtle")
    iri = URIRef("https://hub.test/datasets/dat_schools.attendance#dataset")
    catalogue = URIRef("https://hub.test/api/v1/catalogue#catalogue")
    assert set(graph.objects(catalogue, DCAT.dataset)) == set(graph.subjects(RDF.type, DCAT.Dataset))
    assert len(set(graph.subjects(RDF.type, DCAT.Dataset))) == 3, "the hostile one is police.incidents again"
    eu = "http://publications.europa.eu/resource/authority"
    assert graph.value(iri, DCTERMS.accrualPeriodicity) == URIRef(f"{eu}/frequency/ANNUAL_3")
    assert graph.value(iri, DCTERMS.accessRights) == URIRef(f"{eu}/access-right/RESTRICTED")
    assert graph.value(iri, DCTERMS.title) == Literal("Pupil attendance and exclusions", lang="cy")
    assert Literal("sgôl", lang="cy") in set(graph.objects(iri, DCAT.keyword))
    period = graph.value(iri, DCTERMS.temporal)
    assert str(graph.value(period, DCAT.startDate)) == "2025-09-01"
    assert graph.value(graph.value(iri, DCAT.distribution), DCAT.accessURL) == URIRef(
        "https://hub.test/datasets/dat_schools.attendance"
    )


@pytest.mark.parametrize("make", [in_dcat, in_uk])
def test_both_formats_say_the_same(make: Any) -> None:
    one = graph_of(make(*EVERY, form="turtle"), "turtle")
    assert len(one) > 40
    assert isomorphic(one, graph_of(make(*EVERY, form="jsonld"), "jsonld"))


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=60) | st.sampled_from(NASTY))
def test_whatever_a_title_holds_comes_back_as_it_was(text: str) -> None:
    text = "x" + text
    expected = "".join(sign for sign in text if sign in "\n\t" or (ord(sign) >= 32 and sign != "\x7f"))
    for form in ("turtle", "jsonld"):
        written = in_dcat(hostile(text), form=form)
        graph = graph_of(written, form)
        iri = URIRef("https://hub.test/datasets/dat_police.incidents#dataset")
        assert str(graph.value(iri, DCTERMS.title)) == expected
        assert form == "turtle" or "</" not in written, "a piece of JSON-LD cannot end a script element"


# --- the UK model


def test_every_record_conforms_to_the_ukmodel_of(test_data: Path) -> None:
    found = records(in_uk(*EVERY))
    assert [item["type"] for item in found].count("dcat:Dataset") == len(EVERY)
    for item in found:
        assert uk_problems(test_data, item["type"].partition(":")[2], item) == []
    full = found[0]
    assert (full["updateFrequency"], full["publisher"]) == (
        "freq:threeTimesAYear",
        "department-for-education",
    )
    assert full["distribution"] == [found[1]["identifier"]]
    assert (found[2]["licence"], found[2]["updateFrequency"]) == ("DATA_SHARE_AGREEMENT", "freq:irregular")


def test_its_words_become_the_addresses_that_the_model_means() -> None:
    graph = graph_of(in_uk(*EVERY), "jsonld")
    iri = URIRef("https://hub.test/datasets/dat_schools.attendance#dataset")
    govuk = "https://www.gov.uk/government/organisations/department-for-education"
    assert graph.value(iri, DCTERMS.publisher) == URIRef(govuk)
    assert graph.value(iri, DCTERMS.accrualPeriodicity) == URIRef("http://purl.org/cld/freq/threeTimesAYear")
    other = URIRef("https://hub.test/datasets/dat_housing.tenancies#dataset")
    assert str(graph.value(other, DCTERMS.license)).endswith(
        "/ukgov-metadata-exchange-model/DATA_SHARE_AGREEMENT"
    )


def test_what_the_model_has_no_room_for_is_left_out_and_told() -> None:
    left: list[tuple[str, tuple[str, ...]]] = []
    poor = subject("police.incidents", contact="", govuk_organisation="")
    nodes = list(ukmodel.nodes(BASE, [poor, EVERY[0]], lambda item, why: left.append((item.dataset.id, why))))
    assert [ident for ident, _ in left] == ["dat_police.incidents"]
    assert len(left[0][1]) == 2
    assert len(nodes) == 2


def test_the_checker_agrees_with_the_models_own_examples(test_data: Path) -> None:
    """So that what it accepts of ours means something: every valid example passes, those it can tell from it do not."""
    folder, seen = test_data / "ukgov_metadata" / "src" / "data", {"valid": 0, "invalid": 0}
    for file in sorted(folder.glob("*/*/*.yaml")):
        kind, verdict = file.parts[-3], file.parts[-2]
        record = yaml.safe_load(file.read_text(encoding="utf-8"))
        if record.get("version") and not isinstance(record["version"], str):
            record["version"] = str(record["version"])
        found = uk_problems(test_data, kind, record)
        assert bool(found) == (verdict == "invalid"), (file.name, found)
        seen[verdict] += 1
    assert seen["valid"] >= 10
    assert seen["invalid"] >= 15


def test_every_organisation_of_the_model_can_be_named_and_nothing_that_is_no_address(test_data: Path) -> None:
    _, enums, _ = model_of(test_data / "ukgov_metadata" / "src" / "model")
    assert [slug for slug in enums["OrganisationValues"] if not is_govuk_slug(slug)] == []
    assert [
        text for text in ("", "Home Office", "home--office", "-a", "a/b", "a\n") if is_govuk_slug(text)
    ] == []


def test_jsonld_is_json() -> None:
    assert json.loads(in_uk()) == json.loads(in_uk(subject("police.incidents", contact="")))
    assert json.loads(in_dcat(form="jsonld"))["@graph"][0]["@type"] == "dcat:Catalog"
