"""The principal: who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Principal:
    """A person, a machine client or the hub itself, with the organisation and roles it acts under.

    `scopes` narrows what the roles give (an access token that was asked for with fewer scopes); None narrows nothing.
    """

    kind: Literal["person", "client", "system"]
    id: str
    name: str
    organisation_id: str
    organisation: str
    roles: frozenset[str]
    scopes: frozenset[str] | None = None

    @property
    def reference(self) -> str:
        """How the audit log names it; never a person's name."""
        return f"{self.kind}:{self.id}"


def system(part: str) -> Principal:
    """The hub acting by itself, for example `system("worker")`."""
    return Principal("system", part, part, "", "", frozenset())
