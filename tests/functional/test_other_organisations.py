"""What belongs to another organisation is not there: every id in every address, for somebody with every role."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient

from hub.app import create_app
from hub.catalogue import proposals
from hub.catalogue import store as catalogue
from hub.identity import people
from hub.identity import store as identities
from hub.isolation.memory import memory_stream
from hub.policy import requests
from hub.policy.roles import PERSON_ROLES, ROLES
from hub.rights import corrections
from hub.rights import store as rights
from hub.rights.states import RequestKind
from hub.web.routes import ROUTES, Route
from hub.workflows import describing, drafting, requesting, signing, uploading
from hub.workflows.hub import Hub
from support.agreements import CONSOLE
from support.callers import Client, client_of
from support.contracts import dropped, variant
from support.doors import NEEDED, OPEN, QUERY, changed, kept, operations, parameters
from support.hubs import PASSWORD, make_hub, migrate
from support.lived_in import sign_in, token_of
from support.staged import CONTRACT, ROWS, Staged, stage_all

#: Auditors read everything, wherever they work; the hub's own staff are not meant here.
EVERY_ROLE = [role for role in ROLES if role != "auditor"]
PRIVATE = variant(CONTRACT, id="police.staff")


TEAMS = "team,area,kind,month,fte,contracted_hours,abstraction_rate\n" + "\n".join(
    ",".join(row.values()) for row in ROWS
)


class Theirs:
    """A hub in which the police have one of everything, and housing somebody with every role."""

    def __init__(self, hub: Hub) -> None:
        self.staged: Staged = stage_all(hub)
        self.hub = self.staged.hub
        steward, analyst = self.staged.steward, self.staged.analyst
        hidden = self.staged.sender.deliver(PRIVATE, ROWS)
        describing.set_visibility(self.hub, steward, hidden.dataset_id, "private")
        self.staged.sender.publish(variant(PRIVATE, "2.0.0", dropped("fte")))
        with memory_stream() as stream:
            stream.write(TEAMS.encode())
            stream.seek(0)
            file = uploading.File("teams.csv", stream)
            waiting = uploading.begin(self.hub, steward, self.staged.dataset, file, "full").delivery
        asked = requesting.begin(self.hub, analyst, hidden.dataset_id)
        with self.hub.database.write() as session:
            requests.act(session, asked.id, "ask", analyst.reference, None)
            proposal = proposals.open_of(session, hidden.dataset_id)
            home = identities.find_organisation(session, "police")
            user = people.add_user(session, "pat", "Nobody Pat", home.id, ["analyst"], PASSWORD)
            right = rights.add_request(
                session, RequestKind.ACCESS, "x" * 32, self.hub.vault.seal_text("{}"), "police", "person:officer",
                self.hub.vault.seal_text("all of it"), date(2026, 1, 1), date(2026, 2, 1),
            )  # fmt: skip
            dataset = catalogue.dataset(session, hidden.dataset_id)
            correction = corrections.add_correction(
                session, right.id, dataset.id, str(dataset.current_version), home.id, self.hub.vault.seal_text("{}"),
                "person:officer",
            )  # fmt: skip
        assert proposal is not None
        key = signing.list_keys(self.hub, CONSOLE, "police")[0]
        draft = drafting.begin(self.hub, steward)
        self.stranger: Client = client_of(self.hub, "housing", *EVERY_ROLE)
        with self.hub.database.write() as session:
            home = identities.find_organisation(session, "housing")
            roles = [role for role in PERSON_ROLES if role != "auditor"]
            people.add_user(session, "stranger", "Nobody Stranger", home.id, roles, PASSWORD)
        self.ids = self.staged.ids | {
            "delivery_id": waiting.id, "dataset": hidden.dataset_id, "dataset_id": hidden.dataset_id,
            "result_id": self.staged.held, "request_id": asked.id, "proposal_id": proposal.id, "user_id": user,
            "key_id": key.id, "draft_id": draft.id, "question": "title", "publisher": "police",
            "contract": CONTRACT.id, "contract_id": PRIVATE.id, "digest": PRIVATE.digest, "profile": "dcat-ap",
            "ending": "ttl", "kind": "client", "ident": self.staged.sender.client_id, "key": "purpose",
            "table": "by_area", "handle": "none", "rights_id": right.id, "correction_id": correction.id,
        }  # fmt: skip


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theirs]:
    folder = tmp_path_factory.mktemp("theirs")
    url = f"sqlite:///{folder / 'hub.db'}"
    migrate(url)
    made = Theirs(make_hub(folder / "hub", url))
    yield made
    made.hub.database.close()


@pytest.fixture(scope="module")
def app(theirs: Theirs) -> Any:
    return create_app(theirs.hub.settings, theirs.hub)


@pytest.fixture(scope="module")
def browser(app: Any, theirs: Theirs) -> FlaskClient:
    """Somebody of housing with every role, signed in."""
    client: FlaskClient = app.test_client()
    assert sign_in(client, "stranger").status_code == 303
    return client


# --- the API

#: Operations that answer although their address names something of the police, each with the reason and the answer.
ANSWERED: dict[tuple[str, str], tuple[int, str]] = {
    ("PUT", "/api/v1/datasets/{dataset}"): (422, "names a contract, and is about one's own dataset under it"),
    ("POST", "/api/v1/datasets/{dataset}/contract/check"): (422, "as above"),
    ("GET", "/api/v1/organisations/{slug}/signing-keys"): (
        200,
        "public keys are for everybody who checks a signature",
    ),
    ("DELETE", "/api/v1/organisations/{slug}"): (
        403,
        "everybody knows the organisations, the hub decides about them",
    ),
    ("POST", "/api/v1/organisations/{slug}/approve"): (403, "as above"),
    ("POST", "/api/v1/organisations/{slug}/refuse"): (403, "as above"),
    ("POST", "/api/v1/clients/{client_id}/approve"): (
        403,
        "the hub decides, so others are told that, whatever the id",
    ),
    ("POST", "/api/v1/clients/{client_id}/refuse"): (403, "as above"),
    ("PUT", "/api/v1/deliveries/{delivery_id}/files/{role}/parts/{part}"): (
        422,
        "its digest is looked at first",
    ),
    ("PUT", "/api/v1/users/{user_id}/subject"): (409, "this hub has no provider, whatever the id"),
}


def _path(path: str, ids: dict[str, str]) -> str:
    unknown = set(parameters(path)) - set(ids)
    assert not unknown, f"stage one of theirs for {unknown} of {path}"
    return path.format(**ids)


def test_no_operation_answers_about_what_belongs_to_another(app: Any, theirs: Theirs) -> None:
    headers, client = theirs.stranger.headers(), app.test_client()
    before = kept(theirs.hub)
    answers = {}
    for operation in sorted(operations(app) - OPEN):
        method, path = operation
        if not parameters(path):
            continue
        body = NEEDED[operation][1] if operation in NEEDED else None
        more: dict[str, Any] = {"query_string": QUERY.get(operation, {})}
        if body is not None:
            more["json"] = body
        answer = client.open(_path(path, theirs.ids), method=method, headers=headers, **more)
        if answer.status_code != ANSWERED.get(operation, (404, ""))[0]:
            answers[operation] = (answer.status_code, answer.get_data(as_text=True)[:200])
    assert answers == {}
    assert changed(before, theirs.hub) == []


def test_what_is_not_ones_own_and_what_is_not_there_sound_the_same(app: Any, theirs: Theirs) -> None:
    headers, client = theirs.stranger.headers(), app.test_client()
    for operation in sorted(operations(app) - OPEN - set(ANSWERED)):
        method, path = operation
        if method != "GET" or not parameters(path):
            continue
        nothing = dict.fromkeys(theirs.ids, "nothing") | {"part": "1"}
        mine, none = (
            client.get(_path(path, ids), headers=headers, query_string=QUERY.get(operation, {}))
            for ids in (theirs.ids, nothing)
        )
        words = [answer.get_json(silent=True) or {} for answer in (mine, none)]
        said = [str(item.get("detail", "")) for item in words]
        for ident in sorted({*theirs.ids.values(), "nothing"}, key=len, reverse=True):
            said = [text.replace(ident, "ID") for text in said]
        assert (mine.status_code, said[0]) == (none.status_code, said[1]), operation


#: What everybody who is signed in may know: organisations and plugins, and the ids below are no secrets.
KNOWN_TO_ALL = {
    "police",
    "by_area",
    "rows",
    "1",
    "release",
    "accept",
    "title",
    "purpose",
    "dcat-ap",
    "ttl",
    "client",
    "none",
}


def _told(text: str, secret: dict[str, str]) -> set[str]:
    """Which ids stand in a text: by themselves, for the agreement's is a word as well."""
    return {name for name, ident in secret.items() if re.search(rf"[\"'/>]{re.escape(ident)}[\"'/?<.]", text)}


