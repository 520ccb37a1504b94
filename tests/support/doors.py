"""The doors of the hub as tables and walks, shared by the tests that hold them closed.

Whoever adds an operation of the API adds it to `NEEDED` (or, with a reason, to `OPEN`); whoever adds an id to an
address adds it to the staged ids. Pages stand in `hub.web.routes`.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import select

from hub.policy.roles import Permission
from hub.storage.database import Base
from hub.workflows.hub import Hub
from support.staged import AGREEMENT, CONTRACT

__all__ = ["KEY", "NEEDED", "OPEN", "QUERY", "RUN", "changed", "kept", "operations", "parameters"]

#: What needs no token: signing in, and what a connector must know before it can.
OPEN = {
    ("GET", "/api/openapi.json"), ("GET", "/api/docs"), ("GET", "/api/v1/hub"), ("POST", "/api/v1/enrolments"),
}  # fmt: skip

_P = Permission
KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
_MANIFEST: dict[str, Any] = {"manifest": {}, "signature": "x"}
RUN = {"plugin": "counting", "agreement": "planning"}
_QUESTION = {"operation": "run plugin", "contract": CONTRACT.id, "organisation": "police"}

#: The permission each operation needs, and a body that is valid as far as its schema goes. Who reaches the
#: workflow with the permission gets an answer other than 403; who does not have it gets 403 and nothing else.
NEEDED: dict[tuple[str, str], tuple[Permission, Any]] = {
    ("GET", "/api/v1/organisations"): (_P.READ_CATALOGUE, None),
    ("POST", "/api/v1/organisations"): (_P.MANAGE_ORGANISATIONS, {"slug": "Not A Slug", "name": "x"}),
    ("POST", "/api/v1/organisations/{slug}/invitations"): (_P.MANAGE_CLIENTS, None),
    ("POST", "/api/v1/clients"): (
        _P.MANAGE_CLIENTS, {"organisation": "nobody", "name": "x", "roles": ["connector"], "signing_key": KEY},
    ),
    ("DELETE", "/api/v1/clients/{client_id}"): (_P.MANAGE_CLIENTS, None),
    ("GET", "/api/v1/registrations"): (_P.MANAGE_CLIENTS, None),
    ("POST", "/api/v1/organisations/{slug}/approve"): (_P.MANAGE_ORGANISATIONS, None),
    ("POST", "/api/v1/organisations/{slug}/refuse"): (_P.MANAGE_ORGANISATIONS, None),
    ("DELETE", "/api/v1/organisations/{slug}"): (_P.MANAGE_ORGANISATIONS, None),
    ("POST", "/api/v1/clients/{client_id}/approve"): (_P.MANAGE_CLIENTS, {}),
    ("POST", "/api/v1/clients/{client_id}/refuse"): (_P.MANAGE_CLIENTS, None),
    ("PUT", "/api/v1/signing-key"): (
        _P.READ_CATALOGUE, {"signing_key": KEY, "assertion": "a.b.c", "proof": "a.b.c"},
    ),
    ("POST", "/api/v1/users"): (
        _P.MANAGE_USERS,
        {"username": "x y", "name": "x", "organisation": "police", "roles": ["analyst"], "password": "p" * 12},
    ),
    ("GET", "/api/v1/users"): (_P.MANAGE_USERS, None),
    ("GET", "/api/v1/users/{user_id}"): (_P.MANAGE_USERS, None),
    ("PATCH", "/api/v1/users/{user_id}"): (_P.MANAGE_USERS, {"roles": ["analyst"]}),
    ("POST", "/api/v1/users/{user_id}/codes"): (_P.MANAGE_USERS, {}),
    ("PUT", "/api/v1/users/{user_id}/subject"): (_P.MANAGE_USERS, {"subject": "x"}),
    ("DELETE", "/api/v1/users/{user_id}/sessions"): (_P.MANAGE_USERS, None),
    ("PUT", "/api/v1/datasets/{dataset}"): (_P.PUSH_DELIVERIES, {"contract": "not: a contract"}),
    ("GET", "/api/v1/datasets"): (_P.READ_CATALOGUE, None),
    ("GET", "/api/v1/datasets/{dataset}"): (_P.READ_CATALOGUE, None),
    ("GET", "/api/v1/datasets/{dataset}/contract"): (_P.READ_CATALOGUE, None),
    ("GET", "/api/v1/datasets/{dataset}/metadata"): (_P.READ_CATALOGUE, None),
    ("PUT", "/api/v1/datasets/{dataset}/metadata"): (_P.DESCRIBE_DATASETS, {"summary": "Who is where"}),
    ("PUT", "/api/v1/datasets/{dataset}/visibility"): (_P.DESCRIBE_DATASETS, {"visibility": "listed"}),
    ("GET", "/api/v1/datasets/{dataset}/lineage"): (_P.READ_CATALOGUE, None),
    ("GET", "/api/v1/catalogue"): (_P.READ_CATALOGUE, None),
    ("GET", "/api/v1/catalogue.jsonld"): (_P.READ_CATALOGUE, None),
    ("GET", "/api/v1/catalogue.ttl"): (_P.READ_CATALOGUE, None),
    ("GET", "/api/v1/catalogue/{dataset}"): (_P.READ_CATALOGUE, None),
    ("GET", "/api/v1/catalogue/{dataset}.jsonld"): (_P.READ_CATALOGUE, None),
    ("GET", "/api/v1/catalogue/{dataset}.ttl"): (_P.READ_CATALOGUE, None),
    ("POST", "/api/v1/datasets/{dataset}/contract/check"): (_P.PUSH_DELIVERIES, {"contract": "not: a contract"}),
    ("GET", "/api/v1/contracts/proposals"): (_P.READ_CATALOGUE, None),
    ("GET", "/api/v1/contracts/proposals/{proposal_id}"): (_P.READ_CATALOGUE, None),
    ("POST", "/api/v1/contracts/proposals/{proposal_id}/{verdict}"): (_P.DECIDE_CONTRACTS, {"reason": "looked at it"}),
    ("POST", "/api/v1/deliveries"): (_P.PUSH_DELIVERIES, _MANIFEST),
    ("PUT", "/api/v1/deliveries/{delivery_id}/files/{role}/parts/{part}"): (_P.PUSH_DELIVERIES, None),
    ("POST", "/api/v1/deliveries/{delivery_id}/complete"): (_P.PUSH_DELIVERIES, None),
    ("POST", "/api/v1/datasets/{dataset}/uploads"): (_P.PUSH_DELIVERIES, None),
    ("GET", "/api/v1/deliveries"): (_P.READ_DELIVERIES, None),
    ("GET", "/api/v1/deliveries/{delivery_id}"): (_P.READ_DELIVERIES, None),
    ("GET", "/api/v1/deliveries/{delivery_id}/faults"): (_P.READ_DELIVERIES, None),
    ("GET", "/api/v1/deliveries/{delivery_id}/faults.csv"): (_P.READ_DELIVERIES, None),
    ("GET", "/api/v1/datasets/{dataset}/questions"): (_P.ASK_FOR_DATA, None),
    ("GET", "/api/v1/requests"): (_P.READ_REQUESTS, None),
    ("POST", "/api/v1/requests"): (_P.ASK_FOR_DATA, {"dataset": "none"}),
    ("GET", "/api/v1/requests/{request_id}"): (_P.READ_REQUESTS, None),
    ("POST", "/api/v1/requests/{request_id}/answer"): (_P.ASK_FOR_DATA, {"words": "until July"}),
    ("POST", "/api/v1/requests/{request_id}/withdraw"): (_P.ASK_FOR_DATA, None),
    ("POST", "/api/v1/requests/{request_id}/{verdict}"): (_P.ANSWER_REQUESTS, {"words": "as discussed"}),
    ("GET", "/api/v1/agreements"): (_P.READ_AGREEMENTS, None),
    ("POST", "/api/v1/agreements"): (_P.MANAGE_AGREEMENTS, {"text": AGREEMENT}),
    ("GET", "/api/v1/agreements/{agreement_id}"): (_P.READ_AGREEMENTS, None),
    ("POST", "/api/v1/agreements/{agreement_id}/withdraw"): (_P.MANAGE_AGREEMENTS, None),
    ("POST", "/api/v1/agreements/explain"): (_P.READ_AGREEMENTS, _QUESTION),
    ("GET", "/api/v1/agreements/{agreement_id}/signatures"): (_P.READ_AGREEMENTS, None),
    ("GET", "/api/v1/agreements/{agreement_id}/statement"): (_P.READ_AGREEMENTS, None),
    ("GET", "/api/v1/agreements/{agreement_id}/text"): (_P.READ_AGREEMENTS, None),
    ("PUT", "/api/v1/agreements/{agreement_id}"): (_P.MANAGE_AGREEMENTS, {"text": AGREEMENT}),
    ("POST", "/api/v1/agreements/{agreement_id}/submit"): (_P.MANAGE_AGREEMENTS, None),
    ("POST", "/api/v1/agreements/{agreement_id}/approve"): (_P.MANAGE_AGREEMENTS, None),
    ("POST", "/api/v1/agreements/{agreement_id}/return"): (_P.MANAGE_AGREEMENTS, {"reason": "read all of it"}),
    ("POST", "/api/v1/agreements/{agreement_id}/signatures"): (
        _P.MANAGE_AGREEMENTS, {"organisation": "police", "signer": "Somebody", "signature": "x"},
    ),
    ("GET", "/api/v1/organisations/{slug}/signing-keys"): (_P.READ_AGREEMENTS, None),
    ("POST", "/api/v1/organisations/{slug}/signing-keys"): (_P.MANAGE_SIGNING_KEYS, {"public_key": "x"}),
    ("POST", "/api/v1/signing-keys/{key_id}/approve"): (_P.MANAGE_SIGNING_KEYS, None),
    ("POST", "/api/v1/signing-keys/{key_id}/revoke"): (_P.MANAGE_SIGNING_KEYS, {}),
    ("GET", "/api/v1/plugins"): (_P.READ_RUNS, None),
    ("POST", "/api/v1/plugins/register"): (_P.MANAGE_RUNS, None),
    ("GET", "/api/v1/schedules"): (_P.READ_RUNS, None),
    ("POST", "/api/v1/schedules"): (_P.MANAGE_RUNS, RUN | {"cron": "never"}),
    ("POST", "/api/v1/schedules/{schedule_id}/pause"): (_P.MANAGE_RUNS, None),
    ("POST", "/api/v1/schedules/{schedule_id}/resume"): (_P.MANAGE_RUNS, None),
    ("GET", "/api/v1/runs"): (_P.READ_RUNS, None),
    ("POST", "/api/v1/runs"): (_P.MANAGE_RUNS, RUN | {"agreement": "none"}),
    ("GET", "/api/v1/runs/{run_id}"): (_P.READ_RUNS, None),
    ("POST", "/api/v1/runs/{run_id}/cancel"): (_P.MANAGE_RUNS, None),
    ("GET", "/api/v1/results/{result_id}"): (_P.READ_RESULTS, None),
    ("GET", "/api/v1/results/{result_id}/tables/{name}.csv"): (_P.READ_RESULTS, None),
    ("POST", "/api/v1/results/{result_id}/{act}"): (_P.REVIEW_RESULTS, {"reason": "looked at it"}),
    ("GET", "/api/v1/rights/requests"): (_P.HANDLE_RIGHTS, None),
    ("POST", "/api/v1/rights/requests"): (
        _P.HANDLE_RIGHTS,
        {"person": {"nhs_number": "9990000026"}, "kind": "access", "wish": "a copy of it", "reason": "wrote to us",
         "received_on": "2026-03-03"},
    ),
    ("GET", "/api/v1/rights/requests/{rights_id}"): (_P.HANDLE_RIGHTS, None),
    ("POST", "/api/v1/rights/requests/{rights_id}/copy"): (_P.HANDLE_RIGHTS, {}),
    ("GET", "/api/v1/rights/requests/{rights_id}/copy.zip"): (_P.HANDLE_RIGHTS, None),
    **{
        ("POST", f"/api/v1/rights/requests/{{rights_id}}/{step}"): (_P.HANDLE_RIGHTS, body)
        for steps, body in (
            (("take", "ask", "restrict"), None),
            (("lift", "extend", "answer", "refuse", "withdraw"), {"text": "this is our answer"}),
        )
        for step in steps
    },
    ("GET", "/api/v1/rights/corrections"): (_P.ANSWER_CORRECTIONS, None),
    ("GET", "/api/v1/rights/corrections/{correction_id}"): (_P.ANSWER_CORRECTIONS, None),
    ("POST", "/api/v1/rights/corrections/{correction_id}/decline"): (_P.ANSWER_CORRECTIONS, {"text": "it is right"}),
    ("POST", "/api/v1/rights/objections/{rights_id}/uphold"): (_P.DECIDE_OBJECTIONS, {"text": "they are right"}),
    ("POST", "/api/v1/rights/objections/{rights_id}/turn-down"): (_P.DECIDE_OBJECTIONS, {"text": "it must go on"}),
    ("GET", "/api/v1/rights/delays"): (_P.READ_DELAYS, None),
    ("POST", "/api/v1/rights/delays"): (_P.DELAY_ENTRIES, {"entry": 1, "months": 1, "reason": "would warn them"}),
    ("POST", "/api/v1/rights/delays/{delay_id}/approve"): (_P.APPROVE_DELAYS, {"text": "looked at it"}),
    ("POST", "/api/v1/rights/delays/{delay_id}/turn-down"): (_P.APPROVE_DELAYS, {"text": "looked at it"}),
    ("POST", "/api/v1/rights/delays/{delay_id}/end"): (_P.READ_DELAYS, None),
    ("GET", "/api/v1/audit/entries"): (_P.READ_AUDIT, None),
    ("GET", "/api/v1/audit/checkpoint"): (_P.READ_AUDIT, None),
    ("GET", "/api/v1/audit/keys"): (_P.READ_AUDIT, None),
    ("GET", "/api/v1/audit/proofs/inclusion"): (_P.READ_AUDIT, None),
    ("GET", "/api/v1/audit/proofs/consistency"): (_P.READ_AUDIT, None),
    ("GET", "/api/v1/audit/export"): (_P.READ_AUDIT, None),
}  # fmt: skip


#: What an operation wants in its query.
QUERY = {
    ("GET", "/api/v1/agreements/{agreement_id}/statement"): {"organisation": "police", "signer": "Somebody"}
}


def operations(app: Any) -> set[tuple[str, str]]:
    """Every method and path of the application under /api and /oauth."""
    return {
        (method, re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(("/api", "/oauth"))
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def parameters(path: str) -> list[str]:
    """The names of the ids in a path."""
    return re.findall(r"\{(\w+)\}", path)


#: Tables that change with every request, whatever comes of it.
_OF_THE_DOORS = (
    "audit_",
    "user_sessions",
    "used_assertions",
    "attempt_pots",
    "sign_in_refusals",
    "citizen_sessions",
)


def kept(hub: Hub) -> dict[str, str]:
    """Everything that a hub keeps, but for what each request changes whatever comes of it."""
    with hub.database.read() as session:
        return {
            name: str(sorted(map(str, session.execute(select(table)).all())))
            for name, table in Base.metadata.tables.items()
            if not name.startswith(_OF_THE_DOORS)
        }


def changed(before: dict[str, str], hub: Hub) -> list[str]:
    """The tables that changed since."""
    after = kept(hub)
    return [name for name in before if before[name] != after[name]]
