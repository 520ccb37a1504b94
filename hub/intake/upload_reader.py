"""The process that reads an uploaded file: `python -m hub.intake.upload_reader BRIEF ANSWER`, both open descriptors.

Everything it does with the file is the connector's doing: finding out the format, the encoding and the header, checking
row by row, sealing. So it does not matter for the rows which way they came. The answer holds the `upload`.
"""

from __future__ import annotations

import base64
import errno
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from hub.errors import Invalid, TooLarge
from hub.intake.guarding import GUARDED, bare
from hub.intake.upload_brief import UploadBrief
from hub.isolation import inside

if TYPE_CHECKING:
    import pyarrow as pa

    from hub_connector.checking import Summary
    from hub_connector.errors import ConnectorError
    from hub_connector.packing import Package
    from hub_connector.sources import Reading, Recognise, Source
    from hub_connector.sources.base import Update
    from hub_schemas import Contract, Outcome

__all__ = ["packed"]


def packed(brief: UploadBrief) -> dict[str, Any]:
    """Read, check and seal a file.

    Raises:
        Invalid: when it cannot be read at all, or no row of a replay is mended.
        TooLarge: when it unpacks to more than an upload may hold.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from hub_connector.checking import Summary
    from hub_connector.errors import ConnectorError
    from hub_connector.keys import SigningKey
    from hub_connector.packing import Packer, checked_contract
    from hub_connector.packing import source_digest as digest_of
    from hub_schemas import load_contract

    contract, summary = load_contract(brief.contract), Summary()
    # The hub signs, and knows the data again, by keys that are not in this process: these two say nothing to it.
    key = SigningKey(Ed25519PrivateKey.generate())
    packer = Packer("", key, brief.sealing_key, brief.part_size)
    with tempfile.TemporaryDirectory() as scratch:
        folder = _folder(Path(scratch), brief)
        try:
            source = _source(brief)
            mended = _mended(brief, source, checked_contract(contract, brief.mode)) if brief.replays else None
            digest = digest_of(key, mended or source, contract, brief.mode, replays=brief.replays)
            package = packer.pack(
                contract,
                mended or source,
                brief.mode,
                folder,
                digest,
                summary,
                _measure(brief),
                replays=mended,
            )
        except ConnectorError as error:
            raise _too_large(brief) if _is_full(brief) else Invalid(_in_page_words(error)) from None
        except OSError as error:
            raise _too_large(brief) if error.errno == errno.EFBIG or _is_full(brief) else error from None
    if mended is not None:
        mended.number_summary(summary)
    answer = _answer(contract, package, summary, replay=mended is not None)
    answer["findings"]["left_out"] = len(mended.closed) if mended is not None else 0
    return answer


def _answer(contract: Contract, package: Package, summary: Summary, *, replay: bool) -> dict[str, Any]:
    lines = [
        [line.rule, line.column, line.count, line.rows[0] if line.rows else None, line.message]
        for line in summary.by_count()[:100]
    ]
    return {
        "files": [
            {name: file[name] for name in ("role", "rows", "key_material")} for file in package.manifest["files"]
        ],
        "source_rows": summary.rows,
        "findings": {
            "rows": summary.rows, "accepted": summary.accepted, "refused": summary.refused, "notes": summary.notes,
            # What is still at fault in a replay stays open, and does not count against it.
            "refusal": "" if replay else summary.would_be_refused(contract),
            "warnings": summary.warnings, "lines": lines,
        },
    }  # fmt: skip


# --- the file


class MemoryBlob:
    """An open file without a place: what the connector's readers read."""

    settled = True

    def __init__(self, name: str, fd: int) -> None:
        self.name, self._fd = name, fd

    def open(self) -> BinaryIO:
        """A new stream from the first byte, with a position of its own."""
        return open(f"/proc/self/fd/{self._fd}", "rb")


