"""Files on SFTP servers: `sftp://host/folder/file.csv`.

The server's key is checked against known_hosts, or against a fingerprint in the options, before anything else is said.
"""

from __future__ import annotations

import logging
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import unquote

from ...client import Patience
from ...errors import ConfigError, SourceError
from ...secrets import Secret
from ._address import plain_name, split_address
from ._pick import PICK, PICKS, Found, has_pattern, pick
from ._settings import Settings, separate
from ._spool import MOST_BYTES, FetchedBlob, Spool

if TYPE_CHECKING:
    import paramiko

    from ..base import Source

__all__ = ["OPTIONS", "open_sftp"]

T = TypeVar("T")
wait = time.sleep

#: What can be said about an SFTP source; the file's format has more options.
OPTIONS: Final = {
    "username": "who to sign in as",
    "password": "the password's place",
    "key_file": "a private key's file",
    "key_passphrase": "the place of that key's passphrase",
    "known_hosts": "a file of known host keys instead of the account's own",
    "host_key": "the fingerprint of the server's key, SHA256:...; several with commas",
    "pick": PICK,
    "timeout": "longest silence of the server, 60s",
    "max_bytes": "largest file, for example 2GB",
}
_REQUEST: Final = 1 << 15
#: Requests under way at a time: enough for a slow line, and all that is held in memory.
_WINDOW: Final = 64


@dataclass(frozen=True)
class _Place:
    """A file on a server, and how to get there."""

    host: str
    port: int
    path: str
    username: str
    password: Secret | None
    key_file: str
    passphrase: Secret | None
    known_hosts: str
    host_keys: tuple[str, ...]
    pick: str
    timeout: float
    patience: Patience = field(default_factory=Patience)

    @property
    def shown(self) -> str:
        return f"sftp://{self.host}/{self.path.lstrip('/')}"[:300]


class _Cut(Exception):
    """The line broke, or nobody answered; it may be better next time."""


def open_sftp(location: str, options: Mapping[str, object]) -> Source | None:
    """A file on an SFTP server, fetched when it is first read; None for other locations.

    Raises:
        ConfigError: when the address or an option cannot be used.
        SourceError: when the server is not the one we know, or no file matches a pattern.
    """
    if not location.lower().startswith("sftp://"):
        return None
    settings, rest = separate("SFTP", options, OPTIONS)
    place = _place(location, settings)
    most = settings.size("max_bytes", MOST_BYTES)
    name = plain_name(place.path.replace("%", "%25"), place.host)
    if has_pattern(place.path):
        folder, _, pattern = place.path.rpartition("/")
        chosen = _patiently(place, lambda: _pick(place, folder, pattern))
        place = replace(
            place, path=f"{folder}/{chosen.name}" if folder or place.path[0] == "/" else chosen.name
        )
        name = plain_name(chosen.name.replace("%", "%25"), place.host)
    from ..formats import open_blob

    return open_blob(FetchedBlob(name, most, lambda spool: _fetch(place, spool)), rest)


def _place(location: str, settings: Settings) -> _Place:
    parts = split_address(location, user=True, pattern=True)
    path = unquote(parts.path)
    # As in other programs: /~/ is the account's own folder.
    path = path[3:] if path.startswith("/~/") else path
    if not path.strip("/") or path.endswith("/") or parts.query or parts.fragment or "\0" in path:
        raise ConfigError("The SFTP address names no file.", "It looks like sftp://host/folder/file.csv")
    username = settings.text_or_secret("username") or unquote(parts.username or "")
    if not username:
        raise ConfigError("An SFTP source needs to know who to sign in as.", "Add the option username.")
    pinned = settings.names("host_key")
    for one in pinned:
        if not one.startswith("SHA256:") or len(one.rstrip("=")) != 50:
            raise ConfigError(
                "The option host_key is no fingerprint.",
                "It looks like SHA256: and 43 letters and digits, as `ssh-keygen -l` shows it.",
            )
    return _Place(
        host=parts.hostname or "",
        port=parts.port or 22,
        path=path,
        username=username,
        password=settings.secret("password"),
        key_file=settings.text("key_file"),
        passphrase=settings.secret("key_passphrase"),
        known_hosts=settings.text("known_hosts"),
        host_keys=tuple(one.rstrip("=") for one in pinned),
        pick=settings.one_of("pick", PICKS, "newest"),
        timeout=settings.seconds("timeout", 60.0, most=3600.0),
    )


