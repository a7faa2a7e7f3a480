"""A delivery is accounted for as a whole: what lies beside the files is named, and what could be data refuses it."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import PurePosixPath

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import SourceError
from nequi_lake.formats import RawFile
from nequi_lake.lake.raw_file import RawPart

log = logging.getLogger(__name__)

_NAMED = 10
_UNFINISHED = (".crdownload", ".part", ".partial", ".download", ".filepart", ".tmp", ".temp")
_PACKED = (".zip", ".gz", ".bz2", ".xz", ".zst", ".lz4", ".7z", ".rar", ".tar", ".tgz")
_COPY = re.compile(r"(\s*\(\d+\)|\s*-\s*copy|[\s_]copy|\s*-\s*copia|[\s_]copia)+$")
_NUMBER = re.compile(r"([\s._-]*(part)?[\s._-]*\d+)$")
_PART_NUMBER = re.compile(r"part-(\d+)")


def account_for(dataset: Dataset, names: Iterable[str], used: Collection[str], where: str) -> None:
    """Look at what a delivery holds beside the files that are taken from it.

    Args:
        dataset: whose delivery.
        names: all that it holds, as paths below ``where``.
        used: those that are taken.
        where: the folder, prefix or zip, human-readable.

    Raises:
        SourceError: something else in it could be meant as data of a declared file.
    """
    names = list(names)
    for name in names:
        if not _is_text(name):
            raise SourceError(
                f"The name {name!a} is not UTF-8.", where=where, fix="Give it a name that every system can read."
            )
    others = sorted(name for name in names if name not in used and not _is_hidden(name))
    meant = [(name, file) for name in others if (file := _meant_as(dataset, name)) is not None]
    if meant:
        raise SourceError(
            f"{_listed([name for name, _ in meant])} could be meant as data of {_files(meant)}, and would not be read.",
            where=where,
            fix="Give it the name of the file, or of a part of it (<name>/part-<number>.<ending>), or take it away.",
        )
    if others:
        log.warning("%s: not read, as no declared file is called so: %s (in %s)", dataset.name, _listed(others), where)


def require_all_parts(file: RawFile, names: Collection[str], where: str) -> None:
    """Check that the parts of a file have no hole in their numbers.

    Args:
        file: the file.
        names: the names under which the lake keeps its parts.
        where: where they are, human-readable.

    Raises:
        SourceError: a number is missing.
    """
    numbers = sorted({int(found[1]) for name in names if (found := _PART_NUMBER.search(name))})
    if not numbers:
        return
    first = [] if numbers[0] <= 1 else [numbers[0] - 1]
    holes = first + [low + 1 for low, high in pairwise(numbers) if high - low > 1]
    if holes:
        raise SourceError(
            f"{file.name} comes in parts, and part {holes[0]} of them is not there.",
            where=where,
            fix="Put the missing parts there, or number those that are there without a hole.",
        )


def refuse_repeats(dataset: Dataset, parts: Sequence[RawPart]) -> None:
    """Check that no part of a file is there twice; say where two files have the same bytes.

    Raises:
        SourceError: two parts of one file have the same bytes.
    """
    seen: dict[str, RawPart] = {}
    for part in parts:
        # Parts without a record are alike, and give nothing twice.
        other = seen.setdefault(part.sha256, part) if part.structure.records else part
        if other is part:
            continue
        if other.file == part.file:
            raise SourceError(
                f"{other.name} and {part.name} have the same bytes, so that each record would be there twice.",
                where=part.source,
                fix="Take one of them away.",
            )
        log.warning("%s: %s and %s have the same bytes", dataset.name, other.file, part.file)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "_")) for part in PurePosixPath(name).parts)


def _meant_as(dataset: Dataset, name: str) -> RawFile | None:
    """The declared file that a name could be meant as: but for case, ending, compression, part number or copy mark."""
    path = PurePosixPath(name)
    stems = set(_stems(path.name))
    folders = {stem for folder in path.parts[:-1] for stem in _stems(folder)} if stems & {"part"} else set()
    for file in dataset.files:
        own = {stem for declared in (file.name, *file.aliases) for stem in _stems(declared)}
        if own & (stems | folders):
            return file
    return None


def _stems(name: str) -> Iterator[str]:
    """What is left of a name without what people and programs add to it, step by step."""
    stem = name.lower()
    while (ending := PurePosixPath(stem).suffix) in (*_UNFINISHED, *_PACKED):
        stem = stem.removesuffix(ending)
    stem = _COPY.sub("", PurePosixPath(stem).stem if PurePosixPath(stem).suffix else stem)
    stem = PurePosixPath(stem).stem if PurePosixPath(stem).suffix in (*_UNFINISHED, *_PACKED) else stem
    yield stem
    without_number = _NUMBER.sub("", stem)
    if without_number != stem:
        yield without_number or "part"


def _files(meant: Sequence[tuple[str, RawFile]]) -> str:
    return ", ".join(dict.fromkeys(file.name for _, file in meant))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(map(_shown, names[:_NAMED])) + more


def _shown(name: str) -> str:
    """A name for a message, as a Python text where something in it would not be seen."""
    return name if name.isprintable() and name == name.strip() else ascii(name)
