"""A person's own page: opened with a one-time code and the date of birth, for half an hour, without an account.

An officer has looked at who the person is (in the world, not on the screen) and hands the code over or sends it. What
the page shows is the person's alone: who used data about them, what they asked for, and the copy they were given.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.orm import Session

from hub.catalogue import store as catalogue
from hub.errors import Forbidden, Invalid, NotFound, Unauthorised
from hub.identity import store as identities
from hub.identity.principal import Principal, system
from hub.policy import store as agreements
from hub.policy.roles import Permission
from hub.rights import codes, corrections
from hub.rights import store as rights
from hub.rights.codes import Code, Visit
from hub.rights.corrections import Copy
from hub.rights.states import RequestKind, RequestState
from hub.rights.store import Request
from hub.rights.uses import Use
from hub.workflows.hub import Hub, authorise, note, today
from hub.workflows.rights import open_for
from hub.workflows.rights_copies import open_copy
from hub.workflows.rights_people import check_text, history, known_as, reference, seal, subject_of, unseal
from hub.workflows.rights_uses import collect

__all__ = [
    "MyPage", "MyRequest", "ask", "close", "fetch_copy", "is_open", "make_code", "my_page", "open_page", "purposes",
    "what_is_held",
]  # fmt: skip

_CITIZEN = system("citizen")
_WRONG = (
    "The code or the date of birth is not right, or the code was used already or is too old. Look at both and try "
    "again, or ask for a new code."
)
_USE = "rights code"


@dataclass(frozen=True, repr=False)
class MyRequest:
    """A request as the person who asked reads it."""

    request: Request
    wish: str
    answer: str
    extension_reason: str
    agreement_title: str
    corrections: tuple[tuple[str, str, str], ...]  # where it was sent, state, what was answered
    copy: Copy | None


@dataclass(frozen=True, repr=False)
class MyPage:
    """What a person reads: uses, newest first, and their requests, newest first."""

    uses: tuple[Use, ...]
    requests: tuple[MyRequest, ...]
    visit: Visit


# --- the officer


def make_code(hub: Hub, principal: Principal, person_id: str, born: date, checked: str) -> str:
    """A one-time code for a person whose identity the officer has checked; `checked` says how. It is shown once.

    `born` is the date of birth on what the person showed: what the hub holds may be wrong, which may be why they ask.

    Raises:
        Invalid: when nothing is said about how it was checked, or the date cannot be.
        NotFound: when the person is not known (any more).
    """
    authorise(principal, Permission.HANDLE_RIGHTS)
    said = check_text(checked, "checked", "saw the passport at the desk on 3 March")
    if not date(1880, 1, 1) < born <= today(hub):
        raise Invalid("The date of birth must be in the past.", fields={"born": ["not possible"]})
    text, now = codes.new_code(), hub.clock()
    with hub.database.write() as session:
        subject = subject_of(hub, session, person_id)
        code = Code(
            _hash(hub, text), reference(hub, person_id), seal(hub, subject), hub.vault.seal_text(born.isoformat()),
            principal.organisation, principal.reference, now, now + timedelta(days=hub.settings.rights_code_days), 0,
            None,
        )  # fmt: skip
        codes.add_code(session, code)
        note(
            session, principal, "rights.code-made", subjects=[code.subject], reason=hub.vault.seal_text(said),
            detail={"until": code.expires_at.isoformat(timespec="seconds")},
        )  # fmt: skip
    return text


def _hash(hub: Hub, text: str) -> str:
    return hub.vault.reference(_USE, codes.plain(text))


# --- the person


def open_page(hub: Hub, typed: str, born: date) -> str:
    """A session for a code and a date of birth; the code is used up.

    Raises:
        Unauthorised: with one message for every cause.
    """
    token, now = "", hub.clock()
    with hub.database.write() as session:
        codes.forget_old(session, now, hub.settings.rights_code_days)
        code = codes.find_code(session, _hash(hub, typed)) if codes.plain(typed) else None
        if code is not None and code.usable(now):
            right = hub.vault.open_text(code.born)
            if hmac.compare_digest(right.encode(), born.isoformat().encode()):
                codes.use_code(session, code.code_hash, now)
                token = codes.start_visit(session, code, now, hub.settings.rights_session_minutes)
                note(session, _CITIZEN, "rights.page-opened", subjects=[code.subject])
            else:
                attempts = codes.note_attempt(session, code.code_hash)
                note(
                    session,
                    _CITIZEN,
                    "rights.code-refused",
                    subjects=[code.subject],
                    detail={"attempt": attempts},
                )
    if not token:
        raise Unauthorised(_WRONG)
    return token


def is_open(hub: Hub, token: str) -> bool:
    """Whether a session is still open."""
    with hub.database.read() as session:
        return codes.visit(session, token, hub.clock()) is not None


def close(hub: Hub, token: str) -> None:
    """The person has finished."""
    with hub.database.write() as session:
        codes.end_visit(session, token)


def _visit(hub: Hub, session: Session, token: str) -> Visit:
    found = codes.visit(session, token, hub.clock())
    if found is None:
        raise Unauthorised("Your page has closed, to keep it private. Ask for a new code to open it again.")
    return found


def my_page(hub: Hub, token: str) -> MyPage:
    """What a person reads on their own page.

    Raises:
        Unauthorised: when the session is over.
    """
    with hub.database.read() as session:
        visit = _visit(hub, session, token)
        found = history(hub, session, unseal(hub, visit.person))
        mine = [_mine(hub, session, item) for item in _requests(hub, session, visit, found.ids)]
        mine.sort(key=lambda item: item.request.id, reverse=True)
        return MyPage(tuple(collect(hub, session, found)), tuple(mine), visit)


def _requests(hub: Hub, session: Session, visit: Visit, ids: Collection[str]) -> list[Request]:
    """The person's requests. An id may have gone to somebody else since: whose rows they were about decides."""
    named = {
        item.id: item
        for ident in sorted({visit.subject} | {reference(hub, one) for one in ids})
        for item in rights.requests_of(session, ident)
    }
    return [
        item
        for item in named.values()
        if item.person == visit.person or known_as(hub, session, [unseal(hub, item.person)]) <= set(ids)
    ]


