"""Asking for data: an analyst asks the publisher of a dataset, whose data steward asks back, refuses or accepts.

What is known is filled in. An accepted request becomes the draft of an agreement, which goes the way of every agreement
from there. What is typed is sealed: it is about purposes, but nobody can promise that no name stands in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from hub.catalogue import store as catalogue
from hub.errors import Forbidden, Invalid, NotFound
from hub.identity import store as identities
from hub.policy import asking, requests, scope
from hub.policy import store as agreements
from hub.policy.asking import About, Question, RequestState
from hub.policy.request_text import agreement_text
from hub.policy.requests import AccessRequest
from hub.policy.roles import Permission
from hub.workflows import agreeing
from hub.workflows import request_parts as parts
from hub.workflows.hub import Hub, authorise, holds, note
from hub.workflows.naming import who
from hub.workflows.visible import visible_dataset

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from hub.catalogue.store import Dataset
    from hub.identity.principal import Principal

__all__ = [
    "Answered", "Asked", "ListedRequest", "ShownRequest", "ShownStep", "answer", "ask", "ask_all", "begin", "decide",
    "exists_for", "list_requests", "prepare", "read", "reply", "waiting", "withdraw",
]  # fmt: skip

_VERDICTS: Final = ("return", "refuse", "accept")


@dataclass(frozen=True)
class Asked:
    """What will be asked about a dataset, with what is known already and where each of that comes from, in words."""

    about: About
    questions: tuple[Question, ...]
    answers: Mapping[str, Any]
    sources: Mapping[str, str]


@dataclass(frozen=True)
class Answered:
    """A question with its answer; `source` says where an answer comes from that nobody typed."""

    question: Question
    value: Any
    source: str = ""


@dataclass(frozen=True)
class ShownStep:
    """What was done to a request, by whom in words, and what they wrote."""

    act: str
    by: str
    at: datetime
    words: str


@dataclass(frozen=True)
class ListedRequest:
    """A request in a list, with names; `mine` when it waits for the reader."""

    request: AccessRequest
    title: str
    publisher: str
    organisation: str
    mine: bool


@dataclass(frozen=True)
class ShownRequest:
    """A request as its reader may see it.

    `acts` is what the reader may do now; `why_not` why a steward may not decide; `left` the questions without a fitting
    answer; `agreement` the id of the draft it became, where the reader sees that.
    """

    request: AccessRequest
    dataset: Dataset
    about: About
    publisher: str
    asked_by: str
    answers: tuple[Answered, ...]
    left: tuple[Question, ...]
    steps: tuple[ShownStep, ...]
    acts: tuple[str, ...]
    why_not: str = ""
    agreement: str = ""


# --- who asks


def prepare(hub: Hub, principal: Principal, dataset_id: str) -> Asked:
    """The questions about a dataset, with what is known; nothing is kept.

    Raises:
        NotFound: when there is no such dataset for this principal.
    """
    authorise(principal, Permission.ASK_FOR_DATA)
    with hub.database.read() as session:
        dataset = visible_dataset(hub, session, principal, dataset_id)
        about = parts.about_dataset(session, dataset, principal.organisation, principal.roles)
        answers, sources = parts.known(hub, session, about)
    return Asked(about, asking.questions(about, answers), answers, sources)


def begin(hub: Hub, principal: Principal, dataset_id: str) -> AccessRequest:
    """Begin to ask for a dataset: a draft that only its writer sees, with what is known filled in.

    A draft about the same dataset that is there already is gone on with.

    Raises:
        NotFound: when there is no such dataset for this principal.
    """
    authorise(principal, Permission.ASK_FOR_DATA)
    with hub.database.write() as session:
        return _begin(hub, session, principal, dataset_id)


def _begin(hub: Hub, session: Session, principal: Principal, dataset_id: str) -> AccessRequest:
    dataset = visible_dataset(hub, session, principal, dataset_id)
    drafts = requests.list_requests(
        session, reader=principal.reference, organisation="", states=[RequestState.DRAFT], limit=500
    )
    for item in drafts:
        if item.dataset_id == dataset.id and item.organisation == principal.organisation:
            return item
    about = parts.about_dataset(session, dataset, principal.organisation, principal.roles)
    answers, sources = parts.known(hub, session, about)
    request = requests.add(
        session, dataset.id, dataset.contract, about.publisher, principal.organisation, principal.reference,
        parts.sealed(hub, answers, sources),
    )  # fmt: skip
    note(session, principal, "request.begun", request.id, detail={"dataset": dataset.id})
    return request


def answer(hub: Hub, principal: Principal, request_id: str, key: str, value: Any) -> AccessRequest:
    """Answer one question of one's own request, or answer it otherwise.

    The audit log says nothing of it: until the request is sent, or sent again, nobody else sees the answer.

    Raises:
        NotFound: when there is no such request of this principal, or no such question in it.
        Invalid: when it is no answer.
        Conflict: when the request is with the publisher, or decided.
    """
    authorise(principal, Permission.ASK_FOR_DATA)
    with hub.database.write() as session:
        request, about, answers, sources = parts.own(hub, session, principal, request_id)
        question = parts.question_of(about, answers, key)
        answers[key] = asking.checked(question, value, about)
        sources.pop(key, None)
        return requests.keep_answers(session, request.id, parts.sealed(hub, answers, sources))


def ask(hub: Hub, principal: Principal, request_id: str) -> AccessRequest:
    """Send a request to the publisher.

    Raises:
        NotFound: when there is no such request of this principal.
        Invalid: naming the questions that are not answered.
    """
    authorise(principal, Permission.ASK_FOR_DATA)
    with hub.database.write() as session:
        return _ask(hub, session, principal, request_id)


def _ask(hub: Hub, session: Session, principal: Principal, request_id: str) -> AccessRequest:
    request, about, answers, _ = parts.own(hub, session, principal, request_id)
    parts.complete(about, answers)
    asked = requests.act(session, request.id, "ask", principal.reference, None)
    note(session, principal, "request.asked", request.id, detail=parts.detail(request))
    return asked


def ask_all(hub: Hub, principal: Principal, dataset_id: str, answers: Mapping[str, Any]) -> AccessRequest:
    """Ask for a dataset in one go; what is not answered is taken from what is known.

    Raises:
        NotFound: when there is no such dataset for this principal.
        Invalid: naming the questions whose answers are missing or no answers.
    """
    authorise(principal, Permission.ASK_FOR_DATA)
    with hub.database.write() as session:
        request = _begin(hub, session, principal, dataset_id)
        _, about, known, sources = parts.own(hub, session, principal, request.id)
        left = dict(answers)
        while left:  # some questions are only asked after others
            offered = {item.key: item for item in asking.questions(about, known)}
            key = next((key for key in offered if key in left), None)
            if key is None:
                raise Invalid("There are no such questions.", fields={item: ["not asked"] for item in left})
            known[key] = asking.checked(offered[key], left.pop(key), about)
            sources.pop(key, None)
        requests.keep_answers(session, request.id, parts.sealed(hub, known, sources))
        return _ask(hub, session, principal, request.id)


def reply(hub: Hub, principal: Principal, request_id: str, words: str) -> AccessRequest:
    """Answer what the publisher's steward asked back, after changing answers where that is needed.

    Raises:
        NotFound: when there is no such request of this principal.
        Invalid: when nothing is said, or questions are not answered.
        Conflict: when nothing was asked back.
    """
    authorise(principal, Permission.ASK_FOR_DATA)
    said = parts.words_of(words)
    with hub.database.write() as session:
        request, about, answers, _ = parts.own(hub, session, principal, request_id)
        parts.complete(about, answers)
        sealed = hub.vault.seal_text(said)
        done = requests.act(session, request.id, "answer", principal.reference, sealed)
        note(session, principal, "request.answered", request.id, reason=sealed, detail=parts.detail(request))
    return done


def withdraw(hub: Hub, principal: Principal, request_id: str) -> AccessRequest:
    """Take back one's own request; raises as `answer`."""
    authorise(principal, Permission.ASK_FOR_DATA)
    with hub.database.write() as session:
        request = parts.mine(session, principal, request_id)
        done = requests.act(session, request.id, "withdraw", principal.reference, None)
        note(session, principal, "request.withdrawn", request.id, detail=parts.detail(request))
    return done


