"""Fetching a set of keys from a client's address, without becoming its tool.

An address that others choose may lead back into our own network. So the name is looked up first, every address behind
it has to be a public one (or in a network that the operator allows), and the connection goes to that very address: a
name that answers differently the second time changes nothing. Redirects are not followed, and what comes is small and
quick.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final
from urllib.parse import urlsplit

from hub.errors import Invalid

__all__ = ["Networks", "check_address", "fetch_json", "read_networks"]

Networks = Sequence[IPv4Network | IPv6Network]

_MOST_BYTES: Final = 64 * 1024
_SECONDS: Final = 5.0
_LONGEST: Final = 500
#: Where NAT64 puts IPv4 addresses (RFC 6052).
_NAT64: Final = ip_network("64:ff9b::/96")


def read_networks(text: str) -> Networks:
    """Networks from a setting: 10.0.0.0/8, fd00::/8.

    Raises:
        ValueError: when one is none.
    """
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def check_address(url: str, allowed: Networks) -> tuple[str, str, int]:
    """Scheme, host and port of an address that may be fetched, as far as it shows without looking it up.

    Raises:
        Invalid: when it may not.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise Invalid("This is no address of a set of keys.") from None
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _LONGEST
    if (
        not plain
        or not host
        or "@" in parts.netloc
        or parts.fragment
        or parts.scheme not in ("https", "http")
    ):
        raise Invalid(
            "The address of a set of keys looks like https://host/path: in ASCII, up to 500 characters, without a user."
        )
    if parts.scheme == "http" and not _is_loopback(host, allowed):
        raise Invalid("The address of a set of keys must begin with https://.")
    return parts.scheme, host, port


def _is_loopback(host: str, allowed: Networks) -> bool:
    """Whether a host is this machine, written as a number, and the operator allows that."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback and any(address in network for network in allowed)


def fetch_json(url: str, allowed: Networks = ()) -> Any:
    """The JSON document at an address.

    Raises:
        Invalid: when it may not be fetched, does not answer in time, or is not such a document. The text says which,
            and nothing of what was answered.
    """
    import httpx

    _, host, port = check_address(url, allowed)
    address = _look_up(host, port, allowed)
    end = time.monotonic() + _SECONDS
    target = httpx.URL(url).copy_with(host=address)
    headers = {
        "Host": urlsplit(url).netloc, "Accept": "application/json", "Accept-Encoding": "identity",
        "User-Agent": "joinedup-hub",
    }  # fmt: skip
    try:
        with (
            httpx.Client(
                verify=ssl.create_default_context(), trust_env=False, follow_redirects=False, timeout=_SECONDS
            ) as client,
            client.stream("GET", target, headers=headers, extensions={"sni_hostname": host}) as answer,
        ):
            if answer.status_code != 200:
                raise Invalid(
                    f"The address of the set of keys answers with status {answer.status_code}; it must be 200, and "
                    "redirects are not followed."
                )
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise Invalid("The set of keys comes compressed, although that was not asked for.")
            return json.loads(_read(answer, end))
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
        raise Invalid(f"The set of keys cannot be fetched ({type(error).__name__}).") from None
    except (ValueError, RecursionError):
        raise Invalid("What is at the address of the set of keys is not JSON.") from None


def _read(answer: Any, end: float) -> bytes:
    """The body, as far as it is small and comes in time."""
    body = b""
    for block in answer.iter_raw():
        body += block
        if len(body) > _MOST_BYTES:
            raise Invalid(f"The set of keys has more than {_MOST_BYTES // 1024} KiB.")
        if time.monotonic() > end:
            raise Invalid(f"The set of keys took longer than {_SECONDS:.0f} seconds.")
    return body


def _look_up(host: str, port: int, allowed: Networks) -> str:
    """One address of a host, when all that it has may be asked.

    Raises:
        Invalid: when the host is not known, or one of its addresses is not public.
    """
    try:
        found = {item[4][0] for item in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        raise Invalid("The host of the set of keys is not known.") from None
    # IPv4 first: a host with both is reached by it more often.
    addresses = sorted(
        (ip_address(str(item).partition("%")[0]) for item in found), key=lambda item: (item.version, item)
    )
    if not addresses or not all(_may_ask(item, allowed) for item in addresses):
        raise Invalid(
            "The host of the set of keys is not on the public network. An operator can allow other networks with the "
            "setting jwks_networks."
        )
    return str(addresses[0])


def _may_ask(address: IPv4Address | IPv6Address, allowed: Networks) -> bool:
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if address.teredo is not None:
            return False
        if inner is not None:
            return _may_ask(inner, allowed)
    if any(address in network for network in allowed):
        return True
    return address.is_global and not address.is_multicast and not address.is_reserved
