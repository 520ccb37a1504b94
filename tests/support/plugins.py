"""Tiny plugins written on the spot, to see what the sandbox makes of them."""

from __future__ import annotations

import shutil
import textwrap
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from hub.runs.sandbox import Event, RunResult, Sandbox
from hub_sdk import Coverage, Resources
from support.require import missing

if TYPE_CHECKING:
    import pyarrow as pa

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-plugins" / "bin" / "python"

SMALL = Resources(memory_mb=512, cpu_seconds=20, wall_seconds=30, output_mb=16)

_TEMPLATE = """
import ctypes, os, signal, socket, subprocess, sys, threading, time
from hub_sdk import *
import pyarrow as pa

class Plugin:
    @hookimpl
    def hub_describe(self):
        return Manifest(
            "NAME", "0.1", "A test", "Written by a test.",
            inputs=(Input("numbers", "test.numbers", ("n", "text"), required=False),),
            outputs=(Output("found", (OutputColumn("what", "string", "What was tried"),
                                      OutputColumn("value", "string", "What came of it")), "open"),),
            parameters=(Parameter("text", "string", "", "Anything"),),
        )

    @hookimpl
    def hub_run(self, context):
        found = {}
        def attempt(what, action):
            try:
                found[what] = str(action())
            except BaseException as error:
                found[what] = type(error).__name__
BODY
        values = pa.array(map(str, found.values()), pa.string())
        table = pa.table({"what": pa.array(list(found), pa.string()), "value": values})
        return RunOutput({"found": table}, Report("Test", "What was found.", (Text("", "Text"),)))
"""


class TestPlugins:
    """A folder of plugin distributions and a sandbox that knows it."""

    __test__ = False

    def __init__(self, folder: Path, *, hide: tuple[Path, ...] = ()) -> None:
        if not PYTHON.exists():
            missing(f"there is no {PYTHON.relative_to(ROOT)}; make install builds it")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.sandbox = Sandbox(PYTHON, module_path=folder, hide=hide)
        self.events: list[Event] = []

    def clear(self) -> None:
        """Take away every plugin and forget what was told."""
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        self.events.clear()

    def need_sandbox(self) -> None:
        """Skip the test where the machine lets nobody make a sandbox."""
        isolation = self.sandbox.isolation()
        if isolation.level == "none":
            missing(f"no sandbox can be had here: {'; '.join(isolation.details)}")

    def add(self, body: str, name: str = "test-plugin") -> str:
        """A plugin whose `hub_run` is this code: it may use `context` and `attempt`, and fills `found`."""
        source = _TEMPLATE.replace("NAME", name).replace(
            "BODY", textwrap.indent(textwrap.dedent(body), " " * 8)
        )
        return self.add_source(source, name)

    def add_source(self, source: str, name: str = "test-plugin") -> str:
        """A plugin whose module has this source; its class is `Plugin`."""
        module = name.replace("-", "_")
        metadata = self.folder / f"{module}-0.1.dist-info"
        metadata.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{module}.py").write_text(source)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        (metadata / "entry_points.txt").write_text(f"[joinedup.plugins]\n{name} = {module}:Plugin\n")
        (metadata / "RECORD").write_text(f"{module}.py,,\n{metadata.name}/METADATA,,\n")
        return name

    def run(
        self,
        name: str = "test-plugin",
        inputs: Mapping[str, pa.Table] | None = None,
        *,
        text: str = "",
        resources: Resources = SMALL,
        cancelled: Callable[[], bool] = lambda: False,
        seconds: float = 60,
    ) -> RunResult:
        """Run a plugin; fails the test if the hub waits for longer than `seconds`."""
        started = time.monotonic()
        try:
            return self.sandbox.run(
                name,
                inputs or {},
                parameters={"text": text},
                seed=7,
                today=date(2026, 6, 30),
                coverage={name: Coverage(rows=table.num_rows) for name, table in (inputs or {}).items()},
                resources=resources,
                on_event=self.events.append,
                cancelled=cancelled,
            )
        finally:
            assert time.monotonic() - started < seconds, "the hub was held up"

    def find(self, body: str, **settings: object) -> dict[str, str]:
        """Add a plugin with this body, run it and give what it found."""
        result = self.run(self.add(body), **settings)  # type: ignore[arg-type]
        table = result.tables["found"]
        return dict(zip(table["what"].to_pylist(), table["value"].to_pylist(), strict=True))
