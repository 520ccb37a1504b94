"""People and their accounts, for operators' programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from hub.api.common import CursorQuery, Strict, closed_blueprint, decode_cursor, encode_cursor, principal
from hub.workflows import accounts

if TYPE_CHECKING:
    from hub.workflows.accounts import AccountLine
    from hub.workflows.hub import Hub

_ROLES = validate.Length(1, 10)
_NO_STORE = {"Cache-Control": "no-store"}


class UserItem(Schema):
    """An account. `second_factor`: one is set up; `invited`: a one-time code waits to be used."""

    id = fields.String()
    username = fields.String()
    name = fields.String()
    organisation = fields.String()
    roles = fields.List(fields.String())
    active = fields.Boolean()
    has_password = fields.Boolean()
    second_factor = fields.Boolean()
    invited = fields.Boolean()


class Users(Schema):
    """One page of accounts, by username."""

    items = fields.List(fields.Nested(UserItem))
    next = fields.String(allow_none=True)


class NewUser(Strict):
    """An account to make. Without a password the answer holds a one-time code with which the person chooses one."""

    username = fields.String(required=True, validate=validate.Length(2, 99))
    name = fields.String(required=True, validate=validate.Length(1, 200))
    organisation = fields.String(required=True, validate=validate.Length(1, 64))
    roles = fields.List(fields.String(), required=True, validate=_ROLES)
    password = fields.String(load_only=True, validate=validate.Length(12, 500))


class MadeUser(Schema):
    """The id of the account; `code` where no password was given."""

    id = fields.String()
    code = fields.String()


class UserChange(Strict):
    """What is to change; roles replace those there are."""

    roles = fields.List(fields.String(), validate=_ROLES)
    active = fields.Boolean()


class NewCode(Strict):
    """A one-time code to make; `clear_second_factor` also takes the second factor off when it is used."""

    clear_second_factor = fields.Boolean(load_default=False)


class PasswordCode(Schema):
    """A one-time code. Whoever has it can choose the account's password: give it to the person and to nobody else."""

    code = fields.String()


class Subject(Strict):
    """What the OpenID provider calls the person."""

    subject = fields.String(required=True, validate=validate.Length(1, 255))


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint for operators."""
    views = closed_blueprint("users", hub, "People and their accounts")

    @views.get("/users")
    @views.arguments(CursorQuery, location="query")
    @views.response(200, Users)
    def list_users(query: dict[str, Any]) -> Any:
        """The accounts that one looks after (operator)."""
        return _page(accounts.list_users(hub, principal()), query)

    @views.post("/users")
    @views.arguments(NewUser)
    @views.response(201, MadeUser)
    def add_user(body: dict[str, Any]) -> Any:
        """Make an account (operator)."""
        told = (body["username"], body["name"], body["organisation"], body["roles"])
        if body.get("password") is not None:
            return {"id": accounts.add_user(hub, principal(), *told, body["password"])}
        made, code = accounts.invite(hub, principal(), *told)
        return {"id": made, "code": code}, 201, _NO_STORE

    @views.get("/users/<string:user_id>")
    @views.response(200, UserItem)
    def read_user(user_id: str) -> Any:
        """One account (operator)."""
        return _item(accounts.account(hub, principal(), user_id))

    @views.patch("/users/<string:user_id>")
    @views.arguments(UserChange)
    @views.response(200, UserItem)
    def change_user(body: dict[str, Any], user_id: str) -> Any:
        """Change somebody's roles, or close or open their account (operator; never one's own)."""
        accounts.change(hub, principal(), user_id, roles=body.get("roles"), active=body.get("active"))
        return _item(accounts.account(hub, principal(), user_id))

    @views.post("/users/<string:user_id>/codes")
    @views.arguments(NewCode)
    @views.response(201, PasswordCode)
    def make_code(body: dict[str, Any], user_id: str) -> Any:
        """A one-time code for somebody who cannot sign in any more (operator)."""
        code = accounts.reset(hub, principal(), user_id, clear_factor=body["clear_second_factor"])
        return {"code": code}, 201, _NO_STORE

    @views.put("/users/<string:user_id>/subject")
    @views.arguments(Subject)
    @views.response(204)
    def bind_user(body: dict[str, Any], user_id: str) -> None:
        """Let somebody sign in through the OpenID provider (operator)."""
        accounts.bind(hub, principal(), user_id, body["subject"])

    @views.delete("/users/<string:user_id>/sessions")
    @views.response(204)
    def end_sessions(user_id: str) -> None:
        """Sign somebody out everywhere (operator)."""
        accounts.end_sessions_of(hub, principal(), user_id)

    return views


def _page(found: list[AccountLine], query: dict[str, Any]) -> dict[str, Any]:
    after = decode_cursor(query.get("cursor"), (str,))
    rest = [item for item in found if after is None or item.account.username.lower() > after[0]]
    shown = rest[: query["limit"]]
    more = len(rest) > len(shown)
    return {
        "items": [_item(item) for item in shown],
        "next": encode_cursor(shown[-1].account.username.lower()) if more else None,
    }


def _item(line: AccountLine) -> dict[str, Any]:
    found = line.account
    return {
        "id": found.id, "username": found.username, "name": found.name, "organisation": found.organisation,
        "roles": list(found.roles), "active": found.active, "has_password": found.has_password,
        "second_factor": line.second_factor, "invited": line.invited,
    }  # fmt: skip
