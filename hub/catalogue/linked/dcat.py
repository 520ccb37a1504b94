"""The catalogue in the European profile DCAT-AP 3.0 (https://semiceu.github.io/DCAT-AP/releases/3.0.1/).

Everything that a shape of the profile asks a class of (publishers, frequencies, themes, contracts ...) is described in
the same document, once, so that it can be checked without fetching anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from hub.catalogue.linked.subject import HOW, MEDIA_TYPE, Addresses, Subject, plain
from hub.catalogue.linked.writing import Node, Profile, Term
from hub.catalogue.terms import ACCESS, FREQUENCIES, LANGUAGES, THEMES

__all__ = ["PROFILE", "nodes"]

_AUTHORITY: Final = "http://publications.europa.eu/resource/authority"
_MEDIA: Final = f"https://www.iana.org/assignments/media-types/{MEDIA_TYPE}"

PROFILE: Final = Profile(
    {
        "accessRights": Term("dct:accessRights", "address"),
        "accessURL": Term("dcat:accessURL", "address"),
        "accrualPeriodicity": Term("dct:accrualPeriodicity", "address"),
        "catalogue": Term("dcat:dataset", "from here"),
        "conformsTo": Term("dct:conformsTo", "address"),
        "contactPoint": Term("dcat:contactPoint", "address"),
        "creator": Term("dct:creator", "address"),
        "description": Term("dct:description"),
        "distribution": Term("dcat:distribution", "address"),
        "endDate": Term("dcat:endDate", "date"),
        "fn": Term("vcard:fn"),
        "hasEmail": Term("vcard:hasEmail", "address"),
        "hasURL": Term("vcard:hasURL", "address"),
        "homepage": Term("foaf:homepage", "address"),
        "identifier": Term("dct:identifier"),
        "inScheme": Term("skos:inScheme", "address"),
        "issued": Term("dct:issued", "moment"),
        "keyword": Term("dcat:keyword"),
        "label": Term("rdfs:label"),
        "landingPage": Term("dcat:landingPage", "address"),
        "language": Term("dct:language", "address"),
        "license": Term("dct:license", "address"),
        "mediaType": Term("dcat:mediaType", "address"),
        "modified": Term("dct:modified", "moment"),
        "name": Term("foaf:name"),
        "page": Term("foaf:page", "address"),
        "prefLabel": Term("skos:prefLabel"),
        "publisher": Term("dct:publisher", "address"),
        "spatial": Term("dct:spatial", "address"),
        "startDate": Term("dcat:startDate", "date"),
        "temporal": Term("dct:temporal", "address"),
        "theme": Term("dcat:theme", "address"),
        "themeTaxonomy": Term("dcat:themeTaxonomy", "address"),
        "title": Term("dct:title"),
        "version": Term("dcat:version"),
    }
)


def nodes(name: str, addresses: Addresses, subjects: Iterable[Subject]) -> Iterator[Node]:
    """The catalogue called `name`, and its datasets; what several share is described where it is first used."""
    seen: set[str] = set()
    yield from _catalogue(name, addresses)
    for subject in subjects:
        for shared in _shared(subject, addresses):
            if shared["@id"] not in seen:
                seen.add(shared["@id"])
                yield shared
        yield _dataset(subject, addresses)


def _catalogue(name: str, addresses: Addresses) -> Iterator[Node]:
    hub = f"{addresses.base}/api/v1/catalogue#hub"
    scheme = f"{_AUTHORITY}/data-theme"
    yield {
        "@id": addresses.catalogue, "@type": "dcat:Catalog", "title": _words(f"Datasets of {name}"),
        "description": _words(
            f"The datasets that organisations share through {name}. Their rows are read under data sharing agreements."
        ),
        "publisher": hub, "homepage": {"@id": f"{addresses.base}/datasets", "@type": "foaf:Document"},
        "themeTaxonomy": scheme,
    }  # fmt: skip
    yield {"@id": hub, "@type": "foaf:Agent", "name": _words(name)}
    yield {"@id": scheme, "@type": "skos:ConceptScheme", "title": _words("Data theme")}


def _dataset(subject: Subject, addresses: Addresses) -> Node:
    dataset, known = subject.dataset, subject.known
    iri, page = addresses.dataset(dataset.id), addresses.page(dataset.id)
    agent, tag = addresses.organisation(subject.slug), LANGUAGES[known.language].tag
    node: Node = {
        "@id": iri, "@type": "dcat:Dataset", "catalogue": addresses.catalogue, "identifier": iri,
        "title": _words(known.title or dataset.title, tag),
        "description": _words(known.description or known.title or dataset.title, tag),
        "keyword": [_words(word, tag) for word in known.keywords],
        "theme": [f"{_AUTHORITY}/data-theme/{code}" for code in known.themes],
        "publisher": agent, "creator": agent, "contactPoint": _contact(subject, page),
        "accessRights": f"{_AUTHORITY}/access-right/{ACCESS[known.access].eu}",
        "accrualPeriodicity": f"{_AUTHORITY}/frequency/{FREQUENCIES[known.frequency].eu}",
        "language": f"{_AUTHORITY}/language/{LANGUAGES[known.language].eu}",
        "spatial": list(known.spatial),
        "issued": dataset.created_at.isoformat(), "modified": subject.modified.isoformat(),
        "version": subject.number, "conformsTo": addresses.contract(dataset.contract_digest),
        "landingPage": {"@id": page, "@type": "foaf:Document"}, "page": list(known.documents),
        "distribution": _distribution(subject, addresses, tag),
    }  # fmt: skip
    if period := _period(subject):
        node["temporal"] = period
    return {name: value for name, value in node.items() if value != []}


def _period(subject: Subject) -> Node | None:
    version = subject.version
    if version is None or not (version.period_start or version.period_end):
        return None
    dates = {"startDate": version.period_start, "endDate": version.period_end}
    return {"@type": "dct:PeriodOfTime"} | {name: day for name, day in dates.items() if day}


def _contact(subject: Subject, page: str) -> Node:
    known = subject.known
    node: Node = {"@id": f"{page}#contact", "@type": ["vcard:Kind", "vcard:Organization"],
                  "fn": plain(known.contact_name or subject.publisher)}  # fmt: skip
    if subject.email:
        node["hasEmail"] = f"mailto:{_quoted(subject.email)}"
    node["hasURL"] = known.contact_url or page
    return node


def _quoted(email: str) -> str:
    """An email address as it stands in an address (RFC 6068): what could be taken for something else is escaped."""
    from urllib.parse import quote

    return quote(email, safe="@!$'*+-._~")


def _distribution(subject: Subject, addresses: Addresses, tag: str) -> Node:
    known, page = subject.known, addresses.page(subject.dataset.id)
    node: Node = {
        "@id": f"{page}#distribution", "@type": "dcat:Distribution",
        "title": _words(known.title or subject.dataset.title, tag),
        "description": _words(HOW),
        "accessURL": page, "mediaType": _MEDIA, "conformsTo": addresses.contract(subject.dataset.contract_digest),
        "issued": subject.dataset.created_at.isoformat(), "modified": subject.modified.isoformat(),
    }  # fmt: skip
    if known.licence:
        node["license"] = {"@id": known.licence, "@type": "dct:LicenseDocument"}
    return node


def _shared(subject: Subject, addresses: Addresses) -> Iterator[Node]:
    """What a dataset has in common with others."""
    known = subject.known
    yield {
        "@id": addresses.organisation(subject.slug), "@type": "foaf:Agent", "name": _words(subject.publisher),
        "identifier": subject.slug,
    }  # fmt: skip
    for code in known.themes:
        yield _coded("data-theme", code, "skos:Concept", prefLabel=_words(THEMES[code]))
    yield _coded("frequency", FREQUENCIES[known.frequency].eu, "dct:Frequency")
    yield _coded("access-right", ACCESS[known.access].eu, "dct:RightsStatement")
    yield _coded("language", LANGUAGES[known.language].eu, "dct:LinguisticSystem")
    yield {"@id": _MEDIA, "@type": "dct:MediaType", "label": MEDIA_TYPE}
    yield {
        "@id": addresses.contract(subject.dataset.contract_digest), "@type": "dct:Standard",
        "title": _words(f"Contract {subject.dataset.contract}, version {known.version or 'not known'}"),
    }  # fmt: skip
    for iri in known.spatial:
        yield {"@id": iri, "@type": "dct:Location"}
    for iri in known.documents:
        yield {"@id": iri, "@type": "foaf:Document"}


def _coded(table: str, code: str, kind: str, **more: Node) -> Node:
    """A concept of one of the EU's tables."""
    return {
        "@id": f"{_AUTHORITY}/{table}/{code}", "@type": kind, "inScheme": f"{_AUTHORITY}/{table}", **more,
    }  # fmt: skip


def _words(text: str, tag: str = "en") -> Node:
    return {"@value": plain(text), "@language": tag}
