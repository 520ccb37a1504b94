"""Charts as SVG, drawn on the server, with the same figures as a table: `draw(chart, ident) -> Drawing`."""

from hub.web.charts.drawing import Drawing, LegendItem, draw, figures

__all__ = ["Drawing", "LegendItem", "draw", "figures"]
