"""What tables and marts have in common in Dagster: their specs, and the results of a staged release group.

The audit's verdict is raised here, before any relation is handed to the IO manager that publishes: a blocking check
alone acts at the end of the step, when everything is committed, and not at all in a run started without checks.
"""

import time
from collections.abc import Iterator, Sequence

import dagster as dg

from nequi_lake.datasets.contract import Column
from nequi_lake.datasets.relation import in_dataset
from nequi_lake.datasets.spec import RAW_ZONE, Dataset, Relation
from nequi_lake.defs.failures import as_markdown, check_result
from nequi_lake.defs.names import IO_TABLES, asset_attributes, raw_key, table_key
from nequi_lake.formats.types import sql_type
from nequi_lake.pipeline.publish import PendingCommit, Selection, StagedGroup

Results = Iterator[dg.AssetCheckResult | dg.MaterializeResult[PendingCommit]]
"""What a step yields that makes relations: what their checks found, and then the relations, unless it fails."""


def relation_spec(dataset: Dataset, table: Relation) -> dg.AssetSpec:
    """The asset of a table or mart."""
    return dg.AssetSpec(
        table_key(dataset, table),
        skippable=True,
        deps=[_source_key(dataset, zone, name) for zone, name, _ in dataset.sources_of(table)],
        description=table.description + (f"\n\nFor: {dataset.use_case}" if dataset.use_case else ""),
        kinds={"iceberg", "parquet", table.engine},
        metadata={
            "dagster/table_name": f"{dataset.name}.{table.name}",
            "dagster/column_schema": column_schema(table),
            "dagster/column_lineage": column_lineage(dataset, table),
        },
        **asset_attributes(dataset, table.zone),
    ).with_io_manager_key(IO_TABLES)


def check_specs(dataset: Dataset, group: Sequence[Relation]) -> list[dg.AssetCheckSpec]:
    """The checks of tables that are released together."""
    return [
        dg.AssetCheckSpec(name, asset=table_key(dataset, table), blocking=True, description=description)
        for table in group
        for name, description in table.checks.items()
    ]


def selection_of(context: dg.AssetExecutionContext, dataset: Dataset, group: Sequence[Relation]) -> Selection:
    """What a step is to publish of a release group, and whose checks it is to run without publishing."""
    names = {table_key(dataset, table): table.name for table in group}
    return Selection(
        relations=frozenset(names[key] for key in context.selected_asset_keys if key in names),
        checked_only=frozenset(names[key.asset_key] for key in context.selected_asset_check_keys),
    )


def results(context: dg.AssetExecutionContext, group: StagedGroup) -> Results:
    """What the checks of a staged group found, and then its relations.

    Raises:
        AuditError: a check failed, so no relation is yielded.
    """
    began = time.monotonic()
    selected = {(key.asset_key, key.name) for key in context.selected_asset_check_keys}
    for check, release in group.checks:
        key = table_key(group.dataset, group.dataset.relation(check.relation))
        if (key, check.name) in selected:
            yield check_result(check, key, release)
    group.approve()
    for name in group.relations:
        yield dg.MaterializeResult(
            asset_key=table_key(group.dataset, group.dataset.relation(name)),
            value=PendingCommit(group, name),
            metadata={
                "seconds": round(time.monotonic() - began, 3),
                "checks": dg.MetadataValue.md(
                    as_markdown(check for check, _ in group.checks if check.relation == name)
                ),
            },
            data_version=dg.DataVersion(group.release.id),
        )


def column_schema(table: Relation) -> dg.TableSchema:
    """The contract as Dagster shows it."""
    return dg.TableSchema(columns=[_column(column) for column in table.published.values()])


_SHOWN_AS = {None: "", "hash": " Sensitive: a hash of it.", "mask": " Sensitive: *** for a value."}


def _column(column: Column) -> dg.TableColumn:
    return dg.TableColumn(
        name=column.name,
        type=sql_type(column.dtype),
        description=f"{column.description} Unit: {column.unit}.{_SHOWN_AS[column.sensitive]}",
        constraints=dg.TableColumnConstraints(
            nullable=column.nullable, unique=False, other=list(column.constraint_texts)
        ),
    )


def _source_key(dataset: Dataset, zone: str, name: str) -> dg.AssetKey:
    """The key of what a relation of the dataset is made from."""
    return raw_key(dataset.name, name) if zone == RAW_ZONE else dg.AssetKey([zone, *in_dataset(dataset.name, name)])


def column_lineage(dataset: Dataset, table: Relation) -> dg.TableColumnLineage:
    """The raw columns that each column comes from; of a mart's columns, those of the tables that it reads."""
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(_source_key(dataset, zone, name), origin) for zone, name, origin in origins]
            for column, origins in dataset.column_lineage(table).items()
        }
    )
