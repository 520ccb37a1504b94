"""What is shredded stays unreadable, with all that was made from it, even beside yesterday's database and files."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hub.app import open_hub
from hub.audit import log as audit_log
from hub.catalogue import store as catalogue
from hub.config import load_settings
from hub.errors import Conflict, Forbidden, HubError, Invalid, NotFound
from hub.identity.principal import Principal
from hub.policy.decide import whole_file
from hub.runs import store as runs
from hub.runs.sandbox import PluginFailed
from hub.runs.states import ResultState, RunState
from hub.storage.database import utc_now
from hub.storage.objects import ObjectStore
from hub.vault import shred
from hub.vault.store import Vault
from hub.workflows import auditing, keeping, overview, releasing, running, shredding
from hub.workflows.hub import Hub
from hub.workflows.linking import PEOPLE_CONTRACT
from hub.workflows.work import drain
from support.hubs import principal_of
from support.lived_in import lived_in_hub
from support.staged import BAD_ROW, CONTRACT, ROWS, Staged, stage

OPERATOR = Principal("system", "test", "test", "", "hub", frozenset({"operator"}))


def two(hub: Hub) -> tuple[Principal, Principal]:
    """Two people who may destroy data."""
    return principal_of(hub, "hub", "operator"), principal_of(hub, "hub", "data steward")


def destroy(hub: Hub, target: str, older_than: int | None = None) -> shredding.Proof:
    planned = shredding.plan(hub, OPERATOR, target, older_than)
    return shredding.carry_out(hub, *two(hub), planned, "a test", older_than)


def current(hub: Hub, contract: str) -> catalogue.Version | None:
    with hub.database.read() as session:
        return catalogue.current_version(session, contract)


def read(hub: Hub, version: catalogue.Version, column: str, vault: Vault | None = None) -> list[Any]:
    vault = vault or hub.vault
    with hub.database.read() as session:
        file = vault.locate(session, version.object_key, version.binding)
    found: list[Any] = vault.read(file, [column], whole_file("test", "a test"))[column].to_pylist()
    return found


def test_a_version_goes_with_everything_that_was_made_from_it_backups_included(tmp_path: Path) -> None:
    with lived_in_hub(tmp_path) as lived:
        hub = lived.hub
        tenancies, people = current(hub, "housing.tenancies"), current(hub, PEOPLE_CONTRACT)
        health, counted = current(hub, "health.registrations"), lived.ids["result_id"]
        assert tenancies and people and health
        assert "Quillfeather" in read(hub, people, "surname")
        with hub.database.engine.connect() as connection:
            connection.connection.dbapi_connection.execute("VACUUM INTO ?", (str(tmp_path / "old.db"),))
        shutil.copytree(hub.settings.dir / "objects", tmp_path / "old-objects")

        planned = shredding.plan(hub, OPERATOR, tenancies.id)
        kinds = sorted(item.kind for item in planned.doomed)
        assert kinds == ["log", "result", "version", "version", "version"], (
            "the tenancies, people, their index, an answer"
        )
        assert {item.what for item in planned.doomed if item.kind == "version"} == {
            "housing.tenancies version 1", "hub.people version 1", "hub.person_index version 1",
        }  # fmt: skip
        assert dict(planned.moves) == {
            "housing.tenancies": None,
            PEOPLE_CONTRACT: None,
            "hub.person_index": None,
        }
        assert "Quillfeather" in read(hub, people, "surname"), "looking destroys nothing"
        first, second = two(hub)
        with pytest.raises(Forbidden, match="takes two people"):
            shredding.carry_out(hub, first, first, planned, "a test")
        with pytest.raises(Forbidden, match="You may not destroy data"):
            shredding.carry_out(hub, first, principal_of(hub, "hub", "analyst"), planned, "a test")
        with pytest.raises(Invalid, match="why"):
            shredding.carry_out(hub, first, second, planned, "  ")
        proof = shredding.carry_out(hub, first, second, planned, "Sent by mistake by Jo Quillfeather")

        assert len(proof.keys) == 5
        for version in (tenancies, people):
            with pytest.raises(NotFound, match="destroyed"):
                read(hub, version, "surname")
        answer = next(item.owner for item in planned.doomed if item.kind == "result")
        with hub.database.read() as session:
            assert runs.get_result(session, answer).state is ResultState.WITHDRAWN
            entry = next(item for item in audit_log.recent(session, action="keys.shredded"))
            assert {item["wrapped_sha256"] for item in entry.content["detail"]["keys"]} == {
                key.digest for key in proof.keys
            }
            assert entry.content["detail"]["second"] == second.reference
            assert entry.place is not None, "under a signed checkpoint"
            assert "Quillfeather" not in str(entry.content)
        for key in proof.keys:
            assert all(hub.objects.size(item) is None for item in key.objects)
        assert hub.objects.list(f"results/{answer}") == []
        assert auditing.verify(hub).ok
        assert releasing.read_result(hub, principal_of(hub, "police", "analyst"), counted).report, (
            "others stay"
        )

        old = open_hub(
            load_settings(
                hub.settings.dir, environ={}, database_url=f"sqlite:///{tmp_path / 'old.db'}",
                public_url="http://hub.test", objects=str(tmp_path / "old-objects"),
                intake_process=False,
            )
        )  # fmt: skip
        assert "Quillfeather" in read(old, people, "surname"), (
            "an old copy opens as long as its root key lives"
        )
        keeping.rotate_root(hub, OPERATOR)
        attacker = Vault(hub.keyring, ObjectStore(str(tmp_path / "old-objects")))
        for version in (tenancies, people, health):
            for vault in (old.vault, attacker):
                with pytest.raises(HubError):
                    read(old, version, "surname", vault)
        _nothing_else_opens_it(hub, tmp_path / "old.db", tenancies)
        old.database.close()

        assert read(hub, health, "surname") == ["Quillfeather"], "and what stays is read as before"
        drain(hub)
        relinked = current(hub, PEOPLE_CONTRACT)
        assert relinked is not None
        assert read(hub, relinked, "forename") == ["Ada"], "people are linked anew from what is left"
        with pytest.raises(NotFound, match="Nothing of"):
            shredding.plan(hub, OPERATOR, tenancies.id)


def _nothing_else_opens_it(hub: Hub, database: Path, version: catalogue.Version) -> None:
    """Data keys that were sealed to the hub would open the file whatever became of the vault's own keys."""
    with closing(sqlite3.connect(database)) as connection:
        manifests = [row[0] for row in connection.execute("SELECT manifest FROM deliveries")]
    assert manifests
    assert not [text for text in manifests if "wrappedDEK" in text]
    assert hub.objects.list(f"incoming/{version.origin}") == []


