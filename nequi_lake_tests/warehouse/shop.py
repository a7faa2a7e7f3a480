"""A small dataset with keys and a reference, and a lake of it beside a warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dataframely as dy

from nequi_lake import Lake
from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.formats import CsvFile
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import released


class Customers(dy.Schema):
    """One row per customer."""

    id = dy.Int64(primary_key=True, description="Number.", metadata=column_meta(unit="id", source="id"))
    name = dy.String(
        nullable=True, description="What it's called.", metadata=column_meta(unit="text", source="name", null_limit=1)
    )


class Orders(dy.Schema):
    """One row per order."""

    number = dy.String(
        primary_key=True, max_length=20, description="Number.", metadata=column_meta(unit="id", source="number")
    )
    customer = dy.Int64(
        description="Who orders.", metadata=column_meta(unit="id", source="customer", references="customers")
    )
    amount = dy.Decimal(12, 2, description="Amount.", metadata=column_meta(unit="EUR", source="amount"))
    paid = dy.Bool(
        nullable=True, description="Whether paid.", metadata=column_meta(unit="flag", source="paid", null_limit=1)
    )


CUSTOMERS = CsvFile(name="customers.csv", description="Customers.", columns=("id", "name"))
ORDERS = CsvFile(name="orders.csv", description="Orders.", columns=("number", "customer", "amount", "paid"))
SHOP = Dataset(
    name="shop",
    files=(CUSTOMERS, ORDERS),
    tables=(
        Table(name="customers", description="Customers' names.", contract=Customers, files=("customers.csv",)),
        Table(name="orders", description="Orders.", contract=Orders, files=("orders.csv",)),
    ),
)

Row = Sequence[object]


def with_contract(table: str, contract: type[dy.Schema]) -> Dataset:
    """The shop, with another contract of a table."""
    return replace(
        SHOP, tables=tuple(replace(one, contract=contract) if one.name == table else one for one in SHOP.tables)
    )


def publish(
    folder: Path, customers: Sequence[Row], orders: Sequence[Row], dataset: Dataset = SHOP, **settings: str
) -> Lake:
    """Publish a release of the shop; the lake that has it.

    Args:
        folder: of lake and inbox.
        customers, orders: the records.
        dataset: how the shop is declared.
        settings: more of the lake's, in small letters.
    """
    inbox = folder / "inbox" / dataset.name
    inbox.mkdir(parents=True, exist_ok=True)
    for file, rows in zip(dataset.files, (customers, orders), strict=True):
        lines = [",".join(file.field_paths), *(",".join(map(str, row)) for row in rows)]
        (inbox / file.name).write_text("\n".join(lines) + "\n")
    lake = lake_of(folder, dataset, **settings)
    released(lake, dataset.name)
    return lake


def lake_of(folder: Path, dataset: Dataset = SHOP, **settings: str) -> Lake:
    """The lake in a folder, with more settings, in small letters."""
    more: Mapping[str, Any] = {f"NEQUI_LAKE_{name.upper()}": value for name, value in settings.items()}
    environment = {"NEQUI_LAKE_URI": str(folder / "lake"), "NEQUI_LAKE_SOURCE": str(folder / "inbox"), **more}
    return Lake(Settings.from_env(environment), {dataset.name: dataset})
