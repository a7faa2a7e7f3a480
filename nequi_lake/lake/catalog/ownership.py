"""Is this catalog the lake's? One of another lake, or with less than the lake recorded of its commits, is refused.

Nothing of a lake is read, changed or removed on the word of a catalog that was not checked here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from pyiceberg.table import StaticTable
from pyiceberg.table import Table as IcebergTable

from nequi_lake.datasets.spec import Dataset, ReleaseGroup
from nequi_lake.errors import CatalogError
from nequi_lake.lake.catalog.commits import commits_of
from nequi_lake.lake.layout import metadata_folder, pointers_record, read_identity, sequences_record
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import StorageBackend, open_storage

LAKE_ID = "nequi.lake"
"""The property of an Iceberg table that has the id of its lake."""
MOVED = (
    "If the lake was copied or moved here, write its metadata anew: nequi-lake catalog rebuild --moved. Else, is "
    "NEQUI_LAKE_URI the lake that you mean?"
)
"""What to do where metadata or the catalog has a table in another place."""


class MetadataGoneError(CatalogError):
    """The catalog names metadata of this lake that is no longer there, as an older copy of a catalog does."""


_CATALOG = (
    "Is NEQUI_LAKE_URI the lake that you mean, and do NEQUI_LAKE_CATALOG and NEQUI_LAKE_CATALOG_URI name its catalog? "
    "If the catalog was lost or set back, make it anew from the lake itself: nequi-lake catalog rebuild"
)


def explain_missing(missing: FileNotFoundError, name: str, storage: StorageBackend) -> CatalogError:
    """What it means that the metadata is not there which the catalog names of a relation."""
    where = str(missing.filename or missing)
    if f"{storage.uri.removeprefix('s3://')}/" in where:
        return MetadataGoneError(
            f"The catalog names metadata of {name} that is not there: it is older than the lake, or of another one.",
            where=where,
            fix=_CATALOG,
        )
    return CatalogError(f"The catalog has {name} in a place where it is not.", where=where, fix=MOVED)


def require_same_lake(iceberg: IcebergTable, name: str, lake_id: str | None, storage: StorageBackend) -> None:
    """Check that a table in the catalog is this lake's.

    Raises:
        CatalogError: it lies in another lake, or was made by one that lay here before.
    """
    if not iceberg.location().startswith(storage.uri + "/"):
        raise CatalogError(
            f"The catalog of this lake has {name} in another lake.",
            where=iceberg.location(),
            fix=MOVED,
        )
    if iceberg.properties.get(LAKE_ID) not in (None, lake_id):
        raise CatalogError(f"The catalog's {name} is of another lake than lies here.", where=storage.uri, fix=_CATALOG)


def require_apart(settings: Settings, storage: StorageBackend, lake_id: str | None, former: str) -> None:
    """Check that the catalog of a lake that was copied is not that of the lake it was copied from.

    Args:
        settings: those of the copy.
        storage: where the copy is.
        lake_id: the id that both have.
        former: where the other lake was, or is.

    Raises:
        CatalogError: that lake is still there, and the catalog is not in the copy's folder.
    """
    if f"{storage.uri}/" in settings.catalog_uri:
        return
    original = read_identity(open_storage(replace(settings, uri=former)))
    if original and original.id == lake_id:
        raise CatalogError(
            "The lake was copied from one that is still there, and this may be its catalog.",
            where=former,
            fix="Name another database for the copy: NEQUI_LAKE_CATALOG=sql and NEQUI_LAKE_CATALOG_URI.",
        )


def recorded_sequences(storage: StorageBackend, dataset: str) -> Mapping[str, int]:
    """The highest sequence that was committed of each release group, by the group's name, as the lake recorded it."""
    return storage.find_json(sequences_record(storage, dataset)) or {}


def record_sequence(storage: StorageBackend, dataset: str, group: str, sequence: int) -> None:
    """Record that a relation of a release group was committed in a sequence; the highest one stays."""
    recorded = recorded_sequences(storage, dataset)
    if recorded.get(group, 0) < sequence:
        storage.write(sequences_record(storage, dataset), json.dumps({**recorded, group: sequence}).encode())


