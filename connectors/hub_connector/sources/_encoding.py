"""Which encoding a file of text is in, found by reading all of it, and its text as UTF-8 blocks.

Order: a byte order mark decides; zero bytes in every second place are UTF-16; a file that is UTF-8 from end to end
is UTF-8; then Windows-1252, if its letters look like western text; then whatever charset-normalizer finds most
coherent. A guess is always reported, so that people can correct it with an option.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Final

from ..errors import SourceError

__all__ = ["BLOCK", "Encoding", "checked_encoding", "detect_encoding", "is_utf8", "utf8_blocks"]

#: Bytes read at a time.
BLOCK: Final = 1 << 20

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: First bytes of files that people take for CSV, and what they are.
_OTHER_KINDS: Final = (
    (b"PK\x03\x04", "an Excel (.xlsx), OpenDocument or ZIP file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel (.xls) file"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a gzip file"),
    (b"SQLite format 3", "an SQLite database"),
)
#: How codecs begin in which every byte is a sign of its own and those of ASCII are what they are there.
_ONE_BYTE: Final = ("cp125", "iso8859-", "koi8-")
_SAMPLE_BYTES: Final = 64 * 1024
_SAMPLE_LINES: Final = 500
#: What western text holds beyond ASCII: accented letters, pounds, euros, quotation marks and dashes of an office
#: program, a no-break space, degrees and the like.
_WESTERN: Final = frozenset(
    "£€§©®°±²³µ·¹ºª¼½¾×÷«»¿¡–—‘’‚“”„†‡•…‰‹›™\xa0\xad´¨¢"
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿŒœŠšŽžŸ"
)
#: Two marks in a row are rare in western text and the rule in text of another script read as if it were western.
_MOST_DOUBLED: Final = 0.2


@dataclass(frozen=True)
class Encoding:
    """An encoding and how it is known.

    codec: name for Python's codecs, without the mark; mark: length in bytes of the byte order mark to skip;
    guessed: whether someone should look; damaged: whether some bytes are not of the encoding (they read as U+FFFD).
    """

    codec: str
    mark: int = 0
    guessed: bool = False
    damaged: bool = False

    @property
    def note(self) -> str:
        """How the file was understood, for the person who pushes it."""
        name = self.codec.upper() if self.codec.startswith("utf") else self.codec
        if self.damaged:
            return f"encoding {name}; some rows have bytes that are not {name} and are at fault"
        return (
            f"encoding {name} (guessed: say --encoding if names look wrong)"
            if self.guessed
            else f"encoding {name}"
        )


def checked_encoding(name: str) -> Encoding:
    """The encoding someone asked for.

    Raises:
        SourceError: when Python knows no such text encoding.
    """
    try:
        codec = codecs.lookup(name)
        b"".decode(codec.name)
    except LookupError:
        raise SourceError(
            f"There is no text encoding called {name!r}.",
            "Common ones: utf-8, cp1252 (Windows), utf-16, iso8859-1.",
        ) from None
    return Encoding("utf-8" if codec.name == "utf-8-sig" else codec.name)


def detect_encoding(stream: BinaryIO, name: str) -> Encoding:
    """The encoding of the bytes from here to the end of `stream` (about 1 GB/s for UTF-8).

    Raises:
        SourceError: when the bytes are no text at all, saying what they seem to be.
    """
    head = stream.read(4096)
    mark = _mark(head)
    if mark is not None:
        return mark
    for magic, what in _OTHER_KINDS:
        if head.startswith(magic):
            raise SourceError(
                f"{name} is {what}, not CSV.", "Save the table as CSV (UTF-8) and use that file."
            )
    if b"\0" in head:
        return _without_mark(head, name)
    survey = _Survey()
    survey.feed(head)
    while block := stream.read(BLOCK):
        survey.feed(block)
    return survey.verdict(name)


def _mark(head: bytes) -> Encoding | None:
    for mark, codec in _MARKS:
        if head.startswith(mark):
            return Encoding(codec, mark=len(mark))
    return None


def _without_mark(head: bytes, name: str) -> Encoding:
    """UTF-16 has a zero beside each ASCII letter; anything else with zeros among its first bytes is no text."""
    half = len(head) // 2
    for codec, other in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros, letters = head[other::2].count(0), head[1 - other :: 2].count(0)
        if zeros > half * 0.4 and letters < half * 0.1 and _is_text(head[: 2 * half], codec):
            return Encoding(codec, guessed=True)
    raise SourceError(
        f"{name} holds binary data, not text.", "Save the table as CSV (UTF-8) in the program it came from."
    )


def _is_text(head: bytes, codec: str) -> bool:
    """Whether bytes read as text without control characters; the last sign may be cut."""
    text = codecs.getincrementaldecoder(codec)("replace").decode(head)
    return not re.search(r"[\x00-\x08\x0e-\x1f\x7f\ufffd]", text)


def _lines_beyond_ascii(block: bytes) -> bytes:
    """The first lines with more than ASCII. Whole ones: cut elsewhere, characters of several bytes would fall apart."""
    whole = block.split(b"\n")[:-1]
    return b"".join(
        line + b"\n" for line in islice((line for line in whole if not line.isascii()), _SAMPLE_LINES)
    )


class _Survey:
    """Counts over a whole file, in one pass: is it UTF-8, and if not, what do its odd places look like."""

    def __init__(self) -> None:
        self._cut = b""  # the first bytes of a sign that goes on in the next block
        self._bad = 0
        self._good = 0
        self._sample = bytearray()

    def feed(self, block: bytes) -> None:
        if block.isascii() and not self._cut:
            return
        if len(self._sample) < _SAMPLE_BYTES and not block.isascii():
            self._sample += _lines_beyond_ascii(block) or block
        text = self._cut + block
        whole = _whole_signs(text)
        self._cut = text[whole:]
        self._count(text[:whole] if self._cut else text)

    def _count(self, text: bytes) -> None:
        if is_utf8(text):
            self._good += not text.isascii()
            return
        beyond = re.findall(r"[^\x00-\x7f]", text.decode(errors="surrogateescape"))
        bad = sum("\udc80" <= sign <= "\udcff" for sign in beyond)
        self._bad += bad
        self._good += len(beyond) - bad

    def verdict(self, name: str) -> Encoding:
        self._count(self._cut)
        if not self._bad:
            return Encoding("utf-8")
        if self._good > self._bad:
            return Encoding("utf-8", damaged=True)
        guess = _guess(bytes(self._sample))
        if guess is None:
            raise SourceError(
                f"The text encoding of {name} cannot be told.",
                "Say it with --encoding, or save the file as UTF-8.",
            )
        return Encoding(guess, guessed=True)


def _whole_signs(text: bytes) -> int:
    """Where UTF-8 is to be cut so that no sign is cut: before a last sign that lacks bytes, else at the end."""
    for back in range(1, min(4, len(text) + 1)):
        first = text[-back]
        if first & 0xC0 != 0x80:
            width = 4 if first >= 0xF0 else 3 if first >= 0xE0 else 2 if first >= 0xC0 else 1
            return len(text) - back if width > back else len(text)
    return len(text)


def is_utf8(text: bytes) -> bool:
    """Whether all of it is UTF-8. Arrow looks at many bytes at once and, unlike decoding, makes nothing."""
    import pyarrow as pa

    ends = pa.array([0, len(text)], pa.int64()).buffers()[1]
    try:
        pa.LargeStringArray.from_buffers(1, ends, pa.py_buffer(text)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _guess(sample: bytes) -> str | None:
    """The likeliest encoding of lines that are not UTF-8, None when nothing is likely."""
    try:
        beyond = re.findall(r"[^\x00-\x7f]+", sample.decode("cp1252"))
    except UnicodeDecodeError:
        beyond = []
    marks = "".join(beyond)
    doubled = sum(len(run) - 1 for run in beyond)
    if marks and set(marks) <= _WESTERN and doubled <= _MOST_DOUBLED * len(marks):
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    return best.encoding if best is not None else None


def utf8_blocks(stream: BinaryIO, encoding: Encoding, name: str) -> Iterator[bytes]:
    """The text from the start of `stream`, without byte order mark, as UTF-8 in blocks cut anywhere.

    UTF-8 passes as it is (readers check it); damaged UTF-8 comes with U+FFFD in place of what cannot be read.

    Raises:
        SourceError: when the bytes are not of that encoding.
    """
    stream.read(encoding.mark)
    if encoding.codec == "utf-8" and not encoding.damaged:
        while block := stream.read(BLOCK):
            yield block
        return
    decoder = codecs.getincrementaldecoder(encoding.codec)("replace" if encoding.damaged else "strict")
    single = encoding.codec.startswith(_ONE_BYTE)
    try:
        while block := stream.read(BLOCK):
            ascii_only = block.isascii() and (single or (encoding.damaged and not decoder.getstate()[0]))
            yield block if ascii_only else decoder.decode(block).encode()
        yield decoder.decode(b"", True).encode()
    except UnicodeError as error:
        # The text of the error would show bytes of the file; its kind is enough.
        raise SourceError(
            f"{name} is not {encoding.codec} throughout ({type(error).__name__}).",
            "Say which encoding it is with --encoding (for example cp1252), or save it as UTF-8.",
        ) from None
