"""What quarantined records break is counted rule by rule, each with values of a record that a person can look up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from nequi_lake import Lake
from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.errors import AuditError
from nequi_lake.formats import CsvFile
from nequi_lake.lake.quarantine import BrokenRule
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import released

COLUMNS = ("Room No.", "from", "to", "city code")


class Stays(dy.Schema):
    """One row per stay."""

    room = dy.Int64(primary_key=True, description="Room.", metadata=column_meta(unit="id", source="Room No."))
    arrival = dy.Date(description="Day.", metadata=column_meta(unit="date", source="from"))
    departure = dy.Date(description="Day.", metadata=column_meta(unit="date", source="to"))
    city = dy.String(
        regex="^[A-Z]{3}; [0-9]$", description="City.", metadata=column_meta(unit="text", source="city code")
    )

    @dy.rule()
    def leaves_after_arrival(cls) -> pl.Expr:
        return pl.col("departure") > pl.col("arrival")


class Cities(dy.Schema):
    """One row per room."""

    room = dy.Int64(primary_key=True, description="Room.", metadata=column_meta(unit="id", source="Room No."))


def hotel(limit: float, rooms_limit: float = 1.0) -> Dataset:
    return Dataset(
        name="hotel",
        files=(
            CsvFile(name="stays.csv", description="Stays.", columns=COLUMNS),
            CsvFile(name="rooms.csv", description="Rooms.", columns=("Room No.",)),
        ),
        tables=(
            Table(name="rooms", description="R.", contract=Cities, files=("rooms.csv",), quarantine_limit=rooms_limit),
            Table(name="stays", description="S.", contract=Stays, files=("stays.csv",), quarantine_limit=limit),
            Table(name="cities", description="C.", contract=Cities, quarantine_limit=limit),
        ),
    )


def lake_of(folder: Path, parts: Sequence[Sequence[str]], limit: float = 0.5, rooms: str = "901") -> Lake:
    inbox = folder / "in" / "hotel"
    (inbox / "stays").mkdir(parents=True)
    for number, rows in enumerate(parts, 1):
        (inbox / "stays" / f"part-{number}.csv").write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    (inbox / "rooms.csv").write_text(f"Room No.\n{rooms}\n")
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(folder / "lake"), "NEQUI_LAKE_SOURCE": str(folder / "in")})
    return Lake(settings, {"hotel": hotel(limit)})


FIRST = ["1,2024-01-01,2024-01-02,ABC; 1", "2,2024-01-05,2024-01-02,ABC; 1", "3,2024-01-01,2024-01-02,abc"]
SECOND = [
    "4,2024-01-01,2024-01-02,ABC; 2",
    "5,2024-01-01,2024-01-02,xyz",
    "6,2024-01-01",
    *(f"{n},2024-01-01,2024-01-02,ABC; 3" for n in range(7, 12)),
]


def test_rules_are_counted_over_the_parts_of_a_file_each_with_an_example(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [FIRST, SECOND])
    released(lake, "hotel")
    assert lake.broken_rules("hotel.stays") == [
        BrokenRule("stays/part-1.csv", "stays", "city: must match ^[A-Z]{3}; [0-9]$", 2, 4, '"abc"'),
        BrokenRule("stays/part-2.csv", None, "2 fields where the header has 4", 1, 4, '"6,2024-01-01"'),
        BrokenRule(
            "stays/part-1.csv",
            "stays",
            "leaves_after_arrival: the rule is broken",
            1,
            3,
            '{"from": "2024-01-05", "to": "2024-01-02"}',
        ),
    ]


def test_the_records_have_their_rules_one_by_one(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [["3,2024-01-05,2024-01-02,abc", *FIRST[:1], *SECOND]])
    released(lake, "hotel")
    first = lake.quarantine("hotel.stays").row(0, named=True)
    assert first["rules"] == [
        "stays.city: must match ^[A-Z]{3}; [0-9]$",
        "stays.leaves_after_arrival: the rule is broken",
    ]
    assert first["rule"] == "; ".join(first["rules"])
    assert json.loads(first["raw"])["city code"] == "abc"


def test_records_of_a_version_that_knew_no_single_rules_are_read(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [FIRST, SECOND])
    released(lake, "hotel")
    for path in (tmp_path / "lake" / "quarantine" / "hotel").rglob("*.parquet"):
        pl.read_parquet(path).drop("rules").write_parquet(path)
    found = lake.quarantine("hotel.stays")
    assert found["rules"].to_list() == [[rule] for rule in found["rule"]]


def test_a_refusal_names_the_problem_of_each_file_once(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [FIRST, SECOND], limit=0.1, rooms="x\ny\n901")
    with pytest.raises(AuditError) as refused:
        released(lake, "hotel")
    of_stays, of_rooms = (line for line in str(refused.value).splitlines() if "quarantine_limit" in line)
    assert of_stays.startswith("hotel.stays, hotel.cities fail quarantine_limit: 4 of 11 records of stays.csv ")
    assert of_rooms.startswith("hotel.cities fails quarantine_limit: 2 of 3 records of rooms.csv ")
    assert "rooms.csv" not in of_stays


@pytest.mark.parametrize(
    ("records", "damaged", "readable"), [(10, 1, True), (10, 2, False), (1_000, 5, True), (1_000, 6, False)]
)
def test_the_limit_of_a_file_is_the_one_that_allows_the_fewest(records: int, damaged: int, readable: bool) -> None:
    # Of ten records the larger share allows one, and the smaller, for its floor, five.
    tables = (
        Table(name="floor", description="F.", contract=Cities, quarantine_limit=0.001, quarantine_floor=5),
        Table(name="share", description="S.", contract=Cities, quarantine_limit=0.1, quarantine_floor=0),
    )
    dataset = Dataset(
        name="hotel",
        files=(CsvFile(name="rooms.csv", description="Rooms.", columns=("Room No.",)),),
        tables=tables,
    )
    assert dataset.quarantine_limit(dataset.files[0], records).is_kept(damaged, records) is readable
