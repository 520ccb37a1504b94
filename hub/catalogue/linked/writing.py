"""Writing nodes as JSON-LD 1.1 and as Turtle, one by one, so that a catalogue of any size takes little memory.

A node is a plain dict of a profile's own names, as it stands in the JSON; the profile's table of terms says what each
name means. The JSON-LD context is made from that table, and Turtle is written by it, so that both say the same. How a
text or an address is quoted is rdflib's business.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = ["PREFIXES", "Node", "Profile", "Term", "context", "jsonld", "turtle"]

Node = dict[str, Any]
Kind = Literal["text", "address", "date", "moment", "from here"]

PREFIXES: Final = {
    "adms": "http://www.w3.org/ns/adms#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "freq": "http://purl.org/cld/freq/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "ukgov_metadata": "https://w3id.org/co-cddo/ukgov-metadata-exchange-model/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_DATATYPES: Final = {"date": "xsd:date", "moment": "xsd:dateTime"}


@dataclass(frozen=True)
class Term:
    """What a name stands for: a property, and what its values are.

    text: a literal, with a language where the value says one (`{"@value": ..., "@language": ...}`); address: another
    node, by its address or written out; date and moment: ISO 8601; "from here": the property leads from the value to
    this node. `base`: values are words that stand for addresses with this beginning.
    """

    property: str
    kind: Kind = "text"
    base: str = ""


@dataclass(frozen=True)
class Profile:
    """A profile's names: its terms, and what it calls a node's address and its type."""

    terms: Mapping[str, Term]
    address: str = "@id"
    type: str = "@type"

    @property
    def prefixes(self) -> dict[str, str]:
        """The prefixes that the profile's properties use, and those that its nodes may."""
        return {name: PREFIXES[name] for name in sorted(PREFIXES)}


def context(profile: Profile) -> Node:
    """The JSON-LD context of a profile."""
    found: Node = {"@version": 1.1, **profile.prefixes}
    if profile.address != "@id":
        found |= {profile.address: "@id", profile.type: "@type"}
    for name, term in profile.terms.items():
        if term.kind == "from here":
            found[name] = {"@reverse": term.property, "@type": "@id"}
        elif term.base:
            found[name] = {"@id": term.property, "@type": "@vocab", "@context": {"@vocab": term.base}}
        elif term.kind == "text":
            found[name] = {"@id": term.property}
        else:
            found[name] = {"@id": term.property, "@type": _DATATYPES.get(term.kind, "@id")}
    return found


def jsonld(profile: Profile, nodes: Iterable[Node]) -> Iterator[str]:
    """A document with all nodes in one graph, in pieces. No piece can end a script element it may be put into."""
    yield '{"@context": ' + _json(context(profile)) + ',\n"@graph": ['
    between = "\n"
    for node in nodes:
        yield between + _json(node)
        between = ",\n"
    yield "\n]}\n"


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def turtle(profile: Profile, nodes: Iterable[Node]) -> Iterator[str]:
    """A document with all nodes, in pieces."""
    writer = _Turtle(profile)
    yield "".join(f"@prefix {name}: <{iri}> .\n" for name, iri in profile.prefixes.items())
    for node in nodes:
        yield "\n" + writer.block(node)


class _Turtle:
    def __init__(self, profile: Profile) -> None:
        from rdflib import Literal, URIRef  # slow to import, so not before it is needed

        self.profile, self.literal, self.iri = profile, Literal, URIRef

    def block(self, node: Node) -> str:
        """A node with an address, and after it the nodes with an address that are written out in it."""
        later: list[Node] = []
        subject = self.reference(node[self.profile.address])
        reverse: list[str] = []
        lines = self.lines(node, later, reverse, subject)
        said = " ;\n    ".join(lines)
        text = f"{subject} {said} .\n" if lines else ""
        return text + "".join(reverse) + "".join(map(self.block, later))

    def lines(self, node: Node, later: list[Node], reverse: list[str], subject: str) -> list[str]:
        """What is said of a node: predicate and objects; `later` and `reverse` collect what stands elsewhere."""
        found = []
        if types := _many(node.get(self.profile.type)):
            found.append(f"a {', '.join(types)}")
        for name, value in node.items():
            if name in (self.profile.address, self.profile.type):
                continue
            term = self.profile.terms[name]
            if term.kind == "from here":
                reverse += [f"{self.reference(item)} {term.property} {subject} .\n" for item in _many(value)]
                continue
            objects = [self.object(term, item, later, reverse) for item in _many(value)]
            if objects:
                found.append(f"{term.property} {', '.join(objects)}")
        return found

    def object(self, term: Term, value: Any, later: list[Node], reverse: list[str]) -> str:
        """One value of a property."""
        if isinstance(value, dict) and "@value" not in value:
            if self.profile.address in value:
                later.append(value)
                return self.reference(value[self.profile.address])
            return f"[ {' ; '.join(self.lines(value, later, reverse, '[]'))} ]"
        if term.base:
            return self.reference(
                _expanded(value) if _expanded(value) != value or "://" in value else term.base + value
            )
        if term.kind == "address":
            return self.reference(value)
        if term.kind in _DATATYPES:
            return str(
                self.literal(value, datatype=self.iri(_expanded(_DATATYPES[term.kind])), normalize=False).n3()
            )
        text, language = (value["@value"], value["@language"]) if isinstance(value, dict) else (value, None)
        return str(self.literal(text, lang=language).n3())

    def reference(self, address: str) -> str:
        """An address between angle brackets, with what may not stand there refused by rdflib."""
        return str(self.iri(_expanded(address)).n3())


def _expanded(address: str) -> str:
    """An address written with a prefix, written out."""
    prefix, colon, rest = address.partition(":")
    return PREFIXES[prefix] + rest if colon and prefix in PREFIXES and not rest.startswith("//") else address


def _many(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
