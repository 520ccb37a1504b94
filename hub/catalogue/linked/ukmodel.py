"""The catalogue in the UK Cross-Government Metadata Exchange Model (https://w3id.org/co-cddo/ukgov-metadata-exchange-model).

Records have exactly the model's fields, so that the JSON of each can be checked by the model; the context makes linked
data of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from hub.catalogue.linked.subject import HOW, MEDIA_TYPE, Addresses, Subject, plain
from hub.catalogue.linked.writing import PREFIXES, Node, Profile, Term
from hub.catalogue.terms import ACCESS, CLASSIFICATIONS, FREQUENCIES

__all__ = ["AGREEMENT_NEEDED", "PROFILE", "missing", "nodes"]

#: The model's licence of what is shared under an agreement.
AGREEMENT_NEEDED: Final = "DATA_SHARE_AGREEMENT"
_GOVUK: Final = "https://www.gov.uk/government/organisations/"

PROFILE: Final = Profile(
    {
        "accessRights": Term("dct:accessRights"),
        "contactName": Term("vcard:fn"),
        "contactPoint": Term("dcat:contactPoint", "address"),
        "creator": Term("dct:creator", "address", base=_GOVUK),
        "description": Term("dct:description"),
        "distribution": Term("dcat:distribution", "address"),
        "email": Term("vcard:hasEmail"),
        "issued": Term("dct:issued", "date"),
        "keyword": Term("dcat:keyword"),
        "licence": Term("dct:license", "address", base=PREFIXES["ukgov_metadata"]),
        "mediaType": Term("dcat:mediaType"),
        "modified": Term("dct:modified", "date"),
        "publisher": Term("dct:publisher", "address", base=_GOVUK),
        "securityClassification": Term("ukgov_metadata:securityClassification"),
        "summary": Term("rdfs:comment"),
        "theme": Term("dcat:theme", "address"),
        "title": Term("dct:title"),
        "updateFrequency": Term("dct:accrualPeriodicity", "address"),
        "version": Term("dcat:version"),
    },
    address="identifier",
    type="type",
)


def missing(subject: Subject) -> tuple[str, ...]:
    """What keeps a dataset out of this catalogue, in words; nothing when it can stand there."""
    found = []
    if not subject.email:
        found.append("it names no email address to ask")
    if not subject.govuk:
        found.append("it does not say which organisation on GOV.UK answers for it")
    return tuple(found)


def nodes(
    addresses: Addresses,
    subjects: Iterable[Subject],
    left_out: Callable[[Subject, tuple[str, ...]], None] = lambda subject, why: None,
) -> Iterator[Node]:
    """Each dataset with its distribution; those that the model has no room for are left out, and told to `left_out`."""
    for subject in subjects:
        if why := missing(subject):
            left_out(subject, why)
            continue
        yield _dataset(subject, addresses)
        yield _distribution(subject, addresses)


def _dataset(subject: Subject, addresses: Addresses) -> Node:
    dataset, known = subject.dataset, subject.known
    title = plain(known.title or dataset.title)
    node: Node = {
        "identifier": addresses.dataset(dataset.id), "type": "dcat:Dataset", "title": title,
        "summary": plain(known.summary).replace("\n", " ")[:250],
        "description": plain(known.description) or title,
        "keyword": [plain(word) for word in known.keywords],
        "theme": [f"http://publications.europa.eu/resource/authority/data-theme/{code}" for code in known.themes],
        "licence": known.licence or AGREEMENT_NEEDED, "version": subject.number,
        "accessRights": ACCESS[known.access].uk, "securityClassification": CLASSIFICATIONS[known.classification],
        "issued": dataset.created_at.date().isoformat(), "modified": subject.modified.date().isoformat(),
        "contactPoint": {"contactName": plain(known.contact_name or subject.publisher), "email": subject.email},
        "creator": [subject.govuk], "publisher": subject.govuk,
        "updateFrequency": FREQUENCIES[known.frequency].uk, "distribution": [_address(subject, addresses)],
    }  # fmt: skip
    return {name: value for name, value in node.items() if value not in ("", [])}


def _distribution(subject: Subject, addresses: Addresses) -> Node:
    known = subject.known
    return {
        "identifier": _address(subject, addresses), "type": "dcat:Distribution",
        "title": plain(known.title or subject.dataset.title),
        "description": HOW,
        "licence": known.licence or AGREEMENT_NEEDED, "accessRights": ACCESS[known.access].uk,
        "issued": subject.dataset.created_at.date().isoformat(),
        "modified": subject.modified.date().isoformat(), "mediaType": MEDIA_TYPE,
    }  # fmt: skip


def _address(subject: Subject, addresses: Addresses) -> str:
    return f"{addresses.page(subject.dataset.id)}#distribution"
