"""A published table: as Polars, pandas and Arrow, and what is known of it."""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import polars as pl
import pyarrow as pa

from nequi_lake.datasets.contract import arrow_schema
from nequi_lake.datasets.spec import Relation
from nequi_lake.errors import CatalogError
from nequi_lake.formats.types import sql_type
from nequi_lake.lake.read.frames import describe, pandas_frame
from nequi_lake.lake.read.notebook import table_html
from nequi_lake.lake.read.scan import scan_files
from nequi_lake.lake.release import DataFile, HistoryEntry, PublishedTable

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow.dataset

    from nequi_lake.lake.catalog.catalog import LakeCatalog
    from nequi_lake.lake.storage import StorageBackend

# Polars' own Iceberg planner is marked unstable and warns; PyIceberg's gives the same files.
os.environ.setdefault("POLARS_ICEBERG_PLANNER", "pyiceberg")

log = logging.getLogger(__name__)

FIRST_ROWS = 5
"""Rows that a look at a table shows."""


class LakeOfTable(Protocol):
    """What a table asks of the lake that it is read from."""

    storage: StorageBackend
    as_of: datetime | str | None

    @property
    def catalog(self) -> LakeCatalog:
        """The lake's catalog."""
        ...

    def history(self, name: str) -> pl.DataFrame:
        """The releases of a table that are kept."""
        ...

    def quarantine(self, name: str, *, run: str | None = None) -> pl.DataFrame:
        """The quarantined raw records of a table's files."""
        ...


