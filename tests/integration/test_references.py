"""A column that refers to another dataset of the organisation is held to it when a delivery is checked by the hub."""

from pathlib import Path
from typing import Any

import pytest

from hub.intake.states import DeliveryState
from hub.workflows import overview
from hub.workflows.hub import Hub
from hub_schemas import library
from support.contracts import column, variant
from support.hubs import make_hub, migrate, principal_of
from support.sealing import Sender

TEAMS = library.load("police.time_recording")


def _refer(document: dict[str, Any]) -> None:
    wanted = {"dataset": TEAMS.id, "column": "team"}
    column(document, "team")["customProperties"] = [{"property": "references", "value": wanted}]
    document["schema"][0]["customProperties"] = [{"property": "refusalThreshold", "value": 0.5}]


SHIFTS = variant(library.load("police.establishment"), edit=_refer, id="test.shifts")


def _team(name: str) -> dict[str, str]:
    return {
        "team": name, "area": "North", "week_start": "2026-01-05", "activity": "response", "planned_hours": "10",
        "actual_hours": "10",
    }  # fmt: skip


def _shift(team: str) -> dict[str, str]:
    return {
        "team": team, "area": "North", "kind": "response", "month": "2026-01-01", "fte": "12.5",
        "contracted_hours": "160", "abstraction_rate": "0.2",
    }  # fmt: skip


def _faults(hub: Hub, sender: Sender, delivery_id: str) -> list[tuple[int, str, str]]:
    found = overview.faults(hub, sender.principal, delivery_id)
    return [(row["row"], row["column"], row["rule"]) for row in found.to_pylist()]


def _sender(hub: Hub, slug: str = "police") -> Sender:
    return Sender(hub, slug, principal_of(hub, "hub", "operator"))


@pytest.mark.parametrize("intake_process", [False, True])
def test_rows_that_refer_to_nothing_are_refused_though_their_connector_let_them_pass(
    tmp_path: Path, intake_process: bool
) -> None:
    url = f"sqlite:///{tmp_path / 'only.db'}"
    migrate(url)
    hub = make_hub(tmp_path / "hub", url, intake_process=intake_process)
    try:
        sender = _sender(hub)
        sender.deliver(TEAMS, [_team("Alpha"), _team("Bravo")])
        # A connector does not have the other dataset, so it finds nothing wrong.
        sent = sender.deliver(SHIFTS, [_shift("Alpha"), _shift("Charlie"), _shift("Bravo")])
        assert (sent.state, sent.accepted, sent.refused) == (DeliveryState.ACCEPTED, 2, 1)
        assert _faults(hub, sender, sent.id) == [(2, "team", "foreign-key")]
    finally:
        hub.database.close()


def test_it_is_the_newest_version_of_the_other_dataset_that_counts(sqlite_hub: Hub) -> None:
    sender = _sender(sqlite_hub)
    sender.deliver(TEAMS, [_team("Alpha")])
    assert sender.deliver(SHIFTS, [_shift("Alpha"), _shift("Bravo")]).refused == 1
    sender.deliver(TEAMS, [_team("Bravo"), _team("Alpha")])
    assert sender.deliver(SHIFTS, [_shift("Alpha"), _shift("Bravo")]).refused == 0


def test_a_mended_row_may_refer_to_what_came_since(sqlite_hub: Hub) -> None:
    sender = _sender(sqlite_hub)
    sender.deliver(TEAMS, [_team("Alpha")])
    first = sender.deliver(SHIFTS, [_shift("Alpha"), _shift("Bravo")])
    sender.deliver(TEAMS, [_team("Alpha"), _team("Bravo")])
    again = sender.deliver(SHIFTS, [_shift("Bravo")], mode="append", replays=first.id, numbers=[2])
    assert (again.state, again.accepted) == (DeliveryState.ACCEPTED, 1)


def test_another_organisations_dataset_of_the_same_contract_is_not_looked_into(sqlite_hub: Hub) -> None:
    _sender(sqlite_hub, "fire").deliver(TEAMS, [_team("Charlie")])
    sender = _sender(sqlite_hub)
    sender.deliver(TEAMS, [_team("Alpha")])
    sent = sender.deliver(SHIFTS, [_shift("Alpha"), _shift("Charlie")])
    assert _faults(sqlite_hub, sender, sent.id) == [(2, "team", "foreign-key")]


def test_the_fault_shows_no_value_of_the_other_dataset(sqlite_hub: Hub) -> None:
    sender = _sender(sqlite_hub)
    sender.deliver(TEAMS, [_team("Alpha")])
    sent = sender.deliver(SHIFTS, [_shift("Alpha"), _shift("Charlie")])
    row = overview.faults(sqlite_hub, sender.principal, sent.id).to_pylist()[0]
    assert "Alpha" not in str(row)
    assert TEAMS.id in row["message"], "the message names the dataset to look into"


@pytest.mark.parametrize("name", ["fte", "month"])
def test_a_column_that_refers_to_one_of_another_type_refers_to_nothing_and_breaks_nothing(
    sqlite_hub: Hub, name: str
) -> None:
    def refer(document: dict[str, Any]) -> None:
        wanted = {"dataset": TEAMS.id, "column": "team"}
        column(document, name)["customProperties"] = [{"property": "references", "value": wanted}]

    sender = _sender(sqlite_hub)
    sender.deliver(TEAMS, [_team("Alpha")])
    contract = variant(library.load("police.establishment"), edit=refer, id="test.mistaken")
    sent = sender.deliver(contract, [_shift("Alpha")])
    assert sent.state is DeliveryState.REFUSED
    assert _faults(sqlite_hub, sender, sent.id) == [(1, name, "foreign-key")]