def recorded_pointers(storage: StorageBackend, dataset: str) -> Mapping[str, str]:
    """Relation → the path of the metadata that was committed last, as the lake recorded it."""
    found = storage.find_json(pointers_record(storage, dataset)) or {}
    return {relation: storage.path(*pointer.split("/")) for relation, pointer in found.items()}


def record_pointers(storage: StorageBackend, dataset: str, committed: Mapping[str, str]) -> None:
    """Record which metadata of relations was committed, so that their catalog can be made anew from the lake."""
    recorded = recorded_pointers(storage, dataset)
    if {**recorded, **committed} != recorded:
        _write_pointers(storage, dataset, {**recorded, **committed})


def forget_pointer(storage: StorageBackend, dataset: str, relation: str) -> None:
    """Forget which metadata of a relation was committed: it is to be gone from the catalog."""
    recorded = recorded_pointers(storage, dataset)
    if relation in recorded:
        _write_pointers(storage, dataset, {name: path for name, path in recorded.items() if name != relation})


def _write_pointers(storage: StorageBackend, dataset: str, pointers: Mapping[str, str]) -> None:
    inside = {relation: path.removeprefix(f"{storage.uri}/") for relation, path in pointers.items()}
    storage.write(pointers_record(storage, dataset), json.dumps(inside).encode())


def require_current(
    dataset: Dataset,
    group: ReleaseGroup,
    tables: Mapping[str, IcebergTable | None],
    recorded: Mapping[str, int],
    pointers: Mapping[str, str],
) -> None:
    """Check that the catalog has what was committed of a release group.

    Args:
        dataset: whose group.
        group: the release group.
        tables: its tables in the catalog.
        recorded: what :func:`recorded_sequences` gave before the tables were loaded.
        pointers: what :func:`recorded_pointers` gave before the tables were loaded.

    Raises:
        CatalogError: the catalog is behind: an empty one, another one, or one that was set back.
    """
    newest = [next(commits_of(table), None) for table in tables.values() if table]
    sequence = max((commit.release.sequence for commit in newest if commit), default=0)
    if sequence < recorded.get(group.name, 0):
        has = f"ends at release {sequence}" if sequence else "has none of its releases"
        raise CatalogError(
            f"The catalog is not that of this lake: {group.name} is at release {recorded[group.name]} here, and the "
            f"catalog {has}. Nothing was changed.",
            where=dataset.name,
            fix=_CATALOG,
        )
    for name, table in tables.items():
        pointer = pointers.get(name)
        if pointer and (table is None or metadata_number(table.metadata_location) < metadata_number(pointer)):
            has = "is behind" if table else "does not have it"
            raise CatalogError(
                f"The catalog is not that of this lake: {dataset.name}.{name} was committed here, and the catalog "
                f"{has}. Nothing was changed.",
                where=pointer,
                fix=_CATALOG,
            )


def tables_beyond(
    iceberg: IcebergTable | None, zone: str, dataset: str, relation: str, storage: StorageBackend
) -> list[StaticTable]:
    """The states of a table that metadata of a higher number than the catalog's describes.

    A commit that was killed leaves such metadata, and a catalog that was set back has all later metadata beyond it.
    A file that was cut while it was written describes nothing.
    """
    current = metadata_number(iceberg.metadata_location) if iceberg else -1
    found = []
    for path in storage.files(metadata_folder(storage, zone, dataset, relation)):
        if path.endswith(".metadata.json") and metadata_number(path) > current:
            with suppress(ValueError):
                found.append(StaticTable.from_metadata(path, dict(storage.iceberg_properties())))
    return found


def metadata_number(metadata: str) -> int:
    """The number of a metadata file, ``<number>-<uuid>.metadata.json``."""
    number = metadata.rpartition("/")[2].partition("-")[0]
    return int(number) if number.isdigit() else -1
