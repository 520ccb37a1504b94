"""Pages that describe the code are made from it, and cannot fall behind."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from support.checkout import ROOT


@pytest.fixture(scope="module")
def make_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "tools" / "make_docs.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_generated_part_of_the_documentation_is_up_to_date(make_docs: ModuleType) -> None:
    pages = make_docs.pages()

    assert pages
    assert [
        page.name for page in pages if make_docs.render(page.read_text(encoding="utf-8")) != page.read_text()
    ] == []


def test_a_part_is_replaced_and_what_stands_around_it_is_kept(make_docs: ModuleType) -> None:
    page = make_docs.render("Before.\n<!-- begin targets -->\nold\n<!-- end -->\nAfter.\n")

    assert page.startswith("Before.\n<!-- begin targets -->\n")
    assert page.endswith("<!-- end -->\nAfter.\n")
    assert "old" not in page
    assert "`make check`" in page
    assert make_docs.render(page) == page


def test_the_drawing_of_the_house_has_every_layer_from_the_doors_to_the_slab(make_docs: ModuleType) -> None:
    drawing = make_docs.layers()

    assert "api | web | cli | scheduler" in drawing
    assert drawing.index("workflows") < drawing.index("vault | catalogue") < drawing.index("errors")


def test_a_state_machine_is_drawn_from_its_table(make_docs: ModuleType) -> None:
    drawing = make_docs.states("hub.intake.states:TRANSITIONS")

    assert "[*] --> uploading" in drawing
    assert "checking --> refused: refuse" in drawing
    assert "refused --> [*]" in drawing


def test_every_setting_is_listed_with_its_variable(make_docs: ModuleType) -> None:
    assert "| `port` | `HUB_PORT` | `8600` |" in make_docs.settings_table()


def test_an_unknown_part_is_refused_by_name(make_docs: ModuleType) -> None:
    with pytest.raises(ValueError, match="no generated part 'nonsense'; known are: layers"):
        make_docs.render("<!-- begin nonsense -->\n<!-- end -->")
