"""Pushing to a hub that really verifies and opens what it gets."""

from __future__ import annotations

import json
from typing import Any

import pytest


def push(department: Any, *more: object) -> tuple[int, str, str]:
    return department.run("push", "--contract", department.contract, department.home / "pupils.csv", *more)


def test_rows_arrive_as_they_were_typed_and_the_hub_alone_can_open_them(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write(pupils)
    status, said, _ = push(registered, "--wait")
    assert status == 0
    assert "accepted as version 1: 60 rows" in said
    rows = hub.only()["rows"].to_pylist()
    assert [row["row_number"] for row in rows] == list(range(1, 61))
    assert [(row["pupil"], row["surname"]) for row in rows] == [(pupil, name) for pupil, name, *_ in pupils]
    assert {row["nhs"] for row in rows} == {"9434765919"}
    assert {str(row["born"]) for row in rows} == {"2015-02-01"}
    assert set(hub.only()) == {"rows"}


def test_every_column_has_a_key_of_its_own_named_by_its_class(registered: Any, hub: Any, pupils: Any) -> None:
    registered.write([*pupils, ("", "X", "", "", "")])
    push(registered)
    (delivery,) = hub.deliveries.values()
    names = {
        file["role"]: {json.loads(text)["masterKeyID"] for text in file["key_material"].values()}
        for file in delivery["manifest"]["files"]
    }
    columns = {
        "official/pupil",
        "personal/surname",
        "special-category/nhs",
        "personal/born",
        "official/sessions",
    }
    assert names["rows"] == names["refused"] == {"footer", "open/row_number"} | columns
    faults = ("row", "column", "value_shown", "rule", "message")
    assert names["faults"] == {"footer", *(f"personal/{name}" for name in faults)}


def test_rows_at_fault_travel_sealed_as_they_were_sent_with_their_reasons(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write([*pupils[:10], ("p9", "", "123", "31/02/2015", "-1"), *pupils[10:]])
    status, said, _ = push(registered, "--wait")
    assert status == 1
    assert "accepted as version 1: 60 rows, 1 set aside" in said
    tables = hub.only()
    assert tables["refused"].to_pylist() == [
        {"row_number": 11, "pupil": "p9", "surname": "", "nhs": "123", "born": "31/02/2015", "sessions": "-1"}
    ]
    found = {(fault["row"], fault["column"], fault["rule"]) for fault in tables["faults"].to_pylist()}
    assert found == {
        (11, "surname", "required"), (11, "nhs", "identifier"), (11, "born", "type-error"), (11, "sessions", "minimum"),
    }  # fmt: skip
    assert tables["rows"].num_rows == 60


def test_an_empty_dataset_is_a_delivery_too(registered: Any, hub: Any) -> None:
    registered.write([])
    status, said, _ = push(registered, "--wait")
    assert (status, hub.only()["rows"].num_rows) == (0, 0)
    assert "0 rows" in said


def test_a_contract_that_waits_for_others_is_said_before_anything_is_packed(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write(pupils)
    hub.waits_for = ("agreement school-places",)
    status, _, said = push(registered)
    assert status == 4
    assert "holds it as a proposal (agreement school-places). Nothing was sent." in said
    assert "Push with the version that is in force" in said
    assert (hub.deliveries, list(registered.home.rglob("*.parquet"))) == ({}, [])
    hub.waits_for = ()
    assert push(registered, "--wait")[0] == 0


def test_the_same_data_twice_is_recognised_and_not_sent_again(registered: Any, hub: Any, pupils: Any) -> None:
    registered.write(pupils)
    push(registered, "--wait")
    before = hub.steps
    status, said, _ = push(registered, "--wait")
    assert status == 0
    assert "the same data was delivered before" in said
    assert (len(hub.deliveries), hub.steps) == (1, before)


def test_the_same_data_is_sent_again_when_asked_for_or_after_other_data(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write(pupils)
    push(registered)
    assert push(registered, "--again")[0] == 0
    assert len(hub.deliveries) == 2
    registered.write(pupils[:-1])
    push(registered)
    registered.write(pupils)
    status, said, _ = push(registered, "--wait")
    assert status == 0
    assert "delivered before" not in said
    assert len(hub.deliveries) == 4


def test_what_the_journal_has_lost_the_hub_still_recognises(registered: Any, hub: Any, pupils: Any) -> None:
    registered.write(pupils)
    push(registered)
    (registered.home / ".hub-connector" / "journal.json").unlink()
    steps = hub.steps
    status, said, _ = push(registered, "--wait")
    assert status == 0
    assert "the same data was delivered before" in said
    assert (len(hub.deliveries), hub.steps) == (1, steps)
    assert "delivered before" in push(registered)[1]
    assert not list((registered.home / ".hub-connector" / "outbox").iterdir())


def test_the_same_data_under_a_changed_contract_is_another_delivery(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write(pupils)
    push(registered)
    registered.contract.write_text(registered.contract.read_text().replace("maximum: 200", "maximum: 300"))
    assert push(registered)[0] == 0
    assert len(hub.deliveries) == 2


def test_an_appended_file_is_recognised_even_when_others_came_since(
    registered: Any, hub: Any, pupils: Any
) -> None:
    for rows in (pupils[:30], pupils[30:], pupils[:30]):
        registered.write(rows)
        status, said, _ = push(registered, "--mode", "append")
        assert status == 0
    assert "delivered before" in said
    assert len(hub.deliveries) == 2


@pytest.mark.parametrize("before_storing", [True, False], ids=["request lost", "answer lost"])
def test_cut_at_any_step_the_same_command_goes_on_where_it_was(
    registered: Any, hub: Any, pupils: Any, before_storing: bool
) -> None:
    registered.write([*pupils, ("bad", "", "", "", "")])
    hub.part_size = 500
    hub.cut_before_storing = before_storing
    for step in range(1000):
        # Let the connection live a little longer every time.
        hub.cut_at = hub.steps + 1
        status, said, complaint = push(registered)
        if status == 1:
            break
        assert status == 3, complaint
        assert "goes on where it stopped" in complaint
        assert step == 0 or len(hub.deliveries) == 1
    assert "went on after a cut" in said
    assert step > 6, "the delivery was to have many parts"
    (delivery,) = hub.deliveries.values()
    parts = sum(file["parts"] for file in delivery["manifest"]["files"])
    puts = [request for request in hub.requests if "/parts/" in request]
    assert len(set(puts)) == parts
    assert len(puts) <= parts + (step if before_storing else 0)
    assert hub.only()["rows"].num_rows == 60
    assert not list((registered.home / ".hub-connector" / "outbox").iterdir())


def test_after_a_cut_a_changed_source_replaces_what_was_not_through(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write(pupils)
    hub.part_size, hub.cut_at = 500, 2
    assert push(registered)[0] == 3
    hub.cut_at = None
    registered.write(pupils[:20])
    assert push(registered, "--wait")[0] == 0
    assert hub.only()["rows"].num_rows == 20
    assert len(list((registered.home / ".hub-connector" / "outbox").iterdir())) == 0


def test_after_a_cut_an_append_is_sent_first_when_another_source_is_pushed(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write(pupils[:30])
    hub.cut_at = 1
    assert push(registered, "--mode", "append")[0] == 3
    hub.cut_at = None
    registered.write(pupils[30:])
    status, said, _ = push(registered, "--mode", "append", "--wait")
    assert status == 0
    first, second = said.splitlines()
    assert "what a cut had left behind delivered as" in first
    assert "30 rows added; the dataset now has 30 rows" in first
    assert "30 rows added; the dataset now has 60 rows" in second
    assert [tables["rows"].num_rows for tables in hub.tables.values()] == [30, 30]


def test_a_cut_delivery_that_cannot_be_sent_any_more_is_not_lost_in_silence(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write(pupils[:30])
    hub.cut_at = 1
    assert push(registered, "--mode", "append")[0] == 3
    hub.cut_at = None
    for path in (registered.home / ".hub-connector" / "outbox").rglob("rows.parquet"):
        path.unlink()
    registered.write(pupils[30:])
    status, _, complaint = push(registered, "--mode", "append")
    assert status == 2
    assert "Push that source again first" in complaint
    assert not hub.tables
    assert push(registered, "--mode", "append", "--force")[0] == 0


def test_a_delivery_whose_last_answer_was_lost_stands_in_nobodys_way(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write(pupils[:30])
    hub.part_size = 1_000_000
    hub.cut_at = 1
    assert push(registered, "--mode", "append")[0] == 3
    assert len(hub.tables) == 1, "the hub was to have all of it"
    hub.cut_at = None
    registered.write(pupils[30:])
    assert push(registered, "--mode", "append")[0] == 0
    assert [tables["rows"].num_rows for tables in hub.tables.values()] == [30, 30]
    registered.write(pupils[:30])
    assert "delivered before" in push(registered, "--mode", "append")[1]


def test_a_hub_that_is_busy_for_a_moment_is_tried_again(
    registered: Any, hub: Any, pupils: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_CONNECTOR_TRIES", "3")
    registered.write(pupils)
    hub.busy = 1
    assert push(registered, "--wait")[0] == 0


def test_a_token_that_ended_early_is_renewed(registered: Any, hub: Any, pupils: Any) -> None:
    registered.write(pupils)
    original, refused = hub.signed_in, []

    def forgetful(*arguments: Any) -> Any:
        if not refused:
            refused.append(1)
            return 401, {"title": "Unauthorised", "detail": "the token has ended"}
        return original(*arguments)

    hub.signed_in = forgetful
    assert push(registered, "--wait")[0] == 0
    assert hub.requests.count("POST /oauth/token") == 2


def test_a_hub_with_another_sealing_key_gets_nothing(registered: Any, hub: Any, pupils: Any) -> None:
    registered.write(pupils)
    hub.new_sealing_key()
    status, _, complaint = push(registered)
    assert status == 2
    assert "another sealing key than the one pinned" in complaint
    assert "hub-connector trust" in complaint
    assert not hub.deliveries
    assert not [request for request in hub.requests if "deliveries" in request or "datasets" in request]


def test_a_changed_sealing_key_can_be_trusted_by_its_fingerprint_alone(
    registered: Any, hub: Any, pupils: Any
) -> None:
    from hub_connector.keys import fingerprint

    registered.write(pupils)
    hub.new_sealing_key()
    status, _, complaint = registered.run("trust", "--fingerprint", "0123 4567")
    assert status == 2
    assert "Nothing was changed" in complaint
    assert push(registered)[0] == 2
    assert registered.run("trust", "--fingerprint", fingerprint(hub.sealing_key))[0] == 0
    assert push(registered, "--wait")[0] == 0
    assert hub.only()["rows"].num_rows == 60


def test_a_delivery_sealed_before_the_key_changed_is_sealed_anew(
    registered: Any, hub: Any, pupils: Any
) -> None:
    from hub_connector.keys import fingerprint

    registered.write(pupils)
    hub.part_size, hub.cut_at = 500, 2
    assert push(registered)[0] == 3
    hub.cut_at = None
    hub.new_sealing_key()
    hub.sealing_key["id"] = "seal_new"
    registered.run("trust", "--fingerprint", fingerprint(hub.sealing_key))
    assert push(registered, "--wait")[0] == 0
    assert hub.only()["rows"].num_rows == 60


def test_too_many_rows_at_fault_are_held_back_before_anything_is_sent(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write([("p1", "", "", "", "")] * 60 + pupils[:1])
    status, said, _ = push(registered)
    assert status == 4
    assert "Not sent: the hub would refuse it" in said
    assert not hub.deliveries
    assert not list((registered.home / ".hub-connector" / "outbox").iterdir())
    hub.verdict = "refused"
    status, said, _ = push(registered, "--force", "--wait")
    assert status == 4
    assert "refused by the hub: too many rows at fault" in said


def test_a_source_that_changes_while_it_is_read_is_not_sent(
    registered: Any, hub: Any, pupils: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub_connector import packing

    path = registered.write(pupils)
    original = packing.check_source

    def growing(*arguments: Any) -> Any:
        yield from original(*arguments)
        with path.open("a") as stream:
            stream.write("late,Late,,,\n")

    monkeypatch.setattr(packing, "check_source", growing)
    status, _, complaint = push(registered)
    assert status == 2
    assert "changed while it was being read" in complaint
    assert not hub.deliveries


def test_what_a_killed_process_left_half_sealed_is_swept_away(registered: Any, hub: Any, pupils: Any) -> None:
    registered.write(pupils)
    left = registered.home / ".hub-connector" / "outbox" / ("0" * 32)
    left.mkdir(parents=True)
    (left / "rows.parquet").write_bytes(b"half")
    assert push(registered)[0] == 0
    assert not left.exists()


def test_two_pushes_at_once_do_not_meddle(registered: Any, hub: Any, pupils: Any) -> None:
    from hub_connector.files import exclusive, private_folder

    registered.write(pupils)
    state = private_folder(registered.home / ".hub-connector")
    with exclusive(state / "lock", "this"):
        status, _, complaint = push(registered)
    assert status == 2
    assert "Another hub-connector is at work" in complaint
    assert push(registered)[0] == 0


def test_the_key_cannot_open_what_it_sealed(registered: Any, hub: Any, pupils: Any) -> None:
    from hub_connector.sealing import _SealingClient
    from hub_schemas.delivery import sealing_public_key

    client = _SealingClient(sealing_public_key(hub.sealing_key["public_key"]), "0" * 32, "rows")
    wrapped = client.wrap_key(b"k" * 32, "footer")
    with pytest.raises(PermissionError):
        client.unwrap_key(wrapped, "footer")
