"""A connector puts a new key in place of its own, with both in hand; the old one is taken for a while."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey
from sqlalchemy import text

from hub.app import create_app
from hub.errors import Conflict, NotFound, Unauthorised
from hub.identity import store as identities
from hub.storage.database import utc_now
from hub.workflows import enrolling
from hub.workflows.hub import Hub
from support.hubs import principal_of


def _statement(hub: Hub, client: str, signer: OKPKey, new: OKPKey, **more: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": client, "sub": client, "aud": f"{hub.tokens.url}/api", "iat": now, "exp": now + 60,
        "jti": f"{time.perf_counter_ns()}", "new_key": identities.thumbprint(new.as_dict(private=False)),
    } | more  # fmt: skip
    return jwt.encode({"alg": "Ed25519", "typ": "key-change+jwt"}, claims, signer, algorithms=["Ed25519"])


def _assertion(hub: Hub, client: str, key: OKPKey) -> str:
    now = int(time.time())
    claims = {
        "iss": client, "sub": client, "aud": hub.tokens.token_url, "iat": now, "exp": now + 60,
        "jti": f"{time.perf_counter_ns()}",
    }  # fmt: skip
    return jwt.encode({"alg": "Ed25519"}, claims, key, algorithms=["Ed25519"])


def test_a_connector_changes_its_key_with_both_keys_in_hand(sqlite_hub: Hub) -> None:
    hub = sqlite_hub
    old, new, strange = (OKPKey.generate_key("Ed25519") for _ in range(3))
    boss = principal_of(hub, "hub", "operator")
    principal_of(hub, "police", "connector")
    client = enrolling.add_client(hub, boss, "police", "connector", ["connector"], old.as_dict(private=False))
    bearer = {"Authorization": f"Bearer {enrolling.token_for(hub, _assertion(hub, client, old))[0]}"}
    api, public = create_app(hub.settings, hub).test_client(), new.as_dict(private=False)

    def ask(assertion: str, proof: str) -> Any:
        body = {
            "signing_key": {name: public[name] for name in ("kty", "crv", "x")},
            "assertion": assertion,
            "proof": proof,
        }
        return api.put("/api/v1/signing-key", json=body, headers=bearer)

    good = _statement(hub, client, old, new)
    proof = _statement(hub, client, new, new)
    bad = [
        (_statement(hub, client, strange, new), proof),
        (good, _statement(hub, client, strange, new)),
        (_statement(hub, client, old, strange), proof),
        (_statement(hub, client, old, new, sub="cli_other"), proof),
        (_statement(hub, client, old, new, exp=int(time.time()) + 3600), proof),
        (_assertion(hub, client, old), proof),
    ]
    for assertion, held in bad:
        assert ask(assertion, held).status_code == 422, "nothing was changed"
    answer = ask(good, proof)
    assert answer.status_code == 200, answer.text
    assert datetime.fromisoformat(answer.get_json()["old_key_until"]) > utc_now() + timedelta(days=29)
    assert ask(good, _statement(hub, client, new, new)).status_code == 200, (
        "the first answer may have been lost"
    )
    for key in (old, new):
        assert enrolling.token_for(hub, _assertion(hub, client, key))[1] > 0
    with hub.database.write() as session:
        session.execute(text("UPDATE client_keys SET until = :at"), {"at": datetime(2020, 1, 1, tzinfo=UTC)})
    with pytest.raises(Unauthorised):
        enrolling.token_for(hub, _assertion(hub, client, old))
    with hub.database.read() as session:
        assert len(identities.signing_keys(session, client)) == 1
        assert len(identities.signing_keys(session, client, datetime(2019, 1, 1, tzinfo=UTC))) == 2
    with pytest.raises(Conflict, match="registered before"), hub.database.write() as session:
        identities.replace_client_key(session, client, old.as_dict(private=False), utc_now())
    with pytest.raises(NotFound), hub.database.write() as session:
        identities.replace_client_key(session, "cli_none", public, utc_now())
    assert "d" not in json.dumps(api.get("/api/v1/hub").get_json()["earlier_sealing_keys"])


@pytest.mark.parametrize("again", [False, True], ids=["another key", "the answer was lost"])
def test_a_lost_key_is_not_taken_any_more_however_it_came_to_be_an_earlier_one(
    sqlite_hub: Hub, again: bool
) -> None:
    hub = sqlite_hub
    keys = [OKPKey.generate_key("Ed25519") for _ in range(3)]
    public = [key.as_dict(private=False) for key in keys]
    boss = principal_of(hub, "hub", "operator")
    principal_of(hub, "police", "connector")
    client = enrolling.add_client(hub, boss, "police", "connector", ["connector"], public[0])
    lost = public[1] if again else public[2]
    with hub.database.write() as session:
        identities.replace_client_key(session, client, public[1], utc_now() + timedelta(days=30))
    with hub.database.write() as session:
        assert len(identities.signing_keys(session, client)) == 2, "both hold for a while"
        identities.replace_client_key(session, client, lost, utc_now())
    with hub.database.read() as session:
        assert [key["x"] for key in identities.signing_keys(session, client)] == [lost["x"]]
    with pytest.raises(Unauthorised):
        enrolling.token_for(hub, _assertion(hub, client, keys[0]))
