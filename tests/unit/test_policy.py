"""Policy: default deny, and each refusal says why."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Forbidden
from hub.policy.agreement import TRANSITIONS, Agreement, AgreementState, DatasetTerms, move
from hub.policy.decide import Asked, decide, decide_for_any, require_grant, whole_file
from hub.policy.roles import ROLES, Permission, may, require

AGREEMENT = Agreement(
    id="early-help", title="Early help", purpose="help", legal_power="power", objective="objective",
    public_benefit="benefit", lawful_basis="6(1)(e)", special_category_basis="none", controllers=("a",),
    organisations=("council",), roles=("service user",), operations=frozenset({"run plugin", "read person"}),
    plugins=frozenset({"families"}),
    datasets=(
        DatasetTerms("schools.attendance", frozenset({"term", "absence"})),
        DatasetTerms("benefits.claims", frozenset({"benefit"})),
    ),
    start=date(2026, 1, 1), end=date(2026, 12, 31), retention_days=30, minimum_count=10, round_to=5, contact="dpo",
    state=AgreementState.ACTIVE,
)  # fmt: skip
ASKED = Asked(
    "run plugin", "schools.attendance", "council", date(2026, 6, 1), frozenset({"term"}), frozenset({"service user"}),
    "families", publisher="a",
)  # fmt: skip


def test_what_the_agreement_gives_is_granted_and_nothing_else() -> None:
    decision = decide(ASKED, [AGREEMENT])
    assert decision.grant is not None
    assert decision.grant.columns == {"term"}
    assert not decision.grant.permits("absence")
    assert decision.grant.agreement == "early-help"


def test_without_columns_everything_the_agreement_gives_is_granted() -> None:
    decision = decide(replace(ASKED, columns=frozenset()), [AGREEMENT])
    assert decision.grant is not None
    assert decision.grant.columns == {"term", "absence"}


@pytest.mark.parametrize(
    ("asked", "agreement", "words"),
    [
        (ASKED, None, "no agreement covers schools.attendance"),
        (replace(ASKED, contract="police.incidents"), AGREEMENT, "does not cover police.incidents"),
        (replace(ASKED, columns=frozenset({"term", "surname"})), AGREEMENT, "does not give surname"),
        (replace(ASKED, operation="export"), AGREEMENT, "does not allow the operation 'export'"),
        (replace(ASKED, organisation="police"), AGREEMENT, "not for the organisation police"),
        (replace(ASKED, roles=frozenset({"analyst"})), AGREEMENT, "for the roles service user only"),
        (replace(ASKED, plugin="workforce"), AGREEMENT, "does not name the plugin workforce"),
        (replace(ASKED, purpose="curiosity"), AGREEMENT, "serves another purpose"),
        (replace(ASKED, agreement="another"), AGREEMENT, "not the one asked for"),
        (
            replace(ASKED, on=date(2027, 1, 1)),
            AGREEMENT,
            "holds from 2026-01-01 to 2026-12-31, not on 2027-01-01",
        ),
        (replace(ASKED, on=date(2025, 12, 31)), AGREEMENT, "not on 2025-12-31"),
        (
            replace(ASKED, publisher="mallory"),
            AGREEMENT,
            "is about schools.attendance of a, not of mallory",
        ),
        (replace(ASKED, publisher=""), AGREEMENT, "does not say who publishes schools.attendance"),
        (ASKED, replace(AGREEMENT, controllers=("A",)), "of A, not of a"),
        (ASKED, replace(AGREEMENT, state=AgreementState.DRAFT), "is draft, not active"),
        (ASKED, replace(AGREEMENT, state=AgreementState.WITHDRAWN), "is withdrawn, not active"),
        (ASKED, replace(AGREEMENT, state=AgreementState.AGREED), "is agreed, not active"),
        (
            ASKED,
            replace(AGREEMENT, trouble="its text was changed"),
            "cannot be trusted: its text was changed",
        ),
        (ASKED, replace(AGREEMENT, signed_by=frozenset({"a"})), "no signature of council that holds"),
        (ASKED, replace(AGREEMENT, signed_by=frozenset({"council"})), "no signature of a that holds"),
        (replace(ASKED, power="another power"), AGREEMENT, "rests on another power or objective"),
        (replace(ASKED, objective="another"), AGREEMENT, "rests on another power or objective"),
        (ASKED, replace(AGREEMENT, legal_power="dea-debt"), "serves its own objectives only"),
        (
            ASKED,
            replace(
                AGREEMENT,
                legal_power="dea-debt",
                objective="public-sector-debt",
                listed_bodies={"a": "entry 1"},
            ),
            "does not say that council is a body that may use this power",
        ),
    ],
)
def test_each_refusal_says_why(asked: Asked, agreement: Agreement | None, words: str) -> None:
    decision = decide(asked, [agreement] if agreement else [])
    assert decision.grant is None
    assert words in decision.reason
    with pytest.raises(Forbidden, match="Refused: "):
        require_grant(asked, [agreement] if agreement else [])


@given(
    operation=st.sampled_from(["run plugin", "read person", "export", "link"]),
    columns=st.frozensets(st.sampled_from(["term", "absence", "surname", "benefit"])),
    organisation=st.sampled_from(["council", "police", ""]),
    plugin=st.sampled_from(["", "families", "workforce"]),
    days=st.integers(-400, 400),
    state=st.sampled_from(list(AgreementState)),
)
def test_no_grant_ever_holds_a_column_outside_the_agreement(
    operation: str, columns: frozenset[str], organisation: str, plugin: str, days: int, state: AgreementState
) -> None:
    agreement = replace(AGREEMENT, state=state)
    asked = Asked(
        operation,
        "schools.attendance",
        organisation,
        date(2026, 6, 1) + timedelta(days),
        columns,
        plugin=plugin,
        publisher="a",
    )
    with_it, without_it = decide(asked, [agreement]), decide(asked, [])
    assert without_it.grant is None, "removing an agreement never widens access"
    if with_it.grant is not None:
        assert with_it.grant.columns <= agreement.columns_of("schools.attendance")
        assert columns <= with_it.grant.columns
        assert state is AgreementState.ACTIVE


@given(
    named=st.lists(st.lists(st.sampled_from(["a", "b", "c"]), max_size=2), min_size=1, max_size=3),
    asked_of=st.sampled_from(["a", "b", "c", "d", ""]),
    controllers=st.sampled_from([("a",), ("B",), ("b", "c")]),
)
def test_nothing_is_granted_of_a_publisher_whom_no_entry_names(
    named: list[list[str]], asked_of: str, controllers: tuple[str, ...]
) -> None:
    """Each entry gives a column of its own, so that columns of one publisher cannot slip in with another's."""
    terms = tuple(
        DatasetTerms("x.y", frozenset({f"column{number}"}), "", tuple(slugs))
        for number, slugs in enumerate(named)
    )
    agreement = replace(AGREEMENT, datasets=terms, controllers=controllers)
    asked = replace(ASKED, contract="x.y", columns=frozenset(), publisher=asked_of)
    given_by = {f"column{number}" for number, slugs in enumerate(named) if asked_of in (slugs or controllers)}
    decision = decide(asked, [agreement])
    assert (decision.grant.columns if decision.grant else frozenset()) == given_by
    general = decide_for_any(replace(asked, publisher=""), [agreement])
    assert general.allowed
    if asked_of:
        assert decide_for_any(asked, [agreement]) == decision


