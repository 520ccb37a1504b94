"""The pages of an API, one after the other, until there are no more; loops and repetitions are noticed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, NoReturn
from urllib.parse import urljoin, urlsplit

from ...errors import ConfigError, SourceError
from ._settings import Settings
from ._web import Page, WebClient

__all__ = ["OPTIONS", "Paging", "at_path", "pages", "read_paging"]

#: How an API can divide its rows into pages.
KINDS: Final = {
    "none": "all rows in one answer",
    "next": "the answer holds the address of the next page, at the path `next`",
    "link": "the header Link holds it (RFC 8288)",
    "page": "pages have numbers",
    "offset": "each request says how many rows to skip",
    "cursor": "the answer holds a word to ask for the next page with, at the path `next`",
}
OPTIONS: Final = {
    "rows_path": "path of the list of rows in an answer, such as data.items; without it the answer is the list",
    "paging": "none, next, link, page, offset or cursor",
    "next": "path of the next page's address or cursor in an answer",
    "page_param": "parameter with the page's number (page)",
    "first_page": "number of the first page (1)",
    "offset_param": "parameter with the rows to skip (offset)",
    "cursor_param": "parameter with the cursor (cursor)",
    "size_param": "parameter with the rows to a page (limit), sent when size is given",
    "size": "rows to a page",
    "total": "path of the number of all rows in an answer, to see that none is lacking",
    "max_pages": "most pages to fetch (10,000)",
}


@dataclass(frozen=True)
class Paging:
    """How rows are found in answers, and answers one after the other."""

    kind: str
    rows: tuple[str, ...]
    next: tuple[str, ...]
    param: str
    first: int
    size: tuple[tuple[str, str], ...]
    total: tuple[str, ...]
    most: int


def read_paging(settings: Settings) -> Paging:
    """The paging that the options describe.

    Raises:
        ConfigError: when they do not say enough.
    """
    kind = settings.one_of("paging", KINDS)
    follow = _path(settings.text("next"))
    if kind in ("next", "cursor") and not follow:
        raise ConfigError(
            f"With paging {kind}, the option next is needed.",
            'For example next = "links.next" or "meta.cursor".',
        )
    names = {"page": "page_param", "offset": "offset_param", "cursor": "cursor_param"}
    size = (
        ((settings.text("size_param", "limit"), str(settings.count("size", 100))),)
        if "size" in settings
        else ()
    )
    return Paging(
        kind=kind,
        rows=_path(settings.text("rows_path")),
        next=follow,
        param=settings.text(names[kind], kind) if kind in names else "",
        first=settings.count("first_page", 1, least=0) if kind == "page" else 0,
        size=size,
        total=_path(settings.text("total")),
        most=settings.count("max_pages", 10_000, most=10_000_000),
    )


def pages(
    client: WebClient, url: str, paging: Paging, params: dict[str, str], name: str
) -> Iterator[list[Any]]:
    """The rows of each page that has any.

    Raises:
        SourceError: when an answer is not as described, pages repeat, or rows are lacking at the end.
    """
    walk = _Walk(paging, url, {**params, **dict(paging.size)}, name)
    count = 0
    for number in range(1, paging.most + 1):
        page = client.page(walk.url, walk.params)
        if page is None:
            # Some servers say so when one asks for the page after the last.
            if paging.kind == "page" and number > 1:
                return walk.check_total(count)
            raise SourceError(f"{name} is not there (status 404).", "Check the address.")
        answer = _parsed(page, name, number)
        rows = _rows(answer, paging, name, number)
        count += len(rows)
        walk.note(answer, rows, number)
        if rows:
            yield rows
        if not walk.go_on(page, answer, rows, count, number):
            return walk.check_total(count)
    raise SourceError(
        f"{name} has more than {paging.most:,} pages.", "If that is right, raise the option max_pages."
    )


class _Walk:
    """Where we are, and what to ask next."""

    def __init__(self, paging: Paging, url: str, params: dict[str, str], name: str) -> None:
        self.paging, self.url, self.params, self.name = paging, url, params, name
        self._seen: set[str] = {url}
        self._last = b""
        self._total: int | None = None
        if paging.kind == "page":
            self.params[paging.param] = str(paging.first)
        elif paging.kind == "offset":
            self.params[paging.param] = "0"

    def note(self, answer: Any, rows: list[Any], number: int) -> None:
        """Look whether the page is the one before once more, and what it says of the number of rows."""
        print_of = blake2b(json.dumps(rows).encode(), digest_size=16).digest()
        if rows and print_of == self._last:
            raise SourceError(
                f"Page {number:,} of {self.name} is the same as the one before: the server does not turn the page.",
                "Check the options paging, and page_param, offset_param or cursor_param.",
            )
        self._last = print_of
        if self.paging.total:
            told = at_path(answer, self.paging.total)
            if isinstance(told, bool) or not isinstance(told, int):
                raise SourceError(
                    f"Page {number:,} of {self.name} has no number at {'.'.join(self.paging.total)}.",
                    "Check the option total, or leave it out.",
                )
            self._total = told

    def check_total(self, count: int) -> None:
        """See that there are as many rows as the server says."""
        if self._total is not None and count < self._total:
            raise SourceError(
                f"{self.name} says it has {self._total:,} rows, and gave {count:,}.",
                "Try again; if it stays so, check the option paging.",
            )

    def go_on(self, page: Page, answer: Any, rows: list[Any], count: int, number: int) -> bool:
        """Whether there is another page to ask for."""
        kind = self.paging.kind
        if kind == "none":
            return False
        if kind in ("next", "link"):
            target = page.next_link if kind == "link" else at_path(answer, self.paging.next)
            return self._to_address(page, target)
        if kind == "cursor":
            return self._to_cursor(at_path(answer, self.paging.next))
        # Not "fewer than asked for": servers cap the size of pages as they like.
        if not rows:
            return False
        self.params[self.paging.param] = str(self.paging.first + number if kind == "page" else count)
        return True

    def _to_address(self, page: Page, target: Any) -> bool:
        if target in (None, "", False):
            return False
        here = urlsplit(self.url)
        there = urlsplit(urljoin(page.url, target)) if isinstance(target, str) else None
        if there is None or there.hostname != here.hostname or there.scheme not in ("http", "https"):
            raise SourceError(
                f"{self.name} gives a next page that is no address, or lies on another server.",
                "Check the option next, or ask whoever runs the server.",
            )
        if here.scheme == "https" and there.scheme == "http":
            # A server behind another that does the encryption often does not know its own address.
            there = there._replace(scheme="https", netloc=here.netloc)
        # The address holds everything that is to be asked.
        self.url, self.params = there.geturl(), {}
        return self._unseen(self.url)

    def _to_cursor(self, cursor: Any) -> bool:
        if cursor in (None, "", False):
            return False
        if not isinstance(cursor, str | int):
            raise SourceError(f"{self.name} gives a cursor that is no text.", "Check the option next.")
        self.params[self.paging.param] = str(cursor)
        return self._unseen(str(cursor))

    def _unseen(self, place: str) -> bool:
        if place in self._seen:
            raise SourceError(
                f"The pages of {self.name} go round in a circle.",
                "Check the options paging and next, or ask whoever runs the server.",
            )
        self._seen.add(place)
        return True


def at_path(answer: Any, path: tuple[str, ...]) -> Any:
    """What lies at a path of keys, None when it leads nowhere."""
    for key in path:
        if not isinstance(answer, dict):
            return None
        # A key may itself have dots, as in OData's @odata.nextLink: see `_path`.
        answer = answer.get(key)
    return answer


def _path(text: str) -> tuple[str, ...]:
    """Keys with dots between them; a key that begins with @ takes all the rest."""
    head, at, tail = text.partition("@")
    return tuple(part for part in (*head.split("."), at + tail) if part)


def _parsed(page: Page, name: str, number: int) -> Any:
    try:
        return json.loads(page.body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        what = "a web page" if page.body.lstrip()[:1] == b"<" else "no JSON"
        raise SourceError(
            f"Page {number:,} of {name} is {what}.", "Check the address, and whether a sign-in is needed."
        ) from None


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


def _rows(answer: Any, paging: Paging, name: str, number: int) -> list[Any]:
    rows = at_path(answer, paging.rows)
    if rows is None and paging.rows and number > 1:
        return []
    if not isinstance(rows, list):
        lists = (
            [key for key, value in answer.items() if isinstance(value, list)]
            if isinstance(answer, dict)
            else []
        )
        place = f"no list at {'.'.join(paging.rows)}" if paging.rows else "not a list"
        hint = (
            f"It has lists at: {', '.join(map(str, lists[:5]))}."
            if lists
            else "Look at an answer of the API."
        )
        raise SourceError(
            f"Page {number:,} of {name} is {place}.".replace("is no", "has no"),
            f"Set the option rows_path. {hint}",
        )
    if not all(isinstance(row, dict) for row in rows):
        raise SourceError(
            f"The rows of page {number:,} of {name} are no objects with named fields.",
            "Check the option rows_path.",
        )
    return rows
