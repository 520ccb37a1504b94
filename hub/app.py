"""The composition root: builds a hub from its settings, and the web application from a hub.

Nothing happens when this module is imported; two hubs can live in one process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hub.errors import ConfigurationError, Conflict

if TYPE_CHECKING:
    from flask import Flask

    from hub.config import Settings
    from hub.identity.oidc import Provider
    from hub.intake.limited import Examiner
    from hub.intake.uploads import UploadReader
    from hub.runs.sandbox import Sandbox
    from hub.storage.database import Database
    from hub.vault.keyring import Keyring
    from hub.workflows.hub import Hub

__all__ = ["create_app", "init_hub", "open_hub", "restore_hub", "serve", "work"]

#: Somebody waits before a browser while an uploaded file is read.
_UPLOAD_SECONDS = 300


def open_hub(settings: Settings) -> Hub:
    """The parts of the hub that was made in `settings.dir`.

    Raises:
        ConfigurationError: when there is none, it cannot be opened, or its database is of another version.
    """
    from hub.audit.vouching import SESSION_KEY as VOUCHING
    from hub.identity.tokens import TokenIssuer
    from hub.migrations.upgrade import require_current
    from hub.scheduler.times import check_times, next_time
    from hub.storage.database import Database
    from hub.storage.objects import ObjectStore
    from hub.vault.keyring import Keyring
    from hub.vault.providers import Providers
    from hub.vault.store import Vault
    from hub.workflows.hub import Hub

    keyring = Keyring.open(
        settings.keys_dir, settings.key_passphrase, kind=settings.key_provider, providers=Providers(settings)
    )
    database = Database(settings.resolved_database_url)
    require_current(database)
    _note_root(database, keyring)
    objects = ObjectStore(settings.resolved_objects)
    vault = Vault(keyring, objects)
    database.session_info[VOUCHING] = vault.derived_key("audit entries")
    _guard_agreements(database, keyring, vault.derived_key("agreement seals"))

    @cache
    def sandbox() -> Sandbox:
        from hub.runs.sandbox import Sandbox

        return Sandbox(
            settings.resolved_plugin_python,
            allow_unsandboxed=settings.allow_unsandboxed_plugins,
            hide=(settings.dir,),
        )

    return Hub(
        settings=settings,
        database=database,
        objects=objects,
        keyring=keyring,
        vault=vault,
        tokens=TokenIssuer(settings.resolved_public_url, keyring.token_keys, settings.token_minutes),
        sandbox=sandbox,
        examine=_examiner(settings),
        read_upload=_upload_reader(settings),
        check_times=check_times,
        next_time=lambda cron, after: next_time(cron, settings.schedule_timezone, after),
        oidc=_provider(settings),
    )


def _provider(settings: Settings) -> Provider | None:
    """Through whom people sign in, if not here.

    Raises:
        ConfigurationError: when a role is required to have a second factor, or given by the provider, that is none.
    """
    from hub.identity.oidc import Provider
    from hub.policy.roles import PERSON_ROLES

    given = {part.partition("=")[2].strip() for part in settings.oidc_roles.split(",") if part.strip()}
    for name, roles in (("require_second_factor", settings.second_factor_roles), ("oidc_roles", given)):
        if unknown := sorted(roles - set(PERSON_ROLES)):
            raise ConfigurationError(
                f"The setting {name} names roles that are none: {', '.join(unknown) or 'nothing'}. Roles are "
                f"{', '.join(PERSON_ROLES)}."
            )
    if not settings.oidc_issuer:
        return None
    if not settings.oidc_client_id:
        raise ConfigurationError("The setting oidc_client_id is needed where oidc_issuer is set.")
    return Provider(
        settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret,
        f"{settings.resolved_public_url}/sign-in/provider/back", scopes=settings.oidc_scopes,
        acr=tuple(settings.oidc_acr.split()), max_age=settings.oidc_max_age,
    )  # fmt: skip


def _examiner(settings: Settings) -> Examiner:
    from hub.intake.limited import LimitedExaminer, examine_here

    if not settings.intake_process:
        return examine_here
    return LimitedExaminer(
        memory_mb=settings.intake_memory_mb, seconds=settings.intake_seconds, hide=(settings.dir,)
    )


def _upload_reader(settings: Settings) -> UploadReader:
    from hub.intake.uploads import limited_reader, read_here

    if not settings.intake_process:
        return read_here
    return limited_reader(
        memory_mb=settings.intake_memory_mb, seconds=min(settings.intake_seconds, _UPLOAD_SECONDS),
        upload_mb=settings.upload_mb, hide=(settings.dir,),
    )  # fmt: skip


def _note_root(database: Database, keyring: Keyring) -> None:
    """Let the database know the root key of a hub that never rotated it."""
    from hub.vault.rotate import current_root, ensure_root

    with database.read() as session:
        if current_root(session) is not None:
            return
    try:
        with database.write() as session:
            ensure_root(session, keyring.current_root)
    except Conflict:
        return  # another process of this hub was quicker


def _guard_agreements(database: Database, keyring: Keyring, key: bytes, *, again: bool = False) -> None:
    """Let the database's sessions seal agreements; take over, once, those of a hub from before there were seals.

    That it was done stands in the keyring: whoever can write the database only cannot have it done again.
    """
    from dataclasses import replace

    from hub.policy import store as agreements
    from hub.policy.seals import SESSION_KEY

    database.session_info[SESSION_KEY] = key
    if keyring.secrets.agreements_sealed and not again:
        return
    with database.write() as session:
        agreements.adopt(session)
    try:
        keyring.change(lambda held: replace(held, agreements_sealed=True))
    except OSError as error:
        raise ConfigurationError(
            f"The keyring in {keyring.folder} cannot be written ({error.strerror}). After this upgrade the hub writes "
            "into it once, that agreements are sealed from now on. Make the folder writable and start again."
        ) from None


def init_hub(settings: Settings) -> Hub:
    """Make a new hub: folder, keyring, database, the hub's own organisation. Opens it if it is there already."""
    from hub.config import template
    from hub.identity import store as identities
    from hub.migrations.upgrade import upgrade
    from hub.storage.database import Database
    from hub.vault.keyring import Keyring
    from hub.vault.providers import Providers
    from hub.workflows.linking import HUB_ORGANISATION

    try:
        settings.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(f"The folder {settings.dir} cannot be made: {error.strerror}.") from None
    if not (settings.keys_dir / "keyring.json").exists():
        Keyring.create(
            settings.keys_dir,
            settings.key_passphrase,
            kind=settings.key_provider,
            providers=Providers(settings),
        ).close()
    if not (settings.dir / "hub.toml").exists():
        (settings.dir / "hub.toml").write_text(template(), encoding="utf-8")
    database = Database(settings.resolved_database_url)
    upgrade(database)
    with database.write() as session:
        identities.add_organisation(session, HUB_ORGANISATION, "The hub itself")
    database.close()
    return open_hub(settings)


