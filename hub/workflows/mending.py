"""Mending: the rows at fault of a delivery, as they were sent, for the department that sent them and nobody else."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from hub.catalogue import store as catalogue
from hub.errors import Conflict, NotFound, TooLarge
from hub.identity.principal import Principal
from hub.intake import store as intake
from hub.intake.guarding import guard
from hub.intake.ledger import unpack
from hub.intake.verify import quarantine_binding
from hub.policy.decide import whole_file
from hub.policy.roles import Permission
from hub.workflows import overview
from hub.workflows.hub import Hub, authorise, note
from hub.workflows.replaying import replay_mode, replay_problem
from hub_connector.mending import FAULT_NAMES, NUMBER_NAMES
from hub_schemas import Contract
from hub_schemas.delivery import ROW_NUMBER

__all__ = ["MOST_ROWS", "can_be_mended", "rows_at_fault"]

#: More rows at fault than these nobody mends by hand.
MOST_ROWS: Final = 100_000


def can_be_mended(hub: Hub, principal: Principal, delivery_id: str) -> str | None:
    """Why no row of a delivery can be mended by this principal; None when some can."""
    authorise(principal, Permission.READ_DELIVERIES)
    with hub.database.read() as session:
        delivery = intake.get(session, delivery_id)
        if delivery.organisation_id != principal.organisation_id:
            return "Only the organisation that sent a delivery mends its rows."
        return replay_problem(session, delivery_id, delivery.dataset_id, replay_mode(delivery.mode))


def rows_at_fault(hub: Hub, principal: Principal, delivery_id: str) -> str:
    """The rows of a delivery that are still open, as CSV: the row's number first, the columns as sent, its faults last.

    Reading them is an act of its own in the audit log. What a spreadsheet would run as a formula is guarded
    (`hub.intake.guarding`); uploading the mended rows undoes that.

    Raises:
        NotFound: when there is no such delivery of the principal's own organisation.
        Conflict: when no row of it can be mended any more.
        TooLarge: when there are more than anybody mends by hand.
    """
    authorise(principal, Permission.UPLOAD_FILES)
    with hub.database.read() as session:
        delivery = intake.get(session, delivery_id)
        if delivery.organisation_id != principal.organisation_id:
            raise NotFound(f"There is no delivery {delivery_id}.")
        why = replay_problem(session, delivery_id, delivery.dataset_id, replay_mode(delivery.mode))
        if why is not None:
            raise Conflict(why)
        if delivery.refused > MOST_ROWS:
            raise TooLarge(
                f"{delivery.refused:,} rows are at fault; up to {MOST_ROWS:,} are given out to be mended by hand. Mend "
                "the source of the data and send it again."
            )
        contract = catalogue.contract_by_digest(session, delivery.manifest["contract"]["digest"])
        files = [
            hub.vault.locate(session, kept["object"], quarantine_binding(delivery_id, role))
            for role, kept in delivery.quarantine.items()
            if role in ("refused", "refused-by-hub")
        ]
        still_open = pa.array(unpack(intake.open_rows(session, delivery_id) or b"", delivery.sent))
    shape = contract.key_contract() if delivery.mode == "delete" else contract
    with hub.database.write() as session:
        note(session, principal, "refused-rows.read", delivery_id, detail={"rows": delivery.refused})
    names = [ROW_NUMBER, *(column.name for column in shape.columns)]
    grant = whole_file(contract.id, "the department reads its own rows at fault, to mend them")
    table = pa.concat_tables([hub.vault.read(file, names, grant) for file in files])
    table = table.filter(pc.is_in(table[ROW_NUMBER], still_open)).sort_by(ROW_NUMBER)
    return _csv(table, shape, _wrong(overview.faults(hub, principal, delivery_id)))


def _wrong(faults: pa.Table) -> dict[int, str]:
    """What is wrong with each row, in words without values."""
    found: dict[int, list[str]] = {}
    columns = (faults[name].to_pylist() for name in ("row", "column", "message"))
    for row, column, message in zip(*columns, strict=True):
        if row is not None:
            found.setdefault(row, []).append(f"{column}: {message}" if column else message)
    return {row: "; ".join(words) for row, words in found.items()}


def _csv(table: pa.Table, contract: Contract, wrong: dict[int, str]) -> str:
    """UTF-8 with a byte order mark once it is encoded, so that spreadsheet programs know it for what it is."""
    headers = [column.source_name for column in contract.columns]
    first, last = (_free(choice, headers) for choice in (NUMBER_NAMES, FAULT_NAMES))
    stream = io.StringIO()
    stream.write("\ufeff")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([first, *map(guard, headers), last])
    for row, *cells in zip(*(column.to_pylist() for column in table.columns), strict=True):
        writer.writerow([row, *(guard(cell or "") for cell in cells), guard(wrong.get(row, ""))])
    return stream.getvalue()


def _free(choice: Sequence[str], columns: Sequence[str]) -> str:
    taken = {column.strip().lower() for column in columns}
    return next((name for name in choice if name not in taken), choice[-1])
