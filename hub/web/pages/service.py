"""Pages about the service itself: texts, errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from hub.web.pages.basis import Page

__all__ = ["ErrorPage", "TextPage", "error_page"]


_TEXTS: Final[Mapping[str, str]] = {
    "cookies": "Cookies",
    "privacy": "Privacy: how this hub uses information about people",
    "accessibility": "Accessibility statement",
}


@dataclass(frozen=True, kw_only=True)
class TextPage(Page):
    """A page of words: `name` is cookies, privacy or accessibility; `contact` is whom to ask.

    cookies are (name, what it is for, how long it lasts) each.
    """

    name: str
    contact: str = ""
    cookies: tuple[tuple[str, str, str], ...] = ()

    @property
    def template(self) -> str:  # type: ignore[override]
        """The template named after the page."""
        return f"pages/{self.name}.html"

    @property
    def title(self) -> str:
        """Heading."""
        return _TEXTS[self.name]


@dataclass(frozen=True, kw_only=True)
class ErrorPage(Page):
    """What went wrong and what to do next; request_id lets an operator find it in the log."""

    template: ClassVar[str] = "pages/error.html"

    status: int
    heading: str
    paragraphs: tuple[str, ...]
    detail: str = ""
    request_id: str = ""

    @property
    def title(self) -> str:
        """Heading."""
        return self.heading


_ERRORS: Final[Mapping[int, tuple[str, tuple[str, ...]]]] = {
    400: (
        "The hub could not read what was sent",
        (
            "Go back, check what you entered and try again.",
            "If a form was open for long, open it anew first.",
        ),
    ),
    401: (
        "Sign in first",
        ("You are not signed in, or you were signed out after a while without activity.",),
    ),
    403: (
        "You may not do this",
        ("Your role or your agreements do not allow this. Nothing was shown to you.",),
    ),
    404: (
        "Page not found",
        (
            "If you typed the web address, check it is correct.",
            "If you pasted the web address, check you copied all of it.",
            "It may also be something that you are not allowed to see: the hub does not say which.",
        ),
    ),
    405: ("This page does not do that", ("Go back and use the buttons and links of the page.",)),
    409: ("This is not possible now", ("Something has changed in the meantime. Go back and look again.",)),
    413: ("That was too large", ("Send less at once. Large data comes in through a connector.",)),
    422: ("The hub could not use what was sent", ("Go back and check what you entered.",)),
    429: (
        "Too many requests",
        ("Wait a minute, then try again. This protects the data of the people in the hub.",),
    ),
    500: (
        "Sorry, there is a problem with the hub",
        ("Try again later.", "The problem was written down for the people who run the hub."),
    ),
    503: (
        "Sorry, the hub is not available",
        ("A part it needs is not running. Try again in a few minutes.",),
    ),
}


def error_page(status: int, detail: str = "", request_id: str = "") -> ErrorPage:
    """The page for an HTTP status.

    detail is the hub's own sentence about this case, never an exception's text; it stands in place of what is said
    in general.
    """
    known = status if status in _ERRORS else (400 if status < 500 else 500)
    heading, paragraphs = _ERRORS[known]
    return ErrorPage(
        status=status,
        heading=heading,
        paragraphs=() if detail else paragraphs,
        detail=detail,
        request_id=request_id,
    )
