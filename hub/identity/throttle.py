"""Slowing down those who guess, without letting them lock anybody out.

Attempts are counted in pots. An attempt from a browser that the account was signed in to before
(`hub.identity.devices`) goes into that device's pot only. Every other one goes into three: account and source
together, account over all sources, source over all accounts. A narrow pot that is full refuses until it has rested;
the account's own pot drips once it is full: it lets one attempt through every half minute (for codes: every ten
minutes), so that guessing from a thousand addresses is slow, too.

An attempt is counted before the password is looked at, and given back when it was right: a hundred attempts at the
same moment are a hundred. What was typed never reaches the database: pots are named by keyed digests, and names of
accounts that do not exist fill pots just as well, so that a refusal says nothing.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub.errors import TooMany
from hub.identity.tables import AttemptPotRow, RefusalRow
from hub.storage.database import utc_now

__all__ = [
    "Attempt",
    "Limit",
    "admit",
    "are_refusals_due",
    "count_refusal",
    "due_refusals",
    "give_back",
    "network_of",
    "pots",
    "purge",
    "source_pot",
]

_COALESCE = timedelta(minutes=15)


@dataclass(frozen=True)
class Limit:
    """A pot takes `most` attempts in `window`; then it refuses for `rest`, or lets one through each `rest`."""

    most: int
    window: timedelta
    rest: timedelta
    drips: bool = False


_QUARTER = timedelta(minutes=15)
DEVICE = Limit(10, _QUARTER, _QUARTER)
ACCOUNT_AND_SOURCE = Limit(5, _QUARTER, _QUARTER)
ACCOUNT = Limit(20, timedelta(hours=1), timedelta(seconds=30), drips=True)
#: Six digits are guessed sooner than a password: 10 an hour, then 6, is one chance in some 500 a day.
ACCOUNT_CODE = Limit(10, timedelta(hours=1), timedelta(minutes=10), drips=True)
SOURCE = Limit(50, _QUARTER, _QUARTER)


@dataclass(frozen=True)
class Attempt:
    """One try at a step ("password", "code"): the name as typed or an id, from where, the known device's nonce."""

    step: str
    who: str
    source: str = ""
    nonce: str | None = None


def network_of(address: str | None) -> str:
    """What counts as one source: an IPv4 address, or the /64 that one subscriber has under IPv6."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def pots(key: bytes, attempt: Attempt) -> list[tuple[str, Limit]]:
    """The pots that an attempt goes into, by keyed digest."""
    who, step = attempt.who.lower()[:200], attempt.step
    if attempt.nonce is not None:
        named = [(f"{step}|device|{attempt.nonce}|{who}", DEVICE)]
    else:
        named = [
            (f"{step}|both|{attempt.source}|{who}", ACCOUNT_AND_SOURCE),
            (f"{step}|account|{who}", ACCOUNT_CODE if step == "code" else ACCOUNT),
            (f"source|{attempt.source}", SOURCE),
        ]
    return [(_digest(key, name), limit) for name, limit in named]


def source_pot(key: bytes, source: str) -> list[tuple[str, Limit]]:
    """The pot of a source alone: for one-time codes, which nobody guesses and no account is named with."""
    return [(_digest(key, f"source|{source}"), SOURCE)]


def _digest(key: bytes, name: str) -> str:
    return hmac.digest(key, name.encode(), sha256).hex()


def admit(session: Session, chosen: Sequence[tuple[str, Limit]]) -> bool:
    """Count an attempt in its pots; whether this one filled a pot.

    Raises:
        TooMany: when a pot refuses; nothing is counted then, so that refusing costs nothing.
    """
    now = utc_now()
    wanted = sorted(chosen)  # always in one order, so that two attempts never wait for each other
    found = {pot: _pot(session, pot, now) for pot, _ in wanted}
    refused = [row.until for row in found.values() if row.until is not None and row.until > now]
    if refused:
        minutes = max(1, -int(-(max(refused) - now).total_seconds() // 60))
        raise TooMany(
            f"There were too many tries. Wait {minutes} {'minute' if minutes == 1 else 'minutes'}, then try again. "
            "From a device on which you signed in before, you can try now.",
            fields={"retry_after": int((max(refused) - now).total_seconds()) + 1},
        )
    filled = False
    for pot, limit in wanted:
        row = found[pot]
        if row.since < now - limit.window or (row.until is not None and not limit.drips):
            row.count, row.since, row.until = 0, now, None
        row.count += 1
        if row.count >= limit.most:
            filled = filled or row.count == limit.most
            row.until = now + limit.rest
    session.flush()
    return filled


def _pot(session: Session, pot: str, now: datetime) -> AttemptPotRow:
    """The pot's row, held until the end of the transaction; made where there is none, also by two at once."""
    row = session.get(AttemptPotRow, pot, with_for_update=True)
    if row is None:
        try:
            with session.begin_nested():
                session.add(AttemptPotRow(pot=pot, count=0, since=now, until=None))
        except IntegrityError:
            pass  # another attempt was quicker
        row = session.get_one(AttemptPotRow, pot, with_for_update=True)
    return row


def give_back(session: Session, chosen: Sequence[tuple[str, Limit]]) -> None:
    """The attempt was right: a narrow pot is emptied, a wide one loses this attempt only."""
    for pot, limit in sorted(chosen):
        row = session.get(AttemptPotRow, pot, with_for_update=True)
        if row is None:
            continue
        row.count = 0 if limit in (DEVICE, ACCOUNT_AND_SOURCE) else max(0, row.count - 1)
        if row.count < limit.most:
            row.until = None
    session.flush()


def purge(session: Session) -> int:
    """Forget pots that have rested; returns how many."""
    query = delete(AttemptPotRow).where(AttemptPotRow.since < utc_now() - ACCOUNT.window - _QUARTER)
    return len(session.execute(query.returning(AttemptPotRow.pot)).all())


# --- refusals, for the audit log


def count_refusal(session: Session, who: str, kind: str) -> None:
    """Count a refusal for the audit log. `who` is an account's id, or "" for all names that are none.

    Nothing is noted now: that would take longer for some than for others, and a flood would fill the log.
    """
    row = session.get(RefusalRow, (who, kind), with_for_update=True)
    if row is None:
        try:
            with session.begin_nested():
                session.add(RefusalRow(who=who, kind=kind, count=0, since=utc_now() - 2 * _COALESCE))
        except IntegrityError:
            pass  # another refusal was quicker
        row = session.get_one(RefusalRow, (who, kind), with_for_update=True)
    row.count += 1
    session.flush()


def are_refusals_due(session: Session) -> bool:
    """Whether `due_refusals` would find any: this only looks."""
    late = RefusalRow.since <= utc_now() - _COALESCE
    return (
        session.scalars(select(RefusalRow.who).where(late, RefusalRow.count > 0).limit(1)).first() is not None
    )


def due_refusals(session: Session) -> list[tuple[str, str, int]]:
    """What is to be noted now, as (account id, kind, how many): once in a quarter of an hour for each account."""
    now = utc_now()
    late = RefusalRow.since <= now - _COALESCE
    session.execute(delete(RefusalRow).where(late, RefusalRow.count == 0))
    found = []
    for row in session.scalars(select(RefusalRow).where(late).order_by(RefusalRow.who, RefusalRow.kind)):
        found.append((row.who, row.kind, row.count))
        row.count, row.since = 0, now
    return found
