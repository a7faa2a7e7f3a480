"""How a file is written: its encoding, dialect and header, from its bytes; the whole file has to bear it out."""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from nequi_lake.errors import UsageError
from nequi_lake.formats import CsvFile, JsonLinesFile, Structure, TextFile
from nequi_lake.formats.codecs import PackedError, codec_of, opened_text
from nequi_lake.formats.csv_dialect import Dialect, Record
from nequi_lake.formats.json_documents import documents
from nequi_lake.formats.lines import Line, long_lines
from nequi_lake.formats.magic import no_content, no_text

_LOOKED_AT_BYTES = 2**22
_RECORDS = 2_000
_LONGEST = TextFile.max_record_bytes
_MOST_ABOVE = 50
_FEW_FIELDS = 3
_SEPARATORS = (",", ";", "\t", "|", ", ", "; ", "||", ":", " ")
_QUOTES = ('"', "'", None)
_BLOCK_BYTES = 2**20
_SOUND_SHARE = 0.3
_RARELY_SEPARATE = {":": 0.3, " ": 0.4}
_BELOW_OTHERS = 0.9
"""How much less it says that records are alike where what parts them stands in texts too, or lines stand above them."""
_NOT_IN_CP1252 = b"\x81\x8d\x8f\x90\x9d"


@dataclass(frozen=True)
class Sniffed:
    """How a file seems to be written.

    Attributes:
        file: the declaration that reads it.
        notes: what is not sure, with what speaks for it.
    """

    file: CsvFile | JsonLinesFile
    notes: tuple[str, ...] = ()


def sniff(path: Path) -> Sniffed:
    """Say how a file is written.

    Raises:
        UsageError: it is of no format that can be drafted.
    """
    with path.open("rb") as stream:
        beginning = stream.read(_BLOCK_BYTES)
    problem = no_content(beginning) or no_text(beginning, "utf-16")
    if problem:
        raise UsageError(f"No declaration can be drafted: {problem}.", where=str(path))
    codec = codec_of(beginning)
    try:
        encoding = _encoding(path, codec)
        with path.open("rb") as stream, opened_text(stream, codec=codec, encoding=encoding) as plain:
            text = plain.read(_LOOKED_AT_BYTES)
    except PackedError as error:
        raise UsageError(f"No declaration can be drafted: {error}.", where=str(path)) from error
    problem = no_content(text)
    if problem:
        raise UsageError(f"No declaration can be drafted: {problem}.", where=str(path))
    if b"\r" in text and b"\n" not in text:
        text = text.replace(b"\r", b"\n")
    if text.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"[", b"{"):
        return Sniffed(_json_file(path, encoding))
    return _csv_file(path, text, encoding)


def _encoding(path: Path, codec: str) -> str:
    """The encoding of a text; bytes that are not UTF-8 are of Windows, or where that has them not, of Latin-1."""
    with path.open("rb") as stream, opened_text(stream, codec=codec) as plain:
        head = plain.read(64)
        for mark, name in (
            (codecs.BOM_UTF32_LE, "utf-32"),
            (codecs.BOM_UTF32_BE, "utf-32"),
            (codecs.BOM_UTF16_LE, "utf-16"),
            (codecs.BOM_UTF16_BE, "utf-16"),
        ):
            if head.startswith(mark):
                return name
        if len(head) > 3 and set(head[1:40:2]) == {0}:
            return "utf-16-le"
        if len(head) > 3 and set(head[:40:2]) == {0}:
            return "utf-16-be"
        decoder = codecs.getincrementaldecoder("utf-8")()
        bad = 0
        block = head
        try:
            while block:
                decoder.decode(block)
                block = plain.read(_BLOCK_BYTES)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            while block:
                bad += len(block) - len(block.translate(None, _NOT_IN_CP1252))
                block = plain.read(_BLOCK_BYTES)
            return "latin-1" if bad else "cp1252"
    return "utf-8"


