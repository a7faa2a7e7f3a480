"""Stages a dataset on this machine with Polars: one streaming scan of each raw file feeds every table at once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import polars as pl

from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.engines.duplicates import Duplicates
from nequi_lake.engines.files import Spool, TableWriter, prefix
from nequi_lake.engines.quarantine import QuarantineWriter
from nequi_lake.engines.records import (
    Copies,
    accepted,
    engine_errors,
    flagged,
    repaired_copies,
    rules_of_file,
    take_in,
)
from nequi_lake.formats import RECORD, RawFile
from nequi_lake.lake.quarantine import finish_quarantine, quarantine_path
from nequi_lake.lake.raw_file import RawFileVersion
from nequi_lake.lake.release import Accounting, FileAccount, Release, StagedTable
from nequi_lake.lake.storage import Storage
from nequi_lake.progress import bar


def stage(
    dataset: Dataset,
    files: Mapping[str, RawFileVersion],
    select: Collection[str],
    release: Release,
    storage: Storage,
    duplicates: Duplicates | None = None,
) -> dict[str, StagedTable]:
    """Write the selected tables under a prefix of the release's run, and the bad records into the quarantine.

    Only for a run that has the dataset to itself.

    Args:
        dataset: what to make.
        files: raw file name → the kept file.
        select: names of the tables to write; a record that is bad for any table is put aside for all.
        release: what the staged tables will be.
        storage: where the lake is.
        duplicates: records to leave out of a table, or to put aside, because they repeat or contradict others.

    Returns:
        Table name → what was staged, in the dataset's order.

    Raises:
        StageError: the engine could not read or write a file.
    """
    tables = [table for table in dataset.tables if table.name in select]
    read = [file for file in dataset.readable_files if not set(tables).isdisjoint(dataset.tables_of(file))]
    records = sum(files[file.name].records for file in read)
    with (
        engine_errors(dataset, files, storage),
        storage.scratch(dataset.name) as folder,
        bar(f"staging {dataset.name}", records, "rows") as progress,
    ):
        copies = repaired_copies(read, files, storage, folder)
        staging = _Staging(dataset, tables, release, storage, duplicates or Duplicates(), folder)
        for file in read:
            staging.read(file, files[file.name], copies.get(file.name, {}), progress.update)
        finish_quarantine(storage, dataset.name, release.run_id)
        return staging.staged()


class _Staging:
    """Tables under way."""

    def __init__(
        self,
        dataset: Dataset,
        tables: list[Table],
        release: Release,
        storage: Storage,
        duplicates: Duplicates,
        folder: Path,
    ) -> None:
        self._dataset, self._tables, self._release = dataset, tables, release
        self._storage, self._duplicates, self._folder = storage, duplicates, folder
        self._writer = TableWriter(storage)
        self._accounts: dict[str, FileAccount] = {}
        self._accepted = Counter[str]()
        self._spools: dict[str, Spool] = {}

    def read(self, file: RawFile, kept: RawFileVersion, copies: Copies, progress: Callable[[int], object]) -> None:
        """Take in the records of a file. ``progress`` is told of each part of them gone by."""
        dataset = self._dataset
        rules = [*rules_of_file(dataset, file), *self._duplicates.rules(dataset, file)]
        repeated = {table: self._duplicates.repeated_in(table, file) for table in self._tables_of(file)}
        records = flagged(dataset, file, kept, rules, self._storage, copies)
        for table in repeated:
            if not table.is_by_record and table.name not in self._spools:
                schema = accepted(table, records).collect_schema()
                self._spools[table.name] = Spool(self._folder / f"{table.name}.spool", schema)
        bad = QuarantineWriter(dataset, file, kept, copies, self._folder / f"{file.name}.bad")

        def take(batch: pl.DataFrame, broken: pl.DataFrame) -> None:
            progress(batch.height)
            if not broken.is_empty():
                bad.add(broken, rules)
            for table, numbers in repeated.items():
                without = numbers[bisect_left(numbers, batch[RECORD][0]) : bisect_right(numbers, batch[RECORD][-1])]
                self._add(table, accepted(table, batch.lazy(), without).collect())

        take_in(dataset, file, kept, rules, records, take)
        self._accounts[file.name] = FileAccount(records=kept.records, quarantined=bad.broken + kept.damaged)
        bad.write(quarantine_path(self._storage, dataset.name, self._release.run_id, file.name), self._storage)

    def staged(self) -> dict[str, StagedTable]:
        """Write what is left to write."""
        expected: dict[str, tuple[int, int]] = {}
        for table in self._tables:
            folded = rows = self._accepted[table.name]
            if table.name in self._spools:
                records = self._spools[table.name].scan()
                folded, rows = _expected(table, records).collect(engine="streaming").row(0)
                made = table.transform(records).select(list(table.columns))
                self._writer.write(table, made, self._prefix(table))
            expected[table.name] = (folded, rows)
        self._writer.finish()
        return {table.name: self._staged(table, *expected[table.name]) for table in self._tables}

    def _staged(self, table: Table, folded: int, rows: int) -> StagedTable:
        feeding = self._dataset.files_of(table)
        read = self._accepted[table.name]
        repeated = sum(len(self._duplicates.repeated_in(table, file)) for file in feeding)
        return StagedTable(
            dataset=self._dataset.name,
            table=table.name,
            release=self._release,
            accounting=Accounting(
                files={file.name: self._accounts[file.name] for file in feeding},
                accepted=read + repeated,
                merged=read - folded + repeated,
                expected_rows=rows,
            ),
            files=self._writer.files(table),
        )

    def _add(self, table: Table, records: pl.DataFrame) -> None:
        self._accepted[table.name] += records.height
        if table.name in self._spools:
            self._spools[table.name].add(records)
        else:
            self._writer.add(table, records.select(list(table.columns)), self._prefix(table))

    def _tables_of(self, file: RawFile) -> list[Table]:
        return [table for table in self._dataset.tables_of(file) if table in self._tables]

    def _prefix(self, table: Table) -> str:
        return prefix(self._dataset, table, self._release, self._storage)


def _expected(table: Table, records: pl.LazyFrame) -> pl.LazyFrame:
    """One row: records after folding, rows that these must give."""
    rows_of_record = pl.col(table.explode).list.len().cast(pl.Int64) if table.explode else pl.lit(1, pl.Int64)
    counted = records.select(RECORD, *table.group_by, rows=rows_of_record)
    if table.group_by:
        counted = counted.group_by(table.group_by).agg(pl.col("rows").max())
    return counted.select(pl.len().cast(pl.Int64), pl.col("rows").sum().cast(pl.Int64))
