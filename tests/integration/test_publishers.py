"""Agreements name whose data they are about: nobody else's is ever read under them, and nobody else's stops them."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from alembic import command
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from hub.audit import log as audit
from hub.catalogue import store as catalogue
from hub.errors import Conflict, Invalid
from hub.insights.people import PersonQuery
from hub.intake.states import DeliveryState
from hub.migrations import upgrade as migrations
from hub.policy.agreement import AgreementState, DatasetTerms, load_agreement
from hub.policy.decide import Asked
from hub.runs import store as runs
from hub.runs.states import RunState
from hub.storage.database import Database
from hub.workflows import agreeing, cataloguing, contracting, linking, overview, run_inputs, running, viewing
from hub.workflows.granting import decide_on, slugs
from hub.workflows.hub import Hub, today
from hub.workflows.viewing import Purpose
from hub.workflows.work import drain
from hub_schemas import library
from hub_sdk import Input
from support.checkout import ROOT
from support.contracts import added, dropped, retyped, variant
from support.hubs import make_hub, migrate, principal_of
from support.lived_in import HELPING, LINKING, PATIENTS, TENANTS, UPRN
from support.sealing import Sender
from support.staged import AGREEMENT, CONTRACT, ROWS, FakeSandbox, agree, stage

TENANCIES = library.load("housing.tenancies")
REGISTRATIONS = library.load("health.registrations")


def _sender(hub: Hub, slug: str) -> Sender:
    return Sender(hub, slug, principal_of(hub, "hub", "operator"))


def _run(hub: Hub, staged: Any, agreement: str = "planning") -> Any:
    run = running.request_run(hub, staged.analyst, "counting", agreement, "police", {})
    drain(hub)
    with hub.database.read() as session:
        return runs.get_run(session, run.id)


# ---- runs


def test_a_dataset_of_a_publisher_whom_the_agreement_does_not_name_is_not_in_a_run(sqlite_hub: Hub) -> None:
    staged = stage(sqlite_hub)
    poison = [row | {"area": "West", "fte": "999.0"} for row in ROWS]
    assert _sender(staged.hub, "mallory").deliver(CONTRACT, poison).state is DeliveryState.ACCEPTED
    assert _run(staged.hub, staged).state is RunState.SUCCEEDED
    (given,) = staged.sandbox.given
    assert given["teams"].num_rows == 15
    assert "West" not in given["teams"]["area"].to_pylist()


def test_publishers_that_the_agreement_names_are_read_together(sqlite_hub: Hub) -> None:
    staged = stage(sqlite_hub)
    _sender(staged.hub, "county").deliver(CONTRACT, [row | {"area": "West"} for row in ROWS])
    both = AGREEMENT.replace("id: planning", "id: both").replace(
        "    why:", "    publishers: [police, county]\n    why:"
    )
    agree(staged.hub, both)
    assert _run(staged.hub, staged, "both").state is RunState.SUCCEEDED
    assert staged.sandbox.given[0]["teams"].num_rows == 30


def test_a_run_says_who_publishes_when_those_named_have_not(sqlite_hub: Hub) -> None:
    staged = stage(sqlite_hub)
    _sender(staged.hub, "county")
    other = AGREEMENT.replace("id: planning", "id: other").replace(
        "    why:", "    publishers: [county]\n    why:"
    )
    agree(staged.hub, other)
    ended = _run(staged.hub, staged, "other")
    assert ended.state is RunState.FAILED
    assert "by county, whom agreement other names. police publish" in (ended.message or "")
    assert staged.sandbox.given == []


def test_a_dataset_that_does_not_fit_the_others_is_named(sqlite_hub: Hub) -> None:
    """Two publishers of one contract of their own; one turned a number into text."""
    staged = stage(sqlite_hub)
    own = variant(CONTRACT, id="police.staff")
    text_fte = variant(own, "2.0.0", retyped("fte", "string"))
    staged.sender.deliver(own, ROWS)
    county = _sender(staged.hub, "county")
    assert county.deliver(text_fte, ROWS).state is DeliveryState.ACCEPTED
    terms = AGREEMENT.replace("police.establishment", "police.staff").replace("id: planning", "id: staff")
    agree(staged.hub, terms.replace("    why:", "    publishers: [police, county]\n    why:"))
    sandbox = FakeSandbox(
        replace(
            staged.sandbox.manifests["counting"],
            inputs=(replace(staged.sandbox.manifests["counting"].inputs[0], contract="police.staff"),),
        )
    )
    staged = replace(staged, sandbox=sandbox, hub=replace(staged.hub, sandbox=lambda: sandbox))
    running.register_plugins(staged.hub, principal_of(staged.hub, "hub", "operator"))
    ended = _run(staged.hub, staged, "staff")
    assert ended.state is RunState.FAILED
    assert "county/police.staff" in (ended.message or "")
    assert "fte" in (ended.message or "")


# ---- linking and households


def _linkers(hub: Hub) -> tuple[Sender, Sender]:
    housing, health = _sender(hub, "housing"), _sender(hub, "health")
    housing.deliver(TENANCIES, TENANTS)
    health.deliver(REGISTRATIONS, PATIENTS)
    for terms in (LINKING, HELPING):
        agree(hub, terms)
    return housing, health


def _people(hub: Hub) -> int:
    state = linking.linked_state(hub)
    return 0 if state is None else int(state["people"])


def _notes(hub: Hub, action: str) -> list[dict[str, Any]]:
    with hub.database.read() as session:
        return [entry.content for entry in audit.recent(session, limit=500, action=action)]


def test_people_of_a_publisher_whom_the_agreement_does_not_name_are_not_linked(hub: Hub) -> None:
    _linkers(hub)
    mallory = _sender(hub, "mallory")
    mallory.deliver(TENANCIES, [row | {"forename": "Mallory", "tenancy_id": "T99999"} for row in TENANTS])
    drain(hub)
    state = linking.linked_state(hub)
    assert state is not None
    assert (state["people"], state["datasets"], state["rows"]) == (4, 2, 5)
    helper = principal_of(hub, "housing", "service user")
    why = Purpose("early-help", "A visit on Friday, case 2041")
    found = viewing.search_people(hub, helper, why, PersonQuery(uprn=UPRN))
    assert {person.forename for person in found} == {"Ada", "Ben", "Cleo"}
    opened = viewing.open_household(hub, helper, found[0].household_id, why)
    assert not any("mallory" in str(item) for item in (*opened.view.contacts, *opened.view.not_covered))


def test_a_household_page_shows_rows_of_named_publishers_only(sqlite_hub: Hub) -> None:
    """Linked under one agreement, but the agreement under which somebody looks names another publisher."""
    _linkers(sqlite_hub)
    _sender(sqlite_hub, "elsewhere")
    agree(
        sqlite_hub,
        HELPING.replace("id: early-help", "id: theirs").replace(
            "[housing]\n    columns", "[elsewhere]\n    columns"
        ),
    )
    drain(sqlite_hub)
    helper = principal_of(sqlite_hub, "housing", "service user")
    seen = {}
    for agreement in ("early-help", "theirs"):
        why = Purpose(agreement, "A visit on Friday, case 2041")
        found = viewing.search_people(sqlite_hub, helper, why, PersonQuery(uprn=UPRN))
        view = viewing.open_household(sqlite_hub, helper, found[0].household_id, why).view
        seen[agreement] = ([item.contract for item in view.contacts], view.not_covered, view.nothing_sent)
    assert seen["early-help"][0] == ["housing.tenancies"]
    assert seen["theirs"][0] == []
    assert TENANCIES.title in seen["theirs"][2], "whom the agreement names has sent nothing"


def _link(name: str, contract: str, publishers: str, columns: str) -> str:
    """An agreement that lets the hub link one contract."""
    head, tail = LINKING.split("datasets:\n")
    terms = f"  - {{contract: {contract}, publishers: {publishers}, columns: {columns}}}\n"
    return f"{head.replace('link-people', name)}datasets:\n{terms}{tail[tail.index('legal_power') :]}"


_KEYED = "[tenancy_id, person_number, forename, surname, date_of_birth, uprn]"


@pytest.mark.parametrize(
    ("edit", "columns", "said"),
    [
        (retyped("date_of_birth", "string"), _KEYED, "date_of_birth is string, linking needs date or timestamp"),
        (retyped("uprn", "number"), _KEYED, "uprn is number"),
        (dropped("surname"), _KEYED.replace("surname, ", ""), "no column for surnames"),
        (lambda _: None, _KEYED.replace("person_number, ", ""), "only a part of its key, without person_number"),
    ],
    ids=["another type", "decimals", "no surname", "half a key"],
)  # fmt: skip
def test_a_dataset_that_does_not_fit_is_left_out_and_the_others_are_linked(
    sqlite_hub: Hub, edit: Any, columns: str, said: str
) -> None:
    hub = sqlite_hub
    _linkers(hub)
    county = _sender(hub, "county")
    rooms = variant(TENANCIES, id="housing.rooms", edit=edit)
    county.publish(rooms)
    agree(hub, _link("link-rooms", "housing.rooms", "[county]", columns))
    delivered = county.deliver(rooms, [row | {"uprn": "12.5"} if "uprn" in said else row for row in TENANTS])
    assert delivered.state is DeliveryState.ACCEPTED
    drain(hub)
    state = linking.linked_state(hub)
    assert state is not None
    assert (state["people"], state["datasets"]) == (4, 2), "everybody else's linking goes on"
    (noted,) = _notes(hub, "dataset.not-linked")
    assert noted["target"] == delivered.version_id
    assert noted["detail"]["dataset"] == "county/housing.rooms"
    assert said in noted["detail"]["reason"]
    drain(hub)
    linking._told.clear()  # as after a restart
    assert not linking.link_if_needed(hub)
    assert len(_notes(hub, "dataset.not-linked")) == 1, "said once"
    operator = principal_of(hub, "hub", "operator")
    assert said in cataloguing.why_not_linked(hub, operator, delivered.dataset_id)


# ---- whatever the agreement says


_SLUGS = ("housing", "county", "mallory")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, dict[str, str]]]:
    """A hub in which three organisations publish the same two contracts; slugs by dataset."""
    folder = tmp_path_factory.mktemp("published")
    url = f"sqlite:///{folder / 'hub.db'}"
    migrate(url)
    hub = make_hub(folder / "hub", url)
    for slug in _SLUGS:
        sender = _sender(hub, slug)
        for contract, rows in ((TENANCIES, TENANTS), (CONTRACT, ROWS)):
            assert sender.deliver(contract, rows).state is DeliveryState.ACCEPTED
    with hub.database.read() as session:
        known = slugs(session)
        owners = {item.id: known[item.organisation_id] for item in catalogue.list_datasets(session)}
    yield hub, owners
    hub.database.close()


_TERMS = st.lists(
    st.builds(
        DatasetTerms,
        st.sampled_from([TENANCIES.id, CONTRACT.id]),
        st.frozensets(st.sampled_from(["surname", "team", "fte", "uprn", "tenancy_id", "person_number"]), min_size=1),
        st.just(""),
        st.lists(st.sampled_from([*_SLUGS, "nobody"]), max_size=2).map(tuple),
    ),
    min_size=1,
    max_size=3,
)  # fmt: skip


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    several=st.lists(
        st.tuples(_TERMS, st.sampled_from([("county",), ("Housing",), ("nobody", "housing")])), max_size=3
    ),
)
def test_no_dataset_of_an_unnamed_publisher_is_ever_read(
    published: tuple[Hub, dict[str, str]], several: list[Any]
) -> None:
    """Whatever agreements say: what a run, linking and a household page read is of publishers that an entry names."""
    hub, owners = published
    base = load_agreement(AGREEMENT)
    in_force = [
        replace(
            base, id=f"a{number}", controllers=controllers, datasets=tuple(terms), organisations=("hub", "police"),
            operations=frozenset({"link", "run plugin", "read person"}), state=AgreementState.ACTIVE,
        )
        for number, (terms, controllers) in enumerate(several)
    ]  # fmt: skip

    def named(contract: str, agreement: str, owner: str) -> frozenset[str]:
        """The columns of every entry that is about this owner's data, worked out here from the entries alone."""
        return frozenset().union(
            *(
                terms.columns
                for one in in_force
                for terms in one.datasets
                if one.id == agreement
                and terms.contract == contract
                and owner in (terms.publishers or one.controllers)
            )
        )

    with hub.database.read() as session:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(linking.agreements, "active", lambda *_: in_force)
            linked = linking.linkable(hub, session, locate=False)
        for item in linked:
            given_columns = named(item.dataset.contract, item.grant.agreement, owners[item.dataset.id])
            assert given_columns and set(item.roles.values()) <= given_columns
        asked = Asked("read person", "", "police", today(hub))
        for dataset in catalogue.list_datasets(session):
            decision = decide_on(asked, dataset, in_force, slugs(session))
            allowed = [one.id for one in in_force if named(dataset.contract, one.id, owners[dataset.id])]
            assert (decision.grant.agreement if decision.grant else None) == (allowed[0] if allowed else None)
            if decision.grant:
                assert decision.grant.columns == named(dataset.contract, allowed[0], owners[dataset.id])
        run: Any = SimpleNamespace(plugin="counting", organisation="police", as_at=today(hub))
        for one in in_force:
            wanted = Input("teams", CONTRACT.id, ("team",), required=False)
            sources = run_inputs._sources(hub, session, one, wanted, run, set())
            read = {owners[item.version.dataset_id] for item in sources}
            assert read == {slug for slug in _SLUGS if "team" in named(CONTRACT.id, one.id, slug)}
            assert all(item.grant.columns == {"team"} for item in sources)


