"""Reading YAML that may be hostile.

Plain data only: no tags that make objects, no dates (they stay the text that was written), no aliases that
multiply, no deep nesting, no key twice, no infinite numbers. Limits are stated in the message when one is
met.
"""

from __future__ import annotations

import math
from typing import Any, Final

import yaml

from hub_schemas.problems import ContractError, Problem

__all__ = ["MAX_BYTES", "read_yaml"]

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 30
MAX_NODES: Final = 50_000
MAX_INTEGER: Final = 2**63 - 1


class _Loader(yaml.SafeLoader):
    """SafeLoader without timestamps and without anything that expands."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.depth = 0
        self.nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise _refused(event, "aliases (*name) are not accepted; write the value out")
        self.depth += 1
        self.nodes += 1
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if self.depth > MAX_DEPTH:
            raise _refused(event, f"nested more than {MAX_DEPTH} deep")
        if self.nodes > MAX_NODES:
            raise _refused(event, f"more than {MAX_NODES} values")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _refused(event: Any, message: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=message, problem_mark=event.start_mark)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise _refused(key_node, "keys must be text")
        if key in result:
            raise _refused(key_node, f"the key {key!r:.60} stands twice")
        result[key] = loader.construct_object(value_node, deep=True)
    return result


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    # Bounded before conversion: a number of a million digits costs quadratic time to read.
    if len(node.value) > 40:
        raise _refused(node, "number too long")
    value: int = loader.construct_yaml_int(node)
    if abs(value) > MAX_INTEGER:
        raise _refused(node, "number beyond 64 bits")
    return value


def _number(loader: _Loader, node: yaml.ScalarNode) -> float:
    value: float = loader.construct_yaml_float(node)
    if not math.isfinite(value):
        raise _refused(node, "infinite numbers and NaN are not accepted")
    return value


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, regexp)
        for tag, regexp in resolvers
        if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.yaml_constructors = {
    tag: constructor
    for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
    if tag in {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "str", "seq")} or tag is None
}
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)


def read_yaml(source: str | bytes) -> Any:
    """The one document in `source` as plain dicts, lists, texts, numbers, booleans and None.

    Raises:
        ContractError: with line and column, when it is too large, not UTF-8, not YAML, or more than plain
        data.
    """
    if len(source) > MAX_BYTES:
        raise ContractError(
            [Problem("file", f"larger than {MAX_BYTES:,} bytes; a contract is a small document")]
        )
    try:
        text = source.decode("utf-8-sig") if isinstance(source, bytes) else source.removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ContractError([Problem(f"byte {error.start}", "not UTF-8; save the file as UTF-8")]) from None
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "file"
        raise ContractError(
            [Problem(place, f"cannot be read as YAML: {error.problem or error.context}")]
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ContractError([Problem("file", f"cannot be read as YAML: {str(error)[:200]}")]) from None
