"""The data sharing agreement as a record the code enforces: its YAML form, checked.

The fields follow the public register of Digital Economy Act agreements and the questions that the UK's Data
Marketplace asks of a share; what the hub decides on is dataset by dataset and column by column. What an agreement is
stands in `hub.policy.record`, its states in `hub.policy.states`.
"""

from __future__ import annotations

from typing import Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate, validates_schema

from hub.errors import Invalid
from hub.policy.generalise import Generalisation, of_columns, parse
from hub.policy.powers import power_problem
from hub.policy.record import HUB_PUBLISHER, HUBS_OWN, OPERATIONS, Agreement, DatasetTerms
from hub.policy.states import TRANSITIONS, AgreementState, move
from hub_schemas.problems import ContractError
from hub_schemas.yamlsafe import read_yaml

__all__ = [
    "HUB_PUBLISHER",
    "OPERATIONS",
    "TRANSITIONS",
    "Agreement",
    "AgreementSchema",
    "AgreementState",
    "DatasetTerms",
    "load_agreement",
    "move",
]

_HUBS_OWN: Final = HUBS_OWN
_NEVER_COARSE: Final = frozenset({"row_number", "person_id", "household_id"})
_MAX_TEXT: Final = 200_000
#: Ids that are words in the addresses of pages.
_TAKEN: Final = ("new", "drafts", "explain", "keys", "upload")


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


def _more(description: str) -> fields.String:
    """A text that may be left out."""
    return fields.String(
        load_default="", validate=validate.Length(max=4000), metadata={"description": description}
    )


def _texts(description: str) -> fields.List:
    """A list of texts that may be left out."""
    return fields.List(
        _text(), load_default=list, validate=validate.Length(max=200), metadata={"description": description}
    )


_TUPLES: Final = (
    "controllers", "organisations", "roles", "datasets", "subjects", "aims", "other_organisations", "processors",
    "countries",
)  # fmt: skip


def _bodies(data: dict[str, Any]) -> set[str]:
    """Everybody who publishes or uses something under an agreement."""
    named = {slug for terms in data["datasets"] for slug in terms.publishers}
    return named | set(data["controllers"]) | set(data["organisations"])


