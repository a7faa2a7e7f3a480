"""When things run: per dataset a job, a schedule, a sensor of new versions; one job for the whole lake."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from nequi_lake.datasets.spec import Dataset
from nequi_lake.defs.names import table_key
from nequi_lake.errors import TransientError
from nequi_lake.lake.raw import RawZone
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.settings import Settings
from nequi_lake.sources import Source, Sources

WHOLE_LAKE = "lake"


def dataset_job(dataset: Dataset, others: Iterable[Dataset]) -> dg.UnresolvedAssetJobDefinition:
    """The job that refreshes a dataset: raw files, tables, marts, those of the other datasets that read it, reports."""
    reading = [table_key(other, mart) for other in others for mart in other.marts_that_read(dataset.name)]
    own = dg.AssetSelection.groups(dataset.name)
    return dg.define_asset_job(
        dataset.name,
        selection=own | dg.AssetSelection.assets(*reading).downstream() if reading else own,
        description=f"Refresh {dataset.title}: raw files, tables, marts and reports.",
        tags={"dataset": dataset.name},
    )


def whole_lake_job() -> dg.UnresolvedAssetJobDefinition:
    """The job that refreshes every dataset in one run."""
    return dg.define_asset_job(
        WHOLE_LAKE, selection=dg.AssetSelection.all(), description="Refresh every dataset of the lake in one run."
    )


def dataset_schedule(
    dataset: Dataset, job: dg.UnresolvedAssetJobDefinition, settings: Settings
) -> dg.ScheduleDefinition:
    """The schedule of a dataset's job, where the source has it; on from the start where the settings say so."""

    @dg.schedule(
        name=f"{dataset.name}_schedule",
        job=job,
        cron_schedule=dataset.schedule,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING if settings.automation else dg.DefaultScheduleStatus.STOPPED,
        description=f"Refresh {dataset.title}.",
    )
    def refresh(sources: dg.ResourceParam[Sources]) -> dg.RunRequest | dg.SkipReason:
        source = sources.of(dataset)
        try:
            offered = source.offers(dataset)
        except TransientError:
            # The run asks again, and is tried again.
            offered = True
        return dg.RunRequest() if offered else dg.SkipReason(_not_offered(dataset, source))

    return refresh


def _not_offered(dataset: Dataset, source: Source) -> str:
    return f"The {source.describe()} does not have {dataset.name}, which is left as it is."


def new_version_sensor(
    dataset: Dataset, job: dg.UnresolvedAssetJobDefinition, settings: Settings
) -> dg.SensorDefinition:
    """The sensor that asks the source for its version of a dataset, and requests a run for one not seen before."""

    @dg.sensor(
        name=f"{dataset.name}_new_version",
        job=job,
        minimum_interval_seconds=settings.poll_s,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.automation else dg.DefaultSensorStatus.STOPPED,
        description=f"Ask the source whether it has a new version of {dataset.title}, and refresh the dataset if so.",
    )
    def new_version(
        context: dg.SensorEvaluationContext, lake: dg.ResourceParam[Lake], sources: dg.ResourceParam[Sources]
    ) -> dg.SensorResult | dg.SkipReason:
        source = sources.of(dataset)
        try:
            if not source.offers(dataset):
                return dg.SkipReason(_not_offered(dataset, source))
            version = source.version(dataset)
        except TransientError as error:
            return dg.SkipReason(f"{error.what} The next poll asks again.")
        if version is None:
            return dg.SkipReason(f"The {source.describe()} has no versions; the schedule refreshes the dataset.")
        if version == context.cursor:
            return dg.SkipReason(f"Version {version} is the one that was seen before.")
        if context.cursor is None and version == RawZone(lake.storage).current_version(dataset.name):
            return dg.SensorResult(skip_reason=f"Version {version} is in the lake already.", cursor=version)
        return dg.SensorResult(
            # The key keeps a second run of one version out, even where the cursor was lost.
            run_requests=[dg.RunRequest(run_key=f"{dataset.name} version {version}", tags={"source_version": version})],
            cursor=version,
        )

    return new_version
