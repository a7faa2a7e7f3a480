"""What a delivery holds, and what is read of it: one plan for folders, prefixes of a bucket, zips and listings.

Everything that is found is read, or named with the reason why it is not. What could be meant as data and would not be
read refuses the delivery.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import PurePosixPath

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import SourceError
from nequi_lake.formats import RawFile
from nequi_lake.lake.raw_file import RawPart
from nequi_lake.sources.base import loose_names, no_file, select
from nequi_lake.sources.names import (
    MAX_NAME_BYTES,
    could_be,
    is_copy,
    is_passed_over,
    is_text,
    listed,
    shown,
)

log = logging.getLogger(__name__)

COMPLETE = "_SUCCESS"
"""The name of the file that ends an upload, as Spark and Hadoop write it."""
_LEAVE_ONE = "Leave one of them there."
_FIX_UNREADABLE = "Put the file itself there, as a regular file that this user may read, or take it away."
_FIRST_YEAR = 1900
"""Parts are numbered from 0 or 1; a number from here on is a date, and no one knows which dates there must be."""
_PART = re.compile(r"part-(?:[mr]-)?(?P<number>\d+)(?:-of-(?P<total>\d+)|-(?P<job>[0-9a-f]{8}-[0-9a-f-]{27}).*)?")


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What one place has of a dataset: a folder, a prefix, a zip or a listing.

    Attributes:
        where: the place, human-readable.
        files: declared file → path in the place → the name under which the lake keeps it; none where it is not there.
        archives: zips that may hold files.
        unread: reason → what is not read for it.
        passed_over: what systems leave.
    """

    where: str
    files: Mapping[str, Mapping[str, str]]
    archives: tuple[str, ...] = ()
    unread: Mapping[str, Sequence[str]] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()

    @property
    def used(self) -> tuple[str, ...]:
        """The paths that are read."""
        return (*(path for found in self.files.values() for path in found), *self.archives)


@dataclass(frozen=True, kw_only=True)
class Pick:
    """A declared file, or its parts, that is read from a delivery.

    Attributes:
        file: the file.
        parts: path in the place or the zip → the name under which the lake keeps it.
        archive: the zip that it is read from; None where it is not in one.
    """

    file: RawFile
    parts: Mapping[str, str] = field(default_factory=dict)
    archive: str | None = None


def look_at(
    dataset: Dataset,
    names: Iterable[str],
    where: str,
    *,
    is_folder: bool = False,
    unreadable: Mapping[str, str] | None = None,
) -> Contents:
    """Look at all that a place holds.

    Args:
        dataset: whose delivery it is.
        names: all that is in the place, as paths below it.
        where: the place, human-readable.
        is_folder: whether the place is a folder of files and zips. In a zip or a listing, folders mean nothing.
        unreadable: those of ``names`` that cannot be read → why.

    Raises:
        SourceError: a file is there twice, is not complete, or cannot be read, or something else could be meant as
            data of it.
    """
    unreadable = unreadable or {}
    everything = sorted(names)
    present = [name for name in everything if not _is_ignored(dataset, name)]
    _refuse_names(dataset, present, where)
    candidates = loose_names(present) if is_folder else present
    files = {file.name: dict(select(file, candidates, where)) for file in dataset.files}
    owners = {path: file for file in dataset.files for path in files[file.name]}
    archives = tuple(name for name in present if is_folder and _is_archive(name) and name not in owners)
    meant = _meant_as_data(dataset, present, files, {*owners, *archives})
    for name, why in unreadable.items():
        if name in owners or name in archives or name in meant:
            raise SourceError(f"{shown(name)} cannot be read: {why}.", where=where, fix=_FIX_UNREADABLE)
    if meant:
        raise SourceError(
            f"{listed(sorted(meant))} could be meant as data of {listed(sorted(set(meant.values())))}, and would not be"
            " read.",
            where=where,
            fix="Give it the name of the file, or of a part of it (<name>/part-<number>.<ending>), or take it away. If "
            "the dataset always has it, declare it in the dataset's ignored=.",
        )
    for file in dataset.files:
        _check_parts(file, files[file.name], present, where)
    others = [name for name in present if name not in owners and name not in archives]
    unread: dict[str, list[str]] = {}
    for name in others:
        if not is_passed_over(name):
            unread.setdefault(unreadable.get(name, "no declared file is called so"), []).append(name)
    return Contents(
        where=where,
        files=files,
        archives=archives,
        unread=unread,
        passed_over=tuple(name for name in others if is_passed_over(name) and not name.endswith(COMPLETE)),
    )


