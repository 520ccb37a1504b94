"""A plugin runs in the sandbox on the tables it is given, and its result comes back."""

from __future__ import annotations

import threading
import time
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from hub.errors import ConfigurationError, Conflict, Invalid, NotFound
from hub.isolation import bubblewrap as commands
from hub.runs.sandbox import Event, PluginFailed, Sandbox, SandboxUnavailable
from hub_sdk import Resources, Text
from support.plugins import PYTHON, SMALL, TestPlugins

NUMBERS = pa.table({"n": pa.array(range(1000)), "text": [f"row {n % 10}" for n in range(1000)]})


@pytest.fixture(scope="module")
def sandboxed(tmp_path_factory: pytest.TempPathFactory) -> TestPlugins:
    made = TestPlugins(tmp_path_factory.mktemp("plugins"))
    made.need_sandbox()
    return made


@pytest.fixture
def plugins(sandboxed: TestPlugins) -> TestPlugins:
    """One sandbox for all tests of this file; each writes its plugin anew."""
    sandboxed.clear()
    return sandboxed


def test_the_sandbox_finds_out_for_itself_that_it_isolates_fully(plugins: TestPlugins) -> None:
    isolation = plugins.sandbox.isolation()

    assert isolation.level == "full", isolation.details
    assert len(isolation.checks) >= 10
    assert all(isolation.checks.values())


def test_a_plugin_gets_its_tables_parameters_seed_and_date(plugins: TestPlugins) -> None:
    found = plugins.find(
        """
        table = context.table("numbers")
        found["rows"] = table.num_rows
        found["sum"] = sum(table["n"].to_pylist())
        found["distinct"] = context.polars("numbers")["text"].n_unique()
        found["duckdb"] = context.duckdb().sql("select max(n) as n from numbers").to_arrow_table()["n"][0]
        found["coverage"] = context.coverage("numbers").rows
        found["text"] = context.parameters["text"]
        found["seed"] = context.seed
        found["today"] = context.today
        found["scratch"] = os.listdir(context.scratch)
        """,
        inputs={"numbers": NUMBERS},
        text="told",
    )

    assert found == {
        "rows": "1000",
        "sum": "499500",
        "distinct": "10",
        "duckdb": "999",
        "coverage": "1000",
        "text": "told",
        "seed": "7",
        "today": "2026-06-30",
        "scratch": "[]",
    }


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"n": pa.array([], pa.int64()), "text": pa.array([], pa.string())}),
        pa.table({"n": pa.array([1, None, 3]), "text": pa.array(["a", "b", None]).dictionary_encode()}),
        pa.concat_tables([NUMBERS, NUMBERS]).slice(990, 20),
        pa.table({"n": pa.array([date(2026, 1, 1)]), "text": pa.array(["x"], pa.large_string())}),
    ],
    ids=["empty", "nulls and dictionary", "sliced chunks", "other types"],
)
def test_any_shape_of_table_arrives_as_it_was(plugins: TestPlugins, table: pa.Table) -> None:
    found = plugins.find(
        """
        table = context.table("numbers")
        found["schema"] = table.schema
        found["rows"] = table.to_pylist()
        """,
        inputs={"numbers": table},
    )

    assert found == {"schema": str(table.schema), "rows": str(table.to_pylist())}


def test_an_optional_input_may_be_absent(plugins: TestPlugins) -> None:
    assert plugins.find("found['has'] = context.has('numbers')") == {"has": "False"}


def test_progress_and_log_are_told_while_the_plugin_runs(plugins: TestPlugins) -> None:
    plugins.add("context.progress(0.25, 'reading'); context.log('two\\nlines'); context.progress(1, 'ready')")

    result = plugins.run()

    assert Event("progress", "reading", 0.25) in plugins.events
    assert Event("log", "two lines") in plugins.events
    assert Event("progress", "ready", 1.0) in plugins.events
    assert result.log == ("two lines",)


