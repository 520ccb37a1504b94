"""The text of the agreement that an accepted request for data becomes: a draft that stewards read and go on with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from hub.policy.asking import About, questions

__all__ = ["agreement_id", "agreement_text"]

_OPERATIONS: Final = {
    "figures": ["run plugin", "read aggregate"],
    "pseudonyms": ["link", "run plugin", "read aggregate"],
    "people": ["link", "run plugin", "read aggregate", "read person"],
}
_USERS: Final = ("analyst", "service user")


def agreement_id(about: About, request_id: str) -> str:
    """The id of the draft: what it is about and the end of the request's id."""
    words = re.sub(r"[^a-z0-9]+", "-", about.contract.id.lower()).strip("-")[:40].strip("-")
    return f"request-{words}-{request_id[-8:].lower()}"


def agreement_text(about: About, answers: Mapping[str, Any], request_id: str) -> str:
    """The agreement as YAML, from answers that are complete (`hub.policy.asking.unanswered` is empty)."""
    asked = {item.key for item in questions(about, answers)}
    answers = {key: value for key, value in answers.items() if key in asked}  # others are left from before
    roles = [role for role in _USERS if role in about.roles] or ["analyst"]  # none would mean any
    if answers["level"] == "people" and "service user" not in roles:
        roles.append("service user")
    record: dict[str, Any] = {
        "id": agreement_id(about, request_id),
        "title": f"{about.dataset_title} for {about.organisation_name}"[:4000],
        "request": request_id,
        "purpose": answers["purpose"],
        "legal_power": answers.get("power_words") if answers["power"] == "own words" else answers["power"],
        "objective": answers["objective"],
        "public_benefit": answers["public_benefit"],
        "lawful_basis": answers["lawful_basis"],
        "special_category_basis": answers.get("special_category_basis") or "none needed",
        "controllers": [about.publisher],
        "organisations": [about.organisation],
        "roles": roles,
        "operations": _OPERATIONS[answers["level"]],
        "plugins": answers.get("plugins") or [],
        "datasets": [
            {
                "contract": about.contract.id, "publishers": [about.publisher], "columns": answers["columns"],
                "why": answers["purpose"][:2000],
            }
        ],
        "start": answers["needed_by"],
        "end": answers["until"],
        "retention_days": answers["retention_days"],
        "contact": answers["contact"],
        "needed_by": answers["needed_by"],
        "aims": [answers["aims"]],
    }  # fmt: skip
    for name in ("subjects", "other_organisations", "countries"):
        if listed := [item.strip() for item in str(answers.get(name) or "").split(",") if item.strip()]:
            record[name] = listed
    for name in (
        "impact_if_refused", "controller_role", "legal_advice", "substantial_public_interest",
        "data_protection_review", "security_review", "disposal",
    ):  # fmt: skip
        if answers.get(name):
            record[name] = answers[name]
    if about.contract.id.startswith("hub."):
        del record["datasets"][0]["publishers"]
    return str(yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=100))
