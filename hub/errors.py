"""The errors of the hub: each says what went wrong and what to do next, and which HTTP status it is.

Doors translate them (problem details, an error page, an exit status); nothing below a door knows HTTP beyond
the number kept here. A message never holds personal data.
"""

from __future__ import annotations

from collections.abc import Mapping


class HubError(Exception):
    """Base of every error the hub raises on purpose."""

    status = 500
    title = "The hub could not do this"

    def __init__(self, detail: str, *, fields: Mapping[str, object] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = dict(fields or {})


class Invalid(HubError):
    """What was given cannot be used; `fields` names the places at fault."""

    status = 422
    title = "What was sent is not valid"


class Unauthorised(HubError):
    """No identity, or one that cannot be proved."""

    status = 401
    title = "Sign in first"


class Forbidden(HubError):
    """Known, but not allowed; the detail gives policy's reason in words."""

    status = 403
    title = "Not allowed"


class NotFound(HubError):
    """Not there, or not there for this principal: the two look the same from outside."""

    status = 404
    title = "Not found"


class Conflict(HubError):
    """The state of the thing does not allow this now."""

    status = 409
    title = "Not possible in this state"


class TooLarge(HubError):
    """More was sent than the hub takes in one piece."""

    status = 413
    title = "Too large"


class TooMany(HubError):
    """Asked too often; try again after `retry_after` seconds."""

    status = 429
    title = "Too many requests"

    def __init__(
        self, detail: str, *, retry_after: int = 60, fields: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(detail, fields=fields)
        self.retry_after = retry_after


class Unavailable(HubError):
    """A part the hub needs is missing or not running."""

    status = 503
    title = "Not available now"


class ConfigurationError(HubError):
    """The hub's settings or folder cannot be used; says which setting and how to mend it."""

    title = "The hub is not set up"
