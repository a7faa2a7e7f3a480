"""Raw files whose columns have types, and may lie in objects: what is the same of them whatever their format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl
from polars._typing import PolarsDataType

from nequi_lake.formats.drift import DriftingFile


@dataclass(frozen=True, kw_only=True, eq=False)
class NestedFile(DriftingFile):
    """A file that has the columns of ``schema``: name → type. Those in objects have dotted names elsewhere."""

    schema: Mapping[str, PolarsDataType]

    @property
    def field_paths(self) -> tuple[str, ...]:
        return tuple(self._keys)

    @property
    def raw_schema(self) -> Mapping[str, PolarsDataType]:
        return self.schema

    def _value_at(self, field_path: str) -> pl.Expr:
        first, *nested = self._keys[field_path]
        value = pl.col(first)
        for name in nested:
            value = value.struct.field(name)
        return value

    def _type_at(self, field_path: str) -> pl.DataType:
        dtype: PolarsDataType = pl.Struct(dict(self.schema))
        for name in self._keys[field_path]:
            assert isinstance(dtype, pl.Struct)
            dtype = dtype.to_schema()[name]
        return dtype() if isinstance(dtype, type) else dtype

    @cached_property
    def _keys(self) -> Mapping[str, tuple[str, ...]]:
        """Field path → the names that lead to it."""
        return {".".join(keys): keys for keys in _leaves(self.schema)}


def _leaves(schema: Mapping[str, PolarsDataType], *above: str) -> Iterator[tuple[str, ...]]:
    """The names that lead to each value that is no object."""
    for name, dtype in schema.items():
        if isinstance(dtype, pl.Struct):
            yield from _leaves(dtype.to_schema(), *above, name)
        else:
            yield (*above, name)
