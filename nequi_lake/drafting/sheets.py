"""Which sheet of a workbook has the records, and what stands above and below them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nequi_lake.drafting.sniffed import Sniffed, cannot_draft
from nequi_lake.errors import needs_extra
from nequi_lake.formats import WorkbookFile
from nequi_lake.formats.guarded import UnreadableFileError, guarded
from nequi_lake.formats.words import shown

_FIRST, _LAST = 200, 50
_MOST_ABOVE = 50
Cells = Mapping[int, tuple[str, bool]]
"""Column, from 1 → the text of its cell, and whether it has a text and no number, date or truth value."""


def workbook_file(path: Path) -> Sniffed:
    """The sheet that has the most records.

    Raises:
        UsageError: no sheet has a row of names with records below.
    """
    with needs_extra("workbooks"):
        import openpyxl  # noqa: F401
    most = WorkbookFile(name=path.name, description="x", columns=("x",)).most_unpacked_bytes(path)
    look = "nequi_lake.formats.workbook_reading:look_at_sheets"
    try:
        sheets = [_Sheet.of(found) for found in guarded(look, str(path), most, _FIRST, _LAST)]
    except UnreadableFileError as error:
        raise cannot_draft(f"the workbook cannot be read: {error}", path) from error
    with_records = [sheet for sheet in sheets if sheet.header and sheet.records]
    if not with_records:
        raise cannot_draft(
            "no sheet of the workbook has a row of names with records below it", path,
            "Declare it by hand as WorkbookFile, with sheet=, skip= and columns=.",
        )  # fmt: skip
    best = max(with_records, key=lambda sheet: sheet.records * len(sheet.names))
    names = best.names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise cannot_draft(f"the header has {', '.join(twice)} twice", path)
    file = WorkbookFile(
        name=path.name,
        description="TODO",
        columns=tuple(names),
        sheet=best.title,
        skip=best.header[0] - 1 if best.header else 0,
        footer=best.footer,
    )
    others = [f"{shown(sheet.title)} ({sheet.rows:,} rows)" for sheet in sheets if sheet is not best and sheet.rows]
    return Sniffed(file, tuple(_doubts(best, others)))


def _doubts(best: _Sheet, others: Sequence[str]) -> Iterator[str]:
    if others:
        yield f"the workbook has other sheets too: {', '.join(others)}"
    if best.footer:
        yield f"the last {best.footer:,} rows seem to be no records"
    elif best.is_end_uncertain:
        yield "the last row has few values: if it is no record, declare footer="
    if not any(not is_text for _, cells in best.below for _, is_text in cells.values()):
        yield "all cells are texts, so that the first row of them is taken for the header"


@dataclass(frozen=True)
class _Sheet:
    title: str
    rows: int
    first: Sequence[tuple[int, Cells]]
    last: Sequence[tuple[int, Cells]]

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> _Sheet:
        first, last = (
            [(number, {int(at): tuple(cell) for at, cell in cells.items()}) for number, cells in found[which]]
            for which in ("first", "last")
        )
        return cls(found["title"], found["rows"], first, last)

    @property
    def header(self) -> tuple[int, Cells] | None:
        """The row that names every column that has anything below it; of several the one that is next to other kinds
        of values."""
        found = None
        for at, (number, cells) in enumerate(self.first[:_MOST_ABOVE]):
            if found and not all(is_text for _, is_text in cells.values()):
                return found
            if self._may_be_header(at):
                found = (number, cells)
                if self._has_only_texts_from(at):
                    return found
        return found

    def _may_be_header(self, at: int) -> bool:
        cells, below = self.first[at][1], self.first[at + 1 :]
        columns = {column for _, others in below for column in others}
        is_alone = len(cells) == 1 and any(len(others) > 1 for _, others in below)
        return (
            all(is_text for _, is_text in cells.values()) and columns <= cells.keys() and bool(below) and not is_alone
        )

    def _has_only_texts_from(self, at: int) -> bool:
        return all(is_text for _, cells in self.first[at:] for _, is_text in cells.values())

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [text for text, _ in self.header[1].values()] if self.header else []

    @property
    def below(self) -> Sequence[tuple[int, Cells]]:
        """The rows below the header that were looked at."""
        return [row for row in self.first if self.header and row[0] > self.header[0]]

    @property
    def records(self) -> int:
        """How many rows stand between the header and the footer."""
        return self.rows - self.header[0] - self.footer if self.header else 0

    @property
    def footer(self) -> int:
        """How many rows at the end are no records: few values, with an empty row above, or of another kind."""
        full = self._last_full
        notes = [row for row in self.last if row[0] > full]
        if not notes or not full:
            return 0
        is_apart = notes[0][0] > full + 1
        is_other = any(is_text and not self._has_texts(at) for at, (_, is_text) in notes[0][1].items())
        return self.rows - full if is_apart or is_other else 0

    @property
    def is_end_uncertain(self) -> bool:
        """Whether the last row has few values and may be a record."""
        return bool(self._last_full and self._last_full < self.rows and not self.footer)

    @property
    def _last_full(self) -> int:
        """The number of the last row that has more than half of the values; 0 where none of the last has."""
        width = len(self.header[1]) if self.header else 1
        return max((number for number, cells in self.last if 2 * len(cells) > width), default=0)

    def _has_texts(self, column: int) -> bool:
        kinds = [cells[column][1] for _, cells in self.below if column in cells]
        return sum(kinds) * 2 > len(kinds)
