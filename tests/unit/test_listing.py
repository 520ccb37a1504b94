"""Who finds a dataset: the rule by itself."""

from datetime import date

import pytest

from hub.identity.principal import Principal
from hub.policy.agreement import load_agreement
from hub.policy.listing import Sight, may_describe, sight
from support.staged import AGREEMENT

ON = date(2026, 3, 2)


def somebody(slug: str, *roles: str) -> Principal:
    return Principal("person", "p", "p", f"org-{slug}", slug, frozenset(roles))


SHARED = load_agreement(AGREEMENT.replace("organisations: [police]", "organisations: [council]"))


@pytest.mark.parametrize(
    ("who", "finds"),
    [
        (somebody("police", "analyst"), True),  # its own
        (somebody("council", "service user"), True),  # a party to the agreement
        (somebody("health", "analyst"), False),
        (somebody("health", "operator", "data steward"), False),
        (somebody("health", "auditor"), True),
        (somebody("hub", "operator"), True),
        (somebody("hub", "analyst"), False),
        (somebody("", "analyst"), False),
        (Principal("system", "command-line", "", "", "hub", frozenset({"operator"})), True),
        (Principal("system", "worker", "", "", "", frozenset()), False),
    ],
)
def test_a_private_dataset_is_there_for_those_concerned(who: Principal, finds: bool) -> None:
    seen = sight(who, [SHARED])
    assert seen.sees("private", "police.establishment", "police") is finds
    assert seen.sees("listed", "police.establishment", "police")


def test_an_agreement_shows_what_it_names_and_nothing_else() -> None:
    seen = sight(somebody("council", "analyst"), [SHARED])
    assert not seen.sees("private", "police.incidents", "police")
    assert not seen.sees("private", "police.establishment", "health")
    assert not sight(somebody("council", "analyst"), []).sees("private", "police.establishment", "police")


@pytest.mark.parametrize("word", ["", "Listed", "hidden", "PRIVATE"])
def test_a_word_that_is_not_listed_counts_as_private(word: str) -> None:
    assert not Sight(False, "council").sees(word, "a.b", "police")


def test_nobody_without_an_organisation_owns_what_nobody_publishes() -> None:
    assert not Sight(False, "").sees("private", "a.b", "")


def test_only_data_stewards_of_the_publisher_describe_a_dataset() -> None:
    assert may_describe(somebody("police", "data steward"), "police")
    assert not may_describe(somebody("police", "analyst", "operator"), "police")
    assert not may_describe(somebody("council", "data steward"), "police")
    assert not may_describe(somebody("hub", "data steward", "operator"), "police")
    assert not may_describe(somebody("", "data steward"), "")
