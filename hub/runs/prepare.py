"""Preparing a run's inputs: the agreed columns of the right versions, under the agreement's pseudonyms.

A plugin gets what its agreement gives and nothing else. Where it needs linked people, the versions are those the
person index was made from, so that every row can be joined; pseudonyms are made for the agreement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import TYPE_CHECKING

import pyarrow as pa

from hub.errors import Conflict
from hub.policy.decide import Grant
from hub.vault.store import StoredFile, Vault
from hub_schemas.delivery import ROW_NUMBER
from hub_sdk import PEOPLE_CONTRACT, Coverage, Input, Manifest

if TYPE_CHECKING:
    from hub.catalogue.store import Version

__all__ = ["INDEX_CONTRACT", "Prepared", "Source", "prepare"]

#: The hub's own dataset that says which row belongs to which person.
INDEX_CONTRACT = "hub.person_index"


@dataclass(frozen=True)
class Source:
    """One version that feeds an input: its catalogue entry, its file, and what may be read of it.

    `without` are the numbers of rows that nobody may use: they are gone before anything is done with the others.
    """

    version: Version
    file: StoredFile
    grant: Grant
    without: pa.Array | None = None


@dataclass
class Prepared:
    """What a run is given."""

    tables: dict[str, pa.Table] = field(default_factory=dict)
    coverage: dict[str, Coverage] = field(default_factory=dict)
    versions: dict[str, list[str]] = field(default_factory=dict)


def prepare(
    vault: Vault,
    manifest: Manifest,
    sources: Mapping[str, Sequence[Source]],
    people: Source | None,
    index: Source | None,
    agreement: str,
    zone: tzinfo,
) -> Prepared:
    """Read and pseudonymise every input.

    `sources` maps input names to their versions (empty: absent); `people` and `index` are the hub's own datasets;
    `zone` says in which time zone a moment becomes a day.

    Raises:
        Conflict: when a required input is absent or links are needed and people were never linked.
    """
    prepared = Prepared()
    linked = _Links(vault, people, index, agreement)
    for wanted in manifest.inputs:
        found = (
            [people] if wanted.contract == PEOPLE_CONTRACT and people else list(sources.get(wanted.name, ()))
        )
        if not found:
            if wanted.required:
                raise Conflict(
                    f"There is no version of {wanted.contract} yet that {manifest.name} could read."
                )
            continue
        tables = [linked.table(wanted, source) for source in found]
        prepared.tables[wanted.name] = pa.concat_tables(tables)
        prepared.versions[wanted.name] = [source.version.id for source in found]
        prepared.coverage[wanted.name] = _coverage(found, prepared.tables[wanted.name].num_rows, zone)
    if index is not None and any(item.link for item in manifest.inputs):
        prepared.versions["(person index)"] = [index.version.id]
    return prepared


def _coverage(sources: Sequence[Source], rows: int, zone: tzinfo) -> Coverage:
    """What an input covers; its rows are those the plugin gets, so that nobody counts what was left out."""
    from datetime import date

    starts = [source.version.period_start for source in sources if source.version.period_start]
    ends = [source.version.period_end for source in sources if source.version.period_end]
    return Coverage(
        rows=rows,
        as_at=max(source.version.accepted_at for source in sources).astimezone(zone).date(),
        period_start=date.fromisoformat(min(starts)) if starts else None,
        period_end=date.fromisoformat(max(ends)) if ends else None,
    )


class _Links:
    """Adds person and household pseudonyms to tables."""

    def __init__(self, vault: Vault, people: Source | None, index: Source | None, agreement: str) -> None:
        self.vault, self.people, self.index, self.agreement = vault, people, index, agreement
        self._index: pa.Table | None = None
        self._homes: pa.Table | None = None

    def table(self, wanted: Input, source: Source) -> pa.Table:
        if wanted.contract == PEOPLE_CONTRACT:
            return self._pseudonymise(self._read(wanted, source)).select(list(wanted.columns))
        if not wanted.link:
            return self._read(wanted, source).select(list(wanted.columns))
        table = self._read(wanted, source, numbered=True)
        joined = table.join(self._of(source.version.id), keys=ROW_NUMBER, join_type="left outer")
        if "household" in wanted.link:
            joined = joined.join(self._households(), keys="person_id", join_type="left outer")
        return self._pseudonymise(joined.sort_by(ROW_NUMBER)).select(list(wanted.column_names))

    def _read(self, wanted: Input, source: Source, *, numbered: bool = False) -> pa.Table:
        """The wanted columns of a source, without the rows that are left out."""
        import pyarrow.compute as pc

        if source.without is None and not numbered:
            return self.vault.read(source.file, list(wanted.columns), source.grant)
        table = self.vault.read(source.file, [ROW_NUMBER, *wanted.columns], source.grant)
        if source.without is None:
            return table
        return table.filter(pc.invert(pc.is_in(table[ROW_NUMBER], source.without)))

    def _of(self, version_id: str) -> pa.Table:
        """Row number and person of one version."""
        import pyarrow.compute as pc

        if self._index is None:
            index = self._own(self.index)
            self._index = self.vault.read(index.file, ["version_id", "source_row", "person_id"], index.grant)
        rows = self._index.filter(pc.equal(self._index["version_id"], version_id))
        if rows.num_rows == 0:
            raise Conflict("A dataset has a version that has not been linked yet; link again (hub link).")
        return rows.select(["source_row", "person_id"]).rename_columns([ROW_NUMBER, "person_id"])

    def _households(self) -> pa.Table:
        if self._homes is None:
            people = self._own(self.people)
            self._homes = self.vault.read(people.file, ["person_id", "household_id"], people.grant)
        return self._homes

    @staticmethod
    def _own(source: Source | None) -> Source:
        if source is None:
            raise Conflict("People have not been linked yet; link them first (hub link).")
        return source

    def _pseudonymise(self, table: pa.Table) -> pa.Table:
        for kind in ("person", "household"):
            name = f"{kind}_id"
            if name in table.column_names:
                place = table.column_names.index(name)
                table = table.set_column(
                    place, name, self.vault.pseudonyms(self.agreement, kind, table[name])
                )
        return table
