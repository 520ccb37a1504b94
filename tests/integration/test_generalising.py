"""What an agreement generalises leaves the vault coarse; from a pseudonym back to a person only on the record."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.__main__ import main
from hub.app import create_app
from hub.audit import log as audit
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.insights.people import PersonQuery
from hub.policy.agreement import AgreementState, load_agreement
from hub.policy.decide import Asked, Grant, decide
from hub.policy.generalise import KINDS, parse
from hub.runs import store as runs
from hub.storage.objects import ObjectStore
from hub.vault.generalise import generalise
from hub.vault.geography import Areas
from hub.workflows import accounts, agreeing, reidentifying, releasing, running, viewing
from hub.workflows.hub import Hub
from hub.workflows.looking import Purpose
from hub.workflows.work import drain
from hub_schemas import library
from hub_sdk import FormatError, Input, Manifest, Output, OutputColumn
from support.hubs import PASSWORD, make_hub, migrate, principal_of
from support.lived_in import token_of
from support.sealing import Sender
from support.staged import AGREEMENT, FakeSandbox, agree

DAY = date(2026, 3, 1)
_BORN = {
    "Ada": "1936-12-10",
    "Grace": "1986-03-01",
    "Alan": "1986-03-02",
    "Mary": "2004-02-29",
    "Emmy": "1931-03-23",
}
_SURNAMES = ("Lovelace", "Hopper", "Turing", "Somerville", "Noether")
_COLUMNS = (
    "[tenancy_id, person_number, forename, surname, date_of_birth, uprn, postcode, arrears, start_date]"
)
LINKING = (
    AGREEMENT.replace("police.establishment", "housing.tenancies").replace("id: planning", "id: linking")
    .replace("controllers: [police]", "controllers: [housing]")
    .replace("organisations: [police]", "organisations: [hub]")
    .replace("plugins: [counting]", "plugins: []").replace("[run plugin, read aggregate]", "[link]")
    .replace("[team, area, fte]", _COLUMNS)
)  # fmt: skip
HELPING = (
    LINKING.replace("id: linking", "id: helping").replace("organisations: [hub]", "organisations: [police]")
    .replace("plugins: []", "plugins: [ages]").replace("[link]", "[link, run plugin, read person, re-identify]")
    .replace(_COLUMNS, "[date_of_birth, postcode, arrears, start_date]")
    .replace("    why: What", """\
    generalise: {date_of_birth: age band 5, postcode: sector, arrears: band 100, start_date: month}
    why: What""")
    .replace("datasets:\n", """\
datasets:
  - contract: hub.people
    columns: [person_id, household_id, forename, surname, date_of_birth, sex, postcode, uprn, nhs_number, datasets]
    generalise: {date_of_birth: age band 10, postcode: district}
