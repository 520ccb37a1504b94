"""Rules of people's rights that need no hub: due days, states, what an entry says to the person, figures."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.audit.log import Entry
from hub.errors import Conflict, Invalid
from hub.identity.actors import Actor
from hub.rights import codes, optout, states
from hub.rights.delays import Delay
from hub.rights.due import bank_holidays, due_on, months_after, parse_days
from hub.rights.uses import Facts, Run, gather, hold_back, uses

ME, SHE = "a" * 64, "b" * 64
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


# --- due days


@pytest.mark.parametrize(
    ("received", "due", "longer"),
    [
        ("2026-03-03", "2026-04-07", "2026-06-03"),  # 3 April is Good Friday, 6 April Easter Monday
        ("2026-01-31", "2026-03-02", "2026-04-30"),  # no 31 February; the 28th is a Saturday
        ("2028-01-31", "2028-02-29", "2028-05-02"),  # a leap year; the 30th is a Sunday, 1 May a bank holiday
        ("2026-11-25", "2026-12-29", "2027-02-25"),  # Christmas, Boxing Day's substitute on the 28th
        ("2026-12-01", "2027-01-04", "2027-03-01"),  # New Year's Day is a Friday
        ("2021-11-27", "2021-12-29", "2022-02-28"),  # both days of Christmas fell on a weekend
    ],
)  # fmt: skip
def test_an_answer_is_due_a_calendar_month_after_receipt(received: str, due: str, longer: str) -> None:
    day = date.fromisoformat(received)
    assert due_on(day) == date.fromisoformat(due)
    assert due_on(day, extended=True) == date.fromisoformat(longer)


def test_days_that_are_proclaimed_for_one_year_count_when_a_setting_names_them() -> None:
    assert due_on(date(2026, 5, 15), holidays=parse_days("2026-06-15, 2026-06-16")) == date(2026, 6, 17)
    with pytest.raises(Invalid, match="15/06/2026"):
        parse_days("15/06/2026")


@settings(max_examples=50)
@given(st.dates(date(2020, 1, 1), date(2060, 12, 31)), st.booleans())
def test_a_due_day_is_a_working_day_in_or_just_after_the_right_month(received: date, extended: bool) -> None:
    due = due_on(received, extended=extended)
    assert due.weekday() < 5 and due not in bank_holidays(due.year)
    assert timedelta(0) <= due - months_after(received, 3 if extended else 1) <= timedelta(6)


# --- states


def test_every_open_state_leads_to_an_end_and_nothing_leaves_one() -> None:
    for table, start in (
        (states.REQUEST_TRANSITIONS, states.RequestState.RECEIVED),
        (states.CORRECTION_TRANSITIONS, states.CorrectionState.SENT),
        (states.DELAY_TRANSITIONS, states.DelayState.ASKED),
    ):
        reached, front = {start}, [start]
        while front:
            here = front.pop()
            for to in (to for (origin, _), to in table.items() if origin is here and to not in reached):
                reached.add(to)
                front.append(to)
        assert reached == set(type(start)), "every state can be reached"
    closed = set(states.RequestState) - set(states.OPEN)
    assert not closed & {origin for origin, _ in states.REQUEST_TRANSITIONS}
    with pytest.raises(Conflict, match="cannot answer"):
        states.move_request("received", "answer")


# --- what an entry says


def _entry(number: int, action: str, *subjects: str, actor: str = "person:x", **content: object) -> Entry:
    at = NOON + timedelta(minutes=number)
    return Entry(number, at, actor, action, None, {"subjects": list(subjects), "target": "", **content})


FACTS = Facts(
    frozenset({ME}), {"person:x": Actor("police", "The police", frozenset({"analyst", "service user"}))},
    {"a": ("Early help", "Help families early")}, {"d1": ("Tenancies", "Housing")}, {"i1"},
    {"r1": Run("Counting", "Council", "a")}, {"res1": "r1", "res2": "r9"},
)  # fmt: skip


def test_only_entries_about_the_person_are_read_and_others_in_them_are_not_told() -> None:
    found = uses(
        [
            _entry(1, "people.searched", SHE, agreement="a"), _entry(2, "people.searched", SHE, ME, agreement="a"),
            _entry(3, "delivery.accepted", target="d1"), _entry(4, "delivery.accepted", target="d2"),
            _entry(5, "people.linked", target="i1"), _entry(6, "people.linked", target="i2"),
            _entry(7, "data.read", target="r1"), _entry(8, "data.read", target="r2"),
            _entry(9, "result.released", target="res1"), _entry(10, "result.released", target="res2"),
            _entry(11, "something.new", ME), _entry(12, "something.new", SHE),
            _entry(13, "person.reidentified", ME, detail={"kind": "household"}),
        ],
        FACTS,
    )  # fmt: skip
    assert [use.at.minute for use in reversed(found)] == [2, 3, 5, 7, 9, 11, 13]
    assert SHE not in str([use.__dict__ for use in found])
    by_minute = {use.at.minute: use for use in found}
    search = by_minute[2]
    assert (search.organisation, search.job, search.purpose, search.agreement) == (
        "The police", "a worker who helps people", "Help families early", "Early help",
    )  # fmt: skip
    assert (by_minute[7].organisation, by_minute[7].what, by_minute[7].job) == (
        "Council",
        "Counting",
        "a computer",
    )
    assert by_minute[11].said == "Data about you was used", "what is new cannot hide"
    assert "household" in by_minute[13].said


def test_bulk_uses_of_a_month_become_one_line_and_looks_stay_apart() -> None:
    entries = [_entry(number, "data.read", target="r1") for number in range(3)]
    entries += [_entry(number + 10, "household.read", ME) for number in range(2)]
    lines = gather(uses(entries, FACTS), UTC)
    assert [(line.use.act, line.times) for line in lines] == [
        ("household.read", 1), ("household.read", 1), ("data.read", 3),
    ]  # fmt: skip
    assert (lines[-1].first, lines[-1].last) == (NOON, NOON + timedelta(minutes=2))


def test_a_delay_covers_its_own_organisation_its_people_and_its_time_only() -> None:
    def delay(**more: object) -> Delay:
        given: dict[str, object] = {
            "id": "d", "organisation": "police", "subjects": frozenset({ME}), "since": NOON,
            "until": NOON + timedelta(days=30), "state": states.DelayState.APPROVED, "reason": "", "asked_by": "",
            "asked_at": NOON, "decided_by": None, "decided_at": None, "ended_at": None,
        }  # fmt: skip
        return Delay(**given | more)  # type: ignore[arg-type]

    found = uses([_entry(5, "household.read", ME), _entry(6, "data.read", target="r1")], FACTS)
    later = NOON + timedelta(days=1)
    assert [use.act for use in hold_back(found, [delay()], later)] == ["data.read"], (
        "bulk uses are not delayed"
    )
    for other in (
        delay(organisation="housing"), delay(subjects=frozenset({SHE})), delay(since=NOON + timedelta(hours=1)),
    ):  # fmt: skip
        assert hold_back(found, [other], later) == found
    over = hold_back(found, [delay()], NOON + timedelta(days=30))
    assert [(use.act, use.held_back) for use in over] == [("data.read", False), ("household.read", True)]
    ended = hold_back(found, [delay(state=states.DelayState.ENDED)], later)
    assert len(ended) == 2


# --- codes and figures


def test_codes_are_long_told_apart_and_forgive_how_they_are_typed() -> None:
    made = {codes.new_code() for _ in range(200)}
    assert len(made) == 200
    assert all(len(codes.plain(code)) == 16 for code in made)
    code = next(iter(made))
    assert codes.plain(f" {code.lower().replace('-', ' ')} ") == codes.plain(code)
    assert codes.plain("OOOO-IIII-LLLL-0000") == "0000111111110000"
    assert {codes.plain(text) for text in ("", "short", "é" * 16, "U" * 16, "x" * 17)} == {""}


def test_figures_of_what_was_left_out_point_at_nobody() -> None:
    assert {optout.figure(rows) for rows in range(10)} == {"fewer than 10"}
    assert [optout.figure(rows) for rows in (10, 12, 13, 4321)] == [
        "about 10", "about 10", "about 15", "about 4,320",
    ]  # fmt: skip
