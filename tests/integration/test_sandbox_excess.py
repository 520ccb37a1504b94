"""What comes of a plugin that uses too much memory, processes, time or output: the hub stays up and tells."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from hub.isolation.bubblewrap import MOST_TASKS
from hub.runs.sandbox import PluginFailed
from hub.runs.sandbox.conversation import MOST_LOG_LINES
from hub_sdk import Resources
from support.plugins import ROOT, TestPlugins


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


def failure(plugins: TestPlugins, body: str, **settings: object) -> PluginFailed:
    """How the run of a plugin with this body fails."""
    plugins.add(body)
    with pytest.raises(PluginFailed) as failed:
        plugins.run(**settings)  # type: ignore[arg-type]
    return failed.value


# ---- using too much


@pytest.mark.parametrize(
    "bomb",
    [
        "hoard = [bytearray(1 << 24) for _ in range(1000)]",
        "hoard = []\nwhile True: hoard.append(' ' * 100_000)",
        "import numpy; hoard = [numpy.ones(1 << 21) for _ in range(1000)]",
        "hoard = pa.array(range(10_000_000)).to_pylist() * 100",
    ],
)
def test_a_memory_bomb_ends_as_such(plugins: TestPlugins, bomb: str) -> None:
    failed = failure(plugins, bomb)

    assert failed.kind == "memory"
    assert "512 MB" in failed.message


def test_memory_that_limits_do_not_count_cannot_be_had(plugins: TestPlugins) -> None:
    found = plugins.find(
        """
        import mmap
        attempt("shared", lambda: mmap.mmap(-1, 1 << 30))
        attempt("memory file", lambda: os.memfd_create("hoard"))
        attempt("private", lambda: mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        """
    )

    assert found == {"shared": "PermissionError", "memory file": "PermissionError", "private": "OSError"}


def test_no_new_processes(plugins: TestPlugins) -> None:
    found = plugins.find(
        """
        attempt("fork", os.fork)
        attempt("spawn", lambda: subprocess.run(["/usr/bin/true"]))
        attempt("shell", lambda: os.posix_spawn(sys.executable, [sys.executable], {}))
        attempt("system", lambda: os.system("true"))
        """
    )

    assert found["fork"] == found["spawn"] == found["shell"] == "PermissionError"
    assert found["system"] != "0"


def test_a_thread_bomb_is_stopped(plugins: TestPlugins) -> None:
    plugins.add(
        """
        threading.stack_size(32768)
        def sleep():
            time.sleep(60)
        try:
            for started in range(50_000):
                threading.Thread(target=sleep, daemon=True).start()
        except RuntimeError:
            pass
        found["started"] = started
        time.sleep(2)
        """
    )

    # The kernel stops an ordinary user's hub's plugins at the limit; for root the hub itself has to look.
    try:
        result = plugins.run(seconds=20)
    except PluginFailed as failed:
        assert str(MOST_TASKS) in failed.message or failed.kind == "memory"
    else:
        assert int(result.tables["found"]["value"][0].as_py()) <= MOST_TASKS


@pytest.mark.parametrize(
    "spin", ["while True: pass", "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"]
)
def test_endless_computing_is_ended(plugins: TestPlugins, spin: str) -> None:
    failed = failure(
        plugins, spin, resources=Resources(memory_mb=512, cpu_seconds=1, wall_seconds=30), seconds=20
    )

    assert failed.kind == "timeout"
    assert "1 seconds of processor time" in failed.message


@pytest.mark.parametrize(
    "wait",
    [
        "time.sleep(60)",
        "for number in range(1, 32):\n"
        "    attempt(number, lambda: signal.signal(number, signal.SIG_IGN))\n"
        "time.sleep(60)",
        "os.closerange(0, 100); time.sleep(60)",
    ],
    ids=["sleep", "ignoring signals", "with everything closed"],
)
def test_endless_waiting_is_ended(plugins: TestPlugins, wait: str) -> None:
    failed = failure(plugins, wait, resources=Resources(memory_mb=512, wall_seconds=1), seconds=10)

    assert failed.kind == "timeout"
    assert "longer than 1 seconds" in failed.message


def test_endless_printing_goes_nowhere(plugins: TestPlugins) -> None:
    plugins.add("print('x' * (1 << 26)); sys.stderr.write('y' * (1 << 26)); os.write(1, b'z' * (1 << 20))")

    assert plugins.run().log == ()


def test_endless_logging_is_cut_off(plugins: TestPlugins) -> None:
    plugins.add("for number in range(20_000): context.log('x' * 10_000)")

    log = plugins.run().log

    assert len(log) == MOST_LOG_LINES + 1
    assert max(map(len, log)) <= 500
    assert len(plugins.events) == MOST_LOG_LINES


@pytest.mark.parametrize(
    "flood", ["b'x' * 65536", "b'{}\\n' * 20_000"], ids=["one endless line", "endless lines"]
)
def test_a_flood_on_the_way_to_the_hub_ends_the_run(plugins: TestPlugins, flood: str) -> None:
    failed = failure(
        plugins,
        f"""
        pipes = [int(name) for name in os.listdir("/proc/self/fd") if int(name) > 2]
        pipes = [fd for fd in pipes if os.path.exists(f"/proc/self/fd/{{fd}}")
                 and os.readlink(f"/proc/self/fd/{{fd}}").startswith("pipe")]
        while True:
            os.write(pipes[-1], {flood})
        """,
        seconds=20,
    )

    assert failed.kind == "output"
    assert "flooded" in failed.message


def test_huge_output_is_refused(plugins: TestPlugins) -> None:
    failed = failure(plugins, "found = {str(n): 'x' * 1000 for n in range(50_000)}")

    assert failed.kind == "output"
    assert "output_mb" in failed.message


# ---- outliving the hub


def test_a_worker_dies_with_the_hub(plugins: TestPlugins, tmp_path: Path) -> None:
    plugins.add("context.log('begun'); time.sleep(120)")
    script = tmp_path / "run_plugin.py"
    script.write_text(
        "import sys\n"
        f"sys.path[:0] = [{str(ROOT / 'tests')!r}]\n"
        "from pathlib import Path\n"
        "from support.plugins import TestPlugins\n"
        f"plugins = TestPlugins(Path({str(plugins.folder)!r}))\n"
        "tell = lambda self, event: print(event.message, flush=True)\n"
        "plugins.events = type('Events', (), {'append': tell})()\n"
        "plugins.run()\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, cwd=ROOT, text=True) as hub:
        assert hub.stdout is not None
        assert hub.stdout.readline() == "begun\n"
        workers = _descendants(hub.pid)
        assert len(workers) >= 2
        hub.kill()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}/cmdline").exists() and _alive(pid) for pid in workers):
        assert time.monotonic() < deadline, "the worker outlived the hub"
        time.sleep(0.05)


def _descendants(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [deeper for child in children for deeper in _descendants(child)]


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
