"""Whether a query is one SELECT.

A courtesy to whoever slips: what really keeps a database as it is are the rights of the account, and the read-only
transaction where the database has one.
"""

from __future__ import annotations

import re
from typing import Final

from ...errors import ConfigError

__all__ = ["checked_query"]

#: What is not SQL words: comments, texts, quoted names, PostgreSQL's dollar quotes.
_ASIDE: Final = re.compile(
    r"""--[^\n]*
      | /\*.*?(?:\*/|\Z)
      | '(?:[^']|'')*(?:'|\Z)
      | "(?:[^"]|"")*(?:"|\Z)
      | `[^`]*(?:`|\Z)
      | \[[^\]\n]*\]
      | \$(?P<tag>[A-Za-z_]*)\$.*?(?:\$(?P=tag)\$|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_CHANGES: Final = (
    "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP", "ALTER", "TRUNCATE", "GRANT", "REVOKE", "CALL", "EXEC",
    "EXECUTE", "COPY", "INTO",
)  # fmt: skip
#: Names of columns are often words of SQL; these begin a statement only in these places.
_CHANGE: Final = re.compile(
    r"(?:\A|;|\(|\bAS\s*\()\s*(?:INSERT|UPDATE|DELETE|MERGE|DROP|ALTER|CREATE|TRUNCATE)\s+\w"
    r"|\b(?:INSERT|MERGE|SELECT\b[^()]*?)\s+INTO\s+\w"
    r"|\)\s*(?:INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|MERGE\s+INTO)\b",
    re.IGNORECASE,
)


def checked_query(query: str) -> str:
    """The query without a semicolon at its end.

    Raises:
        ConfigError: when it is not one SELECT.
    """
    hint = 'Write one SELECT (or WITH ... SELECT), or name a table instead: table = "pupils".'
    bare = _ASIDE.sub(" ", query).strip()
    stripped = query.strip()
    if bare.endswith(";"):
        bare = bare.rstrip("; \t\r\n")
        # The semicolon is the last sign but for blanks and comments; find it in the text as it stands.
        ends = [place for place in _outside(query) if query[place] == ";"]
        stripped = query[: ends[0]].strip() if ends else stripped
    if ";" in bare:
        raise ConfigError("The option query holds more than one statement.", hint)
    first = re.match(r"[(\s]*([A-Za-z]+)", bare)
    word = first[1].upper() if first else "nothing"
    if word not in ("SELECT", "WITH"):
        raise ConfigError(f"The option query is no SELECT: it begins with {word:.20}.", hint)
    if found := _CHANGE.search(bare):
        word = next((change for change in _CHANGES if change in found[0].upper()), "a change")
        raise ConfigError(f"The option query would change the database ({word}).", hint)
    return stripped


def _outside(query: str) -> list[int]:
    """Places that are not in comments, texts or quoted names."""
    asides = [found.span() for found in _ASIDE.finditer(query)]
    inside = {place for start, end in asides for place in range(start, end)}
    return [place for place in range(len(query)) if place not in inside]