def test_what_is_current_is_asked_for_in_one_place_which_looks_at_the_publisher() -> None:
    places = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "hub").rglob("*.py")
        if "current_versions(" in path.read_text(encoding="utf-8")
    }
    # Lists of opt-outs take rows out, whoever publishes them: they give nobody anything.
    opt_outs = "hub/workflows/leaving_out.py"
    assert places == {"hub/catalogue/store.py", "hub/workflows/granting.py", opt_outs}


# ---- drafting


@pytest.mark.parametrize(
    ("publishers", "said"),
    [
        ("[polcie]", "no organisation polcie, named as a publisher of police.establishment"),
        ("[county]", ""),
        ("[police, county]", ""),
    ],
)
def test_a_publisher_that_is_no_organisation_is_noticed_when_drafting(
    sqlite_hub: Hub, publishers: str, said: str
) -> None:
    stage(sqlite_hub)
    _sender(sqlite_hub, "county")
    terms = AGREEMENT.replace("id: planning", "id: other").replace(
        "    why:", f"    publishers: {publishers}\n    why:"
    )
    steward = principal_of(sqlite_hub, "police", "data steward")
    if not said:
        agreeing.draft(sqlite_hub, steward, terms)
        return
    with pytest.raises(Invalid, match=said):
        agreeing.draft(sqlite_hub, steward, terms)


