"""A department's way on the pages: upload a file, look at what is in it, send it, mend the rows at fault alone."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hub.app import create_app
from hub.audit import log
from hub.identity import people
from hub.intake.states import DeliveryState
from hub.intake.store import Delivery
from hub.web.views import publishing, uploading
from hub.workflows import contracting, finding, overview
from hub.workflows.hub import Hub
from hub.workflows.work import drain
from support.hubs import PASSWORD, make_hub, migrate, principal_of
from support.lived_in import sign_in, token_of
from support.messy import CONTRACT, MESSY

CLEAN = b"resident_id,Family name\na,Smith\nb,Jones\nc,Brown\nd,White\n"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with a council and a police force; in each a data steward."""
    folder = tmp_path_factory.mktemp("uploads")
    url = f"sqlite:///{folder / 'only.db'}"
    migrate(url)
    made = make_hub(folder / "hub", url, upload_mb=1)
    for slug in ("council", "police"):
        home = principal_of(made, slug, "connector", kind="client").organisation_id
        with made.database.write() as session:
            people.add_user(session, slug, f"Nobody {slug}", home, ["data steward"], PASSWORD)
    yield made
    made.database.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody decides while a page waits: `drain` does."""
    for module in (uploading, publishing):
        monkeypatch.setattr(module, "_PATIENCE", 0.0)


@pytest.fixture
def dataset(hub: Hub, request: pytest.FixtureRequest) -> str:
    """The address of a dataset of the council, for one test alone."""
    there = finding.find(hub, principal_of(hub, "council", "data steward"), limit=500).lines
    name = f"tests.residents_{len(there)}"
    who = principal_of(hub, "council", "connector", kind="client")
    made = contracting.put_dataset(hub, who, name, CONTRACT.text.replace(CONTRACT.id, name))
    return f"/datasets/{made.dataset.id}"


def _deliveries(hub: Hub, dataset: str) -> list[Delivery]:
    found = overview.deliveries(hub, principal_of(hub, "council", "data steward"), limit=500)
    return [delivery for delivery, of in found if dataset.endswith(of.id)]


@pytest.fixture(scope="module")
def steward(hub: Hub) -> FlaskClient:
    """The browser of the council's data steward."""
    return _browser(hub, "council")


@pytest.fixture(scope="module")
def stranger(hub: Hub) -> FlaskClient:
    """The browser of the data steward of the police."""
    return _browser(hub, "police")


def _browser(hub: Hub, username: str) -> FlaskClient:
    client: FlaskClient = create_app(hub.settings, hub).test_client()
    assert sign_in(client, username).status_code == 303
    return client


def _main(page: TestResponse) -> str:
    found = re.search(r"<main.*</main>", page.text, re.DOTALL)
    assert found is not None
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found[0])).split())


def _form(fields: dict[str, str], name: str, data: bytes) -> dict[str, Any]:
    """A multipart form put together by hand: werkzeug's own writes large ones to a temporary file."""
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{text}\r\n'
        for key, text in fields.items()
    ]
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/csv\r\n\r\n'
    body = "".join([*parts, head]).encode() + data + b"\r\n--x--\r\n"
    return {"data": body, "content_type": "multipart/form-data; boundary=x"}


def _give(browser: FlaskClient, address: str, name: str, data: bytes, **fields: str) -> TestResponse:
    return browser.post(address, **_form({"csrf_token": token_of(browser.get(address))} | fields, name, data))


def _say(browser: FlaskClient, address: str, act: str) -> TestResponse:
    return browser.post(
        address.partition("?")[0], data={"csrf_token": token_of(browser.get(address)), "act": act}
    )


