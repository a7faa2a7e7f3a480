"""Makes the peers' task of the contracts: the same tables, columns and types as the lake writes."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from benchmarks.peers.task import Column, Kind, Partition, Table, Task
from nequi_lake.datasets import contract, spec
from nequi_lake.lake.declared import discover

DATASET = "credit_risk"
FILE = "loan.csv"

_PARSED: dict[str, Kind] = {
    "emp_title": "trimmed",
    "title": "trimmed",
    "emp_length_years": "years_employed",
    "issue_year": "year",
    "term_months": "term",
    "pymnt_plan": "yes_no",
}
"""Columns whose contract's module has a parser of its own, those of months left out."""


def task(inputs: Path, out: Path, lake: Path | None = None, database: str = "") -> Task:
    """The task of writing the four tables of the raw file below ``inputs`` into ``out``.

    Args:
        inputs: a folder source.
        out: where a peer may write.
        lake: the lake whose files are profiled or loaded, where that is the task. It was run once.
        database: where they are loaded into.
    """
    dataset = discover()[DATASET]
    (file,) = dataset.readable_files
    return {
        "csv": str(inputs / DATASET / FILE),
        "header": list(file.field_paths),
        "tables": [_table(table) for table in dataset.tables],
        "out": str(out),
        "files": {table.name: parquet_of(written(lake) / table.name) for table in dataset.tables} if lake else {},
        "database": database,
    }


def written(lake: Path) -> Path:
    """The folder in which a lake has the tables."""
    return lake / "processed" / DATASET


def parquet_of(folder: Path) -> list[str]:
    """The Parquet files below a folder that was written once, in order."""
    return sorted(str(path) for path in folder.rglob("*.parquet"))


def _table(table: spec.Table) -> Table:
    cut = table.partition_by
    partition: Partition | None = None
    if cut:
        partition = {"name": cut.name, "column": cut.column, "by_year": cut.by_year}
    return {
        "name": table.name,
        "columns": [_column(table, column) for column in table.columns.values()],
        "partition": partition,
    }


def _column(table: spec.Table, column: contract.Column) -> Column:
    assert column.source, f"{table.name}.{column.name} comes from no single raw column"
    return {"name": column.name, "raw": column.source, "kind": _kind(table, column)}


def _kind(table: spec.Table, column: contract.Column) -> Kind:
    if isinstance(column.dtype, pl.Decimal):
        assert (column.dtype.precision, column.dtype.scale) in ((18, 2), (18, 10)), f"no peer reads {column.dtype}"
        return "cents" if column.dtype.scale == 2 else "unrounded"
    if column.name in table.parse:
        return "month" if column.dtype == pl.Date else _PARSED[column.name]
    if column.dtype == pl.String:
        return "text"
    if column.dtype == pl.Float64:
        return "number"
    assert column.dtype == pl.Int64, f"no peer reads {column.dtype}, the type of {table.name}.{column.name}"
    return "id" if column.unit == "id" else "whole"
