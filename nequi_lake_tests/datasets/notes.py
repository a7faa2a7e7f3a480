"""Datasets for tests, of one small table each, from CSV or JSON lines: small enough to break in every way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.engines.polars import stage
from nequi_lake.formats import CsvFile, JsonLinesFile
from nequi_lake.lake.quarantine import newest_quarantine
from nequi_lake.lake.raw_file import RawFileVersion
from nequi_lake.lake.release import Release, StagedTable
from nequi_lake.lake.storage import StorageBackend
from nequi_lake.quality.audit import audit
from nequi_lake_tests.datasets.kept import kept_file


class Notes(dy.Schema):
    """One row per note."""

    id = dy.Int64(
        primary_key=True, min=0, description="Number of the note.", metadata=column_meta(unit="id", source="id")
    )
    text = dy.String(
        nullable=True, description="What it says.", metadata=column_meta(unit="text", source="text", null_limit=0.5)
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


class Cards(dy.Schema):
    """One row per card."""

    id = dy.Int64(
        primary_key=True, min=0, description="Number of the card.", metadata=column_meta(unit="id", source="id")
    )
    text = dy.String(
        nullable=True, description="What it says.", metadata=column_meta(unit="text", source="text", null_limit=0.5)
    )
    score = dy.Float64(
        nullable=True, description="How good.", metadata=column_meta(unit="1", source="more.score", null_limit=0.5)
    )


CARDS = Dataset(
    name="cards",
    slug="nobody/cards",
    title="Cards",
    licence="none",
    use_case="Tests.",
    files=(
        JsonLinesFile(
            name="cards.json",
            description="Cards.",
            schema={
                "id": pl.Int64(),
                "text": pl.String(),
                "more": pl.Struct({"score": pl.Float64(), "tags": pl.List(pl.String())}),
            },
            dropped={"more.tags": "Only there to be damaged."},
        ),
    ),
    tables=(Table(name="cards", description="Cards.", contract=Cards),),
)


RELEASE = Release(id="r", run_id="run", raw_version="v", tables=("notes",))


def kept_notes(folder: Path, content: str | bytes) -> RawFileVersion:
    """A kept file of notes with this content."""
    return kept_file(NOTES, folder, content)


def staged_notes(kept: RawFileVersion, storage: StorageBackend) -> tuple[StagedTable, list[dict[str, Any]]]:
    """The table of kept notes, which passes its audit, and what was put aside: each record is in the one or the
    other."""
    assert kept.readable
    staged = stage(NOTES, {kept.file: kept}, ["notes"], RELEASE, storage)
    assert [check for check in audit(NOTES, staged, {}, storage) if not check.passed] == []
    bad = newest_quarantine(storage, NOTES, NOTES.relation("notes")).collect().to_dicts()
    table = staged["notes"]
    assert table.accounting.quarantined == len(bad) == kept.records - table.rows
    return table, bad
