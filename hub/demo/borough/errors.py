"""The mistakes people make when they write names, dates and numbers down.

Each function turns one text into a wrong one, given a random generator; it returns the text unchanged when
the mistake cannot be made in it. They touch few rows, so they work on single strings.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from numpy.random import Generator

from hub.demo.borough.name_lists import NICKNAMES

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    letter: "".join(row[max(0, at - 1) : at] + row[at + 1 : at + 2])
    for row in _ROWS
    for at, letter in enumerate(row)
}
_SOUNDS = (
    ("ph", "f"),
    ("ck", "k"),
    ("ee", "ea"),
    ("ie", "ei"),
    ("ou", "oo"),
    ("ai", "ay"),
    ("ll", "l"),
    ("tt", "t"),
    ("nn", "n"),
    ("ss", "s"),
    ("th", "t"),
    ("c", "k"),
    ("k", "c"),
    ("s", "z"),
    ("y", "i"),
    ("i", "y"),
    ("v", "f"),
    ("er", "ar"),
    ("o", "u"),
)
_SHAPES = (
    ("rn", "m"),
    ("m", "rn"),
    ("cl", "d"),
    ("l", "1"),
    ("o", "0"),
    ("e", "c"),
    ("h", "b"),
    ("w", "vv"),
    ("i", "l"),
)
_PLAIN = str.maketrans({"ł": "l", "Ł": "L", "ı": "i", "ø": "o", "ß": "ss"})


def keyboard(text: str, rng: Generator) -> str:
    """A neighbouring key struck instead of the right one: Smith, Smuth."""
    places = [at for at, letter in enumerate(text) if letter.lower() in _NEIGHBOURS and at > 0]
    if not places:
        return text
    at = places[int(rng.integers(len(places)))]
    choices = _NEIGHBOURS[text[at].lower()]
    return text[:at] + choices[int(rng.integers(len(choices)))] + text[at + 1 :]


def phonetic(text: str, rng: Generator) -> str:
    """Written as heard: Stephen, Stefen; Thompson, Tompson."""
    return _replace_one(text, _SOUNDS, rng)


def scanned(text: str, rng: Generator) -> str:
    """Misread by a scanner: Burns, Bums; Clark, Dark."""
    return _replace_one(text, _SHAPES, rng)


def swapped_letters(text: str, rng: Generator) -> str:
    """Two neighbouring letters exchanged: Brian, Brain."""
    places = [at for at in range(1, len(text) - 1) if text[at].isalpha() and text[at + 1].isalpha()]
    places = [at for at in places if text[at] != text[at + 1]]
    if not places:
        return text
    at = places[int(rng.integers(len(places)))]
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def missing_letter(text: str, rng: Generator) -> str:
    """A letter left out: Hannah, Hanah."""
    if len(text) < 4:
        return text
    at = int(rng.integers(1, len(text)))
    return text[:at] + text[at + 1 :] if text[at].isalpha() else text


def doubled_letter(text: str, rng: Generator) -> str:
    """A letter struck twice: Alan, Allan."""
    at = int(rng.integers(1, len(text))) if len(text) > 1 else 0
    return text[:at] + text[at] + text[at:] if text[at].isalpha() else text


def nickname(text: str, rng: Generator) -> str:
    """What the person is called: William, Bill."""
    choices = NICKNAMES.get(text, ())
    return choices[int(rng.integers(len(choices)))] if choices else text


def initial(text: str, rng: Generator) -> str:
    """Only the first letter."""
    return text[:1]


def one_of_two_names(text: str, rng: Generator) -> str:
    """Half of a double name: Smith-Jones, Jones."""
    parts = [part for part in text.replace("-", " ").split(" ") if part]
    return parts[int(rng.integers(len(parts)))] if len(parts) > 1 else text


def day_and_month_swapped(text: str, rng: Generator) -> str:
    """2012-03-04 for 2012-04-03; unchanged where the day is above 12 or the same as the month."""
    year, month, day = text.split("-")
    return f"{year}-{day}-{month}" if int(day) <= 12 else text


def wrong_year(text: str, rng: Generator) -> str:
    """A year before or after the right one."""
    year, month, day = text.split("-")
    return f"{int(year) - 1}-{month}-{min(int(day), 28):02d}"


def wrong_day(text: str, rng: Generator) -> str:
    """Another day of the same month."""
    year, month, day = text.split("-")
    return f"{year}-{month}-{(int(day) + int(rng.integers(0, 9))) % 28 + 1:02d}"


def first_of_january(text: str, rng: Generator) -> str:
    """What is entered when only the year is known."""
    return f"{text[:4]}-01-01"


def swapped_digits(text: str, rng: Generator) -> str:
    """Two different neighbouring digits exchanged: 1234, 1324."""
    places = [at for at in range(len(text) - 1) if text[at : at + 2].isdigit() and text[at] != text[at + 1]]
    if not places:
        return text
    at = places[int(rng.integers(len(places)))]
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def without_accents(text: str) -> str:
    """What an old system keeps of a name: Łukasz, Lukasz; Siobhán, Siobhan."""
    plain = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    return plain.encode("ascii", "ignore").decode()


def without_marks(text: str) -> str:
    """A name without apostrophes and hyphens: O'Brien, OBrien; Smith-Jones, Smith Jones."""
    return text.replace("'", "").replace("-", " ")


def _replace_one(text: str, pairs: tuple[tuple[str, str], ...], rng: Generator) -> str:
    fitting = [(old, new) for old, new in pairs if old in text[1:]]
    if not fitting:
        return text
    old, new = fitting[int(rng.integers(len(fitting)))]
    at = text.index(old, 1)
    return text[:at] + new + text[at + len(old) :]


Mistake = Callable[[str, Generator], str]

NAME_MISTAKES: tuple[tuple[str, Mistake, float], ...] = (
    ("keyboard slip", keyboard, 0.24),
    ("written as heard", phonetic, 0.24),
    ("scanner misreading", scanned, 0.12),
    ("letters swapped", swapped_letters, 0.16),
    ("letter missing", missing_letter, 0.14),
    ("letter doubled", doubled_letter, 0.10),
)
"""Kind, function and share of the slips made in names."""

DATE_MISTAKES: tuple[tuple[str, Mistake, float], ...] = (
    ("day and month swapped", day_and_month_swapped, 0.45),
    ("wrong year", wrong_year, 0.15),
    ("wrong day", wrong_day, 0.25),
    ("first of January", first_of_january, 0.15),
)
"""Kind, function and share of the slips made in dates of birth."""
