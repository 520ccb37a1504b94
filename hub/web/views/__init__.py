"""The views, by subject: each asks workflows, fills a page of `hub.web.pages` and renders it.

A view is a function of the hub and of what stands in the address. Who is asking has been found, and the permission
that the route needs has been checked, before a view is called (`hub.web.wiring`); workflows check it again.
"""

from collections.abc import Callable
from typing import Any, Final

from hub.web.views import (
    account,
    agreements,
    analysis,
    catalogue,
    citizen,
    contracts,
    drafting,
    governance,
    people,
    publishing,
    registrations,
    requests,
    rights,
    service,
    signing_in,
    uploading,
    users,
)

__all__ = ["VIEWS"]

#: Name of a route -> its view.
VIEWS: Final[dict[str, Callable[..., Any]]] = {
    **service.VIEWS,
    **signing_in.VIEWS,
    **account.VIEWS,
    **users.VIEWS,
    **registrations.VIEWS,
    **people.VIEWS,
    **publishing.VIEWS,
    **catalogue.VIEWS,
    **uploading.VIEWS,
    **contracts.VIEWS,
    **requests.VIEWS,
    **analysis.VIEWS,
    **agreements.VIEWS,
    **drafting.VIEWS,
    **governance.VIEWS,
    **rights.VIEWS,
    **citizen.VIEWS,
}
