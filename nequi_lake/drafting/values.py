"""The raw values of files on this machine's disk, and how often each stands there, in bounded memory.

DuckDB groups and joins the values, and spills what does not fit into its memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import polars.selectors as selectors
import pyarrow as pa
import pyarrow.parquet as pq

from nequi_lake.lake.read.query import MEMORY_LIMIT, connect

if TYPE_CHECKING:
    import duckdb

_BLANK = " \t"
_BATCH_ROWS = 2**15
_FIRST_SLICE, _LONGEST_SLICE = 2**14, 2**20
_FEWEST_ROWS, _MOST_ROWS = 64, 2**17
_GROUP_BYTES = 2**25


@dataclass(frozen=True)
class Counted:
    """The different values of a column.

    Attributes:
        path: a Parquet file of ``value``, a text without spaces around it or a value of another type, and
            ``records``, how many have it. Records without a value are not in it.
        dtype: the type of the values.
        records: how many there are, those without a value included.
        filled: how many have a value.
        distinct: how many values there are.
        padded: how many records have spaces around their value.
    """

    path: Path
    dtype: pl.DataType
    records: int
    filled: int
    distinct: int
    padded: int = 0

    @property
    def missing(self) -> float:
        """Share of the records without a value, 0 to 1."""
        return 1 - self.filled / self.records if self.records else 0.0

    @property
    def frame(self) -> pl.LazyFrame:
        """A scan of the values."""
        return pl.scan_parquet(self.path).with_columns(pl.col("value").cast(self.dtype))

    def reader(self) -> pa.RecordBatchReader:
        """The values, a batch at a time."""
        return pa.RecordBatchReader.from_batches(
            pa.schema([pq.read_schema(self.path).field("value")]), _batches(self.path, ["value"])
        )

    def ask(self, *questions: pl.Expr) -> tuple[Any, ...]:
        """The answers to questions about all values, each of one row."""
        named = (question.alias(str(number)) for number, question in enumerate(questions))
        return self.frame.select(named).collect(engine="streaming").row(0)

    def most_frequent(self, number: int) -> pl.DataFrame:
        """The values that most records have."""
        return self.frame.sort("records", "value", descending=[True, False]).head(number).collect(engine="streaming")

    def slices(self) -> Iterator[pl.DataFrame]:
        """All values, in ever longer slices, as the first often say enough."""
        at, rows = 0, _FIRST_SLICE
        while at < self.distinct:
            yield self.frame.slice(at, rows).collect(engine="streaming")
            at, rows = at + rows, min(rows * 2, _LONGEST_SLICE)


@dataclass(frozen=True)
class StoredValues:
    """The raw values of a table's records, in Parquet files on this machine's disk.

    Attributes:
        paths: the files.
        places: raw column → the name that it has in them, as DuckDB does not tell capital letters from others.
    """

    paths: Sequence[Path]
    places: Mapping[str, str]

    @property
    def height(self) -> int:
        """How many records there are."""
        return sum(pq.read_metadata(path).num_rows for path in self.paths)

    def reader(self, *columns: str) -> pa.RecordBatchReader:
        """The values of some columns, a batch at a time."""
        names = [self.places[column] for column in columns]
        schema = pa.schema([pq.read_schema(self.paths[0]).field(name) for name in names])
        batches = (batch for path in self.paths for batch in _batches(path, names))
        return pa.RecordBatchReader.from_batches(schema, batches)


class ValueQueries:
    """Questions about raw values, while the connection is open.

    Args:
        connection: DuckDB's.
        scratch: a folder for what is counted.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, scratch: Path) -> None:
        self._connection, self._scratch = connection, scratch
        self._counts = 0

    def count(self, stored: StoredValues, column: str, dtype: pl.DataType) -> Counted:
        """Count the values of a column."""
        path = self._scratch / f"counts-{self._counts}.parquet"
        self._counts += 1
        name = stored.places[column]
        value, is_there = (f"trim({name}, '{_BLANK}')", "value <> ''") if dtype == pl.String else (name, "true")
        found = self._ask(
            f"SELECT value, count(*) AS records, count_if(value <> raw) AS padded "
            f"FROM (SELECT {value} AS value, {name} AS raw FROM first) "
            f"WHERE value IS NOT NULL AND {is_there} GROUP BY value",
            first=stored.reader(column),
        )
        distinct = filled = padded = 0
        with pq.ParquetWriter(path, found.schema, compression="lz4", write_statistics=False) as writer:
            for batch in found:
                writer.write_batch(batch)
                distinct += batch.num_rows
                filled += sum(batch.column("records").to_pylist())
                padded += sum(batch.column("padded").to_pylist())
        return Counted(path, dtype, stored.height, filled, distinct, padded)

    def missing(self, stored: StoredValues, column: str) -> float:
        """Share of the records without a value, 0 to 1, of lists and objects too."""
        filled = sum(len(batch) - batch.column(0).null_count for batch in stored.reader(column))
        return 1 - filled / stored.height if stored.height else 0.0

    def is_unique(self, stored: StoredValues, columns: Sequence[str]) -> bool:
        """Whether no two records have the same values in these columns."""
        beginning = next(iter(stored.reader(*columns)), None)
        if beginning is not None and pl.DataFrame(pl.from_arrow(beginning)).is_duplicated().any():
            return False
        names = ", ".join(stored.places[column] for column in columns)
        repeated = f"SELECT 1 FROM first GROUP BY {names} HAVING count(*) > 1 LIMIT 1"
        return not self._ask(repeated, first=stored.reader(*columns)).read_all().num_rows

    def are_among(self, values: Counted, keys: Counted) -> bool:
        """Whether every one of these values is one of the others."""
        text = "SELECT CAST(value AS VARCHAR) AS value FROM"
        without = f"SELECT 1 FROM ({text} first) AS child ANTI JOIN ({text} second) AS parent USING (value) LIMIT 1"
        return not self._ask(without, first=values.reader(), second=keys.reader()).read_all().num_rows

    def _ask(self, query: str, **content: pa.RecordBatchReader) -> pa.RecordBatchReader:
        for name, reader in content.items():
            self._connection.register(name, reader)
        return self._connection.sql(query).to_arrow_reader(_BATCH_ROWS)


