"""A declaration that changes reaches the table in the catalog: its partitions, and the descriptions of its columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from nequi_lake import Lake
from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Dataset, Partition, Table
from nequi_lake.errors import CatalogError
from nequi_lake.formats import CsvFile, JsonLinesFile
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import released


class Sales(dy.Schema):
    """One row per sale."""

    sale = dy.Int64(primary_key=True, description="Sale.", metadata=column_meta(unit="id", source="sale"))
    city = dy.String(description="City.", metadata=column_meta(unit="text", source="city"))
    sold_on = dy.Date(description="Day.", metadata=column_meta(unit="date", source="sold_on"))


class Described(dy.Schema):
    """One row per sale."""

    sale = dy.Int64(primary_key=True, description="Number of the sale.", metadata=column_meta(unit="id", source="sale"))
    city = dy.String(description="City.", metadata=column_meta(unit="text", source="city"))
    sold_on = dy.Date(description="Day of the sale.", metadata=column_meta(unit="date", source="sold_on"))


def declared(partition_by: Partition | None = None, contract: type[dy.Schema] = Sales) -> Dataset:
    return Dataset(
        name="sales",
        slug="nobody/sales",
        title="Sales",
        licence="none",
        use_case="Tests.",
        files=(CsvFile(name="sales.csv", description="Sales.", columns=("sale", "city", "sold_on")),),
        tables=(Table(name="sales", description="Sales.", contract=contract, partition_by=partition_by),),
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A lake filled from a folder with four sales."""
    inbox = tmp_path / "inbox" / "sales"
    inbox.mkdir(parents=True)
    rows = ["1,Bogotá,2024-01-31", "2,Cali,2025-01-31", "3,Bogotá,2025-02-28", "4,Cali,2025-03-31"]
    (inbox / "sales.csv").write_text("\n".join(["sale,city,sold_on", *rows]) + "\n")
    return Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake"), "NEQUI_LAKE_SOURCE": str(inbox.parent)})


CITY, YEAR = Partition("city"), Partition("sold_on", by_year=True)


@pytest.mark.parametrize(
    ("before", "after", "files"),
    [(None, CITY, 2), (CITY, None, 1), (CITY, YEAR, 2), (YEAR, CITY, 2), (None, YEAR, 2), (YEAR, None, 1)],
)
def test_another_partition_is_another_layout_of_the_table(
    settings: Settings, before: Partition | None, after: Partition | None, files: int
) -> None:
    first = Lake(settings, {"sales": declared(before)})
    old = released(first, "sales")
    second = Lake(settings, {"sales": declared(after)})
    assert released(second, "sales") != old
    iceberg = second.catalog.iceberg("sales", "sales")
    assert iceberg is not None
    assert [field.name for field in iceberg.spec().fields] == ([after.name] if after else [])
    table = second.table("sales.sales")
    assert sorted(table.to_arrow()["sale"].to_pylist()) == [1, 2, 3, 4]
    assert len(table.files()) == files
    scanned = iceberg.scan(row_filter="city = 'Cali'").plan_files()
    assert len(list(scanned)) == 1
    # The release before is still readable, and so is the next one.
    earlier = Lake(settings, {"sales": declared(after)}, as_of=old)
    assert earlier.table("sales.sales").to_arrow().num_rows == 4
    assert released(Lake(settings, {"sales": declared(before)}), "sales") == old
    assert Lake(settings, {"sales": declared(before)}).table("sales.sales").to_arrow().num_rows == 4


def test_another_type_of_a_column_that_a_table_is_cut_by_is_refused_in_words(settings: Settings) -> None:
    text = dy.String(primary_key=True, description="Sale.", metadata=column_meta(unit="id", source="sale"))
    texts = type("Texts", (Sales,), {"sale": text})
    old = released(Lake(settings, {"sales": declared(Partition("sale"))}), "sales")
    lake = Lake(settings, {"sales": declared(Partition("sale"), texts)})
    with pytest.raises(CatalogError, match="cannot take a column of the type") as refusal:
        released(lake, "sales")
    assert refusal.value.where == "sale is of the type bigint, and not string, in the table's partitions"
    assert lake.table("sales.sales").published.release.id == old


def bags(items: dy.Column, raw: pl.DataType) -> dict[str, Dataset]:
    """A dataset of one table, whose second column is this one."""
    bag = dy.Int64(primary_key=True, description="Bag.", metadata=column_meta(unit="id", source="bag"))
    return {
        "bags": Dataset(
            name="bags",
            files=(JsonLinesFile(name="bags.json", description="Bags.", schema={"bag": pl.Int64, "items": raw}),),
            tables=(
                Table(
                    name="bags", description="Bags.", contract=type("Bags", (dy.Schema,), {"bag": bag, "items": items})
                ),
            ),
        )
    }


def test_lists_may_have_other_values_and_do_not_become_something_else(tmp_path: Path) -> None:
    path = tmp_path / "in" / "bags" / "bags.json"
    path.parent.mkdir(parents=True)
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake"), "NEQUI_LAKE_SOURCE": str(tmp_path / "in")})
    facts: dict[str, Any] = {"description": "Items.", "metadata": column_meta(unit="count", source="items")}
    releases = []
    for inner, raw, items in ((dy.Int64(), pl.Int64(), "[1]"), (dy.String(), pl.String(), '["a"]')):
        path.write_text(f'{{"bag": 1, "items": {items}}}')
        lake = Lake(settings, bags(dy.List(inner, **facts), pl.List(raw)))
        releases.append(released(lake, "bags"))
    assert lake.table("bags.bags").to_polars().rows() == [(1, ["a"])]
    assert Lake(settings, lake.datasets, as_of=releases[0]).table("bags.bags").to_polars().rows() == [(1, [1])]
    path.write_text('{"bag": 1, "items": 2}')
    with pytest.raises(CatalogError, match="cannot take a column of the type that is declared now"):
        released(Lake(settings, bags(dy.Int64(**facts), pl.Int64())), "bags")
    assert lake.table("bags.bags").to_polars().rows() == [(1, ["a"])]


def test_changed_descriptions_reach_the_catalog(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    released(Lake(settings, {"sales": declared()}), "sales")
    # Both contracts stand in this module; the change of a description is a change of its module.
    monkeypatch.setattr("nequi_lake.pipeline.tables.release_id", lambda *_: "another")
    lake = Lake(settings, {"sales": replace(declared(contract=Described), title="All sales")})
    released(lake, "sales")
    iceberg = lake.catalog.iceberg("sales", "sales")
    assert iceberg is not None
    assert [field.doc for field in iceberg.schema().fields] == ["Number of the sale.", "City.", "Day of the sale."]
    assert iceberg.properties["nequi.dataset"] == "All sales"


class Tagged(Sales):
    """One row per sale."""

    tags = dy.List(
        dy.String(), description="Words of the city.", metadata=column_meta(unit="text", derived_from=["city"])
    )


class TaggedAndNamed(Tagged):
    """One row per sale."""

    town = dy.String(description="City again.", metadata=column_meta(unit="text", source="city"))


def test_a_table_with_a_list_gets_a_new_column(settings: Settings) -> None:
    words = {"tags": pl.col("city").str.split("o")}
    for contract in (Tagged, TaggedAndNamed):
        dataset = declared(contract=contract)
        table = replace(dataset.tables[0], parse=words)
        lake = Lake(settings, {"sales": replace(dataset, tables=(table,))})
        released(lake, "sales")
    found = lake["sales"]["sales"].to_polars().sort("sale")
    assert found["tags"].to_list()[0] == ["B", "g", "tá"]
    assert found["town"].to_list() == found["city"].to_list()
