"""Reads a raw file as a run does, without a lake: what its records are, and which of them cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nequi_lake.formats import RawFile, Structure
from nequi_lake.formats.local import read_local


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
    found = read_local(file, path, folder)
    if found.frame is None:
        return Read(found.structure, {}, [])
    damaged = found.damaged.select("record", "line", "rule").rows()
    assert len(damaged) == found.structure.damaged
    assert found.frame.height + len(damaged) == found.structure.records
    return Read(found.structure, {row[0]: row[1:] for row in found.frame.rows()}, damaged)