@pytest.fixture
def staged(sqlite_hub: Hub) -> Staged:
    """A hub with a version and an agreement in force, on SQLite."""
    return stage(sqlite_hub)


@pytest.fixture
def staged_on_both(hub: Hub) -> Staged:
    """The same on both databases."""
    return stage(hub)


def test_a_delivery_goes_with_its_refused_rows_and_the_version_before_takes_over(
    staged_on_both: Staged,
) -> None:
    hub, sender = staged_on_both.hub, staged_on_both.sender
    before = current(hub, CONTRACT.id)
    sent = sender.deliver(CONTRACT, [*ROWS, BAD_ROW])
    assert overview.faults(hub, sender.principal, sent.id).num_rows == 1
    planned = shredding.plan(hub, OPERATOR, sent.id)
    assert sorted(item.kind for item in planned.doomed) == ["quarantine", "version"]
    assert before is not None
    assert planned.moves == ((CONTRACT.id, before.number),)
    shredding.carry_out(hub, *two(hub), planned, "a test")
    with pytest.raises(NotFound):
        overview.faults(hub, sender.principal, sent.id)
    again = current(hub, CONTRACT.id)
    assert again is not None
    assert again.id == before.id
    assert len(read(hub, again, "team")) == len(ROWS)
    assert sender.deliver(CONTRACT, [*ROWS, BAD_ROW]).version_id, "and the dataset goes on"


