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
    Route("sign_in_code", "/sign-in/code", methods=_BOTH, public=True),
    Route("sign_in_set_up", "/sign-in/second-factor", methods=_BOTH, public=True),
    Route("sign_in_one_time", "/sign-in/one-time-code", methods=_BOTH, public=True),
    Route("provider_begin", "/sign-in/provider", public=True),
    Route("provider_back", "/sign-in/provider/back", public=True),
    Route("sign_out", "/sign-out", methods=("POST",)),
    Route("signed_out", "/signed-out", public=True),
    Route("account", "/account"),
    Route("account_password", "/account/password", methods=_BOTH),
    Route("account_factor", "/account/second-factor", methods=_BOTH),
    Route("account_recovery", "/account/recovery-codes", methods=_BOTH),
    Route("account_sessions", "/account/sessions", methods=("POST",)),
    Route("users", "/users", _P.MANAGE_USERS),
    Route("user_new", "/users/new", _P.MANAGE_USERS, _BOTH),
    Route("user", "/users/<user_id>", _P.MANAGE_USERS, _BOTH),
    Route("home", "/"),
    Route("search", "/households", _P.SEARCH_PEOPLE, _BOTH),
    Route("found", "/households/found", _P.SEARCH_PEOPLE),
    Route("household", "/households/<handle>", _P.SEARCH_PEOPLE),
    Route("datasets", "/datasets", _P.READ_CATALOGUE),
    Route("dataset", "/datasets/<dataset_id>", _P.READ_CATALOGUE, _BOTH),
    Route("ask", "/datasets/<dataset_id>/ask", _P.ASK_FOR_DATA, _BOTH),
    Route("requests", "/requests", _P.READ_REQUESTS),
    Route("request", "/requests/<request_id>", _P.READ_REQUESTS, _BOTH),
    Route("request_question", "/requests/<request_id>/questions/<key>", _P.ASK_FOR_DATA, _BOTH),
    Route("request_check", "/requests/<request_id>/check", _P.ASK_FOR_DATA, _BOTH),
    Route("catalogue", "/datasets/catalogue/<profile>.<ending>", _P.READ_CATALOGUE),
    Route("describe", "/datasets/<dataset_id>/describe", _P.DESCRIBE_DATASETS, _BOTH),
    Route("visibility", "/datasets/<dataset_id>/visibility", _P.DESCRIBE_DATASETS, _BOTH),
    Route("lineage", "/datasets/<dataset_id>/lineage", _P.READ_CATALOGUE),
    Route("dataset_record", "/datasets/<dataset_id>/record/<profile>.<ending>", _P.READ_CATALOGUE),
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
    Route("agreement_start", "/agreements/new", _P.MANAGE_AGREEMENTS, _BOTH),
    Route("agreement_upload", "/agreements/upload", _P.MANAGE_AGREEMENTS, _BOTH),
    Route("agreement_explain", "/agreements/explain", _P.READ_AGREEMENTS),
    Route("agreement_keys", "/agreements/keys", _P.READ_AGREEMENTS, _BOTH),
    Route("agreement_key", "/agreements/keys/<key_id>/<act>", _P.MANAGE_SIGNING_KEYS, ("POST",)),
    Route("agreement_draft", "/agreements/drafts/<draft_id>", _P.MANAGE_AGREEMENTS, _BOTH),
    Route("agreement_question", "/agreements/drafts/<draft_id>/<question>", _P.MANAGE_AGREEMENTS, _BOTH),
    Route(
        "agreement_columns",
        "/agreements/drafts/<draft_id>/datasets/<publisher>/<contract>",
        _P.MANAGE_AGREEMENTS,
        _BOTH,
    ),
    Route("agreement", "/agreements/<agreement_id>", _P.READ_AGREEMENTS),
    Route("agreement_step", "/agreements/<agreement_id>/step", _P.MANAGE_AGREEMENTS, ("POST",)),
    Route("agreement_review", "/agreements/<agreement_id>/review", _P.MANAGE_AGREEMENTS, _BOTH),
    Route("agreement_sign", "/agreements/<agreement_id>/sign", _P.MANAGE_AGREEMENTS, _BOTH),
    Route("agreement_withdraw", "/agreements/<agreement_id>/withdraw", _P.MANAGE_AGREEMENTS, _BOTH),
    Route("audit", "/audit", _P.READ_AUDIT),
    Route("audit_checkpoint", "/audit/checkpoint", _P.READ_AUDIT),
    Route("audit_key", "/audit/key", _P.READ_AUDIT),
    Route("registrations", "/registrations", _P.MANAGE_CLIENTS),
    Route("registration", "/registrations/<kind>/<ident>", _P.MANAGE_CLIENTS, _BOTH),
    Route("rights_requests", "/rights-requests", _P.HANDLE_RIGHTS),
    Route("rights_find", "/rights-requests/person", _P.HANDLE_RIGHTS, _BOTH),
    Route("rights_person", "/rights-requests/person/<handle>", _P.HANDLE_RIGHTS, _BOTH),
    Route("rights_request", "/rights-requests/<rights_id>", _P.HANDLE_RIGHTS, _BOTH),
    Route("rights_copy", "/rights-requests/<rights_id>/copy.zip", _P.HANDLE_RIGHTS),
    Route("rights_rows", "/rights-requests/<rights_id>/correction", _P.HANDLE_RIGHTS, _BOTH),
    Route("corrections", "/corrections", _P.ANSWER_CORRECTIONS),
    Route("correction", "/corrections/<correction_id>", _P.ANSWER_CORRECTIONS, _BOTH),
    Route("objections", "/objections", _P.DECIDE_OBJECTIONS),
    Route("objection", "/objections/<rights_id>", _P.DECIDE_OBJECTIONS, _BOTH),
    Route("delays", "/delays", _P.DELAY_ENTRIES, _BOTH),
    Route("delay_decisions", "/delays/decisions", _P.APPROVE_DELAYS, _BOTH),
    Route("your_rights", "/your-rights", public=True),
    Route("my_data", "/my-data", methods=_BOTH, public=True),
    Route("my_data_ask", "/my-data/ask", methods=_BOTH, public=True),
    Route("my_data_copy", "/my-data/copies/<rights_id>", public=True),
    Route("my_data_close", "/my-data/close", methods=("POST",), public=True),
    Route("cookies", "/cookies", public=True),
    Route("privacy", "/privacy", public=True),
    Route("accessibility", "/accessibility", public=True),
)

#: The navigation at the top: name of the route and of the page's section, and what it is called.
NAVIGATION: Final = (
    ("home", "Home"),
    ("search", "Find a household"),
    ("datasets", "Datasets"),
    ("requests", "Requests"),
    ("deliveries", "Deliveries"),
    ("plugins", "Plugins"),
    ("runs", "Runs"),
    ("results", "Results"),
    ("agreements", "Agreements"),
    ("audit", "Audit log"),
    ("rights_requests", "Data rights"),
    ("corrections", "Corrections"),
    ("objections", "Objections"),
    ("delays", "Delays"),
    ("delay_decisions", "Delays to decide"),
    ("users", "Accounts"),
)
