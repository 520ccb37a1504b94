"""The pages of agreements: written one question at a time, reviewed by somebody else, signed, explained, ended."""

import base64
import re
from collections.abc import Callable
from html import unescape
from io import BytesIO
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hub.app import create_app
from hub.identity import people
from hub.identity import store as identities
from hub.policy.statement import sign
from hub.web.sessions import COOKIE
from hub.workflows import signing
from hub.workflows.hub import Hub
from support.agreements import CONSOLE, agree_to, put_in_force, signing_key
from support.hubs import PASSWORD, principal_of, signed_in
from support.staged import AGREEMENT

ANSWERS: dict[str, dict[str, Any]] = {
    "title": {"title": "Counting teams"},
    "id": {"id": "counting-teams"},
    "purpose": {"purpose": "Count teams by area"},
    "subjects": {"subjects": "police officers", "aims": "Fewer empty shifts\nCounted each month"},
    "public_benefit": {"public_benefit": "Officers are where they are needed."},
    "impact_if_refused": {"impact_if_refused": "Shifts stay empty."},
    "legal_power": {"legal_power": "crime-and-disorder"},
    "objective": {"objective": "crime-and-disorder"},
    "listed_bodies": {"listed_bodies": "council: a local authority"},
    "basis": {"lawful_basis": "Article 6(1)(e)", "special_category_basis": "none needed"},
    "controllers": {"controllers": ["police"], "controllers_other": "The Home Office", "controller_role": "joint"},
    "organisations": {"organisations": ["council"]},
    "roles": {"roles": ["analyst"]},
    "operations": {"operations": ["run plugin", "read aggregate"]},
    "plugins": {"plugins": []},
    "dates": {
        "start-day": "1", "start-month": "1", "start-year": "2026", "end-day": "31", "end-month": "12",
        "end-year": "2099",
    },
    "retention": {"retention_days": "30", "retention_trigger": "made", "results_at_end": "closed"},
    "disclosure": {"minimum_count": "10", "round_to": "5"},
    "opt_out": {"opt_out": "applies"},
    "sharing": {"processors": "Somebody Ltd"},
    "reviews": {"dpia": "DPIA-1"},
    "contact": {"contact": "dpo@police.invalid"},
}  # fmt: skip


@pytest.fixture
def hub(sqlite_hub: Hub) -> Hub:
    """A hub with two organisations."""
    for slug in ("police", "council"):
        principal_of(sqlite_hub, slug)
    return sqlite_hub


@pytest.fixture
def steward(hub: Hub) -> Callable[[str, str], FlaskClient]:
    """Make a data steward of an organisation and give their browser, signed in."""
    app = create_app(hub.settings, hub)

    def browse(slug: str, name: str) -> FlaskClient:
        with hub.database.write() as session:
            home = identities.find_organisation(session, slug)
            people.add_user(session, name, name.title(), home.id, ["data steward"], PASSWORD)
        client = app.test_client()
        client.set_cookie(COOKIE, signed_in(hub, name)[0])
        return client

    return browse


def _token(page: TestResponse) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert found is not None, page.text[:2000]
    return found[1]


def _send(client: FlaskClient, address: str, at: str = "", **data: Any) -> TestResponse:
    page = client.get(address)
    assert page.status_code == 200, (address, page.status_code)
    return client.post(at or address, data={**data, "csrf_token": _token(page)}, follow_redirects=True)


def _answer_all(client: FlaskClient, **instead: dict[str, Any]) -> str:
    begun = _send(client, "/agreements/new", way="questions")
    draft = re.search(r"/agreements/drafts/(drf_\w+)", begun.text)
    assert draft is not None
    home = f"/agreements/drafts/{draft[1]}"
    for ident, data in (ANSWERS | instead).items():
        answered = _send(client, f"{home}/{ident}", **data)
        assert "<title>Error:" not in answered.text, (
            ident,
            re.findall(r"error-message[^<]*<[^>]*>[^<]*<[^>]*>([^<]*)", answered.text),
        )
    _send(client, f"{home}/datasets", dataset="hub/hub.people")
    _send(
        client, f"{home}/datasets/hub/hub.people", columns=["sex", "datasets"], why="To count",
        generalise="",
    )  # fmt: skip
    return home


