"""JSON lines: one JSON object per line."""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec
import polars as pl
from polars._typing import PolarsDataType

from nequi_lake.errors import DeclarationError
from nequi_lake.formats.base import RECORD
from nequi_lake.formats.json_documents import documents, layout_of
from nequi_lake.formats.lines import Line, long_lines, too_long
from nequi_lake.formats.nested import NestedFile
from nequi_lake.formats.structure import Structure
from nequi_lake.formats.text import NO_RECORD, TextFile, ValidatedRecord, excerpt, utf8_problem, without_end
from nequi_lake.formats.types import integer_bounds, json_type

_LINE = "__line"
_SPACED = (b'" ', b'"\t', b'"\r')
_LINE_END = re.compile(rb"[\r\n]+")
_SPACED_KEY = re.compile(rb'"\s+:')
_LOOKED_AT, _FEWEST_LINES = 30, 2
_SURELY_READ = 1e38
"""Up to here the engine reads each number. Beyond, it does not read whole ones that are written out in full."""


@dataclass(frozen=True, kw_only=True, eq=False)
class JsonLinesFile(NestedFile, TextFile):
    """JSON objects with exactly the keys of ``schema``; the contract says which values may be null.

    They stand one on a line, or, which its beginning shows, in an array, or one after the other over any lines.
    """

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        for path in self.field_paths:
            try:
                _type("", self.raw_type(path), None)
            except DeclarationError as error:
                yield f"{path}: {error.what.removesuffix('.')} ({error.fix})"

    def needs_repair(self, structure: Structure) -> bool:
        """As of any text; a byte order mark would be read as part of the first record, too."""
        return super().needs_repair(structure) or structure.has_bom or bool(structure.layout)

    def validate_records(self, content: BinaryIO, structure: Structure) -> Iterator[ValidatedRecord]:
        """Yield each object, decoded against the exact type of its record."""
        problem_of = _Validator(self.schema, self.encoding)
        for number, ((line, text, dropped), kind) in enumerate(self._records(content, structure)):
            if kind:
                yield ValidatedRecord(NO_RECORD, line, text, None, dropped, kind)
                continue
            reason = too_long(len(text) + dropped, self.max_record_bytes) if dropped else problem_of(text)
            yield ValidatedRecord(number, line, text, reason, dropped)

    def _records(self, content: BinaryIO, structure: Structure) -> Iterator[tuple[Line, str | None]]:
        if structure.layout:
            return ((document, None) for document in documents(content, self.max_record_bytes, structure.layout))
        return without_end(long_lines(content, self.max_record_bytes), _is_blank)

    def _split(self, content: BinaryIO, structure: Structure) -> Iterator[tuple[int, Line]]:
        for number, (record, kind) in enumerate(self._records(content, structure)):
            yield NO_RECORD if kind else number, record

    def _inspect(self, path: Path, beginning: bytes) -> Structure:
        if _is_csv(beginning):
            return Structure.refused("no line is JSON, and the file seems to be CSV: declare it as CsvFile", line=1)
        known = Structure(has_bom=beginning.startswith(codecs.BOM_UTF8), layout=layout_of(beginning))
        return self._inspect_records(path, known)

    def _copies_lines(self, structure: Structure) -> bool:
        return not structure.layout

    def _scan(
        self,
        paths: Sequence[str],
        structure: Structure,  # noqa: ARG002
        options: Mapping[str, Any],
        *,
        is_copy: bool,  # noqa: ARG002
    ) -> pl.LazyFrame:
        return (
            pl.scan_lines(list(paths), name=_LINE, row_index_name=RECORD, glob=False, **options)
            .with_columns(pl.col(_LINE).str.json_decode(pl.Struct(dict(self.schema))))
            .unnest(_LINE)
        )

    def _copied(self, record: ValidatedRecord, structure: Structure) -> bytes:
        if record.reason:
            return b"{}"
        text = record.text.removesuffix(b"\n").removesuffix(b"\r")
        return _LINE_END.sub(b" ", text) if structure.layout else text


def _is_csv(beginning: bytes) -> bool:
    """Whether a text begins with several lines of which none is JSON, and which have separators alike."""
    lines = beginning.removeprefix(codecs.BOM_UTF8).splitlines()[:_LOOKED_AT]
    if len(lines) < _FEWEST_LINES or any(line.lstrip().startswith((b"{", b"[")) for line in lines):
        return False
    return any(all(separator in line for line in lines[:_FEWEST_LINES]) for separator in (b",", b";", b"\t", b"|"))


def _is_blank(line: Line) -> bool:
    return not line.dropped and not line.text.strip()


