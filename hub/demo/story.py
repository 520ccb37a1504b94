"""The demonstration, step by step. Everything goes over HTTP or through the connector, as in a real hub.

The only thing done beside the API is what an operator does on the first day at the machine itself: making the hub, an
account, and registering the first machine clients. From then on nothing that one of them registers counts before the
other approves it.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.demo.agreeing import agree
from hub.demo.api import ApiClient, DemoError, new_key
from hub.demo.cast import AGREEMENTS, DEPARTMENTS, PEOPLE, REAL_DATA

if TYPE_CHECKING:
    from hub.demo.borough import BoroughSummary
    from hub.workflows.hub import Hub

__all__ = ["Story", "Told"]

_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "larch", "maple")
_WAIT_SECONDS = 600
_ALL_ROLES = ("operator", "analyst", "auditor")
_FIRST_OPERATOR = "olga"


@dataclass
class Told:
    """What happened, for the summary."""

    url: str = ""
    borough: BoroughSummary | None = None
    password: str = ""
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    linked: dict[str, Any] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    isolation: str = ""
    seconds: float = 0.0


class Story:
    """One telling of the demonstration on a hub that serves at `url`."""

    def __init__(self, hub: Hub, url: str, departments: Path, say: Callable[[str], None]) -> None:
        self.hub, self.url, self.departments, self.say = hub, url, departments, say
        self.told = Told(url=url, password="-".join(secrets.choice(_WORDS) for _ in range(4)))
        self.operator, self.second = self._first_machines()
        self.real: list[tuple[str, str, str, Path]] = []

    def tell(self, people: int, seed: int, data: Path | None) -> Told:
        """All of it, in order."""
        started = time.monotonic()
        self.real = _real_files(data) if data else []
        with self._step(f"Inventing a borough of {people:,} people"):
            self._invent(people, seed)
        with self._step("Registering organisations, connectors and people over HTTP"):
            self._register()
        with self._step("Connectors check, seal and push their datasets"):
            self._push()
        with self._step(
            "Agreements: drafted by one data steward, approved by another, signed by every party"
        ):
            self._agree()
        with self._step("Linking people and households"):
            self._wait_for_links()
        with self._step("Running the plugins on their schedules, in the sandbox"):
            self._run_plugins()
        with self._step("An output checker releases the results"):
            self._release()
        self.told.seconds = time.monotonic() - started
        return self.told

    # --- the steps

    def _invent(self, people: int, seed: int) -> None:
        from hub.demo.borough import generate
        from hub.workflows.hub import today

        self.told.borough = generate(self.departments, people=people, seed=seed, today=today(self.hub))

    def _register(self) -> None:
        organisations = [(item.slug, item.name) for item in DEPARTMENTS]
        organisations += [(slug, name) for slug, name, _, _ in self.real]
        for slug, name in organisations:
            self.operator.post("/organisations", {"slug": slug, "name": name})
            self.second.post(f"/organisations/{slug}/approve")
        for person in PEOPLE:
            if person.username == _FIRST_OPERATOR:
                continue
            self.operator.post(
                "/users",
                {
                    "username": person.username, "name": person.name, "organisation": person.organisation,
                    "roles": [person.role], "password": self.told.password,
                },
            )  # fmt: skip
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(self._enrol, [slug for slug, _ in organisations]))

    def _enrol(self, slug: str) -> None:
        code = self.operator.post(f"/organisations/{slug}/invitations")["code"]
        home = self.departments / "connectors" / slug
        home.mkdir(parents=True, exist_ok=True)
        config = ("--config", str(home / "hub-connector.toml"))
        self._connector("init", "--hub", self.url, "--code", code, "--name", slug, *config)
        # What the department reads out, and the second operator compares with what the hub shows.
        thumbprint = self._connector("keys", "show", *config).rpartition(": ")[2].strip()
        waiting = [
            item["id"] for item in self.second.get("/registrations")["items"] if item["organisation"] == slug
        ]
        self.second.post(f"/clients/{waiting[0]}/approve", {"thumbprint": thumbprint})

    def _push(self) -> None:
        borough = self._borough()
        jobs = {item.slug: [(name, borough.path(name)) for name in item.contracts] for item in DEPARTMENTS}
        for slug, _, contract, path in self.real:
            jobs.setdefault(slug, []).append((contract, path))
        with ThreadPoolExecutor(2) as pool:  # a connector sends one dataset after the other
            for lines in pool.map(self._push_all, jobs.items()):
                for line in lines:
                    self.say(line)
        self._wait("deliveries to be decided", self._all_decided)

    def _push_all(self, job: tuple[str, list[tuple[str, Path]]]) -> list[str]:
        slug, datasets = job
        lines = []
        for contract, path in datasets:
            started = time.monotonic()
            config = self.departments / "connectors" / slug / "hub-connector.toml"
            self._connector(
                "push", "--config", str(config), "--contract", f"library:{contract}", "--no-wait", str(path)
            )
            lines.append(f"    {slug:24} {contract:24} {time.monotonic() - started:4.1f} s")
        return lines

    def _borough(self) -> BoroughSummary:
        if self.told.borough is None:
            raise DemoError("The borough has not been invented yet.")
        return self.told.borough

    def _all_decided(self) -> bool:
        self.told.deliveries = [
            self.operator.get(f"/deliveries/{item['id']}")
            for item in self.operator.get("/deliveries", limit=100)["items"]
        ]
        return all(item["state"] in ("accepted", "refused", "failed") for item in self.told.deliveries)

    def _agree(self) -> None:
        names = [name for name, _, _ in AGREEMENTS] + (["recorded-crime"] if self.real else [])
        agree(self._machine, names)

    def _wait_for_links(self) -> None:
        self._wait("people to be linked", self._links_are_there)

    def _links_are_there(self) -> bool:
        for entry in self.operator.get("/audit/entries", limit=50)["items"]:
            if entry["action"] == "people.linked":
                self.told.linked = entry["content"]["detail"]
                return True
        return False

    def _run_plugins(self) -> None:
        registered = self.operator.post("/plugins/register")
        plugins = {item["name"] for item in registered["items"]}
        wanted = [(name, plugin, slug) for name, plugin, slug in AGREEMENTS if plugin]
        if self.real:
            wanted.append(("recorded-crime", "demand-profile", "wexbourne-police"))
        if missing := {plugin for _, plugin, _ in wanted} - plugins:
            broken = registered["broken"] or "Run make install."
            raise DemoError(f"The plugins' environment lacks {', '.join(sorted(missing))}. {broken}")
        for agreement, plugin, slug in wanted:
            analyst = self._machine(f"analyst of {slug}", slug, ["analyst"])
            analyst.post("/schedules", {"plugin": plugin, "agreement": agreement, "start_now": True})
            analyst.close()
        self._wait("the plugins", lambda: self._runs_ended(len(wanted)))
        self.told.isolation = next((run["run"]["isolation"] for run in self.told.runs), "") or ""

    def _runs_ended(self, count: int) -> bool:
        self.told.runs = self.operator.get("/runs", limit=100)["items"]
        ended = [run for run in self.told.runs if run["run"]["state"] in ("succeeded", "failed", "cancelled")]
        return len(ended) >= count

    def _release(self) -> None:
        checker = self._machine("output checker", "hub", ["output checker"])
        for run in self.told.runs:
            if run["result"] is None:
                continue
            result = run["result"]["id"]
            checker.post(
                f"/results/{result}/release", {"reason": "Demonstration: synthetic data, counts looked at."}
            )
            self.told.reports[run["run"]["plugin"]] = checker.get(f"/results/{result}")
        checker.close()

    # --- how it is done

    def _first_machines(self) -> tuple[ApiClient, ApiClient]:
        """What happens at the machine on the first day: an account, and two operators' tools that she approves."""
        from hub.cli.base import operator
        from hub.workflows import accounts, enrolling, registering, signing_in

        name = next(item.name for item in PEOPLE if item.username == _FIRST_OPERATOR)
        word = self.told.password
        accounts.add_user(self.hub, operator(), _FIRST_OPERATOR, name, "hub", ["operator"], word)
        person = signing_in.prove(self.hub, _FIRST_OPERATOR, word, str)
        made = []
        for number, roles in ((1, _ALL_ROLES), (2, ("operator",))):
            key, public = _key_pair()
            title = f"demonstration {number}"
            ident = enrolling.add_client(self.hub, operator(), "hub", title, roles, public)
            registering.decide_client(self.hub, person, ident, "approve")
            made.append(ApiClient(self.url, ident, key))
        return made[0], made[1]

    def _machine(self, name: str, organisation: str, roles: Any) -> ApiClient:
        """A machine client: registered over HTTP by one operator's tool and approved by the other's."""
        key, public = _key_pair()
        body = {"organisation": organisation, "name": name, "roles": list(roles), "signing_key": public}
        ident = self.operator.post("/clients", body)["id"]
        self.second.post(f"/clients/{ident}/approve")
        return ApiClient(self.url, ident, key)

    def _connector(self, *arguments: str) -> str:
        """Run hub-connector; returns what it says."""
        program = Path(sys.executable).with_name("hub-connector")
        command = [str(program)] if program.exists() else [shutil.which("hub-connector") or "hub-connector"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):  # 1: rows at fault, which is part of the story
            last = (done.stderr.strip() or done.stdout.strip())[-800:]
            raise DemoError(f"hub-connector {arguments[0]} ended with {done.returncode}: {last}")
        return done.stdout

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        until = time.monotonic() + _WAIT_SECONDS
        while not done():
            if time.monotonic() > until:
                raise DemoError(f"Waited {_WAIT_SECONDS} s for {what}; look into the log of the hub.")
            time.sleep(0.2)

    @contextmanager
    def _step(self, title: str) -> Iterator[None]:
        started = time.monotonic()
        self.say(f"  {title} ...")
        yield
        self.say(f"    done in {time.monotonic() - started:.1f} s")


def _key_pair() -> tuple[Any, dict[str, Any]]:
    """A fresh key, and its public part as the hub registers it."""
    key = new_key()
    public = {
        name: value for name, value in key.as_dict(private=False).items() if name in ("kty", "crv", "x")
    }
    return key, public


def _real_files(data: Path) -> list[tuple[str, str, str, Path]]:
    found = [(slug, name, contract, data / path) for slug, name, contract, path in REAL_DATA]
    if missing := [str(path) for *_, path in found if not path.is_file()]:
        raise DemoError(f"--with-data: there is no {', '.join(missing)}.")
    return found
