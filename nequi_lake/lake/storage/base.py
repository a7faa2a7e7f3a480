"""What the lake asks of a place that keeps its files. One module a kind of place, and no other module knows which."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import pyarrow.fs
from fsspec import AbstractFileSystem


class DatasetLock:
    """The hold on a name."""

    def check(self) -> None:
        """Raise where it is lost."""


class Place(Protocol):
    """A folder or a bucket's prefix, and how each library is told to reach it."""

    uri: str
    """The lake's address, without a slash at its end."""

    def filesystem(self) -> AbstractFileSystem:
        """It as fsspec knows it."""
        ...

    scheme: str
    """What a path begins with here, which PyArrow and fsspec leave out of theirs."""

    def arrow_filesystem(self) -> pyarrow.fs.FileSystem:
        """It as PyArrow knows it."""
        ...

    def polars_scan(self) -> dict[str, Any]:
        """Keyword arguments of a Polars scan, so that it can read here."""
        ...

    def polars_sink(self) -> dict[str, Any]:
        """Keyword arguments of a Polars sink, so that it can write here."""
        ...

    def iceberg_properties(self) -> dict[str, str]:
        """Properties of a PyIceberg catalog, so that it can read and write here."""
        ...

    def client_arguments(self) -> dict[str, Any] | None:
        """Region and endpoint of a boto3 client that reaches it; None where it is no bucket."""
        ...

    def is_there(self) -> bool:
        """Whether there is a place at all in which a lake may be."""
        ...

    def reach(self) -> str:
        """Ask for entry, and say as whom it was given, for a person.

        Raises:
            UsageError: there is no such place, or no entry.
        """
        ...

    def link(self, path: str) -> str:
        """A URL under which a person can open ``path``."""
        ...

    def write(self, path: str, content: bytes) -> None:
        """Write a small file, whole or not at all."""
        ...

    def take(self, local: Path, path: str) -> None:
        """Move a local file here, whole or not at all."""
        ...

    def drafts(self, folder: str, /) -> list[str]:
        """What writers have begun below a folder and not ended: of those at work, and of those that were killed."""
        ...

    def prune(self, path: str) -> None:
        """Remove a folder and those around it as far as they are empty."""
        ...

    def scratch_folder(self, name: str) -> Path:
        """A local folder for work under way on ``name``, from which :meth:`take` is cheap."""
        ...

    def alone(self, name: str, wait_s: float) -> AbstractContextManager[DatasetLock]:
        """Keep every other run out of ``name`` for the time of the block; wait for one that is in it.

        Raises:
            NequiLakeError: the other run was not done after ``wait_s``.
        """
        ...
