"""Asking for data: what is known is filled in, the publisher's steward answers, and an agreement comes of it."""

from typing import Any

import pytest
from sqlalchemy import text

from hub.audit import log as audit_log
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.policy import store as agreements
from hub.policy.asking import OPEN, TRANSITIONS, RequestState, move
from hub.policy.requests import AccessRequest
from hub.workflows import agreeing, requesting
from hub.workflows.hub import Hub
from support.hubs import principal_of
from support.staged import Staged, agree, stage

#: What nobody can know; the rest is filled in from the contract and from the council's earlier agreement.
ANSWERS = {
    "purpose": "Plan where officers are needed at weekends",
    "level": "figures",
    "aims": "Fewer calls wait; seen in the waiting times",
    "impact_if_refused": "Nobody knows who is where",
    "until": "2099-01-01",
}
COUNCIL = """\
id: council-before
title: What the council had before
purpose: Another purpose
legal_power: crime-and-disorder
objective: crime-and-disorder
public_benefit: A benefit
lawful_basis: UK GDPR Article 6(1)(e), public task
controllers: [council]
organisations: [council]
operations: [run plugin]
datasets: [{contract: police.establishment, publishers: [police], columns: [team, area, fte]}]
start: 2026-01-01
end: 2099-12-31
retention_days: 90
contact: data@council.invalid
data_protection_review: The DPO, January, DPIA-7
security_review: The CISO, January
disposal: Deleted
"""


class Cast:
    """A hub in which the council may ask the police."""

    def __init__(self, hub: Hub) -> None:
        self.staged: Staged = stage(hub)
        self.hub = self.staged.hub
        agree(self.hub, COUNCIL)
        self.analyst = principal_of(self.hub, "council", "analyst")
        self.colleague = principal_of(self.hub, "council", "analyst", name="colleague")
        self.steward = principal_of(self.hub, "police", "data steward")
        self.stranger = principal_of(self.hub, "housing", "data steward", "analyst")
        self.dataset = self.staged.dataset

    def asked(self, **answers: Any) -> AccessRequest:
        return requesting.ask_all(self.hub, self.analyst, self.dataset, ANSWERS | answers)


@pytest.fixture
def cast(sqlite_hub: Hub) -> Cast:
    return Cast(sqlite_hub)


def test_what_is_known_is_filled_in_and_says_where_it_comes_from(cast: Cast) -> None:
    asked = requesting.prepare(cast.hub, cast.analyst, cast.dataset)
    assert (asked.about.organisation, asked.about.publisher, asked.about.roles) == (
        "council",
        "police",
        ("analyst",),
    )
    assert asked.answers["power"] == "crime-and-disorder"
    assert asked.answers["retention_days"] == 90
    assert asked.answers["contact"] == "data@council.invalid"
    assert asked.sources["power"] == "your agreement What the council had before"
    assert {"team", "area", "fte"} <= set(asked.answers["columns"])
    assert "purpose" not in asked.answers, "every purpose is asked for anew"
    nobody = principal_of(cast.hub, "housing", "analyst")
    assert "contact" not in requesting.prepare(cast.hub, nobody, cast.dataset).answers, (
        "agreements of others are not told"
    )


def test_a_request_that_is_accepted_becomes_a_draft_that_names_it(cast: Cast) -> None:
    request = cast.asked(columns=["team", "area"])
    assert [item.mine for item in requesting.waiting(cast.hub, cast.steward)] == [True]
    assert requesting.waiting(cast.hub, cast.analyst) == []
    done = requesting.decide(cast.hub, cast.steward, request.id, "accept", "As we said on the phone")
    assert done.state is RequestState.ACCEPTED
    drafted, _ = agreeing.read(cast.hub, cast.analyst, str(done.agreement_id))
    assert (drafted.request, drafted.state.value) == (request.id, "draft")
    assert drafted.columns_from("police.establishment", "police") == {"team", "area"}
    assert (drafted.organisations, drafted.controllers) == (("council",), ("police",))
    assert drafted.roles == ("analyst",)
    assert drafted.operations == {"run plugin", "read aggregate"}
    assert drafted.purpose == ANSWERS["purpose"]
    shown = requesting.read(cast.hub, cast.analyst, request.id)
    assert (shown.agreement, shown.steps[-1].words) == (drafted.id, "As we said on the phone")
    assert not shown.acts
    with cast.hub.database.read() as session:
        entries = [item.action for item in audit_log.recent(session, limit=3)]
    assert entries == ["request.accepted", "agreement.drafted", "request.asked"]


