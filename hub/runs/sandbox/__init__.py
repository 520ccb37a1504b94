"""Running plugins where they can do no harm.

Read in this order: `sandbox` (what the hub calls), `channel` (how data goes in and comes back, and why it is not
believed), `conversation` (what a worker says), `environment` (where plugins are installed); below them stands
`hub.isolation`. The other end is `hub_sdk.worker`. No plugin code is ever imported on this side.
"""

from hub.runs.sandbox.outcome import (
    Event,
    Isolation,
    PluginDescription,
    PluginFailed,
    RunResult,
    SandboxUnavailable,
)
from hub.runs.sandbox.sandbox import Sandbox

__all__ = [
    "Event",
    "Isolation",
    "PluginDescription",
    "PluginFailed",
    "RunResult",
    "Sandbox",
    "SandboxUnavailable",
]
