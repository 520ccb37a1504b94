"""What asking for data and answering have in common: which requests one sees, what they are about, what is sealed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from hub.catalogue import store as catalogue
from hub.errors import Invalid, NotFound
from hub.identity import store as identities
from hub.identity.actors import actor_of
from hub.policy import asking, requests, scope
from hub.policy import store as agreements
from hub.policy.asking import About, Question, RequestState
from hub.policy.requests import AccessRequest
from hub.runs import store as runs
from hub.workflows.hub import Hub, today
from hub.workflows.visible import visible_dataset

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from hub.catalogue.store import Dataset
    from hub.identity.principal import Principal

__all__ = [
    "about_dataset", "about_request", "complete", "detail", "known", "mine", "opened", "own", "question_of", "sealed",
    "seen", "words_of",
]  # fmt: skip

_MOST_WORDS: Final = 2000


def seen(session: Session, principal: Principal, request_id: str, *, lock: bool = False) -> AccessRequest:
    """A request that a principal may see.

    Raises:
        NotFound: when there is none.
    """
    request = requests.get(session, request_id, lock=lock)
    sent = request.state is not RequestState.DRAFT
    between = (request.organisation, request.publisher)
    if not scope.may_see_request(principal, principal.reference, request.asked_by, between, sent=sent):
        raise NotFound(f"There is no request {request_id}.")
    return request


def mine(session: Session, principal: Principal, request_id: str) -> AccessRequest:
    """A request that this very principal made, for the organisation they act for now."""
    request = requests.get(session, request_id, lock=True)
    if request.asked_by != principal.reference or request.organisation != principal.organisation:
        raise NotFound(f"There is no request {request_id}.")
    return request


def own(
    hub: Hub, session: Session, principal: Principal, request_id: str
) -> tuple[AccessRequest, About, dict[str, Any], dict[str, str]]:
    """One's own request, what it is about, its answers and where those come from that nobody typed.

    Raises:
        NotFound: when there is none of this principal.
    """
    request = mine(session, principal, request_id)
    dataset = visible_dataset(hub, session, principal, request.dataset_id)
    about = about_dataset(session, dataset, principal.organisation, principal.roles)
    return (request, about, *opened(hub, request))


def question_of(about: About, answers: Mapping[str, Any], key: str) -> Question:
    """One of the questions of a request.

    Raises:
        NotFound: when it is not asked.
    """
    for item in asking.questions(about, answers):
        if item.key == key:
            return item
    raise NotFound("There is no such question in this request.")


def complete(about: About, answers: Mapping[str, Any]) -> None:
    """Go on only when every question has an answer that fits.

    Raises:
        Invalid: naming the questions.
    """
    if left := asking.unanswered(about, answers):
        missing = {item.key: ["no answer that fits"] for item in left}
        raise Invalid(f"Not answered yet: {'; '.join(item.title for item in left)}", fields=missing)


def about_dataset(session: Session, dataset: Dataset, organisation: str, roles: Iterable[str]) -> About:
    """What a request is about, asked for an organisation (slug) by somebody with these roles."""
    homes = {item.id: item for item in identities.list_organisations(session)}
    names = {item.slug: item.name for item in homes.values()}
    contract = catalogue.contract_by_digest(session, dataset.contract_digest)
    plugins = tuple(
        (item.name, str(item.manifest["title"]))
        for item in runs.list_plugins(session)
        if item.enabled and any(one["contract"] == contract.id for one in item.manifest["inputs"])
    )
    return About(
        dataset.title, contract, homes[dataset.organisation_id].slug, organisation,
        names.get(organisation, organisation), tuple(sorted(roles)), plugins,
    )  # fmt: skip


def about_request(session: Session, request: AccessRequest, dataset: Dataset) -> About:
    """What a request is about; with the roles that who asked has now."""
    actor = actor_of(session, request.asked_by)
    roles = actor.roles if actor is not None and actor.slug == request.organisation else frozenset()
    return about_dataset(session, dataset, request.organisation, roles)


def known(hub: Hub, session: Session, about: About) -> tuple[dict[str, Any], dict[str, str]]:
    """What need not be typed again, and where it comes from."""
    return asking.known(about, agreements.active(session, today(hub)), today(hub))


def sealed(hub: Hub, answers: Mapping[str, Any], sources: Mapping[str, str]) -> str:
    """Answers as they are kept."""
    return hub.vault.seal_text(json.dumps({"answers": dict(answers), "sources": dict(sources)}))


def opened(hub: Hub, request: AccessRequest) -> tuple[dict[str, Any], dict[str, str]]:
    """Answers as they were given, and their sources."""
    kept = json.loads(hub.vault.open_text(request.answers))
    return kept["answers"], kept["sources"]


def words_of(words: str) -> str:
    """What somebody says to the other side.

    Raises:
        Invalid: when it is nothing, or too long.
    """
    said = words.strip()
    if not said or len(said) > _MOST_WORDS:
        raise Invalid(
            f"Say in a few words (at most {_MOST_WORDS:,} characters) why, or what you want to know; the other side "
            "reads it.",
            fields={"words": ["missing or too long"]},
        )  # fmt: skip
    return said


def detail(request: AccessRequest) -> dict[str, Any]:
    """What the audit log says of a request."""
    return {
        "dataset": request.dataset_id,
        "publisher": request.publisher,
        "organisation": request.organisation,
    }
