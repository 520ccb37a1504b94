"""Looking at people: why somebody looks, and that looks which are refused stand in the audit log as well."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy.orm import Session

from hub.errors import Forbidden, Invalid, NotFound
from hub.identity.principal import Principal
from hub.policy import store as agreements
from hub.workflows.hub import Hub, note

__all__ = ["LEAST_REASON", "Purpose", "check_reason", "refusals_noted", "refusals_recorded"]

#: Characters that a reason must have at least.
LEAST_REASON = 10

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Purpose:
    """Why a principal looks: the agreement that carries the purpose, and the reason typed."""

    agreement: str
    reason: str


def check_reason(purpose: Purpose) -> None:
    """Go on only with a reason that says something.

    Raises:
        Invalid: saying what is wanted.
    """
    if len(purpose.reason.strip()) < LEAST_REASON:
        raise Invalid(
            f"Say why you look, in at least {LEAST_REASON} characters, for example: home visit on Friday, case 2041.",
            fields={"reason": ["too short"]},
        )


@contextmanager
def refusals_recorded(
    hub: Hub, principal: Principal, action: str, purpose: Purpose, target: str = ""
) -> Iterator[None]:
    """Note a look that was refused (Forbidden) or found nobody (NotFound), and let the refusal go on.

    Nothing that was typed is kept readable: the reason is sealed, and an agreement that does not exist is left out.
    """
    try:
        yield
    except (Forbidden, NotFound) as error:
        with hub.database.write() as session:
            note(
                session, principal, action, target if re.fullmatch(r"[a-z]{2,8}_[0-9A-Za-z]{1,40}", target) else "",
                agreement=_known(session, purpose.agreement), reason=hub.vault.seal_text(purpose.reason[:2000]),
                detail={"answer": "forbidden" if isinstance(error, Forbidden) else "not found"},
            )  # fmt: skip
        raise


def refusals_noted(
    action: str,
) -> Callable[[Callable[Concatenate[Hub, Principal, P], T]], Callable[Concatenate[Hub, Principal, P], T]]:
    """`refusals_recorded` for a whole use case that is given its `Purpose` by place or by name."""

    def around(
        act: Callable[Concatenate[Hub, Principal, P], T],
    ) -> Callable[Concatenate[Hub, Principal, P], T]:
        @wraps(act)
        def noted(hub: Hub, principal: Principal, *args: P.args, **kwargs: P.kwargs) -> T:
            given = (*args, *kwargs.values())
            purpose = next((item for item in given if isinstance(item, Purpose)), Purpose("", ""))
            with refusals_recorded(hub, principal, action, purpose):
                return act(hub, principal, *args, **kwargs)

        return noted

    return around


def _known(session: Session, agreement_id: str) -> str:
    try:
        return agreements.get(session, agreement_id).id
    except NotFound:
        return ""
