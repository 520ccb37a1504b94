"""Makes the helpers that stand beside these tests importable, and finds the shared test data."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of data that nobody here wrote; tests that need it are skipped where it is absent."""
    home = Path(os.environ.get("HUB_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not home.is_dir():
        pytest.skip(f"needs the shared test data ({home.name}): set HUB_TEST_DATA to its folder")
    return home
