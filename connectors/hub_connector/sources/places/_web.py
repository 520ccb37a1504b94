"""Requests to web addresses: patient with servers that are busy or cut the line, strict about where they lead.

Only GET, only http and https. A redirect may keep the scheme or go up to https, never down; what signs us in goes to
the host of the configuration alone. Messages show host and path, never the query.
"""

from __future__ import annotations

import base64
import logging
import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import SplitResult, urlsplit

from ...client import Patience
from ...errors import ConfigError, SourceError
from ._address import require_https, shown, split_address

if TYPE_CHECKING:
    import httpx

    from ._settings import Settings
    from ._spool import Spool

__all__ = ["OPTIONS", "Answer", "Page", "WebClient", "web_client"]

T = TypeVar("T")
wait = time.sleep

#: What can be said about any web address.
OPTIONS: Final = {
    "username": "for sign-in by name and password",
    "password": "the password's place",
    "bearer": "the place of a token sent as Authorization: Bearer",
    "headers": "a table of more headers; each a text or the place of a secret",
    "params": "a table of query parameters; each a text or the place of a secret",
    "timeout": "longest silence of the server, 60s",
    "max_bytes": "largest file or page, for example 2GB",
    "allow_http": "true lets data travel unencrypted",
}
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_MOST_REDIRECTS: Final = 5
#: Seconds after which a server that still sends, however little, is given up.
_LONGEST: Final = 12 * 3600.0
_LONGEST_WAIT: Final = 120.0
#: Bytes after which a cut counts as the first one again.
_PROGRESS: Final = 1 << 20
_HINTS: Final = {
    401: "Check the sign-in in the dataset's options (username and password, bearer, headers or params).",
    403: "The account may not read this; ask whoever runs the server.",
    404: "Check the address.",
    410: "The file was taken away; ask for its new address.",
}


@dataclass(frozen=True)
class Answer:
    """What a server said about a file it sent; `path` is where it came from in the end."""

    content_type: str
    disposition: str
    path: str


@dataclass(frozen=True)
class Page:
    """One answer of an API: its bytes, the address it came from, and the address of its Link header's `next`."""

    body: bytes
    url: str
    next_link: str


