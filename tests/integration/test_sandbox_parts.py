"""The parts of the sandbox, each on its own: the filter, the listening, the environment, the command."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest

from hub.errors import ConfigurationError
from hub.isolation.bubblewrap import Limits, find_bubblewrap, sandbox_options
from hub.isolation.process import Ended, LineReader, watch
from hub.isolation.seccomp import MACHINES, filter_program
from hub.runs.sandbox.conversation import Conversation
from hub.runs.sandbox.environment import Environment
from hub_sdk import Resources
from support.plugins import PYTHON, ROOT, TestPlugins
from support.require import missing

# ---- the system call filter

ALLOWED, KILLED = "allowed", "killed"
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97


def decide(machine: str, number: int, *arguments: int, arch: int | None = None) -> str | int:
    """What the filter says to a call: a small interpreter of the BPF programs that seccomp(2) takes."""
    program = filter_program(machine)
    assert program is not None
    words = [0] * 16
    words[0], words[1] = number, MACHINES[machine][0] if arch is None else arch
    for index, argument in enumerate(arguments):
        words[4 + 2 * index], words[5 + 2 * index] = argument & 0xFFFFFFFF, argument >> 32
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, value = struct.unpack_from("<HBBI", program, 8 * at)
        at += 1
        if code == 0x20:
            accumulator = words[value // 4]
        elif code == 0x54:
            accumulator &= value
        elif code == 0x06:
            names = {0x7FFF0000: ALLOWED, 0x80000000: KILLED}
            return names.get(value, value & 0xFFFF)
        else:
            holds = {
                0x15: accumulator == value,
                0x35: accumulator >= value,
                0x45: bool(accumulator & value),
            }[code]
            at += if_true if holds else if_false


@pytest.mark.parametrize(
    ("machine", "allowed", "refused"),
    [
        # allowed: read, write, openat, munmap, futex, execve, exit_group
        # refused: ptrace, mount, bpf, fork (on aarch64 unshare), memfd_create
        ("x86_64", (0, 1, 257, 11, 202, 59, 231), (101, 165, 321, 57, 319)),
        ("aarch64", (63, 64, 56, 215, 98, 221, 94), (117, 40, 280, 97, 279)),
    ],
)
def test_the_filter_refuses_by_number(
    machine: str, allowed: tuple[int, ...], refused: tuple[int, ...]
) -> None:
    assert {decide(machine, number) for number in allowed} == {ALLOWED}
    assert {decide(machine, number) for number in refused} == {EPERM}


@pytest.mark.parametrize(
    ("machine", "clone", "clone3", "new_socket", "map_memory"),
    [("x86_64", 56, 435, 41, 9), ("aarch64", 220, 435, 198, 222)],
)
def test_the_filter_looks_at_arguments(
    machine: str, clone: int, clone3: int, new_socket: int, map_memory: int
) -> None:
    thread, user_namespace = 0x00010000 | 0x100, 0x10000000
    assert decide(machine, clone, thread) == ALLOWED
    assert decide(machine, clone, 17) == EPERM
    assert decide(machine, clone, user_namespace) == EPERM
    assert decide(machine, clone3) == ENOSYS
    assert decide(machine, new_socket, 1) == ALLOWED
    assert decide(machine, new_socket, 2) == EAFNOSUPPORT
    shared, private, anonymous = 1, 2, 0x20
    assert decide(machine, map_memory, 0, 4096, 3, private | anonymous) == ALLOWED
    assert decide(machine, map_memory, 0, 4096, 3, shared) == ALLOWED
    assert decide(machine, map_memory, 0, 4096, 3, shared | anonymous) == EPERM


def test_the_filter_knows_no_other_numbering_of_the_calls() -> None:
    assert decide("x86_64", 0, arch=0x40000003) == KILLED
    assert decide("x86_64", 0x40000000 | 101) == ENOSYS
    assert filter_program("riscv64") is None


# ---- listening


def test_lines_are_cut_wherever_the_pieces_end() -> None:
    data = b"one\ntwo\n\nthree\nrest"
    for size in range(1, len(data)):
        reader = LineReader()
        pieces = [data[at : at + size] for at in range(0, len(data), size)]

        assert [line for piece in pieces for line in reader.feed(piece)] == [b"one", b"two", b"three"]


def test_an_endless_line_is_dropped_and_never_kept() -> None:
    reader = LineReader(longest=10)

    lines = [line for _ in range(1000) for line in reader.feed(b"x" * 1000)]
    lines += reader.feed(b"end of it\nnext\n")

    assert lines == [b"next"]
    assert reader.total > 1_000_000
    assert len(reader._kept) <= 10


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"ready"',
        b"\xff\xfe",
        b"[" * 8000,
        b'{"event": 5}',
        b'{"event": ["done"]}',
        b'{"event": "progress"}',
        b'{"event": "progress", "fraction": 2}',
        b'{"event": "progress", "fraction": NaN}',
        b'{"event": "done", "peak_memory_mb": "much"}',
    ],
)
def test_lines_that_are_no_event_are_ignored(line: bytes) -> None:
    events: list[object] = []

    Conversation(events.append).take(line)

    assert events == []


@pytest.mark.parametrize(
    ("status", "ended", "kind", "words"),
    [
        (152, {}, "timeout", "processor time"),
        (137, {"cpu_seconds": 400.0}, "timeout", "processor time"),
        (137, {}, "memory", "needed more than the 2048 MB"),
        (134, {"peak_memory_mb": 2000.0}, "memory", "needed more"),
        (134, {}, "error", "SIGABRT"),
        (139, {}, "error", "SIGSEGV"),
        (3, {}, "protocol", "exit status 3"),
        (0, {}, "protocol", "without a result"),
        (1, {"killed": "wall"}, "timeout", "longer than 600 seconds"),
        (1, {"killed": "cancelled"}, "cancelled", "cancelled"),
    ],
)
def test_the_way_a_worker_ends_tells_what_happened(
    status: int, ended: dict[str, object], kind: str, words: str
) -> None:
    values = {
        "killed": "",
        "seconds": 1.0,
        "cpu_seconds": 1.0,
        "peak_memory_mb": 100.0,
        "complaints": "",
        **ended,
    }
    conversation = Conversation(lambda event: None)
    conversation.take(b'{"event": "ready"}')

    with pytest.raises(Exception, match=words) as failed:
        conversation.settle(Ended(status=status, **values), Resources())  # type: ignore[arg-type]

    assert failed.value.kind == kind  # type: ignore[attr-defined]


def test_what_a_program_uses_is_measured(tmp_path: Path) -> None:
    code = (
        "import time; block = bytearray(10**8); block[::4096] = b'x' * len(block[::4096])\n"
        "print('hello'); time.sleep(0.5)"
    )
    lines: list[bytes] = []

    ended = watch(
        [sys.executable, "-I", "-c", code],
        fds=(),
        variables={},
        wall_seconds=30,
        most_tasks=10,
        on_line=lines.append,
        cancelled=lambda: False,
    )

    assert lines == [b"hello"]
    assert (ended.status, ended.killed) == (0, "")
    assert ended.peak_memory_mb > 95
    assert ended.seconds >= 0.5


# ---- the environment and the command


@pytest.fixture
def environment() -> Environment:
    if not PYTHON.exists():
        missing(f"there is no {PYTHON.relative_to(ROOT)}; make install builds it")
    return Environment(PYTHON)


def test_only_what_a_plugin_needs_is_shown(environment: Environment) -> None:
    shown = environment.readable_paths()

    assert ROOT / ".venv-plugins" in shown
    assert ROOT / "plugins" / "sdk" in shown
    for secret in (ROOT, ROOT / "hub", ROOT / "plugins", Path.home(), Path("/etc"), Path("/"), Path("/var")):
        assert secret not in shown
        assert not any(path in secret.parents for path in shown), secret


def test_an_environment_that_would_show_a_home_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(ConfigurationError, match="the whole of"):
        Environment(PYTHON, tmp_path).readable_paths()


def test_the_options_leave_nothing_shared(environment: Environment) -> None:
    options = sandbox_options(environment.readable_paths(), filter_fd=9, scratch_mb=1)

    for option in (
        "--unshare-all",
        "--unshare-user",
        "--disable-userns",
        "--new-session",
        "--die-with-parent",
        "--clearenv",
    ):
        assert option in options
    assert "--bind" not in options
    assert "--share-net" not in options
    assert options[-2:] == ["--seccomp", "9"]


def test_limits_are_those_the_manifest_asks_for() -> None:
    values = Limits.of(memory_mb=300, cpu_seconds=5, file_mb=7).values

    assert values["RLIMIT_DATA"] == (300 << 20, 300 << 20)
    assert values["RLIMIT_CPU"] == (5, 7)
    assert values["RLIMIT_FSIZE"] == (8 << 20, 8 << 20)
    assert values["RLIMIT_CORE"] == (0, 0)


def test_bubblewrap_comes_with_the_hub() -> None:
    program = find_bubblewrap()

    assert program is not None
    assert os.access(program, os.X_OK)


def test_a_digest_changes_with_the_code_and_with_nothing_else(tmp_path: Path) -> None:
    plugins = TestPlugins(tmp_path / "plugins")
    plugins.add("")

    def digest() -> str:
        return next(
            item for item in Environment(PYTHON, plugins.folder).plugins() if item.name == "test-plugin"
        ).digest()

    first = digest()
    (plugins.folder / "__pycache__").mkdir()
    (plugins.folder / "__pycache__" / "test_plugin.pyc").write_bytes(b"x")
    assert digest() == first
    with (plugins.folder / "test_plugin.py").open("a") as file:
        file.write("# changed\n")
    assert digest() != first


def test_the_source_of_an_editable_plugin_is_in_its_digest(tmp_path: Path) -> None:
    plugins = TestPlugins(tmp_path / "plugins")
    plugins.add("")
    source = tmp_path / "source"
    (source / "package").mkdir(parents=True)
    (source / "package" / "code.py").write_text("one = 1\n")
    metadata = plugins.folder / "test_plugin-0.1.dist-info"
    (metadata / "direct_url.json").write_text(
        f'{{"url": "{source.as_uri()}", "dir_info": {{"editable": true}}}}'
    )

    def digest() -> str:
        return next(
            item for item in Environment(PYTHON, plugins.folder).plugins() if item.name == "test-plugin"
        ).digest()

    first = digest()
    (source / "package" / "code.py").write_text("one = 2\n")
    assert digest() != first


def test_two_plugins_of_one_name_are_refused(tmp_path: Path) -> None:
    plugins = TestPlugins(tmp_path / "plugins")
    plugins.add("", "families")

    with pytest.raises(ConfigurationError, match="Two distributions have a plugin families"):
        Environment(PYTHON, plugins.folder).plugins()
