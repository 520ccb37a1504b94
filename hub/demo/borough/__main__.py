"""Command line: python -m hub.demo.borough --people N --seed S --out DIR."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import date
from pathlib import Path

from hub.demo.borough import NAME, TODAY, generate


def main(arguments: list[str] | None = None) -> int:
    """Write a borough and print what was written; 2 when it cannot be."""
    parser = argparse.ArgumentParser(prog="python -m hub.demo.borough", description=f"Write the {NAME}.")
    parser.add_argument("--people", type=int, default=20_000, help="how many people (default 20000)")
    parser.add_argument("--seed", type=int, default=2026, help="same seed, same files (default 2026)")
    parser.add_argument(
        "--today", type=date.fromisoformat, default=TODAY, help=f"as at this day (default {TODAY})"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    chosen = parser.parse_args(arguments)
    started = time.perf_counter()
    try:
        summary = generate(chosen.out, chosen.people, chosen.seed, chosen.today)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{NAME}: {summary.people:,} people in {summary.households:,} households")
    for name, rows in sorted(summary.rows.items()):
        print(f"  {name:<24} {rows:>12,} rows  {summary.faults[name]:>8,} at fault")
    print(
        f"  {summary.families:,} households with children, of which {summary.families_tf2012:,} meet TF-2012"
    )
    print(f"  {time.perf_counter() - started:.1f} s, in {summary.directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
