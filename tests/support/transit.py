"""The documented HTTP interface of HashiCorp Vault's transit secrets engine, as far as the hub uses it.

This is no Vault: Vault itself cannot be had from a package here, so the hub is tested against what its documentation
says (developer.hashicorp.com/vault/api-docs/secret/transit): keys made, configured, deleted; batches wrapped and
unwrapped with associated data; 400 when an item of a batch does not open, 403 for a token that holds no more, 404 for a
key that is not there, 503 while sealed.
"""

from __future__ import annotations

import base64
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_PATH = re.compile(
    r"/v1/(?P<mount>[\w-]+)/(?P<act>keys|encrypt|decrypt)/(?P<name>[\w.-]+)(?P<config>/config)?\Z"
)


class TransitServer:
    """A running server; `token` is the one that it takes, `sealed` makes it refuse everything."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.token, self.sealed = "test-token", False
        self.keys: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []

    def settings(self) -> dict[str, str]:
        """The hub's settings that lead to it."""
        return {"vault_address": self.address, "vault_token": self.token}

    def answer(self, method: str, path: str, token: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The status and the body for a request."""
        self.asked.append(f"{method} {path}")
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if token != self.token:
            return 403, {"errors": ["permission denied"]}
        found = _PATH.match(path)
        if found is None or found["mount"] != "transit":
            return 404, {"errors": ["no handler for route"]}
        if found["act"] == "keys":
            return self._key(method, found["name"], bool(found["config"]), body)
        key = self.keys.get(found["name"])
        if key is None:
            return 400, {"errors": ["encryption key not found"]}
        results = [self._one(found["act"], key["raw"], item) for item in body["batch_input"]]
        failed = any("error" in item for item in results)
        return (400 if failed else 200), {"data": {"batch_results": results}}

    def _key(self, method: str, name: str, config: bool, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if method == "POST" and not config:
            assert body["type"] == "aes256-gcm96"
            assert not body["exportable"]
            self.keys.setdefault(name, {"raw": os.urandom(32), "deletion_allowed": False})
            return 200, {"data": {"name": name}}
        if name not in self.keys:
            return (404 if method == "GET" else 400), {
                "errors": [] if method == "GET" else ["no existing key"]
            }
        if method == "POST":
            self.keys[name]["deletion_allowed"] = body["deletion_allowed"]
            return 200, {"data": {}}
        if method == "DELETE":
            if not self.keys[name]["deletion_allowed"]:
                return 400, {"errors": ["deletion is not allowed for this key"]}
            del self.keys[name]
            return 204, {}
        return 200, {"data": {"name": name, "type": "aes256-gcm96"}}

    @staticmethod
    def _one(act: str, raw: bytes, item: dict[str, str]) -> dict[str, Any]:
        aad = base64.b64decode(item["associated_data"], validate=True)
        if act == "encrypt":
            nonce = os.urandom(12)
            sealed = nonce + AESGCM(raw).encrypt(
                nonce, base64.b64decode(item["plaintext"], validate=True), aad
            )
            return {"ciphertext": f"vault:v1:{base64.b64encode(sealed).decode()}", "key_version": 1}
        try:
            prefix, version, text = item["ciphertext"].split(":")
            assert (prefix, version) == ("vault", "v1")
            sealed = base64.b64decode(text, validate=True)
            plain = AESGCM(raw).decrypt(sealed[:12], sealed[12:], aad)
        except (AssertionError, ValueError, InvalidTag):
            return {"error": "invalid ciphertext: cipher: message authentication failed"}
        return {"plaintext": base64.b64encode(plain).decode()}


@contextmanager
def running_transit() -> Iterator[TransitServer]:
    """A server for the time of a `with` block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version, wbufsize = "HTTP/1.1", -1  # headers and body in one packet

        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = known.answer(
                self.command, self.path, self.headers.get("X-Vault-Token", ""), json.loads(raw or b"{}")
            )
            data = b"" if status == 204 else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    known = TransitServer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
