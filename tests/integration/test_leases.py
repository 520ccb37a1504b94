"""One process holds a lease; another gets it when it is given back or runs out."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import update

from hub.storage.database import Database, utc_now
from hub.storage.leases import LeaseRow, hold, let_go
from hub.workflows.hub import Hub


def _let_pass(database: Database, seconds: float) -> None:
    """As if so much time had gone by."""
    with database.write() as session:
        for row in session.query(LeaseRow):
            row.until -= timedelta(seconds=seconds)


def test_one_holds_and_the_others_wait(hub: Hub) -> None:
    assert hold(hub.database, "worker", "one", 15)
    assert not hold(hub.database, "worker", "two", 15)
    assert hold(hub.database, "worker", "one", 15), "renewing"
    assert hold(hub.database, "another thing", "two", 15), "each thing has a lease of its own"


def test_a_lease_given_back_is_free_at_once(hub: Hub) -> None:
    assert hold(hub.database, "worker", "one", 3600)
    let_go(hub.database, "worker", "one")
    assert hold(hub.database, "worker", "two", 15)
    assert not hold(hub.database, "worker", "one", 15)


def test_nobody_gives_back_what_another_holds(hub: Hub) -> None:
    assert hold(hub.database, "worker", "one", 3600)
    let_go(hub.database, "worker", "two")
    assert not hold(hub.database, "worker", "two", 15)


def test_a_lease_that_was_not_renewed_runs_out(hub: Hub) -> None:
    assert hold(hub.database, "worker", "killed", 15)
    _let_pass(hub.database, 14)
    assert not hold(hub.database, "worker", "two", 15)
    _let_pass(hub.database, 2)
    assert hold(hub.database, "worker", "two", 15)
    assert not hold(hub.database, "worker", "killed", 15), "who comes back late does not lead any more"


def test_of_many_at_once_one_gets_it_whether_it_is_new_or_has_run_out(hub: Hub) -> None:
    for _ in range(3):
        with ThreadPoolExecutor(4) as pool:
            got = list(
                pool.map(lambda number: hold(hub.database, "worker", f"process {number}", 15), range(8))
            )
        assert sum(got) == 1
        with hub.database.write() as session:
            session.execute(update(LeaseRow).values(until=utc_now() - timedelta(seconds=1)))
