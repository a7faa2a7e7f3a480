"""A local folder that holds ``<dataset>/<file>``, loose or in the zip as Kaggle gives it."""

from __future__ import annotations

from pathlib import Path

from nequi_lake.datasets.spec import Dataset, RawFile
from nequi_lake.errors import SourceError
from nequi_lake.lake.raw import sha256_of
from nequi_lake.progress import blocks
from nequi_lake.sources.base import Delivered
from nequi_lake.sources.unzip import Limits, unzip


class FolderSource:
    """Datasets in a folder.

    Args:
        folder: holds one folder a dataset.
        zip_max_bytes: what a zip may unpack to at most.
        zip_max_ratio: how many times its size a zip may unpack to.
    """

    def __init__(self, folder: str, *, zip_max_bytes: int, zip_max_ratio: float) -> None:
        self._folder = Path(folder)
        self._limits = Limits(max_bytes=zip_max_bytes, max_ratio=zip_max_ratio)

    def describe(self) -> str:
        """The source, for a person."""
        return f"folder {self._folder}"

    def account(self) -> str:
        """Where it is."""
        return self.describe()

    def offers(self, dataset: Dataset) -> bool:
        """Whether there is a folder for the dataset."""
        return (self._folder / dataset.name).is_dir()

    def version(self, _dataset: Dataset, /) -> str | None:
        """A folder has no versions: what lies in it may change at any time."""
        return None

    def fetch(self, dataset: Dataset, into: Path) -> list[Delivered]:
        """Copy the dataset's files into ``into``.

        A file is looked for under its name and its aliases, then as ``<file>.zip``, then in ``<slug>.zip``.

        Raises:
            SourceError: a file is not there, or its zip is damaged or not to be trusted.
        """
        return [self._fetch_one(dataset, file, into) for file in dataset.files]

    def _fetch_one(self, dataset: Dataset, file: RawFile, into: Path) -> Delivered:
        folder = self._folder / dataset.name
        names = (file.name, *file.aliases)
        target = into / file.name
        for name in names:
            if (folder / name).is_file():
                size = (folder / name).stat().st_size
                with (folder / name).open("rb") as stream, target.open("wb") as copy:
                    copy.writelines(blocks(stream, f"copying {name}", size))
                return Delivered(file=file.name, path=target, source=str(folder / name))
        zips = [folder / f"{name}.zip" for name in names] + [folder / f"{dataset.slug.rsplit('/', 1)[-1]}.zip"]
        for archive in zips:
            if archive.is_file() and unzip(archive, names, target, self._limits):
                return Delivered(file=file.name, path=target, source=str(archive), zip_sha256=sha256_of(archive))
        raise SourceError(
            f"{dataset.name} has no file {file.name}.",
            where=str(folder),
            fix=f"Put {' or '.join(names)} there, or {zips[-1].name} as Kaggle gives it for {dataset.slug}.",
        )
