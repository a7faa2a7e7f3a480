"""Makes marts on this machine with DuckDB: a query over published tables, streamed into Parquet in bounded memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

from nequi_lake.datasets.contract import arrow_schema
from nequi_lake.datasets.relation import in_dataset
from nequi_lake.datasets.spec import Dataset, Mart
from nequi_lake.engines.files import TableWriter, prefix
from nequi_lake.errors import DeclarationError, StageError
from nequi_lake.formats.types import sql_type
from nequi_lake.lake.read.query import MEMORY_LIMIT, connect, parse_query
from nequi_lake.lake.release import NO_RECORDS, Release, StagedTable
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import StorageBackend
from nequi_lake.lake.storage.faults import translate_error

_ROWS_AT_ONCE = 50_000
_ERROR_SHOWN = 500


def sql_path(mart: Mart) -> Path:
    """Return the path of a mart's SQL: next to the module of its contract, under the mart's name."""
    return Path(str(sys.modules[mart.contract.__module__].__file__)).with_name(f"{mart.name}.sql")


def sql_of(mart: Mart) -> str:
    """Return a mart's SQL.

    Raises:
        DeclarationError: there is no such file.
    """
    path = sql_path(mart)
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DeclarationError(
            f"The mart {mart.name} has no SQL.", where=str(path), fix="Write the query into this file."
        ) from None


def make(
    dataset: Dataset,
    mart: Mart,
    tables: Mapping[str, pyarrow.dataset.Dataset],
    release: Release,
    storage: StorageBackend,
    *,
    memory_limit: str = MEMORY_LIMIT,
    max_partitions: int = Settings.max_partitions,
) -> StagedTable:
    """Run a mart's query and write its rows under a prefix of the release's run, in the order of its key.

    Only for a run that has the dataset to itself.

    Args:
        dataset: whose mart it is.
        mart: what to make.
        tables: table name, with its dataset where that is another one → its content, all of a dataset of one release;
            at least those that the mart reads.
        release: what the staged mart will be.
        storage: where the lake is.
        memory_limit: of DuckDB's own memory.
        max_partitions: how many partitions the mart may have.

    Raises:
        TransientError: the tables could not be read just now.
        StageError: the query cannot be run, or gives other columns or types than the contract, misses values that it
            must have, or has too many partitions.
    """
    content = {in_dataset(dataset.name, name): tables[name] for name in mart.upstream}
    where = str(sql_path(mart))
    writer = TableWriter(storage, max_partitions=max_partitions)
    with storage.scratch(dataset.name) as folder:
        spill, rows = folder / "spill", folder / f"{mart.name}.parquet"
        spill.mkdir()
        with connect(content, memory_limit=memory_limit, spill_into=spill) as connection:
            try:
                _stoppable(connection, lambda: _write(mart, _rows(mart, connection), rows))
            except (duckdb.Error, pa.ArrowException) as error:
                if unreadable := translate_error(error, where):
                    raise unreadable from error
                raise StageError(
                    f"The SQL of {dataset.name}.{mart.name} cannot be run: {str(error)[:_ERROR_SHOWN]}",
                    where=where,
                    fix="Fix the SQL. The published mart is as it was.",
                ) from error
        writer.write(mart, pl.scan_parquet(rows, glob=False), prefix(dataset, mart, release, storage))
        writer.finish()
    return StagedTable(
        dataset=dataset.name,
        table=mart.name,
        release=release,
        accounting=NO_RECORDS,
        files=writer.files(mart),
    )


def _stoppable(connection: duckdb.DuckDBPyConnection, work: Callable[[], None]) -> None:
    """Run the work in another thread: only the main thread receives Ctrl-C, and DuckDB does not check for it."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        under_way = pool.submit(work)
        try:
            under_way.result()
        except BaseException:
            while not under_way.done():
                # Again and again, as a query that has not begun cannot be interrupted.
                connection.interrupt()
                wait([under_way], timeout=0.1)
            raise


def _rows(mart: Mart, connection: duckdb.DuckDBPyConnection) -> pa.RecordBatchReader:
    """The query's rows in the order of the key, with the contract's columns in its order."""
    query = parse_query(connection, sql_of(mart))
    if query is None:
        raise StageError(
            f"The SQL of the mart {mart.name} is not one query.", where=str(sql_path(mart)), fix="Write one SELECT."
        )
    if set(query.columns) != set(mart.columns):
        differing = ", ".join(sorted(set(query.columns) ^ set(mart.columns)))
        raise StageError(
            f"The SQL of the mart {mart.name} and its contract have other columns.",
            where=f"{sql_path(mart)}: {differing}",
            fix="Make them the same.",
        )
    ordered = query.select(*(duckdb.ColumnExpression(name) for name in mart.columns))
    ordered = ordered.sort(*(duckdb.ColumnExpression(name) for name in mart.key))
    return ordered.to_arrow_reader(_ROWS_AT_ONCE)


def _write(mart: Mart, batches: pa.RecordBatchReader, path: Path) -> None:
    """Write the rows in the contract's types; a value that the type cannot hold is an error and never changed."""
    contract = arrow_schema(mart.contract)
    # The file's own fields may be missing: presence is checked for each column below.
    loose = pa.schema(pa.field(field.name, field.type) for field in contract)
    with pq.ParquetWriter(path, loose, compression="lz4") as writer:
        for batch in batches:
            for field in contract:
                missing = batch.column(field.name).null_count
                if missing and not field.nullable:
                    raise StageError(
                        f"The mart {mart.name} has rows without {field.name}, which the contract does not allow.",
                        where=f"{sql_path(mart)}: {missing:,} of {batch.num_rows:,} rows looked at",
                        fix="Let the SQL give every row a value, or the contract a null limit.",
                    )
            cast = [_cast(mart, field, batch.column(field.name)) for field in loose]
            writer.write_batch(pa.RecordBatch.from_arrays(cast, schema=loose))


def _cast(mart: Mart, field: pa.Field, values: pa.Array) -> pa.Array:
    """The values in a column's type.

    Raises:
        StageError: the type does not have them exactly.
    """
    try:
        if pa.types.is_decimal(field.type) and pa.types.is_floating(values.type):
            raise pa.ArrowInvalid(f"a {values.type} is no exact number")
        return values.cast(field.type)
    except pa.ArrowException as error:
        raise StageError(
            f"The SQL of the mart {mart.name} gives {field.name} values that "
            f"{sql_type(mart.columns[field.name].dtype)} cannot hold: {str(error)[:_ERROR_SHOWN]}.",
            where=str(sql_path(mart)),
            fix="Let the SQL round and CAST them, or the contract declare a type that holds them.",
        ) from error