def _source(brief: UploadBrief) -> Source:
    from hub_connector.sources.formats import open_blob
    from hub_connector.sources.spreadsheet import SpreadsheetSource

    source = open_blob(MemoryBlob(brief.name, brief.source), {})
    if isinstance(source, SpreadsheetSource):
        from hub_connector.sources._workbook import Workbook

        # The connector reads workbooks in a process with limits; this is one already.
        return SpreadsheetSource(source.blob, source._options, Workbook)
    return source


def _mended(brief: UploadBrief, source: Source, contract: Contract) -> Any:
    from hub.intake.ledger import unpack
    from hub_connector.mending import Mended

    still_open = unpack(base64.b64decode(brief.open_rows), brief.open_most).tolist()
    mended = Mended(Unguarded(source), brief.replays, still_open, contract)
    if not mended.rows:
        raise Invalid(
            f"{brief.name} holds no row that is still open in this delivery: they came mended before, or their numbers "
            "(the first column) were changed. Download the rows at fault again and mend those."
        )
    return mended


class Unguarded:
    """Rows that were downloaded from the hub's pages: what began like a formula has an apostrophe before it."""

    streamed = False

    def __init__(self, source: Source) -> None:
        self._source, self.name = source, source.name

    def read(self, recognise: Recognise | None = None) -> Reading:
        """The rows as they were sent."""
        from hub_connector.sources import Reading

        reading = self._source.read(recognise)
        columns = tuple(map(bare, reading.columns))
        return Reading(columns, reading.notes, self._bare(reading, columns))

    def fingerprint(self, update: Update) -> None:
        """As the source itself."""
        self._source.fingerprint(update)

    def _bare(self, reading: Reading, names: tuple[str, ...]) -> Iterator[Any]:
        from dataclasses import replace

        for batch in reading.batches:
            table = batch.table.rename_columns(list(names))
            for place, column in enumerate(table.columns):
                table = table.set_column(place, names[place], _bare_column(column))
            spoilt = tuple(replace(row, cells=tuple(map(bare, row.cells))) for row in batch.spoilt)
            yield replace(batch, table=table, spoilt=spoilt)


def _bare_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.replace_substring_regex(column, GUARDED, r"\1") if pa.types.is_string(column.type) else column


# --- limits


def _folder(scratch: Path, brief: UploadBrief) -> Path:
    """The folder that the connector's code writes a delivery into: what it writes there goes into the memory files."""
    folder = scratch / brief.delivery_id
    folder.mkdir(mode=0o700)
    for role, fd in brief.outputs.items():
        (folder / f"{role}.parquet").symlink_to(f"/proc/self/fd/{fd}")
    return folder


def _measure(brief: UploadBrief) -> Any:
    """Counts what is read, so that a file that unpacks without end comes to one."""
    seen = 0

    def each(outcome: Outcome) -> None:
        nonlocal seen
        seen += outcome.accepted.nbytes + outcome.refused.nbytes + outcome.faults.nbytes
        if seen > brief.most_read:
            raise _too_large(brief)

    return each


def _is_full(brief: UploadBrief) -> bool:
    return any(os.fstat(fd).st_size >= brief.most_sealed for fd in brief.outputs.values())


def _too_large(brief: UploadBrief) -> TooLarge:
    return TooLarge(
        f"{brief.name} unpacks to more than an upload may hold. Use hub-connector push, which takes data of any size, "
        "or split the file and add the parts one by one."
    )


# --- words


def _in_page_words(error: ConnectorError) -> str:
    """What is wrong and what to do next, without the connector's command line, which nobody has here."""
    sentences = re.split(r"(?<=[.!?])\s+", error.hint)
    hint = " ".join(text for text in sentences if "--" not in text and "hub-connector" not in text)
    return (
        f"{error.message} {hint or 'Open it in a spreadsheet program, save it as CSV (UTF-8) and try again.'}"
    )


def uploaded(request: bytes) -> dict[str, Any]:
    """Read the file of a brief."""
    return {"upload": packed(UploadBrief.from_json(request))}


if __name__ == "__main__":
    inside.work(int(sys.argv[1]), int(sys.argv[2]), uploaded)
