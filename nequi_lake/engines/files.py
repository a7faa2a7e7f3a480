"""Parquet files of staged tables, written alike by every engine, under a prefix that no reader looks at."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import polars as pl

from nequi_lake.datasets.contract import arrow_schema
from nequi_lake.datasets.rules import clear_rules
from nequi_lake.datasets.sensitive import HashKey, published_values
from nequi_lake.datasets.spec import Dataset, Partition, Relation
from nequi_lake.errors import StageError
from nequi_lake.lake.layout import data_folder
from nequi_lake.lake.release import ClearCounts, DataFile, Release, StagedTable
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import StorageBackend

HELD_BYTES = 256 * 2**20
"""Rows of tables under way that are held in memory, until there are enough of them for a file."""
_HELD_BYTES_OF_LONG_ROWS = 32 * 2**20
_LONG_ROW_BYTES = 2**20
"""Of rows that are longer on average, fewer are held: a file of them is large enough, and each is copied on its way."""
_SPOOLED_BYTES = 32 * 2**20
_PARTITION = "__partition"
_VALUE_SHOWN = 40
_FOLDER_LENGTH = 100
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def prefix(dataset: Dataset, table: Relation, release: Release, storage: StorageBackend) -> str:
    """The folder of the files that a run stages for a table."""
    return data_folder(storage, table.zone, dataset.name, table.name, release.run_id)


@dataclass
class _Held:
    """Rows of one partition that wait to be written."""

    table: Relation
    rows: list[pl.DataFrame] = field(default_factory=list)
    size_bytes: int = 0


class TableWriter:
    """Writes tables into files, in the contract's types and partitions.

    The engine's own partitioned sink holds a partition's rows until they fill a row group or the scan ends, and with
    very many partitions that is the whole table. This one writes the largest partitions whenever what it holds of all
    tables comes to ``held_bytes``, whatever their number; a partition then has several files.

    Args:
        storage: where the lake is.
        held_bytes: how much is held at most.
        name: begins the name of each file, so that two writers of one table never write the same path.
        max_partitions: how many partitions a table may have.
        hash_key: of the hashes that stand for sensitive values; None where no column has any.
    """

    def __init__(
        self,
        storage: StorageBackend,
        held_bytes: int = HELD_BYTES,
        *,
        name: str = "00000",
        max_partitions: int = Settings.max_partitions,
        hash_key: HashKey | None = None,
    ) -> None:
        self._storage = storage
        self._limit = held_bytes
        self._name = name
        self._max_partitions = max_partitions
        self._hash_key = hash_key
        self._clear: dict[str, ClearCounts] = defaultdict(ClearCounts)
        self._partitions: dict[str, set[str]] = defaultdict(set)
        self._held: dict[str, _Held] = {}
        self._begun: dict[str, int] = defaultdict(int)
        self._files: dict[str, list[DataFile]] = defaultdict(list)

    def add(self, table: Relation, rows: pl.DataFrame, prefix: str) -> None:
        """Add rows of a table.

        Args:
            table: the table.
            rows: the rows, with the contract's columns in order.
            prefix: the folder for the table's files.

        Raises:
            StageError: the table has more partitions than it may have.
        """
        if table.sensitive_columns:
            self._clear[table.name] += _clear_counts(table, rows)
            rows = rows.select(published_values(table, self._hash_key))
        cut = table.partition_by
        if cut is None:
            self._hold(table, rows, prefix)
        else:
            values = rows.select(cut.key.alias(_PARTITION)).to_series()
            self._note_partitions(table, cut, values)
            for value, part in _cut(rows, values):
                self._hold(table, part, f"{prefix}/{_folder(cut, value)}")
        held_bytes = sum(held.size_bytes for held in self._held.values())
        limit = self._limit
        if held_bytes > _LONG_ROW_BYTES * sum(part.height for held in self._held.values() for part in held.rows):
            limit = min(limit, _HELD_BYTES_OF_LONG_ROWS)
        if held_bytes > limit:
            for folder, held in sorted(self._held.items(), key=lambda item: item[1].size_bytes, reverse=True):
                self._write(folder)
                held_bytes -= held.size_bytes
                if held_bytes <= limit // 2:
                    break

    def write(self, table: Relation, rows: pl.LazyFrame, prefix: str) -> None:
        """Run a query for all rows of a table; arguments as for :meth:`add`."""
        if table.partition_by is None and not table.sensitive_columns:
            self._write_into(f"{prefix}/{self._name}-{_name(0)}", table, rows)
        else:
            rows.sink_batches(lambda batch: self.add(table, batch, prefix), engine="streaming")

    def finish(self) -> None:
        """Write the rows that are still in memory."""
        for folder in list(self._held):
            self._write(folder)

    def files(self, table: Relation) -> tuple[DataFile, ...]:
        """What was written of a table, by path."""
        return tuple(sorted(self._files[table.name], key=lambda file: file.path))

    def clear_counts(self, table: Relation) -> ClearCounts:
        """What the real values of the table's sensitive columns were."""
        return self._clear[table.name]

    def _note_partitions(self, table: Relation, cut: Partition, values: pl.Series) -> None:
        """Refuse too many partitions before anything is cut into them: each costs a file, and time to make it."""
        found, known = values.unique(), self._partitions[table.name]
        if found.len() <= self._max_partitions:
            known |= {_folder(cut, value) for value in found}
        if max(found.len(), len(known)) > self._max_partitions:
            examples = ", ".join(str(value)[:_VALUE_SHOWN] for value in found.head(3))
            raise StageError(
                f"The table {table.name} would have more than {self._max_partitions:,} partitions by {cut.column}.",
                where=f"{cut.column}, with values such as {examples}",
                fix="A value that each record has for itself, such as a row number, is no partition: look whether the "
                "file has another column there. If it must be so many, raise NEQUI_LAKE_MAX_PARTITIONS.",
            )

    def _hold(self, table: Relation, rows: pl.DataFrame, folder: str) -> None:
        if rows.is_empty():
            return
        held = self._held.setdefault(folder, _Held(table))
        held.rows.append(rows)
        held.size_bytes += _size_bytes(rows)

    def _write(self, folder: str) -> None:
        """Write what is held of a partition into its next file."""
        held = self._held.pop(folder)
        self._write_into(f"{folder}/{self._name}-{_name(self._begun[folder])}", held.table, pl.concat(held.rows).lazy())
        self._begun[folder] += 1

    def _write_into(self, path: str, table: Relation, rows: pl.LazyFrame) -> None:
        def note(sunk: object) -> None:
            for written in sunk.paths:  # type: ignore[attr-defined]
                file = DataFile(path=str(written.path), rows=written.num_rows, size_bytes=written.num_bytes)
                self._files[table.name].append(file)

        rows.sink_parquet(
            path,
            arrow_schema=arrow_schema(table.contract),
            sinked_paths_callback=note,
            engine="streaming",
            **self._storage.polars_sink(),
        )