def restore_hub(
    settings: Settings,
    folder: Path,
    *,
    passphrase: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Hub, list[str]]:
    """Bring a backup back into a folder that has no hub yet; returns the hub and what is wrong with it.

    The keyring is the one that lies in the folder already, or else the copy in the backup, under `passphrase`. The
    database is put in its place last: until then, and after being killed, the same call begins anew.

    Raises:
        ConfigurationError: when there is a hub already, no backup, or no keyring.
        Invalid: when the backup is not one of this keyring's hub, or was changed.
    """
    from hub.identity.principal import Principal
    from hub.storage.objects import ObjectStore
    from hub.vault.keyring import Keyring, copy_keyring
    from hub.vault.providers import Providers
    from hub.workflows import backup

    report = progress or (lambda done, total: None)
    found = backup.read_backup(folder)
    settings.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    providers = Providers(settings)
    if not (settings.keys_dir / "keyring.json").exists():
        source = backup.keyring_of(found)
        if source is None:
            raise ConfigurationError(
                f"This backup holds no keys. Put the copy of its hub's keyring into {settings.keys_dir} first."
            )
        copied = Keyring.open(source, passphrase, providers=providers)
        kind = settings.key_provider or ("passphrase" if settings.key_passphrase else copied.kind_of_root)
        copy_keyring(copied, settings.keys_dir, settings.key_passphrase, kind)
    keyring = Keyring.open(settings.keys_dir, settings.key_passphrase, providers=providers)
    backup.believe(found, keyring.checkpoint_public_keys)
    before_seals = _has_no_seals(found.folder / backup.DATABASE)
    ready = _prepare_database(settings, found.folder / backup.DATABASE)
    problems = backup.put_objects(ObjectStore(settings.resolved_objects), found, report)
    ready()
    keyring.close()
    hub = open_hub(settings)
    if before_seals:  # believed as a whole: the backup's signature was checked above
        _guard_agreements(hub.database, hub.keyring, hub.vault.derived_key("agreement seals"), again=True)
    problems += backup.check_restored(hub, report)
    backup.note_restored(
        hub, Principal("system", "command-line", "", "", "hub", frozenset({"operator"})), found, problems
    )
    return hub, problems


