"""What every source is: the interface, and how a declared file is found among what a source has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Protocol

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import SourceError
from nequi_lake.formats import RawFile
from nequi_lake.lake.raw_file import RawPart
from nequi_lake.sources.names import zip_of


class Source(Protocol):
    """Delivers datasets."""

    @property
    def is_sample(self) -> bool:
        """Whether it makes its files up."""
        ...

    def describe(self) -> str:
        """The source, human-readable."""
        ...

    def account(self) -> str:
        """The account with which the source is asked, human-readable; where the source is, if it has no accounts.

        Raises:
            SourceError: the source refuses the credentials.
            TransientError: the source could not be asked now.
            UsageError: there are no credentials.
        """
        ...

    def offers(self, dataset: Dataset) -> bool:
        """Whether the source has the dataset at all."""
        ...

    def version(self, dataset: Dataset, /) -> str | None:
        """The source's own version of the dataset, asked without fetching it; None where the source has no versions.

        Raises:
            SourceError: the source does not have the dataset, or refuses to give its version.
            TransientError: the source could not be asked now.
        """
        ...

    def fetch(self, dataset: Dataset, into: Path) -> list[RawPart]:
        """Write every file of the dataset, or each of its parts, to ``into / part.name``; ``into`` is empty before.

        Returns:
            The parts, in the order of the files' declaration, each without hash, size and structure.

        Raises:
            SourceError: a file is not there, or cannot be taken.
            TransientError: the source broke off, or could not be reached.
        """
        ...


def select(file: RawFile, paths: Iterable[str], where: str) -> Mapping[str, str]:
    """Return those of ``paths`` that are the file or its parts, in order → the name under which the lake keeps each.

    Args:
        file: what is looked for.
        paths: what there is.
        where: where that is, human-readable.

    Raises:
        SourceError: there are several of the file.
    """
    found = file.among(paths)
    kept = [name for _, name in found]
    if len(kept) > 1 and (file.name in kept or len(set(kept)) < len(kept)):
        raise SourceError(
            f"{' and '.join(path for path, _ in found)} are there for {file.name}: which one is meant?",
            where=where,
            fix="Leave one of them there.",
        )
    return dict(found)


def loose_names(names: Iterable[str]) -> list[str]:
    """Those of the names below a dataset's folder that may be a file, or a part of one in a folder of its own."""
    paths = map(PurePosixPath, names)
    return [
        path.as_posix()
        for path in paths
        if len(path.parts) == 1 or (len(path.parts) == 2 and path.name.startswith("part-"))
    ]


def no_file(dataset: Dataset, file: RawFile, where: str) -> SourceError:
    """The error of a dataset's folder that lacks a file."""
    whole = zip_of(dataset) + (f" as Kaggle gives it for {dataset.slug}" if dataset.slug else " with it")
    return SourceError(
        f"{dataset.name} has no file {file.name}.",
        where=where,
        fix=f"Put {' or '.join((file.name, *file.aliases))} there, or {whole}.",
    )
