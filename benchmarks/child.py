"""One task in a process of its own, to see how much memory it needs: python -m benchmarks.child MODULE:FUNCTION ..."""

from __future__ import annotations

import json
import sys
from importlib import import_module

from benchmarks.measure import own_peak_mb


def main(function: str, *arguments: str) -> None:
    """Call the function with the arguments and print, as JSON, the most memory that was resident."""
    module, _, name = function.partition(":")
    getattr(import_module(module), name)(*arguments)
    print(json.dumps({"peak_mb": round(own_peak_mb(), 1)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
