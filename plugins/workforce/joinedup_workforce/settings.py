"""What may be set for a demand profile; light, so that describing the plugin loads no data library."""

from __future__ import annotations

from dataclasses import dataclass

EVERY_FORCE = "all"


@dataclass(frozen=True)
class Settings:
    """What may be set for a run; see the parameters of the plugin.

    `force`: whose offence groups are shown (`all`: everyone's); `officers`, `attended`: assumed.
    """

    force: str = EVERY_FORCE
    officers: float = 1.0
    attended: float = 1.0
