"""The manifest: what a plugin needs, hands back and can be told, in a form that a person can approve.

All classes are frozen, check themselves when made (`FormatError` says where), and go to JSON and back
without loss.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from hub_sdk import checks
from hub_sdk.checks import FormatError, inside
from hub_sdk.parameters import Parameter, Value

# The version of hooks, manifest and messages. A worker of one version runs plugins of that version only.
SDK_VERSION = "1"
ENTRY_POINT_GROUP = "joinedup.plugins"

# The built-in input: everyone the hub has linked, under the pseudonyms of the agreement the plugin runs
# under.
PEOPLE_CONTRACT = "hub.people"
# name -> column type; `datasets` counts the datasets in which the person was seen.
PEOPLE_COLUMNS: Mapping[str, str] = {
    "person_id": "string",
    "household_id": "string",
    "date_of_birth": "date",
    "sex": "string",
    "datasets": "integer",
}

COLUMN_TYPES = ("string", "integer", "number", "boolean", "date", "timestamp")
DISCLOSURES = ("person", "aggregate", "open")
LINKS = ("person", "household")

T = TypeVar("T")
Disclosure = Literal["person", "aggregate", "open"]

_PLUGIN_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_CONTRACT = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_VERSION = re.compile(r"[0-9]+(\.[0-9]+){0,3}([.+-]?[a-z0-9]+)*")
_CRON_FIELD = re.compile(r"[0-9A-Za-z*/,#-]+")


@dataclass(frozen=True, slots=True)
class Input:
    """A table the plugin reads: the columns it needs of one contract, and no more.

    `link` adds the pseudonymous columns `person_id` and/or `household_id` (strings, made for the agreement,
    so they match between the inputs of one run and nowhere else). With the built-in contract `hub.people`
    these two are columns like others. An input that is not `required` may be absent: say in the report what
    could not be seen.

    `generalised` are those of `columns` that the plugin also understands when an agreement gives them less
    exactly: as text such as "35 to 39" (age band), "2014-03", "2014", "LS1 4" or "100 to 149". A plugin that
    does not name a column here never gets it so: its runs under such an agreement are refused when asked for.
    """

    name: str
    contract: str
    columns: tuple[str, ...]
    required: bool = True
    link: tuple[str, ...] = ()
    generalised: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checks.name("name", self.name)
        checks.text("contract", self.contract, longest=120, pattern=_CONTRACT)
        columns = checks.several("columns", self.columns, checks.name, least=1, most=500)
        checks.distinct("columns", columns)
        checks.flag("required", self.required)
        link = checks.several(
            "link", self.link, lambda place, item: checks.choice(place, item, LINKS), most=2
        )
        checks.distinct("link", link)
        if self.contract == PEOPLE_CONTRACT:
            if link:
                raise FormatError(
                    "link", f"is not for {PEOPLE_CONTRACT}: name person_id and household_id in columns"
                )
            strange = [column for column in columns if column not in PEOPLE_COLUMNS]
            if strange:
                raise FormatError(
                    "columns", f"{PEOPLE_CONTRACT} has no {strange[0]!r}; it has {', '.join(PEOPLE_COLUMNS)}"
                )
        elif {"person_id", "household_id"} & set(columns):
            raise FormatError(
                "columns", "person_id and household_id are not columns of a contract; ask with link="
            )
        generalised = checks.several("generalised", self.generalised, checks.name, most=500)
        checks.distinct("generalised", generalised)
        possible = set(columns) - {"person_id", "household_id"}
        if wrong := [column for column in generalised if column not in possible]:
            raise FormatError("generalised", f"{wrong[0]!r} must be one of the columns, and no pseudonym")
        checks.settle(self, columns=columns, link=link, generalised=generalised)

    @property
    def column_names(self) -> tuple[str, ...]:
        """All columns of the table the plugin gets, in order: the linked pseudonyms first, then `columns`."""
        linked = tuple(f"{link}_id" for link in LINKS if link in self.link)
        return linked + tuple(column for column in self.columns if column not in linked)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        lists = {name: list(getattr(self, name)) for name in ("columns", "link", "generalised")}
        return {**checks.plain(self), **lists}

    @classmethod
    def from_json(cls, data: object, place: str = "") -> Input:
        """The checked opposite of `to_json`; raises `FormatError`."""
        optional = ("required", "link", "generalised")
        given = checks.fields(place, data, ("name", "contract", "columns"), optional)
        return checks.made(cls, given, place)


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A column of an output. Types become Arrow's: see `hub_sdk.tables.ARROW_TYPES`."""

    name: str
    type: str
    description: str

    def __post_init__(self) -> None:
        checks.name("name", self.name)
        checks.choice("type", self.type, COLUMN_TYPES)
        checks.text("description", self.description, longest=500, empty=False)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        return checks.plain(self)

    @classmethod
    def from_json(cls, data: object, place: str = "") -> OutputColumn:
        """The checked opposite of `to_json`; raises `FormatError`."""
        return checks.made(cls, checks.fields(place, data, ("name", "type", "description")), place)


