"""What a person finds of tables and reports in the Dagster UI."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from nequi_lake_tests.browser.stage import opened

pytestmark = pytest.mark.browser

WAIT_MS = 60_000


def test_the_page_of_a_report_shows_link_profile_and_plots(chromium: Browser, ui: str) -> None:
    with opened(chromium, f"{ui}/assets/profiling_reports/credit_risk/loans_report") as seen:
        page = seen.page
        page.set_default_timeout(WAIT_MS)
        expect(page.get_by_text("missing_percent")).to_be_visible(timeout=WAIT_MS)
        expect(page.get_by_text(re.compile(r"^/.*/profiling_reports/credit_risk/loans\.html"))).to_be_visible()
        page.get_by_text("[Show Markdown]").click()
        expect(page.get_by_role("cell", name="int_rate")).to_be_visible()
        page.get_by_role("button", name="Close").click()
        page.get_by_role("button", name="Plots").click()
        expect(page.get_by_text("profile_seconds")).to_be_visible()
        assert [url for url in seen.requests if not url.startswith((ui, "data:", "blob:"))] == []


@pytest.mark.parametrize("asset", ["profiling_reports/credit_risk/loans_report", "processed/credit_risk/loans"])
def test_the_link_to_a_report_opens_it(chromium: Browser, ui: str, asset: str) -> None:
    with opened(chromium, f"{ui}/assets/{asset}") as seen:
        link = seen.page.get_by_role("link", name=re.compile(r"^http:.*credit_risk.loans\.html"))
        with seen.page.context.expect_page() as new:
            link.first.click(timeout=WAIT_MS)
        expect(new.value.get_by_role("heading", level=1)).to_have_text("credit_risk.loans")


def test_the_page_of_a_table_shows_columns_and_checks(chromium: Browser, ui: str) -> None:
    with opened(chromium, f"{ui}/assets/processed/credit_risk/loans") as seen:
        page = seen.page
        page.set_default_timeout(WAIT_MS)
        expect(page.get_by_text("Interest rate", exact=False).first).to_be_visible(timeout=WAIT_MS)
        page.goto(f"{ui}/assets/processed/credit_risk/loans?view=checks")
        for name in ("null_limits", "unique_key", "foreign_keys", "quarantine_limit", "rows_accounted_for"):
            expect(page.get_by_text(name).first).to_be_visible()


def test_the_graph_ends_in_the_index(chromium: Browser, ui: str) -> None:
    with opened(chromium, f"{ui}/assets/profiling_reports/credit_risk/index?view=lineage") as seen:
        seen.page.set_default_timeout(WAIT_MS)
        for name in ("loans", "borrowers", "payments", "credit_his"):
            report = seen.page.get_by_text(re.compile(rf"^{name}.*_report$"))
            expect(report.first).to_be_visible(timeout=WAIT_MS)
