"""Mending: the rows at fault come out of the source, are put right by hand, and go back until nothing is open."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

BAD = [
    ("bad1", "", "943 476 5919", "01/02/2015", "3"),
    ("bad2", "Nought", "943 476 5919", "31/02/2015", "-5"),
    ("bad3", "=SUM(A1)", "not one", "01/02/2015", "4"),
]


def push(department: Any, *more: object) -> tuple[int, str, str]:
    return department.run(
        "push", "--contract", department.contract, department.home / "pupils.csv", "--wait", *more
    )


@pytest.fixture
def delivered(registered: Any, hub: Any, pupils: Any) -> Any:
    """Sixty good rows, three at fault (rows 11, 32 and 63), and one that does not fit the header (row 64)."""
    rows = [*pupils[:10], BAD[0], *pupils[10:30], BAD[1], *pupils[30:], BAD[2]]
    path = registered.write(rows)
    path.write_text(path.read_text() + "bad4,Ragged,,01/02/2015,7,surplus\n")
    assert push(registered)[0] == 1
    return registered


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream))


def mend(department: Any, changes: dict[str, dict[str, str]], name: str = "mend.csv") -> Path:
    """Change cells by row number and column, as somebody does in a spreadsheet."""
    path = department.home / name
    header, *rows = read(path)
    for row in rows:
        for column, value in changes.get(row[0], {}).items():
            row[header.index(column)] = value
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def test_rows_at_fault_are_written_as_they_stand_in_the_source_for_the_owner_alone(delivered: Any) -> None:
    status, said, _ = delivered.run("errors", "last", "--rows", "mend.csv")
    assert status == 1
    assert "Wrote 4 rows to mend.csv, IN THE CLEAR" in said
    assert "hub-connector replay" in said
    header, *rows = read(delivered.home / "mend.csv")
    assert header == ["row", "pupil", "Family name", "NHS number", "born", "sessions", "faults"]
    assert [row[:-1] for row in rows] == [
        ["11", *BAD[0]], ["32", *BAD[1]], ["63", *BAD[2]], ["64", "bad4", "Ragged", "", "01/02/2015", "7"],
    ]  # fmt: skip
    assert "born must be a real date" in rows[1][-1]
    assert "; sessions must be" in rows[1][-1]
    assert "further cells: surplus" in rows[3][-1]
    if os.name == "posix":
        assert (delivered.home / "mend.csv").stat().st_mode & 0o777 == 0o600
    status, _, complaint = delivered.run("errors", "last", "--rows", "mend.csv")
    assert status == 2
    assert "is there already" in complaint, "half-mended rows must not be overwritten"


def test_mended_rows_go_back_until_nothing_is_open_and_the_sum_comes_out_every_time(
    delivered: Any, hub: Any
) -> None:
    delivered.run("errors", "last", "--rows", "mend.csv")
    mend(delivered, {"11": {"Family name": "Mended"}, "32": {"born": "28/02/2015"}})
    status, said, _ = delivered.run("replay", "last", "mend.csv")
    assert status == 1
    assert "2 rows mended; the dataset now has 62 rows" in said
    assert "64 sent = 60 accepted + 2 mended since + 2 still at fault" in said
    assert " 32 " in said, "a row still at fault is named by its number in the delivery"
    replay = list(hub.deliveries.values())[-1]["manifest"]
    assert (replay["mode"], replay["replays"]) == ("append", next(iter(hub.deliveries)))
    assert replay["rows"] == {"sent": 2, "accepted": 2, "refused": 0}
    sent = list(hub.tables.values())[-1]["rows"]
    assert sent["row_number"].to_pylist() == [11, 64]
    assert sent["surname"].to_pylist() == ["Mended", "Ragged"]
    mend(delivered, {"32": {"sessions": "5"}, "63": {"NHS number": ""}})
    status, said, _ = delivered.run("replay", "last", "mend.csv")
    assert status == 0
    assert "Left out, for they are not open (mended before, or never at fault): rows 11, 64." in said
    assert "64 sent = 60 accepted + 4 mended since." in said
    assert "Nothing of it is open any more." in said
    surnames = {row["pupil"]: row["surname"] for row in hub.datasets["test.pupils"]}
    assert surnames["bad3"] == "=SUM(A1)", "a value is the department's and comes back unchanged"
    assert len(surnames) == 64
    assert "No row of delivery" in delivered.run("replay", "last", "mend.csv")[1]
    assert delivered.run("errors", "last")[0] == 0
    said = delivered.run("status", "last")[1]
    assert "mended by" in said
    assert "64 sent = 60 accepted + 4 mended since" in said


def test_rows_that_nobody_mended_are_not_sent(delivered: Any, hub: Any) -> None:
    delivered.run("errors", "last", "--rows", "mend.csv")
    path = mend(delivered, {})
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))
    status, said, _ = delivered.run("replay", "last", path)
    assert status == 1
    assert "none of its rows keeps the contract yet" in said
    assert len(hub.deliveries) == 1
    assert "64 sent = 60 accepted + 4 at fault" in said


def test_the_same_source_after_mending_is_still_the_same_data(delivered: Any, hub: Any) -> None:
    delivered.run("errors", "last", "--rows", "mend.csv")
    delivered.run("replay", "last", mend(delivered, {"11": {"Family name": "Mended"}}))
    status, said, _ = push(delivered)
    assert status == 1
    assert "delivered before" in said
    assert len(hub.datasets["test.pupils"]) == 62


@pytest.mark.parametrize("before_storing", [True, False], ids=["request lost", "answer lost"])
def test_a_replay_that_was_cut_off_goes_on(delivered: Any, hub: Any, before_storing: bool) -> None:
    delivered.run("errors", "last", "--rows", "mend.csv")
    fixed = {"11": {"Family name": "M"}, "32": {"born": "", "sessions": "5"}, "63": {"NHS number": ""}}
    path = mend(delivered, fixed)
    hub.part_size, hub.cut_before_storing = 1_000_000, before_storing
    for _ in range(2):
        hub.cut_at = hub.steps
        assert delivered.run("replay", "last", path)[0] == 3
    hub.cut_at = None
    status, _, complaint = delivered.run("replay", "last", path)
    assert status == 0, complaint
    assert len(hub.datasets["test.pupils"]) == 64
    assert "Not through yet" not in delivered.run("status")[1]
    assert not list((delivered.home / ".hub-connector" / "outbox").iterdir())


def test_a_source_that_changed_since_is_not_trusted_for_its_row_numbers(delivered: Any) -> None:
    path = delivered.home / "pupils.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], "new,New,,01/02/2015,1\n", *lines[1:]]))
    status, _, complaint = delivered.run("errors", "last", "--rows", "mend.csv")
    assert status == 2
    assert "is not what it was when it was delivered" in complaint
    assert not (delivered.home / "mend.csv").exists()
    (delivered.home / "kept.csv").write_text("".join(lines))
    assert delivered.run("errors", "last", "--rows", "mend.csv", "kept.csv")[0] == 1
    assert read(delivered.home / "mend.csv")[1][1] == "bad1"
    assert delivered.run("errors", "last", "--rows", "forced.csv", "--force")[0] == 1
    assert [path.name for path in delivered.home.glob(".mend*")] == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("row,", "number,", 1), "first column of mend.csv is not 'row'"),
        (lambda text: text.replace("\n32,", "\n,", 1), "has no row number in its first column"),
        (lambda text: text.replace("\n32,", "\n11,", 1), "has row 11 more than once"),
        (lambda text: text.replace("Family name", "Name", 1), "lacks a column that test.pupils needs"),
    ],
)
def test_a_file_that_lost_its_numbers_is_refused_with_the_reason(
    delivered: Any, hub: Any, change: Any, words: str
) -> None:
    delivered.run("errors", "last", "--rows", "mend.csv")
    path = delivered.home / "mend.csv"
    path.write_text(change(path.read_text(encoding="utf-8-sig")))
    status, _, complaint = delivered.run("replay", "last", "mend.csv")
    assert status == 2
    assert words in complaint
    assert len(hub.deliveries) == 1


def test_mended_rows_may_come_in_another_order_and_another_dialect(delivered: Any, hub: Any) -> None:
    delivered.run("errors", "last", "--rows", "mend.csv")
    header, *rows = read(mend(delivered, {"11": {"Family name": "Müller"}, "63": {"NHS number": ""}}))
    with (delivered.home / "mend.txt").open("w", encoding="cp1252", newline="") as stream:
        csv.writer(stream, delimiter=";").writerows([header, *rows[::-1], [""] * len(header)])
    status, said, complaint = delivered.run("replay", "last", "mend.txt", "--format", "json")
    assert status == 1, complaint
    assert json.loads(said)["mended"]["rows"] == {"sent": 64, "accepted": 60, "refused": 1, "replayed": 3}
    sent = list(hub.tables.values())[-1]["rows"]
    assert list(zip(sent["row_number"].to_pylist(), sent["surname"].to_pylist(), strict=True)) == [
        (11, "Müller"), (63, "=SUM(A1)"), (64, "Ragged"),
    ]  # fmt: skip


def test_a_source_with_columns_called_like_ours_keeps_them(registered: Any, hub: Any, pupils: Any) -> None:
    path = registered.home / "pupils.csv"
    path.write_text(
        "row,pupil,Family name,born,faults\n1,p1,One,01/02/2015,none\n2,p2,,01/02/2015,none\n3,p3,T,,x\n"
    )
    assert push(registered)[0] == 1
    registered.run("errors", "last", "--rows", "mend.csv")
    header, row = read(registered.home / "mend.csv")
    assert header == [
        "row in delivery", "row", "pupil", "Family name", "born", "faults", "faults of the row",
    ]  # fmt: skip
    assert row[:2] == ["2", "2"]
    mend(registered, {"2": {"Family name": "Two"}})
    assert registered.run("replay", "last", "mend.csv")[0] == 0


def test_mended_rows_of_an_upsert_are_upserted_and_keys_that_repeat_are_named_by_their_rows(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write([*pupils[:5], BAD[0], BAD[1]])
    assert push(registered, "--mode", "upsert")[0] == 1
    registered.run("errors", "test.pupils", "--rows", "mend.csv")
    mend(
        registered,
        {
            "6": {"pupil": "same", "Family name": "A"},
            "7": {"pupil": "same", "born": "", "sessions": "1"},
        },
    )
    status, said, _ = registered.run("replay", "test.pupils", "mend.csv")
    assert status == 1
    assert "row 6 has the same" in said
    mend(registered, {"7": {"pupil": "other"}})
    assert registered.run("replay", "last", "mend.csv")[0] == 0
    assert {entry["manifest"]["mode"] for entry in hub.deliveries.values()} == {"upsert"}


def test_a_growing_source_gives_its_rows_at_fault_again_though_it_grew(
    registered: Any, hub: Any, growing: Any
) -> None:
    config = registered.home / "hub-connector.toml"
    assert registered.contract.exists()
    config.write_text(
        config.read_text()
        + '\n[datasets."test.pupils"]\nsource = "db://pupils"\ncontract = "pupils.yaml"\nmode = "append"\n'
    )
    growing.rows[20] = ("p0020", "", *growing.rows[20][2:])
    assert registered.run("push", "test.pupils", "--wait")[0] == 1
    growing.rows.append(("q61", "New", "", "", "1", "61"))
    assert registered.run("errors", "last", "--rows", "mend.csv")[0] == 1
    assert [row[:2] for row in read(registered.home / "mend.csv")[1:]] == [["21", "p0020"]]
    mend(registered, {"21": {"Family name": "Found"}})
    assert registered.run("replay", "last", "mend.csv")[0] == 0
    growing.rows[3] = ("p0003", "Other", *growing.rows[3][2:])
    status, _, complaint = registered.run("errors", "last", "--rows", "again.csv")
    assert (status, complaint) == (0, ""), "nothing is open, so nothing is written"
    assert not (registered.home / "again.csv").exists()


def test_a_delivery_that_was_refused_or_is_not_decided_cannot_be_mended_row_by_row(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write([*pupils, BAD[0]])
    hub.verdict = "received"
    registered.run("push", "--contract", registered.contract, registered.home / "pupils.csv")
    (registered.home / "mend.csv").write_text("row,pupil,Family name\n61,a,b\n")
    status, _, complaint = registered.run("replay", "last", "mend.csv")
    assert status == 2
    assert "not decided" in complaint
    hub.decide_now("refused")
    status, _, complaint = registered.run("replay", "last", "mend.csv")
    assert status == 2
    assert "Mend the source and push it again" in complaint