class _Validator:
    """Says why a line is no record of a schema; None where it is one."""

    def __init__(self, schema: Mapping[str, PolarsDataType], encoding: str) -> None:
        self._encoding = encoding
        self._dtype = pl.Struct(dict(schema))
        self._shape = _shape(schema)
        self._within_bounds: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_struct("Record", schema, _SURELY_READ))
        self._any: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_struct("Record", schema, None))

    def __call__(self, line: bytes) -> str | None:
        try:
            record = self._within_bounds.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            problem = self._decode_problem(line)
            if problem:
                return problem
            record = self._any.decode(line)
        # Every key must be there, so a line with as many keys as its objects must have has each of them once.
        is_spaced = any(space in line for space in _SPACED) and _SPACED_KEY.search(line)
        return None if line.count(b'":') == self._shape.keys_in(record) and not is_spaced else _duplicate_key(line)

    def _decode_problem(self, line: bytes) -> str | None:
        """Return why a line cannot be decoded; None where the only problem is a large number that the engine reads."""
        if not line.strip():
            return "a blank line"
        if line.startswith(codecs.BOM_UTF8):
            return "a byte order mark, which belongs at the beginning of the file"
        bad_bytes = utf8_problem(line, self._encoding)
        if bad_bytes:
            return bad_bytes
        try:
            # Without the line end, which is a character out of place in a text that is cut short.
            self._any.decode(line.rstrip(b"\r\n"))
        except msgspec.DecodeError as error:
            # The name of a key that nobody declared is a part of the text too.
            said = str(error).replace("contains unknown field ", "contains an unknown field: ")
            return f"{said}, beginning {excerpt(line)}"
        try:
            self._any.decode(line)
        except msgspec.DecodeError:
            return f"a line end that does not belong there, beginning {excerpt(line)}"
        try:
            pl.Series([line.decode()]).str.json_decode(self._dtype)
        except pl.exceptions.ComputeError:
            return f"a number of more digits than can be read, beginning {excerpt(line)}"
        return None


def _duplicate_key(line: bytes) -> str | None:
    """Return what is wrong with an object that has a key twice: readers differ in which of the values they take."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        found.extend(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)

    json.loads(line, object_pairs_hook=look)
    return f"the key {found[0]!r} stands twice, beginning {excerpt(line)}" if found else None


def _struct(name: str, schema: Mapping[str, PolarsDataType], bound: float | None) -> type:
    """Return a strict type of exactly these keys, each of them null or of its type.

    Args:
        name: of the type.
        schema: key → its type.
        bound: the largest floating point number that is allowed, of either sign; None where all are.
    """
    keys = dict(zip(_field_names(schema), schema, strict=True))
    fields = [(field, _type(key, schema[key], bound) | None) for field, key in keys.items()]
    return msgspec.defstruct(name, fields, forbid_unknown_fields=True, rename=keys)


def _field_names(schema: Mapping[str, PolarsDataType]) -> list[str]:
    """The names of a decoded object's fields, in order: a key may be no name of Python's."""
    return [f"key_{number}" for number in range(len(schema))]


def _type(key: str, dtype: PolarsDataType, bound: float | None) -> Any:
    dtype = dtype() if isinstance(dtype, type) else dtype
    if isinstance(dtype, pl.Struct):
        return _struct(key, dtype.to_schema(), bound)
    if isinstance(dtype, pl.List):
        return list[_type(key, dtype.inner, bound)]  # type: ignore[misc]
    python = json_type(dtype)
    if python is int:
        low, high = integer_bounds(dtype)
        return Annotated[int, msgspec.Meta(ge=low, le=high)]
    if python is float and bound is not None:
        return Annotated[float, msgspec.Meta(ge=-bound, le=bound)]
    return python


@dataclass(frozen=True)
class _Shape:
    """How many keys an object has, and which of its fields hold objects, or lists of them."""

    keys: int
    nested: tuple[tuple[str, _Shape], ...]

    def keys_in(self, found: Any) -> int:
        """How many keys a decoded value and the objects in it have; a missing object has none."""
        if found is None:
            return 0
        if isinstance(found, list):
            return sum(map(self.keys_in, found))
        return self.keys + sum(shape.keys_in(getattr(found, field)) for field, shape in self.nested)


def _shape(schema: Mapping[str, PolarsDataType]) -> _Shape:
    nested = []
    for field, dtype in zip(_field_names(schema), schema.values(), strict=True):
        inner = dtype
        while isinstance(inner, pl.List):
            inner = inner.inner
        if isinstance(inner, pl.Struct):
            nested.append((field, _shape(inner.to_schema())))
    return _Shape(len(schema), tuple(nested))
