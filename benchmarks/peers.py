"""The same rules with other tools, as somebody who knows them would write them.

Every function takes the path of the CSV and returns how many rows break a rule. They say only that: no message, no
masked value, no report of every fault, and (except polars and pandera) no key that must be unique.
"""

from __future__ import annotations

import csv
import re
from datetime import date
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.sample import SERVICES, contract

if TYPE_CHECKING:
    import marshmallow as ma
    import polars as pl

__all__ = ["frictionless_rows", "marshmallow_contract", "marshmallow_hand", "pandera_rows", "polars_hand"]

_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"
_UPN = f"[{_LETTERS}][0-9]{{11}}[0-9{_LETTERS}]"
_POSTCODE = (
    "(?:[A-PR-UWYZ][0-9][0-9]?|[A-PR-UWYZ][A-HK-Y][0-9][0-9]?|[A-PR-UWYZ][0-9][A-HJKPSTUW]"
    "|[A-PR-UWYZ][A-HK-Y][0-9][ABEHMNPRVWXY]) [0-9][ABD-HJLNP-UW-Z]{2}"
)


def _records(path: str, most: int) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return list(islice(csv.DictReader(stream), most))


def marshmallow_contract(path: str, most: str) -> int:
    """The contract's own marshmallow schema, the reference meaning of the columnar checks, row by row."""
    return _refused(contract().marshmallow_schema()(), path, int(most))


def marshmallow_hand(path: str, most: str) -> int:
    """A marshmallow schema written by hand, row by row."""
    return _refused(_hand_schema(), path, int(most))


def _refused(schema: ma.Schema, path: str, most: int) -> int:
    from marshmallow import ValidationError

    refused = 0
    for record in _records(path, most):
        try:
            schema.load(record)
        except ValidationError:
            refused += 1
    return refused


@cache
def _hand_schema() -> ma.Schema:
    import marshmallow as ma
    from marshmallow import validate

    class Support(ma.Schema):
        record_id = ma.fields.String(required=True, validate=validate.Regexp(r"R[0-9]{9}\Z"))
        nhs_number = ma.fields.String(required=True, validate=_nhs_holds)
        upn = ma.fields.String(required=True, validate=_upn_holds)
        forename = ma.fields.String(required=True, validate=validate.Length(1, 60))
        surname = ma.fields.String(required=True, validate=validate.Length(1, 60))
        date_of_birth = ma.fields.Date(required=True, validate=validate.Range(min=date(1900, 1, 2)))
        sex = ma.fields.String(required=True, validate=validate.OneOf(("F", "M", "X")))
        postcode = ma.fields.String(required=True, validate=validate.Regexp(_POSTCODE + r"\Z"))
        service = ma.fields.String(required=True, validate=validate.OneOf(SERVICES))
        sessions = ma.fields.Integer(required=True, validate=validate.Range(0, 200))
        cost = ma.fields.Float(validate=validate.Range(0, 5000))
        started_on = ma.fields.Date(required=True, validate=validate.Range(min=date(2000, 1, 1)))

        @ma.validates_schema
        def _in_order(self, data: dict[str, Any], **_: Any) -> None:
            if data["started_on"] < data["date_of_birth"]:
                raise ma.ValidationError("begins before birth")

    return Support()


def _holds(holds: bool) -> None:
    if not holds:
        from marshmallow import ValidationError

        raise ValidationError("not valid")


def _nhs_holds(number: str) -> None:
    if not re.fullmatch("[0-9]{10}", number):
        return _holds(False)
    total = sum(int(digit) * weight for digit, weight in zip(number, range(10, 1, -1), strict=False))
    return _holds((11 - total % 11) % 11 == int(number[9]))


def _upn_holds(upn: str) -> None:
    if not re.fullmatch(_UPN, upn):
        return _holds(False)
    value = sum(
        weight * (int(sign) if sign.isdigit() else _LETTERS.index(sign))
        for weight, sign in enumerate(upn[1:], start=2)
    )
    return _holds(_LETTERS[value % 23] == upn[0])


