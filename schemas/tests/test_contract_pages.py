"""A page is made from each contract, and a hostile one cannot put markup into it."""

from __future__ import annotations

import pytest
from contract_strategies import contract_text

from hub_schemas import library, load_contract
from hub_schemas.pages import contract_page


@pytest.mark.parametrize("name", library.names())
def test_the_page_names_every_column_and_its_class(name: str) -> None:
    contract = library.load(name)
    page = contract_page(contract)
    assert page.startswith("# ")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) == len(contract.columns)
    for row, column in zip(rows, contract.columns, strict=True):
        assert row.startswith(f"| `{column.name}` |")
        assert column.classification in row


def test_the_page_says_what_is_checked() -> None:
    page = contract_page(library.load("police.street_crime"))
    assert "must look like ^\\[0-9a-f\\]\\{64\\}$" in page
    assert "longitude and latitude must both have a value" in page
    assert "empty cells in longitude must be at most 10 percent" in page
    assert "written as YYYY-MM" in page
    assert "| Crime ID |" in page
    assert "| (empty) |" in contract_page(library.load("police.recorded_crime"))


def test_markup_in_a_contract_stays_text() -> None:
    column = {
        "name": "a",
        "logicalType": "string",
        "description": "<script>x</script> | **b** [c](http://d)\n# e",
    }
    page = contract_page(load_contract(contract_text([column])))
    assert "<script>" not in page
    row = next(line for line in page.splitlines() if line.startswith("| `a`"))
    assert row.replace("\\|", "").count("|") == 8
    assert "\n# e" not in page
