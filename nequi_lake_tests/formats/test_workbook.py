"""Workbooks: each row of the sheet comes through or is put aside under its number, and what is none is refused."""

from __future__ import annotations

import datetime as dt
import json
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dataframely as dy
import openpyxl
import pytest
import xlsxwriter

from nequi_lake.errors import AuditError
from nequi_lake.formats import Structure, WorkbookFile
from nequi_lake.pipeline.fetch import fetch_and_keep
from nequi_lake.sources import open_source
from nequi_lake_tests.formats.things import filled, lake_of, things

Write = Callable[[Path], object]
HEADER = ("id", "value")


def workbook_file(**facts: Any) -> WorkbookFile:
    return WorkbookFile(name="things.xlsx", description="Things.", columns=HEADER, **facts)


def workbook(*rows: Sequence[Any], change: Callable[[Any], object] = lambda book: None) -> Write:
    """A workbook whose first sheet has these rows; ``change`` changes it before it is saved."""

    def write(path: Path) -> None:
        book = openpyxl.Workbook()
        for row in rows:
            book.worksheets[0].append(row)
        change(book)
        book.save(path)

    return write


def cells(*cells: tuple[Any, str]) -> Write:
    """A workbook as Excel writes it, with a header and these values, each in a number format."""

    def write(path: Path) -> None:
        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, HEADER)
            for row, (value, number_format) in enumerate(cells, start=1):
                sheet.write(row, 0, row)
                sheet.write(row, 1, value, book.add_format({"num_format": number_format}))

    return write


def rewritten(write: Write, name: str, change: Callable[[str], str]) -> Write:
    """The same workbook with one of its members changed."""

    def rewrite(path: Path) -> None:
        write(path)
        with zipfile.ZipFile(path) as old:
            members = {member: old.read(member) for member in old.namelist()}
        members[name] = change(members[name].decode()).encode()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
            for member, content in members.items():
                new.writestr(member, content)

    return rewrite


SHEET = "xl/worksheets/sheet1.xml"


def inspected(file: WorkbookFile, write: Write, folder: Path) -> Structure:
    path = folder / file.name
    write(path)
    return file.inspect(path)


def test_a_sheet_becomes_a_table_and_what_does_not_fit_is_put_aside(tmp_path: Path) -> None:
    rows = [("Things of the year",), (), HEADER, (1, 7.0), (2, 7.5), (), (3, None), (), ("Source: nobody",), ()]
    file = workbook_file(skip=2, footer=2)
    lake = filled(things(file), tmp_path, {"things.xlsx": workbook(*rows)})
    table = lake.table("things.things")
    assert table.to_polars().sort("id").rows() == [(1, 7), (3, None)]
    unread, blank = table.quarantine().to_dicts()
    assert (unread["file"], unread["record"], unread["line"]) == ("things.xlsx", 1, 5)
    assert unread["rules"] == ["things.value: cannot be read as Int64"]
    assert json.loads(unread["raw"]) == {"id": "2", "value": "7.5"}
    assert (blank["record"], blank["line"], blank["rule"]) == (2, 6, "a blank row")
    accounting = table.published.accounting
    assert (accounting.files["things.xlsx"].records, accounting.files["things.xlsx"].quarantined) == (4, 2)


def texts_of(write: Write, folder: Path, **facts: Any) -> list[str | None]:
    """What a table of text has of the values, of the records that are not put aside."""
    lake = filled(things(workbook_file(**facts), dy.String), folder, {"things.xlsx": write})
    return lake.table("things.things").to_polars().sort("id")["value"].to_list()


def test_a_cell_is_read_as_the_text_that_it_stands_for(tmp_path: Path) -> None:
    found = {
        "5": (5.0, "0.00"),
        "0.1": (0.1, "General"),
        "0.00000001": (1e-8, "General"),
        "9007199254740991": (2**53 - 1, "0"),
        "true": (True, "General"),
        "2024-12-31": (dt.datetime(2024, 12, 31), 'dd "hours" mm/yyyy'),
        "2024-12-31T00:00:00": (dt.datetime(2024, 12, 31), "DD/MM/YYYY HH:MM"),
        "2024-12-31T13:30:00": (dt.datetime(2024, 12, 31, 13, 30), "dd/mm/yyyy"),
        "13:30:00": (dt.time(13, 30), "hh:mm"),
        "36:00:00": (1.5, "[h]:mm"),
        " ñ ": (" ñ ", "General"),
    }
    assert texts_of(cells(*found.values()), tmp_path) == list(found)


def test_a_formula_gives_the_value_that_was_computed(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, HEADER)
            sheet.write_row(1, 0, [1])
            sheet.write_formula(1, 1, "=2+3", None, 5)

    assert texts_of(write, tmp_path) == ["5"]


PUT_ASIDE: dict[str, tuple[Write, str]] = {
    "error": (workbook(HEADER, (1, 1), (2, "#N/A")), "B3: the error #N/A"),
    "identifier": (cells((1, "0"), (1.9143e18, "0")), "B3: the number 1.9143E+18, of which a workbook keeps 15 digits"),
    "formula": (workbook(HEADER, (1, 1), (2, "=A1")), "B3: a formula that no program has computed"),
    "early day": (cells((1, "0"), (60, "yyyy-mm-dd")), "B3: a day before March 1900"),
    "impossible day": (cells((1, "0"), (1e9, "yyyy-mm-dd")), "B3: the error #VALUE!"),
    "no header": (workbook(HEADER, (1, 1), (2, 2, None, "note")), "D3: a value below no header"),
    "blank": (workbook(HEADER, (1, 1), (), (3, 3)), "a blank row"),
    "merged": (
        workbook(HEADER, (1, 1), (2, 2), change=lambda book: book.worksheets[0].merge_cells("A3:B3")),
        "merged cells, which have one value together",
    ),
    "not Unicode": (
        workbook(HEADER, (1, 1), (2, "_xD800_")),
        "B3: a character that is none of Unicode",
    ),
}


