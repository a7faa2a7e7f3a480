"""What is staged, and what is published: the values that engine, audit, catalog and reader hand to each other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Release:
    """One state of a whole dataset: these raw bytes, through this code. Or of a mart: these tables, through its SQL.

    Attributes:
        id: fingerprint of the raw bytes or tables, and of the code that makes the tables of them.
        run_id: the attempt of a run that staged it.
        raw_version: the raw zone's version that it comes from.
        tables: the names of the relations that are released together; the release is complete when each has it.
        source_release: for a mart, the id of the release of the dataset's tables that it comes from.
        other_releases: for a mart that reads tables of other datasets, "<dataset> <id>" of their releases.
        sequence: its place in the history of its release group, from 1, given under the dataset's lock. Readers take
            the highest; no clock decides. 0 until it is given.
        source: where its raw files came from, human-readable.
        is_sample: whether they were made up.
        hash_key: the id of the key of its hashes; empty where no column has any.
    """

    id: str
    run_id: str
    raw_version: str
    tables: tuple[str, ...]
    source_release: str | None = None
    other_releases: tuple[str, ...] = ()
    sequence: int = 0
    source: str = ""
    is_sample: bool = False
    hash_key: str = ""

    @property
    def tables_release(self) -> str:
        """The id of the release of the dataset's tables: its own, or that of the tables that a mart comes from."""
        return self.source_release or self.id


@dataclass(frozen=True, kw_only=True)
class FileAccount:
    """Where the records of one raw file went: ``records`` were counted before staging, the others by it."""

    records: int
    quarantined: int


@dataclass(frozen=True, kw_only=True)
class Accounting:
    """Where the raw records that feed a table went.

    Attributes:
        files: raw file → its account; empty for a mart, which is made of no raw file.
        accepted: records that the table was made of.
        merged: accepted records whose row another record had begun, or had given already.
        expected_rows: rows that the accepted records must give, counted apart from the table.
    """

    files: Mapping[str, FileAccount]
    accepted: int
    merged: int
    expected_rows: int

    @property
    def raw_records(self) -> int:
        """Records of the raw files."""
        return sum(file.records for file in self.files.values())

    @property
    def quarantined(self) -> int:
        """Records in quarantine."""
        return sum(file.quarantined for file in self.files.values())


NO_RECORDS = Accounting(files={}, accepted=0, merged=0, expected_rows=0)
"""The accounting of what is not made of raw records."""


@dataclass(frozen=True, kw_only=True)
class ClearCounts:
    """What was counted of the real values of a table's sensitive columns, before others took their place.

    Attributes:
        missing: column that is dropped → rows without a value in it.
        broken: rule over derived columns, in words → rows that break it.
    """

    missing: Mapping[str, int] = field(default_factory=dict)
    broken: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: ClearCounts) -> ClearCounts:
        return ClearCounts(missing=_sum(self.missing, other.missing), broken=_sum(self.broken, other.broken))


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A Parquet file of a table.

    Attributes:
        path: where it is.
        rows, size_bytes: how much it holds.
        partition_bounds: partition column → its minimum and maximum in the file, as Iceberg stores them (days since
            1970 for a date). Only of a published file, and only of a column without missing values in it.
    """

    path: str
    rows: int
    size_bytes: int
    partition_bounds: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StagedTable:
    """A table's files under a prefix that no reader looks at.

    Attributes:
        dataset, table: which table.
        release: what the files are of.
        accounting: where the raw records went.
        files: the files.
        contradicting: groups of records that differ where all of them must agree; only of what is not published yet.
        clear: what the real values of sensitive columns are; only of what is not published yet.
        is_cut: whether the search for bad records ended at a limit, so that more may be bad than are counted; only of
            what is not published yet.
    """

    dataset: str
    table: str
    release: Release
    accounting: Accounting
    files: tuple[DataFile, ...]
    contradicting: int = 0
    clear: ClearCounts = field(default_factory=ClearCounts)
    is_cut: bool = False

    @property
    def name(self) -> str:
        """``<dataset>.<table>``"""
        return f"{self.dataset}.{self.table}"

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def partitions(self) -> int:
        """Folders that hold the files."""
        return len({file.path.rsplit("/", 1)[0] for file in self.files})

    @property
    def paths(self) -> list[str]:
        """The files' paths, in order."""
        return [file.path for file in self.files]


@dataclass(frozen=True, kw_only=True)
class PublishedTable(StagedTable):
    """A table as readers see it: one snapshot of the catalog.

    Attributes:
        snapshot_id: which snapshot.
        published_at: when it was committed.
        columns: column → its SQL type, as it was published.
    """

    snapshot_id: int
    published_at: datetime
    columns: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ReleaseState:
    """A release as the catalog has it.

    Attributes:
        release: which one.
        complete: whether each of its relations has it.
        committed_at: when a relation of it was last committed, by the clock of the machine that committed it.
    """

    release: Release
    complete: bool
    committed_at: datetime


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """One commit of a table.

    Attributes:
        release: what was committed.
        snapshot_id: under which number the catalog has it.
        committed_at: when.
        rows, size_bytes: of the table's files.
        current: whether it is what readers see.
        complete: whether each relation of the release group has the release.
    """

    release: Release
    snapshot_id: int
    committed_at: datetime
    rows: int
    size_bytes: int
    current: bool
    complete: bool


_PREFIX = "nequi."


def to_properties(staged: StagedTable) -> dict[str, str]:
    """The snapshot properties from which :func:`from_properties` makes release and accounting again."""
    facts = {
        "release": staged.release.id,
        "run_id": staged.release.run_id,
        "raw_version": staged.release.raw_version,
        "tables": json.dumps(staged.release.tables),
        "sequence": str(staged.release.sequence),
        "source": staged.release.source,
        "is_sample": str(staged.release.is_sample).lower(),
        **({"hash_key": staged.release.hash_key} if staged.release.hash_key else {}),
        **({"source_release": staged.release.source_release} if staged.release.source_release else {}),
        **({"other_releases": json.dumps(staged.release.other_releases)} if staged.release.other_releases else {}),
        "raw_files": json.dumps({n: [f.records, f.quarantined] for n, f in staged.accounting.files.items()}),
        "accepted": str(staged.accounting.accepted),
        "merged": str(staged.accounting.merged),
        "expected_rows": str(staged.accounting.expected_rows),
    }
    return {_PREFIX + name: value for name, value in facts.items()}


def from_properties(properties: Mapping[str, str]) -> tuple[Release, Accounting] | None:
    """The release and accounting in a snapshot's properties; None where the lake did not make the snapshot."""
    if _PREFIX + "release" not in properties:
        return None
    facts = {name.removeprefix(_PREFIX): value for name, value in properties.items()}
    files = {
        name: FileAccount(records=records, quarantined=quarantined)
        for name, (records, quarantined) in json.loads(facts["raw_files"]).items()
    }
    return (
        Release(
            id=facts["release"],
            run_id=facts["run_id"],
            raw_version=facts["raw_version"],
            tables=tuple(json.loads(facts["tables"])),
            source_release=facts.get("source_release"),
            other_releases=tuple(json.loads(facts.get("other_releases", "[]"))),
            sequence=int(facts["sequence"]),
            source=facts.get("source", ""),
            is_sample=facts.get("is_sample") == "true",
            hash_key=facts.get("hash_key", ""),
        ),
        Accounting(
            files=files,
            accepted=int(facts["accepted"]),
            merged=int(facts["merged"]),
            expected_rows=int(facts["expected_rows"]),
        ),
    )
