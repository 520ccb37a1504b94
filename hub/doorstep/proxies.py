"""Whom to believe about where a request comes from: nobody, unless the operator says how many proxies stand before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.config import Settings

__all__ = ["behind_proxies"]

Application = Callable[..., Iterable[bytes]]


def behind_proxies(app: Application, settings: Settings) -> Application:
    """The application with X-Forwarded-* believed as far as the settings say, and taken away otherwise.

    They count when the connection comes from a network in which the last proxy stands; of several addresses in
    X-Forwarded-For the one that the outermost own proxy wrote is taken, whatever was there before.
    """
    from werkzeug.middleware.proxy_fix import ProxyFix

    count = settings.trusted_proxies
    networks = [
        ip_network(part.strip(), strict=False) for part in settings.proxy_networks.split(",") if part.strip()
    ]
    believing = ProxyFix(app, x_for=count, x_proto=count, x_host=count)  # type: ignore[arg-type]

    def chosen(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if count and _is_in(str(environ.get("REMOTE_ADDR", "")), networks):
            return believing(environ, start_response)
        for name in [
            name for name in environ if name.startswith("HTTP_X_FORWARDED_") or name == "HTTP_FORWARDED"
        ]:
            del environ[name]
        return app(environ, start_response)

    return chosen


def _is_in(text: str, networks: list[IPv4Network | IPv6Network]) -> bool:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