def test_no_list_names_what_belongs_to_another(app: Any, theirs: Theirs) -> None:
    headers, client = theirs.stranger.headers(), app.test_client()
    secret = {name: ident for name, ident in theirs.ids.items() if ident not in KNOWN_TO_ALL}
    del secret["contract"]  # one of the library's
    for method, path in sorted(operations(app) - OPEN):
        if method != "GET" or parameters(path):
            continue
        answer = client.get(path, headers=headers, query_string={"limit": 500} if "limit" in path else {})
        told = _told(answer.get_data(as_text=True), secret)
        assert told == set(), (path, answer.status_code)


def test_what_a_body_names_must_be_ones_own_as_well(app: Any, theirs: Theirs) -> None:
    headers, client = theirs.stranger.headers(), app.test_client()
    before = kept(theirs.hub)
    key = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    password = "correct-horse-battery"
    tries: list[tuple[str, dict[str, Any], set[int]]] = [
        ("/runs", {"plugin": "counting", "agreement": "planning"}, {404}),
        ("/schedules", {"plugin": "counting", "agreement": "planning"}, {404}),
        ("/requests", {"dataset": theirs.ids["dataset"]}, {404}),
        ("/clients", {"organisation": "police", "name": "x", "roles": ["connector"], "signing_key": key}, {403, 404}),
        ("/clients", {"organisation": "hub", "name": "x", "roles": ["operator"], "signing_key": key}, {403, 404}),
        ("/users", {"username": "mallory", "name": "x", "organisation": "police", "roles": ["analyst"],
                    "password": password}, {403, 404}),
        ("/users", {"username": "mallory", "name": "x", "organisation": "hub", "roles": ["operator"],
                    "password": password}, {403, 404}),
        ("/organisations", {"slug": "another", "name": "Another"}, {403}),
        ("/organisations/police/invitations", {}, {404}),
        ("/plugins/register", {}, {403}),
    ]  # fmt: skip
    answers = {}
    for path, body, expected in tries:
        answer = client.post(f"/api/v1{path}", json=body or None, headers=headers)
        if answer.status_code not in expected:
            answers[path, str(body)] = (answer.status_code, answer.get_data(as_text=True)[:200])
    assert answers == {}
    assert changed(before, theirs.hub) == []


