"""One module in a folder, and no edit, is a dataset of the lake beside its own: assets, job, tables and reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from nequi_lake import Lake
from nequi_lake.datasets.spec import Table
from nequi_lake.defs.build import build
from nequi_lake.defs.run import Outcome, run
from nequi_lake.lake.declared import discover
from nequi_lake.lake.settings import Settings
from nequi_lake.quality.structure import FILE_STRUCTURE

MODULE = '''\
"""Cups of coffee sold by a few shops, for forecasts of demand."""

import dataframely as dy
import polars as pl

from nequi_lake import CsvFile, Dataset, Partition, Table, column_meta, one_of


class Shops(dy.Schema):
    """One row per shop."""

    shop_id = dy.Int64(
        primary_key=True, min=1, description="Number of the shop.", metadata=column_meta(unit="id", source="shop_id")
    )
    city = dy.String(description="City in which the shop is.", metadata=column_meta(unit="text", source="city"))


class Sales(dy.Schema):
    """One row per cup."""

    sale_id = dy.Int64(
        primary_key=True, description="Number of the sale.", metadata=column_meta(unit="id", source="sale")
    )
    shop_id = dy.Int64(
        description="Shop that sold it.", metadata=column_meta(unit="id", source="shop_id", references="shops")
    )
    sold_on = dy.Date(description="Day of the sale.", metadata=column_meta(unit="date", source="day"))
    size = dy.String(
        check=one_of("small", "large"), description="Size of the cup.", metadata=column_meta(unit="code", source="size")
    )
    price_usd = dy.Float64(
        nullable=True,
        min=0,
        description="Price of the cup.",
        metadata=column_meta(unit="USD", source="price", null_limit=0.5),
    )


def shops(records: pl.LazyFrame) -> pl.LazyFrame:
    """Fold the sales of each shop into one row."""
    return records.select("shop_id", "city").unique()


DATASET = Dataset(
    name="coffee",
    slug="somebody/coffee-sales",
    title="Coffee sales",
    licence="CC0",
    use_case="Forecasts of demand.",
    schedule="45 6 * * *",
    files=(
        CsvFile(
            name="sales.csv",
            description="All sales.",
            columns=("sale", "shop_id", "city", "day", "size", "price", "till"),
            dropped={"till": "says nothing of the sale"},
        ),
    ),
    tables=(
        Table(name="shops", description="Shops.", contract=Shops, transform=shops, group_by=("shop_id",)),
        Table(
            name="sales",
            description="Cups sold.",
            contract=Sales,
            parse={"sold_on": pl.col("day").str.to_date("%d/%m/%Y", strict=False)},
            partition_by=Partition("sold_on", by_year=True),
        ),
    ),
)
'''

SALES = """\
sale,shop_id,city,day,size,price,till
1,7,Medellín,31/12/2024,small,1.5,A
2,7,Medellín,01/01/2025,large,,A
3,9,"Cali, centro",02/01/2025,small,2.0,B
"""


@dataclass(frozen=True)
class Fourth:
    """What one more module made: the lake's definitions, how its run ended, and the lake to read."""

    definitions: dg.Definitions
    outcome: Outcome
    lake: Lake


@pytest.fixture(scope="module")
def fourth(tmp_path_factory: pytest.TempPathFactory) -> Fourth:
    """The lake after a run of the new dataset, filled from a folder."""
    folder = tmp_path_factory.mktemp("fourth")
    file = folder / "inbox" / "coffee" / "sales.csv"
    file.parent.mkdir(parents=True)
    file.write_text(SALES)
    modules = folder / "datasets"
    modules.mkdir()
    (modules / "coffee.py").write_text(MODULE)
    settings = Settings.from_env(
        {
            "NEQUI_LAKE_URI": str(folder / "lake"),
            "NEQUI_LAKE_SOURCE": str(folder / "inbox"),
            "NEQUI_LAKE_DATASETS": str(modules),
        }
    )
    definitions = build(settings)
    return Fourth(definitions, run(definitions, ["coffee"], instance=None), Lake(settings))


def test_it_is_found_among_the_others(fourth: Fourth) -> None:
    assert {"coffee", "electric_motor", "cite_sum"} <= discover(fourth.lake.settings).keys()


def test_it_has_assets_in_a_group_of_its_own(fourth: Fourth) -> None:
    graph = fourth.definitions.resolve_asset_graph()
    keys = {key.to_user_string() for key in graph.materializable_asset_keys if graph.get(key).group_name == "coffee"}
    assert keys == {
        "raw/coffee/sales.csv",
        "processed/coffee/shops",
        "processed/coffee/sales",
        "profiling_reports/coffee/shops_report",
        "profiling_reports/coffee/sales_report",
        "profiling_reports/coffee/index",
    }


def test_it_has_every_check(fourth: Fourth) -> None:
    keys = fourth.definitions.resolve_asset_graph().asset_check_keys
    checks = {(key.asset_key.to_user_string(), key.name) for key in keys if "coffee" in key.asset_key.path}
    assert checks == {("raw/coffee/sales.csv", FILE_STRUCTURE)} | {
        (f"processed/coffee/{table}", check) for table in ("shops", "sales") for check in Table.checks
    }


def test_it_has_a_job_and_a_schedule(fourth: Fourth) -> None:
    job = fourth.definitions.resolve_job_def("coffee")
    assert {key.path[1] for key in job.asset_layer.executable_asset_keys} == {"coffee"}
    schedule = fourth.definitions.resolve_schedule_def("coffee_schedule")
    assert (schedule.job_name, schedule.cron_schedule) == ("coffee", "45 6 * * *")


def test_its_tables_are_published_and_read(fourth: Fourth) -> None:
    assert fourth.outcome.success, fourth.outcome.failures
    shops = fourth.lake.table("coffee.shops").scan().sort("shop_id").collect()
    assert shops.rows() == [(7, "Medellín"), (9, "Cali, centro")]
    sales = fourth.lake.table("coffee.sales").scan().sort("sale_id").collect()
    assert sales.rows(named=True) == [
        {"sale_id": 1, "shop_id": 7, "sold_on": date(2024, 12, 31), "size": "small", "price_usd": 1.5},
        {"sale_id": 2, "shop_id": 7, "sold_on": date(2025, 1, 1), "size": "large", "price_usd": None},
        {"sale_id": 3, "shop_id": 9, "sold_on": date(2025, 1, 2), "size": "small", "price_usd": 2.0},
    ]
    assert sales.schema["price_usd"] == pl.Float64


def test_its_records_are_accounted_for(fourth: Fourth) -> None:
    account = fourth.lake.table("coffee.shops").published.accounting
    assert (account.raw_records, account.quarantined, account.merged) == (3, 0, 1)
    assert fourth.lake.table("coffee.sales").published.partitions == 2


def test_it_answers_to_sql(fourth: Fourth) -> None:
    cups = fourth.lake.sql(
        "SELECT city, count(*) AS cups FROM coffee.sales JOIN coffee.shops USING (shop_id) GROUP BY 1 ORDER BY 2 DESC"
    )
    assert cups.to_pylist() == [{"city": "Medellín", "cups": 2}, {"city": "Cali, centro", "cups": 1}]


@pytest.mark.parametrize("table", ["shops", "sales"])
def test_its_report_is_written(fourth: Fourth, table: str) -> None:
    report = Path(fourth.lake.storage.path("profiling_reports", "coffee", f"{table}.html")).read_text()
    assert f"coffee.{table}" in report
    for column in fourth.lake.table(f"coffee.{table}").table.columns.values():
        assert column.description in report
