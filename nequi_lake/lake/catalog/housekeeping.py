"""Clearing away what killed and refused runs left behind. Never a file that a snapshot names."""

from __future__ import annotations

import logging

from nequi_lake.datasets.spec import Dataset
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.layout import QUARANTINE, RAW, RELEASES, REPORTS, data_folder
from nequi_lake.lake.storage import StorageBackend

log = logging.getLogger(__name__)


def written_in(dataset: Dataset, storage: StorageBackend) -> list[str]:
    """The dataset's folders in which files are written whole, by way of a draft where the storage needs one."""
    return [storage.path(zone, dataset.name) for zone in (RAW, QUARANTINE, RELEASES, REPORTS)]


def remove_temporary_files(dataset: Dataset, storage: StorageBackend) -> None:
    """Remove what killed writers had begun. Only for a run that has the dataset to itself: another's may be at work."""
    for folder in written_in(dataset, storage):
        for draft in storage.temporary_files(folder):
            storage.remove(draft)


def remove_orphans(dataset: Dataset, catalog: LakeCatalog, storage: StorageBackend) -> int:
    """Remove the staged files that no snapshot has, and say how many runs they were of; and drafts of killed writers.

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
