"""ODCS YAML -> Contract. Everything wrong or not supported is named with its place; nothing is passed over.

Contracts come from outside: they are read as plain data with limits (`yamlsafe.py`), no field of theirs is
used as a path, a query or a template, and patterns go through a parser of our own (`patterns.py`).
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, Final, Literal

from hub_schemas import cells
from hub_schemas.contract import Contract
from hub_schemas.model import (
    BothOrNeither,
    Cell,
    Column,
    NotBefore,
    NotMoreThan,
    Quality,
    RequiredWhen,
    RowRule,
)
from hub_schemas.odcs_columns import ReadColumn, read_column
from hub_schemas.odcs_quality import freshness, table_quality
from hub_schemas.odcs_reader import Node
from hub_schemas.problems import ContractError, Problem
from hub_schemas.yamlsafe import MAX_BYTES, read_yaml

__all__ = ["CUSTOM", "load_contract"]

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9][A-Za-z0-9_-]{0,62}){0,5}")
_VERSION: Final = re.compile(
    r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})(-[0-9A-Za-z.-]{1,40})?", re.ASCII
)
_ROOT: Final = frozenset(
    [
        "version", "kind", "apiVersion", "id", "name", "tenant", "tags", "status", "servers", "dataProduct",
        "description", "domain", "schema", "support", "price", "team", "roles", "slaDefaultElement",
        "slaProperties", "authoritativeDefinitions", "customProperties", "contractCreatedTs",
    ]
)  # fmt: skip
_TABLE: Final = frozenset(
    [
        "id", "name", "physicalType", "description", "businessName", "authoritativeDefinitions", "tags",
        "customProperties", "logicalType", "physicalName", "dataGranularityDescription", "properties",
        "relationships", "quality",
    ]
)  # fmt: skip
#: The customProperties of a contract or its table that the hub reads.
CUSTOM: Final = frozenset(
    {
        "refusalThreshold",
        "unexpectedColumns",
        "coverageColumn",
        "missingValues",
        "bothOrNeither",
        "notBefore",
        "notMoreThan",
        "requiredWhen",
        "confidentialPatientInformation",
    }
)
_MAX_COLUMNS: Final = 1000


def load_contract(source: str | bytes | Path) -> Contract:
    """A contract from ODCS YAML: a Path is read, a text or bytes are the YAML itself.

    Raises:
        ContractError: with every problem found and its place, when it cannot be used.
        OSError: when the file cannot be read.
    """
    raw = _read(source) if isinstance(source, Path) else source
    document = read_yaml(raw)
    problems: list[Problem] = []
    root = Node(document, "", problems)
    contract = None if problems else _contract(root, _text(raw))
    if problems or contract is None:
        raise ContractError(problems)
    return contract


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _text(raw: str | bytes) -> str:
    return raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw


def _contract(root: Node, text: str) -> Contract | None:
    root.only(_ROOT)
    _check_head(root)
    tables = list(root.nodes("schema"))
    if len(tables) != 1:
        found = "none" if not tables else f"{len(tables)} ({', '.join(t.text('name') for t in tables)[:200]})"
        root.wrong("schema", f"one contract describes one table, found {found}; write a contract for each")
        return None
    table = tables[0]
    table.only(_TABLE)
    if table.items("relationships"):
        table.wrong("relationships", "not supported; write customProperties `references` on the property")
    custom = _Custom(root, table)
    read = _columns(table, custom.missing_values)
    columns = {entry.column.name: entry.column for entry in read}
    together, measures = table_quality(table, tuple(columns))
    measures += freshness(root, table.text("name"), columns)
    rules = custom.rules(columns)
    if root.problems:
        return None
    key = [entry for entry in read if entry.key_position is not None]
    key.sort(key=lambda entry: entry.key_position or 0)
    identity, words = root.text("id"), root.node("description")
    return Contract(
        id=identity,
        version=root.text("version"),
        title=root.text("name") or table.text("businessName") or identity,
        description=words.text("purpose") or table.text("description"),
        domain=root.text("domain") or identity.partition(".")[0],
        columns=tuple(columns.values()),
        primary_key=tuple(entry.column.name for entry in key),
        refusal_threshold=custom.refusal_threshold,
        text=text,
        digest=_digest(root.data),
        status=root.text("status"),
        usage=words.text("usage"),
        limitations=words.text("limitations"),
        granularity=table.text("dataGranularityDescription"),
        rules=rules,
        quality=_quality(read) + measures,
        unexpected_columns=custom.unexpected_columns,
        unique_together=together.unique_together,
        tags=root.texts("tags"),
        coverage_column=custom.coverage_column(columns),
        confidential_patient_information=custom.confidential,
    )


def _quality(read: list[ReadColumn]) -> tuple[Quality, ...]:
    return tuple(quality for entry in read for quality in entry.quality)


def _digest(document: dict[str, Any]) -> str:
    from hub_schemas.delivery import canonical_json

    return hashlib.sha256(canonical_json(document)).hexdigest()


def _check_head(root: Node) -> None:
    if (kind := root.text("kind", required=True)) and kind != "DataContract":
        root.wrong("kind", f"{kind!r:.40} must be DataContract")
    api = root.text("apiVersion", required=True)
    if api and api not in ("v3.1.0", "v3.0.2", "v3.0.1", "v3.0.0"):
        root.wrong("apiVersion", f"{api!r:.20} is not supported; write v3.1.0")
    if (identity := root.text("id", required=True)) and not _ID.fullmatch(identity):
        root.wrong("id", f"{identity!r:.70} must be words of letters, digits, - and _ joined by dots")
    if (version := root.text("version", required=True)) and not _VERSION.fullmatch(version):
        root.wrong("version", f"{version!r:.40} must be a semantic version like 1.0.0")
    root.text("status", required=True)


def _columns(table: Node, missing_values: tuple[str, ...]) -> list[ReadColumn]:
    nodes = list(table.nodes("properties"))
    if not nodes or len(nodes) > _MAX_COLUMNS:
        table.wrong("properties", f"a table has 1 to {_MAX_COLUMNS} columns, found {len(nodes)}")
        return []
    found: list[ReadColumn] = []
    names: set[str] = set()
    headers: set[str] = set()
    for node in nodes:
        if node.items("relationships"):
            node.wrong(
                "relationships", "not supported; write customProperties `references`: {dataset, column}"
            )
        entry = read_column(node, missing_values)
        if entry is None:
            continue
        if entry.column.name.lower() in names:
            node.wrong("name", f"{entry.column.name} stands twice (capitals make no difference)")
        if entry.column.source_name in headers:
            node.wrong("physicalName", f"the header {entry.column.source_name!r:.60} stands twice")
        names.add(entry.column.name.lower())
        headers.add(entry.column.source_name)
        found.append(entry)
    return found


class _Custom:
    """The customProperties of the contract and its table that the hub knows."""

    def __init__(self, root: Node, table: Node) -> None:
        self.entries = [*root.custom(CUSTOM), *table.custom(CUSTOM)]
        self.refusal_threshold = 0.1
        self.unexpected_columns: Literal["ignore", "fault"] = "ignore"
        self.missing_values: tuple[str, ...] = ()
        self.confidential = False
        for entry, name, value in self.entries:
            if name == "refusalThreshold":
                if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                    entry.wrong("value", "must be a share of rows from 0 to 1")
                else:
                    self.refusal_threshold = float(value)
            elif name == "unexpectedColumns":
                if value not in ("ignore", "fault"):
                    entry.wrong("value", "must be ignore or fault")
                else:
                    self.unexpected_columns = value
            elif name == "missingValues":
                self.missing_values += entry.texts("value")
            elif name == "confidentialPatientInformation":
                if not isinstance(value, bool):
                    entry.wrong("value", "must be true or false")
                else:
                    self.confidential = value

    def coverage_column(self, columns: dict[str, Column]) -> str | None:
        """The date or timestamp column whose range says which period a dataset covers."""
        for entry, name, value in self.entries:
            if name == "coverageColumn":
                if _known(entry, (str(value),), columns) and columns[str(value)].type in (
                    "date",
                    "timestamp",
                ):
                    return str(value)
                entry.wrong("value", "must name a column of type date or timestamp")
        return None

    def rules(self, columns: dict[str, Column]) -> tuple[RowRule, ...]:
        """The cross-column rules, checked against the columns there are."""
        found: list[RowRule] = []
        for entry, name, _ in self.entries:
            if name == "bothOrNeither":
                names = entry.texts("value")
                if _known(entry, names, columns) and len(set(names)) > 1:
                    found.append(BothOrNeither(names))
                else:
                    entry.wrong("value", "must name two or more columns: [longitude, latitude]")
            elif name == "notBefore":
                found.extend(_not_before(entry, columns))
            elif name == "notMoreThan":
                found.extend(_not_more_than(entry, columns))
            elif name == "requiredWhen":
                found.extend(_required_when(entry, columns))
        return tuple(found)


def _known(entry: Node, names: tuple[str, ...], columns: dict[str, Column]) -> bool:
    for name in names:
        if name not in columns:
            entry.wrong("value", f"there is no column {name!r:.60}")
            return False
    return True


def _pair(
    entry: Node, columns: dict[str, Column], keys: tuple[str, str], kinds: frozenset[str]
) -> tuple[str, str]:
    """Two columns of one type out of `kinds`, named by two keys; empty names when that is not so."""
    node = entry.node("value")
    node.only(frozenset(keys))
    first, second = (node.text(key, required=True) for key in keys)
    if not _known(entry, (first, second), columns):
        return "", ""
    if columns[first].type != columns[second].type or columns[first].type not in kinds:
        entry.wrong("value", f"both columns must be of one type, out of: {', '.join(sorted(kinds))}")
    return first, second


def _not_before(entry: Node, columns: dict[str, Column]) -> list[NotBefore]:
    return [NotBefore(*_pair(entry, columns, ("later", "earlier"), frozenset({"date", "timestamp"})))]


def _not_more_than(entry: Node, columns: dict[str, Column]) -> list[NotMoreThan]:
    return [NotMoreThan(*_pair(entry, columns, ("column", "than"), frozenset({"integer", "number"})))]


def _required_when(entry: Node, columns: dict[str, Column]) -> list[RequiredWhen]:
    node = entry.node("value")
    node.only(frozenset({"column", "when", "in"}))
    name, when = node.text("column", required=True), node.text("when", required=True)
    if not _known(entry, (name, when), columns):
        return []
    values: list[Cell] = []
    for value in node.items("in"):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        parsed = cells.parse(columns[when], text)
        if parsed is None:
            node.wrong("in", f"{text!r:.40} is not of type {columns[when].type}")
        values.append(parsed)
    if not values:
        node.wrong("in", f"needs the values of {when} for which {name} is required")
    return [RequiredWhen(name, when, tuple(values))]