def test_asking_back_opens_the_answers_and_the_reply_brings_it_back(cast: Cast) -> None:
    request = cast.asked()
    with pytest.raises(Conflict, match="cannot be changed"):
        requesting.answer(cast.hub, cast.analyst, request.id, "purpose", "Another")
    requesting.decide(cast.hub, cast.steward, request.id, "return", "Why until 2099?")
    assert [item.mine for item in requesting.waiting(cast.hub, cast.analyst)] == [True]
    assert requesting.waiting(cast.hub, cast.colleague) == []
    requesting.answer(cast.hub, cast.analyst, request.id, "until", "2027-01-01")
    done = requesting.reply(cast.hub, cast.analyst, request.id, "A year will do")
    assert done.state is RequestState.ANSWERED
    said = [(item.act, item.words) for item in requesting.read(cast.hub, cast.steward, request.id).steps]
    assert said == [("ask", ""), ("return", "Why until 2099?"), ("answer", "A year will do")]
    requesting.decide(cast.hub, cast.steward, request.id, "refuse", "No after all")
    for act in ("accept", "return", "refuse"):
        with pytest.raises(Conflict):
            requesting.decide(cast.hub, cast.steward, request.id, act, "again")
    with pytest.raises(Conflict):
        requesting.withdraw(cast.hub, cast.analyst, request.id)


def test_nobody_answers_their_own_request_nor_one_to_another_organisation(cast: Cast) -> None:
    both = principal_of(cast.hub, "police", "analyst", "data steward", name="both")
    own = requesting.ask_all(cast.hub, both, cast.dataset, ANSWERS | {
        "power": "own words", "power_words": "Police Act 1996", "objective": "Planning", "public_benefit": "b",
        "lawful_basis": "UK GDPR Article 6(1)(e), public task", "controller_role": "separate",
        "data_protection_review": "x", "security_review": "x", "retention_days": "30", "disposal": "x", "contact": "c",
    })  # fmt: skip
    with pytest.raises(Forbidden, match="yourself"):
        requesting.decide(cast.hub, both, own.id, "accept", "Fine by me")
    assert requesting.read(cast.hub, both, own.id).why_not.startswith("You asked for this yourself")
    machine = principal_of(cast.hub, "police", "analyst", "data steward", kind="client")
    with pytest.raises(Forbidden, match="a person does"):
        requesting.decide(cast.hub, machine, own.id, "accept", "Fine by me")
    request = cast.asked()
    hubs = principal_of(cast.hub, "hub", "data steward")
    council = principal_of(cast.hub, "council", "data steward")
    for steward in (hubs, council):
        assert requesting.read(cast.hub, steward, request.id).why_not
        with pytest.raises(Forbidden, match="publishes the dataset"):
            requesting.decide(cast.hub, steward, request.id, "accept", "Fine by me")
    with cast.hub.database.read() as session:
        assert not [item for item in agreements.list_all(session) if item.request]


def test_what_one_may_not_see_is_absent_and_cannot_be_acted_on(cast: Cast) -> None:
    draft = requesting.begin(cast.hub, cast.analyst, cast.dataset)
    assert requesting.begin(cast.hub, cast.analyst, cast.dataset).id == draft.id, (
        "one goes on with one's draft"
    )
    for other in (cast.colleague, cast.steward, cast.stranger, principal_of(cast.hub, "hub", "auditor")):
        assert requesting.list_requests(cast.hub, other) == []
        with pytest.raises(NotFound):
            requesting.read(cast.hub, other, draft.id)
    request = cast.asked()
    assert requesting.list_requests(cast.hub, cast.stranger) == []
    for act in (
        lambda: requesting.read(cast.hub, cast.stranger, request.id),
        lambda: requesting.decide(cast.hub, cast.stranger, request.id, "refuse", "no"),
        lambda: requesting.withdraw(cast.hub, cast.stranger, request.id),
        lambda: requesting.withdraw(cast.hub, cast.colleague, request.id),
        lambda: requesting.reply(cast.hub, cast.colleague, request.id, "hello"),
        lambda: requesting.answer(cast.hub, cast.colleague, request.id, "purpose", "mine now"),
        lambda: requesting.ask(cast.hub, cast.colleague, request.id),
    ):
        with pytest.raises(NotFound):
            act()
    for reader in (cast.colleague, cast.steward, principal_of(cast.hub, "hub", "operator")):
        assert [item.request.id for item in requesting.list_requests(cast.hub, reader)] == [request.id]


