"""Whether what an agreement generalises can be made coarse, and does not stand exactly elsewhere in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.policy.agreement import Agreement
from hub_schemas import Contract

__all__ = ["coarse_problems"]

#: Columns of the hub's own people that are the same as a column of that linkage role in a department's dataset.
_PEOPLE = "hub.people"


def coarse_problems(agreement: Agreement, contracts: Mapping[str, Sequence[Contract]]) -> list[str]:
    """Why an agreement cannot generalise what it says, in words; `contracts` are those known under each id it names.

    Looked for: a column whose type has no such coarse form, and one that plays a part in linking (a date of birth, a
    postcode) which is coarse in one dataset and exact in another: rows of the same person stand side by side.
    """
    problems, coarse, exact = [], {}, {}
    for terms in agreement.datasets:
        by_column = {item.column: item for item in terms.generalise}
        for contract in contracts[terms.contract]:
            for column in contract.columns:
                if column.name not in terms.columns:
                    continue
                item = by_column.get(column.name)
                if item is not None and column.type not in item.types:
                    problems.append(
                        f"{column.name} of {contract.id} is of type {column.type}, and {item.words} is made from "
                        f"{' or '.join(item.types)}"
                    )
                role = column.name if contract.id == _PEOPLE else column.linkage_role
                if role:
                    (exact if item is None else coarse).setdefault(role, f"{column.name} of {contract.id}")
    problems += [
        f"{coarse[role]} is coarse and {exact[role]} exact: they are the same person's; generalise both or neither"
        for role in sorted(coarse.keys() & exact.keys())
    ]
    return list(dict.fromkeys(problems))
