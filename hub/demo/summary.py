"""The demonstration's summary: what was published, refused, linked, run and found, and where to look."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.demo.cast import PEOPLE

if TYPE_CHECKING:
    from hub.demo.story import Told

__all__ = ["summary"]

_WIDTH = 100
_MOST_REASONS = 3


def summary(told: Told, directory: Path) -> str:
    """The whole summary as text."""
    parts = [_published(told), _refused(told), _linked(told), _ran(told), _look(told, directory)]
    return "\n".join(["", *parts])


def _title(text: str) -> str:
    return f"{text}\n{'-' * len(text)}"


def _published(told: Told) -> str:
    lines = [
        _title("What was published"),
        f"  {'dataset':28}{'sent':>10}{'accepted':>10}{'refused':>9}  state",
    ]
    for item in sorted(told.deliveries, key=lambda item: item["dataset"]):
        rows = item["rows"]
        lines.append(
            f"  {item['dataset']:28}{rows['sent']:>10,}{rows['accepted']:>10,}{rows['refused']:>9,}  {item['state']}"
        )
    sent, accepted, refused = (
        sum(item["rows"][name] for item in told.deliveries) for name in ("sent", "accepted", "refused")
    )
    lines.append(f"  {'together':28}{sent:>10,}{accepted:>10,}{refused:>9,}")
    return "\n".join(lines) + "\n"


def _refused(told: Told) -> str:
    lines = [_title("Refused rows and why (each is in quarantine, with its row number, for its department)")]
    for item in sorted(told.deliveries, key=lambda item: item["dataset"]):
        faults = item["faults_by_rule"][:_MOST_REASONS]
        reasons = ", ".join(
            f"{fault['column'] or 'row'}: {fault['rule']} x {fault['count']:,}" for fault in faults
        )
        if item["problem"]:
            lines.append(f"  {item['dataset']:28}{item['problem']}")
        elif reasons:
            more = len(item["faults_by_rule"]) - len(faults)
            lines.append(f"  {item['dataset']:28}{reasons}{f', and {more} more kinds' if more > 0 else ''}")
        else:
            lines.append(f"  {item['dataset']:28}no row was at fault")
    return "\n".join(lines) + "\n"


def _linked(told: Told) -> str:
    linked = told.linked
    lines = [
        _title("Who was linked"),
        f"  {linked.get('records', 0):,} records of {linked.get('datasets', 0)} datasets are about "
        f"{linked.get('people', 0):,} people in {linked.get('households_households', 0):,} households.",
        f"  Joined by an identifier: {linked.get('by_identifier', 0):,}; by the model: {linked.get('by_model', 0):,}; "
        f"seen once: {linked.get('single', 0):,}.",
    ]
    if told.borough is not None:
        lines.append(
            f"  (The borough was invented with {told.borough.people:,} people in {told.borough.households:,} homes.)"
        )
    return "\n".join(lines) + "\n"


def _ran(told: Told) -> str:
    lines = [_title(f"What ran, and what was found (isolation: {told.isolation or 'unknown'})")]
    for item in reversed(told.runs):
        run = item["run"]
        took = f"{run['seconds']:.1f} s" if run["seconds"] is not None else ""
        lines.append(
            f"  {run['plugin']:16}{run['state']:11}{took:>8}  {'' if item['result'] else run['message']}"
        )
        report = told.reports.get(run["plugin"], {}).get("report", {})
        for line in _wrap(str(report.get("summary", ""))):
            lines.append(f"      {line}")
    return "\n".join(lines) + "\n"


def _wrap(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, _WIDTH - 8)


def _look(told: Told, directory: Path) -> str:
    lines = [_title("Where to look"), f"  {told.url}", f"  Everybody's password is: {told.password}", ""]
    lines += [f"    {person.username:8}{person.role:16}{person.does}" for person in PEOPLE]
    if (hint := _family(told)) is not None:
        lines += ["", f"  As sam, find a household: {hint}"]
    lines += [
        "",
        f"  API and its description: {told.url}/api/docs      Metrics: {told.url}/metrics",
        f"  The same from the command line: hub datasets list --dir {directory}",
        f"  The whole story took {told.seconds:.0f} s. Everybody in it is invented: accuracy here proves nothing about",
        "  real families.",
        "",
    ]
    return "\n".join(lines)


def _family(told: Told) -> str | None:
    """Somebody whom the search finds, from a family that truly meets the criteria (from the borough's truth)."""
    if told.borough is None:
        return None
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    truth = told.borough.directory / "truth"
    try:
        homes: Any = pq.read_table(truth / "households.parquet")
        people: Any = pq.read_table(truth / "people.parquet")
        meets = homes.filter(pc.equal(homes["tf2012"], True))["household_id"]
        found = people.filter(pc.is_in(people["household_id"], meets)).slice(0, 1).to_pylist()[0]
    except (OSError, KeyError, IndexError):
        return None
    return f"surname {found['surname']}, date of birth {found['date_of_birth']:%d %m %Y}"
