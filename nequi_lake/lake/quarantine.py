"""The quarantine: raw records that broke a contract, put aside by the run that staged their dataset.

    quarantine/<dataset>/<run>/<raw file>.parquet

One row a record, with the columns of :data:`COLUMNS`: where it is, what it broke, and its raw values as JSON.
"""

from __future__ import annotations

import polars as pl

from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.lake.storage import Storage

COLUMNS = {
    "dataset": pl.String(),
    "file": pl.String(),
    "record": pl.Int64(),
    "line": pl.Int64(),
    "table": pl.String(),
    "rule": pl.String(),
    "raw": pl.String(),
}
"""``record`` counts from 0 without the header, ``line`` from 1 with it."""


def quarantine_path(storage: Storage, dataset: str, run_id: str, file: str) -> str:
    """Where a run puts the bad records of a raw file."""
    return storage.path("quarantine", dataset, run_id, f"{file}.parquet")


def newest_quarantine(storage: Storage, dataset: Dataset, table: Table) -> pl.DataFrame:
    """The records that the newest run put aside of the files that feed ``table``; whether it published or not."""
    runs = storage.list(storage.path("quarantine", dataset.name))
    empty = pl.DataFrame(schema=COLUMNS)
    if not runs:
        return empty
    paths = [quarantine_path(storage, dataset.name, runs[-1], file.name) for file in dataset.files_of(table)]
    return pl.concat([empty, *(pl.read_parquet(path, glob=False) for path in paths if storage.exists(path))])