@contextmanager
def value_queries(scratch: Path) -> Iterator[ValueQueries]:
    """Open a connection for questions about values.

    Args:
        scratch: an existing folder for what does not fit into memory.
    """
    with connect({}, memory_limit=MEMORY_LIMIT, spill_into=scratch) as connection:
        yield ValueQueries(connection, scratch)


def store(
    frames: Sequence[pl.LazyFrame], columns: Mapping[str, pl.Expr], folder: Path, record_bytes: int
) -> StoredValues:
    """Write the raw values of records to the disk.

    Args:
        frames: the records of each file.
        columns: raw column → its value.
        folder: where to write them; it is made.
        record_bytes: about how long a record is.
    """
    folder.mkdir()
    places = {column: f"c{number}" for number, column in enumerate(columns)}
    at_once = min(_MOST_ROWS, max(_FEWEST_ROWS, _GROUP_BYTES // max(1, record_bytes)))
    paths = [folder / f"{number}.parquet" for number in range(len(frames))]
    for path, frame in zip(paths, frames, strict=True):
        values = frame.select(value.alias(places[column]) for column, value in columns.items())
        # DuckDB has times in fewer units.
        values = values.with_columns(selectors.temporal().to_physical())
        values.sink_parquet(path, compression="lz4", row_group_size=at_once, statistics=False)
    return StoredValues(paths, places)


def _batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        at_once = file.metadata.row_group(0).num_rows if file.metadata.num_row_groups else 1
        yield from file.iter_batches(max(1, min(_BATCH_ROWS, at_once)), columns=list(columns), use_threads=False)
