"""``make screenshots``: the pictures in docs/img, made anew of the sample lake."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from nequi_lake_tests.browser.stage import ROOT, Stage, browser, dagster_ui, make_stage, opened

IMAGES = ROOT / "docs" / "img"
LOANS = "credit_risk/loans.html"


def _shoot(page: Page, name: str, height: int) -> None:
    size = page.viewport_size
    assert size
    page.set_viewport_size({"width": size["width"], "height": height})
    page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")


def main() -> None:
    """Make every picture."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        # Before the browser, whose event loop would stand in Dagster's way.
        stage = make_stage(Path(folder))
        with browser() as chromium:
            _shoot_all(stage, chromium)


def _shoot_all(stage: Stage, chromium: Browser) -> None:
    with opened(chromium, stage.report(LOANS)) as seen:
        _shoot(seen.page, "report-light", 1300)
    with opened(chromium, stage.report("credit_risk/payments.html"), scheme="dark") as seen:
        seen.page.evaluate("document.querySelector('#columns').scrollIntoView()")
        _shoot(seen.page, "report-dark", 1000)
    with opened(chromium, stage.report(LOANS), phone=True) as seen:
        seen.page.evaluate("document.querySelector('#column-int_rate').scrollIntoView()")
        _shoot(seen.page, "report-phone", 844)
    with opened(chromium, stage.report("index.html")) as seen:
        _shoot(seen.page, "index", 1000)
    with dagster_ui(stage) as address, opened(chromium, f"{address}/assets/processed/credit_risk/loans") as seen:
        expect(seen.page.get_by_text("int_rate").first).to_be_attached(timeout=60_000)
        # The history and the freshness are asked for later than the columns.
        seen.page.wait_for_timeout(5000)
        _shoot(seen.page, "dagster-table", 1000)
        seen.page.goto(f"{address}/assets/profiling_reports/credit_risk/loans_report")
        seen.page.get_by_text("[Show Markdown]").first.click(timeout=60_000)
        expect(seen.page.get_by_role("cell", name="int_rate")).to_be_visible()
        seen.page.wait_for_timeout(1000)
        _shoot(seen.page, "dagster-report", 960)


if __name__ == "__main__":
    main()
