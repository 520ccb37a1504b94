"""Paged APIs: every page, each once, and only what is new."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from hub_connector.checking import Summary, check_source, find_contract
from hub_connector.errors import ConnectorError
from hub_connector.rendering import as_text
from hub_connector.sources import open_source
from hub_connector.sources.places import _marks, _web
from hub_connector.sources.places.rest import RestSource, open_rest

CANARY = "canary-hunter2"
Query = dict[str, str]
#: What the API answers to a query: a JSON value (or bytes), and headers.
Answer = tuple[Any, dict[str, str]]


@dataclass
class Api:
    """An API of pupils: how it answers, and what it was asked."""

    url: str = ""
    answer: Callable[[Query], Answer] = lambda _: ([], {})
    asked: list[Query] = field(default_factory=list)
    pupils: list[dict[str, Any]] = field(default_factory=list)
    busy: int = 0

    def slice(self, start: int, size: int = 10) -> list[dict[str, Any]]:
        return self.pupils[start : start + size]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """25 pupils."""
    made = Api()
    made.pupils = [
        {"pupil": f"p{n}", "Family name": f"Name{n}", "NHS number": "943 476 5919", "born": "01/02/2015",
         "sessions": n, "changed": f"2026-01-01T10:00:{n:02}Z"}
        for n in range(25)
    ]  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}
            made.asked.append(query)
            value, headers = made.answer(query)
            status = 404 if value is None else 200
            if made.busy:
                made.busy -= 1
                status, value = 503, {}
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            for name, text in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that hangs up is part of the tests."""

    server = Quiet(("127.0.0.1", 0), Handler)
    made.url = f"rest+http://127.0.0.1:{server.server_port}/v1/pupils"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(_web, "wait", lambda _: None)
    monkeypatch.setenv("HUB_CONNECTOR_TRIES", "3")
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def opened(api: Api, **options: Any) -> RestSource:
    source = open_rest(api.url, options)
    assert source is not None
    return source


def pupils(source: Any) -> list[str]:
    found: list[str] = []
    for batch in source.read().batches:
        assert batch.first_row == len(found) + 1
        found += as_text(batch.table)["pupil"].to_pylist()
    return found


def refusal(api: Api, **options: Any) -> str:
    with pytest.raises(ConnectorError) as caught:
        pupils(open_source(f"{api.url}?key={CANARY}", options))
    assert CANARY not in str(caught.value)
    return str(caught.value)


ALL = [f"p{n}" for n in range(25)]


def by_page(api: Api) -> Callable[[Query], Answer]:
    return lambda query: ({"data": {"items": api.slice(10 * (int(query["p"]) - 1))}, "total": 25}, {})


def by_offset(api: Api) -> Callable[[Query], Answer]:
    # It gives fewer rows than asked for, as servers do that cap the size of a page.
    return lambda query: (api.slice(int(query["offset"]), min(int(query["limit"]), 10)), {})


def by_cursor(api: Api) -> Callable[[Query], Answer]:
    def answer(query: Query) -> Answer:
        start = int(query.get("after", "c0")[1:])
        return {"rows": api.slice(start), "meta": {"cursor": f"c{start + 10}" if start < 20 else None}}, {}

    return answer


def by_next(api: Api) -> Callable[[Query], Answer]:
    def answer(query: Query) -> Answer:
        start = int(query.get("skip", 0))
        following = {"@odata.nextLink": f"/v1/pupils?skip={start + 10}"} if start < 20 else {}
        return {"value": api.slice(start), **following}, {}

    return answer


def by_link(api: Api) -> Callable[[Query], Answer]:
    def answer(query: Query) -> Answer:
        start = int(query.get("skip", 0))
        link = f'<?skip={start + 10}>; rel="next", <?skip=0>; rel="first"'
        return api.slice(start), {"Link": link} if start < 20 else {}

    return answer