class LakeTable:
    """A published table, as of one snapshot. ``len(table)`` is the number of its rows.

    Attributes:
        table: its declaration.
        published: its release, files and counts.
    """

    def __init__(self, table: Relation, published: PublishedTable, lake: LakeOfTable) -> None:
        self.table = table
        self.published = published
        self._lake = lake
        self._catalog = lake.catalog
        self._storage = lake.storage
        self._schema = self._published_schema()

    def _published_schema(self) -> pa.Schema:
        """The columns that were published; where the contract has others by now, those come with the next release."""
        if self._lake.as_of is None and self.is_as_declared:
            return arrow_schema(self.table.contract)
        found = self._catalog.schema(self.published)
        if self._lake.as_of is None:
            log.warning(
                "%s was published with other columns than its contract has now (%s): they come with the next release",
                self.name,
                ", ".join(sorted({name for name, _ in self.published.columns.items() ^ self._declared.items()}))
                or "in another order",
            )
        return found

    @property
    def _declared(self) -> dict[str, str]:
        """The columns of the contract, and their SQL types."""
        return {name: sql_type(column.dtype) for name, column in self.table.published.items()}

    @property
    def is_as_declared(self) -> bool:
        """Whether it was published with the columns that its contract has now, in their types and order."""
        return list(self.published.columns.items()) == list(self._declared.items())

    def __repr__(self) -> str:
        return f"LakeTable({self.name}, {len(self):,} rows, release {self.published.release.id})"

    def _repr_html_(self) -> str:
        return table_html(self.table, self.published, self._first(FIRST_ROWS))

    def __len__(self) -> int:
        return self.published.rows

    def __bool__(self) -> bool:
        # A table without rows is a table.
        return True

    # Python would else count from 0, and ask for rows by number.
    __iter__ = None

    @property
    def name(self) -> str:
        """``<dataset>.<table>``"""
        return self.published.name

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in order."""
        return list(self._schema.names)

    @property
    def schema(self) -> pl.Schema:
        """Column → its Polars type, in order."""
        return pl.Schema(self._schema)

    def head(self, rows: int = FIRST_ROWS, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The first rows; reads little of a large table.

        Raises:
            CatalogError: it has no such column.
        """
        return pl.DataFrame(self._first(rows, columns))

    def describe(self) -> pl.DataFrame:
        """One row per column: what it is, and what its values are.

        Returns:
            ``column``, ``type``, ``unit``, ``description``, ``nulls``, ``min``, ``max`` and ``mean``. ``min`` and
            ``max`` are text, of whatever type the column is; ``mean`` is of numbers only.
        """
        return describe(self.scan_files(), self.table)

    def scan(self) -> pl.LazyFrame:
        """The table as a Polars lazy frame; filters skip partitions and row groups."""
        iceberg = self._catalog.iceberg(self.published.dataset, self.published.table)
        if iceberg is None:
            raise CatalogError(
                f"{self.name} is no longer in the catalog.",
                where=self.name,
                fix="If the catalog was lost or set back, make it anew from the lake: nequi-lake catalog rebuild",
            )
        # It finds the credentials by itself, and cannot be given them.
        options = self._storage.polars_scan().get("storage_options")
        return pl.scan_iceberg(iceberg, snapshot_id=self.published.snapshot_id, storage_options=options)

    def scan_files(self) -> pl.LazyFrame:
        """The current files as one scan, for many queries at once: :meth:`scan` plans again for each of them."""
        return scan_files(self.table, self.files(), self._storage)

    def to_polars(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The table, or these columns of it, as a Polars frame.

        Raises:
            CatalogError: it has no such column.
        """
        return pl.DataFrame(self.to_arrow(columns))

    def to_pandas(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The table, or these columns of it, as a pandas frame: dates as datetime64, whole numbers and booleans as
        nullable types, decimals as Arrow's, whose sums are exact.

        Raises:
            CatalogError: it has no such column.
        """
        return pandas_frame(self.to_arrow(columns))

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The table, or these columns of it, as an Arrow table, in the contract's types.

        Raises:
            CatalogError: it has no such column.
        """
        return self.to_dataset().to_table(columns=self._known_columns(columns))

    def to_dataset(self) -> pa.dataset.Dataset:
        """The table as a PyArrow dataset over its current files; filters skip partitions and row groups."""
        return self._storage.dataset({file.path: self._bounds(file) for file in self.published.files}, self._schema)

    def files(self) -> list[str]:
        """The Parquet files of this snapshot; what else lies in the folder belongs to other snapshots or to none."""
        return self.published.paths

    def history(self) -> pl.DataFrame:
        """The releases of the table that are kept, as :meth:`Lake.history` gives them."""
        return self._lake.history(self.name)

    def quarantine(self) -> pl.DataFrame:
        """The raw records that were quarantined as this release was staged, and why: :meth:`Lake.quarantine`."""
        return self._lake.quarantine(self.name, run=self.published.release.run_id)

    def _first(self, rows: int, columns: Sequence[str] | None = None) -> pa.Table:
        # Without reading ahead, so that few rows of a large table cost one row group.
        return self.to_dataset().head(
            rows, columns=self._known_columns(columns), batch_size=max(rows, 1), batch_readahead=0, fragment_readahead=0
        )

    def _bounds(self, file: DataFile) -> pa.dataset.Expression | None:
        """What is true of each row of a file; None where nothing is known."""
        import pyarrow.dataset as ds

        known = None
        for name, bounds in file.partition_bounds.items():
            if name not in self._schema.names:
                continue
            low, high = (pa.scalar(bound, self._schema.field(name).type) for bound in bounds)
            here = (ds.field(name) >= low) & (ds.field(name) <= high)
            known = here if known is None else known & here
        return known

    def _known_columns(self, columns: Sequence[str] | None) -> list[str] | None:
        if columns is None:
            return None
        asked = [columns] if isinstance(columns, str) else list(columns)
        for column in asked:
            if column not in self._schema.names:
                raise CatalogError(
                    f"{self.name} has no column {column}.", where=self.name, fix=suggest(column, self._schema.names)
                )
        return asked


def history_frame(entries: Collection[HistoryEntry]) -> pl.DataFrame:
    """One row per release of a table, in their order.

    Returns:
        ``release``, ``sequence``, ``snapshot``, ``committed_at`` (UTC), ``rows``, ``bytes``, ``raw_version``,
        ``source_release`` (of a mart), ``source``, ``run``, ``current`` and ``complete``.
    """
    return pl.DataFrame(
        [
            (
                entry.release.id,
                entry.release.sequence,
                entry.snapshot_id,
                entry.committed_at,
                entry.rows,
                entry.size_bytes,
                entry.release.raw_version,
                entry.release.source_release,
                entry.release.source,
                entry.release.run_id,
                entry.current,
                entry.complete,
            )
            for entry in entries
        ],
        schema={
            "release": pl.String,
            "sequence": pl.Int64,
            "snapshot": pl.Int64,
            "committed_at": pl.Datetime("us", "UTC"),
            "rows": pl.Int64,
            "bytes": pl.Int64,
            "raw_version": pl.String,
            "source_release": pl.String,
            "source": pl.String,
            "run": pl.String,
            "current": pl.Boolean,
            "complete": pl.Boolean,
        },
        orient="row",
    )


def suggest(name: str, known: Sequence[str]) -> str:
    """What to write in place of a name that does not exist."""
    near = difflib.get_close_matches(name, known, n=3)
    return f"{f'Did you mean {near[0]}? ' if near else ''}Name one of: {', '.join(known)}."
