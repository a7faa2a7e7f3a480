"""Marts of small tables, made without a lake around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.dataset

from nequi_lake.datasets.contract import arrow_schema
from nequi_lake.datasets.spec import Dataset, Mart
from nequi_lake.engines.duckdb import make
from nequi_lake.lake.declared import discover
from nequi_lake.lake.release import Release, StagedTable
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import StorageBackend, open_storage

Rows = Sequence[Mapping[str, Any]]
RELEASE = Release(id="m", run_id="run", raw_version="v", tables=("mart",), source_release="r")


def content(dataset: Dataset, tables: Mapping[str, Rows]) -> dict[str, pyarrow.dataset.Dataset]:
    """Tables of these rows in the types of their contracts; a column that the rows do not name is missing in all."""
    found = {}
    for name, rows in tables.items():
        types = {column.name: column.dtype for column in dataset.relation(name).columns.values()}
        found[name] = pyarrow.dataset.dataset(
            pl.DataFrame([{column: row.get(column) for column in types} for row in rows], schema=types)
            .to_arrow(compat_level=pl.CompatLevel.oldest())
            .cast(pyarrow.schema(pyarrow.field(f.name, f.type) for f in arrow_schema(dataset.relation(name).contract)))
        )
    return found


def stage_mart(
    name: str, tables: Mapping[str, Rows], folder: Path, memory_limit: str = "1GB"
) -> tuple[Mart, StagedTable, StorageBackend]:
    """A mart ``<dataset>.<mart>`` of these rows as the engine leaves it, in a lake in ``folder``."""
    dataset = discover()[name.split(".")[0]]
    mart = dataset.mart(name.split(".")[1])
    storage = open_storage(Settings.from_env({"NEQUI_LAKE_URI": str(folder)}))
    staged = make(dataset, mart, content(dataset, tables), RELEASE, storage, memory_limit=memory_limit)
    return mart, staged, storage


def group_of(dataset_name: str, group_name: str, tables: Mapping[str, Rows], folder: Path) -> dict[str, pl.DataFrame]:
    """The rows of each mart of a group, found to keep its contract, its key and its references."""
    dataset = discover()[dataset_name]
    storage = open_storage(Settings.from_env({"NEQUI_LAKE_URI": str(folder)}))
    read = content(dataset, tables)
    frames: dict[str, pl.DataFrame] = {name: pl.from_arrow(rows.to_table()) for name, rows in read.items()}  # type: ignore[misc]
    (group,) = (group for group in dataset.mart_groups if group.name == group_name)
    for mart in group.relations:
        staged = make(dataset, mart, read, RELEASE, storage)
        read[mart.name] = storage.dataset(dict.fromkeys(staged.paths), arrow_schema(mart.contract))
        frame = pl.DataFrame(pl.from_arrow(read[mart.name].to_table()))
        mart.contract.validate(frame)
        for reference in mart.foreign_keys:
            parent_keys = frames[reference.to].select(dataset.relation(reference.to).key).rows()
            assert {*frame.select(reference.columns).rows()} <= {*parent_keys}, f"{mart.name}: {reference}"
        frames[mart.name] = frame
    return {name: frames[name] for name in group.names}


def mart_of(name: str, tables: Mapping[str, Rows], folder: Path) -> pl.DataFrame:
    """The rows of a mart, found to be in the order of its key and to keep its contract."""
    mart, staged, _ = stage_mart(name, tables, folder)
    files = [pl.read_parquet(path, hive_partitioning=False) for path in staged.paths]
    frame = pl.concat(files) if files else pl.DataFrame(schema={c.name: c.dtype for c in mart.columns.values()})
    assert frame.equals(frame.sort(mart.key))
    mart.contract.validate(frame)
    return frame
