"""Sources that grow: only what is new is read, and a mark moves when the hub has accepted, never before."""

from __future__ import annotations

import json
from typing import Any

import pytest


class Killed(BaseException):
    """As a process that is killed: nothing of ours gets to clean up after it."""


def configure(department: Any, mode: str = "append", more: str = "") -> None:
    config = department.home / "hub-connector.toml"
    assert department.contract.exists()
    config.write_text(
        config.read_text()
        + f'\n[datasets."test.pupils"]\nsource = "db://pupils"\ncontract = "pupils.yaml"\nmode = "{mode}"\n{more}'
    )


def push(department: Any, *more: object) -> tuple[int, str, str]:
    return department.run("push", "test.pupils", "--wait", *more)


def names(hub: Any) -> list[str]:
    return [row["pupil"] for row in hub.datasets["test.pupils"]]


@pytest.fixture
def source(registered: Any, growing: Any) -> Any:
    configure(registered)
    return growing


def more_rows(source: Any, count: int = 5) -> None:
    last = int(source.rows[-1][-1])
    source.rows += [
        (f"q{number}", "New", "", "01/02/2016", "3", str(number))
        for number in range(last + 1, last + 1 + count)
    ]


def test_only_rows_beyond_the_mark_are_read_and_sent(registered: Any, hub: Any, source: Any) -> None:
    status, said, told = push(registered)
    assert status == 0, told
    assert "Reading from the start" in told
    status, said, _ = push(registered)
    assert status == 0
    assert "nothing new (no rows beyond changed 60)" in said
    assert len(hub.deliveries) == 1
    more_rows(source)
    status, said, told = push(registered)
    assert "Reading on from changed 60" in told
    assert "5 rows added; the dataset now has 65 rows" in said
    assert len(names(hub)) == len(set(names(hub))) == 65
    said = registered.run("status")[1]
    assert "test.pupils was read up to changed 65 (with delivery " in said
    assert "changed 65" in registered.run("status", "--local")[1]


@pytest.mark.parametrize("verdict", ["refused", "failed"])
def test_a_mark_stays_where_it_is_when_the_hub_does_not_accept(
    registered: Any, hub: Any, source: Any, verdict: str
) -> None:
    push(registered)
    more_rows(source)
    hub.verdict = verdict
    assert push(registered)[0] == 4
    assert "changed 60" in registered.run("status", "--local")[1]
    hub.verdict = "accepted"
    more_rows(source, 1)
    assert push(registered)[0] == 0
    assert len(names(hub)) == len(set(names(hub))) == 66


def test_a_delivery_that_is_not_decided_yet_is_waited_for_before_anything_is_read(
    registered: Any, hub: Any, source: Any
) -> None:
    hub.verdict = "received"
    assert registered.run("push", "test.pupils")[0] == 0
    more_rows(source)
    status, _, complaint = registered.run("push", "test.pupils")
    assert status == 3
    assert "has not decided on delivery" in complaint
    hub.decide_now()
    assert registered.run("push", "test.pupils")[0] == 0
    assert len(names(hub)) == len(set(names(hub))) == 65


@pytest.mark.parametrize("before_storing", [True, False], ids=["request lost", "answer lost"])
def test_cut_at_any_step_no_row_is_lost_and_none_is_added_twice(
    registered: Any, hub: Any, source: Any, before_storing: bool
) -> None:
    hub.part_size = 100_000
    hub.cut_before_storing = before_storing
    for _ in range(6):
        hub.cut_at = hub.steps + 1
        status, _, complaint = push(registered)
        if status == 0:
            break
        assert status == 3, complaint
        more_rows(source, 1)  # the table goes on growing meanwhile
    hub.cut_at = None
    assert push(registered)[0] == 0
    assert names(hub) == [row[0] for row in source.rows]
    assert not list((registered.home / ".hub-connector" / "outbox").iterdir())


