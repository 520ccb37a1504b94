"""Deliveries are read in a process of their own: it gives the same verdict, reaches nothing, and may break."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hub.errors import Invalid, Unavailable
from hub.intake.brief import Brief, FaultCount, Verdict
from hub.intake.limited import LimitedExaminer, examine_here
from hub.intake.states import DeliveryState
from hub.isolation.bubblewrap import find_bubblewrap
from hub.workflows import deciding, overview
from hub.workflows.hub import Hub
from hub.workflows.work import drain
from hub_schemas import library
from support.hubs import make_hub, migrate, principal_of
from support.require import missing
from support.sealing import Sender

CONTRACT = library.load("police.establishment")
ROWS = [
    {
        "team": "Team 1", "area": "North", "kind": "response", "month": f"2026-{number:02}-01", "fte": "12.5",
        "contracted_hours": "160", "abstraction_rate": "0.2",
    }
    for number in range(1, 13)
]  # fmt: skip


@pytest.fixture
def hub(tmp_path: Path) -> Any:
    """A hub that reads deliveries as one in service does, with little memory for it."""
    url = f"sqlite:///{tmp_path / 'only.db'}"
    migrate(url)
    made = make_hub(tmp_path / "hub", url, intake_process=True, intake_memory_mb=700, intake_seconds=60)
    yield made
    made.database.close()


@pytest.fixture
def sender(hub: Hub) -> Sender:
    """A connector of the police."""
    return Sender(hub, "police", principal_of(hub, "hub", "operator"))


def test_the_process_gives_the_verdict_that_this_one_would(hub: Hub, sender: Sender) -> None:
    delivery = sender.deliver(CONTRACT, [*ROWS, {**ROWS[0], "team": "Team 2", "area": "Atlantis"}])
    assert delivery.state is DeliveryState.ACCEPTED, delivery.problem
    assert (delivery.accepted, delivery.refused) == (12, 1)
    assert overview.faults(hub, sender.principal, delivery.id)["rule"].to_pylist() == ["enum"]
    changed = sender.deliver(
        CONTRACT, [{**ROWS[3], "fte": "1"}, {**ROWS[0], "team": "Team 3"}], mode="upsert"
    )
    assert changed.effect == {
        "before": 12,
        "added": 1,
        "replaced": 1,
        "removed": 0,
        "unmatched": 0,
        "after": 13,
    }


def test_a_file_that_unpacks_to_more_than_there_is_fails_alone(hub: Hub, sender: Sender) -> None:
    def swell(table: pa.Table) -> pa.Table:
        team = pa.DictionaryArray.from_arrays(pa.array([0] * 3000, pa.int32()), pa.array(["x" * 1_000_000]))
        columns = {name: table[name].take(pa.array([0] * 3000)) for name in table.column_names}
        columns |= {"row_number": pa.array(range(1, 3001), pa.int64()), "team": team}
        return pa.table(columns).cast(
            pa.schema([*(f if f.name != "team" else pa.field("team", team.type) for f in table.schema)])
        )

    delivery = sender.deliver(CONTRACT, ROWS[:1], typed=swell)
    assert delivery.state is DeliveryState.FAILED
    assert "types than its contract" in (delivery.problem or "") or "more memory" in (delivery.problem or "")
    assert sender.deliver(CONTRACT, ROWS).state is DeliveryState.ACCEPTED, "the hub goes on"


class _Program(LimitedExaminer):
    """Runs something else in place of the reader."""

    def __init__(self, code: str, **limits: Any) -> None:
        super().__init__(**{"memory_mb": 256, "seconds": 20} | limits)
        self.code = code

    def program(self, request: int, answer: int) -> list[str]:
        """A few lines of Python; `answer` is the descriptor of the answer."""
        head = f"import mmap, os, sys, json\nprint('begun', flush=True)\nanswer = {answer}\n"
        return [sys.executable, "-P", "-s", "-B", "-c", head + self.code]


_ANSWER = (
    "data = json.dumps({value}).encode()\n"
    "memory = mmap.mmap(answer, os.fstat(answer).st_size)\n"
    "memory[8:8 + len(data)] = data\n"
    "memory[:8] = len(data).to_bytes(8, 'little')\n"
)
_GOOD = {
    "accepted": 12, "refused": 0, "refusal": None, "open": 0, "version": None, "written": {}, "faults": [],
    "period": [None, None],
    "effect": {"before": 0, "added": 12, "replaced": 0, "removed": 0, "unmatched": 0, "after": 12},
}  # fmt: skip


def _brief(sent: int = 12) -> Brief:
    return Brief(
        contract=CONTRACT.text, mode="full", sent=sent, before=0, files={}, outputs={}, open_out=0,
        now="2026-11-23T00:00:00+00:00",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("os.kill(os.getpid(), 11)", Invalid, "broke the process that read them|more memory"),
        ("import time; time.sleep(60)", Invalid, "longer than the 1 seconds"),
        ("x = bytearray(10**9)", Invalid, "broke|more memory"),
        (_ANSWER.format(value="{'error': {'kind': 'memory'}}"), Invalid, "more memory than the 256 MiB"),
        (_ANSWER.format(value="{'error': {'kind': 'unavailable', 'detail': 'no room'}}"), Unavailable, "no room"),
        (_ANSWER.format(value="{'verdict': {}}"), Invalid, "broke the process"),
        (_ANSWER.format(value=repr({"verdict": _GOOD | {"accepted": 11}})), Invalid, "broke the process"),
        (_ANSWER.format(value=repr({"verdict": _GOOD | {"accepted": -1, "refused": 13}})), Invalid, "broke"),
        (_ANSWER.format(value=repr({"verdict": _GOOD | {"period": ["Ada Lovelace", None]}})), Invalid, "broke"),
        ("print('x' * 20_000_000)", Invalid, "broke|more memory"),
    ],
)  # fmt: skip
def test_a_process_that_breaks_or_lies_fails_the_delivery_with_a_reason(
    code: str, error: type[Exception], words: str
) -> None:
    examiner = _Program(code, seconds=1 if "sleep" in code else 20)
    with pytest.raises(error, match=words):
        examiner(_brief(), lambda rows: None, [])


def test_words_from_the_process_that_the_hub_does_not_know_are_not_kept() -> None:
    said = _GOOD | {"faults": [["Ada Lovelace", "team", 1, 1], ["enum", "born 1815", 2, None]]}
    verdict = Verdict.from_json(json.dumps(said).encode(), _brief(), CONTRACT)
    assert verdict.faults == (FaultCount("other", "team", 1, 1), FaultCount("enum", "", 2, None))


_PROBE = """
import socket
found = {}
def holds(name, act):
    try:
        act()
        found[name] = False
    except BaseException as error:
        found[name] = True
