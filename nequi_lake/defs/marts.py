"""Assets of the marts: each is made of its dataset's published tables by its own step, audited and published alone."""

import logging
from collections.abc import Collection

import dagster as dg

from nequi_lake.datasets.spec import Dataset, Mart
from nequi_lake.defs.failures import as_failure
from nequi_lake.defs.names import table_key
from nequi_lake.defs.publishing import Made, Staged, check_specs, made, table_spec, try_of
from nequi_lake.engines.duckdb import make
from nequi_lake.engines.files import discard
from nequi_lake.engines.fingerprint import mart_release_id
from nequi_lake.lake.reader import Lake
from nequi_lake.lake.release import Release
from nequi_lake.quality.audit import audit
from nequi_lake.quality.check import Check

log = logging.getLogger(__name__)


def mart_asset(dataset: Dataset, mart: Mart) -> dg.AssetsDefinition:
    """The asset of a mart."""

    @dg.multi_asset(
        name=f"{dataset.name}_{mart.name}",
        specs=[
            table_spec(dataset, mart, [table_key(dataset, dataset.relation(name)) for name in mart.upstream], "duckdb"),
        ],
        check_specs=check_specs(dataset, [mart]),
        can_subset=True,
        op_tags={"dataset": dataset.name},
    )
    def make_mart(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> Made:
        with as_failure(lake.settings.uri):
            # Asked before the lock is taken, which would make a lake where there is none.
            lake.table(f"{dataset.name}.{mart.upstream[0]}")
        with as_failure(lake.settings.uri), lake.storage.alone(dataset.name):
            tables = lake.tables_of(dataset, [table.name for table in dataset.tables])
            content = {name: tables[name].to_dataset() for name in mart.upstream}
            source = next(iter(tables.values())).published.release
            release = Release(
                id=mart_release_id(mart, source.id),
                run_id=try_of(context.run.run_id),
                raw_version=source.raw_version,
                tables=(mart.name,),
                made_from=source.id,
            )
            parents = {name: table.published for name, table in tables.items()}

            def staged_and_audited(names: Collection[str], old: Staged, _: Staged) -> tuple[Staged, list[Check]]:
                log.info("%s.%s: %s", dataset.name, mart.name, "making and auditing" if names else "auditing")
                staged = {name: make(dataset, mart, content, release, lake.storage) for name in names}
                try:
                    return staged, audit(dataset, {**old, **staged}, parents, lake.storage)
                except BaseException:
                    discard(dataset, staged, lake.storage)
                    raise

            yield from made(context, lake, dataset, [mart], f"{dataset.name}.{mart.name}", release, staged_and_audited)

    return make_mart
