"""Writes rows as CSV, Parquet or Excel, a batch at a time, so that memory stays bounded."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nequi_lake.errors import UsageError
from nequi_lake.formats.types import value_text
from nequi_lake.lake.export.output import kind_of, write_atomically

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    import xlsxwriter

V = TypeVar("V")

_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

EXCEL_ROWS = 1_048_576
EXCEL_COLUMNS = 16_384
EXCEL_CHARACTERS = 32_767
"""What a sheet, and a cell of it, can hold. Source: Microsoft, Excel specifications and limits."""
_EXCEL_WIDEST = 60
"""Characters of the widest column; a longer text is cut by its cell, and whole in it."""
_EXCEL_BUTTON = 3
"""Characters that the button of a filter covers."""
_EXCEL_DIGITS = 15
_EXCEL_SINCE = 1900


def escape_formula(value: V) -> V | str:
    """Put an apostrophe before a text that a spreadsheet would run as a formula; numbers stay as they are.

    Source of the rule: OWASP, CSV Injection.
    """
    if isinstance(value, str) and value.startswith(_BEGINS_FORMULA) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def escape_formulas(column: str) -> pl.Expr:
    """:func:`escape_formula` of a whole column of text."""
    import polars as pl

    text = pl.col(column)
    begins = pl.any_horizontal(text.str.starts_with(sign) for sign in _BEGINS_FORMULA)
    return (
        pl.when(begins & ~text.str.contains(rf"\A(?:{_NUMBER.pattern})\z"))
        .then("'" + text)
        .otherwise(text)
        .alias(column)
    )


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a file holds now."""

    rows: int
    size_bytes: int


def write(batches: pa.RecordBatchReader, path: Path) -> Written:
    """Write rows into a file whose ending, one of :data:`KINDS`, says the format. The file is complete or absent.

    A value that a format has no type for becomes text: JSON for lists and structures, hexadecimal digits for bytes.
    Excel's numbers have 15 digits and its calendar begins in 1900, so that what is beyond becomes text there.

    Raises:
        UsageError: the file has another ending or its folder does not exist, two columns have one name, or Excel cannot
            hold the rows.
        NequiLakeError: the file cannot be written.
    """
    kind = kind_of(path, list(KINDS))
    distinct(batches.schema.names)
    with write_atomically(path) as draft:
        rows = KINDS[kind](batches, draft)
        return Written(rows=rows, size_bytes=draft.stat().st_size)


