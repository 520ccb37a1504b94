"""Sorted copies for look-ups: they answer as the versions do, give no more than is granted, and go when those go."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import select, text, update

from benchmarks.borough import LinkedHub, linked_hub
from hub.catalogue import lineage
from hub.catalogue import store as catalogue
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.insights import serving
from hub.insights.people import SEARCH_KEYS, PersonQuery, find_people
from hub.insights.store import linking_of
from hub.insights.tables import CopyRow
from hub.migrations import upgrade as migrations
from hub.policy import store as agreements
from hub.policy.decide import Grant, whole_file
from hub.runs.prepare import INDEX_CONTRACT
from hub.storage.database import Database
from hub.storage.objects import Spool
from hub.vault import serving as copies_of_vault
from hub.vault.serving import Shelf
from hub.vault.store import Vault
from hub.workflows import agreeing, linking, shredding, viewing
from hub.workflows.hub import Hub
from hub.workflows.looking import Purpose
from hub.workflows.work import drain
from hub_schemas import library
from support.hubs import principal_of
from support.lived_in import HELPING, LINKING, SURNAME, TENANTS
from support.sealing import Sender
from support.staged import agree

TENANCIES = library.load("housing.tenancies")
PURPOSE = Purpose("early-help", "A visit on Friday, case 2041")


@contextmanager
def without_copies() -> Iterator[None]:
    """As if no linking had any copies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving.Serving, "served", lambda *_: None)
        yield


@contextmanager
def without_versions() -> Iterator[None]:
    """Whole versions cannot be read."""

    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("a whole version was read")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Vault, "read", refused)
        yield


# --- the same answers


