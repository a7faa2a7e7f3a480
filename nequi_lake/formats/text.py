"""A raw file whose records are texts: read in any encoding, compression and kind of line ends, and located by line."""

from __future__ import annotations

import base64
import codecs
import json
import shutil
from abc import abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

import polars as pl

from nequi_lake.formats.base import DAMAGED, FOUND, RAW_KEPT_BYTES, RawFile, RepairedFile
from nequi_lake.formats.codecs import LINE_ENDS_SWAPPED, PackedError, codec_of, is_utf8, opened_text
from nequi_lake.formats.drift import ignored_notes
from nequi_lake.formats.limit import UnpackLimitError, UnpackLimits
from nequi_lake.formats.lines import Line
from nequi_lake.formats.magic import no_content, no_text
from nequi_lake.formats.structure import PROBLEMS_SHOWN, Problem, Structure
from nequi_lake.progress import bar

NO_RECORD = -1
"""The number of what is no record among validated records."""
HEADER = "header"
"""What is no record: a line that names the columns. All else that is none is said in the plural."""
ABOVE = "lines above the header"
BELOW = "lines below the records"
BLANK_END = "blank lines at the end"
REPEATED = "repeated headers"
_MOST_BLANK = 10_000
"""Blank lines beyond are records that cannot be read, wherever they stand."""
_MOST_IGNORED = 1_000
"""Names that are not declared beyond are not counted."""
_EXCERPT_BYTES = 60
_BEGINNING_BYTES = 2**20
R = TypeVar("R")


