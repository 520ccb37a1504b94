"""A hub from before the catalogue had entries: its datasets are found all the same; and lineage through linking."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from alembic import command
from sqlalchemy import text

from hub.catalogue import entries, lineage
from hub.catalogue import store as catalogue
from hub.catalogue.store import Version
from hub.migrations import upgrade as migrations
from hub.storage.database import Database, utc_now
from hub.workflows import finding, tracing
from hub.workflows.hub import Hub
from hub_schemas import library
from support.catalogues import named, publish
from support.hubs import make_hub, principal_of

OLD = """
INSERT INTO organisations (id, slug, name, created_at) VALUES ('o', 'schools', 'Wexbourne École', :at);
INSERT INTO contracts (digest, contract, version, text, created_at) VALUES (:digest, :contract, '1.0.0', :text, :at);
INSERT INTO contracts (digest, contract, version, text, created_at) VALUES ('e', 'a.b', '1.0.0', 'no contract', :at);
INSERT INTO datasets (id, organisation_id, contract, contract_digest, title, created_at, current_version)
    VALUES ('dat_old', 'o', :contract, :digest, :title, :at, NULL);
INSERT INTO datasets (id, organisation_id, contract, contract_digest, title, created_at, current_version)
    VALUES ('dat_odd', 'o', 'a.b', 'e', 'An odd one', :at, NULL);
"""


def _run(database: Database, act: Any, revision: str) -> None:
    with database.engine.execution_options(hub_write=True).begin() as connection:
        act(migrations._config(connection), revision)


def test_an_older_hubs_datasets_are_found_by_their_columns_after_the_upgrade(
    tmp_path: Path, databases: Any
) -> None:
    contract = library.load("schools.attendance")
    values = {
        "at": "2026-01-01 00:00:00+00:00", "digest": contract.digest, "contract": contract.id,
        "text": contract.text, "title": contract.title,
    }  # fmt: skip

    def make(url: str) -> None:
        database = Database(url)
        _run(database, command.upgrade, "0011")
        with database.write() as session:
            for statement in OLD.split(";"):
                if statement.strip():
                    named_ = {name: value for name, value in values.items() if f":{name}" in statement}
                    session.execute(text(statement), named_)
        migrations.upgrade(database)
        migrations.upgrade(database)
        database.close()

    hub = make_hub(tmp_path / "hub", databases.new(make))
    who = principal_of(hub, "council", "analyst")
    search = lambda words: [  # noqa: E731
        line.dataset.id for line in finding.find(hub, who, finding.Filters(words)).lines
    ]
    assert search("upn ecole") == ["dat_old"]
    assert search("odd") == ["dat_odd"], "a text that is no contract any more is found by its title"
    known = finding.known(hub, who, "dat_old")
    assert (known.dataset.visibility, known.entry.sensitivity) == ("listed", "special-category")
    assert known.entry.described.themes == ("EDUC",)
    assert finding.known(hub, who, "dat_odd").entry.described.title == "An odd one"
    with hub.database.write() as session:
        assert entries.refresh(session) == 0, "each was made anew once"
    hub.database.close()


def test_entries_of_an_older_form_are_made_anew_and_keep_what_stewards_said(sqlite_hub: Hub) -> None:
    dataset = publish(sqlite_hub, "police", named("police.rota", "Rota"))
    with sqlite_hub.database.write() as session:
        session.execute(
            text("UPDATE dataset_entries SET form = 0, words = '', record = '{\"keywords\": [\"roster\"]}'")
        )
        assert entries.refresh(session) == 1
        assert entries.entry(session, dataset.id).record.keywords == ("roster",)
    who = principal_of(sqlite_hub, "council", "analyst")
    assert len(finding.find(sqlite_hub, who, finding.Filters("roster rota")).lines) == 1


def test_lineage_goes_through_linking_and_stops_at_what_one_does_not_find(sqlite_hub: Hub) -> None:
    """Two datasets, one of them private, became the people of the hub; their versions followed each other."""
    hub = sqlite_hub
    made = {
        "one": publish(hub, "police", named("police.one", "One")),
        "two": publish(hub, "schools", named("schools.two", "Two"), visibility="private"),
        "people": publish(hub, "hub", library.load("hub.people")),
    }

    def version(ident: str, dataset: str, number: int, *came_from: str) -> None:
        at = utc_now() + timedelta(seconds=number)
        item = Version(
            ident, made[dataset].id, number, made[dataset].contract_digest, "k", "linkage", 1, at, None, None
        )
        with hub.database.write() as session:
            catalogue.add_version(session, item, came_from)

    version("v1", "one", 1)
    version("v2", "one", 2, "v1")
    version("t1", "two", 1)
    version("p1", "people", 1, "v1", "t1")
    version("p2", "people", 2, "v2", "t1")
    who = principal_of(hub, "council", "analyst")
    found = tracing.trace(hub, who, made["one"].id)
    assert [place.id for place in found.versions] == ["v2", "v1"]
    assert [place.id for place in found.downstream] == ["p2", "p1"]
    assert set(found.edges) == {("v1", "v2"), ("v1", "p1"), ("v2", "p2")}
    people = tracing.trace(hub, who, made["people"].id)
    assert {place.id for place in people.upstream} == {"v1", "v2"}, "the private one is not there"
    assert {cause for cause, _ in people.edges} == {"v1", "v2"}
    mine = tracing.trace(hub, principal_of(hub, "schools", "analyst"), made["people"].id)
    assert {place.id for place in mine.upstream} == {"v1", "v2", "t1"}
    with hub.database.read() as session:
        assert {child for _, child in lineage.edges_below(session, ["v1"])} == {"v2", "p1", "p2"}