def _csv_file(path: Path, text: bytes, encoding: str) -> Sniffed:
    lines = list(islice(long_lines(BytesIO(text), _LONGEST), _RECORDS))
    if len(text) == _LOOKED_AT_BYTES:
        lines = lines[:-1]
    best = max(_layouts(lines), key=lambda layout: layout.score, default=None)
    if best is None:
        raise UsageError("No declaration can be drafted: the file has no two records alike.", where=str(path))
    records = best.records[_nearly_empty(best) :]
    values = [
        best.dialect.values(_text(record)) for record in records if record.is_sound and record.fields == best.fields
    ]
    ends_in_separator = best.fields > 1 and all(not row[-1] for row in values) and _is_header([r[:-1] for r in values])
    if ends_in_separator:
        values = [row[:-1] for row in values]
    twice = [name for name, count in Counter(values[0]).items() if count > 1 and name]
    if twice and not any(map(_is_number, values[0])):
        raise UsageError(f"No declaration can be drafted: the header has {', '.join(twice)} twice.", where=str(path))
    is_header = _is_header(values)
    names = values[0] if is_header else [f"column_{number}" for number in range(1, len(values[0]) + 1)]
    file = CsvFile(
        name=path.name,
        description="TODO",
        columns=tuple(names),
        separator=best.dialect.separator,
        quote=best.dialect.quote,
        escape=best.dialect.escape,
        encoding=encoding,
        skip_lines=records[0].line - 1,
        header_lines=int(is_header),
        ends_in_separator=ends_in_separator,
    )
    notes = () if is_header else ("no header was found, so the columns have numbers",)
    return Sniffed(replace(file, footer_lines=_footer_lines(path, file)), notes)


@dataclass(frozen=True)
class _Layout:
    dialect: Dialect
    skip: int
    fields: int
    records: Sequence[Record]
    share: float

    @property
    def score(self) -> tuple[float, ...]:
        """More is better: first how many records are alike, then how many fields they have."""
        is_plain = (self.dialect.quote == '"') + (self.dialect.escape is None)
        share = self.share * _RARELY_SEPARATE.get(self.dialect.separator, 1.0) * (_BELOW_OTHERS if self.skip else 1.0)
        return (round(share, 2) if self.fields > 1 else 0, self.fields, is_plain, -len(self.dialect.separator))


def _layouts(lines: Sequence[Line]) -> Iterator[_Layout]:
    """Every dialect in which most records have the same number of fields."""
    text = b"".join(line.text for line in lines)
    for separator in _SEPARATORS:
        if len(lines) > 1 and separator.encode() not in text:
            continue
        for quote in _QUOTES:
            if quote and quote.encode() not in text and quote != '"':
                continue
            for escape in (None, "\\") if quote and f"\\{quote}".encode() in text else (None,):
                yield from _layout(Dialect(separator, quote, escape), lines)
    yield from _layout(Dialect(",", '"'), lines)


def _layout(dialect: Dialect, lines: Sequence[Line]) -> Iterator[_Layout]:
    records = [record for record in dialect.records(iter(lines), _LONGEST) if record.text.strip()]
    sound = Counter(record.fields for record in records if record.is_sound)
    if not sound:
        return
    fields, _ = max(sound.items(), key=lambda item: (item[1] * min(item[0], 2), item[0]))
    alike = [record for record in records if record.is_sound and record.fields == fields]
    skip = alike[0].line - 1
    if skip > _MOST_ABOVE:
        return
    below = [record for record in records if record.line > skip]
    share = len(alike) / len(below)
    if share >= _SOUND_SHARE or len(below) < _MOST_ABOVE:
        yield _Layout(dialect, skip, fields, below, share)


