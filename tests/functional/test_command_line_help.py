"""What a newcomer sees first: help with examples, at once, and completion in the shell."""

import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner, Result

from hub.__main__ import main
from support.require import missing

HEAVY = {
    "alembic",
    "apscheduler",
    "argon2",
    "cryptography",
    "duckdb",
    "flask",
    "httpx",
    "hub_schemas",
    "joserfc",
    "marshmallow",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "sklearn",
    "splink",
    "sqlalchemy",
    "structlog",
    "waitress",
    "werkzeug",
    "yaml",
}


def _commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that lead to it, from `hub` down."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _commands(found, (*path, name))


COMMANDS = dict(_commands(main))
NAMES = {" ".join(path) or "hub": path for path in COMMANDS}


def _run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), prog_name="hub")


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_and_every_act_an_example(name: str) -> None:
    path = NAMES[name]
    result = _run(*path, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: hub")
    assert (COMMANDS[path].help or "").strip()
    if not isinstance(COMMANDS[path], click.Group):
        assert "Example" in result.stdout
        assert "  hub " + name in result.stdout.partition("Example")[2], "the example must be of this command"


@pytest.mark.parametrize("name", NAMES)
def test_every_option_says_what_it_is_for(name: str) -> None:
    for option in COMMANDS[NAMES[name]].params:
        if isinstance(option, click.Option):
            assert option.help, (name, option.name)


def test_examples_name_options_that_there_are() -> None:
    for path, command in COMMANDS.items():
        known = {word for option in command.params for word in option.opts + option.secondary_opts}
        for line in (command.epilog or "").splitlines():
            if line.strip().startswith("hub " + " ".join(path)):
                used = {word.split("=")[0] for word in line.split() if word.startswith("--")}
                assert used <= known | {"--help"}, (path, used - known)


def test_the_list_of_commands_says_the_same_as_each_of_them() -> None:
    listed = _run("--help").stdout
    for path in COMMANDS:
        if len(path) == 1:
            assert f"\n  {path[0]} " in listed


def test_every_command_that_reads_a_hub_takes_its_folder_and_every_list_can_be_json() -> None:
    for path, command in COMMANDS.items():
        if not path or isinstance(command, click.Group):
            continue
        options = {word for option in command.params for word in option.opts}
        without_a_hub = path[0] == "contracts" or path == ("agreements", "keys", "new")
        assert without_a_hub or "--dir" in options, path
        assert (path[-1] == "list") <= ("--format" in options), path


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("hub", ["--help"]),
        ("hub", ["--version"]),
        ("hub", ["orgs", "--help"]),
        ("hub", ["serve", "--help"]),
        ("hub", ["demo", "--help"]),
        ("hub", ["nonsense"]),
        ("hub_connector", ["--help"]),
        ("hub_connector", ["push", "--help"]),
    ],
    ids=" ".join,
)
def test_help_loads_nothing_heavy(module: str, words: list[str]) -> None:
    """What is imported, and not how long it took: a busy machine must not decide."""
    if words[0] == "--version" and "joinedup-hub" not in _installed():
        missing("joinedup-hub is not installed in this environment; make install does it")
    code = (
        "import runpy, sys\n"
        f"sys.argv = [{module!r}, *{words!r}]\n"
        f"try:\n    runpy.run_module({module!r}, run_name='__main__')\n"
        "except SystemExit:\n    print('|' + ' '.join(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    modules = set(done.stderr.rpartition("|")[2].split())
    assert "click" in modules, "the test must have seen the modules"
    assert {name.partition(".")[0] for name in modules} & HEAVY == set()
    assert len(modules) < 400, f"{len(modules)} modules for a page of help"


def _installed() -> set[str]:
    from importlib.metadata import distributions

    return {str(item.metadata["Name"]) for item in distributions()}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_their_completion_script_and_its_answers(shell: str) -> None:
    done = _program(_HUB_COMPLETE=f"{shell}_source")
    assert done.returncode == 0, done.stderr
    assert "_HUB_COMPLETE" in done.stdout
    if shell == "bash":
        words = _program(_HUB_COMPLETE="bash_complete", COMP_WORDS="hub a", COMP_CWORD="1").stdout
        assert {line.partition(",")[2] for line in words.splitlines()} == {"agreements", "audit"}


def _program(**environ: str) -> subprocess.CompletedProcess[str]:
    code = "from hub.__main__ import main; main(prog_name='hub')"
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
