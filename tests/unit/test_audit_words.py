"""Every act that the hub's code writes into the audit log has a name that people understand."""

import ast
from collections.abc import Iterator
from pathlib import Path

from hub.web import words

WRITERS = {"note", "record", "_note", "refusals_recorded", "refusals_noted"}


def _acts(path: Path) -> Iterator[str]:
    """What stands, written out, in the place of the act: `note(session, principal, "run.started")`, `action="..."`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in WRITERS:
            continue
        given = [*node.args[:3], *(item.value for item in node.keywords if item.arg == "action")]
        for part in given:
            for value in ast.walk(part):
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    kind, dot, act = value.value.partition(".")
                    if dot and kind and act and " " not in value.value:
                        yield value.value


def test_every_act_that_the_code_writes_has_words(repository: Path) -> None:
    found = {act for path in (repository / "hub").rglob("*.py") for act in _acts(path)}
    assert len(found) > 40
    assert sorted(found - dict(words.acts()).keys()) == []
