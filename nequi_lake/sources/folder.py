"""A local folder that holds ``<dataset>/<file>``, loose or in the zip as Kaggle gives it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import SourceError
from nequi_lake.formats import RawFile
from nequi_lake.lake.raw_file import RawPart, sha256_of
from nequi_lake.progress import blocks
from nequi_lake.sources.base import loose_names, no_file, select, zip_names
from nequi_lake.sources.unzip import Limits, unzip

_DROPPED_BYTES = 8 * 2**20


class FolderSource:
    """Datasets in a folder.

    Args:
        folder: holds one folder per dataset.
        zip_max_bytes: what a zip may unpack to at most.
        zip_max_ratio: how many times its size a zip may unpack to.
    """

    def __init__(self, folder: str, *, zip_max_bytes: int, zip_max_ratio: float) -> None:
        self._folder = Path(folder)
        self._limits = Limits(max_bytes=zip_max_bytes, max_ratio=zip_max_ratio)

    is_sample = False

    def describe(self) -> str:
        """The source, human-readable."""
        return f"folder {self._folder}"

    def account(self) -> str:
        """Where it is.

        Raises:
            SourceError: the folder does not exist.
        """
        if not self._folder.is_dir():
            raise SourceError(
                "The folder of the source does not exist.",
                where=str(self._folder),
                fix="Correct NEQUI_LAKE_SOURCE, or make the folder, with a folder per dataset in it.",
            )
        return self.describe()

    def offers(self, dataset: Dataset) -> bool:
        """Whether there is a folder for the dataset."""
        return (self._folder / dataset.name).is_dir()

    def version(self, _dataset: Dataset, /) -> str | None:
        """A folder has no versions: what lies in it may change at any time."""
        return None

    def fetch(self, dataset: Dataset, into: Path) -> list[RawPart]:
        """Copy the dataset's files into ``into``.

        A file is looked for under its name and its aliases, in one piece or in parts, then in ``<file>.zip``, then in
        ``<slug>.zip``.

        Raises:
            SourceError: a file is not there, or its zip is damaged or unsafe.
        """
        return [part for file in dataset.files for part in self._fetch_one(dataset, file, into)]

    def _fetch_one(self, dataset: Dataset, file: RawFile, into: Path) -> list[RawPart]:
        folder = self._folder / dataset.name
        names = [
            path.relative_to(folder).as_posix()
            for pattern in ("*", "*/part-*")
            for path in folder.glob(pattern)
            if path.is_file()
        ]
        found = select(file, loose_names(names), str(folder))
        if found:
            return [self._copy(file, folder / name, into / part, part) for name, part in found.items()]
        for archive in (folder / name for name in zip_names(dataset, file)):
            if archive.is_file() and (unpacked := unzip(archive, file, into, self._limits)):
                digest = sha256_of(archive)
                return [RawPart(file=file.name, name=part, source=str(archive), zip_sha256=digest) for part in unpacked]
        raise no_file(dataset, file, str(folder))

    def _copy(self, file: RawFile, path: Path, target: Path, part: str) -> RawPart:
        target.parent.mkdir(exist_ok=True)
        with path.open("rb") as stream, target.open("wb") as copy:
            copy.writelines(_read_once(stream, blocks(stream, f"copying {path.name}", path.stat().st_size)))
        source = path if part == file.name else path.parent
        return RawPart(file=file.name, name=part, source=str(source))


def _read_once(stream: IO[bytes], content: Iterable[memoryview]) -> Iterator[memoryview]:
    """Yield the content of a file, and drop its pages from the system's cache: the copy needs as many.

    Drops large pieces, as the system keeps all of a folio of which only a part is dropped.
    """
    read = dropped = 0
    for block in content:
        read += len(block)
        if sys.platform == "linux" and read - dropped >= _DROPPED_BYTES:
            os.posix_fadvise(stream.fileno(), dropped, read - dropped, os.POSIX_FADV_DONTNEED)
            dropped = read
        yield block
