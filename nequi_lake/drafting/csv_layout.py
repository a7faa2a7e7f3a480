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
_USUALLY_SEPARATE = (b",", b";", b"\t", b"|")
_QUOTES = ('"', "'", None)
_ALIKE = 0.6
"""The share of records that must have the same number of fields."""
_RARELY_SEPARATE = {":": 0.5, " ": 0.6}
_BELOW_OTHERS = 0.9
"""How much less it says that records are alike where what parts them stands in texts too, or lines stand above them."""
_FEW_DAMAGED = 0.01
_SEVERAL = 3
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
    best = max(_not_contradicted(list(_layouts(lines))), key=lambda layout: layout.score, default=None)
    separates = best and best.fields == 1 and any(sign in best.records[0].plain for sign in _USUALLY_SEPARATE)
    if best is None or separates:
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
    if (best.fields >= _FEW_FIELDS or not is_sure) and any(_is_row(best, record) for record in best.above):
        raise cannot_draft(
            f"the lines above line {above + 1:,} have values too, but not as many as those from there on", path,
            "If these are two tables, get each as a file. If values are missing, correct the lines.",
        )  # fmt: skip
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
class _Enclosed:
    """What stands in quotes.

    Attributes:
        records: how many records have a value in quotes.
        with_separator: how many of them have what parts values within the quotes.
        unsound: how many records have a quote that does not come out right.
    """

    records: int
    with_separator: int
    unsound: int

    @classmethod
    def of(cls, dialect: Dialect, records: Sequence[Record]) -> _Enclosed:
        if dialect.quote is None:
            return cls(0, 0, 0)
        sign, separator = re.escape(dialect.quote), re.escape(dialect.separator)
        enclosed = re.compile(rf"(?:\A|{separator}){sign}.*{sign}(?:{separator}|\Z)", re.DOTALL)
        quoted = [
            record
            for record in records
            if record.is_sound and dialect.quote in (text := _text(record)) and enclosed.search(text)
        ]
        return cls(
            len(quoted),
            sum(record.text.count(dialect.separator.encode()) >= record.fields for record in quoted),
            sum(not record.is_sound for record in records),
        )

    @property
    def may_be_text(self) -> bool:
        """Whether quotes come out wrong in several records, and in more than have a value in quotes."""
        return self.unsound >= max(_SEVERAL, self.records)

    @property
    def speaks_for_quote(self) -> bool:
        """Whether values stand in quotes, and rarely a quote in a value."""
        return self.records > 2 * self.unsound or self.with_separator > self.unsound


@dataclass(frozen=True)
class _Layout:
    dialect: Dialect
    skip: int
    fields: int
    above: Sequence[Record]
    records: Sequence[Record]
    alike: Sequence[Record]

    @property
    def is_rare(self) -> bool:
        """Whether what parts the values is mostly a part of them; not where quotes keep it in some values."""
        is_meant = self.share == 1 and self.fields >= _FEW_FIELDS and self._enclosed.with_separator
        return self.dialect.separator in _RARELY_SEPARATE and not is_meant

    @property
    def is_likely(self) -> bool:
        """Whether nothing speaks against its separator and quote."""
        return not self.is_rare and self._is_supported >= 0

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
    def _enclosed(self) -> _Enclosed:
        return _Enclosed.of(self.dialect, self.records)

    @property
    def _is_supported(self) -> int:
        """How far what stands in quotes speaks for the quote: 2 where it does, 0 where it speaks against it."""
        if self._enclosed.speaks_for_quote:
            return _ENCLOSES
        if self.dialect.quote == '"':
            return int(self._enclosed.unsound <= max(1, _FEW_DAMAGED * len(self.records)))
        return int(self.dialect.quote is None) - 1

    @property
    def score(self) -> tuple[float, ...]:
        """More is better: how many records are alike, then whether quotes come out, then how many columns there are."""
        dialect = self.dialect
        rarely = _RARELY_SEPARATE[dialect.separator] if self.is_rare else 1.0
        share = self.share * rarely * (_BELOW_OTHERS if self.skip else 1.0)
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
    enclosing = set[str]()
    for separator in _SEPARATORS:
        if separator.encode() not in text and separator != ",":
            continue
        for quote in _QUOTES:
            if (quote and quote.encode() not in text and quote != '"') or (quote is None and separator[0] in enclosing):
                continue
            for escape in _escapes(quote, text):
                dialect = Dialect(separator, quote, escape)
                records = [record for record in dialect.records(iter(lines), _LONGEST) if record.text.strip()]
                if quote == '"' and not _Enclosed.of(dialect, records).may_be_text:
                    enclosing.add(separator)
                yield from _layout(dialect, records)


