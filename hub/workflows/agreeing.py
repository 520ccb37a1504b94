"""Agreements: drafted by one person, reviewed by another, ended by either; `hub.workflows.signing` has them signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from hub.catalogue import store as catalogue
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.identity.principal import Principal
from hub.policy import scope
from hub.policy import signing as signatures
from hub.policy import store as agreements
from hub.policy.agreement import Agreement, AgreementState, DatasetTerms
from hub.policy.compare import Difference, differences
from hub.policy.decide import Asked, Decision, Explained, decide_for_any
from hub.policy.decide import explain as explain_checks
from hub.policy.roles import Permission
from hub.policy.signing import Signature
from hub.policy.states import TRANSITIONS
from hub.policy.store import Record
from hub.workflows import ending
from hub.workflows.coarseness import coarse_problems
from hub.workflows.granting import slugs
from hub.workflows.hub import Hub, authorise, holds, note, today
from hub.workflows.naming import who
from hub.workflows.scoping import agreement_seen, agreements_seen
from hub_schemas import Contract, library

__all__ = [
    "ACTS", "RESERVED", "Standing", "change", "compare", "draft", "draft_in", "explain", "explain_fully",
    "list_agreements", "read", "rewrite", "rewrite_in", "standing",
]  # fmt: skip

#: What a data steward does to an agreement in one step; signing is `hub.workflows.signing`.
ACTS: Final = ("submit", "return", "approve", "withdraw")
#: Words of pages' addresses, so no ids of agreements.
RESERVED: Final = frozenset({"new", "drafts", "explain", "keys", "upload"})
_LEAST_REASON: Final = 10


@dataclass(frozen=True)
class Standing:
    """Where an agreement stands, for its page. `people` says in words who is behind the references of its record.

    `acts` are what the reader may do now, `missing` the parties whose signature is awaited, `note` the reason of the
    last step for those who manage agreements.
    """

    agreement: Agreement
    text: str
    record: Record
    signatures: tuple[Signature, ...]
    missing: tuple[str, ...]
    people: Mapping[str, str]
    acts: tuple[str, ...]
    note: str = ""


def draft(hub: Hub, principal: Principal, text: str) -> Agreement:
    """Keep a draft, when every dataset, column and publisher it names exists.

    Raises:
        Invalid: naming what does not exist.
        Forbidden: when the principal's organisation is no party to it.
    """
    authorise(principal, Permission.MANAGE_AGREEMENTS)
    with hub.database.write() as session:
        return draft_in(hub, session, principal, text)


def draft_in(hub: Hub, session: Session, principal: Principal, text: str, *, also: str = "") -> Agreement:
    """`draft` in a transaction that is open already; `also` is somebody else who wrote on it."""
    authorise(principal, Permission.MANAGE_AGREEMENTS)
    agreement = agreements.add(session, text, principal.reference, also=also)
    if not scope.may_change_agreement(principal, agreement):
        raise Forbidden(
            "Your organisation is no party to this agreement: it neither controls, publishes nor uses anything in it. "
            "A data steward of one that does, or of the hub, drafts it."
        )
    if agreement.id in RESERVED:
        raise Invalid(f"An agreement cannot have the id {agreement.id}.", fields={"id": ["choose another"]})
    _check_names(session, agreement)
    note(session, principal, "agreement.drafted", agreement.id, agreement=agreement.id)
    return agreement


def rewrite(hub: Hub, principal: Principal, agreement_id: str, text: str) -> Agreement:
    """Give a draft another text, for example after it came back from review: its next version.

    Raises:
        NotFound: when there is none that this principal may see.
        Conflict: when it is no draft any more.
        Invalid: naming what does not exist.
    """
    authorise(principal, Permission.MANAGE_AGREEMENTS)
    with hub.database.write() as session:
        return rewrite_in(session, principal, agreement_id, text)


def rewrite_in(
    session: Session, principal: Principal, agreement_id: str, text: str, *, also: str = ""
) -> Agreement:
    """`rewrite` in a transaction that is open already; `also` is somebody else who wrote on it."""
    authorise(principal, Permission.MANAGE_AGREEMENTS)
    _changeable(session, principal, agreement_id)
    agreement = agreements.replace_text(session, agreement_id, text, principal.reference, also=also)
    if not scope.may_change_agreement(principal, agreement):
        raise Forbidden("With this text your organisation would be no party to the agreement any more.")
    _check_names(session, agreement)
    note(
        session, principal, "agreement.drafted", agreement.id, agreement=agreement.id,
        detail={"version": agreement.version},
    )  # fmt: skip
    return agreement


def _check_names(session: Session, agreement: Agreement) -> None:
    """Go on only when every dataset, column and publisher that an agreement names exists."""
    publishers = slugs(session)
    unknown, contracts = [], {}
    for terms in agreement.datasets:
        if nobody := _nobody(agreement, terms, set(publishers.values())):
            unknown.append(nobody)
        contracts[terms.contract] = _known_contracts(session, terms.contract, agreement, publishers)
        known = {column.name for contract in contracts[terms.contract] for column in contract.columns}
        if not contracts[terms.contract]:
            unknown.append(f"no contract {terms.contract}")
        elif missing := terms.columns - known:
            unknown.append(f"{terms.contract} has no column {', '.join(sorted(missing))}")
    if unknown:
        raise Invalid(f"The agreement names what is not there: {'; '.join(unknown)}.")
    if problems := coarse_problems(agreement, contracts):
        raise Invalid(f"The agreement cannot generalise so: {'; '.join(problems)}.")


def _nobody(agreement: Agreement, terms: DatasetTerms, registered: set[str]) -> str:
    """What is wrong with whom an entry names as publishers; empty when it names organisations of this hub."""
    if terms.contract.startswith("hub."):
        return ""
    if unknown := sorted(set(terms.publishers) - registered):
        return f"no organisation {', '.join(unknown)}, named as a publisher of {terms.contract}"
    if not terms.publishers and not set(agreement.controllers) & registered:
        return (
            f"nobody who publishes {terms.contract} (none of the controllers is the slug of an organisation of this "
            "hub; add `publishers:` with the slugs of those whose data it is)"
        )
    return ""


def _known_contracts(
    session: Session, contract_id: str, agreement: Agreement, publishers: Mapping[str, str]
) -> list[Contract]:
    """What the library or the publishers an agreement names know under a contract id."""
    named = agreement.publishers_of(contract_id)
    contracts = [
        catalogue.contract_by_digest(session, dataset.contract_digest)
        for dataset in catalogue.datasets_of_contract(session, contract_id)
        if publishers[dataset.organisation_id] in named
    ]
    if contract_id in library.names():
        contracts.append(library.load(contract_id))
    return contracts


def change(hub: Hub, principal: Principal, agreement_id: str, act: str, reason: str = "") -> Agreement:
    """Submit a draft for review, return or approve it, or withdraw an agreement: see `ACTS`.

    Approving finds out who must sign: every controller, publisher and user that is an organisation of this hub.
    Withdrawing stops schedules and runs in the same transaction.

    Raises:
        NotFound: when there is none that this principal may see.
        Forbidden: for one of its authors, where somebody else must approve; for stewards of no party.
        Invalid: when it is returned without a reason.
        Conflict: when its state does not allow the act.
    """
    authorise(principal, Permission.MANAGE_AGREEMENTS)
    if act not in ACTS:
        raise Conflict(f"One does not {act} an agreement: {', '.join(ACTS)}, or sign it.")
    if act == "return" and len(reason.strip()) < _LEAST_REASON:
        raise Invalid(
            f"Say what has to change, in at least {_LEAST_REASON} characters.",
            fields={"reason": ["too short"]},
        )
    sealed = hub.vault.seal_text(reason.strip()) if reason.strip() else ""
    with hub.database.write() as session:
        found = _changeable(session, principal, agreement_id)
        parties = None
        if act == "approve":
            _check_other(session, principal, agreement_id)
            _check_hubs_own(principal, found)
            _check_names(session, found)
            parties = _must_sign(session, found)
        agreement = agreements.change_state(
            session, agreement_id, act, principal.reference, parties=parties, note=sealed
        )
        if act == "withdraw":
            ending.end_in(hub, session, principal, agreement, reason=sealed)
        else:
            note(
                session, principal, f"agreement.{_NOTED[act]}", agreement_id, agreement=agreement_id, reason=sealed,
                detail={"version": agreement.version},
            )  # fmt: skip
    if act == "withdraw":
        ending.settle(hub, agreement)
    return agreement


_NOTED: Final = {"submit": "submitted", "return": "returned", "approve": "agreed"}


def _changeable(session: Session, principal: Principal, agreement_id: str) -> Agreement:
    """An agreement that this principal may change; NotFound when it may not be seen, Forbidden when not theirs."""
    agreement = agreement_seen(session, principal, agreement_id)
    if not scope.may_change_agreement(principal, agreement):
        raise Forbidden("Data stewards of the parties to this agreement, or of the hub, decide about it.")
    return agreement


def _check_other(session: Session, principal: Principal, agreement_id: str) -> None:
    if principal.reference in agreements.record(session, agreement_id).authors:
        raise Forbidden(
            "You wrote this agreement, so somebody else must approve it: another data steward of a party or of the hub."
        )


def _check_hubs_own(principal: Principal, agreement: Agreement) -> None:
    """The hub's own datasets are made of what everybody sent and nobody signs for them: its own stewards approve."""
    if agreement.gives_hubs_own and not scope.whole_hub(principal, Permission.MANAGE_AGREEMENTS):
        raise Forbidden(
            "This agreement gives data of the hub itself, which is about everybody: a data steward of the hub has to "
            "approve it."
        )


