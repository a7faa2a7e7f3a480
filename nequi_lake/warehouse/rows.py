"""The rows of a published relation as PostgreSQL reads them: text of CSV, a batch at a time, so that memory is bounded.

PostgreSQL itself reads each value, and refuses what its column cannot hold.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from nequi_lake.lake.read.table import LakeTable

BATCH_ROWS = 8_192
_BUFFER_BYTES = 2**20
COPY_OPTIONS = "FORMAT csv, NULL '', HEADER false"
_NUL, _INSTEAD = "\0", "\ufffd"


class Rows:
    """The rows of a relation.

    Attributes:
        columns: the columns, in the order of the rows.
        count: how many rows were given so far.
        nul_count: how many texts had a NUL, which PostgreSQL cannot hold; U+FFFD stands in its place.
    """

    def __init__(self, table: LakeTable) -> None:
        self._table = table
        self.columns = list(table.table.published)
        self.count = 0
        self.nul_count = 0

    def __iter__(self) -> Iterator[bytes]:
        for fragment in self._table.to_dataset().get_fragments():
            # A scan of the dataset reads ahead, and holds what it has read.
            with fragment.open() as stream, pq.ParquetFile(stream, pre_buffer=False, buffer_size=_BUFFER_BYTES) as file:
                for batch in file.iter_batches(BATCH_ROWS, columns=self.columns, use_threads=False):
                    self.count += batch.num_rows
                    yield self._written(batch.select(self.columns))

    def _written(self, batch: pa.RecordBatch) -> bytes:
        frame = pl.DataFrame(batch)
        texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
        odd = frame.select(pl.col(texts).str.contains(_NUL, literal=True).sum()) if texts else pl.DataFrame()
        for name in (name for name in texts if odd[name].item()):
            self.nul_count += odd[name].item()
            frame = frame.with_columns(pl.col(name).str.replace_all(_NUL, _INSTEAD, literal=True))
        written = io.BytesIO()
        frame.select(_as_text(name, dtype) for name, dtype in frame.schema.items()).write_csv(
            written, include_header=False, null_value="", quote_style="necessary"
        )
        return written.getvalue()


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column as something that CSV can hold, and the database's type reads."""
    column = pl.col(name)
    match dtype:
        case pl.Binary():
            return pl.lit("\\x").add(column.bin.encode("hex")).alias(name)
        case pl.Struct():
            return pl.when(column.is_not_null()).then(_without_nul(column.struct.json_encode())).alias(name)
        case pl.List():
            wrapped = pl.struct(column.alias("v")).struct.json_encode()
            return pl.when(column.is_not_null()).then(_without_nul(wrapped.str.slice(5).str.head(-1))).alias(name)
        case pl.Datetime():
            return column.dt.to_string("%Y-%m-%d %H:%M:%S%.6f" + ("+00" if dtype.time_zone else ""))
        case _:
            return column


def _without_nul(json: pl.Expr) -> pl.Expr:
    # A backslash may be one of the text's own, written twice.
    return json.str.replace_all(r"((?:^|[^\\])(?:\\\\)*)\\u0000", r"${1}\ufffd")
