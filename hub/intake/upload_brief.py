"""What the process that reads an uploaded file is told, and what it answers.

Both travel as JSON. The process gets no secret at all: it seals to the hub's public key, and the hub signs what it
made. The answer comes from where a stranger's file was read, so it is checked again (`Upload.from_json`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from hub.errors import Invalid

__all__ = ["Findings", "Line", "PackedFile", "Upload", "UploadBrief", "broke"]

_MOST_TEXT: Final = 500
_MOST_LINES: Final = 20
_MOST_NOTES: Final = 10


@dataclass(frozen=True)
class UploadBrief:
    """One file to read, check and seal.

    source: descriptor of the file; outputs: descriptors of the sealed files by role. most_sealed: bytes of one of
    these. most_read: bytes of all rows as they are held in memory, one batch after the other. replays: the delivery
    whose rows come again; open_rows: the packed numbers of those that are open (`hub.intake.ledger`), of `open_most`.
    """

    contract: str
    mode: str
    name: str
    delivery_id: str
    sealing_key: Mapping[str, str]
    part_size: int
    source: int
    outputs: Mapping[str, int]
    most_sealed: int
    most_read: int
    replays: str = ""
    open_rows: str = ""
    open_most: int = 0

    def to_json(self) -> bytes:
        """The brief as it is handed over."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> UploadBrief:
        """The brief of `to_json`."""
        return cls(**json.loads(data))

    @classmethod
    def packed(cls, numbers: bytes) -> str:
        """Packed row numbers as they stand in `open_rows`."""
        return base64.b64encode(numbers).decode()


@dataclass(frozen=True)
class PackedFile:
    """A sealed file: its role, its rows, its key material."""

    role: str
    rows: int
    key_material: Mapping[str, str]


@dataclass(frozen=True)
class Line:
    """One rule broken in one column: how often, the first row, and words on the first fault."""

    rule: str
    column: str
    count: int
    first_row: int | None
    message: str


@dataclass(frozen=True)
class Findings:
    """What the check found, for who uploads.

    notes: how the file was understood. refusal: why the hub would refuse the whole; empty when it would not. warnings:
    what does not stop it. left_out: rows of a replay that are not open (any more).
    """

    rows: int
    accepted: int
    refused: int
    notes: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    refusal: str = ""
    warnings: tuple[str, ...] = ()
    left_out: int = 0

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Findings:
        """The findings, as plain values; each text cut to what a page has room for."""
        lines = [
            Line(_text(a), _text(b), _count(c), d and _count(d), _text(e)) for a, b, c, d, e in value["lines"]
        ]
        return cls(
            rows=_count(value["rows"]), accepted=_count(value["accepted"]), refused=_count(value["refused"]),
            notes=tuple(map(_text, value["notes"][:_MOST_NOTES])), lines=tuple(lines[:_MOST_LINES]),
            refusal=_text(value["refusal"]), warnings=tuple(map(_text, value["warnings"][:_MOST_NOTES])),
            left_out=_count(value["left_out"]),
        )  # fmt: skip


@dataclass(frozen=True)
class Upload:
    """A file as a delivery's parts: its sealed files, the rows that were in it, and what was found."""

    files: tuple[PackedFile, ...]
    source_rows: int
    findings: Findings

    @classmethod
    def from_json(cls, value: Any) -> Upload:
        """The upload, as far as it can be one.

        Raises:
            Invalid: when it cannot: what was read has taken over the process that read it.
        """
        try:
            files = tuple(
                PackedFile(str(file["role"]), _count(file["rows"]), dict(file["key_material"]))
                for file in value["files"]
            )
            return cls(files, _count(value["source_rows"]), Findings.from_json(value["findings"]))
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise broke(type(error).__name__) from None


def broke(why: str) -> Invalid:
    """The error of a file that no answer came of."""
    return Invalid(
        f"The file broke the process that read it ({why}). It is damaged, or was made to do harm. Save it anew, as "
        "CSV, and try again."
    )


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= 2**53:
        raise ValueError("not a count")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value[:_MOST_TEXT]
