"""The Parquet files of a table as one lazy scan, for those who know which files: a reader, or the audit of a stage."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from nequi_lake.datasets.spec import Relation
from nequi_lake.lake.storage import StorageBackend


def scan_files(table: Relation, paths: Sequence[str], storage: StorageBackend) -> pl.LazyFrame:
    """The rows of these files of a table; no rows of its contract's columns where there are no files."""
    if not paths:
        return pl.LazyFrame(schema={name: column.dtype for name, column in table.published.items()})
    return pl.scan_parquet(list(paths), glob=False, hive_partitioning=False, **storage.polars_scan())
