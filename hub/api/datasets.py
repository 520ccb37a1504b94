"""Datasets and their contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from hub.api.common import CursorQuery, Strict, closed_blueprint, decode_cursor, encode_cursor, principal
from hub.workflows import contracting, overview

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


class DatasetItem(Schema):
    """A dataset with its current version."""

    id = fields.String()
    name = fields.String()
    title = fields.String()
    organisation = fields.String()
    contract = fields.String()
    version = fields.Nested(VersionRef, allow_none=True)


class DatasetList(Schema):
    """A page of datasets."""

    items = fields.List(fields.Nested(DatasetItem))
    next = fields.String(allow_none=True)


class DatasetDetail(DatasetRef):
    """A dataset with its versions, newest first."""

    organisation = fields.String()
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
    @views.arguments(CursorQuery, location="query")
    @views.response(200, DatasetList)
    def list_datasets(query: dict[str, Any]) -> Any:
        """Datasets by id."""
        cursor = decode_cursor(query.get("cursor"), (str,))
        found = overview.datasets_page(
            hub, principal(), after=cursor[0] if cursor else "", limit=query["limit"]
        )
        items = [
            {
                "id": dataset.id, "name": f"{home.slug}/{dataset.contract}", "title": dataset.title,
                "organisation": home.slug, "contract": dataset.contract, "version": version,
            }
            for dataset, home, version in found
        ]  # fmt: skip
        return {
            "items": items,
            "next": encode_cursor(found[-1][0].id) if len(found) == query["limit"] else None,
        }

    @views.get("/datasets/<string:dataset>")
    @views.response(200, DatasetDetail)
    def read_dataset(dataset: str) -> Any:
        """One dataset with its versions."""
        page = overview.dataset_page(hub, principal(), dataset)
        return {
            "id": dataset, "name": f"{page.organisation.slug}/{page.dataset.contract}", "title": page.dataset.title,
            "organisation": page.organisation.slug, "contract": page.contract, "versions": page.versions,
        }  # fmt: skip

    @views.get("/datasets/<string:dataset>/contract")
    @views.response(200, content_type="application/yaml", description="The contract as it was published.")
    def read_contract(dataset: str) -> Any:
        """The dataset's contract as ODCS YAML."""
        page = overview.dataset_page(hub, principal(), dataset)
        return Response(page.contract.text, content_type="application/yaml; charset=utf-8")

    return views
