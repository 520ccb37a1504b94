"""A delivery becomes a version, whole or not at all, on either database; a crooked one is refused with the reason."""

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from hub.audit import log as audit
from hub.catalogue import store as catalogue
from hub.errors import Conflict, Forbidden, HubError, Invalid, NotFound
from hub.intake import history
from hub.intake import store as intake
from hub.intake.states import TRANSITIONS, DeliveryState, move
from hub.policy.decide import whole_file
from hub.workflows import deciding, overview, publish
from hub.workflows.hub import Hub
from hub.workflows.work import drain, work_once
from hub_schemas import library
from support.hubs import principal_of
from support.sealing import PART, Parcel, Sender

CONTRACT = library.load("police.establishment")
GOOD = [
    {
        "team": f"Team {number % 5}", "area": "North", "kind": "response", "month": f"2026-{number // 5 + 1:02}-01",
        "fte": "12.5", "contracted_hours": "160", "abstraction_rate": "0.2",
    }
    for number in range(45)
]  # fmt: skip
BAD = {**GOOD[0], "month": "2026-11-01", "area": "Atlantis", "fte": "many"}


@pytest.fixture
def sender(hub: Hub) -> Sender:
    """A connector of the police."""
    return Sender(hub, "police", principal_of(hub, "hub", "operator"))


def _rows(hub: Hub, version_id: str) -> pa.Table:
    with hub.database.read() as session:
        version = catalogue.version(session, version_id)
        file = hub.vault.locate(session, version.object_key, version.binding)
    names = ["row_number", *(column.name for column in CONTRACT.columns)]
    return hub.vault.read(file, names, whole_file(CONTRACT.id, "a test"))


def test_good_rows_become_a_version_and_rows_at_fault_go_to_quarantine(hub: Hub, sender: Sender) -> None:
    delivery = sender.deliver(CONTRACT, [*GOOD[:20], BAD, *GOOD[20:]])
    assert delivery.state is DeliveryState.ACCEPTED, delivery.problem
    assert (delivery.sent, delivery.accepted, delivery.refused) == (46, 45, 1)
    assert delivery.version_id is not None
    rows = _rows(hub, delivery.version_id)
    assert rows.num_rows == 45
    assert 21 not in rows["row_number"].to_pylist(), "the source's row numbers stay"
    faults = overview.faults(hub, sender.principal, delivery.id).to_pylist()
    assert {(fault["row"], fault["column"]) for fault in faults} == {(21, "area"), (21, "fte")}
    page = overview.delivery_page(hub, sender.principal, delivery.id)
    assert sum(fault.count for fault in page.faults) == 2
    assert page.version is not None
    assert page.version.period_start == "2026-01-01"
    assert page.version.period_end == "2026-09-01"


def test_good_data_is_never_rewritten(hub: Hub, sender: Sender) -> None:
    sender.publish(CONTRACT)
    parcel = sender.pack(CONTRACT, GOOD)
    sent = sender.send(parcel)
    drain(hub)
    assert hub.objects.get_bytes(f"deliveries/{sent.id}/rows.parquet") == parcel.files["rows"]
    assert hub.objects.list(f"incoming/{sent.id}") == []


def test_too_many_faults_refuse_the_whole_delivery_and_keep_its_report(hub: Hub, sender: Sender) -> None:
    bad = [{**BAD, "month": f"20{number:02}-01-01"} for number in range(10, 40)]
    delivery = sender.deliver(CONTRACT, GOOD[:10] + bad)
    assert delivery.state is DeliveryState.REFUSED
    assert "30 of 40 rows are at fault (75.0%)" in (delivery.problem or "")
    assert (delivery.accepted, delivery.refused, delivery.version_id) == (0, 40, None)
    assert overview.faults(hub, sender.principal, delivery.id).num_rows == 60


def test_the_hub_finds_what_a_lying_connector_hid(hub: Hub, sender: Sender) -> None:
    def lie(table: pa.Table) -> pa.Table:
        areas = pc.if_else(pc.equal(table["row_number"], 3), pa.scalar("Atlantis"), table["area"])
        return table.set_column(table.column_names.index("area"), "area", areas)

    delivery = sender.deliver(CONTRACT, GOOD, typed=lie)
    assert delivery.state is DeliveryState.ACCEPTED, delivery.problem
    assert (delivery.sent, delivery.accepted, delivery.refused) == (45, 44, 1)
    assert 3 not in _rows(hub, delivery.version_id or "")["row_number"].to_pylist()
    assert overview.faults(hub, sender.principal, delivery.id)["row"].to_pylist() == [3]


