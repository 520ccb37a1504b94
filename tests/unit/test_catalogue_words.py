"""What the catalogue makes of words, intervals, contracts and what stewards say."""

import pytest

from hub.catalogue.described import describe, described_from, sensitivity_of
from hub.catalogue.record import Record, checked, is_address, is_email, record_from
from hub.catalogue.terms import FREQUENCIES, frequency_of
from hub.catalogue.wording import patterns, sort_key, stored, words
from hub.errors import Invalid
from hub_schemas import library
from support.contracts import variant

BASE = library.load("police.establishment")


def test_words_are_small_plain_and_hold_nothing_a_pattern_could_use() -> None:
    assert words("Date_of-birth: ÉCOLE’s 100%") == ["date", "of", "birth", "ecole", "s", "100"]
    assert words("Straße ½ 10_000\\") == ["strasse", "1", "2", "10", "000"]
    assert stored(["a b", "B c"]) == " a b c "


def test_what_is_typed_becomes_beginnings_of_words() -> None:
    assert patterns("Pupil  att") == [" pupil", " att"]
    assert patterns("   ") is None
    assert patterns("%_% '\\") == []
    assert len(patterns(" ".join(f"w{number}" for number in range(500))) or ()) == 12


def test_sorting_ignores_capitals_accents_and_quotes() -> None:
    assert sort_key('"École" list') == "ecole list"
    assert sort_key("???") == "???"
    assert len(sort_key("x" * 999)) <= 200


@pytest.mark.parametrize(
    ("days", "code"),
    [(1, "daily"), (7, "weekly"), (14, "fortnightly"), (30, "monthly"), (31, "monthly"), (90, "quarterly"),
     (365, "yearly"), (0.5, "continuous"), (4, ""), (0, ""), (-7, ""), (20_000, "")],
)  # fmt: skip
def test_an_interval_is_the_nearest_frequency_there_is(days: float, code: str) -> None:
    assert frequency_of(days) == code
    assert code in FREQUENCIES


def test_a_contract_says_what_its_standard_has_fields_for() -> None:
    contract = variant(
        BASE,
        edit=lambda document: document.update(
            tags=["rota"],
            support=[
                {"channel": "wiki", "url": "https://wiki.police.example/data"},
                {"channel": "Data desk", "url": "mailto:desk@police.example?subject=Data"},
            ],
            slaProperties=[{"property": "frequency", "value": 1, "unit": "m"}],
            authoritativeDefinitions=[
                {"type": "x", "url": "https://www.gov.uk/a"},
                {"type": "y", "url": "javascript:1"},
            ],
            customProperties=[
                {"property": "licence", "value": "https://example.org/licence"},
                {"property": "theme", "value": ["JUST", "NOPE"]},
                {"property": "spatialCoverage", "value": "https://sws.geonames.org/6269131/"},
                {"property": "govukOrganisation", "value": "home-office"},
                {"property": "accessRights", "value": "open"},
                {"property": "language", "value": "klingon"},
            ],
        ),
    )
    known = describe(contract, Record(), "Wexbourne Police")
    assert (known.contact_name, known.contact_email) == ("Data desk", "desk@police.example")
    assert (known.frequency, known.keywords, known.themes) == ("monthly", ("rota",), ("JUST",))
    assert (known.licence, known.govuk_organisation) == ("https://example.org/licence", "home-office")
    assert known.documents == ("https://www.gov.uk/a",)
    assert known.language == "en", "what the catalogue cannot use is left out, not refused"
    assert known.access == "internal", "nothing is open that has a column which is not"
    assert (known.said["frequency"], known.said["language"]) == ("contract", "hub")
    assert describe(contract, Record(frequency="weekly"), "x").said["frequency"] == "steward"
    assert described_from(known.to_json()) == known
    assert described_from({}).access == "internal"


def test_a_stewards_address_takes_the_place_of_the_contracts_and_its_name() -> None:
    contract = variant(
        BASE,
        edit=lambda document: document.update(support=[{"channel": "Old desk", "url": "old@police.example"}]),
    )
    known = describe(contract, Record(contact_email="new@police.example"), "Police")
    assert (known.contact_name, known.contact_email) == ("Police", "new@police.example")


def test_what_was_open_is_so_no_more_once_the_contract_has_other_columns() -> None:
    assert sensitivity_of(BASE) != "open"
    assert describe(BASE, Record(access="open"), "x").access == "internal"


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (Record(contact_email="nobody"), "contact_email"),
        (Record(contact_email="a@b.example\r\nBcc: x@y.example"), "contact_email"),
        (Record(licence="javascript:alert(1)"), "licence"),
        (Record(licence="https://x/ y"), "licence"),
        (Record(spatial=("https://ok.example/", "nope")), "spatial"),
        (Record(themes=("NOPE",)), "themes"),
        (Record(keywords=("k" * 81,)), "keywords"),
        (Record(keywords=tuple(map(str, range(21)))), "keywords"),
        (Record(frequency="hourly"), "frequency"),
        (Record(access="open"), "access"),
        (Record(classification="SECRET"), "classification"),
        (Record(summary="s" * 251), "summary"),
        (Record(govuk_organisation="Wexbourne Council"), "govuk_organisation"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_field(record: Record, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked(record, "personal")
    assert list(refused.value.fields) == [field]


def test_what_is_kept_is_tidy() -> None:
    kept = checked(Record(summary=" a\n b\x00 ", keywords=("x", " x ", ""), access="open"), "open")
    assert (kept.summary, kept.keywords) == ("a b", ("x",))
    assert record_from(kept.to_json() | {"later": 1}) == kept


def test_addresses_are_those_that_linked_data_can_hold() -> None:
    assert is_address("https://sws.geonames.org/6269131/")
    assert not any(
        map(is_address, ("", "ftp://x", "https://", "http://x/<y>", 'http://x/"', "http://x/`", "http://["))
    )
    assert is_email("o'neil+data@council.example")
    assert not any(
        map(is_email, ("a b@c.example", "a@b", "<a@b.example>", "a@b.example,c@d.example", "@b.example"))
    )
