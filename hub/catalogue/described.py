"""What is known of a dataset in one place: its contract's words, what its steward says, and the hub's defaults."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from hub.catalogue.record import Record, is_address, is_email, is_govuk_slug
from hub.catalogue.terms import (
    ACCESS,
    CLASSIFICATIONS,
    FREQUENCIES,
    LANGUAGES,
    THEMES,
    frequency_of,
    theme_of,
)
from hub_schemas import Contract
from hub_schemas.model import CLASSIFICATIONS as SENSITIVITY
from hub_schemas.yamlsafe import read_yaml

__all__ = ["CUSTOM", "Described", "describe", "described_from", "sensitivity_of"]

#: customProperties of a contract that the catalogue reads, and what each becomes.
CUSTOM: Final = {
    "summary": "summary",
    "licence": "licence",
    "theme": "themes",
    "updateFrequency": "frequency",
    "spatialCoverage": "spatial",
    "language": "language",
    "accessRights": "access",
    "securityClassification": "classification",
    "govukOrganisation": "govuk_organisation",
}
#: Days in the units that ODCS gives for a service level.
_UNITS: Final = {
    "h": 1 / 24, "hour": 1 / 24, "hours": 1 / 24, "d": 1, "day": 1, "days": 1, "w": 7, "week": 7, "weeks": 7,
    "m": 30.4, "month": 30.4, "months": 30.4, "y": 365.25, "yr": 365.25, "year": 365.25, "years": 365.25,
}  # fmt: skip
_MOST: Final = 20
_SUMMARY: Final = 250


@dataclass(frozen=True)
class Described:
    """What is known of a dataset. `said` tells for each field of the record who said it: steward, contract or hub.

    `language` is a code of `terms.LANGUAGES`; `documents` are addresses of pages that define what the columns mean.
    """

    title: str
    description: str
    version: str
    summary: str
    keywords: tuple[str, ...]
    contact_name: str
    contact_email: str
    contact_url: str
    licence: str
    themes: tuple[str, ...]
    frequency: str
    spatial: tuple[str, ...]
    language: str
    access: str
    classification: str
    govuk_organisation: str
    documents: tuple[str, ...]
    said: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def described_from(data: Mapping[str, Any]) -> Described:
    """What `to_json` gave, or what there is of it: an entry that was not made whole yet has less."""
    lists = {"keywords", "themes", "spatial", "documents"}
    empty: dict[str, Any] = {field.name: () if field.name in lists else "" for field in fields(Described)}
    empty |= {
        "said": {},
        "language": "en",
        "access": "internal",
        "classification": "official",
        "themes": ("GOVE",),
    }
    values = empty | {name: value for name, value in data.items() if name in empty}
    return Described(**{name: tuple(value) if name in lists else value for name, value in values.items()})


def sensitivity_of(contract: Contract) -> str:
    """The class of the most sensitive column."""
    return max((column.classification for column in contract.columns), key=SENSITIVITY.index, default="open")


def describe(contract: Contract, record: Record, publisher: str) -> Described:
    """A contract's words and a steward's together; the steward's count, then the contract's, then defaults.

    `publisher` is the organisation's name. What a contract says in a form that the catalogue cannot use is left out:
    a contract is not refused for it.
    """
    sensitivity = sensitivity_of(contract)
    ours: dict[str, Any] = {
        "contact_name": publisher, "themes": (theme_of(contract.domain),), "language": "en", "access": "internal",
        "classification": "official", "summary": _summary(contract.description or contract.title),
    }  # fmt: skip
    theirs = _from_contract(contract)
    if theirs.get("access") == "open" and sensitivity != "open":
        del theirs["access"]
    values, said = {}, {}
    for name, value in vars(record).items():
        speakers = (("steward", value), ("contract", theirs.get(name)), ("hub", ours.get(name)))
        said[name], values[name] = next(((who, words) for who, words in speakers if words), ("", value))
    if (
        values["access"] == "open" and sensitivity != "open"
    ):  # the contract moved on after its steward said so
        values["access"], said["access"] = "internal", "hub"
    if (
        record.contact_email and not record.contact_name
    ):  # the contract's name belongs to the contract's address
        values["contact_name"], said["contact_name"] = publisher, "hub"
    return Described(
        title=contract.title, description=contract.description or contract.title, version=contract.version,
        contact_url="" if record.contact_email else theirs.get("contact_url", ""),
        documents=theirs.get("documents", ()), said=said, **values,
    )  # fmt: skip


def _summary(text: str) -> str:
    """The beginning of a text in one line, cut at a word."""
    line = " ".join(text.split())
    return line if len(line) <= _SUMMARY else line[: _SUMMARY - 1].rpartition(" ")[0].rstrip(",;:.") + "…"


def _from_contract(contract: Contract) -> dict[str, Any]:
    document = read_yaml(contract.text)
    found: dict[str, Any] = {"keywords": tuple(word for word in contract.tags if len(word) <= 80)[:_MOST]}
    found |= _contact(_dicts(document.get("support")))
    found["documents"] = tuple(
        url
        for item in _dicts(document.get("authoritativeDefinitions"))
        if isinstance(url := item.get("url"), str) and is_address(url)
    )[:_MOST]
    for item in _dicts(document.get("slaProperties")):
        value, unit = item.get("value"), str(item.get("unit", "d")).lower()
        if item.get("property") == "frequency" and isinstance(value, int | float) and unit in _UNITS:
            found["frequency"] = frequency_of(value * _UNITS[unit])
    for item in _dicts(document.get("customProperties")):
        if (name := CUSTOM.get(str(item.get("property")))) is not None:
            found |= _custom(name, item.get("value"))
    return found


def _contact(channels: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The first support channel with an email address, else the first with a web address."""
    found: dict[str, str] = {}
    for item in channels:
        url = str(item.get("url") or "")
        name = str(item.get("channel") or "").strip()[:200]
        email = re.sub(r"^mailto:", "", url, flags=re.IGNORECASE).partition("?")[0]
        if is_email(email):
            return {"contact_name": name, "contact_email": email}
        if is_address(url) and not found:
            found = {"contact_name": name, "contact_url": url}
    return found


def _custom(name: str, value: Any) -> dict[str, Any]:
    """One customProperty, where it says something that the catalogue can use."""
    texts = [
        item.strip() for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)
    ]
    if not texts:
        return {}
    if name == "spatial":
        return {name: tuple(filter(is_address, texts))[:_MOST]}
    if name == "themes":
        return {name: tuple(text for text in texts if text in THEMES)[:_MOST]}
    text = texts[0]
    fits = {
        "summary": 0 < len(text) <= _SUMMARY and text.isprintable(),
        "licence": is_address(text),
        "frequency": text in FREQUENCIES,
        "language": text in LANGUAGES,
        "access": text in ACCESS,
        "classification": text in CLASSIFICATIONS,
        "govuk_organisation": is_govuk_slug(text),
    }
    return {name: text} if fits[name] else {}


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
