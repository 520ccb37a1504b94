"""SFTP servers: only ones we know, only files, and the file asked for."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.sftp import SFTP_FAILURE, SFTP_NO_SUCH_FILE, SFTP_OK, SFTP_PERMISSION_DENIED

from hub_connector.checking import Summary, check_source, find_contract
from hub_connector.errors import ConnectorError
from hub_connector.sources import open_source
from hub_connector.sources.places import sftp as place

CANARY = "canary-hunter2"
CSV = b"pupil,Family name,NHS number,born,sessions\n" + b"".join(
    b"p%d,Name%d,943 476 5919,01/02/2015,%d\n" % (n, n, n % 200) for n in range(3000)
)


@dataclass
class Server:
    """An SFTP server over a folder: who may enter, and what it shall do wrong."""

    home: Path
    key: paramiko.PKey
    port: int = 0
    password: str = CANARY
    client_key: paramiko.PKey | None = None
    sessions: int = 0
    tries: list[str] = field(default_factory=list)
    #: Bytes after which each session's line is cut, first session first.
    cuts: list[int] = field(default_factory=list)
    growing: bool = False
    names: list[str] | None = None


class Door(paramiko.ServerInterface):
    def __init__(self, server: Server) -> None:
        self.server = server

    def check_auth_password(self, username: str, password: str) -> int:
        self.server.tries.append(password)
        right = username == "reader" and password == self.server.password
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.AUTH_SUCCESSFUL if key == self.server.client_key else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


class Handle(paramiko.SFTPHandle):
    files: Files
    left: int | None = None

    def read(self, offset: int, length: int) -> Any:
        if self.left is not None and offset + length > self.left:
            self.files.transport.close()
            return SFTP_FAILURE
        return super().read(offset, length)


class Files(paramiko.SFTPServerInterface):
    def __init__(self, door: Door, *_: Any, **__: Any) -> None:
        self.server, self.transport = door.server, door.transport  # type: ignore[attr-defined]

    def _path(self, path: str) -> Path:
        return self.server.home / path.lstrip("/")

    def list_folder(self, path: str) -> Any:
        found = []
        for one in self._path(path).iterdir():
            found.append(paramiko.SFTPAttributes.from_stat(one.stat(), one.name))
        for name in self.server.names or []:
            found.append(paramiko.SFTPAttributes.from_stat(self.server.home.stat(), name))
            found[-1].st_mode, found[-1].st_mtime = 0o100644, 2**31 - 1
        return found

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(self._path(path).stat())
        except OSError:
            return SFTP_NO_SUCH_FILE

    def open(self, path: str, flags: int, attr: Any) -> Any:
        file = self._path(path)
        if file.name == "secret.csv":
            return SFTP_PERMISSION_DENIED
        handle = Handle(flags)
        handle.files, handle.readfile = self, file.open("rb")
        handle.left = self.server.cuts.pop(0) if self.server.cuts else None
        if self.server.growing:
            with file.open("ab") as more:
                more.write(b"p9999,Late,,,\n")
        return handle

    def canonicalize(self, path: str) -> str:
        return os.path.normpath("/" + path)

    def remove(self, path: str) -> int:
        raise AssertionError("nobody asked for that")

    @property
    def ok(self) -> int:
        return SFTP_OK


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server with one export, and the password in the environment."""
    home = tmp_path / "server"
    (home / "exports").mkdir(parents=True)
    (home / "exports" / "pupils.csv").write_bytes(CSV)
    made = Server(home, paramiko.ECDSAKey.generate())
    monkeypatch.setenv("SFTP_PASSWORD", CANARY)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("HUB_CONNECTOR_TRIES", "3")
    monkeypatch.setattr(place, "wait", lambda _: None)
    listener = socket.create_server(("127.0.0.1", 0))
    made.port = listener.getsockname()[1]
    transports: list[paramiko.Transport] = []
    sockets: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            made.sessions += 1
            sockets.append(accepted)
            # A client that does not like our key hangs up in the middle of all this.
            with suppress(paramiko.SSHException, EOFError, OSError):
                transport = paramiko.Transport(accepted)
                transports.append(transport)
                transport.add_server_key(made.key)
                transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
                door = Door(made)
                door.transport = transport  # type: ignore[attr-defined]
                transport.start_server(server=door)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield made
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    for transport in transports:
        transport.close()
        if transport.ident is not None:
            transport.join(5)
    for accepted in sockets:
        accepted.close()


def options(server: Server, **more: Any) -> dict[str, Any]:
    return {
        "username": "reader", "password": {"env": "SFTP_PASSWORD"}, "host_key": server.key.fingerprint, **more,
    }  # fmt: skip


def address(server: Server, path: str = "/exports/pupils.csv") -> str:
    return f"sftp://127.0.0.1:{server.port}{path}"


def refusal(location: str, given: dict[str, Any]) -> str:
    with pytest.raises(ConnectorError) as caught:
        open_source(location, given)
    assert CANARY not in str(caught.value)
    return str(caught.value)


def first_pupil(source: Any) -> str:
    return str(next(source.read().batches).table["pupil"][0])


def test_a_file_goes_all_the_way_and_is_fetched_once(department: Any, server: Server) -> None:
    source = open_source(address(server), options(server))
    summary = Summary()
    for _ in check_source(find_contract(str(department.contract)), source, summary):
        pass
    assert (summary.rows, summary.accepted) == (3000, 3000)
    fed: list[bytes] = []
    source.fingerprint(fed.append)
    assert CSV in b"".join(fed)
    assert (source.name, source.streamed, server.sessions) == ("pupils.csv", False, 1)