def test_an_agreement_is_written_reviewed_and_signed_on_pages(hub: Hub, steward: Any) -> None:
    writer, reviewer = steward("police", "writer"), steward("council", "reviewer")
    guardian = steward("hub", "guardian")
    home = _answer_all(writer)
    checked = writer.get(home)
    assert "Check your answers" in checked.text
    assert "Counted each month" in checked.text
    assert "section 115" in checked.text
    done = _send(writer, home, act="submit")
    assert "The agreement is in review" in done.text
    assert (
        "somebody else must approve it"
        in _send(writer, "/agreements/counting-teams/review", decision="approve").text
    )
    page = reviewer.get("/agreements/counting-teams/review")
    assert "hub.people of hub" in page.text
    assert "datasets, sex" in page.text
    review = "/agreements/counting-teams/review"
    assert "a data steward of the hub has to approve it" in unescape(
        _send(reviewer, review, decision="approve").text
    ), "it gives data about everybody"
    assert "Approved. It waits for signatures." in _send(guardian, review, decision="approve").text
    for slug, client in (("police", writer), ("council", reviewer)):
        address, who = (
            "/agreements/counting-teams/sign",
            {"organisation": slug, "signer": "Jane Example, chief"},
        )
        key = signing_key(hub, slug)
        assert "What is in the file" in _send(client, address, **who, act="show").text
        page = client.get(address)
        file = client.post(address, data={**who, "act": "download", "csrf_token": _token(page)})
        assert (
            "was not made with a registered key"
            in _send(client, address, **who, act="send", signature="AAAA").text
        )
        done = _send(client, address, **who, act="send", signature=sign(file.text, key))
    assert "It is in force now" in done.text
    assert "Signed by Jane Example, chief" in writer.get("/agreements/counting-teams").text


def test_answers_are_saved_and_what_is_missing_or_wrong_is_named(hub: Hub, steward: Any) -> None:
    writer, colleague, stranger = (
        steward("police", "writer"),
        steward("police", "second"),
        steward("council", "other"),
    )
    home = _answer_all(writer, id={"id": "Not An Id"})
    page = colleague.get(home)
    assert "What you have answered so far" in page.text
    assert "3 to 64 of a-z" in page.text
    assert "Counting teams" in colleague.get("/agreements").text
    assert _send(colleague, f"{home}/id", id="counting-two").status_code == 200
    assert stranger.get(home).status_code == 404
    assert stranger.get(f"{home}/title").status_code == 404
    assert "Counting teams" not in stranger.get("/agreements").text
    sent = _send(colleague, home, act="submit")
    assert "The agreement is in review" in sent.text, re.findall(r"error[^>]*>([^<]*)", sent.text)
    assert (
        "somebody else must approve it"
        in _send(writer, "/agreements/counting-two/review", decision="approve").text
    ), "who saved an answer is an author, too"


@pytest.mark.parametrize(
    ("question", "data", "said"),
    [
        ("title", {"title": ""}, "Answer this question"),
        ("legal_power", {"legal_power": "other", "legal_power_other": ""}, "Say it in words"),
        ("legal_power", {"legal_power": "mine"}, "Not a valid choice"),
        ("organisations", {"organisations": []}, "Choose at least one"),
        ("organisations", {"organisations": ["nobody"]}, "Choose among those shown"),
        ("retention", {"retention_days": "-1"}, "Enter a whole number"),
        ("dates", {"start-day": "31", "start-month": "2", "start-year": "2026"}, "must be a real date"),
        ("datasets", {"dataset": "police/secret"}, "Not a valid choice"),
    ],
)
def test_an_answer_that_cannot_be_used_is_refused_with_the_reason(
    hub: Hub, steward: Any, question: str, data: dict[str, Any], said: str
) -> None:
    writer = steward("police", "writer")
    begun = _send(writer, "/agreements/new", way="questions")
    home = re.search(r"/agreements/drafts/drf_\w+", begun.text)[0]  # type: ignore[index]
    answered = _send(writer, f"{home}/{question}", **data)
    assert answered.status_code == 422
    assert said in answered.text
    assert "<title>Error: " in answered.text