class AgreementSchema(Schema):
    """The YAML form of an agreement; unknown fields are refused."""

    class Meta:
        unknown = RAISE

    id = fields.String(
        required=True,
        metadata={"description": "Its name in addresses and in the audit log; never used for another."},
        validate=validate.Regexp(
            r"\A[a-z][a-z0-9-]{2,63}\Z", error="3 to 64 of a-z, 0-9 and -, a letter first"
        ),
    )
    title = _text(required=True, metadata={"description": "What the agreement is called."})
    purpose = _text(
        required=True,
        metadata={"description": "What the data is used for; every look and run is written down under it."},
    )
    legal_power = _text(
        required=True,
        metadata={
            "description": "The power to share: the id of one the hub knows, or in words (not checked then)."
        },
    )
    objective = _text(
        required=True,
        metadata={
            "description": "What the power is used for: for a known power one of its own objectives, by id."
        },
    )
    public_benefit = _text(required=True, metadata={"description": "What people gain from it."})
    lawful_basis = _text(required=True, metadata={"description": "UK GDPR Article 6."})
    special_category_basis = _text(load_default="none needed", metadata={"description": "UK GDPR Article 9."})
    controllers = fields.List(
        _text(), required=True, validate=validate.Length(1),
        metadata={"description": "Who answers for the data: slugs of organisations of this hub, or names."},
    )  # fmt: skip
    organisations = fields.List(
        _text(), required=True, validate=validate.Length(1),
        metadata={"description": "Who may use the data: slugs."},
    )  # fmt: skip
    roles = fields.List(
        _text(), load_default=list, metadata={"description": "Roles that may use it; any if left out."}
    )
    operations = fields.List(
        fields.String(validate=validate.OneOf(OPERATIONS)), required=True, validate=validate.Length(1),
        metadata={"description": "What may be done with the data."},
    )  # fmt: skip
    plugins = fields.List(
        _text(), load_default=list, metadata={"description": "Which plugins may work on the data."}
    )
    datasets = fields.List(
        fields.Nested(_Terms), required=True, validate=validate.Length(1),
        metadata={"description": "Which columns of whose datasets, and why. No others can be decrypted."},
    )  # fmt: skip
    start = fields.Date(required=True, metadata={"description": "First day."})
    end = fields.Date(
        required=True, metadata={"description": "Last day; the day after, nothing is given any more."}
    )
    retention_days = fields.Integer(
        required=True, strict=True, validate=validate.Range(1, 36525),
        metadata={"description": "After so many days results are destroyed, by shredding their keys."},
    )  # fmt: skip
    minimum_count = fields.Integer(
        load_default=10, strict=True, validate=validate.Range(1, 1000),
        metadata={"description": "Counts below this are hidden."},
    )  # fmt: skip
    round_to = fields.Integer(
        load_default=5, strict=True, validate=validate.Range(1, 100),
        metadata={"description": "Other counts are rounded to multiples of this."},
    )  # fmt: skip
    contact = _text(required=True, metadata={"description": "Whom to ask about this agreement."})
    dpia = _more("Reference of the data protection impact assessment.")
    subjects = _texts("Whom the data is about: groups of people, for example pupils.")
    aims = _texts("What is to be achieved, and how it is seen whether it was.")
    impact_if_refused = _more("What happens if the data is not shared.")
    needed_by = fields.Date(
        load_default=None, allow_none=True, metadata={"description": "The day by which the data is needed."}
    )
    other_organisations = _texts("Others that are involved without using the data.")
    processors = _texts("Who processes the data on behalf of a controller.")
    controller_role = fields.String(
        load_default="separate", validate=validate.OneOf(("separate", "joint", "controller and processor")),
        metadata={"description": "How the controllers stand to each other."},
    )  # fmt: skip
    listed_bodies = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 64)), values=_text(), load_default=dict,
        validate=validate.Length(max=200),
        metadata={
            "description": "For a power that only listed bodies may use: the slug of each body, and its entry in "
            "that list."
        },
    )  # fmt: skip
    legal_advice = _more("Which legal advice was taken.")
    substantial_public_interest = _more("Condition of the Data Protection Act 2018, Schedule 1.")
    countries = _texts("Countries outside the United Kingdom that the data reaches; none if left out.")
    onward_sharing = _more("To whom results may be handed on; to nobody if left out.")
    opt_out = fields.String(
        load_default="",
        validate=validate.OneOf(("", "applies", "does not apply")),
        metadata={
            "description": "Whether the national data opt-out is applied to confidential patient information; it is "
            "where nothing is said."
        },
    )
    opt_out_reason = _more("Why the opt-out does not apply; needed where it does not.")
    individual_care = fields.Boolean(
        load_default=False, truthy={True}, falsy={False},
        metadata={"description": "Whether the data is used for the care of the very people it is about."},
    )  # fmt: skip
    rights_contact = _more("Where people turn to about their rights; the contact if left out.")
    data_protection_review = _more("Who looked at data protection, and when.")
    security_review = _more("Who looked at security, and when.")
    review_date = fields.Date(
        load_default=None,
        allow_none=True,
        metadata={"description": "The day on which it is looked at again."},
    )
    retention_trigger = fields.String(
        load_default="made", validate=validate.OneOf(("made", "end")),
        metadata={
            "description": "From when retention_days count: from when a result was made, or from the agreement's end."
        },
    )  # fmt: skip
    results_at_end = fields.String(
        load_default="closed", validate=validate.OneOf(("readable", "closed", "destroyed")),
        metadata={"description": "What becomes of released results when the agreement ends."},
    )  # fmt: skip
    request = fields.String(
        load_default="",
        validate=validate.Regexp(r"\A(req_[0-9A-Za-z]{1,40})?\Z", error="is no id of an access request"),
        metadata={"description": "The access request that it answers; the hub fills it in."},
    )
    disposal = _more("What those who use it do with copies when it ends.")

    @validates_schema(skip_on_field_errors=True)
    def _plausible(self, data: dict[str, Any], **_: Any) -> None:
        if problem := power_problem(data["legal_power"], data["objective"]):
            raise ValidationError(f"{problem}; choose one of them, or another power", "objective")
        if data["opt_out"] == "does not apply" and not data["opt_out_reason"]:
            raise ValidationError("say why the national data opt-out does not apply", "opt_out_reason")
        if data["opt_out"] == "applies" and data["individual_care"]:
            raise ValidationError(
                "people cannot opt out of their own care: leave one of the two out", "opt_out"
            )
        if data["review_date"] and not data["start"] <= data["review_date"] <= data["end"]:
            raise ValidationError("must lie between start and end", "review_date")
        if strangers := set(data["listed_bodies"]) - _bodies(data):
            raise ValidationError(
                f"names {', '.join(sorted(strangers))}, who neither publish nor use anything under this agreement",
                "listed_bodies",
            )

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
        for name in _TUPLES:
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