def _clear_counts(table: Relation, rows: pl.DataFrame) -> ClearCounts:
    """Count what only the real values of sensitive columns show.

    Raises:
        StageError: they are not of the contract's types, which the rows that are written would not show.
    """
    for name in table.sensitive_columns:
        if rows.schema[name] != table.columns[name].dtype:
            raise StageError(
                f"{table.maker} of {table.name} gives {name} as {rows.schema[name]}, and the contract says "
                f"{table.columns[name].dtype}.",
                where=table.contract.__module__,
                fix="Fix the one that is wrong.",
            )
    dropped = [name for name in table.columns if name not in table.published]
    rules = clear_rules(table)
    missing = rows.select(pl.col(dropped).null_count()).row(0, named=True) if dropped else {}
    broken = rows.select(**{text: keeps.fill_null(True).not_().sum() for text, keeps in rules.items()})
    return ClearCounts(missing=missing, broken=broken.row(0, named=True) if rules else {})


class Spool:
    """Rows of any table that wait in local files, in order, until all of them have arrived."""

    def __init__(self, folder: Path, schema: pl.Schema) -> None:
        self._folder = folder
        self._held: list[pl.DataFrame] = []
        self._held_bytes = 0
        self._files = 0
        self._schema = schema
        folder.mkdir(parents=True)

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows."""
        self._held.append(rows)
        self._held_bytes += _size_bytes(rows)
        if self._held_bytes > _SPOOLED_BYTES:
            self._write()

    def scan(self) -> pl.LazyFrame:
        """All rows."""
        paths = self._written()
        return pl.scan_parquet(paths, glob=False) if paths else pl.LazyFrame(schema=self._schema)

    def segments(self) -> tuple[str, ...]:
        """The paths of all rows, in order; at least one file, whose schema is known."""
        return tuple(str(path) for path in self._written() or self._empty())

    def batches(self) -> Iterator[pl.DataFrame]:
        """All rows, some at a time."""
        return map(pl.read_parquet, self._written())

    def _written(self) -> list[Path]:
        self._write()
        return [self._path(number) for number in range(self._files)]

    def _empty(self) -> list[Path]:
        pl.DataFrame(schema=self._schema).write_parquet(self._path(0))
        return [self._path(0)]

    def _write(self) -> None:
        if self._held:
            pl.concat(self._held).write_parquet(self._path(self._files), compression="lz4")
            self._files += 1
            self._held, self._held_bytes = [], 0

    def _path(self, number: int) -> Path:
        return self._folder / _name(number)


def _size_bytes(rows: pl.DataFrame) -> int:
    """What rows take in memory. Of a text the estimate has the letters, and not the view of 16 bytes on them."""
    texts = sum(dtype == pl.String for dtype in rows.dtypes)
    return int(rows.estimated_size()) + 16 * texts * rows.height


def _cut(rows: pl.DataFrame, values: pl.Series) -> Iterator[tuple[object, pl.DataFrame]]:
    """The rows of each partition, by its value; ``values`` has that of each row."""
    if values.n_unique() == 1:
        # Files are often in the order by which they are cut, and there is nothing to be taken apart.
        yield values[0], rows
        return
    for (value,), part in rows.with_columns(values).partition_by(_PARTITION, as_dict=True, include_key=False).items():
        yield value, part


def _folder(cut: Partition, value: object) -> str:
    return f"{cut.name}={_NO_VALUE if value is None else _quoted(str(value))}"


def _quoted(value: str) -> str:
    """A value as the name of a folder: another for each value, of a length that every system takes."""
    # A tilde stands for what was cut.
    name = quote(value, safe="").replace("~", "%7E")
    if name == _NO_VALUE:
        return name.replace("_", "%5F", 1)
    if len(name) <= _FOLDER_LENGTH:
        return name
    return f"{name[:_FOLDER_LENGTH]}~{hashlib.sha256(value.encode()).hexdigest()}"


def _name(number: int) -> str:
    return f"{number:08}.parquet"


def discard(dataset: Dataset, staged: Mapping[str, StagedTable], storage: StorageBackend) -> None:
    """Remove the files of staged tables that will not be published."""
    for name, table in staged.items():
        storage.remove(prefix(dataset, dataset.relation(name), table.release, storage))
