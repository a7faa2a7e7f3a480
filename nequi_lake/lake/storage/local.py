"""A lake in a folder of this machine."""

from __future__ import annotations

import getpass
import logging
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.fs
from filelock import FileLock, Timeout
from fsspec import AbstractFileSystem

from nequi_lake.errors import NequiLakeError
from nequi_lake.lake.storage.base import DatasetLock

log = logging.getLogger(__name__)

_DRAFT = ".draft"


class Folder:
    """A folder.

    Args:
        uri: its absolute path.
    """

    scheme = ""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._fs: AbstractFileSystem = fsspec.filesystem("file", auto_mkdir=True)

    def filesystem(self) -> AbstractFileSystem:
        return self._fs

    def arrow_filesystem(self) -> pyarrow.fs.FileSystem:
        return pyarrow.fs.LocalFileSystem()

    def polars_scan(self) -> dict[str, Any]:
        return {}

    def polars_sink(self) -> dict[str, Any]:
        return {"mkdir": True}

    def iceberg_properties(self) -> dict[str, str]:
        return {}

    def client_arguments(self) -> dict[str, Any] | None:
        return None

    def is_there(self) -> bool:
        return Path(self.uri).is_dir()

    def reach(self) -> str:
        return f"a folder of this machine, as {getpass.getuser()}"

    def link(self, path: str) -> str:
        return Path(path).as_uri()

    def write(self, path: str, content: bytes) -> None:
        with self._draft(path) as draft:
            self._fs.pipe_file(draft, content)

    def take(self, local: Path, path: str) -> None:
        with self._draft(path) as draft:
            shutil.move(local, draft)

    def drafts(self, folder: str, /) -> list[str]:
        return sorted(map(str, Path(folder).rglob(f".*{_DRAFT}")))

    def prune(self, path: str) -> None:
        folder = Path(path)
        while folder != Path(self.uri) and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent

    def scratch_folder(self, name: str) -> Path:
        return Path(self.uri) / ".scratch" / name

    @contextmanager
    def alone(self, name: str, wait_s: float) -> Iterator[DatasetLock]:
        """As :meth:`Place.alone`, on this machine.

        The operating system holds the lock for the process, so that a run that was killed leaves none behind.
        """
        folder = Path(self.uri) / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("%s: another run is at work on it; waiting for it to end", name)
            try:
                lock.acquire(timeout=wait_s, poll_interval=0.2)
            except Timeout:
                raise NequiLakeError(
                    f"Another run has been at work on {name} for more than {wait_s} s.",
                    where=lock.lock_file,
                    fix="Wait for it, or end it, and run this one again.",
                ) from None
        try:
            yield DatasetLock()
        finally:
            lock.release()

    @contextmanager
    def _draft(self, path: str) -> Iterator[str]:
        """A name to write under, which becomes ``path`` at the end of the block, or nothing where the block fails."""
        folder, name = path.rsplit("/", 1)
        self._fs.makedirs(folder, exist_ok=True)
        draft = Path(folder) / f".{name}.{uuid.uuid4().hex}{_DRAFT}"
        try:
            yield str(draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