def test_the_same_data_twice_is_recognised(hub: Hub, sender: Sender) -> None:
    first = sender.deliver(CONTRACT, GOOD, digest="ab" * 32)
    parcel = sender.pack(CONTRACT, GOOD, digest="ab" * 32)
    again, missing, duplicate = publish.offer(hub, sender.principal, parcel.manifest, parcel.signature)
    assert duplicate
    assert (again.id, missing) == (first.id, [])


def test_a_new_delivery_is_a_new_version_and_the_old_one_stays(hub: Hub, sender: Sender) -> None:
    first = sender.deliver(CONTRACT, GOOD)
    second = sender.deliver(CONTRACT, GOOD[:40])
    page = overview.dataset_page(hub, sender.principal, first.dataset_id)
    assert [version.number for version in page.versions] == [2, 1]
    assert page.dataset.current_version == second.version_id
    assert _rows(hub, first.version_id or "").num_rows == 45


def test_offering_again_continues_where_it_was_cut(hub: Hub, sender: Sender) -> None:
    sender.publish(CONTRACT)
    parcel = sender.pack(CONTRACT, GOOD * 1)
    delivery, missing, _ = publish.offer(hub, sender.principal, parcel.manifest, parcel.signature)
    assert len(missing) >= 2, "the test needs a file of several parts"
    sender.put(delivery.id, *missing[0], parcel.part(*missing[0]))
    with pytest.raises(Conflict, match="parts are missing"):
        publish.complete(hub, sender.principal, delivery.id)
    _, left, _ = publish.offer(hub, sender.principal, parcel.manifest, parcel.signature)
    assert left == missing[1:]
    assert sender.send(parcel).state is DeliveryState.RECEIVED
    assert publish.complete(hub, sender.principal, delivery.id).state is DeliveryState.RECEIVED, "asked twice"
    assert work_once(hub)


