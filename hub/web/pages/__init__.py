"""What each page shows, as frozen dataclasses: views fill them, templates read them, tests make them up.

A view asks a workflow, puts what it got into a page and returns ``render(page)``. Templates see two names
only: ``page`` (one of these) and ``shell`` (who is signed in, which notices stand on every page). A name
that a page does not have is an error when the template is rendered, not an empty place on the screen.

Fields hold what the rooms hand out (a ``Delivery``, a ``Run``, an ``Agreement``, ...) and beside it the
words that need a second look-up, such as the name of an organisation. Nothing here reads a database or
knows Flask.

The modules go by subject: `home`, `people`, `publishing`, `contracts`, `uploading`, `analysis`, `governance` and
`service`; each class names its template.
"""

from hub.web.pages.analysis import (
    OutputView,
    PluginLine,
    PluginPage,
    PluginsPage,
    ResultLine,
    ResultPage,
    ResultsPage,
    RunInput,
    RunLine,
    RunPage,
    RunsPage,
    Upcoming,
)
from hub.web.pages.basis import Page, Shell, SignedIn
from hub.web.pages.contracts import ContractPage, ContractsPage, ProposalLine, TouchedLine, UsedBy
from hub.web.pages.governance import (
    AgreementLine,
    AgreementPage,
    AgreementsPage,
    AuditLine,
    AuditPage,
    Checkpoint,
)
from hub.web.pages.home import Attention, Figure, HomePage, Linked
from hub.web.pages.people import Access, Hit, HouseholdPage, ReidentifyPage, SearchPage
from hub.web.pages.publishing import (
    DatasetLine,
    DatasetPage,
    DatasetsPage,
    DeliveriesPage,
    DeliveryLine,
    DeliveryPage,
    FaultLine,
)
from hub.web.pages.service import AccountPage, ErrorPage, SignInPage, TextPage, error_page
from hub.web.pages.uploading import MendPage, UploadCheckPage, UploadPage

__all__ = [
    "Access",
    "AccountPage",
    "AgreementLine",
    "AgreementPage",
    "AgreementsPage",
    "Attention",
    "AuditLine",
    "AuditPage",
    "Checkpoint",
    "ContractPage",
    "ContractsPage",
    "DatasetLine",
    "DatasetPage",
    "DatasetsPage",
    "DeliveriesPage",
    "DeliveryLine",
    "DeliveryPage",
    "ErrorPage",
    "FaultLine",
    "Figure",
    "Hit",
    "HomePage",
    "HouseholdPage",
    "Linked",
    "MendPage",
    "OutputView",
    "Page",
    "PluginLine",
    "PluginPage",
    "PluginsPage",
    "ProposalLine",
    "ReidentifyPage",
    "ResultLine",
    "ResultPage",
    "ResultsPage",
    "RunInput",
    "RunLine",
    "RunPage",
    "RunsPage",
    "SearchPage",
    "Shell",
    "SignInPage",
    "SignedIn",
    "TextPage",
    "TouchedLine",
    "Upcoming",
    "UploadCheckPage",
    "UploadPage",
    "UsedBy",
    "error_page",
]