@dataclass(frozen=True, slots=True)
class Output:
    """A table the plugin hands back, and how far it may go.

    `disclosure`: `person` (a row is about one person or household; stays inside the hub, behind purpose and
    reason), `aggregate` (figures about groups; disclosure control before release) or `open` (no personal
    data went into it). `count_columns` are the integer columns that say how many people or cases stand
    behind a row; disclosure control works on them. `key` is the pseudonym a person-level row is about:
    `person_id` or `household_id`, never null.
    """

    name: str
    columns: tuple[OutputColumn, ...]
    disclosure: Disclosure
    count_columns: tuple[str, ...] = ()
    key: str | None = None

    def __post_init__(self) -> None:
        checks.name("name", self.name)
        columns = checks.several("columns", self.columns, checks.instance(OutputColumn), least=1, most=500)
        checks.distinct("columns", [column.name for column in columns])
        checks.choice("disclosure", self.disclosure, DISCLOSURES)
        counts = checks.several("count_columns", self.count_columns, checks.name, most=500)
        types = {column.name: column.type for column in columns}
        for count in counts:
            if types.get(count) != "integer":
                raise FormatError("count_columns", f"{count!r} must be one of the columns, of type integer")
        if self.disclosure == "person" and self.key not in ("person_id", "household_id"):
            raise FormatError("key", "an output about persons needs key='person_id' or key='household_id'")
        if self.disclosure != "person" and {"person_id", "household_id"} & set(types):
            raise FormatError(
                "columns", "person_id and household_id belong in outputs with disclosure='person' only"
            )
        if self.key is not None and types.get(self.key) != "string":
            raise FormatError("key", f"{self.key!r} must be one of the columns, of type string")
        checks.settle(self, columns=columns, count_columns=counts)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        return {
            **checks.plain(self),
            "columns": [column.to_json() for column in self.columns],
            "count_columns": list(self.count_columns),
        }

    @classmethod
    def from_json(cls, data: object, place: str = "") -> Output:
        """The checked opposite of `to_json`; raises `FormatError`."""
        given = checks.fields(place, data, ("name", "columns", "disclosure"), ("count_columns", "key"))
        given["columns"] = checks.several(
            inside(place, "columns"), given["columns"], lambda at, item: OutputColumn.from_json(item, at)
        )
        return checks.made(cls, given, place)


