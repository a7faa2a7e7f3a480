"""Sound files written at random: what is drafted from one reads each value as it was meant or says what is not sure."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import strategies as st

from nequi_lake.datasets.reading import Reading
from nequi_lake.drafting.columns import draft_column
from nequi_lake.drafting.sniff import sniff
from nequi_lake.drafting.values import store, value_queries
from nequi_lake.errors import UsageError
from nequi_lake.formats.local import read_local
from nequi_lake_tests.fuzz.dialects import PACK
from nequi_lake_tests.fuzz.outcomes import came

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp1252", "latin-1")
_LETTERS = "abñé ,;|'\"."


@dataclass(frozen=True)
class Kind:
    """A kind of columns.

    Attributes:
        values: makes them.
        written: a value as a text.
    """

    values: st.SearchStrategy[Any]
    written: Callable[[Any], str]


def _spanish(number: Decimal) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


_CENTS = st.integers(-(10**9), 10**9).map(lambda cents: Decimal(cents) / 100)
_DAYS = st.dates(date(1950, 1, 1), date(2049, 12, 31))
KINDS = {
    "text": Kind(st.text(_LETTERS, max_size=8).map(lambda text: f"{text} word"), str),
    "word": Kind(st.sampled_from(["Bogotá", "Cali", "Medellín", "San Andrés", "O'Higgins", ""]), str),
    "code": Kind(st.integers(0, 99_999).map(lambda number: f"{number:05}"), str),
    "whole": Kind(st.integers(-(10**6), 10**6), str),
    "long": Kind(st.integers(10**9, 10**18), str),
    "decimal": Kind(_CENTS, lambda number: f"{number:.2f}"),
    "decimal comma": Kind(_CENTS, lambda number: f"{number:.2f}".replace(".", ",")),
    "three decimals": Kind(st.integers(-(10**6), 10**6).map(lambda n: Decimal(n) / 1000), lambda n: f"{n:.3f}"),
    "three decimals and comma": Kind(
        st.integers(-(10**6), 10**6).map(lambda n: Decimal(n) / 1000), lambda n: f"{n:.3f}".replace(".", ",")
    ),
    "grouped": Kind(_CENTS, lambda number: f"{number:,.2f}"),
    "Spanish": Kind(_CENTS, _spanish),
    "Spanish whole": Kind(st.integers(-(10**7), 10**7), lambda number: f"{number:,}".replace(",", ".")),
    "money": Kind(_CENTS.map(abs), lambda number: f"${number:,.2f}"),
    "day": Kind(_DAYS, str),
    "day first": Kind(_DAYS, lambda day: f"{day:%d/%m/%Y}"),
    "truth": Kind(st.booleans(), lambda truth: "yes" if truth else "no"),
}


@dataclass(frozen=True)
class Sound:
    """A file, and what it says.

    Attributes:
        content: its bytes.
        names: of its columns; none where it has no header.
        kinds: of :data:`KINDS`, column by column.
        rows: the values of each record.
        how: how it is written, for the message of a failure.
    """

    content: bytes
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    how: str


@st.composite
def files(draw: st.DrawFn) -> Sound:
    """A sound CSV file in any dialect."""
    count = draw(st.sampled_from([3, 2, 4, 5, 1]))
    kinds = tuple(draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=count, max_size=count)))
    separator = draw(st.sampled_from([",", ";", "\t", "|", ", ", "||"]))
    quote = draw(st.sampled_from(['"'] * 5 + ["'"]))
    all_quoted = draw(st.booleans())
    has_header = draw(st.integers(0, 8)) < 8
    encoding, packed = draw(st.sampled_from(ENCODINGS)), draw(st.sampled_from(sorted(PACK)))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    above, below = draw(st.sampled_from([0, 0, 0, 1, 2])) * has_header, (draw(st.integers(0, 5)) == 5) * (count > 2)
    names = tuple(f"{kind} {number}" for number, kind in enumerate(kinds))

    def field(text: str) -> str:
        must = (
            all_quoted or any(sign in text for sign in (*(separator.strip() or separator), quote)) or not text.strip()
        )
        return f"{quote}{text.replace(quote, quote * 2)}{quote}" if must or text != text.strip() else text

    fewest = draw(st.sampled_from([8, 1]))
    rows = draw(st.lists(st.tuples(*(KINDS[kind].values for kind in kinds)), min_size=fewest, max_size=25))
    lines = ["Some title"] * above
    lines += [separator.join(map(field, names))] * has_header
    lines += [separator.join(field(KINDS[kind].written(v)) for kind, v in zip(kinds, row, strict=True)) for row in rows]
    lines += ["Total"] * below
    text = end.join(lines) + end * draw(st.integers(0, 2))
    how = f"{separator=} {quote=} {all_quoted=} {encoding=} {packed=} {end=} {above=} {below=}"
    return Sound(PACK[packed](text.encode(encoding)), names if has_header else (), kinds, rows, f"{how}\n{text}")


def is_drafted_right_or_marked(sound: Sound) -> None:
    """Draft a file.

    Raises:
        AssertionError: a value is read as another one, or a record is not, and nothing says that it is not sure.
    """
    with tempfile.TemporaryDirectory() as name, value_queries(Path(name)) as queries:
        folder = Path(name)
        path = folder / "file.csv"
        path.write_bytes(sound.content)
        try:
            sniffed = sniff(path)
        except UsageError:
            came("draft: refused")
            return
        frame = read_local(sniffed.file, path, folder).frame
        if frame is None:
            came("draft: refused")
            return
        is_marked = any(not note.startswith("the text is not UTF-8") for note in sniffed.notes)
        columns = sniffed.file.field_paths
        texts = [tuple(_text(kind, v) for kind, v in zip(sound.kinds, row, strict=True)) for row in sound.rows]
        is_right = (
            frame is not None
            and [row[1:] for row in frame.rows()] == texts
            and (not sound.names or sound.names == columns)
        )
        came(f"draft: {'read' if is_right else 'not read'}{', and marked' if is_marked else ''}")
        assert is_right or is_marked, (sound.how, sniffed, frame.rows())
        if not is_right:
            return
        reads = {column: sniffed.file.raw_value(column) for column in columns}
        stored = store([frame.lazy()], reads, folder / "values", 10)
        for number, (kind, column) in enumerate(zip(sound.kinds, columns, strict=True)):
            drafted = draft_column(column, pl.String(), queries.count(stored, column, pl.String()))
            reading = Reading(drafted.dtype, drafted.format)
            read = frame.select(reading.value(pl.col(column))).to_series().to_list()
            meant = [_value(drafted.dtype, kind, row[number]) for row in sound.rows]
            came(f"draft of {kind}: {drafted.dtype.base_type()}{', and marked' if drafted.note else ''}")
            assert read == meant or drafted.note or drafted.unread[0], (kind, drafted, read, meant, sound.how)


def _text(kind: str, value: Any) -> str | None:
    text = KINDS[kind].written(value)
    return None if text in ("", " ") else text


def _value(dtype: pl.DataType, kind: str, value: Any) -> Any:
    """What a value is in a type: a text is itself, as long as no record has another type."""
    if dtype == pl.String:
        return _text(kind, value)
    if dtype.is_numeric():
        return float(value) if dtype.is_float() else Decimal(value)
    return value
