"""What is made of rows that were read: a pandas frame, and the figures of each column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from nequi_lake.datasets.spec import Relation
from nequi_lake.formats.types import pandas_type, sql_type
from nequi_lake.redaction import HIDDEN

if TYPE_CHECKING:
    import pandas as pd


def pandas_frame(table: pa.Table) -> pd.DataFrame:
    """An Arrow table as a pandas frame: dates as datetime64, whole numbers and booleans as nullable types, decimals as
    Arrow's, whose sums are exact.
    """
    import pandas as pd

    def nullable(kind: pa.DataType) -> Any:
        if pa.types.is_decimal(kind):
            # pandas would make an object of each value: six times the memory, and no arithmetic with floats.
            return pd.ArrowDtype(kind)
        name = pandas_type(kind)
        return pd.api.types.pandas_dtype(name) if name else None

    frame: pd.DataFrame = table.to_pandas(types_mapper=nullable, date_as_object=False)
    return frame


def polars_frame(table: pa.Table) -> pl.DataFrame:
    """An Arrow table as a Polars frame; an interval, which Polars has no type for, becomes text."""
    for place, field in enumerate(table.schema):
        if pa.types.is_interval(field.type):
            texts = [None if value is None else str(value) for value in table.column(place).to_pylist()]
            table = table.set_column(place, field.name, pa.array(texts, pa.string()))
    return pl.DataFrame(table)


def describe(rows: pl.LazyFrame, relation: Relation) -> pl.DataFrame:
    """One row per column: its declaration, and the figures of its values; see :meth:`LakeTable.describe`."""
    schema = rows.collect_schema()
    figures = rows.select(
        figure.alias(f"{place}.{kind}")
        for place, (name, dtype) in enumerate(schema.items())
        for kind, figure in _figures(name, dtype, is_shown=name not in relation.sensitive_columns).items()
    ).collect(engine="streaming")
    known = [relation.published.get(name) for name in schema]
    return pl.DataFrame(
        [
            (
                name,
                sql_type(dtype),
                column.unit if column else "",
                column.description if column else "",
                *(figures[f"{place}.{kind}"].item() for kind in ("nulls", "min", "max", "mean")),
            )
            for place, ((name, dtype), column) in enumerate(zip(schema.items(), known, strict=True))
        ],
        schema={
            "column": pl.String,
            "type": pl.String,
            "unit": pl.String,
            "description": pl.String,
            "nulls": pl.Int64,
            "min": pl.String,
            "max": pl.String,
            "mean": pl.Float64,
        },
        orient="row",
    )


def _figures(name: str, dtype: pl.DataType, *, is_shown: bool) -> dict[str, pl.Expr]:
    column, nothing = pl.col(name), pl.lit(None)
    if not is_shown:
        column = pl.when(column.is_not_null()).then(pl.lit(HIDDEN))
    ordered = not dtype.is_nested() and dtype != pl.Binary
    return {
        "nulls": column.null_count(),
        "min": column.min().cast(pl.String) if ordered else nothing,
        "max": column.max().cast(pl.String) if ordered else nothing,
        "mean": column.mean().cast(pl.Float64) if dtype.is_numeric() else nothing,
    }