def test_a_server_that_is_not_known_is_refused_with_its_fingerprint_before_any_sign_in(
    server: Server,
) -> None:
    given = options(server)
    del given["host_key"]
    said = refusal(address(server), given)
    assert f'host_key = "{server.key.fingerprint}"' in said
    assert "ecdsa" in said
    other = paramiko.ECDSAKey.generate().fingerprint
    assert f"another key than the one in host_key: ecdsa-sha2-nistp256 {server.key.fingerprint}" in refusal(
        address(server), options(server, host_key=other)
    )
    assert server.tries == []


def test_known_hosts_are_believed_and_a_changed_key_is_an_alarm(server: Server, tmp_path: Path) -> None:
    known = tmp_path / ".ssh" / "known_hosts"
    known.parent.mkdir()
    line = f"[127.0.0.1]:{server.port} {server.key.get_name()} {server.key.get_base64()}\n"
    known.write_text(line)
    given = options(server)
    del given["host_key"]
    assert first_pupil(open_source(address(server), given)) == "p0"
    other = tmp_path / "other_hosts"
    other.write_text(line.replace(server.key.get_base64(), paramiko.ECDSAKey.generate().get_base64()))
    server.tries.clear()
    said = refusal(address(server), {**given, "known_hosts": str(other)})
    assert "Someone may be listening" in said
    assert server.tries == []
    assert "known hosts cannot be read" in refusal(address(server), {**given, "known_hosts": "/nowhere"})


def test_a_private_key_opens_too_and_a_locked_one_needs_its_passphrase(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = server.client_key = paramiko.ECDSAKey.generate()
    file = tmp_path / "key"
    key.write_private_key_file(str(file), password="locked-up")
    plain = tmp_path / "plain"
    key.write_private_key_file(str(plain))
    given = options(server, key_file=str(file))
    del given["password"]
    assert "Add the option key_passphrase" in refusal(address(server), given)
    monkeypatch.setenv("PASSPHRASE", "locked-up")
    source = open_source(address(server), {**given, "key_passphrase": "env:PASSPHRASE"})
    assert first_pupil(source) == "p0"
    assert "Leave key_passphrase out" in refusal(
        address(server), {**given, "key_file": str(plain), "key_passphrase": "env:PASSPHRASE"}
    )
    assert first_pupil(open_source(address(server), {**given, "key_file": str(plain)})) == "p0"
    assert "No such file" in refusal(address(server), {**given, "key_file": "/nowhere"})
    file.write_text("no key at all")
    assert "cannot be used" in refusal(address(server), given)
    assert server.tries == []


def test_a_wrong_password_is_tried_once(server: Server) -> None:
    server.password = "another"
    assert "does not let 'reader' in" in refusal(address(server), options(server))
    assert len(server.tries) == 1


def test_the_file_meant_by_a_pattern_is_the_newest_the_last_or_the_only_one(server: Server) -> None:
    folder = server.home / "exports"
    for age, name in enumerate(("day-2026-03.csv", "day-2026-01.csv", "day-2026-02.csv")):
        (folder / name).write_bytes(CSV)
        os.utime(folder / name, (1000 - age, 1000 - age))
    (folder / "day-folder.csv").mkdir()
    server.names = ["../../day-evil.csv"]
    for pick, name in (("newest", "day-2026-03.csv"), ("last", "day-2026-03.csv")):
        assert open_source(address(server, "/exports/day-*.csv"), options(server, pick=pick)).name == name
    os.utime(folder / "day-2026-01.csv", (5000, 5000))
    assert open_source(address(server, "/~/exports/day-*-0?.csv"), options(server)).name == "day-2026-01.csv"
    assert "3 files match" in refusal(address(server, "/exports/day-*.csv"), options(server, pick="only"))
    assert "No file matches" in refusal(address(server, "/exports/night-*.csv"), options(server))
    assert "It is one of: newest" in refusal(address(server, "/exports/day-*"), options(server, pick="all"))


def test_after_cuts_the_rest_is_fetched(server: Server) -> None:
    server.cuts = [40_000, 80_000]
    source = open_source(address(server), options(server))
    assert sum(batch.table.num_rows for batch in source.read().batches) == 3000
    assert server.sessions == 3


def test_a_server_that_always_cuts_is_given_up(server: Server) -> None:
    server.cuts = [0] * 9
    assert "the connection broke off" in refusal(address(server), options(server))
    assert server.sessions == 3


def test_a_file_that_grows_while_it_is_read_is_not_taken(server: Server) -> None:
    server.growing = True
    assert "changed while it was being read" in refusal(address(server), options(server))


def test_mistakes_are_answered_with_what_to_do(server: Server) -> None:
    (server.home / "exports" / "secret.csv").write_bytes(CSV)
    given = options(server)
    assert "There is no file" in refusal(address(server, "/exports/pupil.csv"), given)
    assert "is no file" in refusal(address(server, "/exports"), given)
    assert "names no file" in refusal(address(server, "/exports/"), given)
    assert "may not be read" in refusal(address(server, "/exports/secret.csv"), given)
    assert "more than 1,000 bytes" in refusal(address(server), {**given, "max_bytes": "1kB"})
    assert "did you mean 'password'" in refusal(address(server), {**given, "pasword": CANARY})
    assert "where the secret is kept" in refusal(address(server), {**given, "password": CANARY})
    assert "holds a password" in refusal(f"sftp://reader:{CANARY}@127.0.0.1/x.csv", given)
    assert "who to sign in as" in refusal(address(server), {"host_key": server.key.fingerprint})
    assert "no fingerprint" in refusal(address(server), {**given, "host_key": "MD5:00"})
    assert "no connection" in refusal("sftp://127.0.0.1:1/x.csv", given)
