"""SQL by Athena, as a person runs it: rows, what was read, what it cost.

moto answers with what the test posts to it.
"""

from __future__ import annotations

import json
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from nequi_lake.cli import main
from nequi_lake.cloud.athena import Cost, _arrow_type, _read, ask
from nequi_lake.errors import UsageError
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage.aws import access

LAKE = {"NEQUI_LAKE_URI": "s3://my-lake/prod"}


@pytest.fixture
def athena(aws: str) -> str:
    """An account with the lake's workgroup, and one answer that waits for its question."""
    access().client("athena").create_work_group(
        Name="nequi_lake",
        Configuration={"ResultConfiguration": {"OutputLocation": "s3://my-lake/athena-results/"}},
    )
    columns = [("grade", "varchar"), ("loans", "bigint")]
    told: Any = {
        "account_id": "123456789012",
        "region": "eu-west-1",
        "results": [
            {
                "rows": [
                    {"Data": [{"VarCharValue": name} for name, _ in columns]},
                    {"Data": [{"VarCharValue": "A"}, {"VarCharValue": "17"}]},
                    {"Data": [{"VarCharValue": "B"}, {}]},
                ],
                "column_info": [
                    {
                        "CatalogName": "hive",
                        "SchemaName": "",
                        "TableName": "",
                        "Name": name,
                        "Label": name,
                        "Type": kind,
                        "Precision": 0,
                        "Scale": 0,
                        "Nullable": "UNKNOWN",
                        "CaseSensitive": False,
                    }
                    for name, kind in columns
                ],
            }
        ],
    }
    requests.post(f"{aws}/moto-api/static/athena/query-results", json=told, timeout=10).raise_for_status()
    return aws


def test_rows_come_typed_and_by_name(athena: str) -> None:
    query = "SELECT grade, count(*) AS loans FROM credit_risk.loans GROUP BY 1"
    rows, cost = ask(query, Settings.from_env(LAKE), poll_s=0)
    assert rows == [{"grade": "A", "loans": 17}, {"grade": "B", "loans": None}]
    assert cost.query_id


def test_the_command_says_what_was_read_and_what_it_cost(
    athena: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
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
    athena: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("NEQUI_LAKE_URI", LAKE["NEQUI_LAKE_URI"])
    path = tmp_path / "loans.parquet"
    monkeypatch.setattr(sys, "argv", ["nequi-lake", "sql", "--athena", "SELECT 1", "--output", str(path)])
    with pytest.raises(SystemExit) as end:
        main()
    err = capsys.readouterr().err
    assert end.value.code == 0, err
    assert pq.read_table(path).to_pydict() == {"grade": ["A", "B"], "loans": [17, None]}
    assert pq.read_schema(path).types == [pa.string(), pa.int64()]
    assert "Wrote 2 rows" in err
    assert " USD at 5 USD a TB" in err


def test_pages_are_typed_as_athena_says() -> None:
    kinds = [("n", "bigint", 0), ("d", "decimal", 2), ("day", "date", 0), ("l", "array", 0), ("z", "interval", 0)]
    schema = pa.schema([(name, _arrow_type(kind, scale)) for name, kind, scale in kinds])
    rows = [[1, Decimal("1.50"), date(2015, 12, 1), ["a"], None], [None, None, None, None, 5]]
    pages = iter([rows[:1], rows[1:], []])
    cursor = SimpleNamespace(fetchmany=lambda _: next(pages))
    read = [row for page in _read(cursor, schema, 1) for row in page.to_pylist()]
    assert [list(row.values()) for row in read] == [
        [1, Decimal("1.50"), date(2015, 12, 1), '["a"]', None],
        [None, None, None, None, "5"],
    ]


@pytest.mark.parametrize(("scanned", "usd"), [(0, 0.0), (1, 5e-5), (10_000_000, 5e-5), (2 * 10**12, 10.0)])
def test_a_query_costs_ten_megabytes_at_least(scanned: int, usd: float) -> None:
    assert Cost(scanned_bytes=scanned, seconds=0, query_id="").usd == pytest.approx(usd)


def test_a_lake_that_is_not_in_glue_is_refused() -> None:
    with pytest.raises(UsageError, match="not in it"):
        ask("SELECT 1", Settings.from_env({}))


def test_a_workgroup_that_is_not_there_is_named(aws: str) -> None:
    with pytest.raises(Exception, match="nequi_lake"):
        ask("SELECT 1", Settings.from_env(LAKE), poll_s=0)
