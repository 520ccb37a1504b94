"""A change of a contract: what is compatible is in force at once, what is breaking waits for those it touches."""

from dataclasses import replace
from typing import Any

import pytest

from hub.audit import log as audit
from hub.catalogue import proposals
from hub.catalogue import store as catalogue
from hub.catalogue.proposals import Proposal
from hub.catalogue.states import TRANSITIONS, ProposalState, move
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.intake.states import DeliveryState
from hub.workflows import agreeing, cataloguing, contracting, running
from hub.workflows.hub import Hub
from hub.workflows.work import drain
from hub_schemas import Contract, library
from support.contracts import added, column, dropped, retyped, variant
from support.hubs import principal_of
from support.sealing import Sender
from support.staged import AGREEMENT, CONTRACT, COUNTING, ROWS, FakeSandbox, Staged, agree, stage

OWN = variant(CONTRACT, id="police.staff")
TERMS = AGREEMENT.replace("police.establishment", "police.staff")


@pytest.fixture
def staged(sqlite_hub: Hub) -> Staged:
    """The police publish a contract of their own, with data; a plugin reads it for them and for the council."""
    return _staged(sqlite_hub)


@pytest.fixture
def twice(hub: Hub) -> Staged:
    """The same on both databases, for what the database has a part in."""
    return _staged(hub)


def _staged(hub: Hub) -> Staged:
    manifest = replace(COUNTING, inputs=(replace(COUNTING.inputs[0], contract=OWN.id),))
    made = stage(hub, FakeSandbox(manifest))
    made.sender.deliver(OWN, ROWS)
    principal_of(hub, "council")
    principal_of(hub, "housing")
    agree(
        made.hub,
        TERMS.replace("id: planning", "id: shared").replace(
            "organisations: [police]", "organisations: [council]"
        ),
    )
    return made


def _publish(staged: Staged, contract: Contract) -> contracting.Published:
    return contracting.put_dataset(staged.hub, staged.sender.principal, contract.id, contract.text)


def _in_force(staged: Staged) -> str:
    with staged.hub.database.read() as session:
        dataset = catalogue.find_dataset(session, staged.sender.principal.organisation_id, OWN.id)
        assert dataset is not None
        return catalogue.contract_by_digest(session, dataset.contract_digest).version


def _proposal(staged: Staged, contract: Contract) -> Proposal:
    done = _publish(staged, contract)
    assert done.proposal is not None
    return done.proposal


def _steward(staged: Staged, slug: str, **more: Any) -> Any:
    return principal_of(staged.hub, slug, "data steward", **more)


def _acts(staged: Staged) -> list[str]:
    with staged.hub.database.read() as session:
        return [entry.action for entry in audit.recent(session, limit=500)]


def test_a_compatible_change_is_in_force_at_once(staged: Staged) -> None:
    done = _publish(staged, variant(OWN, "1.1.0", added("comment")))
    assert (done.judged.effect, done.proposal, done.contract.version) == ("compatible", None, "1.1.0")
    assert _in_force(staged) == "1.1.0"
    assert "In force for police.staff is version 1.1.0." in _said(staged, OWN)
    again = len(_acts(staged))
    assert _publish(staged, variant(OWN, "1.1.0", added("comment"))).judged.effect == "same"
    assert len(_acts(staged)) == again, "the same again is no act"


def _said(staged: Staged, contract: Contract) -> str:
    with staged.hub.database.read() as session:
        dataset = catalogue.find_dataset(session, staged.sender.principal.organisation_id, contract.id)
        assert dataset is not None
        return contracting.other_contract(staged.hub, session, dataset, contract.digest)


