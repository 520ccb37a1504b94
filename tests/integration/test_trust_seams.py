"""Where one part of trust meets another: what an insider, a citizen or an operator of another organisation tries."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from hub.errors import Conflict, Forbidden, NotFound
from hub.identity.people import add_user
from hub.policy import store as agreements
from hub.rights.states import RequestKind
from hub.runs import store as runs
from hub.workflows import (
    accounts,
    agreeing,
    describing,
    enrolling,
    leaving_out,
    registering,
    requesting,
    rights,
    rights_citizen,
    running,
    scheduling,
    viewing,
)
from hub.workflows.hub import Hub
from hub.workflows.linking import link_now
from hub.workflows.looking import Purpose
from hub.workflows.rights_people import known_as, subject_of
from hub.workflows.work import drain
from support.agreements import put_in_force
from support.concerned import BORN, TENANTS, Concerned, at_home, make_concerned
from support.hubs import PASSWORD, principal_of
from support.staged import stage

EVERYBODY = """\
id: everybody
title: Everybody
purpose: Look at everybody
legal_power: a power
objective: an objective
public_benefit: a benefit
lawful_basis: 6(1)(e)
controllers: [evil]
organisations: [evil]
operations: [read person]
datasets:
  - {contract: hub.people, columns: [forename, surname, date_of_birth, postcode, nhs_number]}
