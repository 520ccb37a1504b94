"""The main line is the same whether objects lie in a folder or in S3."""

from pathlib import Path

import pyarrow as pa

from hub.catalogue import store as catalogue
from hub.intake.states import DeliveryState
from hub.policy.decide import whole_file
from hub.workflows import auditing, overview
from hub_schemas import library
from support.hubs import make_hub, migrate, principal_of
from support.sealing import Sender

CONTRACT = library.load("police.establishment")
ROW = {
    "team": "Team 1", "area": "North", "kind": "response", "month": "2026-01-01", "fte": "12.5",
    "contracted_hours": "160", "abstraction_rate": "0.2",
}  # fmt: skip


def test_a_delivery_becomes_a_version_that_can_be_read(tmp_path: Path, objects_root: str) -> None:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    migrate(url)
    hub = make_hub(tmp_path / "hub", url, objects=objects_root)
    sender = Sender(hub, "police", principal_of(hub, "hub", "operator"))
    rows = [{**ROW, "month": f"2026-{number:02}-01"} for number in range(1, 12)]
    delivery = sender.deliver(CONTRACT, [*rows, {**ROW, "area": "Atlantis", "month": "2026-12-01"}])
    assert delivery.state is DeliveryState.ACCEPTED, delivery.problem
    with hub.database.read() as session:
        version = catalogue.version(session, delivery.version_id or "")
        file = hub.vault.locate(session, version.object_key, version.binding)
    table: pa.Table = hub.vault.read(file, ["team", "fte"], whole_file("test", "a test"))
    assert table.num_rows == 11
    assert overview.faults(hub, sender.principal, delivery.id)["row"].to_pylist() == [12]
    assert hub.objects.list("incoming") == []
    assert auditing.verify(hub).ok
    hub.database.close()
