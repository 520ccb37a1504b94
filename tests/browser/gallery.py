"""An app that shows every page with made-up content, ordinary and hostile, without a hub behind it.

Templates can so be looked at, tested in a browser and broken on purpose before any workflow is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from flask import Flask, abort, redirect, url_for
from flask_wtf import CSRFProtect

from browser import sample_accounts, sample_rights
from browser.sample_accounts import ACCOUNTS
from browser.sample_agreements import AGREEMENT_PAGES
from browser.sample_catalogue import CATALOGUE
from browser.sample_reports import HOSTILE_REPORT, REPORT
from browser.sample_requests import PAGES as REQUEST_PAGES
from browser.sample_rights import RIGHTS
from browser.samples import (
    ACCESS,
    AGREEMENT,
    DATASET,
    DELIVERIES,
    DELIVERY,
    ENTRIES,
    FAULT_COUNTS,
    FAULTS,
    FINDINGS,
    HOSTILE,
    HOUSEHOLD,
    ISOLATION,
    MEMBERS,
    NO_ISOLATION,
    NOW,
    OUTPUTS,
    PLUGIN,
    PROPOSALS,
    PUBLICATIONS,
    REGISTRATIONS,
    RESULT,
    RUNS,
    TODAY,
    UPCOMING,
    VERSIONS,
    run,
)
from hub.audit.log import Verification
from hub.insights.household import HouseholdView
from hub.intake.states import DeliveryState
from hub.intake.upload_brief import Findings
from hub.policy.agreement import AgreementState
from hub.runs.states import ResultState, RunState
from hub.web import create_blueprint, pages
from hub.web.forms import (
    ContractDecisionForm,
    DecisionForm,
    MendForm,
    RegistrationForm,
    ReidentifyForm,
    SearchForm,
    SendForm,
    UploadForm,
)
from hub.web.forms_audit import AuditFilter
from hub.web.rendering import install, render
from hub.web.reports import view_report
from hub.workflows.cataloguing import ContractLine
from hub.workflows.reidentifying import Reidentified
from hub_schemas import library
from hub_schemas.pages import describe
from hub_sdk import Report

# ---- the pages ------------------------------------------------------------


def registration_with_errors() -> pages.RegistrationPage:
    """Nothing was chosen, about one's own registration, with keys at an address."""
    form = RegistrationForm(formdata=None, meta={"csrf": False})
    form.validate()
    return pages.RegistrationPage(item=REGISTRATIONS[2], form=form)


def proposal_with_errors() -> pages.DatasetPage:
    """Nothing was chosen."""
    form = ContractDecisionForm(formdata=None, meta={"csrf": False})
    form.validate()
    return pages.DatasetPage(
        dataset=DATASET,
        organisation="Wexbourne Schools",
        contract=library.load("schools.attendance"),
        proposals=PROPOSALS[:1],
        form=form,
    )


def upload(*, validate: bool = False) -> pages.UploadPage:
    """A file to choose; with `validate`, nothing was chosen."""
    form = UploadForm(formdata=None, meta={"csrf": not validate}).offer(("upn", "term"), exists=True)
    if validate:
        form.validate()
    return pages.UploadPage(
        dataset=DATASET,
        organisation="Wexbourne Schools",
        contract=library.load("schools.attendance"),
        form=form,
        most_mb=100,
    )


def upload_check(findings: Findings | None) -> pages.UploadCheckPage:
    """What is in a file."""
    current = replace(VERSIONS[0], rows=20_000 if findings is FINDINGS else 7_000)
    return pages.UploadCheckPage(
        delivery=replace(DELIVERY, state=DeliveryState.UPLOADING, accepted=0, refused=0, effect=None),
        dataset=DATASET,
        organisation="Wexbourne Schools",
        current=current,
        findings=findings,
        form=SendForm(formdata=None),
    )


def search(**data: Any) -> SearchForm:
    """The search form with two purposes."""
    return SearchForm(formdata=None, data=data).offer(
        [
            (AGREEMENT.id, AGREEMENT.title, AGREEMENT.purpose),
            ("housing-2026", "Keeping homes", "prevent homelessness"),
        ]
    )