@pytest.fixture(scope="module")
def borough(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinkedHub]:
    """The synthetic borough with everything linked; its copies are sorted in many slabs and have many groups."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "_SLAB_ROWS", 40)
        patch.setattr(copies_of_vault, "_GROUP_ROWS", 16)
        made = linked_hub(tmp_path_factory.mktemp("borough"), 150)
    yield made
    made.hub.database.close()


def everybody(hub: Hub) -> pa.Table:
    with hub.database.read() as session:
        linked = viewing._linked(hub, session)
        columns = [column.name for column in library.load("hub.people").columns]
        return viewing._everybody(hub, session, linked, columns, whole_file("test", "a test"))


def test_everybody_is_found_by_everything_on_both_paths_alike(borough: LinkedHub) -> None:
    hub, people = borough.hub, everybody(borough.hub)
    grant, asked = whole_file("test", "a test"), 0
    with hub.database.read() as session, without_versions():
        linked = viewing._linked(hub, session)
        assert linked.served is not None
        for person in people.to_pylist():
            for name in SEARCH_KEYS:
                if person[name] is None or (name == "date_of_birth" and not person["surname"]):
                    continue
                query = PersonQuery(**{name: person[name], "surname": (person["surname"] or "")[:4]})
                found = viewing._found(hub, session, linked, query, grant)
                assert found == find_people(people, query)
                assert person["person_id"] in {item.person_id for item in found}
                asked += 1
        for nobody in ("", "AA1 1AA", "ZZ9 9ZZ", "\N{LATIN SMALL LETTER A WITH DIAERESIS}"):
            query = PersonQuery(postcode=nobody or "X")
            assert viewing._found(hub, session, linked, query, grant) == []
    assert asked > 3 * people.num_rows * 0.8


def test_every_household_looks_the_same_on_both_paths(borough: LinkedHub) -> None:
    hub, purpose = borough.hub, Purpose(borough.agreement, PURPOSE.reason)
    homes = sorted(set(everybody(hub)["household_id"].to_pylist()) - {None})
    assert len(homes) > 40
    rows = 0
    for home in homes:
        with without_versions():
            fast = viewing.open_household(hub, borough.user, home, purpose).view
        with without_copies():
            slow = viewing.open_household(hub, borough.user, home, purpose).view
        assert fast == slow
        rows += sum(len(item.rows) for item in fast.contacts)
    assert rows > len(homes), "there was something to see"
    with pytest.raises(NotFound):
        viewing.open_household(hub, borough.user, "no-such-household", purpose)
    with without_versions():
        found = viewing.search_people(hub, borough.user, purpose, PersonQuery(postcode=fast.postcode))
    with without_copies():
        assert found == viewing.search_people(hub, borough.user, purpose, PersonQuery(postcode=fast.postcode))


def test_any_key_is_found_in_any_group_with_all_its_rows(
    sqlite_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies_of_vault, "_GROUP_ROWS", 7)
    chance = random.Random(5)
    keys = sorted(chance.choices(["", "a", "b b", "ä", "zz", "\U0001f600", *map(str, range(40))], k=400))
    table = pa.table({"key": pa.array(keys), "at": pa.array(range(400))})
    hub = sqlite_hub
    owner = hub.vault.new_owner("ver_test")
    file = copies_of_vault.write_sorted(
        hub.objects, owner.key, "versions/t/x.parquet", "b", [table.slice(0, 0), table], table.schema,
        {"key": "personal", "at": "open"}, "key", 400,
    )  # fmt: skip
    with hub.database.write() as session:
        hub.vault.register(session, owner, [file])
    shelf, grant = Shelf(hub.objects, hub.vault.areas), whole_file("test", "a test")
    with hub.database.read() as session:
        stamp = copies_of_vault.key_stamp(session, "ver_test")
        copy = copies_of_vault.Copy(file.object_key, "b", "key", stamp)
        for key in {*keys, "!", "9999", "a\x00", "\U0010ffff"}:
            got = shelf.rows(
                copy, key, ["at"], grant, lambda: hub.vault.locate(session, copy.object_key, "b")
            )
            assert got["at"].to_pylist() == [number for number, other in enumerate(keys) if other == key]


def test_a_search_needs_something_to_go_by() -> None:
    for query in (PersonQuery(nhs_number="none"), PersonQuery(uprn="000"), PersonQuery(surname="A")):
        with pytest.raises(Invalid):
            query.check()


# --- no more than is granted


def test_a_column_outside_the_grant_keeps_its_key_even_where_others_have_it_open(borough: LinkedHub) -> None:
    hub = borough.hub
    reader, columns = serving.serving_of(hub.vault, hub.objects), ["person_id", "surname"]
    surname = frozenset({"person_id", "surname"})
    with hub.database.read() as session:
        served = viewing._linked(hub, session).served
        assert served is not None
        name = serving.people_copy("postcode")
        copy = serving.Copy(
            served.linking.copies[name], serving._binding(served.linking.id, served.linking.people, name),
            "postcode", served.stamp,
        )  # fmt: skip

        def rows(granted: frozenset[str], wanted: list[str]) -> pa.Table:
            grant = Grant("hub.people", granted, "an-agreement", "a test")
            return reader.shelf.rows(
                copy, postcode, wanted, grant,
                lambda: hub.vault.locate(session, copy.object_key, copy.binding),
            )  # fmt: skip

        postcode = next(item for item in everybody(hub)["postcode"].to_pylist() if item)
        assert rows(surname | {"postcode", "nhs_number"}, [*columns, "nhs_number"]).num_rows
        assert rows(surname | {"postcode"}, columns).num_rows
        for granted, wanted in (
            (surname | {"postcode"}, [*columns, "nhs_number"]),
            (surname, columns),  # nobody can be found by a postcode that is not granted
            (frozenset({"postcode"}), columns),
        ):
            with pytest.raises(Forbidden, match="outside the grant"):
                rows(granted, wanted)


# --- in step with what they are copies of


@pytest.fixture
def lived(hub: Hub) -> Hub:
    """A family and a neighbour, linked, on either database."""
    return _move_in(hub)


@pytest.fixture
def family(sqlite_hub: Hub) -> Hub:
    """The same, on SQLite."""
    return _move_in(sqlite_hub)


def _move_in(hub: Hub) -> Hub:
    operator = principal_of(hub, "hub", "operator")
    Sender(hub, "health", operator)
    Sender(hub, "housing", operator).deliver(TENANCIES, TENANTS)
    for text_ in (LINKING, HELPING):
        agree(hub, text_)
    drain(hub)
    return hub


def helper(hub: Hub) -> Any:
    return principal_of(hub, "housing", "service user")


def look(hub: Hub) -> Any:
    query = PersonQuery(surname=SURNAME, date_of_birth=TENANTS_BORN)
    found = viewing.search_people(hub, helper(hub), PURPOSE, query)
    view = viewing.open_household(hub, helper(hub), found[0].household_id, PURPOSE).view
    return sorted(person.forename for person in view.members), [len(item.rows) for item in view.contacts]


TENANTS_BORN = date(1965, 3, 4)
SEEN = (["Ada", "Ben", "Cleo"], [3])


def linking_now(hub: Hub) -> Any:
    with hub.database.read() as session:
        people = catalogue.current_version(session, linking.PEOPLE_CONTRACT)
        assert people is not None
        return linking_of(session, people.id)


def test_a_new_linking_takes_the_place_of_the_old_ones_copies(lived: Hub) -> None:
    hub, before = lived, linking_now(lived)
    with without_versions():
        assert look(hub) == SEEN
    linking.link_now(hub, principal_of(hub, "hub", "operator"))
    after = linking_now(hub)
    assert after.id != before.id
    assert len(after.copies) == len(before.copies) == len(SEARCH_KEYS) + 2
    with without_versions():
        assert look(hub) == SEEN
    assert all(hub.objects.size(key) is None for key in before.copies.values())
    assert all(hub.objects.size(key) for key in after.copies.values())
    with hub.database.read() as session:
        assert not any(hub.vault.is_registered(session, key) for key in before.copies.values())
    shelf = serving.serving_of(hub.vault, hub.objects).shelf
    assert {name[0].object_key for name in shelf._opened} <= set(after.copies.values())


class Killed(BaseException):
    """The process ends here."""


def test_killed_at_any_step_the_old_state_serves_until_the_new_one_is_whole(
    family: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`_keep` again and again, ended at each object and each transaction, before and after."""
    hub, given, steps, last = family, [], 0, 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == last:
            raise Killed

    def keep(*arguments: Any) -> None:
        given[:] = arguments

    publish, write, real = Spool.publish, Database.write, linking._keep

    def publish_(self: Spool, key: str) -> None:
        step()
        publish(self, key)
        step()

    @contextmanager
    def write_(self: Database) -> Iterator[Any]:
        step()
        with write(self) as session:
            yield session
            step()
        step()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linking, "_keep", keep)
        linking.link_now(hub, principal_of(hub, "hub", "operator"))
    user, first = helper(hub), linking_now(hub)
    query = PersonQuery(surname=SURNAME, date_of_birth=TENANTS_BORN)
    while True:
        steps, last = 0, last + 1
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Spool, "publish", publish_)
            patch.setattr(Database, "write", write_)
            try:
                real(*given)
                break
            except Killed:
                pass
        now = linking_now(hub)
        assert len(now.copies) == len(first.copies), "the old copies, or all of the new ones"
        with hub.database.read() as session, without_versions():
            linked = viewing._linked(hub, session)
            assert linked.id == now.id
            names = frozenset(column.name for column in library.load("hub.people").columns)
            grant = Grant("hub.people", names, "early-help", "a test")
            found = viewing._found(hub, session, linked, query, grant)
            people, held = viewing._household(hub, session, linked, found[0].household_id, grant)
            assert (people.num_rows, len(held or ())) == (3, 1)
    assert last > 20
    assert linking_now(hub).id != first.id
    with without_versions():
        assert viewing.search_people(hub, user, PURPOSE, query)


