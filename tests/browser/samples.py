"""Made-up content for the pages: what workflows would hand to views."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hub.audit.log import Entry
from hub.catalogue.store import Dataset, Publication, Version
from hub.insights.household import Contact, HouseholdView, Member, Need, NeedsAnswers
from hub.intake.states import DeliveryState
from hub.intake.store import Delivery, FaultCount
from hub.intake.upload_brief import Findings, Line
from hub.policy.agreement import Agreement, AgreementState, DatasetTerms
from hub.runs.sandbox.outcome import Isolation
from hub.runs.states import ResultState, RunState
from hub.runs.store import Plugin, Result, Run, Schedule
from hub.web import pages
from hub.web.pages.publishing import FaultLine
from hub.web.reports import view_table
from hub.workflows.registering import Waiting
from hub_schemas import library
from hub_schemas.changes import Change

NOW = datetime(2026, 3, 2, 9, 5, tzinfo=UTC)
TODAY = NOW.date()
HOSTILE = (
    '<script>alert("1")</script><img src=x onerror=alert(2)>" onload=\'x\' '
    "{{ 7 * 7 }} \x00\u202e & a-very-long-word-" + "x" * 60
)

# ---- what the pages show ------------------------------------------------------------

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
PUBLICATIONS = (
    Publication("1.0.0", library.load("schools.attendance").digest, NOW),
    Publication("0.9.0", "e" * 64, NOW - timedelta(days=90)),
)
PROPOSALS = (
    pages.ProposalLine(
        "prp1", "2.0.0", "f" * 64, "proposed", "breaking",
        (
            Change("absence_unauthorised", "was dropped", "breaking", True),
            Change(None, f"a rule was added: {HOSTILE}", "breaking"),
            Change("provision", "the list of values changed", "compatible"),
        ),
        (
            pages.TouchedLine(
                "agreement", AGREEMENT.title, "/agreements/families-support-2026", ("absence_unauthorised",),
                ("Children's Services",),
            ),
            pages.TouchedLine("plugin", "Families who may need help", "", ("absence_unauthorised",)),
        ),
        NOW, "Schools connector, Wexbourne Schools", "Children's Services or The hub itself",
        problem="1.0.0 is not above 1.1.0: a published version is never changed. Take 2.0.0.",
    ),
    pages.ProposalLine(
        "prp0", "1.9.0", "e" * 64, "turned down", "breaking", (Change("upn", "was dropped", "breaking", True),), (),
        NOW,
        "Schools connector, Wexbourne Schools", decided_at=NOW, decided_by="Stella Marsh", reason=HOSTILE,
    ),
)  # fmt: skip
MANIFEST = {
    "contract": {"id": "schools.attendance", "version": "1.2.0"}, "mode": "full",
    "rows": {"sent": 7104, "accepted": 7002, "refused": 102}, "source": {"name": HOSTILE, "rows": 7104},
}  # fmt: skip
EFFECT = {"before": 7000, "added": 7002, "replaced": 0, "removed": 7000, "unmatched": 0, "after": 7002}
DELIVERY = Delivery(
    "a" * 32, "client1", "org1", "ds1", "full", None, MANIFEST, "sig", DeliveryState.ACCEPTED, None, 7104, 7002, 102, 0,
    7104, EFFECT, "v2", {}, NOW, NOW, NOW, None, 0,
)  # fmt: skip
FINDINGS = Findings(
    7104, 7002, 102, ("encoding cp1252 (guessed)", "semicolon between cells", HOSTILE),
    (
        Line("type-error", "date_of_birth", 61, 12, "date_of_birth must be a date like 31/12/2014"),
        Line("extra-cell", "", 40, 301, HOSTILE),
        Line("unique", "upn", 1, None, "upn must not stand twice"),
    ),
    warnings=(HOSTILE,), left_out=3,
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
        **more,
    )
    for index, (title, owner, state, sent, refused, more) in enumerate(
        [
            (
                "School attendance by term",
                "Wexbourne Schools",
                "accepted",
                7104,
                102,
                {"effect": EFFECT, "replayed": 7},
            ),
            ("Incidents", "Wexbourne Police", "checking", 41210, 0, {"mode": "upsert", "checked": 16384}),
            ("Tenancies", "Wexbourne Housing", "refused", 5120, 1290, {"mode": "delete"}),
            ("Claims", "Wexbourne Benefits", "accepted", 9120, 0, {"mode": "append", "replays": "b" * 32}),
            ("Street crime", "Wexbourne Police", "withdrawn", 31635, 12, {}),
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
        "id": "run1",
        "schedule_id": "s1",
        "plugin": "families",
        "plugin_version": "1.0.0",
        "plugin_digest": "b" * 64,
        "agreement_id": AGREEMENT.id,
        "organisation": "wexbourne-childrens-services",
        "requested_by": "system:scheduler",
        "state": state,
        "parameters": {"ruleset": "TF-2012", "terms": 3},
        "seed": 20260302,
        "as_at": TODAY,
        "inputs": {"attendance": ["v2"]},
        "isolation": "full",
        "message": None,
        "log": "reading 4 tables\n  8,412 households\ndone",
        "progress": 1.0,
        "seconds": 11.4,
        "queued_at": NOW,
        "started_at": NOW,
        "finished_at": NOW,
    }
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
    "families",
    "1.0.0",
    "joinedup-plugin-families",
    "b" * 64,
    {
        "title": "Families who may need help",
        "summary": "Answers the questions of a families programme for each household, from the records "
        "services agreed to share, with the evidence and its dates.",
        "inputs": [
            {
                "name": "people",
                "contract": "hub.people",
                "columns": ["person_id", "household_id", "date_of_birth"],
                "required": True,
                "link": [],
            },
            {
                "name": "attendance",
                "contract": "schools.attendance",
                "columns": ["term", "absence_unauthorised", "fixed_exclusions"],
                "required": False,
                "link": ["person", "household"],
            },
        ],
        "outputs": [
            {
                "name": "households",
                "columns": [{"name": "household_id"}, {"name": "eligible"}],
                "disclosure": "person",
            },
            {
                "name": "summary",
                "columns": [{"name": "need"}, {"name": "households"}],
                "disclosure": "aggregate",
            },
        ],
        "parameters": [
            {
                "name": "ruleset",
                "default": "TF-2012",
                "help": "Which rules to use.",
                "choices": ["TF-2012", "TF-2015"],
            }
        ],
        "resources": {"memory_mb": 2048, "wall_seconds": 600, "output_mb": 256},
    },
    True,
    NOW,
)
SCHEDULE = Schedule("s1", "families", AGREEMENT.id, "0 6 * * MON", {}, True, "user:1", "wexbourne", NOW, None)
UPCOMING = (
    pages.Upcoming(SCHEDULE, "Families who may need help", NOW + timedelta(days=6)),
    pages.Upcoming(replace(SCHEDULE, id="s2", plugin="workforce", enabled=False), "Demand and workforce"),
)
ISOLATION = Isolation(
    "full",
    ("everything held",),
    {
        "no network": True,
        "no files of the machine": True,
        "system read-only": True,
        "no new processes": True,
        "system calls filtered": True,
    },
)
NO_ISOLATION = Isolation("none", ("bubblewrap is not installed",), {})

RESULT = Result(
    "res1",
    "run1",
    ResultState.HELD,
    {"summary": {"rows": 12, "disclosure": "aggregate", "note": "2 of 12 rows hidden"}},
    "report",
    NOW,
    None,
    None,
    None,
)
OUTPUTS = (
    pages.OutputView(
        "households", 8412, "person", "About single households: stays in the hub, behind purpose and reason."
    ),
    pages.OutputView(
        "summary",
        12,
        "aggregate",
        "2 of 12 rows hidden (fewer than 10); counts rounded to 5.",
        view_table("summary", ("need", "households"), (("Crime", 120), ("Education", None))),
    ),
)

MEMBERS = [
    Member("p1", "Ada", "Lovel", date(1984, 5, 2), "F", 3),
    Member("p2", "Ben", "Lovel", date(2012, 11, 30), "M", 4),
    Member("p3", "", "", None, "", 1),
]
HOUSEHOLD = HouseholdView(
    "h1",
    MEMBERS,
    "WX1 4AB",
    "10009876543",
    [
        Contact(
            "schools.attendance",
            "School attendance by term",
            "Wexbourne Schools",
            ("term", "absence_unauthorised", "fixed_exclusions", "on_roll"),
            tuple(
                {
                    "person_id": "p2",
                    "term": term,
                    "absence_unauthorised": count,
                    "fixed_exclusions": 1,
                    "on_roll": True,
                }
                for term, count in (("2025/26 Autumn", 31), ("2024/25 Summer", 22))
            ),
            NOW,
            "2025-04-22",
            "2026-02-13",
        ),
        Contact(
            "benefits.claims",
            "Benefit claims",
            "Wexbourne Benefits",
            ("benefit", "out_of_work", "start_date"),
            (
                {
                    "person_id": "p1",
                    "benefit": "universal credit",
                    "out_of_work": True,
                    "start_date": date(2025, 3, 1),
                },
            ),
            NOW,
            None,
            None,
        ),
    ],
    ["Wexbourne Housing: Tenancies"],
    ["NHS Wexbourne: Registrations with a practice"],
    NeedsAnswers(
        "TF-2012",
        "2026-03-02",
        "yes",
        (
            Need("Crime or anti-social behaviour", "no data"),
            Need(
                "Education: exclusions, absence, not on a roll",
                "met",
                (
                    "22% unauthorised absence over 3 terms, as at 13 February 2026",
                    "2 fixed exclusions in 2025/26 Autumn",
                ),
            ),
            Need(
                "An adult on an out-of-work benefit",
                "met",
                ("Universal credit, out of work, since 1 March 2025",),
            ),
            Need("Health", "source not covered"),
            Need("Homelessness", "not met"),
        ),
        "full",
    ),
    ["Incidents"],
)
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

REGISTRATIONS = (
    Waiting(
        "organisation", "wexbourne-housing", "Wexbourne Housing", "wexbourne-housing", (), (), "",
        "Olga Petrenko, The hub itself", "", NOW, False,
    ),
    Waiting(
        "client", "cli_01kb2c3d4e5f", "Night export", "wexbourne-schools", ("connector",),
        ("0123 4567 89ab cdef 0123 4567 89ab cdef",), "",
        "Itself, with a one-time code", "Otto Marsh, The hub itself", NOW, False,
    ),
    Waiting(
        "client", "cli_01kb2c3d4e60", HOSTILE, "nhs-wexbourne", ("connector", "analyst"),
        ("0123 4567 89ab cdef 0123 4567 89ab cdef", "fedc ba98 7654 3210 fedc ba98 7654 3210"),
        "https://keys.example.nhs.uk/" + "very-long-" * 12 + "jwks.json", HOSTILE, "", NOW, True,
    ),
)  # fmt: skip
