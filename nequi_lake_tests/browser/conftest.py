"""One lake, one browser and one Dagster UI for all browser tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from nequi_lake_tests.browser.stage import Stage, browser, dagster_ui, make_stage


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The sample lake after two runs; nobody changes it."""
    return make_stage(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="session")
def chromium(stage: Stage) -> Iterator[Browser]:
    """The browser. Its library keeps an event loop at work in this thread, in which Dagster could not run the lake."""
    with browser() as launched:
        yield launched


@pytest.fixture(scope="session")
def ui(stage: Stage) -> Iterator[str]:
    """The address of the Dagster UI."""
    with dagster_ui(stage) as address:
        yield address
