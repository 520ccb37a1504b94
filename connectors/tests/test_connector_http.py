"""Files at web addresses: fetched once, patiently, from where the configuration says and nowhere else."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from hub_connector.checking import Summary, check_source, find_contract
from hub_connector.errors import ConfigError, ConnectorError, SourceError
from hub_connector.sources import open_source
from hub_connector.sources.places import _spool, _web
from hub_connector.sources.places._spool import Spool

CANARY = "canary-hunter2"
CSV = b"pupil,Family name,NHS number,born,sessions\n" + b"".join(
    b"p%d,Name%d,943 476 5919,01/02/2015,%d\n" % (n, n, n % 200) for n in range(2000)
)
#: What a handler says: status, headers, body, and after how many bytes of it the line is cut (None: not).
Reply = tuple[int, dict[str, str], bytes, int | None]


@dataclass
class Web:
    """A server, what it answers, and what it was asked."""

    url: str = ""
    replies: dict[str, Callable[[Any], Reply]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def file(self, path: str, body: bytes = CSV, **headers: str) -> str:
        """Serve a file that is always there; its address."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.replies[path] = lambda _: (200, named, body, None)
        return self.url + path

    def series(self, path: str, *replies: Reply) -> str:
        """Serve one reply after the other; its address."""
        left = list(replies)
        self.replies[path] = lambda _: left.pop(0)
        return self.url + path


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, _ = self.path.partition("?")
            made.asked.append((self.path, dict(self.headers)))
            status, headers, body, cut = made.replies[path](self)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[:cut])
            self.close_connection = cut is not None

        def log_message(self, *_: object) -> None:
            return

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that hangs up is part of the tests."""

    server = Quiet(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client waited, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr(_web, "wait", waited.append)
    monkeypatch.setenv("HUB_CONNECTOR_TRIES", "4")
    return waited


def count(source: Any) -> int:
    return sum(batch.table.num_rows for batch in source.read().batches)


def refusal(location: str, options: dict[str, Any] | None = None) -> str:
    with pytest.raises(ConnectorError) as caught:
        open_source(location, options or {})
    return str(caught.value)


def test_a_file_goes_all_the_way_and_is_fetched_once(department: Any, web: Web) -> None:
    source = open_source(web.file("/exports/pupils.csv") + f"?token={CANARY}")
    summary = Summary()
    for _ in check_source(find_contract(str(department.contract)), source, summary):
        pass
    assert (summary.rows, summary.accepted) == (2000, 2000)
    fed: list[bytes] = []
    source.fingerprint(fed.append)
    assert CSV in b"".join(fed)
    assert source.name == "pupils.csv"
    assert source.streamed is False
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/download", {"Content_Type": "text/csv; charset=utf-8"}, "download.csv"),
        ("/export", {"Content_Disposition": 'attachment; filename="a/../b c.csv"'}, "b c.csv"),
        ("/", {"Content_Type": "text/csv"}, "127.0.0.1.csv"),
        ("/x%0a%E2%80%AEy.csv", {}, "xy.csv"),
    ],
)
def test_the_name_comes_from_the_server_or_the_address(
    web: Web, path: str, headers: dict[str, str], name: str
) -> None:
    assert open_source(web.file(path, **headers)).name == name


def test_the_servers_charset_counts_only_where_the_bytes_leave_it_open(web: Web) -> None:
    latin, utf8 = "pupil;born\nM\xfcller;1\n".encode("latin-1"), "pupil;born\nMüller;1\n".encode()
    for body, charset in ((latin, "iso-8859-15"), (utf8, "iso-8859-1"), (utf8, "no-such-charset")):
        source = open_source(web.file("/a.csv", body, Content_Type=f"text/csv; charset={charset}"))
        [batch] = source.read().batches
        assert batch.table["pupil"].to_pylist() == ["Müller"]


# --- servers that are busy, slow or cut the line


def test_a_busy_server_is_asked_again_when_it_says(web: Web, waits: list[float]) -> None:
    soon = formatdate(time.time() + 30, usegmt=True)
    url = web.series(
        "/a.csv", (429, {"Retry-After": "7"}, b"", None), (503, {"Retry-After": soon}, b"", None),
        (502, {"Retry-After": "99999999"}, b"", None), (200, {}, CSV, None),
    )  # fmt: skip
    assert count(open_source(url)) == 2000
    assert waits[0] == 7
    assert 25 < waits[1] <= 30
    assert waits[2] == 120


def test_a_server_that_stays_busy_is_given_up(web: Web, waits: list[float]) -> None:
    web.replies["/a.csv"] = lambda _: (503, {}, b"", None)
    said = refusal(f"{web.url}/a.csv?key={CANARY}")
    assert "busy or out of order (status 503)" in said
    assert CANARY not in said
    assert len(web.asked) == 4
    assert len(waits) == 3


def test_after_a_cut_the_rest_is_fetched_if_the_file_is_still_the_same(web: Web, waits: list[float]) -> None:
    def rest(request: Any) -> Reply:
        start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        assert request.headers["If-Range"] == '"v1"'
        return 206, {"Content-Range": f"bytes {start}-{len(CSV) - 1}/{len(CSV)}"}, CSV[start:], None

    web.series("/a.csv", (200, {"ETag": '"v1"'}, CSV, 30_000))
    first = web.replies["/a.csv"]
    web.replies["/a.csv"] = lambda request: rest(request) if "Range" in request.headers else first(request)
    assert count(open_source(f"{web.url}/a.csv")) == 2000
    assert len(web.asked) == 2


@pytest.mark.parametrize(
    ("validator", "again"),
    [
        ({"ETag": '"v1"'}, [(200, {"ETag": '"v2"'}, CSV, None)]),
        ({}, [(200, {}, CSV, None)]),
        ({"ETag": 'W/"v1"'}, [(200, {}, CSV, None)]),
        ({"ETag": '"v1"'}, [(206, {"Content-Range": "bytes 5-9/10"}, b"xxxxx", None), (200, {}, CSV, None)]),
        ({"ETag": '"v1"'}, [(416, {}, b"", None), (200, {}, CSV, None)]),
    ],
)
def test_another_file_is_never_joined_to_the_beginning_of_the_old_one(
    web: Web, waits: list[float], validator: dict[str, str], again: list[Reply]
) -> None:
    old = CSV.replace(b"Name", b"Olds")
    url = web.series("/a.csv", (200, validator, old, 30_000), *again)
    [batch] = open_source(url).read().batches
    assert batch.table["Family name"].to_pylist() == [f"Name{n}" for n in range(2000)]


def test_a_server_that_sends_for_ever_is_given_up(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_web, "_LONGEST", -1.0)
    assert "has been sending for" in refusal(web.file("/a.csv"))


def test_a_file_larger_than_allowed_is_not_fetched_to_its_end(web: Web, waits: list[float]) -> None:
    assert "more than 10,000 bytes" in refusal(web.file("/a.csv"), {"max_bytes": "10kB"})
    assert len(web.asked) == 1


# --- where it leads, and who is told what


def test_sign_in_goes_to_the_host_of_the_configuration_alone(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", CANARY)
    port = web.url.rpartition(":")[2]
    web.file("/end.csv")
    web.replies["/a.csv"] = lambda _: (302, {"Location": "/b.csv"}, b"", None)
    web.replies["/b.csv"] = lambda _: (307, {"Location": f"http://localhost:{port}/end.csv"}, b"", None)
    options = {
        "bearer": {"env": "TOKEN"},
        "headers": {"X-Key": "env:TOKEN"},
        "params": {"k": {"env": "TOKEN"}},
    }
    monkeypatch.setattr("socket.getaddrinfo", _only_this_machine)
    assert count(open_source(f"{web.url}/a.csv?x=1", options)) == 2000
    told = [(path, headers.get("Authorization"), headers.get("X-Key")) for path, headers in web.asked]
    assert told == [
        (f"/a.csv?x=1&k={CANARY}", f"Bearer {CANARY}", CANARY), (f"/b.csv?k={CANARY}", f"Bearer {CANARY}", CANARY),
        ("/end.csv", None, None),
    ]  # fmt: skip


def _only_this_machine(host: str, port: int, *_: object, **__: object) -> list[Any]:
    import socket

    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def test_name_and_password_are_sent_as_basic(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "pä:ss")
    options = {"username": "reader", "password": "env:PASSWORD"}
    assert count(open_source(web.file("/a.csv"), options)) == 2000
    assert web.asked[0][1]["Authorization"] == "Basic cmVhZGVyOnDDpDpzcw=="


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x", "", "http://[::1", "//"]
)
def test_a_redirect_leads_only_to_the_web(web: Web, target: str) -> None:
    web.replies["/a.csv"] = lambda _: (302, {"Location": target}, b"", None)
    said = refusal(f"{web.url}/a.csv")
    assert "redirect" in said or "place to place" in said
    assert "/etc" not in said


def test_redirects_in_a_circle_end(web: Web) -> None:
    web.replies["/a.csv"] = lambda _: (301, {"Location": "/a.csv"}, b"", None)
    assert "without end" in refusal(f"{web.url}/a.csv")
    assert len(web.asked) == 6


def test_from_https_nothing_leads_down_to_http() -> None:
    import httpx

    client = _web.web_client("https://example.org/a.csv", _web_settings({}), 100)
    answer = httpx.Response(
        302,
        headers={"Location": "http://example.org/a.csv"},
        request=httpx.Request("GET", "https://example.org/a.csv"),
    )
    with pytest.raises(SourceError, match="not followed"):
        client._redirected(answer)


def _web_settings(values: dict[str, object]) -> Any:
    from hub_connector.sources.places._settings import Settings

    return Settings("HTTP", values, _web.OPTIONS)


@pytest.mark.parametrize(
    ("address", "options", "words"),
    [
        (f"https://u:{CANARY}@host/a.csv", {}, "holds a password"),
        (f"https://{CANARY}@host/a.csv", {}, "holds a user name"),
        ("http://example.org/a.csv", {}, "not encrypted"),
        ("https://host/a.csv", {"bearer": CANARY}, "does not say where the secret is kept"),
        ("https://host/a.csv", {"beerer": "env:X"}, "did you mean 'bearer'"),
        ("https://host/a.csv", {"username": "x"}, "together"),
        ("https://host/a.csv", {"headers": {"X": f"a\r\n{CANARY}"}}, "no header can"),
        ("https://host/a.csv", {"headers": {"X": [CANARY]}}, "must be text"),
        ("https://host/a.csv", {"timeout": "soon"}, "length of time"),
        ("https://host/a.csv", {"max_bytes": "-3"}, "size such as"),
        ("https:///a.csv", {}, "names no host"),
        ("https://host:99999/a.csv", {}, "malformed"),
    ],
)
def test_addresses_and_options_that_make_no_sense_are_refused(
    address: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        open_source(address, options)
    assert words in str(caught.value)
    assert CANARY not in str(caught.value)


def test_what_is_no_file_is_said_with_what_to_do(web: Web, waits: list[float]) -> None:
    page = web.file("/login", b"<!DOCTYPE html><html>Sign in</html>", Content_Type="text/html; charset=utf-8")
    assert "web page" in refusal(page)
    assert "sign-in is needed" in refusal(page)
    for status, words in ((401, "Check the sign-in"), (403, "may not read"), (404, "Check the address")):
        web.replies["/a.csv"] = lambda _, status=status: (status, {}, b"", None)
        assert words in refusal(f"{web.url}/a.csv?key={CANARY}")
        assert CANARY not in refusal(f"{web.url}/a.csv?key={CANARY}")
    assert "no connection" in refusal("http://127.0.0.1:1/a.csv")


# --- the private copy


def test_the_copy_reads_at_any_place_and_is_not_in_the_clear_on_the_disk() -> None:
    data = os.urandom(50_000) + CANARY.encode() * 10
    spool = Spool(10**6, "x")
    for start in range(0, len(data), 7_001):
        spool.append(data[start : start + 7_001])
    with spool.open() as one, spool.open() as other:
        assert one.read() == data
        for place, length in ((0, 1), (17, 40), (15, 1), (49_990, 9_999), (len(data), 5), (4096, 4096)):
            other.seek(place)
            assert other.read(length) == data[place : place + length]
        assert other.seek(-5, os.SEEK_END) == len(data) - 5
    spool._file.seek(0)
    stored = spool._file.read(10**6)
    assert len(stored) == len(data)
    assert CANARY.encode() not in stored
    assert sum(a == b for a, b in zip(stored, data, strict=True)) < 600
    spool.restart()
    spool.append(b"anew")
    assert spool.open().read() == b"anew"
    file = spool._file
    del spool, one, other
    gc.collect()
    assert file.closed


def test_a_full_disk_is_said_in_words(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __init__(self, *_: object, **__: object) -> None: ...
        def seek(self, _: int) -> None: ...
        def truncate(self, _: int) -> None: ...
        def close(self) -> None: ...

        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    url = web.file("/a.csv")
    monkeypatch.setattr(_spool.tempfile, "TemporaryFile", Full)
    assert "No space left on device" in refusal(url)
