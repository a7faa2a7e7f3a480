"""Parquet files, workbooks, zips and datasets of Kaggle are drafted as they come."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nequi_lake.datasets.spec import Reference
from nequi_lake.drafting.draft import draft
from nequi_lake.errors import UsageError
from nequi_lake.formats import CsvFile, ParquetFile, WorkbookFile
from nequi_lake_tests.conftest import Shell
from nequi_lake_tests.drafting.drafted import Draft, loaded, tried, types_of, written
from nequi_lake_tests.sources.kaggle_stand_in import KaggleStandIn

pytestmark = pytest.mark.long

DAY = dt.date(2024, 1, 1)


def workbook(path: Path, **sheets: Sequence[Sequence[Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)


def test_types_of_a_parquet_file(declared: Draft, tmp_path: Path) -> None:
    (tmp_path / "trips").mkdir()
    table = pa.table(
        {
            "TripId": pa.array(range(40), pa.uint32()),
            "seats": pa.array([1.0, None, 2.0, 3.0] * 10),
            "fare": pa.array([Decimal("1.50")] * 40, pa.decimal128(9, 2)),
            "flag": pa.array(["Y", "N"] * 20).dictionary_encode(),
            "day": [f"{n % 28 + 1:02}/12/2024" for n in range(40)],
            "at": pa.array([dt.datetime(2024, 1, 1)] * 40, pa.timestamp("ms", "America/Bogota")),
            "photo": pa.array([b"x"] * 40),
            "nothing": pa.nulls(40),
            "place": pa.array([{"lat": 1.5, "tags": ["a"]}] * 40),
        }
    )
    pq.write_table(table, tmp_path / "trips" / "trips.parquet")
    dataset = declared("trips")
    (file,) = dataset.files
    assert isinstance(file, ParquetFile)
    assert dict(file.dropped) == {"photo": "No table is made of Binary."}
    assert types_of(dataset, "trips") == {
        "trip_id": ("Int64", None),
        "seats": ("Int64", None),
        "fare": ("Decimal(precision=9, scale=2)", None),
        "flag": ("Boolean", "y/n"),
        "day": ("Date", "%d/%m/%Y"),
        "at": ("Datetime(time_unit='us', time_zone='UTC')", None),
        "nothing": ("String", None),
        "place_lat": ("Float64", None),
        "place_tags": ("List(String)", None),
    }
    assert dataset.table("trips").key == ("trip_id",)
    trial = tried(dataset, tmp_path / "trips")
    assert (trial.would_publish, trial.rows, trial.broken) == (True, {"trips": 40}, ())


def test_a_reference_from_numbers_of_parquet_to_texts_of_csv(declared: Draft, tmp_path: Path) -> None:
    folder = tmp_path / "taxi"
    written(folder, "zones.csv", "LocationID,Zone\n" + "".join(f"{n},Z{n}\n" for n in range(1, 50)))
    table = pa.table({"PULocationID": [n % 49 + 1 for n in range(200)], "distance": [n / 7 for n in range(200)]})
    pq.write_table(table, folder / "trips.parquet")
    dataset = declared("taxi")
    assert dataset.table("trips").foreign_keys == (Reference(("pulocation_id",), to="zones"),)
    assert tried(dataset, folder).would_publish


def test_a_workbook_with_a_title_above_and_notes_below(declared: Draft, tmp_path: Path) -> None:
    rows = [[DAY + dt.timedelta(n), 4000.25 + n] for n in range(60)]
    workbook(
        tmp_path / "rates" / "rates.xlsx",
        Cover=[["About"], ["Some words."]],
        Rates=[["Exchange rates"], [], ["Source:", "the bank"], ["Fecha", "Tasa"], *rows, [], ["Note: made up."]],
    )
    dataset = declared("rates")
    (file,) = dataset.files
    assert isinstance(file, WorkbookFile)
    assert (file.sheet, file.skip, file.footer, file.columns) == ("Rates", 3, 2, ("Fecha", "Tasa"))
    assert types_of(dataset, "rates")["fecha"] == ("Date", None)
    trial = tried(dataset, tmp_path / "rates")
    assert (trial.would_publish, trial.rows, trial.broken) == (True, {"rates": 60}, ())
    module = (tmp_path / "datasets" / "rates.py").read_text()
    assert "# the workbook has other sheets too: Cover (2 rows)" in module
    assert "# the last 2 rows seem to be no records" in module


def test_a_last_row_with_few_values_may_be_a_record_and_says_so(tmp_path: Path) -> None:
    rows = [["a", "b", n, n] for n in range(9)]
    workbook(tmp_path / "few.xlsx", Few=[["k", "l", "m", "n"], *rows, ["x"]])
    assert "# the last row has few values: if it is no record, declare footer=" in draft(
        "few", [tmp_path / "few.xlsx"], {}
    )


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([[1, 2], [3, 4]], "no sheet of the workbook has a row of names"),
        ([["a", "a"], [3, 4]], "the header has a twice"),
    ],
)
def test_a_workbook_that_cannot_be_drafted(rows: list[list[Any]], words: str, tmp_path: Path) -> None:
    workbook(tmp_path / "odd.xlsx", Odd=rows)
    with pytest.raises(UsageError, match=words):
        draft("odd", [tmp_path / "odd.xlsx"], {})


def test_a_damaged_parquet_file_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, "odd.parquet", b"PAR1" + b"\0" * 90)
    with pytest.raises(UsageError, match="cut off: a Parquet file ends with PAR1"):
        draft("odd", [path], {})


def test_files_of_one_layout_are_one_table(declared: Draft, tmp_path: Path) -> None:
    folder = tmp_path / "candles"
    for month in (1, 2):
        rows = "".join(f"2023-0{month}-{day:02},{day * 1.5}\n" for day in range(1, 29))
        written(folder, f"candles-2023-0{month}.csv", f"day,close\n{rows}")
    dataset = declared("candles")
    (table,) = dataset.tables
    assert (table.name, table.files) == ("candles", ("candles-2023-01.csv", "candles-2023-02.csv"))
    assert tried(dataset, folder).rows == {"candles": 56}


def test_files_of_one_layout_without_a_key_are_tables_of_their_own(declared: Draft, tmp_path: Path) -> None:
    for month in (1, 2):
        written(tmp_path / "same", f"same-{month}.csv", "day,close\n" + "monday,1\n" * 9)
    dataset = declared("same")
    assert [(table.name, table.key) for table in dataset.tables] == [
        ("same_1", ("record_number",)),
        ("same_2", ("record_number",)),
    ]
    assert tried(dataset, tmp_path / "same").would_publish


def test_a_line_below_with_one_value_is_no_record(declared: Draft, tmp_path: Path) -> None:
    rows = "".join(f"S{n}|Name {n}|{n % 3}\n" for n in range(30))
    written(tmp_path / "symbols", "symbols.txt", f"Symbol|Name|Lot\n{rows}File Creation Time: 0723202518:01||\n")
    dataset = declared("symbols")
    (file,) = dataset.files
    assert isinstance(file, CsvFile)
    assert file.footer_lines == 1
    assert tried(dataset, tmp_path / "symbols").rows == {"symbols": 30}


def test_a_folder_that_may_not_be_written_into(tmp_path: Path) -> None:
    path = written(tmp_path / "data", "towns.csv", "town,año\nBogotá,1\nCali,2\n".encode("cp1252"))
    path.parent.chmod(0o555)
    assert 'encoding="cp1252"' in draft("towns", [path], {})
    assert [file.name for file in path.parent.iterdir()] == ["towns.csv"]


def test_a_zip_of_several_files_and_a_workbook_of_descriptions(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("in/towns.csv", "town,people\na,1\nb,2\n")
        archive.writestr("in/roads.csv", "road,town\n1,a\n2,b\n")
    path = written(tmp_path, "geo.zip", content.getvalue())
    workbook(
        tmp_path / "words.xlsx", Words=[["column", "meaning"], ["town\u00a0", "Name of the town."], ["road", "No."]]
    )
    code, module, said = shell("draft", "geo", str(path), "--dictionary", str(tmp_path / "words.xlsx"))
    assert code == 0, said
    assert module.count('description="Name of the town."') == 2
    dataset = loaded("geo", module, tmp_path / "datasets")
    assert sorted(table.name for table in dataset.tables) == ["roads", "towns"]
    monkeypatch.setenv("NEQUI_LAKE_DATASETS", str(tmp_path / "datasets"))
    code, _, said = shell("try", "geo", str(tmp_path))
    assert (code, "geo.towns: 2 rows" in said) == (0, True), said


def shop_of(folder: Path, towns: Sequence[Sequence[Any]], days: Sequence[str]) -> None:
    workbook(folder / "towns.xlsx", Towns=[["town", "people"], *towns])
    sales = {"sale": range(len(days)), "town": [f"t{n % 30}" for n in range(len(days))], "day": days}
    pq.write_table(pa.table({name: list(values) for name, values in sales.items()}), folder / "sales.parquet")


@pytest.mark.long
def test_a_trial_of_a_workbook_and_a_parquet_file_names_what_cannot_be_read_column_by_column(
    declared: Draft, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, towns = tmp_path / "shop", [[f"t{n}", n] for n in range(30)]
    days = [f"{n % 28 + 1:02}/12/2024" for n in range(40)]
    shop_of(folder, towns, days)
    assert declared("shop").table("sales").foreign_keys == (Reference(("town",), to="towns"),)
    shop_of(folder, [*towns[:1], ["t1", "many"], ["t2", -4], *towns[2:]], ["04/13/2024", *days[1:]])
    monkeypatch.setenv("NEQUI_LAKE_DATASETS", str(tmp_path / "datasets"))
    # What is no text is read whole.
    code, out, said = shell("try", "shop", str(folder), "--first", "5", "--format", "json")
    found = {(rule["file"], rule["line"], rule["example"]): rule["rule"] for rule in json.loads(out)}
    assert found["towns.xlsx", 3, '"many"'] == "people: cannot be read as Int64"
    assert found["towns.xlsx", 4, '"-4"'] == "people: must be >= 0"
    assert found["sales.parquet", 1, '"04/13/2024"'].startswith("day: cannot be read as Date")
    assert any("town: towns has no such row" in rule for rule in found.values())
    assert (code, "A run would publish nothing" in said, "--run" in said) == (1, True, False)


@pytest.mark.parametrize("name", ["towns.parquet", "towns.xlsx"])
def test_a_trial_of_a_file_in_a_zip(name: str, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / name
    if name.endswith("xlsx"):
        workbook(path, Towns=[["town", "people"], ["a", 1], ["b", 2]])
    else:
        pq.write_table(pa.table({"town": ["a", "b"], "people": [1, 2]}), path)
    loaded("towns", draft("towns", [path], {}), tmp_path / "datasets")
    with zipfile.ZipFile(tmp_path / "delivery.zip", "w") as archive:
        archive.write(path, f"in/{name}")
    monkeypatch.setenv("NEQUI_LAKE_DATASETS", str(tmp_path / "datasets"))
    code, _, said = shell("try", "towns", str(tmp_path / "delivery.zip"))
    assert (code, "towns.towns: 2 rows" in said) == (0, True), said


def test_a_dataset_of_kaggle_is_fetched_and_drafted(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"sub/towns.csv": b"town,people\na,1\nb,2\n", "roads.csv": b"road,town\n1,a\n2,b\n"}
    with KaggleStandIn(datasets={"someone/geo": {1: files}}, zipped=True) as kaggle:
        monkeypatch.setenv("HOME", str(tmp_path))
        for name, value in kaggle.environment().items():
            monkeypatch.setenv(name, value)
        code, module, said = shell("draft", "geo", "kaggle:someone/geo")
        assert code == 0, said
        dataset = loaded("geo", module, tmp_path / "datasets")
        assert (dataset.slug, dataset.source) == ("someone/geo", "kaggle")
        monkeypatch.setenv("NEQUI_LAKE_DATASETS", str(tmp_path / "datasets"))
        code, _, said = shell("try", "geo")
        assert (code, "geo.towns: 2 rows" in said) == (0, True), said
        code, _, said = shell("draft", "geo", "kaggle:someone/other")
        assert (code, "Kaggle has no someone/other" in said) == (1, True), said
    for places, words in {("kaggle:someone",): "names no dataset", ("kaggle:a/b", "x.csv"): "alone"}.items():
        code, _, said = shell("draft", "geo", *places)
        assert (code, words in said) == (2, True), said


def test_a_column_of_nothing_but_missing_numbers_keeps_its_type(declared: Draft, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    frame = pl.DataFrame({"id": ["a", "b"], "n": pl.Series([None, None], dtype=pl.UInt8)})
    frame.write_parquet(tmp_path / "none" / "none.parquet")
    dataset = declared("none")
    assert types_of(dataset, "none")["n"] == ("Int16", None)
    assert tried(dataset, tmp_path / "none").would_publish
