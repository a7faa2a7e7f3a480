"""A dataset for tests, of one table with one text column: small enough to break in every way."""

from __future__ import annotations

from pathlib import Path

import dataframely as dy

from nequi_lake.datasets.contract import about
from nequi_lake.datasets.spec import CsvFile, Dataset, Table
from nequi_lake.lake.raw import KeptFile
from nequi_lake_tests.datasets.kept import kept_file


class Notes(dy.Schema):
    """One row a note."""

    id = dy.Int64(primary_key=True, min=0, description="Number of the note.", metadata=about(unit="id", source="id"))
    text = dy.String(
        nullable=True, description="What it says.", metadata=about(unit="text", source="text", null_limit=0.5)
    )


NOTES = Dataset(
    name="notes",
    slug="nobody/notes",
    title="Notes",
    licence="none",
    use_case="Tests.",
    files=(CsvFile(name="notes.csv", description="Notes.", columns=("id", "text")),),
    tables=(Table(name="notes", description="Notes.", contract=Notes),),
)


def kept_notes(folder: Path, content: str | bytes) -> KeptFile:
    """A kept file of notes with this content."""
    return kept_file(NOTES, folder, content)
