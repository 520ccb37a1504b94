"""The README of the contracts says what the code does: every construct, code and kind it has stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub_schemas.cells import FALSE, TRUE
from hub_schemas.faults import RULES
from hub_schemas.identifiers import KINDS
from hub_schemas.layouts import DIRECTIVES, TIMEZONES
from hub_schemas.model import CLASSIFICATIONS
from hub_schemas.odcs import CUSTOM as TABLE_CUSTOM
from hub_schemas.odcs_columns import CUSTOM as COLUMN_CUSTOM

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
INLINE = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
CODE = set(re.findall(r"[\w%./-]+", " ".join(INLINE)))

PROMISED = {
    "rule code": RULES,
    "identifier kind": tuple(KINDS),
    "custom property": tuple(TABLE_CUSTOM | COLUMN_CUSTOM),
    "classification": CLASSIFICATIONS,
    "spelling of a boolean": (*TRUE, *FALSE),
    "directive of a format": tuple(f"%{name}" for name in DIRECTIVES),
    "time zone": TIMEZONES,
}


@pytest.mark.parametrize("what", sorted(PROMISED))
def test_the_readme_names_every(what: str) -> None:
    assert sorted(set(PROMISED[what]) - CODE) == []
