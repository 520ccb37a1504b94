"""The hub's API as a connector uses it: signing in, retries, and errors in words people can act on."""

from __future__ import annotations

import base64
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol

from .errors import HubRefused, HubUnreachable

if TYPE_CHECKING:
    import httpx

    from .keys import SigningKey

__all__ = ["API", "TRIES_VARIABLE", "HubClient", "Patience", "Registration"]

API: Final = "/api/v1"
#: Environment variable with the number of times a request is tried before giving up (6).
TRIES_VARIABLE: Final = "HUB_CONNECTOR_TRIES"
_BUSY: Final = frozenset({429, 502, 503, 504})
#: A hub that asks for a longer pause than this is left alone until somebody runs the command again.
_LONGEST_WAIT: Final = 600.0
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TRY_AGAIN: Final = "Nothing is lost. Run the same command again; it goes on where it stopped."


def _tries() -> int:
    text = os.environ.get(TRIES_VARIABLE, "")
    return max(1, int(text)) if text.isdigit() else 6


@dataclass(frozen=True)
class Patience:
    """How often a request is tried, and the first and longest pause between tries in seconds."""

    tries: int = field(default_factory=_tries)
    first_pause: float = 0.5
    longest_pause: float = 30.0


class Registration(Protocol):
    """Who a connector is at a hub, and where it signs in there (`config.HubConfig`)."""

    @property
    def client_id(self) -> str:
        """Its id."""
        ...

    @property
    def token_url(self) -> str:
        """Where tokens are given."""
        ...

    @property
    def audience(self) -> str:
        """Whom its assertions are meant for."""
        ...


