"""People's rights: who used my data, requests from receipt to answer, delays; relatives' affairs stay theirs."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from hub.audit import log as audit
from hub.catalogue import store as catalogue
from hub.errors import Conflict, Forbidden, HubError, Invalid, NotFound, Unauthorised
from hub.insights.people import PersonQuery
from hub.rights import leftout
from hub.rights.states import CorrectionState, RequestKind, RequestState
from hub.rights.uses import Use
from hub.runs import store as runs
from hub.workflows import (
    reidentifying,
    releasing,
    rights,
    rights_citizen,
    rights_copies,
    rights_corrections,
    rights_delays,
    rights_objections,
    shredding,
    viewing,
)
from hub.workflows.hub import Hub
from hub.workflows.looking import Purpose
from hub.workflows.rights_people import History, history, subject_of
from hub.workflows.rights_uses import collect
from support.concerned import (
    ADA,
    BEN,
    BORN,
    DAN,
    PATIENTS,
    TENANTS,
    Concerned,
    at_home,
    make_concerned,
    patient,
)
from support.hubs import principal_of

WHY = Purpose("early-help", "a visit on Friday, case 2041")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Concerned]:
    made = make_concerned(tmp_path_factory.mktemp("concerned"))
    yield made
    made.hub.database.close()


@pytest.fixture
def there(template: Concerned, tmp_path: Path) -> Iterator[Concerned]:
    with at_home(template, tmp_path) as made:
        yield made


def _uses(there: Concerned, forename: str, at: datetime | None = None) -> list[Use]:
    hub = there.hub if at is None else replace(there.hub, clock=lambda: at)
    person = there.person(forename)
    with hub.database.read() as session:
        return collect(hub, session, _history(hub, session, person))


def _history(hub: Hub, session: object, person: str) -> History:
    return history(hub, session, subject_of(hub, session, person))  # type: ignore[arg-type]


def _acts(found: list[Use]) -> list[str]:
    return [use.act for use in found if not use.act.startswith("rights.")]


def _open(there: Concerned, forename: str, kind: RequestKind, officer: str = "olive", **more: str) -> str:
    request = rights.open_request(
        there.hub,
        there.who(officer),
        there.person(forename),
        kind,
        "please do this for me",
        date.today(),
        **more,
    )
    rights.take(there.hub, there.who(officer), request.id)
    return request.id


def _visit(there: Concerned, forename: str) -> str:
    born = date.fromisoformat(BORN[forename])
    code = rights_citizen.make_code(
        there.hub, there.who("olive"), there.person(forename), born, "saw the passport"
    )
    return rights_citizen.open_page(there.hub, code.lower().replace("-", " "), born)


# --- who used my data


def test_a_relative_s_search_is_theirs_and_a_household_read_says_not_about_whom(there: Concerned) -> None:
    hub, wendy = there.hub, there.who("wendy")
    found = viewing.search_people(hub, wendy, WHY, PersonQuery(nhs_number=BEN))
    assert [person.forename for person in found] == ["Ben"]
    assert "people.searched" in _acts(_uses(there, "Ben"))
    before = _uses(there, "Ada")
    assert "people.searched" not in _acts(before), "only her husband was searched for"
    viewing.open_household(hub, wendy, found[0].household_id, WHY)
    for forename in ("Ada", "Ben", "Cleo"):
        read = next(use for use in _uses(there, forename) if use.act == "household.read")
        assert (read.said, read.organisation) == ("Your household was looked at", "housing")
        assert (read.job, read.purpose) == ("a worker who helps people", "Help families early")
        assert "Ben" not in str(read.__dict__) and "case 2041" not in str(read.__dict__)
        assert "Nobody" not in str(read.__dict__), "the officer's name is not told"
    assert "household.read" not in _acts(_uses(there, "Dan")), "a neighbour is not concerned"


def test_bulk_and_model_uses_are_shown_to_those_whose_rows_were_in_them(there: Concerned) -> None:
    there.opt_out(DAN)
    run = there.run("needs", "early-help", "ann")
    assert run.state == "succeeded", run.message
    with there.hub.database.read() as session:
        result = runs.result_of_run(session, run.id)
    assert result is not None
    releasing.decide(there.hub, there.who("chris"), result.id, "release", "looked at it")
    pseudonym = there.hub.vault.pseudonym("early-help", "person", there.person("Ada"))
    reidentifying.reidentify(there.hub, there.who("wendy"), result.id, pseudonym, "agreed to early help")
    planned = there.run("counting", "planning", "alma")
    assert planned.state == "succeeded", planned.message
    ada, dan = _uses(there, "Ada"), _uses(there, "Dan")
    assert {"delivery.accepted", "people.linked", "data.read", "result.released", "person.reidentified"} <= {
        use.act for use in ada
    }
    plans = [use for use in ada if use.agreement == "Planning surgeries"]
    assert [(use.act, use.what, use.organisation) for use in plans] == [
        ("data.read", "Patients by surgery", "health")
    ]
    assert "person.reidentified" not in _acts(dan)
    assert {use.what for use in dan if use.act == "data.read"} == {"Needs of people"}, (
        "he opted out of planning"
    )


# --- the national data opt-out


def test_rows_of_those_who_opted_out_are_gone_before_the_plugin_sees_anything(there: Concerned) -> None:
    refused = there.run("counting", "planning", "alma")
    assert refused.state == "failed"
    assert "no list of who has opted out" in str(refused.message)
    there.opt_out(ADA, DAN, on=date.today() - timedelta(days=30))
    stale = there.run("counting", "planning", "alma")
    assert "counts for 21 days" in str(stale.message), "an old list delivered today is an old list"
    assert not there.sandbox.given
    there.opt_out(ADA, DAN)
    # A number that is not known cannot be checked, so the row goes; the person's number from elsewhere counts too.
    nobody = patient("Ada", "", "Unknown") | {
        "local_id": "L9",
        "uprn": "990000000077",
        "date_of_birth": "1999-09-09",
    }
    again = patient("Ada", "") | {"local_id": "L8"}
    there.deliver("health", "health.registrations", [*PATIENTS, nobody, again])
    run = there.run("counting", "planning", "alma")
    assert run.state == "succeeded", run.message
    assert there.sandbox.given[-1]["patients"].num_rows == 2, "Ben and Cleo"
    assert there.sandbox.coverage["patients"].rows == 2
    with there.hub.database.read() as session:
        said = leftout.left_out(session, run.id)
        entry = audit.recent(session, limit=1, action="data.read")[0]
    assert said is not None
    assert (said.rows, said.inputs) == ("fewer than 10", ("patients",)), "four rows would point at somebody"
    assert entry.content["detail"]["opt_out"]["rows"] == "fewer than 10"
    needs = there.run("needs", "early-help", "ann")  # says that and why it does not apply
    assert there.sandbox.given[-1]["patients"].num_rows == 6, needs.message


def test_a_publisher_cannot_take_the_mark_away(there: Concerned) -> None:
    from hub.workflows.leaving_out import confidential
    from hub_schemas import library, load_contract

    text = library.load("health.registrations").text
    mark = "      - property: confidentialPatientInformation\n        value: true\n"
    assert mark in text
    unmarked = load_contract(text.replace(mark, ""))
    assert not unmarked.confidential_patient_information
    assert confidential(unmarked)


# --- restriction and objection


def test_a_restricted_person_is_nowhere_and_nobody_but_officers_is_told(there: Concerned) -> None:
    hub, wendy, olive = there.hub, there.who("wendy"), there.who("olive")
    home = viewing.search_people(hub, wendy, WHY, PersonQuery(nhs_number=ADA))[0].household_id
    request = _open(there, "Ada", RequestKind.RESTRICTION)
    with pytest.raises(Conflict, match="Set the restriction first"):
        rights.answer(hub, olive, request, "we have restricted your data")
    rights.restrict(hub, olive, request)
    rights.answer(hub, olive, request, "we have restricted your data")
    assert viewing.search_people(hub, wendy, WHY, PersonQuery(nhs_number=ADA)) == []
    view = viewing.open_household(hub, wendy, home, WHY).view
    assert sorted(member.forename for member in view.members) == ["Ben", "Cleo"]
    assert all(len(contact.rows) == 2 for contact in view.contacts), "her rows are not on the page"
    assert "restrict" not in str(view).lower()
    run = there.run("needs", "early-help", "ann")
    given = there.sandbox.given[-1]
    assert [given[name].num_rows for name in ("people", "rents", "patients")] == [3, 3, 3], run.message
    assert "restrict" not in f"{run.message}{run.log}".lower()
    assert not [use for use in _uses(there, "Ada") if use.act == "data.read"], "it did not use her rows"
    # New data and a new linking do not bring her back; the officer still finds her, and lifts it.
    there.deliver("housing", "housing.tenancies", [row | {"arrears": "1.00"} for row in TENANTS])
    assert viewing.search_people(hub, wendy, WHY, PersonQuery(nhs_number=ADA)) == []
    assert rights.lift(hub, olive, request, "told her today that it is lifted") == 1
    assert len(viewing.search_people(hub, wendy, WHY, PersonQuery(nhs_number=ADA))) == 1


def test_an_objection_restricts_for_its_purpose_until_a_steward_has_decided(there: Concerned) -> None:
    hub, olive, stan = there.hub, there.who("olive"), there.who("stan")
    there.opt_out(DAN)
    request = _open(there, "Ada", RequestKind.OBJECTION, agreement_id="planning")
    run = there.run("counting", "planning", "alma")
    assert there.sandbox.given[-1]["patients"].num_rows == 2, run.message
    assert len(viewing.search_people(hub, there.who("wendy"), WHY, PersonQuery(nhs_number=ADA))) == 1, (
        "another purpose goes on"
    )
    for act in (rights.answer, rights.refuse):
        with pytest.raises(Conflict, match="steward of the agreement decides"):
            act(hub, olive, request, "we have thought about it")
    rights_objections.ask_steward(hub, olive, request)
    with pytest.raises(Forbidden, match="its restriction stays"):
        rights.lift(hub, olive, request, "we do not want to wait")
    with pytest.raises(NotFound):
        rights_objections.decide_objection(
            hub, there.who("stella"), request, uphold=False, reason="not my agreement"
        )
    assert [item.request.id for item in rights_objections.list_objections(hub, stan)] == [request]
    rights_objections.decide_objection(
        hub, stan, request, uphold=False, reason="surgeries must be planned for all"
    )
    there.run("counting", "planning", "alma")
    assert there.sandbox.given[-1]["patients"].num_rows == 3
    shown = rights.read_request(hub, olive, request)
    assert shown.answer.startswith("The objection was turned down. surgeries")
    assert rights.answer(hub, olive, request, "we go on, and this is why").state is RequestState.ANSWERED


# --- rectification


def test_a_correction_goes_to_the_source_and_comes_back_confirmed_or_with_a_reason(there: Concerned) -> None:
    hub, olive, stella = there.hub, there.who("olive"), there.who("stella")
    request = _open(there, "Ada", RequestKind.RECTIFICATION)
    rows = rights_corrections.rows_to_correct(hub, olive, request)
    rent = next(row for row in rows if row.title == "Tenancies" or "rent" in str(row.values))
    assert {row.organisation for row in rows} == {"housing", "health"} and len(rows) == 2
    sent = rights_corrections.send(hub, olive, request, rent.dataset_id, rent.row, "arrears", "0.00")
    with pytest.raises(Invalid, match="stands there already"):
        rights_corrections.send(hub, olive, request, rent.dataset_id, rent.row, "tenure", "Council")
    assert [item.id for item in rights_corrections.list_tasks(hub, stella)] == [sent.id]
    assert rights_corrections.list_tasks(hub, there.who("stan")) == []
    with pytest.raises(NotFound):
        rights_corrections.read_task(hub, there.who("stan"), sent.id)
    task = rights_corrections.read_task(hub, stella, sent.id)
    assert dict(task.key) == {"tenancy_id": "T00001", "person_number": "1"}
    assert (task.column, task.says, task.should) == ("arrears", "345.6", "0.00")
    assert rights_corrections.confirm_corrections(hub) == 0, "nothing was sent since"
    there.deliver("housing", "housing.tenancies", [row | {"arrears": "5.00"} for row in TENANTS])
    assert rights_corrections.confirm_corrections(hub) == 0, "not what it should be"
    there.deliver("housing", "housing.tenancies", [row | {"arrears": "0"} for row in TENANTS])
    assert rights_corrections.confirm_corrections(hub) == 1
    (task,) = rights_corrections.tasks_of_request(hub, olive, request)
    assert task.correction.state is CorrectionState.CONFIRMED
    health = next(row for row in rows if row.organisation == "health")
    second = rights_corrections.send(
        hub, olive, request, health.dataset_id, health.row, "practice_code", "Z00002"
    )
    rights_corrections.decline(
        hub, there.who("stan"), second.id, "the practice says that she is registered there"
    )
    assert rights.read_request(hub, olive, request).request.state is RequestState.IN_HAND, (
        "both have come back"
    )
    rights.answer(hub, olive, request, "one is put right, the other is not and this is why")
    mine = rights_citizen.my_page(hub, _visit(there, "Ada")).requests[0]
    assert [(where, state) for where, state, _ in mine.corrections] == [
        ("housing", "confirmed"), ("health", "declined"),
    ]  # fmt: skip
    assert "practice says" in mine.corrections[1][2]


# --- the copy


def test_a_copy_holds_everything_about_the_person_and_nothing_about_others(there: Concerned) -> None:
    hub, olive = there.hub, there.who("olive")
    there.deliver("housing", "housing.tenancies", [row | {"arrears": "9.99"} for row in TENANTS])
    run = there.run("needs", "early-help", "ann")
    assert run.state == "succeeded", run.message
    request = _open(there, "Ada", RequestKind.ACCESS)
    with pytest.raises(Conflict, match="Make the copy first"):
        rights.answer(hub, olive, request, "here is your copy")
    copy = rights_copies.make_copy(hub, olive, request, ["housing.tenancies:address"])
    token = _visit(there, "Ada")
    with pytest.raises(NotFound):
        rights_citizen.fetch_copy(hub, token, request)
    data = rights_copies.fetch(hub, olive, request)
    raw = hub.objects.get_bytes(copy.object_key)
    assert data not in raw and b"Quillfeather" not in raw and b"PK\x03\x04" not in raw[:200]
    rights.answer(hub, olive, request, "here is the copy that you asked for")
    assert rights_citizen.fetch_copy(hub, token, request) == data
    with pytest.raises(NotFound):
        rights_citizen.fetch_copy(hub, _visit(there, "Ben"), request)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name).decode("utf-8-sig") for name in archive.namelist()}
    everything = "".join(files.values())
    assert "Quillfeather" in everything and ADA in everything
    assert "Ben" not in everything and "Cleo" not in everything and BEN not in everything
    found = json.loads(files["data.json"])
    rents = next(table for table in found["tables"] if table["dataset"] == "housing-housing.tenancies")
    assert [row["arrears"] for row in rents["rows"]] == [9.99, 345.6], "both versions, each row once"
    assert "High Street" not in everything and rents["left_out"] == ["address"]
    assert [item["rows"] for item in found["results"]] == [[{"need": "a visit"}]]
    assert any(use["what"] == "A computer program used rows about you" for use in found["uses"])
    assert found["people"][0]["nhs_number"] == ADA
    # Time destroys it.
    late = replace(hub, clock=lambda: datetime.now(UTC) + timedelta(days=40))
    assert rights_copies.tidy(late) == 1
    with pytest.raises(NotFound):
        rights_copies.fetch(hub, olive, request)
    assert hub.objects.size(copy.object_key) is None


# --- the code, and requests in time


def test_a_code_opens_one_page_once_and_wrong_dates_of_birth_end_it(there: Concerned) -> None:
    hub, born = there.hub, date.fromisoformat(BORN["Ada"])
    code = rights_citizen.make_code(hub, there.who("olive"), there.person("Ada"), born, "saw the passport")
    token = rights_citizen.open_page(hub, code, born)
    assert rights_citizen.my_page(hub, token).visit.subject
    with pytest.raises(Unauthorised) as used:
        rights_citizen.open_page(hub, code, born)
    soon = replace(hub, clock=lambda: datetime.now(UTC) + timedelta(minutes=31))
    with pytest.raises(Unauthorised, match="has closed"):
        rights_citizen.my_page(soon, token)
    second = rights_citizen.make_code(hub, there.who("olive"), there.person("Ada"), born, "saw the passport")
    said = set()
    for _ in range(5):
        with pytest.raises(Unauthorised) as wrong:
            rights_citizen.open_page(hub, second, born + timedelta(1))
        said.add(wrong.value.detail)
    for typed in (second, "0000-0000-0000-0000", "", "x" * 500, "é"):
        with pytest.raises(Unauthorised) as wrong:
            rights_citizen.open_page(hub, typed, born)
        said.add(wrong.value.detail)
    assert said == {used.value.detail}, "one message for every cause"
    assert [use.act for use in _uses(there, "Ada")].count("rights.code-refused") == 5
    late = replace(hub, clock=lambda: datetime.now(UTC) + timedelta(days=15))
    third = rights_citizen.make_code(hub, there.who("olive"), there.person("Ada"), born, "saw the passport")
    with pytest.raises(Unauthorised):
        rights_citizen.open_page(late, third, born)


def test_requests_are_their_organisation_s_due_in_a_month_and_extended_once(there: Concerned) -> None:
    hub = there.hub
    request = rights.open_request(
        hub,
        there.who("rory"),
        there.person("Ada"),
        RequestKind.ACCESS,
        "a copy of everything please",
        date.today(),
    )
    assert request.due_on > date.today() + timedelta(27)
    with pytest.raises(Conflict, match="asked for already"):
        rights.open_request(
            hub,
            there.who("olive"),
            there.person("Ada"),
            RequestKind.ACCESS,
            "a copy of everything",
            date.today(),
        )
    with pytest.raises(NotFound):
        rights.read_request(hub, there.who("paul"), request.id)
    assert rights.list_requests(hub, there.who("paul")) == []
    assert [item.id for item in rights.list_requests(hub, there.who("olive"))] == [request.id], (
        "the hub's see all"
    )
    longer = rights.extend(hub, there.who("rory"), request.id, "five services have to be asked")
    assert longer.due_on > request.due_on + timedelta(50)
    with pytest.raises(Conflict, match="extended already"):
        rights.extend(hub, there.who("rory"), request.id, "five services have to be asked")
    other = rights.open_request(
        hub,
        there.who("rory"),
        there.person("Ben"),
        RequestKind.ACCESS,
        "a copy of everything please",
        date.today(),
    )
    late = replace(hub, clock=lambda: datetime.now(UTC) + timedelta(days=40))
    with pytest.raises(Conflict, match="within the first month"):
        rights.extend(late, there.who("rory"), other.id, "we forgot to look at it")
    with pytest.raises(Forbidden):
        rights.take(hub, there.who("wendy"), other.id)
    with pytest.raises(Invalid):
        rights.open_request(
            hub,
            there.who("rory"),
            there.person("Dan"),
            RequestKind.ACCESS,
            "from the future",
            date.today() + timedelta(2),
        )


# --- delays


def test_an_investigation_delays_its_own_entries_for_a_while_and_on_the_record(there: Concerned) -> None:
    hub, ines, paul = there.hub, there.who("ines"), there.who("paul")
    found = viewing.search_people(hub, ines, WHY, PersonQuery(nhs_number=ADA))
    entry = viewing.open_household(hub, ines, found[0].household_id, WHY).entry
    viewing.open_household(hub, there.who("wendy"), found[0].household_id, WHY)
    seen = _uses(there, "Ada")
    reads = [use.organisation for use in seen if use.act == "household.read"]
    assert sorted(reads) == ["housing", "police"]
    why = "telling her now would warn a suspect"
    with pytest.raises(NotFound):
        rights_delays.ask(hub, ines, entry + 1, why, 2)  # housing's entry
    with pytest.raises(Invalid, match="1 to 6 months"):
        rights_delays.ask(hub, ines, entry, why, 7)
    delay = rights_delays.ask(hub, ines, entry, why, 2)
    assert len([use for use in _uses(there, "Ada") if use.act == "household.read"]) == 2, (
        "not without a second person"
    )
    both = replace(ines, roles=frozenset({"rights officer", "investigating officer"}))
    with pytest.raises(Forbidden, match="somebody else decides"):
        rights_delays.decide(hub, both, delay.id, approve=True, reason="it is my own case")
    with pytest.raises(NotFound):
        rights_delays.decide(hub, there.who("rory"), delay.id, approve=True, reason="another organisation")
    rights_delays.decide(hub, paul, delay.id, approve=True, reason="looked at the case with her")
    for forename in ("Ada", "Ben"):
        now = [use for use in _uses(there, forename) if use.act == "household.read"]
        assert [use.organisation for use in now] == ["housing"]
    true_time = next(use.at for use in seen if use.act == "household.read" and use.organisation == "police")
    later = [
        use
        for use in _uses(there, "Ada", datetime.now(UTC) + timedelta(days=70))
        if use.act == "household.read" and use.organisation == "police"
    ]
    assert [(use.at, use.held_back) for use in later] == [(true_time, True)]
    rights_delays.end(hub, paul, delay.id)
    assert len([use for use in _uses(there, "Ada") if use.act == "household.read"]) == 2
    with hub.database.read() as session:
        noted = [item.action for item in audit.recent(session, limit=500) if item.action.startswith("delay.")]
    assert noted == ["delay.ended", "delay.approved", "delay.asked"]


def test_what_is_asked_wrongly_is_refused_in_words(there: Concerned) -> None:
    hub, olive = there.hub, there.who("olive")
    request = _open(there, "Ada", RequestKind.ACCESS)
    for act, error in (
        (lambda: rights.restrict(hub, olive, request), Conflict),
        (lambda: rights_corrections.rows_to_correct(hub, olive, request), Conflict),
        (lambda: rights_copies.make_copy(hub, olive, request, ["nonsense"]), Invalid),
        (lambda: rights.take(hub, olive, request), Conflict),
        (lambda: rights.answer(hub, olive, request, "short"), Invalid),
        (lambda: rights.take(hub, olive, "rgt_nothing"), NotFound),
        (lambda: _open(there, "Ben", RequestKind.OBJECTION, agreement_id="none"), Invalid),
        (lambda: _open(there, "Ben", RequestKind.ACCESS, agreement_id="planning"), Invalid),
    ):
        with pytest.raises(error) as caught:
            act()
        assert isinstance(caught.value, HubError) and len(caught.value.detail) > 20
    rights.withdraw(hub, olive, request, "she told us that it is settled")
    with pytest.raises(Conflict, match="withdrawn"):
        rights.answer(hub, olive, request, "here is the copy that you asked for")


def test_what_linking_now_puts_to_somebody_else_is_theirs(there: Concerned) -> None:
    hub, born = there.hub, date.fromisoformat(BORN["Ada"])
    token = _visit(there, "Ada")
    # The department gives Ada's key to somebody else.
    zed = {"forename": "Zed", "surname": "Otherwise", "date_of_birth": "1991-01-01", "uprn": "990000000099"}
    taken = TENANTS[0] | zed
    there.deliver("housing", "housing.tenancies", [taken, *TENANTS[1:]])
    with pytest.raises(Conflict, match="find the person again"):
        rights_citizen.my_page(hub, token)
    code = rights_citizen.make_code(hub, there.who("olive"), there.person("Ada"), born, "saw the passport")
    token = rights_citizen.open_page(hub, code, born)
    assert "people.linked" in {use.act for use in rights_citizen.my_page(hub, token).uses}
    request = _open(there, "Ada", RequestKind.ACCESS)
    rights_copies.make_copy(hub, there.who("olive"), request)
    with zipfile.ZipFile(io.BytesIO(rights_copies.fetch(hub, there.who("olive"), request))) as archive:
        everything = "".join(archive.read(name).decode("utf-8-sig") for name in archive.namelist())
    assert "Otherwise" not in everything and "345.6" not in everything
    assert ADA in everything


def test_a_copy_goes_with_the_data_that_it_was_made_of(there: Concerned) -> None:
    hub, olive = there.hub, there.who("olive")
    request = _open(there, "Ada", RequestKind.ACCESS)
    rights_copies.make_copy(hub, olive, request)
    with hub.database.read() as session:
        (dataset,) = catalogue.datasets_of_contract(session, "health.registrations")
    one, two = (principal_of(hub, "health", "data steward", name=name) for name in ("s1", "s2"))
    planned = shredding.plan(hub, one, str(dataset.current_version))
    assert "copy" in {item.kind for item in planned.doomed}
    shredding.carry_out(hub, one, two, planned, "the department asked for it")
    with pytest.raises(NotFound, match="made again"):
        rights_copies.fetch(hub, olive, request)
    assert rights.read_request(hub, olive, request).copy is not None, "that there was one is still known"
