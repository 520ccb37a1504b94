"""The hooks a plugin implements, as pluggy specifications.

The specification has a version of its own (`hub_sdk.SDK_VERSION`); a manifest names the one it was written
for, and the worker refuses another. Every hook here answers once (`firstresult`): a worker loads exactly one
plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from hub_sdk.context import Context
    from hub_sdk.manifest import Manifest
    from hub_sdk.report import RunOutput

PROJECT = "joinedup"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class PluginHooks:
    """What a plugin may implement. All hooks run in the sandbox, never in the hub."""

    @hookspec(firstresult=True)
    def hub_describe(self) -> Manifest:
        """Say what the plugin is, what it needs and what it hands back.

        Called without data, and often: it must be quick, must not read files and must always give the same
        answer.
        """
        raise NotImplementedError("hub_describe is a specification; a plugin implements it")

    @hookspec(firstresult=True)
    def hub_run(self, context: Context) -> RunOutput:
        """Compute every output the manifest declares from the tables of `context`.

        The same tables, parameters, seed and date must give the same output. Takes what `context` offers and
        nothing else: there is no network, no environment and no file but `context.scratch`.
        """
        raise NotImplementedError("hub_run is a specification; a plugin implements it")


# What every plugin must implement, in the order in which the hub calls them.
REQUIRED_HOOKS = ("hub_describe", "hub_run")