def distinct(names: list[str]) -> None:
    """Refuse columns of one name, of which only one would be seen.

    Raises:
        UsageError: there are such.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"Two columns are called {twice[0]}.", where="the query", fix="Give them names with AS.")


def _write_csv(batches: pa.RecordBatchReader, draft: Path) -> int:
    import polars as pl

    rows = 0
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(map(escape_formula, batches.schema.names))
    with draft.open("wb") as file:
        file.write(header.getvalue().encode())
        for batch in batches:
            frame = pl.DataFrame(_plain(batch))
            texts = [escape_formulas(name) for name, dtype in frame.schema.items() if dtype == pl.String]
            frame.with_columns(texts).write_csv(file, include_header=False)
            rows += frame.height
    return rows


def _write_parquet(batches: pa.RecordBatchReader, draft: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet

    rows = 0
    try:
        with pyarrow.parquet.ParquetWriter(draft, batches.schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)
                rows += batch.num_rows
    except pa.ArrowNotImplementedError as refusal:
        raise UsageError(
            f"Parquet cannot hold a column of this query: {refusal}.", fix="Cast it, to VARCHAR for example."
        ) from refusal
    return rows


def _write_excel(batches: pa.RecordBatchReader, draft: Path) -> int:
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    names = batches.schema.names
    if len(names) > EXCEL_COLUMNS:
        raise _beyond_excel(f"the query has {len(names):,} columns, and a sheet at most {EXCEL_COLUMNS:,}")
    # A place that refuses is reported before the library holds files open.
    draft.touch()
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            xlsxwriter.Workbook(draft, {"constant_memory": True, "tmpdir": folder}) as book,
        ):
            return _fill(book, batches)
    except FileCreateError as refusal:
        raise OSError(f"{refusal}") from refusal


def _fill(book: xlsxwriter.Workbook, batches: pa.RecordBatchReader) -> int:
    book.use_zip64()
    sheet = book.add_worksheet("data")
    sheet.freeze_panes(1, 0)
    heading = book.add_format({"bold": True})
    days, times, hours = (
        book.add_format({"num_format": code}) for code in ("yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss", "hh:mm:ss")
    )
    for place, name in enumerate(batches.schema.names):
        sheet.write_string(0, place, name, heading)
    widths = [len(name) + _EXCEL_BUTTON for name in batches.schema.names]
    row = 0
    for row, values in enumerate(_rows(batches, widths), start=1):
        if row >= EXCEL_ROWS:
            raise _beyond_excel(f"the query has more than {EXCEL_ROWS - 1:,} rows, and a sheet has no place for more")
        for place, value in enumerate(values):
            match value:
                case None:
                    continue
                case bool():
                    sheet.write_boolean(row, place, value)
                case int() | float() | Decimal():
                    sheet.write_number(row, place, value)
                case datetime():
                    sheet.write_datetime(row, place, value, times)
                case date():
                    sheet.write_datetime(row, place, value, days)
                case time():
                    sheet.write_datetime(row, place, value, hours)
                case _ if sheet.write_string(row, place, value):
                    where = f"{batches.schema.names[place]} of row {row:,}"
                    raise _beyond_excel(f"{where} has more than the {EXCEL_CHARACTERS:,} characters of a cell")
    for place, width in enumerate(widths):
        # One more, as digits and letters are not of one width.
        sheet.set_column(place, place, min(width, _EXCEL_WIDEST) + 1)
    if widths:
        sheet.autofilter(0, 0, row, len(widths) - 1)
    return row


KINDS: dict[str, Callable[[pa.RecordBatchReader, Path], int]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".xlsx": _write_excel,
}
"""Ending of a file → what writes it."""


def _beyond_excel(what: str) -> UsageError:
    return UsageError(
        f"Excel cannot hold this: {what}.",
        fix="Write .csv or .parquet, or ask for less, with LIMIT or left(column, 1000) for example.",
    )


def _rows(batches: pa.RecordBatchReader, widths: list[int]) -> Iterator[tuple[Any, ...]]:
    """Rows of values that Excel has a type for, of None, and of text for all else; widens ``widths`` as they need."""
    for batch in batches:
        columns = [
            [value if _is_excels(value) else value_text(value) for value in column.to_pylist()]
            for column in _plain(batch).columns
        ]
        for place, column in enumerate(columns):
            widths[place] = max(widths[place], *map(_width, column), 0)
        yield from zip(*columns, strict=True)


def _width(value: Any) -> int:
    """The characters that Excel shows of a value."""
    match value:
        case None:
            return 0
        case str():
            return len(value) if len(value) < _EXCEL_WIDEST else _EXCEL_WIDEST
        case float():
            # Its general format rounds, so that a third is no wider than this.
            return min(len(str(value)), 11)
        case datetime():
            return len("yyyy-mm-dd hh:mm:ss")
    return len(value_text(value))


def _is_excels(value: Any) -> bool:
    match value:
        case int():
            return len(str(abs(value))) <= _EXCEL_DIGITS
        case Decimal():
            text = value_text(abs(value))
            digits = text.rstrip("0") if "." in text else text
            return len(digits.replace(".", "").lstrip("0")) <= _EXCEL_DIGITS
        case float():
            return math.isfinite(value)
        case datetime():
            return value.tzinfo is None and value.year >= _EXCEL_SINCE and value.microsecond % 1000 == 0
        case date():
            return value.year >= _EXCEL_SINCE
        case time():
            return value.microsecond % 1000 == 0
    return value is None


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with text in place of what neither CSV nor Excel has a type for."""
    import pyarrow as pa
    from pyarrow import types

    def plain(column: pa.Array) -> pa.Array:
        if types.is_dictionary(column.type):
            return plain(column.dictionary_decode())
        if types.is_nested(column.type) or types.is_binary(column.type) or types.is_interval(column.type):
            texts = [None if value is None else _text(value, column.type) for value in column.to_pylist()]
            return pa.array(texts, pa.string())
        return column

    return pa.RecordBatch.from_arrays([plain(column) for column in batch.columns], names=batch.schema.names)


def _text(value: Any, kind: pa.DataType) -> str:
    from pyarrow import types

    if isinstance(value, bytes):
        return value.hex()
    if types.is_map(kind):
        value = {str(key): held for key, held in value}
    return json.dumps(value, default=value_text, ensure_ascii=False)
