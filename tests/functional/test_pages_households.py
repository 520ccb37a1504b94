"""Looking at households: for a purpose and a reason, logged each time, and never readable from outside."""

import base64
import contextlib
import re
import zlib
from collections.abc import Iterator
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hub.app import create_app
from hub.audit import log as audit
from hub.audit.log import Entry
from hub.identity import people
from hub.web.handles import MINUTES, make_handle, open_handle
from hub.workflows import agreeing
from support.hubs import principal_of
from support.lived_in import (
    EVIDENCE,
    HELPING,
    POSTCODE,
    SURNAME,
    UPRN,
    LivedIn,
    lived_in_hub,
    open_first,
    search,
    sign_in,
    token_of,
)
from support.logs import logged
from support.staged import agree

REASON = "A visit on Friday, case 2041"
#: What stands in the records of the family, and may stand nowhere but on the page itself.
CANARIES = (SURNAME, "Ada", "Cleo", POSTCODE, POSTCODE.replace(" ", ""), UPRN, "1965", "case 2041")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivedIn]:
    with lived_in_hub(tmp_path_factory.mktemp("households")) as made:
        yield made


@pytest.fixture(scope="module")
def app(lived: LivedIn) -> Any:
    return create_app(lived.hub.settings, lived.hub)


@pytest.fixture
def sam(app: Any) -> FlaskClient:
    """A service user who has signed in."""
    client: FlaskClient = app.test_client()
    sign_in(client, "service-user")
    return client


def _entries(lived: LivedIn, action: str) -> list[Entry]:
    with lived.hub.database.read() as session:
        return audit.recent(session, limit=500, action=action)


def _main(page: TestResponse) -> str:
    found = re.search(r"<main.*</main>", page.text, re.DOTALL)
    assert found is not None
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found[0])).split())


def _submit(client: FlaskClient, **data: str) -> TestResponse:
    return client.post("/households", data=data | {"csrf_token": token_of(client.get("/households"))})


# --- searching


def test_a_search_without_reason_says_so_at_the_top_and_at_the_field(
    sam: FlaskClient, lived: LivedIn
) -> None:
    before = len(_entries(lived, "people.searched"))
    answer = _submit(sam, agreement="early-help", way="name", surname=SURNAME)
    assert answer.status_code == 422
    assert "<title>Error: Find a household" in answer.text
    assert re.search(r'<a href="#reason">\s*Enter why you need to see this household\s*</a>', answer.text)
    assert re.search(
        r'id="reason-error"[^>]*>\s*<span class="govuk-visually-hidden">Error:</span> Enter why', answer.text
    )
    assert "Enter a date of birth" in _main(answer)
    assert f'value="{SURNAME}"' in answer.text, "what was typed is kept"
    assert len(_entries(lived, "people.searched")) == before
    assert sam.get("/households/found").status_code == 302, "nothing was searched for"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"reason": "short"}, "Say a little more: at least 10 characters"),
        ({"reason": "x" * 501}, "The reason must be 500 characters or fewer"),
        ({"agreement": ""}, "Select what this is for"),
        ({"agreement": "planning"}, "Not a valid choice"),
        ({"way": "everybody"}, "Not a valid choice"),
        ({"surname": ""}, "Enter a last name"),
        ({"date_of_birth-month": "13"}, "Date of birth must be a real date"),
        ({"way": "nhs", "nhs_number": "12"}, "The NHS number must be 10 digits"),
        ({"way": "nhs", "nhs_number": "943 476 5918"}, "at least one of its digits is wrong"),
        ({"way": "address"}, "Enter a postcode or a UPRN"),
        ({"way": "address", "postcode": "ZX1"}, "Enter a full postcode"),
    ],
)
def test_what_cannot_be_searched_for_is_said_beside_the_field(
    more: dict[str, str], said: str, sam: FlaskClient
) -> None:
    answer = search(sam, **more)
    assert answer.status_code == 422
    assert said in _main(answer)


@pytest.mark.parametrize(
    "more",
    [
        {}, {"forename": "ada"}, {"way": "nhs", "nhs_number": "999 000 0026"},
        {"way": "address", "postcode": POSTCODE.lower().replace(" ", "")}, {"way": "address", "uprn": UPRN},
    ],
)  # fmt: skip
def test_a_person_is_found_by_name_by_number_and_by_address(more: dict[str, str], sam: FlaskClient) -> None:
    answer = search(sam, **more)
    assert f"Ada {SURNAME} (open household) 4 March 1965 {POSTCODE}" in _main(answer)