def test_a_breaking_change_waits_and_deliveries_under_it_are_told_for_whom(staged: Staged) -> None:
    breaking = variant(OWN, "2.0.0", dropped("fte"))
    done = _publish(staged, breaking)
    assert done.proposal is not None
    assert done.contract.version == "1.0.0", "the answer says what is in force"
    assert done.judged.waits_for == ("council", "hub")
    assert {(item.kind, item.id, item.columns) for item in done.judged.touched} == {
        ("agreement", "shared", ("fte",)), ("plugin", "counting", ("fte",)),
    }  # fmt: skip
    assert _in_force(staged) == "1.0.0"
    assert _publish(staged, breaking).proposal == done.proposal, "the same again is the same proposal"
    said = _said(staged, breaking)
    assert "waits for a data steward of council or The hub itself to accept it" in said
    assert done.proposal.id in said
    assert "In force for police.staff is version 1.0.0" in said
    assert staged.sender.deliver(OWN, ROWS[:12]).state is DeliveryState.ACCEPTED, "the old one goes on"


def test_those_concerned_accept_and_the_next_delivery_is_under_the_new_contract(twice: Staged) -> None:
    breaking = variant(OWN, "2.0.0", dropped("fte"))
    proposal = _proposal(twice, breaking)
    council = _steward(twice, "council")
    assert (
        contracting.decide(twice.hub, council, proposal.id, "accept", "we can do without").state == "accepted"
    )
    assert _in_force(twice) == "2.0.0"
    assert twice.sender.deliver(breaking, ROWS).state is DeliveryState.ACCEPTED
    with pytest.raises(Conflict, match="accepted: one cannot reject it"):
        contracting.decide(twice.hub, council, proposal.id, "reject", "too late")
    assert {"contract.proposed", "contract.accepted"} <= set(_acts(twice))
    shown = contracting.read_proposal(twice.hub, council, proposal.id)
    assert [change.column for change in shown.judged.changes] == ["fte"], "what it changed stays to be seen"
    assert (shown.reason, shown.events) == ("we can do without", ())
    with twice.hub.database.read() as session:
        dataset = catalogue.find_dataset(session, twice.sender.principal.organisation_id, OWN.id)
    assert dataset is not None
    versions = cataloguing.history(twice.hub, council, dataset)
    assert [item.version for item in versions] == ["2.0.0", "1.0.0"]
    with pytest.raises(Conflict, match=r"1\.0\.0 is not above 2\.0\.0.*Take 3\.0\.0"):
        _publish(twice, OWN)


def test_a_rejected_change_stays_out_and_its_reason_is_read(staged: Staged) -> None:
    breaking = variant(OWN, "2.0.0", dropped("fte"))
    proposal = _proposal(staged, breaking)
    contracting.decide(staged.hub, _steward(staged, "hub"), proposal.id, "reject", "keep fte until July.")
    assert _in_force(staged) == "1.0.0"
    with pytest.raises(Conflict, match=r"rejected by .*: keep fte until July\. Change it .* as 2\.0\.1"):
        _publish(staged, breaking)
    assert "keep fte until July" in _said(staged, breaking)
    judged = contracting.check(staged.hub, staged.sender.principal, OWN.id, breaking.text)
    assert (judged.outcome, "keep fte until July" in judged.problem) == ("refused", True)
    assert _publish(staged, variant(OWN, "2.0.1", dropped("fte"))).proposal is not None


def test_a_newer_proposal_or_a_compatible_change_takes_the_place_of_the_one_that_waits(
    twice: Staged,
) -> None:
    first = _proposal(twice, variant(OWN, "2.0.0", dropped("fte")))
    second = _proposal(twice, variant(OWN, "3.0.0", dropped("kind")))
    _publish(twice, variant(OWN, "1.1.0", added("comment")))
    with twice.hub.database.read() as session:
        assert {proposals.get(session, item.id).state for item in (first, second)} == {ProposalState.REPLACED}
        assert proposals.open_of(session, first.dataset_id) is None
    with pytest.raises(Conflict, match="replaced"):
        contracting.decide(twice.hub, _steward(twice, "council"), second.id, "accept", "late")
    assert _in_force(twice) == "1.1.0"


