"""Where one part of trust meets another: what an insider, a citizen or an operator of another organisation tries."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from hub.errors import Forbidden, NotFound
from hub.identity.people import add_user
from hub.policy import store as agreements
from hub.rights.states import RequestKind
from hub.workflows import (
    accounts,
    agreeing,
    describing,
    enrolling,
    requesting,
    rights,
    rights_citizen,
    viewing,
)
from hub.workflows.hub import Hub
from hub.workflows.looking import Purpose
from support.concerned import BORN, Concerned, at_home, make_concerned, tenancy
from support.hubs import PASSWORD, principal_of
from support.staged import agree, stage

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
    from test_access_requests import ANSWERS, COUNCIL

    staged = stage(sqlite_hub)
    agree(staged.hub, COUNCIL)
    both = principal_of(staged.hub, "council", "analyst", "data steward", name="both")
    asked = requesting.ask_all(staged.hub, both, staged.dataset, ANSWERS)
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
    from support.agreements import put_in_force

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
