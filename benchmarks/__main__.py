"""python -m benchmarks: run benchmarks and print their tables."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from benchmarks.registry import BENCHMARKS, Scale, runner

_EXAMPLES = """\
examples:
  python -m benchmarks                              all of them (about five minutes on two quiet cores)
  python -m benchmarks check --rows 100000          one of them, smaller
  python -m benchmarks linkage lookup --people 5000
  make bench ARGS="audit --entries 20000"

Each task is measured in turns with what it is compared to; a ratio is the median of the ratios of neighbouring turns.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; 2 when a name or number makes no sense."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    names = chosen.names or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    scale = Scale(chosen.rows, chosen.people, chosen.entries, chosen.repeats, chosen.keys)
    from benchmarks.measure import machine
    from hub.logs import configure_logs

    configure_logs("error")
    print(machine(), flush=True)
    for name in names:
        print(f"\n{name}: {BENCHMARKS[name]}", file=sys.stderr, flush=True)
        started = time.perf_counter()
        for table in runner(name)(scale):
            print(f"\n{table.text()}", flush=True)
        print(f"({name} took {time.perf_counter() - started:.0f} s)", file=sys.stderr, flush=True)
    print(f"\n{machine()}")
    return 0


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:12}{text}" for name, text in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Comparison tables of what the hub's work costs.\n\nbenchmarks:\n{listed}",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    usual = Scale()
    parser.add_argument("names", nargs="*", metavar="NAME", help="which ones (default: all)")
    for name, least, text in (
        ("rows", 100, "rows of the generated CSV"),
        ("people", 100, "people of the synthetic borough"),
        ("entries", 10, "entries of the audit log that is verified"),
        ("repeats", 1, "measured turns of each task"),
        ("keys", 10, "keys that are rotated"),
    ):
        value = getattr(usual, name)
        parser.add_argument(
            f"--{name}", type=_at_least(least), default=value, help=f"{text} (default {value:,})"
        )
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"give {least:,} or more")
        return value

    whole.__name__ = "whole number"
    return whole


if __name__ == "__main__":
    sys.exit(main())
