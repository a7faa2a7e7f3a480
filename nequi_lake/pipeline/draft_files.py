"""Finds the files that a declaration is drafted from: on this machine, in zips, and on Kaggle."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from nequi_lake.datasets.spec import Dataset
from nequi_lake.drafting.sniff import sniff
from nequi_lake.errors import UsageError, needs_extra
from nequi_lake.formats import OpaqueFile
from nequi_lake.formats.codecs import codec_of
from nequi_lake.formats.local import read_local
from nequi_lake.formats.magic import is_workbook
from nequi_lake.lake.settings import Settings
from nequi_lake.sources import unpack_limits
from nequi_lake.sources.unzip import members, unzip

KAGGLE = "kaggle:"
_BEGINNING_BYTES = 1024


@dataclass(frozen=True)
class DraftFiles:
    """The files of a dataset that is to be drafted.

    Attributes:
        paths: where they are, in order.
        slug: ``owner/name`` on Kaggle, where they come from there.
    """

    paths: tuple[Path, ...]
    slug: str = ""


@contextmanager
def draft_files(name: str, places: Sequence[str], settings: Settings) -> Iterator[DraftFiles]:
    """The files at some places, for the time of the block.

    Args:
        name: of the dataset.
        places: files, folders, zips, or ``kaggle:owner/name`` alone.
        settings: the limits of zips.

    Raises:
        SourceError: Kaggle does not have it, or a zip is damaged or not to be trusted.
        UsageError: there is no such file or folder, or no file in it.
    """
    with tempfile.TemporaryDirectory(prefix="nequi-lake-inbox-") as folder:
        of_kaggle = [place for place in places if place.startswith(KAGGLE)]
        if of_kaggle and len(places) > 1:
            raise UsageError(f"{of_kaggle[0]} stands beside other places.", fix="Draft from it alone.")
        if of_kaggle:
            slug = of_kaggle[0].removeprefix(KAGGLE)
            yield DraftFiles(tuple(_fetched(name, slug, Path(folder), settings)), slug)
        else:
            found = [path for place in places for path in _below(Path(place))]
            if not found:
                raise UsageError("There are no files.", where=", ".join(places))
            numbered = enumerate(found)
            yield DraftFiles(
                tuple(path for number, file in numbered for path in _loose(file, Path(folder, str(number)), settings))
            )


def _fetched(name: str, slug: str, folder: Path, settings: Settings) -> Iterator[Path]:
    """All files of a dataset on Kaggle, downloaded."""
    owner, _, rest = slug.partition("/")
    if not owner or not rest or "/" in rest:
        raise UsageError(f"{KAGGLE}{slug} names no dataset of Kaggle.", fix=f"Write {KAGGLE}owner/name.")
    with needs_extra("kaggle"):
        from nequi_lake.sources.kaggle import KaggleSource
    source = KaggleSource(limits=unpack_limits(settings))
    dataset = Dataset(name=name, slug=slug, files=(), tables=())
    names = dict.fromkeys(PurePosixPath(path).name for path in source.listing(dataset))
    files = tuple(OpaqueFile(name=file, description="A file.") for file in names)
    for part in source.fetch(replace(dataset, files=files), folder):
        yield folder / part.name


def _below(path: Path) -> list[Path]:
    """A file, or the files of a folder, in order, without those that systems leave."""
    if not path.exists():
        raise UsageError("There is no such file or folder.", where=str(path))
    if not path.is_dir():
        return [path]
    found = (file for file in path.rglob("*") if file.is_file())
    return sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts))


def _loose(path: Path, folder: Path, settings: Settings) -> Iterator[Path]:
    """A file, or those of a zip that has several."""
    with path.open("rb") as stream:
        beginning = stream.read(_BEGINNING_BYTES)
    limits = unpack_limits(settings)
    if codec_of(beginning) != "zip" or is_workbook(beginning) or len(names := members(path, limits)) == 1:
        yield path
        return
    folder.mkdir()
    for name in sorted({PurePosixPath(name).name for name in names}):
        yield from unzip(path, OpaqueFile(name=name, description="A file."), folder, limits).values()


def descriptions(dictionary: Path | None) -> Mapping[str, str]:
    """Raw column → what it means, from a CSV file or workbook whose first two columns say so.

    Raises:
        UsageError: it cannot be read.
    """
    if dictionary is None:
        return {}
    try:
        with dictionary.open("rb") as stream:
            has_sheets = is_workbook(stream.read(_BEGINNING_BYTES))
        rows = _rows_of_workbook(dictionary) if has_sheets else _rows_of_csv(dictionary)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"The dictionary cannot be read: {error}.", where=str(dictionary)) from error
    said = ((" ".join(row[0].split()), " ".join(row[1].split())) for row in rows if len(row) > 1 and row[0] and row[1])
    return {column: meaning for column, meaning in said if column and meaning}


def _rows_of_csv(path: Path) -> Sequence[Sequence[str]]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.reader(stream))


def _rows_of_workbook(path: Path) -> Sequence[Sequence[str]]:
    with tempfile.TemporaryDirectory() as folder:
        linked = Path(folder, path.name)
        linked.symlink_to(path.resolve())
        found = read_local(sniff(linked).file, linked, Path(folder))
    if found.frame is None:
        raise UsageError(f"The dictionary cannot be read: {found.structure.problems[0]}.", where=str(path))
    return [tuple(row[1:]) for row in found.frame.iter_rows()]
