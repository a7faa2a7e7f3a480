"""Is the raw file whole? One pass over its bytes before an engine reads it, which also counts its records.

Engines read a short row as empty values and fail a whole file for one byte, so nothing but this pass says what is
wrong with a file, and where.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import polars.exceptions
from polars._typing import PolarsDataType

from nequi_lake.datasets.spec import CsvFile, JsonLinesFile, RawFile
from nequi_lake.lake.lines import Record, csv_records
from nequi_lake.progress import bar, watched
from nequi_lake.quality.check import Check

FILE_IS_WHOLE = "file_is_whole"
PROBLEMS_SHOWN = 5


@dataclass(frozen=True)
class Problem:
    """Something wrong with a file: the line, from 1, on which the record begins, or None for the whole file."""

    line: int | None
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}" if self.line else self.reason


@dataclass(frozen=True, kw_only=True)
class Structure:
    """What the pass found.

    Attributes:
        records: records, the header not among them.
        lines: lines, the header among them.
        problems: the first of what is wrong.
        problem_count: how many there are.
    """

    records: int = 0
    lines: int = 0
    problems: tuple[Problem, ...] = ()
    problem_count: int = 0

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problem_count


def inspect(file: RawFile, path: Path) -> Structure:
    """Look at a file's structure. A file that the lake keeps without reading it only has to have content."""
    if not path.stat().st_size:
        return _refused("the file is empty")
    with path.open("rb") as stream:
        head = stream.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return _refused("the file is a Git LFS pointer, not the content that it points to")
    if head[:15].lower().startswith((b"<!doctype html", b"<html")):
        return _refused("the file is a web page, perhaps an error page of the download")
    match file:
        case CsvFile():
            return _inspect_csv(file, path)
        case JsonLinesFile():
            return _inspect_json_lines(file, path, head)
        case _:
            return Structure()


def as_check(dataset: str, file: RawFile, structure: Structure) -> Check:
    """The structure as the answer to ``file_is_whole``."""
    found = f"{structure.records:,} records on {structure.lines:,} lines"
    if structure.problems:
        more = structure.problem_count - len(structure.problems)
        found = "; ".join(map(str, structure.problems)) + (f"; and {more:,} more" if more else "")
    return Check(
        name=FILE_IS_WHOLE,
        subject=f"{dataset}/{file.name}",
        passed=structure.whole,
        found=found,
        numbers={
            "records": structure.records,
            "lines": structure.lines,
            "problems": structure.problem_count,
            "problems_allowed": 0,
        },
        fix="Get the file again from its publisher, or mend it there; if its layout changed on purpose, change the "
        "dataset's declaration.",
    )


def _refused(reason: str, line: int | None = None) -> Structure:
    return Structure(problems=(Problem(line, reason),), problem_count=1)


def _found(problems: Iterable[Problem], *, count: int, records: int, lines: int) -> Structure:
    return Structure(records=records, lines=lines, problems=tuple(problems)[:PROBLEMS_SHOWN], problem_count=count)


def _inspect_csv(file: CsvFile, path: Path) -> Structure:
    with path.open("rb") as stream:
        header = next(csv_records(stream))
    header_problem = _header_problem(file, header.text)
    if header_problem:
        return _refused(header_problem, line=1)
    structure = _count_sound_csv(file, path) or _examine_csv(file, path)
    if not structure.records:
        return _refused("the file has a header and no records")
    return structure


def _count_sound_csv(file: CsvFile, path: Path) -> Structure | None:
    """Count the records of a file of which every line is a sound record; None where one calls for a closer look."""
    field = r'(?:[^",\r\x00]*|"(?:[^"\x00]|"")*")'
    sound = rf"\A{field}(?:,{field}){{{len(file.columns) - 1}}}\z"
    lines = pl.scan_lines(path, name="line", glob=False)
    try:
        with bar(f"checking {file.name}", None, "rows") as progress:
            count, good = (
                watched(lines.select(pl.col("line").str.contains(sound)), progress.update)
                .select(pl.len(), pl.col("line").sum().alias("good"))
                .collect(engine="streaming")
                .row(0)
            )
    except polars.exceptions.PolarsError:
        # Bytes that are not UTF-8.
        return None
    return Structure(records=count - 1, lines=count) if count == good else None