def test_copies_that_could_not_be_made_are_made_later_and_look_ups_work_meanwhile(
    lived: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise MemoryError(SURNAME)

    hub, operator = lived, principal_of(lived, "hub", "operator")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "write_sorted", broken)
        linking.link_now(hub, operator)
        assert linking_now(hub).copies == {}
        assert look(hub) == SEEN
        assert not linking.link_if_needed(hub), "it breaks again, and is put off"
    assert not linking.link_if_needed(hub)
    linking._not_before.clear()
    assert linking.link_if_needed(hub)
    assert not linking.link_if_needed(hub)
    with without_versions():
        assert look(hub) == SEEN
    with hub.database.read() as session:  # another worker that did the same comes too late
        linked = linking.linked_versions(session)
    assert linked is not None
    with pytest.raises(Conflict):
        linking._serve(hub, linking_now(hub).id, *linked)
    with without_versions():
        assert look(hub) == SEEN


def test_people_and_index_are_of_one_linking_whatever_the_newest_index_is(lived: Hub) -> None:
    hub = lived
    with hub.database.write() as session:  # as a second statement might see it while a linking commits
        index = catalogue.current_version(session, INDEX_CONTRACT)
        assert index is not None
        lineage.set_current(session, index.dataset_id, None)
    with without_copies():
        assert look(hub) == SEEN
    with without_versions():
        assert look(hub) == SEEN
    state = linking.linked_state(hub)
    assert state is not None
    assert state["version"] == index.id


def test_copies_that_were_exchanged_changed_or_lost_are_not_believed(family: Hub) -> None:
    hub, copies = family, linking_now(family).copies
    version = next(name for name in copies if not name.startswith("people:"))
    assert look(hub) == SEEN
    owner = linking_now(hub).people

    def put(name: str, object_key: str) -> None:
        with hub.database.write() as session:
            session.execute(
                update(CopyRow)
                .where(CopyRow.owner == owner, CopyRow.name == name)
                .values(object_key=object_key)
            )
            session.flush()

    put(version, copies["people:household_id"])
    assert look(hub) == SEEN
    put(version, copies[version])
    path = Path(hub.objects.path(copies[version]))
    whole = path.read_bytes()
    for changed in (whole[:40] + bytes([whole[40] ^ 1]) + whole[41:], whole[:100], b""):
        path.write_bytes(changed)
        serving.serving_of(hub.vault, hub.objects).shelf.keep_only(frozenset())
        assert look(hub) == SEEN
    path.unlink()
    serving.serving_of(hub.vault, hub.objects).shelf.keep_only(frozenset())
    assert look(hub) == SEEN


