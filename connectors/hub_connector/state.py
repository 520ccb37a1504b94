"""What this connector has sent: a small journal, and the folders of deliveries that are not through yet.

The journal holds ids, counts, digests under the connector's own key, places of sources, and how far each growing
source has been read (its mark); no rows. A delivery's folder holds sealed files only and goes once the hub has them
all. Journal and marks are one file, written whole or not at all: a mark moves in the same step in which the delivery
that carried its rows is noted as accepted, so that a process killed at any point neither skips rows nor loses any.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from .errors import ConfigError
from .files import private_folder, write_private

__all__ = ["FINAL", "GONE", "SEALED", "Mark", "Record", "State", "shown_value"]

#: Not all of it has reached the hub.
SEALED: Final = "sealed"
#: The hub does not know it any more.
GONE: Final = "gone"
#: States in which nothing more happens to a delivery.
FINAL: Final = frozenset({"accepted", "refused", "failed", GONE})
#: So many deliveries of each dataset are remembered, to recognise data that was sent before.
_KEPT: Final = 500


@dataclass(frozen=True)
class Record:
    """One delivery. `state` is "sealed" until the hub has all of it, then what the hub last said.

    dataset: the contract's id; name: what the dataset is called here (the same unless the configuration names it
    otherwise). location, options, contract: where its rows came from, to find single rows again; never a secret.
    column, identity, mark_from, mark_to: of a source that grows, how far it had been read before and with this
    delivery. after: rows of the dataset once it was accepted, as far as the hub said.
    """

    id: str
    dataset: str
    contract_digest: str
    mode: str
    source_digest: str
    source: str
    created_at: str
    state: str
    sent: int
    refused: int
    sealing_key_id: str
    name: str = ""
    replays: str = ""
    streamed: bool = False
    location: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    contract: str = ""
    column: str = ""
    identity: str = ""
    mark_from: str | None = None
    mark_to: str | None = None
    after: int | None = None

    @property
    def called(self) -> str:
        """What the dataset is called here."""
        return self.name or self.dataset


@dataclass(frozen=True)
class Mark:
    """How far a growing source has been read, in deliveries that the hub has accepted.

    identity tells the source it belongs to (address, table, column; a digest under the connector's own key);
    value is what the source gave as its high water: the largest value of `column` that was delivered, and on further
    lines whatever else the source wants to remember; delivery the one that moved it.
    """

    identity: str
    column: str
    value: str
    delivery: str
    moved_at: str

    @property
    def shown(self) -> str:
        """The column and its largest value, for people."""
        return f"{self.column} {shown_value(self.value)}"


def shown_value(mark: str) -> str:
    """The part of a source's mark that people can read."""
    return mark.partition("\n")[0][:60]


class State:
    """The journal and the outbox in the connector's state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = private_folder(folder)
        self._journal = self.folder / "journal.json"
        self._outbox = self.folder / "outbox"

    @property
    def lock(self) -> Path:
        """The file to hold while something is sent."""
        return self.folder / "lock"

    # --- the journal

    def records(self) -> list[Record]:
        """All deliveries known here, oldest first.

        Raises:
            ConfigError: when the journal was damaged.
        """
        return self._read()[0]

    def marks(self) -> dict[str, Mark]:
        """The marks by what the datasets are called here.

        Raises:
            ConfigError: when the journal was damaged.
        """
        return self._read()[1]

    def put(self, record: Record) -> None:
        """Add a record, or replace the one with its id."""
        listed, marks = self._read()
        known = [entry.id for entry in listed]
        if record.id in known:
            listed[known.index(record.id)] = record
        else:
            listed.append(record)
        self._write(listed, marks)

    def settle(self, record: Record, state: str, after: int | None = None) -> Record:
        """Note what the hub says of a delivery. When it is accepted, its dataset's mark moves in the same step."""
        listed, marks = self._read()
        changed = replace(record, state=state, after=record.after if after is None else after)
        places = {entry.id: place for place, entry in enumerate(listed)}
        before = listed[places[record.id]] if record.id in places else None
        if changed == before:
            return changed
        if before is None:
            listed.append(changed)
        else:
            listed[places[record.id]] = changed
        if state == "accepted" and (before is None or before.state != state) and record.mark_to is not None:
            marks[record.called] = Mark(record.identity, record.column, record.mark_to, record.id, _now())
        self._write(listed, marks)
        return changed

    def set_mark(self, name: str, mark: Mark) -> None:
        """Put a dataset's mark where somebody said it shall be."""
        listed, marks = self._read()
        self._write(listed, {**marks, name: mark})

    def forget(self, record: Record) -> None:
        """Drop a delivery that will not be sent, and its folder."""
        listed, marks = self._read()
        self._write([known for known in listed if known.id != record.id], marks)
        self.clear(record.id)

    def of(self, dataset: str) -> list[Record]:
        """The deliveries of a dataset (a contract's id), oldest first."""
        return [record for record in self.records() if record.dataset == dataset]

    def get(self, delivery_id: str) -> Record | None:
        """What is known here of a delivery, None when it was not sent from here."""
        return next((record for record in self.records() if record.id == delivery_id), None)

    def find(self, words: str) -> str:
        """The id of a delivery from its id, the first characters of one, "last", or a dataset's name (its last one).

        Raises:
            ConfigError: when nothing or more than one thing is meant.
        """
        records = self.records()
        known = [record.id for record in records]
        if words == "last":
            # Mending a delivery is not what people mean by the last one.
            own = [record.id for record in records if not record.replays] or known
            if not own:
                raise ConfigError("Nothing has been pushed from here yet.", "Push something first.")
            return own[-1]
        if re.fullmatch(r"[0-9A-Fa-f]{32}", words):
            return words.lower()
        found = [name for name in known if name.startswith(words.lower())]
        found = (
            found
            or [
                record.id
                for record in records
                if words in (record.name, record.dataset) and not record.replays
            ][-1:]
        )
        if len(found) != 1:
            what = "More than one delivery begins" if found else "No delivery sent from here begins"
            raise ConfigError(f"{what} with {words!r:.40}.", "`hub-connector status` lists them.")
        return found[0]

    # --- the outbox

    def new_folder(self) -> Path:
        """A new private folder in the outbox, named by a new delivery id."""
        private_folder(self._outbox)
        return private_folder(self._outbox / uuid4().hex)

    def folder_of(self, delivery_id: str) -> Path:
        """Where the sealed files of a delivery are."""
        return self._outbox / delivery_id

    def clear(self, delivery_id: str) -> None:
        """Remove the sealed files of a delivery."""
        shutil.rmtree(self._outbox / delivery_id, ignore_errors=True)

    def sweep(self) -> None:
        """Remove folders that no journal entry waits for: a process was killed while it sealed."""
        waiting = {record.id for record in self.records() if record.state == SEALED}
        if self._outbox.is_dir():
            for folder in self._outbox.iterdir():
                if folder.name not in waiting:
                    shutil.rmtree(folder, ignore_errors=True)

    # --- how

    def _read(self) -> tuple[list[Record], dict[str, Mark]]:
        try:
            document: Any = json.loads(self._journal.read_bytes())
            if isinstance(document, list):  # written before there were marks
                document = {"deliveries": document, "marks": {}}
            records = [Record(**entry) for entry in document["deliveries"]]
            return records, {name: Mark(**entry) for name, entry in document["marks"].items()}
        except FileNotFoundError:
            return [], {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            raise ConfigError(
                f"The journal {self.folder.name}/{self._journal.name} cannot be read.",
                "Move it away; the connector then no longer knows what it sent before and how far it had read "
                "(the hub still knows its deliveries). A source with a watermark is then read from its start.",
            ) from None

    def _write(self, listed: list[Record], marks: Mapping[str, Mark]) -> None:
        entries = [asdict(record) for record in _newest(listed)]
        document = {"deliveries": entries, "marks": {name: asdict(mark) for name, mark in marks.items()}}
        write_private(self._journal, json.dumps(document, indent=1).encode())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _newest(listed: list[Record]) -> list[Record]:
    """The records worth keeping: the newest of each dataset, and all that are not decided."""
    counts: Counter[str] = Counter()
    kept = []
    for record in reversed(listed):
        counts[record.dataset] += 1
        if counts[record.dataset] <= _KEPT or record.state not in FINAL:
            kept.append(record)
    return kept[::-1]
