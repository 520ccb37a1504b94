"""Asking for data at every door: on the pages one question a page, over the API, and on the command line."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hub.__main__ import main
from hub.app import create_app
from hub.identity import people
from hub.identity import store as identities
from hub.workflows.hub import Hub
from support.callers import client_of
from support.hubs import PASSWORD, make_hub, migrate
from support.lived_in import sign_in, token_of
from support.staged import Staged, stage

FIRST = {
    "columns": ["team", "area"], "purpose": "Plan where officers are needed", "level": "figures", "aims": "Fewer wait",
    "public_benefit": "Help comes sooner", "impact_if_refused": "Nobody knows", "power": "own words",
    "power_words": "Police Act 1996, section 1", "objective": "Efficient policing",
    "lawful_basis": "UK GDPR Article 6(1)(e), public task", "controller_role": "separate",
    "data_protection_review": "The DPO in March, DPIA-9", "security_review": "The CISO in March",
    "retention_days": "90", "disposal": "Deleted", "contact": "data@council.invalid",
}  # fmt: skip


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    folder = tmp_path_factory.mktemp("asking")
    url = f"sqlite:///{folder / 'hub.db'}"
    migrate(url)
    made = stage(make_hub(folder / "hub", url))
    with made.hub.database.write() as session:
        council = identities.add_organisation(session, "council", "Wexbourne Council")
        police = identities.find_organisation(session, "police")
        people.add_user(session, "ana", "Nobody Ana", council.id, ["analyst"], PASSWORD)
        people.add_user(session, "stella", "Nobody Stella", police.id, ["data steward"], PASSWORD)
    yield made
    made.hub.database.close()


@pytest.fixture(scope="module")
def app(staged: Staged) -> Any:
    return create_app(staged.hub.settings, staged.hub)


def _browser(app: Any, name: str) -> FlaskClient:
    client: FlaskClient = app.test_client()
    assert sign_in(client, name).status_code == 303
    return client


def _send(client: FlaskClient, address: str, **data: Any) -> TestResponse:
    return client.post(address, data=data | {"csrf_token": token_of(client.get(address))})


def _answer(client: FlaskClient, address: str) -> TestResponse:
    """Answer the question at an address, as `FIRST` says or as it is filled in."""
    key = address.rpartition("/")[2].partition("?")[0]
    page = client.get(address)
    data: dict[str, Any] = {}
    if key in ("needed_by", "until"):
        year = "2026" if key == "needed_by" else "2027"
        data = {"answer-day": "1", "answer-month": "4", "answer-year": year}
    elif key in FIRST:
        data = {"answer": FIRST[key]}
    return client.post(address, data=data | {"csrf_token": token_of(page)})


def test_an_analyst_asks_one_question_a_page_and_the_steward_answers(app: Any, staged: Staged) -> None:
    ana, stella = _browser(app, "ana"), _browser(app, "stella")
    start = f"/datasets/{staged.dataset}/ask"
    assert "Wexbourne Council" in ana.get(start).text
    assert stella.get(start).status_code == 403
    address = _send(ana, start).location
    request = re.search(r"req_\w+", address)[0]  # type: ignore[index]
    wrong = _send(ana, address, answer=["no such column"])
    assert wrong.status_code == 422
    assert "<title>Error:" in wrong.text
    seen = []
    while "/questions/" in address:
        seen.append(address)
        done = _answer(ana, address)
        assert done.status_code == 303, (address, done.text)
        address = done.location
    assert len(seen) == len(set(seen)) >= 20
    check = ana.get(address)
    assert "Check your answers" in check.text
    assert "Still to answer" not in check.text
    assert "1 April 2027" in check.text
    assert stella.get(f"/requests/{request}").status_code == 404, "not sent yet"

    page = f"/requests/{request}"
    assert _send(ana, address).location == page
    assert "Wexbourne Council asks for" in stella.get("/").text
    assert "Waits for you" in stella.get("/requests").text
    empty = _send(stella, page, act="decide")
    assert empty.status_code == 422
    assert "Select your answer" in empty.text
    asked = {"act": "decide", "decide-decision": "return", "decide-words": "Why <b>two</b> columns?"}
    token = re.search(r'name="decide-csrf_token"[^>]*value="([^"]+)"', stella.get(page).text)[1]  # type: ignore[index]
    assert stella.post(page, data=asked | {"decide-csrf_token": token}).status_code == 303
    shown = ana.get(page).text
    assert "Why &lt;b&gt;two&lt;/b&gt; columns?" in shown
    assert "asked back about your request" in ana.get("/").text
    assert _answer(ana, f"{page}/questions/purpose?check=1").location == f"{page}/check"
    token = re.search(r'name="reply-csrf_token"[^>]*value="([^"]+)"', ana.get(page).text)[1]  # type: ignore[index]
    sent = {"act": "reply", "reply-words": "Two will do", "reply-csrf_token": token}
    assert ana.post(page, data=sent).status_code == 303
    token = re.search(r'name="decide-csrf_token"[^>]*value="([^"]+)"', stella.get(page).text)[1]  # type: ignore[index]
    accepted = {
        "act": "decide",
        "decide-decision": "accept",
        "decide-words": "Agreed",
        "decide-csrf_token": token,
    }
    assert stella.post(page, data=accepted).status_code == 303
    shown = ana.get(page).text
    drafted = re.search(r'/agreements/(request-[a-z0-9-]+)"', shown)
    assert drafted is not None
    agreement = ana.get(f"/agreements/{drafted[1]}")
    assert agreement.status_code == 200
    assert request in agreement.text, "the draft names the request"
    assert stella.post(page, data=accepted).status_code == 403, "it is decided"


def test_the_api_asks_and_answers(app: Any, staged: Staged) -> None:
    client = app.test_client()
    ana = client_of(staged.hub, "council", "analyst").headers()
    stella = client_of(staged.hub, "police", "data steward").headers()
    asked = client.get(f"/api/v1/datasets/{staged.dataset}/questions", headers=ana).get_json()["items"]
    assert {"columns", "purpose", "power", "retention_days"} <= {item["key"] for item in asked}
    body = {"dataset": staged.dataset, "answers": FIRST}
    few = client.post("/api/v1/requests", json=body | {"answers": {"purpose": "x"}}, headers=ana)
    assert few.status_code == 422
    assert "aims" in few.get_json()["errors"]
    made = client.post("/api/v1/requests", json=body, headers=ana)
    assert made.status_code == 201, made.get_json()
    address = f"/api/v1/requests/{made.get_json()['id']}"
    assert made.get_json()["acts"] == ["withdraw"]
    assert client.get(address, headers=stella).get_json()["acts"] == ["return", "refuse", "accept"]
    back = client.post(f"{address}/return", json={"words": "Why?"}, headers=stella)
    assert back.get_json()["state"] == "returned"
    assert client.post(f"{address}/return", json={"words": "Why?"}, headers=stella).status_code == 409
    assert (
        client.post(f"{address}/answer", json={"words": "So"}, headers=ana).get_json()["state"] == "answered"
    )
    done = client.post(f"{address}/refuse", json={"words": "No"}, headers=stella).get_json()
    assert [item["words"] for item in done["steps"]] == ["", "Why?", "So", "No"]
    listed = client.get("/api/v1/requests?limit=1", headers=ana).get_json()
    assert listed["items"][0]["id"] == made.get_json()["id"]
    assert listed["next"]
    for extra in ({"state": "accepted"}, {"organisation": "hub"}, {"asked_by": "person:x"}):
        assert client.post("/api/v1/requests", json=body | extra, headers=ana).status_code == 422
    private = {"publisher": "council", "organisation": "hub", "state": "accepted"}
    assert client.post("/api/v1/requests", json=body | {"answers": private}, headers=ana).status_code == 422


def _cli(hub: Hub, *words: str, code: int = 0) -> str:
    variables = {
        "HUB_DATABASE_URL": hub.settings.database_url, "HUB_LOG_LEVEL": "error", "HUB_PASSWORD": PASSWORD,
        "HUB_REQUIRE_SECOND_FACTOR": "",
    }  # fmt: skip
    done = CliRunner().invoke(main, [*words, "--dir", str(hub.settings.dir)], env=variables)
    assert done.exit_code == code, done.output
    return done.stdout


def test_the_command_line_asks_and_answers(staged: Staged, tmp_path: Path) -> None:
    known = json.loads(_cli(staged.hub, "requests", "questions", staged.dataset, "--as", "ana"))
    assert known["purpose"] is None
    file = tmp_path / "answers.json"
    file.write_text(json.dumps(known | FIRST), encoding="utf-8")
    request = _cli(staged.hub, "requests", "ask", staged.dataset, str(file), "--as", "ana").strip()
    said = ("--words", "Why two?")
    assert "is returned" in _cli(staged.hub, "requests", "decide", request, "return", *said, "--as", "stella")
    assert "is answered" in _cli(staged.hub, "requests", "answer", request, "--words", "So", "--as", "ana")
    assert "Drafted the agreement" in _cli(
        staged.hub, "requests", "decide", request, "accept", "--words", "yes", "--as", "stella"
    )
    shown = json.loads(_cli(staged.hub, "requests", "show", request, "--format", "json"))
    assert (shown["state"], [item["words"] for item in shown["steps"]]) == (
        "accepted",
        ["", "Why two?", "So", "yes"],
    )
    listed = json.loads(_cli(staged.hub, "requests", "list", "--format", "json"))
    assert {item["request"]: item["agreement"] for item in listed}[request] == shown["agreement"]
    assert "So" in _cli(staged.hub, "requests", "show", request)
    _cli(staged.hub, "requests", "withdraw", request, "--as", "ana", code=1)
    _cli(staged.hub, "requests", "decide", request, "accept", "--words", "x", "--as", "ana", code=1)
