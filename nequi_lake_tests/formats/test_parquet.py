"""Parquet files: every row comes through or is put aside, and what cannot be trusted is refused."""

from __future__ import annotations

import json
from pathlib import Path

import dataframely as dy
import polars as pl

from nequi_lake.formats import ParquetFile
from nequi_lake_tests.formats.things import filled, things

FILE = ParquetFile(name="things.parquet", description="Things.", schema={"id": pl.Int64, "value": pl.Int64})


def test_a_parquet_file_becomes_a_table_and_what_does_not_fit_is_put_aside(tmp_path: Path) -> None:
    rows = pl.DataFrame({"id": [1, 2, 3], "value": [7, 2**60, None]})
    lake = filled(things(FILE, dy.Int32), tmp_path, {"things.parquet": rows.write_parquet})
    table = lake.table("things.things")
    assert table.to_polars().sort("id").rows() == [(1, 7), (3, None)]
    (bad,) = table.quarantine().to_dicts()
    assert (bad["file"], bad["record"], bad["line"]) == ("things.parquet", 1, 2)
    assert bad["rules"] == ["things.value: cannot be read as Int32"]
    assert json.loads(bad["raw"]) == {"id": 2, "value": 2**60}
    assert (bad["offset_bytes"], bad["size_bytes"], bad["original"]) == (None, None, None)
    accounting = table.published.accounting
    assert (accounting.files["things.parquet"].records, accounting.files["things.parquet"].quarantined) == (3, 1)
