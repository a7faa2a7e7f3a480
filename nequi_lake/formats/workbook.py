"""Workbooks of Excel (XLSX): the rows below the header of one sheet, each cell as a text that the contract reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from nequi_lake.errors import needs_extra
from nequi_lake.formats.drift import Drift, DriftingFile
from nequi_lake.formats.transcribed import TranscribedFile


class Layout(NamedTuple):
    """Where the records of a workbook are, and what its cells may have; as :class:`WorkbookFile` says it."""

    drift: Drift
    sheet: str | int
    skip: int
    footer: int
    missing_errors: tuple[str, ...]
    measures: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class WorkbookFile(DriftingFile, TranscribedFile):
    """A sheet of a workbook, with a row that has ``columns``, in any order, and a record in each row below it.

    Attributes:
        columns: the texts of the header's cells. Columns without a header may lie between them, and must be empty.
        sheet: its name, or its number from 1 among the sheets of cells, hidden ones included.
        skip: rows above the header.
        footer: rows of no records below the records, up to the last row that has anything.
        missing_errors: errors, such as ``#N/A``, that stand for a missing value. A record with any other is put aside.
        measures: columns of measurements, whose whole numbers may have more than 15 digits. A workbook keeps no more
            than that of a number, so that in every other column such a number is no identifier, and put aside.
    """

    columns: tuple[str, ...]
    sheet: str | int = 1
    skip: int = 0
    footer: int = 0
    missing_errors: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()

    @property
    def field_paths(self) -> tuple[str, ...]:
        return self.columns

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if isinstance(self.sheet, int) and self.sheet < 1:
            yield f"sheet= is a name, or a number from 1, not {self.sheet}"
        if self.skip < 0 or self.footer < 0:
            yield f"skip= and footer= are numbers of rows, not {self.skip} and {self.footer}"
        yield from (f"measures= names {name}, which is no column" for name in self.measures if name not in self.columns)
        yield from (
            f"missing_errors= has {text!r}; an error of a cell begins with #"
            for text in self.missing_errors
            if not text.startswith("#")
        )

    @property
    def _layout(self) -> Layout:
        return Layout(self.drift, self.sheet, self.skip, self.footer, self.missing_errors, self.measures)

    def _reading(self) -> tuple[object, ...]:
        with needs_extra("workbooks"):
            import openpyxl  # noqa: F401
        return "nequi_lake.formats.workbook_reading:read_workbook", self._layout

    def _line_of(self, number: int) -> int:
        return self.skip + 2 + number
