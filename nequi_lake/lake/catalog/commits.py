"""What the snapshots of an Iceberg table record: which releases the lake committed, when, and of which files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.schema import Schema
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.types import PrimitiveType

from nequi_lake.formats.types import sql_types
from nequi_lake.lake.release import Accounting, DataFile, PublishedTable, Release, from_properties

_STATES_KNOWN = 32
"""Tables whose files are remembered: a run asks for those of each some ten times, and reads manifests for it."""


@dataclass(frozen=True)
class Commit:
    """What the lake committed to a table: the snapshot, and the release that it records."""

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


def parse_summary(snapshot: Snapshot) -> tuple[Release, Accounting] | None:
    """The release and accounting in a snapshot's summary; None where the lake did not make the snapshot."""
    return from_properties(snapshot.summary.additional_properties if snapshot.summary else {})


def commits_of(iceberg: IcebergTable) -> Iterator[Commit]:
    """The lake's commits to a table, the newest first, each parsed when it is asked for."""
    for snapshot in sorted(iceberg.snapshots(), key=lambda snapshot: snapshot.sequence_number or 0, reverse=True):
        parsed = parse_summary(snapshot)
        if parsed:
            yield Commit(*parsed, snapshot)


def commits_by_release(
    relations: Mapping[str, IcebergTable | None], before: datetime | None = None
) -> Iterator[dict[str, Commit]]:
    """For each release, the newest commit of each relation that has it; the release of the highest sequence first.

    Reads the newest snapshots first, and older ones only as far as the caller asks for older releases.

    Args:
        relations: the relations of one release group by name; None for one that was never published.
        before: leave out commits that are later than this.
    """
    streams = {name: commits_of(iceberg) for name, iceberg in relations.items() if iceberg}
    heads = {name: next(stream, None) for name, stream in streams.items()}
    while sequences := [commit.release.sequence for commit in heads.values() if commit]:
        sequence = max(sequences)
        # Two writers that both lost their lock may have given one sequence to two releases.
        found: dict[str, dict[str, Commit]] = {}
        for name, stream in streams.items():
            head = heads[name]
            while head and head.release.sequence == sequence:
                if before is None or head.committed_at <= before:
                    found.setdefault(head.release.id, {}).setdefault(name, head)
                head = next(stream, None)
            heads[name] = head
        yield from found.values()


def is_complete(commits: Mapping[str, Commit], group: Collection[str]) -> bool:
    """Whether each relation of a release that its group still has is committed; ``commits`` by relation."""
    return set(group).intersection(release_of(commits).tables) <= set(commits)


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
        columns=sql_types(schema_of(iceberg, commit.snapshot).as_arrow()),
    )


def schema_of(iceberg: IcebergTable, snapshot: Snapshot) -> Schema:
    """The columns that a table had in a snapshot; later ones may have others."""
    return iceberg.schema() if snapshot.schema_id is None else iceberg.schemas()[snapshot.schema_id]


@lru_cache(maxsize=_STATES_KNOWN)
def _files(state: _State) -> tuple[DataFile, ...]:
    """The files of a table, by path."""
    files = (task.file for task in state.iceberg.scan(snapshot_id=state.snapshot_id).plan_files())
    return tuple(
        DataFile(
            path=file.file_path,
            rows=file.record_count,
            size_bytes=file.file_size_in_bytes,
            partition_bounds=_partition_bounds(file, state.iceberg),
        )
        for file in sorted(files, key=lambda file: file.file_path)
    )


def _partition_bounds(file: IcebergFile, iceberg: IcebergTable) -> dict[str, tuple[Any, Any]]:
    """Partition column → its minimum and maximum in a file."""
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
