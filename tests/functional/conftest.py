"""Hubs with something in them, shared by the tests of a module that only look."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from hub.app import create_app
from hub.policy.roles import ROLES
from support.callers import client_of
from support.hubs import make_hub, migrate
from support.staged import Staged, stage_all


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    """A hub on SQLite with one of everything."""
    folder = tmp_path_factory.mktemp("staged")
    url = f"sqlite:///{folder / 'hub.db'}"
    migrate(url)
    hub = make_hub(folder / "hub", url)
    yield stage_all(hub)
    hub.database.close()


@pytest.fixture(scope="module")
def app(staged: Staged) -> Any:
    """Its application."""
    return create_app(staged.hub.settings, staged.hub)


@pytest.fixture
def api(app: Any) -> FlaskClient:
    """A client of the application."""
    client: FlaskClient = app.test_client()
    return client


@pytest.fixture(scope="module")
def as_role(staged: Staged) -> Callable[..., dict[str, str]]:
    """Headers of a machine client of the police with the roles named; "everything" stands for all of them."""
    known: dict[tuple[str, ...], dict[str, str]] = {}

    def headers(*roles: str) -> dict[str, str]:
        if roles not in known:
            held = tuple(ROLES) if roles == ("everything",) else roles
            known[roles] = client_of(staged.hub, "police", *held).headers()
        return known[roles]

    return headers
