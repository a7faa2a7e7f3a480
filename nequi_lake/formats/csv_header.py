"""The header of a CSV file: its names, how they differ from what is declared, and what a wrong one looks like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from io import BytesIO
from itertools import islice, zip_longest
from typing import TYPE_CHECKING

from nequi_lake.formats.csv_dialect import Dialect, Record
from nequi_lake.formats.drift import ignored_notes
from nequi_lake.formats.lines import long_lines
from nequi_lake.formats.text import utf8_problem

if TYPE_CHECKING:
    from nequi_lake.formats.csv import CsvFile

_MAX_BYTES = 2**23
_SEPARATORS = (",", ";", "\t", "|", ":", " ")
_LINES_LOOKED_AT = 30


class Header:
    """The names of the columns of a file, and how a record that repeats them looks."""

    def __init__(self, names: Sequence[str], dialect: Dialect) -> None:
        self._names, self._dialect = list(names), dialect

    def is_repeated_by(self, record: Record) -> bool:
        """Whether the values of a record are the names."""
        if not record.is_sound or record.dropped or self._first not in record.text[: len(self._first) + 4]:
            return False
        return _values(record, self._dialect) in (self._names, [*self._names, ""])

    @property
    def pattern(self) -> str:
        """A regular expression of Rust for a line that repeats the names."""
        quote = f"{re.escape(self._dialect.quote)}?" if self._dialect.quote else ""
        names = (f"{quote}{re.escape(name)}{quote}" for name in self._names)
        return rf"\A{re.escape(self._dialect.separator).join(names)}\z"

    @cached_property
    def _first(self) -> bytes:
        return self._names[0].encode()


def names_of(file: CsvFile, header: Sequence[Record]) -> list[str]:
    """The names of the columns in a header that has no problem; each of several lines adds to them."""
    lines = [_values(record, file.dialect) for record in header]
    if file.ends_in_separator:
        lines = [line[:-1] if line and not line[-1] else line for line in lines]
    return [" ".join(filter(None, parts)) for parts in zip_longest(*lines, fillvalue="")]


def header_problem(file: CsvFile, header: Sequence[Record], beginning: bytes) -> str | None:
    """What is wrong with the header of a file; None where it can be read.

    Args:
        file: what is declared.
        header: the records where the header should be.
        beginning: of the file.
    """
    if len(header) < file.header_lines:
        return "the file ends before its header"
    for record in header:
        text = record.text
        if record.dropped or len(text) > _MAX_BYTES:
            return f"the first line has {len(text) + record.dropped:,} bytes, which is no header"
        bad_bytes = utf8_problem(text, file.encoding)
        if bad_bytes:
            return bad_bytes
        if not record.is_sound:
            said = text[:60].decode(errors="ignore").strip()
            return f"quotes in the header do not come out right: {said}{_advice(file, (), beginning)}"
    names = names_of(file, header)
    problem = _difference(file, names)
    return problem and f"{problem}{_advice(file, names, beginning)}"


def is_surely_header(file: CsvFile, header: Sequence[Record]) -> bool:
    """Whether what stands where the header should be has most of the declared names, so that the others are names."""
    if not header or not all(record.is_sound and not record.dropped for record in header):
        return False
    return 2 * len(file.drift.known & {*names_of(file, header)}) > len(file.columns)


def ignored_columns(file: CsvFile, names: Sequence[str], beginning: bytes) -> Iterator[str]:
    """What is said of columns that are not declared, each with a value that it has."""
    ignored = file.drift.ignored(names)
    if not ignored:
        return iter(())
    lines = long_lines(BytesIO(beginning), file.max_record_bytes)
    records = islice(file.dialect.records(lines, file.max_record_bytes), file.skip_lines + file.header_lines, None)
    first = next((_values(record, file.dialect) for record in records if record.is_sound and not record.dropped), [])
    examples = dict(zip(names, first, strict=False))
    return ignored_notes({name: examples.get(name, "") for name in ignored})


def _difference(file: CsvFile, names: Sequence[str]) -> str | None:
    """How the columns of a header differ from the declared ones; None where they may."""
    found = file.drift.difference(names)
    count = f"{len(names)} columns where {len(file.columns)} are declared: " if len(names) != len(file.columns) else ""
    return found and count + found


def _advice(file: CsvFile, names: Sequence[str], beginning: bytes) -> str:
    """What to declare where the beginning of a file shows it."""
    known = set(file.columns)
    if known & set(names):
        return ""
    text = beginning.decode(errors="replace")
    if text.lstrip("\ufeff \r\n\t").startswith(("{", "[")):
        return ". The file seems to be JSON: declare it as JsonLinesFile"
    lines = text.splitlines()[:_LINES_LOOKED_AT]
    for number, line in enumerate(lines):
        for separator in (file.separator, *_SEPARATORS):
            values = Dialect(separator, '"').values(line)
            if known <= set(values):
                return f". {_declare(file, number, separator)}"
    if len(names) == len(known):
        return ". If the file has no header, declare header_lines=0"
    return ""


def _declare(file: CsvFile, skip: int, separator: str) -> str:
    said = list[str]()
    if skip != file.skip_lines:
        said.append(f"the header seems to be on line {skip + 1}: declare skip_lines={skip}")
    if separator != file.separator:
        said.append(f"the separator seems to be {separator!r}: declare separator={separator!r}")
    text = "; ".join(said) or "the header seems to be written in another way"
    return text[0].upper() + text[1:]


def _values(record: Record, dialect: Dialect) -> list[str]:
    return dialect.values(record.text.decode(errors="replace").removesuffix("\n").removesuffix("\r"))