def _bent(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    return change


@pytest.mark.parametrize(
    ("bend", "words"),
    [
        (lambda m: m.update(client_id="cli_other"), "names another client"),
        (lambda m: m.update(mode="merge"), "mode"),
        (lambda m: m.update(surprise=1), "surprise"),
        (lambda m: m["rows"].update(sent=99), "add up"),
        (lambda m: m.update(sealing_key_id="hpk_other"), "does not have"),
        (lambda m: m["contract"].update(digest="0" * 64), "another contract"),
        (lambda m: m.update(dataset="schools.attendance"), "no dataset schools.attendance"),
        (lambda m: m["files"][0].update(size=10**14), "size"),
        (lambda m: m["files"][0].update(key_material={"footerKey": "nonsense"}), "key material"),
        (lambda m: m["files"].append(m["files"][0]), "once"),
    ],
)
def test_a_crooked_manifest_is_refused_with_the_reason(
    hub: Hub, sender: Sender, bend: Callable[[dict[str, Any]], None], words: str
) -> None:
    sender.publish(CONTRACT)
    parcel = sender.pack(CONTRACT, GOOD, bend=bend)
    with pytest.raises(HubError) as caught:
        publish.offer(hub, sender.principal, parcel.manifest, parcel.signature)
    assert words in caught.value.detail
    assert intake_count(hub) == 0


def intake_count(hub: Hub) -> int:
    """How many deliveries the hub knows."""
    with hub.database.read() as session:
        return len(history.list_recent(session))


def test_a_manifest_that_was_changed_after_signing_is_refused(hub: Hub, sender: Sender) -> None:
    sender.publish(CONTRACT)
    parcel = sender.pack(CONTRACT, GOOD)
    changed = json.loads(json.dumps(parcel.manifest))
    changed["source"]["name"] = "other.csv"
    with pytest.raises(Invalid, match="signature does not match"):
        publish.offer(hub, sender.principal, changed, parcel.signature)


def _failed(hub: Hub, sender: Sender, parcel: Parcel) -> str:
    sender.publish(CONTRACT)
    sent = sender.send(parcel)
    drain(hub)
    with hub.database.read() as session:
        delivery = intake.get(session, sent.id)
    assert delivery.state is DeliveryState.FAILED
    assert delivery.version_id is None
    assert (delivery.accepted, delivery.refused) == (0, delivery.sent)
    return delivery.problem or ""


def test_bytes_that_do_not_match_the_manifest_fail_the_delivery(hub: Hub, sender: Sender) -> None:
    parcel = sender.pack(CONTRACT, GOOD)
    parcel.files["rows"] = parcel.files["rows"][:-1] + b"x"
    assert "does not match its manifest" in _failed(hub, sender, parcel)


def test_keys_of_another_delivery_do_not_open(hub: Hub, sender: Sender) -> None:
    other = sender.pack(CONTRACT, GOOD)
    parcel = sender.pack(
        CONTRACT,
        GOOD,
        bend=lambda m: m["files"][0].update(key_material=other.manifest["files"][0]["key_material"]),
    )
    assert "does not open" in _failed(hub, sender, parcel)


def test_a_column_left_open_is_noticed(hub: Hub, sender: Sender) -> None:
    parcel = sender.pack(CONTRACT, GOOD, open_columns=frozenset({"team"}))
    assert "not sealed column by column" in _failed(hub, sender, parcel)


def test_other_columns_than_the_contracts_are_noticed(hub: Hub, sender: Sender) -> None:
    parcel = sender.pack(CONTRACT, GOOD, typed=lambda table: table.drop_columns(["fte"]))
    assert "other columns than its contract" in _failed(hub, sender, parcel)


def test_rubbish_in_place_of_parquet_fails_the_delivery_and_nothing_else(hub: Hub, sender: Sender) -> None:
    import hashlib

    def bend(manifest: dict[str, Any]) -> None:
        manifest["files"][0] |= {"size": PART, "parts": 1, "sha256": hashlib.sha256(b"x" * PART).hexdigest()}

    parcel = sender.pack(CONTRACT, GOOD, bend=bend)
    parcel.files["rows"] = b"x" * PART
    assert "cannot be read" in _failed(hub, sender, parcel)
    assert sender.deliver(CONTRACT, GOOD).state is DeliveryState.ACCEPTED


def test_nobody_sees_or_touches_another_organisations_delivery(hub: Hub, sender: Sender) -> None:
    delivery = sender.deliver(CONTRACT, [*GOOD, BAD])
    other = Sender(hub, "housing", principal_of(hub, "hub", "operator"))
    for look in (overview.delivery_page, overview.faults, publish.complete, publish.missing):
        with pytest.raises(NotFound):
            look(hub, other.principal, delivery.id)
    with pytest.raises(NotFound):
        other.put(delivery.id, "rows", 1, b"x")
    assert overview.deliveries(hub, other.principal) == []
    with pytest.raises(Forbidden):
        overview.deliveries(hub, principal_of(hub, "housing", "service user"))


def test_every_step_stands_in_the_audit_log(hub: Hub, sender: Sender) -> None:
    delivery = sender.deliver(CONTRACT, GOOD)
    with hub.database.read() as session:
        actions = [entry.action for entry in audit.recent(session) if entry.content["target"] == delivery.id]
    assert actions[::-1] == ["delivery.offered", "delivery.received", "delivery.accepted"]


def test_a_worker_that_was_killed_leaves_the_delivery_for_the_next(hub: Hub, sender: Sender) -> None:
    sender.publish(CONTRACT)
    sent = sender.send(sender.pack(CONTRACT, GOOD))
    with hub.database.write() as session:
        assert intake.claim_next(session, lease_seconds=3600) is not None
    assert not deciding.decide_next(hub), "it is in somebody's hands"
    with hub.database.write() as session:
        assert intake.release_stale(session, all_of_them=True) == 1
    assert deciding.decide_next(hub)
    with hub.database.read() as session:
        assert intake.get(session, sent.id).state is DeliveryState.ACCEPTED


def test_deliveries_move_only_along_the_table() -> None:
    events = {event for _, event in TRANSITIONS}
    for state in DeliveryState:
        for event in events:
            if (state, event) in TRANSITIONS:
                assert move(state, event) is TRANSITIONS[state, event]
            else:
                with pytest.raises(Conflict):
                    move(state, event)


def test_a_delivery_that_breaks_off_the_worker_again_and_again_fails_with_the_reason(
    hub: Hub, sender: Sender
) -> None:
    sender.publish(CONTRACT)
    sent = sender.send(sender.pack(CONTRACT, GOOD))
    for _ in range(intake.MOST_ATTEMPTS):
        with hub.database.write() as session:
            assert intake.claim_next(session, lease_seconds=3600) is not None
            intake.release_stale(session, all_of_them=True)
    with hub.database.read() as session:
        delivery = intake.get(session, sent.id)
    assert delivery.state is DeliveryState.FAILED
    assert "broke off 5 times" in (delivery.problem or "")
    assert not deciding.decide_next(hub)


def test_a_manifest_changed_in_the_database_is_noticed(hub: Hub, sender: Sender) -> None:
    from sqlalchemy import text

    sender.publish(CONTRACT)
    sent = sender.send(sender.pack(CONTRACT, GOOD))
    with hub.database.write() as session:
        session.execute(
            text(
                "UPDATE deliveries SET manifest = replace(manifest, 'tests.csv', 'other.csv') WHERE id = :id"
            ),
            {"id": sent.id},
        )
    drain(hub)
    with hub.database.read() as session:
        delivery = intake.get(session, sent.id)
    assert delivery.state is DeliveryState.FAILED
    assert "signature does not match" in (delivery.problem or "")
