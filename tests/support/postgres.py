"""A throw-away PostgreSQL server for tests.

It listens on a free port of 127.0.0.1 and on a socket in its own folder, keeps nothing (no fsync), and is
stopped by the process id it was started with. PostgreSQL refuses to run as root, so a root user's tests run
it as `postgres` or `nobody`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
from psycopg import sql

USER = "hub"
START_SECONDS = 60
# A test's database holds little and is worth nothing after a crash.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


def find_programs() -> Path | None:
    """Return the folder of the newest PostgreSQL's `initdb` and `postgres`, or None."""
    folders = [
        path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb") if path.parts[4].isdigit()
    ]
    folders.sort(key=lambda folder: int(folder.parent.name), reverse=True)
    if on_path := shutil.which("initdb"):
        folders.append(Path(on_path).resolve().parent)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


def unprivileged_user() -> pwd.struct_passwd | None:
    """Return who shall run the server when we are root; None when we are not."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL does not run as root, and there is no user postgres or nobody")


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class PostgresServer:
    """A running server with databases made on demand."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._user = unprivileged_user()
        self._folder = Path(
            tempfile.mkdtemp(prefix="hub-pg-")
        )  # short: a socket's path has room for 107 bytes
        self._password = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._templates: dict[str, str] = {}
        self._made = 0
        self.port = 0

    def start(self) -> None:
        """Make the cluster and start the server; on failure raise RuntimeError with the end of its log."""
        if self._user:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        password_file = self._folder / "password"
        password_file.write_text(self._password, encoding="ascii")
        password_file.chmod(0o644)  # inside a folder that only the server's user can enter
        self._run(
            "initdb",
            "-D",
            self._data,
            "-U",
            USER,
            "-A",
            "scram-sha-256",
            "--pwfile",
            str(password_file),
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        )
        for _ in range(3):  # somebody else may take the port between our look and the server's start
            self.port = free_port()
            if self._start_on(self.port):
                return
        log = self._log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"PostgreSQL did not start:\n{log}")

    def stop(self) -> None:
        """Stop the server by its own process id and remove everything it kept."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # "fast": connections are closed, nothing is waited for
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of one database."""
        return f"postgresql+psycopg://{USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def create(self, prepare: Callable[[str], object] | None = None) -> str:
        """Make a database and return its name.

        `prepare(url)` is called once a session to fill a template (with the tables, say); every database
        asked for with the same function is then a copy of it.
        """
        template = "template0" if prepare is None else self._template(prepare)
        self._made += 1
        name = f"test_{self._made}"
        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _template(self, prepare: Callable[[str], object]) -> str:
        key = f"{prepare.__module__}.{prepare.__qualname__}"
        if key not in self._templates:
            name = f"template_{len(self._templates)}_" + re.sub(r"\W", "_", prepare.__qualname__)[:40].lower()
            self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
            prepare(self.url(name))
            # A template with connections cannot be copied: the engine `prepare` used may have kept some.
            self._execute(
                sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}").format(
                    sql.Literal(name)
                )
            )
            self._templates[key] = name
        return self._templates[key]

    def _start_on(self, port: int) -> bool:
        arguments = ["-D", self._data, "-k", str(self._folder), "-h", "127.0.0.1", "-p", str(port)]
        for name, value in SETTINGS.items():
            arguments += ["-c", f"{name}={value}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as_user(), str(self._programs / "postgres"), *arguments],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(psycopg.OperationalError):
                self._execute(sql.SQL("SELECT 1"))
                return True
            time.sleep(0.05)
        return False

    def _execute(self, statement: sql.Composable) -> None:
        with psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=self._password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=10,
        ) as connection:
            connection.execute(statement)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._as_user(), str(self._programs / program), *arguments],
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()}")

    def _as_user(self) -> list[str]:
        """Return the prefix that drops root, and that ends the server with us even if we are killed."""
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            if self._user:
                raise RuntimeError("setpriv (package util-linux) is needed to run PostgreSQL for root")
            return []
        prefix = [setpriv, "--pdeathsig", "INT"]
        if self._user:
            prefix += [f"--reuid={self._user.pw_uid}", f"--regid={self._user.pw_gid}", "--clear-groups"]
        return [*prefix, "--"]


@contextlib.contextmanager
def running_server(programs: Path) -> Iterator[PostgresServer]:
    """A server for the time of a `with` block."""
    server = PostgresServer(programs)
    try:
        server.start()
        yield server
    finally:
        server.stop()
