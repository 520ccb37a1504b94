"""SVG, element by element, with everything escaped.

Geometry goes into attributes and looks into classes: there is no ``style`` anywhere, so the drawings obey a
Content-Security-Policy of ``style-src 'self'``. What comes out is well-formed XML.
"""

from __future__ import annotations

from markupsafe import Markup, escape

from hub.web.text import clean

__all__ = ["element", "group"]


def element(name: str, *children: object, **attributes: object) -> Markup:
    """One element.

    Children that are not Markup are cleaned and escaped; attributes that are None are left out.
    In attribute names an underscore at the end is dropped (``class_``) and the others become hyphens; floats
    are written with at most two decimals.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(
        child if isinstance(child, Markup) else escape(clean(child)) for child in children
    )
    return Markup(f"<{name}{written}>{inside}</{name}>")  # noqa: S704 - name is ours, the rest is escaped above


def group(children: list[Markup], class_: str) -> Markup:
    """Elements that share a class."""
    return element("g", *children, class_=class_)


def _attribute(value: object) -> Markup:
    if isinstance(value, float):
        text = f"{value:.2f}".rstrip("0").rstrip(".")
        return Markup("0" if text == "-0" else text)  # noqa: S704 - digits only
    return escape(clean(value))
