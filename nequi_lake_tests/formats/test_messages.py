"""A file that is not what its declaration says is refused with what it seems to be, and with what to declare."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nequi_lake.formats import CsvFile, JsonLinesFile, ParquetFile, RawFile, WorkbookFile
from nequi_lake_tests.drafting.drafted import written

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
NAMES = ("town", "people")
ROWS = [("Cali", 1), ("Neiva", 2), ("Pasto", 3)]
SCHEMA = {"town": pl.String, "people": pl.Int64}


def csv(separator: str = ",", header: Sequence[str] = NAMES) -> bytes:
    return "".join(f"{separator.join(map(str, row))}\n" for row in (header, *ROWS)).encode()


def workbook(*rows: Sequence[Any], title: str = "Towns", first: Sequence[Sequence[Any]] = ()) -> bytes:
    """A workbook of a sheet with these rows, below another one where that is given."""
    book, content = openpyxl.Workbook(), io.BytesIO()
    for name, of_sheet in {"Data": first, title: rows or (NAMES, *ROWS)}.items():
        sheet = book.create_sheet(name)
        for row in of_sheet:
            sheet.append(row)
        if not of_sheet:
            book.remove(sheet)
    book.remove(book["Sheet"])
    book.save(content)
    return content.getvalue()


def parquet(**columns: Any) -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.table(columns or {"town": ["Cali", "Neiva"], "people": [1, 2]}), content)
    return content.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


LINES = b"".join(json.dumps(dict(zip(NAMES, row, strict=True))).encode() + b"\n" for row in ROWS)
ARRAY = b"[" + b",".join(LINES.splitlines()) + b"]"
PAGE_OF_WEB = b"<html><body>Sorry</body></html>"
FILES: dict[str, RawFile] = {
    "CSV": CsvFile(name="towns.csv", description="Towns.", columns=NAMES),
    "JSON": JsonLinesFile(name="towns.json", description="Towns.", schema=SCHEMA),
    "Parquet": ParquetFile(name="towns.parquet", description="Towns.", schema=SCHEMA),
    "workbook": WorkbookFile(name="towns.xlsx", description="Towns.", columns=NAMES, sheet="Towns"),
}
WRONG: list[tuple[str, str, bytes, str]] = [
    ("CSV", "semicolons", csv(";"), "the separator seems to be ';': declare separator=';'"),
    ("CSV", "workbook", workbook(), "the file is a workbook of Excel: declare it as WorkbookFile"),
    ("CSV", "Parquet", parquet(), "the file is a Parquet file: declare it as ParquetFile"),
    (
        "CSV",
        "Parquet in a zip",
        zipped("a.parquet", parquet()),
        "the file is a Parquet file: declare it as ParquetFile",
    ),
    ("CSV", "JSON", ARRAY, "the file seems to be JSON: declare it as JsonLinesFile"),
    ("CSV", "UTF-16", csv().decode().encode("utf-16"), 'the file is in UTF-16: declare encoding="utf-16"'),
    ("CSV", "web page", PAGE_OF_WEB, "the file is a web page, perhaps an error page of the download"),
    ("JSON", "CSV", csv(), "the file seems to be CSV: declare it as CsvFile"),
    ("JSON", "CSV in gzip", gzip.compress(csv(";")), "the file seems to be CSV: declare it as CsvFile"),
    ("JSON", "workbook", workbook(), "the file is a workbook of Excel: declare it as WorkbookFile"),
    ("JSON", "Parquet", parquet(), "the file is a Parquet file: declare it as ParquetFile"),
    ("Parquet", "CSV", csv(), "it seems to be text, perhaps CSV under another name: declare it as CsvFile"),
    ("Parquet", "JSON", LINES, "it seems to be JSON: declare it as JsonLinesFile"),
    ("Parquet", "workbook", workbook(), "it is a workbook of Excel: declare it as WorkbookFile"),
    ("Parquet", "gzip", gzip.compress(parquet()), "it is compressed by gzip: unpack it"),
    ("Parquet", "zip", zipped("a.parquet", parquet()), "it is a zip: call it .zip, so that the file in it is read"),
    (
        "Parquet",
        "columns",
        parquet(city=["Cali"], people=[1]),
        "missing columns town (String); unexpected columns city",
    ),
    ("Parquet", "types", parquet(town=["a"], people=["1"]), "people, which is String and declared as Int64"),
    ("workbook", "CSV", csv(), "it seems to be text, perhaps CSV under another name: declare it as CsvFile"),
    ("workbook", "UTF-16", csv().decode().encode("utf-16"), "it seems to be text, perhaps CSV under another name"),
    ("workbook", "JSON", ARRAY, "it seems to be JSON: declare it as JsonLinesFile"),
    ("workbook", "Parquet", parquet(), "it is a Parquet file: declare it as ParquetFile"),
    ("workbook", "bz2", bz2.compress(workbook()), "it is compressed by bz2: unpack it"),
    ("workbook", "sheet", workbook(title="Table"), "it has no sheet 'Towns'; its sheets are Table: declare sheet="),
    (
        "workbook",
        "title",
        workbook(("Towns of Huila",), (), NAMES, *ROWS),
        "it stands in row 3 of the sheet 'Towns': declare sheet='Towns', skip=2",
    ),
    (
        "workbook",
        "other sheet",
        workbook(("a", "b"), (1, 2), first=(NAMES, *ROWS)),
        "it stands in row 1 of the sheet 'Data': declare sheet='Data', skip=0",
    ),
    ("workbook", "web page", PAGE_OF_WEB, "the file is a web page, perhaps an error page of the download"),
]


@pytest.mark.parametrize(
    ("declared", "content", "words"),
    [(declared, content, words) for declared, _, content, words in WRONG],
    ids=[f"{declared} is {what}" for declared, what, _, _ in WRONG],
)
def test_a_file_that_is_something_else_says_what_to_declare(
    declared: str, content: bytes, words: str, tmp_path: Path
) -> None:
    file = FILES[declared]
    structure = file.inspect(written(tmp_path, file.name, content))
    assert structure.problem_count > structure.damaged, "the file as a whole is refused"
    assert words.lower() in structure.problems[0].reason.lower()


def test_the_messages_on_the_page_are_these() -> None:
    section = PAGE.read_text().split("## A file that is something else")[1].split("\n## ")[0]
    shown = [row.split("|")[3].strip(" `") for row in section.splitlines() if row.startswith("| ")][1:]
    said = "\n".join(words for *_, words in WRONG).lower()
    unknown = [text for text in shown if not re.search(".*".join(map(re.escape, text.lower().split("…"))), said)]
    assert (len(shown) >= 15, unknown) == (True, [])