@pytest.mark.parametrize("case", PUT_ASIDE)
def test_a_cell_that_cannot_be_relied_on_costs_its_own_row(case: str, tmp_path: Path) -> None:
    write, said = PUT_ASIDE[case]
    structure = inspected(workbook_file(), write, tmp_path)
    (problem,) = structure.problems
    assert (problem.line, structure.damaged, structure.problem_count) == (3, 1, 1)
    assert problem.reason.startswith(said)


def test_errors_and_large_numbers_that_are_meant_come_through(tmp_path: Path) -> None:
    write = workbook(HEADER, (1, "#N/A"), (2, 6.02e23), (3, "#REF!"))
    file = workbook_file(missing_errors=("#N/A",), measures=("value",))
    lake = filled(things(file, dy.Float64), tmp_path, {"things.xlsx": write})
    assert lake.table("things.things").to_polars().sort("id").rows() == [(1, None), (2, 6.02e23)]


def with_secret(book: Any) -> None:
    book.create_sheet("Secret").append(HEADER)
    book["Secret"].append((8, 9))
    book["Secret"].sheet_state = "hidden"


@pytest.mark.parametrize("sheet", ["Secret", 2])
def test_a_sheet_is_found_by_name_or_number_hidden_or_not(sheet: str | int, tmp_path: Path) -> None:
    write = workbook(("other",), change=with_secret)
    lake = filled(things(workbook_file(sheet=sheet)), tmp_path, {"things.xlsx": write})
    assert lake.table("things.things").to_polars().rows() == [(8, 9)]


def test_what_the_sheet_says_of_its_own_size_cuts_nothing(tmp_path: Path) -> None:
    many = workbook(HEADER, *((number, number) for number in range(50)))
    smaller = rewritten(many, SHEET, lambda text: re.sub('<dimension ref="[^"]*"', '<dimension ref="A1:A2"', text))
    assert inspected(workbook_file(), smaller, tmp_path).records == 50


def packed(names: Sequence[str], content: str = "") -> Write:
    """A zip of these members."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as new:
            for name in names:
                new.writestr(name, content)

    return write


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
SOUND = workbook(HEADER, (1, 1), (2, 2))
REFUSED: dict[str, tuple[Write, dict[str, Any], str]] = {
    "header": (
        workbook(("id", "Value"), (1, 1)),
        {},
        "the row 1 has the header id, Value, where id, value is declared",
    ),
    "no header": (SOUND, {"skip": 3}, "the row 4, which has the header, is empty"),
    "footer": (SOUND, {"footer": 1}, "the row 3 has a value in every column, and is among the last 1 rows"),
    "sheet": (SOUND, {"sheet": "Data"}, "it has no sheet 'Data'; its sheets are Sheet"),
    "encrypted": (
        lambda path: path.write_bytes(OLE + "EncryptedPackage".encode("utf-16-le")),
        {},
        "it is encrypted: save it without a password",
    ),
    "xls": (lambda path: path.write_bytes(OLE), {}, r"it is a workbook of Excel 97 \(\.xls\): save it as \.xlsx"),
    "ods": (
        packed(["mimetype"], "application/vnd.oasis.opendocument.spreadsheet"),
        {},
        r"it is a spreadsheet of OpenDocument \(\.ods\)",
    ),
    "xlsb": (packed(["xl/workbook.bin"]), {}, r"it is a binary workbook \(\.xlsb\)"),
    "zip": (packed(["things.csv"]), {}, "it is a zip, and no workbook"),
    "table of HTML": (lambda path: path.write_text("<table><tr><td>id"), {}, "it is HTML or XML under the name of"),
    "CSV": (lambda path: path.write_text("id,value\n1,2\n"), {}, "perhaps CSV .*: declare it as CsvFile"),
    "large": (SOUND, {"max_unpacked_bytes": 1000}, "it unpacks to at least .* bytes, where it may have 1,000"),
    "many members": (packed([str(number) for number in range(10_001)]), {}, "its zip has more than 10,000 members"),
    "broken": (
        rewritten(SOUND, SHEET, lambda text: text[: len(text) // 2]),
        {},
        "not well-formed|no element found|unclosed token",
    ),
    "rows out of order": (
        rewritten(SOUND, SHEET, lambda text: text.replace('<row r="3"', '<row r="2"')),
        {},
        "the row 2 stands where row 3 or a later one belongs",
    ),
    "a row far below": (
        rewritten(SOUND, SHEET, lambda text: text.replace('<row r="3"', '<row r="2000000000"')),
        {},
        "the row 2000000000 stands where row 3 or a later one belongs",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_such_workbook_is_refused_in_words(case: str, tmp_path: Path) -> None:
    write, facts, said = REFUSED[case]
    structure = inspected(workbook_file(**facts), write, tmp_path)
    assert structure.problem_count > structure.damaged
    (problem,) = structure.problems
    assert re.search(said, problem.reason), problem.reason


def test_a_refused_workbook_changes_no_table_and_is_kept(tmp_path: Path) -> None:
    lake = lake_of(things(workbook_file(skip=5)), tmp_path, {"things.xlsx": SOUND})
    with pytest.raises(AuditError, match=r"things\.xlsx.*the row 6, which has the header, is empty"):
        fetch_and_keep(lake, lake.datasets["things"], open_source(lake.settings))
    assert list((tmp_path / "lake" / "raw" / "things").glob("version=*/things.xlsx"))
