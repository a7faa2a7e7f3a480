"""Each type of columns is known in one table, which agrees with the engines that use its names."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyiceberg.io.pyarrow import pyarrow_to_schema
from pyiceberg.table.name_mapping import MappedField, NameMapping

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import DeclarationError
from nequi_lake.formats.types import TYPES, ColumnType, column_type, json_type, pandas_type, sql_type, used_types

PLAIN = [known for known in TYPES if known.arrow and known.sql != "time"]


def name(known: ColumnType) -> str:
    """The name of a case."""
    return known.polars.__name__


@pytest.mark.parametrize("known", [known for known in TYPES if known.arrow], ids=name)
def test_the_arrow_type_is_the_one_that_polars_makes(known: ColumnType) -> None:
    frame = pl.DataFrame(schema={"value": known.polars()})
    assert frame.to_arrow(compat_level=pl.CompatLevel.oldest()).schema.field("value").type == known.arrow


@pytest.mark.parametrize("known", PLAIN, ids=name)
def test_iceberg_calls_it_so(known: ColumnType) -> None:
    schema = pa.schema([pa.field("value", known.arrow)])
    mapping = NameMapping([MappedField.model_validate({"field-id": 1, "names": ["value"]})])
    assert str(pyarrow_to_schema(schema, mapping).find_type("value")) == known.iceberg


@pytest.mark.parametrize("known", PLAIN, ids=name)
def test_duckdb_takes_its_name(known: ColumnType) -> None:
    duckdb.execute(f"SELECT NULL::{known.sql}")


@pytest.mark.parametrize("known", [known for known in TYPES if known.pandas], ids=name)
def test_the_pandas_type_keeps_a_missing_value_beside_exact_ones(known: ColumnType) -> None:
    assert known.arrow is not None
    assert pandas_type(known.arrow) == known.pandas
    values = pa.array([1, None], pa.int64()).cast(known.arrow)
    kept = values.to_pandas(types_mapper=lambda _: pd.api.types.pandas_dtype(known.pandas))
    assert kept[0] == 1
    assert kept[1] is pd.NA


def test_a_type_that_pandas_keeps_by_itself_has_no_other() -> None:
    assert pandas_type(pa.float64()) is None
    assert pandas_type(pa.large_string()) is None
    assert pandas_type(pa.decimal128(10, 2)) is None


def test_every_declared_column_has_a_known_type(datasets: Mapping[str, Dataset]) -> None:
    dtypes = {c.dtype for d in datasets.values() for relation in d.relations for c in relation.columns.values()}
    assert [dtype for dtype in dtypes if column_type(dtype) is None] == []
    assert [known.sql for known in used_types(dtypes)] == ["bigint", "double", "string", "boolean", "date", "decimal"]


def test_json_values_have_python_types() -> None:
    assert [json_type(dtype) for dtype in (pl.String, pl.Int64(), pl.Float64, pl.Boolean())] == [str, int, float, bool]
    for dtype in (pl.Date(), pl.UInt8(), pl.Struct({"a": pl.Int64})):
        with pytest.raises(DeclarationError, match="no values of the type"):
            json_type(dtype)


def test_a_type_that_is_not_in_the_table_keeps_polars_name() -> None:
    assert column_type(pl.UInt8()) is None
    assert sql_type(pl.UInt8()) == "UInt8"
    assert sql_type(pl.List(pl.Struct({"a": pl.Decimal(10, 2)}))) == "array<struct<a:decimal(10,2)>>"
