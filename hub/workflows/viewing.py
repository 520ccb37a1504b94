"""Viewing people and households: for a purpose and a reason, under an agreement, and always logged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hub.catalogue import store as catalogue
from hub.catalogue.store import Version
from hub.errors import Conflict, Forbidden, NotFound
from hub.identity import store as identities
from hub.identity.principal import Principal
from hub.insights.household import Contact, HouseholdView, NeedsAnswers, contact, members, needs_answers
from hub.insights.people import Found, PersonQuery, find_people, search_key
from hub.insights.serving import (
    HOUSEHOLD_COLUMNS,
    ROW_HELD,
    ROW_HOUSEHOLD,
    ROW_PERSON,
    SEARCH_COLUMNS,
    LinkedVersion,
    Served,
    people_copy,
    serving_of,
)
from hub.policy import store as agreements
from hub.policy.agreement import HUB_PUBLISHER, Agreement
from hub.policy.decide import Asked, Grant, decide, require_grant, whole_file
from hub.policy.roles import Permission
from hub.rights import store as rights
from hub.runs import store as runs
from hub.runs.prepare import INDEX_CONTRACT
from hub.workflows.granting import decide_on, given_period, slugs
from hub.workflows.hub import Hub, authorise, note, today
from hub.workflows.linking import PEOPLE_CONTRACT
from hub.workflows.looking import Purpose, check_reason, refusals_noted
from hub.workflows.rights_people import restricted
from hub.workflows.visible import only_visible
from hub_schemas import library
from hub_schemas.delivery import ROW_NUMBER
from hub_sdk import Manifest

__all__ = ["Opened", "Purpose", "open_household", "purposes", "search_people"]

_OPERATION = "read person"
_PLUGIN = "families"


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


@refusals_noted("people.search-refused")
def search_people(hub: Hub, principal: Principal, purpose: Purpose, query: PersonQuery) -> list[Found]:
    """People that match; the search is logged with its purpose and reason, and with keyed references of those found.

    Raises:
        Forbidden: when the agreement does not allow it.
        Invalid: when the reason is missing or the query is too wide.
    """
    authorise(principal, Permission.SEARCH_PEOPLE)
    check_reason(purpose)
    query.check()
    with hub.database.read() as session:
        agreement = _agreement(hub, session, purpose)
        grant = require_grant(_asked(hub, principal, PEOPLE_CONTRACT, agreement.id), [agreement])
        _only_exact(grant, query)
        linked = _linked(hub, session)
        hidden = restricted(hub, session, agreement.id)
        found = [
            person
            for person in _found(hub, session, linked, query, _with_ids(grant))
            if person.person_id not in hidden
        ]
    with hub.database.write() as session:
        note(
            session, principal, "people.searched", linked.people.id, agreement=agreement.id, purpose=agreement.purpose,
            reason=hub.vault.seal_text(purpose.reason),
            subjects=[hub.vault.reference("person", person.person_id) for person in found],
            detail={"found": len(found)},
        )  # fmt: skip
    return found


@refusals_noted("household.read-refused")
def open_household(hub: Hub, principal: Principal, household_id: str, purpose: Purpose) -> Opened:
    """The whole picture of a household, as far as the agreement gives it; logged before it is shown.

    Raises:
        Forbidden: when the agreement does not allow it.
        Invalid: when the reason is missing.
        NotFound: when there is no such household.
    """
    authorise(principal, Permission.SEARCH_PEOPLE)
    check_reason(purpose)
    with hub.database.read() as session:
        agreement = _agreement(hub, session, purpose)
        grant = require_grant(_asked(hub, principal, PEOPLE_CONTRACT, agreement.id), [agreement])
        linked = _linked(hub, session)
        people, held = _household(hub, session, linked, household_id, _with_ids(grant))
        hidden = restricted(hub, session, agreement.id)
        everybody = members(people, household_id)
        view = HouseholdView(household_id, [item for item in everybody if item.person_id not in hidden])
        if not view.members:
            raise NotFound(
                "There is no such household; it may have changed since it was linked. Search again."
            )
        home = people.filter(pc.equal(people["household_id"], household_id)).slice(0, 1).to_pylist()[0]
        view.postcode, view.uprn = home["postcode"] or "", home["uprn"] or ""
        _contacts(hub, principal, agreement, _Rows(hub, session, linked, view, held))
        since = _hidden_since(session, agreement.id) if len(view.members) < len(everybody) else None
        view.answers = _answers(hub, session, agreement, household_id, since)
    subjects = [hub.vault.reference("household", household_id)]
    subjects += [hub.vault.reference("person", member.person_id) for member in view.members]
    with hub.database.write() as session:
        entry = note(
            session, principal, "household.read", "", agreement=agreement.id, purpose=agreement.purpose,
            reason=hub.vault.seal_text(purpose.reason), subjects=subjects,
            detail={"datasets": sorted(item.contract for item in view.contacts)},
        )  # fmt: skip
    return Opened(view, agreement, entry)


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
        publisher=HUB_PUBLISHER,  # of people and links; other datasets are asked about with their own publisher
    )


def _only_exact(grant: Grant, query: PersonQuery) -> None:
    """Refuse to look for what is given coarsely only: whoever may try exact values would learn which is right."""
    for item in grant.coarse:
        if getattr(query, item.column, None):
            name = item.column.replace("_", " ")
            raise Forbidden(
                f"Refused: agreement {grant.agreement} gives the {name} as {item.words} only, so nobody can be looked "
                "for by it. Leave it out."
            )


def _with_ids(grant: Grant) -> Grant:
    """The grant with the hub's own random ids, which name nobody by themselves."""
    return replace(grant, columns=grant.columns | {"person_id", "household_id", "datasets"})


