"""Reading the lake: tables as Polars, pandas or Arrow, and SQL over all of them. Only whole releases are seen."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from nequi_lake.datasets import discover
from nequi_lake.datasets.contract import arrow_schema
from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.errors import CatalogError
from nequi_lake.formats.types import pandas_type
from nequi_lake.lake.catalog.as_of import find, parse, resolve_single
from nequi_lake.lake.read.notebook import lake_html, table_html
from nequi_lake.lake.read.query import connect, parse_query
from nequi_lake.lake.read.scan import scan_files
from nequi_lake.lake.release import DataFile, PublishedTable, Release
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import open_storage

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow.dataset

    from nequi_lake.lake.catalog.catalog import LakeCatalog

# Polars' own Iceberg planner is marked unstable and warns; PyIceberg's gives the same files.
os.environ.setdefault("POLARS_ICEBERG_PLANNER", "pyiceberg")


BATCH_ROWS = 65_536
"""Rows that :meth:`Lake.batches` gives at a time."""


class LakeTable:
    """A published table, as of one snapshot.

    Attributes:
        table: its declaration.
        published: its release, files and counts.
    """

    def __init__(self, table: Relation, published: PublishedTable, lake: Lake) -> None:
        self.table = table
        self.published = published
        self._catalog = lake.catalog
        self._storage = lake.storage
        self._schema = arrow_schema(table.contract) if lake.as_of is None else self._catalog.schema(published)

    def __repr__(self) -> str:
        return f"LakeTable({self.published.name}, {self.published.rows:,} rows, release {self.published.release.id})"

    def _repr_html_(self) -> str:
        return table_html(self.table, self.published, self.to_dataset())

    def scan(self) -> pl.LazyFrame:
        """The table as a Polars lazy frame; filters skip partitions and row groups."""
        iceberg = self._catalog.iceberg(self.published.dataset, self.published.table)
        if iceberg is None:
            raise CatalogError(f"{self.published.name} is no longer in the catalog.", where=self.published.name)
        # It finds the credentials by itself, and cannot be given them.
        options = self._storage.polars_scan().get("storage_options")
        return pl.scan_iceberg(iceberg, snapshot_id=self.published.snapshot_id, storage_options=options)

    def scan_files(self) -> pl.LazyFrame:
        """The current files as one scan, for many queries at once: :meth:`scan` plans again for each of them."""
        return scan_files(self.table, self.files(), self._storage)

    def to_arrow(self) -> pa.Table:
        """The table as an Arrow table, in the contract's types."""
        return self.to_dataset().to_table()

    def to_pandas(self) -> pd.DataFrame:
        """The table as a pandas frame: dates as datetime64, whole numbers and booleans as nullable types."""
        import pandas as pd

        def nullable(kind: pa.DataType) -> Any:
            name = pandas_type(kind)
            return pd.api.types.pandas_dtype(name) if name else None

        frame: pd.DataFrame = self.to_arrow().to_pandas(types_mapper=nullable, date_as_object=False)
        return frame

    def to_dataset(self) -> pa.dataset.Dataset:
        """The table as a PyArrow dataset over its current files; filters skip partitions and row groups."""
        return self._storage.dataset({file.path: self._known(file) for file in self.published.files}, self._schema)

    def _known(self, file: DataFile) -> pa.dataset.Expression | None:
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

    def files(self) -> list[str]:
        """The Parquet files of this snapshot; what else lies in the folder belongs to other snapshots or to none."""
        return self.published.paths


class LakeDataset:
    """A dataset of the lake, at an interactive prompt: ``lake.credit_risk.loans``, completed by Tab."""

    # Few names of its own, so that each table can be an attribute.
    __slots__ = ("_dataset", "_lake")

    def __init__(self, lake: Lake, dataset: Dataset) -> None:
        self._lake = lake
        self._dataset = dataset

    def __repr__(self) -> str:
        return f"LakeDataset({self._dataset.name}: {', '.join(self._names())})"

    def _repr_html_(self) -> str:
        return self._lake.html([self._dataset.name])

    def __getattr__(self, name: str) -> LakeTable:
        if name.startswith("_") or name not in self._names():
            raise AttributeError(f"{self._dataset.name} has no table {name}; it has {', '.join(self._names())}")
        return self[name]

    def __getitem__(self, name: str) -> LakeTable:
        return self._lake.table(f"{self._dataset.name}.{name}")

    # Python would else count from 0, and ask for a table of that name.
    __iter__ = None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._names()]

    def _ipython_key_completions_(self) -> list[str]:
        return self._names()

    def _names(self) -> list[str]:
        return [table.name for table in self._dataset.relations]


