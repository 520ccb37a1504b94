"""Reading the log's rows for verification, many and quickly, and comparing each with what its text says.

A million entries are read and compared in seconds because nothing is parsed where an exact comparison will do: an
entry's text is canonical JSON, so what the columns repeat stands at its beginning and the subjects near its end. Where
that comparison does not fit (an escaped character, a text that is not canonical), the text is parsed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from hub.audit.vouching import Vouching
from hub.errors import Unavailable

__all__ = ["Row", "Subjects", "check_rows", "sealed_rows", "waiting_rows"]

#: leaf_index, id, at, actor, action, entry, leaf_hash
Row = Sequence[Any]
Report = Callable[[str], None]
_AT_ONCE: Final = 8192
#: Before every id and place.
_FIRST: Final = -(1 << 62)
_AT_MARK: Final = b'","at":"'
_SUBJECTS_MARK: Final = b',"subjects":['
_BETWEEN: Final = '","'
#: The column `at` as the text says it, but to the microsecond; and the text, as bytes where the database can.
_COLUMNS: Final = {
    "sqlite": "leaf_index, id, substr(at, 1, 10) || 'T' || substr(at, 12), actor, action, CAST(entry AS BLOB), "
    "leaf_hash",
    "postgresql": "leaf_index, id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), actor, action, "
    "entry, leaf_hash",
}
_JOINED: Final = {
    "sqlite": "group_concat(subject, '\",\"')",
    "postgresql": 'string_agg(subject, \'","\' ORDER BY subject COLLATE "C")',
}


def _dialect(session: Session) -> str:
    return str(session.get_bind().dialect.name)


def sealed_rows(session: Session) -> Iterator[list[Row]]:
    """Sealed entries in the order of their places, some thousands at a time."""
    query = text(
        f"SELECT {_COLUMNS[_dialect(session)]} FROM audit_entries "  # noqa: S608 - from a constant
        "WHERE leaf_index >= :next ORDER BY leaf_index LIMIT :many"
    )
    yield from _pages(session, query, 0)


def waiting_rows(session: Session) -> Iterator[list[Row]]:
    """Entries that are not sealed yet, by id."""
    query = text(
        f"SELECT {_COLUMNS[_dialect(session)]} FROM audit_entries "  # noqa: S608 - from a constant
        "WHERE leaf_index IS NULL AND id >= :next ORDER BY id LIMIT :many"
    )
    yield from _pages(session, query, 1)


def _pages(session: Session, query: Any, by: int) -> Iterator[list[Row]]:
    after = _FIRST
    while rows := _fetch(session, query, {"next": after, "many": _AT_ONCE}):
        yield rows
        after = rows[-1][by] + 1


def _fetch(session: Session, query: Any, values: dict[str, int]) -> list[Row]:
    """The driver's own rows: wrapping each costs as much again as reading it."""
    result: Any = session.execute(query, values)
    try:
        rows: list[Row] = result.cursor.fetchall()
    except sqlite3.OperationalError as error:
        if "decode" in str(error).lower():
            raise ValueError("text that is not UTF-8") from None
        raise Unavailable(f"The database does not answer ({error}); try again in a moment.") from None
    result.close()
    return rows


