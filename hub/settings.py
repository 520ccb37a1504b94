"""What an operator can set: every setting once, with its default and its help text.

How they are read, checked and written out is `hub.config`'s affair.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Settings"]


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
    rights_code_days: int = _setting(
        14, "For so many days a one-time code opens the page on which people see what is held about them."
    )
    rights_session_minutes: int = _setting(30, "After so many minutes that page closes.")
    rights_copy_days: int = _setting(
        30, "For so many days a copy of somebody's data, made for them, is kept for them to fetch."
    )
    delay_months: int = _setting(
        6, "For so many months at most an investigation may keep people from seeing entries about them."
    )
    extra_holidays: str = _setting(
        "",
        "Days off beyond the bank holidays of England and Wales, for due dates: ISO dates with commas between, for "
        "example 2026-06-15,2026-11-30.",
    )
    opt_out_list_days: int = _setting(
        21,
        "A list of national data opt-outs that is older than so many days does not count: runs that need it fail.",
    )
    opt_out_publishers: str = _setting(
        "",
        "Slugs of the NHS bodies whose lists of national data opt-outs count, with commas between; empty: every list "
        "counts, and each has to be fresh.",
    )
    session_minutes: int = _setting(30, "A person is signed out after so many minutes without a request.")
    session_hours: int = _setting(
        12, "A person is signed out so many hours after signing in, whatever they do."
    )
    require_second_factor: str = _setting(
        "operator, data steward, service user, output checker, auditor, rights officer, investigating officer",
        "Roles whose holders sign in with a second factor too; who has none sets it up at the first sign-in. "
        "Empty: nobody has to, which is for demonstrations only.",
    )
    code_hours: int = _setting(72, "How long a one-time code for choosing a password can be used, in hours.")
    oidc_issuer: str = _setting(
        "",
        "OpenID Connect: the provider's issuer, for example https://login.council.example. Empty: no provider.",
    )
    oidc_client_id: str = _setting("", "OpenID Connect: the hub's client id at the provider.")
    oidc_client_secret: str = _setting("", "OpenID Connect: the hub's client secret.", secret=True)
    oidc_name: str = _setting(
        "your organisation", "OpenID Connect: what the provider is called on the sign-in page."
    )
    oidc_scopes: str = _setting("openid", "OpenID Connect: the scopes that are asked for.")
    oidc_acr: str = _setting(
        "",
        "OpenID Connect: classes of authentication (acr) that are taken, the best first, with spaces "
        "between them. They should all mean two "
        "factors: who comes with one of them is not asked for the hub's own.",
    )
    oidc_max_age: int = _setting(
        0, "OpenID Connect: most seconds since the person signed in at the provider; 0: any."
    )
    oidc_account_claim: str = _setting(
        "",
        "OpenID Connect: a claim that holds the username of the hub's account, for example preferred_username. Only "
        "where people cannot choose it themselves. Empty: an operator binds each account.",
    )
    oidc_roles_claim: str = _setting(
        "", "OpenID Connect: a claim that lists groups; with oidc_roles, roles come from the provider."
    )
    oidc_roles: str = _setting(
        "",
        "OpenID Connect: which group gives which role, for example hub-analysts=analyst, hub-checkers=output checker.",
    )
    token_minutes: int = _setting(10, "How long a connector's access token lasts, in minutes.")
    secure_cookies: bool = _setting(
        False, "Send cookies over HTTPS only. Turn on wherever the hub is reached by another machine."
    )
    two_person_registration: bool = _setting(
        True,
        "New organisations and machine clients wait until a second operator approves them. Turn off only where there "
        "is one operator; the first page and `hub doctor` then say so.",
    )
    jwks_networks: str = _setting(
        "",
        "Networks beyond the public one in which clients' published sets of keys may lie, for example 10.20.0.0/16. "
        "With 127.0.0.0/8, http://127.0.0.1 is taken as well.",
    )
    rate_limits: bool = _setting(
        True, "Slow down who asks too often; the rate_ settings say how often is too often."
    )
    rate_client: str = _setting("1200/minute", "Requests of one machine client.")
    rate_parts: str = _setting("6000/minute", "Parts of deliveries from one machine client.")
    rate_session: str = _setting("600/minute", "Requests of one person who is signed in.")
    rate_address: str = _setting(
        "600/minute", "Requests from one address by whoever has not proved who they are."
    )
    rate_token: str = _setting("300/minute", "Requests for access tokens from one address.")
    rate_enrolment: str = _setting("30/minute", "Enrolment codes tried from one address.")
    rate_sign_in: str = _setting("60/minute", "Attempts to sign in from one address.")
    rate_code: str = _setting("20/minute", "Citizens' one-time codes tried from one address.")
    audit_publish: str = _setting(
        "",
        "A folder outside the hub and its backups where each new checkpoint of the audit log is written: "
        "the newest, and the last of each day.",
    )
    audit_public: bool = _setting(
        False,
        "Anybody may fetch the audit log's newest checkpoint, its public keys and proofs of consistency over the API, "
        "without a token. They hold no personal data, but show how much the hub does and when.",
    )
    trusted_proxies: int = _setting(0, "How many reverse proxies stand before the hub (X-Forwarded-*).")
    proxy_networks: str = _setting(
        "127.0.0.0/8, ::1, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7",
        "With trusted_proxies: networks in which the last of them stands. X-Forwarded-* from elsewhere is ignored.",
    )
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
    catalogue_contact: str = _setting(
        "", "Email address for those who ask about a dataset whose contract and data steward name none."
    )
    catalogue_publisher: str = _setting(
        "",
        "The body that answers for this hub's catalogue in the UK's: the end of its address on GOV.UK, for example "
        "home-office. Used for publishers that are not on GOV.UK themselves, such as councils.",
    )
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
    def second_factor_roles(self) -> frozenset[str]:
        """The roles whose holders need a second factor."""
        return frozenset(part.strip() for part in self.require_second_factor.split(",") if part.strip())

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
