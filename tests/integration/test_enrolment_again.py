"""An enrolment whose answer was lost can be asked for again, and by nobody else."""

import base64
import secrets

import pytest

from hub.errors import Unauthorised
from hub.workflows import enrolling
from hub.workflows.hub import Hub
from support.hubs import principal_of


def _key() -> dict[str, str]:
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("="),
    }


def test_the_same_code_and_key_give_the_same_client_and_another_key_gives_none(hub: Hub) -> None:
    operator = principal_of(hub, "hub", "operator")
    enrolling.add_organisation(hub, operator, "schools", "Schools")
    code, key = enrolling.invite_connector(hub, operator, "schools"), _key()
    first = enrolling.enrol(hub, code, "connector", key)
    assert enrolling.enrol(hub, code, "connector", key) == first
    with pytest.raises(Unauthorised, match="unknown, used or too old"):
        enrolling.enrol(hub, code, "connector", _key())
    enrolling.revoke_client(hub, operator, first[0])
    with pytest.raises(Unauthorised):
        enrolling.enrol(hub, code, "connector", key)
