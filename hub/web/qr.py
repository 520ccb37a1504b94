"""QR codes, drawn on the server as SVG in the page: no script and no other host sees what is in them."""

from __future__ import annotations

from markupsafe import Markup

__all__ = ["qr_svg"]


def qr_svg(text: str, title: str) -> Markup:
    """A QR code. `title` is what it is to somebody who cannot see it; `text` stands in the picture only."""
    import segno

    drawn = segno.make(text, error="m").svg_inline(
        scale=5, border=4, light="#fff", title=title, svgclass="hub-qr", lineclass=None, omitsize=False
    )
    # Figures and a title that segno has escaped: nothing that came from outside.
    return Markup(drawn.replace("<svg ", '<svg role="img" focusable="false" ', 1))  # noqa: S704
