"""The catalogue as linked data for other catalogues: DCAT-AP 3 and the UK Cross-Government Metadata Exchange Model.

What is exported is read in batches while it is written, so that 3,000 datasets take no more memory than a few hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_, true

from hub.catalogue import search
from hub.catalogue.linked import dcat, ukmodel, writing
from hub.catalogue.linked.subject import Addresses, Subject
from hub.catalogue.record import is_email, is_govuk_slug
from hub.errors import ConfigurationError, Invalid
from hub.identity import store as identities
from hub.identity.principal import Principal
from hub.policy.roles import Permission
from hub.workflows import visible
from hub.workflows.hub import Hub, authorise

__all__ = ["CONTENT_TYPES", "FORMATS", "PROFILES", "Export", "export", "export_dataset", "missing_for_uk"]

PROFILES: Final = ("dcat-ap", "uk")
FORMATS: Final = ("jsonld", "turtle")
CONTENT_TYPES: Final = {
    "jsonld": "application/ld+json; charset=utf-8",
    "turtle": "text/turtle; charset=utf-8",
}
_BATCH: Final = 200

#: Told of each dataset that a profile has no room for: its id, its title, and why.
LeftOut = Callable[[str, str, tuple[str, ...]], None]


@dataclass(frozen=True)
class Export:
    """A document in pieces, and what it is. The pieces are made, and read from the database, as they are taken."""

    content_type: str
    pieces: Iterator[str]


def export(
    hub: Hub, principal: Principal, profile: str = "dcat-ap", form: str = "jsonld", *, private: bool = False,
    left_out: LeftOut | None = None,
) -> Export:  # fmt: skip
    """The catalogue: what is listed; with `private` also the private datasets that this principal finds.

    Private datasets are asked for because an export is made to be given away.

    Raises:
        Invalid: when there is no such profile or format.
    """
    authorise(principal, Permission.READ_CATALOGUE)
    with hub.database.read() as session:
        found = visible.condition(hub, session, principal)
    if not private:
        found = and_(found, search.LISTED)
    return _export(hub, profile, form, found, None, left_out)


def export_dataset(
    hub: Hub, principal: Principal, dataset_id: str, profile: str = "dcat-ap", form: str = "jsonld"
) -> Export:
    """One dataset, listed or private.

    Raises:
        NotFound: when there is none that this principal finds.
        Invalid: when there is no such profile or format, or the profile has no room for the dataset, with the reason.
    """
    authorise(principal, Permission.READ_CATALOGUE)
    with hub.database.read() as session:
        visible.visible_dataset(hub, session, principal, dataset_id)
    if profile == "uk" and (why := missing_for_uk(hub, principal, dataset_id)):
        raise Invalid(
            f"This dataset cannot stand in the UK catalogue: {'; '.join(why)}. A data steward of its publisher "
            "can say so where the dataset is described."
        )
    return _export(hub, profile, form, true(), dataset_id, None)


def missing_for_uk(hub: Hub, principal: Principal, dataset_id: str) -> tuple[str, ...]:
    """What keeps a dataset out of the UK catalogue, in words.

    Raises:
        NotFound: when there is none that this principal finds.
    """
    authorise(principal, Permission.READ_CATALOGUE)
    with hub.database.read() as session:
        visible.visible_dataset(hub, session, principal, dataset_id)
    return next((ukmodel.missing(item) for item in _subjects(hub, true(), dataset_id)), ())


def _export(
    hub: Hub,
    profile: str,
    form: str,
    condition: ColumnElement[bool],
    ident: str | None,
    left_out: LeftOut | None,
) -> Export:
    if profile not in PROFILES or form not in FORMATS:
        raise Invalid(f"The catalogue is there as {' and '.join(PROFILES)}, each as {' and '.join(FORMATS)}.")
    _check_settings(hub)
    addresses = Addresses(hub.settings.resolved_public_url)
    subjects = _subjects(hub, condition, ident)
    if profile == "uk":
        chosen = ukmodel.PROFILE
        nodes = ukmodel.nodes(
            addresses, subjects,
            lambda item, why: left_out(item.dataset.id, item.dataset.title, why) if left_out else None,
        )  # fmt: skip
    else:
        chosen, nodes = dcat.PROFILE, dcat.nodes(hub.settings.name, addresses, subjects)
    write = writing.jsonld if form == "jsonld" else writing.turtle
    return Export(CONTENT_TYPES[form], write(chosen, nodes))


def _check_settings(hub: Hub) -> None:
    """Refuse defaults that would spoil every record they stand in for."""
    contact, publisher = hub.settings.catalogue_contact, hub.settings.catalogue_publisher
    if contact and not is_email(contact):
        raise ConfigurationError(
            "The setting catalogue_contact is no email address like data@council.example."
        )
    if publisher and not is_govuk_slug(publisher):
        raise ConfigurationError(
            "The setting catalogue_publisher is no organisation's address on GOV.UK; take the end of it, for example "
            "home-office."
        )


def _subjects(hub: Hub, condition: ColumnElement[bool], ident: str | None) -> Iterator[Subject]:
    """Datasets by id, a batch in a transaction: a reader who takes long holds none open."""
    after = ""
    contact, govuk = hub.settings.catalogue_contact, hub.settings.catalogue_publisher
    while True:
        with hub.database.read() as session:
            homes = {item.id: item for item in identities.list_organisations(session)}
            found = search.batch(session, condition, after=after, limit=_BATCH, ident=ident)
        for dataset, entry, version in found:
            home = homes[dataset.organisation_id]
            yield Subject(dataset, entry, version, home.slug, home.name, contact, govuk)
        if len(found) < _BATCH:
            return
        after = found[-1][0].id
