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
import pyarrow as pa
import pyarrow.csv
from polars._typing import PolarsDataType

from nequi_lake.datasets.spec import CsvFile, JsonLinesFile, RawFile
from nequi_lake.lake.lines import lines_of_records
from nequi_lake.progress import bar
from nequi_lake.quality.check import Check

FILE_IS_WHOLE = "file_is_whole"
PROBLEMS_SHOWN = 5
_BLOCK_BYTES = 2**22
_LOOK_BYTES = 2**16
_QUOTE_HINT = "a quote is opened and never closed"


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
    header_problem = _header_problem(file, path)
    if header_problem:
        return _refused(header_problem, line=1)
    lines, bad_byte = _look_at_bytes(path)
    if bad_byte:
        return _refused(bad_byte.reason, bad_byte.line)
    records = uneven = 0
    shown: list[pa.csv.InvalidRow] = []

    def set_aside(row: pa.csv.InvalidRow) -> str:
        nonlocal uneven
        uneven += 1
        if len(shown) < PROBLEMS_SHOWN:
            shown.append(row)
        return "skip"

    try:
        with (
            bar(f"checking {file.name}", lines, "rows") as progress,
            pa.csv.open_csv(
                path,
                read_options=pa.csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
                parse_options=pa.csv.ParseOptions(
                    newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=set_aside
                ),
                # Rows are split whole, whatever is converted; the bytes were looked at above.
                convert_options=pa.csv.ConvertOptions(
                    include_columns=file.columns[:1], column_types={file.columns[0]: pa.string()}, check_utf8=False
                ),
            ) as reader,
        ):
            for batch in reader:
                records += batch.num_rows
                progress.update(batch.num_rows)
    except pa.ArrowInvalid as error:
        return _refused(f"the records cannot be told apart, perhaps because {_QUOTE_HINT}: {error}")
    if uneven:
        with path.open("rb") as stream:
            line_of = lines_of_records(stream, {row.number - 2 for row in shown})
        problems = [
            Problem(line_of.get(row.number - 2), _row_reason(row, lines - line_of.get(row.number - 2, lines)))
            for row in shown
        ]
        return _found(problems, count=uneven, records=records + uneven, lines=lines)
    if not records:
        return _refused("the file has a header and no records")
    return Structure(records=records, lines=lines)


def _row_reason(row: pa.csv.InvalidRow, lines_after: int) -> str:
    if not row.text.strip():
        return "a blank line"
    reason = f"{row.actual_columns} fields where the header has {row.expected_columns}"
    if row.text.count("\n") > 1 and lines_after <= row.text.count("\n"):
        return f"{reason}; perhaps {_QUOTE_HINT}"
    return f"{reason}, beginning {row.text[:60]!r}"


def _header_problem(file: CsvFile, path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            names = next(csv.reader(stream), [])
    except (UnicodeDecodeError, csv.Error) as error:
        return f"the header cannot be read: {error}"
    if names == list(file.columns):
        return None
    missing = [name for name in file.columns if name not in names]
    extra = [name for name in names if name not in file.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    found = [
        *([f"missing columns {', '.join(missing)}"] if missing else []),
        *([f"unexpected columns {', '.join(extra)}"] if extra else []),
        *([f"columns that stand twice: {', '.join(twice)}"] if twice else []),
    ] or [f"the columns in another order: {', '.join(names)}"]
    return f"{len(names)} columns where {len(file.columns)} are declared: " + "; ".join(found)


def _look_at_bytes(path: Path) -> tuple[int, Problem | None]:
    """The number of lines, and the first byte that no CSV file in UTF-8 has: a NUL, or one that is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, last = 0, b""
    with path.open("rb") as stream:
        while chunk := stream.read(_LOOK_BYTES):
            try:
                # Most chunks are ASCII, which is seen many times faster than it is decoded.
                if decoder.getstate()[0] or not chunk.isascii():
                    decoder.decode(chunk)
            except UnicodeDecodeError:
                return lines, _first_bad_line(path)
            nul = chunk.find(b"\0")
            if nul >= 0:
                return lines, Problem(lines + chunk[:nul].count(b"\n") + 1, "a NUL byte")
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return lines + (last != b"\n"), _first_bad_line(path) if decoder.getstate()[0] else None


def _first_bad_line(path: Path) -> Problem | None:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode()
            except UnicodeDecodeError as bad:
                return Problem(number, f"bytes that are not UTF-8: {line[bad.start : bad.start + 8]!r}")
    return None


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
    try:
        decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return f"{error}, beginning {line[:60]!r}"
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