def test_what_was_shredded_is_read_from_no_opened_copy(family: Hub) -> None:
    hub, user = family, helper(family)
    query = PersonQuery(surname=SURNAME, date_of_birth=TENANTS_BORN)
    home = viewing.search_people(hub, user, PURPOSE, query)[0].household_id
    viewing.open_household(hub, user, home, PURPOSE)
    shelf = serving.serving_of(hub.vault, hub.objects).shelf
    assert len(shelf) == 3
    copies = linking_now(hub).copies
    with hub.database.read() as session:
        served = viewing._linked(hub, session).served
        tenancies = catalogue.current_version(session, TENANCIES.id)
    assert served is not None
    assert tenancies is not None
    operator, steward = principal_of(hub, "hub", "operator"), principal_of(hub, "hub", "data steward")
    planned = shredding.plan(hub, operator, tenancies.id)
    assert len(planned.doomed) == 3, "the tenancies, people, their index; copies go with people"
    shredding.carry_out(hub, operator, steward, planned, "a test")
    for act in (
        lambda: viewing.open_household(hub, user, home, PURPOSE),
        lambda: viewing.search_people(hub, user, PURPOSE, query),
    ):
        with pytest.raises((Conflict, NotFound)):
            act()
    assert all(hub.objects.size(key) is None for key in copies.values())
    with hub.database.read() as session:
        assert serving.serving_of(hub.vault, hub.objects).served(session, served.linking) is None
        for key in copies.values():
            name = next(name for name, other in copies.items() if other == key)
            with pytest.raises(NotFound, match="destroyed"):
                hub.vault.locate(
                    session, key, serving._binding(served.linking.id, served.linking.people, name)
                )
    assert len(shelf) == 0


def test_nothing_of_the_copies_can_be_read_on_the_disk_or_in_the_database(family: Hub) -> None:
    hub, home = family, viewing.search_people(
        family, helper(family), PURPOSE, PersonQuery(surname=SURNAME, date_of_birth=TENANTS_BORN)
    )[0].household_id  # fmt: skip
    for key in linking_now(hub).copies.values():
        raw = hub.objects.get_bytes(key)
        assert raw[:4] == raw[-4:] == b"PARE", "the footer is encrypted"
        for word in (SURNAME, "ZX1 1AA", "990000000001", home, "Cleo"):
            assert word.encode() not in raw
    with hub.database.engine.connect() as connection:
        for table in ("linkings", "serving_copies", "vault_files"):
            rows = str(connection.execute(text(f"SELECT * FROM {table}")).all())
            assert SURNAME not in rows
            assert home not in rows


def test_an_agreement_that_ends_ends_what_its_open_copies_give(family: Hub) -> None:
    hub = family
    assert look(hub) == SEEN
    agreeing.change(hub, principal_of(hub, "hub", "data steward", name="third"), "early-help", "withdraw")
    with pytest.raises(Forbidden):
        look(hub)


def test_the_shelf_is_bounded_and_gives_up_what_nobody_uses(borough: LinkedHub) -> None:
    hub, grant = borough.hub, whole_file("test", "a test")
    reader = serving.serving_of(hub.vault, hub.objects)
    with hub.database.read() as session:
        served = reader.served(session, linking_of(session, _people_id(session)))
        for shelf, most in (
            (Shelf(hub.objects, hub.vault.areas, most=2), 2),
            (Shelf(hub.objects, hub.vault.areas, idle_seconds=0.0), 1),
        ):
            reader.shelf, kept = shelf, reader.shelf
            for name in ("people:household_id", "people:uprn", "people:postcode", "people:household_id"):
                by = name.partition(":")[2]
                found = reader.rows(hub.vault, session, served, name, by, "x", ["person_id"], grant)
                assert found is not None
                assert found.num_rows == 0
                assert len(shelf) <= most
            reader.shelf = kept


def _people_id(session: Any) -> str:
    people = catalogue.current_version(session, linking.PEOPLE_CONTRACT)
    assert people is not None
    return people.id


def test_linkings_from_before_are_known_after_an_upgrade(family: Hub) -> None:
    from alembic import command

    hub, known = family, linking_now(family)
    engine = hub.database.engine.execution_options(hub_write=True)
    with engine.connect() as connection, migrations._rebuilding(connection), connection.begin():
        command.downgrade(migrations._config(connection), "0004")
    migrations.upgrade(hub.database)
    with hub.database.write() as session:
        agreements.adopt(session)  # as at the first start after such an upgrade
    found = linking_now(hub)
    assert (found.people, found.person_index, found.copies) == (known.people, known.person_index, {})
    assert look(hub) == SEEN
    drain(hub)
    assert linking_now(hub).copies
    with without_versions():
        assert look(hub) == SEEN
    with hub.database.read() as session:
        assert session.scalars(select(CopyRow.owner).distinct()).all() == [known.people]
