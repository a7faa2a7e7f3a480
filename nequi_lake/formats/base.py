"""What every raw format is: a declared file that can be inspected, repaired and scanned."""

from __future__ import annotations

import base64
import codecs
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import polars as pl
from polars._typing import PolarsDataType

from nequi_lake.formats.lines import Line
from nequi_lake.formats.structure import PROBLEMS_SHOWN, Problem, Structure, merge_structures
from nequi_lake.progress import bar

RECORD = "__record"
"""Column of every raw frame: the record's number in its file, Int64, from 0."""
POSITION_IN_SESSION = "__position_in_session"
"""Name of the column that numbers the records of a session, from 0, in a file that has sessions."""
PLACE_IS_UNCERTAIN = "__place_is_uncertain"
"""Name of the column that says of a record whether its position may be off, as nobody knows where its session began."""
HEADER = -1
"""The number of a header among validated records."""
RAW_KEPT_BYTES = 2**16
"""How much of a damaged record goes into the quarantine. The file in the raw zone has all of it."""
DAMAGED = {
    "record": pl.Int64(),
    "line": pl.Int64(),
    "rule": pl.String(),
    "raw": pl.String(),
    "is_blank": pl.Boolean(),
}
FOUND = {"line": pl.Int64(), "offset_bytes": pl.Int64(), "size_bytes": pl.Int64(), "original": pl.String()}
"""Where a record is in its file: line, from 1; the byte at which it begins; how many it has without its line end; and
its text there, up to ``RAW_KEPT_BYTES``."""
_EXCERPT_BYTES = 60
_BEGINNING_BYTES = 1024


class ValidatedRecord(NamedTuple):
    """A record, and why it cannot be read.

    Attributes:
        number: from 0; the header has :data:`HEADER`.
        line: the line, from 1, on which it begins.
        text: its bytes, with the line end.
        reason: why it cannot be read; None where it can.
        dropped: bytes of it that are not in ``text``, as it is longer than a record may be.
    """

    number: int
    line: int
    text: bytes
    reason: str | None
    dropped: int = 0


@dataclass(frozen=True)
class RepairedFile:
    """A file's copy in which every record can be read.

    Attributes:
        path: the copy, on this machine's disk. In it each damaged record is replaced by a placeholder of missing
            values, so that the numbers of the other records do not change.
        damaged: number (``record``), ``line``, reason (``rule``) and text (``raw``, JSON) of the damaged records, and
            whether they are nothing but white space (``is_blank``).
    """

    path: Path
    damaged: pl.DataFrame


