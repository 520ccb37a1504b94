"""The JoinedUp Hub plugin SDK: what a plugin says about itself, what it is given, and what it hands back.

A plugin is a class with two hooks::

    class Arrears:
        @hookimpl
        def hub_describe(self) -> Manifest: ...

        @hookimpl
        def hub_run(self, context: Context) -> RunOutput: ...

Its distribution names it in the entry point group `joinedup.plugins`. It is imported and run only in a
sandboxed process (`python -I -m hub_sdk.worker`); the hub itself uses nothing of this package but the types.
Importing this package imports neither pyarrow nor any other data library.
"""

from __future__ import annotations

from hub_sdk.checks import FormatError
from hub_sdk.context import Context, Coverage
from hub_sdk.hooks import hookimpl, hookspec
from hub_sdk.manifest import (
    ENTRY_POINT_GROUP,
    PEOPLE_COLUMNS,
    PEOPLE_CONTRACT,
    SDK_VERSION,
    Input,
    Manifest,
    Output,
    OutputColumn,
    Resources,
)
from hub_sdk.parameters import Parameter
from hub_sdk.report import Chart, Report, RunOutput, Series, Table, Text

__version__ = "0.1.0"

__all__ = [
    "ENTRY_POINT_GROUP",
    "PEOPLE_COLUMNS",
    "PEOPLE_CONTRACT",
    "SDK_VERSION",
    "Chart",
    "Context",
    "Coverage",
    "FormatError",
    "Input",
    "Manifest",
    "Output",
    "OutputColumn",
    "Parameter",
    "Report",
    "Resources",
    "RunOutput",
    "Series",
    "Table",
    "Text",
    "hookimpl",
    "hookspec",
]
