"""Datasets and their contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from hub.api.common import CursorQuery, Strict, closed_blueprint, decode_cursor, encode_cursor, principal
from hub.catalogue.search import FACETS, Filters, Freshness, Sort
from hub.catalogue.terms import FREQUENCIES, SENSITIVITIES
from hub.errors import Invalid
from hub.workflows import contracting, finding, overview

if TYPE_CHECKING:
    from hub.workflows.hub import Hub


class ContractRef(Schema):
    """Which contract, exactly."""

    id = fields.String()
    version = fields.String()
    digest = fields.String()


class PutDataset(Strict):
    """A contract to publish."""

    contract = fields.String(
        required=True,
        validate=validate.Length(1, 1_000_000),
        metadata={"description": "The contract as ODCS YAML."},
    )


class DatasetRef(Schema):
    """A dataset with the contract in force."""

    id = fields.String()
    name = fields.String(metadata={"description": "organisation/contract"})
    title = fields.String()
    contract = fields.Nested(ContractRef)


class ProposalRef(Schema):
    """A proposed contract that waits for a data steward of one of the organisations named."""

    id = fields.String()
    version = fields.String()
    digest = fields.String()
    waits_for = fields.List(fields.String())


class PublishedDataset(DatasetRef):
    """A dataset with the contract in force, and the proposal when the contract sent is held as one."""

    proposal = fields.Nested(ProposalRef, allow_none=True)


class VersionRef(Schema):
    """An accepted version."""

    id = fields.String()
    number = fields.Integer()
    rows = fields.Integer()
    accepted_at = fields.AwareDateTime(format="iso")
    period_start = fields.String(allow_none=True)
    period_end = fields.String(allow_none=True)


class SearchQuery(CursorQuery):
    """What is looked for: words (each must begin one that stands in title, description, columns or publisher)."""

    q = fields.String(load_default="", validate=validate.Length(max=500), metadata={"description": "Words."})
    organisation = fields.String(load_default="", metadata={"description": "The publisher's slug."})
    contract = fields.String(load_default="", metadata={"description": "A contract's id."})
    domain = fields.String(metadata={"description": "The contract's domain."})
    sensitivity = fields.String(
        validate=validate.OneOf([*SENSITIVITIES]), metadata={"description": "Of the most sensitive column."}
    )
    current = fields.Boolean(metadata={"description": "Whether there is an accepted version."})
    freshness = fields.Enum(
        Freshness, by_value=True, metadata={"description": "Whether its last version came when it was due."}
    )
    frequency = fields.String(validate=validate.OneOf([*FREQUENCIES]), metadata={"description": "How often."})
    sort = fields.String(load_default="title", validate=validate.OneOf([*Sort]))
    counts = fields.Boolean(
        load_default=False,
        metadata={"description": "Also how many there are, and how many each filter would leave."},
    )


class Count(Schema):
    """How many datasets a value of a filter leaves, the other filters being as they are."""

    value = fields.Raw()
    datasets = fields.Integer()


class DatasetItem(Schema):
    """A dataset with its current version."""

    id = fields.String()
    name = fields.String()
    title = fields.String()
    organisation = fields.String()
    contract = fields.String()
    version = fields.Nested(VersionRef, allow_none=True)
    visibility = fields.String(metadata={"description": "listed or private"})
    domain = fields.String()
    sensitivity = fields.String()
    frequency = fields.String(metadata={"description": "How often it is renewed; empty where nobody said."})
    freshness = fields.String(metadata={"description": "on time, late or not stated"})


class DatasetList(Schema):
    """A page of datasets."""

    items = fields.List(fields.Nested(DatasetItem))
    next = fields.String(allow_none=True)
    total = fields.Integer(allow_none=True, metadata={"description": "Null unless counts were asked for."})
    counts = fields.Dict(
        keys=fields.String(), values=fields.List(fields.Nested(Count)), allow_none=True,
        metadata={"description": "By filter; null unless asked for."},
    )  # fmt: skip


class DatasetDetail(DatasetRef):
    """A dataset with its versions, newest first."""

    organisation = fields.String()
    visibility = fields.String(metadata={"description": "listed or private"})
    sensitivity = fields.String()
    frequency = fields.String(metadata={"description": "How often it is renewed; empty where nobody said."})
    freshness = fields.String(metadata={"description": "on time, late or not stated"})
    due = fields.AwareDateTime(format="iso", allow_none=True)
    versions = fields.List(fields.Nested(VersionRef))


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint of the catalogue."""
    views = closed_blueprint("datasets", hub, "Datasets and contracts")

    @views.put("/datasets/<string:dataset>")
    @views.arguments(PutDataset)
    @views.response(200, PublishedDataset)
    @views.alt_response(201, schema=PublishedDataset, success=True)
    @views.alt_response(202, schema=PublishedDataset, success=True, description="Held as proposed.")
    def put_dataset(body: dict[str, Any], dataset: str) -> Any:
        """Publish a contract and make your organisation's dataset under it; doing it again changes nothing.

        A compatible change of a contract is in force at once. A breaking one is held as proposed (202) until a data
        steward of those concerned accepts it; deliveries under it are refused (409) meanwhile.
        """
        who = principal()
        done = contracting.put_dataset(hub, who, dataset, body["contract"])
        name = f"{who.organisation}/{done.contract.id}"
        answer = {
            "id": done.dataset.id, "name": name, "title": done.dataset.title, "contract": done.contract,
            "proposal": None,
        }  # fmt: skip
        if done.proposal is not None:
            proposal = done.proposal
            answer["proposal"] = {
                "id": proposal.id, "version": proposal.version, "digest": proposal.digest,
                "waits_for": done.judged.waits_for,
            }  # fmt: skip
        return answer, 202 if done.proposal is not None else 201 if done.made else 200

    @views.get("/datasets")
    @views.arguments(SearchQuery, location="query")
    @views.response(200, DatasetList)
    def list_datasets(query: dict[str, Any]) -> Any:
        """Datasets that you may know of: searched, filtered and sorted."""
        return _list(hub, query)

    @views.get("/datasets/<string:dataset>")
    @views.response(200, DatasetDetail)
    def read_dataset(dataset: str) -> Any:
        """One dataset with its versions."""
        page = overview.dataset_page(hub, principal(), dataset)
        known = finding.known(hub, principal(), dataset)
        return {
            "id": dataset, "name": f"{page.organisation.slug}/{page.dataset.contract}", "title": page.dataset.title,
            "organisation": page.organisation.slug, "contract": page.contract, "versions": page.versions,
            "visibility": page.dataset.visibility, "sensitivity": known.entry.sensitivity,
            "frequency": known.entry.frequency, "freshness": known.coverage.freshness.value, "due": known.coverage.due,
        }  # fmt: skip

    @views.get("/datasets/<string:dataset>/contract")
    @views.response(200, content_type="application/yaml", description="The contract as it was published.")
    def read_contract(dataset: str) -> Any:
        """The dataset's contract as ODCS YAML."""
        page = overview.dataset_page(hub, principal(), dataset)
        return Response(page.contract.text, content_type="application/yaml; charset=utf-8")

    return views