class _Again(Exception):
    """This try failed in a way that may pass; `after` is when the server wants to be asked again, in seconds."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.after = reason, after


@dataclass
class _Download:
    """A download under way: what the file was when it began, to go on only with the same."""

    validator: str = ""
    total: int | None = None
    answer: Answer | None = None


@dataclass
class WebClient:
    """Fetches from one host of the configuration, and from wherever that host sends us. Use it in a `with` block."""

    parts: SplitResult
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)
    timeout: float = 60.0
    most: int = 1 << 30
    patience: Patience = field(default_factory=Patience)
    _http: httpx.Client | None = field(default=None, repr=False)
    _until: float = float("inf")

    def download(self, url: str, spool: Spool) -> Answer:
        """Fetch a whole file, going on where a cut left off when the server still has the same file.

        Raises:
            SourceError: when it cannot be had.
        """
        state = _Download()

        def attempt() -> Answer:
            if spool.size and not state.validator:
                spool.restart()
            ranged = {"Range": f"bytes={spool.size}-", "If-Range": state.validator} if spool.size else {}
            with self._request(url, {"Accept": "*/*", "Accept-Encoding": "identity", **ranged}) as response:
                if response.status_code == 416:
                    spool.restart()
                    raise _Again("it no longer has the rest of the file")
                self._begin(response, spool, state)
                for chunk in self._chunks(response):
                    spool.append(chunk)
                if state.total is not None and spool.size != state.total:
                    raise _Again("the connection broke off")
            assert state.answer is not None  # noqa: S101 (set by _begin)
            return state.answer

        return self._patiently(attempt, lambda: spool.size)

    def page(self, url: str, params: Mapping[str, str]) -> Page | None:
        """Fetch one answer of an API, None when the server says there is no such page.

        Raises:
            SourceError: when it cannot be had or is larger than allowed.
        """

        def attempt() -> Page | None:
            with self._request(url, {"Accept": "application/json"}, params, missing=True) as response:
                if response.status_code == 404:
                    return None
                body = bytearray()
                for chunk in self._chunks(response):
                    body += chunk
                    if len(body) > self.most:
                        raise SourceError(
                            f"A page of {self._shown} has more than {self.most:,} bytes.",
                            "Ask for fewer rows to a page (size), or raise the option max_bytes.",
                        )
                link = response.links.get("next", {}).get("url", "")
                return Page(bytes(body), str(response.url), link)

        return self._patiently(attempt, lambda: 0)

    def __enter__(self) -> WebClient:
        self._until = time.monotonic() + _LONGEST
        return self

    def __exit__(self, *_: object) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None

    def _chunks(self, response: httpx.Response) -> Iterator[bytes]:
        for chunk in response.iter_bytes():
            if time.monotonic() > self._until:
                raise SourceError(
                    f"{self._shown} has been sending for {_LONGEST / 3600:.0f} hours.", "Ask whoever runs it."
                )
            yield chunk

    def _client(self) -> httpx.Client:
        """The connection, made when it is first needed."""
        if self._http is None:
            import httpx

            from ... import __version__

            # It logs whole addresses, query and all, where someone has turned logging on.
            logging.getLogger("httpx").setLevel(logging.WARNING)
            self._http = httpx.Client(
                timeout=httpx.Timeout(self.timeout, connect=min(self.timeout, 15.0)),
                follow_redirects=False,
                headers={"User-Agent": f"hub-connector/{__version__}"},
                verify=_trusted(),
            )
        return self._http

    @property
    def _shown(self) -> str:
        return shown(self.parts)

    def _begin(self, response: httpx.Response, spool: Spool, state: _Download) -> None:
        """Look whether this goes on where we are; otherwise begin anew."""
        plain = response.headers.get("content-encoding", "identity") in ("", "identity")
        length = response.headers.get("content-length", "")
        if response.status_code == 206:
            span, _, total = response.headers.get("content-range", "").partition("/")
            goes_on = span.startswith(f"bytes {spool.size}-") and total in ("*", str(state.total))
            if not goes_on or not plain:
                spool.restart()
                state.validator = ""
                raise _Again("it has another file now")
            return
        if spool.size:
            spool.restart()
        tag = response.headers.get("etag", "")
        strong = tag if tag and not tag.startswith("W/") else response.headers.get("last-modified", "")
        state.validator = strong if plain else ""
        state.total = int(length) if plain and length.isdigit() else None
        state.answer = Answer(
            response.headers.get("content-type", ""),
            response.headers.get("content-disposition", ""),
            response.url.path,
        )

    def _patiently(self, attempt: Callable[[], T], progress: Callable[[], int]) -> T:
        import httpx

        reason, tries, reached = "", 0, 0
        while tries < self.patience.tries:
            try:
                return attempt()
            except _Again as again:
                reason, after = again.reason, again.after
            except httpx.TransportError as error:
                reason, after = _transport_words(error, self._shown), 0.0
            except httpx.HTTPError as error:
                raise SourceError(
                    f"What {self._shown} answers cannot be understood ({type(error).__name__}).",
                    "Ask whoever runs the server.",
                ) from None
            if progress() >= reached + _PROGRESS:
                tries, reached = 0, progress()
            tries += 1
            if tries < self.patience.tries:
                wait(max(after, self._pause(tries)))
        raise SourceError(f"{self._shown} cannot be fetched: {reason}.", "Try again later.")

    def _pause(self, tries: int) -> float:
        longest = min(self.patience.first_pause * 2.0 ** (tries - 1), self.patience.longest_pause)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 (only so that not all come back at once)

    @contextmanager
    def _request(
        self, url: str, headers: Mapping[str, str], params: Mapping[str, str] = {}, *, missing: bool = False
    ) -> Iterator[httpx.Response]:
        """One try: the answer to a GET after redirects, with its body still to be read."""
        client, address = self._client(), _with(url, params)
        for _ in range(_MOST_REDIRECTS + 1):
            response = client.send(self._signed_in(client, address, headers), stream=True)
            try:
                if response.status_code in _REDIRECTS:
                    address = self._redirected(response)
                    continue
                self._check(response, missing)
                yield response
                return
            finally:
                response.close()
        raise SourceError(f"{self._shown} sends us from place to place without end.", "Check the address.")

    def _signed_in(
        self, client: httpx.Client, address: httpx.URL, headers: Mapping[str, str]
    ) -> httpx.Request:
        """A request, with what signs us in when it goes to the host of the configuration."""
        if not self._at_home(address):
            return client.build_request("GET", address, headers=headers)
        if self.params:
            address = address.copy_merge_params(self.params)
        request = client.build_request("GET", address, headers={**headers, **self.headers})
        if self.auth:
            token = base64.b64encode(":".join(self.auth).encode()).decode()
            request.headers["Authorization"] = f"Basic {token}"
        return request

    def _at_home(self, url: httpx.URL) -> bool:
        return (url.scheme, url.host, url.port) == (
            self.parts.scheme,
            self.parts.hostname,
            None if self.parts.port == {"http": 80, "https": 443}[self.parts.scheme] else self.parts.port,
        )

    def _redirected(self, response: httpx.Response) -> httpx.URL:
        import httpx

        try:
            target = response.url.join(response.headers.get("location", ""))
        except (httpx.InvalidURL, ValueError):
            target = httpx.URL("")
        allowed = target.scheme == "https" or (target.scheme == "http" == response.url.scheme)
        if not allowed or not target.host:
            raise SourceError(
                f"{self._shown} redirects to an address that is not followed (only https, or the same scheme).",
                "Ask whoever runs the server for the right address.",
            )
        return target.copy_with(userinfo=b"")

    def _check(self, response: httpx.Response, missing: bool) -> None:
        status = response.status_code
        if status in (200, 206, 416) or (missing and status == 404):
            return
        if status in _AGAIN:
            raise _Again(
                f"it is busy or out of order (status {status})", _seconds(response.headers.get("retry-after"))
            )
        raise SourceError(
            f"{self._shown} answers with status {status}.",
            _HINTS.get(status, "Check the address, or ask whoever runs the server."),
        )


def web_client(location: str, settings: Settings, most: int) -> WebClient:
    """A client for an address, signed in as the options say.

    Raises:
        ConfigError: when the address or an option cannot be used.
    """
    parts = split_address(location)
    require_https(parts, settings.flag("allow_http"))
    username, password, bearer = (
        settings.text_or_secret("username"),
        settings.secret("password"),
        settings.secret("bearer"),
    )
    headers = settings.table("headers", secret=True)
    if bool(username) != bool(password) or (username and bearer):
        raise ConfigError(
            "Sign-in is by username and password together, or by bearer alone.", "Mend these options."
        )
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer.reveal()}"
    for name, value in headers.items():
        if not name.isascii() or not value.isascii() or any(sign in name + value for sign in "\r\n\0"):
            raise ConfigError(f"The header {name!r:.60} holds signs that no header can.", "Look at headers.")
    return WebClient(
        parts=parts,
        headers=headers,
        params=settings.table("params", secret=True),
        auth=(username, password.reveal()) if password is not None else None,
        timeout=settings.seconds("timeout", 60.0, most=3600.0),
        most=settings.size("max_bytes", most),
    )


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities trusted on this machine (SSL_CERT_FILE counts); reading them takes longer than many a request."""
    import httpx

    return httpx.create_ssl_context()


def _with(url: str, params: Mapping[str, str]) -> httpx.URL:
    import httpx

    address = httpx.URL(urlsplit(url)._replace(fragment="").geturl())
    return address.copy_merge_params(params) if params else address


def _seconds(header: str | None) -> float:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3), at most two minutes."""
    text = (header or "").strip()
    if text.isdigit():
        return min(float(text), _LONGEST_WAIT)
    try:
        return min(max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0), _LONGEST_WAIT)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _transport_words(error: httpx.TransportError, place: str) -> str:
    """Why there was no answer; what trying again cannot mend is raised instead."""
    import httpx

    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        raise SourceError(
            f"The certificate of {place} is not trusted here.",
            "Set SSL_CERT_FILE to your authority's certificates; never switch the check off.",
        ) from None
    if "location header" in str(error):
        raise SourceError(
            f"{place} redirects to an address that is none.", "Ask whoever runs the server for the right one."
        ) from None
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.ConnectError):
        return "no connection (is the address right, and the network up?)"
    return "the connection broke off"