def check_rows(rows: Sequence[Row], subjects: Subjects, vouching: Vouching, report: Report) -> list[bytes]:
    """The leaf hashes of some rows, made from their texts; told is every row that disagrees with its text.

    An entry begins `{"action":"...","actor":"...","agreement":"...","at":"...","detail":`. In canonical JSON a string
    holds no quotation mark without a backslash, so what is looked for here cannot be part of a value.
    """
    hashes, heads, named, stands = [], {}, subjects.named, vouching.stands
    for _, entry_id, at, actor, action, said, leaf in rows:  # some microseconds each: this is the whole cost
        entry = said if type(said) is bytes else said.encode()
        digest = sha256(b"\x00" + entry).digest()
        hashes.append(digest)
        if digest != leaf:
            report(f"Entry {entry_id} was changed after it was written.")
        if not stands(entry):
            report(
                f"Entry {entry_id} is not as this hub wrote it: it was put there, or changed before it was sealed."
            )
        head = heads.get((action, actor))
        if head is None:
            head = heads[action, actor] = (
                f'{{"action":{_quoted(action)},"actor":{_quoted(actor)},"agreement":"'.encode()
            )
        when = f'","at":"{at[:23]}+00:00","detail":'.encode()
        if not (
            entry.startswith(head)
            and entry.startswith(when, entry.find(_AT_MARK, len(head)))
            and at[23:] == "000"
        ) and not _says(entry, at, actor, action):
            report(f"Entry {entry_id} does not say what its columns say.")
        start = entry.rfind(_SUBJECTS_MARK) + 13
        if entry[start : start + 1] != b"]":
            named[entry_id] = _subjects(entry, start)
    subjects.compare(rows[-1][1] if rows else 0, report)
    return hashes


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _says(entry: bytes, at: str, actor: str, action: str) -> bool:
    """The same by parsing, for texts that do not begin as usual."""
    try:
        content = json.loads(entry)
        same = content["at"] == f"{at[:23]}+00:00" and at[23:] == "000"
        return bool(same and content["actor"] == actor and content["action"] == action)
    except (ValueError, KeyError, TypeError):
        return False


def _subjects(entry: bytes, start: int) -> str:
    """The subjects that an entry names, in order, joined as the database joins them; what no text reads is never so."""
    end = entry.find(b'"]', start)
    joined = entry[start + 1 : end]
    if end >= 0 and b"\\" not in joined:
        return joined.decode(errors="replace")
    try:
        return _BETWEEN.join(sorted(set(json.loads(entry)["subjects"])))
    except (ValueError, KeyError, TypeError):
        return "\0"


class Subjects:
    """Compares the subjects that entries name with the table that finds entries by subject, in one pass over each.

    Entries come by place and the table by id. The two orders are nearly the same, so little waits at any time for its
    counterpart.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._query = text(
            f"SELECT entry_id, {_JOINED[_dialect(session)]} FROM audit_subjects "  # noqa: S608 - from a constant
            "WHERE entry_id >= :next AND entry_id <= :upto GROUP BY entry_id ORDER BY entry_id LIMIT :many"
        )
        self._next = _FIRST
        self.named: dict[int, str] = {}
        self._found: dict[int, str] = {}

    def compare(self, upto: int, report: Report) -> None:
        """Read the table up to an id, and forget what agrees."""
        while self._next <= upto:
            asked = {"next": self._next, "upto": upto, "many": _AT_ONCE}
            rows = _fetch(self._session, self._query, asked)
            self._found.update(rows)
            self._next = rows[-1][0] + 1 if len(rows) == _AT_ONCE else upto + 1
        if self.named == self._found:
            self.named.clear()
            self._found.clear()
            return
        for entry_id in self.named.keys() & self._found.keys():
            named, found = self.named.pop(entry_id), self._found.pop(entry_id)
            if named != found and sorted(named.split(_BETWEEN)) != sorted(found.split(_BETWEEN)):
                report(f"The people that entry {entry_id} is found by are not those it names.")

    def finish(self, report: Report) -> None:
        """Read what is left of the table, and tell what has no counterpart."""
        self.compare(-_FIRST, report)
        for entry_id in sorted(self.named):
            report(f"Entry {entry_id} is not found by the people it names.")
        for entry_id in sorted(self._found):
            report(f"Entry {entry_id} is found by people it does not name.")
        # Two references joined into one row would read like two rows above.
        odd = text("SELECT count(*) FROM audit_subjects WHERE subject LIKE '%\"%'")
        if self._session.execute(odd).scalar():
            report("The table that finds entries by people holds what is no reference.")
