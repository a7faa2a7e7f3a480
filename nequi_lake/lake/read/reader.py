"""The lake for reading: its tables, and SQL over all of them. Only whole releases are seen.

The module itself loads no library: each function imports those that it needs, so that ``from nequi_lake import Lake``
takes no time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nequi_lake.errors import CatalogError
from nequi_lake.lake.catalog.as_of import find, parse, resolve_single
from nequi_lake.lake.read.dataset import LakeDataset
from nequi_lake.lake.read.query import Parameters, asks_for_tables, connect, parse_question
from nequi_lake.lake.settings import Settings

if TYPE_CHECKING:
    import duckdb
    import polars as pl
    import pyarrow as pa

    from nequi_lake.datasets.spec import Dataset, Relation
    from nequi_lake.lake.catalog.catalog import LakeCatalog
    from nequi_lake.lake.quarantine import BrokenRule
    from nequi_lake.lake.read.answer import Answer
    from nequi_lake.lake.read.table import LakeTable
    from nequi_lake.lake.release import PublishedTable, Release
    from nequi_lake.lake.storage import StorageBackend

BATCH_ROWS = 65_536
"""Rows that :meth:`Lake.batches` gives at a time."""


class Lake:
    """A lake, for reading.

    ``lake["credit_risk"]["loans"]``, ``lake["credit_risk.loans"]`` and ``lake.credit_risk.loans`` are short for
    ``lake.table("credit_risk.loans")``. ``for name in lake`` gives the names of the datasets, published or not.

    Args:
        where: a folder or ``s3://bucket/prefix``, with the other settings from the environment; or the settings.
        datasets: what it may hold; all that are declared by default.
        as_of: read older versions. A time, or its ISO text (UTC where it names no zone): every dataset as readers saw
            it then, as far as its releases are kept. A release's id, or the first characters of it: the dataset that
            has it reads it, with the marts that were made from it, and the others their newest. The newest of all by
            default.

    Raises:
        UsageError: ``where`` is no place of a lake, or ``as_of`` neither time nor release.
    """

    def __init__(
        self,
        where: Settings | str | Path,
        datasets: Mapping[str, Dataset] | None = None,
        *,
        as_of: datetime | str | None = None,
    ) -> None:
        from nequi_lake.lake.declared import discover
        from nequi_lake.lake.storage import open_storage

        self.settings = where if isinstance(where, Settings) else Settings.of_lake(str(where))
        self.datasets = dict(datasets if datasets is not None else discover(self.settings))
        self.storage: StorageBackend = open_storage(self.settings)
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
        from nequi_lake.lake.read.notebook import lake_html

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

    # Which of the two it is depends on the name; `table` has one type.
    def __getitem__(self, name: str) -> Any:
        if "." in name:
            return self.table(name)
        if name not in self.datasets:
            from nequi_lake.lake.read.table import suggest

            raise CatalogError(f"There is no dataset {name}.", fix=suggest(name, list(self.datasets)))
        return LakeDataset(self, self.datasets[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.datasets)

    def __contains__(self, name: object) -> bool:
        return name in self.datasets or name in self._names()

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.datasets]

    def _ipython_key_completions_(self) -> list[str]:
        return [*self.datasets, *self._names()]

    @cached_property
    def catalog(self) -> LakeCatalog:
        """The lake's catalog."""
        from nequi_lake.lake.catalog.catalog import LakeCatalog

        return LakeCatalog(self.settings, self.storage)

    def tables(self) -> list[LakeTable]:
        """Every table and mart that has been published, dataset by dataset.

        Raises:
            CatalogError: as of the time that is asked for there is nothing, or no such release.
        """
        found = [table for dataset in self.datasets.values() for table in self.tables_of(dataset).values()]
        if not found and isinstance(self.as_of, datetime):
            raise self._no_release_then(None, self.datasets.values())
        return found

    def tables_of(self, dataset: Dataset, names: Collection[str] | None = None) -> dict[str, LakeTable]:
        """The dataset's tables and marts that have been published, by name; or those of these ``names``, each of them.

        Raises:
            CatalogError: one of ``names`` was never published.
        """
        from nequi_lake.lake.read.table import LakeTable

        published = self.published(dataset, names)
        for missing in (name for name in names or () if name not in published):
            if self.as_of is not None:
                raise self._no_release_then(f"{dataset.name}.{missing}", [dataset])
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
        from nequi_lake.lake.read.table import suggest

        for dataset in self.datasets.values():
            for table in dataset.relations:
                if f"{dataset.name}.{table.name}" == name:
                    return dataset, table
        raise CatalogError(f"There is no table {name}.", fix=suggest(name, self._names()))

    def _names(self) -> list[str]:
        return [f"{dataset.name}.{table.name}" for dataset in self.datasets.values() for table in dataset.relations]

    def history(self, name: str) -> pl.DataFrame:
        """The releases of the table ``<dataset>.<table>`` that are kept, the newest first; columns as of
        :func:`~nequi_lake.lake.read.table.history_frame`. No rows of a table that was never published.

        Raises:
            CatalogError: no dataset declares the table.
        """
        from nequi_lake.lake.read.table import history_frame

        dataset, table = self.declared(name)
        return history_frame(self.catalog.history(dataset, table.name))

    def quarantine(self, name: str, *, run: str | None = None) -> pl.DataFrame:
        """The quarantined raw records of the files that feed the table ``<dataset>.<table>``.

        Args:
            name: which table.
            run: those of this run, whether it published or not; by default those of the release that this lake reads,
                or where there is none, of the newest run.

        Returns:
            The columns of :data:`nequi_lake.lake.quarantine.COLUMNS`; ``raw`` has the record's values as JSON.

        Raises:
            CatalogError: no dataset declares the table.
        """
        return self.quarantine_scan(name, run=run).collect()

    def quarantine_scan(self, name: str, *, run: str | None = None) -> pl.LazyFrame:
        """As :meth:`quarantine`, as a lazy frame."""
        from nequi_lake.lake.quarantine import quarantine_of

        dataset, table = self.declared(name)
        return quarantine_of(self.storage, dataset, table, run or self._quarantine_run(dataset, table.name))

    def broken_rules(self, name: str, *, run: str | None = None) -> list[BrokenRule]:
        """What those records break: each raw file's rules, those that most records break first.

        Args:
            name: which table.
            run: as of :meth:`quarantine`.

        Raises:
            CatalogError: no dataset declares the table.
        """
        from nequi_lake.lake.quarantine import broken_rules, quarantined_records

        dataset, table = self.declared(name)
        found = run or self._quarantine_run(dataset, table.name)
        if found is None:
            return []
        of_files = (
            quarantined_records(self.storage, dataset.name, found, file.name) for file in dataset.files_of(table)
        )
        return [rule for records in of_files for rule in broken_rules(dataset, records)]

    def unpublished_quarantine(self, name: str) -> tuple[str, int] | None:
        """The newest run and how many records it quarantined of the table, where readers see another run's release."""
        import polars as pl

        from nequi_lake.lake.quarantine import newest_run, quarantine_of

        dataset, table = self.declared(name)
        newest = newest_run(self.storage, dataset.name)
        if newest is None or newest == self._quarantine_run(dataset, table.name):
            return None
        count: int = quarantine_of(self.storage, dataset, table, newest).select(pl.len()).collect().item()
        return (newest, count) if count else None

    def _quarantine_run(self, dataset: Dataset, table: str) -> str | None:
        """The run that staged what readers see of a table; the newest run where nothing of it is published."""
        from nequi_lake.lake.quarantine import newest_run

        published = self.published(dataset, [table]).get(table) if self._is_there else None
        return published.release.run_id if published else newest_run(self.storage, dataset.name)

    @property
    def _is_there(self) -> bool:
        from nequi_lake.lake.layout import read_identity

        return read_identity(self.storage) is not None

    def sql(self, query: str, params: Parameters | None = None) -> Answer:
        """Run one DuckDB query over the lake's tables, each under its name ``<dataset>.<table>``.

        The query reads the lake and nothing else: no files, no network, no extensions.

        Args:
            query: one SELECT.
            params: values for the ``?`` of the query, in order; or for its ``$name``, by name without the dollar.

        Raises:
            CatalogError: the query is wrong, its parameters are others, or it reads a table that does not exist.
        """
        from nequi_lake.lake.read.answer import Answer

        with self._asked(query, params) as answer:
            return Answer(answer.to_arrow_table())

    @contextmanager
    def batches(
        self, query: str, params: Parameters | None = None, *, rows: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatchReader]:
        """Run a query like :meth:`sql`, and read what it gives ``rows`` at a time while the block runs.

        Raises:
            CatalogError: as :meth:`sql`; what goes wrong within the data, when it is read.
        """
        import pyarrow as pa

        with self._asked(query, params) as answer:
            reader = answer.to_arrow_reader(rows)
            yield pa.RecordBatchReader.from_batches(reader.schema, _read(reader))

    @contextmanager
    def _asked(self, query: str, params: Parameters | None) -> Iterator[duckdb.DuckDBPyRelation]:
        import duckdb

        # DuckDB lists a query's tables only where it can bind the query, so look for the names ourselves.
        text, about_tables = query.lower(), asks_for_tables(query)
        named = [dataset for dataset in self.datasets.values() if about_tables or dataset.name in text]
        tables = {(d.name, name): table.to_dataset() for d in named for name, table in self._read(d).items()}
        empty = [dataset.name for dataset in named if dataset.name not in {of for of, _ in tables}]
        with connect(tables) as connection:
            try:
                relation = parse_question(connection, query, params)
                if relation is None:
                    raise CatalogError(
                        "This is not one query.", where=query, fix="Write one SELECT; a lake is read only."
                    )
                yield relation
            except duckdb.Error as error:
                make = f"Make it first: nequi-lake run {empty[0]}" if empty else None
                raise _cannot_run(error, make or self._meant(str(error))) from None

    def _no_release_then(self, what: str | None, datasets: Iterable[Dataset]) -> CatalogError:
        when = self.as_of
        then = (
            f"that goes with {when}"
            if isinstance(when, str) or when is None
            else f"from {when.isoformat(timespec='seconds')} or before"
        )
        times = sorted(
            state.committed_at for dataset in datasets for state in self.catalog.releases(dataset) if state.complete
        )
        kept = f" The first that is kept is from {times[0].isoformat(timespec='seconds')}." if times else ""
        return CatalogError(
            f"{what or 'The lake'} has no release that is kept {then}.{kept}",
            where=self.settings.uri,
            fix="nequi-lake history DATASET.TABLE lists those that are kept.",
        )

    def _meant(self, refusal: str) -> str | None:
        """Which table a query means that names one which is not there."""
        unknown = _NO_TABLE.search(refusal)
        if unknown is None:
            return None
        known = [f"{dataset.name}.{table.name}" for dataset in self.datasets.values() for table in dataset.relations]
        name = unknown[1].lower()
        same = [full for full in known if full.partition(".")[2] == name]
        alike = get_close_matches(name, [full.partition(".")[2] for full in known])
        close = same or get_close_matches(name, known) or [f for f in known if f.partition(".")[2] in alike]
        return f"A table is named with its dataset: {' or '.join(close)}." if close else None

    def _read(self, dataset: Dataset) -> dict[str, LakeTable]:
        found = self.tables_of(dataset)
        if not found and isinstance(self.as_of, datetime):
            raise self._no_release_then(dataset.name, [dataset])
        return found


def _read(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (OSError, pa.ArrowException) as error:
            # What DuckDB says once rows flow comes through Arrow.
            raise _cannot_run(error) from None
        yield batch


_NO_TABLE = re.compile(r"Table with name (\S+) does not exist!")
_GUESS = re.compile(r'\nDid you mean "[^"]*"\?')
"""What DuckDB guesses is a table of its own."""


def _cannot_run(error: Exception, fix: str | None = None) -> CatalogError:
    where = _GUESS.sub("", str(error)) if _NO_TABLE.search(str(error)) else str(error)
    return CatalogError("The query cannot be run.", where=where, fix=fix or "nequi-lake tables lists what can be read.")