def test_the_hubs_own_datasets_are_the_hubs_whatever_an_agreement_says() -> None:
    terms = (DatasetTerms("hub.people", frozenset({"person_id"}), "", ("mallory",)),)
    agreement = replace(AGREEMENT, datasets=terms)
    asked = replace(ASKED, contract="hub.people", columns=frozenset())
    assert decide(replace(asked, publisher="hub"), [agreement]).allowed
    for other in ("mallory", "a", ""):
        assert not decide(replace(asked, publisher=other), [agreement]).allowed


def test_a_grant_for_the_hubs_own_duties_covers_a_whole_file() -> None:
    assert whole_file("x", "checking").permits("anything")


def test_agreements_move_only_along_the_table() -> None:
    for state in AgreementState:
        for act in ("submit", "return", "approve", "sign", "activate", "withdraw", "expire"):
            if (state, act) in TRANSITIONS:
                assert move(state, act) is TRANSITIONS[state, act]
            else:
                with pytest.raises(KeyError):
                    move(state, act)


def test_every_permission_belongs_to_some_role_and_no_role_has_all() -> None:
    assert set().union(*ROLES.values()) == set(Permission)
    assert all(granted != set(Permission) for granted in ROLES.values())


def test_a_missing_permission_names_the_roles_that_carry_it() -> None:
    with pytest.raises(Forbidden, match=r"needs the role service user.*, and yours is operator"):
        require(["operator"], Permission.SEARCH_PEOPLE)
    assert not may(["unknown"], Permission.READ_CATALOGUE)
