"""Parquet: columns of declared names and types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl
from polars._typing import PolarsDataType

from nequi_lake.formats.drift import Drift
from nequi_lake.formats.nested import NestedFile
from nequi_lake.formats.transcribed import TranscribedFile

_AS_TEXT = (pl.Categorical, pl.Enum)
_READABLE = (pl.Boolean, pl.String, pl.Date, pl.Datetime, pl.Decimal)


@dataclass(frozen=True, kw_only=True, eq=False)
class ParquetFile(NestedFile, TranscribedFile):
    """A Parquet file with the columns of ``schema``, in any order.

    A column of a type that no table can be made of, such as ``pl.Binary``, is declared and dropped.

    Attributes:
        schema: column → its type. A dictionary of texts is a text; times of any zone are ``pl.Datetime(unit, "UTC")``,
            times without one ``pl.Datetime(unit)``.
    """

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        for path, keys in self._keys.items():
            problem = _type_problem(self._type_at(path))
            if problem and path not in self.dropped:
                yield f"{path}: {problem}"
            elif keys[0] not in self.raw_schema and path not in self.dropped:
                yield f"{path}: no table can have it without the rest of {keys[0]}: name it in dropped="

    @property
    def raw_schema(self) -> Mapping[str, PolarsDataType]:
        """The columns that are read: all but those that have a type of which no table is made."""
        unread = {keys[0] for path, keys in self._keys.items() if _type_problem(self._type_at(path))}
        return {name: dtype for name, dtype in self._types.items() if name not in unread}

    @property
    def drift(self) -> Drift:
        return super().drift._replace(columns=tuple(self.schema))

    @cached_property
    def _types(self) -> Mapping[str, pl.DataType]:
        """Column → its type, with its parameters."""
        return {name: dtype() if isinstance(dtype, type) else dtype for name, dtype in self.schema.items()}

    def _reading(self) -> tuple[object, ...]:
        return "nequi_lake.formats.parquet_reading:read_parquet", self._types, tuple(self.raw_schema), self.drift

    def _line_of(self, number: int) -> int:
        return number + 1


def _type_problem(dtype: PolarsDataType) -> str | None:
    """What is wrong with values of this type in a raw file; None where tables can be made of them."""
    if isinstance(dtype, pl.List):
        return _type_problem(dtype.inner)
    if isinstance(dtype, pl.Struct):
        return next((problem for field in dtype.fields if (problem := _type_problem(field.dtype))), None)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone not in (None, "UTC"):
        return 'times of a zone are read as those of UTC: declare time_zone="UTC"'
    if dtype.base_type() in _AS_TEXT:
        return f"{dtype} is read as text: declare pl.String"
    is_readable = dtype.base_type() in _READABLE or dtype.is_integer() or dtype.is_float()
    return None if is_readable else f"no table is made of {dtype}: name it in dropped="