# --- who is asked


def decide(hub: Hub, principal: Principal, request_id: str, act: str, words: str) -> AccessRequest:
    """Ask back (`return`), refuse or accept, as a data steward of the publisher; never one's own request.

    Accepting drafts an agreement in the same transaction; the two name each other.

    Raises:
        NotFound: when it is not there for this principal.
        Forbidden: when it is not theirs to decide, with the reason.
        Invalid: when no reason is given, or the agreement cannot be drafted.
        Conflict: when its state does not allow the act.
    """
    authorise(principal, Permission.ANSWER_REQUESTS)
    if act not in _VERDICTS:
        raise Invalid(f"One can {', '.join(_VERDICTS)}.", fields={"act": ["unknown"]})
    said = parts.words_of(words)
    with hub.database.write() as session:
        request = parts.seen(session, principal, request_id, lock=True)
        if why_not := _why_not(principal, request):
            raise Forbidden(why_not)
        asking.move(request.state, act)
        sealed, drafted = hub.vault.seal_text(said), None
        if act == "accept":
            drafted = _draft(hub, session, principal, request)
        done = requests.act(session, request.id, act, principal.reference, sealed, drafted)
        note(
            session, principal, f"request.{done.state.value}", request.id, reason=sealed,
            agreement=drafted or "", detail=parts.detail(request),
        )  # fmt: skip
    return done


