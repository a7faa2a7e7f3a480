"""A file of rows holds every row and value, whole or not at all; no spreadsheet runs it, and nothing is cut."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nequi_lake import Lake
from nequi_lake.errors import CatalogError, NequiLakeError, UsageError
from nequi_lake.lake.export import write as exports
from nequi_lake.lake.export.write import escape_formula, write
from nequi_lake.lake.settings import Settings

KINDS = pytest.mark.parametrize("kind", exports.KINDS)
TYPES = """
    SELECT true AS yes, 7 AS few, 12345678901234567 AS many, 0.1::DOUBLE AS share, 1.50::DECIMAL(10, 2) AS price,
        12345678901234567.89::DECIMAL(20, 2) AS budget, 'nan'::DOUBLE AS nan, sum(3) AS total,
        DATE '2015-12-01' AS day, DATE '1815-12-01' AS old, TIMESTAMP '2015-12-01 10:30:00' AS moment,
        TIMESTAMPTZ '2015-12-01 10:30:00+00' AS zoned, TIME '10:30' AS clock, INTERVAL 1 DAY AS span,
        ['a', NULL] AS list, {'a': 1} AS pair, MAP {'k': 2} AS map, 'Ω, "x"
y' AS text, '' AS empty, '\\xAB'::BLOB AS blob, 'up'::ENUM ('up') AS word, NULL AS nothing
"""
"""One row with every kind of type."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of which these tests read no table."""
    return Lake(Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path_factory.mktemp("lake"))}), {})


def export(lake: Lake, query: str, path: Path, rows: int = 1000) -> exports.Written:
    """Write what a query gives."""
    with lake.batches(query, rows=rows) as batches:
        return write(batches, path)


def from_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def from_excel(path: Path) -> list[tuple[object, ...]]:
    """The rows of a workbook, its header first."""
    return list(openpyxl.load_workbook(path).active.values)


def test_csv_holds_every_type(lake: Lake, tmp_path: Path) -> None:
    export(lake, TYPES, tmp_path / "types.csv")
    (row,) = from_csv(tmp_path / "types.csv")
    assert row == {
        **{"yes": "true", "few": "7", "many": "12345678901234567", "share": "0.1", "price": "1.50"},
        **{"budget": "12345678901234567.89", "nan": "NaN", "total": "3", "day": "2015-12-01", "old": "1815-12-01"},
        **{"moment": "2015-12-01T10:30:00.000000", "zoned": "2015-12-01T10:30:00.000000+0000"},
        **{"clock": "10:30:00.000000000", "span": row["span"], "list": '["a", null]', "pair": '{"a": 1}'},
        **{"map": '{"k": 2}', "text": 'Ω, "x"\ny', "empty": "", "blob": "ab", "word": "up", "nothing": ""},
    }
    assert "1" in row["span"]


