"""Asking for data: the life of a request, its questions, and the agreement that an accepted one becomes.

The questions are those that the UK's Data Marketplace asks of a share (data type, subjects, aims, data required, public
benefit, other organisations, impact if refused, date required, legal power and advice, Articles 6 and 9, substantial
public interest, countries, the controllers' part, reviews of data protection and security, disposal). Nothing here
reads a clock or a database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final, Literal

from hub.errors import Conflict, Invalid
from hub.policy.agreement import Agreement
from hub.policy.powers import POWERS
from hub_schemas import Contract

__all__ = [
    "OPEN", "TRANSITIONS", "WAITS", "About", "Question", "RequestState", "checked", "known", "move", "questions",
    "unanswered",
]  # fmt: skip


class RequestState(StrEnum):
    """Where a request for data stands."""

    DRAFT = "draft"
    ASKED = "asked"
    RETURNED = "returned"
    ANSWERED = "answered"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


_S = RequestState

#: Allowed transitions: (from, act) -> to. A steward of the publisher returns (asks back), refuses and accepts; who
#: asked does the rest. The answers can be changed in a draft and in a returned request.
TRANSITIONS: Final[dict[tuple[RequestState, str], RequestState]] = {
    (_S.DRAFT, "ask"): _S.ASKED,
    (_S.DRAFT, "withdraw"): _S.WITHDRAWN,
    (_S.ASKED, "return"): _S.RETURNED,
    (_S.ASKED, "refuse"): _S.REFUSED,
    (_S.ASKED, "accept"): _S.ACCEPTED,
    (_S.ASKED, "withdraw"): _S.WITHDRAWN,
    (_S.RETURNED, "answer"): _S.ANSWERED,
    (_S.RETURNED, "withdraw"): _S.WITHDRAWN,
    (_S.ANSWERED, "return"): _S.RETURNED,
    (_S.ANSWERED, "refuse"): _S.REFUSED,
    (_S.ANSWERED, "accept"): _S.ACCEPTED,
    (_S.ANSWERED, "withdraw"): _S.WITHDRAWN,
}

#: States in which the answers can be changed by who asks, and states that wait for the publisher's steward.
OPEN: Final = frozenset({_S.DRAFT, _S.RETURNED})
WAITS: Final = frozenset({_S.ASKED, _S.ANSWERED})


def move(state: str, act: str) -> RequestState:
    """The state after an act.

    Raises:
        Conflict: when the table has no such transition.
    """
    try:
        return TRANSITIONS[RequestState(state), act]
    except KeyError:
        raise Conflict(f"The request is {state}: one cannot {act} it now.") from None


@dataclass(frozen=True)
class About:
    """What a request is about and what is known of who asks: slugs, names, the contract, plugins that read it."""

    dataset_title: str
    contract: Contract
    publisher: str
    organisation: str
    organisation_name: str
    roles: tuple[str, ...]
    plugins: tuple[tuple[str, str], ...] = ()

    @property
    def personal(self) -> bool:
        """Whether the dataset has columns about people."""
        return any(item.classification in ("personal", "special-category") for item in self.contract.columns)

    def special(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of some columns that are special categories of personal data."""
        wanted = set(columns)
        return tuple(
            item.name
            for item in self.contract.columns
            if item.name in wanted and item.classification == "special-category"
        )


Kind = Literal["columns", "plugins", "choice", "words", "line", "day", "number"]


@dataclass(frozen=True)
class Question:
    """One question. `choices` are (value, words); `most` is the longest answer in characters or the highest number."""

    key: str
    title: str
    kind: Kind = "words"
    hint: str = ""
    required: bool = True
    choices: tuple[tuple[str, str], ...] = ()
    most: int = 1000


_OWN_WORDS: Final = "own words"
_LEVELS: Final = (
    ("figures", "Figures about many people or things, nobody singled out"),
    ("pseudonyms", "Single people or households, without their names"),
    ("people", "Named people or households, to help them"),
)
_ARTICLE_6: Final = tuple(
    (f"UK GDPR Article 6(1)({letter}), {words}", f"({letter}) {words}")
    for letter, words in (
        ("e", "public task"), ("c", "legal obligation"), ("d", "vital interests"), ("b", "contract"),
        ("a", "consent"), ("f", "legitimate interests"),
    )
)  # fmt: skip
_ARTICLE_9: Final = tuple(
    (f"UK GDPR Article 9(2)({letter}), {words}", f"({letter}) {words}")
    for letter, words in (
        ("g", "substantial public interest"), ("h", "health or social care"), ("i", "public health"),
        ("b", "employment, social security and social protection"), ("c", "vital interests"),
        ("j", "archiving, research and statistics"), ("f", "legal claims"), ("a", "explicit consent"),
    )
)  # fmt: skip
_ROLES: Final = (
    ("separate", "Each is a controller of its own"),
    ("joint", "Joint controllers"),
    ("controller and processor", "One is a controller, the other its processor"),
)


