"""Reads a sheet of a workbook that nobody can trust, row by row; see :mod:`nequi_lake.formats.guarded`.

openpyxl reads it, as the other readers that there are take an error for an empty cell, and hold a sheet as a whole.
"""

from __future__ import annotations

import json
import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._reader import FORMULA_TAG, WorkSheetParser

from nequi_lake.formats.base import RAW_KEPT_BYTES
from nequi_lake.formats.drift import Drift, ignored_notes
from nequi_lake.formats.guarded import UnreadableFileError
from nequi_lake.formats.magic import seems_to_be
from nequi_lake.formats.transcribed import Damage, Step, too_large
from nequi_lake.formats.words import listed
from nequi_lake.formats.workbook import Layout
from nequi_lake.formats.workbook_cells import UnreadableCellError, text_of
from nequi_lake.formats.zip_directory import count_members

MOST_MEMBERS = 10_000
"""The most files that the zip of a workbook may have."""
_MOST_ROWS = 2**20
_AT_ONCE = 2000
_LOOKED_AT = 50
_BEGINNING_BYTES = 4096
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_SAVE = "save it as .xlsx"


class Row(NamedTuple):
    """A row of the sheet: its number as Excel shows it, and its cells that have something, by column from 1."""

    number: int
    cells: dict[int, dict[str, Any]]


def read_workbook(path: str, copy: str | None, most: int, layout: Layout) -> Iterator[Step]:
    """Read all rows of a sheet.

    Args:
        path: the workbook.
        copy: where to write its values, as texts; None for nowhere.
        most: bytes that it may unpack to.
        layout: where its records are.

    Raises:
        UnreadableFileError: it is no such workbook, has no such sheet or another header, or unpacks to more.
    """
    _check_zip(Path(path), most)
    with ExitStack() as stack:
        stream = stack.enter_context(Path(path).open("rb"))
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        stack.callback(book.close)
        sheet = _Sheet(book, layout)
        form = pa.schema([(name, pa.large_string()) for name in layout.drift.columns])
        writer = stack.enter_context(pq.ParquetWriter(copy, form, compression="lz4")) if copy else None
        waiting: list[list[str | None]] = []
        damaged: list[Damage] = []
        for values, damage in sheet.records():
            waiting.append(values)
            damaged += [damage] if damage else []
            if len(waiting) == _AT_ONCE:
                yield _step(waiting, damaged, form, writer, sheet.line)
                waiting, damaged = [], []
        yield _step(waiting, [*damaged, *sheet.merged()], form, writer, sheet.line, list(ignored_notes(sheet.ignored)))


def look_at_sheets(path: str, most: int, first: int, last: int) -> Iterator[dict[str, Any]]:
    """Yield each sheet of a workbook: its ``title``, number of ``rows``, and the ``first`` and ``last`` of them.

    A row is its number and its cells, column → text and whether the cell has a text; one without a cell is left out.

    Args:
        path: the workbook.
        most: bytes that it may unpack to.
        first: how many rows of the beginning.
        last: how many rows of the end.

    Raises:
        UnreadableFileError: it is no such workbook, or unpacks to more.
    """
    _check_zip(Path(path), most)
    with Path(path).open("rb") as stream:
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        for number, each in enumerate(book.worksheets, 1):
            sheet = _Sheet(book, Layout(Drift(()), number, 0, 0, (), ()))
            begin: list[object] = []
            end: deque[object] = deque(maxlen=last)
            for row in sheet.rows():
                shown = (row.number, {at: sheet.shown(cell) for at, cell in row.cells.items()})
                if row.cells and len(begin) < first:
                    begin.append(shown)
                if row.cells:
                    end.append(shown)
            yield {"title": each.title, "rows": sheet.line, "first": begin, "last": list(end)}
        book.close()


def _step(
    rows: list[list[str | None]],
    damaged: list[Damage],
    form: pa.Schema,
    writer: pq.ParquetWriter | None,
    line: int,
    notes: Sequence[str] = (),
) -> Step:
    if writer and rows:
        writer.write_table(pa.table([pa.array(column, pa.large_string()) for column in zip(*rows, strict=True)], form))
    return Step(len(rows), damaged, line, notes)