def test_nobody_is_found_who_is_not_there(sam: FlaskClient) -> None:
    answer = search(sam, surname="Nobody")
    assert "Nobody matches" in _main(answer)
    assert answer.status_code == 200


def test_fields_of_the_other_ways_to_search_do_not_count(sam: FlaskClient) -> None:
    assert "1 person matches" in _main(search(sam, postcode="ZX9 9ZZ", nhs_number="943 476 5919"))


def test_a_search_is_logged_with_purpose_reason_and_those_found(sam: FlaskClient, lived: LivedIn) -> None:
    search(sam, way="address", uprn=UPRN, reason="Checking who lives there, case 77")
    entry = _entries(lived, "people.searched")[0]
    assert entry.content["agreement"] == "early-help"
    assert entry.content["purpose"] == "Help families early"
    assert lived.hub.vault.open_text(entry.content["reason"]) == "Checking who lives there, case 77"
    assert len(entry.content["subjects"]) == entry.content["detail"]["found"] == 3


def test_the_last_search_stands_in_the_form_again_and_going_back_shows_those_found(sam: FlaskClient) -> None:
    found = search(sam)
    assert found.request.path == "/households/found"
    assert "1 person matches" in _main(sam.get("/households/found"))
    form = sam.get("/households").text
    assert REASON in form
    for part, value in (("day", "4"), ("month", "3"), ("year", "1965")):
        assert re.search(rf'id="date_of_birth-{part}"[^>]*value="{value}"', form)


def test_without_an_agreement_nobody_can_be_looked_for(app: Any, lived: LivedIn) -> None:
    from hub.identity import store as identities

    with lived.hub.database.write() as session:
        home = identities.find_organisation(session, "police")
        people.add_user(session, "constable", "Nobody", home.id, ["service user"], "correct-horse-battery")
    client = app.test_client()
    sign_in(client, "constable")
    assert "No agreement in force lets your organisation read about single people." in _main(
        client.get("/households")
    )
    assert search(client).status_code == 422


# --- opening


def test_a_household_page_shows_the_whole_picture(sam: FlaskClient) -> None:
    page = open_first(sam, search(sam))
    said = _main(page)
    assert "3 people, ZX1 1AA (UPRN 990000000001)" in said
    assert re.search(rf"Ada {SURNAME} Searched for 4 March 1965 \d+ Female 2", said)
    assert "housing: Social housing tenancies Last update" in said
    assert "Ada council 345.6 No 1 January 2020" in said
    assert "Nothing sent yet Benefit claims." in said
    assert "Not covered by your agreement health: GP registrations." in said
    assert f"Eligible under TEST: Yes A home at risk Met {EVIDENCE}" in said
    assert "<script>alert" not in page.text
    assert "privacy@council.invalid" in said
    assert "Marrowby" not in page.text, "the neighbour"


def test_each_view_has_its_own_entry_in_the_log_and_the_page_names_it(
    sam: FlaskClient, lived: LivedIn
) -> None:
    found = search(sam)
    for _ in range(2):
        before = len(_entries(lived, "household.read"))
        page = open_first(sam, found)
        entries = _entries(lived, "household.read")
        assert len(entries) == before + 1
        content = entries[0].content
        assert f"Entry {entries[0].id}, " in _main(page)
        assert content["purpose"] == "Help families early"
        assert lived.hub.vault.open_text(content["reason"]) == REASON
        assert content["detail"] == {"datasets": ["housing.tenancies"]}
        assert len(content["subjects"]) == 4  # the household and three people
        assert not any(word in str(content) for word in CANARIES)


def test_when_the_agreement_ends_the_next_view_is_refused(sam: FlaskClient, lived: LivedIn) -> None:
    text = HELPING.replace("id: early-help", "id: short-help").replace(
        "title: Early help", "title: Short help"
    )
    agree(lived.hub, text)
    found = search(sam, agreement="short-help")
    assert open_first(sam, found).status_code == 200
    before = len(_entries(lived, "household.read"))
    agreeing.change(lived.hub, principal_of(lived.hub, "hub", "data steward"), "short-help", "withdraw")
    answer = open_first(sam, found)
    assert answer.status_code == 403
    assert "agreement short-help is withdrawn, not active" in _main(answer)
    assert SURNAME not in answer.text
    assert len(_entries(lived, "household.read")) == before


# --- nothing to be read from outside


