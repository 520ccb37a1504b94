"""What can go wrong, in words for the person at the keyboard, and the exit status each kind ends with.

| status | meaning |
|---|---|
| 0 | done; for `check`, every row keeps the contract |
| 1 | done, and some rows are at fault |
| 2 | cannot be read or used at all: the file, the contract, the configuration or the command line |
| 3 | the hub cannot be reached or is out of order: nothing is lost, run the same command again |
| 4 | the hub, or the contract's threshold, refuses this delivery |
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "EXIT_CLEAN",
    "EXIT_FAULTS",
    "EXIT_REFUSED",
    "EXIT_UNREACHABLE",
    "EXIT_UNUSABLE",
    "ConfigError",
    "ConnectorError",
    "HubRefused",
    "HubUnreachable",
    "SourceError",
]

EXIT_CLEAN: Final = 0
EXIT_FAULTS: Final = 1
EXIT_UNUSABLE: Final = 2
EXIT_UNREACHABLE: Final = 3
EXIT_REFUSED: Final = 4


class ConnectorError(Exception):
    """Something the user can act on: what happened, and what to do next.

    `message` never holds a personal value; `hint` is the next step, or empty.
    """

    exit_code: int = EXIT_UNUSABLE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class ConfigError(ConnectorError):
    """The configuration, a key or the command line cannot be used."""


class SourceError(ConnectorError):
    """The source cannot be read at all (rows at fault are not errors; they are reported)."""


class HubUnreachable(ConnectorError):
    """The hub does not answer, or answers that it is out of order; trying again is safe."""

    exit_code = EXIT_UNREACHABLE


class HubRefused(ConnectorError):
    """The hub answered and said no. `status` is the HTTP status it gave, 0 when there was none."""

    exit_code = EXIT_REFUSED

    def __init__(self, message: str, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint)
        self.status = status
