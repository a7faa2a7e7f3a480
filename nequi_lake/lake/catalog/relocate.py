"""Makes the metadata of a table right again in another place: Iceberg's metadata names every file by its whole path.

A new set of metadata is written beside the old one: the same snapshots of the same files, by their paths here. What the
old set names is neither read nor changed.
"""

from __future__ import annotations

import uuid

from pyiceberg.avro.file import AvroFile, AvroOutputFile
from pyiceberg.io import FileIO, load_file_io
from pyiceberg.serializers import ToOutputFile
from pyiceberg.table import StaticTable
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.typedef import Record
from pyiceberg.types import StructType

from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.errors import CatalogError
from nequi_lake.lake.catalog.ownership import metadata_number
from nequi_lake.lake.layout import metadata_folder, relation_folder
from nequi_lake.lake.storage import StorageBackend

_SCHEMA = "avro.schema"


def former_place(iceberg: StaticTable, dataset: Dataset, relation: Relation, storage: StorageBackend) -> str:
    """The lake in which a table's metadata says that it lies.

    Raises:
        CatalogError: it is in no lake of this layout.
    """
    inside = relation_folder(storage, relation.zone, dataset.name, relation.name).removeprefix(storage.uri)
    if not iceberg.location().endswith(inside):
        raise CatalogError(
            f"The metadata of {dataset.name}.{relation.name} says that it lies in another folder of a lake.",
            where=iceberg.location(),
            fix="Bring the lake's files back from a backup.",
        )
    return iceberg.location().removesuffix(inside)


def relocate(iceberg: StaticTable, dataset: Dataset, relation: Relation, storage: StorageBackend) -> str:
    """Write metadata of a table that was copied or moved here, with all of its snapshots; the path of it.

    Nothing names it yet, and what was written by a call that was killed is named by nothing ever.

    Raises:
        CatalogError: a file that the metadata names is of no lake, or of another one.
    """
    folder = metadata_folder(storage, relation.zone, dataset.name, relation.name)
    move = _Move(former_place(iceberg, dataset, relation, storage), storage, folder)
    metadata = iceberg.metadata.model_copy(
        update={
            "location": move.path(iceberg.location()),
            "snapshots": [move.snapshot(snapshot) for snapshot in iceberg.snapshots()],
            # Earlier metadata is of the former place.
            "metadata_log": [],
            "statistics": [],
            "partition_statistics": [],
        }
    )
    number = 1 + max((metadata_number(path) for path in storage.files(folder)), default=-1)
    path = f"{folder}/{number:05d}-{uuid.uuid4()}.metadata.json"
    ToOutputFile.table_metadata(metadata, move.io.new_output(path))
    return path


class _Move:
    """The files of a table by their paths in the place where they are now.

    Args:
        former: the lake in which the metadata says that they are.
        storage: the lake in which they are.
        folder: where new metadata is written.
    """

    def __init__(self, former: str, storage: StorageBackend, folder: str) -> None:
        self._former, self._storage, self._folder = former, storage, folder
        self.io: FileIO = load_file_io(storage.iceberg_properties(), storage.uri)
        # Snapshots share manifests.
        self._manifests: dict[str, tuple[str, int]] = {}

    def path(self, path: str) -> str:
        if not path.startswith(f"{self._former}/"):
            raise CatalogError(
                "The metadata names a file that is not of the lake that was copied or moved here.",
                where=path,
                fix="Bring the lake's files back from a backup.",
            )
        return self._storage.uri + path.removeprefix(self._former)

    def snapshot(self, snapshot: Snapshot) -> Snapshot:
        return snapshot.model_copy(update={"manifest_list": self._rewrite(snapshot.manifest_list, "manifest_file")[0]})

    def _rewrite(self, path: str, kind: str) -> tuple[str, int]:
        """Write a manifest, or a list of them, anew; its new path and size. All but the paths stays as it is."""
        with AvroFile[Record](self.io.new_input(self.path(path))) as old:
            schema, meta = old.schema, dict(old.header.meta)
            records = list(old)
        position = {field.name: number for number, field in enumerate(schema.fields)}
        for record in records:
            if kind == "manifest_file":
                manifest = record[position["manifest_path"]]
                if manifest not in self._manifests:
                    self._manifests[manifest] = self._rewrite(manifest, "manifest_entry")
                record[position["manifest_path"]], record[position["manifest_length"]] = self._manifests[manifest]
            else:
                kind_of_file = schema.find_type("data_file")
                assert isinstance(kind_of_file, StructType)
                number = [field.name for field in kind_of_file.fields].index("file_path")
                file = record[position["data_file"]]
                file[number] = self.path(file[number])
        del meta[_SCHEMA]
        written = self.io.new_output(f"{self._folder}/{uuid.uuid4()}-moved.avro")
        with AvroOutputFile[Record](written, schema, kind, metadata=meta) as new:
            new.write_block(records)
        return written.location, len(written)
