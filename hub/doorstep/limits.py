"""Slowing down who asks too often: counted for each client, each person, and each address of those not known yet.

Counted in this process's memory, over a sliding window, with the library `limits`; so many are remembered and no
more. Answers carry RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10); one too many gets 429 and
Retry-After.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, Response, current_app, g, request
from limits import RateLimitItem, parse
from limits.storage.base import SlidingWindowCounterSupport, Storage
from limits.strategies import SlidingWindowCounterRateLimiter

from hub.errors import TooMany

if TYPE_CHECKING:
    from hub.config import Settings
    from hub.doorstep.metrics import Metrics
    from hub.identity.principal import Principal

__all__ = ["Limits", "count_principal", "count_stranger", "register_limits"]

_EXTENSION: Final = "hub.limits"
#: Of so many clients, people and addresses is known how often they asked; the longest unseen is forgotten first.
_MOST_KEYS: Final = 20_000
#: POSTs by those who have not proved who they are yet: endpoint -> kind.
_UNPROVED: Final = {
    "oauth.token": "token",
    "enrolment.enrol": "enrolment",
    "web.sign_in": "sign_in",
    "web.sign_in_code": "sign_in",
    "web.sign_in_set_up": "sign_in",
    "web.sign_in_one_time": "sign_in",
    "web.my_data": "code",
    "web.my_data_ask": "code",
}
_PARTS: Final = "deliveries.put_part"
_KINDS: Final = ("client", "parts", "session", "address", "token", "enrolment", "sign_in", "code")


class Windows(Storage, SlidingWindowCounterSupport):  # type: ignore[misc, unused-ignore]
    """How often each key was counted in this window and the one before; bounded, and without a thread of its own."""

    STORAGE_SCHEME = None

    def __init__(self, most: int = _MOST_KEYS) -> None:
        super().__init__()
        self._most, self._lock = most, threading.Lock()
        self._counts: OrderedDict[str, tuple[int, int, int]] = (
            OrderedDict()
        )  # window, in it, in the one before

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count, unless that would be too often."""
        with self._lock:
            window, current, previous, left = self._read(key, expiry)
            if previous * left / expiry + current + amount > limit:
                return False
            self._counts[key] = (window, current + amount, previous)
            self._counts.move_to_end(key)
            while len(self._counts) > self._most:
                self._counts.popitem(last=False)
            return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Counted in the window before, seconds it still weighs, counted in this one, seconds that one weighs."""
        with self._lock:
            _, current, previous, left = self._read(key, expiry)
        return previous, left, current, left + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget a key."""
        self.clear(key)

    def _read(self, key: str, expiry: int) -> tuple[int, int, int, float]:
        now = _now()
        window = int(now // expiry)
        seen, current, previous = self._counts.get(key, (window, 0, 0))
        if seen != window:
            current, previous = 0, current if seen == window - 1 else 0
        return window, current, previous, expiry - now % expiry

    @property
    def base_exceptions(self) -> type[Exception]:
        """Nothing here can fail."""
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Not how these are counted."""
        raise NotImplementedError("only sliding windows are counted here")

    def get(self, key: str) -> int:
        """Counted in the newest window of a key."""
        return self._counts.get(key, (0, 0, 0))[1]

    def get_expiry(self, key: str) -> float:
        """Not how these are counted."""
        raise NotImplementedError("only sliding windows are counted here")

    def check(self) -> bool:
        """It is always there."""
        return True

    def reset(self) -> int | None:
        """Forget everything."""
        with self._lock:
            count = len(self._counts)
            self._counts.clear()
        return count

    def clear(self, key: str) -> None:
        """Forget a key."""
        with self._lock:
            self._counts.pop(key, None)

    def __len__(self) -> int:
        return len(self._counts)


@dataclass(frozen=True)
class _Counted:
    """What was counted for a request, for its headers: the kind, its limit, what is left, and when there is more."""

    kind: str
    item: RateLimitItem
    left: int
    seconds: int


class Limits:
    """The limits of one hub, as its settings say."""

    def __init__(self, settings: Settings, metrics: Metrics, most: int = _MOST_KEYS) -> None:
        self.windows = Windows(most)
        self._limiter = SlidingWindowCounterRateLimiter(self.windows)
        self._items = {kind: parse(getattr(settings, f"rate_{kind}")) for kind in _KINDS}
        self._metrics = metrics

    def take(self, kind: str, who: str) -> None:
        """Count one request.

        Raises:
            TooMany: saying when to come again.
        """
        item = self._items[kind]
        allowed = self._limiter.hit(item, kind, who)
        previous, left, current, _ = self.windows.get_sliding_window(
            item.key_for(kind, who), item.get_expiry()
        )
        weight = previous * left / item.get_expiry() + current
        wait = 0 if allowed else _wait(item.amount, item.get_expiry(), previous, left, current)
        g.counted = _Counted(kind, item, max(0, math.floor(item.amount - weight)), wait or math.ceil(left))
        if not allowed:
            self._metrics.limited(kind)
            raise TooMany(
                f"Too many requests: {item.amount:,} in {_words(item.get_expiry())} are allowed. Try again in {wait} "
                f"{'second' if wait == 1 else 'seconds'}.",
                retry_after=wait,
            )


def _now() -> float:
    return time.time()


def _words(seconds: int) -> str:
    return {1: "a second", 60: "a minute", 3600: "an hour"}.get(seconds, f"{seconds} seconds")


def _wait(amount: int, expiry: int, previous: int, left: float, current: int) -> int:
    """Seconds until one more fits, when nothing else is asked meanwhile; at least one."""
    if current + 1 <= amount:
        seconds = left - expiry * (amount - 1 - current) / previous if previous else 0.0
    else:
        seconds = left + expiry * (1 - (amount - 1) / current)
    return max(1, math.ceil(seconds))


def register_limits(app: Flask, settings: Settings, metrics: Metrics) -> None:
    """Count requests; to be registered after `register_requests`, so that refusals have an id and a log line."""
    if not settings.rate_limits:
        return
    limits = app.extensions[_EXTENSION] = Limits(settings, metrics)

    @app.before_request
    def _count_unproved() -> None:
        kind = _UNPROVED.get(request.endpoint or "") if request.method == "POST" else None
        if kind is not None:
            limits.take(kind, _address())

    @app.after_request
    def _tell(response: Response) -> Response:
        counted: _Counted | None = g.get("counted")
        if counted is not None:
            item = counted.item
            response.headers["RateLimit-Policy"] = f'"{counted.kind}";q={item.amount};w={item.get_expiry()}'
            response.headers["RateLimit"] = f'"{counted.kind}";r={counted.left};t={counted.seconds}'
            if response.status_code == TooMany.status:
                response.headers.setdefault("Retry-After", str(counted.seconds))
        return response


def count_principal(principal: Principal) -> None:
    """Count a request of somebody who has proved who they are.

    Raises:
        TooMany: saying when to come again.
    """
    limits: Limits | None = current_app.extensions.get(_EXTENSION)
    if limits is None:
        return
    kind = "session" if principal.kind == "person" else "client"
    limits.take("parts" if kind == "client" and request.endpoint == _PARTS else kind, principal.id)


def count_stranger() -> None:
    """Count a request of somebody who has not, by address, unless it was counted already.

    Raises:
        TooMany: saying when to come again.
    """
    limits: Limits | None = current_app.extensions.get(_EXTENSION)
    if limits is not None and "counted" not in g:
        limits.take("address", _address())


def _address() -> str:
    """Where a request comes from; of IPv6 the network of one site, whose addresses are as many as one likes."""
    text = request.remote_addr or ""
    try:
        address: Any = ip_address(text.partition("%")[0])
    except ValueError:
        return text[:64]
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)
