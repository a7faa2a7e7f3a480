"""Reads a raw file of this machine without a lake: what a run would make of it, before any contract."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nequi_lake.formats.base import DAMAGED, RECORD, RawFile
from nequi_lake.formats.structure import Structure


@dataclass(frozen=True)
class LocalRecords:
    """The records of a raw file.

    Attributes:
        structure: what the structure pass found.
        frame: ``RECORD`` and the raw values of those that can be read; None where the file is refused.
        damaged: the others, with the columns of :data:`~nequi_lake.formats.base.DAMAGED`.
    """

    structure: Structure
    frame: pl.DataFrame | None
    damaged: pl.DataFrame


@dataclass(frozen=True)
class LocalScan:
    """The same before any value is read: ``records`` is a scan of them."""

    structure: Structure
    records: pl.LazyFrame | None
    damaged: pl.DataFrame


def scan_local(file: RawFile, path: Path, scratch: Path) -> LocalScan:
    """Scan the records of a file, in any order.

    Args:
        file: how it is declared.
        path: where it is, in a folder that can be written into.
        scratch: an existing folder, for a copy that the engine can read, which is there as long as it is.

    Raises:
        StageError: the file cannot be read.
    """
    structure = file.merge_structures({file.name: file.inspect(path)})
    damaged = pl.DataFrame(schema=DAMAGED)
    if structure.problem_count > structure.damaged:
        return LocalScan(structure, None, damaged)
    is_copy = file.needs_repair(structure)
    if is_copy:
        with path.open("rb") as content:
            repaired = file.repair(content, structure, scratch / f"copy{path.suffix}")
        path, damaged = repaired.path, repaired.damaged
    records = file.scan([str(path)], structure, {}, is_copy=is_copy).select(RECORD, *file.raw_schema)
    return LocalScan(structure, records.filter(~pl.col(RECORD).is_in(damaged["record"].implode())), damaged)


def read_local(file: RawFile, path: Path, scratch: Path) -> LocalRecords:
    """Read all records of a file into memory, in its order.

    Args:
        file: how it is declared.
        path: where it is.
        scratch: an existing folder, for a copy that the engine can read.

    Raises:
        StageError: the file cannot be read.
    """
    found = scan_local(file, path, scratch)
    frame = found.records.collect(engine="streaming").sort(RECORD) if found.records is not None else None
    return LocalRecords(found.structure, frame, found.damaged)
