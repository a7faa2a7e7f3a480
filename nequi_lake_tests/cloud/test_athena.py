"""SQL by Athena, as a person runs it: rows, what was read, what it cost.

moto writes what the test posts to it, as Athena does: CSV, in a bucket.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from nequi_lake.cli import main
from nequi_lake.cloud.athena import Cost, ask, batches
from nequi_lake.errors import UsageError
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage.aws import access

LAKE = {"NEQUI_LAKE_URI": "s3://my-lake/prod"}


LOANS = [("grade", "varchar"), ("loans", "bigint")]
ROWS: list[list[str | None]] = [["A", "17"], ["B", None]]

Answer = Callable[[Sequence[tuple[str, str]], Sequence[Sequence[str | None]]], None]


@pytest.fixture
def answer(aws: str, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """An account with the lake's workgroup; give it the columns and rows of the next query's result."""
    location = "s3://my-lake/athena-results/"
    access().client("s3").create_bucket(
        Bucket="my-lake", CreateBucketConfiguration={"LocationConstraint": access().region}
    )
    access().client("athena").create_work_group(
        Name="nequi_lake", Configuration={"ResultConfiguration": {"OutputLocation": location}}
    )
    # moto writes results where a query says, and not where its workgroup does.
    monkeypatch.setenv("AWS_ATHENA_S3_STAGING_DIR", location)

    def post(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str | None]]) -> None:
        cells = [[name for name, _ in columns], *rows]
        told: Any = {
            "rows": [{"Data": [{} if c is None else {"VarCharValue": c} for c in row]} for row in cells],
            "column_info": [
                {
                    "CatalogName": "hive",
                    "SchemaName": "",
                    "TableName": "",
                    "Name": name,
                    "Label": name,
                    "Type": kind,
                    "Precision": 10,
                    "Scale": 2,
                    "Nullable": "UNKNOWN",
                    "CaseSensitive": False,
                }
                for name, kind in columns
            ],
        }
        body = {"account_id": "123456789012", "region": "eu-west-1", "results": [told]}
        requests.post(f"{aws}/moto-api/static/athena/query-results", json=body, timeout=10).raise_for_status()

    return post


@pytest.fixture
def athena(answer: Answer) -> None:
    """An account with the lake's workgroup, and one answer that waits for its question."""
    answer(LOANS, ROWS)


def test_rows_come_typed_and_by_name(athena: None) -> None:
    query = "SELECT grade, count(*) AS loans FROM credit_risk.loans GROUP BY 1"
    rows, cost = ask(query, Settings.from_env(LAKE), poll_s=0)
    assert rows == [{"grade": "A", "loans": 17}, {"grade": "B", "loans": None}]
    assert cost.query_id


def test_the_command_says_what_was_read_and_what_it_cost(
    athena: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEQUI_LAKE_URI", LAKE["NEQUI_LAKE_URI"])
    monkeypatch.setattr(sys, "argv", ["nequi-lake", "sql", "--athena", "SELECT 1", "--format", "json"])
    with pytest.raises(SystemExit) as end:
        main()
    out, err = capsys.readouterr()
    assert end.value.code == 0
    assert json.loads(out)[0] == {"grade": "A", "loans": 17}
    assert "2 rows\n" in err
    assert " bytes scanned in " in err
    assert " USD at 5 USD a TB" in err


def test_the_answer_goes_into_a_file_page_by_page(
    athena: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("NEQUI_LAKE_URI", LAKE["NEQUI_LAKE_URI"])
    path = tmp_path / "loans.parquet"
    monkeypatch.setattr(sys, "argv", ["nequi-lake", "sql", "--athena", "SELECT 1", "--output", str(path)])
    with pytest.raises(SystemExit) as end:
        main()
    err = capsys.readouterr().err
    assert end.value.code == 0, err
    assert pq.read_table(path).to_pydict() == {"grade": ["A", "B"], "loans": [17, None]}
    assert pq.read_schema(path).types == [pa.large_string(), pa.int64()]
    assert "Wrote 2 rows" in err
    assert " USD at 5 USD a TB" in err


def test_values_are_typed_and_what_is_missing_stays_missing(answer: Answer) -> None:
    answer(
        [
            ("text", "varchar"),
            ("n", "integer"),
            ("d", "decimal"),
            ("day", "date"),
            ("at", "timestamp"),
            ("l", "array"),
            ("b", "boolean"),
        ],
        [
            ["x\ny,z", "1", "1.50", "2015-12-01", "2015-12-01 10:11:12.123", "[a, b]", "true"],
            ["", None, None, None, None, None, None],
            [None] * 7,
        ],
    )
    rows, _ = ask("SELECT 1", Settings.from_env(LAKE), poll_s=0)
    assert [list(row.values()) for row in rows] == [
        ["x\ny,z", 1, Decimal("1.50"), date(2015, 12, 1), datetime(2015, 12, 1, 10, 11, 12, 123000), "[a, b]", True],
        ["", None, None, None, None, None, None],
        [None] * 7,
    ]


def test_a_long_result_is_read_in_parts(answer: Answer) -> None:
    answer([("n", "bigint")], [[str(number)] for number in range(5000)])
    with batches("SELECT 1", Settings.from_env(LAKE), poll_s=0, rows=100) as (reader, _):
        parts = [batch.column(0).to_pylist() for batch in reader]
    assert len(parts) > 10
    assert [number for part in parts for number in part] == list(range(5000))


def test_a_result_without_rows_has_its_columns(answer: Answer) -> None:
    answer(LOANS, [])
    with batches("SELECT 1", Settings.from_env(LAKE), poll_s=0) as (reader, _):
        assert reader.schema == pa.schema({"grade": pa.large_string(), "loans": pa.int64()})
        assert reader.read_all().num_rows == 0


def test_a_single_column_keeps_its_missing_values(answer: Answer) -> None:
    answer([("grade", "varchar")], [["A"], [None], ["B"], [None]])
    rows, _ = ask("SELECT 1", Settings.from_env(LAKE), poll_s=0)
    assert [row["grade"] for row in rows] == ["A", None, "B", None]


def test_two_columns_of_one_name_are_refused(answer: Answer) -> None:
    answer([("n", "bigint"), ("n", "bigint")], [["1", "2"]])
    with pytest.raises(UsageError, match="Two columns are called n"):
        ask("SELECT 1", Settings.from_env(LAKE), poll_s=0)


@pytest.mark.parametrize(("scanned", "usd"), [(0, 0.0), (1, 5e-5), (10_000_000, 5e-5), (2 * 10**12, 10.0)])
def test_a_query_costs_ten_megabytes_at_least(scanned: int, usd: float) -> None:
    assert Cost(scanned_bytes=scanned, seconds=0, query_id="").usd == pytest.approx(usd)


def test_a_lake_that_is_not_in_glue_is_refused() -> None:
    with pytest.raises(UsageError, match="not in it"):
        ask("SELECT 1", Settings.from_env({}))


def test_a_workgroup_that_is_not_there_is_named(aws: str) -> None:
    with pytest.raises(Exception, match="nequi_lake"):
        ask("SELECT 1", Settings.from_env(LAKE), poll_s=0)
