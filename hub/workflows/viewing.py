"""Viewing people and households: for a purpose and a reason, under an agreement, and always logged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from hub.catalogue import store as catalogue
from hub.catalogue.store import Version
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.identity import store as identities
from hub.identity.principal import Principal
from hub.insights.household import Contact, HouseholdView, NeedsAnswers, contact, members, needs_answers
from hub.insights.people import Found, PersonQuery, find_people
from hub.policy import store as agreements
from hub.policy.agreement import Agreement
from hub.policy.decide import Asked, Grant, decide, require_grant, whole_file
from hub.policy.roles import Permission
from hub.runs import store as runs
from hub.runs.prepare import INDEX_CONTRACT
from hub.workflows.hub import Hub, authorise, note, today
from hub.workflows.linking import PEOPLE_CONTRACT
from hub_schemas import Contract, library
from hub_schemas.delivery import ROW_NUMBER
from hub_sdk import Manifest

__all__ = ["Opened", "Purpose", "open_household", "purposes", "search_people"]

_OPERATION = "read person"
_PLUGIN = "families"
_LEAST_REASON = 10
_MEMBER_COLUMNS = ("person_id", "household_id", "forename", "surname", "date_of_birth", "sex", "datasets")
_SEARCH_COLUMNS = (
    "person_id",
    "household_id",
    "forename",
    "surname",
    "date_of_birth",
    "postcode",
    "uprn",
    "nhs_number",
)


@dataclass(frozen=True)
class Purpose:
    """Why a principal looks: the agreement that carries the purpose, and the reason typed."""

    agreement: str
    reason: str


@dataclass(frozen=True, repr=False)
class Opened:
    """A household as it was shown, under which agreement, and the entry of the audit log that says so."""

    view: HouseholdView
    agreement: Agreement
    entry: int


def purposes(hub: Hub, principal: Principal) -> list[Agreement]:
    """The agreements under which this principal may look at single people."""
    authorise(principal, Permission.SEARCH_PEOPLE)
    with hub.database.read() as session:
        in_force = agreements.active(session, today(hub))
    return [
        item for item in in_force if decide(_asked(hub, principal, PEOPLE_CONTRACT, item.id), [item]).allowed
    ]


def search_people(hub: Hub, principal: Principal, purpose: Purpose, query: PersonQuery) -> list[Found]:
    """People that match; the search is logged with its purpose and reason, and with keyed references of those found.

    Raises:
        Forbidden: when the agreement does not allow it.
        Invalid: when the reason is missing or the query is too wide.
    """
    authorise(principal, Permission.SEARCH_PEOPLE)
    _check_reason(purpose)
    query.check()
    with hub.database.read() as session:
        agreement = _agreement(hub, session, purpose)
        grant = require_grant(_asked(hub, principal, PEOPLE_CONTRACT, agreement.id), [agreement])
        version = _people_version(session)
        file = hub.vault.locate(session, version.object_key, version.binding)
    wanted = frozenset(_SEARCH_COLUMNS)
    found = find_people(hub.vault.read(file, _SEARCH_COLUMNS, _with_ids(grant, wanted)), query)
    with hub.database.write() as session:
        note(
            session, principal, "people.searched", version.id, agreement=agreement.id, purpose=agreement.purpose,
            reason=hub.vault.seal_text(purpose.reason),
            subjects=[hub.vault.reference("person", person.person_id) for person in found],
            detail={"found": len(found)},
        )  # fmt: skip
    return found


def open_household(hub: Hub, principal: Principal, household_id: str, purpose: Purpose) -> Opened:
    """The whole picture of a household, as far as the agreement gives it; logged before it is shown.

    Raises:
        Forbidden: when the agreement does not allow it.
        Invalid: when the reason is missing.
        NotFound: when there is no such household.
    """
    authorise(principal, Permission.SEARCH_PEOPLE)
    _check_reason(purpose)
    with hub.database.read() as session:
        agreement = _agreement(hub, session, purpose)
        grant = require_grant(_asked(hub, principal, PEOPLE_CONTRACT, agreement.id), [agreement])
        version = _people_version(session)
        people_file = hub.vault.locate(session, version.object_key, version.binding)
        people = hub.vault.read(
            people_file, [*_MEMBER_COLUMNS, "postcode", "uprn"], _with_ids(grant, frozenset())
        )
        view = HouseholdView(household_id, members(people, household_id))
        if not view.members:
            raise NotFound(
                "There is no such household; it may have changed since it was linked. Search again."
            )
        import pyarrow.compute as pc

        home = people.filter(pc.equal(people["household_id"], household_id)).slice(0, 1).to_pylist()[0]
        view.postcode, view.uprn = home["postcode"] or "", home["uprn"] or ""
        _contacts(hub, session, principal, agreement, view)
        view.answers = _answers(hub, session, principal, agreement, household_id)
    subjects = [hub.vault.reference("household", household_id)]
    subjects += [hub.vault.reference("person", member.person_id) for member in view.members]
    with hub.database.write() as session:
        entry = note(
            session, principal, "household.read", "", agreement=agreement.id, purpose=agreement.purpose,
            reason=hub.vault.seal_text(purpose.reason), subjects=subjects,
            detail={"datasets": sorted(item.contract for item in view.contacts)},
        )  # fmt: skip
    return Opened(view, agreement, entry)


def _check_reason(purpose: Purpose) -> None:
    if len(purpose.reason.strip()) < _LEAST_REASON:
        raise Invalid(
            f"Say why you look, in at least {_LEAST_REASON} characters, for example: home visit on Friday, case 2041.",
            fields={"reason": ["too short"]},
        )


def _agreement(hub: Hub, session: Any, purpose: Purpose) -> Agreement:
    try:
        return agreements.get(session, purpose.agreement)
    except NotFound:
        raise Forbidden("Choose the purpose for which you look.") from None


def _asked(
    hub: Hub, principal: Principal, contract: str, agreement: str, columns: frozenset[str] = frozenset()
) -> Asked:
    return Asked(
        _OPERATION,
        contract,
        principal.organisation,
        today(hub),
        columns,
        principal.roles,
        agreement=agreement,
    )


def _with_ids(grant: Grant, more: frozenset[str]) -> Grant:
    """The grant with the hub's own random ids, which name nobody by themselves."""
    return Grant(
        grant.contract,
        grant.columns | {"person_id", "household_id", "datasets"},
        grant.agreement,
        grant.reason,
    )


