"""An agreement as YAML: complete, plain, and read the same by the hub as by the person who signs it."""

from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Invalid
from hub.policy.agreement import OPERATIONS, TRANSITIONS, Agreement, AgreementState, load_agreement, move
from support.checkout import ROOT
from support.staged import AGREEMENT

SHIPPED = sorted((ROOT / "hub" / "demo" / "agreements").glob("*.yaml"))
REQUIRED = (
    "id",
    "title",
    "purpose",
    "legal_power",
    "objective",
    "public_benefit",
    "lawful_basis",
    "controllers",
    "organisations",
    "operations",
    "datasets",
    "start",
    "end",
    "retention_days",
    "contact",
)


def _changed(**changes: object) -> str:
    document = yaml.safe_load(AGREEMENT) | changes
    return yaml.safe_dump(
        {name: value for name, value in document.items() if value is not None}, allow_unicode=True
    )


def test_an_agreement_is_read_as_it_is_written() -> None:
    agreement = load_agreement(AGREEMENT)
    assert agreement.id == "planning"
    assert agreement.state is AgreementState.DRAFT
    assert (agreement.start, agreement.end) == (date(2026, 1, 1), date(2099, 12, 31))
    assert agreement.columns_of("police.establishment") == {"team", "area", "fte"}
    assert agreement.columns_of("police.incidents") == frozenset()
    assert agreement.operations == {"run plugin", "read aggregate"}
    assert (agreement.minimum_count, agreement.round_to) == (10, 5), "careful unless said otherwise"
    assert agreement.roles == ()


def test_an_agreement_of_the_first_release_is_read_with_careful_answers_to_what_it_did_not_say() -> None:
    agreement = load_agreement(AGREEMENT)
    assert (agreement.results_at_end, agreement.retention_trigger) == ("closed", "made")
    assert (agreement.opt_out, agreement.individual_care, agreement.countries) == ("", False, ())
    assert agreement.known_power is None, "a power in words is not checked"
    assert agreement.power_words == "Police Act 1996, section 1"
    assert agreement.parties() == {"police": ("controller", "publisher", "user")}


def test_a_known_power_is_named_with_its_source_and_serves_its_own_objectives() -> None:
    agreement = load_agreement(_changed(legal_power="dea-fraud", objective="public-sector-fraud"))
    assert "section 56" in agreement.power_words
    assert agreement.known_power is not None


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_agreements_that_come_with_the_demonstration_are_valid(path: Path) -> None:
    agreement = load_agreement(path.read_text(encoding="utf-8"))
    assert agreement.id == path.stem


@pytest.mark.parametrize("name", REQUIRED)
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        load_agreement(_changed(**{name: None}))
    assert set(refused.value.fields) == {name}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": "Not An Id"}, "id"),
        ({"id": "x\n"}, "id"),
        ({"id": "a" * 65}, "id"),
        ({"title": ""}, "title"),
        ({"title": "x" * 4001}, "title"),
        ({"title": 7}, "title"),
        ({"operations": ["sell"]}, "operations"),
        ({"operations": []}, "operations"),
        ({"operations": "run plugin"}, "operations"),
        ({"controllers": []}, "controllers"),
        ({"organisations": [""]}, "organisations"),
        ({"datasets": []}, "datasets"),
        ({"datasets": [{"contract": "a.b", "columns": []}]}, "datasets"),
        ({"datasets": [{"contract": "a.b", "columns": "*"}]}, "datasets"),
        ({"datasets": [{"contract": "a.b", "columns": ["x"], "all": True}]}, "datasets"),
        ({"datasets": [{"contract": "a.b", "columns": ["x"], "publishers": []}]}, "datasets"),
        ({"datasets": [{"contract": "a.b", "columns": ["x"], "publishers": "police"}]}, "datasets"),
        ({"datasets": [{"contract": "a.b", "columns": ["x"], "publishers": ["The Police"]}]}, "datasets"),
        ({"datasets": [{"contract": "a.b", "columns": ["x"], "publishers": ["*"]}]}, "datasets"),
        ({"datasets": [{"contract": "hub.people", "columns": ["x"], "publishers": ["police"]}]}, "datasets"),
        ({"start": "2026-13-45"}, "start"),
        ({"start": "2026-01-01T00:00:00"}, "start"),
        ({"start": 20260101}, "start"),
        ({"end": "2025-12-31"}, "end"),
        ({"retention_days": 0}, "retention_days"),
        ({"retention_days": "730"}, "retention_days"),
        ({"retention_days": 1.5}, "retention_days"),
        ({"retention_days": True}, "retention_days"),
        ({"minimum_count": 0}, "minimum_count"),
        ({"round_to": 0}, "round_to"),
        ({"state": "active"}, "state"),
        ({"approved_by": "me"}, "approved_by"),
        ({"operations": ["read person"]}, "operations"),
        ({"legal_power": "dea-debt", "objective": "public-sector-fraud"}, "objective"),
        ({"legal_power": "dea-public-service-delivery"}, "objective"),
        ({"opt_out": "does not apply"}, "opt_out_reason"),
        ({"opt_out": "applies", "individual_care": True}, "opt_out"),
        ({"opt_out": "perhaps"}, "opt_out"),
        ({"individual_care": "yes"}, "individual_care"),
        ({"review_date": "2100-01-01"}, "review_date"),
        ({"listed_bodies": {"mallory": "entry 7"}}, "listed_bodies"),
        ({"results_at_end": "kept"}, "results_at_end"),
        ({"retention_trigger": "never"}, "retention_trigger"),
        ({"version": 7}, "version"),
        ({"signed_by": ["police"]}, "signed_by"),
        ({"trouble": ""}, "trouble"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(changes: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        load_agreement(_changed(**changes))
    assert set(refused.value.fields) == {field}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "mapping"),
        ("just words", "mapping"),
        ("[1, 2]", "mapping"),
        ("null", "mapping"),
        ("a: b: c", "line 1"),
        ("a: [", "line"),
        ("---\na: 1\n---\nb: 2", "cannot be used"),
        ("\x07", "cannot be used"),
        ("[" * 5000, "deep"),
        ("{a: " * 5000, "deep"),
        ("a: !!python/object/apply:os.system [ls]", "cannot be used"),
        ("a: !!python/name:os.system", "cannot be used"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "aliases"),
        ("? [a]\n: b", "keys must be text"),
        ("7: x", "keys must be text"),
        ("a: 1\na: 2", "stands twice"),
        ("x: " + "9" * 5000, "number too long"),
        ("x: .nan", "NaN"),
        ('x: "a\\0b"', "cannot be printed"),
        ('x: "a\\ud800b"', "cannot be printed"),
        ('x: ["\\e[2J"]', "cannot be printed"),
        ('"\\0": 1', "cannot be printed"),
        ("x: " + "a" * 200_001, "at most"),
        ("\n".join(f"k{n}: 1" for n in range(30_000)), "cannot be used|at most"),
    ],
    ids=lambda value: repr(value)[:25],
)
def test_a_document_that_is_none_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        load_agreement(text)