def test_a_request_without_the_answers_is_not_sent(cast: Cast) -> None:
    draft = requesting.begin(cast.hub, cast.analyst, cast.dataset)
    with pytest.raises(Invalid, match="Not answered yet") as error:
        requesting.ask(cast.hub, cast.analyst, draft.id)
    assert {"purpose", "aims", "impact_if_refused"} <= set(error.value.fields)
    for key, value in (
        ("columns", ["fte", "no_such"]), ("columns", []), ("columns", "x"), ("level", "people"), ("until", "soon"),
        ("retention_days", "0"), ("retention_days", "99999999999999999999"), ("retention_days", "-1"), ("purpose", " "),
        ("purpose", "x" * 1001), ("purpose", "a\x00b"), ("contact", "a\nb"), ("power", "any"), ("plugins", ["nothing"]),
    ):  # fmt: skip
        with pytest.raises(Invalid):
            requesting.answer(cast.hub, cast.analyst, draft.id, key, value)
    with pytest.raises(NotFound):
        requesting.answer(cast.hub, cast.analyst, draft.id, "state", "accepted")
    with pytest.raises(Invalid, match="no such questions"):
        requesting.ask_all(cast.hub, cast.analyst, cast.dataset, ANSWERS | {"publisher": "council"})
    with pytest.raises(Invalid):
        cast.asked(until="2020-01-01")


def test_what_was_typed_is_nowhere_in_the_database(cast: Cast) -> None:
    request = cast.asked(purpose="For Ermintrude Canary")
    requesting.decide(cast.hub, cast.steward, request.id, "return", "Who is Ermintrude Canary?")
    with cast.hub.database.read() as session:
        for table in ("access_requests", "access_request_steps", "audit_entries"):
            rows = session.execute(text(f"SELECT * FROM {table}")).all()
            assert rows and "Canary" not in str(rows)


def test_lists_stay_whole_under_paging_and_ask_the_database_a_constant_number_of_times(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import event

    mine = []
    for number in range(6):
        asker = cast.analyst if number % 2 else principal_of(cast.hub, "hub", "analyst")
        made = requesting.begin(cast.hub, asker, cast.dataset)
        with cast.hub.database.write() as session:
            from hub.policy import requests as kept

            kept.act(session, made.id, "ask", asker.reference, None)
        if number % 2:
            mine.append(made.id)
    first = requesting.list_requests(cast.hub, cast.analyst, limit=2)
    second = requesting.list_requests(cast.hub, cast.analyst, limit=2, before=first[-1].request.id)
    assert [item.request.id for item in (*first, *second)] == mine[::-1]

    asked: list[str] = []
    event.listen(cast.hub.database.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    requesting.list_requests(cast.hub, cast.steward, limit=1)
    few = len(asked)
    requesting.list_requests(cast.hub, cast.steward, limit=50)
    assert len(asked) == 2 * few


def test_the_table_of_states_has_no_way_out_of_an_end(cast: Cast) -> None:
    ends = {RequestState.ACCEPTED, RequestState.REFUSED, RequestState.WITHDRAWN}
    assert {state for state, _ in TRANSITIONS} | ends == set(RequestState)
    acts = {act for _, act in TRANSITIONS}
    for state in ends:
        for act in acts:
            with pytest.raises(Conflict):
                move(state, act)
    assert RequestState.ASKED not in OPEN
