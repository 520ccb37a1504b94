"""Every public workflow and every command asks policy first; whoever adds one has it held here, or says why not.

Addresses are held by `test_api_doors.py` and `test_pages_doors.py` (strangers, those without the permission) and by
`test_other_organisations.py` (those of another organisation).
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import click
import pytest
from click.testing import CliRunner

import hub.workflows
from hub.__main__ import main
from hub.errors import Forbidden
from hub.identity.principal import Principal
from hub.workflows.hub import Hub
from support.hubs import make_hub, migrate, principal_of


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with nothing in it: nothing here comes as far as to look."""
    folder = tmp_path_factory.mktemp("small")
    url = f"sqlite:///{folder / 'hub.db'}"
    migrate(url)
    made = make_hub(folder / "hub", url)
    yield made
    made.database.close()


# --- workflows

#: Public functions of workflows that take a hub and nobody who asks, each with the reason why that is right.
OF_THE_HUB_ITSELF = {
    "auditing.seal_log": "the hub seals its own log",
    "auditing.thin_log": "the hub tidies its own log",
    "auditing.verify": "for the command line: reads the log only and shows counts",
    "backup.check_restored": "part of restoring, before there is anybody who could ask",
    "deciding.clear_incoming": "the hub tidies by itself",
    "deciding.decide_next": "what a worker does",
    "deciding.give_up_uploads": "the hub tidies by itself",
    "deciding.sweep": "the hub tidies by itself",
    "ending.expire_agreements": "the hub does what agreements say by themselves",
    "ending.settle": "the hub does what agreements say by themselves",
    "enrolling.enrol": "a one-time code stands in for whoever asks",
    "enrolling.registration_of": "says how a registration stands to whoever holds its code",
    "hub.today": "what day it is",
    "keeping.keys_state": "for the doctor at the hub's machine: names of keys, no keys",
    "keeping.prune_keys": "the hub tidies by itself",
    "linking.link_if_needed": "what a worker does",
    "linking.linked_state": "counts, for health and the first page",
    "machines.fetch_keys": "asks a client's own address for its public keys",
    "machines.issue": "finds out who asks",
    "machines.note_refusal": "writes down that somebody was refused",
    "machines.settle_refusals": "writes down that somebody was refused",
    "machines.token_for": "finds out who asks",
    "machines.token_principal": "finds out who asks",
    "overview.waiting": "counts, for health and metrics",
    "own_account.finish_enrolment": "finds out who asks",
    "own_account.offer_to_pending": "finds out who asks",
    "provider.begin_at_provider": "finds out who asks",
    "provider.come_from_provider": "finds out who asks",
    "provider.sign_out_address": "an address of the provider",
    "registering.problem_of_one_operator": "for the doctor at the hub's machine: a count",
    "request_parts.opened": "a part of other workflows: opens what they were let see",
    "request_parts.sealed": "a part of other workflows",
    "rights_citizen.ask": "a citizen has no account: a one-time code and a date of birth stand in",
    "rights_citizen.close": "a citizen has no account: the session's token stands in",
    "rights_citizen.fetch_copy": "a citizen has no account: the session's token stands in",
    "rights_citizen.is_open": "a citizen has no account: the session's token stands in",
    "rights_citizen.my_page": "a citizen has no account: the session's token stands in",
    "rights_citizen.open_page": "a citizen has no account: a one-time code and a date of birth stand in",
    "rights_citizen.purposes": "the purposes for which the hub is used, which are public",
    "rights_citizen.what_is_held": "names of services and agreements, for the public page about rights",
    "rights_copies.contents": "a part of other workflows",
    "rights_copies.tidy": "the hub tidies by itself",
    "rights_corrections.confirm_corrections": "what a worker does",
    "rights_people.reference": "a part of other workflows",
    "rights_people.seal": "a part of other workflows",
    "rights_people.unseal": "a part of other workflows",
    "rights_tidying.tidy": "the hub tidies by itself",
    "run_inputs.check_agreement": "a part of other workflows: it refuses by the agreement",
    "running.run_next": "what a worker does",
    "scheduling.all_schedules": "for the scheduler",
    "scheduling.trigger": "what the scheduler does",
    "shredding.expire_results": "the hub tidies by itself",
    "shredding.sweep": "the hub tidies by itself",
    "shredding.tidy": "the hub tidies by itself",
    "signing_in.check_code": "finds out who asks",
    "signing_in.check_password": "finds out who asks",
    "signing_in.give_code": "finds out who asks",
    "signing_in.note_refusals": "writes down that somebody was refused",
    "signing_in.open_secret": "a part of other workflows",
    "signing_in.pending": "finds out who asks",
    "signing_in.prove": "finds out who asks",
    "signing_in.remember_device": "finds out who asks",
    "signing_in.seal_secret": "a part of other workflows",
    "signing_in.session_of": "finds out who asks",
    "signing_in.sign_in": "finds out who asks",
    "signing_in.sign_out": "everybody may leave",
    "signing_in.tidy": "the hub tidies by itself",
    "signing_in.use_code": "finds out who asks",
    "work.drain": "what a worker does",
    "work.lead": "what a worker does",
    "work.resign": "what a worker does",
    "work.take_back": "what a worker does",
    "work.tidy": "the hub tidies by itself",
    "work.work_once": "what a worker does",
}