def _mine(hub: Hub, session: Session, request: Request) -> MyRequest:
    sent = []
    for item in corrections.corrections_of(session, request.id):
        where = identities.organisation(session, item.organisation_id).name
        sent.append((where, item.state.value, hub.vault.open_text(item.reason) if item.reason else ""))
    title = ""
    if request.agreement_id is not None:
        title = agreements.get(session, request.agreement_id).title
    copy = corrections.copy_of(session, request.id)
    answered = request.answer is not None and not request.is_open
    return MyRequest(
        request, hub.vault.open_text(request.wish), hub.vault.open_text(request.answer or "") if answered else "",
        hub.vault.open_text(request.extension_reason) if request.extension_reason else "", title, tuple(sent),
        copy if copy is not None and copy.given_at is not None and copy.destroyed_at is None else None,
    )  # fmt: skip


def what_is_held(hub: Hub) -> tuple[list[str], list[str]]:
    """For everybody: the names of the services that have sent data, and what agreements in force use it for."""
    with hub.database.read() as session:
        homes = {item.id: item.name for item in identities.list_organisations(session)}
        sent = {
            homes[item.organisation_id]
            for item in catalogue.list_datasets(session, limit=100_000)
            if item.current_version is not None and not item.contract.startswith("hub.")
        }
        return sorted(sent), sorted({item.purpose for item in agreements.active(session, today(hub))})


def purposes(hub: Hub, token: str) -> list[tuple[str, str, str]]:
    """What a person can object to: agreements in force, as id, title and purpose.

    Raises:
        Unauthorised: when the session is over.
    """
    with hub.database.read() as session:
        _visit(hub, session, token)
        return [(item.id, item.title, item.purpose) for item in agreements.active(session, today(hub))]


def ask(hub: Hub, token: str, kind: RequestKind, wish: str, agreement_id: str = "") -> Request:
    """A person asks for something on their own page; it is received today.

    Raises:
        Unauthorised: when the session is over.
        Invalid: when nothing is said.
        Conflict: when they asked for it already.
    """
    with hub.database.write() as session:
        visit = _visit(hub, session, token)
        if kind is RequestKind.OBJECTION and agreement_id not in {
            item.id for item in agreements.active(session, today(hub))
        }:
            raise Invalid("Choose what you do not want.", fields={"agreement": ["not one to choose"]})
        return open_for(
            hub, session, _CITIZEN, (visit.subject, visit.person), visit.organisation, kind, wish, today(hub),
            agreement_id,
        )  # fmt: skip


def fetch_copy(hub: Hub, token: str, request_id: str) -> bytes:
    """The copy that an officer gave, as a zip file; that it was fetched is noted.

    Raises:
        Unauthorised: when the session is over.
        NotFound: when there is no such copy of this person, or it was not given yet.
    """
    with hub.database.write() as session:
        visit = _visit(hub, session, token)
        copy, ids = (
            corrections.copy_of(session, request_id),
            history(hub, session, unseal(hub, visit.person)).ids,
        )
        try:
            request = rights.get_request(session, request_id)
        except NotFound:
            raise NotFound("There is no copy for you here.") from None
        if (
            request.id not in {item.id for item in _requests(hub, session, visit, ids)}
            or copy is None
            or copy.given_at is None
            or request.state is not RequestState.ANSWERED
        ):
            raise NotFound("There is no copy for you here.")
        if copy.expires_at <= hub.clock():
            raise Forbidden("The time to fetch this copy is over. Ask for it again.")
        data = open_copy(hub, session, copy)
        note(session, _CITIZEN, "rights.copy-fetched", request_id, subjects=[visit.subject])
    return data
