"""The synthetic borough: six departments' files about people who do not exist, and the truth about them.

`generate` writes them. The same seed gives the same bytes; memory stays level however many people are asked
for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

NAME = "Borough of Wexbourne (synthetic)"
TODAY = date(2026, 9, 1)
"""The day the borough is made for, unless another is asked for."""

__all__ = ["NAME", "TODAY", "BoroughSummary", "generate"]


@dataclass(frozen=True)
class BoroughSummary:
    """What was written: rows and planted faults by dataset, and how many families there are.

    `families` counts households with children; `families_tf2012` those that truly meet two of the three
    criteria.
    """

    directory: Path
    people: int
    households: int
    seed: int
    today: date
    rows: dict[str, int]
    faults: dict[str, int]
    families: int
    families_tf2012: int

    def path(self, dataset: str) -> Path:
        """The CSV file of a dataset ("schools.attendance" -> <directory>/schools/attendance.csv)."""
        return self.directory / Path(*dataset.split(".")).with_suffix(".csv")


def generate(directory: Path, people: int = 20_000, seed: int = 2026, today: date = TODAY) -> BoroughSummary:
    """Write the borough into `directory`: `<organisation>/<name>.csv`, `truth/*.parquet` and README.txt.

    Files of an earlier borough there are overwritten. Raises `ValueError` for fewer than 100 people, more
    than ten million, or a negative seed.
    """
    from hub.demo.borough import write

    return write.generate(Path(directory), people, seed, today)
