"""The life of an agreement, as one table."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["ENDED", "TRANSITIONS", "AgreementState", "move"]


class AgreementState(StrEnum):
    """Where an agreement stands; the value is what pages and the API say."""

    DRAFT = "draft"
    IN_REVIEW = "in review"
    AGREED = "agreed"
    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


_S = AgreementState

#: Allowed transitions: (from, act) -> to. The last signature that is needed does `activate`; the day after the end
#: does `expire`. Whoever registers after the others have signed can still `sign` an active agreement.
TRANSITIONS: Final[dict[tuple[AgreementState, str], AgreementState]] = {
    (_S.DRAFT, "submit"): _S.IN_REVIEW,
    (_S.IN_REVIEW, "return"): _S.DRAFT,
    (_S.IN_REVIEW, "approve"): _S.AGREED,
    (_S.AGREED, "sign"): _S.AGREED,
    (_S.AGREED, "activate"): _S.ACTIVE,
    (_S.ACTIVE, "sign"): _S.ACTIVE,
    (_S.ACTIVE, "expire"): _S.EXPIRED,
    (_S.DRAFT, "withdraw"): _S.WITHDRAWN,
    (_S.IN_REVIEW, "withdraw"): _S.WITHDRAWN,
    (_S.AGREED, "withdraw"): _S.WITHDRAWN,
    (_S.ACTIVE, "withdraw"): _S.WITHDRAWN,
}

#: States from which nothing leads on.
ENDED: Final = frozenset({_S.WITHDRAWN, _S.EXPIRED})


def move(state: AgreementState, act: str) -> AgreementState:
    """The state after an act.

    Raises:
        KeyError: when the table has no such transition.
    """
    return TRANSITIONS[state, act]
