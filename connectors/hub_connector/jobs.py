"""What is to be delivered: a source under a contract, and what its rows do to the dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .config import LEAST_SHARE
from .errors import ConfigError
from .packing import checked_contract

if TYPE_CHECKING:
    from hub_schemas import Contract

    from .packing import Replaying
    from .sources import Incremental, Source

__all__ = ["Job"]


@dataclass(frozen=True)
class Job:
    """One delivery to make.

    name: what the dataset is called here, the contract's id when empty. location, options, contract_place: as the
    user gave them, to find the source's rows again. least_share: see `config.DatasetConfig`.
    """

    contract: Contract
    source: Source
    mode: str = "full"
    name: str = ""
    replays: Replaying | None = None
    location: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    contract_place: str = ""
    least_share: float = LEAST_SHARE

    @property
    def called(self) -> str:
        """What the dataset is called here."""
        return self.name or self.contract.id

    @property
    def mended(self) -> str:
        """The delivery whose rows this one mends; empty when it is none."""
        return self.replays.delivery if self.replays else ""

    @property
    def growing(self) -> Incremental | None:
        """The source, when only its new rows are to be read."""
        source = self.source
        if getattr(source, "watermark", None) and hasattr(source, "after") and hasattr(source, "high_water"):
            return source  # type: ignore[return-value, unused-ignore]
        return None

    def check(self) -> None:
        """Whether this can be delivered in this mode.

        Raises:
            ConfigError: when it cannot, and what to do.
        """
        checked_contract(self.contract, self.mode)
        growing = self.growing
        if growing is None:
            return
        if self.mode == "full":
            raise ConfigError(
                f"{self.source.name} has a watermark, so only its new rows are read; in mode full they would replace "
                "the whole dataset.",
                "Say mode append (rows are only ever added) or upsert (rows change as well), or take the watermark "
                "away.",
            )
        if self.mode == "append" and self.options.get("overlap"):
            raise ConfigError(
                f"{self.source.name} has an overlap, so some rows are read again; in mode append they would be added "
                "a second time.",
                "Say mode upsert, which replaces rows that are there already, or take the overlap away.",
            )
        known = {column.source_name: column for column in self.contract.columns}
        known |= {column.name: column for column in self.contract.columns}
        column = known.get(str(growing.watermark))
        if column is not None and column.classification in ("personal", "special-category"):
            raise ConfigError(
                f"The watermark {growing.watermark!r} is {column.classification}: how far the source was read is kept "
                "as text on this machine, and that would be a person's value.",
                "Choose a column such as a running number or the time of the last change.",
            )

    def intent(self) -> str:
        """What the rows will do, in words."""
        key = ", ".join(self.contract.primary_key)
        if self.mended:
            return f"mends rows of delivery {self.mended[:8]}"
        return {
            "full": "replaces the whole dataset",
            "append": "adds rows",
            "upsert": f"adds rows, and replaces those with the same {key}",
            "delete": f"deletes the rows with these {key}",
        }[self.mode]
