"""Writing a draft contract: ODCS YAML with comments on what to decide."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from .guess import Guess, guess_columns, guess_key
from .sample import Sample

__all__ = ["write_draft"]

_DECIDE: Final = "DECIDE:"


def write_draft(sample: Sample, contract_id: str) -> str:
    """The YAML of a contract that the sample suggests. It holds no value of a personal column.

    Args:
        sample: the rows to go by.
        contract_id: dotted, like schools.attendance.
    """
    guesses = guess_columns(sample)
    key = guess_key(sample, guesses)
    extent = f"all {sample.rows:,} rows" if sample.whole else f"the first {sample.rows:,} rows"
    lines = [
        f"# A draft from {extent} of {_comment(sample.name)}. Read it through: what a sample cannot show is marked",
        f"# {_DECIDE} - then try it: hub-connector check --contract THIS_FILE {_comment(sample.name)}",
        *(f"# read as: {note}" for note in sample.notes),
        *([f"# {sample.spoilt:,} rows did not fit the header and were left out"] if sample.spoilt else []),
        "apiVersion: v3.1.0",
        "kind: DataContract",
        f"id: {_plain(contract_id)}",
        f"name: {_text(contract_id.replace('.', ' ').replace('_', ' ').capitalize())}  # {_DECIDE} a title",
        "version: 0.1.0",
        "status: draft",
        f"domain: {_plain(contract_id.partition('.')[0])}",
        "description:",
        f"  purpose: {_text('What the dataset is for.')}  # {_DECIDE} why it is shared",
        "  # usage: how to export it, and how often",
        "  # limitations: what is not in it",
        "schema:",
        f"  - name: {_plain(contract_id.rpartition('.')[2].replace('-', '_'))}",
        "    physicalType: table",
        f"    # dataGranularityDescription: one row a ...  {_DECIDE}",
        "    properties:",
    ]
    for guess in guesses:
        lines += ["      " + line for line in _property(guess, key)]
    lines += [
        "    customProperties:",
        f"      # {_DECIDE} from which share of rows at fault on the whole delivery is refused (0 to 1)",
        "      - property: refusalThreshold",
        "        value: 0.1",
        f"      # {_DECIDE} rules across columns, for example:",
        "      # - property: notBefore",
        "      #   value: {later: end_date, earlier: start_date}",
    ]
    if not key:
        lines += [
            f"# {_DECIDE} no columns were seen that tell every row apart. If some do, write primaryKey: true",
            "# (and primaryKeyPosition: 1, 2, ...) on them.",
        ]
    return "\n".join(lines) + "\n"


def _property(guess: Guess, key: Sequence[Guess]) -> Iterator[str]:
    yield f"- name: {_plain(guess.name)}"
    if guess.sample.header != guess.name:
        yield f"  physicalName: {_text(guess.sample.header)}"
    yield f"  logicalType: {guess.type}"
    options = dict(_options(guess))
    if options:
        yield "  logicalTypeOptions:"
        yield from (f"    {name}: {value}" for name, value in options.items())
    if guess in key:
        yield f"  primaryKey: true  # {_DECIDE} different in every row of the sample; is that so by its nature?"
        yield f"  primaryKeyPosition: {list(key).index(guess) + 1}"
    if guess.required:
        yield f"  required: true  # {_DECIDE} never empty in the sample"
    elif guess.sample.filled:
        empty = 1 - guess.sample.filled / len(guess.sample.values)
        yield f"  # empty in {empty:.1%} of the sample"
    yield f"  classification: {guess.classification}"
    for note in guess.notes:
        yield f"  # {_DECIDE} {note}"
    if guess.values:
        yield "  quality:"
        yield "    - metric: invalidValues"
        yield "      mustBe: 0"
        yield "      arguments:"
        yield "        validValues:"
        yield from (f"          - {_text(value)}" for value in guess.values)
    yield from _custom(guess)


def _options(guess: Guess) -> Iterator[tuple[str, str]]:
    if guess.pattern:
        yield "pattern", _text(f"^{guess.pattern}$")
    if guess.type == "timestamp":
        yield "defaultTimezone", f"Europe/London  # {_DECIDE} or UTC, for times without an offset"


def _custom(guess: Guess) -> Iterator[str]:
    custom = {
        "identifier": guess.identifier or "",
        "linkageRole": guess.role or "",
        "format": _text(guess.formats[0])
        if len(guess.formats) == 1 and guess.formats != ("%Y-%m-%d",)
        else "",
    }
    if any(custom.values()):
        yield "  customProperties:"
    for name, value in custom.items():
        if value:
            yield f"    - property: {name}"
            yield f"      value: {value}"


def _plain(name: str) -> str:
    """A name as it is, unless YAML would take it for something else than text."""
    words = ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
    return (
        name if re.fullmatch("[A-Za-z_][A-Za-z0-9_.-]*", name) and name.lower() not in words else _text(name)
    )


def _text(value: str) -> str:
    """A YAML scalar on one line that reads back as this very text."""
    return (
        '"'
        + re.sub(r'["\\]|[^ -~\u00a0-\u1fff\u2030-\ud7ff\ue000-\ufefe\uff00-\ufffd]', _escaped, value)
        + '"'
    )


def _escaped(found: re.Match[str]) -> str:
    """A sign that YAML cannot hold as it is, or would read as a line end, the way double quotes allow."""
    sign = found[0]
    return f"\\{sign}" if sign in '"\\' else f"\\U{ord(sign):08x}"


def _comment(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
