"""Patterns mean the same to both engines, match whole values, and cannot be made to run for ever."""

from __future__ import annotations

import re
import time

import polars as pl
import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_schemas.patterns import MAX_LENGTH, PatternError, compile_pattern


def matches(pattern: str, text: str) -> tuple[bool, bool]:
    """(by RE2, by polars)"""
    compiled = compile_pattern(pattern)
    by_polars = pl.Series([text]).str.contains(compiled.rust).item()
    return re2.compile(compiled.re2).fullmatch(text) is not None, by_polars


_ATOMS = st.sampled_from(
    ["a", "b", "é", "ß", "1", ".", r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", "[a-c]", "[^a]", r"[\w-]", r"[^\d\s]",
     r"[\]\\^]", r"\.", r"\x41", r"\u00e9", " ", "-", "&&", "~", "#", r"\t", "[é-ü]", r"[\[]", "[a&b]", "z"]
)  # fmt: skip
_PIECES = st.builds(
    lambda atom, times: atom + times,
    _ATOMS,
    st.sampled_from(["", "", "*", "+", "?", "{2}", "{0,2}", "{1,}", "*?"]),
)
_PATTERNS = st.recursive(
    st.lists(_PIECES, min_size=1, max_size=4).map("".join),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + "|".join(parts) + ")"),
        st.builds(lambda text: f"(?:{text})?", inner),
        st.builds(lambda one, two: one + r"\b" + two, inner, inner),
    ),
    max_leaves=6,
)
_TEXTS = st.text(
    st.sampled_from([*"aabbcz1. -&~#\t\n\0_]\\^[", "é", "ü", "ß", "A", "٣", "\u00a0", "🙂"]), max_size=6
)


@settings(max_examples=400, deadline=None)
@given(_PATTERNS, _TEXTS)
def test_both_engines_agree(pattern: str, text: str) -> None:
    by_re2, by_polars = matches(pattern, text)
    assert by_re2 == by_polars


@settings(max_examples=400, deadline=None)
@given(_PATTERNS, _TEXTS)
def test_they_agree_with_python_on_ascii(pattern: str, text: str) -> None:
    text = text.encode("ascii", "ignore").decode()
    expected = re.compile(pattern, re.ASCII).fullmatch(text) is not None
    assert matches(pattern, text) == (expected, expected)
    assert (re.compile(compile_pattern(pattern).portable, re.ASCII).fullmatch(text) is not None) == expected


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from([*"ab1()[]{}|*+?.^$\\,-:=!<>Pdwsbpxu0"]), max_size=12), _TEXTS)
def test_any_text_is_a_pattern_both_engines_take_or_is_refused_with_a_reason(pattern: str, text: str) -> None:
    try:
        by_re2, by_polars = matches(pattern, text)
    except PatternError as error:
        assert str(error)
    else:
        assert by_re2 == by_polars


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("^[A-Z]{2}$", "AB", True),
        ("[A-Z]{2}", "ABC", False),
        ("a$", "a\n", False),
        (".", "\n", False),
        ("a|b", "b", True),
        (r"\d", "٣", False),
        (r"\w", "é", False),
        (r"\s", "\u00a0", False),
        (r"[^\d]", "é", True),
        (r"a\b.*", "aé", True),  # a word boundary is ASCII: é is no word character
        ("[a-]", "-", True),
        ("x{3,}", "xxxx", True),
    ],
)
def test_the_classes_are_ascii_and_the_whole_value_must_match(
    pattern: str, text: str, expected: bool
) -> None:
    assert matches(pattern, text) == (expected, expected)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "empty"),
        ("a" * (MAX_LENGTH + 1), "longer than"),
        ("(?=a)", "look-around"),
        ("(?<!a)b", "look-around"),
        ("(?P<n>a)", "names"),
        ("(?i)a", "flags"),
        (r"(a)\1", "back-references"),
        (r"\p{L}", "Unicode properties"),
        (r"\A", "not supported"),
        ("a**", "repetition of a repetition"),
        ("a*+", "repetition of a repetition"),
        (r"\b*", "cannot be repeated"),
        ("a{1001}", "at most 1000"),
        ("a{3,2}", "at most 1000"),
        ("a{,2}", "a number must follow"),
        ("((a{100}){100}){100}", "unfolds to more than"),
        ("(" * 30 + "a" + ")" * 30, "nested more than"),
        ("^a|b$", "write ^(a|b)$"),
        ("a^b", "misplaced"),
        ("a$b", "only last"),
        ("(a$)", "only at the ends"),
        ("[]", "empty class"),
        ("[b-a]", "a range runs"),
        (r"[\d-z]", "a range runs"),
        ("[a", "] expected"),
        ("(a", ") expected"),
        ("a)", "unmatched"),
        ("[[:alpha:]]", "[:names:]"),
        ("[a--b]", "a range runs"),
        ("[&&b]", "set operations"),
        ("*a", "misplaced"),
        (r"\x4", "hexadecimal"),
        (r"\ud800", "surrogate"),
        ("\ud800", "surrogate"),
        ("a\\", "not supported"),
    ],
)
def test_what_is_not_supported_is_named(pattern: str, words: str) -> None:
    with pytest.raises(PatternError, match=re.escape(words)):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", ["(a|a)*b", "(?:a+)+b", "(?:a?){50}a{50}", "(?:[^b]+)+b"])
def test_patterns_that_explode_elsewhere_run_in_linear_time(pattern: str) -> None:
    text = "a" * 20_000
    start = time.perf_counter()
    assert matches(pattern, text) == (False, False)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("pattern", ["[^a]{1000}", "(?:[^ab]{40}é){24}", "(?:é|[^x]){450}"])
def test_the_largest_patterns_compile_in_both_engines(pattern: str) -> None:
    assert matches(pattern, "a") == (False, False)
