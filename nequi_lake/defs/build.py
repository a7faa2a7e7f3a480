"""Makes the definitions of a lake from the declared datasets and the settings. Tests make their own by it."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from nequi_lake.datasets.spec import Dataset
from nequi_lake.defs.alerts import failure_sensor
from nequi_lake.defs.automation import dataset_job, dataset_schedule, new_version_sensor, whole_lake_job
from nequi_lake.defs.io_managers import IcebergIOManager, RawFileIOManager, ReportIOManager
from nequi_lake.defs.links import with_links
from nequi_lake.defs.maintenance import maintenance_job, maintenance_schedule
from nequi_lake.defs.marts import mart_assets
from nequi_lake.defs.names import IO_RAW, IO_REPORTS, IO_TABLES
from nequi_lake.defs.raw import raw_assets
from nequi_lake.defs.records import killed_runs_sensor
from nequi_lake.defs.reports import report_assets
from nequi_lake.defs.resources import lake_resource, resources_of
from nequi_lake.defs.tables import table_assets
from nequi_lake.defs.warehouse import warehouse_asset
from nequi_lake.errors import DeclarationError
from nequi_lake.lake.declared import declarations
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.settings import Settings
from nequi_lake.sources import Sources


def _broken(module: str, error: DeclarationError) -> dg.AssetSpec:
    """What stands in the UI for a dataset whose module cannot be loaded."""
    return dg.AssetSpec(
        ["declarations", module],
        group_name="cannot_be_loaded",
        description=f"The dataset of this module is left out:\n\n```\n{error}\n```",
        kinds={"python"},
    )


def build(settings: Settings | None = None, datasets: Mapping[str, Dataset] | None = None) -> dg.Definitions:
    """Make the definitions.

    Args:
        settings: where the lake is and what fills it; the environment's by default.
        datasets: what it holds; all that are declared by default. Those that are to be samples count where there is a
            sample of them.
    """
    settings = settings or Settings.from_env()
    lake = Lake(settings, datasets)
    broken = declarations(settings).broken if datasets is None else {}
    sources = Sources(settings)
    part = [
        dataset
        for dataset in lake.datasets.values()
        if settings.source_of(dataset) != "sample" or sources.of(dataset).offers(dataset)
    ]
    jobs = {dataset.name: dataset_job(dataset, part) for dataset in part}
    maintenance = maintenance_job()
    return dg.Definitions(
        assets=[
            *with_links(
                [
                    *(raw_assets(dataset) for dataset in part),
                    *(table_assets(dataset) for dataset in part),
                    *(mart_assets(dataset, group) for dataset in part for group in dataset.mart_groups),
                    *(asset for dataset in part for asset in report_assets(dataset)),
                ],
                settings.reports_url,
            ),
            *(warehouse_asset(dataset) for dataset in part if settings.warehouse),
            *(_broken(name, error) for name, error in broken.items()),
        ],
        jobs=[whole_lake_job(), maintenance, *jobs.values()],
        schedules=[
            maintenance_schedule(maintenance, settings),
            *(dataset_schedule(dataset, jobs[dataset.name], settings) for dataset in part),
        ],
        sensors=[
            failure_sensor(settings),
            killed_runs_sensor(settings),
            *(new_version_sensor(dataset, jobs[dataset.name], settings) for dataset in part),
        ],
        resources={
            **resources_of(lake.storage),
            "lake": lake_resource(lake, part),
            "sources": sources,
            IO_RAW: RawFileIOManager(lake),
            IO_TABLES: IcebergIOManager(lake),
            IO_REPORTS: ReportIOManager(lake),
        },
        executor=dg.in_process_executor,
    )
