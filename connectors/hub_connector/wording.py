"""What became of deliveries, in words: for `push`, `run` and `status` alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .errors import EXIT_CLEAN, EXIT_FAULTS, EXIT_REFUSED

if TYPE_CHECKING:
    from .delivering import Result

__all__ = ["code_of", "effect_words", "fate_words", "result_words", "rows_words"]


def code_of(result: Result) -> int:
    """The exit status that a push ends with (see `errors`)."""
    state = result.status.get("state")
    worst = max((code_of(earlier) for earlier in result.earlier), default=EXIT_CLEAN)
    if result.outcome == "held back" or state in ("refused", "failed"):
        return EXIT_REFUSED
    counted = result.status.get("rows", {}).get("refused")
    here = result.summary.refused if result.summary else 0
    return max(worst, EXIT_FAULTS if counted or here else EXIT_CLEAN)


def result_words(source: str, result: Result) -> str:
    """What became of a push, a line for each delivery.

    Args:
        source: what people know the source by.
        result: of the push.
    """
    lines = [result_words("what a cut had left behind", earlier) for earlier in result.earlier]
    return "\n".join([*lines, _words(source, result)])


def _words(source: str, result: Result) -> str:
    if result.outcome == "held back":
        return f"Not sent: {result.reason}."
    if result.outcome == "nothing new":
        return f"{source}: nothing new ({result.reason})."
    if result.outcome == "nothing to send":
        return f"{source}: none of its rows keeps the contract yet; nothing was sent, they stay open."
    short = result.delivery[:8]
    if result.outcome == "known":
        begin = f"{source}: the same data was delivered before as {short}, nothing sent;"
    else:
        begin = f"{source} delivered as {short}{' (went on after a cut)' if result.resumed else ''};"
    return f"{begin} {fate_words(result.status, short)}"


def fate_words(status: Mapping[str, Any], short: str) -> str:
    """What the hub made of a delivery, as the end of a sentence."""
    state = status.get("state", "")
    if state == "accepted":
        version = status.get("version") or {}
        aside = (status.get("rows") or {}).get("refused")
        words = f"accepted as version {version.get('number', '?')}: {effect_words(status)}"
        return f"{words}{f', {aside:,} set aside' if aside else ''}."
    if state in ("refused", "failed"):
        return f"{state} by the hub: {status.get('problem') or 'no reason was given'}"
    if state == "uploading":
        return "not all of it has reached the hub; push the same source again."
    return f"the hub has it and has not decided yet (hub-connector status {short})."


def effect_words(status: Mapping[str, Any]) -> str:
    """What an accepted delivery did to its dataset."""
    effect, mode = status.get("effect"), status.get("mode", "full")
    accepted = (status.get("rows") or {}).get("accepted", 0)
    if not effect:
        return _rows(accepted)
    added, replaced, removed = (int(effect.get(name) or 0) for name in ("added", "replaced", "removed"))
    before, after = int(effect.get("before") or 0), int(effect.get("after") or 0)
    now = f"the dataset now has {_rows(after)}"
    if status.get("replays"):
        return f"{_rows(accepted)} mended; {now}"
    if mode == "append":
        return f"{_rows(added)} added; {now}"
    if mode == "upsert":
        return f"{_rows(added)} added, {replaced:,} replaced; {now}"
    if mode == "delete":
        missing = int(effect.get("unmatched") or 0)
        return f"{_rows(removed)} removed{f', {missing:,} were not there' if missing else ''}; {now}"
    return f"{_rows(after)}{f' in place of {before:,}' if before else ''}"


def rows_words(status: Mapping[str, Any]) -> str:
    """Where the rows of a delivery are: always a sum that comes out."""
    rows = status.get("rows") or {}
    sent, accepted, refused, mended = (
        int(rows.get(name) or 0) for name in ("sent", "accepted", "refused", "replayed")
    )
    if status.get("state") not in ("accepted", "refused"):
        return f"{sent:,} sent"
    parts = [f"{accepted:,} accepted"]
    if mended:
        parts.append(f"{mended:,} mended since")
    if refused:
        parts.append(f"{refused:,} still at fault" if mended else f"{refused:,} at fault")
    return f"{sent:,} sent = {' + '.join(parts)}"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
