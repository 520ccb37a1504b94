"""An app that shows every page with made-up content, ordinary and hostile, without a hub behind it.

Templates can so be looked at, tested in a browser and broken on purpose before any workflow is asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Flask, abort, redirect, url_for
from flask_wtf import CSRFProtect

from hub.audit.log import Entry, Verification
from hub.catalogue.store import Dataset, Version
from hub.insights.household import Contact, HouseholdView, Member, Need, NeedsAnswers
from hub.intake.states import DeliveryState
from hub.intake.store import Delivery, FaultCount
from hub.policy.agreement import Agreement, AgreementState, DatasetTerms
from hub.runs.sandbox.outcome import Isolation
from hub.runs.states import ResultState, RunState
from hub.runs.store import Plugin, Result, Run, Schedule
from hub.web import create_blueprint, pages
from hub.web.forms import CodeForm, DecisionForm, SearchForm, SignInForm
from hub.web.pages.publishing import FaultLine
from hub.web.rendering import install, render
from hub.web.reports import view_report, view_table
from hub_schemas import library
from hub_sdk import Chart, Report, Series, Table, Text

NOW = datetime(2026, 3, 2, 9, 5, tzinfo=UTC)
TODAY = NOW.date()
HOSTILE = (
    '<script>alert("1")</script><img src=x onerror=alert(2)>" onload=\'x\' {{ 7 * 7 }} \x00\u202e & a-very-long-word-'
    + "x" * 60
)

# ---- what the pages show -------------------------------------------------------------------------

AGREEMENT = Agreement(
    id="families-support-2026",
    title="Help for families, 2026",
    purpose="find families who may need help and offer it to them",
    legal_power="Digital Economy Act 2017, Part 5 Chapter 1 (public service delivery)",
    objective="Troubled families and multiple disadvantage",
    public_benefit="Families get help from one person who knows what is happening, before a crisis.",
    lawful_basis="Article 6(1)(e): public task",
    special_category_basis="Article 9(2)(g): substantial public interest",
    controllers=("Wexbourne Council", "Wexbourne Schools", "Wexbourne Police"),
    organisations=("wexbourne-childrens-services",),
    roles=("service user", "analyst"),
    operations=frozenset({"link", "run plugin", "read person", "read aggregate"}),
    plugins=frozenset({"families"}),
    datasets=(
        DatasetTerms(
            "schools.attendance",
            frozenset({"upn", "term", "absence_unauthorised", "fixed_exclusions", "sex"}),
            "to see absence and exclusions",
        ),
        DatasetTerms(
            "children.in_need",
            frozenset({"case_id", "status", "start_date", "end_date"}),
            "to see who is helped already",
        ),
        DatasetTerms("unknown.contract", frozenset({"b", "a"})),
    ),
    start=date(2026, 1, 1),
    end=date(2026, 12, 31),
    retention_days=365,
    minimum_count=10,
    round_to=5,
    contact="families@wexbourne.example",
    dpia="DPIA-2026-004",
    state=AgreementState.ACTIVE,
)
DATASET = Dataset("ds1", "org1", "schools.attendance", "d" * 64, "School attendance by term", NOW, "v2")
VERSIONS = tuple(
    Version(
        f"v{number}",
        "ds1",
        number,
        "d" * 64,
        "key",
        "delivery",
        7000 + number,
        NOW - timedelta(days=9 * (2 - number)),
        "2025-04-22",
        "2026-02-13",
    )
    for number in (2, 1)
)
MANIFEST = {"contract": {"id": "schools.attendance", "version": "1.2.0"}, "mode": "full"}
DELIVERY = Delivery(
    "a" * 32, "client1", "org1", "ds1", MANIFEST, "sig", DeliveryState.ACCEPTED, None, 7104, 7002, 102, "v2", {}, NOW, NOW
)  # fmt: skip
DELIVERIES = tuple(
    pages.DeliveryLine(
        f"d{index}",
        title,
        owner,
        state,
        sent,
        sent - refused if state == "accepted" else 0,
        refused,
        NOW - timedelta(hours=index),
    )
    for index, (title, owner, state, sent, refused) in enumerate(
        [
            ("School attendance by term", "Wexbourne Schools", "accepted", 7104, 102),
            ("Incidents", "Wexbourne Police", "checking", 41210, 0),
            ("Tenancies", "Wexbourne Housing", "refused", 5120, 1290),
            ("Claims", "Wexbourne Benefits", "accepted", 9120, 0),
            ("Street crime", "Wexbourne Police", "accepted", 31635, 12),
        ]
    )
)
FAULT_COUNTS = (
    FaultCount("type-error", "date_of_birth", 61, 12),
    FaultCount("enum", "sex", 23, 88),
    FaultCount("identifier", "upn", 17, 301),
    FaultCount("freshness", "", 1, None),
)
FAULTS = (
    FaultLine(
        12,
        "date_of_birth",
        "99/99/9999",
        "type-error",
        "must be a date like 31/12/2014; write day, month and year",
    ),
    FaultLine(88, "sex", "(hidden)", "enum", "must be one of F, M or X"),
    FaultLine(
        301, "upn", "A999999999999", "identifier", "is not a UPN: the check letter does not fit its digits"
    ),
    FaultLine(None, None, None, "freshness", "the newest row is 220 days old; the contract allows 150"),
)


def run(state: RunState, **more: Any) -> Run:
    """A run in a state."""
    values: dict[str, Any] = {
        "id": "run1", "schedule_id": "s1", "plugin": "families", "plugin_version": "1.0.0", "plugin_digest": "b" * 64,
        "agreement_id": AGREEMENT.id, "organisation": "wexbourne-childrens-services", "requested_by": "system:scheduler",
        "state": state, "parameters": {"ruleset": "TF-2012", "terms": 3}, "seed": 20260302, "as_at": TODAY,
        "inputs": {"attendance": ["v2"]}, "isolation": "full", "message": None, "log": "reading 4 tables\n  8,412 households\ndone",
        "progress": 1.0, "seconds": 11.4, "queued_at": NOW, "started_at": NOW, "finished_at": NOW,
    }  # fmt: skip
    return Run(**(values | more))


RUNS = (
    pages.RunLine(run(RunState.SUCCEEDED), "Families who may need help", "res1", "held"),
    pages.RunLine(
        run(RunState.RUNNING, id="run2", plugin="workforce", seconds=None, schedule_id=None),
        "Demand and workforce",
    ),
    pages.RunLine(run(RunState.FAILED, id="run3", plugin="workforce", seconds=61.0), "Demand and workforce"),
    pages.RunLine(
        run(RunState.SUCCEEDED, id="run4", plugin="workforce"), "Demand and workforce", "res2", "released"
    ),
)
PLUGIN = Plugin(
    "families", "1.0.0", "joinedup-plugin-families", "b" * 64,
    {
        "title": "Families who may need help",
        "summary": "Answers the questions of a families programme for each household, from the records services agreed to share, with the evidence and its dates.",
        "inputs": [
            {"name": "people", "contract": "hub.people", "columns": ["person_id", "household_id", "date_of_birth"], "required": True, "link": []},
            {"name": "attendance", "contract": "schools.attendance", "columns": ["term", "absence_unauthorised", "fixed_exclusions"], "required": False, "link": ["person", "household"]},
        ],
        "outputs": [
            {"name": "households", "columns": [{"name": "household_id"}, {"name": "eligible"}], "disclosure": "person"},
            {"name": "summary", "columns": [{"name": "need"}, {"name": "households"}], "disclosure": "aggregate"},
        ],
        "parameters": [{"name": "ruleset", "default": "TF-2012", "help": "Which rules to use.", "choices": ["TF-2012", "TF-2015"]}],
        "resources": {"memory_mb": 2048, "wall_seconds": 600, "output_mb": 256},
    },
    True, NOW,
)  # fmt: skip
SCHEDULE = Schedule("s1", "families", AGREEMENT.id, "0 6 * * MON", {}, True, "user:1", "wexbourne", NOW, None)
UPCOMING = (
    pages.Upcoming(SCHEDULE, "Families who may need help", NOW + timedelta(days=6)),
    pages.Upcoming(replace(SCHEDULE, id="s2", plugin="workforce", enabled=False), "Demand and workforce"),
)
ISOLATION = Isolation(
    "full", ("everything held",),
    {"no network": True, "no files of the machine": True, "system read-only": True, "no new processes": True, "system calls filtered": True},
)  # fmt: skip
NO_ISOLATION = Isolation("none", ("bubblewrap is not installed",), {})

MONTHS = tuple(
    f"{month} {year}"
    for year in (2024, 2025)
    for month in ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
)
_PAST = tuple(round(1200 + 160 * math.sin(index / 2) + index * 7) for index in range(24))
REPORT = Report(
    "Demand and workforce: what to expect",
    "Demand was 4% higher than a year ago. Two of six teams carry more work than they have people for.\n\n- Neighbourhood South is over capacity for the seventh week.\n- The forecast beats “same month last year”.",
    (
        Chart("Incidents a month, with the forecast", "line", "Month", "Incidents", (*MONTHS, "Jan 2026", "Feb 2026", "Mar 2026"),
              (Series("Recorded", (*_PAST, None, None, None)),
               Series("Forecast (80% of months fall into the band)", (*(None,) * 23, _PAST[-1], 1390, 1420, 1455), (*(None,) * 23, _PAST[-1], 1290, 1300, 1310), (*(None,) * 23, _PAST[-1], 1490, 1540, 1600))),
              "Recorded incidents to December 2025."),
        Chart("Load against capacity by team", "bar", "Team", "Load as a share of capacity",
              ("Response North", "Response East", "Neighbourhood South", "Investigation: serious and organised crime", "Domestic abuse"),
              (Series("Load", (1.12, 0.94, 1.31, 0.71, None)),)),
        Chart("Hours by activity", "stacked", "Team", "Hours", ("North", "East", "South", "West"),
              (Series("Response", (900, 700, 1200, 640)), Series("Prevention", (500, 620, 210, 540)), Series("Investigation", (300, 280, 330, 350)), Series("Training", (60, 70, 20, 80)))),
        Table("Teams over capacity", ("Team", "Planned", "Actual", "Weeks over"), (("Neighbourhood South", 0.98, 1.31, 7), ("Response North", 1.0, 1.12, 3)), "Actual: recorded hours over available hours."),
        Text("How sure this is", "The forecast was tested on the last 12 months.\n\nIts error was 0.87 of the error of last year's figure."),
    ),
    ("The people in this report are invented; its accuracy says nothing about real demand.",),
)  # fmt: skip
HOSTILE_REPORT = Report(
    "Report <b>bold</b>", "<script>alert(1)</script>",
    (
        Chart("<img src=x onerror=alert(1)>", "bar", "</svg><script>", "\"'&", ("<b>a</b>", "javascript:alert(1)"), (Series("</title><script>alert(1)</script>", (1, -2.5)), Series("b", (None, 1e12)))),
        Table("<h1>t</h1>", ("<td>", "b"), (("<a href='javascript:1'>", 1), (None, 2))),
        Text("<style>", "- <li>one\n- two"),
    ),
    ("<b>warning</b>",),
)  # fmt: skip
RESULT = Result(
    "res1", "run1", ResultState.HELD, {"summary": {"rows": 12, "disclosure": "aggregate", "note": "2 of 12 rows hidden"}},
    "report", NOW, None, None, None,
)  # fmt: skip
OUTPUTS = (
    pages.OutputView("households", 8412, "person", "About single households: stays in the hub, behind purpose and reason."),
    pages.OutputView(
        "summary", 12, "aggregate", "2 of 12 rows hidden (fewer than 10); counts rounded to 5.",
        view_table("summary", ("need", "households"), (("Crime", 120), ("Education", None))),
    ),
)  # fmt: skip

MEMBERS = [
    Member("p1", "Ada", "Lovel", date(1984, 5, 2), "F", 3),
    Member("p2", "Ben", "Lovel", date(2012, 11, 30), "M", 4),
    Member("p3", "", "", None, "", 1),
]
HOUSEHOLD = HouseholdView(
    "h1", MEMBERS, "WX1 4AB", "10009876543",
    [
        Contact("schools.attendance", "School attendance by term", "Wexbourne Schools", ("term", "absence_unauthorised", "fixed_exclusions", "on_roll"),
                tuple({"person_id": "p2", "term": term, "absence_unauthorised": count, "fixed_exclusions": 1, "on_roll": True} for term, count in (("2025/26 Autumn", 31), ("2024/25 Summer", 22))), NOW, "2025-04-22", "2026-02-13"),
        Contact("benefits.claims", "Benefit claims", "Wexbourne Benefits", ("benefit", "out_of_work", "start_date"),
                ({"person_id": "p1", "benefit": "universal credit", "out_of_work": True, "start_date": date(2025, 3, 1)},), NOW, None, None),
    ],
    ["Tenancies"], ["health.registrations"],
    NeedsAnswers("TF-2012", "2026-03-02", "yes", (
        Need("Crime or anti-social behaviour", "no data"),
        Need("Education: exclusions, absence, not on a roll", "met", ("22% unauthorised absence over 3 terms (2024/25 Summer to 2025/26 Autumn), School attendance as at 13 February 2026", "2 fixed exclusions in 2025/26 Autumn")),
        Need("An adult on an out-of-work benefit", "met", ("Universal credit, out of work, since 1 March 2025",)),
        Need("Health", "source not covered"),
        Need("Homelessness", "not met"),
    ), "full"),
)  # fmt: skip
ACCESS = pages.Access(
    AGREEMENT.purpose,
    AGREEMENT.id,
    AGREEMENT.title,
    "Key worker, preparing the visit on Thursday",
    NOW,
    12345,
)
ENTRIES = tuple(
    pages.AuditLine(
        Entry(
            1250 - index,
            NOW - timedelta(minutes=7 * index),
            who,
            action,
            1250 - index,
            {"target": target, "agreement": agreement, "purpose": AGREEMENT.purpose if agreement else ""},
        ),
        name,
    )
    for index, (who, name, action, target, agreement) in enumerate(
        [
            ("person:u1", "Sam Key (Children's Services)", "household.read", "", AGREEMENT.id),
            ("person:u1", "Sam Key (Children's Services)", "people.searched", "version 12", AGREEMENT.id),
            ("system:runs", "the hub", "run.succeeded", "run1", AGREEMENT.id),
            ("client:c1", "connector of Wexbourne Schools", "delivery.received", "a" * 32, ""),
        ]
    )
)

# ---- the pages -----------------------------------------------------------------------------------


def sign_in_with_errors() -> pages.SignInPage:
    """Nothing was entered."""
    form = SignInForm(formdata=None, meta={"csrf": False})
    form.validate()
    return pages.SignInPage(form=form)


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


def result(report: Report, **more: Any) -> pages.ResultPage:
    """A result that waits."""
    values = {
        "result": RESULT, "run": run(RunState.SUCCEEDED), "plugin_title": "Demand and workforce", "agreement_title": AGREEMENT.title,
        "report": view_report(report), "outputs": OUTPUTS, "form": DecisionForm(formdata=None).offer(["release", "reject"]),
    }  # fmt: skip
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
    "home-empty": lambda: pages.HomePage(),
    "sign_in": lambda: pages.SignInPage(form=SignInForm(formdata=None)),
    "sign_in-errors": sign_in_with_errors,
    "sign_in-providers": lambda: pages.SignInPage(form=SignInForm(formdata=None), providers=(("Wexbourne account", "/x"),)),
    "sign_in_code": lambda: pages.CodePage(form=CodeForm(formdata=None)),
    "account": lambda: pages.AccountPage(
        name="Sam Key", username="sam", organisation="Children's Services", roles=("service user",),
        permissions=("read the catalogue", "search people and read households"), session_minutes=30, second_factor=False,
    ),
    "datasets": lambda: pages.DatasetsPage(datasets=(
        pages.DatasetLine("ds1", "schools.attendance", DATASET.title, "Wexbourne Schools", 7002, 2, NOW, "2025-04-22", "2026-02-13"),
        pages.DatasetLine("ds2", "police.incidents", "Incidents", "Wexbourne Police"),
    )),
    "datasets-empty": lambda: pages.DatasetsPage(datasets=()),
    "dataset": lambda: pages.DatasetPage(
        dataset=DATASET, organisation="Wexbourne Schools", contract=library.load("schools.attendance"), versions=VERSIONS,
        deliveries=DELIVERIES[:3], agreements=(AGREEMENT,),
    ),
    "dataset-empty": lambda: pages.DatasetPage(
        dataset=replace(DATASET, current_version=None), organisation="Wexbourne Schools", contract=library.load("police.incidents"),
    ),
    "delivery": lambda: pages.DeliveryPage(
        delivery=DELIVERY, dataset=DATASET, organisation="Wexbourne Schools", connector="Schools connector", refusal_threshold=0.1,
        version=VERSIONS[0], fault_counts=FAULT_COUNTS, faults=FAULTS,
    ),
    "delivery-refused": lambda: pages.DeliveryPage(
        delivery=replace(DELIVERY, state=DeliveryState.REFUSED, problem="25.2% of the rows are at fault, and the contract allows 10%. Mend the source and push again.", version_id=None, accepted=0, refused=1790),
        dataset=DATASET, organisation="Wexbourne Schools", connector="Schools connector", refusal_threshold=0.125, fault_counts=FAULT_COUNTS,
    ),
    "delivery-checking": lambda: pages.DeliveryPage(
        delivery=replace(DELIVERY, state=DeliveryState.CHECKING, accepted=0, refused=0, version_id=None), dataset=DATASET,
        organisation="Wexbourne Schools", connector="Schools connector", refusal_threshold=0.1,
    ),
    "search": lambda: pages.SearchPage(form=search()),
    "search-errors": search_with_errors,
    "search-nobody": lambda: pages.SearchPage(form=search(), found=()),
    "search-found": lambda: pages.SearchPage(form=search(), found=(
        pages.Hit("h7Yt", "Ben Lovel", date(2012, 11, 30), "WX1 4AB"), pages.Hit("x2Qp", "Benjamin Lovell", None, ""),
    )),
    "search-no-agreement": lambda: pages.SearchPage(form=SearchForm(formdata=None).offer([])),
    "household": lambda: pages.HouseholdPage(view=HOUSEHOLD, access=ACCESS, on=TODAY, contact="families@wexbourne.example", searched="p2"),
    "household-bare": lambda: pages.HouseholdPage(
        view=HouseholdView("h2", MEMBERS[2:]), access=replace(ACCESS, entry=None), on=TODAY
    ),
    "plugins": lambda: pages.PluginsPage(
        plugins=(pages.PluginLine(PLUGIN, UPCOMING[:1], RUNS[0]), pages.PluginLine(replace(PLUGIN, enabled=False))), isolation=ISOLATION
    ),
    "plugins-unsandboxed": lambda: pages.PluginsPage(plugins=(), isolation=NO_ISOLATION),
    "plugin": lambda: pages.PluginPage(
        plugin=PLUGIN, isolation=ISOLATION, upcoming=UPCOMING[:1], runs=RUNS[:1], agreements=(AGREEMENT,),
        titles={"schools.attendance": "School attendance by term"},
    ),
    "runs": lambda: pages.RunsPage(runs=RUNS, older="run0"),
    "runs-empty": lambda: pages.RunsPage(runs=()),
    "run": lambda: pages.RunPage(
        run=run(RunState.SUCCEEDED), plugin=PLUGIN, agreement_title=AGREEMENT.title, organisation="Children's Services",
        inputs=(
            pages.RunInput("attendance", "schools.attendance", DATASET.title, ("term", "fixed_exclusions"), True, (("ds1", "Wexbourne Schools", 2),)),
            pages.RunInput("people", "hub.people", "Linked people", ("person_id",), True, (("", "the hub", 3),)),
            pages.RunInput("health", "health.registrations", "Registrations", ("sex",), False),
        ),
        result=RESULT, report=view_report(REPORT),
    ),
    "run-running": lambda: pages.RunPage(
        run=run(RunState.RUNNING, progress=0.42, message="Answering for 8,412 households", seconds=None, finished_at=None), plugin=PLUGIN,
        agreement_title=AGREEMENT.title, organisation="Children's Services",
    ),
    "run-failed": lambda: pages.RunPage(
        run=run(RunState.FAILED, message="The plugin used more memory than it may (2,048 MB).", isolation="none"), plugin=PLUGIN,
        agreement_title=AGREEMENT.title, organisation="Children's Services", report_note="A run that failed has no report.",
    ),
    "results": lambda: pages.ResultsPage(
        waiting=(pages.ResultLine(RESULT, RUNS[0].run, "Families who may need help"),),
        decided=(pages.ResultLine(replace(RESULT, state=ResultState.RELEASED, decided_at=NOW), RUNS[3].run, "Demand and workforce"),),
    ),
    "results-empty": lambda: pages.ResultsPage(),
    "result": lambda: result(REPORT),
    "result-released": lambda: result(
        REPORT, form=None, why_not="You asked for this run, so somebody else decides.", decided_by="Ola Check", reason="No small numbers.",
        result=replace(RESULT, state=ResultState.RELEASED, decided_at=NOW), run=run(RunState.SUCCEEDED, isolation="none"),
    ),
    "result-hostile": lambda: result(HOSTILE_REPORT, plugin_title=HOSTILE, agreement_title=HOSTILE),
    "agreements": lambda: pages.AgreementsPage(agreements=(
        pages.AgreementLine(AGREEMENT, ("Children's Services",)),
        pages.AgreementLine(replace(AGREEMENT, id="old", title="An agreement that ended", state=AgreementState.EXPIRED), ("Wexbourne Police", "Housing")),
    )),
    "agreements-empty": lambda: pages.AgreementsPage(agreements=()),
    "agreement": lambda: pages.AgreementPage(
        agreement=AGREEMENT, organisations=("Children's Services",), on=TODAY,
        contracts={"schools.attendance": library.load("schools.attendance")}, plugins={"families": "Families who may need help"},
    ),
    "agreement-hostile": lambda: pages.AgreementPage(
        agreement=replace(AGREEMENT, title=HOSTILE, purpose=HOSTILE, public_benefit=HOSTILE, legal_power=HOSTILE, contact=HOSTILE),
        organisations=(HOSTILE,), on=TODAY,
    ),
    "audit": lambda: pages.AuditPage(
        entries=ENTRIES, checkpoint=pages.Checkpoint(1250, "x3Fq9u2b5eV0m1k8R6YtQpLzWcHsNdAgJiOoTfKvUw0=", "note"),
        verification=Verification(1250, 1250, 14), verified_at=NOW, older=1200,
    ),
    "audit-broken": lambda: pages.AuditPage(entries=(), verification=Verification(3, 3, 1, ["Entry 2 was changed after it was written."])),
    "cookies": lambda: pages.TextPage(name="cookies"),
    "privacy": lambda: pages.TextPage(name="privacy", contact="dpo@wexbourne.example"),
    "accessibility": lambda: pages.TextPage(name="accessibility"),
    **{f"error-{status}": (lambda status=status: pages.error_page(status, "", "req-01J9")) for status in (400, 401, 403, 404, 405, 409, 413, 418, 422, 429, 500, 503)},
    "error-detail": lambda: pages.error_page(403, f"You may not read the audit log: {HOSTILE}"),
}  # fmt: skip

#: Pages that are seen before signing in.
PUBLIC = frozenset({"sign_in", "sign_in-errors", "sign_in-providers", "sign_in_code", "error-401"})


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

    @app.after_request
    def _same_policy(response: Any) -> Any:
        from hub.web import CONTENT_SECURITY_POLICY

        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response

    return app