def polars_hand(path: str) -> int:
    """Polars expressions written by hand over the typed CSV."""
    import polars as pl

    from benchmarks.sample import read_typed

    broken = pl.any_horizontal(*(~rule for rule in _expressions().values()))
    return read_typed(Path(path)).select(broken.fill_null(True).sum()).item()


def _expressions() -> dict[str, pl.Expr]:
    """A condition for each rule; `cost` may be empty."""
    import polars as pl

    column = pl.col
    return {
        "record_id": column("record_id").str.contains("^R[0-9]{9}$")
        & column("record_id").is_first_distinct(),
        "nhs_number": column("nhs_number").str.contains("^[0-9]{10}$") & _nhs_expression(),
        "upn": column("upn").str.contains(f"^{_UPN}$") & _upn_expression(),
        "forename": column("forename").str.len_chars().is_between(1, 60),
        "surname": column("surname").str.len_chars().is_between(1, 60),
        "date_of_birth": column("date_of_birth") > date(1900, 1, 1),
        "sex": column("sex").is_in(["F", "M", "X"]),
        "postcode": column("postcode").str.contains(f"^{_POSTCODE}$"),
        "service": column("service").is_in(list(SERVICES)),
        "sessions": column("sessions").is_between(0, 200),
        "cost": column("cost").is_between(0, 5000).fill_null(True),
        "started_on": (column("started_on") >= date(2000, 1, 1))
        & (column("started_on") >= column("date_of_birth")),
    }


def _nhs_expression() -> pl.Expr:
    import polars as pl

    digits = [pl.col("nhs_number").str.slice(place, 1).cast(pl.Int32, strict=False) for place in range(10)]
    total = pl.sum_horizontal(*(digits[place] * (10 - place) for place in range(9)))
    return (11 - total % 11) % 11 == digits[9]


def _upn_expression() -> pl.Expr:
    import polars as pl

    upn = pl.col("upn")
    digits = [upn.str.slice(place, 1).cast(pl.Int32, strict=False) for place in range(1, 12)]
    last = upn.str.slice(12, 1)
    values = {letter: number for number, letter in enumerate(_LETTERS)} | {str(n): n for n in range(10)}
    total = pl.sum_horizontal(*(digit * weight for weight, digit in enumerate(digits, start=2)))
    total += last.replace_strict(values, default=None, return_dtype=pl.Int32) * 13
    letter = (total % 23).replace_strict(dict(enumerate(_LETTERS)), default=None, return_dtype=pl.String)
    return upn.str.slice(0, 1) == letter


def pandera_rows(path: str) -> int:
    """Pandera over polars, with the same expressions as checks; needs pandera."""
    import pandera.polars as pa

    from benchmarks.sample import read_typed

    def check(rule: pl.Expr) -> Any:
        return lambda data: data.lazyframe.select(rule)

    schema = pa.DataFrameSchema(
        checks=[pa.Check(check(rule), name=name) for name, rule in _expressions().items()]
    )
    frame = read_typed(Path(path))
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        return len({row for row in error.failure_cases["index"].to_list() if row is not None})
    return 0


def frictionless_rows(path: str, most: str) -> int:
    """Frictionless with the contract's Table Schema (it knows no check digits and no rules across columns)."""
    from frictionless import Checklist, Resource, Schema

    from hub_schemas.export import table_schema

    source = Path(path)
    resource = Resource(
        path=source.name, basepath=str(source.parent), schema=Schema.from_descriptor(table_schema(contract()))
    )
    checklist = Checklist.from_descriptor({"limitErrors": 1_000_000})
    with resource:
        report = resource.validate(checklist, limit_rows=int(most))
    rows = report.flatten(["rowNumber"])
    return len({row for (row,) in rows if row is not None})
