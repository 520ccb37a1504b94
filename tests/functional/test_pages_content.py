"""What pages say to whom: what needs attention, results and who decides, reports of plugins, the audit log."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hub.app import create_app
from hub.audit import log as audit
from hub.identity import people
from hub.identity import store as identities
from hub.intake.states import DeliveryState
from hub.policy.agreement import AgreementState
from hub.runs import store as runs
from hub.runs.states import ResultState, RunState
from hub.web import words
from hub.workflows import running
from hub.workflows.work import drain
from support.hubs import PASSWORD, signed_in
from support.lived_in import LivedIn, lived_in_hub, open_first, search, sign_in, token_of


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivedIn]:
    with lived_in_hub(tmp_path_factory.mktemp("content")) as made:
        yield made


@pytest.fixture(scope="module")
def app(lived: LivedIn) -> Any:
    return create_app(lived.hub.settings, lived.hub)


@pytest.fixture
def as_user(app: Any) -> Callable[[str], FlaskClient]:
    def user(name: str) -> FlaskClient:
        client: FlaskClient = app.test_client()
        assert sign_in(client, name).status_code == 303
        return client

    return user


def _main(page: TestResponse) -> str:
    found = re.search(r"<main.*</main>", page.text, re.DOTALL)
    assert found is not None
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found[0])).split())


def _actions(lived: LivedIn, count: int) -> list[str]:
    with lived.hub.database.read() as session:
        return [entry.action for entry in audit.recent(session, limit=count)]


# --- home


def test_home_says_what_needs_attention_and_what_comes_next(
    lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    said = _main(as_user("operator").get("/"))
    assert "Refused police: the newest delivery of Police establishment was refused as a whole" in said
    assert re.search(r"Next scheduled runs Counting \d+ \w+ 20\d\d at 6:00am", said)
    assert "5 records from 2 datasets were linked to 4 people in 2 households" in said
    assert "waits for a decision" not in said, "an operator does not decide"


def test_home_shows_an_output_checker_what_to_decide(
    lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    page = as_user("output-checker").get("/")
    assert "Decide A result of Counting waits for a decision" in _main(page)
    assert f'href="/results/{lived.held}"' in page.text
    assert "Recent deliveries" not in _main(page)


def test_home_leads_a_service_user_to_the_search_and_to_what_was_released(
    as_user: Callable[[str], FlaskClient],
) -> None:
    page = as_user("service-user").get("/")
    assert re.search(r'href="/households" role="button"[^>]*>Find a household<', page.text)
    assert "Newest results Result About Released" in _main(page)
    assert "Recent runs" not in _main(page)


def test_a_failed_delivery_needs_no_attention_once_it_was_made_good(lived: LivedIn) -> None:
    from dataclasses import replace

    from hub.web.views.service import _attention
    from hub.workflows.overview import Home, delivery_page
    from support.hubs import principal_of

    found = delivery_page(lived.hub, principal_of(lived.hub, "hub", "operator"), lived.refused)
    bad = (found.delivery, found.dataset, found.organisation)
    good = (replace(found.delivery, state=DeliveryState.ACCEPTED), found.dataset, found.organisation)
    with create_app(lived.hub.settings, lived.hub).test_request_context():
        assert len(_attention(Home(deliveries=[bad, good]), {})) == 1
        assert _attention(Home(deliveries=[good, bad]), {}) == ()


# --- deliveries


def test_a_delivery_shows_what_was_refused_and_why_and_gives_all_of_it_as_csv(
    lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    client = as_user("operator")
    page = client.get(f"/deliveries/{lived.ids['delivery_id']}")
    said = _main(page)
    assert "16 rows sent 15 rows accepted 1 rows refused" in said
    assert "Sent by tests, police" in said
    assert "area enum 1 16" in said
    assert re.search(r"16 area Atlantis area must be one of: ", said)
    answer = client.get(f"/deliveries/{lived.ids['delivery_id']}/faults.csv")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="faults-')
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["row"], row["column"], row["rule"]) for row in rows] == [("16", "area", "enum")]


def test_a_refused_delivery_says_why(lived: LivedIn, as_user: Callable[[str], FlaskClient]) -> None:
    said = _main(as_user("auditor").get(f"/deliveries/{lived.refused}"))
    assert "Why it was not accepted" in said
    assert "no version" in said


def test_the_list_of_deliveries_goes_on_where_it_ended(
    as_user: Callable[[str], FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub.web.views import publishing

    monkeypatch.setattr(publishing, "_PAGE", 1)
    client, address, seen = as_user("operator"), "/deliveries", []
    while address:
        page = client.get(address)
        seen += re.findall(r'href="/deliveries/(\w+)"', page.text)
        older = re.search(r'href="(/deliveries\?before=[^"]+)"', page.text)
        address = unescape(older[1]) if older else ""
    assert len(seen) == len(set(seen)) == 4


def test_those_who_may_not_know_of_deliveries_are_not_told_there_are_none(
    lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    said = _main(as_user("analyst").get(f"/datasets/{lived.ids['dataset_id']}"))
    assert "Deliveries" not in said
    assert "Nothing has been delivered yet" not in said
    assert "Versions" in said


# --- results


def test_a_released_result_has_its_charts_the_same_figures_as_tables_and_csv(
    lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    client = as_user("service-user")
    page = client.get(f"/results/{lived.ids['result_id']}")
    for width in ("wide", "narrow"):
        assert len(re.findall(rf"<svg[^>]*hub-chart__picture--{width}", page.text)) == 3
    assert page.text.count("Show the figures of this chart") == 3
    assert "Neighbourhood South 1.31" in _main(page)
    answer = client.get(f"/results/{lived.ids['result_id']}/by_area.csv")
    assert answer.text.startswith("area,teams,fte\r\n")
    assert "form" not in re.findall(r"<(\w+)", re.search(r"<main.*</main>", page.text, re.DOTALL)[0])  # type: ignore[index]


def test_a_held_result_is_there_for_output_checkers_only(
    lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    for role, status in (("output-checker", 200), ("analyst", 404), ("service-user", 404), ("operator", 404)):
        client = as_user(role)
        assert client.get(f"/results/{lived.held}").status_code == status
        assert client.get(f"/results/{lived.held}/by_area.csv").status_code == status
        assert (f'href="/results/{lived.held}"' in client.get("/results").text) == (status == 200)


def test_a_table_about_single_households_is_never_given_out(
    lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    with lived.hub.database.read() as session:
        found = runs.latest_released(session, "families", "early-help")
    assert found is not None
    client = as_user("output-checker")
    page = client.get(f"/results/{found[1].id}")
    assert (
        "households 2 About single households: stays in the hub, behind purpose and reason. Not as a table"
        in _main(page)
    )
    assert "Rent unpaid" not in page.text
    answer = client.get(f"/results/{found[1].id}/households.csv")
    assert answer.status_code == 403
    assert "it is shown on their pages only, one at a time" in _main(answer)


def test_what_a_plugin_wrote_is_shown_as_text(lived: LivedIn, as_user: Callable[[str], FlaskClient]) -> None:
    with lived.hub.database.read() as session:
        found = runs.latest_released(session, "families", "early-help")
    assert found is not None
    page = as_user("service-user").get(f"/results/{found[1].id}")
    assert page.status_code == 200
    assert "&lt;script&gt;" in page.text
    scripts = re.findall(r"<script[^>]*>", page.text)
    assert scripts == ['<script src="/static/supported.js">', '<script type="module" src="/static/hub.js">']
    tags = re.sub(r">[^<]*<", "><", page.text)
    assert not re.search(r"<(?:img|iframe|style|object|embed)\b|\son\w+=|javascript:", tags)


def test_a_decision_needs_a_reason(lived: LivedIn, as_user: Callable[[str], FlaskClient]) -> None:
    client, address = as_user("output-checker"), f"/results/{lived.held}"
    answer = client.post(address, data={"decision": "release", "csrf_token": token_of(client.get(address))})
    assert answer.status_code == 422
    assert "Enter what you looked at and why you decide so" in _main(answer)
    answer = client.post(
        address, data={"reason": "x", "csrf_token": token_of(answer), "decision": "withdraw"}
    )
    assert "Not a valid choice" in _main(answer), "what is held cannot be withdrawn"
    with lived.hub.database.read() as session:
        assert runs.get_result(session, lived.held).state is ResultState.HELD


def _another_result(lived: LivedIn, username: str) -> str:
    """A held result of a run that a person asked for."""
    _, person = signed_in(lived.hub, username, PASSWORD)
    run = running.request_run(lived.hub, person, "families", "early-help", "housing", {})
    drain(lived.hub)
    with lived.hub.database.read() as session:
        result = runs.result_of_run(session, run.id)
    assert result is not None
    return result.id


def test_an_output_checker_releases_and_withdraws_with_a_reason(
    lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    result, client = _another_result(lived, "analyst"), as_user("output-checker")
    address = f"/results/{result}"
    for decision, reason, said in (
        ("release", "No small numbers <b>", "The result was released."),
        ("withdraw", "A mistake in the rules", "The result was withdrawn."),
    ):
        data = {"decision": decision, "reason": reason, "csrf_token": token_of(client.get(address))}
        answer = client.post(address, data=data)
        assert (answer.status_code, answer.location) == (303, address)
        page = client.get(address)
        assert said in _main(page)
        assert f"by Nobody Output-Checker, housing Reason {reason}" in _main(page)
        assert "<b>" not in page.text
    assert "form" not in re.findall(r"<(\w+)", re.search(r"<main.*</main>", page.text, re.DOTALL)[0])  # type: ignore[index]
    answer = client.post(address, data={"decision": "release", "reason": "x", "csrf_token": token_of(page)})
    assert answer.status_code == 403
    assert "Nothing more can be decided about this result." in _main(answer)
    entries = _actions(lived, 30)
    assert "result.released" in entries
    assert "result.withdrawn" in entries


def test_nobody_decides_about_the_result_of_a_run_they_asked_for(
    lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    with lived.hub.database.write() as session:
        home = identities.find_organisation(session, "housing")
        people.add_user(session, "both", "Both", home.id, ["analyst", "output checker"], PASSWORD)
    result, client = _another_result(lived, "both"), as_user("both")
    page = client.get(f"/results/{result}")
    assert "You asked for this run, so somebody else decides about its result." in _main(page)
    assert "Save decision" not in page.text
    data = {"decision": "release", "reason": "Looks right to me", "csrf_token": token_of(page)}
    assert client.post(f"/results/{result}", data=data).status_code == 403
    with lived.hub.database.read() as session:
        assert runs.get_result(session, result).state is ResultState.HELD


def test_who_may_only_read_results_cannot_decide(
    lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    client, address = as_user("analyst"), f"/results/{lived.ids['result_id']}"
    page = client.get(address)
    assert "Reason" not in _main(page), "the reason is for those who review"
    data = {"decision": "withdraw", "reason": "No", "csrf_token": token_of(page)}
    answer = client.post(address, data=data)
    assert answer.status_code == 403
    assert "You may not review and release results" in _main(answer)


# --- runs and plugins


def test_a_run_shows_its_inputs_as_versions_its_parameters_and_its_plugins_digest(
    lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    page = as_user("analyst").get(f"/runs/{lived.ids['run_id']}")
    said = _main(page)
    assert "Police establishment police.establishment police, version 1 team, area, fte" in said
    assert "above 0 Seed 1" in said
    assert "a" * 64 in said
    assert f'href="/datasets/{lived.ids["dataset_id"]}"' in page.text


def test_a_run_that_is_under_way_says_how_far_it_is(
    lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    _, person = signed_in(lived.hub, "analyst", PASSWORD)
    run = running.request_run(lived.hub, person, "families", "early-help", "housing", {})
    client = as_user("analyst")
    assert "Waiting for its turn." in _main(client.get(f"/runs/{run.id}"))
    with lived.hub.database.write() as session:
        claimed = runs.claim_next(session, 60)
        runs.note_progress(session, run.id, 0.42)
    assert claimed is not None
    assert "42%" in _main(client.get(f"/runs/{run.id}"))
    with lived.hub.database.write() as session:
        runs.finish_run(session, run.id, "fail", message="The plugin used more memory than it may.")
    assert "Why it failed The plugin used more memory than it may." in _main(client.get(f"/runs/{run.id}"))


def test_the_plugins_page_says_how_they_are_isolated_and_when_they_run(
    as_user: Callable[[str], FlaskClient],
) -> None:
    client = as_user("analyst")
    said = _main(client.get("/plugins"))
    assert "How plugins are kept apart Isolated" in said
    assert re.search(r"Schedule Next on \d+ \w+ 20\d\d at 6:00am under planning , times 0 6 \* \* MON", said)
    assert "Agreements Planning officers' hours In force" in _main(client.get("/plugins/counting"))


# --- agreements


def test_an_agreement_is_said_in_plain_words(as_user: Callable[[str], FlaskClient]) -> None:
    said = _main(as_user("service-user").get("/agreements/early-help"))
    assert "housing may use the data below to Help families early" in said
    assert "These columns and no others." in said
    assert "Allowed: Records about single people and households may be read" in said.replace("✓ ", "")


# --- the audit log


def test_an_auditor_reads_who_did_what_and_why_and_that_is_written_down_too(
    lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    user = as_user("service-user")
    open_first(user, search(user, reason="A visit to the family in case 99"))
    client = as_user("auditor")
    page = client.get("/audit?action=household.read")
    assert (
        "Nobody Service-User, housing (show only their acts) Opened a household "
        "Reason: A visit to the family in case 99" in _main(page)
    )
    assert "Searched for people" not in re.sub(r"<option.*?</option>", "", page.text)
    assert _actions(lived, 1) == ["audit.reasons-read"]


def test_the_whole_log_is_checked_when_an_auditor_asks(
    lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    client = as_user("auditor")
    assert "The log holds" not in _main(client.get("/audit"))
    assert re.search(
        r"The log holds [\d,]+ sealed entries and \d+ checkpoints? were recomputed",
        _main(client.get("/audit?verify=yes")),
    )


def test_the_checkpoint_can_be_taken_away(lived: LivedIn, as_user: Callable[[str], FlaskClient]) -> None:
    from hub.audit.checkpoint import verify

    drain(lived.hub)
    answer = as_user("auditor").get("/audit/checkpoint")
    assert answer.mimetype == "text/plain"
    key = lived.hub.keyring.checkpoint_private_key.public_key()
    checkpoint = verify(answer.text, lived.hub.audit_origin, key)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="checkpoint-{checkpoint.size}.txt"'


def test_the_log_can_be_read_back_to_its_first_entry(as_user: Callable[[str], FlaskClient]) -> None:
    client, address, numbers = as_user("auditor"), "/audit", []
    while address:
        page = client.get(address)
        numbers += [int(text.replace(",", "")) for text in re.findall(r'cell--numeric">([\d,]+)<', page.text)]
        older = re.search(r'href="(/audit\?before=\d+)"', page.text)
        address = older[1] if older else ""
    assert numbers == list(range(numbers[0], 0, -1))


def test_every_act_that_is_written_down_has_words(lived: LivedIn) -> None:
    with lived.hub.database.read() as session:
        acts = {entry.action for entry in audit.recent(session, limit=100_000)}
    assert acts <= dict(words.acts()).keys()


def test_every_state_has_words() -> None:
    for kind in (DeliveryState, RunState, ResultState, AgreementState):
        for state in kind:
            assert state.value in words.STATES


# --- the API's description


def test_the_api_describes_itself_on_a_page_without_scripts(app: Any) -> None:
    answer = app.test_client().get("/api/docs")
    assert answer.status_code == 200
    assert "script" not in re.findall(r"<(\w+)", answer.text)
    assert "POST /api/v1/deliveries" in answer.text
    ids = re.findall(r'\sid="([^"]*)"', answer.text)
    assert len(ids) == len(set(ids))
