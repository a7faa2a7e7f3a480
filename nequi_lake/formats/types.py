"""The types of columns: one table says what each Polars type is called, and becomes, everywhere else.

Nothing else in the package maps types. A type that is not in the table has no name outside of Polars.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import polars as pl
import pyarrow as pa
from polars._typing import PolarsDataType

from nequi_lake.errors import DeclarationError


@dataclass(frozen=True, kw_only=True)
class ColumnType:
    """A type of columns under all of its names.

    Attributes:
        polars: the Polars type, without parameters.
        sql: its name in Athena, Glue and DuckDB.
        iceberg: its name in Iceberg.
        meaning: what its values are.
        arrow: the Arrow type; None where that depends on parameters.
        json: the Python type of its values in a JSON file; None where the lake reads none from JSON.
        pandas: the nullable pandas type that keeps its values exact; None where pandas' default type does.
    """

    polars: type[pl.DataType]
    sql: str
    iceberg: str
    meaning: str
    arrow: pa.DataType | None = None
    json: type | None = None
    pandas: str | None = None


TYPES = (
    ColumnType(
        polars=pl.Int64,
        sql="bigint",
        iceberg="long",
        meaning="whole number of 64 bits",
        arrow=pa.int64(),
        json=int,
        pandas="Int64",
    ),
    ColumnType(
        polars=pl.Float64,
        sql="double",
        iceberg="double",
        meaning="floating point number of 64 bits",
        arrow=pa.float64(),
        json=float,
    ),
    ColumnType(
        polars=pl.String, sql="string", iceberg="string", meaning="text in UTF-8", arrow=pa.large_string(), json=str
    ),
    ColumnType(
        polars=pl.Boolean,
        sql="boolean",
        iceberg="boolean",
        meaning="true or false",
        arrow=pa.bool_(),
        json=bool,
        pandas="boolean",
    ),
    ColumnType(polars=pl.Date, sql="date", iceberg="date", meaning="day without a time", arrow=pa.date32()),
    ColumnType(polars=pl.Datetime, sql="timestamp", iceberg="timestamp", meaning="day and time"),
    ColumnType(
        polars=pl.Int32,
        sql="int",
        iceberg="int",
        meaning="whole number of 32 bits",
        arrow=pa.int32(),
        json=int,
        pandas="Int32",
    ),
    ColumnType(
        polars=pl.Int16, sql="int", iceberg="int", meaning="whole number of 16 bits", arrow=pa.int16(), pandas="Int16"
    ),
    ColumnType(
        polars=pl.Int8, sql="int", iceberg="int", meaning="whole number of 8 bits", arrow=pa.int8(), pandas="Int8"
    ),
    ColumnType(
        polars=pl.Float32,
        sql="float",
        iceberg="float",
        meaning="floating point number of 32 bits",
        arrow=pa.float32(),
    ),
    ColumnType(polars=pl.Decimal, sql="decimal", iceberg="decimal", meaning="decimal number of fixed precision"),
    ColumnType(polars=pl.Binary, sql="binary", iceberg="binary", meaning="bytes", arrow=pa.large_binary()),
    ColumnType(polars=pl.List, sql="array", iceberg="list", meaning="list of values of one type"),
    ColumnType(polars=pl.Struct, sql="struct", iceberg="struct", meaning="named fields"),
)
"""All types, the ones that tables use most first."""

_PANDAS_BY_ARROW = {known.arrow: known.pandas for known in TYPES if known.arrow and known.pandas}


def column_type(dtype: PolarsDataType) -> ColumnType | None:
    """The entry of a Polars type; None where the table has none."""
    return next((known for known in TYPES if known.polars == dtype.base_type()), None)


def used_types(dtypes: Iterable[PolarsDataType]) -> tuple[ColumnType, ...]:
    """The entries of these types, in the order of the table."""
    used = {dtype.base_type() for dtype in dtypes}
    return tuple(known for known in TYPES if known.polars in used)


def sql_type(dtype: PolarsDataType) -> str:
    """The name of a type in Athena, Glue and DuckDB; Polars' own name where the table has no entry."""
    known = column_type(dtype)
    if known is None:
        return str(dtype)
    if isinstance(dtype, pl.Decimal):
        return f"{known.sql}({dtype.precision},{dtype.scale})"
    if isinstance(dtype, pl.List):
        return f"{known.sql}<{sql_type(dtype.inner)}>"
    if isinstance(dtype, pl.Struct):
        return f"{known.sql}<{','.join(f'{field.name}:{sql_type(field.dtype)}' for field in dtype.fields)}>"
    return known.sql


def sql_types(schema: pa.Schema) -> dict[str, str]:
    """Column → the name of its type in Athena, Glue and DuckDB, in order."""
    return {name: sql_type(dtype) for name, dtype in pl.Schema(schema).items()}


def json_type(dtype: PolarsDataType) -> type:
    """The Python type of a plain value in a JSON file.

    Raises:
        DeclarationError: the lake reads no values of this type from JSON.
    """
    known = column_type(dtype)
    if known is None or known.json is None:
        readable = ", ".join(entry.polars.__name__ for entry in TYPES if entry.json)
        raise DeclarationError(
            f"A JSON file has no values of the type {dtype}.",
            fix=f"Declare the field as one of {readable}, or a List or Struct of them, and parse it in the table.",
        )
    return known.json


def integer_bounds(dtype: PolarsDataType) -> tuple[int, int]:
    """The lowest and the highest value of a type of whole numbers."""
    known = column_type(dtype)
    assert known is not None
    assert known.arrow is not None
    half = 2 ** (known.arrow.bit_width - 1)
    return -half, half - 1


EXACT_WHOLE: Mapping[type[pl.DataType], int] = {pl.Float64: 2**53, pl.Float32: 2**24}
"""From these numbers on a floating point type has one value for several whole numbers."""


def type_problem(dtype: PolarsDataType) -> str | None:
    """What is wrong with a column of this type; None where the lake carries it."""
    if column_type(dtype) is None:
        return (
            f"the lake has no columns of the type {dtype}; it has {', '.join(known.polars.__name__ for known in TYPES)}"
        )
    if isinstance(dtype, pl.Datetime):
        if dtype.time_unit == "ns":
            return 'times are kept in microseconds: write time_unit="us"'
        if dtype.time_zone not in (None, "UTC"):
            return f'times of the zone {dtype.time_zone} are kept in UTC: write time_zone="UTC"'
    if isinstance(dtype, pl.Decimal) and dtype.precision > _MOST_DIGITS:
        return f"a decimal number has at most {_MOST_DIGITS} digits, not {dtype.precision}"
    if isinstance(dtype, pl.List):
        return type_problem(dtype.inner)
    if isinstance(dtype, pl.Struct):
        return next((problem for field in dtype.fields if (problem := type_problem(field.dtype))), None)
    return None


_MOST_DIGITS = 38


def value_text(value: object) -> str:
    """A value as text; a decimal number with all of its decimals, where Python writes a nought of ten as 0E-10."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def pandas_type(arrow: pa.DataType) -> str | None:
    """The name of the nullable pandas type for values of an Arrow type; None where pandas' default keeps them."""
    return _PANDAS_BY_ARROW.get(arrow)