def test_the_result_says_what_the_run_took(plugins: TestPlugins) -> None:
    plugins.add("block = bytearray(200 * 1024 * 1024); block[::4096] = b'x' * len(block[::4096])")

    result = plugins.run()

    assert result.report.title == "Test"
    assert result.report.blocks == (Text("", "Text"),)
    assert 0 < result.seconds < 30
    assert 200 < result.peak_memory_mb < 512


def test_the_same_run_gives_the_same_order_of_a_set(plugins: TestPlugins) -> None:
    body = "found['order'] = list({f'value {n}' for n in range(50)})"

    assert plugins.find(body) == plugins.find(body)


def test_runs_do_not_disturb_each_other(plugins: TestPlugins) -> None:
    plugins.add("time.sleep(0.3); found['text'] = context.parameters['text']")
    results: dict[int, str] = {}

    def one(number: int) -> None:
        results[number] = plugins.run(text=str(number)).tables["found"]["value"][0].as_py()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == {number: str(number) for number in range(4)}


def test_a_run_can_be_cancelled(plugins: TestPlugins) -> None:
    plugins.add("context.log('begun'); time.sleep(60)")

    with pytest.raises(PluginFailed, match="cancelled") as failed:
        plugins.run(cancelled=lambda: bool(plugins.events), seconds=10)

    assert failed.value.kind == "cancelled"
    assert failed.value.log == ("begun",)


def test_an_error_in_the_hub_while_listening_ends_the_run(plugins: TestPlugins) -> None:
    plugins.add("context.log('begun'); time.sleep(60)")

    def complain() -> bool:
        raise RuntimeError("the database is gone")

    with pytest.raises(RuntimeError, match="the database is gone"):
        plugins.run(cancelled=complain, seconds=10)


# ---- what is checked before a plugin runs


def test_a_plugin_never_gets_a_column_it_did_not_ask_for(plugins: TestPlugins) -> None:
    plugins.add("")

    with pytest.raises(Invalid, match="exactly the columns n, text"):
        plugins.run(inputs={"numbers": NUMBERS.append_column("secret", NUMBERS["n"])})
    with pytest.raises(Invalid, match="no input 'other'"):
        plugins.run(inputs={"other": NUMBERS})


def test_parameters_are_checked_before_anything_runs(plugins: TestPlugins) -> None:
    plugins.add("")
    settings = {"seed": 1, "today": date(2026, 1, 1), "coverage": {}, "resources": SMALL}

    with pytest.raises(Invalid, match="text: must be a string") as refused:
        plugins.sandbox.run(
            "test-plugin", {}, parameters={"text": 5}, on_event=print, cancelled=lambda: False, **settings
        )

    assert "text" in refused.value.fields


def test_a_plugin_that_is_not_installed_is_not_found(plugins: TestPlugins) -> None:
    plugins.add("")

    with pytest.raises(NotFound, match="test-plugin"):
        plugins.run("no-such-plugin")


def test_code_that_changed_since_it_was_approved_does_not_run(plugins: TestPlugins) -> None:
    plugins.add("found['version'] = 1")
    approved = next(item for item in plugins.sandbox.describe() if item.manifest.name == "test-plugin")
    plugins.add("found['version'] = 2")

    with pytest.raises(Conflict, match="changed since it was approved"):
        plugins.sandbox.run(
            "test-plugin",
            {},
            parameters={},
            seed=1,
            today=date(2026, 1, 1),
            coverage={},
            resources=SMALL,
            on_event=print,
            cancelled=lambda: False,
            digest=approved.digest,
        )


# ---- describing


def test_describing_gives_the_manifest_and_where_it_comes_from(plugins: TestPlugins) -> None:
    plugins.add("", "first-plugin")

    (described,) = [item for item in plugins.sandbox.describe() if item.manifest.name == "first-plugin"]

    assert described.distribution == "first-plugin"
    assert described.version == "0.1"
    assert len(described.digest) == 64
    assert described.manifest.inputs[0].columns == ("n", "text")


