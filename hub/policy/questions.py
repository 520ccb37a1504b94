"""The questions from which an agreement is written: one thing at a time, in plain words.

The names of the fields are those of the agreement's YAML, so answers are the agreement as soon as nothing is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml
from marshmallow import ValidationError

from hub.policy.agreement import AgreementSchema
from hub.policy.powers import POWERS

__all__ = ["QUESTIONS", "Field", "Question", "asked", "problems", "question", "text_of"]


@dataclass(frozen=True)
class Field:
    """One answer. `kind`: line, area, lines (a list), one or some (of `choices`), date, number, pairs (a mapping).

    `choices` are (value, words) pairs, or the name of a list that the hub knows: organisations, roles, operations,
    plugins, powers, objectives. `others` allows words beside the choices.
    """

    name: str
    label: str
    kind: str = "area"
    hint: str = ""
    required: bool = True
    choices: str | tuple[tuple[str, str], ...] = ()
    others: str = ""


@dataclass(frozen=True)
class Question:
    """What one page asks."""

    id: str
    title: str
    fields: tuple[Field, ...]


def _one(ident: str, label: str, kind: str = "area", **more: Any) -> Question:
    return Question(ident, label, (Field(ident, label, kind, **more),))


QUESTIONS: Final = (
    _one("title", "What is the agreement called?", "line"),
    _one(
        "id", "What is its short name?", "line",
        hint="It stands in addresses and in the audit log for good. Small letters, digits and hyphens, such as "
        "early-help-2026.",
    ),
    _one(
        "purpose", "What is the data used for?",
        hint="Begin with a verb: Find families who may need help and offer it to them. Every look and every run is "
        "written down under these words.",
    ),
    Question(
        "subjects", "Whom is the data about, and what is to be achieved?",
        (
            Field("subjects", "Groups of people", "lines", "One on a line, such as: pupils of secondary schools",
                  False),
            Field("aims", "Aims", "lines", "One on a line. Say how it is seen whether it was achieved.", False),
        ),
    ),
    _one("public_benefit", "What do people gain from it?"),
    _one("impact_if_refused", "What happens if the data is not shared?", required=False),
    _one(
        "legal_power", "Which law gives the power to share?", "one", choices="powers",
        others="Another power, in words. The hub does not check it.",
    ),
    _one(
        "objective", "What is the power used for?", "one", choices="objectives", others="In words",
        hint="A power serves its own objectives only.",
    ),
    _one(
        "listed_bodies", "Which bodies may use this power?", "pairs", required=False,
        hint="Some laws list the bodies that may use them. For each organisation that publishes or uses the data, "
        "write its short name, a colon and its entry in that list, one on a line.",
    ),
    Question(
        "basis", "On which basis is personal data used?",
        (
            Field("lawful_basis", "UK GDPR Article 6", "line", "Such as: Article 6(1)(e), public task"),
            Field("special_category_basis", "UK GDPR Article 9", "line", "For data about health, origin and the like; "
                  "none needed where there is none"),
            Field("substantial_public_interest", "Condition of substantial public interest", "line",
                  "Data Protection Act 2018, Schedule 1", False),
        ),
    ),
    Question(
        "controllers", "Who answers for the data?",
        (
            Field("controllers", "Controllers", "some", choices="organisations",
                  others="Controllers that are no organisations of this hub, one on a line"),
            Field("controller_role", "How do they stand to each other?", "one", choices=(
                ("separate", "Each answers for its own data"), ("joint", "They are joint controllers"),
                ("controller and processor", "One is controller, the other its processor"),
            )),
        ),
    ),
    _one("organisations", "Who may use the data?", "some", choices="organisations"),
    _one(
        "roles", "Which roles there may use it?", "some", choices="roles", required=False,
        hint="If you choose none, any role may.",
    ),
    _one("datasets", "Which data is shared?", "datasets"),
    _one("operations", "What may be done with it?", "some", choices="operations"),
    _one(
        "plugins", "Which plugins may work on it?", "some", choices="plugins", required=False,
        hint="Needed only if plugins may work on the data.",
    ),
    Question(
        "dates", "From when until when?",
        (
            Field("start", "First day", "date"),
            Field("end", "Last day", "date", "The day after, nothing is given any more."),
            Field("review_date", "Day of review", "date", "When it is looked at again, if there is one.", False),
        ),
    ),
    Question(
        "retention", "How long are results kept?",
        (
            Field("retention_days", "Days", "number"),
            Field("retention_trigger", "Counted from when?", "one", choices=(
                ("made", "From the day a result was made"), ("end", "From the day the agreement ends"),
            )),
            Field("results_at_end", "What becomes of released results when it ends?", "one", choices=(
                ("closed", "Nobody can open them any more"), ("destroyed", "They are destroyed at once"),
                ("readable", "They stay readable until their time is over"),
            )),
            Field("disposal", "What do those who use it do with copies?", "area", "", False),
        ),
    ),
    Question(
        "disclosure", "How are small numbers hidden?",
        (
            Field("minimum_count", "Smallest number that is shown", "number", "10 is usual."),
            Field("round_to", "Others are rounded to multiples of", "number", "5 is usual."),
        ),
    ),
    Question(
        "opt_out", "Does the national data opt-out apply?",
        (
            Field("opt_out", "Confidential patient information", "one", choices=(
                ("applies", "It applies: people who opted out are left out"),
                ("does not apply", "It does not apply"), ("", "There is no confidential patient information"),
            ), required=False),
            Field("opt_out_reason", "Why it does not apply", "area", "Only if it does not.", False),
        ),
    ),
    Question(
        "sharing", "Who else is involved?",
        (
            Field("processors", "Processors", "lines", "Who works on the data for a controller, one on a line", False),
            Field("other_organisations", "Others", "lines", "One on a line", False),
            Field("countries", "Countries outside the United Kingdom that the data reaches", "lines",
                  "One on a line; leave it empty if there is none", False),
            Field("onward_sharing", "To whom may results be handed on?", "area", "To nobody, if you leave it empty",
                  False),
        ),
    ),
    Question(
        "reviews", "Who looked at it?",
        (
            Field("dpia", "Reference of the impact assessment (DPIA)", "line", "", False),
            Field("legal_advice", "Legal advice", "line", "", False),
            Field("data_protection_review", "Review of data protection", "line", "", False),
            Field("security_review", "Review of security", "line", "", False),
        ),
    ),
    Question(
        "contact", "Whom can people ask?",
        (
            Field("contact", "About the agreement", "line", "An address that is read, not a person's own"),
            Field("rights_contact", "About their rights", "line", "If it is another", False),
        ),
    ),
)  # fmt: skip

_BY_ID: Final = {item.id: item for item in QUESTIONS}
_OF_FIELD: Final = {field.name: item.id for item in QUESTIONS for field in item.fields}


def question(ident: str) -> Question | None:
    """One question; None when there is none of that name."""
    return _BY_ID.get(ident)


def asked(answers: Mapping[str, Any]) -> tuple[Question, ...]:
    """The questions that are asked, given what was answered: some follow from others."""
    power = POWERS.get(str(answers.get("legal_power", "")))
    runs = "run plugin" in (answers.get("operations") or ())
    left_out = set()
    if power is None or not power.listed:
        left_out.add("listed_bodies")
    if answers.get("operations") and not runs:
        left_out.add("plugins")
    return tuple(item for item in QUESTIONS if item.id not in left_out)


def text_of(answers: Mapping[str, Any]) -> str:
    """The agreement's YAML that some answers make, in the order of the questions."""
    names = [field.name for item in asked(answers) for field in item.fields]
    rest = sorted(name for name in answers if name not in _OF_FIELD)
    found = {name: answers[name] for name in [*names, *rest] if answers.get(name) not in (None, "", [], {})}
    return yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=100)


def problems(answers: Mapping[str, Any]) -> dict[str, list[str]]:
    """What is missing or wrong, by question; empty when the answers are an agreement."""
    try:
        AgreementSchema().load(yaml.safe_load(text_of(answers)) or {})
    except ValidationError as error:
        found: dict[str, list[str]] = {}
        for name, messages in error.normalized_messages().items():
            place = found.setdefault(_OF_FIELD.get(name, name), [])
            place.extend(text for text in _flat(messages) if text not in place)
        return found
    return {}


def _flat(messages: Any) -> list[str]:
    if isinstance(messages, Mapping):
        return [text for item in messages.values() for text in _flat(item)]
    if isinstance(messages, list):
        return [text for item in messages for text in _flat(item)]
    return ["Answer this question." if str(messages).startswith("Missing data") else str(messages)]
