"""What the lake asks of the storage that keeps its files. One module per kind of storage, and no other knows which.

Every write here is atomic for its readers: a name either has the whole content or does not exist. Nothing else in the
project opens a file of the lake for writing, but for the engines, which write under names that no reader looks at.
"""

from __future__ import annotations

import io
import json
import shutil
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pyarrow.fs
from fsspec import AbstractFileSystem

from nequi_lake.errors import StorageError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset

LOCK_WAIT_S = 600
"""Seconds that a run waits for another one to release a lock."""


@dataclass(frozen=True, kw_only=True)
class FileInfo:
    """What a listing says of a file."""

    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True)
class Lock:
    """A lock that is held.

    Attributes:
        name: what it keeps other runs out of.
        check: raises LockLostError where it is no longer this holder's.
    """

    name: str
    check: Callable[[], None]


class StorageBackend(ABC):
    """Files of a lake, addressed by absolute paths or URIs that :meth:`path` makes.

    Args:
        uri: the lake's address, without a slash at its end.
        scheme: what each path begins with, which PyArrow and fsspec leave out of theirs.
    """

    def __init__(self, uri: str, *, scheme: str = "") -> None:
        self.uri = uri
        self._scheme = scheme

    @property
    @abstractmethod
    def filesystem(self) -> AbstractFileSystem:
        """The storage as an fsspec filesystem."""

    @abstractmethod
    def arrow_filesystem(self) -> pyarrow.fs.FileSystem:
        """The storage as a PyArrow filesystem."""

    @abstractmethod
    def polars_scan(self) -> dict[str, Any]:
        """Keyword arguments of a Polars scan of the lake's files."""

    @abstractmethod
    def polars_sink(self) -> dict[str, Any]:
        """Keyword arguments of a Polars sink into the lake."""

    @abstractmethod
    def iceberg_properties(self) -> dict[str, str]:
        """Properties with which a PyIceberg catalog reads and writes the lake's files."""

    @abstractmethod
    def client_arguments(self) -> dict[str, Any] | None:
        """Region and endpoint of a boto3 client that reaches the lake; None where it is in a folder."""

    @abstractmethod
    def exists_root(self) -> bool:
        """Whether the folder or bucket exists in which the lake is or can be made."""

    @abstractmethod
    def check_access(self) -> str:
        """Check that the storage grants access, and return to whom, human-readable.

        Raises:
            UsageError: there is no such bucket, or no access.
        """

    def check_writable(self) -> str:
        """Check that files can be written and removed, and return so in words; nothing of it stays.

        Raises:
            OSError: they cannot.
        """
        if not self.exists_root():
            return self._check_creatable()
        probe = self.path(f".probe-{uuid.uuid4().hex}")
        self.write(probe, b"")
        self.remove(probe)
        return "a file can be written and removed"

    @abstractmethod
    def _check_creatable(self) -> str:
        """As :meth:`check_writable` where there is no root yet."""

    @abstractmethod
    def link(self, path: str) -> str:
        """A URL under which a person can open ``path``."""

    @abstractmethod
    def write(self, path: str, content: bytes) -> None:
        """Write a small file atomically."""

    @abstractmethod
    def upload(self, local: Path, path: str) -> None:
        """Move a local file into the lake atomically. ``local`` no longer exists afterwards."""

    @abstractmethod
    def temporary_files(self, folder: str) -> list[str]:
        """Files below a folder that writers have begun and not finished: of live writers, and of killed ones."""

    @abstractmethod
    def scratch_folder(self, name: str) -> Path:
        """The local folder that :meth:`scratch` makes, from which :meth:`upload` is cheap."""

    @abstractmethod
    def _lock(self, name: str, wait_s: float) -> AbstractContextManager[Lock]:
        """As :meth:`lock`, with the seconds to wait."""

    @abstractmethod
    def _prune(self, folder: str) -> None:
        """Remove a folder and its parents as far as they are empty."""

    def lock(self, name: str) -> AbstractContextManager[Lock]:
        """Hold the lock of ``name`` for the time of the block; wait while another run holds it.

        Raises:
            NequiLakeError: it was still held after :data:`LOCK_WAIT_S`.
        """
        return self._lock(name, LOCK_WAIT_S)

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """An empty local folder; removed at the end, or by the next run of ``name``.

        Only for a run that holds the lock of ``name``.
        """
        folder = self.scratch_folder(name)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def path(self, *parts: str) -> str:
        """The absolute path of ``parts`` within the lake."""
        return "/".join((self.uri, *parts))

    def exists(self, path: str) -> bool:
        """Whether a file or folder of that name exists."""
        return bool(self.filesystem.exists(path))

    def missing(self, paths: Sequence[str]) -> list[str]:
        """Those of the files that do not exist, found by one listing."""
        if not paths:
            return []
        folders = zip(*(path.split("/")[:-1] for path in paths), strict=False)
        folder = "/".join(parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, folders))
        found = self.files(folder)
        return [path for path in paths if path not in found]

    def open(self, path: str) -> BinaryIO:
        """Open a file of the lake for reading bytes."""
        return cast(BinaryIO, self.filesystem.open(path, "rb"))

    def open_lines(self, path: str) -> BinaryIO:
        """Open a file of the lake for reading its bytes line by line, for which a file on S3 needs a buffer."""
        return cast(BinaryIO, io.BufferedReader(self.filesystem.open(path, "rb"), 2**20))

    def read(self, path: str) -> bytes:
        """The whole content of a small file."""
        return cast(bytes, self.filesystem.cat_file(path))

    def find_json(self, path: str) -> Any:
        """The content of a small JSON file; None where it does not exist.

        It is asked for once, and by a request whose refusal says why, as that of a look whether it exists does not.

        Raises:
            StorageError: it holds something else.
        """
        try:
            content = self.read(path)
        except FileNotFoundError:
            return None
        try:
            return json.loads(content)
        except ValueError:
            raise StorageError(
                "A record of the lake holds no JSON: it is damaged, or not the storage answers but a web page.",
                where=path,
                fix="Look into it. Is a proxy or the login page of a network in between? Else bring it back from a "
                "backup.",
            ) from None

    def size(self, path: str) -> int | None:
        """A file's length in bytes; None where it does not exist."""
        return int(self.filesystem.size(path)) if self.filesystem.isfile(path) else None

    def remove(self, path: str) -> None:
        """Remove a file, or a folder and all in it; nothing where it does not exist."""
        if self.filesystem.exists(path):
            self.filesystem.rm(path, recursive=True)

    def list(self, path: str) -> list[str]:
        """The names in a folder, in order; none where it does not exist."""
        if not self.filesystem.isdir(path):
            return []
        return sorted(str(name).rsplit("/", 1)[-1] for name in self.filesystem.ls(path, detail=False))

    def files(self, path: str) -> dict[str, FileInfo]:
        """Every file below a folder, by its path; none where the folder does not exist."""
        found = self.filesystem.find(path, detail=True)
        return {
            self._scheme + str(name): FileInfo(size_bytes=int(info["size"] or 0), modified_at=_modified_at(info))
            for name, info in found.items()
        }

    def remove_files(self, paths: Sequence[str]) -> None:
        """Remove files that exist, many at once where the storage can, and the folders that this empties."""
        if paths:
            self.filesystem.rm([*paths])
        for folder in {path.rsplit("/", 1)[0] for path in paths}:
            self._prune(folder)

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

        parquet, filesystem = pyarrow.dataset.ParquetFileFormat(), self.arrow_filesystem()
        fragments = [
            parquet.make_fragment(path.removeprefix(self._scheme), filesystem, known) for path, known in files.items()
        ]
        return pyarrow.dataset.FileSystemDataset(fragments, schema, parquet, filesystem)


def _modified_at(info: Mapping[str, Any]) -> datetime:
    """Local listings give seconds since 1970, those of S3 a time."""
    modified = info["LastModified"] if "LastModified" in info else datetime.fromtimestamp(info["mtime"], UTC)
    return cast(datetime, modified)
