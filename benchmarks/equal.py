"""Did two of them do the same work? Compares what they wrote; a benchmark of unequal work says nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl

from benchmarks.task import parquet_of


class Facts(NamedTuple):
    """What is compared of a column: type, rows, missing values, and a sum over its values in whatever order."""

    dtype: str
    rows: int
    missing: int
    checksum: float


Written = Mapping[str, Mapping[str, Facts]]
"""Table → column → facts."""

_HASHES = 2**20


def written_in(out: Path, tables: list[str]) -> Written:
    """What is in the tables' folders below ``out``."""
    return {table: _facts(parquet_of(out / table)) for table in tables}


def differences(lake: Written, peer: Written) -> Iterator[str]:
    """What a peer wrote otherwise than the lake, for a person; nothing where it did the same work."""
    for table, columns in lake.items():
        theirs = peer.get(table, {})
        if list(columns) != list(theirs):
            yield f"{table} has the columns {', '.join(theirs)}, the lake has {', '.join(columns)}"
            continue
        for name, ours in columns.items():
            if ours[:3] != theirs[name][:3] or not math.isclose(ours.checksum, theirs[name].checksum, rel_tol=1e-9):
                yield f"{table}.{name} is {theirs[name]}, the lake has {ours}"


def rows_of(wrote: Written) -> int:
    """Rows of all tables."""
    return sum(next(iter(columns.values())).rows for columns in wrote.values())


def size_of(out: Path, tables: list[str]) -> int:
    """Bytes of the tables' files."""
    return sum(Path(path).stat().st_size for table in tables for path in parquet_of(out / table))


def _facts(files: list[str]) -> Mapping[str, Facts]:
    rows = pl.scan_parquet(files, hive_partitioning=False)
    schema = rows.collect_schema()
    sums = {name: _checksum(name, dtype) for name, dtype in schema.items()}
    sums |= {f"{name}|missing": pl.col(name).null_count() for name in schema}
    found = rows.select(pl.len().alias("|rows"), **sums).collect(engine="streaming").row(0, named=True)
    return {
        name: Facts(str(dtype), found["|rows"], found[f"{name}|missing"], float(found[name] or 0))
        for name, dtype in schema.items()
    }


def _checksum(name: str, dtype: pl.DataType) -> pl.Expr:
    # Engines round the last digit of a float each in its own way; all else must be the same to the bit.
    if dtype == pl.Float64:
        return pl.col(name).sum()
    return (pl.col(name).drop_nulls().hash() % _HASHES).sum()
