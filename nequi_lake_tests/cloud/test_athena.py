"""SQL by Athena, as a person runs it: rows, what was read, what it cost.

moto answers with what the test posts to it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import requests

from nequi_lake.cli import main
from nequi_lake.cloud.athena import Answer, ask
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
    answer = ask("SELECT grade, count(*) AS loans FROM credit_risk.loans GROUP BY 1", Settings.from_env(LAKE), poll_s=0)
    assert answer.rows == [{"grade": "A", "loans": 17}, {"grade": "B", "loans": None}]
    assert answer.query_id


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
    assert "2 rows, " in err
    assert " bytes scanned in " in err
    assert " USD at 5 USD a TB" in err


@pytest.mark.parametrize(("scanned", "usd"), [(0, 0.0), (1, 5e-5), (10_000_000, 5e-5), (2 * 10**12, 10.0)])
def test_a_query_costs_ten_megabytes_at_least(scanned: int, usd: float) -> None:
    answer = Answer(rows=[], scanned_bytes=scanned, seconds=0, query_id="")
    assert answer.cost_usd == pytest.approx(usd)


def test_a_lake_that_is_not_in_glue_is_refused() -> None:
    with pytest.raises(UsageError, match="not in it"):
        ask("SELECT 1", Settings.from_env({}))


def test_a_workgroup_that_is_not_there_is_named(aws: str) -> None:
    with pytest.raises(Exception, match="nequi_lake"):
        ask("SELECT 1", Settings.from_env(LAKE), poll_s=0)
