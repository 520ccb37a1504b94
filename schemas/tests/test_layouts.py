"""Formats of dates are a strict language, the same for one text and for a column."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_schemas.dates_columnar import parse_series
from hub_schemas.layouts import from_java, layouts, parse_date, parse_timestamp
from hub_schemas.model import DEFAULT_TIMESTAMP_FORMATS, Column


def one_date(text: str, *formats: str) -> date | None:
    """Read by both ways, which must agree."""
    column = Column("d", "d", "date", formats=formats)
    found = parse_date(text, formats)
    assert parse_series(column, pl.Series([text])).to_list() == [found]
    return found


def one_time(text: str, *formats: str, zone: str = "UTC") -> datetime | None:
    formats = formats or DEFAULT_TIMESTAMP_FORMATS
    column = Column("t", "t", "timestamp", formats=formats, timezone=zone)
    found = parse_timestamp(text, formats, zone)
    assert parse_series(column, pl.Series([text])).to_list() == [found]
    return found


@pytest.mark.parametrize(
    ("text", "layout", "expected"),
    [
        ("2024-02-29", "%Y-%m-%d", date(2024, 2, 29)),
        ("2023-02-29", "%Y-%m-%d", None),
        ("1900-02-29", "%Y-%m-%d", None),
        ("2000-02-29", "%Y-%m-%d", date(2000, 2, 29)),
        ("0001-01-01", "%Y-%m-%d", date(1, 1, 1)),
        ("9999-12-31", "%Y-%m-%d", date(9999, 12, 31)),
        ("0000-01-01", "%Y-%m-%d", None),
        ("2024-00-10", "%Y-%m-%d", None),
        ("2024-13-10", "%Y-%m-%d", None),
        ("2024-99-10", "%Y-%m-%d", None),
        ("2024-1-5", "%Y-%m-%d", None),
        ("+024-01-05", "%Y-%m-%d", None),
        ("2024- 1-05", "%Y-%m-%d", None),
        ("31/12/1999", "%d/%m/%Y", date(1999, 12, 31)),
        ("1/2/1999", "%-d/%-m/%Y", date(1999, 2, 1)),
        ("11/12/1999", "%-d/%-m/%Y", date(1999, 12, 11)),
        ("01-JAN-2020", "%d-%b-%Y", date(2020, 1, 1)),
        ("01-jan-2020", "%d-%b-%Y", date(2020, 1, 1)),
        ("01-J\x01N-2020", "%d-%b-%Y", None),
        ("5 September 2020", "%-d %B %Y", date(2020, 9, 5)),
        ("01/02/68", "%d/%m/%y", date(2068, 2, 1)),
        ("01/02/69", "%d/%m/%y", date(1969, 2, 1)),
        ("2018-07", "%Y-%m", date(2018, 7, 1)),
        ("٢٠٢٤-01-01", "%Y-%m-%d", None),
        ("20240131", "%Y%m%d", date(2024, 1, 31)),
    ],
)
def test_a_date_is_read_to_the_letter(text: str, layout: str, expected: date | None) -> None:
    assert one_date(text, layout) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-06-01T12:30:45", datetime(2024, 6, 1, 12, 30, 45, tzinfo=UTC)),
        ("2024-06-01 12:30", datetime(2024, 6, 1, 12, 30, tzinfo=UTC)),
        ("2024-06-01T12:30:45Z", datetime(2024, 6, 1, 12, 30, 45, tzinfo=UTC)),
        ("2024-06-01T12:30:45.5+01:00", datetime(2024, 6, 1, 11, 30, 45, 500000, tzinfo=UTC)),
        ("2024-06-01T12:30:45-0530", datetime(2024, 6, 1, 18, 0, 45, tzinfo=UTC)),
        ("2024-06-01T24:00:00", None),
        ("2024-06-01T23:60:00", None),
        ("2024-06-01T23:59:60", None),
        ("2024-06-01T23:59:59.1234567", None),
        ("2024-06-01T23:59:59.a", None),
        ("2024-06-01T23:59:59.12a45", None),
        ("2024-06-01T12:30:45+24:00", None),
        ("2024-06-01T12:30:45+0a:00", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("2024-06-01", None),
    ],
)
def test_a_timestamp_is_read_as_iso_8601_by_default(text: str, expected: datetime | None) -> None:
    assert one_time(text) == expected


def test_local_time_follows_british_clocks() -> None:
    read = lambda text: one_time(text, zone="Europe/London")  # noqa: E731
    assert read("2024-01-15T12:00:00") == datetime(2024, 1, 15, 12, tzinfo=UTC)
    assert read("2024-07-15T12:00:00") == datetime(2024, 7, 15, 11, tzinfo=UTC)
    assert read("2024-10-27T01:30:00") == datetime(2024, 10, 27, 0, 30, tzinfo=UTC), "the first of the two"
    assert read("2024-03-31T01:30:00") is None, "the hour that spring leaves out"
    assert read("2024-07-15T12:00:00Z") == datetime(2024, 7, 15, 12, tzinfo=UTC)


def test_a_z_written_into_a_format_says_utc_whatever_the_zone() -> None:
    assert one_time("2024-07-15T12:00Z", "%Y-%m-%dT%H:%MZ", zone="Europe/London") == datetime(
        2024, 7, 15, 12, tzinfo=UTC
    )


def test_the_first_format_that_fits_is_taken() -> None:
    assert one_date("03/04/2020", "%d/%m/%Y", "%m/%d/%Y") == date(2020, 4, 3)
    assert one_date("03/14/2020", "%d/%m/%Y", "%m/%d/%Y") == date(2020, 3, 14)


def test_a_column_of_mixed_formats_and_gaps_is_read_cell_by_cell() -> None:
    column = Column("d", "d", "date", formats=("%Y-%m-%d", "%d/%m/%Y", "%-d %b %y"))
    texts = pl.Series(["2020-01-02", None, "03/04/2020", "", "5 Jun 21", "2020-02-30", "x" * 10])
    expected = [date(2020, 1, 2), None, date(2020, 4, 3), None, date(2021, 6, 5), None, None]
    assert parse_series(column, texts).to_list() == expected


@given(st.dates(), st.sampled_from(["%Y-%m-%d", "%d/%m/%Y", "%Y%m%d", "%m/%d/%Y"]))
def test_every_day_of_the_calendar_comes_back(day: date, layout: str) -> None:
    text = (
        layout.replace("%Y", f"{day.year:04}").replace("%m", f"{day.month:02}").replace("%d", f"{day.day:02}")
    )
    assert one_date(text, layout) == day


def test_consecutive_days_have_consecutive_numbers_over_four_centuries() -> None:
    days = [date(1800, 1, 1) + timedelta(days=step) for step in range(0, 146_097, 7)]
    column = Column("d", "d", "date", formats=("%Y-%m-%d",))
    assert parse_series(column, pl.Series([day.isoformat() for day in days])).to_list() == days


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ("", "printable"),
        ("é%Y-%m", "printable"),
        ("%Y-%m-%d ", "begin or end with a space"),
        ("%Y-%j", "%j is not supported"),
        ("%Y-%m-%d %Y", "twice"),
        ("%d", "a month"),
        ("%Y-%m-%d %M", "%M needs %H"),
        ("%Y-%m %H", "needs a day"),
        ("%Y-%m-%d %", "% is not supported"),
        ("%Y%m%-d%d", "twice"),
    ],
)
def test_a_format_outside_the_language_is_refused_with_the_reason(layout: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        layouts(layout, with_time=True)


def test_a_format_that_leaves_too_much_open_is_refused() -> None:
    with pytest.raises(ValueError, match="several formats"):
        layouts("%-d %B %Y %H:%M:%S.%f%z", with_time=True)


@pytest.mark.parametrize(
    ("java", "ours"),
    [
        ("yyyy-MM-dd", "%Y-%m-%d"),
        ("dd/MM/yyyy HH:mm:ss", "%d/%m/%Y %H:%M:%S"),
        ("d MMM yy", "%-d %b %y"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "%Y-%m-%dT%H:%M:%S.%f%z"),
    ],
)
def test_the_letters_of_java_are_understood(java: str, ours: str) -> None:
    assert from_java(java) == ours


@pytest.mark.parametrize("java", ["yyyy-DD", "YYYY-MM", "dd'", "EEE", "%Y", "y" * 50])
def test_other_letters_of_java_are_refused(java: str) -> None:
    with pytest.raises(ValueError, match=r"supported|closed|at most"):
        from_java(java)
