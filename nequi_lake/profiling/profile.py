"""Statistics of every column of a published table, streamed over its Parquet files.

Exact up to a stated number of rows. Beyond it, distinct counts, quartiles and most frequent values are approximate,
because exact ones would hold all values in memory; they are labelled so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
import polars as pl

from nequi_lake.datasets.contract import Column, sql_type
from nequi_lake.lake.reader import LakeTable
from nequi_lake.progress import bar

EXACT_ROWS = 10_000_000
"""Rows up to which every statistic is exact."""
SAMPLED_ROWS = 2_000_000
"""Rows, evenly spread, from which quartiles and most frequent values of a larger table are taken."""
TOP = 10
"""Most frequent values that a profile has of each column."""
_CELLS_AT_ONCE = 40_000_000
_TEXT_SHOWN = 200
_QUARTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}


def profile(table: LakeTable, *, exact_rows: int = EXACT_ROWS) -> pd.DataFrame:
    """Profile every column of a table.

    Args:
        table: the published table.
        exact_rows: rows up to which every statistic is exact.

    Returns:
        One row a column, in the contract's order: ``column``, ``type``, ``unit``, ``count`` (values that are there),
        ``missing``, ``missing_share`` (0 to 1), ``null_limit`` (0 to 1), ``distinct``, ``exact`` (whether distinct,
        quartiles and top are exact), ``min`` and ``max`` (as text, cut to 200 characters), ``mean``, ``std`` (of a
        sample), ``q25``, ``median``, ``q75`` (linear interpolation; these five NaN where the column is not numeric),
        and ``top`` (the most frequent values as a JSON list of [value, count]).
    """
    rows = table.published.rows
    columns = list(table.table.columns.values())
    found: list[dict[str, Any]] = []
    with bar(f"profiling {table.published.name}", len(columns), "columns") as progress:
        for part in _batches(columns, rows):
            found += _profile_columns(table.scan(), part, rows, exact_rows)
            progress.update(len(part))
    return pd.DataFrame(found)


def _batches(columns: list[Column], rows: int) -> Iterator[list[Column]]:
    at_once = max(1, _CELLS_AT_ONCE // max(1, rows))
    for start in range(0, len(columns), at_once):
        yield columns[start : start + at_once]


def _profile_columns(scan: pl.LazyFrame, columns: list[Column], rows: int, exact_rows: int) -> Iterator[dict[str, Any]]:
    exact = rows <= exact_rows
    sample = scan if exact else scan.gather_every(-(-rows // SAMPLED_ROWS))
    whole = scan.select(e for column in columns for e in _exact_statistics(column, exact=exact))
    part = sample.select(pl.len(), *(e for column in columns for e in _quartiles(column)))
    tops = [
        sample.group_by(column.name)
        .len("n")
        .drop_nulls()
        .top_k(TOP, by=["n"])
        .sort("n", column.name, descending=[True, False])
        for column in columns
    ]
    statistics, quartiles, *frequent = pl.collect_all([whole, part, *tops], engine="streaming")
    known = {**statistics.row(0, named=True), **quartiles.row(0, named=True)}
    for column, top in zip(columns, frequent, strict=True):
        numbers = {
            key.removeprefix(f"{column.name}|"): value
            for key, value in known.items()
            if key.startswith(f"{column.name}|")
        }
        missing = rows - numbers["count"]
        yield {
            "column": column.name,
            "type": sql_type(column.dtype),
            "unit": column.unit,
            "count": numbers["count"],
            "missing": missing,
            "missing_share": missing / rows if rows else 0.0,
            "null_limit": column.null_limit,
            "distinct": numbers["distinct"] - (1 if missing else 0)
            if exact
            else min(numbers["distinct"], numbers["count"]),
            "exact": exact,
            "min": _text(numbers["min"]),
            "max": _text(numbers["max"]),
            **{name: _number(numbers.get(name)) for name in ("mean", "std", *_QUARTILES)},
            "top": json.dumps([[_text(value), count] for value, count in top.rows()], ensure_ascii=False),
        }


def _exact_statistics(column: Column, *, exact: bool) -> Iterator[pl.Expr]:
    value = pl.col(column.name)
    yield value.count().alias(f"{column.name}|count")
    yield (value.n_unique() if exact else value.approx_n_unique()).alias(f"{column.name}|distinct")
    yield value.min().alias(f"{column.name}|min")
    yield value.max().alias(f"{column.name}|max")
    if column.dtype.is_numeric():
        yield value.mean().alias(f"{column.name}|mean")
        yield value.std().alias(f"{column.name}|std")


def _quartiles(column: Column) -> Iterator[pl.Expr]:
    for name, share in _QUARTILES.items():
        if column.dtype.is_numeric():
            yield pl.col(column.name).quantile(share, "linear").alias(f"{column.name}|{name}")


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = repr(value) if isinstance(value, float) else str(value)
    return text if len(text) <= _TEXT_SHOWN else text[: _TEXT_SHOWN - 1] + "…"


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
