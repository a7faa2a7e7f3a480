"""Deliveries that add to what is kept, of a dataset that arrives in increments.

A version of such a dataset has the files of all accepted deliveries, each a part in the folder of the version that
brought it. So a version is whole, as that of a snapshot is: releases, accounting and rollback need to know nothing of
deliveries. One that is withdrawn is in no later version; its bytes stay where they are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import UsageError
from nequi_lake.lake.layout import raw_folder
from nequi_lake.lake.raw import RawZone
from nequi_lake.lake.raw_file import RawFileVersion, RawPart, content_version
from nequi_lake.lake.storage import StorageBackend

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A delivery that was accepted.

    Attributes:
        number: from 1, in the order of arrival.
        version: the version of the dataset that it made.
        delivered_at: when it was fetched, ISO 8601, UTC.
        files: the names of its files in the raw zone.
        hashes: of each of them, its declared name and the hash of its content.
        records, size_bytes: of all of them.
        is_withdrawn: whether it was withdrawn.
    """

    number: int
    version: str
    delivered_at: str
    files: tuple[str, ...]
    hashes: tuple[tuple[str, str], ...]
    records: int
    size_bytes: int
    is_withdrawn: bool = False


def deliveries(dataset: Dataset, storage: StorageBackend) -> list[Delivery]:
    """All deliveries of a dataset, in order, withdrawn ones too."""
    found = {one.number: one for one in _withdrawn(dataset, storage)}
    for number, parts in _by_number(_current(dataset, RawZone(storage)).values()).items():
        found.setdefault(number, _delivery(number, parts))
    return [found[number] for number in sorted(found)]


def accumulated(dataset: Dataset, storage: StorageBackend, delivered: Sequence[RawFileVersion]) -> list[RawFileVersion]:
    """The version that a delivery makes of a dataset: what is kept, and the files that are new in it.

    A file whose content was accepted before, or was withdrawn, is nothing new. What is kept stays out where it is a
    sample and this is none, or the other way round.

    Args:
        dataset: which arrives in increments.
        storage: the lake.
        delivered: the files of the delivery, in a folder of this machine.

    Returns:
        The files of the new version, or of the current one where nothing is new.
    """
    earlier = _current(dataset, RawZone(storage))
    if any(file.is_sample for file in earlier.values()) != any(file.is_sample for file in delivered):
        earlier = {}
    past = _withdrawn(dataset, storage)
    gone = {each for one in past for each in one.hashes}
    known = gone | {(part.file, part.sha256) for file in earlier.values() for part in file.parts}
    numbers = [part.delivery for file in earlier.values() for part in file.parts] + [one.number for one in past]
    number = 1 + max(numbers, default=0)
    new = {file.file: [part for part in file.parts if (part.file, part.sha256) not in known] for file in delivered}
    kept = {
        name: [part for part in file.parts if (part.file, part.sha256) not in gone] for name, file in earlier.items()
    }
    # Where a withdrawal was killed, the current version still has what is gone.
    if not any(new.values()) and earlier and all(len(kept[name]) == len(earlier[name].parts) for name in earlier):
        log.info("%s: every file of this delivery was there before", dataset.name)
        return list(earlier.values())
    of_delivery = {file.file: file for file in delivered}
    parts = {
        file.name: [
            *kept.get(file.name, ()),
            *(_named(part, number, of_delivery[file.name]) for part in new.get(file.name, ())),
        ]
        for file in dataset.files
        if file.name in kept or file.name in of_delivery
    }
    version = content_version({part.name: part.sha256 for each in parts.values() for part in each})
    found = []
    for name, each in parts.items():
        file, declared = of_delivery.get(name) or earlier[name], dataset.file(name)
        own = tuple(replace(part, kept_in=part.kept_in or version) for part in each)
        structure = declared.merge_structures({part.name: part.structure for part in own})
        # A delivery is held to the limit by itself too: among all the others its damage would not be seen.
        readable = (not new.get(name) or file.readable) and structure.is_readable(
            dataset.quarantine_limit(declared, structure.records)
        )
        found.append(replace(file, version=version, parts=own, readable=readable))
    log.info("%s: delivery %d", dataset.name, number)
    return found


