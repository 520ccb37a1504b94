"""What each page shows, as frozen dataclasses: views fill them, templates read them, tests make them up.

A view asks a workflow, puts what it got into a page and returns ``render(page)``. Templates see two names
only: ``page`` (one of these) and ``shell`` (who is signed in, which notices stand on every page). A name
that a page does not have is an error when the template is rendered, not an empty place on the screen.

Fields hold what the rooms hand out (a ``Delivery``, a ``Run``, an ``Agreement``, ...) and beside it the
words that need a second look-up, such as the name of an organisation. Nothing here reads a database or
knows Flask.

The modules go by subject: `home`, `account`, `users`, `people`, `publishing`, `contracts`, `uploading`, `analysis`,
`governance` and `service`; each class names its template.
"""

from hub.web.pages.account import (
    AccountPage,
    ChangePasswordPage,
    FactorPage,
    OneTimeCodePage,
    RecoveryCodesPage,
    SessionLine,
    SignedOutPage,
    SignInCodePage,
    SignInPage,
)
from hub.web.pages.agreements import (
    AgreementLine,
    AgreementPage,
    AgreementsPage,
    ExplainPage,
    KeyLine,
    ReviewPage,
    SigningKeysPage,
    SignPage,
    WithdrawPage,
)
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
from hub.web.pages.catalogue import (
    DescribePage,
    FilterOption,
    FilterView,
    LineagePage,
    SearchView,
    VisibilityPage,
)
from hub.web.pages.citizen import MyCodePage, MyDataAskPage, MyDataPage, YourRightsPage
from hub.web.pages.contracts import ContractPage, ContractsPage, ProposalLine, TouchedLine, UsedBy
from hub.web.pages.drafting import (
    Answer,
    CheckAnswersPage,
    ColumnsPage,
    DatasetsQuestionPage,
    DraftLine,
    DraftQuestionPage,
    StartPage,
    UploadAgreementPage,
)
from hub.web.pages.governance import (
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
from hub.web.pages.registrations import RegistrationPage, RegistrationsPage
from hub.web.pages.requests import (
    AskPage,
    QuestionPage,
    RequestCheckPage,
    RequestPage,
    RequestsPage,
    in_words,
)
from hub.web.pages.rights import (
    CorrectionPage,
    CorrectionsPage,
    DelaysPage,
    ObjectionPage,
    ObjectionsPage,
    RightsFindPage,
    RightsPersonPage,
    RightsRequestPage,
    RightsRequestsPage,
    RightsRowsPage,
)
from hub.web.pages.service import ErrorPage, TextPage, error_page
from hub.web.pages.uploading import MendPage, UploadCheckPage, UploadPage
from hub.web.pages.users import InvitePage, UserCodePage, UserPage, UsersPage

__all__ = [
    "Access",
    "AccountPage",
    "AgreementLine",
    "AgreementPage",
    "AgreementsPage",
    "Answer",
    "AskPage",
    "Attention",
    "AuditLine",
    "AuditPage",
    "ChangePasswordPage",
    "CheckAnswersPage",
    "Checkpoint",
    "ColumnsPage",
    "ContractPage",
    "ContractsPage",
    "CorrectionPage",
    "CorrectionsPage",
    "DatasetLine",
    "DatasetPage",
    "DatasetsPage",
    "DatasetsQuestionPage",
    "DelaysPage",
    "DeliveriesPage",
    "DeliveryLine",
    "DeliveryPage",
    "DescribePage",
    "DraftLine",
    "DraftQuestionPage",
    "ErrorPage",
    "ExplainPage",
    "FactorPage",
    "FaultLine",
    "Figure",
    "FilterOption",
    "FilterView",
    "Hit",
    "HomePage",
    "HouseholdPage",
    "InvitePage",
    "KeyLine",
    "LineagePage",
    "Linked",
    "MendPage",
    "MyCodePage",
    "MyDataAskPage",
    "MyDataPage",
    "ObjectionPage",
    "ObjectionsPage",
    "OneTimeCodePage",
    "OutputView",
    "Page",
    "PluginLine",
    "PluginPage",
    "PluginsPage",
    "ProposalLine",
    "QuestionPage",
    "RecoveryCodesPage",
    "RegistrationPage",
    "RegistrationsPage",
    "ReidentifyPage",
    "RequestCheckPage",
    "RequestPage",
    "RequestsPage",
    "ResultLine",
    "ResultPage",
    "ResultsPage",
    "ReviewPage",
    "RightsFindPage",
    "RightsPersonPage",
    "RightsRequestPage",
    "RightsRequestsPage",
    "RightsRowsPage",
    "RunInput",
    "RunLine",
    "RunPage",
    "RunsPage",
    "SearchPage",
    "SearchView",
    "SessionLine",
    "Shell",
    "SignInCodePage",
    "SignInPage",
    "SignPage",
    "SignedIn",
    "SignedOutPage",
    "SigningKeysPage",
    "StartPage",
    "TextPage",
    "TouchedLine",
    "Upcoming",
    "UploadAgreementPage",
    "UploadCheckPage",
    "UploadPage",
    "UsedBy",
    "UserCodePage",
    "UserPage",
    "UsersPage",
    "VisibilityPage",
    "WithdrawPage",
    "YourRightsPage",
    "error_page",
    "in_words",
]
