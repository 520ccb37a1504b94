"""The people of the synthetic borough: families, names, identifiers and needs as a borough has them."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date

import numpy as np
import polars as pl
import pytest

from hub.demo import borough
from hub.demo.borough import identifiers, places, write
from hub.demo.borough.population import (
    CHILD,
    FOSTER,
    GRANDPARENT,
    GROWN,
    PARTNER,
    Block,
    kind,
    whole_years,
)
from hub.demo.borough.terms import last_mondays, last_terms

TODAY = borough.TODAY
UPN_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"


@pytest.fixture(scope="module")
def block() -> Block:
    return next(write.blocks(20_000, 2026, TODAY))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> borough.BoroughSummary:
    return borough.generate(tmp_path_factory.mktemp("borough"), people=20_000)


def truth(made: borough.BoroughSummary, name: str) -> pl.DataFrame:
    frame = pl.read_parquet(made.directory / "truth" / f"{name}.parquet")
    return frame.with_columns(pl.col(pl.Categorical).cast(pl.String))


@pytest.fixture(scope="module")
def sound(made: borough.BoroughSummary) -> dict[str, pl.DataFrame]:
    """The rows without a planted fault, with who they are truly about."""
    rows, faults = truth(made, "rows"), truth(made, "faults")
    frames = {}
    for name in made.rows:
        frame = pl.read_csv(made.path(name), infer_schema=False).with_row_index("row_number", offset=1)
        frame = frame.with_columns(pl.col("row_number").cast(pl.Int64))
        who = rows.filter(pl.col("dataset") == name).drop("dataset")
        bad = faults.filter(pl.col("dataset") == name)
        frames[name] = frame.join(who, on="row_number").join(bad, on="row_number", how="anti")
    return frames


def nhs_number_holds(number: str) -> bool:
    check = (
        11 - sum(int(digit) * weight for digit, weight in zip(number[:9], range(10, 1, -1), strict=True)) % 11
    )
    return len(number) == 10 and check != 10 and check % 11 == int(number[9])


def upn_holds(upn: str) -> bool:
    values = [int(sign) if sign.isdigit() else UPN_LETTERS.index(sign) for sign in upn[1:]]
    return (
        upn[0]
        == UPN_LETTERS[sum(value * weight for value, weight in zip(values, range(2, 14), strict=True)) % 23]
    )


# ---- identifiers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 899_000, 9_999_000])
def test_nhs_numbers_hold_their_check_digit_and_are_in_no_issued_range(start: int) -> None:
    numbers = identifiers.nhs_numbers(np.arange(start, start + 1_000))
    assert all(nhs_number_holds(number) for number in numbers)
    assert all(number.startswith("999" if start + at < 899_991 else "9") for at, number in enumerate(numbers))


def test_nhs_numbers_never_repeat_across_the_test_range_and_beyond() -> None:
    numbers = set(identifiers.nhs_numbers(np.arange(910_000)))
    assert len(numbers) == 910_000
    assert "9999999999" not in numbers  # right in form, but no number by the rules


def test_upns_whole_and_temporary_hold_their_check_letter() -> None:
    people, years = np.arange(2_000), 2000 + np.arange(2_000) % 26
    whole, temporary = identifiers.upns(people, years), identifiers.temporary_upns(people, years)
    assert all(upn_holds(upn) for upn in [*whole, *temporary])
    assert all(upn[1:4] == identifiers.UPN_AUTHORITY for upn in [*whole, *temporary])
    assert all(upn[-1].isdigit() for upn in whole)
    assert all(upn[-1].isalpha() for upn in temporary)
    assert len({*whole, *temporary}) == 4_000


def test_ninos_are_right_in_form_and_their_prefixes_are_given_to_nobody() -> None:
    ninos = identifiers.ninos(np.arange(0, 6_000_000, 1_999))
    pattern = pl.Series(ninos.tolist()).str.contains(r"^(MW|CR|PP|PZ|NC|PY)\d{6}[A-D]$")
    assert pattern.all()
    assert len(set(ninos)) == len(ninos)


def test_uprns_have_twelve_digits_and_never_repeat() -> None:
    uprns = identifiers.uprns(np.arange(200_000))
    assert all(len(uprn) == 12 and uprn.startswith("990") for uprn in uprns[::997])
    assert len(set(uprns)) == 200_000


def test_postcodes_are_right_in_form_and_lie_in_no_real_area() -> None:
    dwellings = np.arange(0, 4_400_000, 501)
    postcodes = pl.Series(places.postcodes(dwellings).tolist())
    assert postcodes.str.contains(r"^ZX[1-9][0-9]? [0-9][ABD-HJLNP-UW-Z]{2}$").all()


def test_a_postcode_is_one_side_of_one_street() -> None:
    dwellings = np.arange(720_000)
    streets = defaultdict(set)
    for postcode, street in zip(places.postcodes(dwellings), dwellings // 36, strict=True):
        streets[postcode].add(street)
    assert all(len(one) == 1 for one in streets.values())
    assert len(streets) == 40_000


# ---- families -------------------------------------------------------------------------------------


def test_households_have_the_sizes_of_a_british_borough(block: Block) -> None:
    sizes = block.households.size
    assert 2.1 <= sizes.mean() <= 2.6
    assert 0.25 <= (sizes == 1).mean() <= 0.4
    lone = (block.households.kind == kind("lone parent")).mean()
    assert 0.06 <= lone <= 0.11


def test_a_quarter_is_under_20_and_a_sixth_over_65(block: Block) -> None:
    ages = block.people.ages(TODAY)
    assert 0.2 <= (ages < 20).mean() <= 0.31
    assert 0.12 <= (ages > 65).mean() <= 0.24
    assert ages.min() >= 0
    assert ages.max() <= 105


def test_children_have_a_grown_up_at_home_who_is_old_enough_to_be_their_parent(block: Block) -> None:
    people = block.people
    oldest = np.full(len(block.households.number), -1)
    np.maximum.at(oldest, people.home, np.where(people.role <= PARTNER, people.ages(TODAY), -1))
    children = (people.role == CHILD) | (people.role == GROWN)
    assert (oldest[people.home[children]] - people.ages(TODAY)[children] >= 15).all()
    alive = np.isnat(people.died_on)
    carers = np.bincount(people.home[alive & (people.ages(TODAY) >= 18)], minlength=len(oldest))
    assert (carers[block.households.children > 0] > 0).all()


def test_brothers_and_sisters_have_different_names_and_only_twins_share_a_birthday(block: Block) -> None:
    people = block.people
    names, births = Counter(), defaultdict(list)
    for at in np.flatnonzero(people.role == CHILD):
        names[people.home[at], people.forename[at]] += 1
        births[people.home[at], people.born[at]].append(at)
    assert max(names.values()) == 1
    shared = [group for group in births.values() if len(group) > 1]
    assert len(shared) >= 20
    assert all(people.twin[group[-1]] and not people.twin[group[0]] for group in shared)
    assert sum(len(group) for group in shared) == 2 * people.twin.sum()


def test_many_twins_have_names_that_begin_alike(block: Block) -> None:
    people = block.people
    second = np.flatnonzero(people.twin)
    alike = [people.forename[at][0] == people.forename[at - 1][0] for at in second]
    assert np.mean(alike) > 0.3


def test_families_are_of_every_kind_that_linkage_finds_hard(block: Block) -> None:
    people, homes = block.people, block.households
    head = people.surname[np.searchsorted(people.home, people.home)]
    child = people.role == CHILD
    assert 0.1 < (people.surname[child] != head[child]).mean() < 0.6  # another surname than the first parent
    assert (people.role == GRANDPARENT).sum() > 100
    assert (people.role == FOSTER).sum() > 20
    shared = homes.kind == kind("room in a shared house")
    assert max(Counter(homes.dwelling[shared]).values()) >= 5  # households of one at one address
    recent = whole_years(people.renamed_on, np.datetime64(TODAY, "D"))[~np.isnat(people.renamed_on)] < 8
    assert recent.sum() > 200  # new married names
    assert 0.05 < (people.former_dwelling >= 0).mean() < 0.3  # moved in two years
    assert 50 < (~np.isnat(people.died_on)).sum() < 800


def test_some_sons_share_name_and_address_with_their_fathers(block: Block) -> None:
    people = block.people
    names = defaultdict(set)
    for at in range(len(people)):
        names[people.home[at], people.forename[at], people.surname[at]].add(people.born[at])
    assert sum(len(births) > 1 for births in names.values()) >= 10


def test_strangers_share_full_names_but_hardly_ever_a_birthday_too(block: Block) -> None:
    people = block.people
    full = Counter(zip(people.forename, people.surname, strict=True))
    assert sum(count for count in full.values() if count > 1) > 2_000
    assert full.most_common(1)[0][1] < 60
    dated = Counter(zip(people.forename, people.surname, people.born.astype(str), strict=True))
    assert sum(count - 1 for count in dated.values()) <= 3


def test_names_have_accents_apostrophes_and_hyphens(block: Block) -> None:
    surnames = "".join(block.people.surname)
    assert "'" in surnames
    assert "-" in surnames
    assert not surnames.isascii()


def test_every_name_is_written_as_a_name(block: Block) -> None:
    people = block.people
    for name in {*people.forename, *people.surname}:
        last = name.split(" ")[-1]
        assert last[0].isupper(), name
        assert name.replace("-", "").replace("'", "").replace(" ", "").isalpha(), name


def test_the_four_areas_share_the_people_as_planned(block: Block) -> None:
    areas = np.bincount(places.areas(block.people.dwelling), minlength=4) / len(block.people)
    assert np.allclose(areas, places.AREA_SHARES, atol=0.03)


# ---- what the departments know --------------------------------------------------------------------


def test_every_department_has_old_addresses_names_and_slips(made: borough.BoroughSummary) -> None:
    mistakes = truth(made, "mistakes").with_columns(pl.all().cast(pl.String))
    for name in ("schools.attendance", "housing.tenancies", "benefits.claims", "health.registrations"):
        kinds = set(mistakes.filter(pl.col("dataset") == name)["kind"])
        assert {"former address", "keyboard slip", "nickname", "names swapped", "wrong day"} <= kinds, name
    for name in ("housing.tenancies", "benefits.claims", "health.registrations", "police.incidents"):
        kinds = set(mistakes.filter(pl.col("dataset") == name)["kind"])
        assert {"former surname", "digits swapped"} <= kinds, name


def test_rows_without_a_mistake_say_what_is_true(made: borough.BoroughSummary, sound: dict) -> None:
    people = truth(made, "people")
    mistakes = truth(made, "mistakes")
    for name in ("schools.attendance", "health.registrations"):
        wrong = mistakes.filter(pl.col("dataset") == name)
        frame = sound[name].join(people, left_on="true_person_id", right_on="person_id", suffix="_true")
        for column in ("date_of_birth", "sex", "uprn"):
            rows = wrong.filter(pl.col("column") == column).select("row_number")
            clean = frame.join(rows, on="row_number", how="anti")
            assert (clean[column] == clean[f"{column}_true"].cast(pl.String)).all(), (name, column)
            spoiled = frame.join(rows, on="row_number", how="semi")
            assert (spoiled[column] != spoiled[f"{column}_true"].cast(pl.String)).mean() > 0.95, (
                name,
                column,
            )


def test_some_people_are_in_one_department_under_two_identifiers(sound: dict) -> None:
    for name, key in (("schools.attendance", "upn"), ("health.registrations", "local_id")):
        each = sound[name].group_by("true_person_id").agg(pl.col(key).n_unique())
        assert 0.002 < (each[key] > 1).mean() < 0.02, name


def test_optional_identifiers_are_sometimes_missing(sound: dict) -> None:
    for name, column, low, high in (
        ("children.in_need", "nhs_number", 0.12, 0.35),
        ("benefits.claims", "nino", 0.03, 0.08),
        ("health.registrations", "nhs_number", 0.01, 0.05),
    ):
        assert low < sound[name][column].is_null().mean() < high, name


# ---- needs ----------------------------------------------------------------------------------------


def tf2012_from_rows(sound: dict) -> dict[str, set[int]]:
    """Households that meet each criterion, worked out again from sound rows and who they are about."""
    pupils = (
        sound["schools.attendance"]
        .group_by("true_person_id")
        .agg(
            pl.col("true_household_id").first().alias("home"),
            pl.col("sessions_possible", "absence_unauthorised", "fixed_exclusions").cast(pl.Int64).sum(),
            pl.col("provision").is_in(["pru", "alternative"]).any().alias("elsewhere"),
            (pl.col("on_roll") == "false").any().alias("off_roll"),
        )
    )
    education = pupils.filter(
        pl.col("elsewhere")
        | pl.col("off_roll")
        | (pl.col("fixed_exclusions") >= 3)
        | (
            (pl.col("sessions_possible") > 0)
            & (pl.col("absence_unauthorised") >= 0.15 * pl.col("sessions_possible"))
        )
    )
    claims = sound["benefits.claims"].filter((pl.col("out_of_work") == "true") & pl.col("end_date").is_null())
    suspects = sound["police.incidents"].filter(
        (pl.col("involved_role") == "suspect") & (pl.col("occurred_at") >= "2025-09-01")
    )
    disorder = suspects.filter(pl.col("category") == "anti-social behaviour")
    young = suspects.filter((pl.col("outcome") == "proven offence") & pl.col("under_18"))
    return {
        "education": set(education["home"]),
        "out_of_work": set(claims["true_household_id"]),
        "crime_asb": {*disorder["true_household_id"], *young["true_household_id"]},
    }


def test_the_criteria_in_the_truth_are_those_the_rows_show(made: borough.BoroughSummary, sound: dict) -> None:
    people = truth(made, "people")
    people = people.select(true_person_id="person_id", under_18=pl.col("date_of_birth") > date(2008, 9, 1))
    incidents = sound["police.incidents"].join(people, on="true_person_id", how="left")
    shown = tf2012_from_rows({**sound, "police.incidents": incidents})
    rows = truth(made, "rows")
    faults = truth(made, "faults")
    touched = set(rows.join(faults, on=["dataset", "row_number"])["true_household_id"].drop_nulls())
    households = truth(made, "households")
    for criterion in ("crime_asb", "education", "out_of_work"):
        true = set(households.filter(pl.col(criterion))["household_id"])
        assert true - touched == shown[criterion] - touched
        assert len(true - touched) > 80, criterion
    met = households.select(
        pl.col("crime_asb") + pl.col("education") + pl.col("out_of_work") >= 2
    ).to_series()
    assert ((met & (households["children"] > 0)) == households["tf2012"]).all()
    assert households["tf2012"].sum() == made.families_tf2012


def test_one_to_four_families_in_a_hundred_meet_tf2012(made: borough.BoroughSummary) -> None:
    assert 0.01 <= made.families_tf2012 / made.families <= 0.04


def test_needs_point_at_the_rows_behind_each_criterion(made: borough.BoroughSummary, sound: dict) -> None:
    needs = truth(made, "needs")
    for name in ("schools.attendance", "benefits.claims", "police.incidents"):
        joined = needs.filter(pl.col("dataset") == name).join(sound[name], on="row_number", suffix="_row")
        assert len(joined) > 20
        assert (joined["true_person_id"] == joined["true_person_id_row"]).all()
    claims = needs.join(sound["benefits.claims"], on="row_number").filter(
        pl.col("dataset") == "benefits.claims"
    )
    assert (claims["out_of_work"] == "true").all()


# ---- police ---------------------------------------------------------------------------------------


def test_police_meet_about_three_incidents_in_ten_people_a_year_for_36_months(sound: dict) -> None:
    incidents = sound["police.incidents"]
    months = incidents["occurred_at"].str.slice(0, 7)
    assert (months.min(), months.max(), months.n_unique()) == ("2023-09", "2026-08", 36)
    assert 0.27 <= len(incidents) / 20_000 / 3 <= 0.33


def test_disorder_peaks_in_summer_burglary_in_winter_and_burglary_in_the_north_grows(sound: dict) -> None:
    frame = sound["police.incidents"].with_columns(
        month=pl.col("occurred_at").str.slice(5, 2).cast(pl.Int32),
        last=pl.col("occurred_at") >= "2025-09-01",
        first=pl.col("occurred_at") < "2024-09-01",
    )
    summer, winter = pl.col("month").is_in([6, 7, 8]), pl.col("month").is_in([11, 12, 1])
    disorder = frame.filter(pl.col("category") == "anti-social behaviour")
    assert disorder.filter(summer).height > 1.3 * disorder.filter(winter).height
    burglary = frame.filter(pl.col("category") == "burglary")
    assert burglary.filter(winter).height > 1.1 * burglary.filter(summer).height
    north = burglary.filter(pl.col("area") == "North")
    assert north.filter("last").height > 1.1 * north.filter("first").height


def test_only_some_incidents_name_a_person_and_nobody_under_ten(
    made: borough.BoroughSummary, sound: dict
) -> None:
    incidents = sound["police.incidents"]
    named = incidents.filter(pl.col("true_person_id").is_not_null())
    assert 0.25 < len(named) / len(incidents) < 0.5
    people = truth(made, "people").select(true_person_id="person_id", born="date_of_birth")
    lived = named.join(people, on="true_person_id").select(
        days=pl.col("occurred_at").str.slice(0, 10).str.to_date() - pl.col("born")
    )
    assert lived["days"].dt.total_days().min() >= 10 * 365


def test_neighbourhood_north_records_41_percent_response_against_25_planned_for_twelve_weeks(
    sound: dict,
) -> None:
    weeks = last_mondays(TODAY)
    hours = sound["police.time_recording"].filter(pl.col("team") == "Neighbourhood North")
    hours = hours.with_columns(pl.col("planned_hours", "actual_hours").cast(pl.Float64))
    share = hours.group_by("week_start").agg(
        actual=pl.col("actual_hours").filter(pl.col("activity") == "response").sum()
        / pl.col("actual_hours").sum(),
        planned=pl.col("planned_hours").filter(pl.col("activity") == "response").sum()
        / pl.col("planned_hours").sum(),
        activities=pl.len(),
    )
    share = share.filter(pl.col("activities") == 5)  # weeks without a faulty row
    late = share.filter(pl.col("week_start") >= str(weeks[-12]))
    before = share.filter(pl.col("week_start") < str(weeks[-12]))
    assert late.height == 12
    assert abs(late["actual"].mean() - 0.41) < 0.01
    assert (late["actual"] > 0.36).all()
    assert abs(late["planned"].mean() - 0.25) < 0.005
    assert abs(before["actual"].mean() - 0.25) < 0.01
    assert before["actual"].max() < 0.33


def test_no_other_team_drifts_from_its_plan(sound: dict) -> None:
    weeks = last_mondays(TODAY)
    hours = sound["police.time_recording"].filter(pl.col("week_start") >= str(weeks[-12]))
    hours = hours.with_columns(pl.col("planned_hours", "actual_hours").cast(pl.Float64))
    by_team = hours.group_by("team").agg(
        drift=(
            pl.col("actual_hours").filter(pl.col("activity") == "response").sum()
            / pl.col("actual_hours").sum()
            - pl.col("planned_hours").filter(pl.col("activity") == "response").sum()
            / pl.col("planned_hours").sum()
        ).abs()
    )
    assert by_team.height == 10
    assert set(by_team.filter(pl.col("drift") > 0.03)["team"]) == {"Neighbourhood North"}


def test_planned_hours_are_what_the_establishment_can_give(sound: dict) -> None:
    posts = sound["police.establishment"].with_columns(
        pl.col("fte", "contracted_hours", "abstraction_rate").cast(pl.Float64),
        month=pl.col("month").str.slice(0, 7),
    )
    posts = posts.with_columns(
        capacity=pl.col("fte") * pl.col("contracted_hours") * 12 / 52 * (1 - pl.col("abstraction_rate"))
    )
    weeks = sound["police.time_recording"].with_columns(
        pl.col("planned_hours").cast(pl.Float64), month=pl.col("week_start").str.slice(0, 7)
    )
    weeks = weeks.group_by("team", "week_start", "month").agg(
        pl.col("planned_hours").sum(), activities=pl.len()
    )
    both = weeks.filter(pl.col("activities") == 5).join(posts, on=["team", "month"])
    assert len(both) > 1_000
    assert ((both["planned_hours"] / both["capacity"] - 1).abs() < 0.03).all()


def test_every_week_and_month_is_there_once_for_each_team(sound: dict) -> None:
    assert sound["police.establishment"].select("team", "month").is_unique().all()
    assert sound["police.time_recording"].select("team", "week_start", "activity").is_unique().all()
    kinds = sound["police.establishment"].unique("team")["kind"].value_counts()
    assert dict(kinds.iter_rows()) == {"response": 4, "neighbourhood": 4, "investigation": 2}


@pytest.mark.parametrize(
    ("today", "names"),
    [
        (date(2026, 9, 1), ["2025/26 Autumn", "2025/26 Spring", "2025/26 Summer"]),
        (date(2026, 7, 21), ["2024/25 Summer", "2025/26 Autumn", "2025/26 Spring"]),
        (date(2026, 1, 5), ["2024/25 Spring", "2024/25 Summer", "2025/26 Autumn"]),
    ],
)
def test_the_last_three_terms_are_those_that_have_ended(today: date, names: list[str]) -> None:
    assert [term.name for term in last_terms(today)] == names