# ---- who decides


def test_only_stewards_of_those_concerned_decide(staged: Staged) -> None:
    proposal = _proposal(staged, variant(OWN, "2.0.0", dropped("fte")))
    steward_machine = replace(
        staged.sender.principal, roles=frozenset({"connector", "data steward"}), organisation="council"
    )
    for who, said in (
        (_steward(staged, "police"), "not yours to decide: a data steward of council or The hub itself"),
        (_steward(staged, "housing"), "not yours to decide"),
        (steward_machine, "You proposed this"),
    ):
        with pytest.raises(Forbidden, match=said):
            contracting.decide(staged.hub, who, proposal.id, "accept", "because")
        shown = contracting.read_proposal(staged.hub, who, proposal.id)
        assert (shown.events, said in shown.why_not) == ((), True)
    for role in ("operator", "analyst", "connector"):
        with pytest.raises(Forbidden, match="needs the role data steward"):
            contracting.decide(
                staged.hub, principal_of(staged.hub, "hub", role), proposal.id, "accept", "because"
            )
    assert _in_force(staged) == "1.0.0"
    assert contracting.read_proposal(staged.hub, _steward(staged, "council"), proposal.id).events


def test_what_touches_nobody_else_the_publishers_own_people_decide_but_not_its_machines(
    staged: Staged,
) -> None:
    agreeing.change(staged.hub, staged.steward, "shared", "withdraw")
    done = _publish(staged, variant(OWN, "2.0.0", dropped("fte")))
    assert done.proposal is not None
    assert done.judged.waits_for == ("police", "hub")
    machine = _steward(staged, "police", kind="client")
    with pytest.raises(Forbidden, match="a person does"):
        contracting.decide(staged.hub, machine, done.proposal.id, "accept", "because")
    with pytest.raises(Forbidden, match="not yours to decide"):
        contracting.decide(staged.hub, _steward(staged, "council"), done.proposal.id, "accept", "because")
    contracting.decide(staged.hub, _steward(staged, "police"), done.proposal.id, "accept", "our own")
    assert _in_force(staged) == "2.0.0"


def test_a_decision_needs_a_reason_and_one_of_two_answers(staged: Staged) -> None:
    proposal = _proposal(staged, variant(OWN, "2.0.0", dropped("fte")))
    council = _steward(staged, "council")
    for event, reason in (("accept", "  "), ("accept", "x" * 2001), ("replace", "because")):
        with pytest.raises(Invalid):
            contracting.decide(staged.hub, council, proposal.id, event, reason)
    with pytest.raises(NotFound, match="hub contracts changes"):
        contracting.decide(staged.hub, council, "prp_none", "accept", "because")


# ---- numbers and classes


@pytest.mark.parametrize(
    ("version", "edit", "said"),
    [
        ("1.0.0", added("comment"), r"1\.0\.0 is the number of another text.*Take 1\.1\.0"),
        ("0.9.0", added("comment"), r"0\.9\.0 is not above 1\.0\.0.*Take 1\.1\.0"),
        ("1.0.0-rc.1", added("comment"), r"not above 1\.0\.0"),
        ("1.9.0", dropped("fte"), r"breaking.*first part.*Take 2\.0\.0"),
        ("1.0.1", retyped("fte", "string"), r"Take 2\.0\.0"),
        ("1.0.1", added("comment"), ""),
        ("1.1.0", added("comment"), ""),
        ("4.0.0", added("comment"), ""),
        ("1.0.1", lambda document: column(document, "team").update(description="Words."), ""),
    ],
)  # fmt: skip
def test_a_number_rises_as_far_as_the_change_goes(
    sqlite_hub: Hub, version: str, edit: Any, said: str
) -> None:
    staged = stage(sqlite_hub)
    staged.sender.deliver(OWN, ROWS)
    new = variant(OWN, version, edit)
    judged = contracting.check(sqlite_hub, staged.sender.principal, OWN.id, new.text)
    assert (judged.outcome == "refused") == bool(said)
    if said:
        with pytest.raises(Conflict, match=said):
            _publish(staged, new)
    else:
        assert _publish(staged, new).proposal is None
    assert _in_force(staged) == (OWN.version if said else version)


