"""What this connector has sent: a small journal, and the folders of deliveries that are not through yet.

The journal holds ids, counts, digests under the connector's own key and file names; no data. A delivery's folder
holds sealed files only and goes once the hub has them all.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from .errors import ConfigError
from .files import private_folder, write_private

__all__ = ["FINAL", "Record", "State"]

#: States of the hub in which nothing more happens to a delivery.
FINAL: Final = frozenset({"accepted", "refused", "failed"})
_KEPT: Final = 500


@dataclass(frozen=True)
class Record:
    """One delivery. `state` is "sealed" until the hub has all of it, then what the hub last said."""

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

    def records(self) -> list[Record]:
        """All deliveries known here, oldest first.

        Raises:
            ConfigError: when the journal was damaged.
        """
        try:
            listed: list[dict[str, Any]] = json.loads(self._journal.read_bytes())
            return [Record(**entry) for entry in listed]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError):
            raise ConfigError(
                f"The journal {self._journal} cannot be read.",
                "Move it away; the connector then no longer knows what it sent before, the hub still does.",
            ) from None

    def put(self, record: Record) -> None:
        """Add a record, or replace the one with its id."""
        listed = self.records()
        known = [entry.id for entry in listed]
        if record.id in known:
            listed[known.index(record.id)] = record
        else:
            listed.append(record)
        self._write(listed[-_KEPT:])

    def settle(self, record: Record, state: str) -> Record:
        """Note what the hub says of a delivery."""
        changed = replace(record, state=state)
        if changed != record:
            self.put(changed)
        return changed

    def forget(self, record: Record) -> None:
        """Drop a delivery that will not be sent, and its folder."""
        self._write([known for known in self.records() if known.id != record.id])
        self.clear(record.id)

    def of(self, dataset: str) -> list[Record]:
        """The deliveries of a dataset, oldest first."""
        return [record for record in self.records() if record.dataset == dataset]

    def find(self, words: str) -> str:
        """The id of a delivery from its id, the first characters of one, or "last".

        Raises:
            ConfigError: when nothing or more than one thing is meant.
        """
        known = [record.id for record in self.records()]
        if words == "last":
            if not known:
                raise ConfigError("Nothing has been pushed from here yet.", "Push something first.")
            return known[-1]
        if len(words) == 32:
            return words.lower()
        found = [name for name in known if name.startswith(words.lower())]
        if len(found) != 1:
            what = "More than one delivery begins" if found else "No delivery sent from here begins"
            raise ConfigError(f"{what} with {words!r:.40}.", "`hub-connector status` lists them.")
        return found[0]

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
        waiting = {record.id for record in self.records() if record.state == "sealed"}
        if self._outbox.is_dir():
            for folder in self._outbox.iterdir():
                if folder.name not in waiting:
                    shutil.rmtree(folder, ignore_errors=True)

    def _write(self, listed: list[Record]) -> None:
        write_private(self._journal, json.dumps([asdict(record) for record in listed], indent=1).encode())
