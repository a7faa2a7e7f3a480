"""Removes what killed and refused runs left. Never a file that a snapshot names."""

from __future__ import annotations

import logging
from collections.abc import Collection

from nequi_lake.datasets.spec import Dataset
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.catalog.commits import commits_of
from nequi_lake.lake.catalog.ownership import tables_beyond
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


def remove_orphans(
    dataset: Dataset, catalog: LakeCatalog, storage: StorageBackend, names: Collection[str] | None = None
) -> set[str]:
    """Remove staged files that no snapshot names, and temporary files.

    The caller holds the dataset's lock: another run's stage would look like an orphan. What metadata names that is
    newer than the catalog's stays until a later commit has made it old.

    Args:
        dataset: whose files.
        catalog: the lake's.
        storage: the lake's.
        names: only those of these relations; of all by default.

    Returns:
        The names of the relations of which such files stay.

    Raises:
        CatalogError: the catalog is not the lake's, or behind it; nothing was removed.
    """
    catalog.record_pointers(dataset, names)
    remove_temporary_files(dataset, storage)
    removed, stay = 0, set[str]()
    for table in dataset.relations:
        if names is not None and table.name not in names:
            continue
        folder = data_folder(storage, table.zone, dataset.name, table.name)
        left = set(storage.list(folder)) - catalog.run_ids(dataset.name, table.name)
        iceberg = catalog.iceberg(dataset.name, table.name)
        states = tables_beyond(iceberg, table.zone, dataset.name, table.name, storage) if left else []
        beyond = left & {commit.release.run_id for state in states for commit in commits_of(state)}
        if beyond:
            stay.add(table.name)
        for run_id in left - beyond:
            storage.remove(f"{folder}/{run_id}")
            removed += 1
    if removed:
        log.info("%s: removed what %d unfinished stages had left", dataset.name, removed)
    return stay
