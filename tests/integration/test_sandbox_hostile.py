"""What a hostile plugin tries, and what comes of it. The hub stays up and says what happened."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
from hub_sdk import Resources

from hub.runs.sandbox import PluginFailed
from hub.runs.sandbox.command import MOST_TASKS
from hub.runs.sandbox.conversation import MOST_LOG_LINES
from support.plugins import PYTHON, ROOT, TestPlugins

CANARY = "Ermintrude Wexbourne-Canary"


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


# ---- reaching out


def test_no_socket_of_any_network_family_can_be_made(plugins: TestPlugins) -> None:
    found = plugins.find(
        """
        families = {"internet": 2, "internet 6": 10, "netlink": 16, "packet": 17, "bluetooth": 31, "crypto": 38, "vsock": 40}
        for name, family in families.items():
            attempt(name, lambda: socket.socket(family, socket.SOCK_DGRAM))
            attempt(name + " pair", lambda: socket.socketpair(family, socket.SOCK_DGRAM))
        """
    )

    assert len(found) == 14
    assert set(found.values()) == {"OSError"}


def test_names_and_addresses_lead_nowhere(plugins: TestPlugins) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = plugins.find(
            f"""
            attempt("hub", lambda: socket.create_connection(("127.0.0.1", {port}), timeout=2))
            attempt("metadata", lambda: socket.create_connection(("169.254.169.254", 80), timeout=2))
            attempt("dns", lambda: socket.getaddrinfo("example.org", 80))
            """
        )

    assert found == {"hub": "OSError", "metadata": "OSError", "dns": "gaierror"}


def test_local_sockets_of_the_machine_are_out_of_reach(plugins: TestPlugins, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as abstract, socket.socket(socket.AF_UNIX) as named:
        abstract.bind(f"\0hub-test-{os.getpid()}")
        abstract.listen()
        path = f"/tmp/hub-test-{os.getpid()}.sock"
        named.bind(path)
        named.listen()
        try:
            found = plugins.find(
                f"""
                attempt("abstract", lambda: socket.socket(socket.AF_UNIX).connect("\\0hub-test-{os.getpid()}"))
                attempt("named", lambda: socket.socket(socket.AF_UNIX).connect({path!r}))
                """
            )
        finally:
            os.unlink(path)

    assert found == {"abstract": "ConnectionRefusedError", "named": "FileNotFoundError"}


# ---- looking around


def test_files_of_the_machine_and_of_the_hub_are_not_there(plugins: TestPlugins, tmp_path: Path) -> None:
    secret = tmp_path / "hub" / "keys" / "keyring.key"
    secret.parent.mkdir(parents=True)
    secret.write_text("key")
    wanted = [
        "/etc/passwd",
        "/etc/shadow",
        "/etc/hostname",
        "/root/.ssh",
        "/run",
        "/sys",
        "/var",
        "/dev/mem",
        "/dev/shm",
    ]
    wanted += [
        str(secret),
        str(ROOT / "pyproject.toml"),
        str(ROOT / "hub"),
        str(ROOT / ".git"),
        str(Path.home() / ".ssh"),
    ]

    found = plugins.find(
        f"""
        for path in {wanted!r}:
            attempt(path, lambda: os.stat(path))
        """
    )

    assert found == {path: "FileNotFoundError" for path in wanted}


def test_folders_to_hide_are_empty_even_inside_a_folder_the_plugin_reads(tmp_path: Path) -> None:
    vault = tmp_path / "plugins" / "var" / "demo"
    vault.mkdir(parents=True)
    (vault / "hub.db").write_text("rows")
    plugins = TestPlugins(tmp_path / "plugins", hide=(vault,))
    plugins.need_sandbox()

    found = plugins.find(f"found['inside'] = os.listdir({str(vault)!r})")

    assert found == {"inside": "[]"}


def test_devices_are_but_three(plugins: TestPlugins) -> None:
    found = plugins.find("found['devices'] = sorted(os.listdir('/dev'))")

    assert found == {"devices": "['null', 'random', 'urandom']"}


def test_no_environment_and_no_arguments_of_the_hub_show_anywhere(
    plugins: TestPlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_KEY_PASSPHRASE", CANARY)

    found = plugins.find(
        f"""
        found["names"] = sorted(os.environ)
        for process in filter(str.isdigit, os.listdir("/proc")):
            for name in ("environ", "cmdline"):
                attempt(process + name, lambda: {CANARY!r} in open(f"/proc/{{process}}/{{name}}").read())
                attempt(process + name + " sees", lambda: {str(plugins.folder)!r} in open(f"/proc/{{process}}/{{name}}").read())
        """
    )

    assert "HUB_KEY_PASSPHRASE" not in found.pop("names")
    assert found
    assert set(found.values()) <= {"False", "PermissionError"}


def test_other_processes_can_be_neither_seen_nor_signalled(plugins: TestPlugins) -> None:
    found = plugins.find(
        f"""
        found["processes"] = sum(name.isdigit() for name in os.listdir("/proc"))
        attempt("signal the hub", lambda: os.kill({os.getpid()}, 0))
        attempt("memory of the parent", lambda: open(f"/proc/{{os.getppid()}}/mem", "rb").read(1))
        """
    )

    assert int(found["processes"]) <= 3
    assert found["signal the hub"] == "ProcessLookupError"
    assert found["memory of the parent"] in {"PermissionError", "OSError"}


def test_nothing_is_left_from_one_run_to_the_next(plugins: TestPlugins) -> None:
    body = "found['note'] = os.path.exists('/tmp/note'); open('/tmp/note', 'w').write('for the next')"

    assert plugins.find(body) == plugins.find(body) == {"note": "False"}


# ---- writing


def test_nothing_but_tmp_can_be_written_to(plugins: TestPlugins) -> None:
    folders = ["/", "/usr", "/dev", "/proc", "/home", str(PYTHON.parent), str(plugins.folder)]

    found = plugins.find(
        f"""
        for folder in {folders!r}:
            attempt(folder, lambda: open(os.path.join(folder, "planted"), "w"))
        attempt("own code", lambda: open(__file__, "w"))
        attempt("sysctl", lambda: open("/proc/sys/kernel/core_pattern", "w"))
        attempt("/tmp", lambda: open("/tmp/planted", "w").close())
        """
    )

    assert found.pop("/tmp") == "None"
    assert set(found.values()) <= {"OSError", "PermissionError", "FileNotFoundError"}
    assert not (plugins.folder / "planted").exists()


def test_links_lead_nowhere(plugins: TestPlugins) -> None:
    found = plugins.find(
        """
        os.symlink("/etc/passwd", "/tmp/link")
        attempt("symbolic", lambda: open("/tmp/link"))
        attempt("hard", lambda: os.link(__file__, "/tmp/hard"))
        attempt("up", lambda: open("/proc/self/root/../../etc/passwd"))
        attempt("cwd of init", lambda: open("/proc/1/root/etc/passwd"))
        """
    )

    assert found["symbolic"] == "FileNotFoundError"
    assert found["hard"] == "OSError"
    assert found["up"] == "FileNotFoundError"
    assert found["cwd of init"] in {"FileNotFoundError", "PermissionError"}


def test_input_tables_cannot_be_changed(plugins: TestPlugins) -> None:
    found = plugins.find(
        """
        import mmap
        for name in os.listdir("/proc/self/fd"):
            target = os.readlink(f"/proc/self/fd/{name}") if os.path.lexists(f"/proc/self/fd/{name}") else ""
            if "memfd" in target and os.fstat(int(name)).st_size < 1 << 20:
                attempt(f"{name} write", lambda: os.pwrite(int(name), b"x", 0))
                attempt(f"{name} cut", lambda: os.ftruncate(int(name), 0))
                attempt(f"{name} map", lambda: mmap.mmap(int(name), 0))
        """,
        inputs={"numbers": pa.table({"n": [1], "text": ["x"]})},
    )

    assert len(found) >= 6
    assert set(found.values()) == {"PermissionError"}


def test_tmp_has_a_size(plugins: TestPlugins) -> None:
    found = plugins.find(
        """
        def fill():
            for number in range(100):
                with open(f"/tmp/{number}", "wb") as file:
                    file.write(bytes(1 << 20))
        attempt("fill", fill)
        found["files"] = len(os.listdir("/tmp"))
        """
    )

    assert found["fill"] == "OSError"
    assert int(found["files"]) < 20


# ---- asking the kernel


def test_dangerous_system_calls_are_refused(plugins: TestPlugins) -> None:
    # x86-64 and aarch64 numbers, as in hub/runs/sandbox/seccomp.py.
    machine = 0 if os.uname().machine == "x86_64" else 1
    calls = {
        "ptrace": (101, 117), "mount": (165, 40), "umount2": (166, 39), "unshare": (272, 97), "setns": (308, 268),
        "keyctl": (250, 219), "add_key": (248, 217), "bpf": (321, 280), "perf_event_open": (298, 241),
        "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "memfd_create": (319, 279), "shmget": (29, 194),
        "process_vm_readv": (310, 270), "kexec_load": (246, 104), "init_module": (175, 105), "reboot": (169, 142),
        "chroot": (161, 51), "pivot_root": (155, 41), "swapon": (167, 224), "clock_settime": (227, 112),
        "sethostname": (170, 161), "open_by_handle_at": (304, 265), "personality": (135, 92),
    }  # fmt: skip
    numbers = {name: pair[machine] for name, pair in calls.items()}

    found = plugins.find(
        f"""
        libc = ctypes.CDLL(None, use_errno=True)
        for name, number in {numbers!r}.items():
            result = libc.syscall(number, 0, 0, 0, 0, 0, 0)
            found[name] = ctypes.get_errno() if result == -1 else "allowed"
        """
    )

    assert found == {name: "1" for name in numbers}


def test_privileges_cannot_be_had(plugins: TestPlugins) -> None:
    found = plugins.find(
        """
        attempt("setuid", lambda: os.setuid(0))
        attempt("setgid", lambda: os.setgid(0))
        attempt("groups", lambda: os.setgroups([0]))
        attempt("device", lambda: os.mknod("/tmp/device", 0o20666, os.makedev(1, 5)))
        import resource
        attempt("limits", lambda: resource.setrlimit(resource.RLIMIT_DATA, (-1, -1)))
        attempt("priority", lambda: os.nice(-10))
        found["uid"] = os.getuid()
        """
    )

    assert found.pop("uid") == "65534"
    assert {
        what for what, came in found.items() if came not in {"PermissionError", "OSError", "ValueError"}
    } == set()


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


def test_a_thread_bomb_is_ended(plugins: TestPlugins) -> None:
    failed = failure(
        plugins,
        """
        threading.stack_size(32768)
        def sleep():
            time.sleep(60)
        started = 0
        while True:
            try:
                threading.Thread(target=sleep, daemon=True).start()
            except RuntimeError:
                time.sleep(0.01)
            started += 1
            if started > 50_000:
                break
        """,
        seconds=20,
    )

    assert str(MOST_TASKS) in failed.message or failed.kind == "memory"


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
        "for number in range(1, 32):\n    attempt(number, lambda: signal.signal(number, signal.SIG_IGN))\ntime.sleep(60)",
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


# ---- lying about the result


RESULT = """
import json, struct
from hub_sdk.wire import RESULT_HEADER, RESULT_MAGIC, event_line
fds = [int(name) for name in os.listdir("/proc/self/fd") if int(name) > 2]
result = max((fd for fd in fds if os.path.exists(f"/proc/self/fd/{fd}")), key=lambda fd: os.fstat(fd).st_size)
pipe = [fd for fd in fds if os.path.exists(f"/proc/self/fd/{fd}") and os.readlink(f"/proc/self/fd/{fd}").startswith("pipe")][-1]
def claim(index, *messages):
    offset = 64
    spans = []
    for message in messages:
        os.pwrite(result, message, offset)
        spans.append([offset, len(message)])
        offset += -(-len(message) // 64) * 64
    data = index if isinstance(index, bytes) else json.dumps(index(spans)).encode()
    os.pwrite(result, data, offset)
    os.pwrite(result, RESULT_HEADER.pack(RESULT_MAGIC, offset, len(data)), 0)
    os.write(pipe, event_line("done"))
    os._exit(0)
def tables(spans, name="found"):
    return {"tables": [{"name": name, "batches": spans}], "report": {"title": "T", "summary": "S"}}
batch = pa.record_batch({"what": ["a"], "value": ["b"]})
"""


@pytest.mark.parametrize(
    ("lie", "problem"),
    [
        ("claim(tables, b'not arrow at all')", "not well-formed Arrow"),
        ("claim(tables, bytes(batch.serialize())[:-32])", "not well-formed Arrow"),
        ("claim(tables, bytes(pa.record_batch({'a': [1]}).serialize()))", "not well-formed Arrow"),
        ("claim(tables, bytes(batch.schema.serialize()))", "not a record batch"),
        (
            "big = pa.record_batch({'what': ['a' * 100_000], 'value': ['b' * 100_000]})\n"
            "claim(tables, bytes(big.serialize()).replace(b'a' * 100_000, b'\\xff' * 100_000))",
            "not well-formed Arrow",
        ),
        (
            "big = pa.record_batch({'what': ['a' * 100_000], 'value': ['b' * 100_000]})\n"
            "sink = pa.BufferOutputStream()\n"
            "writer = pa.ipc.new_stream(sink, big.schema, options=pa.ipc.IpcWriteOptions(compression='zstd'))\n"
            "writer.write_batch(big); writer.close()\n"
            "reader = pa.ipc.MessageReader.open_stream(sink.getvalue())\n"
            "reader.read_next_message()\n"
            "claim(tables, bytes(reader.read_next_message().serialize()))",
            "compressed",
        ),
        ("claim(lambda spans: tables([[1 << 40, 64]]))", "points outside"),
        ("claim(lambda spans: tables([[-64, 64]]))", "at least 0"),
        ("claim(lambda spans: tables([], '../../etc/cron.d/x'))", "not the outputs of the manifest|must match"),
        ("claim(lambda spans: tables(spans) | {'more': 1})", "not known here: more"),
        ("claim(lambda spans: {**tables(spans), 'report': {'title': '<script>'}})", "lacks summary"),
        ("claim(b'[' * 100_000)", "not JSON"),
        ("claim(b'{\"tables\": NaN, \"report\": 1}')", "not JSON"),
        ("os.pwrite(result, RESULT_HEADER.pack(RESULT_MAGIC, 64, 1 << 60), 0); os.write(pipe, event_line('done')); os._exit(0)",
         "index of"),
        ("os.write(pipe, event_line('done')); os._exit(0)", "was not written"),
    ],
)  # fmt: skip
def test_a_result_that_is_not_what_it_should_be_is_refused(
    plugins: TestPlugins, lie: str, problem: str
) -> None:
    failed = failure(plugins, RESULT + lie)

    assert failed.kind == "output"
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError(failed.message)


def test_a_result_that_is_well_formed_by_hand_is_taken(plugins: TestPlugins) -> None:
    plugins.add(RESULT + "claim(tables, bytes(batch.serialize()))")

    assert plugins.run().tables["found"].to_pylist() == [{"what": "a", "value": "b"}]


def test_ending_without_a_word_is_a_failure(plugins: TestPlugins) -> None:
    assert failure(plugins, "os._exit(0)").kind == "protocol"
    assert failure(plugins, "sys.exit(0)").message.startswith("The plugin raised SystemExit at test_plugin:")
    assert "SIGSEGV" in failure(plugins, "ctypes.string_at(0)").message
    assert "SIGABRT" in failure(plugins, "os.abort()").message


# ---- telling what it should not


@pytest.mark.parametrize(
    "slip",
    [
        "raise ValueError(secret)",
        "raise type(secret, (Exception,), {})(secret)",
        "raise KeyError(secret) from RuntimeError(secret)",
        "sys.stderr.write(secret); sys.stdout.write(secret); os.write(2, secret.encode()); os.abort()",
        "import warnings; warnings.warn(secret); raise UserWarning(secret)",
        "int(secret)",
        "pa.array([secret]).cast(pa.int64())",
        "context.polars('numbers').select(secret)",
        "context.duckdb().sql('select n::date from numbers').fetchall()",
        "return RunOutput({'found': pa.table({secret: [1]})}, Report('T', 'S'))",
        "return RunOutput({secret: pa.table({})}, Report('T', 'S'))",
        "return RunOutput({'found': pa.table({'what': [secret], 'value': [1]})}, Report('T', 'S'))",
        "exec(compile('raise ValueError()', secret, 'exec'), {'__name__': 'test_plugin.' + secret})",
    ],
)
def test_no_value_leaks_through_an_error(plugins: TestPlugins, slip: str) -> None:
    table = pa.table({"n": [1], "text": [CANARY]})

    failed = failure(
        plugins, "secret = context.table('numbers')['text'][0].as_py()\n" + slip, inputs={"numbers": table}
    )

    told = f"{failed} {failed.message} {failed.detail} {failed.fields} {failed.log} {failed.__cause__} {failed.__context__}"
    assert failed.kind in {"error", "output"}
    assert "Ermintrude" not in told
    assert "Canary" not in told


def test_an_error_says_its_type_and_where_in_the_plugin_it_was_raised(plugins: TestPlugins) -> None:
    plugins.add("int('x')")
    line = (plugins.folder / "test_plugin.py").read_text().splitlines().index("        int('x')") + 1

    with pytest.raises(PluginFailed) as failed:
        plugins.run()

    assert failed.value.message == f"The plugin raised ValueError at test_plugin:{line} (hub_run)."
    assert failed.value.log == (f"at test_plugin:{line} (hub_run)",)


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
        "plugins.events = type('Tell', (), {'append': lambda self, event: print(event.message, flush=True)})()\n"
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
