"""Stages a dataset with Polars: one streaming scan of each raw file feeds every table at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import polars as pl

from nequi_lake.datasets.sensitive import HashKey
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.engines.base import Bucket, Folded, InProcess, PartResult, StagePart, StagingJob, Workers, run
from nequi_lake.engines.contradictions import Contradictions, disagreeing
from nequi_lake.engines.files import Spool, TableWriter, prefix
from nequi_lake.engines.quarantine import QuarantineWriter
from nequi_lake.engines.records import (
    accepted,
    engine_errors,
    process_batches,
    read_records,
    repaired_copies,
)
from nequi_lake.formats import RECORD
from nequi_lake.lake.quarantine import quarantine_path
from nequi_lake.lake.raw_file import RawFileVersion
from nequi_lake.lake.release import Release, StagedTable
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import StorageBackend
from nequi_lake.progress import bar

_ONLY_BUCKET = 0


def stage(
    dataset: Dataset,
    files: Mapping[str, RawFileVersion],
    select: Collection[str],
    release: Release,
    storage: StorageBackend,
    contradictions: Contradictions | None = None,
    *,
    max_partitions: int = Settings.max_partitions,
    hash_key: HashKey | None = None,
) -> dict[str, StagedTable]:
    """Write the selected tables under a prefix of the release's run, and the bad records into the quarantine.

    Only for a caller that holds the dataset's lock.

    Args:
        dataset: what to make.
        files: raw file name → the kept file.
        select: names of the tables to write; a record that is bad for any table is quarantined for all.
        release: what the staged tables will be.
        storage: where the lake is.
        contradictions: records to leave out of a table, or to quarantine, because they repeat or contradict others.
        max_partitions: how many partitions a table may have.
        hash_key: of the hashes that stand for sensitive values; None where no column has any.

    Returns:
        Table name → what was staged, in the dataset's order.

    Raises:
        StageError: the engine could not read or write a file, or a table would have too many partitions.
    """
    with storage.scratch(dataset.name) as scratch:
        job = StagingJob(
            dataset=dataset,
            tables=tuple(table for table in dataset.tables if table.name in select),
            files=files,
            release=release,
            contradictions=contradictions or Contradictions(),
            storage=storage,
            scratch=scratch,
            max_partitions=max_partitions,
            hash_key=hash_key,
        )
        return run(PolarsEngine(), InProcess(), job)


class PolarsEngine:
    """The engine of one machine: a part is a whole raw file, and there is one bucket for each table."""

    def cut(self, job: StagingJob, workers: Workers) -> list[StagePart]:  # noqa: ARG002
        """One part for each raw file that feeds one of the tables."""
        read = [file for file in job.dataset.readable_files if job.tables_of(file)]
        return [StagePart(job=job, number=number, file=file) for number, file in enumerate(read)]

    def stage_part(self, part: StagePart) -> PartResult:
        """Read a raw file in one scan; write the tables with one row per record, and spool the records of the others.

        Raises:
            StageError: the file could not be read or written.
        """
        with engine_errors(part.job.dataset, part.job.files, part.job.storage):
            return _stage_file(part)

    def fold_bucket(self, bucket: Bucket) -> Folded:
        """Run the table's transform over the records, and write the rows.

        Raises:
            StageError: the records could not be read or written.
        """
        job, table = bucket.job, bucket.table
        with engine_errors(job.dataset, job.files, job.storage):
            records = pl.scan_parquet(list(bucket.segments), glob=False)
            after_grouping, rows, contradicting = _expected(table, records).collect(engine="streaming").row(0)
            writer = _writer(job, f"fold-{bucket.number:05}")
            made = table.transform(records).select(list(table.columns))
            writer.write(table, made, prefix(job.dataset, table, job.release, job.storage))
            writer.finish()
            return Folded(
                table=table.name,
                files=writer.files(table),
                records=after_grouping,
                rows=rows,
                contradicting=contradicting,
                clear=writer.clear_counts(table),
            )


def _writer(job: StagingJob, name: str) -> TableWriter:
    return TableWriter(job.storage, name=name, max_partitions=job.max_partitions, hash_key=job.hash_key)


def _stage_file(part: StagePart) -> PartResult:
    job, file = part.job, part.file
    dataset, storage, kept = job.dataset, job.storage, job.files[file.name]
    scratch = job.scratch / part.name
    scratch.mkdir()
    copies = repaired_copies([file], job.files, storage, scratch).get(file.name, {})
    repeated = {table: job.contradictions.repeats_in(table, file) for table in job.tables_of(file)}
    records = read_records(dataset, file, kept, storage, copies, job.contradictions.rules(dataset, file))
    writer, counts = _writer(job, part.name), Counter[str]()
    prefixes = {table.name: prefix(dataset, table, job.release, storage) for table in repeated}
    spools = {
        table.name: Spool(
            scratch / "exchange" / table.name / str(_ONLY_BUCKET), accepted(table, records.frame).collect_schema()
        )
        for table in repeated
        if not table.is_by_record
    }
    bad = QuarantineWriter(dataset, file, kept, copies, scratch / "quarantine")
    with bar(f"staging {dataset.name}/{file.name}", kept.records, "rows") as progress:

        def add(batch: pl.DataFrame, broken: pl.DataFrame) -> None:
            progress.update(batch.height)
            if not broken.is_empty():
                bad.add(broken, records.rules)
            for table, numbers in repeated.items():
                rows = accepted(table, batch.lazy(), _between(numbers, batch[RECORD][0], batch[RECORD][-1])).collect()
                counts[table.name] += rows.height
                if table.name in spools:
                    spools[table.name].add(rows)
                else:
                    writer.add(table, rows.select(list(table.columns)), prefixes[table.name])

        process_batches(dataset, file, kept, records, add)
    writer.finish()
    bad.write(quarantine_path(storage, dataset.name, job.release.run_id, file.name, part.name), storage)
    return PartResult(
        file=file.name,
        files={table.name: writer.files(table) for table in repeated},
        accepted=counts,
        broken=bad.broken,
        clear={table.name: writer.clear_counts(table) for table in repeated},
        segments={name: {_ONLY_BUCKET: spool.segments()} for name, spool in spools.items()},
    )


def _between(numbers: pl.Series, first: int, last: int) -> pl.Series | None:
    """Those of ascending numbers that lie between two, both included; None where none does."""
    start, end = numbers.search_sorted(first, side="left"), numbers.search_sorted(last, side="right")
    return numbers[start:end] if start < end else None


def _expected(table: Table, records: pl.LazyFrame) -> pl.LazyFrame:
    """One row: records after grouping, rows that these must give, groups whose records give different lists."""
    rows_of_record = pl.col(table.explode).list.len().cast(pl.Int64) if table.explode else pl.lit(1, pl.Int64)
    disagree = disagreeing(table) if table.explode else pl.lit(False)
    counted = records.with_columns(rows=rows_of_record, disagree=pl.lit(False))
    if table.group_by:
        counted = counted.group_by(table.group_by).agg(pl.col("rows").max(), disagree.alias("disagree"))
    return counted.select(
        pl.len().cast(pl.Int64), pl.col("rows").sum().cast(pl.Int64), pl.col("disagree").sum().cast(pl.Int64)
    )
