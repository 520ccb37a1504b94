"""Running plugins where they can do no harm.

Read in this order: `sandbox` (what the hub calls), `command` (the bubblewrap command and the limits),
`seccomp` (the system calls a plugin may make), `channel` (how data goes in and comes back, and why it is not
believed), `process` (starting, listening, ending), `environment` (what of the machine a plugin must be able
to read). The other end is `hub_sdk.worker`. No plugin code is ever imported on this side.
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
