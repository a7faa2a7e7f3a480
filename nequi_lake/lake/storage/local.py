"""A lake in a folder of this machine."""

from __future__ import annotations

import errno
import getpass
import logging
import os
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

from nequi_lake.errors import LockLostError, NequiLakeError
from nequi_lake.lake.storage.base import Lock, StorageBackend

log = logging.getLogger(__name__)

_TEMPORARY = ".draft"


class LocalStorage(StorageBackend):
    """A folder.

    Args:
        uri: its absolute path.
    """

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self._filesystem: AbstractFileSystem = fsspec.filesystem("file", auto_mkdir=True)

    @property
    def filesystem(self) -> AbstractFileSystem:
        return self._filesystem

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

    def exists_root(self) -> bool:
        return Path(self.uri).is_dir()

    def check_access(self) -> str:
        return f"a folder of this machine, as {getpass.getuser()}"

    def _check_creatable(self) -> str:
        wanted = Path(self.uri)
        above = next(folder for folder in wanted.parents if folder.exists())
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(above))
        if not os.access(above, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(above))
        return f"a folder can be made in {above}"

    def link(self, path: str) -> str:
        return Path(path).as_uri()

    def write(self, path: str, content: bytes) -> None:
        with self._temporary(path) as temporary:
            self._filesystem.pipe_file(temporary, content)

    def upload(self, local: Path, path: str) -> None:
        with self._temporary(path) as temporary:
            shutil.move(local, temporary)

    def temporary_files(self, folder: str) -> list[str]:
        return sorted(map(str, Path(folder).rglob(f".*{_TEMPORARY}")))

    def scratch_folder(self, name: str) -> Path:
        return Path(self.uri) / ".scratch" / name

    def _prune(self, folder: str) -> None:
        empty = Path(folder)
        while empty != Path(self.uri) and empty.is_dir() and not any(empty.iterdir()):
            empty.rmdir()
            empty = empty.parent

    @contextmanager
    def _lock(self, name: str, wait_s: float) -> Iterator[Lock]:
        """The operating system holds the lock for the process, so a run that was killed leaves none behind."""
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
        path = Path(lock.lock_file)
        held = _identity(path)
        try:
            yield Lock(name, lambda: _check(name, path, held))
        finally:
            lock.release()

    @contextmanager
    def _temporary(self, path: str) -> Iterator[str]:
        """A name to write under, which becomes ``path`` at the end of the block, or nothing where the block fails."""
        folder, name = path.rsplit("/", 1)
        self._filesystem.makedirs(folder, exist_ok=True)
        temporary = Path(folder) / f".{name}.{uuid.uuid4().hex}{_TEMPORARY}"
        try:
            yield str(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int] | None:
    """What distinguishes a file from another one of the same name; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _check(name: str, path: Path, held: tuple[int, int] | None) -> None:
    """Raise where the file of a held lock was removed: another run may have locked a new one of its name."""
    if held is None or _identity(path) != held:
        raise LockLostError(
            f"The lock of {name} was removed while this run held it, so another run may be at work too.",
            where=str(path),
            fix="Nothing more was published. Leave the folder .locks alone, and run it again.",
        )
