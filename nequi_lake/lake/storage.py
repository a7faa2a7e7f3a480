"""The one place that knows how bytes get into and out of the lake's storage.

Every write here is atomic for its readers: a name either has the whole content or is not there. Nothing else in the
project opens a file of the lake for writing, but for the engines, which write under names that no reader looks at.
"""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import fsspec
from filelock import FileLock, Timeout
from fsspec import AbstractFileSystem

from nequi_lake.errors import NequiLakeError
from nequi_lake.lake.settings import Settings

log = logging.getLogger(__name__)

LOCK_WAIT_S = 600
"""Seconds that a run waits for another one to be done with a dataset."""


class Storage:
    """Files of the lake, addressed by absolute paths that :meth:`path` makes.

    Args:
        settings: where the lake is.
    """

    def __init__(self, settings: Settings) -> None:
        self.uri = settings.uri
        self._fs: AbstractFileSystem = fsspec.filesystem("file", auto_mkdir=True)

    def path(self, *parts: str) -> str:
        """The absolute path of ``parts`` within the lake."""
        return "/".join((self.uri, *parts))

    def link(self, path: str) -> str:
        """A URL under which a person on this machine can open ``path``."""
        return Path(path).as_uri()

    def exists(self, path: str) -> bool:
        """Whether a file or folder of that name is there."""
        return bool(self._fs.exists(path))

    def open(self, path: str) -> BinaryIO:
        """Open a file of the lake for reading bytes."""
        return cast(BinaryIO, self._fs.open(path, "rb"))

    def read(self, path: str) -> bytes:
        """The whole content of a small file."""
        return cast(bytes, self._fs.cat_file(path))

    def write(self, path: str, content: bytes) -> None:
        """Write a small file, whole or not at all."""
        with self._draft(path) as draft:
            self._fs.pipe_file(draft, content)

    def take(self, local: Path, path: str) -> None:
        """Move a local file into the lake, whole or not at all. ``local`` is gone afterwards."""
        with self._draft(path) as draft:
            shutil.move(local, draft)

    def size(self, path: str) -> int | None:
        """A file's length in bytes; None where it is not there."""
        return int(self._fs.size(path)) if self._fs.isfile(path) else None

    def remove(self, path: str) -> None:
        """Remove a file, or a folder and all in it; nothing where it is not there."""
        if self._fs.exists(path):
            self._fs.rm(path, recursive=True)

    def list(self, path: str) -> list[str]:
        """The names in a folder, in order; none where it is not there."""
        if not self._fs.isdir(path):
            return []
        return sorted(str(name).rsplit("/", 1)[-1] for name in self._fs.ls(path, detail=False))

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Keep other runs on this machine out of ``name`` for the time of the block; wait for one that is in it.

        The operating system holds the lock for the process, so that a run that was killed leaves none behind.

        Raises:
            NequiLakeError: the other run was not done after :data:`LOCK_WAIT_S`.
        """
        folder = Path(self.uri) / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("%s: another run is at work on it; waiting for it to end", name)
            try:
                lock.acquire(timeout=LOCK_WAIT_S, poll_interval=0.2)
            except Timeout:
                raise NequiLakeError(
                    f"Another run has been at work on {name} for more than {LOCK_WAIT_S} s.",
                    where=lock.lock_file,
                    fix="Wait for it, or end it, and run this one again.",
                ) from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """An empty local folder from which :meth:`take` is cheap; removed at the end, or by the next run of ``name``.

        Only for a run that is :meth:`alone` with ``name``.
        """
        folder = Path(self.uri) / ".scratch" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _draft(self, path: str) -> Iterator[str]:
        """A name to write under, which becomes ``path`` at the end of the block, or nothing where the block fails."""
        folder, name = path.rsplit("/", 1)
        self._fs.makedirs(folder, exist_ok=True)
        draft = Path(folder) / f".{name}.{uuid.uuid4().hex}.draft"
        try:
            yield str(draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