def test_controllers_written_as_names_give_nothing_and_drafting_says_what_to_write(sqlite_hub: Hub) -> None:
    staged = stage(sqlite_hub)
    terms = AGREEMENT.replace("id: planning", "id: other").replace(
        "controllers: [police]", "controllers: [Police]"
    )
    with pytest.raises(Invalid, match=r"nobody who publishes police\.establishment .* add `publishers:`"):
        agreeing.draft(staged.hub, staged.steward, terms)


def test_somebody_elses_columns_make_no_column_known(sqlite_hub: Hub) -> None:
    """Nobody can make an agreement about another's dataset fail, or pass, by what they publish under the same id."""
    staged = stage(sqlite_hub)
    own = variant(CONTRACT, id="police.staff")
    staged.sender.publish(own)
    _sender(staged.hub, "mallory").publish(variant(own, "9.0.0", added("secret")))
    terms = AGREEMENT.replace("id: planning", "id: other").replace("police.establishment", "police.staff")
    with pytest.raises(Invalid, match=r"police\.staff has no column secret"):
        agreeing.draft(staged.hub, staged.steward, terms.replace("[team, area, fte]", "[team, secret]"))
    agreeing.draft(staged.hub, staged.steward, terms)


def test_an_explanation_names_the_publishers_in_question(sqlite_hub: Hub) -> None:
    staged = stage(sqlite_hub)
    asked = Asked("run plugin", CONTRACT.id, "police", today(sqlite_hub), plugin="counting")
    explain = agreeing.explain
    assert explain(staged.hub, staged.steward, asked).allowed
    assert explain(staged.hub, staged.steward, replace(asked, publisher="police")).allowed
    refused = explain(staged.hub, staged.steward, replace(asked, publisher="mallory"))
    assert not refused.allowed
    assert "is about police.establishment of police, not of mallory" in refused.reason


