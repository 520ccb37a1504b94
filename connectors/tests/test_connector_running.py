"""Running datasets at their times, and being patient with a hub."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub_connector.client import HubClient, Patience
from hub_connector.config import Config, DatasetConfig, HubConfig
from hub_connector.errors import ConfigError, HubRefused, HubUnreachable, SourceError
from hub_connector.heartbeat import Heartbeat, Turns
from hub_connector.running import GRACE, Runner, Stopped, Stopping, Turn, first_turn, retry_pause, run_once
from hub_connector.times import cron_trigger, read_interval, span_words

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)  # a Tuesday


def config(*datasets: DatasetConfig) -> Config:
    here = Path("x")
    return Config(here, HubConfig("https://h", "c", "https://h/t", "https://h/t", here, here), here, datasets)


def at(cron: str, zone: str = "Europe/London") -> DatasetConfig:
    return DatasetConfig("d", "s", "c", at=cron, timezone=zone)


# --- when a turn comes


@pytest.mark.parametrize(
    ("last", "failures", "expected"),
    [
        (None, 0, timedelta()),
        (timedelta(hours=20), 0, timedelta(hours=4)),
        (timedelta(days=3), 0, timedelta()),
        (timedelta(hours=20), 2, timedelta()),
    ],
    ids=["never ran", "ran yesterday", "was off for days", "failed"],
)
def test_an_interval_goes_on_after_a_restart_where_it_was(
    last: Any, failures: int, expected: timedelta
) -> None:
    known = Turns((NOW - last).isoformat(), failures=failures, code=3) if last else None
    assert first_turn(DatasetConfig("d", "s", "c", every=86400), known, NOW) == NOW + expected


def test_a_turn_at_a_time_of_day_is_made_up_for_only_when_it_was_missed_by_little() -> None:
    yesterday = Turns((NOW - timedelta(days=1)).isoformat())
    assert first_turn(at("30 11 * * *"), yesterday, NOW) == NOW, "the machine was off at half past eleven"
    assert first_turn(at("0 6 * * *"), yesterday, NOW) == NOW.replace(hour=6) + timedelta(days=1)
    assert first_turn(at("0 6 * * *"), None, NOW) == NOW.replace(hour=6) + timedelta(days=1)
    assert first_turn(at("30 11 * * *"), Turns(NOW.isoformat()), NOW) != NOW, "that turn was taken"
    assert timedelta(minutes=30) < GRACE < timedelta(hours=6)


def test_cron_lines_are_read_as_cron_reads_them_in_the_datasets_time_zone() -> None:
    def upcoming(cron: str, zone: str, now: datetime) -> datetime:
        return cron_trigger(cron, zone).get_next_fire_time(None, now).astimezone(UTC)

    friday = datetime(2026, 11, 27, 12, tzinfo=UTC)
    assert upcoming("0 6 * * MON-FRI", "UTC", friday) == datetime(2026, 11, 30, 6, tzinfo=UTC)
    assert upcoming("0 6 * * 1-5", "UTC", friday) == datetime(2026, 11, 30, 6, tzinfo=UTC)
    assert upcoming("0 6 * * 0", "UTC", friday) == datetime(2026, 11, 29, 6, tzinfo=UTC)
    assert upcoming("0 6 * * 7", "UTC", friday) == datetime(2026, 11, 29, 6, tzinfo=UTC)
    assert upcoming("0 6 * * */3", "UTC", friday) == datetime(2026, 11, 28, 6, tzinfo=UTC)
    assert upcoming("0 6 * * *", "Europe/London", datetime(2026, 7, 1, tzinfo=UTC)).hour == 5


@pytest.mark.parametrize(
    ("cron", "zone", "words"),
    [
        ("soon", "UTC", "it needs five fields"),
        ("0 25 * * *", "UTC", "higher than the maximum"),
        ("0 6 30 2 *", "UTC", "never come"),
        ("0 6 1 * MON", "UTC", "not both"),
        ("0 6 * * 5-1", "UTC", "end before they begin"),
        ("0 6 * * *", "Europe/Lodnon", "no time zone"),
    ],
)
def test_times_that_cannot_be_followed_are_refused_with_the_reason(cron: str, zone: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        cron_trigger(cron, zone)


def test_a_failed_turn_is_taken_again_after_growing_pauses_unless_the_data_has_to_change_first() -> None:
    unreachable = Turn("d", 3, "")
    assert [retry_pause(unreachable, failures) for failures in (1, 2, 3, 4, 7, 400)] == [
        60, 120, 240, 480, 3600, 3600,
    ]  # fmt: skip
    assert retry_pause(Turn("d", 2, ""), 1) == 60, "an export may not be finished yet"
    for code in (0, 1, 4):
        assert retry_pause(Turn("d", code, ""), 1) is None


def test_spans_are_said_in_words() -> None:
    assert [span_words(seconds) for seconds in (0, 61, 3600, 7300, 86400, 1209600)] == [
        "a moment", "1 minute", "1 hour", "2 hours", "1 day", "2 weeks",
    ]  # fmt: skip
    assert read_interval("6h") == 21600


# --- turns


def test_a_failing_dataset_does_not_keep_others_from_their_turn() -> None:
    told: list[Turn] = []

    def push(dataset: DatasetConfig) -> Turn:
        if dataset.name == "bad":
            raise SourceError("It is gone.", "Export it.")
        if dataset.name == "worse":
            raise RuntimeError("secret value 943 476 5919")
        return Turn(dataset.name, 1, "delivered")

    datasets = [DatasetConfig(name, "s", "c") for name in ("bad", "worse", "good")]
    turns = run_once(config(*datasets), push, told.append)
    assert turns == told
    assert [(turn.dataset, turn.code) for turn in turns] == [("bad", 2), ("worse", 70), ("good", 1)]
    assert turns[0].words == "It is gone.\nExport it."
    assert "RuntimeError" in turns[1].words
    assert "943" not in turns[1].words
    assert [turn.dataset for turn in run_once(config(*datasets), push, told.append, names=("good",))] == [
        "good"
    ]
    with pytest.raises(ConfigError, match="has no dataset 'best'"):
        run_once(config(*datasets), push, told.append, names=("best",))


def test_nothing_to_run_says_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names no datasets"):
        run_once(config(), lambda dataset: Turn("", 0, ""), lambda turn: None)
    runner = Runner(
        config(DatasetConfig("a", "a", "c")), lambda dataset: Turn("", 0, ""), lambda turn: None,
        Heartbeat(tmp_path), threading.Event(),
    )  # fmt: skip
    with pytest.raises(ConfigError, match="has an interval"):
        runner.run()


def run_until(
    tmp_path: Path, datasets: list[DatasetConfig], push: Any, turns: int
) -> tuple[list[Turn], Heartbeat]:
    """Run with the real scheduler until so many turns were told of."""
    told: list[Turn] = []
    stop = threading.Event()

    def tell(turn: Turn) -> None:
        if turn.facts.get("outcome") == "scheduled":
            assert turn.upcoming is not None
            return
        told.append(turn)
        if len(told) == turns:
            threading.Thread(target=runner.stop).start()

    heartbeat = Heartbeat(tmp_path)
    runner = Runner(config(*datasets), push, tell, heartbeat, stop)
    runner.run()
    return told, heartbeat


def test_turns_are_taken_one_at_a_time_and_written_down_for_monitoring(tmp_path: Path) -> None:
    under_way: list[str] = []

    def push(dataset: DatasetConfig) -> Turn:
        under_way.append(dataset.name)
        assert len(under_way) == 1, "they share one outbox"
        time.sleep(0.02)
        under_way.clear()
        if dataset.name == "bad":
            raise HubUnreachable("The hub cannot be reached.", "Try again.")
        return Turn(dataset.name, 0, "delivered", {"outcome": "delivered"})

    datasets = [DatasetConfig(name, "s", "c", every=86400) for name in ("one", "bad", "two")]
    datasets += [DatasetConfig("by hand", "s", "c"), at("0 6 * * *")]
    told, heartbeat = run_until(tmp_path, datasets, push, 3)
    turns = {turn.dataset: turn for turn in told}
    assert set(turns) == {"one", "bad", "two"}
    day = timedelta(days=1)
    assert turns["one"].upcoming is not None
    assert timedelta() < turns["one"].upcoming - datetime.now(UTC) < day
    assert turns["bad"].upcoming is not None
    assert timedelta(seconds=40) < turns["bad"].upcoming - datetime.now(UTC) < timedelta(seconds=75)
    assert turns["bad"].facts["retry"] == "yes"
    known, beat = heartbeat.read()
    assert beat is None, "it has ended"
    assert (known["one"].last_success, known["one"].failures) == (known["one"].last_turn, 0)
    assert (known["bad"].last_success, known["bad"].failures, known["bad"].code) == ("", 1, 3)
    assert known["d"].last_turn == ""
    assert known["d"].next_turn


def test_asked_to_end_a_push_stops_at_its_next_step_and_the_others_do_not_begin(tmp_path: Path) -> None:
    stop, steps = threading.Event(), []
    watcher = Stopping(stop)

    def push(dataset: DatasetConfig) -> Turn:
        steps.append(dataset.name)
        watcher.sent(1, 2)
        threading.Thread(target=runner.stop).start()
        watcher.sleep(30)
        raise AssertionError("it went on")

    told: list[Turn] = []
    both = config(DatasetConfig("a", "s", "c", every=60), DatasetConfig("b", "s", "c", every=60))
    runner = Runner(both, push, told.append, Heartbeat(tmp_path), stop)
    runner.run()
    assert len(steps) == 1
    assert [turn.facts["outcome"] for turn in told] == ["scheduled", "scheduled", "stopped"]
    assert Heartbeat(tmp_path).read()[0][steps[0]].failures == 0, "being asked to end is no failure"
    with pytest.raises(Stopped):
        watcher.checked(1, 0)


def test_a_terminated_run_ends_cleanly_and_the_next_one_goes_on(
    registered: Any, hub: Any, pupils: Any
) -> None:
    registered.write(pupils)
    assert registered.contract.exists()
    path = registered.home / "hub-connector.toml"
    path.write_text(
        path.read_text()
        + '\n[datasets."test.pupils"]\nsource = "pupils.csv"\ncontract = "pupils.yaml"\nevery = "1d"\n'
    )
    program = "import sys; from hub_connector.__main__ import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "run", "--format", "json"]
    hub.verdict = "received"  # the hub takes its time, so the turn is still under way
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not hub.tables and time.monotonic() < deadline:
        time.sleep(0.02)
    status, _, complaint = registered.run("run")
    assert status == 2
    assert "Another hub-connector is at work on hub-connector.toml" in complaint
    said = registered.run("status", "--local")[1]
    assert f"hub-connector run is up (process {running.pid}" in said
    running.send_signal(signal.SIGTERM)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    lines = [json.loads(text) for text in out.splitlines()]
    assert [line["outcome"] for line in lines] == ["scheduled", "stopped"]
    assert {line["dataset"] for line in lines} == {"test.pupils"}
    hub.decide_now()
    status, said, _ = registered.run("run", "--once")
    assert status == 0
    assert "outcome=known" in said
    assert len(hub.deliveries) == 1


def test_monitoring_sees_when_each_dataset_last_succeeded(registered: Any, hub: Any, pupils: Any) -> None:
    registered.write(pupils)
    assert registered.contract.exists()
    path = registered.home / "hub-connector.toml"
    tables = '\n[datasets."{}"]\nsource = "{}"\ncontract = "pupils.yaml"\n'
    path.write_text(
        path.read_text() + tables.format("test.pupils", "pupils.csv") + tables.format("b", "no.csv")
    )
    assert registered.run("run", "--once")[0] == 2
    status, said, _ = registered.run("status", "--local", "--max-age", "1h")
    assert status == 1
    assert "b has failed once. " in said
    assert "no.csv does not exist" in said
    assert "LATE: b has not succeeded" in said
    assert "LATE: test.pupils" not in said
    found = json.loads(registered.run("status", "--local", "--format", "json", "--max-age", "1h")[1])
    assert found["late"] == ["b"]
    assert found["datasets"]["test.pupils"]["last_success"]
    requests = len(hub.requests)
    assert registered.run("status", "--local")[0] == 0
    assert len(hub.requests) == requests, "it asks no hub"
    if os.name == "posix":
        assert (registered.home / ".hub-connector" / "turns.json").stat().st_mode & 0o777 == 0o600


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