@pytest.mark.parametrize(
    ("kind", "options", "requests"),
    [
        (by_page, {"paging": "page", "page_param": "p", "rows_path": "data.items", "total": "total"}, 4),
        (by_offset, {"paging": "offset", "size": "500"}, 4),
        (
            by_cursor,
            {"paging": "cursor", "cursor_param": "after", "next": "meta.cursor", "rows_path": "rows"},
            3,
        ),
        (by_next, {"paging": "next", "next": "@odata.nextLink", "rows_path": "value"}, 3),
        (by_link, {"paging": "link"}, 3),
    ],
)
def test_every_page_is_read_whatever_way_they_follow_each_other(
    api: Api, kind: Callable[[Api], Callable[[Query], Answer]], options: dict[str, str], requests: int
) -> None:
    api.answer = kind(api)
    api.busy = 1
    source = opened(api, **options)
    assert pupils(source) == ALL
    assert pupils(source) == ALL  # from the copy
    assert len(api.asked) == requests + 1
    assert (source.name, source.streamed, source.watermark) == ("pupils", False, None)


def test_an_api_goes_all_the_way(department: Any, api: Api) -> None:
    api.answer = by_link(api)
    api.pupils[3]["sessions"] = 999
    summary = Summary()
    source = open_source(api.url, {"paging": "link"})
    for _ in check_source(find_contract(str(department.contract)), source, summary):
        pass
    assert (summary.rows, summary.accepted, summary.refused) == (25, 24, 1)


def test_a_page_after_the_last_may_be_missing_but_not_the_first(api: Api) -> None:
    api.answer = lambda query: (api.slice(10 * int(query["page"])) or None, {})
    assert pupils(opened(api, paging="page", first_page=0)) == ALL
    assert "404" in refusal(api, paging="page", first_page=7)


# --- what goes wrong


def test_endless_paging_is_noticed(api: Api) -> None:
    api.answer = lambda _: (api.slice(0), {})
    assert "does not turn the page" in refusal(api, paging="page")
    assert "does not turn the page" in refusal(api, paging="offset")
    api.answer = lambda query: ({"r": [{"pupil": str(len(api.asked))}], "n": f"?x={len(api.asked) % 2}"}, {})
    assert "in a circle" in refusal(api, paging="next", next="n", rows_path="r")
    api.answer = lambda query: ({"r": [{"pupil": str(len(api.asked))}], "n": str(len(api.asked) % 3)}, {})
    assert "in a circle" in refusal(api, paging="cursor", next="n", rows_path="r")
    api.answer = lambda query: ([{"pupil": query["page"]}], {})
    assert "more than 7 pages" in refusal(api, paging="page", max_pages=7)


def test_the_next_page_is_never_on_another_server(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", CANARY)
    for target in ("https://evil.example.org/x", "file:///etc/passwd", "//evil.example.org/x", 7, {"a": 1}):
        api.answer = lambda _, target=target: ({"r": api.slice(0), "n": target}, {})
        said = refusal(api, paging="next", next="n", rows_path="r", bearer="env:TOKEN")
        assert "another server" in said
    assert len(api.asked) == 5


def test_rows_that_stand_on_two_pages_are_dropped_or_reported(api: Api) -> None:
    # Two rows came to the beginning of the list after the first page.
    api.answer = lambda query: (api.slice(max(0, int(query["offset"]) - 2)), {})
    source = opened(api, paging="offset", key="pupil")
    reading = source.read()
    assert reading.notes[-1] == "2 rows that stood on two pages, once each"
    assert pupils(source) == ALL
    source = opened(api, paging="offset")
    assert "2 rows stand on two pages in the same words" in source.read().notes[-1]
    assert len(pupils(source)) == 27


def test_rows_that_are_lacking_at_the_end_are_noticed(api: Api) -> None:
    api.answer = lambda query: ({"rows": api.slice(0) if query["page"] == "1" else [], "n": {"all": 25}}, {})
    said = refusal(api, paging="page", rows_path="rows", total="n.all")
    assert "says it has 25 rows, and gave 10" in said
    assert "no number at n.most" in refusal(api, paging="page", rows_path="rows", total="n.most")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"data": [{"a": 1}], "meta": {}}, "It has lists at: data"),
        ([1, 2], "no objects with named fields"),
        (b"<html>Sign in", "is a web page"),
        (b"{", "is no JSON"),
        (b"[NaN]", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        ([], "gives no rows"),
    ],
)
def test_an_answer_that_is_not_as_described_is_said_in_words(api: Api, answer: Any, words: str) -> None:
    api.answer = lambda _: (answer, {})
    assert words in refusal(api, paging="none")