@dataclass(frozen=True, kw_only=True, eq=False)
class RawFile(ABC):
    """A file as its publisher gives it: in one piece, or in parts ``<name without its ending>/part-*.<ending>``.

    Attributes:
        name: the name under which the lake keeps it.
        description: what it holds.
        aliases: other names under which a source may have it.
        dropped: raw column → why no table has it.
        constants: columns that the file's name implies, such as its split, and their value.
        max_record_bytes: how long a record may be. One that is longer has a quote that was never closed, or no line
            ends: it is put aside as one record, and memory does not follow it.
        session_by: a column of the tables that it feeds. Consecutive records with the same value in it form a
            session; a value that breaks the column's contract ends none.
    """

    name: str
    description: str
    aliases: tuple[str, ...] = ()
    dropped: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    max_record_bytes: int = 2**24
    session_by: str | None = None

    @property
    @abstractmethod
    def field_paths(self) -> tuple[str, ...]:
        """The raw columns, nested ones dotted; none where the lake keeps the file without reading it."""

    def problems(self) -> Iterator[str]:
        """What is wrong with the declaration by itself."""
        return iter(())

    def facts(self) -> Iterator[str]:
        """What of the declaration makes other rows of the same bytes, beside names, columns, constants and sessions."""
        return iter(())

    def raw_value(self, field_path: str) -> pl.Expr:
        """The raw value of a column or constant in the frame that :meth:`scan` gives."""
        return pl.col(field_path)

    def raw_type(self, field_path: str) -> pl.DataType:  # noqa: ARG002
        """The type of that raw value."""
        return pl.String()

    @property
    def raw_schema(self) -> Mapping[str, PolarsDataType]:
        """The columns of the frame that :meth:`scan` gives, and their types, without constants."""
        return dict.fromkeys(self.field_paths, pl.String())

    @property
    def is_optional(self) -> bool:
        """Whether a delivery may lack it."""
        return False

    @property
    def kind(self) -> str:
        """The file's format as one word."""
        return self.name.rsplit(".", 1)[-1].lower()

    def among(self, paths: Iterable[str]) -> list[tuple[str, str]]:
        """Those of ``paths`` that are this file or its parts, in order, each with the name that the lake gives it."""
        names = {self.name, *self.aliases}
        folders = {*names, *(name.rsplit(".", 1)[0] for name in names)}
        stem, dot, ending = self.name.rpartition(".")
        found = []
        for path in sorted(paths, key=_by_number):
            parent, name = ["", *path.split("/")][-2:]
            if name in names:
                found.append((path, self.name))
            elif parent in folders and _PART_NAME.fullmatch(name) and name.endswith(dot + ending):
                found.append((path, f"{stem}/{name}"))
        return found

    def inspect(self, path: Path) -> Structure:
        """Return the structure of a local file, or of a part of it: one pass over its bytes.

        It counts the records independently of the engine, and names what is wrong by line.
        """
        with path.open("rb") as stream:
            beginning = stream.read(_BEGINNING_BYTES)
        if beginning in (b"", codecs.BOM_UTF8):
            return Structure.refused("the file is empty")
        head = beginning.removeprefix(codecs.BOM_UTF8).lstrip()
        if head.startswith(b"version https://git-lfs.github.com/spec/"):
            return Structure.refused("the file is a Git LFS pointer, not the content that it points to")
        if head[:15].lower().startswith((b"<!doctype html", b"<html")):
            return Structure.refused("the file is a web page, perhaps an error page of the download")
        return self._inspect(path, beginning)

    def merge_structures(self, parts: Mapping[str, Structure]) -> Structure:
        """Return the structure of the whole file: part name → its structure, in the file's order."""
        return merge_structures(parts)

    def needs_repair(self, structure: Structure) -> bool:
        """Whether the engine cannot read the bytes as they are, and needs a repaired copy."""
        return structure.damaged > 0

    def repair(self, content: BinaryIO, size_bytes: int, path: Path) -> RepairedFile:
        """Copy ``content`` to ``path`` without its byte order mark, each damaged record replaced by a placeholder.

        Holds the damaged records in memory: they must be few.
        """
        placeholder = self._placeholder()
        damaged = []
        with path.open("wb") as copy, bar(f"repairing {self.name}", size_bytes, "B") as progress:
            for record in self.validate_records(content):
                progress.update(len(record.text) + record.dropped)
                if record.reason:
                    is_blank = not record.text.strip()
                    raw = _as_json(record.text, record.dropped)
                    damaged.append((record.number, record.line, record.reason, raw, is_blank))
                    copy.write(placeholder + b"\n")
                else:
                    copy.write(record.text)
                    if not record.text.endswith(b"\n"):
                        copy.write(b"\n")
        return RepairedFile(path, pl.DataFrame(damaged, schema=DAMAGED, orient="row"))

    def scan(self, paths: Sequence[str], options: Mapping[str, Any]) -> pl.LazyFrame:
        """Return the raw values, constants, and ``RECORD``, numbered through all of the paths.

        Args:
            paths: parts that can be read as they are, or repaired copies.
            options: Polars' scan options for where the paths are.

        Raises:
            StageError: the lake keeps files of this format without reading them.
        """
        constants = [pl.lit(value).alias(name) for name, value in self.constants.items()]
        return self._scan(paths, options).with_columns(pl.col(RECORD).cast(pl.Int64), *constants)

    @abstractmethod
    def validate_records(self, content: BinaryIO) -> Iterator[ValidatedRecord]:
        """Yield the records in order, each with why it cannot be read; the header, if there is one, comes first.

        A byte order mark at the beginning belongs to none of them.
        """

    def find_records(self, content: BinaryIO, structure: Structure) -> Callable[[pl.Series], pl.DataFrame]:
        """Return a function: numbers of the file's records → where they are, and what they are there.

        Numbers must ascend, from call to call too: ``content`` is read once, up to the last record asked for.

        Returns:
            A frame of :data:`FOUND`, one row per number; of nothing where the file has no such record.
        """
        records = self._located(content, structure)

        def find(number: int) -> tuple[int | None, int | None, int | None, str | None]:
            for at, offset, record in records:
                if at == number:
                    body = record.text.removesuffix(b"\n").removesuffix(b"\r")
                    shown = body[:RAW_KEPT_BYTES].decode(errors="replace")
                    return record.number, offset, len(body) + record.dropped, shown
            return None, None, None, None

        return lambda numbers: pl.DataFrame([find(number) for number in numbers], schema=FOUND, orient="row")

    def _located(self, content: BinaryIO, structure: Structure) -> Iterator[tuple[int, int, Line]]:
        """Yield the number of each record, the header included, the byte at which it begins, and the record."""
        offset = len(codecs.BOM_UTF8) if structure.has_bom else 0
        for number, record in self._split(content, structure):
            yield number, offset, record
            offset += len(record.text) + record.dropped

    @abstractmethod
    def _split(self, content: BinaryIO, structure: Structure) -> Iterator[tuple[int, Line]]:
        """Yield the number of each record, the header included, and the record, without a byte order mark."""

    @abstractmethod
    def _inspect(self, path: Path, beginning: bytes) -> Structure:
        """Return the structure of a file that has content and begins with these bytes."""

    @abstractmethod
    def _scan(self, paths: Sequence[str], options: Mapping[str, Any]) -> pl.LazyFrame:
        """Return the raw values and ``RECORD``."""

    @abstractmethod
    def _placeholder(self) -> bytes:
        """Return a record of missing values, without a line end."""

    def _inspect_records(self, path: Path, has_bom: bool) -> Structure:
        """Return the structure of a file by validating each of its records."""
        records = lines = damaged = 0
        problems: list[Problem] = []
        with path.open("rb") as stream, bar(f"validating {self.name}", path.stat().st_size, "B") as progress:
            for record in self.validate_records(stream):
                lines = record.line + record.text.count(b"\n") - record.text.endswith(b"\n")
                progress.update(len(record.text))
                records = record.number + 1
                if record.reason:
                    damaged += 1
                    if len(problems) < PROBLEMS_SHOWN:
                        problems.append(Problem(record.line, record.reason))
        return Structure(
            records=records,
            lines=lines,
            damaged=damaged,
            problems=tuple(problems),
            problem_count=damaged,
            has_bom=has_bom,
        )


