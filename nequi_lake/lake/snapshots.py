"""What the snapshots of an Iceberg table tell: which releases the lake committed, when, and of which files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.types import PrimitiveType

from nequi_lake.datasets.spec import Dataset
from nequi_lake.lake.release import Accounting, DataFile, PublishedTable, Release, from_properties

_STATES_KNOWN = 32
"""Tables whose files are remembered: a run asks for those of each some ten times, and reads manifests for it."""


@dataclass(frozen=True)
class Commit:
    """What the lake committed to a table: the snapshot, and what it tells of."""

    release: Release
    accounting: Accounting
    snapshot: Snapshot

    @property
    def committed_at(self) -> datetime:
        """When."""
        return time_of(self.snapshot.timestamp_ms)

    def total(self, name: str) -> int:
        """What the snapshot's summary says of the whole table, such as ``total-records``."""
        return int((self.snapshot.summary[name] if self.snapshot.summary else None) or 0)


def told_by(snapshot: Snapshot) -> tuple[Release, Accounting] | None:
    """The release and accounting that a snapshot tells of; None where the lake did not make it."""
    return from_properties(snapshot.summary.additional_properties if snapshot.summary else {})


def commits_of(iceberg: IcebergTable) -> Iterator[Commit]:
    """The lake's commits to a table, the newest first."""
    for snapshot in sorted(iceberg.snapshots(), key=lambda snapshot: snapshot.sequence_number or 0, reverse=True):
        told = told_by(snapshot)
        if told:
            yield Commit(*told, snapshot)


def commits_by_release(
    tables: Mapping[str, IcebergTable | None], before: datetime | None = None
) -> dict[str, dict[str, Commit]]:
    """Release → table → the table's newest commit of it."""
    releases: dict[str, dict[str, Commit]] = {}
    for name, iceberg in tables.items():
        for commit in commits_of(iceberg) if iceberg else ():
            if before is None or commit.committed_at <= before:
                releases.setdefault(commit.release.id, {}).setdefault(name, commit)
    return releases


def is_whole(commits: Mapping[str, Commit], dataset: Dataset) -> bool:
    """Whether each table of a release that is still declared has it; ``commits`` by table."""
    declared = {table.name for table in dataset.relations}
    return declared.intersection(release_of(commits).tables) <= set(commits)


def release_of(commits: Mapping[str, Commit]) -> Release:
    """The release that tables have in common."""
    return next(iter(commits.values())).release


def committed_at(commits: Mapping[str, Commit]) -> datetime:
    """When the last table of a release was committed."""
    return max(commit.committed_at for commit in commits.values())


def time_of(timestamp_ms: int) -> datetime:
    """A time as Iceberg has it, milliseconds since 1970."""
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC)


@dataclass(frozen=True)
class _State:
    """A table in one of its snapshots. Nothing about it ever changes: a change has a metadata file of its own."""

    metadata: str
    snapshot_id: int
    iceberg: IcebergTable = field(compare=False)


def published_by(dataset: str, table: str, iceberg: IcebergTable, commit: Commit) -> PublishedTable:
    """The table as readers of that commit see it."""
    return PublishedTable(
        dataset=dataset,
        table=table,
        release=commit.release,
        accounting=commit.accounting,
        files=_files(_State(iceberg.metadata_location, commit.snapshot.snapshot_id, iceberg)),
        snapshot_id=commit.snapshot.snapshot_id,
        published_at=commit.committed_at,
    )


@lru_cache(maxsize=_STATES_KNOWN)
def _files(state: _State) -> tuple[DataFile, ...]:
    """The files of a table, by path."""
    files = (task.file for task in state.iceberg.scan(snapshot_id=state.snapshot_id).plan_files())
    return tuple(
        DataFile(
            path=file.file_path,
            rows=file.record_count,
            size_bytes=file.file_size_in_bytes,
            within=_within(file, state.iceberg),
        )
        for file in sorted(files, key=lambda file: file.file_path)
    )


def _within(file: IcebergFile, iceberg: IcebergTable) -> dict[str, tuple[Any, Any]]:
    """Column that the table is cut by → its least and greatest value in a file."""
    found, schema = {}, iceberg.schema()
    for part in iceberg.specs()[file.spec_id].fields:
        number = part.source_id
        # A column that a later contract does not have is no longer in the schema.
        name = schema.find_column_name(number)
        bounds = [known[number] for known in (file.lower_bounds, file.upper_bounds) if known and number in known]
        missing = (file.null_value_counts or {}).get(number)
        if name and len(bounds) == 2 and missing == 0:
            dtype = schema.find_type(number)
            assert isinstance(dtype, PrimitiveType)
            low, high = (from_bytes(dtype, bound) for bound in bounds)
            found[name] = (low, high)
    return found
