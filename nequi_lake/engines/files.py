"""The Parquet files of a table under way, written alike by every engine, under a prefix that no reader looks at."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from nequi_lake.datasets.contract import arrow_schema
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.lake.release import DataFile, Release, StagedTable
from nequi_lake.lake.storage import Storage


def prefix(dataset: Dataset, table: Table, release: Release, storage: Storage) -> str:
    """The folder of the files that a run stages for a table."""
    return storage.path(table.zone, dataset.name, table.name, "data", release.run_id)


def sink(table: Table, rows: pl.LazyFrame, prefix: str, files: list[DataFile], storage: Storage) -> pl.LazyFrame:
    """A lazy sink of rows into a table's files, in the contract's types and partitions.

    Args:
        table: the table.
        rows: its rows, with the contract's columns in order.
        prefix: the folder for the files.
        files: filled with what was written, while the sink runs.
        storage: where the lake is.
    """

    def note(sunk: object) -> None:
        for path in sunk.paths:  # type: ignore[attr-defined]
            files.append(DataFile(path=str(path.path), rows=path.num_rows, size_bytes=path.num_bytes))

    target: str | pl.PartitionBy = f"{prefix}/00000000.parquet"
    if table.partition_by:
        target = pl.PartitionBy(prefix, key=table.partition_by.key, include_key=not table.partition_by.by_year)
    return rows.sink_parquet(
        target,
        arrow_schema=arrow_schema(table.contract),
        sinked_paths_callback=note,
        lazy=True,
        **storage.polars_sink(),
    )


def discard(dataset: Dataset, staged: Mapping[str, StagedTable], storage: Storage) -> None:
    """Remove the files of staged tables that will not be published."""
    for name, table in staged.items():
        storage.remove(prefix(dataset, dataset.table(name), table.release, storage))
