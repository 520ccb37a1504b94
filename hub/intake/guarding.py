"""Values that a spreadsheet would run as a formula: an apostrophe before them on the way out, and off it on the way in.

Rows at fault leave the hub as CSV, are mended in a spreadsheet and come again. What begins like a formula (OWASP, CSV
injection) is guarded; so is what looks guarded already. So guarding can be undone exactly, whatever a value is.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["GUARDED", "bare", "guard"]

_DANGEROUS: Final = re.compile(r"'*[=+\-@\t\r\n]")
#: A number below nothing is no formula. One with a plus is guarded: spreadsheets would drop the sign.
_NEGATIVE: Final = re.compile(r"-[0-9]+(\.[0-9]+)?\Z")
#: What `guard` makes, for RE2 and for Python; the group is what it made it of, as far as it matters.
GUARDED: Final = r"^'('*[=+\-@\t\r\n])"
_GUARDED: Final = re.compile(GUARDED)


def guard(text: str) -> str:
    """The text as no spreadsheet runs it."""
    return f"'{text}" if _DANGEROUS.match(text) and not _NEGATIVE.match(text) else text


def bare(text: str) -> str:
    """The text that was guarded."""
    return _GUARDED.sub(r"\1", text)
