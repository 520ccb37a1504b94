"""Who lives with whom, rule by rule."""

from __future__ import annotations

from collections import defaultdict

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Invalid
from hub.linkage.households import MEMBERSHIP, HouseholdsFormed, form_households

Person = tuple[str, str | None, str | None, str | None]
"""Id, surname, postcode, UPRN."""


def people(*rows: Person) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    names = ("person_id", "surname", "postcode", "uprn")
    return pa.table(
        {name: pa.array(values, pa.string()) for name, values in zip(names, columns, strict=True)}
    )


def homes(formed: HouseholdsFormed) -> list[list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for row in formed.membership.to_pylist():
        found[row["household_id"]].append(row["person_id"])
    return sorted(found.values())


def basis(formed: HouseholdsFormed) -> dict[str, str]:
    return {row["person_id"]: row["basis"] for row in formed.membership.to_pylist()}


def test_people_at_one_property_are_a_household_whatever_their_names() -> None:
    formed = form_households(
        people(("a", "Bell", "ZX1 1AA", "1"), ("b", "Lee", "ZX1 1AA", "1"), ("c", "Bell", "ZX1 1AA", "2"))
    )
    assert homes(formed) == [["a", "b"], ["c"]]
    assert set(basis(formed).values()) == {"uprn"}
    assert (formed.summary.households, formed.summary.shared, formed.summary.largest) == (2, 1, 2)
    assert formed.membership.schema == MEMBERSHIP


def test_without_a_property_postcode_and_surname_decide() -> None:
    formed = form_households(
        people(("a", "Bell", "ZX1 1AA", None), ("b", "BELL", "zx11aa", None), ("c", "Lee", "ZX1 1AA", None))
    )
    assert homes(formed) == [["a", "b"], ["c"]]
    assert set(basis(formed).values()) == {"postcode and surname"}


def test_they_join_the_one_property_of_that_name_in_the_postcode() -> None:
    at_home = [("a", "Bell", "ZX1 1AA", "1"), ("b", "Lee", "ZX1 1AA", "2")]
    formed = form_households(people(*at_home, ("c", "Bell", "ZX1 1AA", None)))
    assert homes(formed) == [["a", "c"], ["b"]]
    assert basis(formed)["c"] == "postcode and surname"


def test_but_not_when_two_properties_have_it() -> None:
    at_home = [("a", "Bell", "ZX1 1AA", "1"), ("b", "Bell", "ZX1 1AA", "2")]
    formed = form_households(people(*at_home, ("c", "Bell", "ZX1 1AA", None)))
    assert homes(formed) == [["a"], ["b"], ["c"]]


def test_people_without_an_address_are_alone() -> None:
    formed = form_households(
        people(("a", "Bell", None, None), ("b", "Bell", None, None), ("c", None, "ZX1 1AA", None))
    )
    assert homes(formed) == [["a"], ["b"], ["c"]]
    assert set(basis(formed).values()) == {"none"}


def test_an_institution_is_no_household() -> None:
    crowd = [(f"p{number:02}", "Bell", "ZX1 1AA", "1") for number in range(16)]
    formed = form_households(people(*crowd))
    assert formed.summary.households == 16
    assert formed.summary.communal_properties == 1
    assert formed.summary.by_basis == {"communal": 16}
    assert form_households(people(*crowd), communal_above=16).summary.households == 1


def test_ids_stay_with_most_of_the_members() -> None:
    before = form_households(
        people(*[(p, "Bell", "ZX1 1AA", "1") for p in "abc"], ("d", "Lee", "ZX2 2BB", "2"))
    )
    after = form_households(
        people(
            *[(p, "Bell", "ZX3 3CC", "3") for p in "ab"],
            ("c", "Bell", "ZX1 1AA", "1"),
            ("d", "Lee", "ZX3 3CC", "3"),
        ),
        before.membership,
    )
    was = {row["person_id"]: row["household_id"] for row in before.membership.to_pylist()}
    now = {row["person_id"]: row["household_id"] for row in after.membership.to_pylist()}
    assert now["a"] == now["b"] == now["d"] == was["a"]
    assert now["c"] not in was.values()
    assert (after.summary.kept, after.summary.new, after.summary.gone) == (1, 1, 1)


def test_wrong_tables_are_refused_in_plain_words() -> None:
    with pytest.raises(Invalid, match="lack the columns uprn"):
        form_households(people(("a", "Bell", None, None)).drop_columns(["uprn"]))
    with pytest.raises(Invalid, match="more than once"):
        form_households(people(("a", "Bell", None, None), ("a", "Bell", None, None)))
    with pytest.raises(Invalid, match="membership before"):
        form_households(people(("a", "Bell", None, None)), pa.table({"person_id": ["a"]}))


def test_nobody_makes_no_household() -> None:
    assert form_households(people()).summary.households == 0


_person = st.tuples(
    st.sampled_from([None, "Bell", "Lee"]),
    st.sampled_from([None, "ZX1 1AA", "ZX2 2BB"]),
    st.sampled_from([None, "1", "2"]),
)


@given(st.lists(_person, max_size=25), st.integers(1, 20))
def test_everyone_has_one_household_and_a_second_forming_changes_nothing(
    described: list[tuple[str | None, str | None, str | None]], communal_above: int
) -> None:
    table = people(*[(f"p{number:02}", *rest) for number, rest in enumerate(described)])
    formed = form_households(table, communal_above=communal_above)
    assert formed.membership["person_id"].to_pylist() == table["person_id"].to_pylist()
    assert sum(formed.summary.by_basis.values()) == len(described)
    again = form_households(table, formed.membership, communal_above=communal_above)
    assert again.membership.equals(formed.membership)
    assert again.summary.new == again.summary.gone == 0
