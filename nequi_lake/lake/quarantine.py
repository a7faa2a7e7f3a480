"""The quarantine: raw records that broke a contract, kept by the run that staged their dataset.

    quarantine/<dataset>/<run>/<raw file>/<part>.parquet
    quarantine/<dataset>/newest.json               the last run that wrote all of its quarantine

One row per record with the columns of :data:`COLUMNS`: where it is, what it broke, and its raw values as JSON. A record
that cannot be read is of no table; its ``raw`` has its ``text``, and where that is not UTF-8, its bytes as ``base64``.
"""

from __future__ import annotations

import json

import polars as pl

from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.lake.layout import quarantine_folder
from nequi_lake.lake.storage import StorageBackend

NEWEST = "newest"
"""The name, without its ending, of the file that names the last run that wrote all of its quarantine."""
COLUMNS = {
    "dataset": pl.String(),
    "file": pl.String(),
    "record": pl.Int64(),
    "line": pl.Int64(),
    "table": pl.String(),
    "rule": pl.String(),
    "raw": pl.String(),
}
"""``file`` is a raw file or its part; in it ``record`` counts from 0 without the header, ``line`` from 1 with it."""


def quarantine_path(storage: StorageBackend, dataset: str, run_id: str, file: str, part: str) -> str:
    """Where a run puts the bad records of a part of a raw file."""
    return f"{quarantine_folder(storage, dataset, run_id, file)}/{part}.parquet"


def finish_quarantine(storage: StorageBackend, dataset: str, run_id: str) -> None:
    """Show the quarantine of the run to readers, once it is complete."""
    storage.write(quarantine_folder(storage, dataset, f"{NEWEST}.json"), json.dumps({"run_id": run_id}).encode())


def newest_run(storage: StorageBackend, dataset: str) -> str | None:
    """The last run whose quarantine is complete; None where there is none."""
    pointer = quarantine_folder(storage, dataset, f"{NEWEST}.json")
    return str(json.loads(storage.read(pointer))["run_id"]) if storage.exists(pointer) else None


def quarantine_of(storage: StorageBackend, dataset: Dataset, table: Relation, run_id: str | None) -> pl.LazyFrame:
    """The records that a run quarantined of the files that feed ``table``; none of no run."""
    empty = pl.LazyFrame(schema=COLUMNS)
    if run_id is None:
        return empty
    folders = [quarantine_folder(storage, dataset.name, run_id, file.name) for file in dataset.files_of(table)]
    paths = [path for folder in folders for path in sorted(storage.files(folder))]
    return pl.concat([empty, *(pl.scan_parquet(path, glob=False, **storage.polars_scan()) for path in paths)])


def newest_quarantine(storage: StorageBackend, dataset: Dataset, table: Relation) -> pl.LazyFrame:
    """The records that the newest run quarantined of the files that feed ``table``; whether it published or not."""
    return quarantine_of(storage, dataset, table, newest_run(storage, dataset.name))
