"""Clearing away what killed and refused runs left behind. Never a file that a snapshot names."""

from __future__ import annotations

import logging

from nequi_lake.datasets.spec import Dataset
from nequi_lake.lake.catalog import LakeCatalog
from nequi_lake.lake.storage import Storage

log = logging.getLogger(__name__)


def remove_orphans(dataset: Dataset, catalog: LakeCatalog, storage: Storage) -> int:
    """Remove the staged files that no snapshot has, and say how many runs they were of; and drafts of killed writers.

    Only for a run that has the dataset to itself: another run's stage would look like an orphan.
    """
    for zone in ("raw", "quarantine", "profiling_reports"):
        for draft in storage.drafts(storage.path(zone, dataset.name)):
            storage.remove(draft)
    removed = 0
    for table in dataset.tables:
        folder = storage.path("processed", dataset.name, table.name, "data")
        for run_id in set(storage.list(folder)) - catalog.run_ids(dataset.name, table.name):
            storage.remove(f"{folder}/{run_id}")
            removed += 1
    if removed:
        log.info("%s: cleared away what %d unfinished stages had left", dataset.name, removed)
    return removed
