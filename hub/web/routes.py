"""The addresses of all pages, in one table. Names are promises: templates and tests use ``web.NAME``.

No address holds anything personal: what a person searches for travels in the body of a POST, and a
household is opened by an opaque handle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["NAVIGATION", "ROUTES", "Route"]


@dataclass(frozen=True)
class Route:
    """One page's address. public: it can be opened without signing in."""

    name: str
    rule: str
    methods: tuple[str, ...] = ("GET",)
    public: bool = False


ROUTES: Final = (
    Route("sign_in", "/sign-in", ("GET", "POST"), public=True),
    Route("sign_in_code", "/sign-in/code", ("GET", "POST"), public=True),
    Route("sign_out", "/sign-out", ("POST",)),
    Route("account", "/account"),
    Route("home", "/"),
    Route("search", "/households", ("GET", "POST")),
    Route("household", "/households/<handle>"),
    Route("datasets", "/datasets"),
    Route("dataset", "/datasets/<dataset_id>"),
    Route("delivery", "/deliveries/<delivery_id>"),
    Route("delivery_faults", "/deliveries/<delivery_id>/faults.csv"),
    Route("plugins", "/plugins"),
    Route("plugin", "/plugins/<name>"),
    Route("runs", "/runs"),
    Route("run", "/runs/<run_id>"),
    Route("results", "/results"),
    Route("result", "/results/<result_id>", ("GET", "POST")),
    Route("result_table", "/results/<result_id>/<table>.csv"),
    Route("agreements", "/agreements"),
    Route("agreement", "/agreements/<agreement_id>"),
    Route("audit", "/audit"),
    Route("audit_checkpoint", "/audit/checkpoint"),
    Route("cookies", "/cookies", public=True),
    Route("privacy", "/privacy", public=True),
    Route("accessibility", "/accessibility", public=True),
)

#: The navigation at the top: name of the route and of the page's section, and what it is called.
NAVIGATION: Final = (
    ("home", "Home"),
    ("search", "Find a household"),
    ("datasets", "Datasets"),
    ("plugins", "Plugins"),
    ("runs", "Runs"),
    ("results", "Results"),
    ("agreements", "Agreements"),
    ("audit", "Audit log"),
)
