"""The connector's configuration: one TOML file, checked as a whole, and what lies beside it."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from .errors import ConfigError
from .files import write_private

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_NAME",
    "MODES",
    "Config",
    "DatasetConfig",
    "HubConfig",
    "check_url",
    "load_config",
    "read_interval",
    "read_sealing_key",
    "write_sealing_key",
]

DEFAULT_NAME: Final = "hub-connector.toml"
CONFIG_VARIABLE: Final = "HUB_CONNECTOR_CONFIG"
MODES: Final = ("full", "append", "upsert", "delete")

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_HUB_KEYS: Final = {
    "url": str, "client_id": str, "token_url": str, "audience": str, "signing_key": str, "sealing_key": str,
    "allow_http": bool,
}  # fmt: skip
_DATASET_KEYS: Final = {"source": str, "contract": str, "mode": str, "every": str, "options": dict}


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
    """One dataset to push: its name is the contract's id. `every` is in seconds, None for by hand only."""

    name: str
    source: str
    contract: str
    mode: str = "full"
    every: int | None = None
    options: Mapping[str, object] = field(default_factory=dict)


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
    _known(connector, {"state": str}, "[connector]", problems)
    for key in ("url", "client_id", "token_url"):
        if not hub.get(key):
            problems.append(f"[hub] needs {key}; `hub-connector init` writes it")
    folder = path.parent
    datasets = [_dataset(name, table, folder, problems) for name, table in tables.items()]
    if problems:
        return None
    for key in ("url", "token_url"):
        try:
            check_url(hub[key], bool(hub.get("allow_http", False)))
        except ConfigError as error:
            problems.append(f"[hub] {key}: {error.message} {error.hint}")
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
        elif not isinstance(value, keys[key]):
            words = {str: "text", bool: "true or false", dict: "a table"}
            problems.append(f"{place} {key} must be {words[keys[key]]}")


def _dataset(name: str, table: Any, folder: Path, problems: list[str]) -> DatasetConfig | None:
    place = f'[datasets."{name}"]'
    if not isinstance(table, dict):
        problems.append(f"{place} must be a table")
        return None
    before = len(problems)
    _known(table, _DATASET_KEYS, place, problems)
    if not table.get("source"):
        problems.append(f"{place} needs source: the file to push")
    mode = table.get("mode", "full")
    if mode not in MODES:
        problems.append(f"{place} mode must be one of {', '.join(MODES)}")
    every = None
    if isinstance(table.get("every"), str):
        try:
            every = read_interval(table["every"])
        except ConfigError as error:
            problems.append(f"{place} every: {error.message} {error.hint}")
    if len(problems) > before:
        return None
    source, contract = table["source"], table.get("contract", f"library:{name}")
    if "://" not in source:
        source = str(folder / source)
    if not contract.startswith("library:"):
        contract = str(folder / contract)
    return DatasetConfig(name, source, contract, mode, every, table.get("options", {}))


def read_interval(text: str) -> int:
    """Seconds of an interval such as 30m, 6h, 1d or 1w.

    Raises:
        ConfigError: when it is none, or shorter than ten seconds.
    """
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", text.strip())
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if seconds < 10:
        raise ConfigError(
            f"{text!r} is no interval.", "Write for example 30m, 6h or 1d (ten seconds at least)."
        )
    return seconds


def check_url(url: str, allow_http: bool) -> None:
    """Whether the address is one to trust a key and data to.

    Raises:
        ConfigError: when it is no web address, or not encrypted and not on this machine.
    """
    parts = urlsplit(url)
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
