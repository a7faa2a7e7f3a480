"""What the browser tests and the screenshots look at: a lake of two releases, the Dagster UI of it, and a browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from nequi_lake.cli.serve import reports_server
from nequi_lake.defs.run import run_recorded
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import open_storage
from nequi_lake_tests.servers import free_port, module_at_work, wait_for

ROOT = Path(__file__).parents[2]
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


@dataclass(frozen=True)
class Stage:
    """A lake in a folder, with the runs that made it.

    Attributes:
        folder: of the lake.
        home: of Dagster's records.
    """

    folder: Path
    home: Path

    def report(self, name: str) -> str:
        """The address of a page among the reports."""
        return (self.folder / "profiling_reports" / name).as_uri()

    @property
    def environment(self) -> dict[str, str]:
        """Variables under which a process sees this lake."""
        return {"NEQUI_LAKE_URI": str(self.folder), "DAGSTER_HOME": str(self.home)}


def make_stage(folder: Path) -> Stage:
    """The sample lake, in which credit_risk has changed once: the sample of another size is its second release."""
    stage = Stage(folder / "lake", folder / "home")
    stage.home.mkdir()
    shutil.copy(ROOT / ".dagster" / "dagster.yaml", stage.home)
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = str(stage.home)
    try:
        for scale, datasets in (("0.008", ["credit_risk"]), ("0.01", [])):
            settings = Settings.from_env({**stage.environment, "NEQUI_LAKE_SAMPLE_SCALE": scale})
            outcome = run_recorded(settings, datasets)
            assert outcome.success, outcome.failures
    finally:
        os.environ.pop("DAGSTER_HOME")
        if before is not None:
            os.environ["DAGSTER_HOME"] = before
    return stage


@contextmanager
def dagster_ui(stage: Stage) -> Iterator[str]:
    """The address of a Dagster UI of the lake, for the time of the block; its reports are served as by ``make dev``."""
    port = free_port()
    reports = reports_server(open_storage(Settings.from_env(stage.environment)), 0)
    threading.Thread(target=reports.serve_forever, daemon=True).start()
    pages = {"NEQUI_LAKE_REPORTS_URL": f"http://127.0.0.1:{reports.server_port}"}
    environment = {**os.environ, **stage.environment, **pages}
    command = ("dagster_webserver", "-w", str(ROOT / "workspace.yaml"), "-p", str(port))
    address = f"http://127.0.0.1:{port}"
    try:
        with module_at_work(environment, stage.home / "webserver.log", *command) as server:
            wait_for(f"{address}/server_info", server)
            yield address
    finally:
        reports.shutdown()
        reports.server_close()


@contextmanager
def browser() -> Iterator[Browser]:
    """The machine's Chromium, without a window."""
    found = subprocess.run([str(ROOT / "scripts" / "chromium"), "path"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, "There is no Chromium: scripts/chromium install"
    # Root has no sandbox, and containers run as root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found.stdout.strip(), args=arguments)
        try:
            yield launched
        finally:
            launched.close()


@dataclass
class Seen:
    """A page, and what it has asked and complained of since it was opened."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@contextmanager
def opened(browser: Browser, address: str, *, scheme: str = "light", phone: bool = False) -> Iterator[Seen]:
    """A page in a fresh context, for the time of the block."""
    context = browser.new_context(
        viewport=PHONE if phone else DESK,  # type: ignore[arg-type]
        color_scheme=scheme,  # type: ignore[arg-type]
        is_mobile=phone,
        has_touch=phone,
        reduced_motion="reduce",
    )
    try:
        page = context.new_page()
        seen = Seen(page)
        page.on("request", lambda request: seen.requests.append(request.url))
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: seen.complaints.append(said.text) if said.type in ("error", "warning") else None,
        )
        page.goto(address)
        yield seen
    finally:
        context.close()
