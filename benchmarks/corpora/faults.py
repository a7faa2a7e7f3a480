"""Makes files with one fault each, of the kinds that Pollock has, in the layout of its folders.

The table is made up. A fault is one of the whole file, such as another dialect, a header of several lines or a second
table, or one of a row: a separator or a quote too many, or a separator too few, in each row and column.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

HEADER = ("day", "hour", "pieces", "code", "price", "kind", "words", "page", "remarks")
_ENCLOSED = frozenset({"words", "page"})
_DIALECT = {
    "encoding": "utf-8",
    "delimiter": ",",
    "quotechar": '"',
    "escapechar": '"',
    "header_lines": 1,
    "preamble_lines": 0,
    "footnote_lines": 0,
}


@dataclass(frozen=True)
class Fault:
    """A file with a fault.

    Attributes:
        name: the kind of fault, and where it is.
        content: the file.
        clean: the records that it should give.
        dialect: how it is written, where that is not as usual.
        header: the names of its columns.
    """

    name: str
    content: bytes
    clean: Sequence[Sequence[str]]
    dialect: Mapping[str, Any] = field(default_factory=dict)
    header: Sequence[str] = HEADER


def records(number: int) -> list[tuple[str, ...]]:
    """So many records of the table; some have apostrophes, separators and quotes in them."""
    kinds = ("Men's boots", "Fly rod, light", "Lamp", 'Table 48"', "Women's coat")
    words = ("Rugged, and quick.", "It won't let you down.", "8'9\" long, they say", "Plain")
    return [
        (
            f"{n % 28 + 1:02}/{n % 12 + 1:02}/2018",
            f"{n % 24:02}:{n % 60:02}",
            str(n % 7),
            f"{chr(65 + n % 26)}{chr(65 + n * 7 % 26)}-{1000 + n * 37}",
            f"${n * 7919 % 900 / 10 + 5:.2f}",
            kinds[n % len(kinds)],
            words[n % len(words)],
            f"https://www.example.com/{n}.html",
            "",
        )
        for n in range(1, number + 1)
    ]


def line(values: Sequence[str], *, separator: str = ",", quote: str = '"', escape: str = '"') -> list[str]:
    """The fields of a record as they are written."""
    fields = []
    for name, value in zip(HEADER, values, strict=False):
        must = name in _ENCLOSED or separator in value or quote in value
        text = value.replace(escape, escape * 2) if escape != quote else value
        fields.append(f"{quote}{text.replace(quote, escape + quote)}{quote}" if must else value)
    return fields


def faults(number: int) -> Iterator[Fault]:
    """All faults of a table of so many records."""
    rows = records(number)
    lines = [list(HEADER), *(line(row) for row in rows)]
    yield from _of_files(rows, lines)
    for at, column in product(range(len(lines)), range(len(HEADER))):
        fields = lines[at]
        changed = {
            "more_sep": [*fields[:column], f"{fields[column]},", *fields[column + 1 :]],
            "quote_before": [*fields[:column], f'"{fields[column]}', *fields[column + 1 :]],
            "quote_after": [*fields[:column], f'{fields[column]}"', *fields[column + 1 :]],
        }
        if column:
            joined = fields[column - 1] + fields[column]
            changed["less_sep"] = [*fields[: column - 1], joined, *fields[column + 1 :]]
        for kind, with_fault in changed.items():
            yield Fault(f"row_{kind}_row{at}_col{column}", _file([*lines[:at], with_fault, *lines[at + 1 :]]), rows)


def _of_files(rows: list[tuple[str, ...]], lines: list[list[str]]) -> Iterator[Fault]:
    whole = _file(lines)
    yield Fault("source", whole, rows)
    separators = {"semicolon": ";", "tab": "\t", "bar": "|", "comma_blank": ", ", "blank": " ", "tilde": "~"}
    for name, separator in separators.items():
        content = _file([line(row, separator=separator) for row in (HEADER, *rows)], separator=separator)
        yield Fault(f"file_field_delimiter_{name}", content, rows, {"delimiter": separator})
    for name, (quote, escape) in {"single": ("'", "'"), "backslash": ('"', "\\")}.items():
        content = _file([line(row, quote=quote, escape=escape) for row in (HEADER, *rows)])
        yield Fault(f"file_quotation_{name}", content, rows, {"quotechar": quote, "escapechar": escape})
    for name, end in {"lf": "\n", "cr": "\r"}.items():
        yield Fault(f"file_record_delimiter_{name}", _file(lines, end=end), rows)
    for encoding in ("utf-16", "utf-8-sig"):
        content = whole.decode().encode(encoding)
        yield Fault(f"file_encoding_{encoding}", content, rows, {"encoding": encoding.removesuffix("-sig")})
    yield Fault("file_no_trailing_newline", whole.rstrip(), rows)
    yield Fault("file_double_trailing_newline", whole + b"\r\n", rows)
    yield Fault("file_no_header", _file(lines[1:]), rows, {"header_lines": 0})
    yield Fault("file_header_only", _file(lines[:1]), [])
    yield Fault("file_no_payload", b"", [])
    yield Fault("file_one_data_row", _file(lines[:2]), rows[:1])
    yield Fault("file_preamble", b"Sales of the year\r\n\r\n" + whole, rows, {"preamble_lines": 2})
    yield Fault("file_footnote", whole + b"Made up.\r\n", rows, {"footnote_lines": 1})
    for more in (2, 3):
        names = tuple(" ".join([name] * more) for name in HEADER)
        content = _file([list(HEADER)] * more + lines[1:])
        yield Fault(f"file_header_multirow_{more}", content, rows, {"header_lines": more}, names)
    second = [[*HEADER], *lines[1:4]]
    for name, table in {
        "same": [[f'"{name}"' for name in HEADER], *second[1:]],
        "less": [row[:-1] for row in second],
        "more": [[*row, "more"] for row in second],
    }.items():
        yield Fault(f"file_multitable_{name}", whole + _file(table), rows)


def _file(lines: Sequence[Sequence[str]], *, separator: str = ",", end: str = "\r\n") -> bytes:
    return "".join(separator.join(fields) + end for fields in lines).encode()


def write_faults(folder: Path, number: int) -> None:
    """Write the files of all faults into a folder, with ``csv``, ``clean`` and ``parameters`` as Pollock has them."""
    for name in ("csv", "clean", "parameters"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for fault in faults(number):
        name = f"{fault.name}.csv"
        has_header = fault.dialect.get("header_lines", 1) > 0
        (folder / "csv" / name).write_bytes(fault.content)
        clean = [list(fault.header)] * has_header + [list(row) for row in fault.clean]
        quoted = ([f'"{value.replace(chr(34), chr(34) * 2)}"' for value in row] for row in clean)
        (folder / "clean" / name).write_bytes(_file(list(quoted)))
        said = {**_DIALECT, "column_names": list(fault.header), **fault.dialect}
        (folder / "parameters" / f"{name}_parameters.json").write_text(json.dumps(said))
