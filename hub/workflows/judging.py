"""What a contract would do to a dataset: its class, whom it touches, whether its number fits, what comes of it.

Nothing here changes anything; `contracting` acts on what is found.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy.orm import Session

from hub.catalogue import store as catalogue
from hub.catalogue.store import Dataset
from hub.identity import store as identities
from hub.workflows.consumers import Consumer, deciders, touched
from hub.workflows.hub import Hub
from hub_schemas import Contract, library
from hub_schemas.changes import (
    Change,
    compare,
    effect_of,
    least_version,
    next_version,
    precedence,
    version_problem,
)

__all__ = ["Judged", "judge", "judge_proposal", "shipped_as"]

_LOCAL = re.compile(r"local(\.[0-9]{1,6})?\Z")
_MOST_NAMED = 5


@dataclass(frozen=True)
class Judged:
    """What a contract would do to a dataset, without doing it.

    `effect` is "new" (no dataset yet), "same" (in force already), "words", "compatible" or "breaking"; `outcome` what
    publishing would lead to; `problem` why it is refused, `waits_for` the slugs of those whose data stewards decide.
    """

    contract: Contract
    current: Contract | None
    effect: Literal["new", "same", "words", "compatible", "breaking"]
    outcome: Literal["in force", "proposed", "refused"]
    changes: tuple[Change, ...] = ()
    touched: tuple[Consumer, ...] = ()
    waits_for: tuple[str, ...] = ()
    problem: str = ""


def judge(hub: Hub, session: Session, publisher: str, dataset: Dataset | None, contract: Contract) -> Judged:
    """What publishing a contract would do to an organisation's dataset under it (None: there is none yet)."""
    if dataset is None:
        problem = _not_the_librarys(session, contract)
        return Judged(contract, None, "new", "refused" if problem else "in force", problem=problem)
    current = catalogue.contract_by_digest(session, dataset.contract_digest)
    if current.digest == contract.digest:
        return Judged(contract, current, "same", "in force")
    judged = _compared(hub, session, publisher, current, contract)
    problem = _not_the_librarys(session, contract) or judged.problem or _taken(session, dataset, contract)
    if problem:
        return replace(judged, outcome="refused", waits_for=(), problem=problem)
    if judged.effect == "breaking" and dataset.current_version is not None:
        return replace(judged, outcome="proposed")
    return replace(judged, waits_for=())


def judge_proposal(hub: Hub, session: Session, dataset: Dataset, base: str, contract: Contract) -> Judged:
    """A proposed contract against the contract of a digest: the one in force now, or then."""
    publisher = identities.organisation(session, dataset.organisation_id).slug
    current = catalogue.contract_by_digest(session, base)
    return replace(_compared(hub, session, publisher, current, contract), outcome="proposed")


def _compared(hub: Hub, session: Session, publisher: str, current: Contract, contract: Contract) -> Judged:
    changes = compare(current, contract)
    consumers = touched(hub, session, publisher, current, contract, changes)
    # The library's own text may come back after a local variant, whose number may be higher.
    problem = "" if shipped_as(contract) else version_problem(current, contract, changes)
    return Judged(
        contract, current, effect_of(changes), "in force", changes, consumers, deciders(publisher, consumers),
        problem,
    )  # fmt: skip


def _taken(session: Session, dataset: Dataset, contract: Contract) -> str:
    """Whether this organisation's number stands for another text already."""
    for item in catalogue.publications(session, dataset.organisation_id, contract.id):
        if item.version == contract.version and item.digest != contract.digest:
            return (
                f"You have published contract {contract.id} {contract.version} with another content, and a published "
                "version is never changed: give this one a number of its own."
            )
    return ""


def shipped_as(contract: Contract) -> Contract | None:
    """The library's contract when this is its text (comments and layout aside)."""
    shipped = library.load(contract.id) if contract.id in library.names() else None
    return shipped if shipped is not None and shipped.digest == contract.digest else None


def _not_the_librarys(session: Session, contract: Contract) -> str:
    """Why a text may not stand under a library's id; empty for any other id, and for what holds its promises.

    Ids of the library are read by everybody's plugins and agreements. Whoever publishes under one uses the library's
    text (of this hub's library, or of an older one that was published before), or a variant of its own that is marked
    as local in its version number and keeps what readers rely on: every column, its type, its meaning, its class.
    """
    if contract.id not in library.names() or shipped_as(contract):
        return ""
    if catalogue.was_published(session, contract.digest):
        return ""
    shipped = library.load(contract.id)
    changes = compare(shipped, contract)
    take = f"{least_version(shipped, changes) if changes else next_version(shipped, ())}-local.1"
    label = contract.version.partition("-")[2]
    if hurting := [change for change in changes if change.readers]:
        listed = "; ".join(_words(change) for change in hurting[:_MOST_NAMED])
        return (
            f"{contract.id} is a contract of the library ({shipped.version}), on which others' plugins and agreements "
            f"rely, and this text does not keep what it promises: {listed}. Keep these as they are, or publish under "
            "an id of your own."
        )
    if not _LOCAL.match(label) or precedence(contract.version) <= precedence(shipped.version):
        return (
            f"{contract.id} is a contract of the library and this is not its text ({shipped.version}). Publish the "
            f"library's (hub contracts show {contract.id}), or mark yours as a local variant by its number: take "
            f"{take}."
        )
    return ""


def _words(change: Change) -> str:
    return f"{change.column}: {change.what}" if change.column else change.what