def search_with_errors() -> pages.SearchPage:
    """Sent empty."""
    from werkzeug.datastructures import MultiDict

    sent = MultiDict({"way": "name", "date_of_birth-day": "31", "date_of_birth-month": "2"})
    form = SearchForm(formdata=sent, meta={"csrf": False}).offer(
        [(AGREEMENT.id, AGREEMENT.title, AGREEMENT.purpose)]
    )
    form.validate()
    return pages.SearchPage(form=form)


def audit_filter(**day: str) -> AuditFilter:
    """The audit log's filter, perhaps with a day that is none."""
    from werkzeug.datastructures import MultiDict

    form = AuditFilter(formdata=MultiDict({f"day-{part}": text for part, text in day.items()}))
    form.validate()
    return form


def result(report: Report, **more: Any) -> pages.ResultPage:
    """A result that waits."""
    values = {
        "result": RESULT,
        "run": run(RunState.SUCCEEDED),
        "plugin_title": "Demand and workforce",
        "agreement_title": AGREEMENT.title,
        "report": view_report(report),
        "outputs": OUTPUTS,
        "form": DecisionForm(formdata=None).offer(["release", "reject"]),
    }
    return pages.ResultPage(**(values | more))


FIGURES = tuple(
    pages.Figure(label, value, "/datasets", detail)
    for label, value, detail in [
        ("datasets", 9, "from 6 departments"),
        ("people linked", 19876, "in 8,412 households"),
        ("rows in quarantine", 1404, "in 3 deliveries"),
        ("results to decide", 1, ""),
    ]
)
HOME = pages.HomePage(
    figures=FIGURES,
    attention=(
        pages.Attention(
            "Wexbourne Housing: delivery of Tenancies was refused, 25% of rows at fault",
            "/deliveries/d2",
            "Refused",
            NOW,
        ),
        pages.Attention("Families who may need help waits for a decision", "/results/res1", "Decide", NOW),
    ),
    deliveries=DELIVERIES,
    linked=pages.Linked(NOW, 96412, 19876, 8412, 7),
    runs=RUNS,
    upcoming=UPCOMING,
)