def _patiently(place: _Place, attempt: Callable[[], T]) -> T:
    """Try again after cuts, with longer and longer pauses."""
    reason, pause = "", place.patience.first_pause
    for tried in range(place.patience.tries):
        if tried:
            wait(pause)
            pause = min(pause * 2, place.patience.longest_pause)
        try:
            return attempt()
        except _Cut as cut:
            reason = str(cut)
    raise SourceError(f"{place.shown} cannot be read: {reason}.", "Try again later.")


def _pick(place: _Place, folder: str, pattern: str) -> Found:
    with _connected(place) as sftp:
        listed = sftp.listdir_attr(folder or ("/" if place.path.startswith("/") else "."))
    # A name with a slash in it would lead out of the folder.
    files = (
        Found(one.filename, one.st_size or 0, float(one.st_mtime or 0))
        for one in listed
        if "/" not in one.filename and not stat.S_ISDIR(one.st_mode or 0)
    )
    return pick(files, pattern, place.pick, place.shown)


def _fetch(place: _Place, spool: Spool) -> None:
    """Copy the file; after a cut, go on where it stopped if the file is still the same."""
    known: list[tuple[int, int]] = []

    def attempt() -> None:
        with _connected(place) as sftp:
            _copy(sftp, place, spool, known)

    _patiently(place, attempt)


def _copy(sftp: paramiko.SFTPClient, place: _Place, spool: Spool, known: list[tuple[int, int]]) -> None:
    about = sftp.stat(place.path)
    if about.st_mode is not None and not stat.S_ISREG(about.st_mode):
        raise SourceError(f"{place.shown} is no file.", "Give the path of the exported file.")
    now = (about.st_size or 0, int(about.st_mtime or 0))
    if known != [now]:
        known[:] = [now]
        spool.restart()
    size = now[0]
    with sftp.open(place.path, "rb") as stream:
        _quietly(stream)
        while spool.size < size:
            end = min(spool.size + _WINDOW * _REQUEST, size)
            wanted = [(at, min(_REQUEST, end - at)) for at in range(spool.size, end, _REQUEST)]
            for piece, (_, length) in zip(stream.readv(wanted), wanted, strict=True):
                if len(piece) != length:
                    raise _changed(place)
                spool.append(piece)
    after = sftp.stat(place.path)
    if (after.st_size or 0, int(after.st_mtime or 0)) != now:
        raise _changed(place)


def _quietly(stream: paramiko.SFTPFile) -> None:
    """Keep paramiko's thread that asks for pieces ahead from printing its own traceback when the line is cut.

    Whoever waits for the pieces learns of the cut as well, and says it in words.
    """
    import paramiko

    ask = stream._prefetch_thread

    def asking(*arguments: object) -> None:
        with suppress(paramiko.SSHException, EOFError, OSError):
            ask(*arguments)

    stream._prefetch_thread = asking


def _changed(place: _Place) -> SourceError:
    return SourceError(
        f"{place.shown} changed while it was being read.", "Run this again once the export has finished."
    )


@contextmanager
def _connected(place: _Place) -> Iterator[paramiko.SFTPClient]:
    """A session with the server, once it has shown the right key and let us in."""
    import paramiko

    # It logs what goes wrong with a traceback; the same is said here in words.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    client = paramiko.SSHClient()
    try:
        _trust(client, place)
        try:
            client.connect(
                place.host,
                place.port,
                username=place.username,
                password=place.password.reveal() if place.password else None,
                pkey=_private_key(place),
                allow_agent=not (place.password or place.key_file),
                look_for_keys=not (place.password or place.key_file),
                timeout=min(place.timeout, 15.0),
                banner_timeout=min(place.timeout, 15.0),
                auth_timeout=place.timeout,
                channel_timeout=place.timeout,
            )
            sftp = client.open_sftp()
            sftp.get_channel().settimeout(place.timeout)
            yield sftp
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise _in_words(error, place) from None
    finally:
        client.close()