# ---- squatting


def test_the_same_id_and_version_of_somebody_else_is_in_nobodys_way(hub: Hub) -> None:
    first, second = _sender(hub, "first"), _sender(hub, "second")
    own = variant(CONTRACT, id="local.staff")
    first.publish(variant(own, edit=added("squatted")))
    second.publish(own)
    assert second.deliver(own, ROWS).state is DeliveryState.ACCEPTED
    with hub.database.read() as session:
        assert len(catalogue.datasets_of_contract(session, "local.staff")) == 2


def test_an_id_of_the_library_stands_for_the_librarys_text(hub: Hub) -> None:
    mallory, police = _sender(hub, "mallory"), _sender(hub, "police")
    refused = [
        (variant(CONTRACT, edit=added("x")), r"take 1\.1\.0-local\.1"),
        (variant(CONTRACT, "1.1.0", added("x")), r"take 1\.1\.0-local\.1"),
        (variant(CONTRACT, "1.0.0-local.1", added("x")), r"take 1\.1\.0-local\.1"),
        (variant(CONTRACT, "2.0.0-local.1", retyped("fte", "string")), "does not keep what it promises: fte"),
        (variant(CONTRACT, "2.0.0-local.1", dropped("fte")), "fte: was dropped"),
        (variant(CONTRACT, "9.9.9", lambda _: None), r"take 1\.0\.1-local\.1"),
    ]
    for contract, said in refused:
        with pytest.raises(Conflict, match=said):
            mallory.publish(contract)
    police.publish(CONTRACT)
    mallory.publish(variant(CONTRACT, "1.1.0-local.1", added("x")))
    assert police.deliver(CONTRACT, ROWS).state is DeliveryState.ACCEPTED


