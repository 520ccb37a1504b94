"""The composition root: builds a hub from its settings, and the web application from a hub.

Nothing happens when this module is imported; two hubs can live in one process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from flask import Flask

    from hub.config import Settings
    from hub.runs.sandbox import Sandbox
    from hub.workflows.hub import Hub

__all__ = ["create_app", "init_hub", "open_hub", "serve", "work"]


def open_hub(settings: Settings) -> Hub:
    """The parts of the hub that was made in `settings.dir`.

    Raises:
        ConfigurationError: when there is none, it cannot be opened, or its database is of another version.
    """
    from hub.identity.tokens import TokenIssuer
    from hub.migrations.upgrade import require_current
    from hub.scheduler.times import check_times, next_time
    from hub.storage.database import Database
    from hub.storage.objects import ObjectStore
    from hub.vault.keyring import Keyring
    from hub.vault.store import Vault
    from hub.workflows.hub import Hub

    keyring = Keyring.open(settings.keys_dir, settings.key_passphrase)
    database = Database(settings.resolved_database_url)
    require_current(database)
    objects = ObjectStore(settings.resolved_objects)

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
        vault=Vault(keyring, objects),
        tokens=TokenIssuer(settings.resolved_public_url, keyring.token_key, settings.token_minutes),
        sandbox=sandbox,
        check_times=check_times,
        next_time=lambda cron, after: next_time(cron, settings.schedule_timezone, after),
    )


def init_hub(settings: Settings) -> Hub:
    """Make a new hub: folder, keyring, database, the hub's own organisation. Opens it if it is there already."""
    from hub.config import template
    from hub.identity import store as identities
    from hub.migrations.upgrade import upgrade
    from hub.storage.database import Database
    from hub.vault.keyring import Keyring
    from hub.workflows.linking import HUB_ORGANISATION

    try:
        settings.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(f"The folder {settings.dir} cannot be made: {error.strerror}.") from None
    if not (settings.keys_dir / "keyring.json").exists():
        Keyring.create(settings.keys_dir, settings.key_passphrase)
    if not (settings.dir / "hub.toml").exists():
        (settings.dir / "hub.toml").write_text(template(), encoding="utf-8")
    database = Database(settings.resolved_database_url)
    upgrade(database)
    with database.write() as session:
        identities.add_organisation(session, HUB_ORGANISATION, "The hub itself")
    database.close()
    return open_hub(settings)


def create_app(settings: Settings, hub: Hub | None = None) -> Flask:
    """The WSGI application: API, pages, health and metrics."""
    from flask import Flask

    from hub.api import register_api
    from hub.doorstep.health import health_blueprint
    from hub.doorstep.metrics import Metrics, metrics_blueprint
    from hub.doorstep.requests import register_requests
    from hub.web.wiring import error_page, register_web

    hub = hub or open_hub(settings)
    app = Flask("hub", static_folder=None, template_folder=None)
    app.config |= {
        "SECRET_KEY": hub.vault.derived_key("web sessions"),
        "MAX_CONTENT_LENGTH": settings.max_request_bytes,
        "MAX_FORM_MEMORY_SIZE": 1_000_000,
        "SESSION_COOKIE_NAME": "hub_state",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": settings.secure_cookies,
        "WTF_CSRF_TIME_LIMIT": None,
    }
    if settings.trusted_proxies:
        from werkzeug.middleware.proxy_fix import ProxyFix

        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    metrics = Metrics()
    register_requests(app, hub, metrics, error_page)
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


def _wait_for_end() -> None:
    """Until Ctrl-C or SIGTERM (how service managers and containers ask)."""
    import signal
    import threading

    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end.set())
    end.wait()
