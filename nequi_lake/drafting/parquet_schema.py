"""The columns of a Parquet file, from its own schema."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pyarrow as pa
from polars._typing import PolarsDataType

from nequi_lake.drafting.sniffed import Sniffed, cannot_draft
from nequi_lake.formats import ParquetFile
from nequi_lake.formats.guarded import UnreadableFileError, guarded
from nequi_lake.formats.parquet_reading import polars_type
from nequi_lake.formats.types import type_problem
from nequi_lake.formats.words import listed


def parquet_file(path: Path) -> Sniffed:
    """The file with the types that it says itself.

    Raises:
        UsageError: its schema cannot be read, or has a column that cannot be declared.
    """
    try:
        (said,) = guarded("nequi_lake.formats.parquet_reading:read_schema", str(path))
    except UnreadableFileError as error:
        raise cannot_draft(f"the Parquet file cannot be read: {error}", path) from error
    found = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(said)))
    types = {field.name: polars_type(field.type) for field in found}
    unknown = [f"{field.name} ({field.type})" for field in found if types[field.name] is None]
    if unknown:
        raise cannot_draft(
            f"columns are of types that the lake does not read: {listed(unknown)}", path, "Write the file without them."
        )
    # A column that has no value in this file may have texts in the next one.
    schema = {name: pl.String() if dtype == pl.Null else dtype for name, dtype in types.items() if dtype is not None}
    file = _declared(path, schema, {})
    read = set(_declared(path, file.raw_schema, {}).field_paths)
    no_table = {
        name: f"No table is made of {file.raw_type(name)}."
        for name in file.field_paths
        if name not in read or (file.raw_type(name).is_nested() and type_problem(file.raw_type(name)))
    }
    return Sniffed(_declared(path, schema, no_table))


def _declared(path: Path, schema: Mapping[str, PolarsDataType], dropped: Mapping[str, str]) -> ParquetFile:
    return ParquetFile(name=path.name, description="TODO", schema=schema, dropped=dropped)
