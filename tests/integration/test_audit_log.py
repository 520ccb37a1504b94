"""The audit log cannot be bent without being seen, on either database."""

from typing import Any

import pytest
from sqlalchemy import text

from hub.audit import log as audit
from hub.workflows import auditing
from hub.workflows.hub import Hub


@pytest.fixture
def written(hub: Hub) -> Hub:
    """A hub whose log has twelve entries under two checkpoints."""
    for number in range(12):
        with hub.database.write() as session:
            audit.record(session, actor="system:test", action="test.act", target=str(number), subjects=["s1"])
        if number == 6:
            assert auditing.seal_log(hub)
    assert auditing.seal_log(hub)
    return hub


def _execute(hub: Hub, statement: str, **values: Any) -> None:
    with hub.database.write() as session:
        session.execute(text(statement), values)


def test_an_untouched_log_verifies(written: Hub) -> None:
    found = auditing.verify(written)
    assert found.ok, found.problems
    assert (found.entries, found.sealed, found.checkpoints) == (12, 12, 2)


def test_nothing_new_means_nothing_to_seal(written: Hub) -> None:
    assert not auditing.seal_log(written)


@pytest.mark.parametrize(
    "bend",
    [
        """UPDATE audit_entries SET entry = replace(entry, '"target":"3"', '"target":"4"') WHERE leaf_index = 3""",
        "UPDATE audit_entries SET actor = 'person:nobody' WHERE leaf_index = 3",
        "UPDATE audit_entries SET action = 'nothing' WHERE leaf_index = 3",
        "DELETE FROM audit_entries WHERE leaf_index = 3",
        "DELETE FROM audit_entries WHERE leaf_index = 11",
        "UPDATE audit_entries SET leaf_index = 100 WHERE leaf_index = 3",
        "DELETE FROM audit_checkpoints WHERE size = 12",
        "UPDATE audit_checkpoints SET note = replace(note, '12', '11') WHERE size = 12",
    ],
)
def test_every_bend_is_detected(written: Hub, bend: str) -> None:
    if "DELETE FROM audit_entries" in bend:
        _execute(written, "DELETE FROM audit_subjects")
    _execute(written, bend)
    assert not auditing.verify(written).ok


def test_swapped_entries_are_detected(written: Hub) -> None:
    for old, new in ((3, 100), (4, 3), (100, 4)):
        _execute(
            written, "UPDATE audit_entries SET leaf_index = :new WHERE leaf_index = :old", old=old, new=new
        )
    assert not auditing.verify(written).ok


def test_a_database_rolled_back_behind_the_published_checkpoint_is_detected(written: Hub) -> None:
    _execute(
        written,
        "DELETE FROM audit_subjects WHERE entry_id IN (SELECT id FROM audit_entries WHERE leaf_index >= 7)",
    )
    _execute(written, "DELETE FROM audit_entries WHERE leaf_index >= 7")
    _execute(written, "DELETE FROM audit_checkpoints WHERE size = 12")
    found = auditing.verify(written)
    assert any("covers entries that are gone" in problem for problem in found.problems)


def test_a_log_written_anew_does_not_match_what_was_published(written: Hub) -> None:
    _execute(written, "DELETE FROM audit_subjects")
    _execute(written, "DELETE FROM audit_entries")
    _execute(written, "DELETE FROM audit_checkpoints")
    for number in range(12):
        with written.database.write() as session:
            audit.record(session, actor="system:test", action="test.act", target=f"other {number}")
    published = written.objects.get_bytes("audit/checkpoints/latest").decode()
    with written.database.write() as session:
        audit.seal(session, written.audit_origin, written.keyring.checkpoint_private_key)
    assert not auditing.verify(written, [published]).ok


def test_an_entry_and_its_act_live_and_die_together(hub: Hub) -> None:
    class Broke(Exception):
        pass

    with pytest.raises(Broke), hub.database.write() as session:
        audit.record(session, actor="system:test", action="test.act")
        raise Broke
    with hub.database.read() as session:
        assert audit.count(session) == 0


def test_entries_are_found_by_subject_and_paged(written: Hub) -> None:
    with written.database.read() as session:
        first = audit.recent(session, limit=5, subject="s1")
        rest = audit.recent(session, limit=50, before=first[-1].id)
        assert [entry.content["target"] for entry in first] == ["11", "10", "9", "8", "7"]
        assert len(rest) == 7
        assert audit.recent(session, subject="s2") == []
