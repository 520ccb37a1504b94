"""Text and figures as people read them: cleaned of what cannot be shown, rounded, separated, shortened.

Everything here takes values that a plugin or a department chose, so nothing may fail on strange input and
nothing returned holds a character that XML forbids or that turns the direction of the text around it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from decimal import Decimal

__all__ = ["clean", "number", "short_number", "shorten", "text_width", "wrap"]

NO_DATA = "no data"

# Not allowed in XML 1.0, not allowed in HTML, or able to reorder the text that follows (bidirectional
# controls).
_UNSHOWABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_SPACES = re.compile(r"\s+")
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MILLION, _BILLION, _SCIENTIFIC = 1e6, 1e9, 1e15


def clean(value: object, limit: int = 2000) -> str:
    """A value as one line of text: unshowable characters become U+FFFD, runs of white space one space."""
    if isinstance(value, int) and not isinstance(value, bool):
        return number(value)
    text = _SPACES.sub(" ", _UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", str(value)[: limit + 1])).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def number(value: object) -> str:
    """A figure for a table: thousands separators, a true minus sign, no more decimals than mean something.

    None and NaN read "no data"; what is no number comes back cleaned.
    """
    if value is None:
        return NO_DATA
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, int):
        return _signed(f"{abs(value):,}", value < 0) if abs(value) < _SCIENTIFIC else _scientific(value)
    return _real(float(value)) if isinstance(value, (float, Decimal)) else clean(value)


def _real(figure: float) -> str:
    if math.isnan(figure):
        return NO_DATA
    size = abs(figure)
    if math.isinf(figure):
        text = "infinite"
    elif size >= _SCIENTIFIC or 0 < size < 1e-4:
        return _scientific(figure)
    elif figure == int(figure):
        text = f"{int(size):,}"
    else:
        decimals = 1 if size >= 100 else 2 if size >= 1 else 2 - math.floor(math.log10(size))
        text = f"{size:,.{decimals}f}".rstrip("0").rstrip(".")
    return _signed(text, figure < 0)


def short_number(value: float, step: float, largest: float) -> str:
    """A figure for an axis that reaches `largest` in steps of `step`: 1,500, 2.5m, 3bn, 4 × 10¹⁸.

    All figures of one axis are written in the same unit.
    """
    if value == 0:
        return "0"
    if largest >= _SCIENTIFIC or step < 1e-5:
        # As many digits as it takes to tell one step from the next.
        apart = math.ceil(math.log10(largest / step)) if step > 0 else 0
        return _scientific(value, digits=max(3, min(apart + 2, 15)))
    unit, suffix = (
        (_BILLION, "bn") if largest >= _BILLION else (_MILLION, "m") if largest >= _MILLION else (1.0, "")
    )
    step /= unit
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if abs(round(step, decimals) - step) > step * 1e-6:
        decimals += 1  # steps of 0.25 need the place that steps of 0.2 and 0.5 do not
    return _signed(f"{abs(value) / unit:,.{decimals}f}{suffix}", value < 0)


def _signed(text: str, negative: bool) -> str:
    return f"\N{MINUS SIGN}{text}" if negative else text


def _scientific(value: int | float, digits: int = 4) -> str:
    """Like 1.234 × 10¹⁸, also for whole numbers too large for a float."""
    size = abs(value)
    exponent = math.floor(math.log10(size))
    mantissa = float(Decimal(size).scaleb(-exponent))
    power = str(exponent).translate(_SUPERSCRIPTS)
    return _signed(f"{mantissa:.{digits}g} × 10{power}", value < 0)


# --- room on the page ----------------------------------------------------------------------------

_NARROW, _WIDE = frozenset("iljtfrI.,:;'|!()[] -"), frozenset("mwMW@%—…")


def text_width(text: str, size: float) -> float:
    """About how wide the text is in Arial at `size` units, in the same units; errs on the wide side."""
    return size * sum(_character_width(character) for character in text)


def _character_width(character: str) -> float:
    if character in _NARROW:
        return 0.34
    if character in _WIDE:
        return 0.95
    if character.isascii():
        return 0.7 if character.isupper() else 0.57
    return 1.05 if unicodedata.east_asian_width(character) in "WF" else 0.75


def shorten(text: str, room: float, size: float) -> str:
    """The text, cut with an ellipsis so that it fits the room."""
    if text_width(text, size) <= room:
        return text
    room -= text_width("…", size)
    used, kept = 0.0, []
    for character in text:
        used += _character_width(character) * size
        if used > room:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"


def wrap(text: str, room: float, size: float, lines: int = 2) -> list[str]:
    """The text on at most `lines` lines that fit the room, broken between words, cut where it must be."""
    words, made = text.split(), []
    while words and len(made) < lines - 1:
        line = words[0]
        taken = 1
        while taken < len(words) and text_width(f"{line} {words[taken]}", size) <= room:
            line = f"{line} {words[taken]}"
            taken += 1
        made.append(shorten(line, room, size))
        words = words[taken:]
    if words:
        made.append(shorten(" ".join(words), room, size))
    return made or [""]