def test_parquet_keeps_types(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "types.parquet"
    query = TYPES.replace("INTERVAL 1 DAY", "1")
    export(lake, query, path)
    assert pq.read_table(path).drop_columns("nan").equals(lake.sql(query).to_arrow().drop_columns("nan"))
    assert pq.read_metadata(path).row_group(0).column(0).compression == "ZSTD"
    with pytest.raises(UsageError, match="Parquet cannot hold"):
        export(lake, TYPES, path)
    assert pq.read_table(path)["few"].to_pylist() == [7]


def test_excel_holds_every_type(lake: Lake, tmp_path: Path) -> None:
    export(lake, TYPES, tmp_path / "types.xlsx")
    header, values = from_excel(tmp_path / "types.xlsx")
    row = dict(zip(map(str, header), values, strict=True))
    assert (row["yes"], row["few"], row["share"], row["price"], row["total"]) == (True, 7, 0.1, 1.5, 3)
    assert (row["many"], row["budget"], row["nan"]) == ("12345678901234567", "12345678901234567.89", "nan")
    assert (row["day"], row["old"]) == (dt.datetime(2015, 12, 1), "1815-12-01")
    assert (row["moment"], row["zoned"]) == (dt.datetime(2015, 12, 1, 10, 30), "2015-12-01 10:30:00+00:00")
    assert row["clock"] == dt.time(10, 30)
    assert (row["list"], row["pair"], row["map"]) == ('["a", null]', '{"a": 1}', '{"k": 2}')
    assert (row["text"], row["blob"], row["word"], row["nothing"]) == ('Ω, "x"\ny', "ab", "up", None)


def test_noughts_at_the_end_of_an_amount_do_not_make_it_too_long_for_excel(lake: Lake, tmp_path: Path) -> None:
    query = "SELECT 57777.57987::DECIMAL(18, 10) AS a, 577777.0123456789::DECIMAL(18, 10) AS b, 0::DECIMAL(18, 10) AS c"
    export(lake, query, tmp_path / "a.xlsx")
    assert from_excel(tmp_path / "a.xlsx")[1] == (57777.57987, "577777.0123456789", 0)


def test_excel_columns_are_as_wide_as_their_content(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    export(
        lake,
        "SELECT i AS id, TIMESTAMP '2026-01-01 10:30:00' AS at, DATE '2026-01-01' AS day, 1 / 3 AS share, "
        "repeat('x', i::INT) AS name, repeat('y', 5000) AS abstract, NULL AS a_column_without_values "
        "FROM range(31) t(i)",
        path,
        rows=7,
    )
    sheet = openpyxl.load_workbook(path).active
    names = [cell.value for cell in sheet[1]]
    widths = dict(zip(names, (sheet.column_dimensions[cell.column_letter].width for cell in sheet[1]), strict=True))
    assert widths["at"] >= len("2026-01-01 10:30:00")
    assert widths["day"] >= len("2026-01-01")
    assert 30 <= widths["name"] < 33
    assert len("abstract") < widths["abstract"] < 65
    assert widths["share"] < 15
    assert widths["a_column_without_values"] > len("a_column_without_values")
    assert widths["id"] < 9
    assert sheet.auto_filter.ref == "A1:G32"
    assert sheet["F2"].value == "y" * 5000


def test_no_file_holds_a_formula(lake: Lake, tmp_path: Path) -> None:
    texts = ["=1+1", "+57 300", "-1e5", "@x", "\tx", "\rx", "x=1", "-.5", "-5\n", "٣", "+٣", ""]
    values = ", ".join(f"('{text}')" for text in texts)
    query = f'SELECT t AS "=t" FROM (VALUES {values}) v(t)'
    export(lake, query, tmp_path / "a.csv")
    rows = from_csv(tmp_path / "a.csv")
    assert [row["'=t"] for row in rows] == [escape_formula(text) for text in texts]
    assert rows[0]["'=t"] == "'=1+1"
    export(lake, query, tmp_path / "a.xlsx")
    cells = [cell for column in openpyxl.load_workbook(tmp_path / "a.xlsx").active.columns for cell in column]
    assert {cell.data_type for cell in cells} == {"s"}
    assert cells[1].value == "=1+1"


@KINDS
def test_every_batch_arrives(kind: str, lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / f"a{kind}"
    written = export(lake, "SELECT i FROM range(1000) t(i)", path, rows=300)
    assert (written.rows, written.size_bytes) == (1000, path.stat().st_size)
    read: dict[str, Callable[[], list[object]]] = {
        ".csv": lambda: [int(row["i"]) for row in from_csv(path)],
        ".parquet": lambda: list(pq.read_table(path)["i"].to_pylist()),
        ".xlsx": lambda: [row[0] for row in from_excel(path)[1:]],
    }
    assert read[kind]() == list(range(1000))


@KINDS
def test_no_rows_are_a_file_with_its_columns(kind: str, lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / f"a{kind.upper()}"
    assert export(lake, "SELECT 1 AS a, 'x' AS b WHERE false", path).rows == 0
    names: dict[str, Callable[[], str]] = {
        ".csv": lambda: path.read_text(),
        ".parquet": lambda: ",".join(pq.read_table(path).column_names) + "\n",
        ".xlsx": lambda: ",".join(map(str, from_excel(path)[0])) + "\n",
    }
    assert names[kind]() == "a,b\n"


@KINDS
def test_a_failure_on_the_way_leaves_what_was_there(kind: str, lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / f"a{kind}"
    path.write_text("before")
    late = "SELECT CASE WHEN i = 2500 THEN 'x' ELSE '1' END::INT AS n FROM range(3000) t(i)"
    with pytest.raises(CatalogError, match=r"cannot be run[\s\S]*Could not convert string 'x'"):
        export(lake, late, path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_appears_only_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("before")
    seen = []

    def pages() -> Iterator[pa.RecordBatch]:
        for number in range(2):
            seen.append(path.read_text())
            yield pa.record_batch({"a": [number]})

    write(pa.RecordBatchReader.from_batches(pa.schema([("a", pa.int64())]), pages()), path)
    assert seen == ["before", "before"]
    assert path.read_text() == "a\n0\n1\n"


def test_a_link_stays_a_link(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("before")
    (tmp_path / "link.csv").symlink_to("real.csv")
    export(lake, "SELECT 1 AS a", tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "a\n1\n"


@pytest.mark.parametrize(
    ("query", "limits", "told"),
    [
        ("SELECT i FROM range(10) t(i)", {"EXCEL_ROWS": 10}, "more than 9 rows"),
        ("SELECT 1 AS a, 2 AS b", {"EXCEL_COLUMNS": 1}, "2 columns"),
        ("SELECT 'é' AS a UNION ALL SELECT repeat('é', 32768)", {}, "a of row 2 has more than the 32,767 characters"),
        ("SELECT repeat('😀', 16384) AS a", {}, "a of row 1 has more"),
    ],
)
def test_what_excel_cannot_hold_is_refused(
    query: str, limits: dict[str, int], told: str, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, limit in limits.items():
        monkeypatch.setattr(exports, name, limit)
    with pytest.raises(UsageError, match=told):
        export(lake, query, tmp_path / "a.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_as_much_as_excel_can_hold_is_written(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "EXCEL_ROWS", 10)
    export(lake, "SELECT repeat('é', 32767) AS a FROM range(9)", tmp_path / "a.xlsx")
    assert [len(str(row[0])) for row in from_excel(tmp_path / "a.xlsx")] == [1, *[32767] * 9]


@KINDS
def test_columns_of_one_name_are_refused(kind: str, lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Two columns are called a"):
        export(lake, "SELECT 1 AS a, 2 AS b, 3 AS a", tmp_path / f"a{kind}")


@KINDS
def test_a_place_that_refuses_is_said(kind: str, lake: Lake) -> None:
    with pytest.raises(NequiLakeError, match="could not be written") as told:
        export(lake, "SELECT 1 AS a", Path(f"/proc/a{kind}"))
    assert f"/proc/a{kind}" in str(told.value)


def test_a_format_that_is_not_known_is_refused(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"in which format to write a\.json"):
        export(lake, "SELECT 1 AS a", tmp_path / "a.json")
