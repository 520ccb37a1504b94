"""A process that reads one workbook, with limits on its memory and time; and how to talk to it.

Questions and answers are messages: a letter for what it is, its length, its bytes. The first message holds the file;
it goes through a pipe, so nothing of it is written to the disk.

    -> J name, F file  <- J sheets               or E an error in words (which ends it)
    -> J question      <- J answer, or: A columns (Arrow) and J errors for some rows, again and again, then Z
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ..errors import SourceError
from ._workbook import Part, Sheet, Workbook

if TYPE_CHECKING:
    from ._cell_errors import Ranges

__all__ = ["MOST_MEMORY", "MOST_SECONDS", "WorkbookProcess", "main"]

#: Bytes of address space that the process may use, and seconds that one answer may take.
MOST_MEMORY: Final = 4 << 30
MOST_SECONDS: Final = 600
_LENGTH: Final = struct.Struct("<cQ")
_MOST_MESSAGE: Final = 4 << 30
#: What must not reach a process that reads files of others: passphrases and the like.
_SECRET: Final = ("HUB_CONNECTOR_KEY", "HUB_CONNECTOR_CODE")


def _send(stream: BinaryIO, kind: bytes, body: bytes) -> None:
    stream.write(_LENGTH.pack(kind, len(body)))
    stream.write(body)
    stream.flush()


def _receive(stream: BinaryIO) -> tuple[bytes, bytes]:
    """The next message; an empty kind when there is none."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return b"", b""
    kind, length = _LENGTH.unpack(head)
    if length > _MOST_MESSAGE:
        return b"", b""
    body = stream.read(length)
    return (kind, body) if len(body) == length else (b"", b"")


class WorkbookProcess:
    """A workbook that another process reads; the same questions as to a `Workbook`.

    Raises:
        SourceError: from every method, in words, when the workbook cannot be read.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self._name = name
        environment = {key: value for key, value in os.environ.items() if not key.startswith(_SECRET)}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
        )  # fmt: skip
        self.close = weakref.finalize(self, _end, self._process)
        self._ask(b"J", json.dumps(name).encode())
        self._ask(b"F", data)
        self.sheets = tuple(Sheet(name, visible) for name, visible in self._answer())

    def head(self, name: str, rows: int) -> tuple[int, list[list[str]]]:
        """See `Workbook.head`."""
        self._question("head", name, rows)
        top, shown = self._answer()
        return top, shown

    def survey(self, name: str, first: int) -> tuple[list[int], list[int]]:
        """See `Workbook.survey`."""
        self._question("survey", name, first)
        used, long = self._answer()
        return used, long

    def merged(self, name: str) -> Ranges:
        """See `Workbook.merged`."""
        self._question("merged", name)
        return [((top, left), (bottom, right)) for (top, left), (bottom, right) in self._answer()]

    def parts(self, name: str, first: int, columns: Sequence[int], fill: bool) -> Iterator[Part]:
        """See `Workbook.parts`. The process ends with the last of them."""
        import pyarrow as pa

        self._question("parts", name, first, list(columns), fill)
        while True:
            kind, body = self._message()
            if kind != b"A":
                break
            with pa.ipc.open_stream(body) as stream:
                table = stream.read_all()
            errors = [
                (int(at), int(row), int(column), str(error)) for at, row, column, error in self._answer()
            ]
            yield Part([column.combine_chunks() for column in table.columns], table.num_rows, errors)
        self.close()
        if kind != b"Z":
            raise self._broken()

    def _question(self, *words: Any) -> None:
        self._ask(b"J", json.dumps(words).encode())

    def _ask(self, kind: bytes, body: bytes) -> None:
        try:
            _send(self._process.stdin, kind, body)  # type: ignore[arg-type]
        except OSError:
            # It ended; why, its last message may say.
            self._message()
            raise self._broken() from None

    def _answer(self) -> Any:
        kind, body = self._message()
        if kind != b"J":
            raise self._broken()
        return json.loads(body)

    def _message(self) -> tuple[bytes, bytes]:
        late = threading.Timer(MOST_SECONDS, self._process.kill)
        late.start()
        try:
            kind, body = _receive(self._process.stdout)  # type: ignore[arg-type]
        finally:
            late.cancel()
            late.join()
        if kind == b"E":
            self.close()
            message, hint = json.loads(body)
            raise SourceError(message, hint)
        return kind, body

    def _broken(self) -> SourceError:
        self.close()
        return SourceError(
            f"{self._name} is damaged, or needs more memory or time than a workbook may take ({MOST_MEMORY >> 30} GiB, "
            f"{MOST_SECONDS // 60} minutes).",
            "Open it in a spreadsheet program, delete what lies far outside the table, and save it anew; "
            "or save the one sheet as CSV.",
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):  # what was not sent is not needed any more
                stream.close()
    process.wait()


def main() -> None:
    """Read the workbook on standard input and answer questions on it until there are no more."""
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    import pyarrow  # noqa: F401 (before memory is limited: libraries reserve much and use little of it)

    _limit()
    _, named = _receive(questions)
    kind, data = _receive(questions)
    if kind != b"F":
        return
    name = json.loads(named)
    try:
        book = Workbook(data, name)
        del data
        _tell(answers, [[sheet.name, sheet.visible] for sheet in book.sheets])
        while (message := _receive(questions))[0]:
            what, *words = json.loads(message[1])
            if what == "parts":
                _tell_parts(answers, book.parts(*words))
            else:
                _tell(
                    answers, {"head": book.head, "survey": book.survey, "merged": book.merged}[what](*words)
                )
    except SourceError as error:
        _send(answers, b"E", json.dumps([error.message, error.hint]).encode())
    except MemoryError:
        words = [
            f"{name} needs more memory than a workbook may take.",
            "Save the one sheet as CSV and use that.",
        ]
        _send(answers, b"E", json.dumps(words).encode())
    except OSError:
        pass  # nobody listens any more


def _tell(answers: BinaryIO, value: object) -> None:
    _send(answers, b"J", json.dumps(value).encode())


def _tell_parts(answers: BinaryIO, parts: Iterator[Part]) -> None:
    import pyarrow as pa

    for part in parts:
        names = [str(place) for place in range(len(part.columns))]
        batch = pa.record_batch(part.columns, names=names)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        _send(answers, b"A", sink.getvalue())
        _tell(answers, part.errors)
    _send(answers, b"Z", b"")


def _limit() -> None:
    """Keep memory and processor time within bounds, where the system knows such bounds."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limits = {resource.RLIMIT_AS: MOST_MEMORY, resource.RLIMIT_CPU: MOST_SECONDS, resource.RLIMIT_CORE: 0}
    for what, most in limits.items():
        _, hard = resource.getrlimit(what)
        with suppress(OSError, ValueError):  # macOS knows no limit of address space
            resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    main()
