"""A dataset whose deliveries add to what is there: nothing twice, nothing lost, and any of them can be withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dataframely as dy
import pytest

from nequi_lake import Lake
from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.errors import AuditError, DeclarationError, UsageError
from nequi_lake.formats import CsvFile
from nequi_lake.lake.catalog.leftovers import RAW_VERSION, leftovers, remove_leftover
from nequi_lake.lake.catalog.rollback import roll_back
from nequi_lake.lake.deliveries import deliveries, withdraw
from nequi_lake.lake.raw import RawZone
from nequi_lake.lake.settings import Settings
from nequi_lake.pipeline.fetch import fetch_and_keep
from nequi_lake.pipeline.tables import publish_tables
from nequi_lake.sources import Sources
from nequi_lake_tests.conftest import Shell, released


class Sales(dy.Schema):
    """One row per sale."""

    id = dy.Int64(primary_key=True, description="Number.", metadata=column_meta(unit="id", source="id"))
    amount = dy.Int64(
        nullable=True, description="Amount.", metadata=column_meta(unit="COP", source="amount", null_limit=1.0)
    )
    at = dy.Date(nullable=True, description="Day.", metadata=column_meta(unit="date", source="at", null_limit=1.0))


FILE = CsvFile(name="sales.csv", description="Sales.", columns=("id", "amount", "at"))
Row = tuple[Any, ...]


def sales(quarantine_limit: float = 0.5, **table: Any) -> Dataset:
    """The dataset, with more words of its table."""
    return Dataset(
        name="sales",
        files=(FILE,),
        arrives="increments",
        tables=(Table(name="sales", description="Sales.", contract=Sales, quarantine_limit=quarantine_limit, **table),),
    )


class Shop:
    """A lake of sales, and the inbox that it is fed from."""

    def __init__(self, folder: Path, dataset: Dataset) -> None:
        self._inbox = folder / "in" / "sales" / "sales.csv"
        self._inbox.parent.mkdir(parents=True)
        settings = Settings.from_env({"NEQUI_LAKE_URI": str(folder / "lake"), "NEQUI_LAKE_SOURCE": str(folder / "in")})
        self.lake = Lake(settings, {"sales": dataset})
        self.dataset = dataset

    def put(self, rows: Sequence[Row]) -> None:
        """Lay a file into the inbox, in the place of the one before."""
        self._inbox.write_text("id,amount,at\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))

    def deliver(self, *rows: Row) -> str:
        """Deliver a file, and publish; the release's id."""
        self.put(rows)
        return released(self.lake, "sales")

    @property
    def rows(self) -> list[Row]:
        """What readers see: id and amount."""
        return self.lake.table("sales.sales").to_polars().sort("id").select("id", "amount").rows()

    @property
    def account(self) -> tuple[int, int, int]:
        """Raw records, quarantined and merged ones."""
        account = self.lake.table("sales.sales").published.accounting
        return account.raw_records, account.quarantined, account.merged


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path, sales())


def test_what_comes_is_added_and_the_same_again_is_nothing_new(shop: Shop) -> None:
    first = shop.deliver((1, 10, ""), (2, 20, ""))
    assert shop.deliver((1, 10, ""), (2, 20, "")) == first
    second = shop.deliver((3, 30, ""))
    assert shop.rows == [(1, 10), (2, 20), (3, 30)]
    assert shop.deliver((1, 10, ""), (2, 20, "")) == second
    assert [(one.number, one.records, one.is_withdrawn) for one in deliveries(shop.dataset, shop.lake.storage)] == [
        (1, 2, False),
        (2, 1, False),
    ]
    assert shop.account == (3, 0, 0)


def test_a_delivery_can_be_withdrawn_and_later_ones_stay(shop: Shop) -> None:
    shop.deliver((1, 10, ""))
    shop.deliver((2, 99, ""))
    third = shop.deliver((3, 30, ""))
    withdraw(shop.dataset, 2, shop.lake.storage)
    publish_tables(shop.lake, shop.dataset, "test")
    assert shop.rows == [(1, 10), (3, 30)]
    # The same file again stays withdrawn, and the next number is a new one.
    shop.deliver((2, 99, ""))
    assert shop.rows == [(1, 10), (3, 30)]
    shop.deliver((2, 20, ""))
    assert shop.rows == [(1, 10), (2, 20), (3, 30)]
    found = deliveries(shop.dataset, shop.lake.storage)
    assert [(one.number, one.is_withdrawn) for one in found] == [(1, False), (2, True), (3, False), (4, False)]
    roll_back(shop.dataset, third, shop.lake.catalog, shop.lake.storage)
    assert shop.rows == [(1, 10), (2, 99), (3, 30)]


def test_a_snapshot_becomes_the_first_delivery_of_increments(tmp_path: Path) -> None:
    increments = sales()
    shop = Shop(tmp_path, replace(increments, arrives="snapshots"))
    first = shop.deliver((1, 10, ""))
    shop.dataset, shop.lake = increments, Lake(shop.lake.settings, {"sales": increments})
    assert shop.deliver((1, 10, "")) == first
    assert shop.deliver((2, 20, "")) != first
    assert shop.rows == [(1, 10), (2, 20)]
    shop.deliver((3, 30, ""))
    withdraw(shop.dataset, 1, shop.lake.storage)
    publish_tables(shop.lake, shop.dataset, "test")
    assert shop.rows == [(1, 10), (3, 30)]


