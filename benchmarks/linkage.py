"""Linkage of the synthetic borough: how fast, and how often right, beside a rule anybody could write.

The rule joins records that share an identifier, or the same forename, surname and date of birth. Figures of a
synthetic borough say that the machinery works and how its parts compare; they say nothing about real families.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.borough import records_of
from benchmarks.measure import interleaved, peak_mb
from benchmarks.registry import Scale
from benchmarks.table import Table, count, rate, ratio, seconds, share, turns
from hub.linkage.households import form_households
from hub.linkage.people import PeopleLinked, link_people

if TYPE_CHECKING:
    from hub.demo.borough import BoroughSummary

__all__ = ["run"]

_MOST_TURNS = 3
_RULE, _PEOPLE, _HOMES = (
    "floor: a rule (identifier, or name + birth)",
    "link_people (Splink, guards)",
    "form_households",
)
_MEMORY_MB = 2048
"""What the hub allows linkage by default."""
IDENTIFIERS = ("nhs_number", "upn", "nino")


def run(scale: Scale) -> list[Table]:
    """Speed, the quality of people, the quality of households."""
    from hub.demo.borough import generate

    with tempfile.TemporaryDirectory(prefix="bench-linkage-") as name:
        folder = Path(name)
        borough = generate(folder, people=scale.people)
        records = records_of(borough)
        kept = folder / "records.parquet"
        pq.write_table(records, kept)
        found: dict[str, PeopleLinked] = {}
        ruled: dict[str, dict[str, int]] = {}

        def link() -> None:
            found["hub"] = link_people(records, memory_mb=_MEMORY_MB)

        tasks = {
            _RULE: lambda: ruled.update(hub=by_rule(records)),
            _PEOPLE: link,
            _HOMES: lambda: form_households(found["hub"].people),
        }
        number = min(scale.repeats, _MOST_TURNS)
        timings = interleaved(tasks, number)
        peaks = {
            _RULE: peak_mb("benchmarks.linkage:rule_in", str(kept)),
            _PEOPLE: peak_mb("benchmarks.linkage:link_in", str(kept)),
        }
        speed = tuple(
            (
                task, seconds(timings.median(task)), rate(scale.people, timings.median(task)),
                rate(len(records), timings.median(task)), ratio(timings.ratio(task, _RULE)) if task != _HOMES else "-",
                count(peaks[task]) if task in peaks else "-",
            )
            for task in tasks
        )  # fmt: skip
        truth = _Truth(borough)
    linked = found["hub"]
    summary = linked.summary
    return [
        Table(
            f"linkage: {scale.people:,} people, {len(records):,} records, {summary.descriptions:,} descriptions",
            ("what", "seconds", "people/s", "records/s", "to floor", "peak MB"),
            speed,
            (f"{turns(number)}; linkage may use {_MEMORY_MB:,} MB beside its tables.",),
        ),
        _people_table(truth, linked.index, ruled["hub"]),
        _households_table(truth, linked),
    ]


def rule_in(path: str) -> int:
    """The rule in a process of its own."""
    return len(by_rule(pq.read_table(path)))


def link_in(path: str) -> int:
    """Linkage in a process of its own."""
    return link_people(pq.read_table(path), memory_mb=_MEMORY_MB).summary.people


def by_rule(records: pa.Table) -> dict[str, int]:
    """record_key -> a number for each person, by the rule."""
    parent: list[int] = list(range(len(records)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    names = zip(
        *(records[name].to_pylist() for name in ("forename", "surname", "date_of_birth")), strict=True
    )
    described = [
        (forename.upper(), surname.upper(), born) if forename and surname and born else None
        for forename, surname, born in names
    ]
    for keys in (described, *(records[name].to_pylist() for name in IDENTIFIERS)):
        first: dict[Hashable, int] = {}
        for node, key in enumerate(keys):
            if key is not None:
                parent[root(node)] = root(first.setdefault(key, node))
    return {key: root(node) for node, key in enumerate(records["record_key"].to_pylist())}


class _Truth:
    """Who each row is about, and who lives with whom."""

    def __init__(self, borough: BoroughSummary) -> None:
        folder = borough.directory / "truth"
        rows = pq.read_table(folder / "rows.parquet", columns=["dataset", "row_number", "true_person_id"])
        rows = rows.filter(pc.is_valid(rows["true_person_id"]))
        self.person: dict[str, int] = {
            f"{dataset}:{number}": person
            for dataset, number, person in zip(
                *(rows[name].to_pylist() for name in rows.column_names), strict=True
            )
        }
        people = pq.read_table(folder / "people.parquet", columns=["person_id", "household_id", "uprn"])
        ids = people["person_id"].to_pylist()
        self.household = dict(zip(ids, people["household_id"].to_pylist(), strict=True))
        self.property = dict(zip(ids, people["uprn"].to_pylist(), strict=True))


def _pairs(labels: Iterable[Hashable]) -> int:
    return sum(number * (number - 1) // 2 for number in Counter(labels).values())


def _quality(found: Sequence[Hashable], true: Sequence[Hashable]) -> tuple[float, float]:
    """Pairwise precision and recall of groups."""
    both = _pairs(zip(found, true, strict=True))
    return both / max(1, _pairs(found)), both / max(1, _pairs(true))


def _across(
    found: Sequence[Hashable], true: Sequence[Hashable], datasets: Sequence[str]
) -> tuple[float, float]:
    """The same over pairs of records of different datasets only: all pairs less those within a dataset."""

    def pairs(labels: Sequence[Hashable]) -> int:
        return _pairs(labels) - _pairs(zip(labels, datasets, strict=True))

    both = pairs(list(zip(found, true, strict=True)))
    return both / max(1, pairs(found)), both / max(1, pairs(true))


def _scores(precision: float, recall: float) -> tuple[str, str, str]:
    both = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return share(precision), share(recall), share(both)


def _people_table(truth: _Truth, index: pa.Table, ruled: dict[str, int]) -> Table:
    keys = [key for key in index["record_key"].to_pylist() if key in truth.person]
    persons = dict(zip(index["record_key"].to_pylist(), index["person_id"].to_pylist(), strict=True))
    true, datasets = [truth.person[key] for key in keys], [key.partition(":")[0] for key in keys]
    lines = []
    for name, labels in (
        ("the rule", [ruled[key] for key in keys]),
        ("link_people", [persons[key] for key in keys]),
    ):
        lines.append((f"{name}: all pairs", *_scores(*_quality(labels, true)), count(len(set(labels)))))
        lines.append((f"{name}: across datasets", *_scores(*_across(labels, true, datasets)), ""))
    return Table(
        f"linkage: pairs of records of one person, {len(keys):,} records of {len(set(true)):,} true people",
        ("what", "precision", "recall", "F1", "people"),
        tuple(lines),
        ("Against the borough's truth, over every accepted record that names somebody.",),
    )


def _households_table(truth: _Truth, linked: PeopleLinked) -> Table:
    """Households of the people found, each taken for the true person whom most of their records are about."""
    votes: dict[str, Counter[int]] = defaultdict(Counter)
    for key, person in zip(
        linked.index["record_key"].to_pylist(), linked.index["person_id"].to_pylist(), strict=True
    ):
        if key in truth.person:
            votes[person][truth.person[key]] += 1
    formed = form_households(linked.people).membership
    columns = (formed[name].to_pylist() for name in ("person_id", "household_id", "basis"))
    known = [
        (household, votes[person].most_common(1)[0][0], basis)
        for person, household, basis in zip(*columns, strict=True)
        if votes[person]
    ]
    at_home = [line for line in known if line[2] == "uprn"]
    everybody = sorted({who for _, who, _ in known})
    groups = {
        "found: everybody": [(household, who) for household, who, _ in known],
        "found: those with a known property": [(household, who) for household, who, _ in at_home],
        "if every person and address were right": [(truth.property[who], who) for who in everybody],
    }
    lines = []
    for name, members in groups.items():
        found, true = [label for label, _ in members], [truth.household[who] for _, who in members]
        lines.append((name, *_scores(*_quality(found, true)), count(len(set(found))), count(len(set(true)))))
    return Table(
        f"linkage: pairs of people of one household, {len(known):,} people found",
        ("what", "precision", "recall", "F1", "households", "true"),
        tuple(lines),
        ("Several true households can share one property (rooms in a house): its people are taken for one.",),
    )
