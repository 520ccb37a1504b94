"""The command line as an operator uses it: acts, lists for people and programs, and one line for an error."""

import json
import os
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub.__main__ import main

WORD = "correct-horse-battery"


def _run(*words: str, folder: Path | None = None, text: str = "", **environ: str) -> Result:
    more = [] if folder is None else ["--dir", str(folder)]
    variables = (
        {name: None for name in os.environ if name.startswith("HUB_")}
        | {"HUB_LOG_LEVEL": "error", "HUB_REQUIRE_SECOND_FACTOR": ""}
        | environ
    )
    return CliRunner().invoke(main, [*words, *more], input=text, env=variables, prog_name="hub")


def _ok(*words: str, folder: Path | None = None, **more: str) -> str:
    result = _run(*words, folder=folder, **more)
    assert result.exit_code == 0, result.output
    return result.stdout


def _refused(*words: str, folder: Path | None = None, **more: str) -> str:
    """The one line that an error is."""
    result = _run(*words, folder=folder, **more)
    assert result.exit_code == 1, (result.exit_code, result.output)
    assert "Traceback" not in result.output
    lines = result.stderr.splitlines()
    assert lines[0].startswith("hub: ") and all(line.startswith("  ") for line in lines[1:]), result.stderr
    return result.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a hub made with `hub init`, with an organisation in it."""
    made = tmp_path_factory.mktemp("command-line") / "hub"
    _ok("init", "--admin", "anna", folder=made, HUB_PASSWORD=WORD)
    _ok("orgs", "add", "police", "Wexbourne Police", folder=made)
    _ok(
        "orgs",
        "approve",
        "police",
        "--as",
        "anna",
        folder=made,
        HUB_PASSWORD=WORD,
        HUB_REQUIRE_SECOND_FACTOR="",
    )
    return made


# ---- errors


def test_a_folder_without_a_hub_says_what_to_do(tmp_path: Path) -> None:
    for words in (["orgs", "list"], ["doctor"], ["serve"], ["worker", "--once"], ["audit", "verify"]):
        said = _refused(*words, folder=tmp_path / "nothing")
        assert "hub init" in said and str(tmp_path / "nothing") in said
    assert not (tmp_path / "nothing").exists(), "looking makes nothing"


def test_the_folder_may_come_from_the_environment(folder: Path) -> None:
    assert "police" in _ok("orgs", "list", HUB_DIR=str(folder))


def test_a_misspelt_command_or_option_is_status_2() -> None:
    for words in (
        ["orsg"],
        ["orgs", "lits"],
        ["orgs", "list", "--formt", "json"],
        ["orgs", "list", "--format", "yaml"],
    ):
        result = _run(*words)
        assert result.exit_code == 2
        assert "Usage:" in result.stderr and "Traceback" not in result.output


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"HUB_PORT": "abc"}, "HUB_PORT"), ({"HUB_PORT": "99999"}, "from 0 to 65535"),
        ({"HUB_SCHEDULE_TIMEZONE": "Europe/Wexbourne"}, "time zone"), ({"HUB_LOG_LEVEL": "loud"}, "debug, info"),
        ({"HUB_DATABASE_URL": "mysql://x"}, "sqlite:///PATH"), ({"HUB_DATABASE_URL": "nonsense"}, "sqlite:///PATH"),
        ({"HUB_DATABASE_URL": "postgresql+psycopg://x@127.0.0.1:1/x"}, "database_url"),
        ({"HUB_DATABASE_URL": "sqlite:////nowhere/at/all.db"}, "database_url"),
        ({"HUB_PART_SIZE": "99999999"}, "max_request_bytes"), ({"HUB_WORKER_SECONDS": "0"}, "more than 0"),
    ],
    ids=str,
)  # fmt: skip
def test_a_setting_that_cannot_be_used_is_named(folder: Path, environ: dict[str, str], said: str) -> None:
    assert said in _refused("orgs", "list", folder=folder, **environ)


def test_a_password_in_a_database_url_is_not_shown(folder: Path) -> None:
    for url in ("postgresql+psycopg://hub:s3cret@127.0.0.1:1/x", "mysql://hub:s3cret@x/y", "s3cret://"):
        assert "s3cret@" not in _refused("doctor", folder=folder, HUB_DATABASE_URL=url)


def test_what_the_hub_refuses_is_one_line(folder: Path, tmp_path: Path) -> None:
    assert "a-z, 0-9" in _refused("orgs", "add", "Bad Slug", "x", folder=folder)
    assert "belongs to" in _refused("orgs", "add", "police", "Another name", folder=folder)
    assert "hub orgs list" in _refused("clients", "invite", "nobody", folder=folder)
    assert "12 to 500" in _refused(
        "users", "add", "sam", "--org", "police", "--role", "analyst", folder=folder, HUB_PASSWORD="short"
    )
    assert "unknown: god" in _refused(
        "users", "add", "sam", "--org", "police", "--role", "god", folder=folder, HUB_PASSWORD=WORD
    )
    assert "no agreement y" in _refused(
        "runs", "start", "x", "--agreement", "y", "--org", "police", folder=folder
    )
    assert "not right" in _refused(
        "agreements", "approve", "x", "--as", "anna", folder=folder, HUB_PASSWORD="wrong"
    )
    (tmp_path / "picture.yaml").write_bytes(b"\x89PNG\xff\xfe")
    (tmp_path / "empty.yaml").write_text("id: x\n")
    _ok(
        "users",
        "add",
        "stella",
        "--org",
        "police",
        "--role",
        "data steward",
        folder=folder,
        HUB_PASSWORD=WORD,
    )
    for file, expected in (("picture.yaml", "UTF-8"), ("empty.yaml", "Missing data")):
        words = ("agreements", "draft", str(tmp_path / file), "--as", "stella")
        assert expected in _refused(*words, folder=folder, HUB_PASSWORD=WORD)
    assert "UTF-8" in _refused(
        "audit", "verify", "--checkpoint", str(tmp_path / "picture.yaml"), folder=folder
    )


def test_an_error_that_nobody_foresaw_is_one_line_without_its_text(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Ermintrude Canary")

    monkeypatch.setattr("hub.workflows.accounts.list_users", broken)
    said = _refused("users", "list", folder=folder)
    assert "RuntimeError at" in said and "Canary" not in said


# ---- acts


def test_init_makes_a_hub_and_does_no_harm_the_second_time(folder: Path) -> None:
    kept = {path: path.read_bytes() for path in [*(folder / "keys").iterdir(), folder / "hub.toml"]}
    assert folder.stat().st_mode & 0o077 == 0, "nobody else can look into the hub's folder"
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder / "keys").iterdir())
    assert "is ready" in _ok("init", folder=folder)
    assert kept == {path: path.read_bytes() for path in kept}
    assert "police" in _ok("orgs", "list", folder=folder)


def test_init_says_why_a_folder_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert str(tmp_path / "file") in _refused("init", folder=tmp_path / "file")


def test_people_and_connectors_are_added_by_the_operator(folder: Path) -> None:
    said = _run(
        "users", "add", "ada", "--org", "police", "--role", "analyst", folder=folder, text=f"{WORD}\n{WORD}\n"
    )
    assert said.exit_code == 0 and WORD not in said.output, said.output
    people = json.loads(_ok("users", "list", "--format", "json", folder=folder))
    (ada,) = [item for item in people if item["username"] == "ada"]
    assert (ada["organisation"], ada["roles"], ada["active"]) == ("police", "analyst", True)
    invitation = _ok("clients", "invite", "police", folder=folder)
    assert "hub-connector init --hub http://127.0.0.1:8600 --code " in invitation
    code = invitation.split("--code ")[1].split()[0]
    assert code.count("-") >= 3
    again = _ok("clients", "invite", "police", folder=folder)
    assert code not in again, "each invitation is a new code"


def test_lists_are_tables_for_people_and_json_for_programs(folder: Path) -> None:
    table = _ok("orgs", "list", folder=folder).splitlines()
    assert table[0].split() == ["slug", "name", "id", "state"]
    assert any(line.startswith("police") for line in table[1:])
    for group in (
        "orgs",
        "users",
        "clients",
        "contracts",
        "datasets",
        "agreements",
        "plugins",
        "runs",
        "releases",
    ):
        where = None if group == "contracts" else folder
        assert isinstance(json.loads(_ok(group, "list", "--format", "json", folder=where)), list), group
    assert _ok("datasets", "list", folder=folder) == "(none)\n"
    assert json.loads(_ok("datasets", "list", "--format", "json", folder=folder)) == []


def test_moments_in_json_are_iso_8601(capsys: pytest.CaptureFixture[str]) -> None:
    from hub.cli.base import print_table
    from hub.storage.database import utc_now

    now = utc_now()
    print_table("json", ["at", "rows", "name"], [(now, 1234, "é"), (None, None, None)])
    first, second = json.loads(capsys.readouterr().out)
    assert datetime.fromisoformat(first["at"]) == now and "T" in first["at"]
    assert (first["rows"], first["name"], second) == (1234, "é", {"at": None, "rows": None, "name": None})
    print_table("table", ["rows"], [(1234,)])
    assert capsys.readouterr().out == "rows\n1,234\n"


def test_audit_verify_holds_for_an_honest_log_and_says_where_a_bent_one_is_bent(tmp_path: Path) -> None:
    import sqlite3

    folder = tmp_path / "hub"
    _ok("init", folder=folder)
    for slug in ("one", "two", "three"):
        _ok("orgs", "add", slug, slug, folder=folder)
    checkpoint = tmp_path / "published.txt"
    checkpoint.write_text(_ok("audit", "seal", folder=folder))
    assert "Everything holds" in _ok("audit", "verify", "--checkpoint", str(checkpoint), folder=folder)
    with sqlite3.connect(folder / "hub.db") as connection:
        connection.execute("UPDATE audit_entries SET entry = replace(entry, '\"two\"', '\"owt\"')")
    connection.close()
    result = _run("audit", "verify", "--checkpoint", str(checkpoint), folder=folder)
    assert result.exit_code == 1
    assert "BENT: " in result.stderr and "changed after it was written" in result.stderr
    assert "Everything holds" not in result.output
    assert _run("doctor", folder=folder).exit_code == 1


def test_doctor_looks_at_every_part_and_says_what_to_do(folder: Path) -> None:
    result = _run("doctor", folder=folder, HUB_PLUGIN_PYTHON=str(folder / "no-such-python"))
    assert result.exit_code == 1, "without a sandbox the hub is not well"
    assert "Traceback" not in result.output
    states = {line[:11].strip(): line[12:].strip() for line in result.stdout.splitlines() if line[0] != " "}
    assert list(states) == [
        "database",
        "objects",
        "keyring",
        "audit log",
        "approvals",
        "signing in",
        "sandbox",
    ]
    assert [name for name, state in states.items() if not state.startswith("ok ")] == ["sandbox"]
    assert "HUB_PLUGIN_PYTHON" in states["sandbox"]


def test_doctor_notices_what_is_gone_and_what_guards_nothing(tmp_path: Path) -> None:
    _ok("init", folder=tmp_path / "hub")
    (tmp_path / "hub" / "objects").rename(tmp_path / "hub" / "elsewhere")
    (tmp_path / "hub" / "objects").write_text("not a folder")
    assert "cannot be used" in _run("doctor", folder=tmp_path / "hub").output
    (tmp_path / "hub" / "objects").unlink()
    assert "keyring     ok   file (in the keyring)" in _run("doctor", folder=tmp_path / "hub").output
    assert "guards nothing" in _refused("doctor", folder=tmp_path / "hub", HUB_KEY_PASSPHRASE="set too late")


def test_a_hub_under_a_passphrase_opens_with_it_only(tmp_path: Path) -> None:
    _ok("init", folder=tmp_path / "hub", HUB_KEY_PASSPHRASE=WORD)
    assert "HUB_KEY_PASSPHRASE" in _refused("orgs", "list", folder=tmp_path / "hub")
    assert "does not open" in _refused("orgs", "list", folder=tmp_path / "hub", HUB_KEY_PASSPHRASE="wrong")
    assert "hub" in _ok("orgs", "list", folder=tmp_path / "hub", HUB_KEY_PASSPHRASE=WORD)
    for path in (tmp_path / "hub").rglob("*"):
        assert not path.is_file() or WORD.encode() not in path.read_bytes()


def test_the_worker_does_what_waits_and_ends(folder: Path) -> None:
    assert "0 pieces of work done" in _ok("worker", "--once", folder=folder)
    assert "records" in _ok("link", folder=folder)


def test_contracts_of_the_library_are_shown_as_they_are() -> None:
    from hub_schemas import library

    names = [item["contract"] for item in json.loads(_ok("contracts", "list", "--format", "json"))]
    assert names == library.names()
    assert _ok("contracts", "show", names[0]) == library.load(names[0]).text
    assert _run("contracts", "show", "nope").exit_code == 1


def test_explain_answers_with_its_exit_status(folder: Path) -> None:
    result = _run(
        "agreements",
        "explain",
        "--operation",
        "link",
        "--contract",
        "benefits.claims",
        "--org",
        "police",
        folder=folder,
    )
    assert (result.exit_code, result.stdout) == (1, "Refused: no agreement covers benefits.claims.\n")
