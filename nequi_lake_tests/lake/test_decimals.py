"""Amounts of money keep each of their digits, in the files and for every reader."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import dataframely as dy
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from nequi_lake import Lake
from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.errors import AuditError
from nequi_lake.formats import CsvFile
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import released

CENTS = [Decimal(number % 100) / 100 + 10**12 for number in range(9_999)]
"""Amounts whose sum no float has."""
FEE = "0.0000000063"
Kind = Callable[..., dy.Column]


def cents(**facts: Any) -> dy.Column:
    """A column of amounts in cents."""
    return dy.Decimal(18, 2, **facts)


def ledger(amount: Kind = cents) -> dict[str, Dataset]:
    """A dataset of entries, whose amount is of this type."""
    contract = type(
        "Entries",
        (dy.Schema,),
        {
            "__doc__": "One row per entry.",
            "entry": dy.Int64(primary_key=True, description="Entry.", metadata=column_meta(unit="id", source="entry")),
            "amount": amount(
                nullable=True,
                min=0,
                description="Amount.",
                metadata=column_meta(unit="COP", source="amount", null_limit=0.5),
            ),
            "fee": dy.Decimal(18, 10, description="Fee.", metadata=column_meta(unit="COP", source="fee")),
        },
    )
    file = CsvFile(name="entries.csv", description="Entries.", columns=("entry", "amount", "fee"))
    table = Table(name="entries", description="Entries.", contract=contract, quarantine_limit=0.5)
    return {
        "ledger": Dataset(
            name="ledger",
            slug="nobody/ledger",
            title="Ledger",
            licence="none",
            use_case="Tests.",
            files=(file,),
            tables=(table,),
        )
    }


@pytest.fixture
def deliver(tmp_path: Path) -> Callable[..., Lake]:
    """A lake with these amounts, of this type, published."""

    def publish(amounts: list[Any], amount: Kind = cents, fee: str = FEE) -> Lake:
        path = tmp_path / "in" / "ledger" / "entries.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = (f"{entry},{'' if value is None else value},{fee}\n" for entry, value in enumerate(amounts))
        path.write_text("entry,amount,fee\n" + "".join(rows))
        uri, source = str(tmp_path / "lake"), str(tmp_path / "in")
        lake = Lake(Settings.from_env({"NEQUI_LAKE_URI": uri, "NEQUI_LAKE_SOURCE": source}), ledger(amount))
        released(lake, "ledger")
        return lake

    return publish


Deliver = Callable[..., Lake]


def test_every_reader_adds_up_to_the_cent(deliver: Deliver) -> None:
    exact = sum(CENTS)
    assert Decimal(float(exact)) != exact
    lake = deliver([*CENTS, None])
    table = lake.table("ledger.entries")
    frame = table.to_pandas()
    assert frame["amount"].sum() == exact
    assert frame.groupby(frame["entry"] % 1)["amount"].sum().to_list() == [exact]
    assert (frame["amount"].isna().sum(), frame.dtypes["amount"].pyarrow_dtype) == (1, table.to_arrow()["amount"].type)
    assert frame["amount"].astype("float64").mean() == pytest.approx(float(exact / len(CENTS)))
    for by_polars in (table.to_polars(), table.scan().collect(), pl.from_pandas(frame)):
        assert by_polars["amount"].dtype == pl.Decimal(18, 2)
        assert by_polars["amount"].sum() == exact
    answer = lake.sql("SELECT sum(amount) AS amount, avg(amount) AS mean, sum(fee) AS fees FROM ledger.entries")
    (row,) = answer.to_pylist()
    assert (row["amount"], row["fees"]) == (exact, Decimal(FEE) * (len(CENTS) + 1))
    assert isinstance(row["mean"], float)
    assert answer.to_pandas()["amount"].item() == exact


def test_the_files_say_what_the_numbers_are(deliver: Deliver) -> None:
    table = deliver([Decimal("0.10"), None]).table("ledger.entries")
    (path,) = table.files()
    column = pq.ParquetFile(path).schema.column(1)
    assert (column.physical_type, str(column.logical_type)) == ("INT64", "Decimal(precision=18, scale=2)")
    statistics = pq.read_metadata(path).row_group(0).column(1).statistics
    assert (statistics.min, statistics.null_count) == (Decimal("0.10"), 1)
    iceberg = Lake(table._lake.settings, ledger()).catalog.iceberg("ledger", "entries")  # type: ignore[attr-defined]
    assert iceberg is not None
    assert str(iceberg.schema().find_type("amount")) == "decimal(18, 2)"


def test_an_amount_that_is_too_fine_too_large_or_below_its_limit_is_put_aside(deliver: Deliver) -> None:
    lake = deliver(["1.10", "0.001", "12345678901234567", "-0.01", "7", "8"])
    table = lake.table("ledger.entries")
    assert table.to_polars()["amount"].to_list() == [Decimal("1.10"), Decimal(7), Decimal(8)]
    rules = table.quarantine().sort("record")["rule"].to_list()
    assert [("of at most 16 digits" in rule, "must be >= 0" in rule) for rule in rules] == [
        *((True, False), (True, False), (False, True))
    ]


def test_missing_amounts_have_their_limit(deliver: Deliver) -> None:
    with pytest.raises(AuditError, match="amount is missing in 2 of 3 rows"):
        deliver(["1.10", None, None])


def test_a_nought_of_ten_decimals_is_written_out(deliver: Deliver) -> None:
    table = deliver(["0"], fee="0").table("ledger.entries")
    assert ">0.0000000000<" in table._repr_html_()
    assert table.describe()["min"].to_list()[1:] == ["0.00", "0.0000000000"]


@pytest.mark.parametrize("old", [dy.Float64, lambda **facts: dy.Decimal(12, 4, **facts), dy.Int64])
def test_a_column_that_becomes_a_decimal_is_so_from_the_next_release_on(
    old: Kind, deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    amount = "3" if old is dy.Int64 else "0.125"
    before = deliver([amount], old)
    first = before.table("ledger.entries")
    was = first.to_polars()["amount"]
    # Until then a reader sees what was published, and nothing is rounded to the new type.
    with caplog.at_level(logging.WARNING):
        waiting = Lake(before.settings, ledger()).table("ledger.entries")
    assert "other columns than its contract has now (amount)" in caplog.text
    assert waiting.to_polars()["amount"].equals(was)
    assert waiting.to_pandas()["amount"].item() == was.item()
    assert waiting.describe()["type"].to_list()[1] == first.describe()["type"].to_list()[1]

    after = deliver(["0.12", "0.13"])
    assert after.sql("SELECT sum(amount) AS total FROM ledger.entries").to_pylist() == [{"total": Decimal("0.25")}]
    assert after.table("ledger.entries").scan().collect()["amount"].dtype == pl.Decimal(18, 2)
    for declared in (ledger(), ledger(old)):
        then = Lake(before.settings, declared, as_of=first.published.release.id).table("ledger.entries")
        assert then.to_polars()["amount"].equals(was)
        assert then.scan().collect()["amount"].equals(was)
    assert deliver([amount], old).table("ledger.entries").to_polars()["amount"].equals(was)


def test_old_code_reads_the_decimals_of_a_newer_lake(deliver: Deliver) -> None:
    lake = deliver(["0.10"])
    frame = Lake(lake.settings, ledger(dy.Float64)).table("ledger.entries").to_pandas()
    assert frame.dtypes["amount"] == pd.ArrowDtype(lake.table("ledger.entries").to_arrow()["amount"].type)
