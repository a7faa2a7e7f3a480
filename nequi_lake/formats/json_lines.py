"""JSON lines: one JSON object per line."""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import polars as pl
from polars._typing import PolarsDataType

from nequi_lake.formats.base import RECORD, RawFile, ValidatedRecord, excerpt, utf8_problem
from nequi_lake.formats.structure import Structure
from nequi_lake.formats.types import json_type

_LINE = "__line"


@dataclass(frozen=True, kw_only=True, eq=False)
class JsonLinesFile(RawFile):
    """One JSON object per line, with exactly the keys of ``schema``; the contract says which values may be null."""

    schema: Mapping[str, PolarsDataType]

    @property
    def field_paths(self) -> tuple[str, ...]:
        return tuple(_field_paths(self.schema))

    def needs_repair(self, structure: Structure) -> bool:
        """Whether a record is damaged, or a byte order mark would be read as part of the first record."""
        return structure.damaged > 0 or structure.has_bom

    def validate_records(self, content: BinaryIO) -> Iterator[ValidatedRecord]:
        """Yield each line, decoded against the exact type of its record."""
        decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_struct("Record", self.schema))
        keys = _key_count(self.schema)
        for number, text in enumerate(content):
            line = text if number else text.removeprefix(codecs.BOM_UTF8)
            yield ValidatedRecord(number, number + 1, line, _problem(decoder, keys, line))

    def record_lines(self, content: BinaryIO, structure: Structure) -> Callable[[pl.Series], pl.Series]:  # noqa: ARG002
        """Return a function: record numbers → their lines. A record is a line."""
        return lambda numbers: numbers + 1

    def _inspect(self, path: Path, beginning: bytes) -> Structure:
        if beginning.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
            return Structure.refused("the file is one JSON array; one JSON object a line is expected", line=1)
        return self._inspect_records(path, has_bom=beginning.startswith(codecs.BOM_UTF8))

    def _scan(self, paths: Sequence[str], options: Mapping[str, Any]) -> pl.LazyFrame:
        return (
            pl.scan_lines(list(paths), name=_LINE, row_index_name=RECORD, glob=False, **options)
            .with_columns(pl.col(_LINE).str.json_decode(pl.Struct(dict(self.schema))))
            .unnest(_LINE)
        )

    def _placeholder(self) -> bytes:
        return b"{}"


def _field_paths(schema: Mapping[str, PolarsDataType], prefix: str = "") -> Iterator[str]:
    for name, dtype in schema.items():
        if isinstance(dtype, pl.Struct):
            yield from _field_paths(dtype.to_schema(), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _problem(decoder: msgspec.json.Decoder[Any], keys: int, line: bytes) -> str | None:
    try:
        decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_problem(decoder, line)
    # Every key must be there, so a line with as many keys as the schema has each of them once.
    return None if line.count(b'":') == keys else _duplicate_key(line)


def _duplicate_key(line: bytes) -> str | None:
    """Return what is wrong with an object that has a key twice: readers differ in which of the values they take."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        found.extend(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)

    json.loads(line, object_pairs_hook=look)
    return f"the key {found[0]!r} stands twice, beginning {excerpt(line)}" if found else None


def _decode_problem(decoder: msgspec.json.Decoder[Any], line: bytes) -> str:
    """Return why a line cannot be decoded."""
    if not line.strip():
        return "a blank line"
    if line.startswith(codecs.BOM_UTF8):
        return "a byte order mark, which belongs at the beginning of the file"
    bad_bytes = utf8_problem(line)
    if bad_bytes:
        return bad_bytes
    try:
        # Without the line end, which is a character out of place in a text that is cut short.
        decoder.decode(line.rstrip(b"\r\n"))
    except msgspec.DecodeError as error:
        return f"{error}, beginning {excerpt(line)}"
    return f"a line end that does not belong there, beginning {excerpt(line)}"


def _struct(name: str, schema: Mapping[str, PolarsDataType]) -> type:
    """Return a strict type of exactly these keys, each of them null or of its type."""
    fields = [(key, _type(key, dtype) | None) for key, dtype in schema.items()]
    return msgspec.defstruct(name, fields, forbid_unknown_fields=True)


def _type(key: str, dtype: PolarsDataType) -> Any:
    dtype = dtype() if isinstance(dtype, type) else dtype
    if isinstance(dtype, pl.Struct):
        return _struct(key, dtype.to_schema())
    if isinstance(dtype, pl.List):
        return list[_type(key, dtype.inner)]  # type: ignore[misc]
    return json_type(dtype)


def _key_count(schema: Mapping[str, PolarsDataType]) -> int:
    """Return how many keys an object and those in it have."""
    return sum(1 + (_key_count(dtype.to_schema()) if isinstance(dtype, pl.Struct) else 0) for dtype in schema.values())