def _nearly_empty(layout: _Layout) -> int:
    """How many records above the others have one value at most: a title, in as many fields as a record has."""
    if layout.fields < _FEW_FIELDS:
        return 0
    for number, record in enumerate(layout.records[:_MOST_ABOVE]):
        if not record.is_sound or sum(bool(value.strip()) for value in layout.dialect.values(_text(record))) > 1:
            return number
    return 0


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: no numbers or gaps, and unlike what stands below it."""
    first, below = rows[0], rows[1:]
    if len(set(first)) < len(first) or any(_is_number(value) for value in first):
        return False
    if sum(not value.strip() for value in first) > 1:
        return False
    if not below:
        return True
    columns = list(zip(*below, strict=True))
    unlike = sum(
        any(map(_is_number, column)) or value not in column for value, column in zip(first, columns, strict=True)
    )
    return unlike >= len(first) / 2


def _is_number(text: str) -> bool:
    digits = sum(letter.isdigit() for letter in text)
    return bool(digits) and digits >= len(text.strip()) / 2


def _footer_lines(path: Path, file: CsvFile) -> int:
    """How many lines at the end of a file are no records: fewer or more fields, below sound ones."""
    structure = file.inspect(path)
    if not structure.damaged or structure.damaged > _MOST_ABOVE or structure.problem_count > structure.damaged:
        return 0
    with path.open("rb") as stream:
        plain = opened_text(stream, codec=structure.codec, encoding=file.encoding, ends_in_cr=structure.ends_in_cr)
        found = [
            record.reason is not None and record.text.count(file.separator.encode()) < len(file.columns) / 2
            for record in file.validate_records(plain, structure)
            if not record.passed_over
        ]
    count = next((number for number, is_bad in enumerate(reversed(found)) if not is_bad), 0)
    return count if count <= _MOST_ABOVE else 0


def _text(record: Record) -> str:
    return record.text.decode(errors="replace").removesuffix("\n").removesuffix("\r")


def _json_file(path: Path, encoding: str) -> JsonLinesFile:
    """The file with the types of the values of all its objects."""
    found: dict[str, Any] = {}
    structure = JsonLinesFile(name=path.name, description="x", schema={"x": pl.Int64}, encoding=encoding).inspect(path)
    for value in json_values(path, structure, encoding):
        if isinstance(value, dict):
            for name, inner in value.items():
                found[name] = _merged(found.get(name), _shape(inner))
    if not found:
        raise UsageError("No declaration can be drafted: the file has no JSON objects.", where=str(path))
    return JsonLinesFile(
        name=path.name,
        description="TODO",
        schema={name: _dtype(shape) for name, shape in found.items()},
        encoding=encoding,
    )


def json_values(path: Path, structure: Structure, encoding: str) -> Iterator[Any]:
    """The values of a JSON file, those that are no JSON left out."""
    with path.open("rb") as stream:
        plain = opened_text(stream, codec=structure.codec, encoding=encoding)
        layout = structure.layout
        for line in documents(plain, _LONGEST, layout) if layout else long_lines(plain, _LONGEST):
            try:
                yield json.loads(line.text)
            except ValueError:
                continue


def _shape(value: Any) -> Any:
    """The type of a JSON value: a name, a list with the type of its elements, or a mapping of types."""
    match value:
        case None:
            return None
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case str():
            return "str"
        case list():
            inner = None
            for element in value:
                inner = _merged(inner, _shape(element))
            return [inner]
        case _:
            return {name: _shape(inner) for name, inner in value.items()}


def _merged(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, dict) and isinstance(other, dict):
        return {name: _merged(one.get(name), other.get(name)) for name in {**one, **other}}
    if isinstance(one, list) and isinstance(other, list):
        return [_merged(one[0], other[0])]
    if {one, other} == {"int", "float"} if isinstance(one, str) and isinstance(other, str) else False:
        return "float"
    return one if one == other else "str"


def _dtype(shape: Any) -> pl.DataType:
    match shape:
        case "bool":
            return pl.Boolean()
        case "int":
            return pl.Int64()
        case "float":
            return pl.Float64()
        case [inner]:
            return pl.List(_dtype(inner))
        case dict():
            return pl.Struct({name: _dtype(inner) for name, inner in shape.items()})
        case _:
            return pl.String()
