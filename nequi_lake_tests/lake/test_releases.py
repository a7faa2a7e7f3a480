"""Readers see one whole release of a dataset or the other, whatever is committed in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pyiceberg.table.snapshots
import pytest
from pyiceberg.io.pyarrow import parquet_files_to_data_files
from pyiceberg.table.snapshots import Snapshot

from nequi_lake import Lake
from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import CatalogError
from nequi_lake.lake.catalog.commits import parse_summary
from nequi_lake.lake.release import PublishedTable, StagedTable
from nequi_lake_tests.conftest import Materialize, citation, write_citations


def restaged(published: PublishedTable, release: str, files: int = 1, sequence: int | None = None) -> StagedTable:
    """The same files as another release; by default as the next one."""
    return StagedTable(
        dataset=published.dataset,
        table=published.table,
        release=replace(published.release, id=release, sequence=sequence or published.release.sequence + 1),
        accounting=published.accounting,
        files=published.files[:files],
    )


@pytest.fixture
def cite_sum(lake: Lake) -> Dataset:
    """The declaration of cite_sum."""
    return lake.datasets["cite_sum"]


def releases(lake: Lake) -> set[str]:
    """The releases that a reader sees."""
    return {table.published.release.id for table in lake.tables()}


def test_a_release_is_seen_when_its_last_table_is_committed(
    materialize: Materialize, lake: Lake, cite_sum: Dataset
) -> None:
    assert materialize("cite_sum").success
    (old,) = releases(lake)
    for published in (table.published for table in lake.tables()):
        assert releases(lake) == {old}
        lake.catalog.publish(cite_sum, restaged(published, "new", files=9))
    assert releases(lake) == {"new"}


def test_an_old_release_that_is_committed_again_is_seen_when_its_last_table_is_committed(
    materialize: Materialize, lake: Lake, cite_sum: Dataset
) -> None:
    assert materialize("cite_sum").success
    first = [table.published for table in lake.tables()]
    for published in first:
        lake.catalog.publish(cite_sum, restaged(published, "new", files=9))
    for published in first:
        assert releases(lake) == {"new"}
        lake.catalog.publish(cite_sum, restaged(published, published.release.id, sequence=3))
    assert releases(lake) == {first[0].release.id}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Sets the clock of whoever commits from now on, as a distance from the real one."""

    def set_to(shift: timedelta) -> None:
        moved = SimpleNamespace(time=lambda: time.time() + shift.total_seconds())
        monkeypatch.setattr(pyiceberg.table.snapshots, "time", moved)

    return set_to


def publish_new(materialize: Materialize, lake: Lake, inbox: Path, paper: int) -> str:
    """Publish a release of cite_sum with one more paper; its id."""
    write_citations(inbox, "train", [citation(paper)])
    assert materialize("cite_sum").success
    (release,) = releases(lake)
    return release


def test_a_release_from_a_machine_whose_clock_is_behind_is_seen(
    materialize: Materialize, lake: Lake, inbox: Path, clock: Callable[[timedelta], None]
) -> None:
    assert materialize("cite_sum").success
    (old,) = releases(lake)
    clock(timedelta(days=-10))
    new = publish_new(materialize, lake, inbox, 8)
    assert new != old
    entries = lake.catalog.history(lake.datasets["cite_sum"], "papers")
    assert [(entry.release.sequence, entry.current) for entry in entries] == [(2, True), (1, False)]
    assert entries[0].committed_at < entries[1].committed_at


def test_as_of_a_time_takes_the_highest_sequence_that_is_not_after_it(
    materialize: Materialize, lake: Lake, inbox: Path, clock: Callable[[timedelta], None]
) -> None:
    now = datetime.now(UTC)
    ids = []
    for number, days in enumerate((-20, -10, -30)):
        clock(timedelta(days=days))
        ids.append(publish_new(materialize, lake, inbox, 8 + number))
    for days, seen in ((-5, ids[2]), (-15, ids[2]), (-25, ids[2])):
        assert releases(Lake(lake.settings, lake.datasets, as_of=now + timedelta(days=days))) == {seen}
    clock(timedelta(days=-1))
    ids.append(publish_new(materialize, lake, inbox, 20))
    assert releases(Lake(lake.settings, lake.datasets, as_of=now + timedelta(days=-2))) == {ids[2]}
    assert releases(Lake(lake.settings, lake.datasets, as_of=now)) == {ids[3]}