def test_before_the_first_delivery_a_contract_may_still_change_at_once(sqlite_hub: Hub) -> None:
    staged = stage(sqlite_hub)
    _publish(staged, OWN)
    assert _publish(staged, variant(OWN, "2.0.0", dropped("fte"))).proposal is None
    assert _in_force(staged) == "2.0.0"


def test_a_check_changes_nothing(staged: Staged) -> None:
    before = _acts(staged)
    judged = contracting.check(
        staged.hub, staged.sender.principal, OWN.id, variant(OWN, "2.0.0", dropped("fte")).text
    )
    assert (judged.effect, judged.outcome, judged.waits_for) == ("breaking", "proposed", ("council", "hub"))
    assert _acts(staged) == before
    with staged.hub.database.read() as session:
        assert proposals.list_proposals(session) == []
        with pytest.raises(NotFound):
            catalogue.contract_by_digest(session, judged.contract.digest)


def test_linking_is_touched_by_the_columns_it_reads(sqlite_hub: Hub) -> None:
    tenancies = library.load("housing.tenancies")
    own = variant(tenancies, id="housing.rooms")
    sender = Sender(sqlite_hub, "housing", principal_of(sqlite_hub, "hub", "operator"))
    sender.publish(own)
    for edit, columns in (
        (dropped("postcode"), ("postcode",)),
        (dropped("weekly_rent"), None),
        (lambda document: column(document, "uprn").pop("customProperties"), ("uprn",)),
    ):
        judged = contracting.check(sqlite_hub, sender.principal, own.id, variant(own, "2.0.0", edit).text)
        linking = [item.columns for item in judged.touched if item.kind == "linking"]
        assert linking == ([columns] if columns else [])


def test_a_librarys_new_text_may_follow_a_local_variant_with_a_higher_number(sqlite_hub: Hub) -> None:
    staged = stage(sqlite_hub)
    _publish(staged, variant(CONTRACT, "1.5.0-local.1", added("x")))
    done = _publish(staged, CONTRACT)
    assert done.proposal is not None, "going back drops a column, so it is breaking"


def test_an_accepted_proposal_must_still_fit_what_is_in_force(
    staged: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two connectors: one proposes, the other gets something into force without replacing the proposal."""
    proposal = _proposal(staged, variant(OWN, "2.0.0", dropped("fte")))
    monkeypatch.setattr(proposals, "set_aside", lambda *_: None)
    _publish(staged, variant(OWN, "2.5.0", added("comment")))
    with pytest.raises(Conflict, match=r"moved on.*2\.0\.0 is not above 2\.5\.0"):
        contracting.decide(staged.hub, _steward(staged, "council"), proposal.id, "accept", "late")
    contracting.decide(staged.hub, _steward(staged, "council"), proposal.id, "reject", "late")


def test_runs_go_on_with_what_was_delivered_before(staged: Staged) -> None:
    proposal = _proposal(staged, variant(OWN, "2.0.0", dropped("fte")))
    contracting.decide(staged.hub, _steward(staged, "council"), proposal.id, "accept", "fine")
    analyst = principal_of(staged.hub, "council", "analyst")
    running.request_run(staged.hub, analyst, "counting", "shared", "council", {})
    drain(staged.hub)
    assert len(staged.sandbox.given) == 1


def test_proposals_move_only_along_their_table() -> None:
    for state in ProposalState:
        for event in ("accept", "reject", "replace", "burn"):
            if (state, event) in TRANSITIONS:
                assert move(state, event) is TRANSITIONS[state, event]
            else:
                with pytest.raises(Conflict):
                    move(state, event)
