"""A hub whose operators need a second factor, and time that passes as told."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient

from hub.app import create_app
from hub.identity import codes, factors, people, sessions, throttle
from hub.workflows import own_account, signing_in
from hub.workflows.hub import Hub
from support.entering import (
    NOW,
    home_of,
)
from support.hubs import PASSWORD, make_hub, migrate


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that is there already."""
    made = tmp_path_factory.mktemp("signing-in") / "template.db"
    migrate(f"sqlite:///{made}")
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hash passwords with little work: what is looked at here is how often."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(people, "_hasher", lambda: cheap)
    people._decoy.cache_clear()
    yield
    people._decoy.cache_clear()


@pytest.fixture
def hub(tmp_path: Path, template: Path, quick: None) -> Iterator[Hub]:
    """A hub whose operators need a second factor and whose analysts do not; ana and olga work there."""
    shutil.copyfile(template, tmp_path / "only.db")
    made = make_hub(tmp_path / "hub", f"sqlite:///{tmp_path / 'only.db'}", require_second_factor="operator")
    with made.database.write() as session:
        home = home_of(made)
        for name, role in (("ana", "analyst"), ("olga", "operator")):
            people.add_user(session, name, f"Nobody {name.title()}", home, [role], PASSWORD)
    yield made
    made.database.close()


@pytest.fixture
def web(hub: Hub) -> Callable[[], FlaskClient]:
    app = create_app(hub.settings, hub)
    return app.test_client


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let time pass for everything that has to do with signing in."""
    state = {"now": NOW}
    for module in (people, sessions, factors, codes, throttle, signing_in, own_account):
        monkeypatch.setattr(module, "utc_now", lambda: state["now"])

    def later(**passed: float) -> None:
        state["now"] += timedelta(**passed)

    return later


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each verification of a password hash, as it happens."""
    done: list[str] = []
    genuine = people._hasher()

    class Counting:
        def verify(self, known: str, password: str) -> bool:
            done.append(known)
            return bool(genuine.verify(known, password))

        def __getattr__(self, name: str) -> Any:
            return getattr(genuine, name)

    monkeypatch.setattr(people, "_hasher", Counting)
    return done
