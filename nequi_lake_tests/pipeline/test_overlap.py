"""Two runs of a dataset that overlap: a release is of one raw version, and never older than what is published."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nequi_lake import Lake
from nequi_lake.errors import LockLostError
from nequi_lake.lake.storage import StorageBackend
from nequi_lake.pipeline.tables import publish_tables, stage_tables
from nequi_lake_tests.conftest import Materialize, citation, write_citations

RAW = [f"raw/cite_sum/{split}.json" for split in ("train", "validation", "test")]
TABLES = [f"processed/cite_sum/{table}" for table in ("papers", "citations", "paper_fields")]


def deliver(inbox: Path, paper: int) -> None:
    """A new version of all files of the source, each with one record of this paper."""
    for split in ("train", "validation", "test"):
        write_citations(inbox, split, [citation(paper)])


@pytest.fixture
def at_first(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], object]], None]:
    """Do something else once, right before a method of the storage is called for the first time from now on."""

    def install(method: str, do: Callable[[], object]) -> None:
        original = getattr(StorageBackend, method)

        def first(self: StorageBackend, *arguments: object) -> object:
            monkeypatch.setattr(StorageBackend, method, original)
            do()
            return original(self, *arguments)

        monkeypatch.setattr(StorageBackend, method, first)

    return install


def papers(lake: Lake) -> set[str]:
    """The papers that the tables have."""
    return set(lake.table("cite_sum.citations").to_pandas()["paper_id"])


def test_an_older_raw_version_is_not_published_over_a_newer_one(
    materialize: Materialize,
    lake: Lake,
    inbox: Path,
    at_first: Callable[[str, Callable[[], object]], None],
) -> None:
    deliver(inbox, 7)
    assert materialize(keys=RAW).success

    def newer_run() -> None:
        deliver(inbox, 8)
        assert materialize(keys=[*RAW, *TABLES]).success

    # The slower run has fetched paper 7, and waits for the lock in order to stage it.
    at_first("lock", newer_run)
    assert materialize(keys=TABLES).success
    assert papers(lake) == {"8"}
    assert [entry.release.sequence for entry in lake.catalog.history(lake.datasets["cite_sum"], "papers")] == [1]


def test_a_run_that_stages_a_newer_version_than_it_fetched_says_so(
    materialize: Materialize, lake: Lake, inbox: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(inbox, 7)
    locks: list[str] = []
    lock = StorageBackend.lock

    def second(self: StorageBackend, name: str) -> object:
        locks.append(name)
        if locks == ["lake", "cite_sum", "cite_sum"]:
            deliver(inbox, 8)
            assert materialize(keys=RAW).success
        return lock(self, name)

    monkeypatch.setattr(StorageBackend, "lock", second)
    with caplog.at_level("WARNING", logger="nequi_lake"):
        assert materialize(keys=[*RAW, *TABLES]).success
    assert papers(lake) == {"8"}
    assert "which is newer than" in caplog.text


def test_a_release_is_of_one_raw_version(
    materialize: Materialize, lake: Lake, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(inbox, 7)
    assert materialize(keys=RAW).success
    other: list[threading.Thread] = []
    read = StorageBackend.read

    def fetch_newer() -> None:
        deliver(inbox, 8)
        assert materialize(keys=RAW).success

    def slow_read(self: StorageBackend, path: str) -> bytes:
        found = read(self, path)
        if path.endswith("train.json.manifest.json") and not other:
            # Another run keeps a newer version after the first file's manifest was read, if nothing keeps it out.
            other.append(threading.Thread(target=fetch_newer))
            other[0].start()
            other[0].join(3)
        return found

    monkeypatch.setattr(StorageBackend, "read", slow_read)
    assert materialize(keys=TABLES).success
    other[0].join()
    monkeypatch.undo()
    assert papers(lake) == {"7"}
    assert materialize(keys=TABLES).success
    assert papers(lake) == {"8"}


def test_a_run_that_lost_its_lock_publishes_nothing(materialize: Materialize, lake: Lake, inbox: Path) -> None:
    deliver(inbox, 7)
    assert materialize("cite_sum").success
    deliver(inbox, 8)
    assert materialize(keys=RAW).success
    dataset = lake.datasets["cite_sum"]
    with stage_tables(lake, dataset, "slow") as slow:
        # Somebody clears away the locks, and another run is done before the slow one commits.
        shutil.rmtree(lake.storage.path(".locks"))
        publish_tables(lake, dataset, "other")
        with pytest.raises(LockLostError, match="another run may be at work"):
            slow.commit_all()
    history = lake.catalog.history(dataset, "papers")
    assert (history[0].release.sequence, history[0].release.run_id[-5:]) == (2, "other")
    assert len(history) == 2
    assert papers(lake) == {"8"}
