"""Readers see the columns that were published, whatever the code's contract has by now."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import dataframely as dy
import pytest

from nequi_lake import Lake
from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.formats import CsvFile
from nequi_lake.lake.export.write import write
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import released


def shops(town: str) -> Dataset:
    """A dataset of one table, whose second column has this name."""
    key = dy.Int64(primary_key=True, description="Shop.", metadata=column_meta(unit="id", source="shop"))
    other = dy.String(
        nullable=True, description="Town.", metadata=column_meta(unit="text", source="town", null_limit=1.0)
    )
    return Dataset(
        name="shops",
        slug="nobody/shops",
        title="Shops",
        licence="none",
        use_case="Tests.",
        files=(CsvFile(name="shops.csv", description="Shops.", columns=("shop", "town")),),
        tables=(
            Table(name="shops", description="Shops.", contract=type("Shops", (dy.Schema,), {"shop": key, town: other})),
        ),
    )


@pytest.fixture
def old(tmp_path: Path) -> Lake:
    """A lake whose column is called town."""
    inbox = tmp_path / "in" / "shops"
    inbox.mkdir(parents=True)
    (inbox / "shops.csv").write_text("shop,town\n1,Cali\n")
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake"), "NEQUI_LAKE_SOURCE": str(tmp_path / "in")})
    lake = Lake(settings, {"shops": shops("town")})
    released(lake, "shops")
    return lake


def test_a_renamed_column_has_its_old_name_until_the_next_release(
    old: Lake, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    new = Lake(old.settings, {"shops": shops("city")})
    with caplog.at_level(logging.WARNING):
        assert new.sql("SELECT * FROM shops.shops").to_pylist() == [{"shop": 1, "town": "Cali"}]
    assert "other columns than its contract has now (city, town)" in caplog.text
    table = new.table("shops.shops")
    assert table.columns == ["shop", "town"]
    assert table.to_polars().rows() == [(1, "Cali")]
    assert list(table.to_pandas().columns) == ["shop", "town"]
    assert table.head().columns == ["shop", "town"]
    assert table.describe()["column"].to_list() == ["shop", "town"]
    with new.batches("SELECT * FROM shops.shops") as batches:
        write(batches, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "shop,town\n1,Cali\n"
    released(new, "shops")
    assert Lake(new.settings, new.datasets).sql("SELECT * FROM shops.shops").to_pylist() == [
        {"shop": 1, "city": "Cali"}
    ]


def test_old_code_reads_the_columns_of_a_newer_lake(old: Lake) -> None:
    newer = Lake(old.settings, {"shops": shops("city")})
    released(newer, "shops")
    again = Lake(replace(old.settings), {"shops": shops("town")})
    assert again.sql("SELECT * FROM shops.shops").to_pylist() == [{"shop": 1, "city": "Cali"}]
    assert again.table("shops.shops").to_polars().columns == ["shop", "city"]
