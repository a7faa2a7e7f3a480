"""Sensitive columns: the table has what is declared, their rules hold for the real values, and these are nowhere."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from copy import copy
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from nequi_lake import Lake
from nequi_lake.cli.doctor import examine
from nequi_lake.datasets.contract import columns, copy_column
from nequi_lake.datasets.sensitive import HashKey, canonical_text
from nequi_lake.datasets.spec import Dataset, Partition
from nequi_lake.errors import AuditError, StageError, UsageError
from nequi_lake.lake.check import Check
from nequi_lake.lake.settings import Settings
from nequi_lake.pipeline.mart import publish_marts
from nequi_lake.pipeline.report import profile_relation, write_report
from nequi_lake.sources import Sources
from nequi_lake.warehouse.ddl import script
from nequi_lake_tests.conftest import released
from nequi_lake_tests.datasets.people import DATASET, People, of_towns

KEY = "0123456789abcdef0123456789abcdef"
HEADER = "person,name,email,tax_number,income,born,town"
GOOD = ("1,Ana,ana@x.co,T1,10.50,1990-01-02,Cali", "2,Bo,,,7,1991-03-04,Cali", "3,Cy,cy@x.co,T3,9,1992-05-06,Lima")


def hashed(text: str, key: str = KEY) -> str:
    """What stands for a text."""
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def publish_report(lake: Lake) -> Path:
    """Write the report of the people; gives the path of its JSON."""
    table = lake.table("people.people")
    write_report(lake, "people.people", profile_relation(table), snapshot_id=table.published.snapshot_id)
    return Path(lake.settings.uri, "profiling_reports", "people", "people.json")


def deliver(inbox: Path, people: str = "", visits: str = "1,5\n3,6\n", calls: str = "") -> None:
    """Write the raw files; sound ones where none are given."""
    folder = inbox / "people"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "people.csv").write_text(people or "\n".join([HEADER, *GOOD]) + "\n")
    (folder / "visits.csv").write_text(f"who,spent\n{visits}")
    sound = json.dumps({"call": 1, "caller": {"phone": "555 1234", "town": "Cali"}})
    (folder / "calls.json").write_text(calls or f"{sound}\n")


def lake_at(tmp_path: Path, key: str = KEY, dataset: Dataset = DATASET) -> Lake:
    """A lake of the people."""
    env = {"NEQUI_LAKE_URI": str(tmp_path / "lake"), "NEQUI_LAKE_SOURCE": str(tmp_path / "inbox")}
    return Lake(Settings.from_env({**env, "NEQUI_LAKE_HASH_KEY": key}), {dataset.name: dataset})


def test_a_table_has_what_is_declared(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    deliver(tmp_path / "inbox")
    lake = lake_at(tmp_path)
    released(lake, "people")
    rows = lake.table("people.people").to_polars().sort("born")
    assert rows.columns == ["person", "name", "email", "income", "born", "town"]
    by_name = {row["name"]: row for row in rows.iter_rows(named=True)}
    assert by_name[hashed("Ana")] == {
        "person": hashed("1"),
        "name": hashed("Ana"),
        "email": "***",
        "income": "***",
        "born": hashed("1990-01-02"),
        "town": "Cali",
    }
    assert by_name[hashed("Bo")]["email"] is None
    assert lake.table("people.calls").to_polars().rows() == [(1, "Cali")]
    assert lake.table("people.towns").to_polars().sort("town").rows() == [("Cali", "***"), ("Lima", "***")]
    joined = lake.sql("SELECT town, spent FROM people.visits JOIN people.people USING (person) ORDER BY spent")
    assert joined.to_polars().rows() == [("Cali", 5), ("Lima", 6)]
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == []


def test_the_key_is_part_of_the_release(tmp_path: Path) -> None:
    deliver(tmp_path / "inbox")
    first = released(lake_at(tmp_path), "people")
    assert released(lake_at(tmp_path), "people") == first
    other = lake_at(tmp_path, key=KEY[::-1])
    assert released(other, "people") != first
    assert hashed("Ana", KEY[::-1]) in other.table("people.people").to_polars()["name"]


def test_without_a_key_nothing_is_staged(tmp_path: Path) -> None:
    deliver(tmp_path / "inbox")
    with pytest.raises(UsageError, match=r"people has columns that are hashed, .*: people.person, people.name, "):
        released(lake_at(tmp_path, key=""), "people")
    assert not (tmp_path / "lake" / "processed").exists()


def test_a_short_key_is_refused_and_not_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has 9 characters") as refused:
        lake_at(tmp_path, key="password1")
    assert "password1" not in str(refused.value)


def quarantined(lake: Lake) -> dict[int, str]:
    """Record of people.csv → what it breaks."""
    rows = lake.quarantine("people.people")
    return dict(zip(rows["record"], rows["rule"], strict=True))


def test_rules_hold_for_the_real_values(tmp_path: Path) -> None:
    bad = [
        "4,Di,none,T4,1,1990-01-01,Cali",
        "5,Ed,ed@x.co,U5,1,1990-01-01,Cali",
        "6,Fa,fa@x.co,T6,-1,1990-01-01,Cali",
        "7,Gi,gi@x.co,T7,1,1990-13-01,Cali",
        "8,Ha,ha@x.co,T8,9000000,1990-01-01,Quito",
        "9,Io,io@x.co,T9,1,1990-01-01,Cali",
        "9,Io,io@y.co,T9,1,1990-01-01,Cali",
        GOOD[0],
    ]
    deliver(tmp_path / "inbox", "\n".join([HEADER, *GOOD, *bad]) + "\n", visits="1,5\n9,1\n77,1\n")
    lake = lake_at(tmp_path)
    released(lake, "people")
    found = quarantined(lake)
    assert found[3] == "people.email: must match ^[^@]+@[^@]+$"
    assert found[4] == "people.tax_number: must match ^T"
    assert found[5] == "people.income: must be >= 0"
    assert found[6] == "people.born: cannot be read as Date: expected is a date written as YYYY-MM-DD"
    assert found[7] == "towns.top_income: must be <= 8000000"
    assert found[8] == found[9] == "people.person: other records have the same and differ in email"
    # The last record gives what the first has given.
    assert found.keys() == {3, 4, 5, 6, 7, 8, 9}
    assert lake.table("people.people").published.accounting.merged == 1
    orphans = lake.quarantine("people.visits")
    assert orphans["rule"].unique().to_list() == [
        "visits.person: people has no such row, or its record is in the quarantine"
    ]
    assert orphans["record"].to_list() == [1, 2]


def test_what_is_made_of_values_is_checked_before_it_is_hidden(tmp_path: Path) -> None:
    deliver(tmp_path / "inbox", "\n".join([HEADER, *GOOD, "8,Ha,ha@x.co,T8,9000000,1990-01-01,Quito"]) + "\n")
    lake = lake_at(tmp_path)
    released(lake, "people")
    assert quarantined(lake) == {3: "towns.top_income: must be <= 8000000"}


def test_a_column_that_is_dropped_keeps_its_null_limit(tmp_path: Path) -> None:
    people = [f"{number},A,a@x.co,,1,1990-01-01,Cali" for number in range(10, 14)]
    deliver(tmp_path / "inbox", "\n".join([HEADER, *GOOD, *people]) + "\n")
    with pytest.raises(AuditError, match=r"tax_number is missing in 5 of 7 rows"):
        released(lake_at(tmp_path), "people")


def test_values_of_other_types_that_are_equal_have_one_hash() -> None:
    values = pl.DataFrame(
        {"a": [Decimal("5.00"), Decimal("0.10"), Decimal("-120"), None], "b": [True, False, None, None]},
        schema={"a": pl.Decimal(9, 2), "b": pl.Boolean},
    ).with_columns(
        c=pl.col("a").cast(pl.Decimal(9, 0)),
        d=pl.lit(datetime(2020, 1, 2, 3, 4, 5)).cast(pl.Datetime("ms")),
        e=pl.lit(date(2020, 1, 2)),
        f=pl.lit(datetime(2020, 1, 2, 3, 4, 5)).dt.replace_time_zone("UTC"),
    )
    texts = values.select(canonical_text(pl.col(name), dtype) for name, dtype in values.schema.items())
    assert texts["a"].to_list() == ["5", "0.1", "-120", None]
    assert texts["b"].to_list() == ["true", "false", None, None]
    assert texts["c"].to_list() == ["5", "0", "-120", None]
    assert texts.row(0)[3:] == ("2020-01-02T03:04:05.000000", "2020-01-02", "2020-01-02T03:04:05.000000Z")


def test_partitions_are_those_of_the_hashes(tmp_path: Path) -> None:
    deliver(tmp_path / "inbox")
    people = replace(DATASET.table("people"), partition_by=Partition("name"))
    tables = (people, *(table for table in DATASET.tables if table.name != "people"))
    lake = lake_at(tmp_path, dataset=replace(DATASET, tables=tables))
    released(lake, "people")
    folders = {path.parent.name for path in (tmp_path / "lake" / "processed" / "people" / "people").rglob("*.parquet")}
    assert folders == {f"name={hashed(name)}" for name in ("Ana", "Bo", "Cy")}


def test_reports_and_figures_show_no_value(tmp_path: Path) -> None:
    deliver(tmp_path / "inbox")
    lake = lake_at(tmp_path)
    released(lake, "people")
    content = json.loads(publish_report(lake).read_text())
    of = {column["column"]: column for column in content["profile"]}
    assert (of["name"]["distinct"], of["email"]["missing"], of["born"]["count"]) == (3, 1, 3)
    for name in ("person", "name", "email", "income", "born"):
        assert (of[name]["min"], of[name]["max"], of[name]["top"], of[name]["values"]) == ("***", "***", [], None)
        assert {*of[name]["sample"]} <= {"***", None}
    figures = lake.table("people.people").describe()
    assert {*figures.filter(pl.col("column") != "town")["max"]} == {"***"}


def test_a_column_that_becomes_sensitive_is_in_no_later_report(tmp_path: Path) -> None:
    in_clear = clear(DATASET)
    deliver(tmp_path / "inbox")
    before = lake_at(tmp_path, dataset=in_clear)
    released(before, "people")
    report = publish_report(before)
    assert "ana@x.co" in report.read_text()
    lake = lake_at(tmp_path)
    released(lake, "people")
    assert publish_report(lake) == report
    assert lake.table("people.people").to_polars().schema["person"] == pl.String
    assert "ana@x.co" not in report.read_text()
    assert json.loads(report.read_text())["before"]["rows"] == 3


def clear(dataset: Dataset) -> Dataset:
    """The dataset as if nothing of it were sensitive."""

    def contract(of: type[dy.Schema]) -> type[dy.Schema]:
        columns = {name: copy(column) for name, column in of.columns().items()}
        for column in columns.values():
            column.metadata = {**(column.metadata or {}), "sensitive": None}
        return type(of.__name__, (dy.Schema,), {"__module__": of.__module__, **columns})

    tables = (replace(table, contract=contract(table.contract)) for table in dataset.tables)
    return replace(dataset, tables=tuple(tables), marts=())


def test_doctor_says_which_key_there_is(tmp_path: Path) -> None:
    def found(key: str) -> Check:
        lake = lake_at(tmp_path, key=key)
        return next(check for check in examine(lake, Sources(lake.settings)) if check.name == "hash_key")

    there, missing = found(KEY), found("")
    assert (there.passed, there.found) == (True, f"key {HashKey(KEY).id}, for people")
    assert not missing.passed
    assert "openssl rand -hex 32" in missing.fix
    assert KEY not in repr(HashKey(KEY))


def test_a_mart_has_the_hashes_of_its_tables(tmp_path: Path) -> None:
    deliver(tmp_path / "inbox")
    lake = lake_at(tmp_path)
    released(lake, "people")
    publish_marts(lake, DATASET, DATASET.mart_groups[0], "test")
    assert lake.table("people.spending").to_polars().sort("spent").rows() == [(hashed("1"), 5), (hashed("3"), 6)]


def test_a_warehouse_has_what_the_tables_have() -> None:
    people = script(DATASET).split('CREATE TABLE "people"."people" (\n')[1].split("\n);")[0]
    assert re.findall(r'"(\w+)" (\w+)', people) == [
        (name, "text") for name in ("person", "name", "email", "income", "born", "town")
    ]


def test_a_column_is_copied_as_it_is_published() -> None:
    class Copied(dy.Schema):
        """One row per person."""

        person = copy_column(People, "people.person", is_key=True)
        town = copy_column(People, "people.town")

    assert {name: column.dtype for name, column in columns(Copied).items()} == {"person": pl.String, "town": pl.String}
    assert columns(Copied)["person"].unit == "id"


def test_a_transform_of_another_type_is_named_before_its_values_are_hidden(tmp_path: Path) -> None:
    def as_float(records: pl.LazyFrame) -> pl.LazyFrame:
        return of_towns(records).with_columns(pl.col("top_income").cast(pl.Float64))

    deliver(tmp_path / "inbox")
    towns = replace(DATASET.table("towns"), transform=as_float)
    tables = tuple(towns if table.name == "towns" else table for table in DATASET.tables)
    with pytest.raises(StageError, match=r"of towns gives top_income as Float64, and the contract says Decimal"):
        released(lake_at(tmp_path, dataset=replace(DATASET, tables=tables)), "people")
