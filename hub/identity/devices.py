"""Known devices: a cookie that says an account was signed in to from this browser before.

It identifies nobody and opens nothing: who has it still needs password and code. It only gives their attempts a
count of their own, so that an attacker who keeps guessing cannot keep the owner out (OWASP: "device cookies").
An entry is version, account, nonce and day, with an HMAC over them; a cookie holds the entries of up to five accounts.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from datetime import date, timedelta
from hashlib import sha256

__all__ = ["DAYS", "nonce_of", "remember"]

#: For so long a device stays known after signing in with it.
DAYS = 90
_MOST = 5
_ACCOUNT, _NONCE, _DAY, _MAC = 12, 12, 4, 16
_LENGTH = 4 * (_ACCOUNT + _NONCE + _DAY + _MAC + 1) // 3


def nonce_of(key: bytes, cookie: str, username: str, today: date) -> str | None:
    """The nonce under which this device's attempts at an account are counted; None when it does not know it."""
    for entry in _entries(cookie):
        if (found := _open(key, entry, today)) is not None:
            account, nonce = found
            if hmac.compare_digest(account, _account(key, username)):
                return nonce.hex()
    return None


def remember(key: bytes, cookie: str, username: str, today: date) -> str:
    """The cookie with a fresh entry for an account; entries of others stay, the oldest make room."""
    own = _account(key, username)
    kept = [
        entry
        for entry in _entries(cookie)
        if (found := _open(key, entry, today)) is not None and not hmac.compare_digest(found[0], own)
    ]
    body = own + secrets.token_bytes(_NONCE) + today.toordinal().to_bytes(_DAY, "big")
    entry = base64.urlsafe_b64encode(body + _mac(key, body)).decode().rstrip("=")
    return ".".join([entry, *kept][:_MOST])


def _entries(cookie: str) -> list[str]:
    return [part for part in cookie[: 8 * _LENGTH].split(".")[:_MOST] if part]


def _open(key: bytes, entry: str, today: date) -> tuple[bytes, bytes] | None:
    try:
        raw = base64.b64decode(entry + "=" * (-len(entry) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    body, mac = raw[:-_MAC], raw[-_MAC:]
    if len(body) != _ACCOUNT + _NONCE + _DAY or not hmac.compare_digest(mac, _mac(key, body)):
        return None
    made = date.fromordinal(int.from_bytes(body[-_DAY:], "big"))
    if not timedelta(0) <= today - made + timedelta(days=1) <= timedelta(days=DAYS + 1):
        return None
    return body[:_ACCOUNT], body[_ACCOUNT : _ACCOUNT + _NONCE]


def _account(key: bytes, username: str) -> bytes:
    return hmac.digest(key, b"account|" + username.lower().encode(), sha256)[:_ACCOUNT]


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, b"entry|" + body, sha256)[:_MAC]
