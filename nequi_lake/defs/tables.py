"""Assets of the processed zone: a dataset's tables are staged in one pass, audited together, published one by one."""

import dagster as dg

from nequi_lake.datasets.spec import Dataset
from nequi_lake.defs.failures import as_failure
from nequi_lake.defs.names import raw_key
from nequi_lake.defs.publishing import Results, check_specs, relation_spec, results, selection_of
from nequi_lake.lake.read.reader import Lake
from nequi_lake.pipeline.tables import stage_tables


def table_assets(dataset: Dataset) -> dg.AssetsDefinition:
    """The assets of a dataset's tables."""

    @dg.multi_asset(
        name=f"{dataset.name}_tables",
        specs=[relation_spec(dataset, table) for table in dataset.tables],
        check_specs=check_specs(dataset, dataset.tables),
        can_subset=True,
        op_tags={"dataset": dataset.name},
    )
    def process(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> Results:
        selection, fetched = selection_of(context, dataset, dataset.tables), fetched_version(context, dataset)
        with (
            as_failure(lake.settings.uri),
            stage_tables(lake, dataset, context.run.run_id, selection=selection, fetched=fetched) as group,
        ):
            yield from results(context, group)

    return process


def fetched_version(context: dg.AssetExecutionContext, dataset: Dataset) -> str | None:
    """The raw version that this run fetched before; None where it did not."""
    key = raw_key(dataset.name, dataset.readable_files[0].name)
    record = context.instance.get_latest_materialization_event(key)
    if record is None or record.run_id != context.run.run_id or record.asset_materialization is None:
        return None
    return str(record.asset_materialization.metadata["version"].value)
