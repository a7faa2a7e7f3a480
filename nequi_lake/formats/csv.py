"""CSV: comma-separated values under a header line."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import polars.exceptions

from nequi_lake.formats.base import HEADER, RECORD, RawFile, ValidatedRecord, excerpt, utf8_problem
from nequi_lake.formats.csv_records import Record, csv_records
from nequi_lake.formats.lines import Line, has_longer_line, long_lines, too_long
from nequi_lake.formats.structure import Structure
from nequi_lake.formats.words import listed
from nequi_lake.progress import bar, watched

_MAX_HEADER_BYTES = 2**23
NULL_TOKENS = ("", " ")
"""Fields, quoted or not, that the engine reads as missing values."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CsvFile(RawFile):
    """Comma-separated values under a header line that has exactly ``columns``, in this order."""

    columns: tuple[str, ...]

    @property
    def field_paths(self) -> tuple[str, ...]:
        return self.columns

    def merge_structures(self, parts: Mapping[str, Structure]) -> Structure:
        """Return the structure of the whole file, which must have a record; a part of it may have none."""
        merged = super().merge_structures(parts)
        if merged.is_sound and not merged.records:
            return Structure.refused("the file has a header and no records")
        return merged

    def validate_records(self, content: BinaryIO) -> Iterator[ValidatedRecord]:
        """Yield the header, then each record."""
        for number, record in enumerate(csv_records(content, self.max_record_bytes), HEADER):
            reason = None if number == HEADER else self._record_problem(record)
            yield ValidatedRecord(number, record.line, record.text, reason, record.dropped)

    def _split(self, content: BinaryIO, structure: Structure) -> Iterator[tuple[int, Line]]:
        if structure.lines - structure.records <= 1:
            # No record spans lines.
            return enumerate(long_lines(content, self.max_record_bytes), HEADER)
        records = csv_records(content, self.max_record_bytes)
        return enumerate((Line(record.line, record.text, record.dropped) for record in records), HEADER)

    def _inspect(self, path: Path, beginning: bytes) -> Structure:
        with path.open("rb") as stream:
            header = next(csv_records(stream, self.max_record_bytes))
        problem = self._header_problem(header)
        if problem:
            return Structure.refused(problem, line=1)
        has_bom = beginning.startswith(codecs.BOM_UTF8)
        return self._count_sound_records(path, has_bom) or self._inspect_records(path, has_bom)

    def _count_sound_records(self, path: Path, has_bom: bool) -> Structure | None:
        """Return the structure of a file of which every line is a sound record; None for any other.

        Several times faster than to split the file into records, and the usual case.
        """
        field = r'(?:[^",\r\x00]*|"(?:[^"\x00]|"")*")'
        sound = rf"\A{field}(?:,{field}){{{len(self.columns) - 1}}}\z"
        if has_longer_line(path, self.max_record_bytes):
            return None
        lines = pl.scan_lines(path, name="line", glob=False)
        try:
            with bar(f"checking {self.name}", None, "rows") as progress:
                count, good = (
                    watched(lines.select(pl.col("line").str.contains(sound)), progress.update)
                    .select(pl.len(), pl.col("line").sum().alias("good"))
                    .collect(engine="streaming")
                    .row(0)
                )
        except polars.exceptions.PolarsError:
            # Bytes that are not UTF-8.
            return None
        return Structure(records=count - 1, lines=count, has_bom=has_bom) if count == good else None

    def _header_problem(self, header: Record) -> str | None:
        text = header.text
        if header.dropped or len(text) > _MAX_HEADER_BYTES:
            return f"the first line has {len(text) + header.dropped:,} bytes, which is no header"
        if text.startswith((b"\xff\xfe", b"\xfe\xff")):
            return "the file is in UTF-16; UTF-8 is expected"
        if b"\r" in text.removesuffix(b"\r\n").removesuffix(b"\r"):
            return "lines end in a carriage return alone"
        bad_bytes = utf8_problem(text)
        if bad_bytes:
            return bad_bytes
        if not header.quotes_are_sound:
            return f"quotes in the header do not come out right: {text[:60].decode(errors='ignore').strip()}"
        try:
            return _column_difference(next(csv.reader([text.decode()]), []), self.columns)
        except csv.Error as error:
            return f"the header cannot be read: {error}"

    def _record_problem(self, record: Record) -> str | None:
        text, columns = record.text, len(self.columns)
        if record.dropped:
            return too_long(len(text) + record.dropped, self.max_record_bytes)
        if not text.strip():
            return "a blank line"
        if b"\0" in text:
            return "a NUL byte"
        bad_bytes = utf8_problem(text)
        if bad_bytes:
            return bad_bytes
        if not record.quotes_are_sound:
            return f"a quote is opened and never closed, or stands inside of a field, beginning {excerpt(text)}"
        if record.fields != columns:
            return f"{record.fields} fields where the header has {columns}, beginning {excerpt(text)}"
        if record.plain.count(b"\r") > record.plain.endswith(b"\r\n"):
            # A line end to some parsers, and text to others.
            return f"a carriage return that ends no line, beginning {excerpt(text)}"
        return None

    def _scan(self, paths: Sequence[str], options: Mapping[str, Any]) -> pl.LazyFrame:
        return pl.scan_csv(
            list(paths),
            schema=dict.fromkeys(self.columns, pl.String()),
            null_values=list(NULL_TOKENS),
            row_index_name=RECORD,
            glob=False,
            **options,
        )

    def _placeholder(self) -> bytes:
        return b",".join([b'""'] * len(self.columns))


def _column_difference(names: Sequence[str], declared: Sequence[str]) -> str | None:
    """Return how the columns of a header differ from the declared ones; None where they do not."""
    if list(names) == list(declared):
        return None
    given, wanted = set(names), set(declared)
    missing = [name for name in declared if name not in given]
    extra = [name for name in names if name not in wanted]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    found = [
        *([f"missing columns {listed(missing)}"] if missing else []),
        *([f"unexpected columns {listed(extra)}"] if extra else []),
        *([f"columns that stand twice: {listed(twice)}"] if twice else []),
    ] or [f"the columns in another order: {listed(names)}"]
    count = f"{len(names)} columns where {len(declared)} are declared: " if len(names) != len(declared) else ""
    return count + "; ".join(found)
