"""What a query gave: the same ways on as a table has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from nequi_lake.lake.read.frames import pandas_frame, polars_frame
from nequi_lake.lake.read.notebook import answer_html
from nequi_lake.lake.read.table import FIRST_ROWS

if TYPE_CHECKING:
    import pandas as pd


class Answer:
    """The rows of a query. ``len(answer)`` is their number; Polars, PyArrow and DuckDB take it as it is.

    Args:
        rows: what the query gave.
    """

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows

    def __repr__(self) -> str:
        return repr(self.to_polars())

    def _repr_html_(self) -> str:
        return answer_html(self._rows)

    def __len__(self) -> int:
        return int(self._rows.num_rows)

    def __bool__(self) -> bool:
        # No rows are an answer too.
        return True

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return self._rows.__arrow_c_stream__(requested_schema)

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in order."""
        return list(self._rows.column_names)

    @property
    def schema(self) -> pl.Schema:
        """Column → its Polars type, in order."""
        return self.to_polars().schema

    def head(self, rows: int = FIRST_ROWS) -> pl.DataFrame:
        """The first rows."""
        return self.to_polars().head(rows)

    def to_arrow(self) -> pa.Table:
        """The rows as an Arrow table."""
        return self._rows

    def to_polars(self) -> pl.DataFrame:
        """The rows as a Polars frame."""
        return polars_frame(self._rows)

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a pandas frame: dates as datetime64, whole numbers and booleans as nullable types, decimals as
        Arrow's, whose sums are exact.
        """
        return pandas_frame(self._rows)

    def to_pylist(self) -> list[dict[str, Any]]:
        """The rows as dictionaries."""
        return list(self._rows.to_pylist())
