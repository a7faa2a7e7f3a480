"""SQL over the lake's tables where they are in the Glue Data Catalog, run by Athena, with what it cost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pyathena
import pyathena.error
from pyathena.polars.cursor import PolarsCursor
from pyathena.polars.result_set import AthenaPolarsResultSet

from nequi_lake.errors import CatalogError, UsageError
from nequi_lake.lake.export.write import distinct
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage.aws import access, translate_error

USD_PER_TB = 5.0
"""What Athena asks for a terabyte scanned in most regions. Source: aws.amazon.com/athena/pricing, 2026."""
# The library logs each failure with its traceback, beside raising it, which is said in words.
logging.getLogger("pyathena").addHandler(logging.NullHandler())
_MIN_BYTES = 10_000_000
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
        return max(self.scanned_bytes, _MIN_BYTES if self.scanned_bytes else 0) / _TB * USD_PER_TB


def ask(query: str, settings: Settings, *, poll_s: float = 0.5) -> tuple[list[dict[str, Any]], Cost]:
    """Run one query like :func:`batches`, and return its rows, column name → value, and what it took."""
    with _execute(query, settings, poll_s, 10_000) as (frames, cost):
        return [row for frame in frames for row in frame.iter_rows(named=True)], cost


@contextmanager
def batches(
    query: str, settings: Settings, *, poll_s: float = 0.5, rows: int = 10_000
) -> Iterator[tuple[pa.RecordBatchReader, Cost]]:
    """Run one query in the lake's workgroup, and read its result about ``rows`` at a time while the block runs.

    A table is named ``dataset.table``. Athena sees each table's newest commit, so that siblings may be one commit apart
    while a run publishes. Arrays, maps, rows, binaries and times with a zone come as Athena's text.

    Args:
        query: in Athena's SQL.
        settings: names the workgroup, which says where results go and what a query may scan.
        poll_s: seconds between looks at whether it is done.
        rows: how many to read at a time.

    Raises:
        UsageError: the lake is not in Glue, or two columns have one name.
        CatalogError: Athena refuses the query, or it broke off.
        TransientError: Athena could not be reached.
    """
    with _execute(query, settings, poll_s, rows) as (frames, cost):
        first = next(frames)
        read = (batch for frame in chain([first], frames) for batch in frame.to_arrow().to_batches() if len(batch))
        yield pa.RecordBatchReader.from_batches(first.to_arrow().schema, read), cost


@contextmanager
def _execute(query: str, settings: Settings, poll_s: float, rows: int) -> Iterator[tuple[Iterator[pl.DataFrame], Cost]]:
    """A query's result, some rows at a time with a frame without rows at its end, and what it took."""
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
            # Not ArrowCursor, which makes "" of a text that is missing, and text of a decimal.
            cursor_class=PolarsCursor,
            cursor_kwargs={"chunksize": rows},
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(query)
            # Polars would give the second of one name another.
            distinct([name for name, *_ in cursor.description or ()])
            yield (
                chain(
                    cursor.iter_chunks(), [pl.DataFrame(schema=cast(AthenaPolarsResultSet, cursor.result_set).dtypes)]
                ),
                Cost(
                    scanned_bytes=cursor.data_scanned_in_bytes or 0,
                    seconds=(cursor.engine_execution_time_in_millis or 0) / 1000,
                    query_id=cursor.query_id or "",
                ),
            )
    except pyathena.error.Error as error:
        translated = translate_error(error, settings.athena_workgroup)
        if translated:
            raise translated from error
        raise CatalogError(
            f"Athena did not answer the query: {error}",
            where=f"workgroup {settings.athena_workgroup}",
            fix="nequi-lake tables lists what can be read. The lake's stack makes the workgroup.",
        ) from error
