"""A reader never sees a bad, half-written or partial table, whenever a run is killed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nequi_lake import Lake
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.chaos.lakes import Watcher, content_of, leftovers, run_lake
from nequi_lake_tests.chaos.points import POINTS
from nequi_lake_tests.chaos.rounds import MOVES
from nequi_lake_tests.conftest import Materialize, citation, only, write_citations

ROOT = Path(__file__).parents[2]


def parse_summary(*arguments: str) -> Any:
    """What a module of this package prints as JSON, run in a process that may fork."""
    command = [sys.executable, "-m", *arguments]
    # The exit code says no more than the summary does.
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
def test_runs_that_are_killed_at_random_moments_are_never_seen() -> None:
    options = "--kills", "6", "--each", "6", "--seed", "2", "--moves", "run killed"
    summary = parse_summary("nequi_lake_tests.chaos", *options, "--json")
    assert summary["violations"] == {}
    assert summary["killed"] == 6
    assert summary["reads"] > 0


@pytest.mark.long
def test_whatever_else_happens_to_a_lake_is_never_seen() -> None:
    others = [move for move in MOVES if move != "run killed"]
    options = "--kills", "6", "--each", "6", "--seed", "2", "--datasets", "cite_sum", "--moves", *others
    summary = parse_summary("nequi_lake_tests.chaos", *options, "--json")
    assert summary["violations"] == {}
    # A move may kill more than one run.
    assert summary["killed"] >= 6
    assert summary["reads"] > 0


@pytest.fixture(scope="module")
def killed() -> Any:
    """Point → what readers saw after a kill there, and what the next run made of it."""
    return parse_summary("nequi_lake_tests.chaos.points")


@pytest.mark.long
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_any_point_leaves_one_whole_release(killed: Any, point: str) -> None:
    must_see, _ = POINTS[point]
    assert killed[point] == {"killed": True, "seen": must_see, "seen_after_next_run": "B", "wrong": []}


@pytest.fixture
def watcher(materialize: Materialize, lake: Lake) -> Watcher:
    """One that knows the lake's only release, and has seen it."""
    assert materialize().success
    watcher = Watcher(lake, {"A": content_of(lake.tables())})
    assert watcher.look() == leftovers(lake) == []
    return watcher


def test_a_data_file_that_is_gone_is_seen(watcher: Watcher) -> None:
    Path(watcher.lake.table("cite_sum.papers").files()[0]).unlink()
    assert "a reader failed: FileNotFoundError" in watcher.look()[0]
    assert "a file that a snapshot names is not there" in leftovers(watcher.lake)[0]


def test_a_table_of_another_release_than_its_siblings_is_seen(
    watcher: Watcher, materialize: Materialize, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = watcher.lake.catalog.published
    before = {name: old(dataset) for name, dataset in watcher.lake.datasets.items()}
    write_citations(inbox, "train", [citation(8), citation(9), citation(10), citation(11)])
    assert materialize("cite_sum").success
    watcher.releases = {**watcher.releases, "B": content_of(watcher.lake.tables())}
    assert watcher.look() == []
    monkeypatch.setattr(
        LakeCatalog,
        "published",
        lambda catalog, dataset, table=None: {
            name: (before[dataset.name][name] if name == "papers" else catalog.newest(dataset.name, name))
            for name in before[dataset.name]
        },
    )
    wrong = watcher.look()
    assert "cite_sum is of no release" in wrong[0]
    assert "cite_sum: a query counts" in wrong[1]


def test_tables_that_vanish_are_seen(watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lake, "tables", lambda lake: [])
    assert "electric_motor is gone, it was of release A" in watcher.look()


@pytest.mark.bucket
def test_what_a_killed_run_leaves_in_a_bucket_is_seen(bucket_lake: Mapping[str, str], inbox: Path) -> None:
    motor = only("electric_motor")
    settings = Settings.from_env({**bucket_lake, "NEQUI_LAKE_SOURCE": str(inbox)})
    run_lake(settings, motor)
    lake = Lake(settings, motor)
    watcher = Watcher(lake, {"A": content_of(lake.tables())})
    assert watcher.look() == leftovers(lake) == []
    lake.storage.write(lake.storage.path("processed", "electric_motor", "sessions", "data", "run", "0.parquet"), b"")
    with lake.storage.lock("electric_motor"), lake.storage.scratch("electric_motor"):
        found = " ".join(leftovers(lake))
    for kind in ("an orphan", "in the scratch folder", "a lock that is held"):
        assert kind in found
    lake.storage.remove(lake.table("electric_motor.sessions").files()[0])
    assert "a file that a snapshot names is not there" in " ".join(leftovers(lake))
    assert "a reader failed" in watcher.look()[0]


def cut_short(path: Path) -> None:
    """Leave half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def change_a_byte(path: Path) -> None:
    """Leave a file as long as it was."""
    path.write_bytes(b"#" + path.read_bytes()[1:])


@pytest.mark.parametrize(
    ("damage", "wrong"), [(cut_short, "is current and not whole"), (change_a_byte, "is not what its manifest says")]
)
def test_a_damaged_raw_file_is_seen(watcher: Watcher, damage: Callable[[Path], None], wrong: str) -> None:
    (path,) = Path(watcher.lake.storage.uri).glob("raw/cite_sum/*/train.json")
    damage(path)
    assert wrong in watcher.look()[0]


def test_what_a_killed_run_leaves_is_seen(watcher: Watcher) -> None:
    root = Path(watcher.lake.storage.uri)
    orphan = root / "processed" / "cite_sum" / "papers" / "data" / "20260101T000000-0" / "00000000.parquet"
    for path in (orphan, root / "raw" / ".x.draft", root / ".scratch" / "cite_sum" / "train.json"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with watcher.lake.storage.lock("cite_sum"):
        found = " ".join(leftovers(watcher.lake))
    for kind in ("an orphan", "a draft", "in the scratch folder", "a lock that is held"):
        assert kind in found
