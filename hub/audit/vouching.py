"""The hub vouches for each entry it writes, with a key that is not in the database.

Until an entry is sealed, a moment after the act, no checkpoint covers it. Whoever writes into the database then without
having the hub's keys can neither change it nor put one of their own beside it without its being found. The mark is part
of the text that is hashed, so it cannot be taken off later.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest
from typing import Final

from sqlalchemy.orm import Session

__all__ = ["SESSION_KEY", "Vouching", "vouch"]

#: Under this name a session carries the key (`Database.session_info`).
SESSION_KEY: Final = "audit-vouching"
_MARK: Final = ',"vouched":"'
_MARK_BYTES: Final = _MARK.encode()
_MAC: Final = 16
#: The mark, the MAC in hex, and the end of the text.
_TAIL: Final = len(_MARK) + 2 * _MAC + 2


def vouch(session: Session, entry: str) -> str:
    """The canonical text of an entry with the hub's mark, as its last member; as it is where the session has no key."""
    key = session.info.get(SESSION_KEY)
    if key is None:
        return entry
    body = entry[:-1]
    return f'{body}{_MARK}{blake2b(body.encode(), key=key, digest_size=_MAC).hexdigest()}"}}'


class Vouching:
    """Checks marks in the order of the log. Older hubs made none; after the first mark every entry has one."""

    def __init__(self, session: Session) -> None:
        self._key: bytes | None = session.info.get(SESSION_KEY)
        self._begun = False

    def stands(self, entry: bytes) -> bool:
        """Whether the hub that holds the key wrote this text; True where there is no key to tell by."""
        if self._key is None:
            return True
        if not entry.startswith(_MARK_BYTES, len(entry) - _TAIL):
            return not self._begun
        self._begun = True
        mac = blake2b(entry[:-_TAIL], key=self._key, digest_size=_MAC).hexdigest()
        return compare_digest(entry[-2 * _MAC - 2 : -2], mac.encode())