class HubClient:
    """A session with one hub. Use it in a `with` block.

    Args:
        url: the hub's address.
        config: who this connector is there; None before it has registered (only `hub` and `enrol` work then).
        key: its signing key.
    """

    def __init__(
        self,
        url: str,
        config: Registration | None = None,
        key: SigningKey | None = None,
        *,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        import httpx

        from . import __version__

        self._url, self._config, self._key, self._sleep = url.rstrip("/"), config, key, sleep
        self._patience = patience or Patience()
        self._token, self._token_until = "", 0.0
        self._http = httpx.Client(
            timeout=httpx.Timeout(60.0, connect=10.0),
            headers={"User-Agent": f"hub-connector/{__version__}", "Accept": "application/json"},
            follow_redirects=False,
        )

    def __enter__(self) -> HubClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    # --- what a connector asks a hub

    def hub(self) -> dict[str, Any]:
        """The hub's name, version, sealing key and part size."""
        return self._json("GET", f"{API}/hub", signed_in=False)

    def enrol(self, code: str, name: str, signing_key: Mapping[str, str]) -> dict[str, Any]:
        """Register this connector's public key with a one-time code."""
        body = {"code": code, "name": name, "signing_key": dict(signing_key)}
        return self._json("POST", f"{API}/enrolments", signed_in=False, json=body)

    def change_key(
        self, signing_key: Mapping[str, str], assertion: str, proof: str, *, keep_old: bool
    ) -> dict[str, Any]:
        """Put a new public key in place of this connector's own; the same again is no error."""
        body = {
            "signing_key": dict(signing_key),
            "assertion": assertion,
            "proof": proof,
            "keep_old": keep_old,
        }
        return self._json("PUT", f"{API}/signing-key", json=body)

    def put_dataset(self, contract_id: str, text: str) -> dict[str, Any]:
        """Say which contract (YAML) the organisation's dataset keeps; the same again changes nothing."""
        return self._json("PUT", f"{API}/datasets/{contract_id}", json={"contract": text})

    def open_delivery(self, manifest: Mapping[str, Any], signature: str) -> dict[str, Any]:
        """Announce a delivery; the answer says which parts are missing. The same again is the same delivery."""
        return self._json("POST", f"{API}/deliveries", json={"manifest": manifest, "signature": signature})

    def put_part(self, delivery_id: str, role: str, part: int, data: bytes) -> None:
        """Send one part of a file, counted from 1."""
        digest = base64.b64encode(sha256(data).digest()).decode()
        headers = {"Content-Digest": f"sha-256=:{digest}:", "Content-Type": "application/octet-stream"}
        path = f"{API}/deliveries/{delivery_id}/files/{role}/parts/{part}"
        self._request("PUT", path, content=data, headers=headers)

    def complete(self, delivery_id: str) -> dict[str, Any]:
        """Say that all parts are there."""
        return self._json("POST", f"{API}/deliveries/{delivery_id}/complete")

    def delivery(self, delivery_id: str) -> dict[str, Any]:
        """Where a delivery stands."""
        return self._json("GET", f"{API}/deliveries/{delivery_id}")

    def deliveries(self, limit: int) -> list[dict[str, Any]]:
        """The newest deliveries of the organisation."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while len(found) < limit:
            page = self._json("GET", f"{API}/deliveries", params={"cursor": cursor} if cursor else {})
            found += page["items"]
            cursor = page.get("next")
            if not cursor or not page["items"]:
                break
        return found[:limit]

    def faults_csv(self, delivery_id: str) -> str:
        """The rows at fault of a delivery, as the hub gives them (CSV, personal values masked)."""
        headers = {"Accept": "text/csv"}
        return self._request("GET", f"{API}/deliveries/{delivery_id}/faults.csv", headers=headers).text

    # --- how

    def _json(self, method: str, path: str, *, signed_in: bool = True, **options: Any) -> dict[str, Any]:
        response = self._request(method, path, signed_in=signed_in, **options)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise HubUnreachable(
                f"What answers at {self._url} is not a JoinedUp Hub (no JSON came back).",
                "Check the hub's address.",
            )
        return answer

    def _request(self, method: str, path: str, *, signed_in: bool = True, **options: Any) -> httpx.Response:
        headers = dict(options.pop("headers", {}))
        if signed_in:
            headers["Authorization"] = f"Bearer {self._sign_in()}"
        response = self._send(method, self._url + path, headers=headers, **options)
        if response.status_code == 401 and signed_in:
            # A token may end early, for example when the hub was restarted with another key.
            headers["Authorization"] = f"Bearer {self._sign_in(anew=True)}"
            response = self._send(method, self._url + path, headers=headers, **options)
        if response.is_success:
            return response
        raise self._refusal(response)

    def _send(self, method: str, url: str, **options: Any) -> httpx.Response:
        """One request, tried again while the hub is away or busy. Every request here is safe to repeat."""
        import httpx

        reason, asked = "", None
        for attempt in range(self._patience.tries):
            if attempt:
                self._sleep(self._pause(attempt) if asked is None else asked)
            try:
                response = self._http.request(method, url, **options)
            except httpx.InvalidURL:
                raise HubUnreachable(f"{self._url} is no address.", "Check the hub's address.") from None
            except httpx.TransportError as error:
                reason, asked = _transport_words(error), None
                continue
            if response.status_code not in _BUSY:
                return response
            reason = f"it is busy (status {response.status_code})"
            asked = _retry_after(response.headers.get("Retry-After", ""))
            if asked is not None and asked > _LONGEST_WAIT:
                raise HubUnreachable(
                    f"The hub at {self._url} is busy and asks to come again in {round(asked / 60):,} minutes.",
                    _TRY_AGAIN,
                )
        raise HubUnreachable(f"The hub at {self._url} cannot be reached: {reason}.", _TRY_AGAIN)

    def _pause(self, attempt: int) -> float:
        pause: float = min(self._patience.longest_pause, self._patience.first_pause * 2 ** (attempt - 1))
        return pause * random.uniform(0.5, 1.0)  # noqa: S311  spreads retries; not a secret

    def _sign_in(self, *, anew: bool = False) -> str:
        """An access token for client credentials with a signed assertion (RFC 6749 section 4.4, RFC 7523)."""
        if self._token and not anew and time.monotonic() < self._token_until:
            return self._token
        if self._config is None or self._key is None:
            raise HubRefused("This connector is not registered yet.", "Run `hub-connector init`.")
        assertion = self._key.assertion(self._config.client_id, self._config.audience, int(time.time()))
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        response = self._send("POST", self._config.token_url, data=form)
        if not response.is_success:
            if (waiting := self._not_approved(response)) is not None:
                raise waiting
            raise self._refusal(
                response,
                "The hub does not let this connector in",
                "Check that this computer's clock is right. If a change of keys was broken off, go on with it: "
                "hub-connector keys rotate. Else the operator may have revoked the connector: ask for a new enrolment "
                "code.",
            )
        answer = response.json()
        self._token = str(answer["access_token"])
        self._token_until = time.monotonic() + max(0.0, float(answer.get("expires_in", 60)) - 30)
        return self._token

    def _not_approved(self, response: httpx.Response) -> HubRefused | None:
        """The error when the hub knows this connector and its operators have not approved it, or never will."""
        try:
            problem = response.json()
        except ValueError:
            return None
        if (
            not isinstance(problem, dict)
            or problem.get("error") != "unauthorized_client"
            or self._key is None
        ):
            return None
        fields = problem.get("errors")
        state = fields.get("registration") if isinstance(fields, dict) else None
        if state == "waiting":
            return HubRefused(
                "This connector waits for approval by a second operator of the hub.",
                f"Call them and read out the thumbprint of its key: {self._key.spoken_thumbprint()}\n"
                "       Once they have approved it, run the same command again. Nothing is lost.",
                401,
            )
        return HubRefused(
            f"The hub does not let this connector in: {problem.get('detail', '')}".strip(),
            "Ask the hub's operator why. To start anew, they give you a new enrolment code.", 401,
        )  # fmt: skip

    def _refusal(
        self, response: httpx.Response, what: str = "", hint: str = ""
    ) -> HubRefused | HubUnreachable:
        """The error for an answer that is no success, in the hub's own words (RFC 9457) where it gives any."""
        try:
            problem = response.json()
        except ValueError:
            problem = None
        if not isinstance(problem, dict):
            problem = {}
        detail = problem.get("detail") or problem.get("error_description") or problem.get("title") or ""
        status = response.status_code
        fields = problem.get("errors")
        if isinstance(fields, (dict, list)) and fields:
            detail = f"{detail} {fields}".strip()
        if status >= 500 or 300 <= status < 400:
            return HubUnreachable(f"The hub is out of order (status {status}). {detail}".strip(), _TRY_AGAIN)
        words = f"{what or 'The hub says no'}: {detail or f'status {status}'}"
        return HubRefused(words, hint or _HINTS.get(status, ""), status)


_HINTS: Final = {
    401: "Ask the hub's operator for a new enrolment code.",
    403: "Ask the hub's operator to give this connector what it lacks.",
    404: "Check the name; `hub-connector status` lists what this connector has sent.",
    413: "Send less at a time, or ask the operator for a higher limit.",
}


def _retry_after(text: str) -> float | None:
    """Seconds that a hub asks for (RFC 9110 section 10.2.3: a number or a date); None when it does not say."""
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _transport_words(error: httpx.TransportError) -> str:
    import httpx

    if isinstance(error, httpx.ConnectTimeout | httpx.ReadTimeout | httpx.WriteTimeout | httpx.PoolTimeout):
        return "no answer in time"
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is not trusted here (set SSL_CERT_FILE to your authority's certificates)"
    if isinstance(error, httpx.ConnectError):
        return "no connection (is the address right, and the network up?)"
    return "the connection broke off"