""")
)  # fmt: skip
EXACT = (
    "1936-12-10",
    "1986-03-01",
    "1986-03-02",
    "2004-02-29",
    "1931-03-23",
    "LS1 4AP",
    "LS14AP",
    "2020-01-15",
)


def _manifest(name: str, *coarse: str) -> Manifest:
    return Manifest(
        name, "1.0", "Ages", "Ages of households.",
        inputs=(
            Input("rents", "housing.tenancies", ("date_of_birth", "postcode", "arrears", "start_date"),
                  link=("person", "household"), generalised=coarse),
            Input("people", "hub.people", ("person_id", "date_of_birth"), generalised=coarse[:1]),
        ),
        outputs=(Output("found", (OutputColumn("person_id", "string", "Who"),), "person", key="person_id"),),
    )  # fmt: skip


def _who(inputs: Mapping[str, pa.Table], _: Mapping[str, Any]) -> dict[str, pa.Table]:
    return {"found": inputs["rents"].select(["person_id"])}


@pytest.fixture(scope="module")
def helped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, FakeSandbox, str]]:
    """Linked people, an agreement to help them that gives little exactly, and a released result of a plugin."""
    folder = tmp_path_factory.mktemp("helped")
    migrate(f"sqlite:///{folder / 'only.db'}")
    made = make_hub(folder / "hub", f"sqlite:///{folder / 'only.db'}")
    sandbox = FakeSandbox(
        _manifest("ages", "date_of_birth", "postcode", "arrears", "start_date"), answer=_who
    )
    hub = replace(made, sandbox=lambda: sandbox)  # type: ignore[arg-type, return-value]
    operator = principal_of(hub, "hub", "operator")
    principal_of(hub, "housing")
    agree(hub, LINKING)
    rows = [
        {
            "tenancy_id": f"T{number}", "person_number": "1", "forename": forename, "surname": surname,
            "date_of_birth": born, "uprn": str(100010000000 + number), "address": f"{number} High Street",
            "postcode": "LS1 4AP", "tenure": "council", "weekly_rent": "100.00", "arrears": f"{number}37.00",
            "notice_served": "false", "start_date": "2020-01-15",
        }
        for number, ((forename, born), surname) in enumerate(zip(_BORN.items(), _SURNAMES, strict=True), 1)
    ]  # fmt: skip
    delivered = Sender(hub, "housing", operator).deliver(library.load("housing.tenancies"), rows)
    assert delivered.version_id is not None, delivered.problem
    agree(hub, HELPING)
    running.register_plugins(hub, operator)
    yield hub, sandbox, _released(hub)
    made.database.close()


def _released(hub: Hub) -> str:
    run = running.request_run(hub, principal_of(hub, "police", "analyst"), "ages", "helping", "police", {})
    drain(hub)
    with hub.database.read() as session:
        result = runs.result_of_run(session, run.id)
        assert result is not None, runs.get_run(session, run.id).message
    releasing.decide(hub, principal_of(hub, "police", "output checker"), result.id, "release", "looked")
    return result.id


def _noted(hub: Hub, action: str) -> list[audit.Entry]:
    with hub.database.read() as session:
        return audit.recent(session, limit=50, action=action)


# --- nowhere raw


def test_a_plugin_is_given_coarse_values_and_no_exact_one(helped: tuple[Hub, FakeSandbox, str]) -> None:
    given, coverage = helped[1].given[0], helped[1].coverage
    assert (coverage["rents"].period_start, coverage["rents"].period_end) == (None, None), (
        "they are values of rows"
    )
    assert not [
        value for value in EXACT if value in str(given["rents"].to_pylist() + given["people"].to_pylist())
    ]
    rents = given["rents"].to_pydict()
    assert set(rents["postcode"]) == {"LS1 4"}
    assert set(rents["start_date"]) == {"2020-01"}
    assert sorted(rents["arrears"])[0] == "100 to under 200"
    assert "90 and over" in rents["date_of_birth"]
    assert "90 and over" in given["people"]["date_of_birth"].to_pylist()
    assert None not in rents["person_id"], "linking itself read what its own agreement gives exactly"


def test_a_household_page_shows_coarse_values_and_search_cannot_feel_for_exact_ones(
    helped: tuple[Hub, FakeSandbox, str],
) -> None:
    hub, _, _ = helped
    worker, purpose = principal_of(hub, "police", "service user"), Purpose("helping", "visit, case 2041")
    (found,) = viewing.search_people(hub, worker, purpose, PersonQuery(uprn="100010000001"))
    assert (found.date_of_birth, found.postcode) == ("80 to 89", "LS1")
    view = viewing.open_household(hub, worker, found.household_id, purpose).view
    shown = f"{view.postcode}{[vars(item) for item in view.members]}"
    shown += str([{**vars(item), "last_update": ""} for item in view.contacts])
    assert "80 to 89" in shown
    assert not [value for value in (*EXACT, "datetime.date") if value in shown]
    assert view.members[0].age(DAY) is None
    before = len(_noted(hub, "people.search-refused"))
    for query in (
        PersonQuery(postcode="LS1 4AP"),
        PersonQuery(surname="Lovelace", date_of_birth=date(1936, 12, 10)),
    ):
        with pytest.raises(Forbidden, match="only, so nobody can be looked for by it"):
            viewing.search_people(hub, worker, purpose, query)
    assert len(_noted(hub, "people.search-refused")) == before + 2


_VALUES = {
    "age": st.dates(date(1900, 1, 1), date(2026, 12, 31)), "month": st.dates(date(1, 1, 1)),
    "year": st.dates(date(1, 1, 1)),
    "sector": st.from_regex(r"[A-Z]{1,2}[1-9][0-9A-Z]? ?[0-9][A-Z]{2}", fullmatch=True) | st.text(max_size=9),
    "district": st.from_regex(r"[A-Z]{1,2}[1-9][0-9A-Z]? ?[0-9][A-Z]{2}", fullmatch=True) | st.text(max_size=9),
    "area": st.sampled_from(["LS1 4AP", "sw1a 1aa", "EH1 1YZ", "ZZ1 1ZZ", "E01011663x"]) | st.text(max_size=9),
    "band": st.integers(-(2**62), 2**62),
}  # fmt: skip


@pytest.fixture(scope="module")
def areas(tmp_path_factory: pytest.TempPathFactory) -> Areas:
    """A table of a few postcodes."""
    made = Areas(ObjectStore(str(tmp_path_factory.mktemp("areas"))), lambda: b"k" * 32)
    made.put(
        [
            pa.table(
                {"postcode": ["LS14AP", "SW1A1AA", "EH11YZ"], "area": ["E01011663", "E01004736", "S01008677"]}
            )
        ]
    )
    return made


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data(), kind=st.sampled_from(sorted(KINDS)))
def test_no_value_leaves_a_coarse_column_as_it_was(areas: Areas, data: st.DataObject, kind: str) -> None:
    item = parse("it", kind)
    values = data.draw(st.lists(st.none() | _VALUES[item.kind], min_size=1, max_size=30))
    kinds = {"date": pa.date32(), "string": pa.string(), "integer": pa.int64()}
    exact = pa.table({"it": pa.array(values, kinds[item.types[0]])})
    column = generalise(exact, Grant("x.y", frozenset({"it"}), "a", "", (item,), DAY), areas)["it"]
    assert column.type == pa.string()
    for before, after in zip(exact["it"].to_pylist(), column.to_pylist(), strict=True):
        if before is None:
            assert after is None
        elif after is not None:
            assert str(before) != after
            area = after in ("E01011663", "E01004736", "S01008677")
            assert len(after) < len(str(before)) or " to " in after or after == "90 and over" or area
    again = generalise(exact, Grant("x.y", frozenset({"it"}), "a", "", (item,), DAY), areas)["it"]
    assert again.equals(column)


@settings(max_examples=30, deadline=None)
@given(born=st.dates(date(1925, 1, 1), DAY), width=st.sampled_from([5, 10]), later=st.integers(0, 3000))
def test_an_age_band_is_that_of_the_day_in_question(areas: Areas, born: date, width: int, later: int) -> None:
    on = DAY + timedelta(later)
    age = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    table = pa.table({"it": pa.array([born])})
    band = generalise(
        table, Grant("x.y", frozenset({"it"}), "a", "", (parse("it", f"age band {width}"),), on), areas
    )
    low = age // width * width
    assert band["it"][0].as_py() == ("90 and over" if age >= 90 else f"{low} to {low + width - 1}")


def test_a_type_that_has_no_such_form_gives_nothing(areas: Areas) -> None:
    table = pa.table({"it": ["1986-03-01"]})
    with pytest.raises(Conflict, match="cannot be given so"):
        generalise(table, Grant("x.y", frozenset({"it"}), "a", "", (parse("it", "age band 5"),), DAY), areas)
    with pytest.raises(Conflict, match="cannot be given so"):  # nobody said on which day
        generalise(
            pa.table({"it": [DAY]}),
            Grant("x.y", frozenset({"it"}), "a", "", (parse("it", "age band 5"),)),
            areas,
        )
    with pytest.raises(Conflict, match="cannot be given so"):
        generalise(
            pa.table({"it": [5]}),
            Grant("x.y", frozenset({"it"}), "a", "", (parse("it", "area"),), DAY),
            areas,
        )


def test_every_decision_on_a_generalised_column_carries_how_it_is_given() -> None:
    agreement = replace(load_agreement(HELPING), state=AgreementState.ACTIVE)
    for operation in agreement.operations - {"link"}:
        asked = Asked(operation, "housing.tenancies", "police", DAY, publisher="housing")
        grant = decide(asked, [agreement]).grant
        assert grant is not None
        assert {item.column for item in grant.coarse} == {
            "date_of_birth",
            "postcode",
            "arrears",
            "start_date",
        }
        assert not grant.exact("postcode")
        assert grant.on == DAY


# --- agreements and plugins that do not fit are refused early


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("postcode: sector", "postcode: lsoa", "write one of age band 5"),
        ("arrears: band 100", "arrears: band 1", "write one of"),
        ("postcode: sector", "surname: year", "not among the columns"),
        ("postcode: district}", "postcode: district, household_id: year}", "the hub's own"),
        (", re-identify]", "]", ""),
        ("[link, run plugin, read person, re-identify]", "[run plugin, re-identify]", "about linked people"),
        (
            "start: 2026",
            "  - {contract: housing.tenancies, columns: [arrears], publishers: [other]}\nstart: 2026",
            "two ways",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_generalised_is_said_when_it_is_written(old: str, new: str, said: str) -> None:
    changed = HELPING.replace(old, new)
    assert changed != HELPING
    if not said:
        assert load_agreement(changed).generalised("hub.people")
        return
    with pytest.raises(Invalid) as caught:
        load_agreement(changed)
    assert said in str(caught.value.fields)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("start_date: month", "start_date: sector", "start_date of housing.tenancies is of type date"),
        ("{date_of_birth: age band 10, postcode: district}", "{postcode: district}", "date_of_birth of hub.people"),
    ],
)  # fmt: skip
def test_drafting_finds_types_that_do_not_fit_and_the_same_fact_given_exactly_elsewhere(
    sqlite_hub: Hub, old: str, new: str, said: str
) -> None:
    principal_of(sqlite_hub, "housing")
    steward = principal_of(sqlite_hub, "police", "data steward")
    with pytest.raises(Invalid, match=said):
        agreeing.draft(sqlite_hub, steward, HELPING.replace(old, new))


def test_a_plugin_that_counts_on_exact_values_is_refused_when_it_is_asked_for(
    helped: tuple[Hub, FakeSandbox, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, sandbox, _ = helped
    monkeypatch.setitem(sandbox.manifests, "ages", _manifest("ages", "date_of_birth", "postcode", "arrears"))
    running.register_plugins(hub, principal_of(hub, "hub", "operator"))
    with pytest.raises(Forbidden, match=r"gives start_date of housing\.tenancies as month"):
        running.request_run(hub, principal_of(hub, "police", "analyst"), "ages", "helping", "police", {})
    with pytest.raises(FormatError, match="one of the columns"):
        Input("a", "b.c", ("d",), generalised=("e",))
    same = Input("a", "b.c", ("d",), generalised=("d",))
    assert Input.from_json(same.to_json()) == same


# --- from a pseudonym to the person


def test_a_pseudonym_of_a_released_result_leads_back_on_the_record_only(
    helped: tuple[Hub, FakeSandbox, str],
) -> None:
    hub, sandbox, result = helped
    rents = sandbox.given[0]["rents"].to_pylist()
    pseudonym = next(row["person_id"] for row in rents if row["date_of_birth"] == "90 and over")
    worker = principal_of(hub, "police", "service user")
    found = reidentifying.reidentify(hub, worker, result, f" {pseudonym.upper()}", "early help, case 2041")
    (row,) = found.people
    known = dict(zip(found.columns, row, strict=True))
    assert (known["surname"], known["date_of_birth"], known["postcode"]) == ("Noether", "90 and over", "LS1")
    assert "person_id" not in known
    entry = _noted(hub, "person.reidentified")[0]
    assert entry.id == found.entry
    assert len(entry.content["subjects"]) == 1
    assert "Noether" not in str(entry) and "case 2041" not in str(entry)
    viewing.search_people(
        hub, worker, Purpose("helping", "visit, case 2041"), PersonQuery(uprn="100010000005")
    )
    search = _noted(hub, "people.searched")[0]
    assert search.content["subjects"] == entry.content["subjects"], "one person, one reference in the log"


def test_refused_and_fruitless_attempts_are_noted_too(helped: tuple[Hub, FakeSandbox, str]) -> None:
    hub, sandbox, result = helped
    pseudonym, reason = sandbox.given[0]["rents"]["person_id"][0].as_py(), "early help, case 2041"
    worker, before = principal_of(hub, "police", "service user"), len(_noted(hub, "person.reidentified"))
    for who, where, what, error in (
        (principal_of(hub, "police", "analyst"), result, pseudonym, Forbidden),
        (principal_of(hub, "housing", "service user"), result, pseudonym, Forbidden),
        (worker, result, "0" * 32, NotFound),
        (worker, "res_nothing", pseudonym, NotFound),
    ):
        with pytest.raises(error):
            reidentifying.reidentify(hub, who, where, what, reason)
    noted = _noted(hub, "person.reidentify-refused")[:4]
    assert [entry.content["detail"]["answer"] for entry in reversed(noted)] == [
        "forbidden", "forbidden", "not found", "not found",
    ]  # fmt: skip
    assert pseudonym not in str(noted) and reason not in str(noted)
    for what, why in ((pseudonym, "short"), ("Noether", reason)):
        with pytest.raises(Invalid):
            reidentifying.reidentify(hub, worker, result, what, why)
    over = replace(hub, clock=lambda: datetime(2100, 1, 1, 12, tzinfo=UTC))
    with pytest.raises(NotFound):  # what was released under an agreement that ended is closed
        reidentifying.reidentify(over, worker, result, pseudonym, reason)
    assert len(_noted(hub, "person.reidentified")) == before


def test_without_an_audit_entry_nobody_is_shown(
    helped: tuple[Hub, FakeSandbox, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, sandbox, result = helped
    pseudonym = sandbox.given[0]["rents"]["person_id"][0].as_py()

    def full(*_: object, **__: object) -> int:
        raise OSError("no space left")

    monkeypatch.setattr(reidentifying, "note", full)
    with pytest.raises(OSError, match="no space"):
        reidentifying.reidentify(
            hub, principal_of(hub, "police", "service user"), result, pseudonym, "early help, case 2041"
        )


def test_the_page_and_the_command_show_the_person_and_keep_the_address_empty(
    helped: tuple[Hub, FakeSandbox, str],
) -> None:
    hub, sandbox, result = helped
    pseudonym = next(
        row["person_id"]
        for row in sandbox.given[0]["rents"].to_pylist()
        if row["date_of_birth"] == "90 and over"
    )
    operator = principal_of(hub, "hub", "operator")
    accounts.add_user(hub, operator, "sam", "Sam", "police", ["service user"], PASSWORD)
    client = create_app(hub.settings, hub).test_client()
    client.post(
        "/sign-in",
        data={"csrf_token": token_of(client.get("/sign-in")), "username": "sam", "password": PASSWORD},
    )
    assert "Find the person behind a pseudonym" in client.get(f"/results/{result}").text
    page = client.get(f"/results/{result}/person")
    said = {"csrf_token": token_of(page), "pseudonym": pseudonym, "reason": "early help, case 2041"}
    answer = client.post(f"/results/{result}/person", data=said)
    assert answer.status_code == 200
    assert "Noether" in answer.text and "90 and over" in answer.text and "1931" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    other = client.post(f"/results/{result}/person", data=said | {"pseudonym": "0" * 32})
    assert (other.status_code, "not in this result" in other.text) == (422, True)
    assert client.post(f"/results/{result}/person", data=said | {"reason": "short"}).status_code == 422
    words = ["releases", "reidentify", result, pseudonym, "--as", "sam", "--dir", str(hub.settings.dir)]
    environ = {
        "HUB_PASSWORD": PASSWORD,
        "HUB_DATABASE_URL": hub.settings.database_url,
        "HUB_LOG_LEVEL": "error",
        "HUB_REQUIRE_SECOND_FACTOR": "",
    }
    shown = CliRunner().invoke(main, [*words, "--reason", "early help, case 2041"], env=environ)
    assert (shown.exit_code, "Noether" in shown.stdout) == (0, True), shown.output
    refused = CliRunner().invoke(main, [*words, "--reason", "why"], env=environ)
    assert (refused.exit_code, "Say why you look" in refused.stderr) == (1, True)
