"""A data steward uploads a messy file, mends what is at fault and uploads the rest: without JavaScript."""

import csv
import io

import pytest

from hub.app import create_app
from hub.identity import people
from hub.workflows import contracting
from hub.workflows.work import drain
from support.hubs import PASSWORD, make_hub, migrate, principal_of
from support.messy import CONTRACT, MESSY


@pytest.fixture
def hub(tmp_path):
    url = f"sqlite:///{tmp_path / 'only.db'}"
    migrate(url)
    made = make_hub(tmp_path / "hub", url)
    who = principal_of(made, "council", "connector", kind="client")
    with made.database.write() as session:
        people.add_user(session, "stella", "Stella Marsh", who.organisation_id, ["data steward"], PASSWORD)
    contracting.put_dataset(made, who, CONTRACT.id, CONTRACT.text)
    yield made
    made.database.close()


def decided(hub, page):
    """The hub decides; the page is looked at again."""
    drain(hub)
    page.get_by_role("link", name="Look again").click()


def test_a_file_is_uploaded_checked_sent_and_mended_without_javascript(hub, serve, browser, monkeypatch):
    from hub.web.views import publishing, uploading

    for module in (publishing, uploading):
        monkeypatch.setattr(module, "_PATIENCE", 0.0)
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1100, "height": 900})
    page = context.new_page()
    with serve(create_app(hub.settings, hub)) as site:
        page.goto(f"{site}/datasets")
        page.get_by_label("Username").fill("stella")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Residents").click()
        page.get_by_role("button", name="Upload a file").click()
        page.get_by_role("button", name="Upload and check").click()
        assert page.get_by_role("alert").get_by_role("link").all_inner_texts() == [
            "Select what is in the file", "Choose a file",
        ]  # fmt: skip
        page.get_by_label("Everything: the whole dataset").check()
        page.get_by_label("Choose a file").set_input_files(
            {"name": "export.csv", "mimeType": "text/csv", "buffer": MESSY}
        )
        page.get_by_role("button", name="Upload and check").click()
        assert page.locator("h1").inner_text() == "Check what is in your file"
        assert page.locator(".hub-figure__value").all_inner_texts() == ["10", "4", "6"]
        page.get_by_role("button", name="Send this file").click()
        decided(hub, page)
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the rows at fault (CSV)").click()
        assert download.value.suggested_filename.startswith("rows-at-fault-")
        rows = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
        mended = io.StringIO()
        writer = csv.DictWriter(mended, rows[0])
        writer.writeheader()
        writer.writerows(
            row | {"born": "", "Family name": "Named", "rent": "1"} for row in rows if row["row"] != "7"
        )
        page.get_by_role("link", name="Upload the mended rows").click()
        page.get_by_label("Choose the mended file").set_input_files(
            {"name": "mended.csv", "mimeType": "text/csv", "buffer": mended.getvalue().encode()}
        )
        page.get_by_role("button", name="Upload and check").click()
        page.get_by_role("button", name="Send the mended rows").click()
        decided(hub, page)
        assert page.locator(".hub-figure__value").all_inner_texts() == ["5", "5", "0"]
        assert "5 added; 9 rows now" in page.locator("main").inner_text()
    context.close()
