"""Assets of the marts: a step makes those of one group of published tables, audits and publishes them together."""

import dagster as dg

from nequi_lake.datasets.spec import Dataset, MartGroup
from nequi_lake.defs.failures import as_failure
from nequi_lake.defs.publishing import Results, check_specs, relation_spec, results, selection_of
from nequi_lake.lake.read.reader import Lake
from nequi_lake.pipeline.mart import stage_marts, unpublished


def mart_assets(dataset: Dataset, group: MartGroup) -> dg.AssetsDefinition:
    """The assets of the marts of a group."""

    @dg.multi_asset(
        name=f"{dataset.name}_{group.name}",
        specs=[relation_spec(dataset, mart) for mart in group.relations],
        check_specs=check_specs(dataset, group.relations),
        can_subset=True,
        op_tags={"dataset": dataset.name},
    )
    def make_marts(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> Results:
        missing = unpublished(lake, dataset, group) if group.of_others else []
        if missing:
            # The run of the dataset that is missing makes it.
            context.log.info(f"{dataset.name}.{group.name} is not made yet: {', '.join(missing)} was never published")
            return
        selection = selection_of(context, dataset, group.relations)
        with (
            as_failure(lake.settings.uri),
            stage_marts(lake, dataset, group, context.run.run_id, selection=selection) as staged,
        ):
            yield from results(context, staged)

    return make_marts
