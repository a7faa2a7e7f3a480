"""Maintenance: removes old releases, then files that no kept snapshot needs, and what killed runs left.

The catalog forgets a release first, and its files go afterwards, so that a kill in between leaves files that nothing
names, which the next time removes. A reader that opened a release before it was forgotten may find its files gone.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import CatalogConflictError, CatalogError, NequiLakeError, TransientError
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.catalog.commits import parse_summary, time_of
from nequi_lake.lake.catalog.housekeeping import write_folders
from nequi_lake.lake.catalog.ownership import tables_beyond
from nequi_lake.lake.layout import POINTERS, PROCESSED, QUARANTINE, RELEASES, SEQUENCES, raw_folder
from nequi_lake.lake.quarantine import NEWEST, newest_run
from nequi_lake.lake.raw import RawZone
from nequi_lake.lake.retrying import retrying
from nequi_lake.lake.storage import FileInfo, StorageBackend
from nequi_lake.lake.storage.faults import translate_error

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RetentionPolicy:
    """What maintenance keeps.

    Attributes:
        age: every release, metadata file and quarantine that is younger.
        releases: complete releases of a dataset to keep at least, whatever their age.
        grace: every file that was written so lately, whether or not something names it.
    """

    age: timedelta = timedelta(days=7)
    releases: int = 5
    grace: timedelta = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Removed:
    """What was removed of a dataset, or would be."""

    dataset: str
    snapshots: int = 0
    files: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class MaintenanceResult:
    """Results of the maintenance of several datasets.

    Attributes:
        removed: what went of each dataset that did not refuse.
        refused: dataset → why nothing of it went.
    """

    removed: tuple[Removed, ...] = ()
    refused: Mapping[str, NequiLakeError]

    def raise_if_failed(self) -> None:
        """Raise what was refused.

        Raises:
            TransientError: trying again may help each dataset that refused.
            CatalogError: it will not help all of them.
        """
        if self.refused:
            kind = TransientError if all(isinstance(e, TransientError) for e in self.refused.values()) else CatalogError
            lines = [f"{name}: {error}" for name, error in self.refused.items()]
            done = ", ".join(removed.dataset for removed in self.removed) or "none"
            raise kind("\n".join([f"Not maintained: {', '.join(self.refused)}. Maintained: {done}.", *lines]))


@dataclass(frozen=True)
class _Plan:
    expired: Mapping[str, Collection[int]]
    files: Mapping[str, FileInfo]


def maintain_all(
    datasets: Iterable[Dataset], catalog: LakeCatalog, storage: StorageBackend, *, dry_run: bool = False
) -> MaintenanceResult:
    """Maintain dataset after dataset as :func:`maintain` does, whether or not one refuses; nothing where no lake is."""
    if not storage.exists_root():
        log.info("There is no lake at %s yet, so there is nothing to do", storage.uri)
        return MaintenanceResult(refused={})
    removed, refused = [], {}
    for dataset in datasets:
        try:
            removed.append(maintain(dataset, catalog, storage, dry_run=dry_run))
        except Exception as error:
            translated = translate_error(error, storage.path(PROCESSED, dataset.name))
            if translated is None:
                log.exception("%s: not maintained", dataset.name)
                translated = NequiLakeError(f"It broke off: {type(error).__name__}: {error}", fix="Report it.")
            refused[dataset.name] = translated
    return MaintenanceResult(removed=tuple(removed), refused=refused)


def maintain(
    dataset: Dataset,
    catalog: LakeCatalog,
    storage: StorageBackend,
    *,
    retention: RetentionPolicy | None = None,
    now: datetime | None = None,
    dry_run: bool = False,
) -> Removed:
    """Remove old releases of a dataset, then the files that no kept snapshot needs.

    What readers see stays, whatever its age, and a release stays or goes for all tables together. A mart's release
    stays as long as that of the tables it was made from.

    Args:
        dataset: which.
        catalog: the lake's.
        storage: the lake's.
        retention: what stays.
        now: the time from which ages count; this moment by default.
        dry_run: say what would go, and change nothing.

    Raises:
        CatalogError: a file that a kept snapshot needs is not there; nothing was changed.
    """
    published = any(catalog.iceberg(dataset.name, table.name) for table in dataset.relations)
    if not (published or storage.exists(raw_folder(storage, dataset.name))):
        return Removed(dataset=dataset.name)
    with storage.lock(dataset.name):
        # Another writer may have changed what may be removed: a rollback needs the files of an old release again.
        for attempt in retrying(lambda error: isinstance(error, CatalogConflictError)):
            with attempt:
                plan = _plan(dataset, catalog, storage, retention or RetentionPolicy(), now or datetime.now(UTC))
                if not dry_run:
                    catalog.record_pointers(dataset)
                if not dry_run:
                    for table, snapshots in plan.expired.items():
                        catalog.expire(dataset.name, table, snapshots)
        if not dry_run:
            storage.remove_files(list(plan.files))
    removed = Removed(
        dataset=dataset.name,
        snapshots=sum(len(snapshots) for snapshots in plan.expired.values()),
        files=len(plan.files),
        size_bytes=sum(file.size_bytes for file in plan.files.values()),
    )
    log.info(
        "%s: %s %d snapshots and %d files of %s bytes",
        dataset.name,
        "would remove" if dry_run else "removed",
        removed.snapshots,
        removed.files,
        f"{removed.size_bytes:,}",
    )
    return removed


def _plan(
    dataset: Dataset, catalog: LakeCatalog, storage: StorageBackend, retention: RetentionPolicy, now: datetime
) -> _Plan:
    oldest = now - retention.age
    releases: set[str] = set()
    for group in dataset.release_groups:
        states = list(catalog.releases(dataset, group))
        complete = [state.release.id for state in states if state.complete]
        # What readers see is the first complete one.
        releases |= {
            *complete[: max(retention.releases, 1)],
            *(s.release.id for s in states if s.committed_at >= oldest or s.release.source_release in releases),
        }
    runs = {newest_run(storage, dataset.name)}
    expired: dict[str, set[int]] = {}
    removable: dict[str, FileInfo] = {}
    for table in dataset.relations:
        iceberg = catalog.iceberg(dataset.name, table.name)
        if iceberg is None:
            continue
        kept = [s for s in iceberg.snapshots() if _is_kept(s, iceberg, releases, oldest)]
        expired[table.name] = {s.snapshot_id for s in iceberg.snapshots()} - {s.snapshot_id for s in kept}
        runs |= {summary[0].run_id for summary in map(parse_summary, kept) if summary}
        found = storage.files(storage.path(table.zone, dataset.name, table.name))
        needed = _needed(iceberg, kept)
        lost = sorted(needed - set(found))
        if lost:
            # Also what a listing would look like whose names are not those of the catalog: then all would go.
            raise CatalogError(
                f"{len(lost)} files that snapshots of {dataset.name}.{table.name} need are not there; nothing was "
                "removed.",
                where=lost[0],
                fix="Bring them back, or see what is wrong: nequi-lake doctor",
            )
        needed |= {
            entry.metadata_file for entry in iceberg.metadata.metadata_log if time_of(entry.timestamp_ms) >= oldest
        }
        for state in tables_beyond(iceberg, table.zone, dataset.name, table.name, storage):
            needed |= _needed(state, state.snapshots())
        removable |= {path: file for path, file in found.items() if path not in needed}
    removable |= _left_by_killed(dataset, storage)
    left = {path: file for path, file in removable.items() if file.modified_at < now - retention.grace}
    return _Plan(expired, left | _of_old_runs(dataset, storage, runs, oldest))


def _is_kept(snapshot: Snapshot, iceberg: IcebergTable, releases: Collection[str], oldest: datetime) -> bool:
    if snapshot.snapshot_id in {ref.snapshot_id for ref in iceberg.metadata.refs.values()}:
        return True
    summary = parse_summary(snapshot)
    return summary[0].id in releases if summary else time_of(snapshot.timestamp_ms) >= oldest


def _needed(iceberg: IcebergTable, kept: Collection[Snapshot]) -> set[str]:
    """The files without which the kept snapshots cannot be read."""
    manifests = {manifest.manifest_path: manifest for snapshot in kept for manifest in snapshot.manifests(iceberg.io)}
    return {
        iceberg.metadata_location,
        *(snapshot.manifest_list for snapshot in kept),
        *manifests,
        *(
            entry.data_file.file_path
            for manifest in manifests.values()
            for entry in manifest.fetch_manifest_entry(iceberg.io, discard_deleted=True)
        ),
    }


def _left_by_killed(dataset: Dataset, storage: StorageBackend) -> dict[str, FileInfo]:
    """Drafts, and raw files that no manifest names."""
    left = RawZone(storage).unlisted_files(dataset.name)
    for folder in write_folders(dataset, storage):
        drafts = set(storage.temporary_files(folder))
        left |= {path: file for path, file in storage.files(folder).items() if path in drafts}
    return left


def _of_old_runs(
    dataset: Dataset, storage: StorageBackend, runs: Collection[str | None], oldest: datetime
) -> dict[str, FileInfo]:
    """Quarantines, and records of what checks found, of runs of which no release is kept."""
    found: dict[str, FileInfo] = {}
    for zone in (QUARANTINE, RELEASES):
        folder = storage.path(zone, dataset.name)
        for path, file in storage.files(folder).items():
            run = path.removeprefix(f"{folder}/").split("/")[0].removesuffix(".json")
            if file.modified_at < oldest and run not in {*runs, NEWEST, SEQUENCES, POINTERS}:
                found[path] = file
    return found
