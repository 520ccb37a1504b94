"""What a publisher's data steward says of a dataset beyond its contract, checked. Everything may be left empty."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final
from urllib.parse import urlsplit

from hub.catalogue.terms import ACCESS, CLASSIFICATIONS, FREQUENCIES, LANGUAGES, THEMES
from hub.errors import Invalid

__all__ = ["FIELDS", "Record", "checked", "is_address", "is_email", "is_govuk_slug", "record_from"]

_SLUG: Final = re.compile(r"[a-z][a-z0-9]*(?:_?-[a-z0-9]+)*")
_EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_ADDRESS: Final = re.compile(
    r"[!#-;=?-\[\]_a-z~]+"
)  # what an IRI may hold of ASCII (RFC 3987, without \ ^ ` { | } < > ")
_LISTED: Final = 20
_KEYWORD: Final = 80
_LONG: Final = {"summary": 250, "contact_name": 200, "contact_email": 254, "licence": 500}


@dataclass(frozen=True)
class Record:
    """What a steward says; an empty field leaves the word to the contract, or to the hub's defaults.

    summary: one line; keywords: words under which others look for it; contact_name and contact_email: whom to ask;
    licence: an address; themes, frequency, language, access, classification: codes of `hub.catalogue.terms`;
    spatial: addresses of places, for example of the Office for National Statistics or GeoNames;
    govuk_organisation: the publisher's slug on GOV.UK.
    """

    summary: str = ""
    keywords: tuple[str, ...] = ()
    contact_name: str = ""
    contact_email: str = ""
    licence: str = ""
    themes: tuple[str, ...] = ()
    frequency: str = ""
    spatial: tuple[str, ...] = ()
    language: str = ""
    access: str = ""
    classification: str = ""
    govuk_organisation: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values; lists for tuples."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }


#: The names of a record's fields.
FIELDS: Final = tuple(field.name for field in fields(Record))
_LISTS: Final = frozenset({"keywords", "themes", "spatial"})
_CODES: Final = {
    "frequency": FREQUENCIES, "language": LANGUAGES, "access": ACCESS, "classification": CLASSIFICATIONS,
}  # fmt: skip


def record_from(data: dict[str, Any]) -> Record:
    """A record from its JSON form; fields that are not known are left out."""
    known = {name: data[name] for name in FIELDS if name in data}
    return Record(**{name: tuple(value) if name in _LISTS else value for name, value in known.items()})


def checked(record: Record, sensitivity: str) -> Record:
    """The record as it is kept: tidied, each list without doubles.

    Raises:
        Invalid: naming each field at fault; so is open access to a dataset with a column that is not open.
    """
    tidy = replace(
        record,
        **{
            name: tuple(dict.fromkeys(filter(None, map(_line, value)))) if name in _LISTS else _line(value)
            for name, value in vars(record).items()
        },
    )
    wrong = {name: [problem] for name, problem in _problems(tidy, sensitivity) if problem}
    if wrong:
        raise Invalid("What was entered about the dataset cannot be used.", fields=wrong)
    return tidy


def _line(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _problems(record: Record, sensitivity: str) -> list[tuple[str, str]]:
    found = [
        (name, f"must have at most {most} characters")
        for name, most in _LONG.items()
        if len(getattr(record, name)) > most
    ]
    found += [
        (name, f"must be one of: {', '.join(code for code in codes if code)}")
        for name, codes in _CODES.items()
        if getattr(record, name) and getattr(record, name) not in codes
    ]
    found += [
        (name, f"may have at most {_LISTED} entries")
        for name in sorted(_LISTS)
        if len(getattr(record, name)) > _LISTED
    ]
    if any(len(word) > _KEYWORD for word in record.keywords):
        found.append(("keywords", f"must each have at most {_KEYWORD} characters"))
    if any(theme not in THEMES for theme in record.themes):
        found.append(("themes", f"must be of: {', '.join(THEMES)}"))
    if record.contact_email and not is_email(record.contact_email):
        found.append(("contact_email", "must be an email address like name@example.com"))
    if record.licence and not is_address(record.licence):
        found.append(("licence", "must be an address that starts with https:// or http://"))
    if not all(map(is_address, record.spatial)):
        found.append(("spatial", "must be addresses that start with https:// or http://"))
    if record.govuk_organisation and not is_govuk_slug(record.govuk_organisation):
        found.append(
            (
                "govuk_organisation",
                "is no organisation's address on GOV.UK; take the end of it, for example home-office",
            )
        )
    if record.access == "open" and sensitivity != "open":
        found.append(("access", "cannot be open: a column of the contract is not"))
    return found


def is_email(text: str) -> bool:
    """Whether a text is an email address as machines can take it."""
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None


def is_address(text: str) -> bool:
    """Whether a text is a web address that can stand as an identifier in linked data."""
    ascii_only = "".join(sign for sign in text if sign.isascii())
    if len(text) > 500 or not text.isprintable() or not _ADDRESS.fullmatch(ascii_only):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_govuk_slug(text: str) -> bool:
    """Whether a text can be the end of an organisation's address on GOV.UK.

    The UK model lists those there are (https://github.com/co-cddo/ukgov-metadata-exchange-model); the list changes, so
    whether one is on it is not looked up here.
    """
    return len(text) <= 200 and _SLUG.fullmatch(text) is not None
