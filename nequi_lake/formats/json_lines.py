"""JSON lines: one JSON object per line."""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import polars as pl

from nequi_lake.errors import DeclarationError
from nequi_lake.formats.base import RECORD
from nequi_lake.formats.drift import Drift
from nequi_lake.formats.json_documents import documents, layout_of
from nequi_lake.formats.json_shape import Allowed, Shape, is_map_type, paths_of, value_type
from nequi_lake.formats.lines import Line, long_lines, too_long
from nequi_lake.formats.nested import NestedFile
from nequi_lake.formats.structure import Structure
from nequi_lake.formats.text import NO_RECORD, TextFile, ValidatedRecord, excerpt, utf8_problem, without_end

_LINE = "__line"
_SPACED = (b'" ', b'"\t', b'"\r')
_LINE_END = re.compile(rb"[\r\n]+")
_SPACED_KEY = re.compile(rb'"\s+:')
_LOOKED_AT, _FEWEST_LINES = 30, 2
_SURELY_READ = 1e38
"""Up to here the engine reads each number. Beyond, it does not read whole ones that are written out in full."""


@dataclass(frozen=True, kw_only=True, eq=False)
class JsonLinesFile(NestedFile, TextFile):
    """JSON objects with the keys of ``schema``; the contract says which values may be null.

    They stand one on a line, or, which its beginning shows, in an array, or one after the other over any lines.
    A key of an object that lies in another one, or in a list, has a dotted name in ``optional``, and so on.

    Attributes:
        as_text: keys whose value, of whatever kind, is kept as the text that it is in the file: of type ``pl.String``.
        maps: keys whose value is an object of any keys: of type ``pl.List(pl.Struct({"key": pl.String, "value": …}))``.
    """

    as_text: tuple[str, ...] = ()
    maps: tuple[str, ...] = ()

    @property
    def drift(self) -> Drift:
        return super().drift._replace(columns=tuple(path for path, _, _ in paths_of(self.schema)))

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        types = {path: (dtype, is_listed) for path, dtype, is_listed in paths_of(self.schema)}
        for path in (path for path in self.renamed if types.get(path, (None, False))[1]):
            yield f"renamed= names {path}, which is in a list of objects"
        for what, paths in (("as_text", self.as_text), ("maps", self.maps)):
            for path in paths:
                dtype, is_listed = types.get(path, (pl.Null(), False))
                if path not in types:
                    yield f"{what}= names {path}, which is no key"
                elif is_listed:
                    yield f"{what}= names {path}, which is in a list of objects"
                elif what == "as_text" and dtype != pl.String:
                    yield f"{path} is kept as text, and declared as {dtype}: declare pl.String"
                elif what == "maps" and not is_map_type(dtype):
                    yield f'{path} is a map: declare pl.List(pl.Struct({{"key": pl.String, "value": …}}))'
        for path in self.field_paths:
            try:
                _check_type(self.raw_type(path))
            except DeclarationError as error:
                yield f"{path}: {error.what.removesuffix('.')} ({error.fix})"

    @cached_property
    def _shape(self) -> Shape:
        return Shape(self.schema, Allowed(self.optional, dict(self.renamed), self.extra, self.as_text, self.maps))

    def needs_repair(self, structure: Structure) -> bool:
        """As of any text; a byte order mark would be read as part of the first record, too."""
        is_read = not (structure.has_bom or structure.layout or self._shape.is_rewritten)
        return super().needs_repair(structure) or not is_read

    def validate_records(self, content: BinaryIO, structure: Structure) -> Iterator[ValidatedRecord]:
        """Yield each object, decoded against the exact type of its record."""
        problem_of = _Validator(self._shape, self.encoding)
        for number, ((line, text, dropped), kind) in enumerate(self._records(content, structure)):
            if kind:
                yield ValidatedRecord(NO_RECORD, line, text, None, dropped, kind)
                continue
            reason = too_long(len(text) + dropped, self.max_record_bytes) if dropped else problem_of(text)
            yield ValidatedRecord(number, line, text, reason, dropped, ignored=problem_of.ignored)

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
        return not structure.layout and not self._shape.is_rewritten

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
            .with_columns(pl.col(_LINE).str.json_decode(pl.Struct(self._shape.engine_schema)))
            .unnest(_LINE)
            .select(RECORD, *(self._shape.columns() if self.renamed else self.schema))
        )

    def _copied(self, record: ValidatedRecord, structure: Structure) -> bytes:
        if record.reason:
            return b"{}"
        text = record.text.removesuffix(b"\n").removesuffix(b"\r")
        if self._shape.is_rewritten:
            text = self._shape.rewritten(text)
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
    """Says why a line is no record of a shape; None where it is one.

    Attributes:
        ignored: keys of the line before that are not declared and may be there, each with its value.
    """

    def __init__(self, shape: Shape, encoding: str) -> None:
        self._encoding = encoding
        self._dtype = pl.Struct(shape.engine_schema)
        self._shape = shape
        self._within_bounds: msgspec.json.Decoder[Any] = msgspec.json.Decoder(shape.decoded_as(_SURELY_READ))
        self._any: msgspec.json.Decoder[Any] = msgspec.json.Decoder(shape.decoded_as(None))
        self.ignored: Mapping[str, str] = {}

    def __call__(self, line: bytes) -> str | None:
        self.ignored = {}
        try:
            record = self._within_bounds.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            problem = self._decode_problem(line)
            if problem:
                return problem
            record = self._any.decode(line)
        problem = self._shape.name_problem(record)
        if problem:
            return f"{problem}, beginning {excerpt(line)}"
        # A line with as many keys as what was decoded of it has each of them once, and no other.
        is_spaced = any(space in line for space in _SPACED) and _SPACED_KEY.search(line)
        is_plain = line.count(b'":') == self._shape.count_keys(record) and not is_spaced
        return None if is_plain else self._key_problem(line)

    def _key_problem(self, line: bytes) -> str | None:
        """Return what is wrong with an object that has a key twice: readers differ in which of the values they take."""
        found: list[str] = []

        def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            found.extend(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
            return dict(pairs)

        whole = json.loads(line, object_pairs_hook=look)
        if found:
            return f"the key {found[0]!r} stands twice, beginning {excerpt(line)}"
        self.ignored = {
            path: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for path, value in self._shape.undeclared(whole)
        }
        return None

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
            return f"{said}{_advice(said)}, beginning {excerpt(line)}"
        try:
            self._any.decode(line)
        except msgspec.DecodeError:
            return f"a line end that does not belong there, beginning {excerpt(line)}"
        try:
            pl.Series([line.decode()]).str.json_decode(self._dtype)
        except pl.exceptions.ComputeError:
            return f"a number of more digits than can be read, beginning {excerpt(line)}"
        return None


def _check_type(dtype: pl.DataType) -> None:
    """Raises DeclarationError where JSON has no values of a type."""
    if isinstance(dtype, pl.Struct):
        for field in dtype.fields:
            _check_type(field.dtype() if isinstance(field.dtype, type) else field.dtype)
    elif isinstance(dtype, pl.List):
        _check_type(dtype.inner() if isinstance(dtype.inner, type) else dtype.inner)
    else:
        value_type(dtype, None)


def _advice(said: str) -> str:
    """What to declare where a key is missing, or was never declared, and may be so."""
    if "missing required field" in said:
        return " (is it right so: declare optional= or renamed=)"
    return ' (is it right so: declare it, or extra="ignore")' if "an unknown field" in said else ""
