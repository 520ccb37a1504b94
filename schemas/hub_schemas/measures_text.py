"""Words for a check of the dataset as a whole."""

from __future__ import annotations

from hub_schemas.model import Quality

__all__ = ["measure_text"]

_WORDS = {
    "mustBe": "must be {}",
    "mustNotBe": "must not be {}",
    "mustBeGreaterThan": "must be more than {}",
    "mustBeGreaterOrEqualTo": "must be at least {}",
    "mustBeLessThan": "must be less than {}",
    "mustBeLessOrEqualTo": "must be at most {}",
    "mustBeBetween": "must be from {} to {}",
    "mustNotBeBetween": "must not be from {} to {}",
}
_UNITS = {"percent": " percent", "days": " days", "rows": ""}


def measure_text(check: Quality, figure: float | None = None) -> str:
    """What a check asks for, and what was found when a figure is given."""
    columns = ", ".join(check.columns)
    subject = {
        "rowCount": "the number of rows",
        "nullValues": f"empty cells in {columns}",
        "missingValues": f"missing values in {columns}",
        "invalidValues": f"values outside the list in {columns}",
        "duplicateValues": f"rows that repeat {columns}",
        "freshness": f"the age of the newest {columns}",
    }[check.metric]
    unit = _UNITS[check.unit]
    bound = _WORDS[check.operator].format(*(f"{operand:g}" for operand in check.operands))
    found = "" if figure is None else f", but is {figure:.6g}{unit}"
    advice = f" ({check.description})" if check.description else ""
    return f"{'' if check.blocking else 'warning: '}{subject} {bound}{unit}{found}{advice}"
