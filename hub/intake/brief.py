"""What the process that reads a delivery is told, and what it answers.

Both travel as JSON. The brief holds the data keys of the files to read and the owner keys of the files to write, and
nothing else that opens anything; files are open descriptors, never paths. The answer comes from a process that has read
what a stranger sent, so it is checked again by whoever receives it (`Verdict.from_json`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hub.errors import Invalid
from hub_schemas import Contract
from hub_schemas.faults import RULES, SPOILT_RULES

__all__ = ["Brief", "Effect", "FaultCount", "ReadFile", "Verdict", "WriteFile", "Written"]

_RULES: Final = frozenset(RULES) | frozenset(SPOILT_RULES)
_MOST_WORDS: Final = 2000
_MOST_COUNTS: Final = 5000
_MOST_MATERIAL: Final = 50_000_000
#: What a rule is called that neither the hub nor its connector knows.
OTHER: Final = "other"


@dataclass(frozen=True, repr=False)
class ReadFile:
    """An encrypted Parquet file to read: descriptor, key material, data keys by key id, rows it shall have."""

    fd: int
    material: str
    keys: Mapping[str, bytes]
    rows: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        keys = {name: base64.b64encode(key).decode() for name, key in self.keys.items()}
        return {"fd": self.fd, "material": self.material, "keys": keys, "rows": self.rows}

    @classmethod
    def from_json(cls, value: Any) -> ReadFile:
        """The file of `to_json`."""
        keys = {name: base64.b64decode(key) for name, key in value["keys"].items()}
        return cls(value["fd"], value["material"], keys, value["rows"])


@dataclass(frozen=True, repr=False)
class WriteFile:
    """An encrypted Parquet file that may be written: descriptor, owner key, what the file is bound to."""

    fd: int
    key: bytes
    binding: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"fd": self.fd, "key": base64.b64encode(self.key).decode(), "binding": self.binding}

    @classmethod
    def from_json(cls, value: Any) -> WriteFile:
        """The file of `to_json`."""
        return cls(value["fd"], base64.b64decode(value["key"]), value["binding"])


@dataclass(frozen=True, repr=False)
class Brief:
    """One delivery to examine.

    files: by role (rows, refused, faults). before: rows of the dataset's current version; base: that version, for a
    delivery that changes it.
    references: for columns that refer to another dataset, by "dataset.column", the file that column stands in.
    open_rows: for a replay, descriptor of the packed row numbers that are still open (`hub.intake.ledger`).
    outputs: version, refused-by-hub, faults-by-hub. open_out: descriptor for the packed row numbers that are open then.
    """

    contract: str
    mode: str
    sent: int
    before: int
    files: Mapping[str, ReadFile]
    outputs: Mapping[str, WriteFile]
    open_out: int
    now: str
    base: ReadFile | None = None
    references: Mapping[str, ReadFile] = field(default_factory=dict)
    open_rows: int | None = None

    def to_json(self) -> bytes:
        """The brief as it is handed over."""
        return json.dumps(
            {
                "contract": self.contract, "mode": self.mode, "sent": self.sent, "before": self.before,
                "open_out": self.open_out, "now": self.now, "open_rows": self.open_rows,
                "base": self.base.to_json() if self.base else None,
                "files": {role: file.to_json() for role, file in self.files.items()},
                "outputs": {role: file.to_json() for role, file in self.outputs.items()},
                "references": {name: file.to_json() for name, file in self.references.items()},
            }
        ).encode()  # fmt: skip

    @classmethod
    def from_json(cls, data: bytes) -> Brief:
        """The brief of `to_json`."""
        value = json.loads(data)
        return cls(
            contract=value["contract"], mode=value["mode"], sent=value["sent"], before=value["before"],
            open_out=value["open_out"], now=value["now"], open_rows=value["open_rows"],
            base=ReadFile.from_json(value["base"]) if value["base"] else None,
            files={role: ReadFile.from_json(file) for role, file in value["files"].items()},
            outputs={role: WriteFile.from_json(file) for role, file in value["outputs"].items()},
            references={name: ReadFile.from_json(file) for name, file in value["references"].items()},
        )  # fmt: skip


@dataclass(frozen=True)
class FaultCount:
    """How often a rule failed in a column; `first_row` is the first data row at fault, None for the whole dataset."""

    rule: str
    column: str
    count: int
    first_row: int | None


@dataclass(frozen=True)
class Written:
    """A file that was written: its key material (JSON) and its rows."""

    material: str
    rows: int


@dataclass(frozen=True)
class Effect:
    """What a delivery does to its dataset, in rows; `unmatched` are keys to delete that were not there."""

    before: int
    added: int
    replaced: int
    removed: int
    unmatched: int
    after: int


@dataclass(frozen=True)
class Verdict:
    """What became of the rows.

    refusal: why nothing of the delivery is taken, None when it is accepted. version: the file with the rows of the
    new version, None when the delivered file is taken over as it lies. written: the quarantine's files by role.
    period: first and last day of the coverage column. open: how many rows are open in the quarantine then.
    """

    accepted: int
    refused: int
    refusal: str | None
    version: Written | None
    written: Mapping[str, Written]
    faults: tuple[FaultCount, ...]
    period: tuple[str | None, str | None]
    effect: Effect
    open: int

    def to_json(self) -> bytes:
        """The verdict as it is handed back."""
        return json.dumps(
            {
                "accepted": self.accepted, "refused": self.refused, "refusal": self.refusal, "open": self.open,
                "version": vars(self.version) if self.version else None,
                "written": {role: vars(file) for role, file in self.written.items()},
                "faults": [[item.rule, item.column, item.count, item.first_row] for item in self.faults],
                "period": list(self.period), "effect": vars(self.effect),
            }
        ).encode()  # fmt: skip

    @classmethod
    def from_json(cls, data: bytes, brief: Brief, contract: Contract) -> Verdict:
        """The verdict, as far as it can be one on that brief.

        Raises:
            Invalid: when it cannot: what was read has taken over the process that read it.
        """
        try:
            value = json.loads(data)
            known = {column.name for column in contract.columns} | {""}
            verdict = cls(
                accepted=_count(value["accepted"]), refused=_count(value["refused"]),
                refusal=None if value["refusal"] is None else str(value["refusal"])[:_MOST_WORDS],
                version=_written(value["version"]),
                written={
                    str(role): file for role, raw in value["written"].items() if role in brief.outputs
                    and (file := _written(raw)) is not None
                },
                faults=tuple(_fault(item, known) for item in value["faults"][:_MOST_COUNTS]),
                period=(_day(value["period"][0]), _day(value["period"][1])),
                effect=Effect(**{name: _count(value["effect"][name]) for name in Effect.__annotations__}),
                open=_count(value["open"]),
            )  # fmt: skip
            if verdict.accepted + verdict.refused != brief.sent:
                raise ValueError("rows do not add up")
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise Invalid(
                f"The delivery broke the process that read it ({type(error).__name__}). Tell the hub's operator."
            ) from None
        return verdict


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= 2**53:
        raise ValueError("not a count")
    return value


def _written(value: Any) -> Written | None:
    if value is None:
        return None
    material = value["material"]
    if (
        not isinstance(material, str)
        or len(material) > _MOST_MATERIAL
        or not isinstance(json.loads(material), dict)
    ):
        raise ValueError("not key material")
    return Written(material, _count(value["rows"]))


def _fault(value: Any, columns: set[str]) -> FaultCount:
    """Rules and columns are kept as plain text in the database, so only words the hub knows may stand there."""
    rule, column, count, first = value
    return FaultCount(
        rule if rule in _RULES else OTHER,
        column if column in columns else "",
        _count(count),
        None if first is None else _count(first),
    )


def _day(value: Any) -> str | None:
    from datetime import date

    return None if value is None else date.fromisoformat(str(value)).isoformat()
