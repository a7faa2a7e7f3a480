"""A dataset for tests, of a parent and a child that one file feeds: small enough to see every row."""

from __future__ import annotations

from collections.abc import Iterable

import dataframely as dy

from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.formats import CsvFile

COLUMNS = ("order", "client", "town", "usd")


class Clients(dy.Schema):
    """One row per client."""

    client = dy.Int64(primary_key=True, description="Client.", metadata=column_meta(unit="id", source="client"))
    town = dy.String(
        nullable=True, description="Town.", metadata=column_meta(unit="text", source="town", null_limit=1.0)
    )


class Orders(dy.Schema):
    """One row per order."""

    order = dy.Int64(primary_key=True, description="Order.", metadata=column_meta(unit="id", source="order"))
    client = dy.Int64(description="Client.", metadata=column_meta(unit="id", source="client", references="clients"))
    usd = dy.Float64(min=0, description="Sum.", metadata=column_meta(unit="USD", source="usd"))


def orders(limit: float) -> Dataset:
    """The dataset, of which the share ``limit``, 0 to 1, of the records may be bad."""
    return Dataset(
        name="orders",
        slug="nobody/orders",
        title="Orders",
        licence="none",
        use_case="Tests.",
        files=(CsvFile(name="orders.csv", description="Orders.", columns=COLUMNS),),
        tables=(
            Table(name="clients", description="Clients.", contract=Clients, quarantine_limit=limit),
            Table(name="orders", description="Orders.", contract=Orders, quarantine_limit=limit),
        ),
    )


def orders_csv(lines: Iterable[str]) -> str:
    """The raw file of these lines."""
    return "\n".join((",".join(COLUMNS), *lines)) + "\n"
