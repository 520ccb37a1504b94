"""Whatever the bytes of a file, its reader gives rows or says in words why not. Longer: fuzz_readers.py beside this."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.source_files import WORKBOOKS, seeds, zipped


def _harness() -> ModuleType:
    path = Path(__file__).with_name("fuzz_readers.py")
    spec = importlib.util.spec_from_file_location("fuzz_readers", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HARNESS, SEEDS = _harness(), seeds()
#: Changes to a file: cut out, overwrite, insert or repeat some bytes somewhere (in 65,536ths of its length).
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 65_535),
        st.sampled_from(["cut", "over", "into", "twice", "end"]),
        st.binary(min_size=1, max_size=6),
    ),
    max_size=6,
)


def changed(data: bytes, changes: list[tuple[int, str, bytes]]) -> bytes:
    for place, how, piece in changes:
        at, size = place * len(data) // 65_536, len(piece)
        middle = {
            "cut": b"",
            "over": piece,
            "into": piece + data[at : at + size],
            "twice": data[at : at + size] * 2,
        }
        data = data[:at] if how == "end" else data[:at] + middle[how] + data[at + size :]
    return data


@settings(max_examples=40)
@given(st.data())
@pytest.mark.parametrize("kind", sorted(set(SEEDS) - set(WORKBOOKS)))
def test_a_changed_file_is_read_or_refused_in_words(kind: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(SEEDS[kind]))
    HARNESS.exercise(f"in.{kind}", changed(seed, data.draw(CHANGES)), settled=data.draw(st.booleans()))


@settings(max_examples=60)
@given(st.sampled_from([seed for kind in WORKBOOKS for seed in SEEDS[kind]]), CHANGES)
def test_what_is_looked_up_in_a_changed_workbook_is_found_or_refused_in_words(
    seed: bytes, changes: list[tuple[int, str, bytes]]
) -> None:
    HARNESS.look_into_workbook(changed(seed, changes))


@settings(max_examples=1)
@given(CHANGES)
@pytest.mark.parametrize("kind", WORKBOOKS)
def test_a_changed_workbook_is_read_or_refused_in_words(
    kind: str, changes: list[tuple[int, str, bytes]]
) -> None:
    HARNESS.exercise(f"in.{kind}", changed(SEEDS[kind][0], changes))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        # Excel's own first line with what cannot stand between cells.
        ("in.csv", b"sep=\xf9\na\xf9b\n1\xf92\n"),
        ("in.csv", b'sep="\n"a""b"\n'),
        ("in.csv", b"sep=a\nbac\n"),
        # A note with a control character would break the line it stands on.
        ("in.json", b'{"r\x7fws": [{"id": 1}]}'),
        ("in.zip", zipped({"\x1b[2Jin.csv": "a\n1\n"})),
        # An exponent beyond what Python's decimals can hold.
        ("in.json", b'[{"a": 1e99999999999999999999}]'),
        # A sheet whose directory entry says it is elsewhere.
        ("in.xls", SEEDS["xls"][0][:512] + b"\xff" * 512 + SEEDS["xls"][0][1024:]),
    ],
)
def test_what_fuzzing_found_stays_mended(name: str, content: bytes) -> None:
    HARNESS.exercise(name, content)
