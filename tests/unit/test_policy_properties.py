"""Whatever is done in whatever order: nobody gets a column outside an agreement, and ending one never widens access.

A machine drafts, reviews, signs, ends and bends agreements the way the table of states allows, with days going by, and
asks after each step what would be given. The rules it holds the hub to are written anew here, not taken from the code.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hub.policy.agreement import Agreement, AgreementState, DatasetTerms
from hub.policy.decide import Asked, decide, decide_for_any, explain
from hub.policy.states import ENDED, TRANSITIONS, move

COLUMNS = ("name", "born", "post", "rent")
CONTRACTS = ("housing.tenancies", "benefits.claims")
SLUGS = ("council", "police", "health")
OPERATIONS = ("run plugin", "read person", "export")
START = date(2026, 1, 1)

terms = st.builds(
    DatasetTerms, st.sampled_from(CONTRACTS), st.frozensets(st.sampled_from(COLUMNS), min_size=1), st.just(""),
    st.lists(st.sampled_from(SLUGS), max_size=2, unique=True).map(tuple),
)  # fmt: skip
agreements = st.builds(
    Agreement,
    id=st.sampled_from(("one", "two", "three")), title=st.just("t"), purpose=st.sampled_from(("help", "plan")),
    legal_power=st.sampled_from(("in words",) * 4 + ("dea-public-service-delivery", "children-safeguarding")),
    objective=st.sampled_from(("fuel-poverty", "safeguarding-children")), public_benefit=st.just("b"),
    lawful_basis=st.just("6"), special_category_basis=st.just("none"),
    controllers=st.lists(st.sampled_from(SLUGS), min_size=1, max_size=2, unique=True).map(tuple),
    organisations=st.lists(st.sampled_from(SLUGS), min_size=1, max_size=2, unique=True).map(tuple),
    roles=st.sampled_from(((), ("analyst",))),
    operations=st.frozensets(st.sampled_from(OPERATIONS), min_size=1),
    plugins=st.just(frozenset({"families"})), datasets=st.lists(terms, min_size=1, max_size=3).map(tuple),
    start=st.just(START), end=st.integers(0, 60).map(lambda days: START + timedelta(days)),
    retention_days=st.just(30), minimum_count=st.just(10), round_to=st.just(5), contact=st.just("c"),
    listed_bodies=st.sampled_from(({}, {"council": "entry 1"}, dict.fromkeys(SLUGS, "entry"))),
)  # fmt: skip
questions = st.builds(
    Asked, st.sampled_from(OPERATIONS), st.sampled_from(CONTRACTS), st.sampled_from(SLUGS), st.just(START),
    st.frozensets(st.sampled_from(COLUMNS), max_size=3), st.sampled_from((frozenset(), frozenset({"analyst"}))),
    st.sampled_from(("", "families", "other")), publisher=st.sampled_from((*SLUGS, "hub")),
    purpose=st.sampled_from(("", "help")), power=st.sampled_from(("", "in words")),
)  # fmt: skip


def _near(draw: Callable[[st.SearchStrategy[Any]], Any], found: Agreement, day: date) -> Asked:
    """A question about what an agreement gives, with at most one thing in it changed to anything."""
    item = draw(st.sampled_from(found.datasets))
    anything = draw(questions)
    asked = Asked(
        draw(st.sampled_from(sorted(found.operations))), item.contract, draw(st.sampled_from(found.organisations)), day,
        draw(st.frozensets(st.sampled_from(sorted(item.columns)), max_size=2)), frozenset(found.roles),
        publisher=draw(st.sampled_from(item.publishers or found.controllers)),
    )  # fmt: skip
    changed = draw(
        st.sampled_from(
            ("", "operation", "contract", "organisation", "columns", "plugin", "publisher", "purpose")
        )
    )
    return replace(asked, **{changed: getattr(anything, changed)}) if changed else asked


class Life(RuleBasedStateMachine):
    """Agreements by id, moved only along the table of states."""

    def __init__(self) -> None:
        super().__init__()
        self.all: dict[str, Agreement] = {}
        self.day = START

    @rule(agreement=agreements)
    def draft(self, agreement: Agreement) -> None:
        """An id is used once."""
        self.all.setdefault(agreement.id, replace(agreement, signed_by=frozenset()))

    @rule(agreement=agreements)
    def put_in_force(self, agreement: Agreement) -> None:
        """The whole way in one go, so that there is something in force to look at."""
        if agreement.id in self.all:
            return
        state = agreement.state
        for act in ("submit", "approve", "sign", "activate"):
            state = move(state, act)
        self.all[agreement.id] = replace(agreement, state=state, signed_by=frozenset(agreement.parties()))

    @precondition(lambda self: self.all)
    @rule(data=st.data())
    def lose_a_signature(self, data: st.DataObject) -> None:
        """A key was compromised."""
        name = data.draw(st.sampled_from(sorted(self.all)))
        signed = self.all[name].signed_by or frozenset()
        if signed:
            self.all[name] = replace(
                self.all[name], signed_by=signed - {data.draw(st.sampled_from(sorted(signed)))}
            )

    @precondition(lambda self: self.all)
    @rule(data=st.data(), act=st.sampled_from(sorted({act for _, act in TRANSITIONS})))
    def step(self, data: st.DataObject, act: str) -> None:
        """One step, where the table has it; activating needs every party's signature, expiring the last day over."""
        name = data.draw(st.sampled_from(sorted(self.all)))
        found = self.all[name]
        signed = found.signed_by or frozenset()
        if act == "sign" and found.state is AgreementState.AGREED:
            signed |= {data.draw(st.sampled_from(sorted(found.parties())))}
        if act == "activate" and set(found.parties()) - signed:
            return
        if act == "expire" and found.end >= self.day:
            return
        try:
            self.all[name] = replace(found, state=move(found.state, act), signed_by=signed)
        except KeyError:
            assert self.all[name] is found

    @rule(days=st.integers(0, 5))
    def wait(self, days: int) -> None:
        """Days go by."""
        self.day += timedelta(days)

    @precondition(lambda self: self.all)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """Without one of the agreements, ended or bent, nothing is given that was not given with it."""
        name = data.draw(st.sampled_from(sorted(self.all)))
        asked = _near(data.draw, self.all[name], self.day)
        before = decide(asked, self.all.values()).allowed
        kinds = [replace(self.all[name], state=state) for state in sorted(ENDED)]
        for instead in ([], *([kind] for kind in kinds), [replace(self.all[name], trouble="bent")]):
            rest = [item for key, item in self.all.items() if key != name] + instead
            assert before or not decide(asked, rest).allowed

    @precondition(lambda self: self.all)
    @rule(data=st.data(), more=st.sampled_from(COLUMNS))
    def ask(self, data: st.DataObject, more: str) -> None:
        """What is granted is within one agreement in force; asking for more columns turns no refusal into a grant."""
        asked = _near(data.draw, self.all[data.draw(st.sampled_from(sorted(self.all)))], self.day)
        decision = decide(asked, self.all.values())
        wider = decide(replace(asked, columns=asked.columns | {more}), self.all.values())
        if asked.columns:
            assert decision.allowed or not wider.allowed
        if decision.grant is not None:
            _within(asked, decision.grant.columns, self.all[decision.grant.agreement], self.day)
        assert decision.allowed == any(item.allowed for item in explain(asked, self.all.values()))

    @invariant()
    def nothing_is_given_under_what_is_not_in_force(self) -> None:
        for found in self.all.values():
            for contract in CONTRACTS:
                asked = Asked("run plugin", contract, found.organisations[0], self.day)
                if decide_for_any(asked, [found]).allowed:
                    assert found.in_force(self.day)


