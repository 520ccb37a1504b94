"""Every benchmark runs, at a scale of toys, and prints the table it promises. Times are looked at by nobody here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import sample
from benchmarks.__main__ import main
from benchmarks.linkage import _across, _quality
from benchmarks.measure import Timings, interleaved, peak_mb, percentile_95
from benchmarks.registry import BENCHMARKS, Scale, runner
from benchmarks.table import Table, rate, ratio

TOY = Scale(rows=1_000, people=300, entries=40, keys=20, repeats=1)

# Benchmark -> for each of its tables: its columns, and how many lines it has at least.
SHAPES = {
    "check": [(("what", "rows run", "seconds", "rows/s", "to floor", "faults seen", "peak MB"), 7)],
    "shapes": [(("what", "rows", "seconds", "to floor", "refused", "peak MB"), 12)],
    "intake": [
        (("what", "seconds", "rows/s", "to floor", "to plain", "peak MB"), 5),
        (("what", "ms", "ms a key", "characters"), 4),
    ],
    "encryption": [
        (("what", "plain s", "vault s", "whole s", "vault/plain", "vault/whole", "vault rows/s"), 5)
    ],
    "linkage": [
        (("what", "seconds", "people/s", "records/s", "to floor", "peak MB"), 3),
        (("what", "precision", "recall", "F1", "people"), 4),
        (("what", "precision", "recall", "F1", "households", "true"), 3),
    ],
    "lookup": [(("what", "people", "records", "median ms", "p95 ms", "to floor"), 5)],
    "rotation": [(("what", "seconds", "keys/s", "to floor", "read median ms", "read p95 ms"), 2)],
    "audit": [
        (("what", "acts/s", "ms an act", "to alone"), 6),
        (("what", "seconds", "entries/s", "to floor"), 6),
        (("what", "a second", "median ms", "p95 ms", "CPU ms", "to alone"), 4),
    ],
}
NUMBER = re.compile(r"-|(\d{1,3}(,\d{3})*|\d+)(\.\d+)?[x*+]?|")


def test_every_benchmark_has_its_shape_written_down() -> None:
    assert set(SHAPES) == set(BENCHMARKS)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_runs_and_fills_its_tables_with_numbers(name: str) -> None:
    tables = runner(name)(TOY)

    assert [table.columns for table in tables] == [columns for columns, _ in SHAPES[name]]
    for table, (_, least) in zip(tables, SHAPES[name], strict=True):
        assert len(table.rows) >= least
        assert table.title.startswith(f"{name}: ")
        for row in table.rows:
            assert all(NUMBER.fullmatch(cell) for cell in row[1:]), row
        print(f"\n{table.text()}")


def test_all_checks_of_the_generated_table_find_the_planted_faults(tmp_path: Path) -> None:
    from benchmarks import check, peers

    path = tmp_path / "support.csv"
    sample.write_csv(path, 3_000)
    once_given_twice = 2  # one planted fault in seven is a key given again, which row by row nobody can see

    assert sample.faults_in(3_000) == 15
    assert check.connector(str(path)) == check.checker(str(path)) == peers.polars_hand(str(path)) == 15
    for row_by_row in (peers.marshmallow_contract, peers.marshmallow_hand):
        assert row_by_row(str(path), "3000") == 15 - once_given_twice


def test_the_generated_table_is_the_same_every_time(tmp_path: Path) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    sample.write_csv(one, 500)
    sample.write_csv(other, 500)

    assert one.read_bytes() == other.read_bytes()


def test_tasks_take_turns_and_the_first_turn_is_not_counted() -> None:
    done: list[str] = []
    timings = interleaved({name: lambda name=name: done.append(name) for name in "AB"}, 3)

    assert "".join(done) == "ABABABAB"
    assert [len(values) for values in timings.seconds.values()] == [3, 3]


def test_a_ratio_is_the_median_of_neighbouring_turns() -> None:
    timings = Timings({"slow": (2.0, 30.0, 4.0), "fast": (1.0, 10.0, 4.0)})

    assert timings.median("slow") == 4.0
    assert timings.ratio("slow", "fast") == 2.0
    assert percentile_95((1.0,)) == 1.0


def test_precision_and_recall_count_pairs() -> None:
    found, true = ["a", "a", "a", "b"], [1, 1, 2, 2]

    assert _quality(found, true) == (1 / 3, 1 / 2)
    assert _across(found, true, ["x", "x", "y", "x"]) == (0.0, 0.0)
    assert _across(found, true, ["x", "y", "y", "x"]) == (1 / 2, 1 / 2)


def test_memory_of_a_process_of_its_own_is_measured_and_its_failure_told() -> None:
    assert peak_mb("builtins:len", "text") > 1
    with pytest.raises(RuntimeError, match="failed in a process of its own"):
        peak_mb("builtins:int", "not a number")


def test_a_table_is_aligned_and_refuses_a_row_that_does_not_fit() -> None:
    table = Table("t: two", ("what", "n"), (("long words", "1"), ("x", "1,000")), ("a note",))

    assert table.text().splitlines()[2:6] == [
        "what            n",
        "-----------------",
        "long words      1",
        "x           1,000",
    ]
    with pytest.raises(ValueError, match="a row has 1 cells for 2 columns"):
        Table("t", ("what", "n"), (("x",),))


def test_numbers_are_shown_as_they_can_be_trusted() -> None:
    assert (ratio(1.234), ratio(12.34), ratio(1234.5)) == ("1.23x", "12.3x", "1,234x")
    assert (rate(1_234_567, 1), rate(12, 1), rate(1, 0)) == ("1,230,000", "12", "0")


def test_an_unknown_benchmark_is_named_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["chekc"])

    assert end.value.code == 2
    assert "there is no benchmark chekc; there are check, shapes, intake" in capsys.readouterr().err


def test_the_help_names_every_benchmark_and_gives_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    said = capsys.readouterr().out

    assert end.value.code == 0
    assert all(f"  {name}" in said for name in BENCHMARKS)
    assert "examples:" in said
