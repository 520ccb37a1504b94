"""Templates: where they are found, what they may call, and the one function that renders a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from flask import Flask, Response, current_app, get_flashed_messages, make_response, render_template
from jinja2 import ChoiceLoader, PackageLoader, PrefixLoader, Undefined, UndefinedError
from markupsafe import Markup

from hub.web import words
from hub.web.charts.svg import element
from hub.web.pages import Page, Shell, in_words
from hub.web.routes import NAVIGATION
from hub.web.text import clean, number

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["CONTENT_SECURITY_POLICY", "install", "render"]

#: Nothing inline, nothing from elsewhere, no frames. Charts are SVG in the page, styled by classes.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class StrictOnPages(Undefined):
    """A name that a page does not have is an error.

    GOV.UK's macros may still ask dictionaries for what is not there.
    """

    def __init__(
        self, hint: str | None = None, obj: Any = None, name: str | None = None, exc: Any = UndefinedError
    ) -> None:
        super().__init__(hint, *(() if obj is None else (obj,)), name=name, exc=exc)
        if is_dataclass(obj) or (obj is None and name in ("page", "shell")):
            raise UndefinedError(f"{type(obj).__name__} has no {name!r}")


def install(app: Flask, shell: Callable[[], Shell], timezone: str = "Europe/London") -> None:
    """Make the hub's templates and GOV.UK's macros known to an app. shell is asked for at every page."""
    ours = [
        PackageLoader("hub.web"),
        PrefixLoader({"govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja")}),
    ]
    existing = [app.jinja_loader] if app.jinja_loader is not None else []
    app.jinja_loader = ChoiceLoader([*existing, *ours])
    _equip(app.jinja_env, ZoneInfo(timezone))
    app.extensions["hub_shell"] = shell


def render(page: Page, status: int = 200) -> Response:
    """The page as a response that no cache keeps, under a strict policy."""
    shell = current_app.extensions["hub_shell"]()
    offered = [
        (name, label)
        for name, label in NAVIGATION
        if shell.user and (shell.may_open is None or name in shell.may_open)
    ]
    text = render_template(
        page.template, page=page, shell=shell, navigation=offered, flashed=get_flashed_messages
    )
    response = make_response(text, status)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def _equip(environment: Environment, zone: ZoneInfo) -> None:
    environment.undefined = StrictOnPages
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters |= {
        "clean": clean,
        "number": number,
        "day": lambda value: words.day(value, zone),
        "value": words.cell,
        "act": words.act,
        "mode": lambda value: words.MODES.get(str(value), str(value)),
        "effect": words.effect,
        "lines": lambda text: "\n".join(clean(line) for line in str(text).splitlines()),
        "duration": words.duration,
        "capitalize_first": lambda text: text[:1].upper() + text[1:],
        "ago": lambda value: words.ago(value, datetime.now(UTC)),
        "time": lambda value: _time(value, zone),
        "theme": lambda code: words.THEMES.get(code, code),
        "plural": lambda count, one, many="": f"{number(count)} {one if count == 1 else many or one + 's'}",
    }
    environment.globals |= {"frequency": words.frequency, "access": words.access}
    environment.globals |= {
        "period": words.period, "state_tag": words.state_tag, "acts": words.acts(), "in_words": in_words,
    }  # fmt: skip


def _time(value: datetime | date | None, zone: ZoneInfo) -> Markup:
    """A time element: words for people, ISO 8601 for machines."""
    if value is None:
        return Markup("not known")
    if isinstance(value, datetime):
        return element("time", words.moment(value, zone), datetime=value.isoformat(timespec="seconds"))
    return element("time", words.day(value), datetime=value.isoformat())