def test_what_cannot_be_withdrawn_is_told(shop: Shop) -> None:
    shop.deliver((1, 10, ""))
    with pytest.raises(UsageError, match="has no delivery 7"):
        withdraw(shop.dataset, 7, shop.lake.storage)
    with pytest.raises(UsageError, match=r"nothing of sales\.csv would be left"):
        withdraw(shop.dataset, 1, shop.lake.storage)
    assert shop.rows == [(1, 10)]


def test_a_withdrawal_that_was_killed_is_ended_by_the_next_run(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.deliver((1, 10, ""))
    shop.deliver((2, 99, ""))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RawZone, "keep", killed)
        with pytest.raises(KeyboardInterrupt):
            withdraw(shop.dataset, 2, shop.lake.storage)
    released(shop.lake, "sales")
    assert shop.rows == [(1, 10)]


@pytest.mark.parametrize("step", ["_upload_parts", "_write_manifest", "_make_current"])
def test_a_delivery_that_was_killed_comes_once_with_the_next_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    shop.deliver((1, 10, ""))
    shop.put([(2, 20, "")])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RawZone, step, killed)
        with pytest.raises(KeyboardInterrupt):
            fetch_and_keep(shop.lake, shop.dataset, Sources(shop.lake.settings).of(shop.dataset))
    publish_tables(shop.lake, shop.dataset, "test")
    assert shop.rows == [(1, 10)]
    released(shop.lake, "sales")
    assert shop.rows == [(1, 10), (2, 20)]
    assert len(deliveries(shop.dataset, shop.lake.storage)) == 2


def test_a_bad_delivery_is_refused_by_itself_and_harms_no_other(shop: Shop) -> None:
    shop.deliver(*((n, n, "") for n in range(1000)))
    with pytest.raises(AuditError, match="3 of 4 records"):
        shop.deliver((1001,), (1002,), (1003,), (1004, 4, ""))
    assert len(shop.rows) == 1000
    shop.deliver((1001, 1, ""))
    assert len(shop.rows) == 1001


FIRST = [(1, 10, "2024-01-05"), (2, 20, "2024-01-01"), (3, 30, "2024-01-01")]
SECOND = [(1, 11, "2024-01-02"), (2, 21, "2024-01-09"), (3, 30, "2024-01-01"), (4, 40, "")]


@pytest.mark.parametrize(
    ("table", "rows", "account"),
    [
        ({}, [(3, 30), (4, 40)], (7, 4, 1)),
        ({"on_duplicate": "latest"}, [(1, 11), (2, 21), (3, 30), (4, 40)], (7, 0, 3)),
        ({"on_duplicate": "latest", "latest_by": "at"}, [(1, 10), (2, 21), (3, 30), (4, 40)], (7, 0, 3)),
        ({"on_duplicate": "first"}, [(1, 10), (2, 20), (3, 30), (4, 40)], (7, 0, 3)),
    ],
    ids=["quarantine", "latest delivered", "latest by a column", "first"],
)
def test_records_of_one_key_are_resolved_as_declared(
    tmp_path: Path, table: dict[str, Any], rows: list[Row], account: tuple[int, int, int]
) -> None:
    shop = Shop(tmp_path, sales(quarantine_limit=0.7, **table))
    shop.deliver(*FIRST)
    shop.deliver(*SECOND)
    assert shop.rows == rows
    assert shop.account == account


def test_raw_versions_that_deliveries_lie_in_are_not_old(shop: Shop) -> None:
    shop.deliver((1, 10, ""))
    shop.deliver((2, 20, ""))
    shop.deliver((3, 30, ""))
    for left in leftovers(shop.lake.datasets, {}, shop.lake.catalog, shop.lake.storage):
        if left.kind == RAW_VERSION:
            remove_leftover(left, shop.lake.catalog, shop.lake.storage)
    shop.deliver((4, 40, ""))
    assert shop.rows == [(1, 10), (2, 20), (3, 30), (4, 40)]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"on_duplicate": "newest"}, "on_duplicate= is 'quarantine', 'first' or 'latest'"),
        ({"latest_by": "at"}, "latest_by= needs on_duplicate='latest'"),
        ({"on_duplicate": "latest", "latest_by": "nope"}, "latest_by= names nope"),
        ({"on_duplicate": "latest", "transform": lambda records: records}, "each record is a row"),
    ],
)
def test_a_wrong_declaration_is_told(table: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        sales(**table)


def test_only_increments_have_deliveries_to_withdraw(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEQUI_LAKE_URI", str(tmp_path / "lake"))
    for command in (("deliveries", "cite_sum"), ("withdraw", "cite_sum", "1")):
        code, _, said = shell(*command)
        assert code == 2
        assert "cite_sum arrives as snapshots" in said