@dataclass(frozen=True, slots=True)
class Resources:
    """What one run may use; reaching a limit ends the run.

    `memory_mb`: memory of the process beside its input tables, MiB. `cpu_seconds`: processor time over all
    threads. `wall_seconds`: time on the clock. `output_mb`: size of all output tables and the report
    together, MiB, and separately of what may lie in `context.scratch`.
    """

    memory_mb: int = 2048
    cpu_seconds: int = 300
    wall_seconds: int = 600
    output_mb: int = 256

    def __post_init__(self) -> None:
        # Below 256 MiB an interpreter with pyarrow does not even start.
        checks.whole("memory_mb", self.memory_mb, least=256, most=1 << 20)
        checks.whole("cpu_seconds", self.cpu_seconds, least=1, most=86400)
        checks.whole("wall_seconds", self.wall_seconds, least=1, most=86400)
        checks.whole("output_mb", self.output_mb, least=1, most=1 << 16)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        return checks.plain(self)

    @classmethod
    def from_json(cls, data: object, place: str = "") -> Resources:
        """The checked opposite of `to_json`; raises `FormatError`."""
        optional = ("memory_mb", "cpu_seconds", "wall_seconds", "output_mb")
        return checks.made(cls, checks.fields(place, data, (), optional), place)


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that the hub, and the person who approves the plugin, need to know before it runs.

    `name` equals the name of the entry point. `operations` are the operations an agreement must allow.
    `schedule` is a suggestion in cron's five fields (UTC unless the hub says otherwise), or empty.
    """

    name: str
    version: str
    title: str
    summary: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    parameters: tuple[Parameter, ...] = ()
    operations: tuple[str, ...] = ("run plugin",)
    schedule: str = "0 6 * * MON"
    resources: Resources = Resources()
    sdk: str = SDK_VERSION

    def __post_init__(self) -> None:
        checks.text("name", self.name, longest=40, pattern=_PLUGIN_NAME)
        checks.text("version", self.version, longest=40, pattern=_VERSION)
        checks.text("title", self.title, longest=120, empty=False)
        checks.text("summary", self.summary, longest=1000, empty=False)
        inputs = checks.several("inputs", self.inputs, checks.instance(Input), most=50)
        checks.distinct("inputs", [item.name for item in inputs])
        outputs = checks.several("outputs", self.outputs, checks.instance(Output), most=50)
        checks.distinct("outputs", [item.name for item in outputs])
        parameters = checks.several("parameters", self.parameters, checks.instance(Parameter), most=100)
        checks.distinct("parameters", [item.name for item in parameters])
        operations = checks.several(
            "operations",
            self.operations,
            lambda at, item: checks.text(at, item, longest=60, empty=False),
            least=1,
        )
        _check_schedule(self.schedule)
        checks.instance(Resources)("resources", self.resources)
        checks.text("sdk", self.sdk, longest=10, empty=False)
        checks.settle(self, inputs=inputs, outputs=outputs, parameters=parameters, operations=operations)

    def input(self, name: str) -> Input:
        """The input of this name; raises KeyError."""
        return {item.name: item for item in self.inputs}[name]

    def output(self, name: str) -> Output:
        """The output of this name; raises KeyError."""
        return {item.name: item for item in self.outputs}[name]

    def values(self, given: Mapping[str, object]) -> dict[str, Value]:
        """Every parameter with its value: the given one, checked, or the default. Raises `FormatError`."""
        known = {parameter.name: parameter for parameter in self.parameters}
        unknown = [str(name) for name in given if name not in known]
        if unknown:
            names = ", ".join(known) or "none"
            raise FormatError(unknown[0][:60], f"is not a parameter of {self.name}; it has: {names}")
        return {
            name: parameter.check(given[name]) if name in given else parameter.default
            for name, parameter in known.items()
        }

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON values, complete: defaults are written out."""
        return {
            **checks.plain(self),
            "inputs": [item.to_json() for item in self.inputs],
            "outputs": [item.to_json() for item in self.outputs],
            "parameters": [item.to_json() for item in self.parameters],
            "operations": list(self.operations),
            "resources": self.resources.to_json(),
        }

    @classmethod
    def from_json(cls, data: object, place: str = "") -> Manifest:
        """The checked opposite of `to_json`; raises `FormatError`."""
        required = ("name", "version", "title", "summary", "inputs", "outputs", "sdk")
        given = checks.fields(place, data, required, ("parameters", "operations", "schedule", "resources"))
        parts = {"inputs": Input.from_json, "outputs": Output.from_json, "parameters": Parameter.from_json}
        for name, read in parts.items():
            given[name] = checks.several(inside(place, name), given.get(name, ()), _from_json(read))
        if "resources" in given:
            given["resources"] = Resources.from_json(given["resources"], inside(place, "resources"))
        return checks.made(cls, given, place)


def _check_schedule(schedule: object) -> None:
    """Five cron fields or nothing; the scheduler has the last word on what they mean."""
    text = checks.text("schedule", schedule, longest=100)
    parts = text.split()
    if parts and (len(parts) != 5 or not all(_CRON_FIELD.fullmatch(part) for part in parts)):
        raise FormatError("schedule", "must be five cron fields such as '0 6 * * MON', or empty")


def _from_json(read: Callable[[object, str], T]) -> Callable[[str, object], T]:
    """`from_json` with its arguments in the order of the checks."""
    return lambda place, data: read(data, place)