@dataclass(frozen=True)
class _Linked:
    """One linking as a request sees it from beginning to end: its people, its index, its copies if they can be used."""

    people: Version
    id: str
    person_index: str
    served: Served | None


def _linked(hub: Hub, session: Any) -> _Linked:
    """The newest linking. Everything is found by its people table, so nothing of another one mixes in."""
    people = catalogue.current_version(session, PEOPLE_CONTRACT)
    if people is None:
        raise Conflict("People have not been linked yet, so nobody can be found. Ask the hub's operator.")
    serving = serving_of(hub.vault, hub.objects)
    linking = serving.linking(session, people.id)
    if linking is not None:
        return _Linked(people, linking.id, linking.person_index, serving.served(session, linking))
    index = catalogue.current_version(session, INDEX_CONTRACT)  # in a hub that came from elsewhere
    return _Linked(people, "", index.id if index else "", None)


def _found(hub: Hub, session: Any, linked: _Linked, query: PersonQuery, grant: Grant) -> list[Found]:
    """Those who match, from the copy by what fewest share; on the slow path from everybody."""
    by, value = search_key(query)
    people = serving_of(hub.vault, hub.objects).rows(
        hub.vault, session, linked.served, people_copy(by), by, value, SEARCH_COLUMNS, grant
    )
    return find_people(
        _everybody(hub, session, linked, SEARCH_COLUMNS, grant) if people is None else people, query
    )


def _household(
    hub: Hub, session: Any, linked: _Linked, household_id: str, grant: Grant
) -> tuple[pa.Table, set[str] | None]:
    """The people of a household and the versions whose copies hold rows about it; on the slow path everybody, None."""
    people = None
    if linked.served is not None:
        people = serving_of(hub.vault, hub.objects).rows(
            hub.vault, session, linked.served, people_copy("household_id"), "household_id", household_id,
            [*HOUSEHOLD_COLUMNS, ROW_HELD], replace(grant, columns=grant.columns | {ROW_HELD}),
        )  # fmt: skip
    if people is None or linked.served is None:
        return _everybody(hub, session, linked, HOUSEHOLD_COLUMNS, grant), None
    return people, linked.served.holding(people)


def _everybody(hub: Hub, session: Any, linked: _Linked, columns: Sequence[str], grant: Grant) -> pa.Table:
    file = hub.vault.locate(session, linked.people.object_key, linked.people.binding)
    return hub.vault.read(file, columns, grant)


def _contacts(hub: Hub, principal: Principal, agreement: Agreement, rows: _Rows) -> None:
    """Which services are in touch, and why others are not shown."""
    session, linked, view = rows.session, rows.linked, rows.view
    organisations = {item.id: item for item in identities.list_organisations(session)}
    publishers = {item.id: item.slug for item in organisations.values()}
    sent = set()
    for item in serving_of(hub.vault, hub.objects).made_from(session, linked.id, linked.person_index):
        home = organisations[item.dataset.organisation_id].name
        title = f"{home}: {item.contract.title}"
        asked = _asked(hub, principal, item.contract.id, agreement.id)
        decision = decide_on(asked, item.dataset, [agreement], publishers)
        if decision.grant is None:
            there = catalogue.dataset(session, item.dataset.id)  # as it is now, whatever is kept of it
            if only_visible(hub, session, principal, [there]):
                view.not_covered.append(title)
            continue
        sent.add(item.contract.id)
        found = rows.contact(item, home, decision.grant)
        if found is None:
            view.not_in_touch.append(title)
        else:
            view.contacts.append(found)
    view.nothing_sent += [
        _title(session, terms.contract, agreement)
        for terms in agreement.datasets
        if terms.contract not in sent and not terms.contract.startswith("hub.")
    ]


