"""Whether the hub can believe its own record of an agreement: its seals, and the signatures over its text.

Asked whenever an agreement is read, so before every decision. Somebody who can write the database but has neither the
keyring nor the organisations' keys can change nothing here unnoticed: not a text, not a state, not who must sign, not a
key. What was made of a record is remembered by all that stands in it, so the same record is not verified again.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple, Protocol

from hub.errors import Invalid
from hub.policy import seals
from hub.policy.agreement import Agreement, load_agreement
from hub.policy.statement import Statement, verify
from hub.policy.states import ENDED, AgreementState

__all__ = [
    "COMPROMISED",
    "SIGNED",
    "KeptAgreement",
    "KeptSignature",
    "believed",
    "facts",
    "key_facts",
    "signature_facts",
]

#: States in which signatures matter.
SIGNED: Final = (AgreementState.AGREED, AgreementState.ACTIVE)
COMPROMISED: Final = "compromised"
_HELD: Final = ("active", "revoked")
_CHANGED: Final = "its record in the database was changed by something else than the hub"
_WORDS: Final = (
    "purpose", "legal_power", "objective", "public_benefit", "lawful_basis", "special_category_basis", "contact",
)  # fmt: skip


class KeptAgreement(NamedTuple):
    """What the database has of an agreement, as far as it matters here."""

    id: str
    text: str
    state: str
    created_by: str
    decided_at: datetime | None
    version: int
    authors: str
    approved_by: str | None
    parties: str | None
    unsigned: bool
    seal: str | None


class KeptSignature(NamedTuple):
    """What the database has of a signature, and of the key that made it."""

    agreement_id: str
    version: int
    organisation: str
    key_id: str
    signer: str
    statement: str
    signature: str
    by: str
    seal: str
    key_organisation: str
    public_key: str
    state: str
    added_by: str
    added_for: str
    decided_by: str | None
    key_seal: str


class _KeyRow(Protocol):
    id: Any
    organisation: Any
    public_key: Any
    state: Any
    added_by: Any
    added_for: Any
    decided_by: Any


def facts(row: Any) -> tuple[Any, ...]:
    """What the seal of an agreement is about; from a row or a `KeptAgreement`."""
    return (
        row.id, row.version, sha256(row.text.encode()).hexdigest(), row.state, row.created_by, row.authors,
        row.approved_by, row.parties, row.unsigned, row.decided_at.isoformat() if row.decided_at else None,
    )  # fmt: skip


def key_facts(row: _KeyRow) -> tuple[Any, ...]:
    """What the seal of a key is about."""
    return row.id, row.organisation, row.public_key, row.state, row.added_by, row.added_for, row.decided_by


def signature_facts(row: Any) -> tuple[Any, ...]:
    """What the seal of a signature is about; from a row or a `KeptSignature`."""
    return row.agreement_id, row.version, row.organisation, row.key_id, row.statement, row.signature, row.by


_parsed = lru_cache(maxsize=4096)(load_agreement)  # a text never changes, and every decision reads it


@lru_cache(maxsize=4096)
def believed(key: bytes, kept: KeptAgreement, signatures: tuple[KeptSignature, ...]) -> Agreement:
    """The agreement that a record holds, with whose signatures hold and what is wrong with it; `key` is for the seals.

    A finding is written into the hub's own log, once for each record.
    """
    signed, trouble = _judged(key, kept, signatures)
    if trouble:
        import structlog

        structlog.get_logger().error("agreement.not-believed", agreement=kept.id, why=trouble)
    ended = kept.decided_at.date() if kept.decided_at and kept.state in ENDED else None
    return replace(_written(kept), version=kept.version, signed_by=signed, trouble=trouble, ended_on=ended)


def _written(kept: KeptAgreement) -> Agreement:
    """What a text says; a husk that gives nothing when text or state are none at all any more."""
    try:
        return replace(_parsed(kept.text), id=kept.id, state=AgreementState(kept.state))
    except (Invalid, ValueError):
        words = dict.fromkeys(_WORDS, "?")
        return Agreement(
            id=kept.id, title="An agreement whose text cannot be read", **words, controllers=(), organisations=(),
            roles=(), operations=frozenset(), plugins=frozenset(), datasets=(), start=date.min, end=date.min,
            retention_days=36525, minimum_count=10, round_to=5, state=AgreementState.WITHDRAWN,
        )  # fmt: skip


def _judged(
    key: bytes, kept: KeptAgreement, signatures: tuple[KeptSignature, ...]
) -> tuple[frozenset[str] | None, str]:
    """Whose signatures hold (None where none are kept), and why not to believe the record; empty when nothing is."""
    if not seals.holds(key, kept.seal, "agreement", *facts(kept)):
        return frozenset(), _CHANGED
    if kept.unsigned and kept.state == AgreementState.ACTIVE:
        return None, ""
    parties = {slug: tuple(parts) for slug, parts in json.loads(kept.parties or "{}").items()}
    digest = sha256(kept.text.encode()).hexdigest()
    signed = frozenset(
        item.organisation
        for item in signatures
        if item.version == kept.version and _holds(key, kept, digest, parties, item)
    )
    missing = sorted(set(parties) - signed)
    if kept.state == AgreementState.ACTIVE and (missing or not parties):
        said = f"no signature of {', '.join(missing)} holds" if missing else "nobody had to sign it"
        return signed, said
    return signed, ""


def _holds(
    key: bytes, kept: KeptAgreement, digest: str, parties: dict[str, tuple[str, ...]], item: KeptSignature
) -> bool:
    """Whether a signature is over this very text, made with a key of this very organisation, as the hub took it."""
    if item.state not in _HELD or item.key_organisation != item.organisation:
        return False
    of_key = (
        item.key_id, item.key_organisation, item.public_key, item.state, item.added_by, item.added_for,
        item.decided_by,
    )  # fmt: skip
    if not seals.holds(key, item.key_seal, "key", *of_key):
        return False
    if not seals.holds(key, item.seal, "signature", *signature_facts(item)):
        return False
    said = Statement(kept.id, kept.version, digest, parties, item.organisation, item.signer).text
    return said == item.statement and verify(said, item.signature, base64.b64decode(item.public_key))
