"""The contract library: contracts worth having, one YAML file each, in a folder a domain."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from hub_schemas.contract import Contract
from hub_schemas.odcs import load_contract

__all__ = ["load", "names", "path"]

_HOME: Final = Path(__file__).parent / "library"


def names() -> list[str]:
    """The names of all contracts of the library (`domain.name`), sorted."""
    return sorted(f"{file.parent.name}.{file.stem}" for file in _HOME.glob("*/*.yaml"))


def path(name: str) -> Path:
    """The file of a library contract.

    Raises:
        KeyError: naming the contracts there are.
    """
    known = names()
    if name not in known:
        raise KeyError(f"the library has no contract {name!r:.100}; it has: {', '.join(known)}")
    domain, _, stem = name.partition(".")
    return _HOME / domain / f"{stem}.yaml"


@cache
def load(name: str) -> Contract:
    """A contract of the library, checked.

    Raises:
        KeyError: naming the contracts there are.
    """
    return load_contract(path(name))
