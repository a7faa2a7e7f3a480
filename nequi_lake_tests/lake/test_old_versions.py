"""Older releases: listed, read, gone back to, and in the end forgotten, without a reader noticing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nequi_lake import Lake
from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import CatalogError, UsageError
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.catalog.maintenance import Removed, RetentionPolicy, maintain
from nequi_lake.lake.catalog.rollback import roll_back
from nequi_lake.lake.layout import ensure_identity
from nequi_lake.lake.release import PublishedTable, StagedTable
from nequi_lake.lake.storage import StorageBackend
from nequi_lake_tests.conftest import Materialize, citation, released, write_citations

pytestmark = pytest.mark.long

LATER = datetime.now(UTC) + timedelta(days=30)
"""A time at which all that a test made is old."""


class KilledError(BaseException):
    """Stands in for the end of the process."""


@pytest.fixture
def cite_sum(lake: Lake) -> Dataset:
    """The declaration of cite_sum."""
    return lake.datasets["cite_sum"]


@pytest.fixture
def three(lake: Lake, inbox: Path) -> list[str]:
    """Three whole releases of cite_sum, the oldest first; their papers are 1 to 3, and 8, 9 or 10."""
    ids = []
    for paper in (8, 9, 10):
        write_citations(inbox, "train", [citation(1), citation(2), citation(paper)])
        ids.append(released(lake, "cite_sum"))
    return ids


def papers(lake: Lake) -> set[str]:
    """The papers that a reader sees, all tables read."""
    found: set[str] = set()
    for table in lake.tables():
        assert table.scan().collect().height == table.to_arrow().num_rows == table.published.rows
        if table.table.name in ("papers", "citations"):
            found |= set(table.to_arrow()["paper_id"].to_pylist())
    return found


def as_of(lake: Lake, version: str | datetime) -> Lake:
    """The lake as of another version."""
    return Lake(lake.settings, lake.datasets, as_of=version)


def files(lake: Lake) -> set[str]:
    """Every file of the tables, the quarantine and the releases."""
    return {
        path for zone in ("processed", "quarantine", "releases") for path in lake.storage.files(lake.storage.path(zone))
    }


def tidy(lake: Lake, dataset: Dataset, *, releases: int = 1, dry_run: bool = False) -> Removed:
    """Maintain as if much time had passed."""
    return maintain(
        dataset, lake.catalog, lake.storage, retention=RetentionPolicy(releases=releases), now=LATER, dry_run=dry_run
    )


def test_a_release_is_read_by_its_id_or_the_beginning_of_it(lake: Lake, three: list[str]) -> None:
    assert papers(lake) == {"1", "2", "3", "10"}
    for release, paper in zip(three, ("8", "9", "10"), strict=True):
        assert papers(as_of(lake, release)) == papers(as_of(lake, release[:6])) == {"1", "2", "3", paper}
    query = "SELECT max(paper_id::int) AS most FROM cite_sum.papers"
    assert as_of(lake, three[0]).sql(query).to_pylist() == [{"most": 8}]


def test_a_release_binds_its_own_dataset_only(lake: Lake, three: list[str]) -> None:
    released(lake, "electric_motor")
    tables = {table.published.name for table in as_of(lake, three[0]).tables()}
    assert {"cite_sum.papers", "electric_motor.sessions"} <= tables


def test_a_time_gives_what_readers_saw_then(lake: Lake, cite_sum: Dataset, three: list[str]) -> None:
    newest, middle, oldest = (state.committed_at for state in lake.catalog.releases(cite_sum))
    assert papers(as_of(lake, newest)) == {"1", "2", "3", "10"}
    assert papers(as_of(lake, middle.isoformat())) == {"1", "2", "3", "9"}
    assert papers(as_of(lake, middle - timedelta(milliseconds=1))) == {"1", "2", "3", "8"}
    before = as_of(lake, oldest - timedelta(days=1))
    for read in (before.tables, lambda: before.table("cite_sum.papers"), lambda: before.sql("FROM cite_sum.papers")):
        with pytest.raises(CatalogError, match="no release that is kept"):
            read()


@pytest.mark.parametrize("text", ["abc", "2026-13-01", "last week"])
def test_what_is_neither_time_nor_release_is_refused(lake: Lake, text: str) -> None:
    with pytest.raises(UsageError, match="neither a time nor a release"):
        as_of(lake, text)


def test_a_release_that_is_not_there_is_refused(lake: Lake, three: list[str]) -> None:
    with pytest.raises(CatalogError, match="There is no release 000000000000"):
        as_of(lake, "000000000000").tables()


def test_history_says_which_release_is_seen_and_which_are_whole(
    lake: Lake, cite_sum: Dataset, three: list[str]
) -> None:
    published = lake.table("cite_sum.papers").published
    lake.catalog.publish(cite_sum, again(published, "halfway"))
    entries = lake.catalog.history(cite_sum, "papers")
    assert [entry.release.id for entry in entries] == ["halfway", *reversed(three)]
    assert [entry.current for entry in entries] == [False, True, False, False]
    assert [entry.complete for entry in entries] == [False, True, True, True]
    assert {entry.rows for entry in entries} == {published.rows}
    with pytest.raises(CatalogError, match="not complete"):
        as_of(lake, "halfway").tables()


def again(published: PublishedTable, release: str) -> StagedTable:
    """The same files as another release."""
    from dataclasses import replace

    return StagedTable(
        dataset=published.dataset,
        table=published.table,
        release=replace(published.release, id=release, sequence=published.release.sequence + 1),
        accounting=published.accounting,
        files=published.files,
    )


def test_what_is_young_stays(lake: Lake, cite_sum: Dataset, three: list[str]) -> None:
    before = files(lake)
    removed = maintain(cite_sum, lake.catalog, lake.storage, retention=RetentionPolicy(releases=1))
    assert removed == Removed(dataset="cite_sum")
    assert files(lake) == before


def test_old_releases_go_whole_and_kept_ones_stay_readable(lake: Lake, cite_sum: Dataset, three: list[str]) -> None:
    before = files(lake)
    removed = tidy(lake, cite_sum, releases=2)
    assert removed.snapshots == len(cite_sum.tables)
    gone = before - files(lake)
    assert len(gone) == removed.files
    assert any(path.endswith(".parquet") for path in gone)
    assert any(path.endswith(".avro") for path in gone)
    assert papers(lake) == {"1", "2", "3", "10"}
    assert papers(as_of(lake, three[1])) == {"1", "2", "3", "9"}
    with pytest.raises(CatalogError, match="no longer kept"):
        as_of(lake, three[0]).tables()
    assert tidy(lake, cite_sum, releases=2).snapshots == 0
    assert papers(as_of(lake, three[1])) == {"1", "2", "3", "9"}


def test_what_readers_see_stays_though_later_commits_are_not_whole(
    lake: Lake, cite_sum: Dataset, three: list[str]
) -> None:
    lake.catalog.publish(cite_sum, again(lake.table("cite_sum.papers").published, "halfway"))
    tidy(lake, cite_sum, releases=1)
    assert papers(lake) == {"1", "2", "3", "10"}


def test_a_dry_run_says_the_same_and_changes_nothing(lake: Lake, cite_sum: Dataset, three: list[str]) -> None:
    before = files(lake)
    said = tidy(lake, cite_sum, dry_run=True)
    assert said.snapshots == 2 * len(cite_sum.tables)
    assert files(lake) == before
    assert papers(as_of(lake, three[0])) == {"1", "2", "3", "8"}
    assert tidy(lake, cite_sum) == said


def test_files_that_nothing_names_go_when_they_are_older_than_an_hour(
    lake: Lake, cite_sum: Dataset, three: list[str]
) -> None:
    staged = lake.storage.path("processed", "cite_sum", "papers", "data", "a-killed-run", "part.parquet")
    manifest = lake.storage.path("processed", "cite_sum", "papers", "metadata", "of-a-refused-commit.avro")
    for path in (staged, manifest):
        lake.storage.write(path, b"left over")
    assert maintain(cite_sum, lake.catalog, lake.storage).files == 0
    in_two_hours = datetime.now(UTC) + timedelta(hours=2)
    removed = maintain(cite_sum, lake.catalog, lake.storage, now=in_two_hours)
    assert (removed.files, removed.size_bytes) == (2, 18)
    assert not Path(staged).parent.exists()
    assert papers(as_of(lake, three[0])) == {"1", "2", "3", "8"}


def test_what_killed_writers_left_goes_when_it_is_older_than_an_hour(
    lake: Lake, cite_sum: Dataset, three: list[str]
) -> None:
    left = [
        lake.storage.path("raw", "cite_sum", "version=half", "train.json"),
        lake.storage.path("raw", "cite_sum", "version=half", ".test.json.0123.draft"),
        lake.storage.path("raw", "cite_sum", ".current.json.0123.draft"),
        lake.storage.path("quarantine", "cite_sum", ".newest.json.0123.draft"),
        lake.storage.path("profiling_reports", "cite_sum", ".papers.json.0123.draft"),
    ]
    before = files(lake) | set(lake.storage.files(lake.storage.path("raw")))
    for path in left:
        lake.storage.write(path, b"left over")
    assert maintain(cite_sum, lake.catalog, lake.storage).files == 0
    removed = maintain(cite_sum, lake.catalog, lake.storage, now=datetime.now(UTC) + timedelta(hours=2))
    assert (removed.files, removed.size_bytes) == (5, 45)
    assert lake.storage.missing(left) == left
    assert files(lake) | set(lake.storage.files(lake.storage.path("raw"))) == before


def test_raw_files_that_a_killed_first_run_left_go_too(lake: Lake, cite_sum: Dataset) -> None:
    ensure_identity(lake.storage)
    path = lake.storage.path("raw", "cite_sum", "version=half", "train.json")
    lake.storage.write(path, b"left over")
    assert tidy(lake, cite_sum).files == 1
    assert not lake.storage.exists(path)


def test_quarantines_go_with_their_releases(lake: Lake, cite_sum: Dataset, three: list[str]) -> None:
    runs = sorted(lake.catalog.run_ids("cite_sum", "papers"))
    for run in (*runs, "20200101T000000-refused"):
        lake.storage.write(lake.storage.path("quarantine", "cite_sum", run, "train.json.parquet"), b"records")
    newest = lake.storage.path("quarantine", "cite_sum", "newest.json")
    lake.storage.write(newest, f'{{"run_id": "{runs[0]}"}}'.encode())
    tidy(lake, cite_sum, releases=1)
    assert lake.storage.list(lake.storage.path("quarantine", "cite_sum")) == [runs[0], runs[2], "newest.json"]
    records = [f"{runs[0]}.json", f"{runs[2]}.json", "pointers.json", "sequences.json"]
    assert lake.storage.list(lake.storage.path("releases", "cite_sum")) == records


def test_a_kill_between_forgetting_and_removing_is_finished_by_the_next_time(
    lake: Lake, cite_sum: Dataset, three: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(lake)

    def killed(self: StorageBackend, paths: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(StorageBackend, "remove_files", killed)
        with pytest.raises(KilledError):
            tidy(lake, cite_sum)
    assert before <= files(lake)
    assert papers(lake) == {"1", "2", "3", "10"}
    again = tidy(lake, cite_sum)
    assert again.snapshots == 0
    assert len([path for path in before - files(lake) if path.endswith(".parquet")]) >= 2 * len(cite_sum.tables)
    assert papers(lake) == {"1", "2", "3", "10"}


def test_nothing_goes_where_a_needed_file_is_not_listed(lake: Lake, cite_sum: Dataset, three: list[str]) -> None:
    Path(lake.table("cite_sum.papers").files()[0]).unlink()
    before = files(lake)
    with pytest.raises(CatalogError, match="nothing was removed"):
        tidy(lake, cite_sum)
    assert files(lake) == before
    assert len(lake.catalog.history(cite_sum, "papers")) == 3


def test_a_dataset_that_was_never_published_is_passed_over(lake: Lake) -> None:
    released(lake, "cite_sum")
    motor = lake.datasets["electric_motor"]
    assert maintain(motor, lake.catalog, lake.storage) == Removed(dataset="electric_motor")


def test_a_rollback_makes_the_old_release_what_readers_see(lake: Lake, cite_sum: Dataset, three: list[str]) -> None:
    done = roll_back(cite_sum, three[0][:6], lake.catalog, lake.storage)
    assert done.release.id == three[0]
    assert len(done.changed) == len(cite_sum.tables)
    assert papers(lake) == {"1", "2", "3", "8"}
    assert papers(as_of(lake, three[2])) == {"1", "2", "3", "10"}
    assert roll_back(cite_sum, three[0], lake.catalog, lake.storage).changed == ()
    tidy(lake, cite_sum, releases=1)
    assert papers(lake) == {"1", "2", "3", "8"}


@pytest.mark.parametrize("survived", [0, 1, 2])
def test_a_rollback_that_is_killed_is_never_seen_mixed_and_can_be_ended(
    lake: Lake, cite_sum: Dataset, three: list[str], monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    publish: Callable[..., PublishedTable] = LakeCatalog.publish
    done: list[str] = []

    def killed_later(self: LakeCatalog, dataset: Dataset, staged: StagedTable, **options: Any) -> PublishedTable:
        if len(done) == survived:
            raise KilledError
        done.append(staged.table)
        return publish(self, dataset, staged, **options)

    with monkeypatch.context() as patch:
        patch.setattr(LakeCatalog, "publish", killed_later)
        with pytest.raises(KilledError):
            roll_back(cite_sum, three[0], lake.catalog, lake.storage)
    assert papers(lake) == {"1", "2", "3", "10"}
    assert len({table.published.release.id for table in lake.tables()}) == 1
    roll_back(cite_sum, three[0], lake.catalog, lake.storage)
    assert papers(lake) == {"1", "2", "3", "8"}
    newest = [lake.catalog.newest("cite_sum", table.name) for table in cite_sum.tables]
    assert len({table.release.id for table in newest if table}) == 1


def test_the_next_run_publishes_the_current_raw_version_again(
    lake: Lake, cite_sum: Dataset, three: list[str], materialize: Materialize
) -> None:
    roll_back(cite_sum, three[0], lake.catalog, lake.storage)
    assert materialize("cite_sum").success
    assert papers(lake) == {"1", "2", "3", "10"}


def test_a_rollback_to_other_columns_is_refused(
    lake: Lake, cite_sum: Dataset, three: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    iceberg = lake.catalog.iceberg("cite_sum", "papers")
    assert iceberg is not None
    schema = iceberg.schema().as_arrow()
    monkeypatch.setattr(LakeCatalog, "schema", lambda self, published: schema.remove(0))
    with pytest.raises(CatalogError, match=r"other columns of cite_sum\.papers"):
        roll_back(cite_sum, three[0], lake.catalog, lake.storage)
    assert papers(lake) == {"1", "2", "3", "10"}


def test_a_rollback_to_a_release_that_is_not_there_or_not_whole_is_refused(
    lake: Lake, cite_sum: Dataset, three: list[str]
) -> None:
    lake.catalog.publish(cite_sum, again(lake.table("cite_sum.papers").published, "halfway"))
    for release, reason in (("halfway", "not complete"), ("000000", "There is no release")):
        with pytest.raises(CatalogError, match=reason):
            roll_back(cite_sum, release, lake.catalog, lake.storage)
    with pytest.raises(UsageError, match="too short"):
        roll_back(cite_sum, "abc", lake.catalog, lake.storage)