#: Name -> a function that makes the page, called inside a request.
GALLERY: dict[str, Callable[[], pages.Page]] = {
    "home": lambda: HOME,
    "home-empty": pages.HomePage,
    **ACCOUNTS,
    "datasets": lambda: pages.DatasetsPage(
        datasets=(
            pages.DatasetLine(
                "ds1",
                "schools.attendance",
                DATASET.title,
                "Wexbourne Schools",
                7002,
                2,
                NOW,
                "2025-04-22",
                "2026-02-13",
            ),
            pages.DatasetLine("ds2", "police.incidents", "Incidents", "Wexbourne Police"),
        )
    ),
    "datasets-empty": lambda: pages.DatasetsPage(datasets=()),
    **CATALOGUE,
    "deliveries": lambda: pages.DeliveriesPage(deliveries=DELIVERIES, older="place"),
    "deliveries-empty": lambda: pages.DeliveriesPage(deliveries=()),
    "dataset": lambda: pages.DatasetPage(
        dataset=DATASET,
        organisation="Wexbourne Schools",
        contract=library.load("schools.attendance"),
        versions=VERSIONS,
        deliveries=DELIVERIES[:3],
        agreements=(AGREEMENT,),
    ),
    "dataset-proposal": lambda: pages.DatasetPage(
        dataset=DATASET,
        organisation="Wexbourne Schools",
        contract=library.load("schools.attendance"),
        versions=VERSIONS,
        publications=PUBLICATIONS,
        proposals=PROPOSALS,
        form=ContractDecisionForm(formdata=None),
        not_linked="uprn is number, linking needs string or integer",
    ),
    "dataset-proposal-errors": proposal_with_errors,
    "dataset-proposal-other": lambda: pages.DatasetPage(
        dataset=DATASET,
        organisation="Wexbourne Schools",
        contract=library.load("schools.attendance"),
        proposals=PROPOSALS[:1],
        why_not="This is not yours to decide: a data steward of Children's Services decides about it.",
    ),
    "contracts": lambda: pages.ContractsPage(
        library=(
            ContractLine("schools.attendance", "1.0.0", "School attendance", True, ("Wexbourne Schools",)),
            ContractLine("health.ncmp", "1.0.0", "Measurements", True, ()),
        ),
        others=(ContractLine("police.dogs", "0.3.0", HOSTILE, False, ("Wexbourne Police", HOSTILE)),),
    ),
    "contract": lambda: pages.ContractPage(
        contract=describe(library.load("schools.attendance")),
        in_library=True,
        used_by=(pages.UsedBy("ds1", "Wexbourne Schools", "1.0.0"),),
    ),
    "contract-hostile": lambda: pages.ContractPage(
        contract=replace(
            describe(library.load("police.street_crime")),
            title=HOSTILE,
            texts=(HOSTILE, HOSTILE),
            limitations=HOSTILE,
            facts=(HOSTILE,),
            rules=(HOSTILE,),
        ),
        in_library=False,
    ),
    "dataset-empty": lambda: pages.DatasetPage(
        dataset=replace(DATASET, current_version=None),
        organisation="Wexbourne Schools",
        contract=library.load("police.incidents"),
    ),
    "delivery": lambda: pages.DeliveryPage(
        delivery=DELIVERY,
        dataset=DATASET,
        organisation="Wexbourne Schools",
        connector="Schools connector",
        refusal_threshold=0.1,
        version=VERSIONS[0],
        fault_counts=FAULT_COUNTS,
        faults=FAULTS,
    ),
    "delivery-refused": lambda: pages.DeliveryPage(
        delivery=replace(
            DELIVERY,
            state=DeliveryState.REFUSED,
            problem="25.2% of the rows are at fault; the contract allows 10%. Mend them and push again.",
            version_id=None,
            accepted=0,
            refused=1790,
        ),
        dataset=DATASET,
        organisation="Wexbourne Schools",
        connector="Schools connector",
        refusal_threshold=0.125,
        fault_counts=FAULT_COUNTS,
    ),
    "delivery-checking": lambda: pages.DeliveryPage(
        delivery=replace(DELIVERY, state=DeliveryState.CHECKING, accepted=0, refused=0, version_id=None),
        dataset=DATASET,
        organisation="Wexbourne Schools",
        connector="Schools connector",
        refusal_threshold=0.1,
    ),
    "delivery-to-mend": lambda: pages.DeliveryPage(
        delivery=replace(DELIVERY, mode="append", replays="b" * 32, replayed=7),
        dataset=DATASET,
        organisation="Wexbourne Schools",
        connector="Uploads on the hub's pages",
        refusal_threshold=0.1,
        version=VERSIONS[0],
        fault_counts=FAULT_COUNTS,
        faults=FAULTS,
        replays=("c" * 32, "d" * 32),
        uploaded=True,
        may_mend=True,
    ),
    "delivery-to-send": lambda: pages.DeliveryPage(
        delivery=replace(DELIVERY, state=DeliveryState.UPLOADING, accepted=0, refused=0, effect=None),
        dataset=DATASET,
        organisation="Wexbourne Schools",
        connector="Uploads on the hub's pages",
        refusal_threshold=0.1,
        may_send=True,
    ),
    "upload": upload,
    "upload-errors": lambda: upload(validate=True),
    "mend": lambda: pages.MendPage(
        delivery=DELIVERY,
        dataset=DATASET,
        organisation="Wexbourne Schools",
        form=MendForm(formdata=None),
        most_mb=100,
    ),
    "upload-check": lambda: upload_check(FINDINGS),
    "upload-check-refused": lambda: upload_check(
        replace(FINDINGS, refusal=f"41.2% of the rows are at fault; {HOSTILE}")
    ),
    "upload-check-later": lambda: upload_check(None),
    "search": lambda: pages.SearchPage(form=search()),
    "search-errors": search_with_errors,
    "search-nobody": lambda: pages.SearchPage(form=search(), found=()),
    "search-found": lambda: pages.SearchPage(
        form=search(),
        found=(
            pages.Hit("h7Yt", "Ben Lovel", date(2012, 11, 30), "WX1 4AB"),
            pages.Hit("x2Qp", "Benjamin Lovell", None, ""),
        ),
    ),
    "search-no-agreement": lambda: pages.SearchPage(form=SearchForm(formdata=None).offer([])),
    "household": lambda: pages.HouseholdPage(
        view=HOUSEHOLD, access=ACCESS, on=TODAY, contact="families@wexbourne.example", searched="p2"
    ),
    "reidentify": lambda: pages.ReidentifyPage(result_id=RESULT.id, form=ReidentifyForm()),
    "reidentify-refused": lambda: pages.ReidentifyPage(
        result_id=RESULT.id, form=ReidentifyForm(), why_not=f"Refused: {HOSTILE}."
    ),
    "reidentify-found": lambda: pages.ReidentifyPage(
        result_id=RESULT.id,
        form=ReidentifyForm(),
        found=Reidentified(
            "person",
            ("forename", "date_of_birth", "postcode"),
            ((HOSTILE, "35 to 39", None),),
            AGREEMENT,
            4212,
        ),
    ),
    "household-bare": lambda: pages.HouseholdPage(
        view=HouseholdView("h2", MEMBERS[2:]), access=replace(ACCESS, entry=None), on=TODAY
    ),
    "registrations": lambda: pages.RegistrationsPage(waiting=REGISTRATIONS),
    "registrations-empty": lambda: pages.RegistrationsPage(
        waiting=(),
        problem="There are fewer than two operators, so nobody can approve what the other registers.",
    ),
    "registration": lambda: pages.RegistrationPage(
        item=REGISTRATIONS[1], form=RegistrationForm(formdata=None)
    ),
    "registration-hostile": registration_with_errors,
    "plugins": lambda: pages.PluginsPage(
        plugins=(
            pages.PluginLine(PLUGIN, UPCOMING[:1], RUNS[0]),
            pages.PluginLine(replace(PLUGIN, enabled=False)),
        ),
        isolation=ISOLATION,
    ),
    "plugins-unsandboxed": lambda: pages.PluginsPage(plugins=(), isolation=NO_ISOLATION),
    "plugin": lambda: pages.PluginPage(
        plugin=PLUGIN,
        isolation=ISOLATION,
        upcoming=UPCOMING[:1],
        runs=RUNS[:1],
        agreements=(AGREEMENT,),
        titles={"schools.attendance": "School attendance by term"},
    ),
    "runs": lambda: pages.RunsPage(runs=RUNS, older="run0"),
    "runs-empty": lambda: pages.RunsPage(runs=()),
    "run": lambda: pages.RunPage(
        run=run(RunState.SUCCEEDED),
        plugin=PLUGIN,
        agreement_title=AGREEMENT.title,
        organisation="Children's Services",
        inputs=(
            pages.RunInput(
                "attendance",
                "schools.attendance",
                DATASET.title,
                ("term", "fixed_exclusions"),
                True,
                (("ds1", "Wexbourne Schools", 2),),
            ),
            pages.RunInput(
                "people", "hub.people", "Linked people", ("person_id",), True, (("", "the hub", 3),)
            ),
            pages.RunInput("health", "health.registrations", "Registrations", ("sex",), False),
        ),
        outcome=RUNS[0],
    ),
    "run-running": lambda: pages.RunPage(
        run=run(
            RunState.RUNNING,
            progress=0.42,
            message="Answering for 8,412 households",
            seconds=None,
            finished_at=None,
        ),
        plugin=PLUGIN,
        agreement_title=AGREEMENT.title,
        organisation="Children's Services",
        outcome=RUNS[1],
    ),
    "run-failed": lambda: pages.RunPage(
        run=run(
            RunState.FAILED, message="The plugin used more memory than it may (2,048 MB).", isolation="none"
        ),
        plugin=PLUGIN,
        agreement_title=AGREEMENT.title,
        organisation="Children's Services",
        outcome=RUNS[2],
    ),
    "results": lambda: pages.ResultsPage(
        waiting=(pages.ResultLine(RESULT, RUNS[0].run, "Families who may need help"),),
        decided=(
            pages.ResultLine(
                replace(RESULT, state=ResultState.RELEASED, decided_at=NOW),
                RUNS[3].run,
                "Demand and workforce",
            ),
        ),
    ),
    "results-empty": pages.ResultsPage,
    "result": lambda: result(REPORT),
    "result-released": lambda: result(
        REPORT,
        form=None,
        why_not="You asked for this run, so somebody else decides.",
        decided_by="Ola Check",
        reason="No small numbers.",
        result=replace(RESULT, state=ResultState.RELEASED, decided_at=NOW),
        run=run(RunState.SUCCEEDED, isolation="none"),
    ),
    "result-hostile": lambda: result(HOSTILE_REPORT, plugin_title=HOSTILE, agreement_title=HOSTILE),
    "agreements": lambda: pages.AgreementsPage(
        agreements=(
            pages.AgreementLine(AGREEMENT, ("Children's Services",)),
            pages.AgreementLine(
                replace(AGREEMENT, id="old", title="An agreement that ended", state=AgreementState.EXPIRED),
                ("Wexbourne Police", "Housing"),
            ),
        )
    ),
    **AGREEMENT_PAGES,
    "agreements-empty": lambda: pages.AgreementsPage(agreements=()),
    "agreement": lambda: pages.AgreementPage(
        agreement=AGREEMENT,
        organisations=("Children's Services",),
        on=TODAY,
        contracts={"schools.attendance": library.load("schools.attendance")},
        plugins={"families": "Families who may need help"},
    ),
    "agreement-hostile": lambda: pages.AgreementPage(
        agreement=replace(
            AGREEMENT,
            title=HOSTILE,
            purpose=HOSTILE,
            public_benefit=HOSTILE,
            legal_power=HOSTILE,
            contact=HOSTILE,
        ),
        organisations=(HOSTILE,),
        on=TODAY,
    ),
    "audit": lambda: pages.AuditPage(
        entries=ENTRIES,
        checkpoint=pages.Checkpoint(1250, "x3Fq9u2b5eV0m1k8R6YtQpLzWcHsNdAgJiOoTfKvUw0="),
        verification=Verification(1250, 1250, 14),
        verified_at=NOW,
        older=1200,
        public=True,
        form=audit_filter(),
    ),
    "audit-errors": lambda: pages.AuditPage(
        entries=(),
        actor="person:u1",
        who=HOSTILE,
        form=audit_filter(day="31", month="2"),
        action="run.started",
    ),
    "audit-broken": lambda: pages.AuditPage(
        entries=(), verification=Verification(3, 3, 1, ["Entry 2 was changed after it was written."])
    ),
    "cookies": lambda: pages.TextPage(
        name="cookies", cookies=(("hub_state", "Keeps you signed in", "30 minutes after your last activity"),)
    ),
    **RIGHTS,
    "privacy": lambda: pages.TextPage(name="privacy", contact="dpo@wexbourne.example"),
    "accessibility": lambda: pages.TextPage(name="accessibility"),
    **{
        f"error-{status}": (lambda status=status: pages.error_page(status, "", "req-01J9"))
        for status in (400, 401, 403, 404, 405, 409, 413, 418, 422, 429, 500, 503)
    },
    "error-detail": lambda: pages.error_page(403, f"You may not read the audit log: {HOSTILE}"),
    **REQUEST_PAGES,
}

