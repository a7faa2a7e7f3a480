"""Runs are recorded in Dagster's own files, complete for whoever reads them with Dagster's own storage."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from sqlalchemy import text

from nequi_lake.defs.run_storage import EventLog

HOME = Path(__file__).parents[2] / ".dagster"


@dg.asset
def number() -> dg.MaterializeResult[None]:
    """An asset with metadata."""
    return dg.MaterializeResult(metadata={"rows": 3})


@dg.asset_check(asset=number)
def positive() -> dg.AssetCheckResult:
    """A check of it."""
    return dg.AssetCheckResult(passed=True, metadata={"checked": 3})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Dagster home set as the project's own."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copy(HOME / "dagster.yaml", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def recorder(home: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of that home, as a run opens it."""
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, EventLog)
        yield instance


def stock(home: Path) -> dg.DagsterInstance:
    """A home as Dagster opens it where no file tells it how."""
    instance = dg.DagsterInstance.from_config(str(home), "none.yaml")
    assert type(instance.event_log_storage) is SqliteEventLogStorage
    return instance


def run_of(instance: dg.DagsterInstance) -> str:
    """Record a run of the asset; gives its id."""
    return dg.materialize([number, positive], instance=instance).run_id


def told(instance: dg.DagsterInstance, run_id: str) -> tuple[object, ...]:
    """All that the UI shows of a run: its state, its events, what its asset and its check are."""
    run = instance.get_run_by_id(run_id)
    key = dg.AssetCheckKey(number.key, "positive")
    check = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    return (
        run and run.status,
        [(entry.dagster_event_type, entry.message) for entry in instance.all_logs(run_id)],
        instance.get_latest_materialization_event(number.key),
        (check.run_id, check.status, check.evaluation),
    )


def open_shards(home: Path) -> set[str]:
    """The names of the files of events below a home that this process holds open."""
    links = {link.resolve() for link in Path("/proc/self/fd").iterdir()}
    return {link.stem for link in links if link.parent == home / "history" / "runs" and link.suffix == ".db"}


def test_dagsters_own_storage_reads_a_run_that_is_going_on(home: Path, recorder: dg.DagsterInstance) -> None:
    run_id = run_of(recorder)
    with stock(home) as instance:
        assert told(instance, run_id) == told(recorder, run_id)
        assert told(instance, run_id)[0] is dg.DagsterRunStatus.SUCCESS


def test_what_a_killed_process_leaves_behind_is_a_whole_record(
    home: Path, recorder: dg.DagsterInstance, tmp_path: Path
) -> None:
    run_id = run_of(recorder)
    shutil.copytree(home, tmp_path / "left")
    assert (tmp_path / "left" / "history" / "runs" / f"{run_id}.db-wal").stat().st_size
    with stock(tmp_path / "left") as instance:
        assert told(instance, run_id) == told(recorder, run_id)


def test_a_home_that_dagsters_own_storage_made_goes_on(home: Path, recorder: dg.DagsterInstance) -> None:
    with stock(home) as instance:
        old = run_of(instance)
    new = run_of(recorder)
    assert len(recorder.all_logs(old)) == len(recorder.all_logs(new)) > 5
    found = recorder.fetch_materializations(number.key, limit=100).records
    assert {record.run_id for record in found} >= {new, old}


def test_files_stay_open_but_not_those_of_every_run(home: Path, recorder: dg.DagsterInstance) -> None:
    for name in range(9):
        recorder.report_engine_event("hello", run_id=f"run-{name}", job_name="lake")
    assert 2 < len(open_shards(home)) <= 8
    assert [entry.message for entry in recorder.all_logs("run-1")] == ["hello"]
    with recorder.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 1
    recorder.event_log_storage.dispose()
    assert not open_shards(home)
    assert not list((home / "history" / "runs").glob("*-wal"))


def test_a_ui_is_reported_events_as_they_come(home: Path, recorder: dg.DagsterInstance) -> None:
    seen = threading.Event()
    recorder.report_engine_event("at first", run_id="watched", job_name="lake")
    with stock(home) as ui:
        ui.watch_event_logs("watched", None, lambda entry, _: seen.set() if entry.message == "at last" else None)
        recorder.report_engine_event("at last", run_id="watched", job_name="lake")
        assert seen.wait(20)


def test_a_wiped_history_begins_anew(home: Path, recorder: dg.DagsterInstance) -> None:
    run_of(recorder)
    recorder.report_engine_event("old", run_id="again", job_name="lake")
    recorder.wipe()
    recorder.report_engine_event("new", run_id="again", job_name="lake")
    run_id = run_of(recorder)
    with stock(home) as instance:
        assert [run.run_id for run in instance.get_runs()] == [run_id]
        assert told(instance, run_id) == told(recorder, run_id)
        assert [entry.message for entry in instance.all_logs("again")] == ["new"]