STEPS = [
    "sealing", "sealed, before the journal knows", "journal written", "sent, before that is noted", "noted as received",
    "accepted, before that is noted",
]  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_nothing_is_lost_or_skipped(
    registered: Any, hub: Any, source: Any, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub_connector import delivering
    from hub_connector.packing import Packer
    from hub_connector.state import State

    push(registered)
    more_rows(source, 20)

    def after(owner: Any, name: str, *, only: Any = lambda *_: True, before: bool = False) -> None:
        original = getattr(owner, name)

        def dies(*arguments: Any, **options: Any) -> Any:
            if before and only(*arguments):
                raise Killed
            answer = original(*arguments, **options)
            if only(*arguments):
                raise Killed
            return answer

        patch.setattr(owner, name, dies)

    with monkeypatch.context() as patch:
        patch.setattr(State, "clear", lambda *_: None)  # a killed process clears nothing
        if step == "sealing":

            def at(number: int) -> None:
                if number == 1:
                    raise Killed

            source.at = at
        elif step == "sealed, before the journal knows":
            after(Packer, "pack")
        elif step == "journal written":
            after(State, "put")
        elif step == "sent, before that is noted":
            after(delivering, "send")
        elif step == "noted as received":
            after(State, "settle", only=lambda _, record, state, *more: state == "received")
        else:
            after(State, "settle", only=lambda _, record, state, *more: state == "accepted", before=True)
        if step in ("noted as received", "accepted, before that is noted"):
            hub.verdict = "received"
            original = hub.status

            def decides(name: str) -> Any:
                hub.decide_now()
                return original(name)

            patch.setattr(hub, "status", decides)
        with pytest.raises(Killed):
            push(registered)
    source.at = lambda number: None
    journal = json.loads((registered.home / ".hub-connector" / "journal.json").read_text())
    assert journal["marks"]["test.pupils"]["value"] == "60", "it must not move before the hub's word is noted"
    more_rows(source, 3)
    status, _, complaint = push(registered)
    assert status == 0, complaint
    assert names(hub) == [row[0] for row in source.rows]
    assert "changed 83" in registered.run("status", "--local")[1]
    assert not list((registered.home / ".hub-connector" / "outbox").iterdir())


def test_an_error_while_reading_sends_nothing_and_moves_nothing(
    registered: Any, hub: Any, source: Any
) -> None:
    from hub_connector.errors import SourceError

    push(registered)
    more_rows(source, 20)

    def at(number: int) -> None:
        if number == 2:
            raise SourceError("The database went away.", "Try again.")

    source.at = at
    assert push(registered)[0] == 2
    assert len(hub.deliveries) == 1
    source.at = lambda number: None
    assert push(registered)[0] == 0
    assert names(hub) == [row[0] for row in source.rows]


def test_a_whole_delivery_of_new_rows_only_would_lose_the_old_ones_and_is_not_possible(
    registered: Any, hub: Any, source: Any
) -> None:
    status, _, complaint = push(registered, "--mode", "full")
    assert status == 2
    assert "they would replace the whole dataset" in complaint
    assert not hub.deliveries


def test_a_watermark_that_is_a_persons_value_is_not_kept(registered: Any, hub: Any, source: Any) -> None:
    source.watermark = "born"
    status, _, complaint = push(registered)
    assert status == 2
    assert "'born' is personal" in complaint


def test_a_changed_source_does_not_go_on_from_the_mark_of_another(
    registered: Any, hub: Any, source: Any
) -> None:
    push(registered)
    source.address = "db://elsewhere"
    more_rows(source)
    status, _, complaint = push(registered)
    assert status == 2
    assert "--keep-mark" in complaint
    assert "--from-start" in complaint
    assert push(registered, "--keep-mark")[0] == 0
    more_rows(source)
    assert push(registered)[0] == 0
    assert len(names(hub)) == len(set(names(hub))) == 70


def test_a_hub_that_lost_the_marks_delivery_is_noticed(registered: Any, hub: Any, source: Any) -> None:
    push(registered)
    hub.deliveries.clear()
    hub.tables.clear()
    hub.datasets.clear()
    more_rows(source)
    status, _, complaint = push(registered)
    assert status == 2
    assert "restored from a backup" in complaint
    status, _, complaint = push(registered, "--from-start")
    assert status == 2, "adding everything again to a dataset that may have it needs a second word"
    assert "a second time" in complaint
    assert push(registered, "--from-start", "--force")[0] == 0
    assert len(names(hub)) == 65
    assert "nothing new" in push(registered)[1]


def test_from_start_reads_everything_once_and_replaces_what_is_there(
    registered: Any, hub: Any, growing: Any
) -> None:
    configure(registered, "upsert")
    push(registered)
    status, said, _ = push(registered, "--from-start", "--again")
    assert status == 0
    assert "0 rows added, 60 replaced; the dataset now has 60 rows" in said
    assert "nothing new" in push(registered)[1]
    assert "delivered before" in push(registered, "--from-start")[1]
    assert push(registered, "--from-start", "--keep-mark")[0] == 2


def test_a_streamed_source_without_a_watermark_is_recognised_by_its_rows(
    registered: Any, hub: Any, growing: Any
) -> None:
    configure(registered, "full")
    growing.watermark = None
    assert push(registered)[0] == 0
    status, said, _ = push(registered)
    assert status == 0
    assert "the same data was delivered before" in said
    assert "has no watermark" in push(registered, "--from-start")[2]
    growing.rows[3] = ("p0003", "Other", *growing.rows[3][2:])
    assert "60 rows in place of 60" in push(registered)[1]
    assert len(hub.deliveries) == 2


def test_a_cut_delivery_of_a_streamed_source_is_sent_before_it_is_read_again(
    registered: Any, hub: Any, growing: Any
) -> None:
    configure(registered, "full")
    growing.watermark = None
    hub.cut_at = 1
    assert push(registered)[0] == 3
    hub.cut_at = None

    def at(number: int) -> None:
        raise AssertionError("it was read again")

    growing.at = at
    status, said, complaint = push(registered)
    assert status == 0, complaint
    assert "went on after a cut" in said
    journal = registered.home / ".hub-connector" / "journal.json"
    assert "db://pupils" in journal.read_text()