def _people_version(session: Any) -> Version:
    version = catalogue.current_version(session, PEOPLE_CONTRACT)
    if version is None:
        raise Conflict("People have not been linked yet, so nobody can be found. Ask the hub's operator.")
    return version


def _contacts(
    hub: Hub, session: Any, principal: Principal, agreement: Agreement, view: HouseholdView
) -> None:
    """Which services are in touch, and why others are not shown."""
    import pyarrow.compute as pc

    index_version = catalogue.current_version(session, INDEX_CONTRACT)
    if index_version is None:
        return
    grant = whole_file(INDEX_CONTRACT, "rows of one household")
    file = hub.vault.locate(session, index_version.object_key, index_version.binding)
    index = hub.vault.read(file, ["version_id", "source_row", "person_id"], grant)
    ids = pa.array([member.person_id for member in view.members])
    rows = index.filter(pc.is_in(index["person_id"], ids)).to_pylist()
    linked = catalogue.versions_by_id(session, catalogue.parents(session, index_version.id)).values()
    sent = set()
    for version in sorted(linked, key=lambda item: item.dataset_id):
        contract = catalogue.contract_by_digest(session, version.contract_digest)
        sent.add(contract.id)
        home = identities.organisation(
            session, catalogue.dataset(session, version.dataset_id).organisation_id
        )
        title = f"{home.name}: {contract.title}"
        decision = decide(_asked(hub, principal, contract.id, agreement.id), [agreement])
        if decision.grant is None:
            view.not_covered.append(title)
            continue
        mine = {row["source_row"]: row["person_id"] for row in rows if row["version_id"] == version.id}
        found = _rows(hub, session, version, contract, home.name, mine, decision.grant)
        if found is None:
            view.not_in_touch.append(title)
        else:
            view.contacts.append(found)
    view.nothing_sent += [
        _title(session, terms.contract)
        for terms in agreement.datasets
        if terms.contract not in sent and not terms.contract.startswith("hub.")
    ]


def _title(session: Any, contract_id: str) -> str:
    """A contract's title, from whoever publishes under it or else from the library."""
    if datasets := catalogue.datasets_of_contract(session, contract_id):
        return datasets[-1].title
    return library.load(contract_id).title if contract_id in library.names() else contract_id


def _rows(
    hub: Hub,
    session: Any,
    version: Version,
    contract: Contract,
    home: str,
    mine: dict[int, str],
    grant: Grant,
) -> Contact | None:
    if not mine:
        return None
    wanted = [column.name for column in contract.columns if grant.permits(column.name)]
    file = hub.vault.locate(session, version.object_key, version.binding)
    table = hub.vault.read(file, [ROW_NUMBER, *wanted], grant)
    period = (version.period_start, version.period_end)
    return contact(contract, home, table, mine, version.accepted_at, period, wanted)


def _answers(
    hub: Hub, session: Any, principal: Principal, agreement: Agreement, household_id: str
) -> NeedsAnswers | None:
    """The released answers of the families plugin, when the agreement names it."""
    if _PLUGIN not in agreement.plugins:
        return None
    found = runs.latest_released(session, _PLUGIN, agreement.id)
    if found is None:
        return None
    run, result = found
    terms = result.tables.get("households")
    if terms is None:
        return None
    output = Manifest.from_json(runs.get_plugin(session, _PLUGIN).manifest).output("households")
    titles = {
        column.name: column.description.partition(":")[0]
        for column in output.columns
        if f"{column.name}_evidence" in output.column_names
    }
    file = hub.vault.locate(session, terms["object"], result.binding("households"))
    table = hub.vault.read(file, terms["columns"], whole_file("households", f"released result {result.id}"))
    pseudonym = hub.vault.pseudonym(run.agreement_id, "household", household_id)
    return needs_answers(table, pseudonym, titles, run.isolation or "unknown")