def test_the_newest_release_is_found_without_reading_the_older_snapshots(
    materialize: Materialize, lake: Lake, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for paper in (8, 9, 10, 11):
        publish_new(materialize, lake, inbox, paper)
    parsed: list[int] = []

    def count(snapshot: Snapshot) -> object:
        parsed.append(snapshot.snapshot_id)
        return parse_summary(snapshot)

    monkeypatch.setattr("nequi_lake.lake.catalog.commits.parse_summary", count)
    assert len(lake.catalog.published(lake.datasets["cite_sum"])) == 3
    # The newest snapshot of each of the three tables, and the one before it, which is of another release.
    assert len(set(parsed)) <= 6


def test_a_table_that_the_release_did_not_know_does_not_hide_it(
    materialize: Materialize, lake: Lake, cite_sum: Dataset
) -> None:
    assert materialize("cite_sum").success
    smaller = Lake(lake.settings, {"cite_sum": _with_tables(cite_sum, 2)})
    assert {table.table.name for table in smaller.tables()} == {"papers", "citations"}


def _with_tables(dataset: Dataset, count: int) -> Dataset:
    from nequi_lake.formats import JsonLinesFile

    files = tuple(
        JsonLinesFile(
            name=file.name,
            description=file.description,
            schema=file.schema,
            constants=file.constants,
            dropped={"discipline.mag_field_of_study": "A test."},
        )
        for file in dataset.files
        if isinstance(file, JsonLinesFile)
    )
    return Dataset(
        name=dataset.name,
        slug=dataset.slug,
        title=dataset.title,
        licence=dataset.licence,
        use_case=dataset.use_case,
        files=files,
        tables=dataset.tables[:count],
    )


def test_each_commit_is_one_snapshot(materialize: Materialize, lake: Lake, inbox: Path) -> None:
    assert materialize("cite_sum").success
    write_citations(inbox, "train", [citation(8)])
    assert materialize("cite_sum").success
    for table in lake.tables():
        iceberg = lake.catalog.iceberg("cite_sum", table.table.name)
        assert iceberg is not None
        rows = [int(snapshot.summary["total-records"] or 0) for snapshot in iceberg.snapshots() if snapshot.summary]
        assert len(rows) == 2
        assert 0 not in rows


def test_of_two_writers_at_once_one_is_reported_that_it_lost(
    materialize: Materialize, lake: Lake, cite_sum: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert materialize("cite_sum").success
    published = lake.table("cite_sum.papers").published
    step = "nequi_lake.lake.catalog.catalog.parquet_files_to_data_files"

    def other_writer_first(*arguments: object) -> object:
        monkeypatch.setattr(step, parquet_files_to_data_files)
        Lake(lake.settings, lake.datasets).catalog.publish(cite_sum, restaged(published, "theirs"))
        return parquet_files_to_data_files(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(step, other_writer_first)
    with pytest.raises(CatalogError, match="Another run published"):
        lake.catalog.publish(cite_sum, restaged(published, "ours"))
    newest = lake.catalog.newest("cite_sum", "papers")
    assert newest is not None
    assert newest.release.id == "theirs"


def test_old_snapshots_can_still_be_read(materialize: Materialize, lake: Lake, inbox: Path) -> None:
    assert materialize("cite_sum").success
    old = lake.table("cite_sum.papers")
    write_citations(inbox, "train", [citation(8)])
    assert materialize("cite_sum").success
    assert sorted(old.scan().collect()["paper_id"]) == ["1", "2", "3"]
    assert sorted(old.to_pandas()["paper_id"]) == ["1", "2", "3"]
