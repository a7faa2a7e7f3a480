"""Maintenance is a job with a schedule of its own, which no selection of assets runs."""

from __future__ import annotations

import os
from pathlib import Path

from nequi_lake import Lake
from nequi_lake.defs.build import build
from nequi_lake_tests.conftest import Materialize, failures


def test_the_job_runs_and_leaves_what_readers_see(materialize: Materialize, lake: Lake) -> None:
    assert materialize("cite_sum").success
    before = {table.published.snapshot_id for table in lake.tables()}
    definitions = build(lake.settings, lake.datasets)
    assert definitions.resolve_job_def("maintain").execute_in_process().success
    assert {table.published.snapshot_id for table in lake.tables()} == before
    schedule = definitions.resolve_schedule_def("maintain_schedule")
    assert schedule.job_name == "maintain"
    assert schedule.cron_schedule == "0 3 * * 0"


def test_a_dataset_that_refuses_keeps_no_other_from_its_maintenance(materialize: Materialize, lake: Lake) -> None:
    assert materialize().success
    Path(lake.table("cite_sum.papers").files()[0]).unlink()
    left = {name: Path(lake.storage.path("raw", name, "version=half", "a.csv")) for name in lake.datasets}
    for path in left.values():
        path.parent.mkdir()
        path.touch()
        os.utime(path, (0, 0))
    job = build(lake.settings, lake.datasets).resolve_job_def("maintain")
    result = job.execute_in_process(raise_on_error=False)
    assert not result.success
    told = failures(result)
    assert "Not maintained: cite_sum. Maintained: electric_motor." in told
    assert "files that snapshots of cite_sum.papers need are not there" in told
    assert {name: path.exists() for name, path in left.items()} == {"cite_sum": True, "electric_motor": False}


def test_where_no_lake_is_there_is_nothing_to_do(lake: Lake) -> None:
    assert build(lake.settings, lake.datasets).resolve_job_def("maintain").execute_in_process().success
    assert not Path(lake.settings.uri).exists()
