"""The images and the compose file say what the hub understands, and are safe by default."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from typing import Any

import pytest
import yaml

from hub.config import describe
from support.checkout import ROOT

DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
OURS = [name for name, service in COMPOSE["services"].items() if service["image"].startswith("joinedup-")]
ONE_SHOT = {"init", "bucket"}
# Not settings of the hub but what compose.yaml puts into them or publishes.
ONLY_COMPOSE = {"HUB_DATABASE_PASSWORD", "HUB_OBJECTS_SECRET"}


def known_variables() -> set[str]:
    return {setting["variable"] for setting in describe()} | {"HUB_DIR"}


def test_every_environment_variable_is_a_setting_of_the_hub() -> None:
    used = {name for service in OURS for name in COMPOSE["services"][service]["environment"]}
    used |= set(re.findall(r"\b(HUB_[A-Z_]+)=", DOCKERFILE))

    assert {name for name in used if name.startswith("HUB_")} - known_variables() == set()


def test_the_example_of_the_environment_names_every_variable_that_compose_takes() -> None:
    taken = set(re.findall(r"\$\{(HUB_[A-Z_]+)", (DOCKER / "compose.yaml").read_text(encoding="utf-8")))
    example = set(
        re.findall(r"^#?(HUB_[A-Z_]+)=", (DOCKER / "env.example").read_text(encoding="utf-8"), re.MULTILINE)
    )

    assert taken == example
    assert example - known_variables() == ONLY_COMPOSE


def test_no_secret_has_a_default() -> None:
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    secret = re.findall(r"\$\{(HUB_\w*(?:PASSWORD|SECRET|PASSPHRASE))(.{2})", text)

    assert secret
    assert {after for _, after in secret} == {":?"}
    assert not re.search(
        r"^HUB_\w+=.", (DOCKER / "env.example").read_text(encoding="utf-8"), flags=re.MULTILINE
    )


@pytest.mark.parametrize("service", sorted(set(COMPOSE["services"]) - ONE_SHOT))
def test_every_lasting_service_says_whether_it_is_well(service: str) -> None:
    told = COMPOSE["services"][service].get("healthcheck")

    assert told or COMPOSE["services"][service]["build"]["target"] in re.findall(
        r"^FROM \S+ AS (\w+)\n(?:(?!^FROM ).*\n)*?HEALTHCHECK", DOCKERFILE, flags=re.MULTILINE
    )


@pytest.mark.parametrize("service", OURS)
def test_our_services_have_no_capability_and_cannot_gain_one(service: str) -> None:
    settings = COMPOSE["services"][service]

    assert settings["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in settings["security_opt"]
    assert settings["read_only"] is True
    assert "privileged" not in settings and "user" not in settings


def test_only_this_machine_reaches_a_published_port() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_the_images_run_as_an_ordinary_user_from_their_last_user_line() -> None:
    assert re.findall(r"^USER (.*)$", DOCKERFILE, flags=re.MULTILINE) == ["hub"]
    assert "useradd --uid 10001" in DOCKERFILE


def test_the_images_install_nothing_that_is_not_pinned_by_hash() -> None:
    installs = re.findall(r"pip install (.*?)(?=\n|&&)", DOCKERFILE)

    assert len(installs) == 5
    for arguments in installs:
        assert (
            "--only-binary :all: --require-hashes -r requirements/" in arguments
            or "--no-index --no-deps" in arguments
        )


def test_the_build_context_has_what_the_images_copy_and_no_more() -> None:
    copied = {
        word.rstrip("/")
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, flags=re.MULTILINE)
        for word in line.split()
    }
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert {line[1:] for line in ignore if line.startswith("!")} == copied
    assert "*" in ignore
    assert any(fnmatch("hub/web/static/govuk", line) for line in ignore)


def test_the_workers_system_call_filter_leaves_the_sandbox_what_it_needs() -> None:
    profile = json.loads((DOCKER / "worker-seccomp.json").read_text(encoding="utf-8"))
    refused = {name for rule in profile["syscalls"] for name in rule["names"]}

    assert profile["defaultAction"] == "SCMP_ACT_ALLOW"
    assert refused & {"clone", "clone3", "mount", "pivot_root", "umount2", "unshare"} == set()
    assert {"bpf", "init_module", "kexec_load", "keyctl", "open_by_handle_at", "ptrace"} <= refused
