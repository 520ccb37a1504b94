"""Running datasets at their intervals, and being patient with a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub_connector.client import HubClient, Patience
from hub_connector.config import Config, DatasetConfig, HubConfig
from hub_connector.errors import ConfigError, HubRefused, HubUnreachable, SourceError
from hub_connector.running import Turn, run_forever, run_once


def config(*datasets: DatasetConfig) -> Config:
    here = Path("x")
    return Config(here, HubConfig("https://h", "c", "https://h/t", "https://h/t", here, here), here, datasets)


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self, end: float) -> None:
        self.now, self.end = 0.0, end

    def sleep(self, seconds: float) -> None:
        assert 0 < seconds <= 60, "naps are short, so that signals are noticed"
        self.now += seconds

    def over(self) -> bool:
        return self.now >= self.end


def test_each_dataset_is_pushed_now_and_at_its_own_interval() -> None:
    clock, turns = Clock(1000), []
    both = config(
        DatasetConfig("often", "o", "c", every=300), DatasetConfig("seldom", "s", "c", every=600),
        DatasetConfig("by hand", "h", "c"),
    )  # fmt: skip

    def push(dataset: DatasetConfig) -> Turn:
        turns.append((dataset.name, clock.now))
        clock.now += 10  # a push takes time, and the next is counted from its beginning
        return Turn(dataset.name, 0, "")

    run_forever(both, push, lambda turn: None, clock=lambda: clock.now, sleep=clock.sleep, stopped=clock.over)
    assert [moment for name, moment in turns if name == "often"] == [0, 300, 600, 900]
    assert [moment for name, moment in turns if name == "seldom"] == [10, 610]
    assert "by hand" not in dict(turns)


def test_turns_missed_while_asleep_are_not_made_up_for() -> None:
    clock, moments = Clock(10_000), []

    def push(dataset: DatasetConfig) -> Turn:
        moments.append(clock.now)
        clock.now += 5000 if len(moments) == 1 else 1
        return Turn(dataset.name, 0, "")

    one = config(DatasetConfig("a", "a", "c", every=1000))
    run_forever(one, push, lambda turn: None, clock=lambda: clock.now, sleep=clock.sleep, stopped=clock.over)
    assert moments == [0, 5000, 6000, 7000, 8000, 9000]


def test_a_failing_dataset_does_not_keep_others_from_their_turn() -> None:
    told: list[Turn] = []

    def push(dataset: DatasetConfig) -> Turn:
        if dataset.name == "bad":
            raise SourceError("It is gone.", "Export it.")
        return Turn(dataset.name, 1, "delivered")

    turns = run_once(
        config(DatasetConfig("bad", "b", "c"), DatasetConfig("good", "g", "c")), push, told.append
    )
    assert turns == told == [Turn("bad", 2, "It is gone.\nExport it."), Turn("good", 1, "delivered")]


def test_nothing_to_run_says_what_to_add() -> None:
    with pytest.raises(ConfigError, match="names no datasets"):
        run_once(config(), lambda dataset: Turn("", 0, ""), lambda turn: None)
    with pytest.raises(ConfigError, match="has an interval"):
        run_forever(config(DatasetConfig("a", "a", "c")), lambda dataset: Turn("", 0, ""), lambda turn: None)


# --- patience


def client(hub: Any, tries: int = 4) -> tuple[HubClient, list[float]]:
    naps: list[float] = []
    return HubClient(hub.url, patience=Patience(tries=tries), sleep=naps.append), naps


def test_a_busy_hub_is_asked_again_after_growing_pauses(hub: Any) -> None:
    hub.busy = 3
    connection, naps = client(hub)
    with connection:
        assert connection.hub()["name"] == "Test hub"
    assert len(naps) == 3
    assert 0.25 <= naps[0] <= 0.5 <= naps[1] <= 1 <= naps[2] <= 2


def test_patience_ends_with_an_error_that_says_nothing_is_lost(hub: Any) -> None:
    hub.busy = 100
    connection, naps = client(hub, tries=2)
    with connection, pytest.raises(HubUnreachable, match="busy") as caught:
        connection.hub()
    assert len(naps) == 1
    assert "Nothing is lost" in caught.value.hint


def test_a_hub_that_is_out_of_order_is_not_taken_for_a_refusal(hub: Any) -> None:
    hub.handle = lambda *_: (500, {"title": "Internal error"})
    with client(hub)[0] as connection, pytest.raises(HubUnreachable, match="out of order"):
        connection.hub()


def test_a_refusal_comes_in_the_hubs_own_words_with_the_fields_at_fault(hub: Any) -> None:
    hub.handle = lambda *_: (
        422,
        {"title": "Invalid", "detail": "Some fields are not valid.", "errors": {"name": ["too long"]}},
    )
    with client(hub)[0] as connection, pytest.raises(HubRefused, match="Some fields are not valid") as caught:
        connection.enrol("c", "n", {})
    assert caught.value.status == 422
    assert "too long" in caught.value.message


def test_redirects_are_not_followed(hub: Any) -> None:
    hub.handle = lambda *_: (307, {"title": "Elsewhere"})
    with client(hub)[0] as connection, pytest.raises(HubUnreachable, match="307"):
        connection.hub()


def test_pages_of_deliveries_are_followed_to_the_limit(hub: Any) -> None:
    original = hub.handle

    def paged(method: str, path: str, headers: Any, body: bytes) -> Any:
        if "/deliveries" not in path:
            return original(method, path, headers, body)
        page = int(path.partition("cursor=")[2] or 0)
        return 200, {"items": [{"id": str(page * 2 + n)} for n in range(2)], "next": str(page + 1)}

    hub.handle = paged
    connection, _ = client(hub)
    connection._token, connection._token_until = "t", float("inf")
    with connection:
        assert [item["id"] for item in connection.deliveries(5)] == ["0", "1", "2", "3", "4"]
