"""The server: waitress, in this process, on the address the settings name."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from flask import Flask

    from hub.config import Settings

__all__ = ["Server"]

_FLUSH_SECONDS = 5.0


class Server:
    """A running web server; `url` is where it can be reached.

    Raises:
        ConfigurationError: when the address is taken or cannot be used.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        from waitress import create_server

        from hub.doorstep.bodies import channel_class

        self._parts: dict[int, Any] = {}  # waitress's sockets: one a listening address, more as requests come
        try:
            self._server: Any = create_server(
                app, map=self._parts, host=settings.host, port=settings.port, threads=settings.threads, ident=None,
                max_request_body_size=settings.max_request_bytes, channel_timeout=60,
                # With proxies before it, the application itself decides whom to believe (`hub.doorstep.proxies`).
                clear_untrusted_proxy_headers=not settings.trusted_proxies,
            )  # fmt: skip
        except (OSError, ValueError) as error:  # ValueError: the host's name leads nowhere
            self._give_up()
            raise ConfigurationError(
                f"Port {settings.port} on {settings.host} cannot be used "
                f"({getattr(error, 'strerror', None) or error}). Another hub may be running; choose another port: "
                "--port 8601 or HUB_PORT."
            ) from None
        channels = channel_class(settings)
        for door in self._doors():
            door.channel_class = channels
        self.port = int(self._doors()[0].effective_port)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self.url = f"http://{host}:{self.port}"
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Serve until `stop` or Ctrl-C."""
        self._server.run()

    def start(self) -> None:
        """Serve in a thread."""
        self._thread = threading.Thread(target=self._server.run, name="hub-server", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests; those in hand are answered first."""
        self._server.task_dispatcher.shutdown()
        end = time.monotonic() + _FLUSH_SECONDS
        while self._unsent() and time.monotonic() < end:
            time.sleep(0.02)
        if self._thread is None:
            self._close()
            return
        # By its own thread: a socket closed under a waiting select is an error there.
        self._doors()[0].trigger.pull_trigger(self._close)
        self._thread.join(timeout=10)

    def _doors(self) -> list[Any]:
        """The sockets that listen: "localhost" has two, one a family of addresses."""
        return [part for part in self._parts.values() if getattr(part, "accepting", False)]

    def _unsent(self) -> bool:
        """Whether an answer waits to be sent."""
        return any(getattr(part, "total_outbufs_len", 0) for part in list(self._parts.values()))

    def _give_up(self) -> None:
        """Leave no thread and no socket behind when it could not start."""
        for part in list(self._parts.values()):
            if (dispatcher := getattr(part, "task_dispatcher", None)) is not None:
                dispatcher.shutdown()
        self._close()

    def _close(self) -> None:
        for part in list(self._parts.values()):
            part.close()
