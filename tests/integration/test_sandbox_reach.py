"""How far a hostile plugin gets: the network, the machine's files and processes, the kernel."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pyarrow as pa
import pytest

from support.plugins import PYTHON, ROOT, SMALL, TestPlugins

CANARY = "a passphrase that no plugin may see"


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


# ---- reaching out


def test_no_socket_of_any_network_family_can_be_made(plugins: TestPlugins) -> None:
    found = plugins.find(
        """
        families = {"inet": 2, "inet6": 10, "netlink": 16, "packet": 17}
        families |= {"bluetooth": 31, "alg": 38, "vsock": 40}
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
                unix = socket.AF_UNIX
                attempt("abstract", lambda: socket.socket(unix).connect("\\0hub-test-{os.getpid()}"))
                attempt("named", lambda: socket.socket(unix).connect({path!r}))
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

    assert found == dict.fromkeys(wanted, "FileNotFoundError")


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
        FOLDER = {str(plugins.folder)!r}
        found["names"] = sorted(os.environ)
        for process in filter(str.isdigit, os.listdir("/proc")):
            for name in ("environ", "cmdline"):
                path = f"/proc/{{process}}/{{name}}"
                attempt(path, lambda: {CANARY!r} in open(path).read())
                attempt(path + " folder", lambda: FOLDER in open(path).read())
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
        found["bytes"] = sum(os.lstat(f"/tmp/{name}").st_blocks * 512 for name in os.listdir("/tmp"))
        """
    )

    assert found["fill"] == "OSError"
    # Bytes and not files: libraries leave empty ones of their own there.
    assert 15 << 20 <= int(found["bytes"]) <= SMALL.output_mb << 20


# ---- asking the kernel


def test_dangerous_system_calls_are_refused(plugins: TestPlugins) -> None:
    # x86-64 and aarch64 numbers, as in hub/isolation/seccomp.py.
    machine = 0 if os.uname().machine == "x86_64" else 1
    calls = {
        "ptrace": (101, 117), "mount": (165, 40), "umount2": (166, 39), "unshare": (272, 97),
        "setns": (308, 268), "keyctl": (250, 219), "add_key": (248, 217), "bpf": (321, 280),
        "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
        "memfd_create": (319, 279), "shmget": (29, 194), "process_vm_readv": (310, 270),
        "kexec_load": (246, 104), "init_module": (175, 105), "reboot": (169, 142), "chroot": (161, 51),
        "pivot_root": (155, 41), "swapon": (167, 224), "clock_settime": (227, 112),
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

    assert found == dict.fromkeys(numbers, "1")


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