def test_versions_made_by_adding_descend_from_those_before_them(staged: Staged) -> None:
    hub, sender = staged.hub, staged.sender
    first = current(hub, CONTRACT.id)
    assert first is not None
    more = [row | {"month": "2026-02-01"} for row in ROWS]
    sender.send(sender.pack(CONTRACT, more, mode="append"))
    drain(hub)
    added = current(hub, CONTRACT.id)
    assert added is not None
    assert added.rows == 2 * len(ROWS)
    planned = shredding.plan(hub, OPERATOR, first.id)
    assert {first.id, added.id} <= {item.owner for item in planned.doomed}
    assert any(item.why == f"made from {first.id}" for item in planned.doomed)
    destroy(hub, first.id)
    assert current(hub, CONTRACT.id) is None


def test_a_dataset_loses_what_is_old_and_keeps_the_rest(staged: Staged) -> None:
    hub, sender = staged.hub, staged.sender
    sender.deliver(CONTRACT, ROWS[:10])
    newest = current(hub, CONTRACT.id)
    with hub.database.write() as session:
        session.execute(
            text("UPDATE versions SET accepted_at = :at WHERE number = 1"),
            {"at": utc_now() - timedelta(days=400)},
        )
    planned = shredding.plan(hub, OPERATOR, staged.dataset, 365)
    assert [item.what for item in planned.doomed if item.kind == "version"] == [f"{CONTRACT.id} version 1"]
    assert planned.moves == ()
    destroy(hub, staged.dataset, 365)
    assert current(hub, CONTRACT.id) == newest
    with pytest.raises(NotFound, match="nothing of it is that old"):
        shredding.plan(hub, OPERATOR, staged.dataset, 365)
    with pytest.raises(Invalid, match="for datasets"):
        shredding.plan(hub, OPERATOR, newest.id if newest else "", 365)


def test_what_came_to_be_since_one_looked_stops_it(staged: Staged) -> None:
    hub, sender = staged.hub, staged.sender
    first = current(hub, CONTRACT.id)
    assert first is not None
    planned = shredding.plan(hub, OPERATOR, first.id)
    sender.send(sender.pack(CONTRACT, [row | {"month": "2026-02-01"} for row in ROWS], mode="append"))
    drain(hub)
    with pytest.raises(Conflict, match="since you looked"):
        shredding.carry_out(hub, *two(hub), planned, "a test")
    assert read(hub, first, "team")


def test_a_run_that_reads_what_is_destroyed_is_stopped_and_leaves_no_result(staged: Staged) -> None:
    hub = staged.hub
    version = current(hub, CONTRACT.id)
    assert version is not None
    staged.sandbox.log = ("the plugin names Team 3",)

    def answer(inputs: Any, parameters: Any) -> Any:
        destroy(hub, version.id)
        return counted(inputs, parameters)

    counted, staged.sandbox.answer = staged.sandbox.answer, answer
    run = running.request_run(hub, staged.analyst, "counting", "planning", "police", {})
    drain(hub)
    with hub.database.read() as session:
        ended = runs.get_run(session, run.id)
        assert (ended.state, ended.log) == (RunState.CANCELLED, "")
        assert runs.result_of_run(session, run.id) is None


def test_what_slips_in_while_its_source_is_destroyed_is_destroyed_by_the_worker(staged: Staged) -> None:
    hub = staged.hub
    version = current(hub, CONTRACT.id)
    assert version is not None
    destroy(hub, version.id)
    late = hub.vault.new_owner("ver_late")
    with hub.database.write() as session:
        hub.vault.register(session, late, [])
        catalogue.add_version(session, replace(version, id="ver_late", number=99), [version.id])
    shredding.tidy(hub)
    with hub.database.read() as session:
        assert shred.held(session, ["ver_late"]) == []
    assert current(hub, CONTRACT.id) is None
    assert shredding.shred_stragglers(hub) == 0


