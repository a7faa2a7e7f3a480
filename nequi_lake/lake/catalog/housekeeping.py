"""Removes what killed and refused runs left. Never a file that a snapshot names."""

from __future__ import annotations

import logging

from nequi_lake.datasets.spec import Dataset
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.layout import QUARANTINE, RAW, RELEASES, REPORTS, data_folder
from nequi_lake.lake.storage import StorageBackend

log = logging.getLogger(__name__)


def write_folders(dataset: Dataset, storage: StorageBackend) -> list[str]:
    """Return the dataset's folders into which files are written atomically."""
    return [storage.path(zone, dataset.name) for zone in (RAW, QUARANTINE, RELEASES, REPORTS)]


def remove_temporary_files(dataset: Dataset, storage: StorageBackend) -> None:
    """Remove temporary files of killed writers. The caller holds the dataset's lock; others may write."""
    for folder in write_folders(dataset, storage):
        for draft in storage.temporary_files(folder):
            storage.remove(draft)


def remove_orphans(dataset: Dataset, catalog: LakeCatalog, storage: StorageBackend) -> int:
    """Remove staged files that no snapshot names, and temporary files; return the number of runs that left them.

    Only for a run that has the dataset to itself: another run's stage would look like an orphan.
    """
    remove_temporary_files(dataset, storage)
    removed = 0
    for table in dataset.relations:
        folder = data_folder(storage, table.zone, dataset.name, table.name)
        for run_id in set(storage.list(folder)) - catalog.run_ids(dataset.name, table.name):
            storage.remove(f"{folder}/{run_id}")
            removed += 1
    if removed:
        log.info("%s: cleared away what %d unfinished stages had left", dataset.name, removed)
    return removed
