"""When things run: a job and a schedule a dataset, and one job for the whole lake."""

from __future__ import annotations

import dagster as dg

from nequi_lake.datasets.spec import Dataset

WHOLE_LAKE = "lake"


def dataset_job(dataset: Dataset) -> dg.UnresolvedAssetJobDefinition:
    """The job that refreshes a dataset: raw files, tables, reports."""
    return dg.define_asset_job(
        dataset.name,
        selection=dg.AssetSelection.groups(dataset.name),
        description=f"Refresh {dataset.title}: raw files, tables and reports.",
        tags={"dataset": dataset.name},
    )


def whole_lake_job() -> dg.UnresolvedAssetJobDefinition:
    """The job that refreshes every dataset in one run."""
    return dg.define_asset_job(
        WHOLE_LAKE, selection=dg.AssetSelection.all(), description="Refresh every dataset of the lake in one run."
    )


def dataset_schedule(dataset: Dataset, job: dg.UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    """The schedule of a dataset's job; a person switches it on."""
    return dg.ScheduleDefinition(
        name=f"{dataset.name}_schedule",
        job=job,
        cron_schedule=dataset.schedule,
        execution_timezone="UTC",
        description=f"Refresh {dataset.title}.",
    )
