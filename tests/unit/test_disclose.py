"""Before anybody may release a table, small counts are hidden with their row's figures and others are rounded."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.runs.disclose import check_output
from hub_sdk import Output, OutputColumn

AGGREGATE = Output(
    "by_area",
    (
        OutputColumn("area", "string", "Area"), OutputColumn("people", "integer", "How many people"),
        OutputColumn("cases", "integer", "How many cases"), OutputColumn("rate", "number", "Cases a person"),
    ),
    "aggregate",
    count_columns=("people", "cases"),
)  # fmt: skip


def _table(*rows: tuple[str | None, int | None, int | None, float | None]) -> pa.Table:
    names = ("area", "people", "cases", "rate")
    kinds = (pa.string(), pa.int64(), pa.int64(), pa.float64())
    columns = list(zip(*rows, strict=True)) if rows else [()] * 4
    return pa.table({n: pa.array(list(c), k) for n, c, k in zip(names, columns, kinds, strict=True)})


def test_a_small_count_takes_its_rows_other_figures_with_it() -> None:
    checked = check_output(
        _table(("North", 100, 50, 0.5), ("South", 9, 50, 5.6), ("East", 100, 3, 0.03)), AGGREGATE, 10, 5
    )
    assert checked.table.to_pylist() == [
        {"area": "North", "people": 100, "cases": 50, "rate": 0.5},
        {"area": "South", "people": None, "cases": None, "rate": None},
        {"area": "East", "people": None, "cases": None, "rate": None},
    ]
    assert checked.suppressed == 2
    assert checked.note == "2 of 3 rows hidden (fewer than 10); counts rounded to 5."


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, None), (1, None), (9, None), (10, 10), (11, 10), (12, 10), (13, 15), (1003, 1005)],
)
def test_the_threshold_itself_is_shown_and_zero_is_not(count: int, shown: int | None) -> None:
    """ACRO's defaults: fewer than 10, rounded to 5. Zero says as much as one: nobody there is any of these."""
    (row,) = check_output(_table(("North", count, 100, 0.5)), AGGREGATE, 10, 5).table.to_pylist()
    assert row["people"] == shown
    assert (row["rate"] is None) == (shown is None)


def test_a_count_that_is_missing_hides_its_row_too() -> None:
    """What the hub cannot count it cannot let through."""
    checked = check_output(_table(("North", None, 100, 0.5)), AGGREGATE, 10, 5)
    assert checked.table.to_pylist() == [{"area": "North", "people": None, "cases": None, "rate": None}]
    assert checked.suppressed == 1


def test_a_count_that_cannot_be_is_hidden() -> None:
    assert check_output(_table(("North", -100, 100, 0.5)), AGGREGATE, 10, 5).suppressed == 1


def test_whole_numbers_that_are_no_counts_are_hidden_with_their_row() -> None:
    """A sum of minutes over one person is that person's minutes, whether it is whole or not."""
    output = Output(
        "by_area",
        (OutputColumn("area", "string", "Area"), OutputColumn("people", "integer", "How many"),
         OutputColumn("minutes", "integer", "Sum of minutes")),
        "aggregate", count_columns=("people",),
    )  # fmt: skip
    table = pa.table({"area": ["North", "South"], "people": [1, 100], "minutes": [481, 20_000]})
    assert check_output(table, output, 10, 5).table.to_pylist() == [
        {"area": "North", "people": None, "minutes": None}, {"area": "South", "people": 100, "minutes": 20_000},
    ]  # fmt: skip


@pytest.mark.parametrize(("disclosure", "key"), [("person", "household_id"), ("open", None)])
def test_tables_about_persons_and_open_ones_stay_as_they_are(disclosure: str, key: str | None) -> None:
    columns = [OutputColumn("count", "integer", "A count")]
    columns += [OutputColumn("household_id", "string", "Which")] if key else []
    output = Output("x", tuple(columns), disclosure, key=key)  # type: ignore[arg-type]
    table = pa.table({"count": [1, 2], **({"household_id": ["a", "b"]} if key else {})})
    checked = check_output(table, output, 10, 5)
    assert checked.table.equals(table)
    assert checked.suppressed == 0
    assert checked.note


def test_an_aggregate_that_names_no_counts_says_that_somebody_must_look() -> None:
    output = Output("x", (OutputColumn("rate", "number", "A rate"),), "aggregate")
    assert "look closely" in check_output(pa.table({"rate": [0.5]}), output, 10, 5).note


def test_an_empty_table_stays_empty() -> None:
    checked = check_output(_table(), AGGREGATE, 10, 5)
    assert (checked.table.num_rows, checked.suppressed) == (0, 0)
    assert checked.table.schema == _table().schema


def test_a_table_in_several_pieces_is_checked_in_all_of_them() -> None:
    pieces = pa.concat_tables([_table(("North", 100, 50, 0.5)), _table(("South", 1, 50, 5.6))])
    assert check_output(pieces, AGGREGATE, 10, 5).suppressed == 1


_COUNT = st.none() | st.integers(-5, 10_000)


@given(rows=st.lists(st.tuples(st.sampled_from("NESW"), _COUNT, _COUNT, st.none() | st.floats(0, 1)), max_size=20),
       minimum=st.integers(1, 50), to=st.integers(1, 20))  # fmt: skip
def test_nothing_below_the_threshold_ever_comes_through(
    rows: list[tuple[str, int | None, int | None, float | None]], minimum: int, to: int
) -> None:
    checked = check_output(_table(*rows), AGGREGATE, minimum, to)
    shown = checked.table.to_pylist()
    assert checked.table.schema == _table().schema
    assert [row["area"] for row in shown] == [row[0] for row in rows]
    hidden = 0
    for (_, people, cases, rate), row in zip(rows, shown, strict=True):
        small = any(count is None or count < minimum for count in (people, cases))
        hidden += small
        if small:
            assert (row["people"], row["cases"], row["rate"]) == (None, None, None)
            continue
        assert row["rate"] == rate
        for count, found in ((people, row["people"]), (cases, row["cases"])):
            assert count is not None
            assert found % to == 0
            assert abs(found - count) <= to / 2
    assert checked.suppressed == hidden
