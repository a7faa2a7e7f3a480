"""Which records of a raw file cannot be read, why, and a copy of the file that can be read without them."""

from __future__ import annotations

import base64
import codecs
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec
import polars as pl
from polars._typing import PolarsDataType

from nequi_lake.datasets.spec import CsvFile, JsonLinesFile, RawFile
from nequi_lake.datasets.types import json_type
from nequi_lake.lake.lines import Record, csv_records
from nequi_lake.progress import bar

HEADER = -1
"""The number under which a CSV file's header comes."""
RAW_KEPT_BYTES = 2**16
"""How much of a damaged record goes to the quarantine. The file in the raw zone has all of it."""
_DAMAGED = {"record": pl.Int64(), "line": pl.Int64(), "rule": pl.String(), "raw": pl.String()}


class Judged(NamedTuple):
    """A record and what is wrong with it.

    Attributes:
        number: from 0 without the header.
        line: the line, from 1, on which it begins.
        text: its bytes, with the line end.
        reason: why it cannot be read; None where it can.
    """

    number: int
    line: int
    text: bytes
    reason: str | None


@dataclass(frozen=True)
class Mended:
    """A file's copy in which every record can be read.

    Attributes:
        path: the copy, on this machine's disk. In the place of each damaged record is one of missing values, so that
            the numbers of the others stay as they were.
        damaged: number, line, reason and text of the damaged records.
    """

    path: Path
    damaged: pl.DataFrame


def judged(file: RawFile, content: BinaryIO) -> Iterator[Judged]:
    """The records of a file in order, a CSV file's header before them; none where the lake does not read the file.

    A byte order mark at the beginning belongs to none of them.
    """
    match file:
        case CsvFile():
            for number, record in enumerate(csv_records(content), HEADER):
                reason = None if number == HEADER else _csv_problem(record, len(file.columns))
                yield Judged(number, record.line, record.text, reason)
        case JsonLinesFile():
            decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_json_struct("Record", file.schema))
            keys = _keys(file.schema)
            for number, text in enumerate(content):
                line = text if number else text.removeprefix(codecs.BOM_UTF8)
                yield Judged(number, number + 1, line, _json_problem(decoder, keys, line))


def mend(file: RawFile, content: BinaryIO, size_bytes: int, path: Path) -> Mended:
    """Copy ``content`` to ``path`` without its damaged records and byte order mark.

    Holds the damaged records in memory: they must be few.
    """
    stand_in = b",".join([b'""'] * len(file.columns)) if isinstance(file, CsvFile) else b"{}"
    damaged = []
    with path.open("wb") as copy, bar(f"mending {file.name}", size_bytes, "B") as progress:
        for record in judged(file, content):
            progress.update(len(record.text))
            if record.reason:
                damaged.append((record.number, record.line, record.reason, _raw(record.text)))
                copy.write(stand_in + b"\n")
            else:
                copy.write(record.text)
                if not record.text.endswith(b"\n"):
                    copy.write(b"\n")
    return Mended(path, pl.DataFrame(damaged, schema=_DAMAGED, orient="row"))


def not_utf8(text: bytes) -> str | None:
    """What is wrong with a text that is not UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError as bad:
        return f"bytes that are not UTF-8: {text[bad.start : bad.start + 8]!r}"
    return None


def _raw(text: bytes) -> str:
    """A record as JSON: its text, and its bytes where the text does not tell them."""
    body = text.removesuffix(b"\n").removesuffix(b"\r")
    shown = body[:RAW_KEPT_BYTES]
    told: dict[str, str | int] = {"text": shown.decode(errors="replace")}
    if shown.decode(errors="ignore").encode() != shown:
        told["base64"] = base64.b64encode(shown).decode()
    if len(shown) < len(body):
        told["size_bytes"] = len(body)
    return json.dumps(told, ensure_ascii=False)


def _csv_problem(record: Record, columns: int) -> str | None:
    text = record.text
    if not text.strip():
        return "a blank line"
    if b"\0" in text:
        return "a NUL byte"
    bad_bytes = not_utf8(text)
    if bad_bytes:
        return bad_bytes
    if not record.quotes_are_sound:
        return f"a quote is opened and never closed, or stands inside of a field, beginning {_excerpt(text)}"
    if record.fields != columns:
        return f"{record.fields} fields where the header has {columns}, beginning {_excerpt(text)}"
    if record.plain.count(b"\r") > record.plain.endswith(b"\r\n"):
        # A line end to some parsers, and text to others.
        return f"a carriage return that ends no line, beginning {_excerpt(text)}"
    return None


def _json_problem(decoder: msgspec.json.Decoder[Any], keys: int, line: bytes) -> str | None:
    try:
        decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _json_fault(decoder, line)
    # Where there are just as many as there should be, each is there once: none may be missing.
    return None if line.count(b'":') == keys else _twice(line)


def _twice(line: bytes) -> str | None:
    """What is wrong with an object that has a key twice: one reader takes the first value, and another the last."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        found.extend(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)

    json.loads(line, object_pairs_hook=look)
    return f"the key {found[0]!r} stands twice, beginning {_excerpt(line)}" if found else None


def _json_fault(decoder: msgspec.json.Decoder[Any], line: bytes) -> str:
    """Why a line cannot be decoded."""
    if not line.strip():
        return "a blank line"
    if line.startswith(codecs.BOM_UTF8):
        return "a byte order mark, which belongs at the beginning of the file"
    bad_bytes = not_utf8(line)
    if bad_bytes:
        return bad_bytes
    try:
        # Without the line end, which is a character out of place in a text that is cut short.
        decoder.decode(line.rstrip(b"\r\n"))
    except msgspec.DecodeError as error:
        return f"{error}, beginning {_excerpt(line)}"
    return f"a line end that does not belong there, beginning {_excerpt(line)}"


def _excerpt(text: bytes) -> str:
    return repr(text[:60].decode(errors="replace").rstrip("\r\n"))


def _json_struct(name: str, schema: Mapping[str, PolarsDataType]) -> type:
    """A strict type of exactly these keys, each of them null or of its type."""
    fields = [(key, _json_type(key, dtype) | None) for key, dtype in schema.items()]
    return msgspec.defstruct(name, fields, forbid_unknown_fields=True)


def _keys(schema: Mapping[str, PolarsDataType]) -> int:
    """How many keys an object and those in it have."""
    return sum(1 + (_keys(dtype.to_schema()) if isinstance(dtype, pl.Struct) else 0) for dtype in schema.values())


def _json_type(key: str, dtype: PolarsDataType) -> Any:
    dtype = dtype() if isinstance(dtype, type) else dtype
    if isinstance(dtype, pl.Struct):
        return _json_struct(key, dtype.to_schema())
    if isinstance(dtype, pl.List):
        return list[_json_type(key, dtype.inner)]  # type: ignore[misc]
    return json_type(dtype)
