"""What every engine is: the unit of work, and how units of work become staged tables.

The work is ``function + item -> small result``. An engine says how a dataset is cut into parts, how a part is staged
and a bucket folded; workers only map such a function over items. Each part and each bucket
writes under a name of its own, and only what a result names becomes part of a table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from nequi_lake.datasets.sensitive import HashKey
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.engines.contradictions import Contradictions
from nequi_lake.formats import RawFile
from nequi_lake.lake.quarantine import finish_quarantine
from nequi_lake.lake.raw_file import RawFileVersion
from nequi_lake.lake.release import Accounting, ClearCounts, DataFile, FileAccount, Release, StagedTable
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import StorageBackend

T = TypeVar("T")
R = TypeVar("R")


class Workers(Protocol):
    """Runs units of work, on this machine or a cluster.

    Attributes:
        slots: how many items are worked on at once. With one, the work is done in this process on all cores, and a
            part is a whole raw file that is read by its path.
    """

    slots: int

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """The result of ``work`` for each item, in their order, each of one attempt that succeeded."""
        ...


class InProcess:
    """Runs units of work in this process, one after the other."""

    slots = 1

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """The result of ``work`` for each item, in their order."""
        return [work(item) for item in items]


@dataclass(frozen=True, kw_only=True)
class StagingJob:
    """A dataset's tables to stage, of which raw files, as which release.

    Attributes:
        dataset: whose tables.
        tables: the tables to write, in the dataset's order; a record that is bad for any table is quarantined for all.
        files: raw file name → the kept file.
        release: what the staged tables become.
        contradictions: records to leave out of a table, or to quarantine, because they repeat or contradict others.
        storage: where the lake is.
        scratch: a folder for what waits, in which each part and bucket has its own.
        max_partitions: how many partitions a table may have.
        hash_key: of the hashes that stand for sensitive values; None where no column has any.
    """

    dataset: Dataset
    tables: tuple[Table, ...]
    files: Mapping[str, RawFileVersion]
    release: Release
    contradictions: Contradictions
    storage: StorageBackend
    scratch: Path
    max_partitions: int = Settings.max_partitions
    hash_key: HashKey | None = None

    def tables_of(self, file: RawFile) -> list[Table]:
        """The tables to write that a raw file feeds."""
        return [table for table in self.dataset.tables_of(file) if table in self.tables]


@dataclass(frozen=True, kw_only=True)
class StagePart:
    """A part of the raw records: one unit of staging.

    Attributes:
        job: what it is a part of.
        number: unique within the job; stands in the name of every file that it writes.
        file: the raw file of which it is.
    """

    job: StagingJob
    number: int
    file: RawFile

    @property
    def name(self) -> str:
        """The part's name in paths."""
        return f"{self.number:05}"


@dataclass(frozen=True, kw_only=True)
class PartResult:
    """The result of staging a part.

    Attributes:
        file: the name of its raw file.
        files: table → the data files that it wrote, of a table that has one row per record.
        accepted: table → records that it accepted.
        broken: records that it quarantined because they break a rule.
        segments: table that groups records → bucket → paths of the accepted records, in order.
        clear: table that has one row per record → what was counted of its sensitive columns.
    """

    file: str
    files: Mapping[str, tuple[DataFile, ...]]
    accepted: Mapping[str, int]
    broken: int
    segments: Mapping[str, Mapping[int, tuple[str, ...]]] = field(default_factory=dict)
    clear: Mapping[str, ClearCounts] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """The accepted records of a table whose grouping keys fall into one bucket: one unit of folding.

    Attributes:
        job: what it is part of.
        table: the table.
        number: of the bucket; stands in the name of every file that it writes.
        segments: paths of the records, in the order of the raw files.
    """

    job: StagingJob
    table: Table
    number: int
    segments: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Folded:
    """The result of folding a bucket.

    Attributes:
        table: the name of the table.
        files: the data files that it wrote.
        records: records after grouping.
        rows: rows that these must give, counted apart from the table.
        contradicting: groups whose records give different lists to explode.
        clear: what was counted of its sensitive columns.
    """

    table: str
    files: tuple[DataFile, ...]
    records: int
    rows: int
    contradicting: int
    clear: ClearCounts = field(default_factory=ClearCounts)


