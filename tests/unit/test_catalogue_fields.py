"""The reference page of the catalogue's fields says what the code does."""

import re
from pathlib import Path

import pytest

from hub.catalogue.described import CUSTOM
from hub.catalogue.linked import dcat, ukmodel
from hub.catalogue.linked.subject import Addresses, Subject
from hub.catalogue.record import FIELDS, Record
from hub.catalogue.terms import ACCESS, FREQUENCIES, LANGUAGES, THEMES
from support.catalogues import FULL, subject


@pytest.fixture(scope="module")
def tables(repository: Path) -> list[list[list[str]]]:
    """The tables of the page: rows of cells, without heads."""
    text = (repository / "docs" / "reference" / "catalogue-fields.md").read_text(encoding="utf-8")
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()]
        found.append(rows[2:])
    return found


def words(rows: list[list[str]], *columns: int) -> set[str]:
    return {word for row in rows for column in columns for word in re.findall(r"`([^`]+)`", row[column])}


def _subject() -> Subject:
    return subject("schools.attendance", FULL)


def _dcat(kind: str) -> set[str]:
    nodes = list(dcat.nodes("x", Addresses("https://hub.test"), [_subject()]))
    dataset = next(node for node in nodes if node["@type"] == "dcat:Dataset")
    node = dataset if kind == "dcat:Dataset" else dataset["distribution"]
    return {
        dcat.PROFILE.terms[name].property for name in node if not name.startswith("@") and name != "catalogue"
    }


def _uk(kind: str) -> set[str]:
    nodes = ukmodel.nodes(Addresses("https://hub.test"), [_subject()])
    return set(next(node for node in nodes if node["type"] == kind))


def test_every_field_of_a_dataset_is_on_the_page_and_none_that_is_not_there(
    tables: list[list[list[str]]],
) -> None:
    rows = tables[0]
    assert words(rows, 2) == set(FIELDS)
    custom = {word for row in rows if "*" in row[1] for word in re.findall(r"`(\w+)` \*", row[1])}
    assert custom == set(CUSTOM)
    assert words(rows, 4) == _dcat("dcat:Dataset")
    assert words(rows, 5) == _uk("dcat:Dataset")
    assert Record(**dict.fromkeys(FIELDS, "")), "FIELDS are the record's"


def test_every_field_of_a_distribution_is_on_the_page(tables: list[list[list[str]]]) -> None:
    assert words(tables[1], 1) == _dcat("dcat:Distribution")
    assert words(tables[1], 2) == _uk("dcat:Distribution")


def test_the_codes_on_the_page_are_those_of_the_code(tables: list[list[list[str]]]) -> None:
    plain = [[cell.strip("`") for cell in row] for row in tables[2]]
    assert plain == [
        [
            code or "(empty)", item.words, item.eu, item.uk,
            str(item.late_after.days) if item.late_after else "never",
        ]
        for code, item in FREQUENCIES.items()
    ]  # fmt: skip
    assert [[cell.strip("`") for cell in row] for row in tables[3]] == [
        [code, item.words, item.eu, item.uk] for code, item in ACCESS.items()
    ]
    assert {row[0].strip("`"): row[1] for row in tables[4]} == THEMES
    assert set(LANGUAGES) == {"en", "cy"}
