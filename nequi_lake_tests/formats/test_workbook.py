"""Workbooks: each row of the sheet comes through or is put aside under its number, and what is none is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl

from nequi_lake.formats import WorkbookFile
from nequi_lake_tests.formats.things import filled, things

FILE = WorkbookFile(name="things.xlsx", description="Things.", columns=("id", "value"))


def workbook(*rows: Sequence[Any], title: str = "Sheet1") -> Callable[[Path], None]:
    """A workbook of one sheet with these rows."""

    def write(path: Path) -> None:
        book = openpyxl.Workbook()
        sheet = book.active
        sheet.title = title
        for row in rows:
            sheet.append(row)
        book.save(path)

    return write


def test_a_sheet_becomes_a_table_and_what_does_not_fit_is_put_aside(tmp_path: Path) -> None:
    write = workbook(("id", "value"), (1, 7.0), (2, 7.5), (3, None))
    lake = filled(things(FILE), tmp_path, {"things.xlsx": write})
    table = lake.table("things.things")
    assert table.to_polars().sort("id").rows() == [(1, 7), (3, None)]
    (bad,) = table.quarantine().to_dicts()
    assert (bad["file"], bad["record"], bad["line"]) == ("things.xlsx", 1, 3)
    assert bad["rules"] == ["things.value: cannot be read as Int64"]
    assert json.loads(bad["raw"]) == {"id": "2", "value": "7.5"}
    accounting = table.published.accounting
    assert (accounting.files["things.xlsx"].records, accounting.files["things.xlsx"].quarantined) == (3, 1)
