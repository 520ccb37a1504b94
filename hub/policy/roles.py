"""What each role may do. One table: a permission that stands nowhere here is nobody's."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from hub.errors import Forbidden


class Permission(StrEnum):
    """Something a door can ask for before it goes on."""

    MANAGE_ORGANISATIONS = "manage organisations"
    MANAGE_CLIENTS = "manage connectors"
    MANAGE_USERS = "manage people"
    READ_CATALOGUE = "read the catalogue"
    PUSH_DELIVERIES = "push deliveries"
    READ_DELIVERIES = "read deliveries"
    UPLOAD_FILES = "upload files and mend rows"
    DECIDE_CONTRACTS = "decide about contract changes"
    DESCRIBE_DATASETS = "describe datasets and choose who sees them"
    MANAGE_AGREEMENTS = "manage agreements"
    READ_AGREEMENTS = "read agreements"
    MANAGE_SIGNING_KEYS = "register organisations' signing keys"
    RUN_LINKAGE = "link people and households"
    MANAGE_GEOGRAPHY = "say where postcodes lie"
    READ_REQUESTS = "read requests for data"
    ASK_FOR_DATA = "ask for data"
    ANSWER_REQUESTS = "answer requests for data"
    READ_RUNS = "read runs"
    MANAGE_RUNS = "manage plugins, schedules and runs"
    READ_RESULTS = "read released results"
    REVIEW_RESULTS = "review and release results"
    SEARCH_PEOPLE = "search people and read households"
    REIDENTIFY = "turn pseudonyms of released results back into people"
    READ_AUDIT = "read the audit log"
    HANDLE_RIGHTS = "handle what people ask about their own data"
    ANSWER_CORRECTIONS = "answer corrections of their organisation's data"
    DECIDE_OBJECTIONS = "decide about objections"
    READ_DELAYS = "read delays of entries, and end them"
    DELAY_ENTRIES = "ask that people see entries about them later"
    APPROVE_DELAYS = "decide whether people see entries about them later"
    MANAGE_KEYS = "rotate keys and make backups"
    DESTROY_DATA = "destroy data for good"


_P = Permission

#: Roles of people and of machine clients, with what they may do.
ROLES: Final[dict[str, frozenset[Permission]]] = {
    "operator": frozenset(
        {
            _P.MANAGE_ORGANISATIONS, _P.MANAGE_CLIENTS, _P.MANAGE_USERS, _P.READ_CATALOGUE, _P.READ_DELIVERIES,
            _P.READ_AGREEMENTS, _P.MANAGE_SIGNING_KEYS, _P.RUN_LINKAGE, _P.READ_RUNS, _P.MANAGE_RUNS, _P.READ_RESULTS,
            _P.READ_REQUESTS, _P.MANAGE_GEOGRAPHY, _P.MANAGE_KEYS, _P.DESTROY_DATA,
        }
    ),
    "data steward": frozenset(
        {
            _P.READ_CATALOGUE, _P.READ_DELIVERIES, _P.UPLOAD_FILES, _P.DECIDE_CONTRACTS, _P.DESCRIBE_DATASETS,
            _P.MANAGE_AGREEMENTS, _P.READ_AGREEMENTS, _P.MANAGE_SIGNING_KEYS, _P.READ_RESULTS, _P.DESTROY_DATA,
            _P.ANSWER_CORRECTIONS, _P.DECIDE_OBJECTIONS, _P.READ_REQUESTS, _P.ANSWER_REQUESTS,
        }
    ),
    "analyst": frozenset(
        {
            _P.READ_CATALOGUE, _P.READ_AGREEMENTS, _P.READ_RUNS, _P.MANAGE_RUNS, _P.READ_RESULTS, _P.READ_REQUESTS,
            _P.ASK_FOR_DATA,
        }
    ),
    "service user": frozenset(
        {_P.READ_CATALOGUE, _P.READ_AGREEMENTS, _P.READ_RESULTS, _P.SEARCH_PEOPLE, _P.REIDENTIFY}
    ),
    "output checker": frozenset(
        {_P.READ_CATALOGUE, _P.READ_AGREEMENTS, _P.READ_RUNS, _P.READ_RESULTS, _P.REVIEW_RESULTS}
    ),
    "auditor": frozenset(
        {
            _P.READ_CATALOGUE, _P.READ_AGREEMENTS, _P.READ_DELIVERIES, _P.READ_RUNS, _P.READ_AUDIT,
            _P.READ_REQUESTS,
        }
    ),
    "rights officer": frozenset(
        {_P.READ_CATALOGUE, _P.READ_AGREEMENTS, _P.HANDLE_RIGHTS, _P.READ_DELAYS, _P.APPROVE_DELAYS}
    ),
    "investigating officer": frozenset(
        {_P.READ_CATALOGUE, _P.READ_AGREEMENTS, _P.SEARCH_PEOPLE, _P.READ_DELAYS, _P.DELAY_ENTRIES}
    ),
    "connector": frozenset({_P.READ_CATALOGUE, _P.PUSH_DELIVERIES, _P.READ_DELIVERIES}),
}  # fmt: skip

#: Roles a person may hold; `connector` belongs to machines.
PERSON_ROLES: Final = tuple(role for role in ROLES if role != "connector")


#: The scope that carries a permission in an access token (RFC 6749 section 3.3): one for each, and no two the same.
SCOPES: Final[dict[Permission, str]] = {
    _P.MANAGE_ORGANISATIONS: "organisations:manage",
    _P.MANAGE_CLIENTS: "clients:manage",
    _P.MANAGE_USERS: "accounts:manage",
    _P.READ_CATALOGUE: "catalogue:read",
    _P.PUSH_DELIVERIES: "deliveries:push",
    _P.READ_DELIVERIES: "deliveries:read",
    _P.UPLOAD_FILES: "files:upload",
    _P.DECIDE_CONTRACTS: "contracts:decide",
    _P.DESCRIBE_DATASETS: "datasets:describe",
    _P.MANAGE_AGREEMENTS: "agreements:manage",
    _P.READ_AGREEMENTS: "agreements:read",
    _P.MANAGE_SIGNING_KEYS: "signing-keys:manage",
    _P.MANAGE_GEOGRAPHY: "geography:manage",
    _P.RUN_LINKAGE: "linkage:run",
    _P.READ_REQUESTS: "requests:read",
    _P.ASK_FOR_DATA: "requests:ask",
    _P.ANSWER_REQUESTS: "requests:answer",
    _P.READ_RUNS: "runs:read",
    _P.MANAGE_RUNS: "runs:manage",
    _P.READ_RESULTS: "results:read",
    _P.REVIEW_RESULTS: "results:review",
    _P.SEARCH_PEOPLE: "people:search",
    _P.REIDENTIFY: "people:reidentify",
    _P.READ_AUDIT: "audit:read",
    _P.HANDLE_RIGHTS: "rights:handle",
    _P.ANSWER_CORRECTIONS: "corrections:answer",
    _P.DECIDE_OBJECTIONS: "objections:decide",
    _P.READ_DELAYS: "delays:read",
    _P.DELAY_ENTRIES: "delays:ask",
    _P.APPROVE_DELAYS: "delays:approve",
    _P.MANAGE_KEYS: "keys:manage",
    _P.DESTROY_DATA: "data:destroy",
}


def scopes_of(roles: Iterable[str]) -> frozenset[str]:
    """All scopes that some roles give."""
    return frozenset(SCOPES[item] for item in permissions_of(roles) if item in SCOPES)


def in_scope(scopes: frozenset[str] | None, permission: Permission) -> bool:
    """Whether scopes leave a permission in place; None leaves all, a permission without a scope is left by none."""
    return scopes is None or SCOPES.get(permission) in scopes


def permissions_of(roles: Iterable[str]) -> frozenset[Permission]:
    """All permissions of some roles; an unknown role gives none."""
    return frozenset().union(*(ROLES.get(role, frozenset()) for role in roles))


def may(roles: Iterable[str], permission: Permission) -> bool:
    """Whether one of the roles carries the permission."""
    return permission in permissions_of(roles)


def require(roles: Iterable[str], permission: Permission) -> None:
    """Go on only with the permission.

    Raises:
        Forbidden: naming the permission and the roles that carry it.
    """
    roles = list(roles)
    if not may(roles, permission):
        carriers = ", ".join(role for role, granted in ROLES.items() if permission in granted)
        raise Forbidden(
            f"You may not {permission.value}: that needs the role {carriers}, and yours is "
            f"{', '.join(sorted(roles)) or 'none'}. Ask the hub's operator."
        )
