"""The second factor: time-based one-time codes (RFC 6238) and recovery codes.

The secret that an authenticator app shares with the hub comes in and goes out sealed (by the vault); here it is
only kept. A code works once: the time step it belongs to must be later than that of the last code that was taken.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from hub.identity.tables import RecoveryCodeRow, SecondFactorRow
from hub.storage.database import utc_now

__all__ = [
    "Factor", "address", "confirm", "factor_of", "have_factor", "matching_step", "new_recovery_codes", "new_secret",
    "propose", "recovery_left", "remove", "take_recovery_code", "take_step",
]  # fmt: skip

RECOVERY_CODES = 10
#: Codes of one step (30 s) before and after the present one are taken: clocks differ.
_WINDOW = 1
_PROPOSED = timedelta(minutes=30)
_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"  # none that looks like another


@dataclass(frozen=True)
class Factor:
    """Somebody's second factor: the sealed secret in use, and the one that waits to be confirmed."""

    secret: str | None
    proposed: str | None


def new_secret() -> str:
    """A fresh secret: 160 random bits in base 32 (RFC 4226 section 4, R6)."""
    import pyotp

    return pyotp.random_base32(32)


def address(secret: str, username: str, hub_name: str) -> str:
    """The otpauth address that an authenticator app reads from the QR code."""
    import pyotp

    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=hub_name.replace(":", " "))


def matching_step(secret: str, code: str, at: datetime) -> int | None:
    """The time step to which a code belongs, if it is the present one or one beside it."""
    import pyotp

    digits = "".join(code.split())
    if len(digits) != 6 or not (digits.isascii() and digits.isdecimal()):
        return None
    totp = pyotp.TOTP(secret)
    now = totp.timecode(at)
    found = [
        step
        for step in range(now - _WINDOW, now + _WINDOW + 1)
        if secrets.compare_digest(totp.generate_otp(step), digits)
    ]
    return found[-1] if found else None


def factor_of(session: Session, user_id: str) -> Factor:
    """What is kept for somebody; a secret that nobody confirmed in half an hour is no longer offered."""
    row = session.get(SecondFactorRow, user_id)
    if row is None:
        return Factor(None, None)
    fresh = row.proposed_at is not None and row.proposed_at > utc_now() - _PROPOSED
    return Factor(row.secret, row.proposed if fresh else None)


def have_factor(session: Session) -> frozenset[str]:
    """The ids of all accounts with a second factor in use."""
    return frozenset(
        session.scalars(select(SecondFactorRow.user_id).where(SecondFactorRow.secret.is_not(None)))
    )


def propose(session: Session, user_id: str, sealed: str) -> None:
    """Keep a secret until a code made with it confirms it; the one in use holds meanwhile."""
    row = session.get(SecondFactorRow, user_id)
    if row is None:
        row = SecondFactorRow(user_id=user_id, secret=None, last_step=0, proposed=None, proposed_at=None)
        session.add(row)
    row.proposed, row.proposed_at = sealed, utc_now()
    session.flush()


def confirm(session: Session, user_id: str, sealed: str, step: int) -> bool:
    """Put a proposed secret into use, with the step of the code that proved it; False when it was replaced."""
    query = (
        update(SecondFactorRow)
        .where(SecondFactorRow.user_id == user_id, SecondFactorRow.proposed == sealed)
        .values(secret=sealed, last_step=step, proposed=None, proposed_at=None)
    )
    return bool(session.execute(query.returning(SecondFactorRow.user_id)).first())


def take_step(session: Session, user_id: str, step: int) -> bool:
    """Use a code's step up: False when it, or a later one, was used before (also a moment ago, by another request)."""
    query = (
        update(SecondFactorRow)
        .where(SecondFactorRow.user_id == user_id, SecondFactorRow.last_step < step)
        .values(last_step=step)
    )
    return bool(session.execute(query.returning(SecondFactorRow.user_id)).first())


def remove(session: Session, user_id: str) -> None:
    """Forget somebody's second factor and recovery codes."""
    session.execute(delete(SecondFactorRow).where(SecondFactorRow.user_id == user_id))
    session.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.user_id == user_id))


def new_recovery_codes(session: Session, user_id: str) -> list[str]:
    """Ten fresh recovery codes in place of all older ones; only hashes are kept."""
    session.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.user_id == user_id))
    codes = ["-".join(_word(4) for _ in range(4)) for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCodeRow(user_id=user_id, code_hash=_digest(user_id, code)) for code in codes)
    session.flush()
    return codes


def take_recovery_code(session: Session, user_id: str, code: str) -> bool:
    """Use a recovery code up; False when it is none of theirs, or was used."""
    query = delete(RecoveryCodeRow).where(
        RecoveryCodeRow.user_id == user_id, RecoveryCodeRow.code_hash == _digest(user_id, code)
    )
    return bool(session.execute(query.returning(RecoveryCodeRow.user_id)).first())


def recovery_left(session: Session, user_id: str) -> int:
    """How many recovery codes are still unused."""
    query = select(func.count()).select_from(RecoveryCodeRow).where(RecoveryCodeRow.user_id == user_id)
    return int(session.scalar(query) or 0)


def _word(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def _digest(user_id: str, code: str) -> str:
    """78 random bits need no slow hash; spaces, hyphens and capitals do not count."""
    plain = "".join(code.lower().replace("-", "").split())
    return sha256(f"{user_id}|{plain}".encode()).hexdigest()
