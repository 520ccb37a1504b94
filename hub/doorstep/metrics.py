"""Metrics for Prometheus; no label holds an id or anything a person typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from hub import __version__
from hub.errors import HubError
from hub.workflows import overview

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["Metrics", "metrics_blueprint"]


class Metrics:
    """The hub's metrics in a registry of their own, so that two hubs in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "hub_request_seconds",
            "Time to answer a request",
            ["method", "rule", "status"],
            registry=self.registry,
        )
        self._broke = Counter(
            "hub_unexpected_errors", "Requests that broke unexpectedly", registry=self.registry
        )
        self._limited = Counter(
            "hub_rate_limited",
            "Requests refused because there were too many",
            ["kind"],
            registry=self.registry,
        )
        self._waiting = Gauge(
            "hub_waiting", "Pieces of work that wait or are in hand", ["kind"], registry=self.registry
        )
        Gauge("hub_info", "The hub's version", ["version"], registry=self.registry).labels(__version__).set(1)

    def observe(self, method: str, rule: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, rule, str(status)).observe(seconds)

    def broke(self) -> None:
        """Count a request that broke."""
        self._broke.inc()

    def limited(self, kind: str) -> None:
        """Count a request that was one too many."""
        self._limited.labels(kind).inc()

    def text(self, hub: Hub) -> bytes:
        """Everything in the exposition format, with how much work waits as it is now."""
        try:
            for kind, count in overview.waiting(hub).items():
                self._waiting.labels(kind).set(count)
        except HubError:
            self._waiting.clear()  # the database is away; a gap says so, an old number would not
        return generate_latest(self.registry)


def metrics_blueprint(hub: Hub, metrics: Metrics) -> Blueprint:
    """The blueprint with /metrics."""
    views = Blueprint("metrics", __name__)

    @views.get("/metrics")
    def read() -> Response:
        """Metrics for Prometheus."""
        return Response(metrics.text(hub), content_type=CONTENT_TYPE_LATEST)

    return views
