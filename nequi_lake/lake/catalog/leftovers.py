"""What stays in a lake though nothing declares or needs it: tables that are declared no longer, and old raw versions.

Maintenance lists them, and removes them only where a person asks for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from nequi_lake.datasets.spec import Dataset
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.catalog.commits import commits_of
from nequi_lake.lake.layout import MARTS, PROCESSED, raw_folder, relation_folder
from nequi_lake.lake.raw import MANIFEST, RawZone
from nequi_lake.lake.storage import StorageBackend

TABLE, RAW_VERSION = "table", "raw version"
_YOUNG = timedelta(days=7)
"""A raw version that came so lately is not old, whatever became of it."""
_VERSION = "version="


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something that nothing declares or needs.

    Attributes:
        kind: :data:`TABLE` or :data:`RAW_VERSION`.
        dataset: whose.
        name: of the table, or of the version.
        size_bytes: of all its files.
        folders: where they are.
    """

    kind: str
    dataset: str
    name: str
    size_bytes: int
    folders: tuple[str, ...]

    def __str__(self) -> str:
        if self.kind == TABLE:
            return f"{self.dataset}.{self.name} is declared no longer"
        return f"the raw version {self.name} of {self.dataset} is older, and no kept release needs it"


def leftovers(
    datasets: Mapping[str, Dataset],
    broken: Collection[str],
    catalog: LakeCatalog,
    storage: StorageBackend,
    now: datetime | None = None,
) -> list[Leftover]:
    """Look for what nothing declares or needs.

    Args:
        datasets: all that are declared.
        broken: names of modules that cannot be loaded: what is theirs is not undeclared.
        catalog: the lake's.
        storage: the lake's.
        now: the time from which ages count; this moment by default.
    """
    if not storage.exists_root():
        return []
    oldest = (now or datetime.now(UTC)) - _YOUNG
    found = list(_undeclared_tables(datasets, broken, catalog, storage))
    for dataset in datasets.values():
        found += _old_raw_versions(dataset, catalog, storage, oldest)
    return found


def remove_leftover(leftover: Leftover, catalog: LakeCatalog, storage: StorageBackend) -> None:
    """Remove it; holds the dataset's lock while it does. Killed in the middle, it is listed and removed again."""
    with storage.lock(leftover.dataset):
        if leftover.kind == TABLE:
            # The catalog forgets it first, so that no reader is led to files that are gone.
            catalog.forget(leftover.dataset, leftover.name)
        for folder in leftover.folders:
            manifests = [path for path in storage.files(folder) if path.endswith(MANIFEST)]
            # A raw file without its manifest was never kept.
            storage.remove_files(manifests)
            storage.remove(folder)


def _undeclared_tables(
    datasets: Mapping[str, Dataset], broken: Collection[str], catalog: LakeCatalog, storage: StorageBackend
) -> Iterator[Leftover]:
    there: dict[tuple[str, str], set[str]] = {}
    for zone in (PROCESSED, MARTS):
        for dataset in storage.list(storage.path(zone)):
            for table in storage.list(storage.path(zone, dataset)):
                there.setdefault((dataset, table), set()).add(relation_folder(storage, zone, dataset, table))
    for dataset, table in catalog.names():
        there.setdefault((dataset, table), set())
    for (dataset, table), folders in sorted(there.items()):
        declared = datasets.get(dataset)
        # A module that cannot be loaded may be that of any dataset without a declaration.
        if (broken and not declared) or (declared and table in {relation.name for relation in declared.relations}):
            continue
        yield Leftover(
            kind=TABLE,
            dataset=dataset,
            name=table,
            size_bytes=_size_bytes(storage, folders),
            folders=tuple(sorted(folders)),
        )


def _old_raw_versions(
    dataset: Dataset, catalog: LakeCatalog, storage: StorageBackend, oldest: datetime
) -> Iterator[Leftover]:
    needed = {RawZone(storage).current_version(dataset.name)}
    for relation in dataset.relations:
        iceberg = catalog.iceberg(dataset.name, relation.name)
        needed |= {commit.release.raw_version for commit in commits_of(iceberg)} if iceberg else set()
    for version in [each for each in needed if each]:
        # What a delivery added lies in the version that it made.
        kept = RawZone(storage).files_of_version(dataset, version).values()
        needed |= {part.kept_in for file in kept for part in file.parts}
    for name in storage.list(raw_folder(storage, dataset.name)):
        folder = f"{raw_folder(storage, dataset.name)}/{name}"
        if not name.startswith(_VERSION) or name.removeprefix(_VERSION) in needed:
            continue
        if all(file.modified_at < oldest for file in storage.files(folder).values()):
            yield Leftover(
                kind=RAW_VERSION,
                dataset=dataset.name,
                name=name.removeprefix(_VERSION),
                size_bytes=_size_bytes(storage, [folder]),
                folders=(folder,),
            )


def _size_bytes(storage: StorageBackend, folders: Collection[str]) -> int:
    return sum(file.size_bytes for folder in folders for file in storage.files(folder).values())
