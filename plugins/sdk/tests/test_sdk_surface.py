"""The surface of the SDK: what it exports, how lightly it imports, and that its documentation is true."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hub_sdk
from hub_sdk.hooks import REQUIRED_HOOKS, PluginHooks
from hub_sdk.testing import run_plugin

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
MODULES = [f"hub_sdk.{item.name}" for item in pkgutil.iter_modules(hub_sdk.__path__)]


def test_all_names_everything_public_and_nothing_else() -> None:
    source = ast.parse(Path(inspect.getfile(hub_sdk)).read_text(encoding="utf-8"))
    imported = {name.name for node in source.body if isinstance(node, ast.ImportFrom) for name in node.names}

    assert set(hub_sdk.__all__) == imported - {"annotations"}
    assert all(hasattr(hub_sdk, name) for name in hub_sdk.__all__)
    assert len(hub_sdk.__all__) == len(set(hub_sdk.__all__))


def test_every_public_object_is_documented() -> None:
    for name in hub_sdk.__all__:
        thing = getattr(hub_sdk, name)
        if inspect.isclass(thing):
            assert inspect.getdoc(thing), name
            for attribute, method in vars(thing).items():
                if inspect.isfunction(method) and not attribute.startswith("_"):
                    assert inspect.getdoc(method), f"{name}.{attribute}"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is_for(module: str) -> None:
    assert importlib.import_module(module).__doc__


@pytest.mark.parametrize("module", ["hub_sdk", "hub_sdk.wire", "hub_sdk.worker"])
def test_importing_brings_no_data_library(module: str) -> None:
    heavy = ("duckdb", "numpy", "pandas", "polars", "pyarrow", "pytest")
    code = f"import {module}, sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("hook", [name for name in vars(PluginHooks) if name.startswith("hub_")])
def test_every_hook_is_documented_here_and_in_the_readme(hook: str) -> None:
    assert inspect.getdoc(getattr(PluginHooks, hook))
    assert f"| `{hook}` |" in README
    assert hook in REQUIRED_HOOKS


def test_the_example_of_the_readme_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)  # noqa: S102 - our own documentation

    names["test_only_arrears_above_the_bound_count"]()  # type: ignore[operator]
    suite = names["TestConformance"]()  # type: ignore[operator]
    tests = [name for name in dir(suite) if name.startswith("test_")]
    assert len(tests) >= 10
    for name in tests:
        getattr(suite, name)()
    report = run_plugin(names["ArrearsPlugin"], suite.tables()).report
    assert report.blocks[0].title == "Households in arrears"  # type: ignore[union-attr]
