"""Asking for data and answering: requests, their questions and what each side does with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from hub.api.common import CursorQuery, Strict, closed_blueprint, decode_cursor, encode_cursor, principal
from hub.workflows import requesting

if TYPE_CHECKING:
    from hub.workflows.hub import Hub
    from hub.workflows.requesting import ListedRequest, ShownRequest


class DataChoice(Schema):
    """An answer that is offered."""

    value = fields.String()
    words = fields.String()


class DataQuestion(Schema):
    """One question, with what is known."""

    key = fields.String()
    title = fields.String()
    kind = fields.String(metadata={"description": "columns, plugins, choice, words, line, day or number"})
    required = fields.Boolean()
    choices = fields.List(fields.Nested(DataChoice))
    answer = fields.Raw(allow_none=True)
    source = fields.String(metadata={"description": "Where an answer comes from that nobody typed."})


class DataQuestionList(Schema):
    """The questions about a dataset; answers can bring further ones."""

    items = fields.List(fields.Nested(DataQuestion))


class NewDataRequest(Strict):
    """A request for a dataset; what is not answered is taken from what is known."""

    dataset = fields.String(required=True, validate=validate.Length(1, 40))
    answers = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 60)), load_default=dict, validate=validate.Length(max=60),
        metadata={"description": "Question -> answer, as /datasets/{dataset}/questions asks."},
    )  # fmt: skip


class DataRequestWords(Strict):
    """What one side says to the other."""

    words = fields.String(required=True, validate=validate.Length(1, 2000))


class DataRequestItem(Schema):
    """A request in a list; organisations are slugs."""

    id = fields.String()
    dataset = fields.String()
    title = fields.String()
    contract = fields.String()
    publisher = fields.String()
    organisation = fields.String()
    state = fields.String()
    agreement = fields.String(allow_none=True)
    created_at = fields.AwareDateTime(format="iso")
    changed_at = fields.AwareDateTime(format="iso")


class DataRequestList(Schema):
    """A page of requests, newest first."""

    items = fields.List(fields.Nested(DataRequestItem))
    next = fields.String(allow_none=True)


class DataRequestStep(Schema):
    """What was done to a request, by whom, with which words."""

    act = fields.String()
    by = fields.String()
    at = fields.AwareDateTime(format="iso")
    words = fields.String()


class DataRequestDetail(DataRequestItem):
    """A request with its answers and its story; `acts` is what you may do now."""

    answers = fields.List(fields.Nested(DataQuestion))
    steps = fields.List(fields.Nested(DataRequestStep))
    acts = fields.List(fields.String())


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint of requests for data."""
    views = closed_blueprint("requests", hub, "Requests for data")
    _asking_views(views, hub)
    _answering_views(views, hub)
    return views


def _asking_views(views: Blueprint, hub: Hub) -> None:
    @views.get("/datasets/<string:dataset>/questions")
    @views.response(200, DataQuestionList)
    def read_questions(dataset: str) -> Any:
        """What you will be asked when you ask for a dataset, with what is known already (analyst)."""
        asked = requesting.prepare(hub, principal(), dataset)
        return {
            "items": [
                _question(item, asked.answers.get(item.key), asked.sources.get(item.key, ""))
                for item in asked.questions
            ]
        }

    @views.post("/requests")
    @views.arguments(NewDataRequest)
    @views.response(201, DataRequestDetail)
    def ask(body: dict[str, Any]) -> Any:
        """Ask for a dataset, in one go (analyst)."""
        made = requesting.ask_all(hub, principal(), body["dataset"], body["answers"])
        return _detail(requesting.read(hub, principal(), made.id))

    @views.post("/requests/<string:request_id>/answer")
    @views.arguments(DataRequestWords)
    @views.response(200, DataRequestDetail)
    def reply(body: dict[str, Any], request_id: str) -> Any:
        """Answer what was asked back (who asked)."""
        requesting.reply(hub, principal(), request_id, body["words"])
        return _detail(requesting.read(hub, principal(), request_id))

    @views.post("/requests/<string:request_id>/withdraw")
    @views.response(200, DataRequestDetail)
    def withdraw(request_id: str) -> Any:
        """Take your request back."""
        requesting.withdraw(hub, principal(), request_id)
        return _detail(requesting.read(hub, principal(), request_id))


def _answering_views(views: Blueprint, hub: Hub) -> None:
    @views.get("/requests")
    @views.arguments(CursorQuery, location="query")
    @views.response(200, DataRequestList)
    def list_requests(query: dict[str, Any]) -> Any:
        """Requests that your organisation made or is asked, newest first."""
        cursor = decode_cursor(query.get("cursor"), (str,))
        found = requesting.list_requests(
            hub, principal(), before=cursor[0] if cursor else None, limit=query["limit"]
        )
        more = len(found) == query["limit"]
        return {
            "items": [_item(item) for item in found],
            "next": encode_cursor(found[-1].request.id) if more else None,
        }

    @views.get("/requests/<string:request_id>")
    @views.response(200, DataRequestDetail)
    def read_request(request_id: str) -> Any:
        """One request with its answers and its story."""
        return _detail(requesting.read(hub, principal(), request_id))

    @views.post("/requests/<string:request_id>/<any(return,refuse,accept):verdict>")
    @views.arguments(DataRequestWords)
    @views.response(200, DataRequestDetail)
    def decide(body: dict[str, Any], request_id: str, verdict: str) -> Any:
        """Ask back, refuse or accept (data steward of the publisher, not who asked); accepting drafts an agreement."""
        requesting.decide(hub, principal(), request_id, verdict, body["words"])
        return _detail(requesting.read(hub, principal(), request_id))


def _question(question: Any, answer: Any, source: str) -> dict[str, Any]:
    return {
        "key": question.key, "title": question.title, "kind": question.kind, "required": question.required,
        "choices": [{"value": value, "words": words} for value, words in question.choices],
        "answer": answer, "source": source,
    }  # fmt: skip


def _item(item: ListedRequest) -> dict[str, Any]:
    request = item.request
    return {
        "id": request.id, "dataset": request.dataset_id, "title": item.title, "contract": request.contract,
        "publisher": request.publisher, "organisation": request.organisation, "state": request.state.value,
        "agreement": request.agreement_id, "created_at": request.created_at, "changed_at": request.changed_at,
    }  # fmt: skip


def _detail(shown: ShownRequest) -> dict[str, Any]:
    request = shown.request
    return {
        "id": request.id, "dataset": request.dataset_id, "title": shown.dataset.title, "contract": request.contract,
        "publisher": request.publisher, "organisation": request.organisation, "state": request.state.value,
        "agreement": shown.agreement or None, "created_at": request.created_at, "changed_at": request.changed_at,
        "answers": [_question(item.question, item.value, item.source) for item in shown.answers],
        "steps": shown.steps, "acts": shown.acts,
    }  # fmt: skip
