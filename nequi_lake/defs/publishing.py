"""What tables and marts have in common on their way to readers: stage what is missing, audit, then hand over.

The audit's verdict is raised here, before any table is handed to the IO manager that publishes: a blocking check alone
acts at the end of the step, when the tables are out, and not at all in a run that was started without checks.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from nequi_lake.datasets.contract import Column
from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.datasets.types import sql_type
from nequi_lake.defs.failures import as_markdown, check_result, refuse
from nequi_lake.defs.names import IO_TABLES, belongs_to, table_key
from nequi_lake.engines.files import discard
from nequi_lake.lake.reader import Lake
from nequi_lake.lake.release import Release, StagedTable
from nequi_lake.quality.check import Check

log = logging.getLogger(__name__)

Staged = Mapping[str, StagedTable]
"""Table name → what was staged, or is published."""
Made = Iterator[dg.AssetCheckResult | dg.MaterializeResult[StagedTable]]
"""What a step gives that makes tables: what their checks found, and then the tables, unless it fails."""


def table_spec(dataset: Dataset, table: Relation, deps: Iterable[dg.AssetKey], engine: str) -> dg.AssetSpec:
    """The asset of a table or mart."""
    return dg.AssetSpec(
        table_key(dataset, table),
        skippable=True,
        deps=list(deps),
        description=f"{table.description}\n\nFor: {dataset.use_case}",
        kinds={"iceberg", "parquet", engine},
        metadata={
            "dagster/table_name": f"{dataset.name}.{table.name}",
            "dagster/column_schema": column_schema(table),
            "dagster/column_lineage": column_lineage(dataset, table),
        },
        **belongs_to(dataset, table.zone),
    ).with_io_manager_key(IO_TABLES)


def check_specs(dataset: Dataset, unit: Sequence[Relation]) -> list[dg.AssetCheckSpec]:
    """The checks of tables that are released together."""
    return [
        dg.AssetCheckSpec(name, asset=table_key(dataset, table), blocking=True, description=description)
        for table in unit
        for name, description in table.checks.items()
    ]


def try_of(run_id: str) -> str:
    """A name for one try of a run; later ones sort behind it."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{run_id[:8]}"


def made(
    context: dg.AssetExecutionContext,
    lake: Lake,
    dataset: Dataset,
    unit: Sequence[Relation],
    name: str,
    release: Release,
    make: Callable[[Collection[str], Staged, Staged], tuple[Staged, list[Check]]],
) -> Made:
    """Give the tables of a release that are selected: those that are there, and those that are staged now.

    Only for a run that has the dataset to itself.

    Args:
        context: of the step.
        lake: the lake.
        dataset: whose tables.
        unit: the tables that are released together.
        name: what a person calls them.
        release: what they will be.
        make: (tables to stage, tables to audit as they are, tables of the release that are there) → what was staged,
            and the checks of all that were to be audited.

    Raises:
        dagster.Failure: a check failed; what was staged is gone.
    """
    began = time.monotonic()
    selected = [table.name for table in unit if table_key(dataset, table) in context.selected_asset_keys]
    newest = {table.name: lake.catalog.newest(dataset.name, table.name) for table in unit}
    there = {
        each: table
        for each, table in newest.items()
        # Files that somebody removed are made again.
        if table and table.release.id == release.id and not lake.storage.missing(table.paths)
    }
    missing = [each for each in selected if each not in there]
    wanted = {(key.asset_key, key.name) for key in context.selected_asset_check_keys}
    # A check that was asked for without its table is held against what is published.
    alone = {key.path[-1] for key, _ in wanted}.difference(selected)
    old = {
        **{each: table for each, table in newest.items() if table and each in alone},
        **{each: table for each, table in there.items() if each in selected},
    }
    if not missing:
        log.info("%s: nothing to publish, release %s is there already", name, release.id)
    staged, checks = make(missing, old, there)
    try:
        for check in checks:
            key = table_key(dataset, dataset.relation(check.subject.split(".")[1]))
            if (key, check.name) in wanted:
                held = old.get(key.path[-1])
                yield check_result(check, key, held.release.id if held else release.id)
        failed = [check for check in checks if not check.passed]
        if failed:
            raise refuse(failed, f"Nothing of {name} was published; what readers see of it is as it was.")
    except BaseException:
        discard(dataset, staged, lake.storage)
        raise
    for each in selected:
        yield dg.MaterializeResult(
            asset_key=table_key(dataset, dataset.relation(each)),
            value=staged.get(each) or there[each],
            metadata={
                "seconds": round(time.monotonic() - began, 3),
                "checks": dg.MetadataValue.md(
                    as_markdown(check for check in checks if check.subject == f"{dataset.name}.{each}")
                ),
            },
            data_version=dg.DataVersion(release.id),
        )


def column_schema(table: Relation) -> dg.TableSchema:
    """The contract as Dagster shows it."""
    return dg.TableSchema(columns=[_column(column) for column in table.columns.values()])


def _column(column: Column) -> dg.TableColumn:
    return dg.TableColumn(
        name=column.name,
        type=sql_type(column.dtype),
        description=f"{column.description} Unit: {column.unit}.",
        constraints=dg.TableColumnConstraints(
            nullable=column.nullable, unique=False, other=list(column.constraint_texts)
        ),
    )


def column_lineage(dataset: Dataset, table: Relation) -> dg.TableColumnLineage:
    """The raw columns that each column comes from; of a mart's columns, those of the tables that it reads."""
    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(dg.AssetKey([zone, dataset.name, name]), origin) for zone, name, origin in origins
            ]
            for column, origins in dataset.column_lineage(table).items()
        }
    )