# --- pages

#: Pages that open although their address names something of the police, each with the reason.
OPENED = {
    "plugin": "plugins are the whole hub's",
    "catalogue": "names no id: what everybody finds, as a file",
    "registration": "the hub's own operators decide, so all others are told that (403), whatever the id",
}


def _address(route: Route, theirs: Theirs) -> str:
    ids = theirs.ids | ({"name": "counting"} if route.name == "plugin" else {})
    if route.name == "agreement_key":
        ids |= {"act": "revoke"}
    return _path(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.rule), ids)


def test_no_page_opens_about_what_belongs_to_another(browser: FlaskClient, theirs: Theirs) -> None:
    before, answers = kept(theirs.hub), {}
    token = token_of(browser.get("/account"))
    for route in ROUTES:
        if route.public or "<" not in route.rule or route.name in OPENED:
            continue
        for method in route.methods:
            data = {"csrf_token": token, "act": "withdraw"} if method == "POST" else None
            answer = browser.open(_address(route, theirs), method=method, data=data)
            if answer.status_code != 404:
                answers[route.name, method] = answer.status_code
    assert answers == {}
    assert changed(before, theirs.hub) == []


def test_no_page_that_lists_things_names_what_belongs_to_another(
    browser: FlaskClient, theirs: Theirs
) -> None:
    secret = {name: ident for name, ident in theirs.ids.items() if ident not in KNOWN_TO_ALL}
    del secret["contract"]  # one of the library's
    for route in ROUTES:
        if route.public or "<" in route.rule or "GET" not in route.methods:
            continue
        page = browser.get(route.rule)
        assert _told(page.text, secret) == set(), route.name