def _has_no_seals(source: Path) -> bool:
    """Whether a backup's database is from before agreements were sealed."""
    import sqlite3

    with sqlite3.connect(f"file:{source}?mode=ro", uri=True) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(agreements)")]
    connection.close()
    return "seal" not in columns


def _prepare_database(settings: Settings, source: Path) -> Callable[[], None]:
    """Bring a backup's database to this hub's version, aside; what is returned puts it in its place."""
    import shutil

    from sqlalchemy import inspect, text
    from sqlalchemy.engine import make_url

    from hub.migrations.upgrade import upgrade
    from hub.storage.database import Database
    from hub.workflows.backup import copy_rows

    target = Database(settings.resolved_database_url)
    place = Path(make_url(settings.resolved_database_url).database or "") if target.is_sqlite else None
    if place is not None and place.exists():
        raise ConfigurationError(f"There is a database in {place} already; a backup is never put over one.")
    if place is None and "organisations" in inspect(target.engine).get_table_names():
        with target.read() as session:
            if session.execute(text("SELECT count(*) FROM organisations")).scalar():
                raise ConfigurationError("The database is not empty; a backup is never put over one.")
    aside = (place or settings.dir / "hub.db").with_name("restoring.db")
    for more in ("-wal", "-shm"):  # of a restore that was killed: SQLite would replay it over this database
        aside.with_name(aside.name + more).unlink(missing_ok=True)
    shutil.copyfile(source, aside)
    aside.chmod(0o600)
    copied = Database(f"sqlite:///{aside}")
    upgrade(copied)

    def put() -> None:
        if place is None:
            upgrade(target)
            copy_rows(copied, target)
        with copied.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        copied.close()
        target.close()
        if place is None:
            aside.unlink()
        else:
            aside.replace(place)
        for more in ("-wal", "-shm"):
            aside.with_name(aside.name + more).unlink(missing_ok=True)

    return put


def create_app(settings: Settings, hub: Hub | None = None) -> Flask:
    """The WSGI application: API, pages, health and metrics."""
    from flask import Flask

    from hub.api import register_api
    from hub.doorstep.bodies import FileRequest, most_body
    from hub.doorstep.health import health_blueprint
    from hub.doorstep.limits import register_limits
    from hub.doorstep.metrics import Metrics, metrics_blueprint
    from hub.doorstep.proxies import behind_proxies
    from hub.doorstep.requests import register_requests
    from hub.web.sessions import cookie_name
    from hub.web.wiring import error_page, register_web

    hub = hub or open_hub(settings)
    app = Flask("hub", static_folder=None, template_folder=None)
    app.request_class = FileRequest
    app.config |= {
        "SECRET_KEY": hub.vault.derived_key("web sessions"),
        "MAX_CONTENT_LENGTH": settings.max_request_bytes,
        "MAX_FILE_BODY": most_body(settings),
        "MAX_FORM_MEMORY_SIZE": 1_000_000,
        "SESSION_COOKIE_NAME": cookie_name(hub, "hub_state"),
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": settings.secure_cookies,
        "WTF_CSRF_TIME_LIMIT": None,
    }
    app.wsgi_app = behind_proxies(app.wsgi_app, settings)  # type: ignore[method-assign]
    metrics = Metrics()
    register_requests(app, hub, metrics, error_page)
    register_limits(app, settings, metrics)
    app.register_blueprint(health_blueprint(hub))
    app.register_blueprint(metrics_blueprint(hub, metrics))
    register_api(app, hub)
    register_web(app, hub)
    return app


def serve(settings: Settings, *, work: bool = True, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until Ctrl-C or SIGTERM; `on_ready` is told the URL."""
    from hub.doorstep.serving import Server
    from hub.scheduler.leader import Leader

    hub = open_hub(settings)
    server = Server(create_app(settings, hub), settings)
    leader = Leader(hub) if work else None
    server.start()
    if leader is not None:
        leader.start()
    try:
        if on_ready is not None:
            on_ready(server.url)
        _wait_for_end()
    finally:
        server.stop()
        if leader is not None:
            leader.stop()
        hub.database.close()
        hub.keyring.close()


def work(settings: Settings) -> None:
    """Lead and work, without serving, until Ctrl-C or SIGTERM."""
    from hub.scheduler.leader import Leader

    hub = open_hub(settings)
    leader = Leader(hub)
    leader.start()
    try:
        _wait_for_end()
    finally:
        leader.stop()
        hub.database.close()
        hub.keyring.close()


def _wait_for_end() -> None:
    """Until Ctrl-C or SIGTERM (how service managers and containers ask)."""
    import signal
    import threading

    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end.set())
    end.wait()
