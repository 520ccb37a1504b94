"""Pages: templates and their data agree, states and times read as words, forms say what to do."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from jinja2 import UndefinedError, meta
from jinja2.nodes import Assign, AssignBlock, FromImport, Macro, Name
from werkzeug.datastructures import MultiDict

from browser.gallery import GALLERY, create_gallery
from hub.catalogue.states import ProposalState
from hub.intake.states import DeliveryState
from hub.policy.agreement import AgreementState
from hub.runs.states import ResultState, RunState
from hub.web import create_blueprint, pages, words
from hub.web.account_forms import SignInForm
from hub.web.forms import DecisionForm, SearchForm
from hub.web.reports import paragraphs, view_table
from hub.web.routes import NAVIGATION, ROUTES

LONDON = ZoneInfo("Europe/London")


@pytest.fixture(scope="module")
def gallery():
    app = create_gallery()
    app.testing = True
    return app


# ---- templates -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GALLERY)
def test_a_page_renders_with_one_heading_unique_ids_and_nothing_inline(gallery, name):
    html = gallery.test_client().get(f"/gallery/{name}").get_data(as_text=True)
    assert html.startswith("<!DOCTYPE html>")
    assert len(re.findall(r"<h1[ >]", html)) == 1
    ids = re.findall(r'\sid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=[\"']|javascript:", re.sub(r">[^<]*<", "><", html))
    assert all(re.search(r'\ssrc="/', tag) for tag in re.findall(r"<script[^>]*>", html))
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', html)


def test_every_page_and_every_template_is_in_the_gallery(gallery):
    shown = set()
    with gallery.test_request_context():
        for make in GALLERY.values():
            page = make()
            shown |= {type(page).__name__, page.template}
    kinds = {
        kind.__name__
        for kind in vars(pages).values()
        if isinstance(kind, type) and issubclass(kind, pages.Page)
    }
    templates = {name for name in gallery.jinja_env.list_templates() if name.startswith("pages/")}
    assert kinds - shown == {"Page"}
    assert templates - shown == set()


def test_templates_ask_for_page_and_shell_and_nothing_else_from_views(gallery):
    given = {"page", "shell", "navigation", "flashed"}
    for name in gallery.jinja_env.list_templates():
        if name.startswith(("pages/", "parts/", "base")):
            source = gallery.jinja_env.loader.get_source(gallery.jinja_env, name)[0]
            tree = gallery.jinja_env.parse(source)
            imported = {
                name if isinstance(name, str) else name[-1]
                for node in tree.find_all(FromImport)
                for name in node.names
            }
            macros = {node.name for node in tree.find_all(Macro)}
            targets = [node.target for node in tree.find_all((Assign, AssignBlock))]
            set_here = {target.name for target in targets if isinstance(target, Name)}
            unknown = meta.find_undeclared_variables(tree) - given - imported - macros - set_here
            assert unknown - set(gallery.jinja_env.globals) - {"caller", "csrf_token"} == set(), name


def test_a_name_that_a_page_does_not_have_is_an_error(gallery):
    page = pages.DatasetsPage(datasets=())
    with gallery.test_request_context():
        gallery.jinja_env.from_string("{{ page.datasets }}{{ {}.nothing }}").render(page=page)
        with pytest.raises(UndefinedError, match="DatasetsPage has no 'datasetz'"):
            gallery.jinja_env.from_string("{{ page.datasetz }}").render(page=page)
        with pytest.raises(UndefinedError):
            gallery.jinja_env.from_string("{{ page.title }}").render()


def test_pages_cannot_be_changed_after_they_were_made():
    for kind in vars(pages).values():
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            assert kind.__dataclass_params__.frozen, kind


def test_pages_about_people_do_not_print_them():
    hit = pages.Hit("handle", "Ada Lovel", date(2012, 1, 1), "WX1 4AB")
    assert "Lovel" not in repr(hit)
    assert "Lovel" not in repr(pages.SearchPage(form=None, found=(hit,)))


def test_pages_are_kept_by_no_cache_and_carry_the_policy(gallery):
    headers = gallery.test_client().get("/datasets").headers
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_the_title_names_no_person_and_no_address(gallery):
    html = gallery.test_client().get("/gallery/household").get_data(as_text=True)
    assert re.search(r"<title>(.*)</title>", html).group(1) == "Household – JoinedUp Hub"


# ---- routes --------------------------------------------------------------------------------------


def test_a_blueprint_needs_a_view_for_each_route_and_knows_no_others():
    views = {route.name: lambda **_: "" for route in ROUTES}
    create_blueprint(views, lambda route: None)
    with pytest.raises(ValueError, match=r"no view for \['home'\], no route for \['hom'\]"):
        create_blueprint(
            {("hom" if name == "home" else name): view for name, view in views.items()}, lambda route: None
        )


def test_the_guard_is_asked_before_every_page_that_is_not_public():
    app = Flask("guarded", static_folder=None)
    asked = []
    app.register_blueprint(
        create_blueprint(
            {route.name: lambda **_: "seen" for route in ROUTES},
            lambda route: asked.append(route.name) or ("sign in first", 401),
        )
    )
    client = app.test_client()
    for route in ROUTES:
        path = re.sub(r"<[^>]+>", "x", route.rule)
        response = client.open(path, method=route.methods[0])
        assert response.status_code == (200 if route.public else 401), route.name
    assert set(asked) == {route.name for route in ROUTES if not route.public}
    with client.get("/assets/hub.css") as response:
        assert response.status_code == 200


def test_the_navigation_leads_to_pages_that_anybody_could_be_offered():
    simple = {route.name for route in ROUTES if "<" not in route.rule and "GET" in route.methods}
    assert {name for name, _ in NAVIGATION} <= simple


# ---- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("states", [DeliveryState, RunState, ResultState, AgreementState, ProposalState])
def test_every_state_has_words_and_a_colour(states):
    for state in states:
        assert str(state) in words.STATES


def test_times_read_as_in_a_letter_and_in_local_time():
    assert words.moment(datetime(2026, 7, 3, 15, 5, tzinfo=UTC), LONDON) == "3 July 2026 at 4:05pm"
    assert words.moment(datetime(2026, 1, 3, 12, 0, tzinfo=UTC), LONDON) == "3 January 2026 at midday"
    assert words.moment(datetime(2026, 1, 3, 0, 0, tzinfo=UTC), LONDON) == "3 January 2026 at midnight"
    assert words.day("2026-03-02") == "2 March 2026"
    assert words.day("2025/26 Autumn") == "2025/26 Autumn"
    assert words.day(None) == "not known"
    assert words.period("2024-09-01", date(2025, 8, 31)) == "1 September 2024 to 31 August 2025"
    assert words.period(None, "2025-08-31") == "to 31 August 2025"


def test_how_long_ago_uses_the_largest_unit_that_fits():
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    for past, said in [
        (3, "just now"),
        (60, "1 minute ago"),
        (7200, "2 hours ago"),
        (200_000, "2 days ago"),
        (-90_000, "in 1 day"),
    ]:
        assert words.ago(now - timedelta(seconds=past), now) == said


def test_lengths_of_time():
    assert [words.duration(seconds) for seconds in (0.44, 12, 61, 120, None)] == [
        "0.4 seconds",
        "12 seconds",
        "1 min 1 s",
        "2 min",
        "not known",
    ]


# ---- forms ---------------------------------------------------------------------------------------

AGREEMENTS = [("a1", "Help for families", "find families"), ("a2", "Homes", "prevent homelessness")]
GOOD = {
    "agreement": "a1", "reason": "Preparing a visit on Thursday", "way": "name", "surname": " Lovel ",
    "date_of_birth-day": "30", "date_of_birth-month": "November", "date_of_birth-year": "2012",
}  # fmt: skip


@pytest.fixture
def send(gallery):
    """Send fields to a form, without the guard against cross-site requests; gives the form and its messages."""

    def sending(kind, fields, offer=None):
        form = kind(formdata=MultiDict(fields), meta={"csrf": False})
        if offer is not None:
            form.offer(offer)
        form.validate()
        return form, dict(form.all_errors())

    with gallery.test_request_context():
        yield sending


def test_a_search_by_name_reads_the_date_and_trims_the_name(send):
    form, errors = send(SearchForm, GOOD, AGREEMENTS)
    assert errors == {}
    assert (form.surname.data, form.date_of_birth.data) == ("Lovel", date(2012, 11, 30))


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        ({"agreement": ""}, "agreement", "Select what this is for"),
        ({"agreement": "a9"}, "agreement", "Not a valid choice"),
        ({"reason": "visit"}, "reason", "Say a little more: at least 10 characters"),
        ({"reason": "x" * 501}, "reason", "The reason must be 500 characters or fewer"),
        ({"surname": " \x00 "}, "surname", None),
        ({"surname": ""}, "surname", "Enter a last name"),
        ({"date_of_birth-year": ""}, "date_of_birth-year", "Date of birth must include a year"),
        ({"date_of_birth-day": "31"}, "date_of_birth-day", "Date of birth must be a real date"),
        ({"date_of_birth-month": "Brumaire"}, "date_of_birth-day", "Date of birth must be a real date"),
        ({"date_of_birth-year": "3012"}, "date_of_birth-day", "Date of birth must be in the past"),
        ({"date_of_birth-year": "²⁰¹²"}, "date_of_birth-day", "Date of birth must be a real date"),
        ({"way": "nhs"}, "nhs_number", "Enter an NHS number"),
        (
            {"way": "nhs", "nhs_number": "12345"},
            "nhs_number",
            "The NHS number must be 10 digits, like 943 476 5919",
        ),
        ({"way": "address"}, "postcode", "Enter a postcode or a UPRN"),
        ({"way": "address", "postcode": "nowhere"}, "postcode", "Enter a full postcode, like AA3 1AB"),
        ({"way": "address", "uprn": "12a"}, "uprn", "The UPRN must be up to 12 digits"),
        ({"way": "by force"}, "way", "Not a valid choice"),
    ],
)
def test_a_search_that_cannot_be_used_says_what_to_do_and_where(send, change, place, message):
    _, errors = send(SearchForm, GOOD | change, AGREEMENTS)
    assert message is None or errors.get(place, "").startswith(message), errors


def test_a_search_by_number_or_address_needs_no_name(send):
    assert (
        send(SearchForm, GOOD | {"way": "nhs", "nhs_number": "943 476 5919", "surname": ""}, AGREEMENTS)[1]
        == {}
    )
    assert (
        send(
            SearchForm, GOOD | {"way": "address", "postcode": "wx1 4ab", "date_of_birth-day": ""}, AGREEMENTS
        )[1]
        == {}
    )


def test_the_only_purpose_there_is_comes_chosen(gallery):
    with gallery.test_request_context():
        assert SearchForm(formdata=None).offer(AGREEMENTS[:1]).agreement.data == "a1"
        assert SearchForm(formdata=None).offer(AGREEMENTS).agreement.data is None


def test_a_password_keeps_its_spaces(send):
    form, _ = send(SignInForm, {"username": " sam ", "password": "  secret  phrase "})
    assert (form.username.data, form.password.data) == ("sam", "  secret  phrase ")


def test_a_decision_offers_only_what_the_state_allows(send):
    assert (
        send(DecisionForm, {"decision": "release", "reason": "no small numbers"}, ["release", "reject"])[1]
        == {}
    )
    assert "decision" in send(DecisionForm, {"decision": "withdraw", "reason": "x"}, ["release", "reject"])[1]


# ---- reports -------------------------------------------------------------------------------------


def test_text_of_a_report_becomes_paragraphs_and_lists():
    made = paragraphs("One\nline.\n\nThen:\n- a\n- <b>b</b>\n\n\n")
    assert [(item.text, item.items) for item in made] == [
        ("One line.", ()),
        ("Then:", ()),
        ("", ("a", "<b>b</b>")),
    ]


def test_columns_of_figures_stand_to_the_right_and_long_tables_say_what_is_left_out():
    view = view_table("t", ("a", "b", "c"), [("x", 1, None), ("y", 2.5, None)] * 400)
    assert view.numeric == (False, True, False)
    assert (len(view.rows), view.left_out) == (500, "The first 500 of 800 rows are shown.")
    assert view.rows[0] == ("x", "1", "no data")


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "heading"), [(404, "Page not found"), (418, "could not read"), (502, "problem with the hub")]
)
def test_an_error_page_says_what_to_do_next(status, heading):
    page = pages.error_page(status)
    assert heading in page.heading
    assert page.paragraphs
