"""A contract of the library keeps its text as long as it keeps its version: those who published it rely on that.

`library_versions.txt` holds every version that was ever in the library. After giving a contract a new version, write it
down with: python schemas/tests/test_library_versions.py
"""

from pathlib import Path

import pytest

from hub_schemas import library

KNOWN = Path(__file__).with_name("library_versions.txt")


def _known() -> dict[tuple[str, str], str]:
    lines = (line.split() for line in KNOWN.read_text(encoding="utf-8").splitlines())
    return {(name, version): digest for name, version, digest in lines}


@pytest.mark.parametrize("name", library.names())
def test_a_contracts_text_changes_with_its_version_only(name: str) -> None:
    contract = library.load(name)
    digest = _known().get((name, contract.version))
    assert digest is not None, f"{name} {contract.version} is new: write it down (see the top of this file)"
    assert digest == contract.digest, (
        f"{name} was changed: give it a new version instead of {contract.version}"
    )


def test_no_contract_has_left_the_library() -> None:
    assert {name for name, _ in _known()} == set(library.names())


if __name__ == "__main__":
    kept = _known() if KNOWN.exists() else {}
    for name in library.names():  # one that is known keeps its digest: the test says what to do
        kept.setdefault((name, library.load(name).version), library.load(name).digest)
    KNOWN.write_text("".join(f"{n} {v} {d}\n" for (n, v), d in sorted(kept.items())), encoding="utf-8")