def _must_sign(session: Session, agreement: Agreement) -> dict[str, tuple[str, ...]]:
    registered = set(slugs(session).values())
    found = {slug: parts for slug, parts in agreement.parties().items() if slug in registered}
    if not found:
        raise Conflict(
            "Nobody whom the agreement names is an organisation of this hub, so nobody can sign it."
        )
    return found


def read(hub: Hub, principal: Principal, agreement_id: str) -> tuple[Agreement, str]:
    """An agreement and its YAML.

    Raises:
        NotFound: when there is none that this principal may see.
    """
    authorise(principal, Permission.READ_AGREEMENTS)
    with hub.database.read() as session:
        found = agreement_seen(session, principal, agreement_id)
        return found, agreements.get_text(session, agreement_id)


def standing(hub: Hub, principal: Principal, agreement_id: str) -> Standing:
    """An agreement with its record and signatures, as `read`."""
    authorise(principal, Permission.READ_AGREEMENTS)
    with hub.database.read() as session:
        found = agreement_seen(session, principal, agreement_id)
        record = agreements.record(session, agreement_id)
        signed = tuple(signatures.signatures(session, found))
        references = {
            *record.authors,
            record.approved_by,
            record.decided_by,
            *(item.by for item in signed),
        } - {""}
        manages = holds(principal, Permission.MANAGE_AGREEMENTS) and scope.may_change_agreement(
            principal, found
        )
        return Standing(
            found, agreements.get_text(session, agreement_id), record, signed,
            tuple(slug for slug in record.parties if slug not in (found.signed_by or ())),
            {reference: who(session, reference) for reference in references},
            tuple(_acts(principal, found, record)) if manages else (),
            hub.vault.open_text(record.note) if record.note and manages else "",
        )  # fmt: skip