#: Public functions that are given who asks and refuse nobody for want of a permission, each with the reason.
FOR_EVERYBODY = {
    "looking.refusals_recorded": "a part of other workflows: it writes refusals down",
    "overview.home": "everybody has a first page; each part of it asks by itself",
    "own_account.change_password": "one's own account",
    "own_account.confirm_factor": "one's own account",
    "own_account.end_session": "one's own account",
    "own_account.offer_factor": "one's own account",
    "own_account.own_account": "one's own account",
    "own_account.renew_recovery_codes": "one's own account",
    "own_account.sign_out_everywhere": "one's own account",
    "parcelling.make_delivery": "a part of `uploading`, which asks",
    "parcelling.sender": "a part of `uploading`, which asks",
    "releasing.opened": "says which of some results one may open: none, without the permission",
    "requesting.exists_for": "says whether one may see a request: no, without the permission",
    "running.queue_run": "for `request_run`, which asks, and for what was scheduled",
}


def _public() -> Iterator[tuple[str, Callable[..., Any], dict[str, Any]]]:
    """Name, function and types of the parameters of each public function of a workflow that takes a hub."""
    for info in pkgutil.iter_modules(hub.workflows.__path__):
        module = importlib.import_module(f"hub.workflows.{info.name}")
        for name in getattr(module, "__all__", ()):
            found = getattr(module, name)
            if not inspect.isfunction(found) or found.__module__ != module.__name__:
                continue
            try:
                types = get_type_hints(
                    inspect.unwrap(found), vars(module) | {"Hub": Hub, "Principal": Principal}
                )
            except NameError:
                types = dict(inspect.unwrap(found).__annotations__)
            parameters = inspect.signature(found).parameters
            if "hub" in parameters or Hub in types.values():
                yield f"{info.name}.{name}", found, types


WORKFLOWS = {name: (function, types) for name, function, types in _public()}


def _asks(name: str) -> bool:
    function, _ = WORKFLOWS[name]
    return "principal" in inspect.signature(function).parameters


ASKING = sorted(name for name in WORKFLOWS if _asks(name) and name not in FOR_EVERYBODY)


def test_a_workflow_that_nobody_asks_for_says_why() -> None:
    silent = {name for name in WORKFLOWS if not _asks(name)}
    assert silent - set(OF_THE_HUB_ITSELF) - INNER == set(), "give it a principal, or a reason here"
    assert set(OF_THE_HUB_ITSELF) - silent == set(), "gone, or asks now: take it out of the list"
    assert set(FOR_EVERYBODY) - set(WORKFLOWS) == set()


#: Parts that workflows share among themselves: they work within a session that a workflow has opened, so no door can
#: call them (`test_doors_reach_data_through_workflows_only`).
INNER = {
    name for name, (function, _) in WORKFLOWS.items() if "session" in inspect.signature(function).parameters
}


@pytest.mark.parametrize("name", [name for name in ASKING if name not in INNER])
def test_a_workflow_refuses_who_has_no_role(name: str, small: Hub) -> None:
    nobody = principal_of(small, "council")
    assert nobody.roles == frozenset()
    function, _ = WORKFLOWS[name]
    arguments: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "hub":
            arguments["hub"] = small
        elif parameter.name == "principal":
            arguments["principal"] = nobody
        elif parameter.default is parameter.empty:
            arguments[parameter.name] = "x"
    ordered = [arguments.pop(item.name) for item in inspect.signature(function).parameters.values()
               if item.kind is item.POSITIONAL_OR_KEYWORD and item.name in arguments]  # fmt: skip
    with pytest.raises(Forbidden, match=r"You may not [a-z]"):
        function(*ordered, **arguments)


