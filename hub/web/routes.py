"""The addresses of all pages, in one table. Names are promises: templates and tests use ``web.NAME``.

No address holds anything personal: what a person searches for travels in the body of a POST and is kept, sealed,
in the browser's cookie; a household is opened by an opaque handle that works for one person and a quarter of an hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.policy.roles import Permission

__all__ = ["NAVIGATION", "ROUTES", "Route"]


@dataclass(frozen=True)
class Route:
    """One page's address. public: it can be opened without signing in; needs: the permission it asks for."""

    name: str
    rule: str
    needs: Permission | None = None
    methods: tuple[str, ...] = ("GET",)
    public: bool = False


_P = Permission
_BOTH = ("GET", "POST")

ROUTES: Final = (
    Route("sign_in", "/sign-in", methods=_BOTH, public=True),
    Route("sign_out", "/sign-out", methods=("POST",)),
    Route("account", "/account"),
    Route("home", "/"),
    Route("search", "/households", _P.SEARCH_PEOPLE, _BOTH),
    Route("found", "/households/found", _P.SEARCH_PEOPLE),
    Route("household", "/households/<handle>", _P.SEARCH_PEOPLE),
    Route("datasets", "/datasets", _P.READ_CATALOGUE),
    Route("dataset", "/datasets/<dataset_id>", _P.READ_CATALOGUE, _BOTH),
    Route("upload", "/datasets/<dataset_id>/upload", _P.UPLOAD_FILES, _BOTH),
    Route("contracts", "/contracts", _P.READ_CATALOGUE),
    Route("contract", "/contracts/<contract_id>", _P.READ_CATALOGUE),
    Route("contract_version", "/contracts/versions/<digest>", _P.READ_CATALOGUE),
    Route("deliveries", "/deliveries", _P.READ_DELIVERIES),
    Route("delivery", "/deliveries/<delivery_id>", _P.READ_DELIVERIES),
    Route("delivery_faults", "/deliveries/<delivery_id>/faults.csv", _P.READ_DELIVERIES),
    Route("upload_check", "/deliveries/<delivery_id>/check", _P.UPLOAD_FILES, _BOTH),
    Route("mend", "/deliveries/<delivery_id>/mend", _P.UPLOAD_FILES, _BOTH),
    Route("rows_at_fault", "/deliveries/<delivery_id>/rows-at-fault.csv", _P.UPLOAD_FILES),
    Route("plugins", "/plugins", _P.READ_RUNS),
    Route("plugin", "/plugins/<name>", _P.READ_RUNS),
    Route("runs", "/runs", _P.READ_RUNS),
    Route("run", "/runs/<run_id>", _P.READ_RUNS),
    Route("results", "/results", _P.READ_RESULTS),
    Route("result", "/results/<result_id>", _P.READ_RESULTS, _BOTH),
    Route("reidentify", "/results/<result_id>/person", _P.REIDENTIFY, _BOTH),
    Route("result_table", "/results/<result_id>/<table>.csv", _P.READ_RESULTS),
    Route("agreements", "/agreements", _P.READ_AGREEMENTS),
    Route("agreement", "/agreements/<agreement_id>", _P.READ_AGREEMENTS),
    Route("audit", "/audit", _P.READ_AUDIT),
    Route("audit_checkpoint", "/audit/checkpoint", _P.READ_AUDIT),
    Route("cookies", "/cookies", public=True),
    Route("privacy", "/privacy", public=True),
    Route("accessibility", "/accessibility", public=True),
)

#: The navigation at the top: name of the route and of the page's section, and what it is called.
NAVIGATION: Final = (
    ("home", "Home"),
    ("search", "Find a household"),
    ("datasets", "Datasets"),
    ("deliveries", "Deliveries"),
    ("plugins", "Plugins"),
    ("runs", "Runs"),
    ("results", "Results"),
    ("agreements", "Agreements"),
    ("audit", "Audit log"),
)
