"""Files written at random, in any dialect, encoding and compression, are read as a model in plain Python says."""

from __future__ import annotations

import bz2
import gzip
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from nequi_lake.formats import CsvFile
from nequi_lake_tests.formats.reading import read
from nequi_lake_tests.formats.test_dialects import zipped, zstd
from nequi_lake_tests.fuzz.outcomes import came

PACK: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "zstd": zstd,
    "zip": zipped,
}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp1252", "latin-1")
# What every one of the encodings has.
LETTERS = st.sampled_from("ab1 ñé.,;|\t'\"\\\r\n-")


@dataclass(frozen=True)
class Written:
    """A file, and what its records are.

    Attributes:
        file: how it is declared.
        text: what it says.
        rows: the values of each record; None where it cannot be read.
    """

    file: CsvFile
    text: str
    rows: list[tuple[str | None, ...] | None]


@st.composite
def files(draw: st.DrawFn) -> Written:
    columns = draw(st.integers(1, 4))
    separator = draw(st.sampled_from([",", ";", "\t", "|", ", ", "||"]))
    quote = draw(st.sampled_from(['"', "'"]))
    escape = draw(st.sampled_from([None, "\\"]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    names = tuple(f"column {number}" for number in range(columns))
    header_lines = draw(st.integers(0, 2))
    skip, footer = draw(st.integers(0, 2)) if header_lines else 0, draw(st.integers(0, 2))
    ends_in_separator = draw(st.booleans())
    file = CsvFile(
        name="file.csv",
        description="A file.",
        columns=tuple(f"{name} {name}" for name in names) if header_lines > 1 else names,
        separator=separator,
        quote=quote,
        escape=escape,
        encoding="utf-8" if (encoding := draw(st.sampled_from(ENCODINGS))) == "utf-8-sig" else encoding,
        skip_lines=skip,
        header_lines=header_lines,
        footer_lines=footer,
        ends_in_separator=ends_in_separator,
    )

    def line(values: tuple[str, ...], *, quoted: bool) -> str:
        written = []
        for value in values:
            text = value.replace(escape, escape * 2) if escape else value
            text = text.replace(quote, (escape or quote) + quote)
            must = any(sign in value for sign in (*separator, quote, "\n", "\r")) or not value.strip()
            written.append(f"{quote}{text}{quote}" if must or quoted else text)
        return separator.join(written) + separator * ends_in_separator

    lines, rows = [f"above {quote}" for _ in range(skip)], list[tuple[str | None, ...] | None]()
    lines += [line(names, quoted=False)] * header_lines
    for _ in range(draw(st.integers(1, 8))):
        values = tuple(draw(st.lists(st.text(LETTERS, max_size=6), min_size=columns, max_size=columns)))
        if draw(st.integers(0, 5)) == 0:
            # Damage: fields too many, or a quote inside of a field.
            damaged = draw(st.sampled_from([separator.join(["x"] * (columns + 2)) + separator, f"x{quote}y"]))
            lines.append(damaged)
            rows.append(None)
            continue
        lines.append(line(values, quoted=draw(st.booleans())))
        rows.append(tuple(None if value in ("", " ") else value for value in values))
    lines += [f"below {quote}"] * footer
    text = end.join(lines) + end * draw(st.integers(0, 3))
    return Written(file, ("\ufeff" if encoding == "utf-8-sig" else "") + text, rows)


def is_read_as_it_is_declared(written: Written, packed: str) -> None:
    """Read a file and compare it with what was written.

    Raises:
        AssertionError: a record is lost, made up, or not as it was written.
    """
    content = PACK[packed](written.text.encode(written.file.encoding))
    with tempfile.TemporaryDirectory() as folder:
        found = read(written.file, content, Path(folder))
    if found.structure.problem_count > found.structure.damaged:
        raise AssertionError(found.structure.problems)
    came("file in any dialect: " + ("some records put aside" if found.damaged else "read"))
    good = {number: row for number, row in enumerate(written.rows) if row is not None}
    assert found.structure.records == len(written.rows)
    assert found.rows == good
