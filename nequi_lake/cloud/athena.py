"""SQL over the lake's tables where they are in the Glue Data Catalog, run by Athena, with what it cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyathena
import pyathena.error

from nequi_lake.errors import CatalogError, UsageError
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage.aws import access, translate_error

USD_PER_TB = 5.0
"""What Athena asks for a terabyte scanned in most regions. Source: aws.amazon.com/athena/pricing, 2026."""
_LEAST_BYTES = 10_000_000
_TB = 10**12


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a query took.

    Attributes:
        scanned_bytes: what it read.
        seconds: how long Athena worked on it.
        query_id: Athena's identifier of it.
    """

    scanned_bytes: int
    seconds: float
    query_id: str

    @property
    def usd(self) -> float:
        """What it costs at :data:`USD_PER_TB`: ten megabytes at least, except for what reads nothing at all."""
        return max(self.scanned_bytes, _LEAST_BYTES if self.scanned_bytes else 0) / _TB * USD_PER_TB


def ask(query: str, settings: Settings, *, poll_s: float = 0.5) -> tuple[list[dict[str, Any]], Cost]:
    """Run one query like :func:`batches`, and give its rows, column name → value, and what it took."""
    with _answered(query, settings, poll_s) as cursor:
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor], _cost(cursor)


@contextmanager
def batches(
    query: str, settings: Settings, *, poll_s: float = 0.5, rows: int = 10_000
) -> Iterator[tuple[pa.RecordBatchReader, Cost]]:
    """Run one query in the lake's workgroup, and read what it gives ``rows`` at a time while the block runs.

    A table is named ``dataset.table``. Athena sees each table's newest commit, so that siblings may be one commit apart
    while a run publishes.

    Args:
        query: in Athena's SQL.
        settings: names the workgroup, which says where results go and what a query may scan.
        poll_s: seconds between looks at whether it is done.
        rows: how many to read at a time.

    Raises:
        UsageError: the lake is not in Glue.
        CatalogError: Athena refuses the query, or it broke off.
        TransientError: Athena could not be reached.
    """
    with _answered(query, settings, poll_s) as cursor:
        schema = pa.schema([(name, _arrow_type(kind, scale)) for name, kind, _, _, _, scale, _ in cursor.description])
        yield pa.RecordBatchReader.from_batches(schema, _read(cursor, schema, rows)), _cost(cursor)


def _read(cursor: Any, schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
    while page := cursor.fetchmany(rows):
        columns = [
            pa.array([_as_text(value) for value in column] if field.type == pa.string() else column, field.type)
            for field, column in zip(schema, zip(*page, strict=True), strict=True)
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _arrow_type(kind: str, scale: int) -> pa.DataType:
    """The Arrow type of one of Athena's; text for what has none that keeps every value."""
    if kind == "decimal":
        return pa.decimal128(38, scale)
    return _ARROW_TYPES.get(kind, pa.string())


_ARROW_TYPES = {
    "boolean": pa.bool_(),
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), pa.int64()),
    **dict.fromkeys(("float", "real", "double"), pa.float64()),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "varbinary": pa.binary(),
}


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _cost(cursor: Any) -> Cost:
    return Cost(
        scanned_bytes=cursor.data_scanned_in_bytes or 0,
        seconds=(cursor.engine_execution_time_in_millis or 0) / 1000,
        query_id=cursor.query_id or "",
    )


@contextmanager
def _answered(query: str, settings: Settings, poll_s: float) -> Iterator[Any]:
    """A cursor at the beginning of a query's answer."""
    if settings.catalog != "glue":
        raise UsageError(
            "Athena reads the Glue Data Catalog, and this lake is not in it.",
            where=settings.uri,
            fix="Leave --athena out, or name a lake on S3 in NEQUI_LAKE_URI.",
        )
    way = access(settings.encryption)
    try:
        with pyathena.connect(
            work_group=settings.athena_workgroup,
            region_name=way.region,
            session=way.session,
            poll_interval=poll_s,
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(query)
            yield cursor
    except pyathena.error.Error as error:
        told = translate_error(error, settings.athena_workgroup)
        if told:
            raise told from error
        raise CatalogError(
            f"Athena did not answer the query: {error}",
            where=f"workgroup {settings.athena_workgroup}",
            fix="nequi-lake tables lists what can be read. nequi-lake infra deploy makes the workgroup.",
        ) from error
