"""Whether the hub can believe its own record of an agreement: its seals, and the signatures over its text.

Asked whenever an agreement is read, so before every decision. Somebody who can write the database but has neither the
keyring nor the organisations' keys can change nothing here unnoticed: not a text, not a state, not who must sign, not a
key. What was verified once is remembered by its content, so the same record is not verified again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final

from sqlalchemy.orm import Session

from hub.policy import seals
from hub.policy.statement import Statement, verify
from hub.policy.states import AgreementState
from hub.policy.tables import AgreementRow, SignatureRow, SigningKeyRow

__all__ = ["COMPROMISED", "SIGNED", "Verdict", "judged", "key_facts", "signature_facts"]

#: States in which signatures matter.
SIGNED: Final = (AgreementState.AGREED, AgreementState.ACTIVE)
COMPROMISED: Final = "compromised"
_HELD: Final = ("active", "revoked")

_CHANGED = "its record in the database was changed by something else than the hub"


@dataclass(frozen=True)
class Verdict:
    """`signed_by`: whose signatures hold, None for an agreement without any; `trouble`: why not to believe it."""

    signed_by: frozenset[str] | None
    trouble: str


def key_facts(row: SigningKeyRow) -> tuple[object, ...]:
    """What the seal of a key is about."""
    return row.id, row.organisation, row.public_key, row.state, row.added_by, row.added_for, row.decided_by


def signature_facts(row: SignatureRow) -> tuple[object, ...]:
    """What the seal of a signature is about."""
    return row.agreement_id, row.version, row.organisation, row.key_id, row.statement, row.signature, row.by


def judged(
    session: Session,
    row: AgreementRow,
    signatures: Sequence[tuple[SignatureRow, SigningKeyRow]],
    *,
    believed: bool,
) -> Verdict:
    """What to make of an agreement's row with all signatures under it; `believed` says whether its seal holds."""
    if not believed:
        return _told(row.id, Verdict(frozenset(), _CHANGED))
    if row.unsigned and row.state == AgreementState.ACTIVE:
        return Verdict(None, "")
    parties = {slug: tuple(parts) for slug, parts in json.loads(row.parties or "{}").items()}
    signed = frozenset(
        signature.organisation
        for signature, key in signatures
        if signature.version == row.version and _holds(session, row, parties, signature, key)
    )
    missing = sorted(set(parties) - signed)
    if row.state == AgreementState.ACTIVE and (missing or not parties):
        said = f"no signature of {', '.join(missing)} holds" if missing else "nobody had to sign it"
        return _told(row.id, Verdict(signed, said))
    return Verdict(signed, "")


def _holds(
    session: Session,
    row: AgreementRow,
    parties: dict[str, tuple[str, ...]],
    signature: SignatureRow,
    key: SigningKeyRow,
) -> bool:
    """Whether a signature is over this very text, made with a key of this very organisation, as the hub took it."""
    if key.state not in _HELD or key.organisation != signature.organisation:
        return False
    if not seals.holds(session, key.seal, "key", *key_facts(key)):
        return False
    if not seals.holds(session, signature.seal, "signature", *signature_facts(signature)):
        return False
    digest = sha256(row.text.encode()).hexdigest()
    said = Statement(row.id, row.version, digest, parties, signature.organisation, signature.signer).text
    return said == signature.statement and _verified(said, signature.signature, key.public_key)


@lru_cache(maxsize=8192)
def _verified(statement: str, signature: str, public_key: str) -> bool:
    return verify(statement, signature, base64.b64decode(public_key))


@lru_cache(maxsize=1024)
def _told(agreement_id: str, verdict: Verdict) -> Verdict:
    """Write it into the hub's own log, once for each finding."""
    import structlog

    structlog.get_logger().error("agreement.not-believed", agreement=agreement_id, why=verdict.trouble)
    return verdict