def utf8_problem(text: bytes) -> str | None:
    """Return what is wrong with a text that is not UTF-8; None where it is."""
    try:
        text.decode()
    except UnicodeDecodeError as bad:
        return f"bytes that are not UTF-8: {text[bad.start : bad.start + 8]!r}"
    return None


def excerpt(text: bytes) -> str:
    """Return the beginning of a record, in quotes, for a message."""
    return repr(text[:_EXCERPT_BYTES].decode(errors="replace").rstrip("\r\n"))


def _as_json(text: bytes, dropped: int) -> str:
    """Return a record as JSON: its text, and its bytes where the text is not all of them."""
    body = text.removesuffix(b"\n").removesuffix(b"\r")
    shown = body[:RAW_KEPT_BYTES]
    found: dict[str, str | int] = {"text": shown.decode(errors="replace")}
    if shown.decode(errors="ignore").encode() != shown:
        found["base64"] = base64.b64encode(shown).decode()
    if dropped or len(shown) < len(body):
        found["size_bytes"] = len(body) + dropped
    return json.dumps(found, ensure_ascii=False)


def _by_number(path: str) -> list[tuple[int, str]]:
    """Sorts ``part-2`` before ``part-10``; a number may have more digits than Python reads."""
    words = re.split("([0-9]+)", path)
    return [(len(digits := word.lstrip("0")), digits) if number % 2 else (0, word) for number, word in enumerate(words)]


_PART_NAME = re.compile(r"part-[\w.-]+")
"""Without what browsers and people add to the name of a copy."""
