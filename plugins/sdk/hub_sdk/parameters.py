"""Parameters: what a person may set before a run, with the bounds that keep it sensible."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from hub_sdk import checks
from hub_sdk.checks import FormatError

PARAMETER_TYPES = ("string", "integer", "number", "boolean", "date")

Value = str | int | float | bool | date


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something a person may set before a run; forms and commands are made from it.

    `minimum` and `maximum` are for integer, number and date; `choices` for any type but boolean. Dates are
    `date` objects in Python and ISO 8601 strings in JSON.
    """

    name: str
    type: str
    default: Value
    help: str
    minimum: Value | None = None
    maximum: Value | None = None
    choices: tuple[Value, ...] | None = None

    def __post_init__(self) -> None:
        checks.name("name", self.name)
        checks.choice("type", self.type, PARAMETER_TYPES)
        checks.text("help", self.help, longest=500, empty=False)
        if self.choices is not None:
            if self.type == "boolean":
                raise FormatError("choices", "a boolean has no choices")
            checks.settle(
                self, choices=checks.several("choices", self.choices, self._typed, least=1, most=100)
            )
        for bound in ("minimum", "maximum"):
            value = getattr(self, bound)
            if value is not None:
                if self.type in ("string", "boolean"):
                    raise FormatError(bound, f"is not for a {self.type}")
                checks.settle(self, **{bound: self._typed(bound, value)})
        checks.settle(self, default=self.check(self.default, "default"))

    def check(self, value: object, place: str = "") -> Value:
        """The value in the type of the parameter and within its bounds; raises `FormatError`."""
        place = place or self.name
        found = self._typed(place, value)
        if self.choices is not None and found not in self.choices:
            raise FormatError(place, f"must be one of {', '.join(map(str, self.choices))}")
        # Bounds were checked to be of the parameter's own type, so these comparisons are between like and
        # like.
        if self.minimum is not None and cast(Any, found) < self.minimum:
            raise FormatError(place, f"must be at least {self.minimum}")
        if self.maximum is not None and cast(Any, found) > self.maximum:
            raise FormatError(place, f"must be at most {self.maximum}")
        return found

    def _typed(self, place: str, value: object) -> Value:
        if self.type == "integer":
            return checks.whole(place, value)
        if self.type == "number":
            return checks.number(place, value)
        if self.type == "boolean":
            return checks.flag(place, value)
        if self.type == "date":
            return checks.day(place, value)
        return checks.text(place, value, longest=1000)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        choices = None if self.choices is None else [_json_value(item) for item in self.choices]
        return {
            **{name: _json_value(value) for name, value in checks.plain(self).items()},
            "choices": choices,
        }

    @classmethod
    def from_json(cls, data: object, place: str = "") -> Parameter:
        """The checked opposite of `to_json`; raises `FormatError`."""
        given = checks.fields(
            place, data, ("name", "type", "default", "help"), ("minimum", "maximum", "choices")
        )
        return checks.made(cls, given, place)


def _json_value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
