"""The server: waitress, in this process, on the address the settings name."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from flask import Flask

    from hub.config import Settings

__all__ = ["Server"]


class Server:
    """A running web server; `url` is where it can be reached.

    Raises:
        ConfigurationError: when the address is taken or cannot be used.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        from waitress import create_server

        try:
            self._server: Any = create_server(
                app, host=settings.host, port=settings.port, threads=settings.threads, ident=None,
                max_request_body_size=settings.max_request_bytes, channel_timeout=60,
                clear_untrusted_proxy_headers=True,
            )  # fmt: skip
        except OSError as error:
            raise ConfigurationError(
                f"Port {settings.port} on {settings.host} cannot be used ({error.strerror}). Another hub may be "
                "running; choose another port: --port 8601 or HUB_PORT."
            ) from None
        self.port = int(self._server.effective_port)
        self.url = f"http://{settings.host}:{self.port}"
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Serve until `stop` or Ctrl-C."""
        self._server.run()

    def start(self) -> None:
        """Serve in a thread."""
        self._thread = threading.Thread(target=self._server.run, name="hub-server", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests; those in hand are answered."""
        self._server.close()
        self._server.task_dispatcher.shutdown()
        if self._thread is not None:
            self._thread.join(timeout=10)
