"""The audit finds what is wrong with a staged table, check by check, with the number and the limit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from nequi_lake.datasets.contract import arrow_schema, column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.formats import CsvFile
from nequi_lake.lake.check import Check
from nequi_lake.lake.release import Accounting, DataFile, FileAccount, Release, StagedTable
from nequi_lake.lake.storage import StorageBackend
from nequi_lake.quality.audit import audit


class Shops(dy.Schema):
    """One row per shop."""

    shop_id = dy.Int64(
        primary_key=True, description="Number of the shop.", metadata=column_meta(unit="id", source="shop")
    )


class Sales(dy.Schema):
    """One row per sale."""

    sale_id = dy.Int64(
        primary_key=True, description="Number of the sale.", metadata=column_meta(unit="id", source="sale")
    )
    shop_id = dy.Int64(description="Where it was.", metadata=column_meta(unit="id", source="shop", references="shops"))
    note = dy.String(
        nullable=True, description="What was said.", metadata=column_meta(unit="text", source="note", null_limit=0.5)
    )
    weight = dy.Int64(min=1, description="Derived weight.", metadata=column_meta(unit="count", derived_from=["sale"]))


DATASET = Dataset(
    name="trade",
    slug="nobody/trade",
    title="Trade",
    licence="none",
    use_case="Tests.",
    files=(CsvFile(name="sales.csv", description="Sales.", columns=("sale", "shop", "note")),),
    tables=(
        Table(name="shops", description="Shops.", contract=Shops, group_by=("shop_id",)),
        Table(name="sales", description="Sales.", contract=Sales),
    ),
)
RELEASE = Release(id="r", run_id="run", raw_version="v", tables=("shops", "sales"))
SALES = {"sale_id": [1, 2, 3, 4], "shop_id": [1, 1, 2, 2], "note": ["a", None, "c", "d"], "weight": [1, 1, 1, 1]}


def staged(storage: StorageBackend, table: str, frame: pl.DataFrame, records: int, quarantined: int = 0) -> StagedTable:
    """A staged table of one file, as an engine would leave it."""
    path = Path(storage.path(f"{table}.parquet"))
    contract = arrow_schema(DATASET.table(table).contract)
    same = frame.columns == contract.names and all(
        frame.schema[n] == c.dtype for n, c in DATASET.table(table).columns.items()
    )
    nulls = {name for name in frame.columns if frame[name].null_count()}
    fits = same and all(contract.field(name).nullable for name in nulls)
    frame.lazy().sink_parquet(path, arrow_schema=contract if fits else None, mkdir=True)
    return StagedTable(
        dataset="trade",
        table=table,
        release=RELEASE,
        accounting=Accounting(
            files={"sales.csv": FileAccount(records=records, quarantined=quarantined)},
            accepted=records - quarantined,
            merged=records - quarantined - frame.height,
            expected_rows=frame.height,
        ),
        files=(DataFile(path=str(path), rows=frame.height, size_bytes=path.stat().st_size),),
    )


def answers(storage: StorageBackend, sales: StagedTable, **parents: StagedTable) -> dict[str, Check]:
    """The checks of ``sales`` by name."""
    tables = {"sales": sales}
    if not parents:
        tables["shops"] = staged(storage, "shops", pl.DataFrame({"shop_id": [1, 2]}), records=4)
    checks = audit(DATASET, tables, parents, storage)
    return {check.name: check for check in checks if check.subject == "trade.sales"}


def failed(checks: dict[str, Check]) -> list[str]:
    """The names of those that failed."""
    return [name for name, check in checks.items() if not check.passed]


def test_a_sound_table_passes_every_check(storage: StorageBackend) -> None:
    checks = answers(storage, staged(storage, "sales", pl.DataFrame(SALES), records=4))
    assert list(checks) == list(Table.checks)
    assert failed(checks) == []
    assert checks["rows_accounted_for"].numbers["rows"] == 4
    assert checks["null_limits"].numbers["note: missing share, limit 50.00%"] == 0.25


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (pl.DataFrame(SALES).drop("note"), "column note is missing"),
        (pl.DataFrame(SALES).with_columns(extra=1), "column extra is not in the contract"),
        (pl.DataFrame(SALES).cast({"shop_id": pl.Int32}), "column shop_id is"),
        (pl.DataFrame({**SALES, "weight": [1, 0, 0, 1]}), "2 rows break weight must be >= 1"),
    ],
)
def test_columns_and_types(storage: StorageBackend, frame: pl.DataFrame, told: str) -> None:
    check = answers(storage, staged(storage, "sales", frame, records=4))["columns_and_types"]
    assert not check.passed
    assert told in check.found


def test_null_limits(storage: StorageBackend) -> None:
    frame = pl.DataFrame({**SALES, "note": [None, None, None, "d"]})
    checks = answers(storage, staged(storage, "sales", frame, records=4))
    assert failed(checks) == ["null_limits"]
    assert checks["null_limits"].found == (
        "note is missing in 3 of 4 rows (75.00%); at most 2 may be (50%) (column note of sales.csv)"
    )


def test_a_required_column_may_miss_nothing(storage: StorageBackend) -> None:
    frame = pl.DataFrame({**SALES, "weight": [1, 1, 1, None]})
    checks = answers(storage, staged(storage, "sales", frame, records=4))
    assert not checks["null_limits"].passed
    assert "weight is missing in 1 of 4 rows (25.00%); none may be" in checks["null_limits"].found


def test_unique_key(storage: StorageBackend) -> None:
    frame = pl.DataFrame({**SALES, "sale_id": [1, 2, 2, 2]})
    checks = answers(storage, staged(storage, "sales", frame, records=4))
    assert failed(checks) == ["unique_key"]
    assert checks["unique_key"].found == "2 rows repeat the key of another, such as {'sale_id': 2}"


def test_foreign_keys(storage: StorageBackend) -> None:
    frame = pl.DataFrame({**SALES, "shop_id": [1, 2, 9, 9]})
    checks = answers(storage, staged(storage, "sales", frame, records=4))
    assert failed(checks) == ["foreign_keys"]
    assert checks["foreign_keys"].found == "2 rows have a shop_id that shops does not have, such as [9, 9]"


def test_foreign_keys_are_checked_against_a_published_parent(storage: StorageBackend) -> None:
    shops = staged(storage, "shops", pl.DataFrame({"shop_id": [1]}), records=4)
    checks = answers(storage, staged(storage, "sales", pl.DataFrame(SALES), records=4), shops=shops)
    assert failed(checks) == ["foreign_keys"]


def test_quarantine_limit(storage: StorageBackend) -> None:
    checks = answers(storage, staged(storage, "sales", pl.DataFrame(SALES), records=6, quarantined=2))
    assert failed(checks) == ["quarantine_limit"]
    assert "2 of 6 records of sales.csv (33.33%) are bad; at most 1 may be (1%)" in checks["quarantine_limit"].found
    assert checks["quarantine_limit"].fix == "See which records, and why: nequi-lake quarantine trade.sales --run run"


def test_a_lost_row_is_noticed(storage: StorageBackend) -> None:
    whole = staged(storage, "sales", pl.DataFrame(SALES), records=4)
    lost = replace(whole, accounting=replace(whole.accounting, expected_rows=5))
    assert failed(answers(storage, lost)) == ["rows_accounted_for"]


def test_a_raw_record_that_went_nowhere_is_noticed(storage: StorageBackend) -> None:
    whole = staged(storage, "sales", pl.DataFrame(SALES), records=4)
    lost = replace(
        whole, accounting=replace(whole.accounting, files={"sales.csv": FileAccount(records=5, quarantined=0)})
    )
    checks = answers(storage, lost)
    assert failed(checks) == ["rows_accounted_for"]
    assert "5 raw records, but 4 accepted and 0 quarantined" in checks["rows_accounted_for"].found