def _draft(hub: Hub, session: Session, principal: Principal, request: AccessRequest) -> str:
    """Draft the agreement; returns its id."""
    dataset = catalogue.dataset(session, request.dataset_id)
    about = parts.about_request(session, request, dataset)
    answers, _ = parts.opened(hub, request)
    parts.complete(about, answers)
    text = agreement_text(about, answers, request.id)
    return agreeing.draft_in(hub, session, principal, text, also=request.asked_by).id


def _why_not(principal: Principal, request: AccessRequest) -> str:
    """Why a steward may not decide about a request; empty when they may."""
    if principal.reference == request.asked_by:
        return "You asked for this yourself, so somebody else answers."
    if principal.organisation != request.publisher:
        return "A data steward of the organisation that publishes the dataset answers this request."
    if principal.kind == "client" and principal.organisation == request.organisation:
        return "A machine of the organisation that asks does not answer; a person does."
    return ""


# --- who looks


def list_requests(
    hub: Hub, principal: Principal, *, before: str | None = None, limit: int = 50,
    states: tuple[RequestState, ...] = (),
) -> list[ListedRequest]:  # fmt: skip
    """Requests that the principal's organisation made or is asked, newest first; in some states if they are named."""
    authorise(principal, Permission.READ_REQUESTS)
    with hub.database.read() as session:
        found = requests.list_requests(
            session, reader=principal.reference, states=states, before=before, limit=limit,
            organisation=scope.for_organisation(principal, Permission.READ_REQUESTS),
        )  # fmt: skip
        datasets = catalogue.datasets_by_id(session, [item.dataset_id for item in found])
        names = {item.slug: item.name for item in identities.list_organisations(session)}
    return [
        ListedRequest(
            item, datasets[item.dataset_id].title, names.get(item.publisher, item.publisher),
            names.get(item.organisation, item.organisation), _waits_for(principal, item),
        )
        for item in found
    ]  # fmt: skip


def waiting(hub: Hub, principal: Principal, *, limit: int = 20) -> list[ListedRequest]:
    """Requests that wait for this very principal: to decide about, or to answer what was asked back."""
    authorise(principal, Permission.READ_REQUESTS)
    states = (RequestState.ASKED, RequestState.ANSWERED, RequestState.RETURNED)
    found = list_requests(hub, principal, states=states, limit=500)
    return [item for item in found if item.mine][:limit]


def _waits_for(principal: Principal, request: AccessRequest) -> bool:
    if request.state in asking.WAITS:
        return holds(principal, Permission.ANSWER_REQUESTS) and not _why_not(principal, request)
    return request.state is RequestState.RETURNED and request.asked_by == principal.reference


def read(hub: Hub, principal: Principal, request_id: str) -> ShownRequest:
    """One request with its answers and its story.

    Raises:
        NotFound: when it is not there for this principal.
    """
    authorise(principal, Permission.READ_REQUESTS)
    with hub.database.read() as session:
        request = parts.seen(session, principal, request_id)
        dataset = catalogue.dataset(session, request.dataset_id)
        about = parts.about_request(session, request, dataset)
        answers, sources = parts.opened(hub, request)
        names = {item.slug: item.name for item in identities.list_organisations(session)}
        steps = tuple(
            ShownStep(
                item.act, who(session, item.by), item.at,
                hub.vault.open_text(item.words) if item.words else "",
            )
            for item in requests.steps(session, request.id)
        )  # fmt: skip
        asked_by = who(session, request.asked_by)
        drafted = request.agreement_id or ""
        if drafted and not (
            holds(principal, Permission.READ_AGREEMENTS)
            and scope.may_see_agreement(principal, agreements.get(session, drafted))
        ):
            drafted = ""
    acts, why_not = _acts(principal, request)
    lines = tuple(
        Answered(item, answers.get(item.key), sources.get(item.key, ""))
        for item in asking.questions(about, answers)
    )
    return ShownRequest(
        request, dataset, about, names.get(request.publisher, request.publisher), asked_by, lines,
        asking.unanswered(about, answers), steps, acts, why_not, drafted,
    )  # fmt: skip


def exists_for(hub: Hub, principal: Principal, request_id: str) -> bool:
    """Whether there is such a request for this principal, so that a link to it leads somewhere."""
    if not holds(principal, Permission.READ_REQUESTS):
        return False
    try:
        with hub.database.read() as session:
            parts.seen(session, principal, request_id)
    except NotFound:
        return False
    return True


def _acts(principal: Principal, request: AccessRequest) -> tuple[tuple[str, ...], str]:
    """What a principal may do to a request now, and why a steward may not decide."""
    possible = [act for state, act in asking.TRANSITIONS if state is request.state]
    acts = []
    if request.asked_by == principal.reference and holds(principal, Permission.ASK_FOR_DATA):
        acts = [act for act in possible if act not in _VERDICTS]
    if request.state not in asking.WAITS or not holds(principal, Permission.ANSWER_REQUESTS):
        return tuple(acts), ""
    why_not = _why_not(principal, request)
    if not why_not:
        acts += [act for act in possible if act in _VERDICTS]
    return tuple(acts), why_not
