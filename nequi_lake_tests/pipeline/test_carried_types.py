"""Every type that a column may have comes through: from the raw file to SQL, Polars, pandas and the report."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from nequi_lake import Lake
from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.errors import AuditError
from nequi_lake.formats import CsvFile, JsonLinesFile
from nequi_lake.lake.settings import Settings
from nequi_lake.pipeline.report import profile_relation, write_report
from nequi_lake_tests.conftest import released

UTC = dt.UTC
MOMENT = dt.datetime(2024, 1, 2, 3, 4, 5, 250_000)
CASES: dict[str, tuple[Callable[..., dy.Column], Any, Any, Any]] = {
    "Int64": (dy.Int64, pl.Int64, 2**63 - 1, 2**63 - 1),
    "Int32": (dy.Int32, pl.Int32, -(2**31), -(2**31)),
    "Int16": (dy.Int16, pl.Int64, 2**15 - 1, 2**15 - 1),
    "Int8": (dy.Int8, pl.Int64, -128, -128),
    "Float64": (dy.Float64, pl.Float64, 0.1, 0.1),
    "Float32": (dy.Float32, pl.Float64, 0.25, 0.25),
    "Boolean": (dy.Bool, pl.Boolean, True, True),
    "Date": (dy.Date, pl.String, "2024-01-02", dt.date(2024, 1, 2)),
    "Datetime us": (dy.Datetime, pl.String, "2024-01-02T03:04:05.25", MOMENT),
    "Datetime ms": (lambda **facts: dy.Datetime(time_unit="ms", **facts), pl.String, "2024-01-02 03:04:05.25", MOMENT),
    "Datetime UTC": (
        lambda **facts: dy.Datetime(time_zone="UTC", **facts),
        pl.String,
        "2024-01-02T05:04:05.25+02:00",
        MOMENT.replace(tzinfo=UTC),
    ),
    "Decimal": (lambda **facts: dy.Decimal(12, 2, **facts), pl.String, "-0.10", Decimal("-0.10")),
    "String": (dy.String, pl.String, " ñ\n", " ñ\n"),
    "Binary": (dy.Binary, pl.String, "abc", b"abc"),
    "List": (lambda **facts: dy.List(dy.Int64(), **facts), pl.List(pl.Int64), [1, 2], [1, 2]),
    "Struct": (
        lambda **facts: dy.List(dy.Struct({"a": dy.Int64(), "b": dy.String()}), **facts),
        pl.List(pl.Struct({"a": pl.Int64, "b": pl.String})),
        [{"a": 1, "b": "x"}],
        [{"a": 1, "b": "x"}],
    ),
}


def things(column: Callable[..., dy.Column], raw: Any, *, null_limit: float = 1.0) -> Dataset:
    """A dataset whose only table has a key, and a value of this type."""
    key = dy.Int64(primary_key=True, description="Number.", metadata=column_meta(unit="id", source="id"))
    value = column(
        nullable=True,
        description="Some value.",
        metadata=column_meta(unit="x", source="value", null_limit=null_limit),
    )
    return Dataset(
        name="things",
        slug="nobody/things",
        title="Things",
        licence="none",
        use_case="Tests.",
        files=(JsonLinesFile(name="things.json", description="Things.", schema={"id": pl.Int64, "value": raw}),),
        tables=(
            Table(
                name="things", description="Things.", contract=type("Things", (dy.Schema,), {"id": key, "value": value})
            ),
        ),
    )


def lake_of(dataset: Dataset, folder: Path, text: str) -> Lake:
    """A lake with this dataset, published from a raw file of this text."""
    (file,) = dataset.files
    path = folder / "in" / dataset.name / file.name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(folder / "lake"), "NEQUI_LAKE_SOURCE": str(folder / "in")})
    lake = Lake(settings, {dataset.name: dataset})
    released(lake, dataset.name)
    return lake


def records(*values: Any) -> str:
    """JSON lines of these values."""
    return "".join(json.dumps({"id": number, "value": value}) + "\n" for number, value in enumerate(values))


@pytest.mark.parametrize("case", CASES)
def test_a_type_comes_through(case: str, tmp_path: Path) -> None:
    column, raw, written, value = CASES[case]
    lake = lake_of(things(column, raw), tmp_path, records(written, None))
    table = lake.table("things.things")
    assert table.to_polars().sort("id")["value"].to_list() == [value, None]
    assert lake.sql("SELECT value FROM things.things ORDER BY id").to_polars()["value"].to_list() == [value, None]
    assert len(table.to_pandas()) == 2
    report = write_report(lake, "things.things", profile_relation(table), snapshot_id=table.published.snapshot_id)
    assert report


@pytest.mark.parametrize("case", ["List", "Struct"])
def test_the_share_of_missing_lists_and_structures_has_a_limit(case: str, tmp_path: Path) -> None:
    column, raw, written, _ = CASES[case]
    with pytest.raises(AuditError, match="value is missing in 2 of 4 rows"):
        lake_of(things(column, raw, null_limit=0.1), tmp_path, records(written, None, written, None))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (pl.Int64, "9223372036854775808"),
        (pl.Int64, "-" + "1" * 48),
        (pl.Int32, "2147483648"),
        (pl.Float64, "1" * 48),
        (pl.Float64, "-" + "1" * 48),
        (pl.Float64, "1e400"),
        (pl.String, "1" * 48),
    ],
    ids=str,
)
def test_a_number_that_cannot_be_kept_costs_its_own_record_with_its_bytes(raw: Any, text: str, tmp_path: Path) -> None:
    column = {pl.Int64: dy.Int64, pl.Int32: dy.Int32, pl.Float64: dy.Float64, pl.String: dy.String}[raw]
    sound = "a" if raw is pl.String else 1
    lines = records(*[sound] * 200).splitlines()
    bad = f'{{"id": 200, "value": {text}}}'
    lake = lake_of(things(column, raw), tmp_path, "\n".join([*lines, bad]) + "\n")
    assert lake.table("things.things").published.rows == 200
    (row,) = lake.table("things.things").quarantine().to_dicts()
    assert json.loads(row["raw"])["text"] == bad


@pytest.mark.parametrize("text", ["1e39", "-1.5e300", "1e38", "100000000000000000000000000000000000000"])
def test_a_large_number_that_can_be_kept_is_kept(text: str, tmp_path: Path) -> None:
    lake = lake_of(things(dy.Float64, pl.Float64), tmp_path, f'{{"id": 0, "value": {text}}}\n')
    assert lake.table("things.things").to_polars()["value"].to_list() == [float(text)]


def test_a_csv_column_may_have_a_dot_in_its_name(tmp_path: Path) -> None:
    key = dy.Int64(primary_key=True, description="Number.", metadata=column_meta(unit="id", source="things.id"))
    value = dy.String(description="Some value.", metadata=column_meta(unit="x", source="a.b.c"))
    dataset = Dataset(
        name="things",
        slug="nobody/things",
        title="Things",
        licence="none",
        use_case="Tests.",
        files=(CsvFile(name="things.csv", description="Things.", columns=("things.id", "a.b.c")),),
        tables=(
            Table(
                name="things", description="Things.", contract=type("Things", (dy.Schema,), {"id": key, "value": value})
            ),
        ),
    )
    lake = lake_of(dataset, tmp_path, "things.id,a.b.c\n1,x\n")
    assert lake.table("things.things").to_polars().rows() == [(1, "x")]


def test_a_json_key_may_be_no_name_of_pythons(tmp_path: Path) -> None:
    key = dy.Int64(primary_key=True, description="Number.", metadata=column_meta(unit="id", source="@id"))
    value = dy.String(description="Some value.", metadata=column_meta(unit="x", source="a.b.c d"))
    schema: dict[str, Any] = {"@id": pl.Int64, "a.b": pl.Struct({"c d": pl.String})}
    dataset = Dataset(
        name="things",
        slug="nobody/things",
        title="Things",
        licence="none",
        use_case="Tests.",
        files=(JsonLinesFile(name="things.json", description="Things.", schema=schema),),
        tables=(
            Table(
                name="things", description="Things.", contract=type("Things", (dy.Schema,), {"id": key, "value": value})
            ),
        ),
    )
    lake = lake_of(dataset, tmp_path, '{"@id": 1, "a.b": {"c d": "x"}}\n')
    assert lake.table("things.things").to_polars().rows() == [(1, "x")]


@pytest.mark.parametrize(
    "bad",
    [
        '{"id": 9, "value": 1, "value" : 2}',
        '{"id": 9, "value" :1, "value"\t:2}',
        '{"id": 9, "value": 1, "v\\u0061lue": 2}',
        '{"id" : 9, "value" : 1, "value" : 2}',
    ],
)
def test_a_key_that_stands_twice_costs_its_record_however_it_is_written(bad: str, tmp_path: Path) -> None:
    lines = records(*[1] * 200).splitlines()
    lake = lake_of(things(dy.Int64, pl.Int64), tmp_path, "\n".join([*lines, bad]) + "\n")
    (row,) = lake.table("things.things").quarantine().to_dicts()
    assert "the key 'value' stands twice" in row["rule"]


def test_spaces_before_a_colon_are_no_harm(tmp_path: Path) -> None:
    lake = lake_of(things(dy.Int64, pl.Int64), tmp_path, '{"id" : 9 , "value"  : 1}\n')
    assert lake.table("things.things").to_polars().rows() == [(9, 1)]
