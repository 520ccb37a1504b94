"""Writing an agreement on pages: answers are saved one by one, and become a draft that is handed in for review."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from hub.catalogue import store as catalogue
from hub.errors import Conflict, Invalid, NotFound
from hub.identity.principal import Principal
from hub.policy import drafts, questions, scope
from hub.policy import store as agreements
from hub.policy.agreement import Agreement, AgreementState
from hub.policy.drafts import Draft
from hub.policy.roles import Permission
from hub.workflows import agreeing
from hub.workflows.granting import slugs
from hub.workflows.hub import Hub, authorise, note
from hub.workflows.linking import PEOPLE_CONTRACT
from hub.workflows.scoping import agreement_seen
from hub.workflows.visible import only_visible
from hub_schemas import Contract, library
from hub_schemas.yamlsafe import read_yaml

__all__ = ["Offered", "begin", "discard", "list_drafts", "offered", "read_draft", "save", "submit"]

_MOST_OFFERED: Final = 2000
#: What a copy does not take over from the agreement it is made from.
_NOT_COPIED: Final = ("id", "title", "start", "end", "review_date", "needed_by", "request")


@dataclass(frozen=True)
class Offered:
    """A dataset that an agreement can name: whose (slug), and its contract."""

    publisher: str
    contract: Contract

    @property
    def value(self) -> str:
        """How forms name it."""
        return f"{self.publisher}/{self.contract.id}"


def offered(hub: Hub, principal: Principal) -> list[Offered]:
    """The datasets that the principal finds in the catalogue, and the hub's own about people; by publisher."""
    authorise(principal, Permission.MANAGE_AGREEMENTS)
    found = {("hub", PEOPLE_CONTRACT): library.load(PEOPLE_CONTRACT)}
    with hub.database.read() as session:
        publishers = slugs(session)
        datasets = only_visible(
            hub, session, principal, catalogue.list_datasets(session, limit=_MOST_OFFERED)
        )
        for dataset in datasets:
            if not dataset.contract.startswith("hub."):
                place = publishers[dataset.organisation_id], dataset.contract
                found[place] = catalogue.contract_by_digest(session, dataset.contract_digest)
    return [Offered(publisher, contract) for (publisher, _), contract in sorted(found.items(), key=_place)]


def _place(item: tuple[tuple[str, str], Contract]) -> tuple[str, str]:
    return item[0]


def begin(
    hub: Hub,
    principal: Principal,
    answers: Mapping[str, Any] | None = None,
    *,
    like: str = "",
    next_of: str = "",
) -> Draft:
    """Begin to write: with nothing, some answers, a copy of an agreement (`like`), or a draft's next version.

    Raises:
        NotFound: when the agreement is not there for this principal.
        Conflict: when the text of `next_of` cannot be changed any more.
    """
    authorise(principal, Permission.MANAGE_AGREEMENTS)
    with hub.database.write() as session:
        known = dict(answers or {})
        if source := like or next_of:
            agreement = agreement_seen(session, principal, source)
            if next_of and agreement.state is not AgreementState.DRAFT:
                raise Conflict(
                    f"Agreement {next_of} is {agreement.state.value}: only a draft can be changed."
                )
            known = _answers(agreements.get_text(session, source))
            if like:
                known = {name: value for name, value in known.items() if name not in _NOT_COPIED}
        draft = drafts.add_draft(session, principal.organisation, principal.reference, known, next_of)
        note(session, principal, "agreement.draft-begun", draft.id, agreement=next_of or "")
    return draft


def _answers(text: str) -> dict[str, Any]:
    """An agreement's YAML as answers: days as text, as JSON keeps them."""
    found = read_yaml(text)
    return {name: str(value) if hasattr(value, "isoformat") else value for name, value in found.items()}


def save(hub: Hub, principal: Principal, draft_id: str, answers: Mapping[str, Any]) -> Draft:
    """Keep some answers.

    Raises:
        NotFound: when there is no such draft of the principal's organisation.
    """
    authorise(principal, Permission.MANAGE_AGREEMENTS)
    with hub.database.write() as session:
        _own(session, principal, draft_id)
        return drafts.save_answers(session, draft_id, answers, principal.reference)


def read_draft(hub: Hub, principal: Principal, draft_id: str) -> Draft:
    """One draft of the principal's organisation.

    Raises:
        NotFound: when there is none.
    """
    authorise(principal, Permission.MANAGE_AGREEMENTS)
    with hub.database.read() as session:
        return _own(session, principal, draft_id)


def list_drafts(hub: Hub, principal: Principal) -> list[Draft]:
    """What the principal's organisation is writing."""
    authorise(principal, Permission.MANAGE_AGREEMENTS)
    with hub.database.read() as session:
        return drafts.drafts_of(session, principal.organisation)


def discard(hub: Hub, principal: Principal, draft_id: str) -> None:
    """Throw a draft away.

    Raises:
        NotFound: when there is no such draft of the principal's organisation.
    """
    authorise(principal, Permission.MANAGE_AGREEMENTS)
    with hub.database.write() as session:
        _own(session, principal, draft_id)
        drafts.remove_draft(session, draft_id)
        note(session, principal, "agreement.draft-discarded", draft_id)


def submit(hub: Hub, principal: Principal, draft_id: str) -> Agreement:
    """Make the answers a draft of an agreement and hand it in for review, in one step.

    Everybody who saved an answer is one of its authors, and so is who hands it in.

    Raises:
        NotFound: when there is no such draft of the principal's organisation.
        Invalid: when something is missing or names what is not there.
        Forbidden: when the principal's organisation is no party to it.
    """
    authorise(principal, Permission.MANAGE_AGREEMENTS)
    with hub.database.write() as session:
        draft = _own(session, principal, draft_id)
        if found := questions.problems(draft.answers):
            raise Invalid("Some questions are not answered yet, or not well.", fields=dict(found))
        text = questions.text_of(draft.answers)
        if draft.agreement_id:
            agreement = agreeing.rewrite_in(
                session, principal, draft.agreement_id, text, also=",".join(draft.writers)
            )
        else:
            agreement = agreeing.draft_in(hub, session, principal, text, also=",".join(draft.writers))
        agreement = agreements.change_state(session, agreement.id, "submit", principal.reference)
        note(
            session, principal, "agreement.submitted", agreement.id, agreement=agreement.id,
            detail={"version": agreement.version},
        )  # fmt: skip
        drafts.remove_draft(session, draft_id)
    return agreement


def _own(session: Session, principal: Principal, draft_id: str) -> Draft:
    draft = drafts.get_draft(session, draft_id)
    if not scope.may_act_for(principal, draft.organisation, Permission.MANAGE_AGREEMENTS):
        raise NotFound(f"There is no draft {draft_id}.")
    return draft