#: Pages that are seen before signing in.
PUBLIC = sample_accounts.PUBLIC | sample_rights.PUBLIC | {"error-401"}


def create_gallery() -> Flask:
    """An app with every page at /gallery/NAME, and at the real addresses a page of its template."""
    from flask import request

    app = Flask("gallery")
    app.config.update(SECRET_KEY="gallery")
    CSRFProtect(app)

    def shell() -> pages.Shell:
        name = (request.view_args or {}).get("name", "")
        user = None if name in PUBLIC else pages.SignedIn("Sam Key", "Children's Services")
        bare = name.endswith("-empty")
        return pages.Shell("JoinedUp Hub", user, synthetic=not bare, unsandboxed=name.endswith("unsandboxed"))

    def show(name: str) -> Any:
        if name not in GALLERY:
            abort(404)
        return render(GALLERY[name]())

    def elsewhere(**_: Any) -> Any:
        name = (request.endpoint or "").removeprefix("web.")
        return render(GALLERY[name]()) if name in GALLERY else redirect(url_for("web.home"))

    install(app, shell)
    from hub.web.routes import ROUTES

    app.register_blueprint(create_blueprint({route.name: elsewhere for route in ROUTES}, lambda route: None))
    app.add_url_rule("/gallery/<name>", "gallery", show)

    return app
