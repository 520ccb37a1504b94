"""Whether datasets of several publishers under one contract id fit together, and with those who read them.

Every publisher has its own versions of a contract. Those who read under an agreement see them as one table, so a
dataset whose columns are missing or of another type must be found before it spoils what the others sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy.orm import Session

from hub.catalogue import store as catalogue
from hub.catalogue.store import Version
from hub.errors import Conflict
from hub.policy.decide import Grant
from hub_schemas import Contract, library
from hub_sdk import Input

__all__ = ["LINKED_ROLES", "check_fit", "linkage_roles", "misfit"]

#: Roles of columns that linking reads -> types that can stand for them (a number stands for its digits).
LINKED_ROLES: Final = {
    "forename": ("string",), "surname": ("string",), "date_of_birth": ("date", "timestamp"), "sex": ("string",),
    "postcode": ("string",), "uprn": ("string", "integer"), "nhs_number": ("string", "integer"),
    "nino": ("string",), "upn": ("string",),
}  # fmt: skip


def check_fit(session: Session, wanted: Input, chosen: Sequence[tuple[str, Version]]) -> None:
    """Go on only if all versions behind a plugin's input have its columns, of the same types.

    `chosen` holds datasets' names (publisher/contract) and versions. Types are those of the library's contract where
    there is one, else those of the first dataset.

    Raises:
        Conflict: naming the dataset that does not fit, the column, and what can be done.
    """
    known = wanted.contract in library.names()
    expected, source = (library.load(wanted.contract), "the library's contract") if known else (None, "")
    for name, version in chosen:
        contract = catalogue.contract_by_digest(session, version.contract_digest)
        columns = {column.name: column.type for column in contract.columns}
        if missing := sorted(set(wanted.columns) - set(columns)):
            raise Conflict(
                f"The dataset {name} (version {version.number}, contract {contract.version}) has no column "
                f"{', '.join(missing)}, which this plugin reads. Its publisher has to deliver again under a contract "
                "that has it, or the agreement has to leave this publisher out."
            )
        if expected is None:
            expected, source = contract, f"the dataset {name}"
        for column in wanted.columns:
            if column not in {item.name for item in expected.columns}:
                continue
            if columns[column] != (right := expected.column(column).type):
                raise Conflict(
                    f"The dataset {name} (version {version.number}, contract {contract.version}) gives {column} as "
                    f"{columns[column]}, {source} as {right}: they cannot be read together. Its publisher has to "
                    "deliver again under a contract that fits, or the agreement has to leave this publisher out."
                )


def linkage_roles(contract: Contract, grant: Grant) -> dict[str, str]:
    """The columns that linking may read under a grant: role -> column. What is given coarsely is of no use to it."""
    return {
        column.linkage_role: column.name
        for column in contract.columns
        if column.linkage_role in LINKED_ROLES and grant.exact(column.name)
    }


def misfit(contract: Contract, grant: Grant) -> str:
    """Why a dataset cannot be linked with the others under what an agreement gives of it; empty when it can.

    A dataset that does not fit is left out of the linking of everybody else's, and this is said about it.
    """
    roles = linkage_roles(contract, grant)
    if "surname" not in roles:
        return "its contract has no column for surnames that the agreement gives"
    wrong = [
        f"{name} is {contract.column(name).type}, linking needs {' or '.join(LINKED_ROLES[role])}"
        for role, name in roles.items()
        if contract.column(name).type not in LINKED_ROLES[role]
    ]
    if wrong:
        return "; ".join(wrong)
    lacking = [name for name in contract.primary_key if not grant.exact(name)]
    if lacking and len(lacking) < len(contract.primary_key):
        return f"the agreement gives only a part of its key, without {', '.join(lacking)}"
    return ""
