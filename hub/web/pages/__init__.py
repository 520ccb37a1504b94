"""What each page shows, as frozen dataclasses: views fill them, templates read them, tests make them up.

A view asks a workflow, puts what it got into a page and returns ``render(page)``. Templates see two names
only: ``page`` (one of these) and ``shell`` (who is signed in, which notices stand on every page). A name
that a page does not have is an error when the template is rendered, not an empty place on the screen.

Fields hold what the rooms hand out (a ``Delivery``, a ``Run``, an ``Agreement``, ...) and beside it the
words that need a second look-up, such as the name of an organisation. Nothing here reads a database or
knows Flask.

=====================  =====================================  ===========================================
page                   template                               for =====================
=====================================  =========================================== HomePage
pages/home.html                        what is happening SignInPage, CodePage   pages/sign_in.html,
sign_in_code.html  signing in AccountPage            pages/account.html                     who I am and
what I may do DatasetsPage           pages/datasets.html                    all datasets DatasetPage
pages/dataset.html                     one dataset, its versions and contract DeliveryPage
pages/delivery.html                    one delivery and its quarantine report SearchPage
pages/search.html                      finding a household: purpose and reason first HouseholdPage
pages/household.html                   one household: services in touch, needs, evidence PluginsPage
pages/plugins.html                     the plugins there are, and how they are isolated PluginPage
pages/plugin.html                      one plugin: what it reads and hands back RunsPage
pages/runs.html                        runs, newest first RunPage                pages/run.html
one run: state, inputs, parameters, report ResultsPage            pages/results.html
results and where they stand ResultPage             pages/result.html                      one result:
report, tables, the decision AgreementsPage         pages/agreements.html                  data sharing
agreements AgreementPage          pages/agreement.html                   one agreement in plain words
AuditPage              pages/audit.html                       the newest entries and whether the log holds
TextPage               pages/cookies.html and others          cookies, privacy, accessibility ErrorPage
pages/error.html                       what went wrong and what to do next =====================
=====================================  ===========================================
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
from hub.web.pages.governance import (
    AgreementLine,
    AgreementPage,
    AgreementsPage,
    AuditLine,
    AuditPage,
    Checkpoint,
)
from hub.web.pages.home import Attention, Figure, HomePage, Linked
from hub.web.pages.people import Access, Hit, HouseholdPage, SearchPage
from hub.web.pages.publishing import DatasetLine, DatasetPage, DatasetsPage, DeliveryLine, DeliveryPage
from hub.web.pages.service import AccountPage, CodePage, ErrorPage, SignInPage, TextPage, error_page

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
    "CodePage",
    "DatasetLine",
    "DatasetPage",
    "DatasetsPage",
    "DeliveryLine",
    "DeliveryPage",
    "ErrorPage",
    "Figure",
    "Hit",
    "HomePage",
    "HouseholdPage",
    "Linked",
    "OutputView",
    "Page",
    "PluginLine",
    "PluginPage",
    "PluginsPage",
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
    "Upcoming",
    "error_page",
]