def test_a_broken_plugin_is_told_of_and_does_not_hide_the_others(plugins: TestPlugins) -> None:
    plugins.add("", "good-plugin")
    plugins.add_source("import no_such_module_here\n", "broken-plugin")
    problems = {}

    found = plugins.sandbox.describe(on_problem=problems.__setitem__)

    assert "good-plugin" in {item.manifest.name for item in found}
    assert "No module named 'no_such_module_here'" in problems["broken-plugin"].detail
    with pytest.raises(PluginFailed):
        plugins.sandbox.describe()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("return Manifest(", "return 'manifest' or Manifest("), "returned str, not a Manifest"),
        (('"test-plugin", "0.1"', '"other-name", "0.1"'), "use one name"),
        (("def hub_run(self, context)", "def hub_run(self, wrong)"), "does not match the hooks"),
        (("def hub_run", "def hub_go"), "hub_go"),
        (("@hookimpl\n    def hub_run", "def hub_run"), "does not implement hub_run"),
        (("outputs=(", "sdk='99', outputs=("), "is written for SDK 99; this is SDK 1"),
    ],
)
def test_a_plugin_that_is_not_one_is_refused_with_the_reason(
    plugins: TestPlugins, change: tuple[str, str], problem: str
) -> None:
    plugins.add("")
    module = plugins.folder / "test_plugin.py"
    source = module.read_text()
    assert change[0] in source
    plugins.add_source(source.replace(*change))

    with pytest.raises(PluginFailed, match=problem):
        plugins.run()


# ---- where no sandbox can be had


def refusing_bubblewrap(folder: Path) -> Path:
    program = folder / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    program.chmod(0o755)
    return program


def test_without_a_sandbox_nothing_runs_and_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "find_bubblewrap", lambda: refusing_bubblewrap(tmp_path))
    plugins = TestPlugins(tmp_path / "plugins")
    plugins.add("")

    assert plugins.sandbox.isolation().level == "none"
    with pytest.raises(SandboxUnavailable, match="No permissions to create new namespace") as refused:
        plugins.run()
    assert "HUB_ALLOW_UNSANDBOXED_PLUGINS" in refused.value.detail
    with pytest.raises(SandboxUnavailable):
        plugins.sandbox.describe()


def test_without_bubblewrap_an_operator_may_allow_plugins_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "find_bubblewrap", lambda: None)
    plugins = TestPlugins(tmp_path / "plugins")
    plugins.sandbox = Sandbox(PYTHON, module_path=plugins.folder, allow_unsandboxed=True)
    plugins.add("found['pid is ours'] = os.getpid() > 3; found['home'] = os.environ['HOME'] != '/'")

    result = plugins.run()

    assert plugins.sandbox.isolation().level == "none"
    assert plugins.sandbox.isolation().details == ("bubblewrap is not installed",)
    assert result.tables["found"]["value"].to_pylist() == ["True", "True"]


def test_without_a_sandbox_the_limits_hold_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "find_bubblewrap", lambda: None)
    plugins = TestPlugins(tmp_path / "plugins")
    plugins.sandbox = Sandbox(PYTHON, module_path=plugins.folder, allow_unsandboxed=True)
    plugins.add("time.sleep(60) if context.parameters['text'] else bytearray(1 << 30)")

    with pytest.raises(PluginFailed) as failed:
        plugins.run()
    assert failed.value.kind == "memory"
    with pytest.raises(PluginFailed) as failed:
        plugins.run(text="sleep", resources=Resources(memory_mb=512, wall_seconds=1), seconds=10)
    assert failed.value.kind == "timeout"


def test_an_environment_that_is_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="make install"):
        Sandbox(tmp_path / "bin" / "python").describe()


def test_starting_a_worker_is_quick(plugins: TestPlugins) -> None:
    plugins.add("")
    plugins.run()
    started = time.monotonic()

    plugins.sandbox.describe()

    # Typically a tenth of a second a plugin; the bound is for a machine with much else to do.
    assert time.monotonic() - started < 10
