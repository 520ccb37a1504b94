"""What becomes of a push: status, errors, JSON, several datasets, and no person's data in the clear."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def push(department: Any, *more: object) -> tuple[int, str, str]:
    return department.run("push", "--contract", department.contract, department.home / "pupils.csv", *more)


def test_status_and_errors_tell_what_became_of_a_delivery(registered: Any, hub: Any, pupils: Any) -> None:
    registered.write([*pupils, ("p9", "", "", "", "-5")])
    push(registered, "--wait")
    (name,) = hub.deliveries
    status, said, _ = registered.run("status")
    assert status == 0
    assert name[:8] in said
    assert "accepted" in said
    status, said, _ = registered.run("status", name[:6])
    assert status == 0
    assert name in said
    report = registered.home / "faults.csv"
    status, said, _ = registered.run("errors", "last", "--report", report)
    assert status == 1
    assert "sessions" in said
    lines = report.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "row,column,value_shown,rule,message"
    assert len(lines) == 3
    assert lines[2].startswith("61,sessions,-5,minimum,")
    status, _, complaint = registered.run("status", "ffff")
    assert status == 2
    assert "hub-connector status" in complaint


def test_status_names_deliveries_that_a_cut_left_behind(registered: Any, hub: Any, pupils: Any) -> None:
    registered.write(pupils)
    hub.cut_at = 1
    push(registered)
    hub.cut_at = None
    status, said, _ = registered.run("status")
    assert status == 0
    assert "Not through yet: pupils.csv (test.pupils). Push it again to go on." in said


def test_json_output_is_json_and_nothing_else(registered: Any, hub: Any, pupils: Any) -> None:
    registered.write([*pupils, ("p9", "", "", "", "")])
    _, said, complaint = push(registered, "--wait", "--format", "json")
    result = json.loads(said)
    assert complaint == ""
    assert (result["outcome"], result["status"]["state"]) == ("delivered", "accepted")
    assert result["check"]["rows"] == {"read": 61, "accepted": 60, "refused": 1}
    assert json.loads(registered.run("status", "--format", "json")[1])["deliveries"][0]["state"] == "accepted"
    assert json.loads(registered.run("errors", "last", "--format", "json")[1])[0]["column"] == "surname"


def test_run_once_pushes_every_configured_dataset_and_the_worst_turn_decides(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write(pupils)
    config = registered.home / "hub-connector.toml"
    datasets = (
        '\n[datasets."test.missing"]\nsource = "nowhere.csv"\ncontract = "pupils.yaml"\n'
        '\n[datasets."test.pupils"]\nsource = "pupils.csv"\ncontract = "pupils.yaml"\n'
    )
    config.write_text(config.read_text() + datasets)
    assert registered.contract.exists()
    status, said, _ = registered.run("run", "--once")
    assert status == 2
    assert "nowhere.csv does not exist" in said
    assert "accepted as version 1: 60 rows" in said
    status, said, _ = registered.run("push", "test.pupils", "--wait")
    assert "delivered before" in said


def test_no_value_of_a_person_is_written_in_the_clear_anywhere(
    registered: Any, hub: Any, pupils: Any
) -> None:
    canaries = ["Zebedee-Canary", "Quagmire", "943 476 5919", "9434765919", "17/11/2013", "2013-11-17"]
    good = ("ok", canaries[0], canaries[2], canaries[4], "3")
    bad = ("bad", canaries[1], canaries[2], canaries[4], "999")
    source = registered.write([*pupils, good, bad])
    source.write_text(source.read_text() + f"ragged,{canaries[1]},{canaries[4]}\n")
    hub.cut_at = 3
    said = [*push(registered, "--report", "faults.csv")[1:]]
    found = everything_but(registered, source)
    assert any(path.name == "rows.parquet" for path, _ in found), "the sealed rows were to wait there"
    hub.cut_at = None
    said += push(registered, "--wait")[1:]
    said += registered.run("errors", "last")[1:]
    said += registered.run("check", "--contract", registered.contract, source, "--report", "again.csv")[1:]
    said += registered.run("infer", source)[1:]
    found += everything_but(registered, source)
    found += [(Path("terminal"), text.encode()) for text in said]
    for place, text in found:
        for canary in canaries:
            assert canary.encode() not in text, f"{canary} stands in {place}"
    rows = hub.only()["rows"].to_pylist()
    assert [row["surname"] for row in rows if row["pupil"] == "ok"] == [canaries[0]]


def everything_but(department: Any, source: Path) -> list[tuple[Path, bytes]]:
    """What was written, name and content; the source itself is the department's own."""
    found = [(path, str(path).encode() + path.read_bytes()) for path in department.files() if path != source]
    assert len(found) > 4
    return found


def test_a_journal_of_an_earlier_version_is_understood_and_a_damaged_one_is_named(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write(pupils)
    push(registered, "--wait")
    journal = registered.home / ".hub-connector" / "journal.json"
    document = json.loads(journal.read_text())
    first = (
        "id",
        "dataset",
        "contract_digest",
        "mode",
        "source_digest",
        "source",
        "created_at",
        "state",
        "sent",
    )
    kept = (*first, "refused", "sealing_key_id")
    journal.write_text(json.dumps([{name: entry[name] for name in kept} for entry in document["deliveries"]]))
    assert "delivered before" in push(registered)[1]
    journal.write_text(journal.read_text()[:40])
    status, _, complaint = push(registered)
    assert status == 2
    assert "The journal .hub-connector/journal.json cannot be read" in complaint
