"""From a plugin class to something that can be called; pluggy's manager lives here, never in the hub."""

from __future__ import annotations

import importlib
from typing import Any

import pluggy

from hub_sdk.checks import FormatError
from hub_sdk.context import Context
from hub_sdk.hooks import PROJECT, REQUIRED_HOOKS, PluginHooks
from hub_sdk.manifest import SDK_VERSION, Manifest
from hub_sdk.report import RunOutput
from hub_sdk.wire import is_entry_point


class LoadedPlugin:
    """One plugin behind pluggy, its manifest read and checked.

    Raises `FormatError` where the class is no plugin: a hook is missing or misspelt, its arguments are
    wrong, the manifest is not a `Manifest` or was written for another version of the SDK.
    """

    def __init__(self, plugin: Any) -> None:
        instance = plugin() if isinstance(plugin, type) else plugin
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(PluginHooks)
        place = type(instance).__name__
        try:
            self._manager.register(instance, place)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise FormatError(place, f"does not match the hooks of this SDK: {error}") from None
        for hook in REQUIRED_HOOKS:
            if not getattr(self._manager.hook, hook).get_hookimpls():
                raise FormatError(place, f"does not implement {hook} (is @hookimpl missing?)")
        manifest = self._manager.hook.hub_describe()
        if not isinstance(manifest, Manifest):
            raise FormatError(place, f"hub_describe returned {type(manifest).__name__}, not a Manifest")
        if manifest.sdk != SDK_VERSION:
            raise FormatError(place, f"is written for SDK {manifest.sdk}; this is SDK {SDK_VERSION}")
        self.manifest = manifest

    def run(self, context: Context) -> RunOutput:
        """Call `hub_run`; raises `FormatError` if it hands back anything but a `RunOutput`."""
        output = self._manager.hook.hub_run(context=context)
        if not isinstance(output, RunOutput):
            raise FormatError("hub_run", f"returned {type(output).__name__}, not a RunOutput")
        return output


def load_object(reference: str) -> Any:
    """The object behind `module:Name`, as entry points write it. Imports the module, so never in the hub."""
    if not is_entry_point(reference):
        raise FormatError("", f"{reference[:100]!r} is not of the form module:Class")
    module, _, name = reference.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found
