"""The one room that knows how bytes get into and out of the lake's storage, and where that is.

Every write here is atomic for its readers: a name either has the whole content or is not there. Nothing else in the
project opens a file of the lake for writing, but for the engines, which write under names that no reader looks at.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from fsspec import AbstractFileSystem

from nequi_lake.errors import needs_extra
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage.base import DatasetLock, Place
from nequi_lake.lake.storage.local import Folder

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset

LOCK_WAIT_S = 600
"""Seconds that a run waits for another one to be done with a dataset."""


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """What a listing tells of a file."""

    size_bytes: int
    modified_at: datetime


class Storage:
    """Files of the lake, addressed by absolute paths or URIs that :meth:`path` makes.

    Args:
        settings: where the lake is.
    """

    def __init__(self, settings: Settings) -> None:
        self._place = _place(settings)
        self.uri = self._place.uri

    @property
    def _fs(self) -> AbstractFileSystem:
        return self._place.filesystem()

    def path(self, *parts: str) -> str:
        """The absolute path of ``parts`` within the lake."""
        return "/".join((self.uri, *parts))

    def link(self, path: str) -> str:
        """A URL under which a person can open ``path``."""
        return self._place.link(path)

    def is_there(self) -> bool:
        """Whether the folder or bucket is there in which the lake is or may be made."""
        return self._place.is_there()

    def reach(self) -> str:
        """Ask the storage for entry, and say as whom it was given, for a person.

        Raises:
            UsageError: there is no such bucket, or no entry.
        """
        return self._place.reach()

    def exists(self, path: str) -> bool:
        """Whether a file or folder of that name is there."""
        return bool(self._fs.exists(path))

    def missing(self, paths: Sequence[str]) -> list[str]:
        """Those of the files that are not there, found by one listing."""
        if not paths:
            return []
        folders = zip(*(path.split("/")[:-1] for path in paths), strict=False)
        folder = "/".join(parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, folders))
        there = self.files(folder)
        return [path for path in paths if path not in there]

    def open(self, path: str) -> BinaryIO:
        """Open a file of the lake for reading bytes."""
        return cast(BinaryIO, self._fs.open(path, "rb"))

    def open_lines(self, path: str) -> BinaryIO:
        """Open a file of the lake for reading its bytes line by line, for which a file on S3 needs a buffer."""
        return cast(BinaryIO, io.BufferedReader(self._fs.open(path, "rb"), 2**20))

    def read(self, path: str) -> bytes:
        """The whole content of a small file."""
        return cast(bytes, self._fs.cat_file(path))

    def write(self, path: str, content: bytes) -> None:
        """Write a small file, whole or not at all."""
        self._place.write(path, content)

    def take(self, local: Path, path: str) -> None:
        """Move a local file into the lake, whole or not at all. ``local`` is gone afterwards."""
        self._place.take(local, path)

    def size(self, path: str) -> int | None:
        """A file's length in bytes; None where it is not there."""
        return int(self._fs.size(path)) if self._fs.isfile(path) else None

    def remove(self, path: str) -> None:
        """Remove a file, or a folder and all in it; nothing where it is not there."""
        if self._fs.exists(path):
            self._fs.rm(path, recursive=True)

    def drafts(self, path: str) -> Sequence[str]:
        """What writers have begun below a folder and not ended; where nobody is at work, what killed ones left."""
        return self._place.drafts(path)

    def list(self, path: str) -> list[str]:
        """The names in a folder, in order; none where it is not there."""
        if not self._fs.isdir(path):
            return []
        return sorted(str(name).rsplit("/", 1)[-1] for name in self._fs.ls(path, detail=False))

    def files(self, path: str) -> dict[str, FileFacts]:
        """Every file below a folder, by its path; none where the folder is not there."""
        found = self._fs.find(path, detail=True)
        return {
            self._place.scheme + str(name): FileFacts(size_bytes=int(told["size"] or 0), modified_at=_modified_at(told))
            for name, told in found.items()
        }

    def remove_files(self, paths: Sequence[str]) -> None:
        """Remove files that are there, many at once where the storage can, and the folders that this empties."""
        if paths:
            self._fs.rm(list(paths))
        for folder in {path.rsplit("/", 1)[0] for path in paths}:
            self._place.prune(folder)

    def dataset(
        self, files: Mapping[str, pyarrow.dataset.Expression | None], schema: pa.Schema
    ) -> pyarrow.dataset.Dataset:
        """Parquet files of the lake as one PyArrow dataset, which DuckDB reads too.

        Args:
            files: path → what is true of each of the file's rows, so that a query that asks for other rows does not
                open it; None where nothing is known.
            schema: the columns.
        """
        import pyarrow.dataset

        parquet, filesystem = pyarrow.dataset.ParquetFileFormat(), self._place.arrow_filesystem()
        fragments = [
            parquet.make_fragment(path.removeprefix(self._place.scheme), filesystem, known)
            for path, known in files.items()
        ]
        return pyarrow.dataset.FileSystemDataset(fragments, schema, parquet, filesystem)

    def polars_scan(self) -> dict[str, Any]:
        """Keyword arguments for a Polars scan of the lake's files."""
        return self._place.polars_scan()

    def polars_sink(self) -> dict[str, Any]:
        """Keyword arguments for a Polars sink into the lake."""
        return self._place.polars_sink()

    def iceberg_properties(self) -> dict[str, str]:
        """Properties with which a PyIceberg catalog reads and writes the lake's files."""
        return self._place.iceberg_properties()

    def client_arguments(self) -> dict[str, Any] | None:
        """Region and endpoint of a boto3 client that reaches the lake; None where it is in a folder."""
        return self._place.client_arguments()

    def alone(self, name: str) -> AbstractContextManager[DatasetLock]:
        """Keep other runs out of ``name`` for the time of the block; wait for one that is in it.

        Raises:
            NequiLakeError: the other run was not done after :data:`LOCK_WAIT_S`.
        """
        return self._place.alone(name, LOCK_WAIT_S)

    def scratch_folder(self, name: str) -> Path:
        """The local folder that :meth:`scratch` makes."""
        return self._place.scratch_folder(name)

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """An empty local folder from which :meth:`take` is cheap; removed at the end, or by the next run of ``name``.

        Only for a run that is :meth:`alone` with ``name``.
        """
        folder = self.scratch_folder(name)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _modified_at(told: Mapping[str, Any]) -> datetime:
    """Local listings give seconds since 1970, those of S3 a time."""
    modified = told["LastModified"] if "LastModified" in told else datetime.fromtimestamp(told["mtime"], UTC)
    return cast(datetime, modified)


def _place(settings: Settings) -> Place:
    if not settings.uri.startswith("s3://"):
        return Folder(settings.uri)
    with needs_extra("aws"):
        from nequi_lake.lake.storage.s3 import Bucket

    return Bucket(settings.uri, encryption=settings.encryption)