class Lake:
    """A lake, for reading.

    ``lake["credit_risk.loans"]`` and ``lake.credit_risk.loans`` are short for ``lake.table("credit_risk.loans")``.

    Args:
        settings: where it is.
        datasets: what it may hold; all that are declared by default.
        as_of: read older versions. A time, or its ISO text (UTC where it names no zone): every dataset as readers saw
            it then, as far as its releases are kept. A release's id, or the first characters of it: the dataset that
            has it reads it, with the marts that were made from it, and the others their newest. The newest of all by
            default.

    Raises:
        UsageError: ``as_of`` is neither.
    """

    def __init__(
        self,
        settings: Settings,
        datasets: Mapping[str, Dataset] | None = None,
        *,
        as_of: datetime | str | None = None,
    ) -> None:
        self.settings = settings
        self.datasets = dict(datasets if datasets is not None else discover())
        self.storage = open_storage(settings)
        self.as_of = None if as_of is None else parse(as_of)

    @classmethod
    def from_env(cls, *, as_of: datetime | str | None = None) -> Lake:
        """The lake that the ``NEQUI_LAKE_*`` variables name."""
        return cls(Settings.from_env(), as_of=as_of)

    def __repr__(self) -> str:
        return f"Lake({self.settings.uri!r})"

    def _repr_html_(self) -> str:
        return self.html(self.datasets)

    def html(self, datasets: Collection[str]) -> str:
        """What a notebook shows of the published tables of these datasets."""
        title = f"Lake {self.settings.uri}" + (f", as of {self.as_of}" if self.as_of else "")
        return lake_html(
            title, lambda: [(t.table, t.published) for t in self.tables() if t.published.dataset in datasets]
        )

    def __getattr__(self, name: str) -> LakeDataset:
        # Only for what is no attribute: a dataset never hides a method.
        datasets = self.__dict__.get("datasets", {})
        if name not in datasets:
            raise AttributeError(f"a lake has no attribute and no dataset {name}; its datasets: {', '.join(datasets)}")
        return LakeDataset(self, datasets[name])

    def __getitem__(self, name: str) -> LakeTable:
        return self.table(name)

    # Python would else count from 0, and ask for a table of that name.
    __iter__ = None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.datasets]

    def _ipython_key_completions_(self) -> list[str]:
        return self._names()

    @cached_property
    def catalog(self) -> LakeCatalog:
        """The lake's catalog."""
        # It brings PyIceberg with it, which a query that reads no table need not wait for.
        from nequi_lake.lake.catalog.catalog import LakeCatalog

        return LakeCatalog(self.settings, self.storage)

    def tables(self) -> list[LakeTable]:
        """Every table and mart that has been published, dataset by dataset.

        Raises:
            CatalogError: as of the time that is asked for there is nothing, or no such release.
        """
        found = [table for dataset in self.datasets.values() for table in self.tables_of(dataset).values()]
        if not found and isinstance(self.as_of, datetime):
            raise _no_release_then(None, self.as_of, self.settings.uri)
        return found

    def tables_of(self, dataset: Dataset, names: Collection[str] | None = None) -> dict[str, LakeTable]:
        """The dataset's tables and marts that have been published, by name; or those of these ``names``, each of them.

        Raises:
            CatalogError: one of ``names`` was never published.
        """
        published = self.published(dataset, names)
        for missing in (name for name in names or () if name not in published):
            if self.as_of is not None:
                raise _no_release_then(f"{dataset.name}.{missing}", self.as_of, self.settings.uri)
            raise CatalogError(
                f"{dataset.name}.{missing} was never published.",
                where=self.settings.uri,
                fix=f"Make it: nequi-lake run {dataset.name}. Is NEQUI_LAKE_URI the lake that you mean?",
            )
        return {name: LakeTable(dataset.relation(name), table, self) for name, table in published.items()}

    def published(self, dataset: Dataset, names: Collection[str] | None = None) -> dict[str, PublishedTable]:
        """The dataset's tables and marts that this lake reads, by name; only those of ``names`` where they are given.

        Raises:
            CatalogError: there is no such release as this lake is as of.
        """
        if isinstance(self.as_of, datetime):
            return self.catalog.published(dataset, names, before=self.as_of)
        if self._pinned and self._pinned[0] == dataset.name:
            return self.catalog.published(dataset, names, release=self._pinned[1])
        return self.catalog.published(dataset, names)

    @cached_property
    def _pinned(self) -> tuple[str, Release] | None:
        """Dataset and release that this lake is as of."""
        if not isinstance(self.as_of, str):
            return None
        found = [(dataset, find(self.catalog, dataset, self.as_of)) for dataset in self.datasets.values()]
        matching = [(dataset.name, release) for dataset, releases in found for release in releases]
        dataset, release = resolve_single(matching, self.as_of)
        return dataset, release.release

    def table(self, name: str) -> LakeTable:
        """The table ``<dataset>.<table>``.

        Raises:
            CatalogError: there is no such table, or it was never published.
        """
        dataset, table = self.declared(name)
        return self.tables_of(dataset, [table.name])[table.name]

    def declared(self, name: str) -> tuple[Dataset, Relation]:
        """The declaration of the table ``<dataset>.<table>``.

        Raises:
            CatalogError: no dataset declares it.
        """
        for dataset in self.datasets.values():
            for table in dataset.relations:
                if f"{dataset.name}.{table.name}" == name:
                    return dataset, table
        raise CatalogError(f"There is no table {name}.", fix=f"Name one of: {', '.join(self._names())}.")

    def _names(self) -> list[str]:
        return [f"{dataset.name}.{table.name}" for dataset in self.datasets.values() for table in dataset.relations]

    def sql(self, query: str) -> pa.Table:
        """Run one DuckDB query over the lake's tables, each under its name ``<dataset>.<table>``.

        The query reads the lake and nothing else: no files, no network, no extensions.

        Raises:
            CatalogError: the query is wrong, or reads a table that does not exist.
        """
        with self._asked(query) as answer:
            return answer.to_arrow_table()

    @contextmanager
    def batches(self, query: str, *, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatchReader]:
        """Run a query like :meth:`sql`, and read what it gives ``rows`` at a time while the block runs.

        Raises:
            CatalogError: as :meth:`sql`; what goes wrong within the data, when it is read.
        """
        with self._asked(query) as answer:
            reader = answer.to_arrow_reader(rows)
            yield pa.RecordBatchReader.from_batches(reader.schema, _read(reader))

    @contextmanager
    def _asked(self, query: str) -> Iterator[duckdb.DuckDBPyRelation]:
        import duckdb

        # DuckDB lists a query's tables only where it can bind the query, so look for the names ourselves.
        named = [dataset for dataset in self.datasets.values() if dataset.name in query.lower()]
        tables = {(d.name, name): table.to_dataset() for d in named for name, table in self._read(d).items()}
        empty = [dataset.name for dataset in named if dataset.name not in {of for of, _ in tables}]
        with connect(tables) as connection:
            try:
                relation = parse_query(connection, query)
                if relation is None:
                    raise CatalogError(
                        "This is not one query.", where=query, fix="Write one SELECT; a lake is read only."
                    )
                yield relation
            except duckdb.Error as error:
                raise _cannot_run(error, f"Make it first: nequi-lake run {empty[0]}" if empty else None) from None

    def _read(self, dataset: Dataset) -> dict[str, LakeTable]:
        found = self.tables_of(dataset)
        if not found and isinstance(self.as_of, datetime):
            raise _no_release_then(dataset.name, self.as_of, self.settings.uri)
        return found


def _read(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (OSError, pa.ArrowException) as error:
            # What DuckDB says once rows flow comes through Arrow.
            raise _cannot_run(error) from None
        yield batch


def _cannot_run(error: Exception, fix: str | None = None) -> CatalogError:
    return CatalogError(
        "The query cannot be run.", where=str(error), fix=fix or "nequi-lake tables lists what can be read."
    )


def _no_release_then(what: str | None, when: datetime | str, where: str) -> CatalogError:
    then = f"that goes with {when}" if isinstance(when, str) else f"from {when.isoformat(timespec='seconds')} or before"
    return CatalogError(
        f"{what or 'The lake'} has no release that is kept {then}.",
        where=where,
        fix="nequi-lake history DATASET.TABLE lists those that are kept.",
    )
