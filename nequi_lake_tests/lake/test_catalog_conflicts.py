"""Several at work on the catalog at once: what comes to the same end is tried again, and a publish is not."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import CommitTableResponse, Table
from sqlalchemy.exc import DatabaseError, OperationalError

from nequi_lake import Lake
from nequi_lake.datasets.spec import Dataset
from nequi_lake.defs.build import build
from nequi_lake.defs.run import run
from nequi_lake.errors import CatalogConflictError, TransientError
from nequi_lake.lake import retrying
from nequi_lake.lake.catalog import connect
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.catalog.maintenance import RetentionPolicy, maintain
from nequi_lake.lake.catalog.rollback import roll_back
from nequi_lake.lake.layout import ensure_identity
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage.faults import translate_error
from nequi_lake_tests.conftest import Materialize, citation, motor_rows, only, write_citations, write_motor
from nequi_lake_tests.lake.test_releases import restaged

pytestmark = pytest.mark.long

LATER = datetime.now(UTC) + timedelta(days=30)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries that follow each other at once."""
    monkeypatch.setattr(retrying, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(retrying, "LONGEST_WAIT_S", 0.05)


@pytest.fixture
def cite_sum(lake: Lake) -> Dataset:
    """The declaration of cite_sum."""
    return lake.datasets["cite_sum"]


@pytest.fixture
def three(materialize: Materialize, lake: Lake, cite_sum: Dataset, inbox: Path) -> list[str]:
    """Three whole releases of cite_sum, the oldest first."""
    ids = []
    for paper in (8, 9, 10):
        write_citations(inbox, "train", [citation(1), citation(paper)])
        assert materialize("cite_sum").success
        ids.append(lake.table("cite_sum.papers").published.release.id)
    return ids


def all_at_once(works: Collection[Callable[[], object]]) -> list[BaseException]:
    """Do all of it at the same time; what was raised."""
    start, raised = threading.Barrier(len(works)), []

    def do(work: Callable[[], object]) -> None:
        start.wait()
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=do, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_many_make_the_catalog_of_a_new_lake_at_once(lake: Lake) -> None:
    ensure_identity(lake.storage)
    lakes = [Lake(lake.settings, lake.datasets) for _ in range(8)]
    assert all_at_once([one.tables for one in lakes]) == []


def test_whoever_comes_second_to_make_the_catalog_tries_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_identity(lake.storage)
    make = SqlCatalog.create_tables
    tries: list[str] = []

    def second(self: SqlCatalog) -> None:
        tries.append("again")
        if len(tries) < 4:
            raise OperationalError(
                "CREATE TABLE", None, sqlite3.OperationalError("table iceberg_tables already exists")
            )
        make(self)

    monkeypatch.setattr(SqlCatalog, "create_tables", second)
    assert lake.tables() == []
    assert len(tries) == 4


def test_of_two_that_create_a_table_at_once_one_is_reported_that_it_lost(
    materialize: Materialize, lake: Lake, cite_sum: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert materialize("cite_sum").success
    published = lake.table("cite_sum.papers").published
    other = Lake(lake.settings, lake.datasets).catalog
    lake.catalog._catalog.drop_table(("cite_sum", "papers"))
    prepare = SqlCatalog.create_table_transaction

    def late(self: SqlCatalog, *arguments: Any, **options: Any) -> Any:
        prepared = prepare(self, *arguments, **options)
        monkeypatch.undo()
        other.publish(cite_sum, restaged(published, "theirs"))
        return prepared

    monkeypatch.setattr(SqlCatalog, "create_table_transaction", late)
    with pytest.raises(CatalogConflictError, match="Another run published"):
        lake.catalog.publish(cite_sum, restaged(published, "ours"))
    newest = other.newest("cite_sum", "papers")
    assert newest is not None
    assert newest.release.id == "theirs"


def test_a_table_is_created_with_its_first_snapshot_in_one_commit(
    materialize: Materialize, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, committed = SqlCatalog.commit_table, []

    def counted(self: SqlCatalog, table: Table, *arguments: Any) -> CommitTableResponse:
        committed.append(table.name()[1])
        return commit(self, table, *arguments)

    monkeypatch.setattr(SqlCatalog, "commit_table", counted)
    assert materialize("electric_motor").success
    assert sorted(committed) == sorted(table.table.name for table in lake.tables())


def conflicts(times: int, between: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> list[Collection[int]]:
    """Have maintenance lose so many times against ``between``; gives the snapshots it wants to forget each time."""
    expire, wanted = LakeCatalog.expire, list[Collection[int]]()

    def loses(self: LakeCatalog, dataset: str, table: str, snapshots: Collection[int]) -> None:
        wanted.append(snapshots)
        if len(wanted) <= times:
            between()
            raise CatalogConflictError("Another run changed it at the same time.")
        expire(self, dataset, table, snapshots)

    monkeypatch.setattr(LakeCatalog, "expire", loses)
    return wanted


def test_maintenance_that_met_a_rollback_keeps_what_that_needs(
    lake: Lake, cite_sum: Dataset, three: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_machine_goes_back() -> None:
        with monkeypatch.context() as patch:
            # Its lock is not seen from here.
            patch.setattr("nequi_lake.lake.storage.local.FileLock.acquire", lambda *_, **__: None)
            patch.setattr("nequi_lake.lake.storage.local.FileLock.release", lambda *_, **__: None)
            Path(lake.storage.path(".locks", "cite_sum.lock")).touch()
            roll_back(cite_sum, three[0], lake.catalog, lake.storage)

    wanted = conflicts(1, other_machine_goes_back, monkeypatch)
    removed = maintain(cite_sum, lake.catalog, lake.storage, retention=RetentionPolicy(releases=1), now=LATER)
    assert len(wanted) == 1 + len(cite_sum.tables)
    assert removed.files
    assert {table.published.release.id for table in lake.tables()} == {three[0]}
    assert "8" in lake.table("cite_sum.papers").scan().collect()["paper_id"]


def test_maintenance_that_always_loses_says_so_and_removes_nothing(
    lake: Lake, cite_sum: Dataset, three: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = conflicts(99, lambda: None, monkeypatch)
    before = lake.storage.files(lake.storage.path("processed"))
    with pytest.raises(CatalogConflictError, match="Another run changed"):
        maintain(cite_sum, lake.catalog, lake.storage, retention=RetentionPolicy(releases=1), now=LATER)
    assert len(wanted) == retrying.ATTEMPTS
    assert lake.storage.files(lake.storage.path("processed")) == before


@pytest.mark.long
def test_a_database_that_is_locked_is_waited_for_and_then_reported(
    materialize: Materialize, lake: Lake, cite_sum: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert materialize("cite_sum").success
    published = lake.table("cite_sum.papers").published
    monkeypatch.setattr(connect, "LOCKED_S", 0)
    impatient = Lake(lake.settings, lake.datasets).catalog
    assert impatient.newest("cite_sum", "papers")
    other = sqlite3.connect(Path(lake.settings.uri) / "catalog.db", check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseError) as locked:
        impatient.publish(cite_sum, restaged(published, "impatient"))
    told = translate_error(locked.value, lake.settings.uri)
    assert isinstance(told, TransientError)
    assert "database is locked" in str(told)
    release = threading.Timer(0.2, other.rollback)
    release.start()
    lake.catalog.publish(cite_sum, restaged(published, "patient"))
    release.join()
    other.close()
    newest = lake.catalog.newest("cite_sum", "papers")
    assert newest is not None
    assert newest.release.id == "patient"


@pytest.mark.parametrize("first", [True, False], ids=["that creates the table", "to a table"])
@pytest.mark.parametrize("taken", [True, False], ids=["whose answer was lost", "that lost"])
def test_a_commit_to_glue(
    aws: str,
    bucket_lake: Mapping[str, str],
    inbox: Path,
    monkeypatch: pytest.MonkeyPatch,
    taken: bool,
    first: bool,
) -> None:
    motor = only("electric_motor")
    settings = Settings.from_env({**bucket_lake, "NEQUI_LAKE_SOURCE": str(inbox)})
    write_motor(inbox, motor_rows(17, 3))
    assert run(build(settings, motor), (), None).success
    lake = Lake(settings, motor)
    published = lake.table("electric_motor.sessions").published
    glue = lake.catalog._catalog.glue  # type: ignore[attr-defined]
    if first:
        lake.catalog._catalog.drop_table(("electric_motor", "sessions"))
    step = "create_table" if first else "update_table"
    commit = getattr(glue, step)
    refusal = glue.exceptions.AlreadyExistsException if first else glue.exceptions.ConcurrentModificationException

    def refused(**arguments: Any) -> None:
        if taken:
            commit(**arguments)
        elif first:
            monkeypatch.setattr(glue, step, commit)
            Lake(settings, motor).catalog.publish(motor["electric_motor"], restaged(published, "theirs"))
        raise refusal({"Error": {"Code": "Refused"}}, step)

    monkeypatch.setattr(glue, step, refused)
    staged = restaged(published, "ours")
    if taken:
        lake.catalog.publish(motor["electric_motor"], staged)
    else:
        with pytest.raises(CatalogConflictError, match="Another run published"):
            lake.catalog.publish(motor["electric_motor"], staged)
    newest = Lake(settings, motor).catalog.newest("electric_motor", "sessions")
    assert newest is not None
    assert newest.release.id == ("ours" if taken else "theirs" if first else published.release.id)
    assert newest.paths == published.paths