def _within(asked: Asked, columns: frozenset[str], found: Agreement, day: date) -> None:
    given = {
        name
        for item in found.datasets
        if item.contract == asked.contract and asked.publisher in (item.publishers or found.controllers)
        for name in item.columns
    }
    assert columns, "a grant gives something"
    assert columns <= given
    assert asked.columns <= columns
    assert found.state is AgreementState.ACTIVE
    assert not found.trouble
    assert found.start <= day <= found.end
    assert asked.organisation in found.organisations
    assert {asked.organisation, asked.publisher} <= (found.signed_by or set())
    assert asked.operation in found.operations
    if found.legal_power == "dea-public-service-delivery":
        assert found.objective == "fuel-poverty"
        assert {asked.organisation, asked.publisher} <= set(found.listed_bodies)
    if found.legal_power == "children-safeguarding":
        assert found.objective == "safeguarding-children"


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)


@given(agreements, questions, st.sampled_from(COLUMNS))
@settings(max_examples=50, deadline=None)
def test_naming_one_more_column_never_turns_a_refusal_into_a_grant(
    agreement: Agreement, asked: Asked, column: str
) -> None:
    agreement = replace(agreement, state=AgreementState.ACTIVE, signed_by=frozenset(SLUGS))
    asked = replace(asked, columns=asked.columns or frozenset({"name"}))
    assert not decide(asked, [replace(agreement, trouble="bent")]).allowed
    wider = decide(replace(asked, columns=asked.columns | {column}), [agreement])
    assert decide(asked, [agreement]).allowed or not wider.allowed
