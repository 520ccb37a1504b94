"""The views, by subject: each asks workflows, fills a page of `hub.web.pages` and renders it.

A view is a function of the hub and of what stands in the address. Who is asking has been found, and the permission
that the route needs has been checked, before a view is called (`hub.web.wiring`); workflows check it again.
"""

from collections.abc import Callable
from typing import Any, Final

from hub.web.views import analysis, contracts, governance, people, publishing, service, uploading

__all__ = ["VIEWS"]

#: Name of a route -> its view.
VIEWS: Final[dict[str, Callable[..., Any]]] = {
    **service.VIEWS,
    **people.VIEWS,
    **publishing.VIEWS,
    **uploading.VIEWS,
    **contracts.VIEWS,
    **analysis.VIEWS,
    **governance.VIEWS,
}
