"""Make the generated parts of the documentation anew, from the code and the configuration they describe.

Run by `make docs`. `python tools/make_docs.py --check` changes nothing and fails where a page is stale.

A generated part stands between two comments of a Markdown file; what follows `begin` says what it is:

    <!-- begin layers -->                                 the house, from the import contract
    <!-- begin settings -->                               every setting with its variable, default and help
    <!-- begin states hub.intake.states:TRANSITIONS -->   a state machine, from its table of transitions
    <!-- begin record -->                                 the fields of an agreement, from its schema
    <!-- begin powers -->                                 the legal powers that the hub knows
    <!-- begin targets -->                                what make can do, from the Makefile
    ...
    <!-- end -->
"""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PART = re.compile(r"(?P<begin><!-- begin (?P<what>[^>]*?) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)


def layers() -> str:
    """Draw the layers of the hub: the higher may import the lower, and parts on one line never each other."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    house = next(contract for contract in settings["contracts"] if contract["id"] == "house")
    rows = [" | ".join(name.strip() for name in line.split("|")) for line in house["layers"]]
    width = max(len(row) for row in rows)
    edge = "+" + "-" * (width + 2) + "+"
    drawn = f"\n{edge}\n".join(f"| {row.center(width)} |" for row in rows)
    return f"```text\n{edge}\n{drawn}\n{edge}\n```\n"


def settings_table() -> str:
    """List every setting of the hub."""
    from hub.config import describe

    lines = ["| Setting | Environment variable | Default | What it does |", "| --- | --- | --- | --- |"]
    for item in describe():
        default = {True: "true", False: "false", "": ""}.get(item["default"], str(item["default"]))
        shown = f"`{default}`" if default else ""
        help_text = item["help"].replace("|", "\\|")
        lines.append(f"| `{item['name']}` | `{item['variable']}` | {shown} | {help_text} |")
    return "\n".join(lines) + "\n"


def states(table: str) -> str:
    """Draw a state machine from `module:NAME`, a mapping of (state, event) to the next state."""
    module, _, name = table.partition(":")
    transitions: Mapping[tuple[str, str], str] = getattr(importlib.import_module(module), name)
    sources, targets = {state for state, _ in transitions}, set(transitions.values())
    first = sorted(sources - targets) or [next(iter(transitions))[0]]  # or where the table begins
    lines = [f"    [*] --> {state}" for state in first]
    lines += [f"    {state} --> {after}: {event}" for (state, event), after in transitions.items()]
    lines += [f"    {state} --> [*]" for state in sorted(targets - sources)]
    names = {state: str(state).replace(" ", "_") for state in sorted(sources | targets)}
    for state, name in names.items():  # Mermaid knows a state of two words by an alias only
        if name != state:
            lines = [re.sub(rf"\b{state}\b(?=$| -->|:)", name, line) for line in lines]
            lines.insert(0, f'    state "{state}" as {name}')
    return "```mermaid\nstateDiagram-v2\n" + "\n".join(lines) + "\n```\n"


def targets() -> str:
    """List the targets of the Makefile."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.findall(r"^([a-z-]+):.*?## (.*)$", text, flags=re.MULTILINE)
    lines = ["| Command | What it does |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| `make {name}` | {what} |" for name, what in found)]) + "\n"


def record() -> str:
    """List the fields of an agreement, from the schema that checks them."""
    from marshmallow import fields

    from hub.policy.agreement import AgreementSchema

    lines = ["| Field | What it is | Kind | If left out |", "| --- | --- | --- | --- |"]
    for name, field in AgreementSchema().fields.items():
        kind = {fields.List: "list", fields.Date: "day", fields.Integer: "number", fields.Dict: "mapping",
                fields.Boolean: "true or false"}.get(type(field), "text")  # fmt: skip
        offered = getattr(getattr(field, "validate", None), "choices", None)
        if offered:
            kind = ", ".join(f"`{one}`" for one in offered if one)
        missing = "needed" if field.required else _default(field.load_default)
        lines.append(f"| `{name}` | {field.metadata.get('description', '')} | {kind} | {missing} |")
    return "\n".join(lines) + "\n"


def _default(value: object) -> str:
    """A default as the table shows it."""
    if callable(value) or value in ("", None):
        return "nothing"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def powers() -> str:
    """List the legal powers that the hub knows, with their objectives."""
    from hub.policy.powers import POWERS

    lines = ["| Power | What it is | Objectives | Bodies |", "| --- | --- | --- | --- |"]
    for item in POWERS.values():
        served = "; ".join(f"`{one.id}` ({one.title})" for one in item.objectives)
        sides = " and ".join(
            {"publisher": "those who publish", "user": "those who use"}[side] for side in item.lists
        )
        listed = f"{sides}: {item.listed}" if item.listed else "none listed"
        lines.append(f"| `{item.id}` | {item.title} ({item.source}) | {served} | {listed} |")
    return "\n".join(lines) + "\n"


PARTS: dict[str, Callable[..., str]] = {
    "layers": layers,
    "settings": settings_table,
    "states": states,
    "record": record,
    "powers": powers,
    "targets": targets,
}


def render(text: str) -> str:
    """Return a page with its generated parts made anew; raise ValueError for a part that is not known."""

    def make(match: re.Match[str]) -> str:
        what, *arguments = match["what"].split()
        if what not in PARTS:
            raise ValueError(f"there is no generated part {what!r}; known are: {', '.join(PARTS)}")
        return f"{match['begin']}{PARTS[what](*arguments)}{match['end']}"

    return PART.sub(make, text)


def pages() -> list[Path]:
    """Return every page that may hold generated parts."""
    return [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]


def main(arguments: list[str]) -> int:
    """Write, or with --check only compare, every page; return the exit status."""
    stale = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (made := render(text)) != text:
            stale.append(page)
            if "--check" not in arguments:
                page.write_text(made, encoding="utf-8")
    for page in stale:
        said = "is out of date: run `make docs`" if "--check" in arguments else "made anew"
        print(f"{page.relative_to(ROOT)} {said}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
