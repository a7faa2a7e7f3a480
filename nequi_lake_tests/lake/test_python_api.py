"""The lake in Python as a person uses it: opened by its place, read by name, asked with parameters."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from nequi_lake import Lake, LakeTable
from nequi_lake.errors import CatalogError, UsageError
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import Materialize, motor_rows, released, write_motor
from nequi_lake_tests.profiling.tables import lake_table


@pytest.fixture
def sessions(lake: Lake) -> LakeTable:
    """The published sessions of two motors."""
    released(lake, "electric_motor")
    return lake.table("electric_motor.sessions")


def test_a_lake_is_opened_by_its_place(
    lake: Lake, sessions: LakeTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for where in (lake.settings.uri, Path(lake.settings.uri), f"file://{lake.settings.uri}", "lake", Path("lake")):
        assert Lake(where).table("electric_motor.sessions").published == sessions.published
    assert Lake("s3://acme-lake/lake/").settings.uri == "s3://acme-lake/lake"
    for wrong in ("gs://bucket/lake", "s3://B/lake", ""):
        with pytest.raises(UsageError):
            Lake(wrong)
    with pytest.raises(CatalogError, match="There is no lake yet"):
        Lake(tmp_path / "elsewhere").table("electric_motor.sessions")


def test_a_lake_that_is_named_has_the_settings_of_the_environment_but_not_another_lakes_catalog() -> None:
    env = {"NEQUI_LAKE_URI": "s3://acme/lake", "NEQUI_LAKE_CATALOG_URI": "sqlite:///x.db", "NEQUI_LAKE_CATALOG": "sql"}
    asked = {**env, "NEQUI_LAKE_ATHENA_WORKGROUP": "risk"}
    other, same = Settings.of_lake("/data/lake", asked), Settings.of_lake("s3://acme/lake/", asked)
    assert (other.athena_workgroup, other.catalog_uri) == ("risk", "sqlite:////data/lake/catalog.db")
    assert (same.athena_workgroup, same.catalog_uri) == ("risk", "sqlite:///x.db")
    assert Settings.of_lake("s3://acme/lake", {**asked, "NEQUI_LAKE_URI": ""}).catalog_uri == "sqlite:///x.db"


def test_datasets_and_tables_are_items_and_are_listed(lake: Lake, sessions: LakeTable) -> None:
    for table in (lake["electric_motor"]["sessions"], lake["electric_motor.sessions"], lake.electric_motor.sessions):
        assert table.published == sessions.published
    assert list(lake) == ["cite_sum", "electric_motor"]
    assert list(lake["electric_motor"]) == ["sessions", "measurements"]
    assert "electric_motor" in lake
    assert "electric_motor.sessions" in lake
    assert "sessions" in lake["electric_motor"]
    assert "motor" not in lake
    with pytest.raises(CatalogError, match=r"no dataset electric_moto\.[\s\S]*Did you mean electric_motor\?"):
        _ = lake["electric_moto"]
    with pytest.raises(CatalogError, match=r"Did you mean electric_motor\.sessions\?"):
        _ = lake["electric_motor"]["session"]


def test_a_table_says_what_it_has(sessions: LakeTable) -> None:
    assert sessions.name == "electric_motor.sessions"
    assert len(sessions) == 2
    assert sessions.columns == list(sessions.table.columns)
    assert sessions.schema == sessions.to_polars().schema == pl.Schema(sessions.scan().collect_schema())
    assert sessions.head(1).equals(sessions.to_polars().head(1))
    assert sessions.head(0).height == 0
    assert sessions.head().height == 2
    with pytest.raises(TypeError, match="not iterable"):
        iter(sessions)  # type: ignore[call-overload]


def test_some_columns_are_read_alone(sessions: LakeTable) -> None:
    wanted = ["samples", "profile_id"]
    assert sessions.to_polars(wanted).columns == wanted
    assert list(sessions.to_pandas(columns=wanted).columns) == wanted
    assert sessions.to_pandas(columns=wanted).dtypes["samples"] == pd.Int64Dtype()
    assert sessions.to_arrow(wanted).column_names == wanted
    assert sessions.head(columns=wanted).columns == wanted
    with pytest.raises(CatalogError, match=r"has no column sample\.[\s\S]*Did you mean samples\?"):
        sessions.to_pandas(columns=["sample"])


def test_a_table_without_rows_is_still_a_table(tmp_path: Path) -> None:
    empty = lake_table(tmp_path, pl.DataFrame(schema={"text": pl.String, "share": pl.Float64}))
    assert len(empty) == 0
    assert empty
    assert empty.head().shape == (0, 3)
    described = empty.describe()
    assert described["column"].to_list() == empty.columns == ["row_id", "text", "share"]
    assert (described["nulls"].to_list(), described["max"].to_list()) == ([0] * 3, [None] * 3)
    assert "0 rows" in empty._repr_html_()


def test_describe_says_meaning_and_figures_of_each_column(lake: Lake, sessions: LakeTable) -> None:
    described = sessions.describe()
    assert described["column"].to_list() == sessions.columns
    (samples,) = described.filter(column="samples").to_dicts()
    declared = sessions.table.columns["samples"]
    assert (samples["unit"], samples["description"]) == (declared.unit, declared.description)
    assert (samples["type"], samples["nulls"], samples["min"], samples["max"]) == ("bigint", 0, "4", "6")
    assert samples["mean"] == 5
    released(lake, "cite_sum")
    papers = lake.table("cite_sum.papers").describe()
    (journal,) = papers.filter(column="journal").to_dicts()
    assert (journal["nulls"], journal["min"], journal["mean"]) == (1, "Nature", None)


def test_sql_takes_parameters(lake: Lake, sessions: LakeTable) -> None:
    query = "SELECT profile_id FROM electric_motor.sessions WHERE samples > {} AND profile_id <> {}"
    hostile = "1; DROP TABLE x"
    assert lake.sql(query.format("?", "?"), [4, 3]).to_pylist() == [{"profile_id": 17}]
    assert lake.sql(query.format("$least", "$not"), {"least": 4, "not": 3}).to_pylist() == [{"profile_id": 17}]
    assert lake.sql("SELECT $t AS t, $d + 1 AS d", {"t": hostile, "d": dt.date(2026, 1, 1)}).to_pylist() == [
        {"t": hostile, "d": dt.date(2026, 1, 2)}
    ]
    with lake.batches("SELECT * FROM range(10) t(i) WHERE i >= ?", [7], rows=2) as batches:
        assert [row["i"] for batch in batches for row in batch.to_pylist()] == [7, 8, 9]
    for wrong in ({"other": 1}, [], [1, 2]):
        with pytest.raises(CatalogError, match="cannot be run"):
            lake.sql("SELECT ? AS a", wrong)
    with pytest.raises(UsageError, match="a list or a dictionary"):
        lake.sql("SELECT ? AS a", "x")


def test_an_answer_goes_on_as_any_frame(lake: Lake) -> None:
    answer = lake.sql("SELECT i, NULLIF(i, 1) AS n, DATE '2026-01-01' AS d FROM range(30) t(i)")
    assert (len(answer), answer.columns) == (30, ["i", "n", "d"])
    assert answer.schema == answer.to_polars().schema == pl.DataFrame(answer).schema
    assert answer.head(2)["n"].to_list() == [0, None]
    assert answer.to_arrow().num_rows == 30
    frame = answer.to_pandas()
    assert (frame.dtypes["n"], frame.dtypes["d"].kind) == (pd.Int64Dtype(), "M")
    assert "shape: (30, 3)" in repr(answer)
    assert "30 rows, the first 20 shown" in answer._repr_html_()
    none = lake.sql("SELECT 1 AS a WHERE false")
    assert none
    assert "0 rows" in none._repr_html_()
    assert "days=1" in repr(lake.sql("SELECT INTERVAL 1 DAY AS span"))


def test_long_texts_are_cut_in_a_notebook_and_a_row_is_one_line(lake: Lake) -> None:
    page = lake.sql("SELECT repeat('<x>', 400) AS long, 'short' AS short, NULL AS none")._repr_html_()
    assert "&lt;x&gt;" * 19 + "&lt;x…</td>" in page
    assert ">short</td>" in page
    assert "<em>null</em>" in page
    assert "white-space:nowrap" in page
    assert "1 row<" in page


def test_history_is_a_frame(lake: Lake, inbox: Path, sessions: LakeTable) -> None:
    write_motor(inbox, motor_rows(17, 3))
    newest = released(lake, "electric_motor")
    kept = lake.history("electric_motor.sessions")
    assert kept["release"].to_list() == [newest, sessions.published.release.id]
    assert kept["rows"].to_list() == [1, 2]
    assert kept["current"].to_list() == [True, False]
    assert kept["committed_at"][0] > kept["committed_at"][1]
    assert sessions.history().equals(kept)
    with pytest.raises(CatalogError, match="There is no table"):
        lake.history("electric_motor.session")


def test_quarantine_is_a_frame_even_of_a_table_that_was_never_published(
    lake: Lake, inbox: Path, materialize: Materialize
) -> None:
    write_motor(inbox, motor_rows(17, 6) + motor_rows(4, 4, ambient="warm"))
    assert not materialize("electric_motor").success
    with pytest.raises(CatalogError, match="never published"):
        lake.table("electric_motor.measurements")
    put_aside = lake.quarantine("electric_motor.measurements")
    assert put_aside.height == 4
    assert json.loads(put_aside["raw"][0])["ambient"] == "warm"
    released(lake, "cite_sum")
    assert lake["cite_sum"]["papers"].quarantine().height == 0
