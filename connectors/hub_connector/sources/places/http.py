"""Files at web addresses: `https://host/path/file.csv`."""

from __future__ import annotations

import codecs
import mimetypes
import re
from collections.abc import Mapping
from email.message import Message
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from ...errors import SourceError
from ._address import plain_name, shown
from ._settings import separate
from ._spool import MOST_BYTES, FetchedBlob, Spool
from ._web import OPTIONS, Answer, web_client

if TYPE_CHECKING:
    from ..base import Source

__all__ = ["open_http"]

#: Types of content whose usual suffix Python's table does not know, or gives differently from place to place.
_SUFFIXES: Final = {
    "text/csv": ".csv",
    "application/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/json": ".json",
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "application/xml": ".xml",
    "text/xml": ".xml",
    "application/vnd.apache.parquet": ".parquet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/gzip": ".gz",
    "application/zip": ".zip",
}
_TABLES: Final = ("text/csv", "text/tab-separated-values", "text/plain")
_HTML: Final = ("text/html", "application/xhtml+xml")


def open_http(location: str, options: Mapping[str, object]) -> Source | None:
    """A file at an http or https address, fetched at once; None for other locations.

    Raises:
        ConfigError: when the address or an option cannot be used.
        SourceError: when the file cannot be fetched, or is a web page.
    """
    if not re.match(r"https?://", location, re.IGNORECASE):
        return None
    settings, rest = separate("HTTP", options, OPTIONS)
    client = web_client(location, settings, MOST_BYTES)
    spool = Spool(client.most, plain_name(client.parts.path, client.parts.hostname or "download"))
    with client:
        answer = client.download(location, spool)
    kind, charset = _content(answer.content_type)
    name = _named(answer, kind, client.parts.path, client.parts.hostname or "download")
    if kind in _HTML and spool.read(0, 100).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise SourceError(
            f"{shown(client.parts)} answers with a web page, not with a file.",
            "Give the address of the file itself; where a sign-in is needed, put it into the dataset's options.",
        )
    blob = FetchedBlob.holding(name, spool)
    from ..formats import open_blob

    if charset and kind in _TABLES and "encoding" not in rest and _is_guessed(blob):
        rest["encoding"] = charset
    return open_blob(blob, rest)


def _content(header: str) -> tuple[str, str]:
    """The type and the character set of a Content-Type header, each empty when it says none."""
    message = Message()
    message["content-type"] = header or "application/octet-stream"
    charset = message.get_param("charset", "")
    try:
        known = codecs.lookup(charset).name if isinstance(charset, str) and charset else ""
    except LookupError:
        known = ""
    return message.get_content_type(), known


def _named(answer: Answer, kind: str, path: str, host: str) -> str:
    """What to call the file: as the server says, else by its address; with the suffix of its type if it has none."""
    message = Message()
    message["content-disposition"] = answer.disposition or "inline"
    told = message.get_filename() or ""
    name = plain_name(told, "") or plain_name(path, "") or plain_name(answer.path, host)
    if PurePosixPath(name).suffix.lower() not in {*_SUFFIXES.values(), ".tab", ".txt", ".xlsm", ".xlsb"}:
        name += (
            _SUFFIXES.get(kind) or (mimetypes.guess_extension(kind) if kind.startswith("text/") else "") or ""
        )
    return name


def _is_guessed(blob: FetchedBlob) -> bool:
    """Whether the bytes leave room for the server's word on their encoding: servers often say a default."""
    from .._encoding import detect_encoding

    with blob.open() as stream:
        try:
            return detect_encoding(stream, blob.name).guessed
        except SourceError:
            return True
