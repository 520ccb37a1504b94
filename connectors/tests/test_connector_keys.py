"""Changing the connector's keys and the hub's, waiting for approval, and waiting when the hub says so."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import OKPKey

from hub_connector import rotating
from hub_connector.client import HubClient, Patience
from hub_connector.errors import HubUnreachable
from hub_connector.keys import SigningKey

FakeHub = Any  # of conftest.py
Department = Any
KEY = "hub-connector.key"


class Keeper:
    """Teaches the small hub what the real one does about keys and approvals."""

    def __init__(self, hub: FakeHub) -> None:
        self.hub, self.first = hub, hub.handle
        self.earlier: list[OKPKey] = []
        self.changes: list[dict[str, Any]] = []
        #: Answers to a change of keys that get lost on their way.
        self.lose = 0
        self.registration = "approved"
        self.sealing: list[dict[str, str]] = []
        hub.handle = self.handle  # type: ignore[method-assign]

    def handle(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, Any] | None:
        if path == "/api/v1/signing-key" and "Authorization" in headers:
            return self.change(json.loads(body))
        if path == "/oauth/token":
            return self.token(body)
        found = self.first(method, path, headers, body)
        if found is not None and path == "/api/v1/hub":
            found[1]["earlier_sealing_keys"] = self.sealing
        if found is not None and path == "/api/v1/enrolments":
            found[1]["state"] = self.registration
        return found

    def token(self, body: bytes) -> tuple[int, Any]:
        from urllib.parse import parse_qs

        assertion = parse_qs(body.decode())["client_assertion"][0]
        for key in (self.hub.keys["cli_0"], *self.earlier):
            try:
                jwt.decode(assertion, key, algorithms=["Ed25519"])
            except BadSignatureError:
                continue
            if self.registration != "approved":
                problem = {"error": "unauthorized_client", "detail": "see errors"}
                return 400, {**problem, "errors": {"registration": self.registration}}
            return 200, {"access_token": "token-cli_0", "token_type": "Bearer", "expires_in": 300}
        return 401, {"error": "invalid_client", "detail": "The token does not hold."}

    def change(self, body: dict[str, Any]) -> tuple[int, Any] | None:
        present, new = self.hub.keys["cli_0"], OKPKey.import_key(body["signing_key"])
        wanted = base64.urlsafe_b64decode(new.thumbprint() + "==").hex()
        self.changes.append(body)
        again = present.thumbprint() == new.thumbprint()
        for text, key in ((body["proof"], new), (body["assertion"], present)):
            if again and text == body["assertion"]:
                continue
            token = jwt.decode(text, key, algorithms=["Ed25519"])
            assert token.header["typ"] == "key-change+jwt"
            assert token.claims["new_key"] == wanted
            assert (token.claims["sub"], token.claims["aud"]) == ("cli_0", f"{self.hub.url}/api")
            assert token.claims["exp"] - token.claims["iat"] <= 300
        if not again:
            self.earlier = [present] if body["keep_old"] else []
            self.hub.keys["cli_0"] = new
        if self.lose:
            self.lose -= 1
            return None
        return 200, {"old_key_until": "2026-12-24T10:00:00+00:00"}


@pytest.fixture
def keeper(hub: FakeHub) -> Keeper:
    """A hub that takes changes of keys."""
    return Keeper(hub)


def _push(department: Department, *more: str) -> tuple[int, str, str]:
    return department.run("push", "--contract", department.contract, "pupils.csv", *more)


def test_a_changed_key_is_used_from_then_on_and_what_was_sent_is_still_recognised(
    keeper: Keeper, registered: Department, pupils: list[tuple[str, ...]]
) -> None:
    registered.write(pupils)
    assert _push(registered)[0] == 0
    before, old = (registered.home / KEY).read_bytes(), keeper.hub.keys["cli_0"].thumbprint()
    status, out, said = registered.run("keys", "rotate")
    assert status == 0, said
    assert "Until 2026-12-24 10:00 UTC" in out
    assert (registered.home / KEY).read_bytes() != before
    assert keeper.hub.keys["cli_0"].thumbprint() != old
    spoken = SigningKey.load(registered.home / KEY).spoken_thumbprint()
    assert spoken in out
    assert spoken in registered.run("keys", "show")[1]
    keeper.earlier = []
    status, out, said = _push(registered)
    assert (status, "delivered before" in out) == (0, True), out + said
    assert len(keeper.hub.deliveries) == 1
    for name in (KEY, f"{KEY}.digests"):
        assert (registered.home / name).stat().st_mode & 0o077 == 0
    assert not (registered.home / f"{KEY}.next").exists()


def test_a_growing_source_goes_on_from_its_mark_after_the_key_was_changed(
    keeper: Keeper, registered: Department, growing: Any
) -> None:
    def push() -> tuple[int, str, str]:
        return registered.run(
            "push", "--contract", registered.contract, "--mode", "append", "--wait", "db://pupils"
        )

    registered.write([])
    assert push()[0] == 0
    assert registered.run("keys", "rotate", "--lost")[0] == 0
    growing.rows.append((*growing.rows[-1][:-1], "61"))
    growing.rows[-1] = ("p9999", *growing.rows[-1][1:])
    status, out, said = push()
    assert status == 0, out + said
    assert [len(table["rows"]) for table in keeper.hub.tables.values()] == [60, 1]


@pytest.mark.parametrize("lost", [False, True], ids=["in use", "lost"])
def test_an_answer_that_was_lost_is_asked_for_again_with_the_same_key(
    keeper: Keeper, registered: Department, lost: bool
) -> None:
    keeper.lose = 1
    arguments = ["keys", "rotate", *(["--lost"] if lost else [])]
    status, _, said = registered.run(*arguments)
    assert status == 3, said
    assert (registered.home / f"{KEY}.next").exists(), "the hub has it: it must not be forgotten"
    assert "begun and not ended" in registered.run("keys", "show")[1]
    status, out, said = registered.run(*arguments)
    assert status == 0, said
    assert "Went on" in out
    assert keeper.changes[0]["signing_key"] == keeper.changes[1]["signing_key"]
    assert keeper.changes[0]["proof"] != keeper.changes[1]["proof"], "each statement is taken once"
    assert registered.run("status")[0] == 0


def test_killed_at_any_point_the_change_goes_on_and_the_connector_is_never_locked_out(
    keeper: Keeper, registered: Department, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    real: dict[str, Callable[..., Any]] = {
        "_tell": rotating._tell, "_sign_anew": rotating._sign_anew, "_settle": rotating._settle,
    }  # fmt: skip

    def dies(*_: Any, **__: Any) -> Any:
        raise Killed

    for name, genuine in real.items():
        monkeypatch.setattr(rotating, name, dies)
        with pytest.raises(Killed):
            registered.run("keys", "rotate")
        monkeypatch.setattr(rotating, name, genuine)
        assert registered.run("status")[0] == 0, f"locked out after dying in {name}"
    monkeypatch.setattr(os, "replace", dies)
    with pytest.raises(Killed):
        registered.run("keys", "rotate")
    monkeypatch.undo()
    monkeypatch.chdir(registered.home)
    monkeypatch.setenv("HUB_CONNECTOR_TRIES", "1")
    assert registered.run("keys", "rotate")[0] == 0
    keeper.earlier = []
    assert registered.run("status")[0] == 0


def test_a_delivery_that_was_cut_off_is_signed_anew_when_the_key_is_lost(
    keeper: Keeper, registered: Department, pupils: list[tuple[str, ...]]
) -> None:
    registered.write(pupils)
    keeper.hub.cut_at = 1
    assert _push(registered)[0] == 3
    keeper.hub.cut_at = None
    status, out, said = registered.run("keys", "rotate", "--lost")
    assert (status, "Signed anew: 1" in out) == (0, True), out + said
    assert _push(registered)[0] == 0
    assert len(keeper.hub.deliveries) == 1, "the one that was cut off, not another"


def test_a_connector_that_waits_for_approval_says_what_to_do(
    keeper: Keeper, hub: FakeHub, department: Department, pupils: list[tuple[str, ...]]
) -> None:
    keeper.registration = "waiting"
    status, out, said = department.run("init", "--hub", hub.url, "--code", "good-code", "--name", "night")
    assert status == 0, said
    spoken = SigningKey.load(department.home / KEY).spoken_thumbprint()
    assert "Waiting for approval" in out and spoken in out
    department.write(pupils)
    for arguments in (["status"], ["push", "--contract", department.contract, "pupils.csv"]):
        status, _, said = department.run(*arguments)
        assert status == 4
        assert "waits for approval" in said and spoken in said and "Nothing is lost" in said
    keeper.registration = "refused"
    status, _, said = department.run("status")
    assert (status, "does not let this connector in" in said) == (4, True)
    keeper.registration = "approved"
    assert _push(department)[0] == 0


def test_approval_taken_away_in_the_middle_of_a_push_loses_nothing(
    keeper: Keeper, registered: Department, pupils: list[tuple[str, ...]]
) -> None:
    registered.write(pupils)
    keeper.hub.cut_at = 1
    assert _push(registered)[0] == 3
    keeper.hub.cut_at, keeper.registration = None, "waiting"
    assert _push(registered)[0] == 4
    keeper.registration = "approved"
    assert _push(registered)[0] == 0
    assert len(keeper.hub.deliveries) == 1


def test_an_announced_change_of_the_hubs_sealing_key_does_not_stop_pushes(
    keeper: Keeper, registered: Department, pupils: list[tuple[str, ...]]
) -> None:
    registered.write(pupils)
    pinned, private = dict(keeper.hub.sealing_key), keeper.hub.private
    keeper.hub.new_sealing_key()
    keeper.hub.sealing_key["id"] = "seal_new"
    assert _push(registered)[0] == 2, "nobody announced it"
    soon = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    keeper.sealing = [{**pinned, "until": (datetime.now(UTC) - timedelta(days=1)).isoformat()}]
    assert _push(registered)[0] == 2, "its time is over"
    keeper.sealing = [{**pinned, "id": "seal_old", "until": soon}]
    current, keeper.hub.private = keeper.hub.private, private
    status, _, said = _push(registered)
    assert status == 0, said
    assert "new sealing key" in said and "hub-connector trust" in said and soon[:10] in said
    (delivery,) = keeper.hub.deliveries.values()
    assert delivery["manifest"]["sealing_key_id"] == "seal_old"
    keeper.hub.private = current
    keeper.sealing = [{**pinned, "until": "soon"}]
    registered.write([*pupils, pupils[0]])
    assert _push(registered)[0] == 2, "a moment that is none is not believed"


@pytest.mark.parametrize(
    ("asked", "slept"),
    [
        ("7", 7.0),
        ("90", 90.0),
        ("0", 0.0),
        ("-5", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_the_connector_comes_again_when_the_hub_says_so(asked: str, slept: float | None) -> None:
    answers = [httpx.Response(429, headers={"Retry-After": asked}), httpx.Response(200, json={"name": "hub"})]
    pauses: list[float] = []
    with HubClient("http://127.0.0.1:1", sleep=pauses.append, patience=Patience(3, 0.5, 30.0)) as client:
        client._http = httpx.Client(transport=httpx.MockTransport(lambda _: answers.pop(0)))
        assert client.hub()["name"] == "hub"
    (pause,) = pauses
    assert pause == slept if slept is not None else 0.2 < pause <= 0.5


def test_a_hub_that_asks_for_hours_is_left_alone_for_now() -> None:
    with HubClient("http://127.0.0.1:1", sleep=lambda _: pytest.fail("it must not wait")) as client:
        client._http = httpx.Client(
            transport=httpx.MockTransport(lambda _: httpx.Response(429, headers={"Retry-After": "7200"}))
        )
        with pytest.raises(HubUnreachable, match="120 minutes"):
            client.hub()


def test_the_key_for_digests_is_guarded_by_the_passphrase_too(
    keeper: Keeper, hub: FakeHub, department: Department, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_CONNECTOR_KEY_PASSPHRASE", "three random words")
    assert department.run("init", "--hub", hub.url, "--code", "good-code")[0] == 0
    assert department.run("keys", "rotate")[0] == 0
    for name in (KEY, f"{KEY}.digests"):
        assert b"ENCRYPTED" in (Path(department.home) / name).read_bytes()
