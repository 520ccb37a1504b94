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
    MANAGE_AGREEMENTS = "manage agreements"
    READ_AGREEMENTS = "read agreements"
    RUN_LINKAGE = "link people and households"
    READ_RUNS = "read runs"
    MANAGE_RUNS = "manage plugins, schedules and runs"
    READ_RESULTS = "read released results"
    REVIEW_RESULTS = "review and release results"
    SEARCH_PEOPLE = "search people and read households"
    REIDENTIFY = "turn pseudonyms of released results back into people"
    READ_AUDIT = "read the audit log"
    MANAGE_KEYS = "rotate keys and make backups"
    DESTROY_DATA = "destroy data for good"


_P = Permission

#: Roles of people and of machine clients, with what they may do.
ROLES: Final[dict[str, frozenset[Permission]]] = {
    "operator": frozenset(
        {
            _P.MANAGE_ORGANISATIONS, _P.MANAGE_CLIENTS, _P.MANAGE_USERS, _P.READ_CATALOGUE, _P.READ_DELIVERIES,
            _P.READ_AGREEMENTS, _P.RUN_LINKAGE, _P.READ_RUNS, _P.MANAGE_RUNS, _P.READ_RESULTS,
            _P.MANAGE_KEYS, _P.DESTROY_DATA,
        }
    ),
    "data steward": frozenset(
        {
            _P.READ_CATALOGUE, _P.READ_DELIVERIES, _P.UPLOAD_FILES, _P.DECIDE_CONTRACTS, _P.MANAGE_AGREEMENTS,
            _P.READ_AGREEMENTS, _P.READ_RESULTS, _P.DESTROY_DATA,
        }
    ),
    "analyst": frozenset(
        {_P.READ_CATALOGUE, _P.READ_AGREEMENTS, _P.READ_RUNS, _P.MANAGE_RUNS, _P.READ_RESULTS}
    ),
    "service user": frozenset(
        {_P.READ_CATALOGUE, _P.READ_AGREEMENTS, _P.READ_RESULTS, _P.SEARCH_PEOPLE, _P.REIDENTIFY}
    ),
    "output checker": frozenset(
        {_P.READ_CATALOGUE, _P.READ_AGREEMENTS, _P.READ_RUNS, _P.READ_RESULTS, _P.REVIEW_RESULTS}
    ),
    "auditor": frozenset(
        {_P.READ_CATALOGUE, _P.READ_AGREEMENTS, _P.READ_DELIVERIES, _P.READ_RUNS, _P.READ_AUDIT}
    ),
    "connector": frozenset({_P.READ_CATALOGUE, _P.PUSH_DELIVERIES, _P.READ_DELIVERIES}),
}  # fmt: skip

#: Roles a person may hold; `connector` belongs to machines.
PERSON_ROLES: Final = tuple(role for role in ROLES if role != "connector")


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
