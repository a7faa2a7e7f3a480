"""Maintenance is a job with a schedule of its own, which no selection of assets runs."""

from __future__ import annotations

from nequi_lake import Lake
from nequi_lake.defs.build import build
from nequi_lake_tests.conftest import Materialize


def test_the_job_runs_and_leaves_what_readers_see(materialize: Materialize, lake: Lake) -> None:
    assert materialize("cite_sum").success
    before = {table.published.snapshot_id for table in lake.tables()}
    definitions = build(lake.settings, lake.datasets)
    assert definitions.resolve_job_def("maintain").execute_in_process().success
    assert {table.published.snapshot_id for table in lake.tables()} == before
    schedule = definitions.resolve_schedule_def("maintain_schedule")
    assert schedule.job_name == "maintain"
    assert schedule.cron_schedule == "0 3 * * 0"
