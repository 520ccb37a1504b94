"""Keeping proposals: breaking changes of a contract that wait for somebody's decision. One at a time a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.catalogue.states import ProposalState, move
from hub.catalogue.store import Dataset
from hub.catalogue.tables import ProposalRow
from hub.errors import NotFound
from hub.storage.database import utc_now
from hub.storage.ids import new_id
from hub_schemas import Contract

__all__ = ["Proposal", "decide", "find", "get", "list_proposals", "open_of", "propose", "set_aside"]


@dataclass(frozen=True)
class Proposal:
    """A proposed version of a dataset's contract.

    `digest` names it, `base` the contract in force when it was proposed; `reason` is what the one who decided said,
    sealed.
    """

    id: str
    dataset_id: str
    digest: str
    base: str
    version: str
    state: ProposalState
    proposed_at: datetime
    proposed_by: str
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None


def propose(session: Session, dataset: Dataset, contract: Contract, by: str) -> Proposal:
    """Propose a contract for a dataset; what was proposed before and not decided is replaced."""
    set_aside(session, dataset.id, by)
    row = ProposalRow(
        id=new_id("prp"),
        dataset_id=dataset.id,
        digest=contract.digest,
        base=dataset.contract_digest,
        version=contract.version,
        state=ProposalState.PROPOSED,
        proposed_at=utc_now(),
        proposed_by=by,
    )
    session.add(row)
    session.flush()
    return _proposal(row)


def set_aside(session: Session, dataset_id: str, by: str) -> Proposal | None:
    """Replace the proposal that waits, when there is one: the publisher went on without it."""
    waiting = open_of(session, dataset_id)
    return decide(session, waiting.id, "replace", by, None) if waiting else None


def decide(session: Session, proposal_id: str, event: str, by: str, reason: str | None) -> Proposal:
    """Accept, reject or replace a proposal; `reason` is sealed text.

    Raises:
        NotFound: when there is none.
        Conflict: when it is decided already.
    """
    row = _row(session, proposal_id, lock=True)
    row.state = move(row.state, event).value
    row.decided_at, row.decided_by, row.reason = utc_now(), by, reason
    session.flush()
    return _proposal(row)


def get(session: Session, proposal_id: str) -> Proposal:
    """One proposal.

    Raises:
        NotFound: when there is none.
    """
    return _proposal(_row(session, proposal_id))


def open_of(session: Session, dataset_id: str) -> Proposal | None:
    """The proposal of a dataset that waits for a decision."""
    query = select(ProposalRow).where(
        ProposalRow.dataset_id == dataset_id, ProposalRow.state == ProposalState.PROPOSED
    )
    row = session.scalars(query).first()
    return _proposal(row) if row else None


def find(session: Session, dataset_id: str, digest: str) -> Proposal | None:
    """The newest proposal of a text for a dataset."""
    query = select(ProposalRow).where(ProposalRow.dataset_id == dataset_id, ProposalRow.digest == digest)
    row = session.scalars(query.order_by(ProposalRow.proposed_at.desc(), ProposalRow.id.desc())).first()
    return _proposal(row) if row else None


def list_proposals(
    session: Session, *, dataset_id: str | None = None, state: ProposalState | None = None, limit: int = 200
) -> list[Proposal]:
    """Proposals, newest first; of one dataset or in one state if asked."""
    query = select(ProposalRow).order_by(ProposalRow.proposed_at.desc(), ProposalRow.id.desc()).limit(limit)
    if dataset_id is not None:
        query = query.where(ProposalRow.dataset_id == dataset_id)
    if state is not None:
        query = query.where(ProposalRow.state == state)
    return [_proposal(row) for row in session.scalars(query)]


def _row(session: Session, proposal_id: str, *, lock: bool = False) -> ProposalRow:
    row = session.get(ProposalRow, proposal_id, with_for_update=lock, populate_existing=lock)
    if row is None:
        raise NotFound(f"There is no proposal {proposal_id}; `hub contracts changes` lists those there are.")
    return row


def _proposal(row: ProposalRow) -> Proposal:
    return Proposal(
        row.id, row.dataset_id, row.digest, row.base, row.version, ProposalState(row.state), row.proposed_at,
        row.proposed_by, row.decided_at, row.decided_by, row.reason,
    )  # fmt: skip