def plan(dataset: Dataset, place: Contents, zips: Mapping[str, Contents]) -> list[Pick]:
    """Return what is read of a delivery, in the order of the files' declaration; log what is not.

    Args:
        dataset: whose delivery it is.
        place: what the folder or prefix holds.
        zips: name of each of its zips → what that holds.

    Raises:
        SourceError: a file is not there, or in two places.
    """
    picks = []
    for file in dataset.files:
        loose = place.files[file.name]
        holding = [name for name, inside in zips.items() if inside.files[file.name]]
        if len(holding) + bool(loose) > 1:
            places = f"loose and in {' and in '.join(holding)}" if loose else f"in {' and in '.join(holding)}"
            raise SourceError(
                f"{file.name} is there twice, {places}: which one is meant?", where=place.where, fix=_LEAVE_ONE
            )
        if loose:
            picks.append(Pick(file=file, parts=loose))
        elif holding:
            picks.append(Pick(file=file, parts=zips[holding[0]].files[file.name], archive=holding[0]))
        elif not file.is_optional:
            raise no_file(dataset, file, place.where)
    for contents in (place, *zips.values()):
        log_unread(dataset, contents)
    return picks


def log_unread(dataset: Dataset, contents: Contents) -> None:
    """Say what a place holds that is not read, and why."""
    for reason, names in contents.unread.items():
        log.warning("%s: not read, as %s: %s (in %s)", dataset.name, reason, listed(names), contents.where)
    if contents.passed_over:
        names = listed(contents.passed_over)
        log.info("%s: passed over, as systems leave such files: %s (in %s)", dataset.name, names, contents.where)


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


def _meant_as_data(
    dataset: Dataset, names: Iterable[str], files: Mapping[str, Mapping[str, str]], used: Collection[str]
) -> dict[str, str]:
    """What could be meant as data and would not be read, and what is a copy of it → the declared file's name."""
    part_folders = {
        str(PurePosixPath(path).parent): file
        for file in dataset.files
        for path, kept in files[file.name].items()
        if kept != file.name
    }
    meant = {path: file for file, found in files.items() for path in found if is_copy(path)}
    for name in names:
        if name not in used and not is_passed_over(name) and (file := could_be(dataset, name, part_folders)):
            meant[name] = file
    return meant


def _is_ignored(dataset: Dataset, path: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in dataset.ignored for name in (path, PurePosixPath(path).name))


def _is_archive(name: str) -> bool:
    path = PurePosixPath(name)
    return len(path.parts) == 1 and path.suffix.casefold() == ".zip" and not is_passed_over(name)


def _refuse_names(dataset: Dataset, names: Sequence[str], where: str) -> None:
    """Refuse names that no system can be trusted with, where they could be of data."""
    endings = tuple(f".{file.name.rpartition('.')[2]}" for file in dataset.files)
    for name in names:
        if not name.endswith(endings):
            continue
        if not is_text(name):
            problem = f"The name {name!a} is not UTF-8."
        elif len(PurePosixPath(name).name.encode()) > MAX_NAME_BYTES:
            problem = f"The name {shown(name)} has more than {MAX_NAME_BYTES} bytes."
        else:
            continue
        raise SourceError(problem, where=where, fix="Give it a name that every system can read.")


def _check_parts(file: RawFile, found: Mapping[str, str], names: Collection[str], where: str) -> None:
    """Check that the parts of a file are numbered without a hole, and no number is there twice."""
    groups: dict[tuple[str | None, str | None], dict[int, str]] = {}
    for path, kept in found.items():
        numbered = _PART.fullmatch(PurePosixPath(kept).stem) if kept != file.name else None
        if numbered is None or len(numbered["number"]) > MAX_NAME_BYTES:
            continue
        group = groups.setdefault((numbered["total"], numbered["job"]), {})
        other = group.setdefault(int(numbered["number"]), path)
        if other != path and not numbered["job"]:
            raise SourceError(
                f"{shown(other)} and {shown(path)} are both part {int(numbered['number'])} of {file.name}: which one is"
                " meant?",
                where=where,
                fix=_LEAVE_ONE,
            )
    for (total, job), group in groups.items():
        missing = _missing(sorted(group), int(total) if total else None)
        is_complete = job and any(f"{PurePosixPath(path).parent}/{COMPLETE}" in names for path in group.values())
        if missing is not None and not is_complete:
            raise SourceError(
                f"{file.name} comes in parts, and part {missing} of them is not there.",
                where=where,
                fix="Put the missing parts there, or number those that are there without a hole. Spark leaves parts "
                f"out that would be empty: keep the {COMPLETE} that it writes beside them.",
            )


def _missing(numbers: Sequence[int], total: int | None) -> int | None:
    """The first number that is not there; None where all are, or where the numbers are dates."""
    if numbers[0] >= _FIRST_YEAR:
        return None
    if numbers[0] > 1:
        return numbers[0] - 1
    hole = next((low + 1 for low, high in pairwise(numbers) if high - low > 1), None)
    if hole is None and total is not None and len(numbers) < total:
        return numbers[-1] + 1
    return hole
