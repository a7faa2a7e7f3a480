"""Reads a raw file as a run does, without a lake: what its records are, and which of them cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nequi_lake.formats import RECORD, RawFile, Structure


@dataclass(frozen=True)
class Read:
    """What came of a file.

    Attributes:
        structure: what the structure pass found.
        rows: number of each record that can be read → its values.
        damaged: the number, line and reason of the others.
    """

    structure: Structure
    rows: dict[int, tuple[Any, ...]]
    damaged: list[tuple[int, int, str]]


def read(file: RawFile, content: bytes, folder: Path) -> Read:
    """Read a file of this content; a refused one has no rows."""
    path = folder / "raw"
    path.write_bytes(content)
    structure = file.inspect(path)
    if structure.problem_count > structure.damaged:
        return Read(structure, {}, [])
    damaged: list[tuple[int, int, str]] = []
    is_copy = file.needs_repair(structure)
    if is_copy:
        with path.open("rb") as stream:
            repaired = file.repair(stream, structure, folder / "copy")
        path, damaged = repaired.path, repaired.damaged.select("record", "line", "rule").rows()
    frame = file.scan([str(path)], structure, {}, is_copy=is_copy).select(RECORD, *file.raw_schema).collect()
    bad = {number for number, *_ in damaged}
    assert len(bad) == structure.damaged
    assert frame.height == structure.records
    return Read(structure, {row[0]: row[1:] for row in frame.rows() if row[0] not in bad}, damaged)