holds("no network", lambda: socket.create_connection(("127.0.0.1", PORT), 1))
holds("no hub folder", lambda: os.listdir(FOLDER))
holds("no keyring", lambda: open(FOLDER + "/keys/keyring.json").read())
holds("no files of the machine", lambda: open("/etc/passwd").read())
holds("no other process", lambda: [os.kill(PARENT, 0)])
holds("no writing", lambda: open("/usr/lib/x", "w"))
holds("no program", lambda: os.execv("/bin/sh", ["sh", "-c", "true"]) if os.fork() == 0 else None)
found["no environment"] = not (set(os.environ) & {"HUB_KEY_PASSPHRASE", "PATH"})
""" + _ANSWER.format(value="{'error': {'kind': 'invalid', 'detail': json.dumps(found)}}")


def test_the_process_reaches_nothing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_bubblewrap() is None:
        missing("bubblewrap is not installed")
    import os
    import socket

    monkeypatch.setenv("HUB_KEY_PASSPHRASE", "secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        values = {"PORT": server.getsockname()[1], "FOLDER": str(hub.settings.dir), "PARENT": os.getpid()}
        code = _PROBE
        for name, value in values.items():
            code = code.replace(name, repr(value))
        with pytest.raises(Invalid) as caught:
            _Program(code, hide=(hub.settings.dir,))(_brief(), lambda rows: None, [])
    found = json.loads(caught.value.detail)
    assert all(found.values()), found
    assert len(found) == 8


def test_what_is_wrong_with_the_machine_puts_the_decision_off(
    sqlite_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    sender = Sender(sqlite_hub, "police", principal_of(sqlite_hub, "hub", "operator"))
    sender.publish(CONTRACT)
    sent = sender.send(sender.pack(CONTRACT, ROWS))
    later = sender.send(sender.pack(CONTRACT, ROWS[:6]))

    def no_room(*_: Any) -> Verdict:
        raise OSError(28, "No space left on device")

    broken = replace(sqlite_hub, examine=no_room)
    assert deciding.decide_next(broken)
    page = overview.delivery_page(sqlite_hub, sender.principal, sent.id)
    assert page.delivery.state is DeliveryState.RECEIVED
    assert "tries again" in (page.delivery.problem or "")
    assert not deciding.decide_next(broken), "it waits, and what was sent after it waits behind it"
    monkeypatch.setattr(deciding, "_WAITS_SECONDS", (0,))
    with sqlite_hub.database.write() as session:
        from sqlalchemy import text

        session.execute(text("UPDATE deliveries SET retry_at = '2020-01-01 00:00:00'"))
    for _ in range(10):
        assert deciding.decide_next(broken), "however often: nothing is wrong with the delivery"
    assert drain(replace(sqlite_hub, examine=examine_here)) == 2
    for delivery in (sent, later):
        page = overview.delivery_page(sqlite_hub, sender.principal, delivery.id)
        assert page.delivery.state is DeliveryState.ACCEPTED, page.delivery.problem
        assert page.delivery.problem is None
