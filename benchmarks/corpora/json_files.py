"""The files of JSONTestSuite's ``test_parsing``, each as a record and as a field of one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.corpora.outcome import LOST, NAMED, REFUSED, RIGHT, WRONG
from nequi_lake.formats import JsonLinesFile
from nequi_lake.formats.local import read_local

_TYPES = {bool: pl.Boolean(), int: pl.Int64(), float: pl.Float64(), str: pl.String()}
_ODD = object()


@dataclass(frozen=True)
class JsonCase:
    """A file of the suite.

    Attributes:
        path: the file.
        kind: what its first letter says: it must be taken, must not, or either.
    """

    path: Path
    kind: str


def json_cases(folder: Path) -> Iterator[JsonCase]:
    """The files of the suite."""
    kinds = {"y": "must be taken", "n": "must not be taken", "i": "either"}
    for path in sorted(folder.glob("*.json")):
        yield JsonCase(path, kinds.get(path.name[0], "other"))


def as_field(case: JsonCase) -> str:
    """What comes of the file's content as the field of a record, between two others."""
    content = case.path.read_bytes().strip()
    return _came(content, b'{"id": 2, "v": ' + content + b"}")


def as_record(case: JsonCase) -> str:
    """What comes of the file's content as a record of its own, between two others."""
    content = case.path.read_bytes().strip()
    return _came(None, content)


def _came(value: bytes | None, record: bytes) -> str:
    expected = _ODD if value is None else _strict(value)
    dtype = _TYPES.get(type(expected), pl.String())
    file = JsonLinesFile(name="suite.json", description="A file of the suite.", schema={"id": pl.Int64, "v": dtype})
    others = b'{"id": 1, "v": null}\n', b'\n{"id": 3, "v": null}\n'
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "suite.json"
        path.write_bytes(record.join(others))
        read = read_local(file, path, Path(folder))
    if read.frame is None:
        return REFUSED
    rows = dict(read.frame.select("id", "v").rows())
    if not {1, 3} <= rows.keys():
        return LOST
    if 2 not in rows:
        return NAMED if read.structure.damaged else LOST
    return RIGHT if rows[2] == expected or (expected is None and rows[2] is None) else WRONG


def _strict(value: bytes) -> Any:
    """The value as Python's own parser has it; nothing that equals it where there is none."""
    try:
        return json.loads(value.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _ODD


def _refuse(name: str) -> Any:
    raise ValueError(name)
