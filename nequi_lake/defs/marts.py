"""Assets of the marts: each is made of published tables by a step, audited and published on its own."""

import dagster as dg

from nequi_lake.datasets.spec import Dataset, Mart
from nequi_lake.defs.failures import as_failure
from nequi_lake.defs.publishing import Results, check_specs, relation_spec, results, selection_of
from nequi_lake.lake.read.reader import Lake
from nequi_lake.pipeline.mart import stage_mart, unpublished


def mart_asset(dataset: Dataset, mart: Mart) -> dg.AssetsDefinition:
    """The asset of a mart."""

    @dg.multi_asset(
        name=f"{dataset.name}_{mart.name}",
        specs=[relation_spec(dataset, mart)],
        check_specs=check_specs(dataset, [mart]),
        can_subset=True,
        op_tags={"dataset": dataset.name},
    )
    def make_mart(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> Results:
        missing = unpublished(lake, dataset, mart) if mart.of_others else []
        if missing:
            # The run of the dataset that is missing makes it.
            context.log.info(f"{dataset.name}.{mart.name} is not made yet: {', '.join(missing)} was never published")
            return
        selection = selection_of(context, dataset, [mart])
        with (
            as_failure(lake.settings.uri),
            stage_mart(lake, dataset, mart, context.run.run_id, selection=selection) as group,
        ):
            yield from results(context, group)

    return make_mart
