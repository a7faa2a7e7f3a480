"""Assets of the warehouse: each table and mart of a dataset as the database has it, loaded together."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from nequi_lake.datasets.spec import Dataset
from nequi_lake.defs.failures import as_failure, check_result
from nequi_lake.defs.names import asset_attributes, table_key
from nequi_lake.lake.read.reader import Lake
from nequi_lake.warehouse.load import load
from nequi_lake.warehouse.verify import ASKS, EQUALS_LAKE, verify

WAREHOUSE = "warehouse"


def warehouse_asset(dataset: Dataset) -> dg.AssetsDefinition:
    """The assets of a dataset's tables in the warehouse, which one step loads in one transaction."""
    keys = {relation.name: dg.AssetKey([WAREHOUSE, dataset.name, relation.name]) for relation in dataset.relations}

    @dg.multi_asset(
        name=f"{dataset.name}_{WAREHOUSE}",
        specs=[
            dg.AssetSpec(
                keys[relation.name],
                deps=[table_key(dataset, relation)],
                description=f"{relation.description} As the warehouse has it.",
                kinds={"postgres"},
                # A mart that waits for another dataset is loaded when it is there.
                skippable=True,
                **asset_attributes(dataset, WAREHOUSE),
            )
            for relation in dataset.relations
        ],
        check_specs=[dg.AssetCheckSpec(EQUALS_LAKE, asset=key, description=ASKS[EQUALS_LAKE]) for key in keys.values()],
        op_tags={"dataset": dataset.name},
    )
    def load_release(lake: dg.ResourceParam[Lake]) -> Iterator[dg.MaterializeResult[None]]:
        with as_failure(lake.settings.warehouse_shown):
            loaded = {one.name.rpartition(".")[2]: one for one in load(lake, dataset)}
            checks = {check.relation: check for check in verify(lake, dataset)}
        for name, one in loaded.items():
            yield dg.MaterializeResult(
                asset_key=keys[name],
                metadata={"dagster/row_count": one.rows, "rows_changed": one.changed, "release": one.release},
                data_version=dg.DataVersion(one.release),
                check_results=[check_result(checks[name], keys[name], one.release)],
            )

    return load_release
