"""The catalogue: describing datasets and who finds them, lineage, and the whole of it as linked data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import Schema, fields, post_load, validate

from hub.api.common import Strict, closed_blueprint, principal
from hub.catalogue.record import Record
from hub.catalogue.terms import ACCESS, CLASSIFICATIONS, FREQUENCIES, LANGUAGES
from hub.policy.listing import Visibility
from hub.workflows import catalogue_export, describing, finding, tracing

if TYPE_CHECKING:
    from hub.workflows.catalogue_export import Export
    from hub.workflows.hub import Hub

_TURTLE: Final = "text/turtle"
_JSONLD: Final = "application/ld+json"
_ONE_OF: Final = "Empty for what the contract or the hub says; else one of: "


def _texts(description: str) -> fields.List:
    one = fields.String(validate=validate.Length(1, 500))
    return fields.List(one, validate=validate.Length(max=20), metadata={"description": description})


def _text(description: str, most: int = 500) -> fields.String:
    return fields.String(validate=validate.Length(max=most), metadata={"description": description})


class RecordBody(Strict):
    """What a data steward says of a dataset; a field that is empty or left out is left to the contract or the hub."""

    summary = _text("One line about it.", 250)
    keywords = _texts("Words under which others look for it.")
    contact_name = _text("Whom to ask: a team, rather than a person.", 200)
    contact_email = _text("Their email address.", 254)
    licence = _text("The address of a licence; empty for a data sharing agreement.")
    themes = _texts("Codes of the EU's table data-theme.")
    frequency = _text(_ONE_OF + ", ".join(filter(None, FREQUENCIES)), 20)
    spatial = _texts("Addresses of places, for example https://sws.geonames.org/6269131/")
    language = _text(_ONE_OF + ", ".join(LANGUAGES), 10)
    access = _text(_ONE_OF + ", ".join(ACCESS), 20)
    classification = _text(_ONE_OF + ", ".join(CLASSIFICATIONS), 20)
    govuk_organisation = _text("The publisher's slug on GOV.UK.", 200)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Record:
        return Record(
            **{name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
        )


class DescribedAnswer(RecordBody):
    """What is known of a dataset, from contract, steward and hub together."""

    title = fields.String()
    description = fields.String()
    version = fields.String(metadata={"description": "Of the contract."})
    contact_url = fields.String()
    documents = fields.List(fields.String())
    said = fields.Dict(
        keys=fields.String(), values=fields.String(),
        metadata={"description": "Who said what: steward, contract, hub, or nobody (empty)."},
    )  # fmt: skip


class MetadataAnswer(Schema):
    """What a steward said of a dataset, and what is known of it with that."""

    id = fields.String()
    visibility = fields.String(metadata={"description": "listed or private"})
    sensitivity = fields.String()
    domain = fields.String()
    record = fields.Nested(RecordBody)
    known = fields.Nested(DescribedAnswer)


class VisibilityBody(Strict):
    """Who finds a dataset."""

    visibility = fields.String(required=True, validate=validate.OneOf([*Visibility]))


class VisibilityAnswer(Schema):
    """Who finds a dataset now."""

    id = fields.String()
    visibility = fields.String()


class PlaceAnswer(Schema):
    """Something in a lineage."""

    id = fields.String()
    kind = fields.String(metadata={"description": "delivery, version, run or result"})
    title = fields.String()
    at = fields.AwareDateTime(format="iso")
    state = fields.String()
    dataset = fields.String(attribute="dataset_id", metadata={"description": "Of a version; else empty."})
    number = fields.Integer(allow_none=True, metadata={"description": "Of a version."})


class EdgeAnswer(Schema):
    """Something was made from something else."""

    cause = fields.String()
    effect = fields.String()


class LineageAnswer(Schema):
    """What came before a dataset's newest versions, these versions, and what came after."""

    upstream = fields.List(fields.Nested(PlaceAnswer))
    versions = fields.List(fields.Nested(PlaceAnswer))
    downstream = fields.List(fields.Nested(PlaceAnswer))
    edges = fields.List(fields.Nested(EdgeAnswer))


class ExportQuery(Strict):
    """Which profile."""

    profile = fields.String(
        data_key="as", load_default="dcat-ap", validate=validate.OneOf(catalogue_export.PROFILES),
        metadata={"description": "dcat-ap: DCAT-AP 3; uk: UK Cross-Government Metadata Exchange Model."},
    )  # fmt: skip


class CatalogueQuery(ExportQuery):
    """Which profile, and whether with private datasets."""

    private = fields.Boolean(
        load_default=False,
        metadata={"description": "Also the private datasets you may know of: then do not give it away."},
    )


def _form() -> str:
    """The format that the request accepts; JSON-LD where it does not mind."""
    best = request.accept_mimetypes.best_match([_JSONLD, _TURTLE], _JSONLD)
    return "turtle" if best == _TURTLE else "jsonld"


