"""What rows do to a dataset: whole, added, added or replaced, deleted; and what keeps people from accidents."""

from __future__ import annotations

from typing import Any

import pytest


def push(department: Any, *more: object, name: str = "pupils.csv") -> tuple[int, str, str]:
    return department.run("push", "--contract", department.contract, department.home / name, "--wait", *more)


def renamed(rows: list[tuple[str, ...]], name: str) -> list[tuple[str, ...]]:
    return [(pupil, name, *rest) for pupil, _, *rest in rows]


def test_an_upsert_adds_and_replaces_by_key_and_says_how_many(registered: Any, hub: Any, pupils: Any) -> None:
    registered.write(pupils[:40])
    push(registered)
    registered.write(renamed(pupils[30:50], "Changed"))
    status, said, told = push(registered, "--mode", "upsert")
    assert status == 0
    assert "adds rows, and replaces those with the same pupil" in told
    assert "accepted as version 2: 10 rows added, 10 replaced; the dataset now has 50 rows." in said
    assert sum(row["surname"] == "Changed" for row in hub.datasets["test.pupils"]) == 20
    (_, delivery) = hub.deliveries.values()
    assert delivery["manifest"]["mode"] == "upsert"


def test_a_delete_sends_the_key_and_no_other_column_whatever_the_source_holds(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write(pupils)
    push(registered)
    registered.write([*pupils[:5], ("gone", "Nobody", "not a number", "31/02/2015", "-4")], "leavers.csv")
    status, said, told = push(registered, "--mode", "delete", name="leavers.csv")
    assert status == 0
    assert "deletes the rows with these pupil" in told
    assert "5 rows removed, 1 were not there; the dataset now has 55 rows." in said
    name = list(hub.deliveries)[-1]
    assert hub.tables[name]["rows"].column_names == ["row_number", "pupil"]
    manifest = hub.deliveries[name]["manifest"]
    assert manifest["contract"] == next(iter(hub.deliveries.values()))["manifest"]["contract"]


def test_a_list_of_keys_alone_is_enough_to_delete(registered: Any, hub: Any, pupils: Any) -> None:
    registered.write(pupils)
    push(registered)
    (registered.home / "leavers.csv").write_text("pupil\np0001\n\np0002\n")
    status, said, _ = push(registered, "--mode", "delete", name="leavers.csv")
    assert status == 0, said
    assert "2 rows removed" in said


@pytest.mark.parametrize("mode", ["upsert", "delete"])
def test_a_contract_without_a_key_cannot_be_changed_row_by_row(
    registered: Any, hub: Any, pupils: Any, mode: str
) -> None:
    registered.write(pupils)
    registered.contract.write_text(registered.contract.read_text().replace("primaryKey: true, ", ""))
    status, _, complaint = push(registered, "--mode", mode)
    assert status == 2
    assert "has no primary key" in complaint
    assert "primaryKey: true" in complaint
    assert not hub.deliveries


def test_a_whole_delivery_with_far_fewer_rows_is_held_back_until_it_is_meant(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write(pupils)
    push(registered)
    registered.write(pupils[:29])
    status, said, _ = push(registered)
    assert status == 4
    assert "Not sent: it would replace the 60 rows that the hub has with 29." in said
    assert "--force" in said
    assert "--mode append or --mode upsert" in said
    assert len(hub.deliveries) == 1
    assert not list((registered.home / ".hub-connector" / "outbox").iterdir())
    registered.write(pupils[:30])
    assert "30 rows in place of 60" in push(registered)[1]
    registered.write([])
    assert push(registered)[0] == 4, "an export that came out empty must not empty the dataset"
    assert push(registered, "--force")[0] == 0


def test_the_dataset_as_it_stands_counts_and_not_the_last_delivery(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write(pupils[:20])
    push(registered)
    registered.write(pupils[20:])
    push(registered, "--mode", "append")
    (registered.home / ".hub-connector" / "journal.json").unlink()
    registered.write(pupils[:25])
    status, said, _ = push(registered)
    assert status == 4
    assert "60 rows" in said


def test_a_usual_upsert_is_not_replaced_whole_by_a_file_without_a_mode(
    registered: Any, hub: Any, pupils: Any
) -> None:
    config = registered.home / "hub-connector.toml"
    config.write_text(
        config.read_text()
        + '\n[datasets."test.pupils"]\nsource = "x.csv"\ncontract = "pupils.yaml"\nmode = "upsert"\n'
    )
    registered.write(pupils)
    status, _, complaint = push(registered)
    assert status == 2
    assert "Say --mode upsert, or --mode full" in complaint
    assert push(registered, "--mode", "full")[0] == 0


def test_what_a_contract_asks_of_the_whole_dataset_is_not_asked_of_a_part(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.contract.write_text(
        registered.contract.read_text().replace(
            "  - name: pupils\n",
            "  - name: pupils\n    quality: [{metric: rowCount, mustBeGreaterThan: 50, severity: error}]\n",
        )
    )
    registered.write(pupils[:5])
    status, said, _ = push(registered)
    assert status == 4
    assert "as a whole" in said
    assert push(registered, "--mode", "upsert")[0] == 0


def test_data_that_came_to_the_hub_by_another_way_makes_the_same_file_new_again(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write(pupils)
    push(registered)
    journal = registered.home / ".hub-connector" / "journal.json"
    mine = journal.read_bytes()
    registered.write(pupils[:40])
    push(registered)
    journal.write_bytes(mine)  # as if the second had been uploaded from elsewhere
    registered.write(pupils)
    status, said, _ = push(registered)
    assert status == 0
    assert "60 rows in place of 40" in said
    assert "delivered before" in push(registered)[1]