def _check_zip(path: Path, most: int) -> None:
    """Check that a file is the zip of a workbook, and that it unpacks to no more bytes and files than it may."""
    with path.open("rb") as stream:
        beginning = stream.read(_BEGINNING_BYTES)
    if not beginning.startswith(b"PK"):
        raise UnreadableFileError(f"it is no workbook of the kind .xlsx: {_guess(path, beginning)}")
    if count_members(path, MOST_MEMBERS) > MOST_MEMBERS:
        raise UnreadableFileError(f"its zip has more than {MOST_MEMBERS:,} members, which no workbook has")
    with zipfile.ZipFile(path) as opened:
        unpacked = sum(member.file_size for member in opened.infolist())
        names = set(opened.namelist())
        if unpacked > most:
            raise too_large(unpacked, most)
        if "xl/workbook.bin" in names:
            raise UnreadableFileError(f"it is a binary workbook (.xlsb): {_SAVE}")
        if "mimetype" in names and b"opendocument" in opened.read("mimetype"):
            raise UnreadableFileError(f"it is a spreadsheet of OpenDocument (.ods): {_SAVE}")
        if "[Content_Types].xml" not in names:
            raise UnreadableFileError("it is a zip, and no workbook: declare the file that is in it")


def _guess(path: Path, beginning: bytes) -> str:
    """What a file that is no zip seems to be, and what to do about it."""
    if beginning.startswith(_OLE):
        if _ENCRYPTED in path.read_bytes():
            return "it is encrypted: save it without a password"
        return f"it is a workbook of Excel 97 (.xls): {_SAVE}"
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return f"it is HTML or XML under the name of a workbook: {_SAVE}, or ask its publisher for CSV"
    return seems_to_be(beginning)


class _Parser(WorkSheetParser):  # type: ignore[misc]
    """Says of a formula without a value that it is one."""

    def parse_cell(self, element: Any) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        if cell["value"] is None and cell["data_type"] != "s" and element.find(FORMULA_TAG) is not None:
            cell["data_type"] = "f"
        return cell