class Engine(Protocol):
    """Turns raw records into the files of tables. All engines give the same rows, quarantine and counts."""

    def cut(self, job: StagingJob, workers: Workers) -> list[StagePart]:
        """Cut the raw files that feed the job's tables into parts, in the order of the files."""
        ...

    def stage_part(self, part: StagePart) -> PartResult:
        """Read a part: write the rows and the quarantine of its records.

        Raises:
            StageError: it could not be read or written.
        """
        ...

    def fold_bucket(self, bucket: Bucket) -> Folded:
        """Group and transform the records of a bucket, and write the rows.

        Raises:
            StageError: they could not be read or written.
        """
        ...


def run(engine: Engine, workers: Workers, job: StagingJob) -> dict[str, StagedTable]:
    """Stage the tables of a job; table name → what was staged, in the dataset's order.

    Only for a caller that holds the dataset's lock.

    Raises:
        StageError: the engine could not read or write a file.
    """
    parts = workers.map(engine.stage_part, engine.cut(job, workers))
    folded = workers.map(engine.fold_bucket, _buckets(job, parts))
    finish_quarantine(job.storage, job.dataset.name, job.release.run_id)
    return combine(job, parts, folded)


def combine(job: StagingJob, parts: Collection[PartResult], folded: Collection[Folded]) -> dict[str, StagedTable]:
    """Put the results of all parts and buckets together; table name → what was staged."""
    accounts = {
        name: FileAccount(
            records=kept.records, quarantined=kept.damaged + sum(part.broken for part in parts if part.file == name)
        )
        for name, kept in job.files.items()
    }
    return {table.name: _combine_table(job, table, accounts, parts, folded) for table in job.tables}


def _combine_table(
    job: StagingJob,
    table: Table,
    accounts: Mapping[str, FileAccount],
    parts: Collection[PartResult],
    folded: Collection[Folded],
) -> StagedTable:
    feeding = job.dataset.files_of(table)
    accepted = sum(part.accepted.get(table.name, 0) for part in parts)
    repeated = sum(len(job.contradictions.repeats_in(table, file)) for file in feeding)
    buckets = [bucket for bucket in folded if bucket.table == table.name]
    records = accepted if table.is_by_record else sum(bucket.records for bucket in buckets)
    counted = [*(part.clear.get(table.name, ClearCounts()) for part in parts), *(bucket.clear for bucket in buckets)]
    files = [file for part in parts for file in part.files.get(table.name, ())]
    files += [file for bucket in buckets for file in bucket.files]
    return StagedTable(
        dataset=job.dataset.name,
        table=table.name,
        release=job.release,
        accounting=Accounting(
            files={file.name: accounts[file.name] for file in feeding},
            accepted=accepted + repeated,
            merged=accepted - records + repeated,
            expected_rows=accepted if table.is_by_record else sum(bucket.rows for bucket in buckets),
        ),
        files=tuple(sorted(files, key=lambda file: file.path)),
        contradicting=sum(bucket.contradicting for bucket in buckets),
        clear=sum(counted, ClearCounts()),
        is_cut=job.contradictions.is_cut,
    )


def _buckets(job: StagingJob, parts: Sequence[PartResult]) -> list[Bucket]:
    """The buckets of all tables that group records, each with its segments in the order of the parts."""
    found: list[Bucket] = []
    for table in job.tables:
        numbers = sorted({number for part in parts for number in part.segments.get(table.name, {})})
        for number in numbers:
            segments = [path for part in parts for path in part.segments.get(table.name, {}).get(number, ())]
            found.append(Bucket(job=job, table=table, number=number, segments=tuple(segments)))
    return found