def _title(session: Any, contract_id: str, agreement: Agreement) -> str:
    """A contract's title: the library's, or that of a publisher whom the agreement names; nobody else's words."""
    try:
        return library.load(contract_id).title
    except KeyError:
        pass  # not of the library
    publishers, named = slugs(session), agreement.publishers_of(contract_id)
    titles = [
        dataset.title
        for dataset in catalogue.datasets_of_contract(session, contract_id)
        if publishers[dataset.organisation_id] in named
    ]
    return titles[0] if titles else contract_id


class _Rows:
    """The rows about one household: from the copies, and for versions without one by way of the person index.

    `held` are the versions whose copies have some; None when copies are not to be used.
    """

    def __init__(
        self, hub: Hub, session: Any, linked: _Linked, view: HouseholdView, held: set[str] | None
    ) -> None:
        self.session, self.linked, self.view = session, linked, view
        self._hub, self._held = hub, held
        self._people_of_rows: dict[str, dict[int, str]] | None = None

    def contact(self, item: LinkedVersion, home: str, grant: Grant) -> Contact | None:
        """What one version holds about the household, as far as the grant gives it; None when nothing."""
        wanted = [column.name for column in item.contract.columns if grant.permits(column.name)]
        table, mine = self._fast(item, wanted, grant) or self._slow(item, wanted, grant)
        if not mine:
            return None
        period = given_period(item.contract, item.version, grant)
        return contact(item.contract, home, table, mine, item.version.accepted_at, period, wanted)

    def _fast(
        self, item: LinkedVersion, wanted: list[str], grant: Grant
    ) -> tuple[pa.Table, dict[int, str]] | None:
        served, version_id = self.linked.served, item.version.id
        if served is None or self._held is None or version_id not in served.linking.copies:
            return None
        if version_id not in self._held:
            return pa.table({}), {}
        # Whose a row is are the hub's own random ids; the rest is for the agreement to give. A copy is bound to its
        # version's name, not to its dataset.
        more = replace(grant, columns=grant.columns | {ROW_HOUSEHOLD, ROW_PERSON}, dataset="")
        table = serving_of(self._hub.vault, self._hub.objects).rows(
            self._hub.vault, self.session, served, version_id, ROW_HOUSEHOLD, self.view.household_id,
            [ROW_PERSON, *wanted], more,
        )  # fmt: skip
        if table is None:
            return None
        shown = pa.array([member.person_id for member in self.view.members])
        table = table.filter(pc.is_in(table[ROW_PERSON], shown))
        # All are the household's, in the order in which the version has them: their numbers there do not matter.
        numbers = pa.array(range(table.num_rows), pa.int64())
        return table.append_column(ROW_NUMBER, numbers), dict(enumerate(table[ROW_PERSON].to_pylist()))

    def _slow(self, item: LinkedVersion, wanted: list[str], grant: Grant) -> tuple[pa.Table, dict[int, str]]:
        mine = self._by_index().get(item.version.id, {})
        if not mine:
            return pa.table({}), mine
        file = self._hub.vault.locate(self.session, item.version.object_key, item.version.binding)
        return self._hub.vault.read(file, [ROW_NUMBER, *wanted], grant), mine

    def _by_index(self) -> dict[str, dict[int, str]]:
        """For each version, whose rows of the household's members are; read once."""
        if self._people_of_rows is None:
            version = catalogue.version(self.session, self.linked.person_index)
            file = self._hub.vault.locate(self.session, version.object_key, version.binding)
            grant = whole_file(INDEX_CONTRACT, "rows of one household")
            index = self._hub.vault.read(file, ["version_id", "source_row", "person_id"], grant)
            ids = pa.array([member.person_id for member in self.view.members])
            self._people_of_rows = {}
            for row in index.filter(pc.is_in(index["person_id"], ids)).to_pylist():
                self._people_of_rows.setdefault(row["version_id"], {})[row["source_row"]] = row["person_id"]
        return self._people_of_rows


def _hidden_since(session: Any, agreement_id: str) -> datetime:
    """When the newest restriction began: what was worked out before may rest on rows that are not to be used."""
    return max(item.began_at for item in rights.in_force(session, agreement_id))


def _answers(
    hub: Hub, session: Any, agreement: Agreement, household_id: str, since: datetime | None
) -> NeedsAnswers | None:
    """The released answers of the families plugin, when the agreement names it; only of a run after `since`."""
    if _PLUGIN not in agreement.plugins:
        return None
    found = runs.latest_released(session, _PLUGIN, agreement.id)
    if found is None:
        return None
    run, result = found
    if since is not None and (run.started_at is None or run.started_at < since):
        return None
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
