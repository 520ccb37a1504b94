"""What a delivery does to its dataset: replace it, add rows, change them, remove them; rows that come again, mended."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from hub.catalogue import store as catalogue
from hub.errors import Conflict, Invalid
from hub.intake import store as intake
from hub.intake.states import DeliveryState
from hub.intake.store import Delivery
from hub.policy.decide import whole_file
from hub.workflows import overview, publish
from hub.workflows.hub import Hub
from hub.workflows.work import drain
from hub_schemas import load_contract
from support.hubs import principal_of
from support.sealing import Sender

_TEXT = """
apiVersion: v3.1.0
kind: DataContract
id: tests.lamps
name: Street lamps
version: 1.0.0
status: active
domain: tests
description: {purpose: Tests}
schema:
  - name: lamps
    logicalType: object
    customProperties: [{property: refusalThreshold, value: 0.5}]
    properties:
      - {name: lamp, logicalType: string, required: true, primaryKey: true, primaryKeyPosition: 1,
         classification: official}
      - {name: socket, logicalType: string, unique: true, classification: official}
      - name: watts
        logicalType: integer
        required: true
        classification: official
        logicalTypeOptions: {minimum: 1, maximum: 500}
"""
LAMPS = load_contract(_TEXT)
KEYLESS = load_contract(
    _TEXT.replace("tests.lamps", "tests.keyless").replace("primaryKey: true, primaryKeyPosition: 1,", "")
)


def lamp(name: str, watts: Any = 60, socket: str | None = None) -> dict[str, str]:
    """A row."""
    return {"lamp": name, "watts": str(watts)} | ({"socket": socket} if socket else {})


@pytest.fixture
def sender(hub: Hub) -> Sender:
    """A connector of the council."""
    return Sender(hub, "council", principal_of(hub, "hub", "operator"))


def _dataset(hub: Hub, sender: Sender, contract: Any = LAMPS) -> dict[str, tuple[int, str | None]]:
    """What a reader sees now: lamp -> watts, socket."""
    with hub.database.read() as session:
        dataset = catalogue.find_dataset(session, sender.principal.organisation_id, contract.id)
        assert dataset is not None
        if dataset.current_version is None:
            return {}
        version = catalogue.version(session, dataset.current_version)
        file = hub.vault.locate(session, version.object_key, version.binding)
    table = hub.vault.read(file, ["row_number", "lamp", "watts", "socket"], whole_file(contract.id, "a test"))
    assert table.num_rows == version.rows
    rows = table.to_pylist()
    assert len({row["row_number"] for row in rows}) == len(rows), "every row has a number of its own"
    return {row["lamp"]: (row["watts"], row["socket"]) for row in rows}


def _again(hub: Hub, delivery: Delivery) -> Delivery:
    with hub.database.read() as session:
        return intake.get(session, delivery.id)


def test_rows_are_added_changed_and_removed_and_every_version_stays_as_it_was(
    hub: Hub, sender: Sender
) -> None:
    first = sender.deliver(LAMPS, [lamp("a"), lamp("b"), lamp("c")])
    added = sender.deliver(LAMPS, [lamp("d", 10)], mode="append")
    assert added.effect == {"before": 3, "added": 1, "replaced": 0, "removed": 0, "unmatched": 0, "after": 4}
    changed = sender.deliver(LAMPS, [lamp("b", 99), lamp("e", 20)], mode="upsert")
    assert changed.effect == {
        "before": 4,
        "added": 1,
        "replaced": 1,
        "removed": 0,
        "unmatched": 0,
        "after": 5,
    }
    removed = sender.deliver(LAMPS, [lamp("a"), lamp("z")], mode="delete")
    assert removed.effect == {
        "before": 5,
        "added": 0,
        "replaced": 0,
        "removed": 1,
        "unmatched": 1,
        "after": 4,
    }
    assert _dataset(hub, sender) == {
        "b": (99, None), "c": (60, None), "d": (10, None), "e": (20, None),
    }  # fmt: skip
    with hub.database.read() as session:
        versions = catalogue.versions(session, first.dataset_id)
        assert [version.rows for version in versions] == [4, 5, 4, 3]
        for newer, older in pairwise(versions):
            assert catalogue.parents(session, newer.id) == [older.id], (
                "a changed dataset descends from the one before"
            )
    assert removed.sent == removed.accepted == 2


def test_a_row_to_add_that_is_there_already_is_refused_by_the_hub(hub: Hub, sender: Sender) -> None:
    sender.deliver(LAMPS, [lamp("a", socket="s1"), lamp("b", socket="s2")])
    delivery = sender.deliver(LAMPS, [lamp("b"), lamp("c", socket="s1"), lamp("d"), lamp("e")], mode="append")
    assert (delivery.state, delivery.accepted, delivery.refused) == (DeliveryState.ACCEPTED, 2, 2)
    faults = overview.faults(hub, sender.principal, delivery.id).to_pylist()
    assert {(fault["row"], fault["rule"]) for fault in faults} == {(1, "primary-key"), (2, "unique")}
    assert "send changes with mode upsert" in faults[0]["message"]
    assert set(_dataset(hub, sender)) == {"a", "b", "d", "e"}


def test_a_change_that_would_leave_two_rows_with_one_socket_changes_nothing(hub: Hub, sender: Sender) -> None:
    sender.deliver(LAMPS, [lamp("a", socket="s1"), lamp("b", socket="s2")])
    delivery = sender.deliver(LAMPS, [lamp("b", socket="s1")], mode="upsert")
    assert delivery.state is DeliveryState.REFUSED
    assert "socket: unique (1 rows)" in (delivery.problem or "")
    assert _dataset(hub, sender) == {"a": (60, "s1"), "b": (60, "s2")}
    assert (
        sender.deliver(LAMPS, [lamp("a", socket="s2"), lamp("b", socket="s1")], mode="upsert").problem is None
    )


def test_refused_rows_come_again_until_none_is_open_and_always_add_up(hub: Hub, sender: Sender) -> None:
    rows = [lamp("a"), lamp("b", "many"), lamp("c"), lamp("d", 0), lamp("e", "?"), lamp("f"), lamp("g")]
    delivery = sender.deliver(LAMPS, rows)
    assert (delivery.accepted, delivery.refused, delivery.replayed) == (4, 3, 0)
    mended = sender.deliver(
        LAMPS, [lamp("b", 5), lamp("d", "still wrong")], mode="append", replays=delivery.id, numbers=[2, 4]
    )
    assert (mended.state, mended.accepted, mended.refused) == (DeliveryState.ACCEPTED, 1, 1)
    now = _again(hub, delivery)
    assert (now.sent, now.accepted, now.refused, now.replayed) == (7, 4, 2, 1)
    assert overview.faults(hub, sender.principal, delivery.id)["row"].to_pylist() == [4, 5], (
        "what is still to do"
    )
    page = overview.delivery_page(hub, sender.principal, delivery.id)
    assert page.replays == [mended.id]
    with pytest.raises(Conflict, match="replayed with mode append"):
        sender.deliver(LAMPS, [lamp("d", 1)], mode="upsert", replays=delivery.id, numbers=[4])
    twice = sender.deliver(LAMPS, [lamp("b", 6)], mode="append", replays=delivery.id, numbers=[2])
    assert twice.state is DeliveryState.FAILED
    assert "these are not: 2" in (twice.problem or "")
    last = sender.deliver(
        LAMPS, [lamp("d", 7), lamp("e", 8)], mode="append", replays=delivery.id, numbers=[4, 5]
    )
    assert last.problem is None
    now = _again(hub, delivery)
    assert (now.accepted, now.refused, now.replayed) == (4, 0, 3)
    assert {name: watts for name, (watts, _) in _dataset(hub, sender).items()} == {
        "a": 60, "b": 5, "c": 60, "d": 7, "e": 8, "f": 60, "g": 60,
    }  # fmt: skip
    with pytest.raises(Conflict, match="no open rows"):
        sender.deliver(LAMPS, [lamp("h")], mode="append", replays=delivery.id, numbers=[4])


def test_open_rows_of_a_dataset_that_was_sent_whole_since_count_no_more(hub: Hub, sender: Sender) -> None:
    delivery = sender.deliver(LAMPS, [lamp("a"), lamp("b", 0)])
    sender.deliver(LAMPS, [lamp("a"), lamp("c")])
    with pytest.raises(Conflict, match="sent whole since"):
        sender.deliver(LAMPS, [lamp("b")], mode="append", replays=delivery.id, numbers=[2])


def test_what_cannot_work_is_said_before_anything_is_sent(hub: Hub, sender: Sender) -> None:
    sender.publish(KEYLESS)
    with pytest.raises(Invalid, match="no primary key"):
        sender.send(sender.pack(KEYLESS, [lamp("a")], mode="upsert"))
    sender.publish(LAMPS)
    with pytest.raises(Conflict, match="nothing to delete from"):
        sender.send(sender.pack(LAMPS, [lamp("a")], mode="delete"))
    with pytest.raises(Conflict, match="There is no delivery"):
        sender.send(sender.pack(LAMPS, [lamp("a")], mode="append", replays="0" * 32))


def test_an_empty_export_does_not_empty_a_dataset(hub: Hub, sender: Sender) -> None:
    sender.deliver(LAMPS, [lamp("a")])
    empty = sender.deliver(LAMPS, [])
    assert empty.state is DeliveryState.REFUSED
    assert "nothing was changed" in (empty.problem or "")
    assert set(_dataset(hub, sender)) == {"a"}


def test_an_older_delivery_that_arrives_late_undoes_nothing(hub: Hub, sender: Sender) -> None:
    sender.publish(LAMPS)
    now = datetime.now(UTC)
    old = sender.pack(LAMPS, [lamp("old")], made_at=now - timedelta(hours=1))
    sender.deliver(LAMPS, [lamp("new")], made_at=now)
    late = sender.send(old)
    drain(hub)
    assert _again(hub, late).state is DeliveryState.REFUSED
    assert "would undo it" in (_again(hub, late).problem or "")
    assert set(_dataset(hub, sender)) == {"new"}
    added = sender.deliver(LAMPS, [lamp("more")], mode="append", made_at=now + timedelta(seconds=5))
    assert added.problem is None
    late_addition = sender.deliver(LAMPS, [lamp("too")], mode="append", made_at=now + timedelta(seconds=2))
    assert late_addition.problem is None, "adding rows undoes nothing"


@pytest.mark.parametrize(
    "when", ["2099-01-01T00:00:00+00:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"]
)
def test_a_delivery_from_a_time_to_come_is_refused_before_it_stands_in_the_way_of_all_others(
    sqlite_hub: Hub, when: str
) -> None:
    sender = Sender(sqlite_hub, "streets", principal_of(sqlite_hub, "hub", "operator"))
    sender.publish(LAMPS)
    parcel = sender.pack(LAMPS, [lamp("a")], bend=lambda manifest: manifest.update(created_at=when))
    with pytest.raises(Invalid, match="no time that has been"):
        sender.send(parcel)
    assert sender.deliver(LAMPS, [lamp("b")]).problem is None


def test_a_part_never_holds_more_than_the_manifest_said(hub: Hub, sender: Sender) -> None:
    sender.publish(LAMPS)
    parcel = sender.pack(LAMPS, [lamp("a")], bend=lambda manifest: manifest["files"][0].update(size=2000))
    delivery, missing, _ = publish.offer(hub, sender.principal, parcel.manifest, parcel.signature)
    with pytest.raises(Exception, match="with this part there would be more"):
        sender.put(delivery.id, *missing[0], b"x" * 2001)


def test_decided_deliveries_hold_no_key_that_opens_anything(hub: Hub, sender: Sender) -> None:
    decided = [sender.deliver(LAMPS, [lamp("a"), lamp("b", 0)]), sender.deliver(LAMPS, [lamp("c", 0)])]
    assert [item.state for item in decided] == [DeliveryState.ACCEPTED, DeliveryState.REFUSED]
    for delivery in decided:
        assert all("key_material" not in file for file in delivery.manifest["files"])
    assert hub.objects.list(f"deliveries/{decided[1].id}") == [
        f"deliveries/{decided[1].id}/faults.parquet", f"deliveries/{decided[1].id}/refused.parquet",
    ], "the rows of a refused delivery are gone"  # fmt: skip


def test_what_was_begun_and_never_finished_is_given_up(hub: Hub, sender: Sender) -> None:
    from hub.workflows.work import tidy

    sender.publish(LAMPS)
    parcel = sender.pack(LAMPS, [lamp("a")])
    delivery, missing, _ = publish.offer(hub, sender.principal, parcel.manifest, parcel.signature)
    sender.put(delivery.id, *missing[0], parcel.part(*missing[0]))
    tidy(hub)
    assert _again(hub, delivery).state is DeliveryState.UPLOADING
    with hub.database.write() as session:
        from sqlalchemy import text

        session.execute(text("UPDATE deliveries SET changed_at = '2020-01-01 00:00:00+00'"))
    tidy(hub)
    assert _again(hub, delivery).state is DeliveryState.FAILED
    assert hub.objects.list(f"incoming/{delivery.id}") == []


def test_any_order_of_deliveries_gives_what_a_plain_table_would(sqlite_hub: Hub) -> None:
    """A seeded walk of sixty deliveries beside a dictionary that does the same."""
    sender = Sender(sqlite_hub, "council", principal_of(sqlite_hub, "hub", "operator"))
    sender.publish(LAMPS)
    pick, model, seen = random.Random(7), {}, set()
    for _ in range(60):
        mode = pick.choice(["full", "append", "upsert", "upsert", "delete"]) if model else "full"
        names = pick.sample("abcdefghijkl", pick.randint(1, 8))
        rows = [lamp(name, pick.choice([*range(1, 90), "dim"])) for name in names]
        delivery = sender.deliver(LAMPS, rows, mode=mode)
        good = {
            row["lamp"]: (int(row["watts"]), None)
            for row in rows
            if mode != "delete" and row["watts"] != "dim"
        }
        if mode == "append":
            good = {name: value for name, value in good.items() if name not in model}
        taken = len(good) if mode != "delete" else len(rows)
        if (len(rows) - taken) / len(rows) > LAMPS.refusal_threshold:
            assert delivery.state is DeliveryState.REFUSED
        else:
            assert delivery.state is DeliveryState.ACCEPTED, delivery.problem
            seen.add(mode)
            assert delivery.accepted == taken
            if mode == "full":
                model = good
            elif mode == "delete":
                model = {name: value for name, value in model.items() if name not in names}
            else:
                model = model | good
        assert delivery.accepted + delivery.refused + delivery.replayed == delivery.sent
        assert _dataset(sqlite_hub, sender) == model
    assert seen == {"full", "append", "upsert", "delete"}
