"""The whole site in a real browser: a service user's, an output checker's and an auditor's way through it."""

import re

import pytest

from browser.test_gallery import WIDTHS, violations
from hub.app import create_app
from support.hubs import PASSWORD
from support.lived_in import POSTCODE, SURNAME, lived_in_hub


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    with lived_in_hub(tmp_path_factory.mktemp("site"), synthetic=True) as made:
        yield made


@pytest.fixture(scope="module")
def site(lived, serve):
    with serve(create_app(lived.hub.settings, lived.hub)) as address:
        yield address


def sign_in(page, site, username):
    page.goto(f"{site}/")
    assert page.url == f"{site}/sign-in?next=/"
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state()
    assert page.url == f"{site}/"


def look(page, axe):
    """Nothing is amiss with a page, on a desktop and on a phone."""
    page.wait_for_load_state()
    assert page.locator("h1").count() == 1
    for device, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (
            f"{page.url} is wider than {device}"
        )
    assert violations(page, axe) == [], page.url
    page.set_viewport_size({"width": 1100, "height": 900})


def ask(page):
    """Fill in the search."""
    page.get_by_role("link", name="Find a household").first.click()
    page.get_by_label("Why do you need to see this household?").fill("A visit on Friday, case 2041")
    page.get_by_label("Name and date of birth").check()
    page.get_by_label("Last name").fill(SURNAME)
    for part, value in (("Day", "4"), ("Month", "3"), ("Year", "1965")):
        page.get_by_label(part, exact=True).fill(value)
    page.get_by_role("button", name="Search").click()


def test_a_service_user_finds_a_household_and_sees_the_whole_picture(site, tab, axe):
    sign_in(tab, site, "service-user")
    look(tab, axe)
    ask(tab)
    assert tab.url == f"{site}/households/found"
    look(tab, axe)
    tab.get_by_role("link", name=re.compile(rf"Ada {SURNAME}\s+\(open household\)")).click()
    assert SURNAME not in tab.url
    assert SURNAME not in tab.title()
    assert tab.get_by_role("complementary").inner_text().startswith("This view was logged")
    assert "A visit on Friday, case 2041" in tab.get_by_role("complementary").inner_text()
    assert POSTCODE in tab.locator("main").inner_text()
    look(tab, axe)
    tab.go_back()
    assert tab.locator("h1").inner_text() == "1 person matches", (
        "going back asks for nothing to be sent again"
    )
    tab.get_by_role("link", name="Change the search").click()
    assert tab.get_by_label("Last name").input_value() == SURNAME
    tab.get_by_role("button", name="Sign out").click()
    assert tab.url == f"{site}/sign-in"
    tab.go_back()
    assert SURNAME not in tab.locator("body").inner_text(), "nothing stays behind"


def test_the_same_way_without_javascript(site, browser):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 375, "height": 800})
    page = context.new_page()
    sign_in(page, site, "service-user")
    ask(page)
    page.get_by_role("link", name=re.compile(rf"Ada {SURNAME}\s+\(open household\)")).click()
    assert page.locator("h1").inner_text() == "Household"
    page.get_by_role("button", name="Sign out").click()
    assert page.url == f"{site}/sign-in"
    context.close()


@pytest.mark.parametrize("role", ["output-checker", "auditor", "operator"])
def test_every_page_of_the_navigation_is_accessible(role, site, tab, axe):
    sign_in(tab, site, role)
    addresses = tab.locator("nav[aria-label=Menu] a").evaluate_all("links => links.map(link => link.href)")
    assert len(addresses) >= 5
    for address in [*addresses, f"{site}/account", f"{site}/cookies"]:
        tab.goto(address)
        look(tab, axe)


def test_an_output_checker_decides(site, tab, axe, lived):
    sign_in(tab, site, "output-checker")
    tab.get_by_role("link", name="A result of Counting waits for a decision").click()
    look(tab, axe)
    tab.get_by_text("Look at by_area").click()
    assert tab.get_by_role("table", name="by_area").is_visible()
    tab.get_by_role("radio", name="Release it", exact=True).check()
    tab.get_by_label("What did you look at, and why do you decide so?").fill("No small numbers.")
    tab.get_by_role("button", name="Save decision").click()
    assert tab.url == f"{site}/results/{lived.held}"
    assert "The result was released." in tab.get_by_role("alert").inner_text()
    with tab.expect_download() as download:
        tab.get_by_role("link", name="CSV of by_area").click()
    assert download.value.suggested_filename == "by_area.csv"


def test_an_auditor_checks_the_log_and_picks_out_one_kind_of_act(site, tab, axe):
    sign_in(tab, site, "auditor")
    tab.get_by_role("link", name="Audit log").first.click()
    tab.get_by_role("button", name="Check the whole log now").click()
    assert "The log holds" in tab.locator("main").inner_text()
    look(tab, axe)
    tab.get_by_label("Act", exact=True).select_option("Put an agreement into force")
    tab.get_by_role("button", name="Show these").click()
    acts = tab.locator("table tbody strong").all_inner_texts()
    assert set(acts) == {"Put an agreement into force"}
    assert len(acts) == 3


def test_the_description_of_the_api_is_accessible(site, tab, axe):
    tab.goto(f"{site}/api/docs")
    look(tab, axe)
