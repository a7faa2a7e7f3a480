"""How a CSV file is written: its dialect, its header, and what stands above and below its records."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from itertools import islice
from pathlib import Path

from nequi_lake.drafting.sniffed import LOOKED_AT_BYTES, Sniffed, cannot_draft
from nequi_lake.formats import CsvFile, Structure, TextFile
from nequi_lake.formats.codecs import opened_text
from nequi_lake.formats.csv_dialect import Dialect, Record
from nequi_lake.formats.lines import Line, long_lines

_RECORDS = 2_000
_LONGEST = TextFile.max_record_bytes
_MOST_ABOVE = 50
_FEW_FIELDS = 3
_SEPARATORS = (",", ";", "\t", "|", ", ", "; ", "||", "^", "~", "\x01", "\x1f", ":", " ")
_QUOTES = ('"', "'", None)
_ALIKE = 0.6
"""The share of records that must have the same number of fields."""
_RARELY_SEPARATE = {":": 0.5, " ": 0.6}
_BELOW_OTHERS = 0.9
"""How much less it says that records are alike where what parts them stands in texts too, or lines stand above them."""
_FEW_DAMAGED = 0.01
_MOSTLY = 0.9
_ENCLOSES = 2
"""How far what stands in quotes speaks for a quote that encloses values."""
_NUMBER = re.compile(r"[\s$€(+-]*[0-9][0-9.,:/()%\s$€+-]*(?:[eE][+-]?[0-9]+)?|[0-9]{4}-[0-9-]{5}[T ][0-9:.]+[Z0-9:+-]*")
_YEAR = re.compile("(?:19|20)[0-9]{2}")


def csv_file(path: Path, text: bytes, encoding: str) -> Sniffed:
    """Say how a CSV file is written.

    Args:
        path: the file.
        text: its beginning, in UTF-8 and with line feeds.
        encoding: of the file.

    Raises:
        UsageError: that is not sure enough to read it.
    """
    lines = list(islice(long_lines(BytesIO(text), _LONGEST), _RECORDS))
    if len(text) == LOOKED_AT_BYTES and len(lines) < _RECORDS:
        lines = lines[:-1]
    best = max(_layouts(lines), key=lambda layout: layout.score, default=None)
    if best is None:
        raise cannot_draft(
            "no separator and quote give most of its lines the same number of values", path,
            "Declare it by hand as CsvFile, with separator= and quote=, or get it from its publisher in another form.",
        )  # fmt: skip
    records = best.records[_nearly_empty(best) :]
    values = [
        best.dialect.values(_text(record)) for record in records if record.is_sound and record.fields == best.fields
    ]
    ends_in_separator = best.fields > 1 and all(not row[-1] for row in values) and _header([r[:-1] for r in values])[0]
    if ends_in_separator:
        values = [row[:-1] for row in values]
    twice = [name for name, count in Counter(values[0]).items() if count > 1 and name]
    if twice and not any(map(_is_number, values[0])):
        raise cannot_draft(f"the header has {', '.join(twice)} twice", path)
    is_header, is_sure = _header(values)
    above = records[0].line - 1
    if above and not is_header:
        raise cannot_draft(
            f"what stands above line {above + 1:,} is no header of the values from there on", path,
            "Look at the lines above. Correct the header, or declare it by hand as CsvFile, with columns=.",
        )  # fmt: skip
    names = values[0] if is_header else [f"column_{number}" for number in range(1, len(values[0]) + 1)]
    file = CsvFile(
        name=path.name,
        description="TODO",
        columns=tuple(names),
        separator=best.dialect.separator,
        quote=best.dialect.quote,
        escape=best.dialect.escape,
        encoding=encoding,
        skip_lines=above,
        header_lines=int(is_header),
        ends_in_separator=ends_in_separator,
    )
    file, below = _with_footer(path, file)
    return Sniffed(file, (*_doubts(best, is_header=is_header, is_sure=is_sure), *below))


def _doubts(layout: _Layout, *, is_header: bool, is_sure: bool) -> Iterator[str]:
    """What is not sure."""
    separator, quote, escape = layout.dialect.separator, layout.dialect.quote, layout.dialect.escape
    if not is_header:
        yield "no header was found, so the columns have numbers"
    elif not is_sure:
        yield "the first line may be a record and no header: nothing tells it from those below"
    if layout.fields == 1:
        yield "each line is one value; where something separates several, declare separator="
    elif separator in _RARELY_SEPARATE:
        yield f"{separator!r} seems to separate the values, and may be a part of them"
    if quote is None:
        yield 'quotes " are read as text, as they do not enclose values'
    elif quote != '"':
        yield f"{quote} seems to stand around values, and may be a part of them"
    if escape == '"':
        yield 'a doubled " is read as one, as no " stands alone'


@dataclass(frozen=True)
class _Layout:
    dialect: Dialect
    skip: int
    fields: int
    records: Sequence[Record]
    alike: Sequence[Record]

    @property
    def share(self) -> float:
        return len(self.alike) / len(self.records)

    @cached_property
    def _rows(self) -> Sequence[Sequence[str]]:
        return [self.dialect.values(_text(record)) for record in self.alike]

    @cached_property
    def columns(self) -> int:
        """How many columns have a name or a value."""
        return sum(any(value.strip() for value in column) for column in zip(*self._rows, strict=True))

    @cached_property
    def quoted(self) -> int:
        """How many records have a value in quotes."""
        quote = self.dialect.quote
        if quote is None:
            return 0
        sign, separator = re.escape(quote), re.escape(self.dialect.separator)
        enclosed = re.compile(rf"(?:\A|{separator}){sign}.*{sign}(?:{separator}|\Z)", re.DOTALL)
        return sum(quote in (text := _text(record)) and bool(enclosed.search(text)) for record in self.alike)

    @cached_property
    def _is_supported(self) -> int:
        """How far what stands in quotes speaks for the quote: 2 where it does, 0 where it speaks against it."""
        unsound = sum(not record.is_sound for record in self.records)
        if self.dialect.quote is not None and self.quoted > 2 * unsound:
            return _ENCLOSES
        if self.dialect.quote == '"':
            return int(unsound <= max(1, _FEW_DAMAGED * len(self.records)))
        return int(self.dialect.quote is None) - 1

    @property
    def score(self) -> tuple[float, ...]:
        """More is better: how many records are alike, then whether quotes come out, then how many columns there are."""
        dialect = self.dialect
        share = self.share * _RARELY_SEPARATE.get(dialect.separator, 1.0) * (_BELOW_OTHERS if self.skip else 1.0)
        is_plain = (dialect.quote == '"') + (dialect.escape is None)
        is_sure = self.columns > 1 or self._is_supported == _ENCLOSES
        return (
            round(share, 1) if is_sure else 0,
            self._is_supported,
            self.columns,
            share,
            is_plain,
            len(dialect.separator),
        )


def _layouts(lines: Sequence[Line]) -> Iterator[_Layout]:
    """Every dialect in which most records have the same number of fields."""
    text = b"".join(line.text for line in lines)
    for separator in _SEPARATORS:
        if separator.encode() not in text and separator != ",":
            continue
        for quote in _QUOTES:
            if quote and quote.encode() not in text and quote != '"':
                continue
            for escape in _escapes(quote, text):
                yield from _layout(Dialect(separator, quote, escape), lines)


def _escapes(quote: str | None, text: bytes) -> Sequence[str | None]:
    """What may stand before a quote that is part of a value."""
    if quote is None:
        return (None,)
    if quote != '"' and b'"' in text and b'"' not in text.replace(b'""', b""):
        # Whoever wrote the file doubles this quote, though it encloses no value.
        return ('"',)
    return (None, "\\") if f"\\{quote}".encode() in text else (None,)


def _layout(dialect: Dialect, lines: Sequence[Line]) -> Iterator[_Layout]:
    records = [record for record in dialect.records(iter(lines), _LONGEST) if record.text.strip()]
    sound = Counter(record.fields for record in records if record.is_sound)
    if not sound:
        return
    fields, _ = max(sound.items(), key=lambda item: (item[1] * min(item[0], 2), item[0]))
    alike = [record for record in records if record.is_sound and record.fields == fields]
    skip = alike[0].line - 1
    below = [record for record in records if record.line > skip]
    is_rare = skip and dialect.separator in _RARELY_SEPARATE
    is_title = skip <= min(_MOST_ABOVE, len(alike)) and not is_rare
    if is_title and len(alike) >= _ALIKE * len(below):
        yield _Layout(dialect, skip, fields, below, alike)


def _nearly_empty(layout: _Layout) -> int:
    """How many records above the others have one value at most: a title, in as many fields as a record has."""
    if layout.fields < _FEW_FIELDS:
        return 0
    for number, record in enumerate(layout.records[:_MOST_ABOVE]):
        if not record.is_sound or sum(bool(value.strip()) for value in layout.dialect.values(_text(record))) > 1:
            return number
    return 0


def _header(rows: Sequence[Sequence[str]]) -> tuple[bool, bool]:
    """Whether the first row names the columns, and whether what stands below it says so."""
    first, below = rows[0], [row for row in rows[1:] if row != rows[0]]
    is_repeated = len(below) < len(rows) - 1
    if len(set(first)) < len(first) or sum(not value.strip() for value in first) > 1:
        return False, True
    columns = list(zip(*below, strict=True)) if below else [() for _ in first]
    pairs = list(zip(first, columns, strict=True))
    numbers = [name for name in first if _is_number(name)]
    names_numbers = any(not _is_number(name) and _are_numbers(column) for name, column in pairs)
    if numbers:
        return names_numbers and all(map(_YEAR.fullmatch, numbers)), False
    if not below or is_repeated:
        return True, True
    if any(name in column or _is_shaped_like(name, column) for name, column in pairs) and not names_numbers:
        return False, False
    unlike = sum(any(map(_is_number, column)) or name not in column for name, column in pairs)
    return unlike >= len(first) / 2, names_numbers


def _are_numbers(column: Sequence[str]) -> bool:
    filled = [value for value in column if value.strip()]
    return bool(filled) and sum(map(_is_number, filled)) >= _MOSTLY * len(filled)


def _is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text.strip()))


def _is_shaped_like(name: str, column: Sequence[str]) -> bool:
    """Whether a text with digits has them where all of a column have them, as an identifier has."""
    shape = _shape(name)
    return "9" in shape and all(_shape(value) == shape for value in column)


def _shape(text: str) -> str:
    return re.sub("[0-9]", "9", re.sub("[^\\W0-9_]", "a", text))


def _with_footer(path: Path, file: CsvFile) -> tuple[CsvFile, tuple[str, ...]]:
    """The file with the lines at its end that are no records, and what is not sure about them."""
    structure = file.inspect(path)
    if structure.problem_count > structure.damaged:
        raise cannot_draft(str(structure.problems[0]), path)
    count = _lines_below(path, file, structure) if len(file.columns) >= _FEW_FIELDS else 0
    return replace(file, footer_lines=count), (f"the last {count:,} lines seem to be no records",) if count else ()


def _lines_below(path: Path, file: CsvFile, structure: Structure) -> int:
    """How many of the last lines have fewer fields by half, or one value and no other record of those above it so."""
    with path.open("rb") as stream:
        plain = opened_text(stream, codec=structure.codec, encoding=file.encoding, ends_in_cr=structure.ends_in_cr)
        records = (record for record in file.validate_records(plain, structure) if not record.passed_over)
        last = list(islice(records, max(0, structure.records - _MOST_ABOVE), None))
    few = [
        record.text.count(file.separator.encode()) < len(file.columns) / 2
        if record.reason
        else sum(bool(value.strip()) for value in file.dialect.values(_line(record.text))) <= 1
        for record in last
    ]
    count = next((number for number, is_few in enumerate(reversed(few)) if not is_few), 0)
    return count if sum(few) == count else 0


def _text(record: Record) -> str:
    return _line(record.text)


def _line(text: bytes) -> str:
    return text.decode(errors="replace").removesuffix("\n").removesuffix("\r")
