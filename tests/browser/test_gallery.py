"""Every page, with made-up and with hostile content, in a real browser."""

from __future__ import annotations

import pytest

from browser.gallery import GALLERY, create_gallery

#: WCAG 2.2 level AA, and axe's best practices.
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDTHS = {"a desktop": 1100, "a phone": 375, "400% zoom": 320}
#: Pages whose content differs with the width.
ALSO_NARROW = {"home", "household", "result", "search-errors", "audit"}


@pytest.fixture(scope="module")
def gallery(serve):
    with serve(create_gallery()) as address:
        yield address


def violations(tab, axe):
    """What axe finds, as lines to read."""
    if tab.evaluate("typeof window.axe") == "undefined":
        tab.evaluate(axe)
    found = tab.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})",
        AXE_RULES,
    )
    return [
        f"{item['id']}: {item['help']}: {node['html'][:200]}"
        for item in found["violations"]
        for node in item["nodes"]
        if not _known(item["id"], node["html"])
    ]


def _known(rule, html):
    """GOV.UK Frontend gives radio buttons that reveal fields aria-expanded, and knows that axe objects."""
    return rule == "aria-allowed-attr" and "govuk-radios__input" in html and "aria-expanded" in html


@pytest.mark.parametrize("name", GALLERY)
def test_a_page_is_accessible_and_never_wider_than_the_screen(name, gallery, same_tab, axe):
    same_tab.goto(f"{gallery}/gallery/{name}")
    assert violations(same_tab, axe) == []
    for device, width in WIDTHS.items():
        same_tab.set_viewport_size({"width": width, "height": 800})
        assert same_tab.evaluate("document.documentElement.scrollWidth") <= width, f"wider than {device}"
    if name in ALSO_NARROW:
        assert violations(same_tab, axe) == []


def test_axe_would_find_a_fault(tab, axe, gallery):
    tab.goto(f"{gallery}/gallery/home")
    tab.evaluate("document.querySelector('h1').outerHTML = '<img src=\"/assets/favicon.svg\">'")
    assert any(line.startswith("image-alt") for line in violations(tab, axe))


@pytest.mark.parametrize("name", ["result-hostile", "agreement-hostile", "error-detail"])
def test_hostile_content_is_text(name, gallery, tab):
    tab.goto(f"{gallery}/gallery/{name}")
    assert tab.evaluate("[...document.scripts].map(s => s.src || s.textContent)") == [
        f"{gallery}/assets/supported.js",
        f"{gallery}/assets/hub.js",
    ]
    assert tab.locator("main img, main iframe, main [onload], main [onerror], main [style]").count() == 0
    assert "49" not in tab.locator("h1").inner_text()


def test_the_policy_stops_inline_scripts_and_styles(gallery, browser):
    """Checked without `tab`, which would fail: here the browser must complain."""
    page = browser.new_page()
    refused = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(f"{gallery}/gallery/home")
    page.evaluate(
        """() => {
            const script = document.createElement('script');
            script.textContent = 'window.hacked = true';
            document.body.append(script);
            document.querySelector('h1').setAttribute('style', 'color: rgb(1, 2, 3)');
        }"""
    )
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") != "rgb(1, 2, 3)"
    assert len([line for line in refused if "Content Security Policy" in line]) == 2
    page.close()


def test_charts_take_their_looks_from_the_style_sheet_and_show_one_drawing_for_the_width(gallery, tab):
    tab.goto(f"{gallery}/gallery/result")
    colour = "getComputedStyle(document.querySelector('.hub-chart__picture--wide .hub-chart__bar')).fill"
    assert tab.evaluate(colour) == "rgb(18, 67, 109)"
    for width, shown, hidden in ((1100, "wide", "narrow"), (375, "narrow", "wide")):
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.locator(f".hub-chart__picture--{shown}").first.is_visible()
        assert tab.locator(f".hub-chart__picture--{hidden}").first.is_hidden()


def test_the_text_of_charts_does_not_overlap_as_the_browser_draws_it(gallery, tab):
    tab.goto(f"{gallery}/gallery/result")
    overlapping = """() => [...document.querySelectorAll('svg.hub-chart__picture')].flatMap(svg => {
        const boxes = [...svg.querySelectorAll('text')]
            .map(text => [text.textContent, text.getBoundingClientRect()]).filter(([_, box]) => box.width);
        const touch = (p, q) => p.left < q.right - 1 && q.left < p.right - 1
            && p.top < q.bottom - 4 && q.top < p.bottom - 4;
        return boxes.flatMap(([a, p], i) =>
            boxes.slice(i + 1).filter(([b, q]) => touch(p, q)).map(([b]) => `${a} / ${b}`));
    })"""
    for width in (1100, 700, 375, 320):
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.evaluate(overlapping) == []


@pytest.mark.parametrize("name", ["home", "search", "run", "household"])
def test_a_page_is_complete_without_javascript(name, gallery, browser):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 375, "height": 800})
    page = context.new_page()
    page.goto(f"{gallery}/gallery/{name}")
    assert page.locator("main h1").is_visible()
    assert page.locator("nav[aria-label=Menu] a").last.is_visible()
    for hidden in page.locator("main input:not([type=hidden]), main textarea").all():
        assert hidden.is_visible()
    for details in page.locator("main details").all():
        details.locator("summary").click()
        assert details.locator(".govuk-details__text").is_visible()
    context.close()


def test_errors_are_said_at_the_top_beside_the_field_and_in_the_title(gallery, tab):
    tab.goto(f"{gallery}/gallery/search-errors")
    assert tab.title().startswith("Error: ")
    links = tab.locator(".govuk-error-summary__list a")
    assert links.all_inner_texts() == [
        "Select what this is for",
        "Enter why you need to see this household",
        "Enter a last name",
        "Date of birth must include a year",
    ]
    assert tab.evaluate("document.activeElement.className").startswith("govuk-error-summary")
    for link in links.all():
        link.click()
        assert tab.evaluate("document.activeElement.id") == link.get_attribute("href").removeprefix("#")


def test_the_skip_link_comes_first_and_leads_to_the_content(gallery, tab):
    tab.goto(f"{gallery}/gallery/home")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to main content"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main-content"


def test_the_navigation_offers_what_the_person_may_open_and_says_where_they_are(gallery, tab):
    tab.goto(f"{gallery}/gallery/dataset")
    assert tab.locator("nav[aria-label=Menu] [aria-current]").all_inner_texts() == ["Datasets"]
    tab.goto(f"{gallery}/gallery/sign_in")
    assert tab.locator("nav[aria-label=Menu]").count() == 0


def test_a_page_prints_in_full_with_its_charts_and_without_its_navigation(gallery, tab):
    tab.goto(f"{gallery}/gallery/result")
    tab.emulate_media(media="print")
    assert tab.locator(".hub-chart__picture--wide").first.is_visible()
    assert tab.locator(".govuk-service-navigation").is_hidden()
    assert tab.locator(".hub-user").is_hidden()


def test_synthetic_data_and_a_missing_sandbox_are_said_on_top_of_the_page(gallery, tab):
    tab.goto(f"{gallery}/gallery/plugins-unsandboxed")
    banners = tab.locator(".govuk-phase-banner").all_inner_texts()
    assert "The people in this hub are invented." in banners[0]
    assert "Plugins run without a sandbox on this hub." in banners[1]
    tab.goto(f"{gallery}/gallery/home-empty")
    assert tab.locator(".govuk-phase-banner").count() == 0
