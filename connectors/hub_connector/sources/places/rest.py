"""Rows of paged REST APIs: `rest+https://host/path`."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from ...errors import ConfigError, SourceError
from ..base import Reading, Recognise, Source, Update
from ._address import plain_name, shown
from ._marks import Follower, Mark, read_mark
from ._paging import OPTIONS as PAGING
from ._paging import Paging, at_path, pages, read_paging
from ._settings import separate
from ._spool import MOST_BYTES, FetchedBlob, Spool
from ._web import OPTIONS as WEB
from ._web import WebClient, web_client

__all__ = ["OPTIONS", "RestSource", "open_rest"]

#: What can be said about an API.
OPTIONS: Final = {
    **PAGING,
    "columns": "the fields to read; without it all that occur",
    "key": "fields that tell rows apart, to drop rows that stand on two pages",
    "watermark": "the field that rises with every row added or changed, to read only what is new",
    "watermark_param": "the parameter that asks for rows at or after a value of it",
    **WEB,
}
_PAGE_BYTES: Final = 64 * 10**6
#: Rows among which one that stands on two pages is found.
_REMEMBERED: Final = 100_000


@dataclass(frozen=True)
class Plan:
    """What is read and how; no secret is in it."""

    paging: Paging
    columns: tuple[str, ...]
    key: tuple[str, ...]
    watermark: str
    param: str


def open_rest(location: str, options: Mapping[str, object]) -> RestSource | None:
    """An API at a `rest+https` address, None for other locations.

    Raises:
        ConfigError: when the address or an option cannot be used.
    """
    if not re.match(r"rest\+https?://", location, re.IGNORECASE):
        return None
    settings, rest = separate("REST", options, OPTIONS)
    url = location[len("rest+") :]
    client = web_client(url, settings, _PAGE_BYTES)
    plan = Plan(
        paging=read_paging(settings),
        columns=settings.names("columns"),
        key=settings.names("key"),
        watermark=settings.text("watermark"),
        param=settings.text("watermark_param"),
    )
    if bool(plan.watermark) != bool(plan.param):
        raise ConfigError(
            "The options watermark and watermark_param go together.",
            'For example watermark = "updated_at" and watermark_param = "updated_since".',
        )
    return RestSource(client, url, plan, rest)


@dataclass
class _Fetched:
    """All rows as JSON lines, and what was noticed on the way."""

    spool: Spool
    rows: int = 0
    notes: list[str] = field(default_factory=list)
    follower: Follower | None = None


class RestSource:
    """An API; `Incremental` when it has a watermark.

    All pages are fetched, once, before the first row is given: an API that ends half-way gives no rows at all.
    """

    def __init__(
        self,
        client: WebClient,
        url: str,
        plan: Plan,
        options: Mapping[str, object],
        since: str | None = None,
        high: list[str | None] | None = None,
    ) -> None:
        self._client, self._url, self._plan, self._options, self._since = (
            client,
            url,
            plan,
            dict(options),
            since,
        )
        self._high: list[str | None] = [None] if high is None else high
        self._before: Mark | None = None
        self._fetched: _Fetched | None = None
        self.watermark = plan.watermark or None
        self.streamed = bool(plan.watermark)
        self.name = plain_name(client.parts.path, client.parts.hostname or "api")

    def read(self, recognise: Recognise | None = None) -> Reading:
        """Fetch all pages, if that has not been done, and read the rows as JSON lines.

        Raises:
            SourceError: when the API does not give them, or there are none and nobody knows their fields.
        """
        fetched = self._fetch()
        if not fetched.rows:
            columns = self._plan.columns or (self._before.columns if self._before else ())
            if not columns:
                raise SourceError(
                    f"{self.name} gives no rows.", "If that may be, name its fields: option columns."
                )
            self._high[0] = None
            return Reading(columns, (*fetched.notes, "no rows"), iter(()))
        reading = self._lines(fetched).read(recognise)
        if fetched.follower is not None and (mark := fetched.follower.mark()) is not None:
            self._high[0] = replace(mark, columns=reading.columns).text()
        return Reading(reading.columns, (*reading.notes, *fetched.notes), reading.batches)

    def fingerprint(self, update: Update) -> None:
        """Where and how it is read; without a watermark also all that it gives."""
        update(self._url.encode() + b"\n" + repr(self._plan).encode() + b"\n")
        if not self.streamed:
            fetched = self._fetch()
            if fetched.rows:
                self._lines(fetched).fingerprint(update)

    def after(self, mark: str | None) -> RestSource:
        """The same, only with rows at or beyond the mark that were not read before; see `_marks`."""
        return RestSource(self._client, self._url, self._plan, self._options, mark, self._high)

    def high_water(self) -> str | None:
        """The mark for the next load; None when there were no rows."""
        return self._high[0]

    def _lines(self, fetched: _Fetched) -> Source:
        from ..formats import open_blob

        return open_blob(FetchedBlob.holding(f"{self.name}.jsonl", fetched.spool), self._options)

    def _fetch(self) -> _Fetched:
        if self._fetched is None:
            plan = self._plan
            if self._since:
                self._before = read_mark(self._since, plan.watermark, self.name)
            params = {plan.param: str(self._before.value)} if self._before else {}
            gathering = _Gathering(plan, self._before, self.name)
            where = shown(self._client.parts)
            with self._client:
                for rows in pages(self._client, self._url, plan.paging, params, where):
                    gathering.add(rows)
            self._fetched = gathering.done()
        return self._fetched


class _Gathering:
    """Rows of page after page, written down as JSON lines."""

    def __init__(self, plan: Plan, before: Mark | None, name: str) -> None:
        self._plan, self._name = plan, name
        self._fetched = _Fetched(Spool(MOST_BYTES, name))
        if plan.watermark:
            self._fetched.follower = Follower(before, plan.watermark, name, _newer, fold=False)
        # Fields of earlier loads: a few new rows need not have them all.
        self._usual = [name for name in (before.columns if before else ()) if "." not in name]
        self._keys: OrderedDict[bytes, bytes] = OrderedDict()
        self._twice = self._dropped = self._below = self._unmarked = 0

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Take the rows of one page."""
        lines = []
        for row in rows:
            text = json.dumps(row, sort_keys=True)
            if self._is_wanted(row, text):
                lines.append(json.dumps(self._laid_out(row)))
        if lines:
            self._fetched.rows += len(lines)
            self._fetched.spool.append("".join(f"{line}\n" for line in lines).encode())

    def done(self) -> _Fetched:
        """What was gathered, with notes."""
        for count, words in (
            (self._dropped, "rows that stood on two pages, once each"),
            (
                self._twice,
                "rows stand on two pages in the same words; if a field tells rows apart, say so: key",
            ),
            (self._below, "rows below the mark are left out: the server does not heed watermark_param"),
            (self._unmarked, f"rows without {self._plan.watermark} are left out: no mark can find them"),
        ):
            if count:
                self._fetched.notes.append(f"{count:,} {words}")
        return self._fetched

    def _laid_out(self, row: dict[str, Any]) -> dict[str, Any]:
        if self._plan.columns:
            return {name: row.get(name) for name in self._plan.columns}
        lacking = [name for name in self._usual if name not in row]
        return {**row, **dict.fromkeys(lacking)} if lacking else row

    def _is_wanted(self, row: dict[str, Any], text: str) -> bool:
        if not self._is_first(row, text):
            return False
        follower = self._fetched.follower
        if follower is None:
            return True
        value = at_path(row, tuple(self._plan.watermark.split(".")))
        if value is None:
            self._unmarked += 1
            return False
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise SourceError(
                f"The watermark {self._plan.watermark!r:.80} of {self._name} is neither text nor a number.",
                "Use another field.",
            )
        try:
            if follower.before is not None and _newer(follower.before.value, value):
                self._below += 1
                return False
            return follower.is_new(value, (text,))
        except TypeError:
            raise SourceError(
                f"The watermark {self._plan.watermark!r:.80} of {self._name} holds values of different kinds.",
                "Use a field whose values are all times with a zone, all without, all numbers or all text.",
            ) from None

    def _is_first(self, row: dict[str, Any], text: str) -> bool:
        """Whether a row did not stand on a page before in the same words."""
        names = [row.get(name) for name in self._plan.key]
        whole = _print(text)
        key = _print(json.dumps(names)) if names else whole
        known = self._keys.get(key)
        self._keys[key] = whole
        self._keys.move_to_end(key)
        if len(self._keys) > _REMEMBERED:
            self._keys.popitem(last=False)
        if known != whole:
            return True
        if self._plan.key:
            self._dropped += 1
            return False
        self._twice += 1
        return True


def _print(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=12).digest()


def _newer(one: Any, than: Any) -> bool:
    """Whether a watermark is beyond another: as moments where both are, else as what they are.

    Raises:
        TypeError: when they cannot be compared.
    """
    return bool(_moment(one) > _moment(than))


def _moment(value: Any) -> Any:
    if isinstance(value, str) and value[:1].isdigit() and len(value) >= 10:
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value
    return value
