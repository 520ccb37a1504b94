"""The connector's configuration: one TOML file, checked as a whole, and what lies beside it."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from .errors import ConfigError
from .files import write_private
from .secrets import names_a_secret
from .times import DEFAULT_ZONE, check_zone, cron_trigger, read_interval

T = TypeVar("T")

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_NAME",
    "LEAST_SHARE",
    "MODES",
    "Config",
    "DatasetConfig",
    "HubConfig",
    "check_url",
    "load_config",
    "read_sealing_key",
    "write_sealing_key",
]

DEFAULT_NAME: Final = "hub-connector.toml"
CONFIG_VARIABLE: Final = "HUB_CONNECTOR_CONFIG"
MODES: Final = ("full", "append", "upsert", "delete")

#: A full delivery with fewer rows than this share of the last accepted ones is held back.
LEAST_SHARE: Final = 0.5
_HUB_KEYS: Final = {
    "url": str, "client_id": str, "token_url": str, "audience": str, "signing_key": str, "sealing_key": str,
    "allow_http": bool,
}  # fmt: skip
_CONNECTOR_KEYS: Final = {"state": str, "timezone": str}
_DATASET_KEYS: Final = {
    "source": str, "contract": str, "mode": str, "every": str, "at": str, "timezone": str, "least_share": float,
    "options": dict,
}  # fmt: skip
#: Options that hold a secret wherever they occur; the file holds where to find it, never the secret itself.
_SECRETS: Final = frozenset(
    {
        "api_key", "bearer", "client_secret", "key_passphrase", "passphrase", "passwd", "password", "secret",
        "secret_access_key", "secret_key", "session_token", "token",
    }
)  # fmt: skip
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@dataclass(frozen=True)
class HubConfig:
    """Which hub, and who this connector is there. Paths are absolute."""

    url: str
    client_id: str
    token_url: str
    audience: str
    signing_key: Path
    sealing_key: Path


@dataclass(frozen=True)
class DatasetConfig:
    """One dataset to push. Its name is the contract's id, or any other where `contract` says which one it keeps.

    every: seconds from turn to turn; at: a cron line read in `timezone`; with neither it is pushed by hand only.
    least_share: a full delivery with a smaller share of the last accepted rows is held back.
    """

    name: str
    source: str
    contract: str
    mode: str = "full"
    every: int | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    at: str | None = None
    timezone: str = DEFAULT_ZONE
    least_share: float = LEAST_SHARE

    @property
    def scheduled(self) -> bool:
        """Whether it has turns of its own."""
        return self.every is not None or self.at is not None


@dataclass(frozen=True)
class Config:
    """The whole configuration."""

    path: Path
    hub: HubConfig
    state: Path
    datasets: tuple[DatasetConfig, ...]

    def dataset(self, name: str) -> DatasetConfig | None:
        """The dataset of that name, None when it is not configured."""
        return next((dataset for dataset in self.datasets if dataset.name == name), None)


def load_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: naming every place at fault.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"There is no configuration {path}.",
            "Register this connector first: hub-connector init --hub URL --code CODE. "
            "If it lies elsewhere, say where with --config.",
        ) from None
    except OSError as error:
        raise ConfigError(f"The configuration {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The configuration {path} is not valid TOML: {error}.", "Mend that place."
        ) from None
    problems: list[str] = []
    config = _build(path.resolve(), document, problems)
    if problems or config is None:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(
            f"The configuration {path} cannot be used:\n{listed}", "Mend these places and try again."
        )
    return config


def _build(path: Path, document: dict[str, Any], problems: list[str]) -> Config | None:
    _known(document, {"hub": dict, "connector": dict, "datasets": dict}, "the file", problems)
    hub = document.get("hub", {})
    connector = document.get("connector", {})
    tables = document.get("datasets", {})
    if problems:
        return None
    _known(hub, _HUB_KEYS, "[hub]", problems)
    _known(connector, _CONNECTOR_KEYS, "[connector]", problems)
    for key in ("url", "client_id", "token_url"):
        if not hub.get(key):
            problems.append(f"[hub] needs {key}; `hub-connector init` writes it")
    folder = path.parent
    zone = connector.get("timezone", DEFAULT_ZONE)
    if isinstance(zone, str):
        _tried(lambda: check_zone(zone), "[connector] timezone", problems)
    datasets = [_dataset(name, table, folder, zone, problems) for name, table in tables.items()]
    if problems:
        return None
    allowed = bool(hub.get("allow_http", False))
    _tried(lambda: check_url(hub["url"], allowed), "[hub] url", problems)
    _tried(lambda: check_url(hub["token_url"], allowed), "[hub] token_url", problems)
    stem = path.stem
    return Config(
        path=path,
        hub=HubConfig(
            url=hub["url"].rstrip("/"),
            client_id=hub["client_id"],
            token_url=hub["token_url"],
            audience=hub.get("audience") or hub["token_url"],
            signing_key=folder / hub.get("signing_key", f"{stem}.key"),
            sealing_key=folder / hub.get("sealing_key", f"{stem}.sealing.json"),
        ),
        state=folder / connector.get("state", f".{stem}"),
        datasets=tuple(dataset for dataset in datasets if dataset is not None),
    )


def _known(table: Mapping[str, Any], keys: Mapping[str, type], place: str, problems: list[str]) -> None:
    for key, value in table.items():
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            problems.append(f"{place} has no setting {key!r}{f'; did you mean {near[0]!r}?' if near else ''}")
        elif not isinstance(value, keys[key]) and not (keys[key] is float and type(value) is int):
            words = {str: "text", bool: "true or false", dict: "a table", float: "a number"}
            problems.append(f"{place} {key} must be {words[keys[key]]}")


def _tried(check: Callable[[], T], place: str, problems: list[str]) -> T | None:
    """What a check answers; what it objects to becomes a problem at that place."""
    try:
        return check()
    except ConfigError as error:
        problems.append(f"{place}: {error.message} {error.hint}".rstrip())
        return None


def _dataset(name: str, table: Any, folder: Path, zone: object, problems: list[str]) -> DatasetConfig | None:
    place = f'[datasets."{name}"]'
    if not isinstance(table, dict):
        problems.append(f"{place} must be a table")
        return None
    before = len(problems)
    nested = [key for key, value in table.items() if key not in _DATASET_KEYS and isinstance(value, dict)]
    if nested and "source" not in table:
        problems.append(f'write [datasets."{name}.{nested[0]}"] with quotation marks around the whole name')
        return None
    _known(table, _DATASET_KEYS, place, problems)
    if not table.get("source"):
        problems.append(f"{place} needs source: the file or the address to read from")
    elif isinstance(table["source"], str):
        _tried(lambda: _check_source(table["source"]), f"{place} source", problems)
    mode = table.get("mode", "full")
    if mode not in MODES:
        near = difflib.get_close_matches(str(mode), MODES, n=1)
        problems.append(
            f"{place} mode must be one of {', '.join(MODES)}{f'; did you mean {near[0]!r}?' if near else ''}"
        )
    zone = table.get("timezone", zone)
    seconds = _turns(table, zone, place, problems)
    share = table.get("least_share", LEAST_SHARE)
    if isinstance(share, int | float) and not 0 <= share <= 1:
        problems.append(f"{place} least_share must be from 0 (never hold back) to 1")
    options = table.get("options", {})
    if isinstance(options, dict):
        _check_secrets(options, f'[datasets."{name}".options]', problems)
    if len(problems) > before:
        return None
    source, contract = table["source"], table.get("contract", f"library:{name}")
    if not _ADDRESS.match(source):
        source = str(folder / source)
    if not contract.startswith("library:"):
        contract = str(folder / contract)
    return DatasetConfig(
        name, source, contract, mode, seconds, options, table.get("at"), str(zone), float(share)
    )


def _turns(table: Mapping[str, Any], zone: object, place: str, problems: list[str]) -> int | None:
    """Seconds between turns, when there is an interval; what is wrong with the times becomes problems."""
    every, at = table.get("every"), table.get("at")
    if every is not None and at is not None:
        problems.append(f"{place} has both every and at; keep one of them")
    if isinstance(zone, str):
        if "timezone" in table and _tried(lambda: check_zone(zone), f"{place} timezone", problems) is None:
            return None
        if isinstance(at, str):
            _tried(lambda: cron_trigger(at, zone), f"{place} at", problems)
    return (
        _tried(lambda: read_interval(every), f"{place} every", problems) if isinstance(every, str) else None
    )


def _check_source(source: str) -> None:
    """An address must not carry a password: this file is read by people, and copied."""
    try:
        secret = "://" in source and urlsplit(source).password is not None
    except ValueError:
        raise ConfigError("this is no address.", "Check its brackets and its port.") from None
    if secret:
        raise ConfigError(
            "an address here must not hold a password.",
            'Take it out and write under options: password = {env = "NAME"} or {keyring = "service/user"}.',
        )


def _check_secrets(options: Mapping[str, object], place: str, problems: list[str]) -> None:
    for name, value in options.items():
        if name in _SECRETS and isinstance(value, str) and not names_a_secret(value):
            problems.append(
                f'{place} {name} must not stand here in the clear: write {name} = {{env = "NAME"}} for an '
                f'environment variable, or {name} = {{keyring = "service/user"}}'
            )
        elif isinstance(value, dict):
            _check_secrets(value, f"{place} {name}", problems)


def check_url(url: str, allow_http: bool) -> None:
    """Whether the address is one to trust a key and data to.

    Raises:
        ConfigError: when it is no web address, or not encrypted and not on this machine.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username
        or parts.query
        or parts.fragment
    ):
        raise ConfigError(f"{url!r} is not a hub's address.", "It looks like https://hub.example.gov.uk")
    local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if parts.scheme == "http" and not (local or allow_http):
        raise ConfigError(
            f"{url} is not encrypted.",
            "Use https. On a network that is closed in itself, allow it: --allow-http (allow_http = true in [hub]).",
        )


def read_sealing_key(path: Path) -> dict[str, str]:
    """The pinned sealing key of the hub: {id, suite, public_key}.

    Raises:
        ConfigError: when there is none or it cannot be read.
    """
    try:
        key = json.loads(path.read_text(encoding="utf-8"))
        return {name: str(key[name]) for name in ("id", "suite", "public_key")}
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"The hub's sealing key {path} is missing or cannot be read.",
            "Fetch it again with `hub-connector trust` and compare its fingerprint with the one the operator gives.",
        ) from None


def write_sealing_key(path: Path, key: Mapping[str, str]) -> None:
    """Pin a sealing key."""
    kept = {name: key[name] for name in ("id", "suite", "public_key")}
    write_private(path, json.dumps(kept, indent=2).encode() + b"\n")
