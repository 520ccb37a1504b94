"""Where postcodes lie: a public table that an operator loads, for agreements that give areas instead of postcodes."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hub.errors import Invalid
from hub.identity.principal import Principal
from hub.policy.roles import Permission
from hub.workflows.hub import Hub, authorise, note

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Loaded", "load_areas"]

#: What the columns are called in the ONS Postcode Directory and the National Statistics Postcode Lookup, newest first.
_POSTCODES: Final = ("pcds", "pcd8", "pcd7", "pcd2", "pcd", "postcode")
_AREAS: Final = ("lsoa21cd", "lsoa21", "lsoa11cd", "lsoa11", "lsoa", "area")


@dataclass(frozen=True)
class Loaded:
    """What became of a table: postcodes that are known now, rows that were left out, and the columns that were read."""

    postcodes: int
    left_out: int
    columns: tuple[str, str]


def load_areas(
    hub: Hub, principal: Principal, path: Path, postcode: str | None = None, area: str | None = None
) -> Loaded:
    """Replace the hub's table of postcodes and areas by that of a CSV file; without column names, the usual ones.

    Rows without an area (postcodes of the islands, pseudo codes) are left out: what lies there is given as nothing.

    Raises:
        Invalid: when the file has no such columns, cannot be read, or names a postcode twice with two areas.
    """
    authorise(principal, Permission.MANAGE_GEOGRAPHY)
    import polars as pl

    try:
        table = pl.scan_csv(path, infer_schema=False, encoding="utf8-lossy")
        names = table.collect_schema().names()
        columns = _column(names, postcode, _POSTCODES, "postcode"), _column(names, area, _AREAS, "area")
        rows = table.select(*(pl.col(name) for name in columns)).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise Invalid(
            f"The file {path.name} cannot be read as a CSV table ({type(error).__name__})."
        ) from None
    known = _cleaned(rows, *columns)
    count = hub.vault.areas.put([known.to_arrow()])
    loaded = Loaded(count, rows.height - count, columns)
    with path.open("rb") as stream:
        digest = file_digest(stream, "sha256").hexdigest()
    with hub.database.write() as session:
        note(
            session, principal, "geography.loaded",
            detail={"sha256": digest, "postcodes": count, "left_out": loaded.left_out, "area": columns[1]},
        )  # fmt: skip
    return loaded


def _column(names: list[str], given: str | None, usual: tuple[str, ...], what: str) -> str:
    by_name = {name.strip().lower(): name for name in reversed(names)}
    found = [by_name[name] for name in ([given.lower()] if given else usual) if name in by_name]
    if not found:
        raise Invalid(
            f"The file has no column {given or ' or '.join(usual)} for the {what}; it has {', '.join(names[:20])}. "
            f"Say which it is with --{what}-column."
        )
    return found[0]


def _cleaned(rows: pl.DataFrame, postcode: str, area: str) -> pl.DataFrame:
    import polars as pl

    from hub.vault.geography import AREA, POSTCODE

    found = (
        rows.select(
            pl.col(postcode).str.to_uppercase().str.replace_all(r"\s+", "").alias("postcode"),
            pl.col(area).str.to_uppercase().str.strip_chars().alias("area"),
        )
        .filter(
            pl.col("postcode").str.contains(f"^(?:{POSTCODE.pattern})$"),
            pl.col("area").str.contains(f"^(?:{AREA.pattern})$"),
            ~pl.col("area").str.ends_with("99999999"),
        )
        .unique(maintain_order=True)
        .sort("postcode")
    )
    twice = found.filter(pl.col("postcode").is_duplicated())
    if twice.height:
        raise Invalid(
            f"The file says of {twice['postcode'].n_unique():,} postcodes that they lie in two areas. Load a table "
            "that names each postcode once."
        )
    if not found.height:
        raise Invalid(
            f"No row of the file has a postcode in {postcode} and the code of an area (such as E01000001) in {area}."
        )
    return found
