"""What a run reads: the versions behind its inputs, as far as its agreement gives them, decided anew when it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hub.catalogue import store as catalogue
from hub.catalogue.store import Version
from hub.errors import Conflict, Forbidden
from hub.identity import store as identities
from hub.policy.agreement import Agreement
from hub.policy.decide import Asked, Grant, decide_for_any
from hub.runs.prepare import INDEX_CONTRACT, Source
from hub.runs.store import Run
from hub.workflows.fitting import check_fit
from hub.workflows.granting import Readable, given_period, readable, strangers
from hub.workflows.hub import Hub, today
from hub.workflows.linking import linked_versions
from hub_sdk import PEOPLE_CONTRACT, Input, Manifest

__all__ = ["all_open", "check_agreement", "check_coarse", "check_organisation", "gather"]


def gather(
    hub: Hub, session: Any, agreement: Agreement, manifest: Manifest, run: Run
) -> tuple[Manifest, dict[str, list[Source]], Source | None, Source | None]:
    """What a run may read now, by the agreement and by what there is.

    Returns the manifest without optional inputs that are not there, the sources of each other input by its name, and
    the hub's people table and index as far as they are needed. An optional input is not there when the agreement does
    not give it, when nobody has sent it, or when it needs people who were never linked.

    Raises:
        Forbidden: when the agreement does not give what the plugin must have.
        Conflict: when it is not there.
    """
    check_organisation(session, run.organisation)
    for wanted in manifest.inputs:
        check_coarse(agreement, wanted, manifest.name)
    never_linked = linked_versions(session) is None
    given = tuple(
        item
        for item in manifest.inputs
        if item.required or (_granted(hub, agreement, item, run) and not (never_linked and _of_people(item)))
    )
    manifest = replace(manifest, inputs=given)
    people = _own_source(hub, session, agreement, PEOPLE_CONTRACT, manifest, run)
    index = _own_source(hub, session, agreement, INDEX_CONTRACT, manifest, run)
    linked = set(catalogue.parents(session, index.version.id)) if index else set()
    sources = {
        wanted.name: _sources(hub, session, agreement, wanted, run, linked)
        for wanted in given
        if wanted.contract != PEOPLE_CONTRACT
    }
    return manifest, sources, people, index


def all_open(session: Any, manifest: Manifest, sources: Mapping[str, Sequence[Source]]) -> bool:
    """Whether every column that a run reads is open, and it reads nothing of people: only then can outputs be."""
    if any(_of_people(item) for item in manifest.inputs):
        return False
    for wanted in manifest.inputs:
        for source in sources.get(wanted.name, ()):
            contract = catalogue.contract_by_digest(session, source.version.contract_digest)
            if any(contract.column(name).classification != "open" for name in wanted.columns):
                return False
    return True


def _of_people(wanted: Input) -> bool:
    """Whether an input needs linked people."""
    return bool(wanted.link) or wanted.contract == PEOPLE_CONTRACT


def _granted(hub: Hub, agreement: Agreement, wanted: Input, run: Run) -> bool:
    try:
        _grant(hub, agreement, wanted, run.plugin, run.organisation)
    except Forbidden:
        return False
    return wanted.contract != PEOPLE_CONTRACT or "link" in agreement.operations


def check_agreement(
    hub: Hub, agreement: Agreement, manifest: Manifest, organisation: str, roles: frozenset[str] = frozenset()
) -> None:
    """Whether an agreement gives a plugin all it must have, for this organisation and (where given) roles, today.

    Raises:
        Forbidden: with the reason in words.
    """
    for wanted in manifest.inputs:
        check_coarse(agreement, wanted, manifest.name)
        if wanted.required:
            _grant(hub, agreement, wanted, manifest.name, organisation, roles)
    if roles and agreement.roles and not roles & set(agreement.roles):
        raise Forbidden(
            f"Refused: agreement {agreement.id} is for the roles {', '.join(agreement.roles)} only."
        )


def check_organisation(session: Any, slug: str) -> None:
    """Refuse a run for an organisation that was turned away: its agreements and schedules may be there still.

    Raises:
        Forbidden: saying so.
    """
    for home in identities.list_organisations(session):
        if home.slug == slug and home.state != "approved":
            raise Forbidden(f"Refused: the organisation {slug} is {home.state}, so nothing runs for it.")


def check_coarse(agreement: Agreement, wanted: Input, plugin: str) -> None:
    """Refuse a plugin that would be given text where it counts on exact values: now, and not when it runs."""
    for item in agreement.generalised(wanted.contract):
        if item.column in wanted.columns and item.column not in wanted.generalised:
            raise Forbidden(
                f"Refused: agreement {agreement.id} gives {item.column} of {wanted.contract} as {item.words} (text), "
                f"and the plugin {plugin} reads exact values: its manifest does not name the column under "
                "`generalised`. Use a plugin that does, or an agreement that gives the column exactly."
            )


def _asked(
    hub: Hub, agreement: Agreement, wanted: Input, plugin: str, organisation: str,
    roles: frozenset[str] = frozenset(),
) -> Asked:  # fmt: skip
    return Asked(
        "run plugin", wanted.contract, organisation, today(hub), frozenset(wanted.columns), roles, plugin=plugin,
        agreement=agreement.id,
    )  # fmt: skip


def _grant(
    hub: Hub, agreement: Agreement, wanted: Input, plugin: str, organisation: str,
    roles: frozenset[str] = frozenset(),
) -> Grant:  # fmt: skip
    """What the agreement gives of an input, whoever publishes it; what is read is decided dataset by dataset.

    Raises:
        Forbidden: when it gives nothing, with the reason.
    """
    if wanted.link and "link" not in agreement.operations:
        raise Forbidden(
            f"Refused: agreement {agreement.id} does not allow to link people, which {plugin} needs."
        )
    decision = decide_for_any(_asked(hub, agreement, wanted, plugin, organisation, roles), [agreement])
    if decision.grant is None:
        raise Forbidden(f"Refused: {decision.reason}.")
    return decision.grant


def _sources(
    hub: Hub, session: Any, agreement: Agreement, wanted: Input, run: Run, linked: set[str]
) -> list[Source]:
    """The versions behind an input, of the publishers that the agreement names and no others.

    Current ones, or, where links are needed, those the index was made from.
    """
    if not wanted.required and not _granted(hub, agreement, wanted, run):
        return []
    _grant(hub, agreement, wanted, run.plugin, run.organisation)
    asked = _asked(hub, agreement, wanted, run.plugin, run.organisation)
    given = readable(session, asked, [agreement])
    if not given and wanted.required and (others := strangers(session, wanted.contract, agreement)):
        raise Conflict(
            f"There is no version of {wanted.contract} by {', '.join(agreement.publishers_of(wanted.contract))}, whom "
            f"agreement {agreement.id} names. {', '.join(others)} publish under this contract, but the agreement does "
            "not name them."
        )
    chosen = _chosen(session, wanted, given, linked)
    check_fit(session, wanted, [(item.name, version) for item, version in chosen])
    return [_source(hub, session, version, replace(item.grant, on=run.as_at)) for item, version in chosen]


def _chosen(
    session: Any, wanted: Input, given: list[Readable], linked: set[str]
) -> list[tuple[Readable, Version]]:
    """Which version of each dataset is read; of an optional input, datasets that are not linked yet are left out."""
    if not wanted.link:
        return [(item, item.version) for item in given]
    found = []
    for item in given:
        try:
            found.append((item, _linked_version(session, item, linked)))
        except Conflict:
            if wanted.required:
                raise
    return found


def _linked_version(session: Any, item: Readable, linked: set[str]) -> Version:
    """The newest version of a dataset that the person index was made from.

    Raises:
        Conflict: when there is none.
    """
    if item.version.id in linked:
        return item.version
    for older in catalogue.versions(session, item.dataset.id):
        if older.id in linked:
            return older
    raise Conflict(
        f"The dataset {item.name} has not been linked yet; link first (hub link). If it stays so, its page says why "
        "it cannot be linked, or no agreement allows to link it."
    )


def _own_source(
    hub: Hub, session: Any, agreement: Agreement, contract: str, manifest: Manifest, run: Run
) -> Source | None:
    """The hub's people table or index, as far as the run needs it."""
    inputs = [item for item in manifest.inputs if _of_people(item)]
    linked = linked_versions(session)  # both of one linking, whatever comes in between two statements
    if not inputs or linked is None:
        return None
    version = linked[0] if contract == PEOPLE_CONTRACT else linked[1]
    columns = frozenset({"person_id", "household_id"})
    if contract == PEOPLE_CONTRACT:
        for item in inputs:
            if item.contract == PEOPLE_CONTRACT:
                columns |= _grant(hub, agreement, item, run.plugin, run.organisation).columns
    else:
        columns = frozenset({"version_id", "source_row", "person_id"})
    if "link" not in agreement.operations:
        raise Forbidden(
            f"Refused: agreement {agreement.id} does not allow to link people, which {run.plugin} needs."
        )
    coarse = agreement.generalised(contract)
    grant = Grant(contract, columns, agreement.id, "links for a run", coarse, run.as_at)
    return _source(hub, session, version, grant)


def _source(hub: Hub, session: Any, version: Version, grant: Any) -> Source:
    file = hub.vault.locate(session, version.object_key, version.binding)
    contract = catalogue.contract_by_digest(session, version.contract_digest)
    start, end = given_period(contract, version, grant)
    return Source(replace(version, period_start=start, period_end=end), file, grant)
