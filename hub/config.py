"""Settings: defaults, then `hub.toml` in the hub's folder, then `HUB_` environment variables.

Each setting is declared once, in `Settings`, with its help text; `hub init` writes them out as a commented
`hub.toml`, and the reference page of the docs is generated from the same place.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hub.errors import ConfigurationError

__all__ = ["Settings", "describe", "load_settings", "template"]

_PREFIX = "HUB_"
_LEVELS = ("debug", "info", "warning", "error")
_FORMATS = ("json", "text")
_KEYS = ("", "file", "passphrase", "pkcs11", "vault", "aws")
_POSITIVE = (
    "threads", "part_size", "max_delivery_bytes", "max_request_bytes", "session_minutes", "token_minutes",
    "linkage_memory_mb", "worker_seconds", "intake_memory_mb", "key_overlap_days", "intake_seconds", "upload_days",
    "upload_mb",
)  # fmt: skip


def _setting(default: Any, help_text: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"help": help_text, "secret": secret})


@dataclass(frozen=True)
class Settings:
    """Everything an operator can set. `dir` is the hub's folder and the only setting that has no default."""

    dir: Path
    name: str = _setting("JoinedUp Hub", "Name shown on pages and to connectors.")
    host: str = _setting("127.0.0.1", "Address the server listens on.")
    port: int = _setting(8600, "Port the server listens on; 0 lets the system choose one.")
    public_url: str = _setting("", "How browsers and connectors reach the hub; default http://HOST:PORT.")
    threads: int = _setting(8, "Requests served at the same time.")
    database_url: str = _setting(
        "", "SQLAlchemy URL; default is SQLite in the hub's folder (hub.db).", secret=True
    )
    objects: str = _setting(
        "",
        "Where encrypted files are kept: a folder, or s3://bucket/prefix?endpoint_override=...; "
        "default is the folder objects/ in the hub's folder.",
        secret=True,
    )
    key_passphrase: str = _setting(
        "",
        "Passphrase of the keyring. Without one the keyring is guarded by a key file that only the "
        "hub's user can read (keys/keyring.key): keep it apart from backups.",
        secret=True,
    )
    key_provider: str = _setting(
        "",
        "Where the root key lives: file, passphrase, pkcs11, vault or aws. `hub init --keys` chooses and the keyring "
        "remembers; given here, a keyring of another kind is refused.",
    )
    pkcs11_module: str = _setting("", "PKCS#11: the library of the hardware security module (a .so file).")
    pkcs11_token: str = _setting("", "PKCS#11: label of the token that holds the root key.")
    pkcs11_pin: str = _setting("", "PKCS#11: the token's user PIN.", secret=True)
    vault_address: str = _setting(
        "", "HashiCorp Vault: its address, for example https://vault.internal:8200."
    )
    vault_token: str = _setting("", "HashiCorp Vault: the hub's token.", secret=True)
    vault_token_file: str = _setting(
        "",
        "HashiCorp Vault: a file with the hub's token, which Vault's agent renews (instead of vault_token).",
    )
    vault_mount: str = _setting("transit", "HashiCorp Vault: where the transit secrets engine is mounted.")
    vault_namespace: str = _setting("", "HashiCorp Vault: the namespace, where there are namespaces.")
    aws_region: str = _setting(
        "",
        "AWS KMS: the region; default is what AWS's own settings say. Credentials are found as AWS tools do.",
    )
    aws_kms_endpoint: str = _setting(
        "", "AWS KMS: another endpoint, for a private one or what speaks its protocol."
    )
    key_overlap_days: int = _setting(
        30,
        "How long an old sealing key, or a connector's old signing key, still holds after a new one came, in days.",
    )
    part_size: int = _setting(8 * 1024 * 1024, "Largest piece of a delivery taken in one request, in bytes.")
    intake_process: bool = _setting(
        True,
        "Read deliveries in a process of their own that can reach nothing else. Turn off for debugging only.",
    )
    intake_memory_mb: int = _setting(2048, "Most memory for reading one delivery, in MiB.")
    intake_seconds: int = _setting(3600, "Most time for reading one delivery, in seconds.")
    upload_days: int = _setting(
        7, "A delivery that was begun and never finished is given up after so many days."
    )
    upload_mb: int = _setting(
        100,
        "Largest file that may be uploaded on a page or over the API, in MiB. It is held in memory; connectors send "
        "data of any size.",
    )
    max_delivery_bytes: int = _setting(20 * 1024**3, "Largest delivery, in bytes, all files together.")
    max_request_bytes: int = _setting(16 * 1024 * 1024, "Largest request body, in bytes.")
    session_minutes: int = _setting(30, "A person is signed out after so many minutes without a request.")
    token_minutes: int = _setting(10, "How long a connector's access token lasts, in minutes.")
    secure_cookies: bool = _setting(
        False, "Send cookies over HTTPS only. Turn on wherever the hub is reached by another machine."
    )
    trusted_proxies: int = _setting(0, "How many reverse proxies stand before the hub (X-Forwarded-*).")
    plugin_python: str = _setting(
        "",
        "Python program of the plugins' own environment; default .venv-plugins/bin/python beside the hub's.",
    )
    allow_unsandboxed_plugins: bool = _setting(
        False, "Run plugins although no sandbox can be had. Every page that shows their results then says so."
    )
    linkage_memory_mb: int = _setting(2048, "Most memory that linking may use, in MiB.")
    worker_seconds: float = _setting(1.0, "How often the worker looks for work, in seconds.")
    schedule_timezone: str = _setting("Europe/London", "Time zone in which schedules are read.")
    log_level: str = _setting("info", "debug, info, warning or error.")
    log_format: str = _setting("json", "json or text.")
    synthetic: bool = _setting(False, "Every page says that the people in this hub are invented.")
    crown: bool = _setting(False, "Show the crown and GDS Transport; allowed on gov.uk domains only.")

    @property
    def resolved_database_url(self) -> str:
        """The database URL with the default filled in."""
        return self.database_url or f"sqlite:///{self.dir / 'hub.db'}"

    @property
    def resolved_objects(self) -> str:
        """Where encrypted files are kept, with the default filled in."""
        return self.objects or str(self.dir / "objects")

    @property
    def resolved_public_url(self) -> str:
        """The hub's own URL without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def resolved_plugin_python(self) -> Path:
        """The Python program that runs plugins."""
        if self.plugin_python:
            return Path(self.plugin_python)
        return Path(sys.prefix).parent / ".venv-plugins" / "bin" / "python"

    @property
    def keys_dir(self) -> Path:
        """The folder of the keyring."""
        return self.dir / "keys"


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
        (_is_zone(settings.schedule_timezone), "schedule_timezone", "a time zone such as Europe/London"),
        (
            settings.part_size <= settings.max_request_bytes,
            "max_request_bytes",
            f"at least part_size ({settings.part_size})",
        ),
    ]
    problems += [(getattr(settings, name) > 0, name, "more than 0") for name in _POSITIVE]
    for holds, name, wanted in problems:
        if not holds:
            raise ConfigurationError(
                f"The setting {name} ({_PREFIX}{name.upper()}) must be {wanted}, not {getattr(settings, name)!r}."
            )


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
