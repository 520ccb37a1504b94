"""Settings: defaults, then `hub.toml` in the hub's folder, then `HUB_` environment variables.

Each is declared once, in `hub.settings`, with its help text; `hub init` writes them out as a commented `hub.toml`, and
the reference page of the docs is generated from the same place.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from hub.errors import ConfigurationError
from hub.settings import Settings

__all__ = ["Settings", "describe", "load_settings", "template"]

_PREFIX = "HUB_"
_LEVELS = ("debug", "info", "warning", "error")
_FORMATS = ("json", "text")
_KEYS = ("", "file", "passphrase", "pkcs11", "vault", "aws")
_POSITIVE = (
    "threads", "part_size", "max_delivery_bytes", "max_request_bytes", "session_minutes", "session_hours",
    "code_hours", "token_minutes", "linkage_memory_mb", "worker_seconds", "intake_memory_mb", "key_overlap_days",
    "intake_seconds", "upload_days", "upload_mb", "rights_code_days", "rights_session_minutes", "rights_copy_days",
    "delay_months", "opt_out_list_days",
)  # fmt: skip


def load_settings(
    directory: str | Path | None = None, environ: Mapping[str, str] | None = None, **overrides: Any
) -> Settings:
    """Read the settings of the hub in `directory` (default: `HUB_DIR`, else `./hub-data`).

    Raises:
        ConfigurationError: naming the setting that cannot be read and what it should be.
    """
    environ = os.environ if environ is None else environ
    folder = Path(directory or environ.get("HUB_DIR") or "hub-data").expanduser().absolute()
    values: dict[str, Any] = {}
    known = {item.name: item for item in fields(Settings) if item.name != "dir"}
    for name, value in _read_toml(folder / "hub.toml").items():
        if name not in known:
            raise ConfigurationError(
                f"{folder / 'hub.toml'} has a setting {name!r} that the hub does not know; "
                f"known are: {', '.join(sorted(known))}."
            )
        values[name] = value
    for name in known:
        if (text := environ.get(_PREFIX + name.upper())) is not None:
            values[name] = text
    values |= {name: value for name, value in overrides.items() if value is not None}
    settings = Settings(dir=folder, **{name: _convert(known[name], value) for name, value in values.items()})
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    """Refuse what would only be noticed when a request or a schedule meets it."""
    problems = [
        (0 <= settings.port <= 65535, "port", "from 0 to 65535"),
        (settings.log_level.lower() in _LEVELS, "log_level", f"one of {', '.join(_LEVELS)}"),
        (settings.log_format in _FORMATS, "log_format", f"one of {', '.join(_FORMATS)}"),
        (settings.trusted_proxies >= 0, "trusted_proxies", "0 or more"),
        (settings.key_provider in _KEYS, "key_provider", f"one of {', '.join(_KEYS[1:])}, or nothing"),
        (
            _are_networks(settings.jwks_networks),
            "jwks_networks",
            "networks such as 10.0.0.0/8, with commas between",
        ),
        (
            _are_networks(settings.proxy_networks),
            "proxy_networks",
            "networks such as 10.0.0.0/8, with commas between",
        ),
        (_is_zone(settings.schedule_timezone), "schedule_timezone", "a time zone such as Europe/London"),
        (
            _are_days(settings.extra_holidays),
            "extra_holidays",
            "days such as 2026-06-15, with commas between",
        ),
        (
            settings.part_size <= settings.max_request_bytes,
            "max_request_bytes",
            f"at least part_size ({settings.part_size})",
        ),
    ]
    problems += [
        (_is_rate(getattr(settings, item.name)), item.name, "a rate such as 600/minute")
        for item in fields(settings)
        if item.name.startswith("rate_") and item.name != "rate_limits"
    ]
    problems += [(getattr(settings, name) > 0, name, "more than 0") for name in _POSITIVE]
    for holds, name, wanted in problems:
        if not holds:
            raise ConfigurationError(
                f"The setting {name} ({_PREFIX}{name.upper()}) must be {wanted}, not {getattr(settings, name)!r}."
            )


def _are_days(text: str) -> bool:
    from datetime import date

    try:
        return all(date.fromisoformat(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        return False


def _are_networks(text: str) -> bool:
    from ipaddress import ip_network

    try:
        return all(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())
    except ValueError:
        return False


def _is_rate(text: str) -> bool:
    return re.fullmatch(r"[1-9][0-9]{0,6}/(second|minute|hour)", text) is not None


def _is_zone(name: str) -> bool:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None


def _convert(item: Any, value: Any) -> Any:
    wanted = type(item.default)
    if isinstance(value, bool) and wanted is not bool:
        value = str(value)  # true is no number
    if isinstance(value, wanted):
        return value
    try:
        if wanted is bool:
            return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[
                str(value).strip().lower()
            ]
        return wanted(value)
    except (KeyError, TypeError, ValueError):
        kind = {bool: "true or false", int: "a whole number", float: "a number"}.get(wanted, "text")
        raise ConfigurationError(
            f"The setting {item.name} ({_PREFIX}{item.name.upper()}) must be {kind}, not {value!r}."
        ) from None


def describe() -> list[dict[str, Any]]:
    """Every setting as name, environment variable, default, help and whether it is a secret."""
    return [
        {
            "name": item.name,
            "variable": _PREFIX + item.name.upper(),
            "default": item.default,
            "help": item.metadata["help"],
            "secret": item.metadata["secret"],
        }
        for item in fields(Settings)
        if item.name != "dir"
    ]


def template() -> str:
    """A `hub.toml` with every setting commented out at its default."""
    lines = ["# Settings of this hub. Each can also be given as an environment variable (HUB_PORT=8601).", ""]
    for item in describe():
        default = item["default"]
        shown = {True: "true", False: "false"}.get(default) if isinstance(default, bool) else None
        lines += [
            f"# {item['help']}",
            f"#{item['name']} = {shown or repr(default).replace(chr(39), chr(34))}",
            "",
        ]
    return "\n".join(lines)
