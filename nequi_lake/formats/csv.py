"""CSV: values with a separator between them, a record a line or in quotes over several, mostly under a header."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import polars.exceptions

from nequi_lake.errors import StageError
from nequi_lake.formats.base import RECORD
from nequi_lake.formats.csv_dialect import Dialect, Record
from nequi_lake.formats.csv_header import Header, header_problem, ignored_columns, is_surely_header, names_of
from nequi_lake.formats.drift import DriftingFile
from nequi_lake.formats.lines import Line, blank_lines_at_end, has_longer_line, long_lines, too_long
from nequi_lake.formats.structure import Structure
from nequi_lake.formats.text import (
    ABOVE,
    BELOW,
    BLANK_END,
    HEADER,
    NO_RECORD,
    REPEATED,
    RefusedError,
    TextFile,
    ValidatedRecord,
    excerpt,
    utf8_problem,
    without_end,
)
from nequi_lake.progress import bar, watched

NULL_TOKENS = ("", " ")
"""Fields, quoted or not, that the engine reads as missing values."""
_PLAIN = Dialect(",", '"')


@dataclass(frozen=True, kw_only=True, eq=False)
class CsvFile(DriftingFile, TextFile):
    """Records of values with a separator between them. Its columns are found by their names, in any order.

    Attributes:
        columns: the columns; of a file without a header, in the file's order.
        separator: what stands between two values: one character or more.
        quote: what stands around a value with separators, line ends or, doubled, quotes in it; None where none does.
        escape: what stands before a quote, or itself, that is part of a value; None where nothing does.
        skip_lines: lines above the header that are no records.
        header_lines: lines of the header; a column of several has their texts, with a space between, for a name.
        footer_lines: lines below the records that are none.
        ends_in_separator: whether each line has a separator more at its end.
        null_tokens: values that mean that there is none.
    """

    columns: tuple[str, ...]
    separator: str = ","
    quote: str | None = '"'
    escape: str | None = None
    skip_lines: int = 0
    header_lines: int = 1
    footer_lines: int = 0
    ends_in_separator: bool = False
    null_tokens: tuple[str, ...] = NULL_TOKENS

    @property
    def field_paths(self) -> tuple[str, ...]:
        return self.columns

    @cached_property
    def dialect(self) -> Dialect:
        """How it is written."""
        return Dialect(self.separator, self.quote, self.escape)

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if not self.separator:
            yield "a separator has a character or more"
        if self.quote is not None and len(self.quote) != 1:
            yield f"a quote is one character, not {self.quote!r}"
        if self.escape is not None and (len(self.escape) != 1 or self.quote is None):
            yield f"an escape is one character before a quote, not {self.escape!r}"
        for name, count in (("skip", self.skip_lines), ("header", self.header_lines), ("footer", self.footer_lines)):
            if count < 0:
                yield f"{name}_lines is a number of lines, not {count}"
        if not self.header_lines and (self.optional or self.renamed):
            yield "a file without a header has no optional or renamed columns"

    def needs_repair(self, structure: Structure) -> bool:
        return super().needs_repair(structure) or not self._is_plain

    def layout(self, structure: Structure) -> object:
        return structure.columns, structure.ends_in_cr

    @property
    def _reads_lines(self) -> bool:
        """Whether the engine reads a sound record as it is written."""
        return self.dialect.is_of_engine and not self.ends_in_separator

    @property
    def _is_plain(self) -> bool:
        """Whether the engine reads a sound file as it is."""
        return self._reads_lines and self.header_lines <= 1

    def validate_records(self, content: BinaryIO, structure: Structure) -> Iterator[ValidatedRecord]:
        names = structure.columns or self.columns
        number = 0
        for record, kind in self._records(content, names):
            if kind:
                yield ValidatedRecord(NO_RECORD, record.line, record.text, None, record.dropped, kind)
            else:
                reason = self._record_problem(record, len(names))
                yield ValidatedRecord(number, record.line, record.text, reason, record.dropped)
                number += 1

    def _records(self, content: BinaryIO, names: Sequence[str]) -> Iterator[tuple[Record, str | None]]:
        """All of the text, each record with None, and what is no record with what it is."""
        lines = long_lines(content, self.max_record_bytes)
        for line in islice(lines, self.skip_lines):
            yield Record(line.number, line.text, line.text, 0, is_sound=False, dropped=line.dropped), ABOVE
        records = self.dialect.records(lines, self.max_record_bytes)
        header = Header(names, self.dialect) if self.header_lines else None
        text = b""
        for record in islice(records, self.header_lines):
            text = record.text.rstrip(b"\r\n")
            yield record, HEADER
        for record, kind in without_end(records, _is_blank, self.footer_lines):
            if not kind and header and header.is_repeated_by(record):
                if record.text.rstrip(b"\r\n") != text:
                    raise RefusedError("another table begins here, with its header written in another way", record.line)
                kind = REPEATED
            yield record, kind

    def _split(self, content: BinaryIO, structure: Structure) -> Iterator[tuple[int, Line]]:
        if self._is_plain and not structure.passed_over and structure.lines - structure.records == self.header_lines:
            # No record spans lines.
            yield from enumerate(long_lines(content, self.max_record_bytes), -self.header_lines)
            return
        number = 0
        for record, kind in self._records(content, structure.columns or self.columns):
            yield NO_RECORD if kind else number, Line(record.line, record.text, record.dropped)
            number += not kind

    def _inspect(self, path: Path, beginning: bytes) -> Structure:
        names: Sequence[str] = self.columns
        if self.header_lines:
            with path.open("rb") as stream:
                lines = islice(long_lines(stream, self.max_record_bytes), self.skip_lines, None)
                header = list(islice(self.dialect.records(lines, self.max_record_bytes), self.header_lines))
            problem = header_problem(self, header, beginning)
            if problem:
                plain = problem if is_surely_header(self, header) else ""
                return Structure.refused(problem, line=self.skip_lines + 1, plain=plain)
            names = names_of(self, header)
        known = Structure(
            has_bom=beginning.startswith(codecs.BOM_UTF8),
            columns=tuple(names) if self.header_lines else (),
            notes=tuple(ignored_columns(self, names, beginning)),
        )
        return self._count_sound_records(path, known) or self._inspect_records(path, known)

    def _count_sound_records(self, path: Path, known: Structure) -> Structure | None:
        """Return the structure of a file of which every line is a sound record; None for any other.

        Several times faster than to split the file into records, and the usual case.
        """
        above = self.skip_lines + self.header_lines
        if not self._reads_lines or self.footer_lines or has_longer_line(path, self.max_record_bytes):
            return None
        names = known.columns or self.columns
        line = pl.col("line")
        good = line.str.contains(self.dialect.pattern(len(names)))
        if self.header_lines:
            good &= ~line.str.contains(Header(names, self.dialect).pattern)
        blank = blank_lines_at_end(path)
        lines = pl.scan_lines(path, name="line", glob=False).slice(above)
        try:
            with bar(f"checking {self.name}", None, "rows") as progress:
                count, sound = (
                    watched(lines.select(good.alias("good")), progress.update)
                    .select(pl.len(), pl.col("good").sum())
                    .collect(engine="streaming")
                    .row(0)
                )
        except polars.exceptions.PolarsError:
            # Bytes that are not UTF-8.
            return None
        if count - sound != blank:
            return None
        passed_over = {ABOVE: self.skip_lines, BLANK_END: blank}
        return replace(
            known,
            records=sound,
            lines=above + count,
            passed_over={kind: number for kind, number in passed_over.items() if number},
        )

    def _copies_lines(self, structure: Structure) -> bool:
        return self._reads_lines and REPEATED not in structure.passed_over

    def _span(self, structure: Structure) -> tuple[int, int]:
        below = structure.passed_over.get(BELOW, 0) + structure.passed_over.get(BLANK_END, 0)
        return self.skip_lines + self.header_lines, structure.lines - below

    def _record_problem(self, record: Record, columns: int) -> str | None:
        text = record.text
        if record.dropped:
            return too_long(len(text) + record.dropped, self.max_record_bytes)
        if _is_blank(record):
            return "a blank line"
        if b"\0" in text:
            return "a NUL byte"
        bad_bytes = utf8_problem(text, self.encoding)
        if bad_bytes:
            return bad_bytes
        if not record.is_sound:
            return f"a quote is opened and never closed, or stands inside of a field, beginning {excerpt(text)}"
        fields = record.fields
        if self.ends_in_separator:
            if not record.plain.rstrip(b"\r\n").endswith(self.separator.encode()):
                return f"no separator at its end, beginning {excerpt(text)}"
            fields -= 1
        if fields != columns:
            if not self.header_lines:
                return f"{fields} fields where {columns} are declared, beginning {excerpt(text)}"
            return f"{fields} fields where the header has {columns}, beginning {excerpt(text)}"
        if record.plain.count(b"\r") > record.plain.endswith(b"\r\n"):
            # A line end to some parsers, and text to others.
            return f"a carriage return that ends no line, beginning {excerpt(text)}"
        return None

    def _scan(
        self, paths: Sequence[str], structure: Structure, options: Mapping[str, Any], *, is_copy: bool
    ) -> pl.LazyFrame:
        names = structure.columns or self.columns
        frame = pl.scan_csv(
            list(paths),
            schema=dict.fromkeys(names, pl.String()),
            has_header=not is_copy and self.header_lines > 0,
            separator=self._copy_dialect.separator,
            quote_char=self._copy_dialect.quote,
            null_values=list(self.null_tokens),
            row_index_name=RECORD,
            glob=False,
            **options,
        )
        if structure.ends_in_cr:
            frame = frame.with_columns(pl.col(names).str.replace_many({"\r": "\n", "\n": "\r"}))
        if tuple(names) == self.columns:
            return frame
        problem = self.drift.difference(names)
        if problem:
            raise StageError(
                f"{self.name} was kept when other columns were declared: {problem}.",
                where=paths[0],
                fix="Declare what fits this file too, or fetch one that has the columns that are declared now.",
            )
        found = self.drift.found(names)
        columns = (
            pl.col(found[name]).alias(name) if name in found else pl.lit(None, pl.String()).alias(name)
            for name in self.columns
        )
        return frame.select(RECORD, *columns)

    @property
    def _copy_dialect(self) -> Dialect:
        """How the engine gets the records."""
        return self.dialect if self._reads_lines else _PLAIN

    def _copied(self, record: ValidatedRecord, structure: Structure) -> bytes:
        if record.reason:
            missing = [(self._copy_dialect.quote or "") * 2] * len(structure.columns or self.columns)
            return self._copy_dialect.separator.join(missing).encode()
        text = record.text.removesuffix(b"\n").removesuffix(b"\r")
        if self._reads_lines:
            return text
        values = self.dialect.values(text.decode())
        if self.ends_in_separator:
            values.pop()
        return _PLAIN.line(values).encode()


def _is_blank(record: Record) -> bool:
    return not record.dropped and not record.text.strip()
