"""Agreements over the API and the command line: the whole way, and signing without a hub."""

import base64
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.__main__ import main
from hub.app import create_app
from hub.identity import people
from hub.identity import store as identities
from hub.policy.statement import sign
from hub.workflows import agreeing, signing
from hub.workflows.hub import Hub
from support.agreements import CONSOLE, agree_to, put_in_force
from support.callers import client_of
from support.hubs import PASSWORD, principal_of
from support.staged import AGREEMENT

TEXT = AGREEMENT.replace("id: planning", "id: sharing").replace(
    "organisations: [police]", "organisations: [council]"
)
SIGNER = "Jane Example, chief executive"
EXPLAIN = (
    "agreements", "explain", "--operation", "run plugin", "--contract", "police.establishment", "--org", "police",
)  # fmt: skip


@pytest.fixture
def hub(sqlite_hub: Hub) -> Hub:
    """A hub with two organisations and two stewards of the police with accounts."""
    for slug in ("police", "council"):
        principal_of(sqlite_hub, slug)
    with sqlite_hub.database.write() as session:
        home = identities.find_organisation(session, "police")
        for name in ("stella", "theo"):
            people.add_user(session, name, name, home.id, ["data steward"], PASSWORD)
    return sqlite_hub


def _run(hub: Hub, *arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(
        main, arguments, env={"HUB_DIR": str(hub.settings.dir), "HUB_PASSWORD": PASSWORD,
                              "HUB_DATABASE_URL": hub.settings.database_url, "HUB_REQUIRE_SECOND_FACTOR": ""},
    )  # fmt: skip
    assert done.exit_code == code, done.output
    return done.output


def _caller(hub: Hub, slug: str) -> Callable[..., Any]:
    """A machine client that is a data steward of an organisation, as a function of method and path."""
    app = create_app(hub.settings, hub).test_client()
    headers = client_of(hub, slug, "data steward").headers()
    return lambda method, path, **more: app.open(path, method=method, headers=headers, **more)


def _public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def test_the_whole_way_over_the_api(hub: Hub) -> None:
    one, two = (_caller(hub, "hub") for _ in range(2))
    drafted = one("POST", "/api/v1/agreements", json={"text": TEXT})
    assert (drafted.status_code, drafted.json["state"], drafted.json["power"]["checked"]) == (
        201,
        "draft",
        False,
    )
    home = "/api/v1/agreements/sharing"
    longer = TEXT.replace("retention_days: 730", "retention_days: 30")
    assert one("PUT", home, json={"text": longer}).json["version"] == 2
    assert one("GET", f"{home}/text").json["text"] == longer
    assert one("POST", f"{home}/submit").json["state"] == "in review"
    assert one("POST", f"{home}/approve").status_code == 403
    assert two("POST", f"{home}/return", json={"reason": "no"}).status_code == 422
    assert two("POST", f"{home}/approve").json["state"] == "agreed"
    assert one("GET", f"{home}/signatures").json["missing"] == ["council", "police"]
    for slug in ("council", "police"):
        steward, key = _caller(hub, slug), Ed25519PrivateKey.generate()
        new = steward("POST", f"/api/v1/organisations/{slug}/signing-keys", json={"public_key": _public(key)})
        assert (new.status_code, new.json["state"]) == (201, "waiting")
        who = {"organisation": slug, "signer": SIGNER}
        said = steward("GET", f"{home}/statement", query_string=who).json["statement"]
        body = {**who, "signature": sign(said, key.private_bytes_raw())}
        assert steward("POST", f"{home}/signatures", json=body).status_code == 422, "the key waits"
        assert steward("POST", f"/api/v1/signing-keys/{new.json['id']}/approve").status_code == 403
        assert two("POST", f"/api/v1/signing-keys/{new.json['id']}/approve").json["state"] == "active"
        done = steward("POST", f"{home}/signatures", json=body)
    assert (done.json["state"], done.json["signed_by"]) == ("active", ["council", "police"])
    question = {"operation": "run plugin", "contract": "police.establishment", "organisation": "council"}
    answer = one("POST", "/api/v1/agreements/explain", json=question).json
    assert answer["allowed"]
    assert all(check["holds"] for check in answer["agreements"][0]["checks"])
    assert one("POST", f"{home}/withdraw").json["state"] == "withdrawn"
    assert not one("POST", "/api/v1/agreements/explain", json=question).json["allowed"]


def test_the_whole_way_on_the_command_line_with_a_key_that_never_comes_to_the_hub(
    hub: Hub, tmp_path: Path
) -> None:
    file, key = tmp_path / "agreement.yaml", tmp_path / "police.key"
    file.write_text(AGREEMENT)
    assert "Hand it in for review" in _run(hub, "agreements", "draft", str(file), "--as", "stella")
    _run(hub, "agreements", "submit", "planning", "--as", "stella")
    assert "somebody else must approve" in _run(
        hub, "agreements", "approve", "planning", "--as", "stella", code=1
    )
    _run(hub, "agreements", "approve", "planning", "--as", "theo")
    public = _run(hub, "agreements", "keys", "new", str(key)).strip()
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    assert "never overwritten" in _run(hub, "agreements", "keys", "new", str(key), code=1)
    assert "active" in _run(hub, "agreements", "keys", "add", "police", public)
    who = ("--org", "police", "--signer", SIGNER)
    statement = tmp_path / "statement.json"
    statement.write_text(_run(hub, "agreements", "statement", "planning", *who))
    signature = _run(hub, "agreements", "sign", "--statement", str(statement), "--key", str(key)).strip()
    assert "Not signed yet: police" in _run(hub, "agreements", "show", "planning")
    assert "was not made with" in _run(
        hub, "agreements", "sign", "planning", *who, "--signature", "AAAA", "--as", "stella", code=1
    )
    assert "planning is active" in _run(
        hub, "agreements", "sign", "planning", *who, "--signature", signature, "--as", "stella"
    )
    assert f"by {SIGNER}" in _run(hub, "agreements", "show", "planning")
    assert "private" not in _run(hub, "agreements", "keys", "list", "--format", "json")
    assert "compromised" in _run(
        hub, "agreements", "keys", "revoke", signing.list_keys(hub, CONSOLE)[0].id, "--compromised"
    )
    assert "not trusted" in _run(hub, "agreements", "list")


def test_explain_on_the_command_line_lists_every_check(hub: Hub) -> None:
    put_in_force(hub, AGREEMENT)
    said = _run(hub, *EXPLAIN, "--column", "team")
    assert said.startswith("Allowed: ")
    assert "✓ its text is the one that was signed" in said
    refused = _run(hub, *EXPLAIN, "--column", "kind", code=1)
    assert "✗ agreement planning does not give kind" in refused
    assert "✓ police has signed it" in refused
    late: Any = json.loads(_run(hub, *EXPLAIN, "--on", "2150-01-01", "--format", "json", code=1))
    assert [check["words"] for check in late["agreements"][0]["checks"] if not check["holds"]] == [
        "agreement planning holds from 2026-01-01 to 2099-12-31, not on 2150-01-01"
    ]
    assert "--on" in _run(hub, *EXPLAIN, "--on", "soon", code=2)


def test_what_an_agreement_would_change_is_said_and_what_is_wider_marked(hub: Hub) -> None:
    put_in_force(hub, AGREEMENT)
    agree_to(hub, TEXT.replace("fte]", "fte, kind]").replace("2099", "2100"))
    found = json.loads(
        _run(hub, "agreements", "compare", "sharing", "--with", "planning", "--format", "json")
    )
    assert {item["what"]: item["wider"] for item in found} == {
        "police.establishment of police": True, "May use the data": True, "Last day": True,
    }  # fmt: skip
    alone = agreeing.compare(hub, principal_of(hub, "hub", "data steward"), "sharing")[2]
    assert ("police.establishment of police", "") in [(item.what, item.before) for item in alone]