def test_results_end_with_their_agreements_retention(staged: Staged) -> None:
    hub = staged.hub
    run = running.request_run(hub, staged.analyst, "counting", "planning", "police", {})
    drain(hub)
    with hub.database.read() as session:
        result = runs.result_of_run(session, run.id)
    assert result is not None
    releasing.decide(hub, staged.checker, result.id, "release", "looked at it")
    assert shredding.expire_results(hub) == 0
    late = replace(hub, clock=lambda: utc_now() + timedelta(days=731))
    assert shredding.expire_results(late) >= 1
    assert shredding.expire_results(late) == 0
    with pytest.raises(NotFound):
        releasing.read_result(hub, staged.analyst, result.id)
    assert hub.objects.list(f"results/{result.id}") == []
    with hub.database.read() as session:
        entry = audit_log.recent(session, action="keys.shredded")[0]
        assert (entry.actor, entry.content["detail"]["retention_days"]) == ("system:retention", 730)
        assert runs.latest_released(session, "counting", "planning") is None


def test_what_a_plugin_said_lies_under_a_key_that_goes_with_what_it_read(staged: Staged) -> None:
    hub = staged.hub
    version = current(hub, CONTRACT.id)
    assert version is not None
    staged.sandbox.log = ("the plugin names Team 3",)
    run = running.request_run(hub, staged.analyst, "counting", "planning", "police", {})
    drain(hub)
    assert overview.run_page(hub, staged.analyst, run.id)[0].log == "the plugin names Team 3"
    with hub.database.read() as session:
        copied = runs.get_run(session, run.id).log
    with pytest.raises(Invalid):
        hub.vault.open_text(copied)  # not under a key of the hub's that stays
    assert run.id in [item.owner for item in shredding.plan(hub, OPERATOR, version.id).doomed]
    destroy(hub, version.id)
    with hub.database.read() as session:
        assert runs.get_run(session, run.id).log == ""
        with pytest.raises(NotFound, match="destroyed"):
            hub.vault.open_text_of(session, run.id, copied)


def test_the_log_of_a_run_that_failed_ends_with_the_retention_too(staged: Staged) -> None:
    hub = staged.hub

    def fail(*_: Any) -> Any:
        raise PluginFailed("error", "It fell over.", ["the row of Team 3"])

    staged.sandbox.answer = fail
    run = running.request_run(hub, staged.analyst, "counting", "planning", "police", {})
    drain(hub)
    assert "Team 3" in overview.run_page(hub, staged.analyst, run.id)[0].log
    late = replace(hub, clock=lambda: utc_now() + timedelta(days=731))
    assert (shredding.expire_results(late), shredding.expire_results(late)) == (1, 0)
    with hub.database.read() as session:
        assert shred.held(session, [run.id]) == []
        assert runs.get_run(session, run.id).log == ""


def test_objects_that_cannot_be_removed_are_removed_later(
    staged: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = staged.hub
    version = current(hub, CONTRACT.id)
    assert version is not None

    def refuse(*_: object) -> None:
        raise OSError("the disk is read-only")

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "delete", refuse)
        assert destroy(hub, version.id).objects_left >= 1
    assert hub.objects.size(version.object_key) is not None
    with pytest.raises(NotFound):
        read(hub, version, "team")
    shredding.tidy(hub)
    assert hub.objects.size(version.object_key) is None


def test_what_is_not_there_is_said_so(staged: Staged) -> None:
    for target in ("ver_none", "res_none", "dat_none", "none", ""):
        with pytest.raises(NotFound):
            shredding.plan(staged.hub, OPERATOR, target)
