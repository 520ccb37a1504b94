"""Settings: defaults, then hub.toml, then the environment; what cannot be used is named before anything happens."""

import dataclasses
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.config import Settings, describe, load_settings, template
from hub.errors import ConfigurationError

NAMES = [item["name"] for item in describe()]


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Settings]:
    """Load settings from a hub.toml with this text and these environment variables."""

    def read(toml: str = "", **environ: str) -> Settings:
        (tmp_path / "hub.toml").write_text(toml, encoding="utf-8")
        return load_settings(tmp_path, environ=environ)

    return read


def test_without_anything_the_defaults_hold_and_are_safe(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environ={})
    assert settings == Settings(dir=tmp_path)
    assert settings.host == "127.0.0.1", "nobody else reaches a hub that nobody set up"
    assert settings.resolved_database_url == f"sqlite:///{tmp_path / 'hub.db'}"
    assert settings.resolved_objects == str(tmp_path / "objects")
    assert not settings.allow_unsandboxed_plugins
    assert not settings.crown
    assert settings.token_minutes <= 15


def test_the_environment_goes_before_the_file_and_what_is_typed_before_both(
    load: Any, tmp_path: Path
) -> None:
    assert load("port = 1111").port == 1111
    assert load("port = 1111", HUB_PORT="2222").port == 2222
    settings = load_settings(tmp_path, environ={"HUB_PORT": "2222"}, port=3333, host=None)
    assert (settings.port, settings.host) == (3333, "127.0.0.1")


def test_the_folder_is_told_or_in_hub_dir_or_beside_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load_settings("a", environ={"HUB_DIR": "b"}).dir == tmp_path / "a"
    assert load_settings(None, environ={"HUB_DIR": "b"}).dir == tmp_path / "b"
    assert load_settings(None, environ={}).dir == tmp_path / "hub-data"
    assert load_settings("~/hub", environ={}).dir == tmp_path / "home" / "hub"


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_explained_and_can_be_given_either_way(name: str, load: Any) -> None:
    about = next(item for item in describe() if item["name"] == name)
    assert about["help"].endswith((".", "bytes.", ")"))
    assert about["variable"] == f"HUB_{name.upper()}"
    value = getattr(load(), name)
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    assert getattr(load("", **{about["variable"]: shown}), name) == value


def test_the_template_holds_every_setting_at_its_default(load: Any, tmp_path: Path) -> None:
    text = template()
    uncommented = "\n".join(
        line[1:] if line.startswith("#") and line[1:2].isalpha() else line for line in text.splitlines()
    )
    assert set(tomllib.loads(uncommented)) == set(NAMES)
    assert load(uncommented) == load(text) == Settings(dir=tmp_path)


def test_secrets_are_marked() -> None:
    secret = {item["name"] for item in describe() if item["secret"]}
    assert {"database_url", "objects", "key_passphrase"} <= secret
    assert (
        not {name for name in NAMES if any(word in name for word in ("password", "passphrase", "secret"))}
        - secret
    )


@pytest.mark.parametrize("word", ["true", "True", "1", "yes", " YES "])
def test_yes_has_several_spellings(load: Any, word: str) -> None:
    assert load(HUB_SECURE_COOKIES=word).secure_cookies is True


@pytest.mark.parametrize("word", ["false", "0", "No"])
def test_so_has_no(load: Any, word: str) -> None:
    assert load("secure_cookies = true", HUB_SECURE_COOKIES=word).secure_cookies is False


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"HUB_PORT": "abc"}, "a whole number, not 'abc'"),
        ({"HUB_PORT": "80.5"}, "a whole number"),
        ({"HUB_PORT": ""}, "a whole number"),
        ({"HUB_PORT": "65536"}, "from 0 to 65535"),
        ({"HUB_PORT": "-1"}, "from 0 to 65535"),
        ({"HUB_SECURE_COOKIES": "maybe"}, "true or false"),
        ({"HUB_WORKER_SECONDS": "soon"}, "a number"),
        ({"HUB_WORKER_SECONDS": "0"}, "more than 0"),
        ({"HUB_WORKER_SECONDS": "nan"}, "more than 0"),
        ({"HUB_THREADS": "0"}, "more than 0"),
        ({"HUB_TOKEN_MINUTES": "-5"}, "more than 0"),
        ({"HUB_SESSION_MINUTES": "0"}, "more than 0"),
        ({"HUB_TRUSTED_PROXIES": "-1"}, "0 or more"),
        ({"HUB_SCHEDULE_TIMEZONE": "Wexbourne"}, "Europe/London"),
        ({"HUB_SCHEDULE_TIMEZONE": ""}, "Europe/London"),
        ({"HUB_SCHEDULE_TIMEZONE": "../../etc/passwd"}, "Europe/London"),
        ({"HUB_LOG_LEVEL": "chatty"}, "debug, info"),
        ({"HUB_LOG_FORMAT": "xml"}, "json, text"),
        ({"HUB_PART_SIZE": "999999999"}, "at least part_size"),
    ],
    ids=str,
)
def test_a_value_that_cannot_be_used_is_named_with_its_variable(
    load: Any, environ: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        load(**environ)
    (variable,) = environ
    assert variable in refused.value.detail or "HUB_MAX_REQUEST_BYTES" in refused.value.detail


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("prot = 1", "'prot' that the hub does not know; known are: .*port"),
        ("port = ", "cannot be read"),
        ("port = true", "a whole number"),
        ("port = [1]", "a whole number"),
        ("[server]\nport = 1", "'server'"),
        ("name = 7\nport = 'x'", "a whole number"),
        ("dir = '/elsewhere'", "'dir'"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(load: Any, toml: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load(toml)


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match=r"hub\.toml cannot be read"):
        load_settings(tmp_path, environ={})


def test_a_secret_that_cannot_be_used_is_not_repeated(load: Any) -> None:
    for item in describe():
        if item["secret"]:
            assert isinstance(item["default"], str), "a text can always be read, so no message ever quotes it"


def test_nothing_else_in_the_environment_counts(tmp_path: Path) -> None:
    assert load_settings(tmp_path, environ={"PORT": "1", "hub_port": "2", "HUB_NOTHING": "3"}) == Settings(
        dir=tmp_path
    )


def test_settings_do_not_change_once_loaded(load: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load().port = 1


@pytest.mark.parametrize(
    ("public", "expected"), [("", "http://127.0.0.1:8600"), ("https://hub.example/", "https://hub.example")]
)
def test_the_hubs_own_address_has_no_slash_at_its_end(load: Any, public: str, expected: str) -> None:
    assert load(HUB_PUBLIC_URL=public).resolved_public_url == expected
