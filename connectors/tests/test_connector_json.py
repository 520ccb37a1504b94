"""Reading JSON: arrays, documents with an array inside, JSON Lines; nested, odd and broken members."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_connector.errors import ConfigError, SourceError
from hub_connector.sources import open_source
from hub_connector.sources._json_text import Decoder, JsonText
from support.source_files import Read, placed, read_all


def file(folder: Path, content: str | bytes, name: str = "in.json") -> Path:
    return placed(folder, content, name)


def read(path: Path, known: set[str] | None = None, **options: Any) -> Read:
    return read_all(open_source(str(path), options), known)


def test_an_array_of_objects_is_rows_under_all_the_members_there_are(tmp_path: Path) -> None:
    text = '[{"id": 1, "at": {"town": "Hull", "geo": {"x": 1.50}}}, {"id": 2, "late": true, "at": null}, {"id": 3}]'
    columns, rows, spoilt, notes = read(file(tmp_path, text))
    assert columns == ("id", "at.town", "at.geo.x", "late", "at")
    assert rows == [("1", "Hull", "1.50", "", ""), ("2", "", "", "true", ""), ("3", "", "", "", "")]
    assert (spoilt, notes) == ([], ("JSON",))


def test_numbers_keep_their_digits_and_lose_their_exponent(tmp_path: Path) -> None:
    numbers = ("123456789012345678901234567890", "0.10", "1.5e3", "2.0", "1E-7", "-0", "1e99999")
    text = "[" + ",".join(f'{{"n": {number}}}' for number in numbers) + "]"
    assert [row[0] for row in read(file(tmp_path, text))[1]] == [
        "123456789012345678901234567890", "0.10", "1500", "2", "0.0000001", "-0", "1e99999",
    ]  # fmt: skip
    assert len(read(file(tmp_path, f'[{{"n": {"9" * 100_000}}}]'))[1][0][0]) == 100_000


def test_the_rows_inside_a_document_are_found_or_said(tmp_path: Path) -> None:
    text = (
        '{"meta": {"n": [1, "]"]}, "a": {"items": [{"x": 1}, {"x": 2}]}, "codes": [{"id": "c"}], "end": "}"}'
    )
    path = file(tmp_path, text)
    columns, rows, _, notes = read(path)
    assert (columns, rows) == (("x",), [("1",), ("2",)])
    assert notes == ("JSON, rows at a.items (other lists: codes)",)
    assert read(path, {"id"})[1] == [("c",)], "the contract knows which list it is"
    assert read(path, rows_path="codes")[1] == [("c",)]
    for asked, words in (
        ("a.item", "no 'item' at a"),
        ("meta.n.x", "no object at meta.n"),
        ("end", "no list"),
    ):
        with pytest.raises(SourceError, match=words) as caught:
            read(path, rows_path=asked)
        assert "--rows-path" in caught.value.hint
    with pytest.raises(SourceError, match="'rows' more than once"):
        read(file(tmp_path, '{"rows": [{"a": 1}], "rows": [{"a": 2}]}'), rows_path="rows")


def test_a_list_of_rows_far_into_a_large_document_needs_its_path(tmp_path: Path) -> None:
    path = file(tmp_path, json.dumps({"noise": "x" * 1_200_000, "rows": [{"a": 1}]}))
    with pytest.raises(SourceError, match="no list of rows is seen"):
        read(path)
    assert read(path, rows_path="rows")[1] == [("1",)]


@pytest.mark.parametrize(
    ("name", "note"), [("in.jsonl", "JSON Lines"), ("in.json", "JSON Lines"), ("in", "JSON Lines")]
)
def test_json_lines_are_rows_and_a_broken_line_is_one_row_at_fault(
    tmp_path: Path, name: str, note: str
) -> None:
    lines = [
        '{"a": 1}',
        "",
        '{"a": ',
        '{"a": 1} x',
        "[1]",
        '{"a": NaN}',
        '{"a": 1, "a": 2}',
        '{"a": "\\ud800"}',
        '{"a": 7}',
    ]
    _, rows, spoilt, notes = read(file(tmp_path, "\r\n".join(lines), name))
    assert rows == [("1",), ("7",)]
    assert notes == (note,)
    reasons = [
        "not valid JSON",
        "something follows",
        "no object",
        "NaN is no JSON number",
        "more than once",
        "surrogate",
    ]
    assert [row for row, _ in spoilt] == [2, 3, 4, 5, 6, 7]
    assert all(reason in message for reason, (_, message) in zip(reasons, spoilt, strict=True))


def test_one_object_is_one_row_and_objects_may_follow_each_other(tmp_path: Path) -> None:
    assert read(file(tmp_path, '{"a": 1,\n "b": 2}'))[1] == [("1", "2")]
    assert read(file(tmp_path, '{"a":\n 1}\n{"a": 2} {"a": 3}'))[1] == [("1",), ("2",), ("3",)]


def test_lists_are_left_out_unless_the_contract_wants_them_and_then_are_at_fault(tmp_path: Path) -> None:
    path = file(
        tmp_path, '[{"id": 1, "tags": ["a"]}, {"id": 2, "tags": []}, {"id": 3, "in": {"tags": [{}]}}]'
    )
    columns, rows, spoilt, notes = read(path, {"id"})
    assert (columns, spoilt) == (("id", "tags"), [])
    assert rows == [("1", ""), ("2", ""), ("3", "")]
    assert notes[1] == "holds lists, so left out: 'in.tags'"
    fault = "holds a list where one value is expected; export a row for each entry"
    assert read(path, {"id", "in.tags"})[2] == [(3, f"'in.tags' {fault}")]
    assert read(path, {"tags"})[2] == [(1, f"'tags' {fault}")]


def test_two_members_of_one_path_and_rows_nested_too_deep_are_at_fault(tmp_path: Path) -> None:
    deep = '{"a": ' * 40 + "1" + "}" * 40
    abyss = '{"a": ' * 100_000 + "1" + "}" * 100_000
    _, rows, spoilt, _ = read(
        file(tmp_path, f'[{{"b": 1}}, {{"x": {{"b": 1}}, "x.b": 2}}, {deep}, {abyss}, {{"b": 2}}]')
    )
    assert [row[0] for row in rows] == ["1", "2"]
    assert [message.partition(";")[0] for _, message in spoilt] == [
        "the row has two members that are both called 'x.b'",
        "the row is nested more than 32 levels deep", "the row is nested more than 32 levels deep",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"[]", "holds no rows"),
        (b"[{}]", "none with named members"),
        (b"[1, 2]", "none with named members"),
        (b'"text"', "begins with neither"),
        (b'[{"a": 1}', "ends too early"),
        (b'[{"a": 1},]', "a value is missing"),
        (b'[{"a": 1} {"a": 2}]', "']' is missing"),
        (b'[{"a": 1}] x', "something follows"),
        (b"[{'a': 1}]", "double quotation marks"),
        (b'[{"a": "x\ny"}]', "control character"),
        (b'[{"a": "\\x"}]', "backslash"),
        (b"[" * 100_000, "ends too early"),
        ('[{"a": "é"}]'.encode("cp1252"), "not UTF-8 throughout"),
        (b'{"a": {"b": 1}, "c":', "no list of rows"),
        (json.dumps([{f"m{n}": 1} for n in range(2_500)]).encode(), "more than 2,000 different members"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_true_reason(
    tmp_path: Path, content: bytes, words: str
) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        read(file(tmp_path, content))
    assert caught.value.hint


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_other_encodings_are_known_by_their_mark_or_said(tmp_path: Path, encoding: str) -> None:
    assert read(file(tmp_path, '[{"a": "Zoë"}]'.encode(encoding)))[1] == [("Zoë",)]
    assert read(file(tmp_path, '[{"a": "Zoë"}]'.encode("cp1252")), encoding="cp1252")[1] == [("Zoë",)]


def test_options_without_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no option 'sheet'"):
        read(file(tmp_path, "[]"), sheet="1")
    with pytest.raises(ConfigError, match="rows_path is some text"):
        read(file(tmp_path, "[]"), rows_path=" ")


def test_a_member_that_comes_late_in_a_stream_is_at_fault_if_the_contract_knows_it() -> None:
    from hub_connector.sources._members import Record, read_members

    records = [Record({"a": "1"})] * 5_000 + [Record({"a": "1", "b": "2"}), Record({"a": "1", "c": "3"})]
    reading = read_members(
        lambda: iter(records), lambda cells: len({"a", "b"} & set(cells)), "x", (), streamed=True
    )
    spoilt = [entry for batch in reading.batches for entry in batch.spoilt]
    assert [
        (entry.row, "has 'b', which none of the first 5,000 rows has" in entry.message) for entry in spoilt
    ] == [(5_001, True)]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50)
@given(documents=st.lists(values, max_size=4), size=st.integers(1, 9), indent=st.sampled_from([None, 1]))
def test_values_are_read_and_skipped_alike_however_the_text_is_cut(
    documents: list[Any], size: int, indent: int | None
) -> None:
    text = " ".join(json.dumps(one, indent=indent, ensure_ascii=False) for one in documents)
    cut = [text[begin : begin + size] for begin in range(0, len(text), size)]
    reader, skipper = (JsonText(iter(cut), "x", Decoder()) for _ in range(2))
    for one in documents:
        assert reader.value() == json.loads(json.dumps(one), parse_int=str, parse_float=_as_read)
        skipper.skip()
        assert skipper.position == reader.position
    assert (reader.peek(), skipper.peek()) == ("", "")


def _as_read(literal: str) -> Any:
    return Decoder().decode(literal)[0]
