"""Where everything is in a lake: its zones, the path of each file, its identity and the number of this format.

lake.json                                              identity and format number
raw/<dataset>/version=<v>/<file>                       raw files and their manifests
processed/<dataset>/<table>/data/<run>/…               tables made of raw records; marts/ likewise
quarantine/<dataset>/<run>/<raw file>/<part>.parquet   quarantined raw records
releases/<dataset>/<run>.json                          what the checks of a release found
releases/<dataset>/sequences.json                      the highest sequence committed of each release group
releases/<dataset>/pointers.json                       the metadata that the catalog has of each relation
profiling_reports/<dataset>/<relation>.<ending>        reports, beside index.html and dictionary.html
catalog.db                                             the catalog of a local lake, where no other one is named
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass

from nequi_lake.datasets.relation import RAW_ZONE, Mart, Table
from nequi_lake.errors import CatalogError
from nequi_lake.lake.storage import StorageBackend

FORMAT = 2
"""The number of the format that this code reads and writes. Lakes without ``lake.json`` have an older one."""

RAW, PROCESSED, MARTS = RAW_ZONE, Table.zone, Mart.zone
SEQUENCES, POINTERS = "sequences", "pointers"
QUARANTINE, RELEASES, REPORTS = "quarantine", "releases", "profiling_reports"
_IDENTITY = "lake.json"


@dataclass(frozen=True, kw_only=True)
class LakeIdentity:
    """What a lake is.

    Attributes:
        id: unique; stays the same for the life of the lake.
        format: the number of the format in which it is written.
    """

    id: str
    format: int


def raw_folder(storage: StorageBackend, dataset: str) -> str:
    """The folder of a dataset's raw versions."""
    return storage.path(RAW, dataset)


def relation_folder(storage: StorageBackend, zone: str, dataset: str, relation: str) -> str:
    """The folder of a table or mart: the location of its Iceberg table."""
    return storage.path(zone, dataset, relation)


def data_folder(storage: StorageBackend, zone: str, dataset: str, relation: str, run_id: str | None = None) -> str:
    """The folder of a relation's Parquet files; or of those that one attempt of a run staged."""
    return "/".join((relation_folder(storage, zone, dataset, relation), "data", *([run_id] if run_id else [])))


def quarantine_folder(storage: StorageBackend, dataset: str, *parts: str) -> str:
    """The folder of a dataset's quarantine; of one run, and of one raw file in it, where they are given."""
    return storage.path(QUARANTINE, dataset, *parts)


def release_record(storage: StorageBackend, dataset: str, run_id: str) -> str:
    """The path of what the checks found of the release that an attempt of a run staged."""
    return storage.path(RELEASES, dataset, f"{run_id}.json")


def metadata_folder(storage: StorageBackend, zone: str, dataset: str, relation: str) -> str:
    """The folder of a relation's Iceberg metadata."""
    return f"{relation_folder(storage, zone, dataset, relation)}/metadata"


def sequences_record(storage: StorageBackend, dataset: str) -> str:
    """The path of the highest sequence that was committed of each of a dataset's release groups."""
    return release_record(storage, dataset, SEQUENCES)


def pointers_record(storage: StorageBackend, dataset: str) -> str:
    """The path of the record of which metadata the catalog has of each of a dataset's relations."""
    return release_record(storage, dataset, POINTERS)


def report_path(storage: StorageBackend, dataset: str, relation: str, ending: str) -> str:
    """The path of a relation's profiling report, as ``html``, ``json`` or ``csv``."""
    return storage.path(REPORTS, dataset, f"{relation}.{ending}")


def read_identity(storage: StorageBackend) -> LakeIdentity | None:
    """The lake's identity; None where nothing has been written into it yet.

    Raises:
        CatalogError: the lake is of another format, so it has to be made again.
    """
    recorded = storage.find_json(storage.path(_IDENTITY))
    if recorded is not None:
        found = LakeIdentity(**recorded)
        if found.format != FORMAT:
            raise _other_format(storage, f"format {found.format}")
        return found
    if any(storage.list(storage.path(zone)) for zone in (PROCESSED, RAW)):
        raise _other_format(storage, f"no {_IDENTITY}, so it is of a format before {FORMAT}")
    return None


def ensure_identity(storage: StorageBackend) -> LakeIdentity:
    """The lake's identity, written now where nothing has been written into the lake yet.

    Raises:
        CatalogError: the lake is of another format.
    """
    found = read_identity(storage)
    if found:
        return found
    with storage.lock("lake"):
        # Another process may have written it in the meantime.
        found = read_identity(storage) or LakeIdentity(id=uuid.uuid4().hex, format=FORMAT)
        storage.write(storage.path(_IDENTITY), json.dumps(asdict(found), indent=2).encode())
        return found


def _other_format(storage: StorageBackend, what: str) -> CatalogError:
    return CatalogError(
        f"This lake was made by another version of nequi_lake: it has {what}; this version needs format {FORMAT}.",
        where=storage.uri,
        fix="Make it again: move the folder away and run nequi-lake run, or name another place in NEQUI_LAKE_URI. "
        "The raw files in it are as they came, and can be a source (NEQUI_LAKE_SOURCE).",
    )
