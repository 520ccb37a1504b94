"""The messages between the hub and a worker. Both sides import this module; nothing here needs pyarrow.

Hub to worker: a request (JSON in a sealed memory file) and one memory file an input table (an Arrow IPC
stream). Worker to hub: events, a line of JSON each, and one memory file of fixed size for the result:

    offset 0    magic, 8 bytes offset 8    offset and length of the index, two little-endian unsigned 64-bit
    numbers ...         record batches as Arrow IPC messages without a schema, each at a multiple of 64 bytes
    index       JSON: {"tables": [{"name", "batches": [[offset, length], ...]}], "report": {...}} of
    a run, {"manifest": {...}} of a description, {"probe": {...}} of a probe

There is no schema in the result on purpose: the hub reads the batches with the schema of the approved
manifest, so a worker cannot make it build any other type.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from hub_sdk import checks
from hub_sdk.checks import FormatError
from hub_sdk.context import Coverage
from hub_sdk.manifest import SDK_VERSION

RESULT_MAGIC = b"JOINUP\x00\x01"
RESULT_HEADER = struct.Struct("<8sQQ")
BATCH_ALIGNMENT = 64
# Rows of one record batch of the result: small enough that writing one costs little memory beside the table.
BATCH_ROWS = 65_536

# Longest line of an event, bytes. The worker keeps to it; the hub throws longer ones away.
LONGEST_LINE = 8_192
LONGEST_MESSAGE = 500

MODES = ("describe", "run", "probe")
FAILURES = ("error", "memory", "output", "protocol")

_ENTRY_POINT = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass(frozen=True, slots=True)
class InputFile:
    """An input table in a memory file: its name, the inherited file descriptor and the size in bytes."""

    name: str
    fd: int
    size: int

    @classmethod
    def from_json(cls, place: str, data: object) -> InputFile:
        """Checked; raises `FormatError`."""
        given = checks.fields(place, data, ("name", "fd", "size"))
        return cls(
            name=checks.text(f"{place}.name", given["name"]),
            fd=checks.whole(f"{place}.fd", given["fd"], least=0),
            size=checks.whole(f"{place}.size", given["size"], least=1),
        )


@dataclass(frozen=True, slots=True)
class Request:
    """What a worker is to do; `describe` and `run` need an entry point (`module:Class`).

    `parameters` are JSON values, checked again by the worker against the manifest. `paths` are folders put
    in front of the module search path. `result_fd` and `result_size` are the memory file for the result of a
    run.
    """

    mode: str
    entry_point: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    today: date = date(1970, 1, 1)
    coverage: Mapping[str, Coverage] = field(default_factory=dict)
    inputs: tuple[InputFile, ...] = ()
    result_fd: int = -1
    result_size: int = 0
    memory_mb: int = 0
    threads: int = 1
    scratch: str = "/tmp"  # noqa: S108 - inside the sandbox /tmp is a private file system
    paths: tuple[str, ...] = ()
    sdk: str = SDK_VERSION

    def to_json(self) -> bytes:
        """The request as it is sent."""
        parameters = {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in self.parameters.items()
        }
        return json.dumps(
            {
                "mode": self.mode,
                "entry_point": self.entry_point,
                "parameters": parameters,
                "seed": self.seed,
                "today": self.today.isoformat(),
                "coverage": {name: item.to_json() for name, item in self.coverage.items()},
                "inputs": [{"name": item.name, "fd": item.fd, "size": item.size} for item in self.inputs],
                "result_fd": self.result_fd,
                "result_size": self.result_size,
                "memory_mb": self.memory_mb,
                "threads": self.threads,
                "scratch": self.scratch,
                "paths": list(self.paths),
                "sdk": self.sdk,
            },
            allow_nan=False,
        ).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Request:
        """Checked; raises `FormatError`."""
        names = tuple(cls.__slots__)
        given = checks.fields("request", parse(data), names)
        coverage = given["coverage"]
        parameters = given["parameters"]
        if not isinstance(coverage, Mapping) or not isinstance(parameters, Mapping):
            raise FormatError("request", "coverage and parameters must be objects")
        if given["sdk"] != SDK_VERSION:
            raise FormatError(
                "request.sdk", f"the hub speaks SDK {given['sdk']!r}, this worker {SDK_VERSION!r}"
            )
        return cls(
            mode=checks.choice("mode", given["mode"], MODES),
            entry_point=checks.text("entry_point", given["entry_point"]),
            parameters=dict(parameters),
            seed=checks.whole("seed", given["seed"]),
            today=checks.day("today", given["today"]),
            coverage={name: Coverage.from_json(item, f"coverage.{name}") for name, item in coverage.items()},
            inputs=checks.several("inputs", given["inputs"], InputFile.from_json),
            result_fd=checks.whole("result_fd", given["result_fd"]),
            result_size=checks.whole("result_size", given["result_size"]),
            memory_mb=checks.whole("memory_mb", given["memory_mb"]),
            threads=checks.whole("threads", given["threads"], least=1),
            scratch=checks.text("scratch", given["scratch"], longest=4096),
            paths=checks.several(
                "paths", given["paths"], lambda at, item: checks.text(at, item, longest=4096)
            ),
        )


def is_entry_point(reference: str) -> bool:
    """Whether a reference has the form `module:Class` and nothing else."""
    return _ENTRY_POINT.fullmatch(reference) is not None


def parse(data: bytes) -> object:
    """Strict JSON: UTF-8, no NaN or infinity; raises `FormatError` without showing the content."""

    def refuse(constant: str) -> object:
        raise FormatError("", f"{constant} is not JSON")

    try:
        found: object = json.loads(data.decode(), parse_constant=refuse)
    except FormatError:
        raise
    except (ValueError, RecursionError):
        raise FormatError("", "is not JSON") from None
    return found


def clipped(message: str, longest: int = LONGEST_MESSAGE) -> str:
    """One line of printable text of at most `longest` characters."""
    line = "".join(character if character.isprintable() else " " for character in message[: longest + 1])
    return line if len(line) <= longest else line[: longest - 1] + "…"


def event_line(event: str, **fields: object) -> bytes:
    """An event as it is sent: one line of JSON, cut down to its bare name where it would be too long."""
    line = json.dumps({"event": event, **fields}, ensure_ascii=False, allow_nan=False).encode(
        "utf-8", "replace"
    )
    if len(line) >= LONGEST_LINE:
        line = json.dumps({"event": event, "kind": "protocol"}).encode()
    return line + b"\n"