class RefusedError(Exception):
    """Something for which a file cannot be read at all; ``line`` is where."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class ValidatedRecord(NamedTuple):
    """A record, and why it cannot be read.

    Attributes:
        number: from 0; :data:`NO_RECORD` where it is none.
        line: the line, from 1, on which it begins.
        text: its bytes, with the line end.
        reason: why it cannot be read; None where it can.
        dropped: bytes of it that are not in ``text``, as it is longer than a record may be.
        passed_over: what it is where it is no record; None where it is one.
        ignored: what it has that is not declared and may be there, by name.
    """

    number: int
    line: int
    text: bytes
    reason: str | None
    dropped: int = 0
    passed_over: str | None = None
    ignored: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True, eq=False)
class TextFile(RawFile):
    """A file of texts. Compression (gzip, zstd, bz2, or a zip of one file) is found by its first bytes.

    Attributes:
        encoding: of its characters, by a name that Python knows, such as ``cp1252``.
        max_record_bytes: how long a record may be. One that is longer has a quote that was never closed, or no line
            ends: it is put aside as one record, and memory does not follow it.
    """

    encoding: str = "utf-8"
    max_record_bytes: int = 2**24

    def problems(self) -> Iterator[str]:
        """What is wrong with the declaration by itself."""
        if self.max_record_bytes < 1:
            yield f"max_record_bytes is a number of bytes, not {self.max_record_bytes}"
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            yield f"Python knows no encoding {self.encoding}"

    def inspect(self, path: Path, limits: UnpackLimits | None = None) -> Structure:
        with path.open("rb") as stream:
            beginning = stream.read(_BEGINNING_BYTES)
        problem = no_content(beginning) or no_text(beginning, self.encoding)
        if problem:
            return Structure.refused(problem)
        as_read = Structure(codec=codec_of(beginning))
        try:
            with path.open("rb") as stream, self._opened(stream, as_read, path.stat().st_size, limits) as plain:
                beginning = plain.read(_BEGINNING_BYTES)
            as_read = replace(as_read, ends_in_cr=b"\r" in beginning and b"\n" not in beginning)
            problem = no_content(beginning) or no_text(beginning, "")
            if problem:
                return Structure.refused(problem)
            if not self._is_decoded(as_read):
                return self._inspect(path, beginning)
            copy = path.with_name(f"{path.name}.decoded")
            try:
                with path.open("rb") as stream, self._opened(stream, as_read, path.stat().st_size, limits) as plain:
                    _copy(plain, copy)
                found = self._inspect(copy, beginning)
            finally:
                copy.unlink(missing_ok=True)
        except RefusedError as error:
            return Structure.refused(str(error), error.line)
        except PackedError as error:
            return Structure.refused(str(error))
        except UnpackLimitError as error:
            return Structure.refused(f"the file {error}")
        return replace(found, codec=as_read.codec, ends_in_cr=as_read.ends_in_cr)

    def needs_repair(self, structure: Structure) -> bool:
        return self._is_decoded(structure) or structure.damaged > 0 or bool(structure.passed_over)

    def repair(self, content: BinaryIO, structure: Structure, path: Path) -> RepairedFile:
        with self._opened(content, structure) as plain, path.open("wb") as copy:
            if not structure.damaged and self._copies_lines(structure):
                lines = islice(plain, *self._span(structure))
                copy.write(next(lines, b"").removeprefix(codecs.BOM_UTF8))
                copy.writelines(lines)
                return RepairedFile(path, pl.DataFrame(schema=DAMAGED))
            return RepairedFile(path, self._repair(plain, structure, copy))

    def find_records(self, content: BinaryIO, structure: Structure) -> Callable[[pl.Series], pl.DataFrame]:
        # What stands between the objects of an array is none of what is split.
        has_no_offsets = self._is_decoded(structure) or bool(structure.layout)
        records = self._located(self._opened(content, structure), structure)

        def find(number: int) -> tuple[int | None, int | None, int | None, str | None]:
            for at, offset, record in records:
                if at == number:
                    body = _as_written(record.text, structure)
                    shown = body[:RAW_KEPT_BYTES].decode(errors="replace")
                    where = (None, None) if has_no_offsets else (offset, len(body) + record.dropped)
                    return record.number, *where, shown
            return None, None, None, None

        return lambda numbers: pl.DataFrame([find(number) for number in numbers], schema=FOUND, orient="row")

    @abstractmethod
    def validate_records(self, content: BinaryIO, structure: Structure) -> Iterator[ValidatedRecord]:
        """Yield the records in order, each with why it cannot be read, and what is no record.

        A byte order mark at the beginning belongs to none of them.

        Args:
            content: the text, in UTF-8 and with line feeds.
            structure: what is known of it, at least its columns and layout.
        """

    @abstractmethod
    def _split(self, content: BinaryIO, structure: Structure) -> Iterator[tuple[int, Line]]:
        """Yield all of the text in order: the number of each record, or that it is none, and its bytes."""

    @abstractmethod
    def _inspect(self, path: Path, beginning: bytes) -> Structure:
        """Return the structure of a text in UTF-8 that begins with these bytes."""

    @abstractmethod
    def _copied(self, record: ValidatedRecord, structure: Structure) -> bytes:
        """Return a record as the engine reads it, without a line end: missing values in the place of a damaged one."""

    def _copies_lines(self, structure: Structure) -> bool:  # noqa: ARG002
        """Whether the engine reads the lines of a file of sound records as they are."""
        return True

    def _span(self, structure: Structure) -> tuple[int, int]:
        """The number of the first line that holds a record, and of the first after them, from 0."""
        return 0, structure.lines - structure.passed_over.get(BLANK_END, 0)

    def _repair(self, plain: BinaryIO, structure: Structure, copy: BinaryIO) -> pl.DataFrame:
        """Write the records of a text one by one; return those that are damaged."""
        damaged = []
        with bar(f"repairing {self.name}", structure.records, "rows") as progress:
            for record in self.validate_records(plain, structure):
                if record.passed_over:
                    continue
                progress.update(1)
                if record.reason:
                    is_blank = not record.text.strip()
                    raw = _as_json(_as_written(record.text, structure), record.dropped)
                    damaged.append((record.number, record.line, record.reason, raw, is_blank))
                copy.write(self._copied(record, structure) + b"\n")
        return pl.DataFrame(damaged, schema=DAMAGED, orient="row")

    def _located(self, content: BinaryIO, structure: Structure) -> Iterator[tuple[int, int, Line]]:
        """Yield the number of each record, the byte at which it begins, and its bytes; and so what is none."""
        offset = len(codecs.BOM_UTF8) if structure.has_bom else 0
        for number, record in self._split(content, structure):
            yield number, offset, record
            offset += len(record.text) + record.dropped

    def _inspect_records(self, path: Path, known: Structure) -> Structure:
        """Return the structure of a text by validating each of its records.

        Args:
            path: the text, in UTF-8 and with line feeds.
            known: what is known of it.
        """
        records = lines = damaged = 0
        problems: list[Problem] = []
        passed_over = Counter[str]()
        ignored: dict[str, str] = {}
        with path.open("rb") as stream, bar(f"validating {self.name}", path.stat().st_size, "B") as progress:
            for record in self.validate_records(stream, known):
                lines = record.line + record.text.count(b"\n") - record.text.endswith(b"\n")
                progress.update(len(record.text))
                if record.passed_over:
                    passed_over[record.passed_over] += 1 + lines - record.line
                    continue
                records = record.number + 1
                if record.ignored and len(ignored) < _MOST_IGNORED:
                    ignored = {**ignored, **{name: ignored.get(name, text) for name, text in record.ignored.items()}}
                if record.reason:
                    damaged += 1
                    if len(problems) < PROBLEMS_SHOWN:
                        problems.append(Problem.of_record(record.line, record.reason))
        del passed_over[HEADER]
        return replace(
            known,
            records=records,
            lines=lines,
            damaged=damaged,
            problems=tuple(problems),
            problem_count=damaged,
            passed_over=dict(passed_over),
            notes=(*known.notes, *ignored_notes(ignored)),
        )

    def _is_decoded(self, structure: Structure) -> bool:
        """Whether the bytes of the file are not those that are read."""
        return bool(structure.codec) or structure.ends_in_cr or not is_utf8(self.encoding)

    def _opened(
        self,
        content: BinaryIO,
        structure: Structure,
        packed_bytes: int | None = None,
        limits: UnpackLimits | None = None,
    ) -> BinaryIO:
        """The text of a file, in UTF-8 and with line feeds."""
        return opened_text(
            content,
            codec=structure.codec,
            encoding=self.encoding,
            ends_in_cr=structure.ends_in_cr,
            packed_bytes=packed_bytes,
            limits=limits,
        )


def _copy(plain: BinaryIO, path: Path) -> None:
    with path.open("wb") as copy:
        shutil.copyfileobj(plain, copy, 2**20)


def without_end(records: Iterator[R], is_blank: Callable[[R], bool], below: int = 0) -> Iterator[tuple[R, str | None]]:
    """Tell the records of a file from the lines below them and the blank ones at the end.

    Yields:
        Each, with what it is where it is no record.
    """
    held: deque[tuple[R, bool]] = deque()
    filled = 0
    for record in records:
        blank = is_blank(record)
        held.append((record, blank))
        filled += not blank
        while filled > below or len(held) > below + _MOST_BLANK:
            oldest, was_blank = held.popleft()
            filled -= not was_blank
            yield oldest, None
    for record, blank in held:
        yield record, BLANK_END if blank else BELOW


def utf8_problem(text: bytes, encoding: str = "utf-8") -> str | None:
    """Return what is wrong with a text that is none of its encoding; None where it is."""
    try:
        text.decode()
    except UnicodeDecodeError as bad:
        if is_utf8(encoding):
            return f"bytes that are not UTF-8: {text[bad.start : bad.start + 8]!r}"
        return f"a character that {encoding} does not have, beginning {excerpt(text[: bad.start])}"
    return None


def excerpt(text: bytes) -> str:
    """Return the beginning of a record, in quotes, for a message."""
    return repr(text[:_EXCERPT_BYTES].decode(errors="replace").rstrip("\r\n"))


def _as_written(text: bytes, structure: Structure) -> bytes:
    """Return a record without its line end, with the carriage returns and line feeds that it has in the file."""
    body = text.removesuffix(b"\n").removesuffix(b"\r")
    return body.translate(LINE_ENDS_SWAPPED) if structure.ends_in_cr else body


def _as_json(text: bytes, dropped: int) -> str:
    """Return a record as JSON: its text, and its bytes where the text is not all of them."""
    shown = text[:RAW_KEPT_BYTES]
    found: dict[str, str | int] = {"text": shown.decode(errors="replace")}
    if shown.decode(errors="ignore").encode() != shown:
        found["base64"] = base64.b64encode(shown).decode()
    if dropped or len(shown) < len(text):
        found["size_bytes"] = len(text) + dropped
    return json.dumps(found, ensure_ascii=False)