def questions(about: About, answers: Mapping[str, Any]) -> tuple[Question, ...]:
    """The questions in their order; some depend on the dataset or on answers given before."""
    return (*_what(about), *_why(), *_law(about, answers), *_care())


def _what(about: About) -> list[Question]:
    found = [
        Question(
            "columns", "Which columns do you need?", "columns",
            "Ask for the fewest that do. Nothing else can be decrypted for you.",
        ),
        Question("purpose", "What will you use the data for?", hint="One purpose. Every look is logged under it."),
        Question("level", "What do you need to see?", "choice", choices=_LEVELS if about.personal else _LEVELS[:1]),
    ]  # fmt: skip
    if about.plugins:
        found.append(
            Question(
                "plugins", "Which plugins will work on the data?", "plugins",
                "These read the dataset. Choose none if you do not know yet.", False, about.plugins,
            )
        )  # fmt: skip
    return found


def _why() -> list[Question]:
    return [
        Question(
            "subjects", "Whom is the data about?", "line", "Groups, separated by commas: pupils, parents.", False
        ),
        Question("aims", "What do you want to achieve, and how will you see whether you did?"),
        Question("public_benefit", "What do people gain from it?"),
        Question(
            "other_organisations", "Which other organisations are involved?", "line",
            "Separated by commas. Leave it empty if there are none.", False,
        ),
        Question("impact_if_refused", "What happens if you do not get the data?"),
        Question("needed_by", "From when do you need the data?", "day"),
        Question("until", "Until when do you need the data?", "day"),
    ]  # fmt: skip


def _law(about: About, answers: Mapping[str, Any]) -> list[Question]:
    powers = tuple((item.id, f"{item.title} ({item.source})") for item in POWERS.values())
    found = [
        Question(
            "power", "Under which legal power?", "choice",
            choices=(*powers, (_OWN_WORDS, "Another power")),
        )
    ]  # fmt: skip
    power = POWERS.get(str(answers.get("power", "")))
    if power is not None:
        listed = tuple((item.id, item.title) for item in power.objectives)
        found.append(Question("objective", "Which of its objectives do you serve?", "choice", choices=listed))
    else:
        if answers.get("power") == _OWN_WORDS:
            found.append(Question("power_words", "What is the power?", "line", "Act and section.", most=500))
        found.append(Question("objective", "What objective do you serve?", "line", most=500))
    found += [
        Question(
            "legal_advice", "Which legal advice did you take?", hint="Leave it empty if none.", required=False
        ),
        Question("lawful_basis", "What is your basis under UK GDPR Article 6?", "choice", choices=_ARTICLE_6),
    ]
    if about.special(answers.get("columns") or ()):
        found.append(
            Question(
                "special_category_basis", "What is your basis under UK GDPR Article 9?", "choice",
                "You ask for columns that are special categories of personal data.", choices=_ARTICLE_9,
            )
        )  # fmt: skip
        if "9(2)(g)" in str(answers.get("special_category_basis", "")):
            found.append(
                Question(
                    "substantial_public_interest", "Which condition of substantial public interest?",
                    "line", "Data Protection Act 2018, Schedule 1, Part 2: the paragraph.", most=500,
                )
            )  # fmt: skip
    return found


def _care() -> list[Question]:
    return [
        Question(
            "countries", "Which countries outside the UK will the data reach?", "line",
            "Separated by commas. Leave it empty if it stays in the UK.", False,
        ),
        Question("controller_role", "How do the controllers stand to each other?", "choice", choices=_ROLES),
        Question(
            "data_protection_review", "Who looked at data protection, and when?", hint="With the DPIA's reference."
        ),
        Question("security_review", "Who looked at security, and when?"),
        Question("retention_days", "For how many days do you keep results?", "number", most=36525),
        Question("disposal", "What do you do with copies when it ends?"),
        Question("contact", "Whom may people write to about this?", "line", "An address that is read.", most=200),
    ]  # fmt: skip


def checked(question: Question, value: Any, about: About) -> Any:
    """An answer as it is kept: text without white space around it, lists without doubles, a day in ISO 8601.

    Raises:
        Invalid: when it does not answer the question; the field is the question's key.
    """
    problem, kept = _read(question, value, about)
    if problem:
        raise Invalid(f"{question.title} {problem}", fields={question.key: [problem]})
    return kept


