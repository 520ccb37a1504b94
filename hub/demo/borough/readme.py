"""The README.txt written beside the files, so that nobody takes them for anything but invented."""

from __future__ import annotations

from hub.demo.borough import NAME, BoroughSummary


def readme(summary: BoroughSummary) -> str:
    """Text for people who find the folder: what it is, what is in it, and what it must not be used for."""
    width = max(len(name) for name in summary.rows)
    rows = "\n".join(
        f"  {name:<{width}}  {count:>10,} rows, {summary.faults[name]:>6,} of them at fault on purpose"
        for name, count in sorted(summary.rows.items())
    )
    return f"""{NAME}

EVERYTHING IN THIS FOLDER IS SYNTHETIC. A program made up the people, households, addresses, incidents and
teams from a seed. Nobody in it exists, and no record in it is about anybody.

{summary.people:,} people in {summary.households:,} households, seed {summary.seed}, as at {summary.today}.
The same program with the same seed writes the same files.

{rows}

Identifiers are right in form and belong to nobody:
  NHS numbers begin with 999, the range for tests (above about 900,000 people also with 998 and below).
  National Insurance numbers have administrative prefixes that are not given to people.
  UPNs have local authority code 899, which no authority uses.
  School numbers begin with 99, practice codes with Z9.
  UPRNs begin with 990: no range is reserved for tests, and none this high is known to be issued.
  Postcodes begin with ZX, which is no postcode area.

The CSV files hold mistakes as real files do, and rows at fault that a contract should refuse.
truth/ says who each row is really about and what is wrong with it. It is for tests and benchmarks:
publish it to no hub.

Figures drawn from these files say nothing about any real place. Accuracy measured on synthetic people
proves nothing about real ones.
"""
