"""A query for part of a table opens only the files that may have it: it gets its rows while the others are away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import partialmethod
from pathlib import Path

import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from nequi_lake import Lake
from nequi_lake.defs.build import build
from nequi_lake.errors import CatalogError
from nequi_lake.lake.read.table import LakeTable
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import only

YEAR = 2014
FIRST, LAST = date(YEAR, 1, 1), date(YEAR, 12, 31)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A small sample lake of two partitioned datasets, in row groups as small, without reports."""
    settings = Settings.from_env(
        {"NEQUI_LAKE_URI": str(tmp_path_factory.mktemp("pruned") / "lake"), "NEQUI_LAKE_SAMPLE_SCALE": "0.0005"}
    )
    datasets = only("credit_risk", "electric_motor")
    job = build(settings, datasets).resolve_job_def("lake")
    keys = job.asset_layer.asset_graph.materializable_asset_keys
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pl.LazyFrame, "sink_parquet", partialmethod(pl.LazyFrame.sink_parquet, row_group_size=20))
        assert job.execute_in_process(
            asset_selection=[key for key in keys if key.path[0] != "profiling_reports"],
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        ).success
    return Lake(settings, datasets)


@contextmanager
def only_there(table: LakeTable, folder: str) -> Iterator[None]:
    """Take a table's files away for the time of the block, but those in the folder of one partition."""
    away = [Path(path) for path in table.files() if f"/{folder}/" not in path]
    assert 0 < len(away) < len(table.files())
    for path in away:
        path.rename(f"{path}.away")
    try:
        yield
    finally:
        for path in away:
            Path(f"{path}.away").rename(path)


@contextmanager
def only_readable(path: Path, group: int) -> Iterator[None]:
    """Spoil the pages of all row groups of a file but one for the time of the block."""
    before = path.read_bytes()
    spoilt, footer = bytearray(before), pq.read_metadata(path)
    assert footer.num_row_groups > 2
    for number in set(range(footer.num_row_groups)) - {group}:
        for index in range(footer.num_columns):
            column = footer.row_group(number).column(index)
            start = min(offset for offset in (column.dictionary_page_offset, column.data_page_offset) if offset)
            spoilt[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(spoilt)
    try:
        yield
    finally:
        path.write_bytes(before)


@pytest.fixture
def loans(lake: Lake) -> LakeTable:
    """Loans, cut by the year of their date."""
    return lake.table("credit_risk.loans")


@pytest.fixture
def measurements(lake: Lake) -> LakeTable:
    """Measurements, cut by the session's number."""
    return lake.table("electric_motor.measurements")


def a_profile(measurements: LakeTable) -> int:
    """The number of some session."""
    return int(Path(measurements.files()[0]).parent.name.removeprefix("profile_id="))


def test_a_scan_for_some_dates_opens_the_files_of_their_year(loans: LakeTable) -> None:
    asked = pl.col("issue_date").is_between(FIRST, LAST)
    rows = loans.scan().collect().filter(asked)
    with only_there(loans, f"issue_date_year={YEAR}"):
        found = loans.scan().filter(asked).collect()
    assert found.height > 10
    assert found.sort("loan_id").equals(rows.sort("loan_id"))


def test_a_scan_for_one_session_opens_its_files(measurements: LakeTable) -> None:
    profile = a_profile(measurements)
    with only_there(measurements, f"profile_id={profile}"):
        found = measurements.scan().filter(pl.col("profile_id") == profile).collect()
    assert found.height == measurements.scan().collect().filter(pl.col("profile_id") == profile).height > 10


@pytest.mark.parametrize(
    "condition",
    [
        f"issue_date BETWEEN '{FIRST}' AND '{LAST}'",
        f"year(issue_date) = {YEAR}",
        f"issue_date >= '{FIRST}' AND issue_date < '{YEAR + 1}-01-01' AND grade IN ('A', 'B', 'C', 'D', 'E', 'F', 'G')",
    ],
    ids=["between", "year", "range"],
)
def test_sql_for_some_dates_opens_the_files_of_their_year(condition: str, lake: Lake, loans: LakeTable) -> None:
    rows = loans.scan().filter(pl.col("issue_date").is_between(FIRST, LAST)).collect()
    with only_there(loans, f"issue_date_year={YEAR}"):
        (found,) = lake.sql(
            f"SELECT count(*) AS loans, sum(loan_id) AS ids FROM credit_risk.loans WHERE {condition}"
        ).to_pylist()
    assert found == {"loans": rows.height, "ids": rows["loan_id"].sum()}


def test_sql_for_one_session_opens_its_files(lake: Lake, measurements: LakeTable) -> None:
    profile = a_profile(measurements)
    query = f"SELECT count(*) AS n FROM electric_motor.measurements WHERE profile_id = {profile}"
    everything = lake.sql(query).to_pylist()
    with only_there(measurements, f"profile_id={profile}"):
        assert lake.sql(query).to_pylist() == everything


@pytest.mark.parametrize("way", ["scan", "sql"])
def test_a_query_for_some_keys_reads_the_row_groups_that_may_have_them(way: str, lake: Lake, loans: LakeTable) -> None:
    (file,) = (path for path in loans.files() if f"={YEAR}/" in path)
    # Ids follow the dates, by which the file is in order.
    wanted = pq.ParquetFile(file).read_row_group(1)["loan_id"][0].as_py()
    condition = f"loan_id = {wanted} AND year(issue_date) = {YEAR}"
    with only_readable(Path(file), group=1):
        if way == "sql":
            found = lake.sql(f"SELECT loan_id, grade FROM credit_risk.loans WHERE {condition}").to_pylist()
        else:
            asked = (pl.col("loan_id") == wanted) & pl.col("issue_date").is_between(FIRST, LAST)
            found = loans.scan().filter(asked).select("loan_id", "grade").collect().to_dicts()
        with pytest.raises(OSError, match="thrift"):
            pq.ParquetFile(file).read()
    assert [row["loan_id"] for row in found] == [wanted]


def test_a_dataset_gives_every_row_to_whoever_asks_for_what_its_files_do_not_tell(loans: LakeTable) -> None:
    dataset, date_ = loans.to_dataset(), pc.field("issue_date")
    counts = [
        dataset.count_rows(),
        dataset.count_rows(filter=date_.is_valid()),
        dataset.count_rows(filter=date_ <= LAST) + dataset.count_rows(filter=date_ > LAST),
        dataset.count_rows(filter=pc.field("loan_id") > 0),
    ]
    assert counts == [loans.published.rows] * 4


def test_a_query_for_all_of_a_table_misses_a_file_that_is_away(lake: Lake, loans: LakeTable) -> None:
    with only_there(loans, f"issue_date_year={YEAR}"), pytest.raises(CatalogError, match=r"\.parquet"):
        lake.sql("SELECT sum(loan_id) FROM credit_risk.loans")