def _examine_csv(file: CsvFile, path: Path) -> Structure:
    """Look at each record of a file in which something is odd."""
    records = lines = count = 0
    problems: list[Problem] = []
    with path.open("rb") as stream, bar(f"examining {file.name}", path.stat().st_size, "B") as progress:
        for record in csv_records(stream):
            lines = record.line + record.text.count(b"\n") - record.text.endswith(b"\n")
            progress.update(len(record.text))
            if record.line == 1:
                continue
            records += 1
            reason = _record_problem(record, len(file.columns))
            if reason:
                count += 1
                if len(problems) < PROBLEMS_SHOWN:
                    problems.append(Problem(record.line, reason))
    return _found(problems, count=count, records=records, lines=lines)


def _record_problem(record: Record, columns: int) -> str | None:
    """What is wrong with a record, if anything."""
    text = record.text
    if not text.strip():
        return "a blank line"
    if b"\0" in text:
        return "a NUL byte"
    bad_bytes = _not_utf8(text)
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


def _not_utf8(text: bytes) -> str | None:
    try:
        text.decode()
    except UnicodeDecodeError as bad:
        return f"bytes that are not UTF-8: {text[bad.start : bad.start + 8]!r}"
    return None


def _excerpt(text: bytes) -> str:
    return repr(text[:60].decode(errors="replace").rstrip("\r\n"))


def _header_problem(file: CsvFile, text: bytes) -> str | None:
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "the file is in UTF-16; UTF-8 is expected"
    if b"\r" in text.removesuffix(b"\r\n").removesuffix(b"\r"):
        return "lines end in a carriage return alone"
    bad_bytes = _not_utf8(text)
    if bad_bytes:
        return bad_bytes
    names = next(csv.reader([text.decode("utf-8-sig")]), [])
    if names == list(file.columns):
        return None
    missing = [name for name in file.columns if name not in names]
    extra = [name for name in names if name not in file.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    found = [
        *([f"missing columns {_listed(missing)}"] if missing else []),
        *([f"unexpected columns {_listed(extra)}"] if extra else []),
        *([f"columns that stand twice: {_listed(twice)}"] if twice else []),
    ] or [f"the columns in another order: {_listed(names)}"]
    count = f"{len(names)} columns where {len(file.columns)} are declared: " if len(names) != len(file.columns) else ""
    return count + "; ".join(found)


def _listed(names: Iterable[str]) -> str:
    """Column names for a person, in quotes where spaces around them would not be seen."""
    return ", ".join(name if name and name == name.strip() else repr(name) for name in names)


_JSON_TYPES: Mapping[type[pl.DataType], type] = {pl.String: str, pl.Int64: int, pl.Float64: float, pl.Boolean: bool}


def _inspect_json_lines(file: JsonLinesFile, path: Path, head: bytes) -> Structure:
    if head.startswith(b"["):
        return _refused("the file is one JSON array; one JSON object a line is expected", line=1)
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_json_struct("Record", file.schema))
    problems: list[Problem] = []
    count = number = 0
    with path.open("rb") as stream, bar(f"checking {file.name}", path.stat().st_size, "B") as progress:
        for number, line in enumerate(stream, 1):
            progress.update(len(line))
            reason = "a blank line" if not line.strip() else _json_problem(decoder, line)
            if reason:
                count += 1
                if len(problems) < PROBLEMS_SHOWN:
                    problems.append(Problem(number, reason))
    return _found(problems, count=count, records=number, lines=number)


def _json_problem(decoder: msgspec.json.Decoder[Any], line: bytes) -> str | None:
    if line.startswith(codecs.BOM_UTF8):
        return "a byte order mark, which JSON does not have"
    try:
        decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _not_utf8(line) or f"{error}, beginning {_excerpt(line)}"
    return None


def _json_struct(name: str, schema: Mapping[str, PolarsDataType]) -> type:
    """A strict type of exactly these keys, each of them null or of its type."""
    fields = [(key, _json_type(key, dtype) | None) for key, dtype in schema.items()]
    return msgspec.defstruct(name, fields, forbid_unknown_fields=True)


def _json_type(key: str, dtype: PolarsDataType) -> Any:
    dtype = dtype() if isinstance(dtype, type) else dtype
    if isinstance(dtype, pl.Struct):
        return _json_struct(key, dtype.to_schema())
    if isinstance(dtype, pl.List):
        return list[_json_type(key, dtype.inner)]  # type: ignore[misc]
    return _JSON_TYPES[type(dtype)]