def withdraw(dataset: Dataset, number: int, storage: StorageBackend) -> None:
    """Make a version of a dataset without a delivery; later ones stay in. Holds the dataset's lock.

    Raises:
        UsageError: it has no such delivery, it was withdrawn before, or nothing would be left of a file.
    """
    zone = RawZone(storage)
    with storage.lock(dataset.name):
        files = _current(dataset, zone)
        by_number = _by_number(files.values())
        if number not in by_number:
            raise UsageError(
                f"{dataset.name} has no delivery {number} that could be withdrawn.",
                where=dataset.name,
                fix=f"nequi-lake deliveries {dataset.name} lists them.",
            )
        left = {name: [part for part in file.parts if part.delivery != number] for name, file in files.items()}
        empty = [name for name, parts in left.items() if not parts]
        if empty:
            raise UsageError(
                f"Without delivery {number} nothing of {', '.join(empty)} would be left.",
                where=dataset.name,
                fix="Deliver what is right first, and withdraw this one then.",
            )
        # First, so that what is withdrawn is not taken for new by a run that comes after a kill.
        mark = replace(_delivery(number, by_number[number]), is_withdrawn=True)
        others = [one for one in _withdrawn(dataset, storage) if one.number != number]
        storage.write(_path(dataset, storage), msgspec.json.encode([*others, mark]))
        version = content_version({part.name: part.sha256 for parts in left.values() for part in parts})
        for name, file in files.items():
            zone.keep(dataset, replace(file, version=version, parts=tuple(left[name]), folder=""))


def _current(dataset: Dataset, zone: RawZone) -> dict[str, RawFileVersion]:
    version = zone.current_version(dataset.name)
    files = zone.files_of_version(dataset, version) if version else {}
    # A snapshot's parts do not say where they are: in the folder of their version.
    return {
        name: replace(file, parts=tuple(replace(part, kept_in=part.kept_in or file.version) for part in file.parts))
        for name, file in files.items()
    }


def _by_number(files: Iterable[RawFileVersion]) -> dict[int, list[RawPart]]:
    found: dict[int, list[RawPart]] = {}
    for file in files:
        for part in file.parts:
            found.setdefault(part.delivery, []).append(part)
    return dict(sorted(found.items()))


def _delivery(number: int, parts: Sequence[RawPart]) -> Delivery:
    return Delivery(
        number=number,
        version=parts[0].kept_in,
        delivered_at=parts[0].delivered_at,
        files=tuple(part.name for part in parts),
        hashes=tuple((part.file, part.sha256) for part in parts),
        records=sum(part.structure.records for part in parts),
        size_bytes=sum(part.size_bytes for part in parts),
    )


def _named(part: RawPart, number: int, file: RawFileVersion) -> RawPart:
    """A part of a delivery under a name that no other delivery has; its bytes in the local folder are moved there."""
    stem, _, ending = part.file.rpartition(".")
    name = part.name.rsplit("/", 1)[-1] if "/" in part.name else f"part.{ending}"
    found = replace(part, name=f"{stem}/{number:06}-{name}", delivery=number, delivered_at=file.fetched_at)
    target = Path(file.folder, found.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    Path(file.folder, part.name).rename(target)
    return found


def _withdrawn(dataset: Dataset, storage: StorageBackend) -> list[Delivery]:
    path = _path(dataset, storage)
    return msgspec.json.decode(storage.read(path), type=list[Delivery]) if storage.exists(path) else []


def _path(dataset: Dataset, storage: StorageBackend) -> str:
    return f"{raw_folder(storage, dataset.name)}/withdrawn.json"