def _private_key(place: _Place) -> paramiko.PKey | None:
    """The key to sign in with, None when none is named.

    Raises:
        ConfigError: when it cannot be read or unlocked.
    """
    import paramiko
    from cryptography.exceptions import UnsupportedAlgorithm

    if not place.key_file:
        return None
    passphrase = place.passphrase.reveal().encode() if place.passphrase else None
    try:
        return paramiko.PKey.from_path(place.key_file, passphrase)
    except OSError as error:
        raise ConfigError(
            f"The key file {place.key_file} cannot be read: {error.strerror}.", "Check the option key_file."
        ) from None
    except TypeError:
        # So the library says that a passphrase is lacking, or that there is one and none is needed.
        hint = "Leave key_passphrase out." if passphrase else "Add the option key_passphrase."
        raise ConfigError(
            f"The key in key_file is {'not locked' if passphrase else 'locked with a passphrase'}.", hint
        ) from None
    except (ValueError, UnsupportedAlgorithm, paramiko.SSHException):
        raise ConfigError(
            "The key in key_file cannot be used.", "Check key_file and key_passphrase (OpenSSH or PEM)."
        ) from None


def _trust(client: paramiko.SSHClient, place: _Place) -> None:
    """Say which host keys are known; every other one is refused with its fingerprint."""
    import paramiko

    class Refuse(paramiko.MissingHostKeyPolicy):
        def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
            if key.fingerprint in place.host_keys:
                return
            if place.host_keys:
                raise SourceError(
                    f"{place.host} presents another key than the one in host_key: "
                    f"{key.get_name()} {key.fingerprint}. Nothing was sent.",
                    "Ask whoever runs the server whether its key was changed, and by telephone what it is.",
                )
            raise SourceError(
                f"The server {place.host} is not known here. It presents {key.get_name()} {key.fingerprint}",
                "Ask whoever runs the server whether this is its key. If so, add it to the dataset's options: "
                f'host_key = "{key.fingerprint}"',
            )

    client.set_missing_host_key_policy(Refuse())
    if place.host_keys:
        return
    try:
        if place.known_hosts:
            client.load_host_keys(str(Path(place.known_hosts).expanduser()))
        else:
            client.load_system_host_keys()
    except (OSError, paramiko.SSHException, ValueError) as error:
        raise ConfigError(
            f"The known hosts cannot be read ({type(error).__name__}).", "Check the option known_hosts."
        ) from None


def _in_words(error: Exception, place: _Place) -> Exception:
    """What went wrong: `_Cut` when it may pass, otherwise in words. A server's own words are left out."""
    import paramiko

    if isinstance(error, paramiko.SSHException | EOFError):
        return _session_words(error, place)
    if isinstance(error, FileNotFoundError):
        return SourceError(
            f"There is no file {place.shown}.", "Check the path, and whether the export has run."
        )
    if isinstance(error, PermissionError):
        return SourceError(f"{place.shown} may not be read.", "Ask whoever runs the server for permission.")
    if isinstance(error, TimeoutError):
        return _Cut("no answer in time")
    return _Cut("no connection (is the address right, and the network up?)")


def _session_words(error: Exception, place: _Place) -> Exception:
    """The same for what SSH itself complains of."""
    import paramiko

    if isinstance(error, paramiko.BadHostKeyException):
        return SourceError(
            f"{place.host} presents another key than the known one: {error.key.get_name()} "
            f"{error.key.fingerprint}. Someone may be listening; nothing was sent.",
            "Ask whoever runs the server whether its key was changed, and by telephone what it is. "
            "If so, replace it in known_hosts.",
        )
    if isinstance(error, paramiko.AuthenticationException):
        return SourceError(
            f"{place.host} does not let {place.username!r:.60} in.",
            "Check username, and password or key_file, in the dataset's options.",
        )
    return _Cut("the connection broke off")