start: 2026-01-01
end: 2099-12-31
retention_days: 30
contact: privacy@council.invalid
"""

_ANSWERS = {
    "purpose": "Plan where officers are needed", "level": "figures", "aims": "Fewer calls wait",
    "impact_if_refused": "Nobody knows who is where", "power": "crime-and-disorder",
    "objective": "crime-and-disorder", "public_benefit": "A benefit", "retention_days": "90",
    "lawful_basis": "UK GDPR Article 6(1)(e), public task", "contact": "data@council.invalid",
    "data_protection_review": "The DPO, January, DPIA-7", "security_review": "The CISO, January",
    "disposal": "Deleted", "controller_role": "separate",
}  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Concerned]:
    made = make_concerned(tmp_path_factory.mktemp("seams"))
    yield made
    made.hub.database.close()


@pytest.fixture
def there(template: Concerned, tmp_path: Path) -> Iterator[Concerned]:
    with at_home(template, tmp_path) as made:
        yield made


def test_an_organisation_alone_cannot_give_itself_the_table_of_all_people(sqlite_hub: Hub) -> None:
    hub = sqlite_hub
    one, two = (principal_of(hub, "evil", "data steward", name=name) for name in ("one", "two"))
    agreeing.draft(hub, one, EVERYBODY)
    agreeing.change(hub, one, "everybody", "submit")
    with pytest.raises(Forbidden, match="data steward of the hub"):
        agreeing.change(hub, two, "everybody", "approve")
    assert "approve" not in agreeing.standing(hub, two, "everybody").acts
    steward = principal_of(hub, "hub", "data steward")
    assert agreeing.change(hub, steward, "everybody", "approve").state == "agreed"


@pytest.mark.parametrize("role", ["auditor", "rights officer"])
def test_roles_that_reach_everybody_are_given_and_reset_by_the_hub_s_operators_only(
    sqlite_hub: Hub, role: str
) -> None:
    hub, evil = sqlite_hub, principal_of(sqlite_hub, "evil", "operator")
    with pytest.raises(Forbidden):
        accounts.invite(hub, evil, "ghost", "Ghost", "evil", [role])
    with pytest.raises(Forbidden):
        enrolling.add_client(
            hub, evil, "evil", "ghost", [role], {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}
        )
    with hub.database.write() as session:
        held = add_user(session, "holder", "Holder", evil.organisation_id, [role], PASSWORD)
        other = add_user(session, "other", "Other", evil.organisation_id, ["analyst"], PASSWORD)
    for act in (
        lambda: accounts.reset(hub, evil, held, clear_factor=True),
        lambda: accounts.set_roles(hub, evil, other, [role]),
        lambda: accounts.bind(
            replace(hub, settings=replace(hub.settings, oidc_issuer="https://x.invalid")), evil, held, "me"
        ),
    ):
        with pytest.raises(Forbidden):
            act()
    assert accounts.reset(hub, principal_of(hub, "hub", "operator"), held)


def test_who_asked_for_data_does_not_approve_the_agreement_that_comes_of_it(sqlite_hub: Hub) -> None:
    staged = stage(sqlite_hub)
    both = principal_of(staged.hub, "council", "analyst", "data steward", name="both")
    asked = requesting.ask_all(staged.hub, both, staged.dataset, _ANSWERS)
    steward = principal_of(staged.hub, "police", "data steward")
    made = requesting.decide(staged.hub, steward, asked.id, "accept", "yes, we have talked").agreement_id
    agreeing.change(staged.hub, steward, made, "submit")
    with pytest.raises(Forbidden, match="somebody else must approve"):
        agreeing.change(staged.hub, both, made, "approve")
    with staged.hub.database.read() as session:
        assert agreements.record(session, made).authors == (steward.reference, both.reference)


def test_a_household_page_does_not_name_private_datasets_of_others(there: Concerned) -> None:
    hub, paul = there.hub, there.who("paul")
    with hub.database.read() as session:
        text = agreements.get_text(session, "early-help")
    narrow = "\n".join(line for line in text.splitlines() if "health.registrations" not in line)
    put_in_force(hub, narrow.replace("id: early-help", "id: narrow").replace("[housing, police]", "[police]"))
    home = _household(there, "Ada", paul)
    why = Purpose("narrow", "a visit on Friday, case 2041")
    assert any("health" in title for title in viewing.open_household(hub, paul, home, why).view.not_covered)
    agreeing.change(hub, principal_of(hub, "hub", "data steward"), "early-help", "withdraw")
    describing.set_visibility(hub, there.who("stan"), _dataset(hub, "health.registrations"), "private")
    assert viewing.open_household(hub, paul, home, why).view.not_covered == []


def _household(there: Concerned, forename: str, who: object) -> str:
    from hub.insights.people import PersonQuery
    from hub.workflows.rights_people import find_person

    query = PersonQuery(
        surname="Quillfeather", forename=forename, date_of_birth=date.fromisoformat(BORN[forename])
    )
    return find_person(there.hub, there.who("olive"), query, "looks up somebody for a test")[0].household_id


def _dataset(hub: Hub, contract: str) -> str:
    from hub.catalogue import store as catalogue

    with hub.database.read() as session:
        return catalogue.datasets_of_contract(session, contract)[0].id


def test_a_citizen_whose_id_went_to_somebody_else_reads_their_own_requests_only(there: Concerned) -> None:
    hub, olive, born = there.hub, there.who("olive"), date.fromisoformat(BORN["Ada"])
    ada, ben = there.person("Ada"), there.person("Ben")
    code = rights_citizen.make_code(hub, olive, ada, born, "saw the passport")
    token = rights_citizen.open_page(hub, code, born)
    mine = rights.open_request(hub, olive, ada, RequestKind.ACCESS, "a wish of Ada's", date.today())
    theirs = rights.open_request(hub, olive, ben, RequestKind.ACCESS, "a wish of Ben's", date.today())
    # Linking gave Ada's old id to Ben, as it does where the larger part of a split keeps it.
    with hub.database.write() as session:
        from sqlalchemy import text

        session.execute(
            text("UPDATE rights_requests SET subject = :subject WHERE id = :id"),
            {"subject": mine.subject, "id": theirs.id},
        )
    assert [item.request.id for item in rights_citizen.my_page(hub, token).requests] == [mine.id]
    with pytest.raises(NotFound):
        rights_citizen.fetch_copy(hub, token, theirs.id)


def test_a_row_number_makes_nobody_the_person_who_had_it_before(there: Concerned) -> None:
    hub, steward = there.hub, principal_of(there.hub, "hub", "data steward")
    with hub.database.read() as session:
        text = agreements.get_text(session, "link-people")
    agreeing.change(hub, steward, "link-people", "withdraw")
    keyless = text.replace("id: link-people", "id: link-keyless").replace("tenancy_id, person_number, ", "")
    put_in_force(hub, keyless)
    link_now(hub, principal_of(hub, "hub", "operator"))
    ada = there.person("Ada")
    with hub.database.read() as session:
        before = subject_of(hub, session, ada)
    assert len(before.keys) == 2, "housing and health"
    there.deliver(
        "housing", "housing.tenancies", TENANTS[::-1]
    )  # Dan's row is the first now, which was Ada's
    with hub.database.read() as session:
        assert known_as(hub, session, [before]) == {there.person("Ada")} == {ada}


def test_nothing_runs_for_an_organisation_that_was_revoked(there: Concerned) -> None:
    hub, operator = there.hub, principal_of(there.hub, "hub", "operator")
    schedule = scheduling.add_schedule(hub, there.who("ann"), "needs", "early-help", "0 6 * * MON", {})
    waiting = running.request_run(hub, there.who("ann"), "needs", "early-help", "housing", {})
    registering.revoke_organisation(hub, operator, "housing")
    assert scheduling.trigger(hub, schedule.id) is None
    drain(hub)
    with hub.database.read() as session:
        assert "revoked" in runs.get_run(session, waiting.id).message


def test_rows_without_a_key_stop_a_run_until_they_are_linked_when_somebody_is_restricted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def contract(role: str | None) -> SimpleNamespace:
        return SimpleNamespace(id="x.y", primary_key=(), columns=[SimpleNamespace(linkage_role=role)])

    source = SimpleNamespace(version=SimpleNamespace(contract_digest="d", dataset_id="dat_1"))
    leaving = leaving_out._Room(SimpleNamespace(), SimpleNamespace(), SimpleNamespace())
    monkeypatch.setattr(leaving_out.catalogue, "contract_by_digest", lambda *_: contract("surname"))
    with pytest.raises(Conflict, match="not linked yet and its rows have no key"):
        leaving._by_key(source, set())
    monkeypatch.setattr(leaving_out.catalogue, "contract_by_digest", lambda *_: contract(None))
    assert len(leaving._by_key(source, set())) == 0, "figures about nobody in particular are read as before"