def test_an_agreement_comes_as_a_file_and_goes_back_to_be_changed(hub: Hub, steward: Any) -> None:
    writer, reviewer = steward("police", "writer"), steward("police", "reviewer")
    token = _token(writer.get("/agreements/upload"))

    def upload(text: bytes) -> TestResponse:
        data = {"csrf_token": token, "file": (BytesIO(text), "a.yaml")}
        return writer.post("/agreements/upload", data=data, follow_redirects=True)

    assert "must be text in UTF-8" in upload(b"\xff\xfe").text
    assert (
        "retention_days: "
        in upload(AGREEMENT.replace("retention_days: 730", "retention_days: x").encode()).text
    )
    assert "The agreement is a draft" in upload(AGREEMENT.encode()).text
    assert (
        "in review" in _send(writer, "/agreements/planning", "/agreements/planning/step", act="submit").text
    )
    assert "Say what has to change" in _send(reviewer, "/agreements/planning/review", decision="return").text
    back = _send(reviewer, "/agreements/planning/review", decision="return", reason="Name the aims, please.")
    assert "Handed back" in back.text
    assert "Name the aims, please." in writer.get("/agreements/planning").text
    again = _send(writer, "/agreements/planning", "/agreements/planning/step", act="edit")
    home = re.search(r"/agreements/drafts/drf_\w+", again.request.path)[0]  # type: ignore[index]
    assert "Police Act 1996" in writer.get(home).text
    _send(writer, f"{home}/subjects", subjects="teams", aims="Fewer empty shifts")
    assert "in review" in _send(writer, home, act="submit").text
    assert "version 2" in reviewer.get("/agreements/planning").text


def test_the_page_says_why_something_is_allowed_or_refused(hub: Hub, steward: Any) -> None:
    put_in_force(hub, AGREEMENT)
    reader, stranger = steward("police", "reader"), steward("council", "stranger")
    query = {"operation": "run plugin", "contract": "police.establishment", "organisation": "police"}
    allowed = reader.get("/agreements/explain", query_string=query)
    assert "Allowed" in allowed.text
    assert "It covers police.establishment" in allowed.text
    refused = reader.get("/agreements/explain", query_string=query | {"columns": "team, kind"})
    assert "does not give kind of police.establishment" in refused.text
    assert "No agreement that you may read" in stranger.get("/agreements/explain", query_string=query).text
    assert reader.get("/agreements/explain", query_string={"operation": "x"}).status_code == 422


def test_ending_an_agreement_asks_why_and_says_what_happens(hub: Hub, steward: Any) -> None:
    put_in_force(hub, AGREEMENT)
    mine = steward("police", "mine")
    assert "It ends at once and for good" in mine.get("/agreements/planning/withdraw").text
    assert "Say why it ends" in _send(mine, "/agreements/planning/withdraw", reason="").text
    assert "has ended" in _send(mine, "/agreements/planning/withdraw", reason="No longer needed").text
    assert "Withdrawn" in mine.get("/agreements/planning").text


def test_a_key_is_registered_by_one_and_approved_by_another(hub: Hub, steward: Any) -> None:
    one, two, stranger = (
        steward(*who) for who in (("police", "one"), ("police", "two"), ("council", "three"))
    )
    public = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    asked = {"organisation": "police", "name": "seal", "public_key": public}
    assert "Not a valid choice" in _send(stranger, "/agreements/keys", **asked).text
    assert "not the base64" in _send(one, "/agreements/keys", **asked | {"public_key": "x"}).text
    assert "Somebody else approves it" in _send(one, "/agreements/keys", **asked).text
    key = signing.list_keys(hub, CONSOLE)[0]
    approve = f"/agreements/keys/{key.id}/approve"
    assert "somebody else must approve it" in _send(one, "/agreements/keys", approve).text
    assert _send(stranger, "/agreements/keys", approve).status_code == 404
    assert "is active now" in _send(two, "/agreements/keys", approve).text
    assert (
        "is compromised now" in _send(two, "/agreements/keys", approve.replace("approve", "compromised")).text
    )


def test_nothing_is_done_from_another_site(hub: Hub, steward: Any) -> None:
    agree_to(hub, AGREEMENT)
    mine = steward("police", "mine")
    for address in ("step", "withdraw", "sign", "review"):
        assert mine.post(f"/agreements/planning/{address}", data={"act": "submit"}).status_code == 400
    assert mine.post("/agreements/keys/agk_0/approve").status_code == 400