def test_doors_reach_data_through_workflows_only() -> None:
    """No door opens a session or calls a store: so what workflows share within a session stays within workflows."""
    allowed = {
        "hub/cli/running.py": "init and doctor, at the hub's machine",
        "hub/cli/keys.py": "backup and restore, at the hub's machine",
    }
    root = Path(hub.workflows.__path__[0]).parent
    found = set()
    for folder in ("api", "web", "cli", "scheduler", "doorstep"):
        for file in sorted((root / folder).rglob("*.py")):
            text = file.read_text(encoding="utf-8")
            if ".database.read(" in text or ".database.write(" in text or ".vault.read(" in text:
                found.add(str(file.relative_to(root.parent)))
    assert found - set(allowed) == set()


# --- commands

#: Commands that ask nobody, each with the reason: who can run them holds the hub's folder in their hands, and they
#: show nothing that somebody sent.
LOCAL = {
    "demo": "makes a hub of its own",
    "init": "makes a hub",
    "serve": "starts the server",
    "worker": "starts the worker",
    "scheduler": "starts the worker",
    "doctor": "looks at the machine",
    "restore": "makes a hub from a backup",
    "contracts list": "the library that comes with the hub",
    "contracts show": "the library that comes with the hub",
    "agreements keys new": "makes a pair of keys, and nothing with the hub",
    "users second-factor": "one's own account, with its password",
    "audit verify": "reads the log only, and shows counts",
    "audit seal": "signs the log's newest checkpoint",
    "keys list": "names of keys, no keys",
}


#: What a command wants besides what its parameters say.
MORE = {
    "agreements sign": ["agreement", "--org", "x", "--signer", "x", "--signature", "x"],
    "clients add": ["--jwks-url", "https://example.invalid/keys"],
}


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command, obj=None)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None, (path, name)
            yield from _commands(found, (*path, name))
    else:
        yield " ".join(path), command


COMMANDS = dict(_commands(main))


def _value(parameter: click.Parameter, folder: Path) -> str:
    kind = parameter.type
    if isinstance(kind, click.Choice):
        return str(next(iter(kind.choices)))
    if isinstance(kind, click.Path):
        place = folder / f"{parameter.name}.json"
        if kind.exists and kind.file_okay:
            place.write_text("{}", encoding="utf-8")
        elif kind.exists:
            place = folder
        return str(place)
    if isinstance(kind, click.types.IntParamType | click.IntRange | click.types.FloatParamType):
        return "1"
    if isinstance(kind, click.DateTime):
        return "2026-01-01"
    return "x"


def _words(command: click.Command, folder: Path) -> list[str]:
    """Words that a command takes: all that it must have, each of a kind it accepts."""
    words = []
    for parameter in command.params:
        if isinstance(parameter, click.Argument) and parameter.required:
            words.append(_value(parameter, folder))
        elif isinstance(parameter, click.Option) and parameter.required:
            words += [parameter.opts[0], _value(parameter, folder)]
    return words


def test_the_list_of_local_commands_names_commands() -> None:
    assert set(LOCAL) <= set(COMMANDS)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - set(LOCAL)))
def test_a_command_refuses_who_has_no_role(
    name: str, small: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever it is taken for: the operator at the machine, or a person who signed in."""
    nobody = principal_of(small, "council")
    module = importlib.import_module(COMMANDS[name].callback.__module__)  # type: ignore[union-attr]
    for way in ("operator", "person", "whoever"):
        if hasattr(module, way):
            monkeypatch.setattr(module, way, lambda *_, **__: nobody)
    variables = {
        "HUB_DATABASE_URL": small.settings.database_url, "HUB_LOG_LEVEL": "error", "HUB_PASSWORD": "x" * 20,
        "HUB_DIR": str(small.settings.dir),
    }  # fmt: skip
    words = [*name.split(), *_words(COMMANDS[name], tmp_path), *MORE.get(name, [])]
    done = CliRunner().invoke(main, words, env=variables, input="y\n" * 5)
    assert done.exit_code == 1, (words, done.output)
    assert "You may not " in done.output, (words, done.output)