def test_from_a_messy_file_to_a_clean_dataset(hub: Hub, dataset: str, steward: FlaskClient) -> None:
    assert "Upload a file" in _main(steward.get(dataset))
    form = _main(steward.get(f"{dataset}/upload"))
    assert "Everything: the whole dataset The hub has nothing of this dataset yet." in form
    assert "A row takes the place of the one with the same resident_id" in form
    assert "Rows to remove" not in form, "there is nothing yet"
    given = _give(steward, f"{dataset}/upload", "export.csv", MESSY, mode="full")
    assert given.status_code == 303
    assert given.location.startswith("/deliveries/")
    check = _main(steward.get(given.location))
    assert "Nothing has changed yet. 10 rows in the file 4 keep the contract 6 at fault" in check
    assert "cp1252" in check
    assert "semicolon" in check
    assert re.search(r"born type-error 1 3 ", check)
    assert [item.state for item in _deliveries(hub, dataset)] == [DeliveryState.UPLOADING]
    sent = _say(steward, given.location, "send")
    waiting = _main(steward.get(sent.location))
    assert "has not decided about this delivery yet. It waits for its turn. Look again" in waiting
    drain(hub)
    decided = steward.get(f"{sent.location}?look=again")
    assert "10 rows sent 4 rows accepted 6 rows refused" in _main(decided)
    assert "What it did 4 added; 4 rows now" in _main(decided)
    assert "Mend the rows at fault 6 rows of this delivery are still at fault." in _main(decided)
    _mend(hub, steward, sent.location)
    listed = _main(steward.get("/deliveries"))
    assert re.search(r"Mended rows of \w{8} 3 2 1 2 added; 6 rows now", listed)
    assert re.search(r"The whole dataset anew 10 4 4 2 mended 4 added; 4 rows now", listed)


def _written(rows: Iterable[dict[str, str]]) -> bytes:
    """Rows as a spreadsheet program saves them."""
    stream, kept = io.StringIO(), list(rows)
    writer = csv.DictWriter(stream, kept[0])
    writer.writeheader()
    writer.writerows(kept)
    return stream.getvalue().encode("utf-8-sig")


def _mend(hub: Hub, steward: FlaskClient, delivery: str) -> None:
    answer = steward.get(f"{delivery}/rows-at-fault.csv")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="rows-at-fault-')
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["row"] for row in rows] == ["3", "4", "5", "6", "7", "9"]
    for row in rows:
        row.update({"3": {"born": "28/02/2001"}, "4": {"Family name": "Named"}}.get(row["row"], {}))
    given = _give(
        steward, f"{delivery}/mend", "mended.csv", _written(row for row in rows if row["row"] in "3479")
    )
    check = _main(steward.get(given.location))
    assert "4 rows in the file 3 keep the contract 1 at fault" in check
    assert "These rows stay open; the others are sent." in check
    sent = _say(steward, given.location, "send")
    drain(hub)
    replay = _main(steward.get(sent.location))
    assert "3 rows sent 2 rows accepted 1 rows refused" in replay, (
        "only the hub knows that a key is there already"
    )
    assert f"Mends rows of delivery {delivery.rpartition('/')[2][:8]}" in replay
    assert "4 rows refused 2 rows mended since" in _main(steward.get(delivery))
    again = _give(
        steward, f"{delivery}/mend", "mended.csv", _written(row for row in rows if row["row"] in "39")
    )
    assert again.status_code == 422
    assert "None of the 1 rows keeps the contract yet, so nothing was sent: rent: " in _main(again)
    assert "(row 9)" in _main(again)
    with hub.database.read() as session:
        acts = [entry.action for entry in log.recent(session, limit=100) if entry.actor.startswith("person:")]
    assert {"upload.begun", "upload.sent", "refused-rows.read"} <= set(acts)


def test_what_would_be_refused_or_shrink_a_dataset_is_said_before_it_is_sent(
    hub: Hub, dataset: str, steward: FlaskClient
) -> None:
    bad = _give(steward, f"{dataset}/upload", "bad.csv", CLEAN.replace(b"Smith", b"").replace(b"Jones", b"")
                .replace(b"Brown", b"").replace(b"White", b""), mode="full")  # fmt: skip
    assert "The hub would refuse this file: 4 of 4 rows are at fault" in _main(steward.get(bad.location))
    gone = _say(steward, bad.location, "withdraw")
    assert gone.location == dataset
    assert "Nothing was sent" in _main(steward.get(gone.location))
    withdrawn = bad.location.partition("/check")[0]
    assert "did not send it. Nothing of it was kept." in _main(steward.get(withdrawn))
    assert hub.objects.list(f"incoming/{withdrawn.rpartition('/')[2]}") == []
    assert _say(steward, "/account", "x").status_code == 405
    late = steward.post(
        f"{withdrawn}/check", data={"csrf_token": token_of(steward.get("/account")), "act": "send"}
    )
    assert (late.status_code, "was withdrawn" in _main(late)) == (409, True)
    good = _give(steward, f"{dataset}/upload", "good.csv", CLEAN, mode="full")
    _say(steward, good.location, "send")
    drain(hub)
    small = _give(
        steward, f"{dataset}/upload", "small.csv", b"resident_id,Family name\nz,Last\n", mode="full"
    )
    said = _main(steward.get(small.location))
    assert (
        "The dataset has 4 rows now and would have 1. Send it only if the file really holds everything."
        in said
    )
    assert "newest delivery" not in _main(steward.get("/")), "what was withdrawn is nobody's trouble"
    known = _give(steward, f"{dataset}/upload", "renamed.csv", CLEAN, mode="full")
    assert "This very file came before. Nothing was sent again" in _main(steward.get(known.location))


