"""Compares what the warehouse holds with the lake: rows, and of each column its values, the least, greatest and sum."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.lake.check import Check
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.read.table import LakeTable
from nequi_lake.warehouse.ddl import quoted
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
        fix="" if not problems else f"Load it again: nequi-lake warehouse load {dataset.name} --rebuild",
    )


def _of_lake(table: LakeTable) -> Figures:
    frame = table.scan_files().select(
        pl.len().alias("rows"),
        *(figure for name, column in table.table.published.items() for figure in _expressions(name, column.dtype)),
    )
    return frame.collect(engine="streaming").row(0, named=True)


def _expressions(name: str, dtype: pl.DataType) -> Iterator[pl.Expr]:
    column = pl.col(name)
    yield column.count().alias(f"values of {name}")
    if dtype.is_nested() or dtype == pl.Binary:
        return
    value = column.cast(pl.Int8) if dtype == pl.Boolean else column
    yield value.min().alias(f"least {name}")
    yield value.max().alias(f"greatest {name}")
    if dtype.is_numeric():
        wide = (
            pl.Int128()
            if dtype.is_integer()
            else pl.Decimal(38, dtype.scale)
            if isinstance(dtype, pl.Decimal)
            else dtype
        )
        yield column.cast(wide).sum().alias(f"sum of {name}")


def _of_warehouse(connection: Connection, dataset: Dataset, relation: Relation) -> Figures:
    asked = [("rows", "count(*)")]
    for name, column in relation.published.items():
        asked += [(expression.meta.output_name(), "") for expression in _expressions(name, column.dtype)]
    selected = ["count(*)"]
    for name, column in relation.published.items():
        selected += [_sql(figure, name, column.dtype) for figure in ("values of", "least", "greatest", "sum of")]
    found = connection.execute(
        f"SELECT {', '.join(one for one in selected if one)} FROM {quoted(dataset.name, relation.name)}"
    ).fetchone()
    assert found is not None
    return dict(zip((name for name, _ in asked), found, strict=True))


def _sql(figure: str, name: str, dtype: pl.DataType) -> str:
    column = quoted(name)
    if figure == "values of":
        return f"count({column})"
    if dtype.is_nested() or dtype == pl.Binary:
        return ""
    if figure == "sum of":
        return f"coalesce(sum({column}), 0)" if dtype.is_numeric() else ""
    if dtype == pl.Boolean:
        column += "::integer"
    if dtype == pl.String:
        column += ' COLLATE "C"'
    return f"{'min' if figure == 'least' else 'max'}({column})"


def _is_same(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, float) and theirs is not None:
        return math.isclose(mine, float(theirs), rel_tol=_NEAR) or (math.isnan(mine) and math.isnan(float(theirs)))
    if isinstance(mine, datetime) and isinstance(theirs, datetime):
        return mine.replace(tzinfo=mine.tzinfo or UTC) == theirs.replace(tzinfo=theirs.tzinfo or UTC)
    return bool(mine == theirs)
