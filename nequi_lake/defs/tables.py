"""Assets of the processed zone: all tables of a dataset are staged in one pass, audited together, published one by one.

The audit's verdict is raised here, before any table is handed to the IO manager that publishes: a blocking check alone
acts at the end of the step, when the tables are out, and not at all in a run that was started without checks.
"""

import logging
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg

from nequi_lake.datasets.contract import Column, sql_type
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.defs.failures import as_failure, as_markdown, check_result, refuse
from nequi_lake.defs.names import IO_TABLES, PROCESSED, belongs_to, raw_key, table_key
from nequi_lake.engines.duplicates import find_duplicates
from nequi_lake.engines.fingerprint import release_id
from nequi_lake.engines.polars import discard, stage
from nequi_lake.lake.housekeeping import remove_orphans
from nequi_lake.lake.raw import KeptFile
from nequi_lake.lake.reader import Lake
from nequi_lake.lake.release import Release, StagedTable
from nequi_lake.quality.audit import TABLE_CHECKS, UNIQUE_KEY, audit
from nequi_lake.quality.check import Check

log = logging.getLogger(__name__)


def table_assets(dataset: Dataset) -> dg.AssetsDefinition:
    """The assets of a dataset's tables."""

    @dg.multi_asset(
        name=f"{dataset.name}_tables",
        ins={
            f"file_{number}": dg.AssetIn(raw_key(dataset.name, file.name))
            for number, file in enumerate(dataset.readable_files)
        },
        specs=[_spec(dataset, table) for table in dataset.tables],
        check_specs=[
            dg.AssetCheckSpec(name, asset=table_key(dataset.name, table.name), blocking=True, description=description)
            for table in dataset.tables
            for name, description in TABLE_CHECKS.items()
        ],
        can_subset=True,
        op_tags={"dataset": dataset.name},
    )
    def process(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], **files: KeptFile
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[StagedTable]]:
        began = time.monotonic()
        with as_failure(lake.settings.uri), lake.storage.alone(dataset.name):
            selected = [
                t.name for t in dataset.tables if table_key(dataset.name, t.name) in context.selected_asset_keys
            ]
            release = _release(dataset, files.values(), context.run.run_id)
            newest = {table.name: lake.catalog.newest(dataset.name, table.name) for table in dataset.tables}
            there = {
                name: table
                for name, table in newest.items()
                # Files that somebody removed are made again.
                if table and table.release.id == release.id and not lake.storage.missing(table.paths)
            }
            missing = [name for name in selected if name not in there]
            remove_orphans(dataset, lake.catalog, lake.storage)
            wanted = {(key.asset_key, key.name) for key in context.selected_asset_check_keys}
            # A check that was asked for without its table is held against what is published.
            alone = {key.path[-1] for key, _ in wanted}.difference(selected)
            old = {
                **{name: table for name, table in newest.items() if table and name in alone},
                **{name: table for name, table in there.items() if name in selected},
            }
            staged, checks = _staged_and_audited(dataset, files.values(), missing, old, there, release, lake)
            try:
                for check in checks:
                    key = table_key(dataset.name, check.subject.split(".")[1])
                    if (key, check.name) in wanted:
                        held = old.get(key.path[-1])
                        yield check_result(check, key, held.release.id if held else release.id)
                failed = [check for check in checks if not check.passed]
                if failed:
                    raise refuse(failed, f"Nothing of {dataset.name} was published; its tables are as they were.")
            except BaseException:
                discard(staged, lake.storage)
                raise
            for name in selected:
                yield dg.MaterializeResult(
                    asset_key=table_key(dataset.name, name),
                    value=staged.get(name) or there[name],
                    metadata={
                        "seconds": round(time.monotonic() - began, 3),
                        "checks": dg.MetadataValue.md(
                            as_markdown(check for check in checks if check.subject == f"{dataset.name}.{name}")
                        ),
                    },
                    data_version=dg.DataVersion(release.id),
                )

    return process


def _release(dataset: Dataset, files: Collection[KeptFile], run_id: str) -> Release:
    return Release(
        id=release_id(dataset, files),
        run_id=_try_of(run_id),
        raw_version=next(iter(files)).version,
        tables=tuple(table.name for table in dataset.tables),
    )


def _try_of(run_id: str) -> str:
    """A name for one try of a run; later ones sort behind it."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{run_id[:8]}"


def _staged_and_audited(
    dataset: Dataset,
    files: Collection[KeptFile],
    names: Collection[str],
    old: Mapping[str, StagedTable],
    parents: Mapping[str, StagedTable],
    release: Release,
    lake: Lake,
) -> tuple[Mapping[str, StagedTable], list[Check]]:
    """Stage tables and audit them, with ``old`` ones beside them that stay as they are.

    Where keys repeat, the records behind it are looked for, and the tables are staged anew without them. Of some tables
    alone nobody sees whether keys of the others repeat, so the look comes first.
    """
    if not names:
        log.info("%s: nothing to publish, release %s is there already", dataset.name, release.id)
        return {}, audit(dataset, old, parents, lake.storage)
    by_name = {file.file: file for file in files}
    duplicates = find_duplicates(dataset, by_name, lake.storage) if len(names) < len(dataset.tables) else None
    while True:
        log.info("%s: staging %s", dataset.name, ", ".join(names))
        staged = stage(dataset, by_name, names, release, lake.storage, duplicates)
        try:
            log.info("%s: auditing %d tables", dataset.name, len(old) + len(staged))
            checks = audit(dataset, {**old, **staged}, parents, lake.storage)
            if duplicates or all(check.passed for check in checks if check.name == UNIQUE_KEY):
                return staged, checks
            log.info("%s: keys repeat; looking for the records behind it", dataset.name)
            duplicates = find_duplicates(dataset, by_name, lake.storage)
        except BaseException:
            discard(staged, lake.storage)
            raise
        discard(staged, lake.storage)
        release = replace(release, run_id=_try_of(release.run_id.rsplit("-", 1)[-1]))


def _spec(dataset: Dataset, table: Table) -> dg.AssetSpec:
    return dg.AssetSpec(
        table_key(dataset.name, table.name),
        skippable=True,
        deps=[raw_key(dataset.name, file.name) for file in dataset.files_of(table)],
        description=f"{table.description}\n\nFor: {dataset.use_case}",
        kinds={"iceberg", "parquet", "polars"},
        metadata={
            "dagster/table_name": f"{dataset.name}.{table.name}",
            "dagster/column_schema": column_schema(table),
            "dagster/column_lineage": column_lineage(dataset, table),
        },
        **belongs_to(dataset, PROCESSED),
    ).with_io_manager_key(IO_TABLES)


def column_schema(table: Table) -> dg.TableSchema:
    """The contract as Dagster shows it."""
    return dg.TableSchema(columns=[_column(column) for column in table.columns.values()])


def _column(column: Column) -> dg.TableColumn:
    return dg.TableColumn(
        name=column.name,
        type=sql_type(column.dtype),
        description=f"{column.description} Unit: {column.unit}.",
        constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=False, other=column.constraints),
    )


def column_lineage(dataset: Dataset, table: Table) -> dg.TableColumnLineage:
    """The raw columns that each column comes from."""
    return dg.TableColumnLineage(
        {
            name: [
                dg.TableColumnDep(raw_key(dataset.name, file.name), raw)
                for file in dataset.files_of(table)
                for raw in column.raw_columns
                if raw in file.leaves
            ]
            for name, column in table.columns.items()
        }
    )
