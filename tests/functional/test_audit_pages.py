"""The audit log's page: what it shows, how it is narrowed, and what an auditor may take away."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient

from hub.app import create_app
from hub.audit import log as audit
from hub.audit import log as log_module
from hub.audit.checkpoint import read_verifier_key, verify
from hub.identity import people
from hub.web.sessions import COOKIE
from hub.workflows import auditing
from hub.workflows.hub import Hub
from support.hubs import PASSWORD, principal_of, signed_in

Page = Callable[[str], str]


def _client(hub: Hub, *roles: str) -> FlaskClient:
    home = principal_of(hub, "police", "auditor").organisation_id
    name = "-".join(roles)
    with hub.database.write() as session:
        people.add_user(session, name, f"Ann {name}", home, list(roles), PASSWORD)
    client: FlaskClient = create_app(hub.settings, hub).test_client()
    client.set_cookie(COOKIE, signed_in(hub, name)[0], domain="hub.test")
    return client


@pytest.fixture
def auditor(sqlite_hub: Hub) -> FlaskClient:
    return _client(sqlite_hub, "auditor")


@pytest.fixture
def shown(auditor: FlaskClient) -> Page:
    """The words of the page's main part."""

    def words(query: str = "") -> str:
        answer = auditor.get(f"/audit{query}", base_url="http://hub.test")
        assert answer.status_code == 200, answer.text
        found = re.search(r"<main.*</main>", answer.text, re.DOTALL)
        assert found is not None
        title = re.search(r"<title>(.*?)</title>", answer.text, re.DOTALL)
        assert title is not None
        text = re.sub(r"<option.*?</option>", "", found[0], flags=re.DOTALL)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", f"{title[1]} {text}")).split())

    return words


def _at(monkeypatch: pytest.MonkeyPatch, hub: Hub, moment: datetime, **entry: Any) -> None:
    with monkeypatch.context() as patched, hub.database.write() as session:
        patched.setattr(log_module, "utc_now", lambda: moment)
        audit.record(session, **({"actor": "system:test", "action": "run.started"} | entry))


def test_entries_are_narrowed_by_act_by_actor_and_by_day_where_the_hub_is(
    sqlite_hub: Hub, shown: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    _at(monkeypatch, sqlite_hub, datetime(2026, 6, 30, 22, 59, tzinfo=UTC), target="thirtieth")
    _at(monkeypatch, sqlite_hub, datetime(2026, 6, 30, 23, 1, tzinfo=UTC), target="tgt-first")  # summer time
    _at(
        monkeypatch, sqlite_hub, datetime(2026, 7, 1, 12, 0, tzinfo=UTC), target="other",
        action="run.failed", actor="system:other",
    )  # fmt: skip
    day = shown("?day-day=1&day-month=7&day-year=2026")
    assert "tgt-first" in day and "other" in day and "thirtieth" not in day
    both = shown("?day-day=1&day-month=july&day-year=2026&action=run.started")
    assert "tgt-first" in both and "other" not in both
    actor = shown("?actor=system:other")
    assert "Only what was done by The hub itself (other)" in actor and "tgt-first" not in actor
    assert "No such entry" in shown("?action=run.failed&day-day=2&day-month=7&day-year=2026")
    for query, said in (
        ("?day-day=31&day-month=6&day-year=2026", "must be a real date"),
        ("?day-day=1", "must include a month"),
        (f"?action={'x' * 65}", "Error:"),
    ):
        page = shown(query)
        assert page.startswith("Error:") and said in page and "There is a problem" in page, page
    assert "tgt-first" in shown("?day-day=&day-month=&day-year=")


def test_an_address_that_the_page_never_gave_is_refused(auditor: FlaskClient) -> None:
    for query in ("actor=' OR 1=1", "actor=system:%0aX", "before=x", f"actor=system:{'x' * 61}"):
        assert auditor.get(f"/audit?{query}", base_url="http://hub.test").status_code == 422
    far = auditor.get("/audit?day-day=31&day-month=12&day-year=9999", base_url="http://hub.test")
    assert far.status_code == 200


def test_an_auditor_takes_checkpoint_and_key_away_and_is_told_how_to_check(
    sqlite_hub: Hub, auditor: FlaskClient, shown: Page
) -> None:
    assert (
        "How to check" not in shown()
        and auditor.get("/audit/checkpoint", base_url="http://hub.test").status_code == 404
    )
    auditing.seal_log(sqlite_hub)
    assert "How to check the log yourself" in shown() and "hub audit verify --export" in shown()
    key = auditor.get("/audit/key", base_url="http://hub.test")
    assert key.headers["Content-Disposition"] == 'attachment; filename="audit-key.txt"'
    note = auditor.get("/audit/checkpoint", base_url="http://hub.test").text
    assert verify(note, *read_verifier_key(key.text)).size > 0


def test_nobody_else_takes_them_away(sqlite_hub: Hub) -> None:
    analyst = _client(sqlite_hub, "analyst")
    for path in ("/audit", "/audit/checkpoint", "/audit/key"):
        assert analyst.get(path, base_url="http://hub.test").status_code == 403
