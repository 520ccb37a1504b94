"""Addresses (`scheme://host/path`): taken apart, and never shown with anything secret in them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from ...errors import ConfigError
from ...secrets import HOW

__all__ = ["is_local", "plain_name", "require_https", "shown", "split_address"]

_LONGEST_NAME: Final = 120
_LOCAL: Final = ("127.0.0.1", "::1", "localhost")


def split_address(location: str, *, user: bool = False, pattern: bool = False) -> SplitResult:
    """The parts of an address.

    Args:
        location: as it stands in the configuration.
        user: whether a user's name may stand before the host.
        pattern: whether a question mark stands for one letter of a file's name, instead of beginning a query.

    Raises:
        ConfigError: when it is malformed or holds a password. The message does not repeat it.
    """
    scheme = location.partition("://")[0]
    if pattern and not re.search(r"\?[^/]*=", location):
        location = location.replace("?", "%3F").replace("#", "%23")
    try:
        parts = urlsplit(location)
        port = parts.port
    except ValueError:
        raise ConfigError(
            f"The {scheme} address is malformed.", f"It looks like {scheme}://host/folder/file.csv"
        ) from None
    if parts.password is not None or (parts.username is not None and not user):
        raise ConfigError(
            f"The {scheme} address holds {'a password' if parts.password is not None else 'a user name'}.",
            f"Take it out, and put it in the dataset's options: username, and password = {HOW}. "
            "If the password stood in a file others can read, change it.",
        )
    if not parts.hostname or re.search(r"[\x00-\x20\x7f]", location) or port == 0:
        raise ConfigError(
            f"The {scheme} address names no host, or has a blank in it.",
            f"It looks like {scheme}://host/folder/file.csv; write a blank as %20.",
        )
    return parts


def shown(parts: SplitResult) -> str:
    """The address for messages: no user, no query, no fragment."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"[:300]


def plain_name(path: str, otherwise: str) -> str:
    """The last part of a path as a file's name: decoded, without control characters, not too long."""
    name = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069/\\]", "", PurePosixPath(unquote(path)).name)
    suffix = PurePosixPath(name).suffix[:12]
    return (name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 12] + suffix) or otherwise


def is_local(host: str | None) -> bool:
    """Whether a host is this machine, so that nobody listens on the way."""
    return host in _LOCAL


def require_https(parts: SplitResult, allowed: bool) -> None:
    """Refuse an address over which data would travel in the clear.

    Raises:
        ConfigError: when it is plain HTTP to another machine and nobody allowed that.
    """
    if parts.scheme == "http" and not (allowed or is_local(parts.hostname)):
        raise ConfigError(
            f"{shown(parts)} is not encrypted.",
            "Use https. For open data, or on a network that is closed in itself, allow it: allow_http = true.",
        )
