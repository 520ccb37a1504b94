"""What comes out of the sandbox: isolation, descriptions, events, results and failures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from hub.errors import HubError, Unavailable
from hub_sdk import Manifest, Report

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Event",
    "FailureKind",
    "Isolation",
    "PluginDescription",
    "PluginFailed",
    "RunResult",
    "SandboxUnavailable",
]

FailureKind = Literal["error", "timeout", "memory", "output", "cancelled", "protocol"]


class SandboxUnavailable(Unavailable):
    """Plugins cannot be run safely on this machine; the detail says why and what to do."""

    title = "No sandbox for plugins"


class PluginFailed(HubError):
    """A plugin did not do what it should. The message never holds data: a type, a place, a limit.

    `kind`: error (it raised or crashed), timeout, memory, output (what it handed back does not fit its
    manifest or is too large), cancelled, protocol (it does not speak to the hub as it must). `log`: the
    lines it logged, which are the plugin's own words and belong where its results are.
    """

    title = "The plugin failed"

    def __init__(self, kind: FailureKind, message: str, log: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.log = tuple(log)


@dataclass(frozen=True)
class Isolation:
    """How well plugins are kept apart from the machine, as found by trying.

    `full`: everything held. `partial`: the essentials held. `none`: there is no sandbox. `checks` says of
    each property whether it held (empty where not even the probe ran), `details` in words what is amiss, or
    what held.
    """

    level: Literal["full", "partial", "none"]
    details: tuple[str, ...]
    checks: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class PluginDescription:
    """An installed plugin; `digest` (SHA-256 of its distribution's files) changes when its code does."""

    manifest: Manifest
    distribution: str
    version: str
    digest: str


@dataclass(frozen=True)
class Event:
    """Something a running plugin told, in its own words: `progress` (`fraction` 0 to 1) or `log`."""

    kind: Literal["progress", "log"]
    message: str
    fraction: float | None = None


@dataclass(frozen=True)
class RunResult:
    """What a run gave (each output in exactly its declared schema, and the report) and what it took."""

    tables: dict[str, pa.Table]
    report: Report
    seconds: float
    peak_memory_mb: float
    log: tuple[str, ...] = ()
