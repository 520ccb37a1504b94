"""What a test needs from the machine, and what to do when it is not there."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def everything_is_required() -> bool:
    """Whether this run may skip nothing for want of a program (HUB_REQUIRE_ALL=1, set by .ci/run)."""
    return os.environ.get("HUB_REQUIRE_ALL", "") not in {"", "0"}


def missing(what: str) -> NoReturn:
    """Skip the test, saying why; fail instead where everything is required."""
    if everything_is_required():
        pytest.fail(f"{what} (HUB_REQUIRE_ALL is set, so this is a failure and not a skip)", pytrace=False)
    pytest.skip(what)
