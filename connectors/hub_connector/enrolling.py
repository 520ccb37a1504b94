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
    """What `enrol` made. `waiting`: a second operator has to approve it, who asks for the `thumbprint` of its key."""

    client_id: str
    organisation: str
    hub: str
    config: Path
    key: Path
    fingerprint: str
    waiting: bool
    thumbprint: str


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
        waiting=answer.get("state") == "waiting",
        thumbprint=key.spoken_thumbprint(),
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
# What was sent, how far growing sources were read, and sealed deliveries that are not through yet. No rows.
state = {state}
# Times of day below are read in this zone.
timezone = "Europe/London"

# One table for each dataset, named like its contract (with quotation marks). `hub-connector push NAME` delivers one,
# `hub-connector run --once` all of them, `hub-connector run` stays and delivers each at its times. Take the # off:
#
# [datasets."schools.attendance"]
# source = "exports/attendance.csv"         # a file: CSV, Excel, ODS, JSON, XML, Parquet, also as .gz or .zip
# contract = "library:schools.attendance"   # or the path of a contract file
# mode = "full"                             # full: these rows are the whole dataset; append: rows are added;
#                                           # upsert: added or replaced by key; delete: removed by key
# at = "0 6 * * MON-FRI"                    # minute hour day month weekday; or every = "6h" (30m, 1d, 1w)
# least_share = 0.5                         # hold back a full delivery with fewer than half the rows of before
#
# [datasets."schools.attendance".options]   # only what detection gets wrong
# encoding = "cp1252"
# delimiter = "semicolon"
# quote = "none"
# header_row = 3
#
# Secrets never stand in this file: write where each is kept, {{ env = "NAME" }} or {{ keyring = "service/user" }}.
#
# [datasets."children.in_need"]
# source = "exports/children.xlsx"
# options = {{ sheet = "Current cases", header_row = 2 }}
#
# [datasets."housing.tenancies"]            # a database, read on from where the last accepted delivery ended
# source = "postgresql+psycopg://db.example.gov.uk/housing"
# mode = "upsert"
# every = "1d"
# options = {{ table = "tenancies", watermark = "changed_at", username = "hub", password = {{ env = "HOUSING_DB" }} }}
#
# [datasets."housing.tenancies: ended"]     # any name will do where the contract is said
# source = "postgresql+psycopg://db.example.gov.uk/housing"
# contract = "library:housing.tenancies"
# mode = "delete"
# every = "1d"
# [datasets."housing.tenancies: ended".options]
# query = "SELECT tenancy_id, person_number FROM ended"
# username = "hub"
# password = {{ env = "HOUSING_DB" }}
#
# [datasets."benefits.claims"]              # the newest file of a folder on an SFTP server
# source = "sftp://files.example.gov.uk/out/claims-*.csv"
# options = {{ username = "hub", key_file = "sftp.key", key_passphrase = {{ keyring = "sftp/hub" }}, pick = "newest" }}
#
# [datasets."health.registrations"]         # an object in S3-compatible storage
# source = "s3://exports/registrations.parquet"
# options = {{ region = "eu-west-2", access_key = "AKIAEXAMPLE", secret_key = {{ env = "S3_SECRET" }} }}
#
# [datasets."police.street_crime"]          # a file on the web
# source = "https://data.example.gov.uk/street.csv.gz"
#
# [datasets."police.incidents"]             # a paged REST API
# source = "rest+https://api.example.gov.uk/v2/incidents"
# mode = "append"
# every = "30m"
# [datasets."police.incidents".options]
# rows_path = "data"
# paging = "next"
# next = "links.next"
# watermark = "changed"
# watermark_param = "since"
# bearer = {{ keyring = "api/hub" }}
"""
