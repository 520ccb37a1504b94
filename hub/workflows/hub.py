"""What workflows work with: the parts of one hub, made by the composition root and handed to each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from hub.audit import log as audit_log
from hub.errors import Forbidden
from hub.identity.principal import Principal
from hub.policy.roles import SCOPES, Permission, in_scope, may, require
from hub.storage.database import utc_now
from hub.workflows.refusals import Refusals

if TYPE_CHECKING:
    from hub.config import Settings
    from hub.identity.oidc import Provider
    from hub.identity.tokens import TokenIssuer
    from hub.intake.limited import Examiner
    from hub.intake.uploads import UploadReader
    from hub.runs.sandbox import Sandbox
    from hub.storage.database import Database
    from hub.storage.objects import ObjectStore
    from hub.vault.keyring import Keyring
    from hub.vault.store import Vault

__all__ = ["Hub", "authorise", "holds", "note", "today"]


@dataclass(frozen=True)
class Hub:
    """The parts of a running hub.

    `sandbox` is made when first asked for; `examine` reads a delivery where it can do no harm, and `read_upload` an
    uploaded file; `check_times` refuses a cron line the scheduler could not follow (it raises Invalid); `next_time` is
    when a cron line comes next after a moment; `clock` says what time it is; `refusals` counts who was turned away.
    """

    settings: Settings
    database: Database
    objects: ObjectStore
    keyring: Keyring
    vault: Vault
    tokens: TokenIssuer
    sandbox: Callable[[], Sandbox]
    examine: Examiner
    read_upload: UploadReader
    check_times: Callable[[str], None]
    next_time: Callable[[str, datetime], datetime | None]
    clock: Callable[[], datetime] = utc_now
    refusals: Refusals = field(default_factory=Refusals)
    oidc: Provider | None = None

    @property
    def audit_origin(self) -> str:
        """The name under which this hub's audit log signs its checkpoints; it stays when addresses and keys change."""
        return self.keyring.audit_origin


def today(hub: Hub) -> date:
    """The day it is where the hub's schedules are read."""
    return hub.clock().astimezone(ZoneInfo(hub.settings.schedule_timezone)).date()


def authorise(principal: Principal, permission: Permission) -> None:
    """Go on only if one of the principal's roles carries the permission, and its access token was not asked for less.

    Raises:
        Forbidden: in words.
    """
    require(principal.roles, permission)
    if not in_scope(principal.scopes, permission):
        raise Forbidden(
            f"This access token does not carry the scope {SCOPES.get(permission, 'for this')}. Ask for a token with "
            "it, or leave scope out of the request to get all that the client's roles give."
        )


def holds(principal: Principal, permission: Permission) -> bool:
    """Whether `authorise` would let the principal go on: for what is shown to some and not to others."""
    return may(principal.roles, permission) and in_scope(principal.scopes, permission)


def note(session: Session, principal: Principal, action: str, target: str = "", **more: Any) -> int:
    """Write the act into the audit log, in its own transaction; `more` as for `hub.audit.log.record`.

    Returns the id of the entry.
    """
    import structlog

    bound: Mapping[str, Any] = structlog.contextvars.get_contextvars()
    return audit_log.record(
        session, actor=principal.reference, action=action, target=target,
        request_id=str(bound.get("request_id", "")), **more,
    )  # fmt: skip
