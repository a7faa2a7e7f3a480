"""A contract's own rules over several columns are kept, record by record, with their name as the reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from nequi_lake import Lake
from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.errors import DeclarationError
from nequi_lake.formats import CsvFile
from nequi_lake.lake.quarantine import newest_quarantine
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import released


class Stays(dy.Schema):
    """One row per stay."""

    stay = dy.Int64(primary_key=True, description="Stay.", metadata=column_meta(unit="id", source="stay"))
    arrival = dy.Date(description="Day.", metadata=column_meta(unit="date", source="arrival"))
    departure = dy.Date(
        nullable=True, description="Day.", metadata=column_meta(unit="date", source="departure", null_limit=1.0)
    )

    @dy.rule()
    def leaves_after_arrival(cls) -> pl.Expr:
        return pl.col("departure") > pl.col("arrival")


def declared(
    contract: type[dy.Schema], *, dropped: Mapping[str, str] = MappingProxyType({}), **changes: Any
) -> Dataset:
    table = Table(name="stays", description="Stays.", contract=contract, **{"quarantine_limit": 0.5, **changes})
    return Dataset(
        name="hotel",
        slug="nobody/hotel",
        title="Hotel",
        licence="none",
        use_case="Tests.",
        files=(
            CsvFile(name="stays.csv", description="Stays.", columns=("stay", "arrival", "departure"), dropped=dropped),
        ),
        tables=(table,),
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A lake filled from a folder with four stays, of which the third ends before it begins."""
    inbox = tmp_path / "inbox" / "hotel"
    inbox.mkdir(parents=True)
    rows = ["1,2024-01-01,2024-01-02", "2,2024-01-01,", "3,2024-01-05,2024-01-02", "4,2024-01-03,2024-01-09"]
    (inbox / "stays.csv").write_text("\n".join(["stay,arrival,departure", *rows]) + "\n")
    return Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake"), "NEQUI_LAKE_SOURCE": str(inbox.parent)})


def test_a_record_that_breaks_a_rule_is_quarantined_with_its_name(settings: Settings) -> None:
    lake = Lake(settings, {"hotel": declared(Stays)})
    released(lake, "hotel")
    assert sorted(lake.table("hotel.stays").to_arrow()["stay"].to_pylist()) == [1, 2, 4]
    (bad,) = (
        newest_quarantine(lake.storage, lake.datasets["hotel"], lake.datasets["hotel"].table("stays"))
        .collect()
        .to_dicts()
    )
    assert (bad["line"], bad["rule"]) == (4, "stays.leaves_after_arrival: the rule is broken")


def test_a_rule_over_a_derived_column_is_asked_of_the_finished_rows(settings: Settings) -> None:
    class Derived(Stays):
        """One row per stay."""

        nights = dy.Int64(
            nullable=True,
            description="Nights.",
            metadata=column_meta(unit="count", derived_from=["arrival", "departure"], null_limit=1.0),
        )

        @dy.rule()
        def two_nights(cls) -> pl.Expr:
            return pl.col("nights") >= 2

    def nights(records: pl.LazyFrame) -> pl.LazyFrame:
        return records.with_columns(nights=(pl.col("departure") - pl.col("arrival")).dt.total_days())

    lake = Lake(settings, {"hotel": declared(Derived, transform=nights, group_by=("stay",))})
    released(lake, "hotel")
    assert sorted(lake.table("hotel.stays").to_polars()["stay"]) == [2, 4]
    assert dict(lake.table("hotel.stays").quarantine().select("line", "rule").rows()) == {
        2: "stays.two_nights: the rule is broken",
        4: "stays.leaves_after_arrival: the rule is broken",
    }


def test_a_rule_about_several_rows_is_refused() -> None:
    class Grouped(Stays):
        """One row per stay."""

        @dy.rule()
        def one_arrival_a_day(cls) -> pl.Expr:
            return pl.len().over("arrival") == 1

    with pytest.raises(DeclarationError, match="the rule one_arrival_a_day looks at several rows"):
        declared(Grouped)


def test_a_rule_about_an_unknown_column_is_refused() -> None:
    class Unknown(Stays):
        """One row per stay."""

        @dy.rule()
        def paid(cls) -> pl.Expr:
            return pl.col("amount") > 0

    with pytest.raises(DeclarationError, match="the rule paid names amount, which is no column"):
        declared(Unknown)


def kept(settings: Settings, **options: Any) -> list[int]:
    """The stays that are published where the arrival is a text with these options."""

    class Texts(dy.Schema):
        """One row per stay."""

        stay = dy.Int64(primary_key=True, description="Stay.", metadata=column_meta(unit="id", source="stay"))
        arrival = dy.String(description="Day.", metadata=column_meta(unit="text", source="arrival"), **options)

    lake = Lake(settings, {"hotel": declared(Texts, dropped={"departure": "not needed"})})
    released(lake, "hotel")
    return sorted(lake.table("hotel.stays").to_arrow()["stay"].to_pylist())


def test_lengths_and_checks_are_kept(settings: Settings) -> None:
    assert kept(settings, min_length=10, max_length=10) == [1, 2, 3, 4]
    assert kept(settings, check=[lambda day: day.str.ends_with("1"), lambda day: day.str.starts_with("2")]) == [1, 2]


def test_records_that_share_a_value_that_must_be_unique_are_put_aside(settings: Settings) -> None:
    assert kept(settings, unique=True) == [3, 4]


def test_a_check_about_several_rows_is_refused(settings: Settings) -> None:
    with pytest.raises(DeclarationError, match="looks at several rows"):
        kept(settings, check=lambda day: day.is_unique())