def _answer(export: Export) -> Response:
    return Response(
        export.pieces,
        content_type=export.content_type,
        headers={"Vary": "Accept", "Cache-Control": "no-store"},
    )


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint of describing, lineage and exports."""
    views = closed_blueprint("catalogue", hub, "The catalogue")
    _describing(hub, views)
    _exports(hub, views)
    return views


def _describing(hub: Hub, views: Blueprint) -> None:
    def answer(dataset: str) -> dict[str, Any]:
        known = finding.known(hub, principal(), dataset)
        return {
            "id": dataset, "visibility": known.dataset.visibility, "sensitivity": known.entry.sensitivity,
            "domain": known.entry.domain, "record": known.entry.record, "known": known.entry.described,
        }  # fmt: skip

    @views.get("/datasets/<string:dataset>/metadata")
    @views.response(200, MetadataAnswer)
    def read_metadata(dataset: str) -> Any:
        """What is known of a dataset, and who said it."""
        return answer(dataset)

    @views.put("/datasets/<string:dataset>/metadata")
    @views.arguments(RecordBody)
    @views.response(200, MetadataAnswer)
    def put_metadata(body: Record, dataset: str) -> Any:
        """Describe a dataset of your organisation; what was said before is replaced as a whole."""
        describing.describe(hub, principal(), dataset, body)
        return answer(dataset)

    @views.put("/datasets/<string:dataset>/visibility")
    @views.arguments(VisibilityBody)
    @views.response(200, VisibilityAnswer)
    def put_visibility(body: dict[str, str], dataset: str) -> Any:
        """Say who finds a dataset of your organisation: everybody signed in, or only those concerned."""
        return describing.set_visibility(hub, principal(), dataset, body["visibility"])

    @views.get("/datasets/<string:dataset>/lineage")
    @views.response(200, LineageAnswer)
    def read_lineage(dataset: str) -> Any:
        """What a dataset's newest versions came from and what came of them, as far as you may see it."""
        found = tracing.trace(hub, principal(), dataset)
        edges = [{"cause": cause, "effect": effect} for cause, effect in found.edges]
        return {
            "upstream": found.upstream, "versions": found.versions, "downstream": found.downstream, "edges": edges,
        }  # fmt: skip


def _exports(hub: Hub, views: Blueprint) -> None:
    def whole(query: dict[str, Any], form: str) -> Response:
        return _answer(
            catalogue_export.export(hub, principal(), query["profile"], form, private=query["private"])
        )

    def one(query: dict[str, Any], dataset: str, form: str) -> Response:
        return _answer(catalogue_export.export_dataset(hub, principal(), dataset, query["profile"], form))

    @views.get("/catalogue")
    @views.arguments(CatalogueQuery, location="query")
    @views.response(
        200, content_type=_JSONLD, description="JSON-LD, or Turtle where Accept asks for text/turtle."
    )
    def read_catalogue(query: dict[str, Any]) -> Any:
        """The catalogue as linked data, in the format that Accept asks for."""
        return whole(query, _form())

    @views.get("/catalogue.jsonld")
    @views.arguments(CatalogueQuery, location="query")
    @views.response(200, content_type=_JSONLD, description="JSON-LD.")
    def read_catalogue_jsonld(query: dict[str, Any]) -> Any:
        """The catalogue as JSON-LD."""
        return whole(query, "jsonld")

    @views.get("/catalogue.ttl")
    @views.arguments(CatalogueQuery, location="query")
    @views.response(200, content_type=_TURTLE, description="Turtle.")
    def read_catalogue_turtle(query: dict[str, Any]) -> Any:
        """The catalogue as Turtle."""
        return whole(query, "turtle")

    @views.get("/catalogue/<string:dataset>")
    @views.arguments(ExportQuery, location="query")
    @views.response(
        200, content_type=_JSONLD, description="JSON-LD, or Turtle where Accept asks for text/turtle."
    )
    def read_record(query: dict[str, Any], dataset: str) -> Any:
        """One dataset as linked data, in the format that Accept asks for."""
        return one(query, dataset, _form())

    @views.get("/catalogue/<string:dataset>.jsonld")
    @views.arguments(ExportQuery, location="query")
    @views.response(200, content_type=_JSONLD, description="JSON-LD.")
    def read_record_jsonld(query: dict[str, Any], dataset: str) -> Any:
        """One dataset as JSON-LD."""
        return one(query, dataset, "jsonld")

    @views.get("/catalogue/<string:dataset>.ttl")
    @views.arguments(ExportQuery, location="query")
    @views.response(200, content_type=_TURTLE, description="Turtle.")
    def read_record_turtle(query: dict[str, Any], dataset: str) -> Any:
        """One dataset as Turtle."""
        return one(query, dataset, "turtle")
