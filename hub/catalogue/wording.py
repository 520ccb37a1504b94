"""Words that can be searched: the same for what is stored and for what is typed, so that they meet."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

__all__ = ["MOST_TYPED", "MOST_WORDS", "patterns", "sort_key", "stored", "words"]

#: So much of what somebody typed is looked at, and so many of its words.
MOST_TYPED: Final = 200
MOST_WORDS: Final = 12
_LONGEST: Final = 60
_KEY: Final = 200
_WORD: Final = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """The words of a text: letters and digits in small letters without accents; all else parts words.

    So `date_of_birth` is three words, `Plas-y-Coed` is three, and `Métis` is `metis`. Nothing that a database's pattern
    could take for a wildcard is left in a word.
    """
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return [word[:_LONGEST] for word in _WORD.findall(plain)]


def stored(texts: Iterable[str]) -> str:
    """Each word of some texts once, between spaces, in the order in which they come."""
    every = dict.fromkeys(word for text in texts for word in words(text))
    return f" {' '.join(every)} "


def patterns(typed: str) -> list[str] | None:
    """What `stored` must contain for a search to find it: a space and the beginning of a word, for each word typed.

    None stands for no search at all; an empty list for one that has no word in it and so finds nothing.
    """
    if not typed.strip():
        return None
    return [f" {word}" for word in dict.fromkeys(words(typed[:MOST_TYPED]))][:MOST_WORDS]


def sort_key(text: str) -> str:
    """By what a text is sorted: its words, so that capitals, accents and quotation marks make no difference."""
    return " ".join(words(text))[:_KEY] or text[:_KEY]