def _list(hub: Hub, query: dict[str, Any]) -> dict[str, Any]:
    filters = {name: query.get(name) for name in FACETS if name != "organisation"}
    found = finding.find(
        hub, principal(), Filters(query["q"], query["contract"], **filters), organisation=query["organisation"],
        sort=query["sort"], after=_place(query.get("cursor"), query["sort"]), limit=query["limit"],
        counts=query["counts"],
    )  # fmt: skip
    slugs = {ident: home.slug for ident, home in found.organisations.items()}
    items = [
        {
            "id": line.dataset.id, "name": f"{slugs[line.dataset.organisation_id]}/{line.dataset.contract}",
            "title": line.dataset.title, "organisation": slugs[line.dataset.organisation_id],
            "contract": line.dataset.contract, "version": line.version, "visibility": line.dataset.visibility,
            "domain": line.domain, "sensitivity": line.sensitivity, "frequency": line.frequency,
            "freshness": line.freshness.value,
        }
        for line in found.lines
    ]  # fmt: skip
    counts = None
    if found.facets is not None:
        counts = {
            name: [
                {"value": slugs[value] if name == "organisation" else value, "datasets": number}
                for value, number in sorted(
                    found.facets[name].items(), key=lambda pair: (-pair[1], str(pair[0]))
                )
            ]
            for name in FACETS
        }
    more = encode_cursor(query["sort"], *found.after) if found.after is not None else None
    return {"items": items, "next": more, "total": found.total, "counts": counts}


def _place(cursor: str | None, sort: str) -> tuple[str, ...]:
    """The place in a cursor, which is one of this order."""
    values = decode_cursor(cursor, (str,) * (4 if sort == Sort.ORGANISATION else 3))
    if values is None:
        return ()
    if values[0] != sort:
        raise Invalid("This cursor belongs to another order; start without a cursor.")
    return tuple(values[1:])
