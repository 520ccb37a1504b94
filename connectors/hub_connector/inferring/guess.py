"""From sampled text to what a contract would say: type, format, identifier, list of values, key, sensitivity.

A guess is only made when the contract's own reading of cells agrees with it, so a draft accepts its own sample but
for the few values it points out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

from hub_schemas import Column
from hub_schemas.cells import parse
from hub_schemas.identifiers import KINDS
from hub_schemas.model import DEFAULT_TIMESTAMP_FORMATS, Type

from .sample import ColumnSample, Sample
from .words import classify, column_name, identifier_hint, role_of, tokens, word_set

__all__ = ["Guess", "guess_columns", "guess_key"]

#: Share of filled rows that must agree with a type; real exports have a few slips.
MOST_FIT: Final = 0.98
_IDENTIFIER_FIT: Final = 0.9
_FEWEST: Final = 8
_MOST_VALUES: Final = 20
_ROWS_A_VALUE: Final = 8
_FIRST_LOOK: Final = 50
_KEY_ROWS: Final = (1_000, 20_000)
_KEY_COLUMNS: Final = 12
_DATES: Final = (
    "%Y-%m-%d", "%d/%m/%Y", "%-d/%-m/%Y", "%m/%d/%Y", "%-m/%-d/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y/%m/%d", "%d/%m/%y",
    "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%-d %b %Y", "%d %B %Y", "%-d %B %Y", "%Y-%m", "%m/%Y", "%b-%y",
)  # fmt: skip
_COMPACT_DATES: Final = ("%Y%m%d", "%d%m%Y")
_TIMES: Final = (
    "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%-d/%-m/%Y %H:%M", "%-d/%-m/%Y %H:%M:%S", "%d-%b-%Y %H:%M:%S",
    "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S",
)  # fmt: skip
#: Kinds whose form is so particular that values alone tell; the others need the header to say so too.
_TELLING: Final = ("nhs-number", "nino", "upn", "uln", "pnc-id", "postcode", "gss-code")
_CODE_WORDS: Final = word_set("id code ref reference number no num urn key uid phone telephone")
#: Headers under which values may name somebody; a draft never lists those.
_NAMING: Final = word_set(
    "name names officer worker manager teacher person email mail phone telephone mobile"
)
_MEASURES: Final = word_set("count total amount rate rent value minutes hours sessions officers age cost")


@dataclass
class Guess:
    """What a draft says of one column; `notes` are for whoever decides."""

    sample: ColumnSample
    name: str
    type: Type = "string"
    formats: tuple[str, ...] = ()
    identifier: str | None = None
    role: str | None = None
    classification: str = "official"
    required: bool = False
    values: tuple[str, ...] = ()
    pattern: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def is_measure(self) -> bool:
        """Whether it counts or measures something, and so names nobody and nothing."""
        return self.type in ("number", "boolean") or not _MEASURES.isdisjoint(tokens(self.sample.header))


def guess_columns(sample: Sample) -> list[Guess]:
    """A guess for every column, in order."""
    guesses: list[Guess] = []
    for place, column in enumerate(sample.columns, start=1):
        name = column_name(column.header, {guess.name for guess in guesses}, place)
        guesses.append(_guess(Guess(column, name)))
    _classify(guesses)
    for guess in guesses:
        _describe_text(guess)
    return guesses


def _guess(guess: Guess) -> Guess:
    column = guess.sample
    guess.required = column.is_full
    if not column.filled:
        guess.notes.append("empty in the whole sample: is it needed? what does it hold?")
        return guess
    for finder in (_as_identifier, _as_flag, _as_number, _as_time):
        if finder(guess):
            break
    guess.role = role_of(column.header, guess.identifier)
    if guess.role == "date_of_birth" and guess.type != "date":
        guess.role = None  # a country of birth, say
    return guess


def _unfit(guess: Guess, column: Column) -> tuple[float, list[int]]:
    """The share of filled rows that `column` can read, and the first data rows that it cannot."""
    values = list(guess.sample.counts)
    if not any(parse(column, value) is not None for value in values[:_FIRST_LOOK]):
        return 0.0, []
    bad = {value for value in values if parse(column, value) is None}
    count = sum(guess.sample.counts[value] for value in bad)
    rows = (
        [number for number, value in enumerate(guess.sample.values, start=1) if value in bad][:5]
        if bad
        else []
    )
    return 1 - count / guess.sample.filled, rows


def _fits(guess: Guess, kind: Type, least: float, **settings: object) -> bool:
    """Whether the sample can be read so; notes the rows that cannot."""
    share, rows = _unfit(guess, Column("c", "c", kind, **settings))  # type: ignore[arg-type]
    if share < least:
        return False
    if rows:
        what = settings.get("identifier") or kind
        guess.notes.append(f"{1 - share:.1%} of the sample is no {what}: rows {', '.join(map(str, rows))}")
    return True


def _as_identifier(guess: Guess) -> bool:
    for kind in KINDS:
        hinted = identifier_hint(guess.sample.header, kind)
        if not hinted and kind not in _TELLING:
            continue
        enough = len(guess.sample.counts) >= (1 if hinted else _FEWEST)
        if enough and _fits(
            guess, "string", 0.5 if hinted and KINDS[kind].check else _IDENTIFIER_FIT, identifier=kind
        ):
            guess.identifier = kind
            return True
    return False


def _as_flag(guess: Guess) -> bool:
    seen = {value.lower() for value in guess.sample.counts}
    if not (seen <= {"true", "false", "t", "f"} or seen <= {"yes", "no", "y", "n"}) or len(seen) < 2:
        return False
    if seen == {"f"} or ("f" in seen and role_of(guess.sample.header, None) == "sex"):
        return False
    guess.type = "boolean"
    return True


def _as_number(guess: Guess) -> bool:
    header, values = guess.sample.header, guess.sample.counts
    padded = any(re.fullmatch(r"0[0-9]+", value) for value in values)
    long = any(len(value) > 15 for value in values)
    if padded or long:
        if all(value.isdigit() for value in values):
            guess.notes.append(
                "digits kept as text: leading noughts or great length would be lost in a number"
            )
        return False
    if any(word in ("date", "dob", "birth") for word in tokens(header)) and _as_compact_date(guess):
        return True
    if _fits(guess, "integer", MOST_FIT):
        if not _CODE_WORDS.isdisjoint(tokens(header)):
            guess.notes.append(
                "kept as text since it names something; make it an integer if it counts something"
            )
            return True
        guess.type = "integer"
        if set(values) <= {"0", "1"} and len(values) == 2:
            guess.notes.append("only 0 and 1: is it a yes or no? Then write logicalType: boolean")
        return True
    if _fits(guess, "number", MOST_FIT):
        guess.type = "number"
        return True
    return False


def _as_compact_date(guess: Guess) -> bool:
    for pattern in _COMPACT_DATES:
        if _fits(guess, "date", MOST_FIT, formats=(pattern,)):
            guess.type, guess.formats = "date", (pattern,)
            return True
    return False


def _as_time(guess: Guess) -> bool:
    for pattern in _DATES:
        if _fits(guess, "date", MOST_FIT, formats=(pattern,)):
            guess.type, guess.formats = "date", (pattern,)
            _note_order(guess, pattern)
            return True
    if _fits(guess, "timestamp", MOST_FIT, formats=DEFAULT_TIMESTAMP_FORMATS):
        guess.type, guess.formats = "timestamp", DEFAULT_TIMESTAMP_FORMATS
        return True
    for pattern in _TIMES:
        if _fits(guess, "timestamp", MOST_FIT, formats=(pattern,)):
            guess.type, guess.formats = "timestamp", (pattern,)
            return True
    return False


def _note_order(guess: Guess, pattern: str) -> None:
    if pattern.startswith(("%d/%m", "%-d/%-m")):
        other = pattern.replace("d", "?").replace("m", "d").replace("?", "m")
        if _unfit(guess, Column("c", "c", "date", formats=(other,)))[0] == 1:
            guess.notes.append(
                "day and month could be the other way round in this sample: check a known date"
            )


def _classify(guesses: Sequence[Guess]) -> None:
    """Classes, safe by default: in a table with personal columns, what is undecided is taken for personal."""
    for guess in guesses:
        guess.classification = classify(guess.sample.header, guess.role, guess.identifier) or ""
    about_people = any(guess.classification for guess in guesses)
    for guess in guesses:
        if guess.classification:
            continue
        guess.classification = "personal" if about_people else "official"
        if about_people:
            guess.notes.append("personal to be safe: make it official if it says nothing about a person")
        elif guess.role in ("postcode", "uprn", "address"):
            guess.notes.append("make it personal if this is where somebody lives")


def _describe_text(guess: Guess) -> None:
    """A list of values or a pattern for text, where the sample shows one. Never for what names a person."""
    counts = guess.sample.counts
    if guess.type != "string" or guess.identifier or not counts:
        return
    naming = guess.role not in (None, "sex") or not _NAMING.isdisjoint(tokens(guess.sample.header))
    repeated = 1 < len(counts) <= _MOST_VALUES and guess.sample.filled >= _ROWS_A_VALUE * len(counts)
    if repeated and not naming and max(map(len, counts)) <= 60:
        guess.values = tuple(sorted(counts))
        guess.notes.append("the values of the sample: add those it may have as well, or take the list out")
        return
    shapes = {re.sub("[0-9]", "9", re.sub("[A-Z]", "A", re.sub("[a-z]", "a", value))) for value in counts}
    if len(shapes) == 1 and len(counts) >= _FEWEST and not naming:
        shape = shapes.pop()
        if re.fullmatch(r"[A9/_-]{2,30}", shape) and "9" in shape:
            guess.pattern = _pattern_of(shape)


def _pattern_of(shape: str) -> str:
    parts = (
        f"{'[A-Z]' if run[0][0] == 'A' else '[0-9]' if run[0][0] == '9' else run[0][0]}"
        + (f"{{{len(run[0])}}}" if len(run[0]) > 1 else "")
        for run in re.finditer(r"A+|9+|/+|-+|_+", shape)
    )
    return "".join(parts)


def guess_key(sample: Sample, guesses: Sequence[Guess]) -> tuple[Guess, ...]:
    """The fewest columns whose values together differ in every row of the sample; () when none are seen.

    One column is preferred, then one that names something (its header ends in id, number, reference), then what
    stands further left.
    """
    fit = [
        guess
        for guess in guesses
        if guess.sample.is_full and not guess.is_measure and guess.type != "timestamp"
    ]
    alone = [guess for guess in fit if guess.sample.is_unique and sample.rows > 1]
    if alone:
        return (
            min(
                alone,
                key=lambda guess: (_CODE_WORDS.isdisjoint(tokens(guess.sample.header)), fit.index(guess)),
            ),
        )
    fit = sorted(fit, key=lambda guess: -len(guess.sample.counts))[:_KEY_COLUMNS]
    for size in (2, 3):
        for chosen in combinations(fit, size):
            # The number of combinations bounds the number of different rows from above.
            most = 1
            for guess in chosen:
                most *= len(guess.sample.counts)
            # Few rows are enough to rule most combinations out.
            if most >= sample.rows and all(_differ(chosen, rows) for rows in (*_KEY_ROWS, sample.rows)):
                return tuple(sorted(chosen, key=guesses.index))
    return ()


def _differ(chosen: Sequence[Guess], rows: int) -> bool:
    found = list(zip(*(guess.sample.values[:rows] for guess in chosen), strict=True))
    return len(set(found)) == len(found)
