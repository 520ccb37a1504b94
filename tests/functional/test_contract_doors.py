"""Changes of contracts at every door: the API, the pages and the command line say the same."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from hub.__main__ import main
from hub.app import create_app
from hub.identity import people
from hub.identity import store as identities
from hub_schemas import Contract, library
from support.callers import client_of
from support.contracts import added, dropped, variant
from support.hubs import PASSWORD, make_hub, migrate
from support.lived_in import sign_in, token_of
from support.staged import AGREEMENT, CONTRACT, ROWS, Staged, agree, stage

OWN = variant(CONTRACT, id="police.staff")
SHARED = AGREEMENT.replace("police.establishment", "police.staff").replace("id: planning", "id: shared")


@pytest.fixture
def staged(tmp_path: Any) -> Iterator[Staged]:
    """The police publish a contract of their own, which the council reads; each has a data steward."""
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    migrate(url)
    made = stage(make_hub(tmp_path / "hub", url))
    made.sender.deliver(OWN, ROWS)
    with made.hub.database.write() as session:
        council = identities.add_organisation(session, "council", "Wexbourne Council")
        police = identities.find_organisation(session, "police")
        for name, home in (("cora", council), ("pat", police)):
            people.add_user(session, name, f"Nobody {name.title()}", home.id, ["data steward"], PASSWORD)
    agree(made.hub, SHARED.replace("organisations: [police]", "organisations: [council]"))
    yield made
    made.hub.database.close()


@pytest.fixture
def app(staged: Staged) -> Any:
    return create_app(staged.hub.settings, staged.hub)


@pytest.fixture
def put(app: Any, staged: Staged) -> Callable[..., Any]:
    """Send a contract as a connector of the police; with `check` nothing is changed."""
    headers = client_of(staged.hub, "police", "connector").headers()

    def send(contract: Contract, *, check: bool = False) -> Any:
        address = f"/api/v1/datasets/{contract.id}"
        body = {"contract": contract.text}
        client = app.test_client()
        if check:
            return client.post(f"{address}/contract/check", json=body, headers=headers)
        return client.put(address, json=body, headers=headers)

    return send


def _cli(staged: Staged, *words: str, code: int = 0) -> str:
    variables = {
        "HUB_DATABASE_URL": staged.hub.settings.database_url, "HUB_LOG_LEVEL": "error", "HUB_PASSWORD": PASSWORD,
        "HUB_REQUIRE_SECOND_FACTOR": "",
    }  # fmt: skip
    done = CliRunner().invoke(main, [*words, "--dir", str(staged.hub.settings.dir)], env=variables)
    assert done.exit_code == code, done.output
    return done.output


def test_the_api_publishes_checks_holds_and_decides(
    app: Any, staged: Staged, put: Callable[..., Any]
) -> None:
    assert put(OWN).status_code == 200, "the same again"
    assert put(variant(OWN, id="police.rota")).status_code == 201
    wider = variant(OWN, "1.1.0", added("comment"))
    assert put(wider, check=True).get_json()["effect"] == "compatible"
    assert put(wider).get_json()["contract"]["version"] == "1.1.0"
    breaking = variant(OWN, "2.0.0", dropped("fte"))
    said = put(breaking, check=True).get_json()
    assert (said["effect"], said["outcome"], said["waits_for"]) == (
        "breaking",
        "proposed",
        ["council", "hub"],
    )
    assert {"column": "fte", "what": "was dropped", "effect": "breaking", "readers": True} in said["changes"]
    assert [(item["kind"], item["id"]) for item in said["touched"]] == [("agreement", "shared")]
    held = put(breaking)
    assert held.status_code == 202
    answer = held.get_json()
    assert answer["contract"]["version"] == "1.1.0"
    assert answer["proposal"]["waits_for"] == ["council", "hub"]
    wrong = put(variant(OWN, "1.2.0", dropped("fte")))
    assert wrong.status_code == 409
    assert "Take 2.0.0" in wrong.get_json()["detail"]

    api, steward = app.test_client(), client_of(staged.hub, "council", "data steward").headers()
    address = f"/api/v1/contracts/proposals/{answer['proposal']['id']}"
    listed = api.get("/api/v1/contracts/proposals?state=proposed", headers=steward).get_json()["items"]
    assert [item["id"] for item in listed] == [answer["proposal"]["id"]]
    mine = client_of(staged.hub, "police", "data steward").headers()
    assert api.post(f"{address}/accept", json={"reason": "mine"}, headers=mine).status_code == 403
    done = api.post(f"{address}/accept", json={"reason": "we can do without"}, headers=steward)
    assert (done.status_code, done.get_json()["state"]) == (200, "accepted")
    assert api.post(f"{address}/reject", json={"reason": "late"}, headers=steward).status_code == 409
    assert put(breaking).status_code == 200


def test_a_data_steward_decides_on_the_datasets_page(app: Any, put: Callable[..., Any]) -> None:
    held = put(variant(OWN, "2.0.0", dropped("fte"))).get_json()
    address = f"/datasets/{held['id']}"
    own, other = app.test_client(), app.test_client()
    sign_in(own, "pat")
    sign_in(other, "cora")
    page = own.get(address)
    assert "This is not yours to decide: a data steward of Wexbourne Council or" in page.text
    assert "Save decision" not in page.text
    answer = {"decision": "accept", "reason": "mine", "csrf_token": token_of(own.get(address))}
    assert own.post(address, data=answer).status_code == 403

    assert "a change of the contract of" in other.get("/").text
    page = other.get(address)
    for words in (
        "was dropped",
        "Whom version 2.0.0 touches",
        "agreement of Wexbourne Council",
        "Save decision",
    ):
        assert words in page.text
    token = token_of(page)
    empty = other.post(address, data={"csrf_token": token})
    assert empty.status_code == 422
    assert "Enter why you decide so" in empty.text
    done = other.post(address, data={"decision": "reject", "reason": "Keep <b>fte</b>.", "csrf_token": token})
    assert done.status_code == 303
    page = other.get(address)
    assert "The change was rejected." in page.text
    assert "Keep &lt;b&gt;fte&lt;/b&gt;." in page.text
    again = other.post(address, data={"decision": "accept", "reason": "no", "csrf_token": token_of(page)})
    assert again.status_code == 422
    assert "No change of this contract waits for a decision" in again.text


@pytest.mark.parametrize("name", library.names())
def test_every_contract_of_the_library_has_a_page(name: str, lived_client: FlaskClient) -> None:
    page = lived_client.get(f"/contracts/{name}")
    assert page.status_code == 200
    contract = library.load(name)
    shown = set(re.findall(r'<span class="hub-code">([^<]+)</span>', page.text))
    assert {column.name for column in contract.columns} <= shown


@pytest.fixture(scope="module")
def lived_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """Somebody who may read the catalogue of a hub in which nothing is published."""
    folder = tmp_path_factory.mktemp("empty")
    url = f"sqlite:///{folder / 'hub.db'}"
    migrate(url)
    hub = make_hub(folder / "hub", url)
    with hub.database.write() as session:
        home = identities.find_organisation(session, "hub")
        people.add_user(session, "reader", "Nobody Reader", home.id, ["analyst"], PASSWORD)
    client = create_app(hub.settings, hub).test_client()
    sign_in(client, "reader")
    yield client
    hub.database.close()


def test_contracts_are_listed_and_an_unknown_one_is_not_there(app: Any) -> None:
    client = app.test_client()
    sign_in(client, "cora")
    page = client.get("/contracts").text
    assert "/contracts/schools.attendance" in page
    assert "/contracts/police.staff" in page
    assert 'href="/contracts/hub.' not in page
    assert client.get("/contracts/police.staff").status_code == 200
    assert client.get(f"/contracts/versions/{OWN.digest}").status_code == 200
    for nothing in ("/contracts/no.such", f"/contracts/versions/{'0' * 64}"):
        assert client.get(nothing).status_code == 404


def test_the_command_line_shows_and_decides(staged: Staged, put: Callable[..., Any]) -> None:
    proposal = put(variant(OWN, "2.0.0", dropped("fte"))).get_json()["proposal"]["id"]
    listed = json.loads(_cli(staged, "contracts", "changes", "--format", "json"))
    assert [(item["proposal"], item["version"], item["waits for"]) for item in listed] == [
        (proposal, "2.0.0", "council, hub")
    ]
    shown = _cli(staged, "contracts", "changes", proposal)
    assert "waits for council or hub" in shown
    assert re.search(r"change +fte +was dropped +breaking", shown)
    refused = _cli(staged, "contracts", "accept", proposal, "--reason", "mine", "--as", "pat", code=1)
    assert "not yours to decide" in refused
    assert "is accepted" in _cli(staged, "contracts", "accept", proposal, "--reason", "fine", "--as", "cora")
    assert "(none)" in _cli(staged, "contracts", "changes")
    assert proposal in _cli(staged, "contracts", "changes", "--all")
    assert "version: 2.0.0" in _cli(staged, "contracts", "show", "police/police.staff")
    assert _cli(staged, "contracts", "show", "police/police.staff", "--page").startswith("# ")
    assert json.loads(_cli(staged, "contracts", "show", "schools.attendance", "--format", "json"))["columns"]
    published = json.loads(_cli(staged, "contracts", "list", "--published", "--format", "json"))
    assert {item["contract"] for item in published} == {"police.establishment", "police.staff"}
    assert "publishes nothing" in _cli(staged, "contracts", "show", "council/police.staff", code=1)
