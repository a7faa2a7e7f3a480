"""Reports and index in a browser: light and dark, on a desk and on a phone, without a network, for every reader."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from nequi_lake_tests.browser.stage import Stage, opened
from nequi_lake_tests.profiling.tables import lake_table
from nequi_lake_tests.profiling.test_odd_tables import HOSTILE, reported

pytestmark = pytest.mark.browser

PAGES = ("index.html", "credit_risk/loans.html", "credit_risk/credit_history.html", "cite_sum/papers.html")
EVERY_PAGE = pytest.mark.parametrize("name", PAGES)


@EVERY_PAGE
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_a_page_opens_whole_and_asks_for_nothing(
    chromium: Browser, stage: Stage, name: str, scheme: str, phone: bool
) -> None:
    with opened(chromium, stage.report(name), scheme=scheme, phone=phone) as seen:
        expect(seen.page.get_by_role("heading", level=1)).to_be_visible()
        assert seen.complaints == []
        assert [url for url in seen.requests if not url.startswith(("file:", "data:"))] == []
        assert [url for url in seen.requests if url.startswith("file:")] == [stage.report(name)]
        assert _width(seen.page) <= seen.page.viewport_size["width"]  # type: ignore[index]
        back = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(map(int, re.findall(r"\d+", back)[:3])) / 3
        assert (brightness > 200) if scheme == "light" else (brightness < 60)


@EVERY_PAGE
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_accessible(chromium: Browser, stage: Stage, name: str, scheme: str) -> None:
    with opened(chromium, stage.report(name), scheme=scheme) as seen:
        found = Axe().run(seen.page)
        assert found.response["violations"] == [], found.generate_report()


def test_a_report_says_what_a_person_looks_for(chromium: Browser, stage: Stage) -> None:
    with opened(chromium, stage.report("credit_risk/loans.html")) as seen:
        page = seen.page
        expect(page.get_by_role("heading", name="credit_risk.loans")).to_be_visible()
        expect(page.get_by_text("✓ Contract kept")).to_be_visible()
        for title in ("Overview", "Alerts", "What changed", "Columns", "Correlations", "Sample rows"):
            expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
        expect(page.get_by_role("main").get_by_text("8,874").first).to_be_visible()
        expect(page.get_by_text(re.compile(r"Since release \w{12}"))).to_contain_text("rows 7,099 → 8,874 (+1,775)")
        histogram = page.get_by_role("img", name=re.compile(r"Histogram of int_rate: \d+ bins"))
        assert histogram.bounding_box()["height"] > 60  # type: ignore[index]
        assert histogram.locator("rect").count() > 10
        expect(page.get_by_role("img", name=re.compile("Timeline of issue_date"))).to_be_visible()
        limits = page.get_by_role("row", name=re.compile("null_limits"))
        expect(limits).to_contain_text("limit 88.00%")


@pytest.mark.parametrize("name", ["electric_motor/measurements.html", "credit_risk/loans.html"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_no_number_is_broken_over_two_lines(chromium: Browser, stage: Stage, name: str, phone: bool) -> None:
    with opened(chromium, stage.report(name), phone=phone) as seen:
        broken = seen.page.evaluate(
            """() => [...document.querySelectorAll(".figures dd, .top th, .top td, .chip, td")]
                .filter((cell) => /^[-−+<>≈ ]*[\\d.,]+( %)?$/.test(cell.textContent.trim()))
                .filter((cell) => {
                    const range = document.createRange();
                    range.selectNodeContents(cell);
                    return new Set([...range.getClientRects()].map((box) => Math.round(box.top / 8))).size > 1;
                })
                .map((cell) => cell.textContent)"""
        )
        assert broken == []


def test_columns_are_found_by_a_word_and_by_a_link(chromium: Browser, stage: Stage) -> None:
    with opened(chromium, stage.report("credit_risk/loans.html")) as seen:
        page = seen.page
        cards = page.locator("article:visible")
        assert cards.count() == 19
        page.get_by_label("Find a column").fill("funded AMNT")
        expect(cards).to_have_count(2)
        expect(page.get_by_role("status")).to_have_text("2 found")
        page.get_by_label("Find a column").fill("")
        expect(cards).to_have_count(19)
        page.get_by_role("navigation").get_by_role("link", name="sub_grade").click()
        expect(page.locator("#column-sub_grade")).to_be_in_viewport()


def test_a_report_is_walked_through_by_the_keyboard(chromium: Browser, stage: Stage) -> None:
    with opened(chromium, stage.report("credit_risk/loans.html")) as seen:
        page = seen.page
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
        page.keyboard.press("Enter")
        assert page.url.endswith("#content")


def test_a_report_works_without_scripts(chromium: Browser, stage: Stage) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(stage.report("credit_risk/loans.html"))
    assert page.locator("article:visible").count() == 19
    assert not page.get_by_label("Find a column").is_visible()
    context.close()


def test_the_index_leads_to_every_report_and_back(chromium: Browser, stage: Stage) -> None:
    with opened(chromium, stage.report("index.html")) as seen:
        page = seen.page
        assert page.locator("tbody tr").count() == len(list((stage.folder / "profiling_reports").glob("*/*.html")))
        page.get_by_role("link", name="measurements").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("electric_motor.measurements")
        page.get_by_role("link", name="All reports").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Profiling reports")
        page.get_by_label("Find a table or column").fill("pymnt_plan")
        expect(page.locator("tbody tr:visible")).to_have_count(1)
        expect(page.get_by_role("heading", level=2).locator("visible=true")).to_have_count(1)
        page.get_by_label("Find a table or column").fill("")
        expect(page.get_by_role("heading", level=2).locator("visible=true")).to_have_count(3)
        page.get_by_role("link", name="data dictionary").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Data dictionary")
        assert seen.complaints == []


def test_a_table_that_is_due_is_called_stale(chromium: Browser, stage: Stage) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.clock.set_fixed_time("2099-01-01T00:00:00Z")
    page.goto(stage.report("index.html"))
    rows = page.locator("tbody tr")
    expect(page.get_by_text("! stale").locator("visible=true")).to_have_count(rows.count())
    expect(page.get_by_text("✓ up to date").locator("visible=true")).to_have_count(0)
    context.close()


def test_hostile_text_runs_nothing(chromium: Browser, tmp_path: Path) -> None:
    made = reported(lake_table(tmp_path, pl.DataFrame({"text": HOSTILE * 2, "right": ["\u202eمرحبا"] * 14})))
    file = tmp_path / "things.html"
    file.write_bytes(made.files()["html"])
    with opened(chromium, file.as_uri()) as seen:
        seen.page.on("dialog", lambda dialog: seen.complaints.append(dialog.message))
        expect(seen.page.get_by_text("<script>alert('x')</script>").first).to_be_visible()
        assert seen.page.title() == "odd.things · profiling report"
        assert seen.complaints == []


def test_what_got_past_the_escaping_would_not_run(chromium: Browser, tmp_path: Path) -> None:
    made = reported(lake_table(tmp_path, pl.DataFrame({"text": ["marked"] * 3})))
    attack = '<script>document.title = "taken"</script><img src="x" onerror="document.title = \'taken\'">'
    file = tmp_path / "things.html"
    file.write_bytes(made.files()["html"].replace(b"marked", attack.encode()))
    with opened(chromium, file.as_uri()) as seen:
        assert seen.page.title() == "odd.things · profiling report"
        assert any("Content Security Policy" in complaint for complaint in seen.complaints)


def _width(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth"))