def _read(question: Question, value: Any, about: About) -> tuple[str, Any]:
    """What is wrong with an answer (empty when nothing is), and the answer as it is kept."""
    if question.kind in ("columns", "plugins"):
        return _several(question, value, about)
    text = str("" if value is None else value).strip()
    if not text:
        return ("Enter an answer." if question.required else ""), ""
    if any((ord(char) < 32 and char not in "\n\t") or 0xD800 <= ord(char) <= 0xDFFF for char in text):
        return "Leave out control characters.", None
    if question.kind == "choice":
        offered = text in [item for item, _ in question.choices]
        return ("" if offered else "Choose one of those offered."), text
    if question.kind in ("day", "number"):
        return _day(text) if question.kind == "day" else _number(text, question.most)
    if question.kind == "line" and "\n" in text:
        return "Enter one line.", None
    long = len(text) > question.most
    return (f"The answer must be {question.most:,} characters or fewer." if long else ""), text


def _several(question: Question, value: Any, about: About) -> tuple[str, Any]:
    names = [name for name, _ in question.choices]
    offered = [item.name for item in about.contract.columns] if question.kind == "columns" else names
    given = value if isinstance(value, list | tuple) else [] if value in (None, "") else [value]
    if not all(isinstance(item, str) for item in given) or not set(given) <= set(offered):
        return f"Choose from: {', '.join(offered)}.", None
    kept = [name for name in offered if name in given]
    return ("Choose at least one." if question.required and not kept else ""), kept


def _day(text: str) -> tuple[str, Any]:
    try:
        return "", date.fromisoformat(text).isoformat()
    except ValueError:
        return "Enter a real date, as in 2026-03-02.", None


def _number(text: str, most: int) -> tuple[str, Any]:
    if text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= most:
        return "", int(text)
    return f"Enter a whole number from 1 to {most:,}.", None


def unanswered(about: About, answers: Mapping[str, Any]) -> tuple[Question, ...]:
    """The questions that must be answered and are not yet, or whose answer no longer fits."""
    left = []
    for question in questions(about, answers):
        try:
            checked(question, answers.get(question.key), about)
        except Invalid:
            left.append(question)
    if not left and answers["until"] < answers["needed_by"]:
        left = [item for item in questions(about, answers) if item.key == "until"]
    return tuple(left)


#: What an earlier agreement tells about the same questions; purpose, columns and days are asked anew every time.
_CARRIED: Final = (
    "legal_advice", "lawful_basis", "controller_role", "data_protection_review", "security_review", "disposal",
    "substantial_public_interest", "public_benefit",
)  # fmt: skip


def known(about: About, earlier: Iterable[Agreement], today: date) -> tuple[dict[str, Any], dict[str, str]]:
    """Answers that need not be typed again, and where each comes from in words.

    From the contract: columns that are about nobody. From an earlier agreement that the organisation uses, the newest
    about the same data first: power, bases, reviews, retention, contact.
    """
    plain = [item.name for item in about.contract.columns if item.classification in ("open", "official")]
    answers: dict[str, Any] = {
        "needed_by": today.isoformat(),
        "until": (today + timedelta(days=364)).isoformat(),
    }
    sources = {"needed_by": "today", "until": "a year from today"}
    if plain:
        answers["columns"], sources["columns"] = (
            plain,
            "the dataset's contract: the columns that are about nobody",
        )
    if not about.personal:
        answers["level"], sources["level"] = "figures", "the dataset's contract"
    mine = [item for item in earlier if about.organisation in item.organisations]
    if not mine:
        return answers, sources
    best = max(
        mine, key=lambda item: (bool(item.columns_from(about.contract.id, about.publisher)), item.start)
    )
    given: dict[str, Any] = {name: getattr(best, name) for name in _CARRIED}
    known_power = best.known_power is not None
    given |= {
        "power": best.legal_power if known_power else _OWN_WORDS,
        "power_words": "" if known_power else best.legal_power,
        "objective": best.objective, "retention_days": best.retention_days, "contact": best.contact,
        "subjects": ", ".join(best.subjects), "countries": ", ".join(best.countries),
        "special_category_basis": best.special_category_basis,
    }  # fmt: skip
    offered = {item.key: item for item in questions(about, answers | given)}
    for key, value in given.items():
        if value and key in offered:
            try:
                answers[key] = checked(offered[key], value, about)
            except Invalid:
                continue  # said in other words then; it is asked anew
            sources[key] = f"your agreement {best.title}"
    return answers, sources
