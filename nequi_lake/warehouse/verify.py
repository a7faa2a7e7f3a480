"""Compares what the warehouse holds with the lake: rows, and of each column its count, minimum, maximum and sum."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.lake.check import Check
from nequi_lake.lake.read.query import quoted
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.read.table import LakeTable
from nequi_lake.warehouse.load import address_of
from nequi_lake.warehouse.server import opened

if TYPE_CHECKING:
    from nequi_lake.warehouse.server import Connection

EQUALS_LAKE = "equals_lake"
ASKS = {
    EQUALS_LAKE: "Whether the warehouse has the lake's rows, by their number and each column's count, bounds and sum"
}
_NEAR = 1e-9
"""By how much, relative, sums of floating point numbers may differ, as their order does."""

Figures = dict[str, Any]


def verify(lake: Lake, dataset: Dataset) -> list[Check]:
    """Compare each table of a dataset in the warehouse with the one that readers of the lake see.

    Raises:
        UsageError, WarehouseError, TransientError: the warehouse cannot be asked.
    """
    with opened(address_of(lake)) as connection:
        return [_compare(connection, dataset, table) for table in lake.tables_of(dataset).values()]


def _compare(connection: Connection, dataset: Dataset, table: LakeTable) -> Check:
    mine, theirs = _of_lake(table), _of_warehouse(connection, dataset, table.table)
    problems = [
        f"{name} is {theirs.get(name)} in the warehouse and {value} in the lake"
        for name, value in mine.items()
        if not _is_same(value, theirs.get(name))
    ]
    return Check(
        name=EQUALS_LAKE,
        subject=table.name,
        passed=not problems,
        found=f"{len(mine):,} figures are the lake's" if not problems else "; ".join(problems[:10]),
        problems=tuple(problems),
        numbers={"rows": theirs["rows"], "figures": len(mine)},
        fix="" if not problems else "Something else has changed it: drop the table there, and load the dataset again.",
    )


def _of_lake(table: LakeTable) -> Figures:
    frame = table.scan_files().select(figure.alias(name) for name, figure, _ in _asked(table.table))
    return frame.collect(engine="streaming").row(0, named=True)


def _of_warehouse(connection: Connection, dataset: Dataset, relation: Relation) -> Figures:
    names, _, figures = zip(*_asked(relation), strict=True)
    found = connection.execute(f"SELECT {', '.join(figures)} FROM {quoted(dataset.name, relation.name)}").fetchone()
    assert found is not None
    return dict(zip(names, found, strict=True))


def _asked(relation: Relation) -> Iterator[tuple[str, pl.Expr, str]]:
    """What is asked of a relation: each figure's name, and how Polars and PostgreSQL find it."""
    yield "rows", pl.len(), "count(*)"
    for name, declared in relation.published.items():
        dtype, mine, theirs = declared.dtype, pl.col(name), quoted(name)
        yield f"count of {name}", mine.count(), f"count({theirs})"
        if dtype.is_nested() or dtype == pl.Binary:
            continue
        if dtype.is_numeric():
            yield f"sum of {name}", mine.cast(_wide(dtype)).sum(), f"coalesce(sum({theirs}), 0)"
        if dtype == pl.Boolean:
            mine, theirs = mine.cast(pl.Int8), f"{theirs}::integer"
        if dtype == pl.String:
            theirs = f'{theirs} COLLATE "C"'
        yield f"min of {name}", mine.min(), f"min({theirs})"
        yield f"max of {name}", mine.max(), f"max({theirs})"


def _wide(dtype: pl.DataType) -> pl.DataType:
    """A type that holds any sum of a column."""
    if isinstance(dtype, pl.Decimal):
        return pl.Decimal(38, dtype.scale)
    return pl.Int128() if dtype.is_integer() else dtype


def _is_same(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, float) and theirs is not None:
        return math.isclose(mine, float(theirs), rel_tol=_NEAR) or (math.isnan(mine) and math.isnan(float(theirs)))
    if isinstance(mine, datetime) and isinstance(theirs, datetime):
        return mine.replace(tzinfo=mine.tzinfo or UTC) == theirs.replace(tzinfo=theirs.tzinfo or UTC)
    return bool(mine == theirs)
