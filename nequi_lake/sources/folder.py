"""A local folder that holds ``<dataset>/<file>``, loose or in the zip as Kaggle gives it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import SourceError
from nequi_lake.formats import RawFile
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.lake.raw_file import RawPart, sha256_of
from nequi_lake.progress import blocks
from nequi_lake.sources.delivery import Pick, look_at, plan
from nequi_lake.sources.tree import found_below
from nequi_lake.sources.unzip import members, unzip

_DROPPED_BYTES = 8 * 2**20


class FolderSource:
    """Datasets in a folder.

    Args:
        folder: holds one folder per dataset.
        limits: of what a zip may unpack to.
        follows_links: whether to take files that a link leads to out of the folder.
    """

    def __init__(self, folder: str, *, limits: UnpackLimits, follows_links: bool = False) -> None:
        self._folder = Path(folder)
        self._follows_links = follows_links
        self._limits = limits

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

        A file is there under its name or an alias, in one piece or in parts, loose or in a zip.

        Raises:
            SourceError: a file is not there, is there twice or cannot be read, its zip is damaged or unsafe, or
                something else could be meant as data.
        """
        folder = self._folder / dataset.name
        where = str(folder)
        names, unreadable = found_below(folder, None if self._follows_links else self._folder)
        place = look_at(dataset, names, where, is_folder=True, unreadable=unreadable)
        zips = {
            name: look_at(dataset, members(folder / name, self._limits), str(folder / name)) for name in place.archives
        }
        picks = plan(dataset, place, zips)
        return [part for pick in picks for part in self._fetch_one(folder, pick, into)]

    def _fetch_one(self, folder: Path, pick: Pick, into: Path) -> list[RawPart]:
        if pick.archive is None:
            return [self._copy(pick.file, folder / name, into / part, part) for name, part in pick.parts.items()]
        archive = folder / pick.archive
        unpacked = unzip(archive, pick.file, into, self._limits)
        digest = sha256_of(archive)
        return [RawPart(file=pick.file.name, name=part, source=str(archive), zip_sha256=digest) for part in unpacked]

    def _copy(self, file: RawFile, path: Path, target: Path, part: str) -> RawPart:
        target.parent.mkdir(exist_ok=True)
        with _opened(path) as stream, target.open("wb") as copy:
            copy.writelines(_read_once(stream, blocks(stream, f"copying {path.name}", path.stat().st_size)))
        source = path if part == file.name else path.parent
        return RawPart(file=file.name, name=part, source=str(source))


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise SourceError(
            f"The file cannot be read: {error.strerror}.", where=str(path), fix="Let this user read it."
        ) from error


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