def test_no_address_title_header_or_cookie_says_whom_somebody_looks_at(sam: FlaskClient) -> None:
    found = search(sam)
    page = open_first(sam, found)
    for answer in (found, page):
        title = re.search(r"<title>(.*?)</title>", answer.text, re.DOTALL)
        assert title is not None
        seen = [
            answer.request.url,
            title[1],
            str(answer.headers),
            *re.findall(r'(?:href|action)="([^"]*)"', answer.text),
        ]
        seen += [_readable(cookie.value) for cookie in sam._cookies.values()]
        assert not [text for text in seen if any(word in text for word in CANARIES)]


def _readable(cookie: str) -> str:
    """What somebody can read who gets hold of a signed cookie."""
    parts = [cookie]
    for part in cookie.strip(".").split("."):
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        with contextlib.suppress(zlib.error):
            raw = zlib.decompress(raw)
        parts.append(raw.decode(errors="replace"))
    return "\n".join(parts)


def test_logs_name_nobody(sam: FlaskClient) -> None:
    with logged("debug") as stream:
        open_first(sam, search(sam))
        search(sam, surname="")
        sam.get(f"/households/{SURNAME}?who={SURNAME}")
    assert "/households/<handle>" in stream.getvalue()
    assert not [word for word in CANARIES if word in stream.getvalue()]


def test_a_link_to_a_household_is_another_each_time_and_works_for_one_person_only(
    sam: FlaskClient, app: Any, lived: LivedIn
) -> None:
    first, second = (re.findall(r'href="(/households/g[^"]+)"', search(sam).text) for _ in range(2))
    assert len(first) == len(second) == 1
    assert first != second
    other = app.test_client()
    from hub.identity import store as identities

    with lived.hub.database.write() as session:
        home = identities.find_organisation(session, "housing")
        people.add_user(session, "colleague", "Nobody", home.id, ["service user"], "correct-horse-battery")
    sign_in(other, "colleague")
    before = len(_entries(lived, "household.read"))
    answer = other.get(first[0])
    assert answer.status_code == 404
    assert "works for 15 minutes, and only for the person who searched" in _main(answer)
    assert len(_entries(lived, "household.read")) == before
    assert sam.get(first[0]).status_code == 200


def test_a_handle_ends_after_a_quarter_of_an_hour_opens_nothing_else_and_cannot_be_changed(
    lived: LivedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody = principal_of(lived.hub, "housing", "service user")
    handle = make_handle(lived.hub, "household", somebody, {"household": "h1"})
    assert open_handle(lived.hub, "household", somebody, handle) == {"household": "h1"}
    assert open_handle(lived.hub, "search", somebody, handle) is None
    assert open_handle(lived.hub, "household", principal_of(lived.hub, "police"), handle) is None
    for place in range(0, len(handle), 7):
        changed = handle[:place] + ("A" if handle[place] != "A" else "B") + handle[place + 1 :]
        assert open_handle(lived.hub, "household", somebody, changed) is None
    # The last letter carries bits that base64 throws away: another letter there must not open either.
    last = len(handle.rstrip("=")) - 1
    for letter in set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") - {handle[last]}:
        changed = handle[:last] + letter + handle[last + 1 :]
        assert open_handle(lived.hub, "household", somebody, changed) is None
    for nonsense in ("", "x", handle + "x" * 9000, None, 5):
        assert open_handle(lived.hub, "household", somebody, nonsense) is None
    import time

    later = time.time() + timedelta(minutes=MINUTES, seconds=5).total_seconds()
    monkeypatch.setattr(time, "time", lambda: later)
    assert open_handle(lived.hub, "household", somebody, handle) is None


def test_signing_out_forgets_the_last_search(sam: FlaskClient) -> None:
    search(sam)
    sam.post("/sign-out", data={"csrf_token": token_of(sam.get("/"))})
    sign_in(sam, "service-user")
    assert SURNAME not in sam.get("/households").text
    assert sam.get("/households/found").location == "/households"


def test_a_date_of_birth_is_read_as_people_write_it(sam: FlaskClient) -> None:
    assert "1 person matches" in _main(search(sam, **{"date_of_birth-month": "March"}))
    tomorrow = date.today() + timedelta(days=1)
    parts = {"day": tomorrow.day, "month": tomorrow.month, "year": tomorrow.year + 1}
    answer = search(sam, **{f"date_of_birth-{name}": str(value) for name, value in parts.items()})
    assert "Date of birth must be in the past" in _main(answer)
