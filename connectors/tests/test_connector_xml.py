"""Reading XML by row path: attributes and child elements are columns; nothing outside the file is ever fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub_connector.errors import ConfigError, SourceError
from hub_connector.sources import open_source
from support.source_files import Read, placed, read_all


def file(folder: Path, content: str | bytes) -> Path:
    return placed(folder, content, "in.xml")


def read(path: Path, known: set[str] | None = None, **options: Any) -> Read:
    return read_all(open_source(str(path), options), known)


def test_attributes_children_and_nested_elements_are_columns(tmp_path: Path) -> None:
    text = """<?xml version="1.0"?><!-- made today --><e:export xmlns:e="urn:x" made="today"
      xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
      <e:row id="1"><name>Ann &amp; Bo</name><at><town lang="en">Hull</town></at><end xsi:nil="true"/></e:row>
      <e:row id="2"><name> Zoë </name><note><![CDATA[<b>]]></note>mixed</e:row></e:export>"""
    columns, rows, spoilt, notes = read(file(tmp_path, text))
    assert columns == ("@id", "name", "at.town.@lang", "at.town", "end", "note", "text()")
    assert rows == [("1", "Ann & Bo", "en", "Hull", "", "", ""), ("2", " Zoë ", "", "", "", "<b>", "mixed")]
    assert (spoilt, notes) == ([], ("XML, rows at export/row",))


def test_the_rows_are_found_by_what_repeats_or_by_the_contract_or_said(tmp_path: Path) -> None:
    text = """<x><codes><c><id>c1</id></c></codes>
      <people><p id="1"><name>A</name><tel><no>1</no></tel></p>
      <p id="2"><name>B</name><tel><no>2</no></tel></p></people></x>"""
    path = file(tmp_path, text)
    assert read(path)[3] == ("XML, rows at x/people/p",)
    assert read(path, {"no"})[3] == ("XML, rows at x/people/p/tel",)
    assert read(path, rows_path="/x/codes/c/")[:2] == (("id",), [("c1",)])
    for asked, words in (("x/people/q", "no rows at 'x/people/q'"), ("y/p", "no rows at")):
        with pytest.raises(SourceError, match=words) as caught:
            read(path, rows_path=asked)
        assert "--rows-path" in caught.value.hint
    assert read(file(tmp_path, "<x><v>1</v><v>2</v></x>"))[:2] == (("text()",), [("1",), ("2",)])
    assert read(file(tmp_path, "<x><row><a>1</a></row></x>"))[3] == ("XML, rows at x/row",)


def test_an_attribute_is_known_to_the_contract_without_its_sign(tmp_path: Path) -> None:
    path = file(tmp_path, '<x><r id="1" sex="F"><name>A</name></r><r id="2"/></x>')
    assert read(path, {"id", "name"})[0] == ("id", "@sex", "name")
    assert read(path, {"@id", "name"})[0] == ("@id", "@sex", "name")
    clash = file(tmp_path, '<x><r id="1"><id>2</id></r><r/></x>')
    assert read(clash, {"id"})[0] == ("@id", "id")


def test_elements_that_repeat_in_a_row_are_at_fault_if_the_contract_wants_them(tmp_path: Path) -> None:
    text = (
        "<x><r><id>1</id><tel><n>1</n></tel><tel><n>2</n></tel></r><r><id>2</id><tel><n>3</n></tel></r></x>"
    )
    path = file(tmp_path, text)
    fault = "'tel' holds a list where one value is expected; export a row for each entry"
    columns, rows, spoilt, notes = read(path, {"id"})
    assert (columns, rows, spoilt) == (("id", "tel.n"), [("1", ""), ("2", "3")], [])
    assert notes[1] == "holds lists, so left out: 'tel'"
    assert read(path, {"id", "tel"})[2] == [(1, fault)]


def test_a_wanted_value_inside_a_repeated_element_is_a_fault_and_not_an_empty_cell(tmp_path: Path) -> None:
    text = "<x><r><tel><n>1</n></tel><tel><n>2</n></tel></r><r><tel><n>3</n></tel></r></x>"
    _, rows, spoilt, _ = read(file(tmp_path, text), {"tel.n"})
    assert rows == [("3",)]
    assert spoilt == [(1, "'tel.n' holds a list where one value is expected; export a row for each entry")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252", "iso-8859-1"])
def test_a_declared_encoding_is_believed_and_another_can_be_said(tmp_path: Path, encoding: str) -> None:
    text = "<x><r><a>Zoë</a></r></x>"
    declared = f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding)
    assert read(file(tmp_path, declared))[1] == [("Zoë",)]
    assert read(file(tmp_path, text.encode(encoding)), encoding=encoding)[1] == [("Zoë",)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<x/>", "shows no rows"),
        ("<x>1</x>", "shows no rows"),
        ("<x><r><a>1</a></r>", "no element found"),
        ("<x><r><a>1</b></r></x>", "mismatched tag"),
        ("<x><r><a>1</a></r></x>more", "junk after"),
        ('<x><r a="1" a="2"/></x>', "duplicate attribute"),
        ("<x><r><a>&who;</a></r></x>", "undefined entity"),
        (
            '<?xml version="1.0" encoding="klingon"?><x><r><a>1</a></r></x>',
            "encoding that XML readers do not know|unknown encoding",
        ),
        ("<a>" * 1_000, "nested more than 200"),
        (
            "<x>" + "".join(f"<r><m{n}>1</m{n}></r>" for n in range(2_500)) + "</x>",
            "more than 2,000 different members",
        ),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><x><r><a>1</a></r></x>', "document type definition"),
        ('<!DOCTYPE x [<!ENTITY a "aaa">]><x><r><a>&a;</a></r></x>', "document type definition"),
        (
            '<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1/x">%a;]><x><r/></x>',
            "document type definition",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_true_reason(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        read(file(tmp_path, text))
    assert caught.value.hint
    assert "passwd" not in str(caught.value)


def test_rows_nested_too_deep_are_at_fault_and_no_others(tmp_path: Path) -> None:
    deep = "<a>" * 60 + "</a>" * 60
    _, rows, spoilt, _ = read(file(tmp_path, f"<x><r><b>1</b></r><r>{deep}</r></x>"))
    assert (rows[0][0], [row for row, _ in spoilt]) == ("1", [2])
    assert "more than 32 levels deep" in spoilt[0][1]


def test_a_row_without_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub_connector.sources import xml_rows

    monkeypatch.setattr(xml_rows, "_LARGEST", 1 << 20)
    with pytest.raises(SourceError, match="element of more than"):
        read(file(tmp_path, b"<x><r><a>" + b"x" * (4 << 20)), rows_path="x/r")


def test_options_without_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no option 'delimiter'"):
        read(file(tmp_path, "<x/>"), delimiter=";")