def test_comments_in_a_librarys_contract_are_not_shown_to_others(sqlite_hub: Hub) -> None:
    first, second = _sender(sqlite_hub, "first"), _sender(sqlite_hub, "second")
    contracting.put_dataset(sqlite_hub, first.principal, CONTRACT.id, f"# call 0900 1234\n{CONTRACT.text}")
    made = contracting.put_dataset(sqlite_hub, second.principal, CONTRACT.id, CONTRACT.text)
    page = overview.dataset_page(sqlite_hub, principal_of(sqlite_hub, "hub", "operator"), made.dataset.id)
    assert page.contract.text == CONTRACT.text


# ---- hubs that were there before


def test_what_was_published_before_belongs_to_those_who_published_it(databases: Any) -> None:
    """A hub with data, upgraded: rows that others refer to stay where they are, and each text has its publishers."""
    database = Database(databases.new(lambda _: None))

    def run(act: Any, revision: str) -> None:
        with database.engine.execution_options(hub_write=True).begin() as connection:
            act(migrations._config(connection), revision)

    run(command.upgrade, "0002")
    at = "2026-01-01 00:00:00+00:00"
    with database.write() as session:
        for statement in (
            f"INSERT INTO organisations (id, slug, name, created_at) VALUES ('o1', 'one', 'One', '{at}')",
            f"INSERT INTO organisations (id, slug, name, created_at) VALUES ('o2', 'two', 'Two', '{at}')",
            *(
                "INSERT INTO contracts (digest, contract, version, text, created_at) "
                f"VALUES ('d{number}', 'a.b', '{number}.0.0', 'text', '{at}')"
                for number in (1, 2, 3)
            ),
            *(
                "INSERT INTO datasets (id, organisation_id, contract, contract_digest, title, created_at) "
                f"VALUES ('s{number}', 'o{number}', 'a.b', 'd2', 'title', '{at}')"
                for number in (1, 2)
            ),
            "INSERT INTO versions (id, dataset_id, number, contract_digest, object_key, origin, rows, accepted_at) "
            f"VALUES ('v1', 's1', 1, 'd1', 'key', 'origin', 1, '{at}')",
        ):
            session.execute(text(statement))
    migrations.upgrade(database)
    with database.read() as session:
        assert [item.digest for item in catalogue.publications(session, "o1", "a.b")] == ["d2", "d1"]
        assert [item.digest for item in catalogue.publications(session, "o2", "a.b")] == ["d2"]
        assert not catalogue.was_published(session, "d3")
        assert catalogue.dataset(session, "s1").contract_digest == "d2"
    with pytest.raises(IntegrityError), database.write() as session:  # references are guarded again
        session.execute(text("DELETE FROM contracts WHERE digest = 'd2'"))
    database.close()
