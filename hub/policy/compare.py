"""What changes from one agreement to another, in words: for whoever reviews a draft."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.policy.record import Agreement

__all__ = ["Difference", "differences"]

_TEXTS: Final = (
    ("purpose", "Purpose"), ("power_words", "Legal power"), ("objective_words", "Objective"),
    ("lawful_basis", "Lawful basis"), ("special_category_basis", "Special category basis"), ("start", "First day"),
    ("end", "Last day"), ("retention_days", "Days that results are kept"), ("retention_trigger", "Kept from when"),
    ("results_at_end", "Results at the end"), ("minimum_count", "Smallest count shown"), ("round_to", "Rounding"),
    ("opt_out", "National data opt-out"), ("onward_sharing", "Onward sharing"), ("contact", "Contact"),
)  # fmt: skip
_LISTS: Final = (
    ("controllers", "Controllers"), ("organisations", "May use the data"), ("roles", "Roles that may use it"),
    ("operations", "What may be done"), ("plugins", "Plugins"), ("processors", "Processors"),
    ("countries", "Countries outside the UK"),
)  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """One thing that changes. `wider` says that it lets more happen than before: more data, people, acts or time."""

    what: str
    before: str
    after: str
    wider: bool


def differences(old: Agreement | None, new: Agreement) -> list[Difference]:
    """What `new` changes against `old`, or against no agreement at all; data first."""
    found = _data(old, new)
    for name, what in _LISTS:
        before = frozenset(getattr(old, name)) if old else frozenset()
        after = frozenset(getattr(new, name))
        if before != after or old is None:
            # No roles named stands for any role, so naming fewer of them is not always narrower.
            wider = bool(after - before) if name != "roles" or before else not after and bool(old)
            if before or after:
                found.append(Difference(what, ", ".join(sorted(before)), ", ".join(sorted(after)), wider))
    for name, what in _TEXTS:
        was, now = (str(getattr(old, name)) if old else ""), str(getattr(new, name))
        if was != now and (now or was):
            found.append(Difference(what, was, now, _wider(name, old, new)))
    return found


def _wider(name: str, old: Agreement | None, new: Agreement) -> bool:
    """Whether a value lets more happen; against no agreement, dates and numbers are not wider than anything."""
    if old is None:
        return False
    rules = {
        "start": new.start < old.start,
        "end": new.end > old.end,
        "retention_days": new.retention_days > old.retention_days,
        "minimum_count": new.minimum_count < old.minimum_count,
        "round_to": new.round_to < old.round_to,
        "results_at_end": _OPENNESS.index(new.results_at_end) > _OPENNESS.index(old.results_at_end),
        "retention_trigger": new.retention_trigger == "end",
        "opt_out": new.opt_out == "does not apply",
        "purpose": True,
        "power_words": True,
        "objective_words": True,
        "onward_sharing": bool(new.onward_sharing),
    }
    return rules.get(name, False)


_OPENNESS: Final = ("destroyed", "closed", "readable")


def _data(old: Agreement | None, new: Agreement) -> list[Difference]:
    """Columns by dataset and publisher, with how exactly they are given."""
    before, after = _given(old), _given(new)
    found = []
    for place in sorted({*before, *after}):
        was, now = before.get(place, {}), after.get(place, {})
        if was == now:
            continue
        contract, publisher = place
        wider = any(name not in was or (was[name] and was[name] != how) for name, how in now.items())
        found.append(Difference(f"{contract} of {publisher}", _said(was), _said(now), wider))
    return found


def _given(agreement: Agreement | None) -> dict[tuple[str, str], dict[str, str]]:
    """For each dataset of each publisher the columns with how they are given, empty for exactly."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for terms in agreement.datasets if agreement else ():
        coarse = {item.column: item.words for item in terms.generalise}
        for publisher in agreement.publishers_in(terms) if agreement else ():
            columns = found.setdefault((terms.contract, publisher), {})
            columns |= {name: coarse.get(name, "") for name in terms.columns}
    return found


def _said(columns: dict[str, str]) -> str:
    return ", ".join(f"{name} ({how})" if how else name for name, how in sorted(columns.items()))