class _Sheet:
    """The declared sheet of a workbook.

    Attributes:
        line: the number of the last row that has anything.
        ignored: column that is not declared → the text of its first cell, once a record was read.
    """

    def __init__(self, book: Any, layout: Layout) -> None:
        self._book, self._layout = book, layout
        self._sheet = _chosen(book, layout.sheet)
        self._is_measure = [name in layout.measures for name in layout.drift.columns]
        self._places: Sequence[int | None] = ()
        self._headed: frozenset[int] = frozenset()
        self.ignored: dict[str, str] = {}
        self._undeclared: dict[str, int] = {}
        self._records = 0
        self._bad: set[int] = set()
        self._merged: Sequence[Any] = ()
        self.line = 0

    def records(self) -> Iterator[tuple[list[str | None], Damage | None]]:
        """Yield the values of each record, and what is wrong with it."""
        rows = self.rows()
        header = next((row for row in rows if row.number > self._layout.skip), None)
        self._places = self._header(header)
        for row in self._without_footer(rows):
            values, damage = self._record(row)
            if not self._records:
                self.ignored = {
                    name: self.shown(row.cells[at])[0] if at in row.cells else ""
                    for name, at in self._undeclared.items()
                }
            self._records += 1
            if damage:
                self._bad.add(damage.record)
            yield values, damage

    def merged(self) -> Iterator[Damage]:
        """The records of which a cell is part of another one: they have no value of their own there."""
        first = self._layout.skip + 2
        for area in self._merged:
            places = [at for at in self._places if at and area.min_col <= at <= area.max_col]
            for number in range(max(area.min_row, first), min(area.max_row, first + self._records - 1) + 1):
                is_top_left_only = number == area.min_row and places == [area.min_col]
                if places and not is_top_left_only and number - first not in self._bad:
                    self._bad.add(number - first)
                    reason = "merged cells, which have one value together"
                    yield Damage(number - first, number, reason, json.dumps({"text": area.coord}))

    def shown(self, cell: dict[str, Any]) -> tuple[str, bool]:
        """The text of a cell, also of one that cannot be read, and whether it has a text."""
        try:
            text = self._text(cell, is_measure=True)
        except UnreadableCellError:
            text = str(cell["value"])
        return text or "", cell["data_type"] not in ("n", "d", "b")

    def rows(self) -> Iterator[Row]:
        """Yield all rows from the first to the last that has anything, those that the file leaves out too."""
        with self._sheet._get_source() as source:
            parser = _Parser(
                source,
                self._sheet._shared_strings,
                data_only=True,
                epoch=self._book.epoch,
                date_formats=self._book._date_formats,
                timedelta_formats=self._book._timedelta_formats,
            )
            expected = 1
            for number, found in parser.parse():
                if not expected <= number <= _MOST_ROWS:
                    raise UnreadableFileError(f"the row {number} stands where row {expected} or a later one belongs")
                cells = {cell["column"]: cell for cell in found if _has_something(cell)}
                if cells:
                    yield from (Row(blank, {}) for blank in range(self.line + 1, number))
                    yield Row(number, cells)
                    self.line = number
                expected = number + 1
            self._merged = tuple(getattr(parser.merged_cells, "mergeCell", ()))

    def _header(self, row: Row | None) -> Sequence[int | None]:
        """The columns, from 1, where the declared ones are; None for one that the sheet lacks."""
        at = self._layout.skip + 1
        if row is None or row.number != at or not row.cells:
            raise UnreadableFileError(f"the row {at}, which has the header, is empty{self._where_header_is()}")
        texts = [self.shown(cell)[0] for cell in row.cells.values()]
        names = dict(zip(texts, row.cells, strict=True))
        drift = self._layout.drift
        problem = drift.difference(list(names)) if len(names) == len(texts) else "columns that stand twice"
        if problem:
            raise UnreadableFileError(
                f"the row {at} has the header {listed(texts)}, where {listed(drift.columns)} is declared"
                f"{self._where_header_is() or f'; what is above it is declared with skip=: {problem}'}"
            )
        self._headed = frozenset(names.values())
        self._undeclared = {name: names[name] for name in drift.ignored(names)}
        called = drift.found(names)
        return [names[called[name]] if name in called else None for name in drift.columns]

    def _where_header_is(self) -> str:
        """Where else the declared header stands, as a part of a message; nothing where it does not."""
        for other in (self._sheet, *(each for each in self._book.worksheets if each is not self._sheet)):
            sheet = _Sheet(self._book, self._layout._replace(sheet=other.title))
            for row in islice(sheet.rows(), _LOOKED_AT):
                names = [sheet.shown(cell)[0] for cell in row.cells.values()]
                if names and not self._layout.drift.difference(names):
                    place = f"row {row.number} of the sheet {other.title!r}"
                    return f"; it stands in {place}: declare sheet={other.title!r}, skip={row.number - 1}"
        return ""

    def _without_footer(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Leave out the last rows, which must be none that could be records."""
        held: list[Row] = []
        for row in rows:
            held.append(row)
            while len(held) > self._layout.footer:
                yield held.pop(0)
        full = [row.number for row in held if len(self._headed) > 1 and self._headed <= row.cells.keys()]
        if full:
            raise UnreadableFileError(
                f"the row {full[0]} has a value in every column, and is among the last {self._layout.footer} rows, "
                "which are no records by footer="
            )

    def _record(self, row: Row) -> tuple[list[str | None], Damage | None]:
        values: list[str | None] = []
        problems: list[str] = []
        for place, is_measure in zip(self._places, self._is_measure, strict=True):
            value = None
            if place is not None and place in row.cells:
                try:
                    value = self._text(row.cells[place], is_measure=is_measure)
                except UnreadableCellError as error:
                    problems.append(f"{get_column_letter(place)}{row.number}: {error}")
            values.append(value)
        strange = row.cells.keys() - self._headed
        problems += [f"{get_column_letter(place)}{row.number}: a value below no header" for place in sorted(strange)]
        if not row.cells:
            problems = ["a blank row"]
        if not problems:
            return values, None
        shown = "\t".join(str(cell["value"]) for cell in row.cells.values())
        raw = json.dumps({"text": shown[:RAW_KEPT_BYTES]}, ensure_ascii=False)
        return [None] * len(values), Damage(self._records, row.number, "; ".join(problems), raw, not row.cells)

    def _text(self, cell: dict[str, Any], *, is_measure: bool) -> str | None:
        if cell["data_type"] == "e" and cell["value"] in self._layout.missing_errors:
            return None
        number_format = _format_of(self._book, cell["style_id"])
        return text_of(cell["value"], cell["data_type"], number_format, self._book.epoch, is_measure=is_measure)


def _has_something(cell: dict[str, Any]) -> bool:
    return cell["data_type"] == "f" or cell["value"] not in (None, "")


def _chosen(book: Any, sheet: str | int) -> Any:
    """The sheet of a name or a number."""
    sheets = book.worksheets
    named = {each.title: each for each in sheets}
    found = sheets[sheet - 1 : sheet] if isinstance(sheet, int) else [named[sheet]] if sheet in named else []
    if not found:
        names = listed([each.title for each in sheets])
        raise UnreadableFileError(f"it has no sheet {sheet!r}; its sheets are {names}: declare sheet=")
    return found[0]


@lru_cache(maxsize=1024)
def _format_of(book: Any, style: int) -> str:
    number = book._cell_styles[style].numFmtId
    if number < BUILTIN_FORMATS_MAX_SIZE:
        return str(BUILTIN_FORMATS.get(number, "General"))
    return str(book._number_formats[number - BUILTIN_FORMATS_MAX_SIZE])