def test_options_that_make_no_sense_are_refused(api: Api) -> None:
    assert "paging of REST sources is needed" in refusal(api)
    assert "next is needed" in refusal(api, paging="cursor")
    assert "go together" in refusal(api, paging="none", watermark="changed")
    assert "did you mean 'paging'" in refusal(api, pagging="none")
    api.answer = lambda _: (api.pupils, {})
    assert "more than 50 bytes" in refusal(api, paging="none", max_bytes=50)


# --- only what is new


def since(api: Api) -> Callable[[Query], Answer]:
    """Newest first, and rows at the mark included, as many APIs do."""

    def answer(query: Query) -> Answer:
        start = query.get("since", "")
        found = [one for one in reversed(api.pupils) if one["changed"] is None or one["changed"] >= start]
        return found[int(query["offset"]) :][:10], {}

    return answer


def test_the_next_load_has_only_what_is_new_and_nothing_at_the_mark_is_lost(api: Api) -> None:
    api.answer = since(api)
    source = opened(api, paging="offset", watermark="changed", watermark_param="since")
    assert source.streamed is True
    first = source.after(None)
    assert sorted(pupils(first)) == sorted(ALL)
    mark = source.high_water()
    assert mark is not None
    assert mark.splitlines()[0] == "2026-01-01T10:00:24Z"
    assert "Name" not in mark
    again = source.after(mark)
    assert pupils(again) == []
    assert again.read().columns == tuple(api.pupils[0])
    assert source.high_water() is None
    api.pupils += [
        {**api.pupils[24], "pupil": "tie"},
        {"pupil": "new", "changed": "2026-01-01T11:00:30+01:00"},
    ]
    more = source.after(mark)
    assert sorted(pupils(more)) == ["new", "tie"]
    assert set(more.read().columns) == set(api.pupils[0])  # though the new rows lack some
    assert api.asked[-1]["since"] == "2026-01-01T10:00:24Z"
    fed: list[bytes] = []
    source.fingerprint(fed.append)
    before = len(api.asked)
    assert b"p1" not in b"".join(fed)
    assert len(api.asked) == before


def test_a_server_that_does_not_heed_the_mark_is_reported_and_sends_nothing_twice(api: Api) -> None:
    api.answer = lambda query: (api.slice(int(query["offset"])), {})
    api.pupils.append({"pupil": "unmarked", "changed": None})
    source = opened(api, paging="offset", watermark="changed", watermark_param="since")
    assert pupils(source.after(None)) == ALL
    reading = source.after(source.high_water()).read()
    assert list(reading.batches) == []
    assert reading.notes[:2] == (
        "24 rows below the mark are left out: the server does not heed watermark_param",
        "1 rows without changed are left out: no mark can find them",
    )


def test_watermarks_that_have_no_order_are_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.answer = lambda _: (api.pupils, {})
    given = {"paging": "none", "watermark": "changed", "watermark_param": "since"}
    monkeypatch.setattr(_marks, "MOST_REMEMBERED", 3)
    for pupil in api.pupils[:4]:
        pupil["changed"] = "2027-01-01T00:00:00Z"
    assert "have the same changed" in refusal(api, **given)
    api.pupils[1]["changed"] = 5
    assert "different kinds" in refusal(api, **given)
    api.pupils[0]["changed"] = {"at": 1}
    assert "neither text nor a number" in refusal(api, **given)