@pytest.mark.parametrize(
    ("name", "data", "mode", "words"),
    [
        ("", b"", "full", "Choose a file"),
        ("x.csv", CLEAN, "", "Select what is in the file"),
        ("x.csv", CLEAN, "replace", "Not a valid choice"),
        ("x.csv", b"", "full", "The file is empty"),
        ("x.pdf", b"%PDF-1.7", "full", "is a PDF, not a table that can be read here"),
        ("x.csv", b"resident_id\na\n", "full", "lacks a column that tests.residents_"),
        ("x.csv", b"x" * ((1 << 20) + 1), "full", "may have up to 1 MiB; this one has 1.0"),
        ("<b>.csv", b"\xff\xfe<script>alert(1)</script>,\xe2\x80\xae", "full", ""),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused_on_the_form(
    name: str, data: bytes, mode: str, words: str, hub: Hub, dataset: str, steward: FlaskClient
) -> None:
    answer = _give(steward, f"{dataset}/upload", name, data, mode=mode)
    assert answer.status_code == 422
    assert answer.text.startswith("<!DOCTYPE html>")
    assert "<title>Error: Upload a file" in answer.text
    assert words in _main(answer)
    assert "<script>alert" not in answer.text
    assert "--" not in _main(answer)
    assert _deliveries(hub, dataset) == []


def test_a_file_far_too_large_is_refused_in_words(dataset: str, steward: FlaskClient) -> None:
    answer = _give(steward, f"{dataset}/upload", "x.csv", b"x" * (3 << 20), mode="full")
    assert answer.status_code == 413
    assert "A file that is uploaded may have up to 1 MiB. Use hub-connector push" in _main(answer)


def test_no_form_works_from_another_site(hub: Hub, dataset: str, steward: FlaskClient) -> None:
    given = _give(steward, f"{dataset}/upload", "x.csv", CLEAN, mode="full")
    for token in ({}, {"csrf_token": "forged"}):
        for address, fields in (
            (f"{dataset}/upload", {"mode": "full"}), (given.location.partition("?")[0], {"act": "send"}),
        ):  # fmt: skip
            assert steward.post(address, **_form(fields | token, "x.csv", MESSY)).status_code == 400, address
    (delivery,) = _deliveries(hub, dataset)
    assert delivery.state is DeliveryState.UPLOADING


def test_another_organisation_finds_nothing_of_it(
    hub: Hub, dataset: str, steward: FlaskClient, stranger: FlaskClient
) -> None:
    given = _give(steward, f"{dataset}/upload", "x.csv", MESSY, mode="full")
    check = given.location
    token = {"csrf_token": token_of(stranger.get("/account"))}
    assert stranger.get(check).status_code == 404
    assert stranger.post(check.partition("?")[0], data=token | {"act": "send"}).status_code == 404
    _say(steward, check, "send")
    drain(hub)
    delivery = check.partition("/check")[0]
    assert "Upload a file" not in _main(stranger.get(dataset))
    for address in (
        f"{dataset}/upload",
        f"{delivery}/mend",
        f"{delivery}/rows-at-fault.csv",
        f"{delivery}/check",
    ):
        mine = stranger.get(address)
        ident = delivery.rpartition("/")[2] if delivery in address else dataset.rpartition("/")[2]
        none = stranger.get(address.replace(ident, "0" * len(ident)))
        assert (mine.status_code, none.status_code) == (404, 404), address
        assert _main(mine).replace(ident, "0" * len(ident))[:80] == _main(none)[:80]
    for address in (f"{dataset}/upload", f"{delivery}/mend"):
        assert stranger.post(address, **_form(token | {"mode": "full"}, "x.csv", CLEAN)).status_code == 404
    assert steward.get(f"{check.partition('?')[0]}?found=forged").location.endswith(delivery)
