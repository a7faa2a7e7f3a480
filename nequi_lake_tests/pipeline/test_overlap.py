"""Two runs of a dataset that overlap: a release is of one raw version, and never older than what is published."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nequi_lake import Lake
from nequi_lake.lake.storage import Storage
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
        original = getattr(Storage, method)

        def first(self: Storage, *arguments: object) -> object:
            monkeypatch.setattr(Storage, method, original)
            do()
            return original(self, *arguments)

        monkeypatch.setattr(Storage, method, first)

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
    at_first("alone", newer_run)
    assert materialize(keys=TABLES).success
    assert papers(lake) == {"8"}
    assert [entry.release.sequence for entry in lake.catalog.history(lake.datasets["cite_sum"], "papers")] == [1]


def test_a_run_that_stages_a_newer_version_than_it_fetched_says_so(
    materialize: Materialize, lake: Lake, inbox: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(inbox, 7)
    locks: list[str] = []
    alone = Storage.alone

    def second(self: Storage, name: str) -> object:
        locks.append(name)
        if locks == ["lake", "cite_sum", "cite_sum"]:
            deliver(inbox, 8)
            assert materialize(keys=RAW).success
        return alone(self, name)

    monkeypatch.setattr(Storage, "alone", second)
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
    read = Storage.read

    def fetch_newer() -> None:
        deliver(inbox, 8)
        assert materialize(keys=RAW).success

    def slow_read(self: Storage, path: str) -> bytes:
        found = read(self, path)
        if path.endswith("train.json.manifest.json") and not other:
            # Another run keeps a newer version after the first file's manifest was read, if nothing keeps it out.
            other.append(threading.Thread(target=fetch_newer))
            other[0].start()
            other[0].join(3)
        return found

    monkeypatch.setattr(Storage, "read", slow_read)
    assert materialize(keys=TABLES).success
    other[0].join()
    monkeypatch.undo()
    assert papers(lake) == {"7"}
    assert materialize(keys=TABLES).success
    assert papers(lake) == {"8"}
