"""The data sharing agreement as a record the code enforces.

The fields follow the public register of Digital Economy Act agreements and the questions that the UK's Data
Marketplace asks of a share; what the hub decides on is dataset by dataset and column by column.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate, validates_schema

from hub.errors import Invalid
from hub.policy.generalise import Generalisation, of_columns, parse
from hub_schemas.problems import ContractError
from hub_schemas.yamlsafe import read_yaml

__all__ = [
    "HUB_PUBLISHER",
    "OPERATIONS",
    "Agreement",
    "AgreementState",
    "DatasetTerms",
    "load_agreement",
    "move",
]

#: Who publishes the hub's own datasets (contracts that start with `hub.`): nobody else can.
HUB_PUBLISHER: Final = "hub"
_HUBS_OWN: Final = "hub."
_NEVER_COARSE: Final = frozenset({"row_number", "person_id", "household_id"})

#: What an agreement may allow.
OPERATIONS: Final = (
    "link", "run plugin", "read aggregate", "read person", "re-identify", "prefill", "alert", "export",
)  # fmt: skip
_MAX_TEXT: Final = 200_000


class AgreementState(StrEnum):
    """The life of an agreement."""

    DRAFT = "draft"
    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


#: Allowed transitions: (from, act) -> to.
TRANSITIONS: Final[dict[tuple[AgreementState, str], AgreementState]] = {
    (AgreementState.DRAFT, "activate"): AgreementState.ACTIVE,
    (AgreementState.DRAFT, "withdraw"): AgreementState.WITHDRAWN,
    (AgreementState.ACTIVE, "withdraw"): AgreementState.WITHDRAWN,
    (AgreementState.ACTIVE, "expire"): AgreementState.EXPIRED,
}


def move(state: AgreementState, act: str) -> AgreementState:
    """The state after an act.

    Raises:
        KeyError: when the table has no such transition.
    """
    return TRANSITIONS[state, act]


@dataclass(frozen=True)
class DatasetTerms:
    """What an agreement gives of one dataset: its contract id, the columns, why they are needed, and from whom.

    `publishers` are slugs of the organisations whose data this is; empty stands for the agreement's controllers.
    `generalise` are the columns that are given less exactly than they were sent.
    """

    contract: str
    columns: frozenset[str]
    why: str = ""
    publishers: tuple[str, ...] = ()
    generalise: tuple[Generalisation, ...] = ()


@dataclass(frozen=True)
class Agreement:
    """A data sharing agreement. Dates are inclusive; `organisations` are the slugs of those who may use it."""

    id: str
    title: str
    purpose: str
    legal_power: str
    objective: str
    public_benefit: str
    lawful_basis: str
    special_category_basis: str
    controllers: tuple[str, ...]
    organisations: tuple[str, ...]
    roles: tuple[str, ...]
    operations: frozenset[str]
    plugins: frozenset[str]
    datasets: tuple[DatasetTerms, ...]
    start: date
    end: date
    retention_days: int
    minimum_count: int
    round_to: int
    contact: str
    dpia: str = ""
    state: AgreementState = AgreementState.DRAFT

    def columns_of(self, contract: str) -> frozenset[str]:
        """The columns this agreement names of a contract, whoever publishes under it; empty when it names none."""
        return frozenset().union(*(terms.columns for terms in self.datasets if terms.contract == contract))

    def columns_from(self, contract: str, publisher: str) -> frozenset[str]:
        """The columns this agreement gives of what one organisation (slug) publishes; empty when it gives none."""
        return frozenset().union(
            *(
                terms.columns
                for terms in self.datasets
                if terms.contract == contract and publisher and publisher in self.publishers_in(terms)
            )
        )

    def generalised(self, contract: str) -> tuple[Generalisation, ...]:
        """How columns of a contract are given that are not given exactly; all its entries say the same."""
        found = [item for terms in self.datasets if terms.contract == contract for item in terms.generalise]
        return of_columns(found, self.columns_of(contract))

    def publishers_of(self, contract: str) -> tuple[str, ...]:
        """Whose data under a contract this agreement is about: slugs, in the order in which they are named."""
        named = (self.publishers_in(terms) for terms in self.datasets if terms.contract == contract)
        return tuple(dict.fromkeys(slug for slugs in named for slug in slugs))

    def publishers_in(self, terms: DatasetTerms) -> tuple[str, ...]:
        """Whose data one entry of this agreement is about.

        The hub's own datasets are the hub's. Of others, those the entry names; when it names nobody, the controllers
        that are written as slugs: a controller written as a name is no organisation of the hub and so gives nothing.
        """
        if terms.contract.startswith(_HUBS_OWN):
            return (HUB_PUBLISHER,)
        return terms.publishers or self.controllers


class _Terms(Schema):
    class Meta:
        unknown = RAISE

    contract = fields.String(required=True, validate=validate.Length(1, 200))
    columns = fields.List(
        fields.String(validate=validate.Length(1, 200)), required=True, validate=validate.Length(1)
    )
    why = fields.String(load_default="", validate=validate.Length(max=2000))
    publishers = fields.List(
        fields.String(
            validate=validate.Regexp(
                r"\A[a-z][a-z0-9-]{1,62}\Z",
                error="is no slug of an organisation; `hub orgs list` shows them, for example wexbourne-housing",
            )
        ),
        load_default=list,
        validate=validate.Length(1, 200, error="name at least one, or leave it out for the controllers"),
    )
    generalise = fields.Dict(
        keys=fields.String(), values=fields.String(), load_default=dict, validate=validate.Length(max=500)
    )

    @validates_schema(skip_on_field_errors=True)
    def _coarse(self, data: dict[str, Any], **_: Any) -> None:
        wrong = {}
        for column, text in data["generalise"].items():
            if column in _NEVER_COARSE:
                wrong[column] = ["is the hub's own: a pseudonym or a number that names nobody"]
            elif column not in data["columns"]:
                wrong[column] = ["is not among the columns of this entry"]
            else:
                try:
                    parse(column, text)
                except ValueError as error:
                    wrong[column] = [str(error)]
        if wrong:
            raise ValidationError(wrong, "generalise")

    @validates_schema(skip_on_field_errors=True)
    def _own(self, data: dict[str, Any], **_: Any) -> None:
        if data["contract"].startswith(_HUBS_OWN) and data["publishers"] not in ([], [HUB_PUBLISHER]):
            raise ValidationError("the hub itself makes this dataset; leave publishers out", "publishers")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> DatasetTerms:
        publishers = tuple(dict.fromkeys(data["publishers"]))
        coarse = of_columns(
            [parse(*item) for item in data["generalise"].items()], frozenset(data["generalise"])
        )
        return DatasetTerms(data["contract"], frozenset(data["columns"]), data["why"], publishers, coarse)


def _text(**options: Any) -> fields.String:
    return fields.String(validate=validate.Length(1, 4000), **options)


class AgreementSchema(Schema):
    """The YAML form of an agreement; unknown fields are refused."""

    class Meta:
        unknown = RAISE

    id = fields.String(
        required=True,
        validate=validate.Regexp(
            r"\A[a-z][a-z0-9-]{2,63}\Z", error="3 to 64 of a-z, 0-9 and -, a letter first"
        ),
    )
    title = _text(required=True)
    purpose = _text(required=True)
    legal_power = _text(required=True)
    objective = _text(required=True)
    public_benefit = _text(required=True)
    lawful_basis = _text(required=True)
    special_category_basis = _text(load_default="none needed")
    controllers = fields.List(_text(), required=True, validate=validate.Length(1))
    organisations = fields.List(_text(), required=True, validate=validate.Length(1))
    roles = fields.List(_text(), load_default=list)
    operations = fields.List(
        fields.String(validate=validate.OneOf(OPERATIONS)), required=True, validate=validate.Length(1)
    )
    plugins = fields.List(_text(), load_default=list)
    datasets = fields.List(fields.Nested(_Terms), required=True, validate=validate.Length(1))
    start = fields.Date(required=True)
    end = fields.Date(required=True)
    retention_days = fields.Integer(required=True, strict=True, validate=validate.Range(1, 36525))
    minimum_count = fields.Integer(load_default=10, strict=True, validate=validate.Range(1, 1000))
    round_to = fields.Integer(load_default=5, strict=True, validate=validate.Range(1, 100))
    contact = _text(required=True)
    dpia = fields.String(load_default="", validate=validate.Length(max=4000))

    @validates_schema(skip_on_field_errors=True)
    def _consistent(self, data: dict[str, Any], **_: Any) -> None:
        if data["end"] < data["start"]:
            raise ValidationError("must not lie before start", "end")
        if data["plugins"] and "run plugin" not in data["operations"]:
            raise ValidationError("names plugins, so `run plugin` must be among the operations", "operations")
        if "re-identify" in data["operations"] and "link" not in data["operations"]:
            raise ValidationError(
                "`re-identify` is about linked people, so `link` belongs to it", "operations"
            )
        _same_everywhere(data["datasets"])

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Agreement:
        for name in ("controllers", "organisations", "roles", "datasets"):
            data[name] = tuple(data[name])
        for name in ("operations", "plugins"):
            data[name] = frozenset(data[name])
        return Agreement(**data)


def _same_everywhere(entries: list[DatasetTerms]) -> None:
    """Refuse an agreement that gives a column coarsely in one entry and otherwise in another of the same contract."""
    said: dict[tuple[str, str], Generalisation | None] = {}
    for terms in entries:
        coarse = {item.column: item for item in terms.generalise}
        for column in sorted(terms.columns):
            this = coarse.get(column)
            if said.setdefault((terms.contract, column), this) != this:
                raise ValidationError(
                    f"give {column} of {terms.contract} in two ways; whoever publishes it, generalise it the same",
                    "datasets",
                )


def load_agreement(text: str) -> Agreement:
    """An agreement from its YAML, in the state draft.

    Raises:
        Invalid: naming each field at fault.
    """
    if len(text) > _MAX_TEXT:
        raise Invalid(f"An agreement may have at most {_MAX_TEXT} characters.")
    try:
        document = read_yaml(text)
    except ContractError as error:
        raise Invalid(f"The agreement cannot be used: {error}") from None
    if _strange(document):
        raise Invalid("The agreement holds characters that cannot be printed; write it as plain text.")
    if not isinstance(document, dict):
        raise Invalid("An agreement is a YAML mapping of fields such as id, title, purpose and datasets.")
    try:
        return AgreementSchema().load(document)
    except ValidationError as error:
        raise Invalid(
            "The agreement is not complete or not valid.", fields=error.normalized_messages()
        ) from None


def _strange(value: Any) -> bool:
    """Whether a text in it holds half a character or a control character: it could not be stored or shown."""
    if isinstance(value, str):
        return any((ord(char) < 32 and char not in "\n\t") or 0xD800 <= ord(char) <= 0xDFFF for char in value)
    if isinstance(value, dict):
        return any(_strange(item) for pair in value.items() for item in pair)
    return isinstance(value, list) and any(_strange(item) for item in value)
