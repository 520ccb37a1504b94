"""Secrets of sources: the configuration says where they are, and nothing ever shows them."""

from __future__ import annotations

import pickle
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from hub_connector.errors import ConfigError
from hub_connector.secrets import find_secret

CANARY = "canary-hunter2"


class Drawer(KeyringBackend):
    """A keyring in memory."""

    priority = 1
    locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked(f"locked {CANARY}")
        return CANARY if (service, username) == ("school/database", "reader") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("nobody asked for that")


@pytest.fixture
def drawer(monkeypatch: pytest.MonkeyPatch) -> Drawer:
    made = Drawer()
    monkeypatch.setattr(keyring, "get_password", made.get_password)
    return made


@pytest.mark.parametrize("written", [{"env": "SCHOOL_PASSWORD"}, "env:SCHOOL_PASSWORD"])
def test_a_secret_comes_from_the_environment_and_shows_itself_to_nobody(
    monkeypatch: pytest.MonkeyPatch, written: object
) -> None:
    monkeypatch.setenv("SCHOOL_PASSWORD", CANARY)
    secret = find_secret(written, "password")
    assert secret.reveal() == CANARY
    assert CANARY not in f"{secret} {secret!r} {secret.where}" + repr([secret, {"password": secret}])
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize("written", [{"keyring": "school/database/reader"}, "keyring:school/database/reader"])
def test_a_secret_comes_from_the_keyring_where_a_service_may_have_slashes(
    drawer: Drawer, written: object
) -> None:
    assert find_secret(written, "password").reveal() == CANARY


@pytest.mark.parametrize(
    "written",
    [CANARY, {"env": ""}, {"envv": CANARY}, {"env": CANARY, "keyring": CANARY}, 12, None, {"env": 7}, "env:"],
)
def test_what_names_no_place_is_refused_without_being_repeated(written: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        find_secret(written, "password")
    assert CANARY not in str(caught.value)
    assert "password" in str(caught.value)


def test_what_is_not_there_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch, drawer: Drawer) -> None:
    monkeypatch.delenv("SCHOOL_PASSWORD", raising=False)
    with pytest.raises(ConfigError, match="environment variable 'SCHOOL_PASSWORD' is not set"):
        find_secret({"env": "SCHOOL_PASSWORD"}, "password")
    monkeypatch.setenv("SCHOOL_PASSWORD", "")
    with pytest.raises(ConfigError, match="is empty"):
        find_secret({"env": "SCHOOL_PASSWORD"}, "password")
    with pytest.raises(ConfigError, match="keyring set school/database writer"):
        find_secret({"keyring": "school/database/writer"}, "password")
    with pytest.raises(ConfigError, match="service/user"):
        find_secret({"keyring": "reader"}, "password")
    drawer.locked = True
    with pytest.raises(ConfigError, match="KeyringLocked") as caught:
        find_secret({"keyring": "school/database/reader"}, "password")
    assert CANARY not in str(caught.value)
