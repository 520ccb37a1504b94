"""The demonstration's agreements, on the whole way: drafted, reviewed, signed by every party with a key of its own."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.demo.api import ApiClient

__all__ = ["agree"]

_SIGNER = "Somebody invented, for the demonstration"


def agree(machine: Callable[[str, str, Any], ApiClient], names: Iterable[str]) -> None:
    """Put agreements into force over HTTP; `machine` gives a client of an organisation with a name and roles."""
    first, second = (machine(f"steward {number}", "hub", ["data steward"]) for number in (1, 2))
    parties = _Parties(machine, first, second)
    for name in names:
        text = files("hub.demo").joinpath(f"agreements/{name}.yaml").read_text(encoding="utf-8")
        agreement = first.post("/agreements", {"text": text})["id"]
        first.post(f"/agreements/{agreement}/submit")
        second.post(f"/agreements/{agreement}/approve")
        for slug in first.get(f"/agreements/{agreement}/signatures")["missing"]:
            parties.sign(agreement, slug)
    parties.close()
    second.close()


class _Parties:
    """A data steward of each organisation, with the organisation's signing key; made when they are first needed."""

    def __init__(
        self, machine: Callable[[str, str, Any], ApiClient], first: ApiClient, second: ApiClient
    ) -> None:
        self._machine, self._second = machine, second
        self._stewards = {"hub": first}
        self._keys: dict[str, Any] = {}

    def sign(self, agreement: str, slug: str) -> None:
        """Fetch what an organisation signs, sign it, and hand the signature in."""
        key, who = self._key(slug), {"organisation": slug, "signer": _SIGNER}
        said = self._steward(slug).get(f"/agreements/{agreement}/statement", **who)["statement"]
        signature = base64.b64encode(key.sign(said.encode())).decode()
        self._steward(slug).post(f"/agreements/{agreement}/signatures", {**who, "signature": signature})

    def _steward(self, slug: str) -> ApiClient:
        if slug not in self._stewards:
            self._stewards[slug] = self._machine(f"steward of {slug}", slug, ["data steward"])
        return self._stewards[slug]

    def _key(self, slug: str) -> Any:
        """The organisation's key: its own steward registers it, one of the hub's approves it."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if slug not in self._keys:
            self._keys[slug] = Ed25519PrivateKey.generate()
            public = base64.b64encode(self._keys[slug].public_key().public_bytes_raw()).decode()
            registered = self._steward(slug).post(
                f"/organisations/{slug}/signing-keys", {"public_key": public, "name": "demonstration"}
            )
            self._second.post(f"/signing-keys/{registered['id']}/approve")
        return self._keys[slug]

    def close(self) -> None:
        """Close every connection."""
        for steward in self._stewards.values():
            steward.close()
