"""A small client of the hub's API for the demonstration: it signs in as a machine, as any client does."""

from __future__ import annotations

import time
import uuid
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import OKPKey

from hub.errors import HubError

__all__ = ["ApiClient", "DemoError", "new_key"]


class DemoError(HubError):
    """The demonstration cannot go on; says at which step and what the hub answered."""

    title = "The demonstration stopped"


def new_key() -> OKPKey:
    """A fresh Ed25519 key pair."""
    return OKPKey.generate_key("Ed25519")


class ApiClient:
    """Calls /api/v1 with an access token that it fetches with `private_key_jwt`."""

    def __init__(self, url: str, client_id: str, key: OKPKey) -> None:
        self._url, self._client_id, self._key = url, client_id, key
        self._http = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self._token, self._until = "", 0.0

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """GET a JSON answer."""
        return self._call("GET", path, params=query)

    def post(self, path: str, body: Any = None) -> Any:
        """POST a JSON body and get a JSON answer."""
        return self._call("POST", path, json={} if body is None else body)

    def _call(self, method: str, path: str, **options: Any) -> Any:
        answer = self._http.request(
            method, f"/api/v1{path}", headers={"Authorization": f"Bearer {self._bearer()}"}, **options
        )
        if answer.status_code >= 400:
            problem = answer.json() if "json" in answer.headers.get("content-type", "") else {}
            detail = problem.get("detail", answer.reason_phrase)
            raise DemoError(
                f"{method} {path}: {answer.status_code}. {detail} {problem.get('errors', '')}".strip()
            )
        return answer.json() if answer.content else None

    def _bearer(self) -> str:
        if time.monotonic() > self._until:
            now = int(time.time())
            assertion = jwt.encode(
                {"alg": "Ed25519"},
                {
                    "iss": self._client_id, "sub": self._client_id, "aud": f"{self._url}/oauth/token",
                    "jti": uuid.uuid4().hex, "iat": now, "exp": now + 120,
                },
                self._key, algorithms=["Ed25519"],
            )  # fmt: skip
            answer = self._http.post(
                "/oauth/token",
                data={
                    "grant_type": "client_credentials",
                    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                    "client_assertion": assertion,
                },
            )
            if answer.status_code != 200:
                raise DemoError(f"The hub gave no token: {answer.text[:300]}")
            self._token = answer.json()["access_token"]
            self._until = time.monotonic() + answer.json()["expires_in"] - 60
        return self._token
