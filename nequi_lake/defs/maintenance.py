"""Maintenance on a schedule: what ``nequi-lake maintain`` does, as a job that no selection of assets runs."""

import dagster as dg

from nequi_lake.defs.failures import as_failure
from nequi_lake.lake.catalog.maintenance import maintain_all
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.settings import Settings

MAINTENANCE = "maintain"


def maintenance_job() -> dg.JobDefinition:
    """The job that removes old releases of every dataset, and files that no kept release needs."""

    @dg.op(description="Forget old releases, and remove the files that no kept one needs.")
    def forget_old_releases(context: dg.OpExecutionContext, lake: dg.ResourceParam[Lake]) -> None:
        with as_failure(lake.settings.uri):
            result = maintain_all(lake.datasets.values(), lake.catalog, lake.storage)
            context.add_output_metadata(
                {
                    "snapshots": sum(one.snapshots for one in result.removed),
                    "files": sum(one.files for one in result.removed),
                    "bytes": sum(one.size_bytes for one in result.removed),
                }
            )
            result.raise_if_failed()

    @dg.job(
        name=MAINTENANCE,
        description="Forget old releases of every dataset, and remove the files that no kept one needs.",
    )
    def job() -> None:
        forget_old_releases()

    return job


def maintenance_schedule(job: dg.JobDefinition, settings: Settings) -> dg.ScheduleDefinition:
    """The weekly schedule of maintenance; on from the start where the settings say so."""
    return dg.ScheduleDefinition(
        name=f"{MAINTENANCE}_schedule",
        job=job,
        cron_schedule="0 3 * * 0",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING if settings.automation else dg.DefaultScheduleStatus.STOPPED,
        description="Forget old releases, and remove their files.",
    )
