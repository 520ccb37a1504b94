"""The person index, rule by rule, on handfuls of made-up records."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from datetime import date
from itertools import count
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.errors import Invalid, NotFound, Unavailable
from hub.linkage.joins import explain_pair
from hub.linkage.people import INDEX, PEOPLE, RECORDS, PeopleLinked, link_people


def nhs(first_nine: int) -> str:
    """The NHS number that begins with these nine digits (which must have a check digit)."""
    digits = f"{first_nine:09d}"
    check = -sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=True)) % 11
    assert check != 10
    return f"{digits}{check}"


def upn(number: int) -> str:
    """A UPN of an authority that does not exist, with this serial number."""
    digits = f"899{number:09d}"
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(2, 14), strict=True))
    return "ABCDEFGHJKLMNPQRTUVWXYZ"[total % 23] + digits


def person(**changes: Any) -> dict[str, Any]:
    """A full description, with these changes."""
    described: dict[str, Any] = {
        "dataset": "health",
        "forename": "Martha",
        "surname": "Ashdown",
        "date_of_birth": date(1981, 4, 23),
        "sex": "F",
        "postcode": "ZX1 2AB",
        "uprn": "990000000001",
    }
    return described | changes


def table(*rows: dict[str, Any]) -> pa.Table:
    numbers: dict[str, count[int]] = defaultdict(lambda: count(1))
    full = []
    for row in rows:
        number = next(numbers[row["dataset"]])
        key = {"record_key": f"{row['dataset']}:{number}", "version_id": "v1", "row_number": number}
        full.append(key | row)
    return pa.Table.from_pylist(full, schema=RECORDS)


def link(*rows: dict[str, Any], **options: Any) -> PeopleLinked:
    return link_people(table(*rows), **options)


def groups(linked: PeopleLinked) -> list[list[str]]:
    """The record keys of each person, sorted."""
    found: dict[str, list[str]] = defaultdict(list)
    for key, identity in zip(
        linked.index["record_key"].to_pylist(), linked.index["person_id"].to_pylist(), strict=True
    ):
        found[identity].append(key)
    return sorted(sorted(keys) for keys in found.values())


def one_person(linked: PeopleLinked) -> bool:
    return len(groups(linked)) == 1


def methods(linked: PeopleLinked) -> dict[str, str]:
    return dict(zip(linked.index["record_key"].to_pylist(), linked.index["method"].to_pylist(), strict=True))


# Identifiers


def test_the_same_nhs_number_joins_through_a_new_name_and_address() -> None:
    linked = link(
        person(nhs_number=nhs(999100000)),
        person(
            dataset="children",
            surname="Bell",
            postcode="ZX4 9ZZ",
            uprn="990000000099",
            nhs_number=nhs(999100000),
        ),
    )
    assert one_person(linked)
    assert set(methods(linked).values()) == {"identifier"}
    assert linked.index["probability"].null_count == 2
    assert linked.summary.by_identifier == 2


@pytest.mark.parametrize(
    "written", [nhs(999100000), f" {nhs(999100000)[:3]} {nhs(999100000)[3:6]}-{nhs(999100000)[6:]}"]
)
def test_spaces_and_hyphens_in_an_identifier_do_not_matter(written: str) -> None:
    linked = link(
        person(nhs_number=nhs(999100000), date_of_birth=None, postcode=None, uprn=None, sex=None),
        person(
            dataset="children", nhs_number=written, forename="M", surname="Bell", uprn=None, postcode=None
        ),
    )
    assert one_person(linked)


def test_an_identifier_with_a_wrong_check_digit_neither_joins_nor_keeps_apart() -> None:
    right, wrong = nhs(999100000), nhs(999100000)[:-1] + str((int(nhs(999100000)[-1]) + 1) % 10)
    other = {"forename": "Oscar", "surname": "Bell", "date_of_birth": date(1950, 1, 2), "sex": "M"}
    assert not one_person(
        link(person(nhs_number=wrong), person(dataset="children", nhs_number=wrong, **other))
    )
    assert one_person(link(person(nhs_number=right), person(dataset="children", nhs_number=wrong)))


def test_a_temporary_upn_neither_joins_nor_keeps_apart() -> None:
    temporary = upn(1)[:-1] + "A"
    pupil = {"dataset": "schools", "date_of_birth": date(2014, 2, 3)}
    assert one_person(link(person(upn=upn(1), **pupil), person(upn=temporary, **pupil)))
    assert not one_person(
        link(
            person(upn=temporary, **pupil),
            person(upn=temporary, **pupil | {"forename": "Tom", "surname": "Lee"}),
        )
    )


def test_an_identifier_of_two_clearly_different_people_is_a_conflict_and_joins_neither() -> None:
    linked = link(
        person(nhs_number=nhs(999100000)),
        person(
            dataset="children",
            forename="Oscar",
            surname="Bell",
            sex="M",
            date_of_birth=date(1950, 1, 2),
            nhs_number=nhs(999100000),
        ),
    )
    assert not one_person(linked)
    assert linked.summary.conflicts == {"nhs_number": 1, "upn": 0, "nino": 0}
    assert linked.people["nhs_number"].null_count == 2, "an identifier in conflict is nobody's"


def test_in_a_conflict_the_identifier_stays_with_those_who_agree_and_are_the_most() -> None:
    stranger = {"forename": "Oscar", "surname": "Bell", "sex": "M", "date_of_birth": date(1950, 1, 2)}
    linked = link(
        person(nhs_number=nhs(999100000)),
        person(dataset="children", postcode="ZX4 9ZZ", uprn=None, nhs_number=nhs(999100000)),
        person(dataset="police", nhs_number=nhs(999100000), **stranger),
    )
    assert groups(linked) == [["children:1", "health:1"], ["police:1"]]
    assert linked.summary.conflicts["nhs_number"] == 1


def test_a_filler_identifier_shared_by_many_joins_nobody() -> None:
    crowd = [
        person(
            nhs_number=nhs(999100000),
            forename=f"{'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[n]}ovid",
            surname=f"{'ZYXWVUTSRQPONMLKJIHGFEDCBA'[n]}elstrom",
            date_of_birth=date(1930 + 3 * n, 1 + n % 12, 1 + n),
            uprn=str(n),
            postcode=None,
        )
        for n in range(26)
    ]
    linked = link(*crowd)
    assert linked.summary.people == 26
    assert linked.summary.conflicts["nhs_number"] == 1


def test_two_different_nhs_numbers_are_two_people_whatever_else_agrees() -> None:
    linked = link(person(nhs_number=nhs(999100000)), person(dataset="children", nhs_number=nhs(999100004)))
    assert not one_person(linked)
    assert linked.summary.refused == 1


def test_two_ninos_a_transposition_apart_do_not_keep_apart_what_otherwise_agrees() -> None:
    claims = [person(dataset="benefits", nino=nino) for nino in ("MW123456A", "MW124356A")]
    assert one_person(link(*claims))
    claims = [person(dataset="benefits", nino=nino) for nino in ("MW123456A", "MW987654A")]
    assert not one_person(link(*claims))


# Twins, namesakes, families


@pytest.mark.parametrize(
    "forenames",
    [("Mia", "Tia"), ("Jack", "Jake"), ("Oliver", "Olivia"), ("Amir", "Yusuf"), ("Zorvan", "Melkin")],
)
def test_twins_never_become_one_person(forenames: tuple[str, str]) -> None:
    twin = {"date_of_birth": date(2015, 6, 1), "sex": None}
    rows = [
        person(dataset=dataset, forename=forename, **twin)
        for dataset in ("health", "schools", "housing")
        for forename in forenames
    ]
    assert len(groups(link(*rows))) == 2


def test_twins_do_not_merge_even_under_one_identifier() -> None:
    twin = {"date_of_birth": date(2015, 6, 1), "nhs_number": nhs(999100000)}
    linked = link(person(forename="Jack", **twin), person(dataset="children", forename="Jake", **twin))
    assert not one_person(linked)
    assert linked.summary.conflicts["nhs_number"] == 1


def test_father_and_son_of_one_name_in_one_home_stay_two() -> None:
    father, son = (
        {"date_of_birth": date(1960, 5, 12), "sex": "M"},
        {"date_of_birth": date(1990, 5, 12), "sex": "M"},
    )
    rows = [
        person(dataset=dataset, forename="John", **who)
        for dataset in ("health", "housing")
        for who in (father, son)
    ]
    assert groups(link(*rows)) == [["health:1", "housing:1"], ["health:2", "housing:2"]]


def test_a_record_that_fits_two_brothers_equally_is_given_to_neither() -> None:
    brothers = [
        person(dataset=dataset, forename=forename, sex="M", date_of_birth=date(2015, 6, 1))
        for dataset in ("health", "schools")
        for forename in ("Jack", "Jude")
    ]
    linked = link(*brothers, person(dataset="police", forename="J", sex=None, date_of_birth=date(2015, 6, 1)))
    assert ["police:1"] in groups(linked)
    assert len(groups(linked)) == 3
    assert linked.summary.ambiguous > 0


# What the model sees through


@pytest.mark.parametrize(
    "slip",
    [
        {"forename": "Ashdown", "surname": "Martha"},
        {"forename": "Matrha"},
        {"forename": "M"},
        {"forename": "MARTHA JANE"},
        {"surname": "Ashdwon"},
        {"surname": "Ashdown-Bell"},
        {"surname": "ÁSHDOWN"},
        {"surname": "Bell"},
        {"date_of_birth": date(1981, 4, 28)},
        {"date_of_birth": date(1981, 1, 1)},
        {"date_of_birth": None},
        {"postcode": "ZX9 9ZZ", "uprn": "990000009999"},
        {"postcode": None, "uprn": None},
        {"sex": None},
    ],
    ids=lambda slip: "+".join(f"{name}={value}" for name, value in slip.items()),
)
def test_one_slip_in_a_full_description_does_not_split_a_person(slip: dict[str, Any]) -> None:
    linked = link(person(), person(dataset="police", **slip))
    assert one_person(linked)
    assert set(methods(linked).values()) == {"model"}
    assert min(linked.index["probability"].to_pylist()) >= 0.95


def test_day_and_month_changed_places_are_seen_through() -> None:
    assert one_person(
        link(person(date_of_birth=date(1981, 4, 7)), person(dataset="police", date_of_birth=date(1981, 7, 4)))
    )


@pytest.mark.parametrize(
    ("name", "familiar"), [("Robert", "Bob"), ("Nicola", "Nicky"), ("Nicholas", "Nicky")]
)
def test_familiar_forms_are_the_same_name(name: str, familiar: str) -> None:
    assert one_person(
        link(person(forename=name, sex=None), person(dataset="police", forename=familiar, sex=None))
    )


def test_strangers_stay_apart() -> None:
    rows = [
        person(),
        person(dataset="housing", forename="Petra", date_of_birth=date(1979, 8, 2)),
        person(dataset="police", surname="Bell", date_of_birth=date(1966, 2, 9), uprn=None, postcode=None),
    ]
    assert len(groups(link(*rows))) == 3


def test_records_that_name_nobody_are_left_out_and_counted() -> None:
    nobody: dict[str, Any] = {"dataset": "police", "postcode": "ZX1 2AB", "uprn": "990000000001"}
    linked = link(
        person(), nobody, nobody | {"forename": "Unknown"}, nobody | {"forename": "-", "surname": "Mr"}
    )
    assert linked.summary.without_person == 3
    assert linked.index["record_key"].to_pylist() == ["health:1"]
    assert methods(linked) == {"health:1": "single"}


def test_the_same_description_again_and_again_is_compared_once() -> None:
    terms = [person(dataset="schools", upn=upn(7)) for _ in range(3)]
    linked = link(*terms, *[person(dataset="police") for _ in range(4)])
    assert linked.summary.descriptions == 2
    assert one_person(linked)
    assert methods(linked)["schools:3"] == "identifier"
    assert methods(linked)["police:4"] == "model"


# Ids that stay


def test_ids_are_kept_from_the_index_before() -> None:
    rows = [
        person(),
        person(dataset="housing"),
        person(dataset="police", forename="Tom", surname="Lee", sex="M"),
    ]
    before = link(*rows)
    after = link(*rows, person(dataset="schools"), previous=before.index)
    ids = dict(zip(after.index["record_key"].to_pylist(), after.index["person_id"].to_pylist(), strict=True))
    assert [ids[key] for key in before.index["record_key"].to_pylist()] == before.index[
        "person_id"
    ].to_pylist()
    assert ids["schools:1"] == ids["health:1"]
    assert (after.summary.kept, after.summary.new, after.summary.gone) == (2, 0, 0)


def test_ids_say_nothing_about_the_person() -> None:
    first, second = link(person()), link(person())
    assert first.index["person_id"].to_pylist() != second.index["person_id"].to_pylist()


# Best-known values


def test_the_best_known_values_are_those_most_datasets_give() -> None:
    linked = link(
        person(nhs_number=nhs(999100000), as_at=date(2025, 1, 1)),
        person(dataset="housing", forename="martha", as_at=date(2026, 1, 1)),
        person(dataset="police", forename="Matrha", date_of_birth=date(1981, 4, 28), as_at=date(2026, 2, 1)),
    )
    (known,) = linked.people.to_pylist()
    assert linked.people.schema == PEOPLE
    assert known["forename"].lower() == "martha"
    assert (known["date_of_birth"], known["sex"], known["datasets"]) == (date(1981, 4, 23), "F", 3)
    assert (known["nhs_number"], known["postcode"]) == (nhs(999100000), "ZX1 2AB")


def test_a_recent_address_outweighs_two_stale_ones() -> None:
    old = {"as_at": date(2018, 1, 1)}
    linked = link(
        person(**old),
        person(dataset="housing", **old),
        person(dataset="schools", postcode="ZX4 9ZZ", uprn="990000000099", as_at=date(2026, 1, 1)),
    )
    (known,) = linked.people.to_pylist()
    assert (known["uprn"], known["postcode"]) == ("990000000099", "ZX4 9ZZ")


# Why, and how it behaves


def test_a_join_can_be_explained_without_the_values() -> None:
    linked = link(
        person(nhs_number=nhs(999100000)),
        person(dataset="children", surname="Bell", nhs_number=nhs(999100000)),
        person(dataset="police", forename="Matrha"),
    )
    (step,) = explain_pair(linked.joins, "children:1", "health:1")
    assert (step.rule, step.evidence) == ("nhs_number", ())
    steps = explain_pair(linked.joins, "children:1", "police:1")
    assert [s.rule for s in steps][-1] == "model"
    evidence = {found.field: found for found in steps[-1].evidence}
    assert evidence["forename"].agreement == "a slip apart"
    assert evidence["date_of_birth"].bits > 10
    written = (
        repr(linked.joins.to_pylist()).lower() + repr(linked.model).lower() + repr(linked.summary).lower()
    )
    assert not [
        value for value in ("martha", "matrha", "ashdown", "990000000001", "1981") if value in written
    ]


def test_explaining_two_different_people_says_that_nothing_joins_them() -> None:
    linked = link(person(), person(dataset="police", forename="Tom", surname="Lee", sex="M"))
    with pytest.raises(NotFound, match="Nothing joins these two records"):
        explain_pair(linked.joins, "health:1", "police:1")


def test_no_records_give_no_people() -> None:
    linked = link_people(table())
    assert (len(linked.index), len(linked.people), linked.summary.people) == (0, 0, 0)
    assert linked.index.schema == INDEX


def test_wrong_tables_are_refused_in_plain_words() -> None:
    good = table(person())
    with pytest.raises(Invalid, match="lack the columns uprn"):
        link_people(good.drop_columns(["uprn"]))
    with pytest.raises(Invalid, match="share record keys"):
        link_people(pa.concat_tables([good, good]))
    with pytest.raises(Invalid, match="index of the last linkage"):
        link_people(good, previous=pa.table({"record_key": ["health:1"]}))


def test_too_little_memory_is_said_without_quoting_anybody() -> None:
    rows = [person(dataset="police", forename=f"Canary{n}", surname="Quillfeather") for n in range(3000)]
    with pytest.raises(Unavailable, match="more memory") as refused:
        link(*rows, memory_mb=8)
    assert "quillfeather" not in str(refused.value).lower()


_QUIET = """
import datetime, sys
import pyarrow as pa
from hub.linkage.people import RECORDS, link_people
rows = [
    dict(record_key=f"a:{n}", dataset="a", version_id="v", row_number=n, forename=f"Canary{n % 90}", sex="F",
         surname=f"Quill{n % 37}", date_of_birth=datetime.date(1950, 1, 1) + datetime.timedelta(days=n % 400))
    for n in range(900)
]
linked = link_people(pa.Table.from_pylist(rows, schema=RECORDS))
assert linked.summary.trained
"""


def test_linking_prints_nothing_and_leaves_no_file(tmp_path: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _QUIET],
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join(filter(None, sys.path)), "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.rglob("*")) == []


_described = st.fixed_dictionaries(
    {
        "dataset": st.sampled_from(["health", "schools", "police"]),
        "forename": st.none() | st.sampled_from(["Mia", "Tia", "Jack", "Jake", "M", "J"]),
        "surname": st.none() | st.sampled_from(["Ashdown", "Ashdown-Bell", "Bell"]),
        "date_of_birth": st.none() | st.sampled_from([date(2015, 6, 1), date(2015, 1, 6), date(1985, 6, 1)]),
        "uprn": st.none() | st.sampled_from(["1", "2"]),
        "nhs_number": st.none() | st.sampled_from([nhs(999100000), nhs(999100004), nhs(999100003)]),
        "upn": st.none() | st.sampled_from([upn(1), upn(2)]),
    }
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_described, max_size=14))
def test_whatever_comes_every_record_has_one_person_and_forenames_of_twins_never_meet(
    rows: list[dict[str, Any]],
) -> None:
    records = table(*rows)
    linked = link_people(records)
    keys = linked.index["record_key"].to_pylist()
    assert len(keys) == len(set(keys)) == len(records) - linked.summary.without_person
    assert set(keys) <= set(records["record_key"].to_pylist())
    assert set(linked.index["person_id"].to_pylist()) == set(linked.people["person_id"].to_pylist())
    forename = dict(zip(records["record_key"].to_pylist(), records["forename"].to_pylist(), strict=True))
    for group in groups(linked):
        seen = {forename[key] for key in group}
        assert not {"Mia", "Tia"} <= seen
        assert not {"Jack", "Jake"} <= seen
