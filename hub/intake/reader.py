"""The process that reads a delivery: `python -m hub.intake.reader BRIEF ANSWER`, both open descriptors.

Its standard output says how many rows are checked, a number a line. The answer holds the `verdict`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from hub.isolation import inside


def examined(request: bytes) -> dict[str, Any]:
    """Examine the delivery of a brief."""
    from hub.intake.brief import Brief
    from hub.intake.examine import examine

    verdict = examine(Brief.from_json(request), lambda rows: print(rows, flush=True))
    return {"verdict": json.loads(verdict.to_json())}


if __name__ == "__main__":
    inside.work(int(sys.argv[1]), int(sys.argv[2]), examined)
