"""What the tests of signing in share: forms, codes of second factors, guessing."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pyotp
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hub.audit import log as audit
from hub.errors import TooMany, Unauthorised
from hub.identity import people
from hub.identity.organisations import find_organisation
from hub.identity.sessions import Stage
from hub.web.sessions import COOKIE
from hub.workflows import own_account, signing_in
from hub.workflows.hub import Hub
from hub.workflows.signing_in import Caller
from support.hubs import PASSWORD

OTHER = "another-battery-staple"
NOW = datetime.fromisoformat("2026-03-02T09:05:00+00:00")


def home_of(hub: Hub) -> str:
    with hub.database.read() as session:
        return find_organisation(session, "hub").id


def form(client: FlaskClient, address: str, **data: str) -> TestResponse:
    """Open a page and send its form."""
    page = client.get(address)
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page.text)
    assert token is not None, (page.status_code, page.location)
    return client.post(address, data={"csrf_token": token[1], **data})


def main_of(answer: TestResponse) -> str:
    found = re.search(r"<main.*</main>", answer.text, re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[0])) if found else ""


def code_now(key: str, at: datetime = NOW) -> str:
    return pyotp.TOTP(key.replace(" ", "")).at(at)


def id_of(hub: Hub, name: str) -> str:
    with hub.database.read() as session:
        found = people.find_by_name(session, name)
    assert found is not None
    return found.id


def enrolled(hub: Hub, name: str) -> tuple[str, list[str]]:
    """Give somebody a second factor; its secret and recovery codes."""
    entry = signing_in.sign_in(hub, name, PASSWORD)
    assert entry.stage is Stage.ENROL
    secret = own_account.offer_to_pending(hub, entry.token).secret
    entry, made = own_account.finish_enrolment(hub, entry.token, code_now(secret))
    signing_in.sign_out(hub, entry.token)
    return secret, made


def cookie(client: FlaskClient, name: str = COOKIE) -> str:
    found = client.get_cookie(name)
    return found.value if found is not None else ""


def entries(hub: Hub) -> list[Any]:
    with hub.database.read() as session:
        return list(audit.recent(session))[::-1]


def guess(hub: Hub, name: str, times: int, caller: Caller = signing_in.UNKNOWN) -> int:
    """Guess so often at a password; how many guesses were looked at."""
    looked = 0
    for _ in range(times):
        try:
            signing_in.sign_in(hub, name, "a-wrong-password", caller)
        except Unauthorised:
            looked += 1
        except TooMany:
            pass
    return looked
