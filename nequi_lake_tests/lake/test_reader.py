"""Reading: Polars, pandas, Arrow and SQL see the same table, and SQL sees the lake and nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from nequi_lake import Lake
from nequi_lake.errors import CatalogError
from nequi_lake.lake.layout import ensure_identity
from nequi_lake_tests.conftest import released


@pytest.fixture
def filled(lake: Lake) -> Lake:
    """A lake with both datasets published."""
    released(lake, "electric_motor")
    released(lake, "cite_sum")
    return lake


def test_every_way_of_reading_gives_the_same_rows(filled: Lake) -> None:
    table = filled.table("electric_motor.measurements")
    by_polars = table.scan().sort("profile_id", "sample").collect()
    by_arrow = pl.DataFrame(table.to_arrow()).sort("profile_id", "sample")
    by_pandas = pl.from_pandas(table.to_pandas()).sort("profile_id", "sample")
    by_sql = pl.DataFrame(filled.sql("SELECT * FROM electric_motor.measurements ORDER BY profile_id, sample"))
    assert by_polars.equals(by_arrow)
    assert by_polars.equals(by_pandas)
    assert by_polars.equals(by_sql)


def test_files_are_those_of_the_current_snapshot(filled: Lake) -> None:
    table = filled.table("electric_motor.measurements")
    assert [Path(path).parent.name for path in table.files()] == ["profile_id=17", "profile_id=4"]
    assert sum(pq.read_metadata(path).num_rows for path in table.files()) == table.published.rows == 10


def test_pandas_keeps_whole_numbers_whole(filled: Lake) -> None:
    frame = filled.table("electric_motor.sessions").to_pandas()
    assert frame.dtypes["samples"] == pd.Int64Dtype()


def test_a_lake_is_opened_by_the_environment(filled: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEQUI_LAKE_URI", filled.settings.uri)
    assert Lake.from_env().table("cite_sum.papers").published.rows == 3


def test_an_unknown_table_lists_the_known_ones(filled: Lake) -> None:
    with pytest.raises(CatalogError, match=r"There is no table cite_sum\.books") as told:
        filled.table("cite_sum.books")
    assert "cite_sum.papers" in str(told.value)


def test_a_lake_that_is_not_there_says_how_to_make_it(lake: Lake) -> None:
    with pytest.raises(CatalogError, match="There is no lake yet") as told:
        lake.table("cite_sum.papers")
    assert "nequi-lake run" in str(told.value)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM '{file}'",
        "SELECT * FROM read_text('{file}')",
        "COPY (SELECT 1) TO '{out}'",
        "ATTACH '{out}' AS other",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SELECT 1; SET lock_configuration = false; SELECT * FROM read_text('{file}')",
    ],
)
def test_sql_reads_the_lake_and_nothing_else(query: str, filled: Lake, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\nhidden\n")
    with pytest.raises(CatalogError) as told:
        filled.sql(query.format(file=secret, out=tmp_path / "out"))
    assert "hidden" not in str(told.value)
    assert not (tmp_path / "out").exists()


def test_a_slow_query_writes_no_progress_between_the_rows(lake: Lake) -> None:
    assert lake.sql("SELECT current_setting('enable_progress_bar') AS bar").to_pylist() == [{"bar": False}]


def test_sql_writes_nothing(filled: Lake) -> None:
    for statement in ("DELETE FROM cite_sum.papers", "DROP VIEW cite_sum.papers", "CREATE TABLE t AS SELECT 1"):
        with pytest.raises(CatalogError):
            filled.sql(statement)
    assert filled.table("cite_sum.papers").published.rows == 3


def test_a_query_of_a_dataset_that_is_not_there_says_how_to_make_it(lake: Lake) -> None:
    ensure_identity(lake.storage)
    with pytest.raises(CatalogError) as told:
        lake.sql("SELECT * FROM cite_sum.papers")
    assert "nequi-lake run cite_sum" in str(told.value)


def test_a_wrong_query_says_what_is_wrong(filled: Lake) -> None:
    with pytest.raises(CatalogError) as told:
        filled.sql("SELECT no_such FROM cite_sum.papers")
    assert "no_such" in str(told.value)
    assert "nequi-lake tables" in str(told.value)
