"""Registering, configuring and asking for help, as somebody new to it does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from hub_connector.cli import cli
from hub_connector.config import check_url, load_config
from hub_connector.enrolling import example_config
from hub_connector.errors import ConfigError
from hub_connector.keys import SigningKey
from hub_connector.times import read_interval

posix = pytest.mark.skipif(os.name != "posix", reason="file modes are a matter of POSIX systems")


# --- init


def test_init_makes_a_key_pins_the_hub_and_writes_a_configuration_that_loads(
    department: Any, hub: Any
) -> None:
    status, said, _ = department.run("init", "--hub", hub.url + "/", "--code", "good-code", "--name", "x")
    assert status == 0
    assert "Registered with Test hub for Wexbourne Schools as cli_0." in said
    assert "fingerprint" in said
    config = load_config(department.home / "hub-connector.toml")
    assert (config.hub.url, config.hub.client_id) == (hub.url, "cli_0")
    assert config.hub.signing_key == department.home / "hub-connector.key"
    key = SigningKey.load(config.hub.signing_key)
    assert hub.keys["cli_0"].as_dict(private=False)["x"] == key.public_jwk()["x"]
    assert hub.url in config.path.read_text()
    assert "good-code" not in "".join(path.read_text() for path in department.files())


@posix
def test_nobody_else_may_read_what_init_writes(department: Any, hub: Any) -> None:
    previous = os.umask(0)
    try:
        department.run("init", "--hub", hub.url, "--code", "good-code")
    finally:
        os.umask(previous)
    names = {path.name for path in department.files()}
    assert names == {"hub-connector.toml", "hub-connector.key", "hub-connector.sealing.json"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in department.files())


@posix
def test_a_key_that_others_may_read_is_not_used(registered: Any, hub: Any) -> None:
    (registered.home / "hub-connector.key").chmod(0o644)
    status, _, complaint = registered.run("status")
    assert status == 2
    assert "chmod 600" in complaint


def test_a_wrong_code_says_whom_to_ask_and_leaves_nothing_behind(department: Any, hub: Any) -> None:
    status, _, complaint = department.run("init", "--hub", hub.url, "--code", "bad-code")
    assert status == 4
    assert "unknown, used or too old" in complaint
    assert "ask" in complaint.lower()
    assert department.files() == []


def test_a_hub_that_is_not_there_leaves_the_key_for_the_next_try(department: Any, hub: Any) -> None:
    status, _, complaint = department.run("init", "--hub", "http://127.0.0.1:9", "--code", "good-code")
    assert status == 3
    assert "cannot be reached" in complaint
    assert [path.name for path in department.files()] == ["hub-connector.key"]
    before = department.files()[0].read_bytes()
    assert department.run("init", "--hub", hub.url, "--code", "good-code")[0] == 0
    assert (department.home / "hub-connector.key").read_bytes() == before


def test_a_second_init_does_not_overwrite_the_first(registered: Any, hub: Any) -> None:
    hub.codes.add("second")
    status, _, complaint = registered.run("init", "--hub", hub.url, "--code", "second")
    assert status == 2
    assert "is there already" in complaint
    assert "second" in hub.codes
    assert registered.run("init", "--hub", hub.url, "--code", "second", "--config", "other.toml")[0] == 0
    assert load_config(Path("other.toml")).hub.client_id == "cli_1"


def test_a_passphrase_protects_the_key(department: Any, hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_CONNECTOR_KEY_PASSPHRASE", "correct horse")
    assert department.run("init", "--hub", hub.url, "--code", "good-code")[0] == 0
    assert b"ENCRYPTED" in (department.home / "hub-connector.key").read_bytes()
    assert department.run("status")[0] == 0
    monkeypatch.setenv("HUB_CONNECTOR_KEY_PASSPHRASE", "wrong horse")
    status, _, complaint = department.run("status")
    assert status == 2
    assert "HUB_CONNECTOR_KEY_PASSPHRASE" in complaint
    assert "wrong horse" not in complaint


def test_something_else_than_a_hub_is_recognised(department: Any, hub: Any) -> None:
    hub.handle = lambda *_: (200, "<html>welcome</html>")
    status, _, complaint = department.run("init", "--hub", hub.url, "--code", "good-code")
    assert status == 3
    assert "not a JoinedUp Hub" in complaint


def test_a_revoked_connector_is_told_what_may_be_the_matter(registered: Any, hub: Any) -> None:
    hub.token = lambda form: (
        401,
        {"title": "Unauthorised", "detail": "The client assertion names no client."},
    )
    status, _, complaint = registered.run("status")
    assert status == 4
    assert "clock" in complaint
    assert "new enrolment code" in complaint


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://hub.example.gov.uk", True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost", True),
        ("http://hub.example.gov.uk", False),
        ("ftp://hub.example.gov.uk", False),
        ("hub.example.gov.uk", False),
        ("https://user:word@hub.example.gov.uk", False),
        ("", False),
    ],
)
def test_only_encrypted_addresses_are_taken(url: str, fine: bool) -> None:
    if fine:
        check_url(url, False)
    else:
        with pytest.raises(ConfigError):
            check_url(url, False)
    if url.startswith("http://hub"):
        check_url(url, True)


# --- the configuration file


def test_the_example_configuration_loads_and_so_does_it_with_its_comments_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "hub-connector.toml"
    path.write_text(example_config())
    assert load_config(path).datasets == ()
    lines = example_config().splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("# [datasets"))
    commented = (line.removeprefix("#").removeprefix(" ") for line in lines[begin:])
    text = "\n".join([*lines[:begin], *(line for line in commented if not line.startswith("Secrets never"))])
    path.write_text(text)
    datasets = {dataset.name: dataset for dataset in load_config(path).datasets}
    first = datasets["schools.attendance"]
    assert (first.at, first.timezone, first.mode) == ("0 6 * * MON-FRI", "Europe/London", "full")
    assert first.source == str(tmp_path / "exports" / "attendance.csv")
    assert set(first.options) == {"encoding", "delimiter", "quote", "header_row"}
    ended = datasets["housing.tenancies: ended"]
    assert (ended.contract, ended.mode, ended.every) == ("library:housing.tenancies", "delete", 86400)
    assert ended.options["password"] == {"env": "HOUSING_DB"}
    assert ended.source.startswith("postgresql+psycopg://"), "an address is no path"
    known = every_option()
    for dataset in datasets.values():
        assert set(dataset.options) <= known, dataset.name


def every_option() -> set[str]:
    """What any kind of source can be told."""
    from importlib import import_module

    kinds = ("delimited", "spreadsheet", "json_rows", "xml_rows")
    kinds += tuple(f"places.{name}" for name in ("sql", "rest", "sftp", "s3", "_web"))
    return {option for kind in kinds for option in import_module(f"hub_connector.sources.{kind}").OPTIONS}


def config_with(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(
        '[hub]\nurl = "https://h.example"\nclient_id = "c"\ntoken_url = "https://h.example/oauth/token"\n'
        + text
    )
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[dataset."a"]\nsource = "x"\n', "no setting 'dataset'; did you mean 'datasets'?"),
        ('[datasets."a"]\nmode = "full"\n', '[datasets."a"] needs source'),
        ('[datasets."a"]\nsource = 3\n', "source must be text"),
        ('[datasets."a"]\nsource = "x"\nmode = "some"\n', "one of full, append, upsert, delete"),
        ('[datasets."a"]\nsource = "x"\nmode = "upsrt"\n', "did you mean 'upsert'?"),
        (
            "[datasets.schools.attendance]\nsource = 'x'\n",
            '[datasets."schools.attendance"] with quotation marks',
        ),
        ('[datasets."a"]\nsource = "x"\nat = "soon"\n', "it needs five fields"),
        ('[datasets."a"]\nsource = "x"\nat = "0 6 * * *"\ntimezone = "Lodnon"\n', "'Lodnon' is no time zone"),
        ('[datasets."a"]\nsource = "x"\nat = "0 6 * * *"\nevery = "1d"\n', "has both every and at"),
        ('[datasets."a"]\nsource = "x"\nleast_share = 5\n', "least_share must be from 0"),
        ('[datasets."a"]\nsource = "postgresql://me:pw@db/x"\n', "must not hold a password"),
        ('[datasets."a"]\nsource = "x"\noptions = {password = "pw"}\n', 'write password = {env = "NAME"}'),
        ('[connector]\ntimezone = "Lodnon"\n', "[connector] timezone: 'Lodnon' is no time zone"),
        ('[datasets."a"]\nsource = "x"\nevery = "soon"\n', "'soon' is no interval"),
        ('[datasets."a"]\nsource = "x"\nevry = "1d"\n', "did you mean 'every'?"),
        ("[datasets]\na = 1\n", "must be a table"),
        ("[hub2", "not valid TOML"),
        ("[connector]\nstate = true\n", "state must be text"),
    ],
)
def test_mistakes_in_the_configuration_are_named_with_their_place(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(config_with(tmp_path, text))
    assert words in str(caught.value)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(
            config_with(tmp_path, '[datasets."a"]\nmode = "x"\n[datasets."b"]\nevery = "y"\nsource = "s"\n')
        )
    assert str(caught.value).count('[datasets."') == 3


def test_a_missing_configuration_says_how_to_make_one(department: Any) -> None:
    for arguments in (
        ("status",),
        ("run", "--once"),
        ("push", "x.csv"),
        ("errors", "last"),
        ("trust",),
        ("replay", "last", "x"),
    ):
        status, _, complaint = department.run(*arguments)
        assert status == 2
        assert "hub-connector init" in complaint


def test_intervals_are_read() -> None:
    assert [read_interval(text) for text in ("10s", "30m", "6h", "1d", "1w")] == [
        10,
        1800,
        21600,
        86400,
        604800,
    ]
    for text in ("", "1", "9s", "0d", "1.5h", "-1h", "1y"):
        with pytest.raises(ConfigError):
            read_interval(text)


# --- help and mistakes on the command line


def commands() -> list[str]:
    return sorted(cli.commands)


def test_the_commands_are_those_that_were_promised() -> None:
    assert {"init", "infer", "check", "push", "run", "status", "errors", "replay"} <= set(commands())


@pytest.mark.parametrize("name", commands())
def test_every_command_has_help_with_examples_that_parse(name: str, department: Any) -> None:
    status, said, _ = department.run(name, "--help")
    assert status == 0
    examples = [line.strip() for line in said.splitlines() if line.strip().startswith("hub-connector ")]
    assert examples
    for example in examples:
        import shlex

        words = shlex.split(example.partition("#")[0])
        assert words[:2] == ["hub-connector", name]
        command = cli.commands[name]
        with command.make_context(name, words[2:], resilient_parsing=False) as context:
            assert context.params is not None


@pytest.mark.parametrize("name", commands())
def test_every_option_says_what_it_does(name: str) -> None:
    for parameter in cli.commands[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such"],
        ["check"],
        ["check", "--contract"],
        ["push", "--mode", "x", "y"],
        ["check", "--frobnicate"],
    ],
)
def test_mistakes_on_the_command_line_end_with_2(department: Any, arguments: list[str]) -> None:
    status, _, complaint = department.run(*arguments)
    assert status == 2
    assert "Error" in complaint
    assert "Traceback" not in complaint


def test_without_arguments_the_help_is_shown(department: Any) -> None:
    _, said, complaint = department.run()
    assert "Exit status:" in said + complaint


def test_an_unforeseen_error_shows_no_values_and_no_traceback(
    department: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hub_connector.checking

    def broken(name: str) -> None:
        raise RuntimeError("secret value 943 476 5919")

    monkeypatch.setattr(hub_connector.checking, "find_contract", broken)
    status, _, complaint = department.run("check", "--contract", "x", "y")
    assert status == 70
    assert "RuntimeError" in complaint
    assert "943" not in complaint
    monkeypatch.setenv("HUB_CONNECTOR_DEBUG", "1")
    with pytest.raises(RuntimeError):
        department.run("check", "--contract", "x", "y")


def test_ctrl_c_ends_with_130_and_a_kind_word(department: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import hub_connector.checking

    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(hub_connector.checking, "find_contract", interrupted)
    status, _, complaint = department.run("check", "--contract", "x", "y")
    assert status == 130
    assert "Nothing is lost" in complaint


def test_completion_offers_commands_and_contracts_of_the_library(department: Any) -> None:
    def complete(words: str) -> str:
        environment = {
            **os.environ, "_HUB_CONNECTOR_COMPLETE": "bash_complete", "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "hub_connector"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    assert "plain,check" in complete("hub-connector ch")
    assert "library:schools.attendance" in complete("hub-connector check --contract library:sch")


# --- starting fast

HEAVY = {
    "polars", "pyarrow", "numpy", "cryptography", "httpx", "joserfc", "hub_schemas", "charset_normalizer", "yaml",
    "marshmallow", "tomli_w", "importlib.metadata", "asyncio", "apscheduler", "sqlalchemy", "paramiko",
}  # fmt: skip


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\nfrom hub_connector.__main__ import main\n"
        "status = main(['check', '--help'])\n"
        "print('LOADED', *sorted({name.partition('.')[0] for name in sys.modules} | set(sys.modules)))\n"
        "sys.exit(status)\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("LOADED")[2].split())
    assert "click" in loaded
    assert not loaded & HEAVY


def test_the_connector_knows_nothing_of_the_hub_and_its_web_server() -> None:
    program = (
        "import sys, pkgutil, importlib, hub_connector\n"
        "for item in pkgutil.walk_packages(hub_connector.__path__, 'hub_connector.'):\n"
        "    if not item.name.endswith('__main__'): importlib.import_module(item.name)\n"
        "print('LOADED', *sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("LOADED")[2].split())
    assert "hub_connector.sealing" in loaded
    assert not loaded & {"hub", "flask", "sklearn", "hub_sdk"}


def test_every_environment_variable_is_documented_in_help_or_configuration() -> None:
    import re

    package = Path(sys.modules["hub_connector"].__file__ or "").parent
    used = {
        name
        for path in package.rglob("*.py")
        for name in re.findall(r"HUB_CONNECTOR_[A-Z_]+[A-Z]", path.read_text())
    }
    texts = [example_config()]
    for name, command in [("", cli), *cli.commands.items()]:
        with click.Context(command, info_name=name or "hub-connector") as context:
            texts.append(command.get_help(context))
    said = "\n".join(texts)
    undocumented = {
        name for name in used if name not in said and not name.startswith("HUB_CONNECTOR_COMPLETE")
    }
    assert undocumented == set()