def test_columns_named_twice_cannot_hide_what_is_given() -> None:
    """A reader sees the first list, a careless parser takes the last."""
    text = AGREEMENT.replace("    columns:", "    columns: [team]\n    columns:")
    with pytest.raises(Invalid, match="'columns' stands twice"):
        load_agreement(text)


def test_a_dataset_named_twice_gives_the_columns_of_both() -> None:
    terms = [{"contract": "a.b", "columns": ["x"]}, {"contract": "a.b", "columns": ["y"]}]
    assert load_agreement(_changed(datasets=terms)).columns_of("a.b") == {"x", "y"}


def test_an_entry_is_about_the_publishers_it_names_else_about_the_controllers() -> None:
    terms = [
        {"contract": "a.b", "columns": ["x"]},
        {"contract": "a.b", "columns": ["y"], "publishers": ["housing", "county", "housing"]},
        {"contract": "hub.people", "columns": ["z"]},
    ]
    agreement = load_agreement(_changed(datasets=terms, controllers=["police", "The Council"]))
    assert agreement.publishers_of("a.b") == ("police", "The Council", "housing", "county")
    assert agreement.columns_from("a.b", "police") == {"x"}
    assert agreement.columns_from("a.b", "county") == {"y"}
    assert agreement.columns_from("a.b", "mallory") == frozenset()
    assert agreement.publishers_of("hub.people") == ("hub",)
    assert agreement.columns_from("hub.people", "police") == frozenset()


def test_names_in_other_scripts_are_read() -> None:
    assert (
        load_agreement(_changed(title="Cynghrair Llŷn – «Ўсходні» 共有")).title
        == "Cynghrair Llŷn – «Ўсходні» 共有"
    )


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda data: data.decode("latin-1")))
def test_any_text_is_an_agreement_or_refused(text: str) -> None:
    try:
        assert isinstance(load_agreement(text), Agreement)
    except Invalid as refused:
        assert len(refused.detail) > 10


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    ),
    st.sampled_from([*REQUIRED, "roles", "plugins", "minimum_count", "round_to", "dpia"]),
)
def test_any_value_in_any_field_is_read_or_refused_by_that_field(value: object, name: str) -> None:
    try:
        load_agreement(_changed(**{name: value}))
    except Invalid as refused:
        assert (
            not refused.fields
            or name in refused.fields
            or "operations" in refused.fields
            or "end" in refused.fields
        )


def test_states_change_only_along_their_table() -> None:
    for state in AgreementState:
        for act in ("submit", "return", "approve", "sign", "activate", "withdraw", "expire", "revive"):
            if (state, act) in TRANSITIONS:
                assert move(state, act) is TRANSITIONS[state, act]
            else:
                with pytest.raises(KeyError):
                    move(state, act)
    reached = {TRANSITIONS[state, act] for state, act in TRANSITIONS}
    into_force = [pair for pair, after in TRANSITIONS.items() if after is AgreementState.ACTIVE]
    assert into_force == [(AgreementState.AGREED, "activate"), (AgreementState.ACTIVE, "sign")]
    assert [pair for pair, after in TRANSITIONS.items() if after is AgreementState.DRAFT] == [
        (AgreementState.IN_REVIEW, "return")
    ]
    assert reached == set(AgreementState), "every state can be reached"
    assert not {state for state, _ in TRANSITIONS} & {AgreementState.WITHDRAWN, AgreementState.EXPIRED}, (
        "ended is ended"
    )


def test_operations_have_each_a_name_of_their_own() -> None:
    assert len(set(OPERATIONS)) == len(OPERATIONS)