def _acts(principal: Principal, agreement: Agreement, record: Record) -> list[str]:
    """What a steward may do to an agreement now."""
    acts = [act for state, act in TRANSITIONS if state is agreement.state and act in (*ACTS, "sign")]
    foreign = agreement.gives_hubs_own and not scope.whole_hub(principal, Permission.MANAGE_AGREEMENTS)
    if principal.reference in record.authors or foreign:
        acts = [act for act in acts if act != "approve"]
    if agreement.state is AgreementState.ACTIVE and not set(record.parties) - (
        agreement.signed_by or frozenset()
    ):
        acts = [act for act in acts if act != "sign"]
    return acts


def compare(
    hub: Hub, principal: Principal, agreement_id: str, other: str = ""
) -> tuple[Agreement, Agreement | None, list[Difference]]:
    """What an agreement would change, against another agreement or against none.

    Raises:
        NotFound: when one of them is not there for this principal.
    """
    authorise(principal, Permission.READ_AGREEMENTS)
    with hub.database.read() as session:
        new = agreement_seen(session, principal, agreement_id)
        old = agreement_seen(session, principal, other) if other else None
    return new, old, differences(old, new)


def list_agreements(hub: Hub, principal: Principal) -> list[Agreement]:
    """The agreements that the principal may see."""
    authorise(principal, Permission.READ_AGREEMENTS)
    with hub.database.read() as session:
        return agreements_seen(session, principal)


def explain(hub: Hub, principal: Principal, asked: Asked) -> Decision:
    """Why something is allowed or refused, today; for any publisher where the question names none."""
    return explain_fully(hub, principal, asked)[0]


def explain_fully(hub: Hub, principal: Principal, asked: Asked) -> tuple[Decision, list[Explained]]:
    """The decision, and every check of every agreement that is about the data, nearest first.

    Only agreements that the principal may see are looked at, so that an answer tells nobody of others.

    Raises:
        NotFound: when the question names an agreement that is not there for this principal.
    """
    authorise(principal, Permission.READ_AGREEMENTS)
    asked = asked if asked.on else Asked(**asked.__dict__ | {"on": today(hub)})
    with hub.database.read() as session:
        in_question = agreements_seen(session, principal)
    if asked.agreement and asked.agreement not in {item.id for item in in_question}:
        raise NotFound(f"There is no agreement {asked.agreement}.")
    return decide_for_any(asked, in_question), explain_checks(asked, in_question)
