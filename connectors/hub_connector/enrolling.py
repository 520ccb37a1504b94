"""Registering this connector: a key pair, the hub's answer, the hub's sealing key pinned, a configuration file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .client import HubClient
from .config import check_url, write_sealing_key
from .errors import ConfigError, HubRefused
from .files import write_private
from .keys import SigningKey, fingerprint

__all__ = ["Enrolment", "enrol", "example_config"]


@dataclass(frozen=True)
class Enrolment:
    """What `enrol` made."""

    client_id: str
    organisation: str
    hub: str
    config: Path
    key: Path
    fingerprint: str


def enrol(
    url: str,
    code: str,
    name: str,
    config: Path,
    *,
    allow_http: bool = False,
    connect: Callable[[str], HubClient] = HubClient,
) -> Enrolment:
    """Make a key pair, register it with a one-time code, pin the hub's sealing key and write the configuration.

    If the connection breaks, the key stays and the same call goes on with it.

    Raises:
        ConfigError: when there is a configuration already, or a file cannot be written.
        HubRefused: when the hub does not take the code.
        HubUnreachable: when it cannot be asked.
    """
    check_url(url, allow_http)
    if config.exists():
        raise ConfigError(
            f"{config} is there already: this connector is registered.",
            "For a second connector choose another file with --config. To start anew, move the old one away first.",
        )
    stem = config.with_suffix("")
    key_file, sealing_file = Path(f"{stem}.key"), Path(f"{stem}.sealing.json")
    made = not key_file.exists()
    key = SigningKey.create(key_file) if made else SigningKey.load(key_file)
    with connect(url) as client:
        try:
            hub = client.hub()  # first, so that a wrong address does not cost the code
            answer = client.enrol(code, name, key.public_jwk())
        except HubRefused:
            if made:
                key_file.unlink()
            raise
    write_sealing_key(sealing_file, hub["sealing_key"])
    write_private(config, _config_text(url, allow_http, hub, answer, config, key_file, sealing_file).encode())
    return Enrolment(
        client_id=answer["client_id"],
        organisation=answer["organisation"].get("name", ""),
        hub=hub.get("name", ""),
        config=config,
        key=key_file,
        fingerprint=fingerprint(hub["sealing_key"]),
    )


def _config_text(
    url: str,
    allow_http: bool,
    hub: dict[str, Any],
    answer: dict[str, Any],
    config: Path,
    key: Path,
    sealing: Path,
) -> str:
    values = {
        "url": url.rstrip("/"), "allow_http": allow_http, "key": key.name, "sealing": sealing.name,
        "state": f".{config.stem}", **_answered(answer),
    }  # fmt: skip
    return _TEMPLATE.format(
        **{name: _toml(value) for name, value in values.items()},
        organisation=_comment(answer["organisation"].get("name", "")),
        hub=_comment(hub.get("name", "")),
    )


def example_config() -> str:
    """The configuration file with example values, for documentation and tests."""
    values: dict[str, Any] = {
        "url": "https://hub.example.gov.uk", "allow_http": False, "client_id": "cli_0123456789abcdef",
        "token_url": "https://hub.example.gov.uk/oauth/token", "audience": "https://hub.example.gov.uk/oauth/token",
        "key": "hub-connector.key", "sealing": "hub-connector.sealing.json", "state": ".hub-connector",
    }  # fmt: skip
    return _TEMPLATE.format(
        **{name: _toml(value) for name, value in values.items()},
        organisation="Example Council",
        hub="Example Hub",
    )


def _answered(answer: dict[str, Any]) -> dict[str, str]:
    token_url = answer["token_url"]
    return {
        "client_id": answer["client_id"], "token_url": token_url, "audience": answer.get("audience") or token_url,
    }  # fmt: skip


def _toml(value: object) -> str:
    """A value as TOML writes it."""
    import tomli_w

    return tomli_w.dumps({"v": value}).partition("= ")[2].strip()


def _comment(text: str) -> str:
    return " ".join(text.split())


_TEMPLATE: Final = """\
# hub-connector: where the hub is, who this connector is there, and what it pushes.
# Made by `hub-connector init` for {organisation} at {hub}. Paths are seen from this file's folder.

[hub]
url = {url}
client_id = {client_id}
token_url = {token_url}
audience = {audience}
# The private key that proves who sends. Keep it readable by its owner alone. A passphrase, if it has one, is read
# from the environment variable HUB_CONNECTOR_KEY_PASSPHRASE.
signing_key = {key}
# The hub's public key that rows are sealed to, pinned when this connector registered. If the hub ever presents
# another one, nothing is sent until you have compared fingerprints and run `hub-connector trust`.
sealing_key = {sealing}
# true only where the network between here and the hub is closed in itself
allow_http = {allow_http}

[connector]
# A journal of what was sent, and sealed deliveries that are not through yet. No data in the clear.
state = {state}

# One table for each dataset, named like its contract. `hub-connector run --once` pushes them all.
#
# [datasets."schools.attendance"]
# source = "exports/attendance.csv"
# contract = "library:schools.attendance"   # or the path of a contract file
# mode = "full"                             # full, append, upsert or delete
# every = "1d"                              # for `hub-connector run`: 30m, 6h, 1d, 1w
#
# [datasets."schools.attendance".options]   # only what detection gets wrong
# encoding = "cp1252"
# delimiter = "semicolon"
# quote = "none"
# header_row = 3
"""