def _not_contradicted(layouts: Sequence[_Layout]) -> Iterator[_Layout]:
    """Those layouts that take no line for a title which is a record, with more values, in another one."""
    wide = [layout for layout in layouts if layout.fields >= _FEW_FIELDS and layout.is_likely]
    for layout in layouts:
        if not any(other.skip < layout.skip and other.fields > layout.fields for other in wide):
            yield layout


def _escapes(quote: str | None, text: bytes) -> Sequence[str | None]:
    """What may stand before a quote that is part of a value."""
    if quote is None:
        return (None,)
    if quote != '"' and b'"' in text and b'"' not in text.replace(b'""', b""):
        # Whoever wrote the file doubles this quote, though it encloses no value.
        return ('"',)
    return (None, "\\") if f"\\{quote}".encode() in text else (None,)


def _layout(dialect: Dialect, records: Sequence[Record]) -> Iterator[_Layout]:
    sound = Counter(record.fields for record in records if record.is_sound)
    if not sound:
        return
    fields, _ = max(sound.items(), key=lambda item: (item[1] * min(item[0], 2), item[0]))
    alike = [record for record in records if record.is_sound and record.fields == fields]
    skip = alike[0].line - 1
    if len(dialect.separator) > 1 and _stands_alone(dialect.separator[0], dialect.separator, records):
        return
    above = [record for record in records if record.line <= skip]
    below = records[len(above) :]
    is_rare = skip and dialect.separator in _RARELY_SEPARATE
    is_title = skip <= min(_MOST_ABOVE, len(alike)) and not is_rare
    if is_title and len(alike) >= _ALIKE * len(below):
        yield _Layout(dialect, skip, fields, above, below, alike)


def _stands_alone(sign: str, separator: str, records: Sequence[Record]) -> bool:
    """Whether the sign that a separator begins with stands as often outside of it."""
    plain = b"".join(record.plain for record in records)
    separators = plain.count(separator.encode())
    return plain.count(sign.encode()) - separators * separator.count(sign) >= separators


def _is_row(layout: _Layout, record: Record) -> bool:
    """Whether a record above the others has values for more than half of the columns."""
    if not record.is_sound:
        return record.fields > 1
    filled = sum(bool(value.strip()) for value in layout.dialect.values(_text(record)))
    return 2 * filled > layout.fields and filled > 1


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
    """How many of the last lines have half of the fields at most, or one value where no record above has so few."""
    with path.open("rb") as stream:
        plain = opened_text(stream, codec=structure.codec, encoding=file.encoding, ends_in_cr=structure.ends_in_cr)
        records = (record for record in file.validate_records(plain, structure) if not record.passed_over)
        last = list(islice(records, max(0, structure.records - _MOST_ABOVE), None))
    few = [
        record.text.count(file.separator.encode()) + 1 <= len(file.columns) / 2
        if record.reason
        else sum(bool(value.strip()) for value in file.dialect.values(_line(record.text))) <= 1
        for record in last
    ]
    count = next((number for number, is_few in enumerate(reversed(few)) if not is_few), 0)
    full = sum(not record.reason and not is_few for record, is_few in zip(last, few, strict=True))
    return count if sum(few) == count <= full else 0


def _text(record: Record) -> str:
    return _line(record.text)


def _line(text: bytes) -> str:
    return text.decode(errors="replace").removesuffix("\n").removesuffix("\r")
