"""Laying a source's header against a contract's columns."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import SourceError

if TYPE_CHECKING:
    from hub_schemas import Contract

    from .sources import Recognise

__all__ = ["Match", "match_header", "recogniser"]


@dataclass(frozen=True)
class Match:
    """Which header is which column.

    names: for each column of the source, in order, the name the contract knows it by, or None when it does not.
    notes: what a person should know about it.
    """

    names: tuple[str | None, ...]
    notes: tuple[str, ...]


def match_header(contract: Contract, header: Sequence[str], source: str) -> Match:
    """Find each of the contract's columns in a header.

    A header is taken for a column when it equals its `physicalName` or `name`; failing that, when it does so
    without regard to case, blanks, hyphens and underscores.

    Raises:
        SourceError: when a column that every row needs is missing, or two headers stand for one column.
    """
    taken: dict[str, str] = {}
    chosen: dict[str, str | None] = {}
    for label in header:
        name = _known_as(contract, header, label)
        chosen[label] = name
        if name is None:
            continue
        if name in taken:
            raise SourceError(
                f"{source} has two columns for {name!r}: {taken[name]!r} and {label!r}.",
                "Leave one of them out, or give it another name.",
            )
        taken[name] = label
    unknown = [label for label, name in chosen.items() if name is None]
    missing = [column for column in contract.columns if column.source_name not in taken]
    if any(column.required for column in missing):
        needed = [column.source_name for column in missing if column.required]
        raise SourceError(_missing_words(contract, source, needed, unknown), _missing_hint(header, unknown))
    notes = [f"column {label!r} read as {name!r}" for name, label in taken.items() if label != name]
    if unknown:
        listed = ", ".join(repr(label) for label in unknown[:10])
        more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
        stays = "left out" if contract.unexpected_columns == "ignore" else "not allowed by the contract"
        notes.append(f"not in the contract, so {stays}: {listed}{more}")
    return Match(tuple(chosen[label] for label in header), tuple(notes))


def recogniser(contract: Contract) -> Recognise:
    """Counts how many columns of the contract a row of cells names, to find a header row."""
    names = {_plain(name) for column in contract.columns for name in (column.source_name, column.name)} - {""}

    def recognise(cells: Sequence[str]) -> int:
        return len(names.intersection(_plain(cell) for cell in cells))

    return recognise


def _known_as(contract: Contract, header: Sequence[str], label: str) -> str | None:
    """The contract's header for a column that is called `label`."""
    for column in contract.columns:
        if label == column.source_name:
            return column.source_name
    for column in contract.columns:
        # An exact header elsewhere has the better claim.
        if column.source_name not in header and label == column.name:
            return column.source_name
    plain = _plain(label)
    for column in contract.columns:
        claimed = column.source_name in header or column.name in header
        if plain and not claimed and plain in (_plain(column.source_name), _plain(column.name)):
            return column.source_name
    return None


def _plain(label: str) -> str:
    return re.sub(r"[\s_\-.]+", " ", label.strip().lstrip("\ufeff")).casefold().strip()


def _missing_words(contract: Contract, source: str, needed: Sequence[str], unknown: Sequence[str]) -> str:
    lines = [f"{source} lacks {_count(len(needed), 'column')} that {contract.id} needs in every row:"]
    for name in needed[:20]:
        near = difflib.get_close_matches(_plain(name), [_plain(label) for label in unknown], n=1, cutoff=0.6)
        like = next((label for label in unknown if near and _plain(label) == near[0]), None)
        lines.append(f"  {name!r}{f' (the file has {like!r}: the same under another name?)' if like else ''}")
    if len(needed) > 20:
        lines.append(f"  and {len(needed) - 20} more")
    return "\n".join(lines)


def _missing_hint(header: Sequence[str], unknown: Sequence[str]) -> str:
    if len(header) == 1:
        return (
            "The whole header was read as one column: say what separates the cells with --delimiter, "
            "or check that this is the right file."
        )
    seen = ", ".join(repr(label) for label in header[:12]) + (", ..." if len(header) > 12 else "")
    rename = "Rename the column in the export, or set physicalName in the contract. " if unknown else ""
    return (
        f"{rename}The header was read as: {seen}. If that is not the header, say which row is: --header-row."
    )


def _count(number: int, what: str) -> str:
    return f"a {what}" if number == 1 else f"{number} {what}s"
