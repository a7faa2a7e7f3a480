"""Runs that are killed at a named point each: what readers see then, and what the next run makes of it.

``python -m nequi_lake_tests.chaos.points`` prints point → findings as JSON.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyiceberg.catalog.sql import SqlCatalog

import nequi_lake.pipeline.tables
from nequi_lake import Lake
from nequi_lake.defs.io_managers import ReportIOManager
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.storage.local import LocalStorage
from nequi_lake_tests.chaos.forks import answer_of, fork, import_what_it_imports
from nequi_lake_tests.chaos.lakes import (
    Content,
    Watcher,
    content_of,
    leftovers,
    run_lake,
    settings_of,
    write_inbox,
)
from nequi_lake_tests.conftest import only

CITE_SUM = only("cite_sum")
Hook = Callable[[Path], None]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _at(owner: Any, name: str, *, turn: int = 1, after: bool = False, where: str = "") -> Hook:
    """Die before or after a function's call, the one of that turn among those with ``where`` in an argument."""

    def install(_: Path) -> None:
        function = getattr(owner, name)
        calls = 0

        @functools.wraps(function)
        def mortal(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += where in " ".join(map(str, arguments))
            hit = calls == turn and where in " ".join(map(str, arguments))
            if hit and not after:
                _die()
            result = function(*arguments, **options)
            if hit:
                _die()
            return result

        setattr(owner, name, mortal)

    return install


def _while_files_are_written(lake: Path) -> None:
    """Die when the first new file of a table is there, and the pass that writes it has not ended."""
    before = set(lake.glob("processed/*/*/data/*"))
    stage = vars(nequi_lake.pipeline.tables)["stage"]

    def watch() -> None:
        while set(lake.glob("processed/*/*/data/*")) == before:
            pass
        _die()

    def watched(*arguments: Any, **options: Any) -> Any:
        threading.Thread(target=watch, daemon=True).start()
        result = stage(*arguments, **options)
        _die()
        return result

    vars(nequi_lake.pipeline.tables)["stage"] = watched


POINTS: dict[str, tuple[str, Hook]] = {
    "before a raw file is taken": ("A", _at(LocalStorage, "upload")),
    "within a raw file's taking": ("A", _at(Path, "replace", where="train.json")),
    "before a raw file's manifest": ("A", _at(LocalStorage, "write", where="train.json.manifest")),
    "after a raw file's manifest": ("A", _at(LocalStorage, "write", where="train.json.manifest", after=True)),
    "before current.json": ("A", _at(LocalStorage, "write", where="current.json")),
    "within current.json": ("A", _at(Path, "replace", where="current.json")),
    "after current.json": ("A", _at(LocalStorage, "write", where="current.json", after=True)),
    "in the middle of the stage": ("A", _while_files_are_written),
    "after the stage, before its quarantine is seen": ("A", _at(Path, "replace", where="newest.json")),
    "after the stage, before the audit": ("A", _at(nequi_lake.pipeline.tables, "audit")),
    "after the audit, before the first publish": ("A", _at(LakeCatalog, "publish")),
    "within the first publish": ("A", _at(SqlCatalog, "commit_table")),
    "after the first publish": ("A", _at(LakeCatalog, "publish", after=True)),
    "within the last publish": ("A", _at(SqlCatalog, "commit_table", turn=3)),
    "after the last publish": ("B", _at(LakeCatalog, "publish", turn=3, after=True)),
    "before a report": ("B", _at(ReportIOManager, "handle_output")),
    "within a report": ("B", _at(Path, "replace", where="profiling_reports", turn=2)),
}
"""Point → the release that readers must see after a kill there of a run that goes from A to B, and how to die there."""


def main() -> None:
    """Go from release A to B, and be killed on the way, once for each point."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        for release in ("A", "B"):
            write_inbox(folder / release, release)
        import_what_it_imports(functools.partial(_fresh, folder, "A"))
        releases: dict[str, Content] = {
            # The one of A is made last and stays: its tables name the place where they are.
            release: answer_of(functools.partial(_fresh, folder, release))
            for release in ("B", "A")
        }
        shutil.copytree(folder / "lake", folder / "before")
        found = {point: _killed(folder, hook, releases) for point, (_, hook) in POINTS.items()}
    sys.stdout.write(json.dumps(found))


def _fresh(folder: Path, release: str) -> Content:
    shutil.rmtree(folder / "lake", ignore_errors=True)
    settings = settings_of(folder / "lake", folder / release)
    run_lake(settings, CITE_SUM)
    return content_of(Lake(settings, CITE_SUM).tables())


def _killed(folder: Path, hook: Hook, releases: dict[str, Content]) -> dict[str, Any]:
    lake = folder / "lake"
    shutil.rmtree(lake)
    shutil.copytree(folder / "before", lake)

    def mortal(_: Callable[[str], None]) -> None:
        hook(lake)
        run_lake(settings_of(lake, folder / "B"), CITE_SUM)

    def look_and_run_again() -> dict[str, Any]:
        watcher = Watcher(Lake(settings_of(lake, folder / "B"), CITE_SUM), releases)
        wrong = watcher.look()
        seen = watcher.seen.get("cite_sum")
        run_lake(watcher.lake.settings, CITE_SUM)
        wrong += [*watcher.look(), *leftovers(watcher.lake)]
        return {"seen": seen, "seen_after_next_run": watcher.seen.get("cite_sum"), "wrong": wrong}

    return {"killed": fork(mortal).wait() == -signal.SIGKILL, **answer_of(look_and_run_again)}


if __name__ == "__main__":
    main()
