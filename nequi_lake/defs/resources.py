"""Resources of the lake's assets, and of those that users add to them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import dagster as dg

from nequi_lake.datasets.spec import Dataset
from nequi_lake.defs.names import TAG_DATASET, TAG_LAKE, TAG_SOURCE, dataset_and_name
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.storage import StorageBackend


def lake_resource(lake: Lake, datasets: Collection[Dataset]) -> dg.ResourceDefinition:
    """The lake, for the steps of a run. The run gets its tags here, as each run needs the lake, whoever started it.

    Args:
        lake: what the steps get.
        datasets: those with assets.
    """

    @dg.resource(description=f"The lake at {lake.settings.uri}, for reading and writing.")
    def of_run(context: dg.InitResourceContext) -> Lake:
        if context.run and context.instance:
            selected = {dataset_and_name(key)[0] for key in context.run.asset_selection or () if len(key.path) == 3}
            made = [dataset for dataset in datasets if dataset.name in selected or not selected]
            tags = {
                TAG_DATASET: ", ".join(dataset.name for dataset in made),
                TAG_SOURCE: ", ".join(dict.fromkeys(lake.settings.source_of(dataset) for dataset in made)),
                TAG_LAKE: lake.settings.uri,
            }
            missing = {name: value for name, value in tags.items() if value and name not in context.run.tags}
            context.instance.add_run_tags(context.run.run_id, missing)
        return lake

    return of_run


def resources_of(storage: StorageBackend) -> dict[str, Any]:
    """``s3``, a client of the lake's own server and region, where the lake is in a bucket; otherwise nothing."""
    arguments = storage.client_arguments()
    if arguments is None:
        return {}
    from dagster_aws.s3 import S3Resource

    return {"s3": S3Resource(**arguments)}
