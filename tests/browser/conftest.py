"""A real browser, and a server for whatever WSGI app a test gives it."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.require import missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HERE = Path(__file__).parent
AXE = HERE / "vendor" / "axe.min.js"
ASSETS = HERE.parents[1] / "hub" / "web" / "static" / "govuk" / "govuk-frontend.min.css"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: How large a window is unless a test says otherwise.
ROOM = {"width": 1100, "height": 900}
FLAGS = (
    "--no-sandbox",  # the tests run as root in containers; they open nothing but our own pages
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def serving(app: Callable[..., Any]) -> Iterator[str]:
    """Serve a WSGI app on 127.0.0.1 in a thread; gives the address to open."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, *_: Any, **__: Any) -> None:
            pass

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, name="browser-test-server")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def serve() -> Callable[..., Any]:
    """Serve a WSGI app: `with serve(app) as address: ...`."""
    return serving


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    if not ASSETS.is_file():
        missing("the pages' assets are not there; `make install` or tools/fetch_assets.py fetches them")
    told = os.environ.get("HUB_CHROMIUM")
    program = told or next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if program is None:
        missing("no Chromium is installed (Debian: apt-get install chromium); HUB_CHROMIUM names one")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    if not AXE.is_file():
        missing("axe-core is not there; tools/fetch_assets.py --dev fetches it")
    return AXE.read_text("utf-8")


@contextmanager
def _watched(browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """A tab of a window of its own, 1100 wide, and the list of what goes wrong in it."""
    context = browser.new_context(viewport=ROOM)
    page = context.new_page()
    problems: list[str] = []
    page.on(
        "console",
        lambda message: problems.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "dialog", lambda dialog: (problems.append(f"a dialog opened: {dialog.message}"), dialog.dismiss())
    )
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith("http://127.0.0.1:")
            else problems.append(f"asked for {request.url}")
        ),
    )
    yield page, problems
    context.close()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A fresh tab that fails the test when something goes wrong in it."""
    with _watched(browser) as (page, problems):
        yield page
    assert problems == []


@pytest.fixture(scope="module")
def _kept_tab(browser: Browser, axe: str) -> Iterator[tuple[Page, list[str]]]:
    with _watched(browser) as kept:
        kept[0].add_init_script(axe)  # sent once, not with every page
        yield kept


@pytest.fixture
def same_tab(_kept_tab: tuple[Page, list[str]]) -> Iterator[Page]:
    """As `tab`, one for all tests of a module: for those that only open a page and look."""
    page, problems = _kept_tab
    problems.clear()
    page.set_viewport_size(ROOM)
    yield page
    assert problems == []
