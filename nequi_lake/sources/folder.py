"""A local folder that holds ``<dataset>/<file>``, loose or in the zip as Kaggle gives it."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import SourceError
from nequi_lake.formats import RawFile
from nequi_lake.lake.raw_file import RawPart, sha256_of
from nequi_lake.progress import blocks
from nequi_lake.sources.base import loose_names, no_file, select, zip_names
from nequi_lake.sources.delivery import account_for, require_all_parts
from nequi_lake.sources.unzip import Limits, members, unzip

_DROPPED_BYTES = 8 * 2**20


class FolderSource:
    """Datasets in a folder.

    Args:
        folder: holds one folder per dataset.
        zip_max_bytes: what a zip may unpack to at most.
        zip_max_ratio: how many times its size a zip may unpack to.
        follows_links: whether to take files that a link leads to out of the folder.
    """

    def __init__(self, folder: str, *, zip_max_bytes: int, zip_max_ratio: float, follows_links: bool = False) -> None:
        self._folder = Path(folder)
        self._follows_links = follows_links
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
        folder = self._folder / dataset.name
        names = _names(folder)
        chosen = {file.name: select(file, loose_names(names), str(folder)) for file in dataset.files}
        loose = {name for found in chosen.values() for name in found}
        archives = {
            name: members(folder / name)
            for file in dataset.files
            for name in zip_names(dataset, file)
            if name in names and name not in loose
        }
        used = {*loose, *archives}
        account_for(dataset, names, used, str(folder))
        for file in dataset.files:
            holding = [name for name, inside in archives.items() if file.among(inside)]
            if len(holding) > 1:
                raise SourceError(
                    f"{file.name} is there twice, in {' and in '.join(holding)}: which one is meant?",
                    where=str(folder),
                    fix="Leave one of them there.",
                )
        for name, inside in archives.items():
            self._account_for_zip(dataset, folder / name, inside, chosen)
        return [part for file in dataset.files for part in self._fetch_one(dataset, file, chosen[file.name], into)]

    def _account_for_zip(
        self, dataset: Dataset, archive: Path, inside: Collection[str], loose: Mapping[str, Mapping[str, str]]
    ) -> None:
        taken = {file.name: file.among(inside) for file in dataset.files}
        for name, found in loose.items():
            if found and taken[name]:
                raise SourceError(
                    f"{name} is there twice, loose and in {archive.name}: which one is meant?",
                    where=str(archive.parent),
                    fix="Leave one of them there.",
                )
        account_for(dataset, inside, {member for found in taken.values() for member, _ in found}, str(archive))

    def _fetch_one(self, dataset: Dataset, file: RawFile, found: Mapping[str, str], into: Path) -> list[RawPart]:
        folder = self._folder / dataset.name
        if found:
            for name in found:
                self._refuse_link(folder / name)
            require_all_parts(file, found.values(), str(folder))
            return [self._copy(file, folder / name, into / part, part) for name, part in found.items()]
        for archive in (folder / name for name in zip_names(dataset, file)):
            if archive.is_file() and (unpacked := unzip(archive, file, into, self._limits)):
                self._refuse_link(archive)
                require_all_parts(file, unpacked, str(archive))
                digest = sha256_of(archive)
                return [RawPart(file=file.name, name=part, source=str(archive), zip_sha256=digest) for part in unpacked]
        if file.is_optional:
            return []
        raise no_file(dataset, file, str(folder))

    def _refuse_link(self, path: Path) -> None:
        if not self._follows_links and not path.resolve().is_relative_to(self._folder.resolve()):
            raise SourceError(
                "This is a link that leads out of the source's folder.",
                where=str(path),
                fix="Put the file itself there, or set NEQUI_LAKE_SOURCE_LINKS=follow where whoever fills the folder "
                "may read all that this user may.",
            )

    def _copy(self, file: RawFile, path: Path, target: Path, part: str) -> RawPart:
        target.parent.mkdir(exist_ok=True)
        with path.open("rb") as stream, target.open("wb") as copy:
            copy.writelines(_read_once(stream, blocks(stream, f"copying {path.name}", path.stat().st_size)))
        source = path if part == file.name else path.parent
        return RawPart(file=file.name, name=part, source=str(source))


def _names(folder: Path) -> list[str]:
    """Every file below a folder, by its path in it."""
    found = {path for pattern in ("*", "*/part-*") for path in folder.glob(pattern) if path.is_file()}
    found |= {Path(parent, name) for parent, _, names in os.walk(folder) for name in names}
    return sorted(path.relative_to(folder).as_posix() for path in found)


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
