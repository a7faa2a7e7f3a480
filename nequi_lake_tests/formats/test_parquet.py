"""Parquet files: every row comes through or is put aside, and what cannot be trusted is refused."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nequi_lake.engines.fingerprint import release_id
from nequi_lake.errors import AuditError
from nequi_lake.formats import ParquetFile, RawFile, Structure, WorkbookFile
from nequi_lake.pipeline.fetch import fetch_and_keep
from nequi_lake.sources import open_source
from nequi_lake_tests.formats.things import filled, lake_of, things

Write = Callable[[Path], object]
SOUND = {"id": [1, 2, 3], "value": [7, 2**60, None]}


def parquet_file(value: Any = pl.Int64, **more: Any) -> ParquetFile:
    return ParquetFile(name="things.parquet", description="Things.", schema={"id": pl.Int64, "value": value}, **more)


def arrow(columns: dict[str, Any], **options: Any) -> Write:
    """A file as Arrow writes it: columns of values or of Arrow's arrays."""
    return lambda path: pq.write_table(pa.table(columns), path, **options)


def rows_of(start: int, end: int, value: Any) -> Write:
    """A file of these numbers in small row groups; each hundredth has the value, the others none."""
    values = [None if number % 100 else value for number in range(start, end)]
    return arrow({"id": list(range(start, end)), "value": pa.array(values, pa.int64())}, row_group_size=70)


def changed(write: Write, old: bytes, new: bytes) -> Write:
    """The same file with the last of these bytes replaced."""

    def change(path: Path) -> None:
        write(path)
        before, found, after = path.read_bytes().rpartition(old)
        assert found
        path.write_bytes(before + new + after)

    return change


def cut(write: Write, kept: int) -> Write:
    """The beginning of the same file."""

    def shorten(path: Path) -> None:
        write(path)
        path.write_bytes(path.read_bytes()[:kept])

    return shorten


def texts(*values: bytes) -> pa.Array:
    """A column of texts with these bytes, whatever they are."""
    return pa.array(values, pa.binary()).cast(pa.string(), safe=False)


def inspected(file: ParquetFile, write: Write, folder: Path) -> Structure:
    path = folder / file.name
    write(path)
    return file.inspect(path)


def test_a_parquet_file_becomes_a_table_and_what_does_not_fit_is_put_aside(tmp_path: Path) -> None:
    lake = filled(things(parquet_file(), dy.Int32), tmp_path, {"things.parquet": arrow(SOUND)})
    table = lake.table("things.things")
    assert table.to_polars().sort("id").rows() == [(1, 7), (3, None)]
    (bad,) = table.quarantine().to_dicts()
    assert (bad["file"], bad["record"], bad["line"]) == ("things.parquet", 1, 2)
    assert bad["rules"] == ["things.value: cannot be read as Int32"]
    assert json.loads(bad["raw"]) == {"id": 2, "value": 2**60}
    assert (bad["offset_bytes"], bad["size_bytes"], bad["original"]) == (None, None, None)
    accounting = table.published.accounting
    assert (accounting.files["things.parquet"].records, accounting.files["things.parquet"].quarantined) == (3, 1)


def test_parts_of_several_row_groups_keep_the_numbers_of_their_records(tmp_path: Path) -> None:
    parts = {"things/part-1.parquet": rows_of(0, 250, 2**40), "things/part-2.parquet": rows_of(250, 500, 2**40)}
    lake = filled(things(parquet_file(), dy.Int32), tmp_path, parts)
    table = lake.table("things.things")
    assert table.published.rows == 495
    bad = [(row["file"], row["record"], json.loads(row["raw"])["id"]) for row in table.quarantine().to_dicts()]
    first, second = "things/part-1.parquet", "things/part-2.parquet"
    assert bad == [(first, 0, 0), (first, 100, 100), (first, 200, 200), (second, 50, 300), (second, 150, 400)]


def test_what_the_bytes_of_a_text_cannot_be_costs_its_own_record(tmp_path: Path) -> None:
    write = arrow({"id": [1, 2, 3], "value": texts("ñ".encode(), b"caf\xe9", b"x")})
    lake = filled(things(parquet_file(pl.String), dy.String), tmp_path, {"things.parquet": write})
    table = lake.table("things.things")
    assert table.to_polars().sort("id").rows() == [(1, "ñ"), (3, "x")]
    (bad,) = table.quarantine().to_dicts()
    assert (bad["record"], bad["line"]) == (1, 2)
    assert "UTF8" in bad["rule"]
    assert json.loads(bad["raw"]) == {"text": '{"id": 2}'}


MOMENT = dt.datetime(2024, 1, 2, 3, 4, 5, 250_000)
FAR = dt.datetime(3000, 1, 2, 3, 4, 5)
NANOSECONDS = pa.array([1_700_000_000_000_001_000, 1_700_000_000_000_000_001], pa.timestamp("ns"))


@pytest.mark.parametrize(
    ("raw", "column", "values", "expected"),
    [
        (pl.Datetime("ns"), dy.Datetime, NANOSECONDS, [dt.datetime(2023, 11, 14, 22, 13, 20, 1)]),
        (
            pl.Datetime("us", "UTC"),
            lambda **facts: dy.Datetime(time_zone="UTC", **facts),
            pa.array([MOMENT], pa.timestamp("us", "America/Bogota")),
            [MOMENT.replace(tzinfo=dt.UTC)],
        ),
        (pl.String, dy.String, pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        (pl.UInt64, dy.Int64, pa.array([2**63 - 1, 2**64 - 1], pa.uint64()), [2**63 - 1]),
        (pl.Decimal(38, 2), dy.Int64, pa.array([7, None], pa.decimal128(38, 2)), [7, None]),
        (pl.Date, dy.String, pa.array([MOMENT.date()], pa.date32()), ["2024-01-02"]),
        (pl.Float64, dy.Float64, pa.nulls(2), [None, None]),
    ],
    ids=["nanoseconds", "zone", "dictionary", "unsigned", "decimal", "day", "nothing"],
)
def test_a_value_comes_through_as_it_is_or_is_put_aside(
    raw: Any, column: Any, values: pa.Array, expected: list[Any], tmp_path: Path
) -> None:
    write = arrow({"id": list(range(len(values))), "value": values})
    lake = filled(things(parquet_file(raw), column), tmp_path, {"things.parquet": write})
    table = lake.table("things.things")
    assert table.to_polars().sort("id")["value"].to_list() == expected
    assert table.quarantine().height == len(values) - len(expected)


def test_old_timestamps_are_read_far_beyond_nanoseconds_and_none_is_cut(tmp_path: Path) -> None:
    early, cut_off = dt.datetime(1500, 5, 6), NANOSECONDS[1]
    write = arrow({"id": [1, 2], "value": [early, FAR]}, use_deprecated_int96_timestamps=True)
    more = arrow({"id": [3, 4], "value": pa.array([None, cut_off])}, use_deprecated_int96_timestamps=True)
    lake = filled(
        things(parquet_file(pl.Datetime("us")), dy.Datetime),
        tmp_path,
        {"things/part-1.parquet": write, "things/part-2.parquet": more},
    )
    table = lake.table("things.things")
    assert table.to_polars().sort("id").rows() == [(1, early), (2, FAR), (3, None)]
    (bad,) = table.quarantine().to_dicts()
    assert bad["rule"] == "a time in value of more digits than microseconds"


def test_nested_values_are_named_by_their_path_and_unreadable_ones_are_dropped(tmp_path: Path) -> None:
    schema: dict[str, Any] = {"id": pl.Int64, "at": pl.Struct({"value": pl.Int64}), "picture": pl.Binary}
    file = ParquetFile(
        name="things.parquet", description="T.", schema=schema, dropped={"picture": "No table shows it."}
    )
    write = arrow({"picture": [b"\xff", None], "at": [{"value": 5}, None], "id": [1, 2]})
    lake = filled(things(file, dy.Int8, source="at.value"), tmp_path, {"things.parquet": write})
    assert lake.table("things.things").to_polars().sort("id").rows() == [(1, 5), (2, None)]


FLAT: dict[str, Any] = {"use_dictionary": False, "compression": "none", "write_statistics": False}
REFUSED: dict[str, tuple[Write, str]] = {
    "missing": (arrow({"id": [1]}), r"missing columns value \(Int64\)"),
    "unexpected": (
        arrow({**SOUND, "more": [1.5] * 3}),
        r"unexpected columns more \(Float64\), to be declared in schema=",
    ),
    "another type": (
        arrow({"id": [1], "value": pa.array([1], pa.int32())}),
        r"columns of another type: value, which is Int32 and declared as Int64",
    ),
    "a type of its own": (
        arrow({"id": [1], "value": pa.array([dt.timedelta(1)])}),
        r"value, which is duration\[us\] and declared as Int64",
    ),
    "twice": (
        lambda path: pq.write_table(pa.table([[1], [2], [3]], names=["id", "value", "id"]), path),
        "columns that stand twice: id",
    ),
    "CSV": (lambda path: path.write_text("id,value\n1,2\n"), "it is no Parquet file, which begins with PAR1"),
    "cut off": (cut(arrow(SOUND), -10), "it is cut off: a Parquet file ends with PAR1"),
    "encrypted": (changed(arrow(SOUND), b"PAR1", b"PARE"), "it is encrypted; give it without encryption"),
    "checksum": (
        changed(
            arrow({"id": [1], "value": [0x1234567890]}, **FLAT, write_page_checksum=True),
            (0x1234567890).to_bytes(8, "little"),
            b"12345678",
        ),
        "CRC checksum verification failed",
    ),
    "footer": (changed(arrow(SOUND), b"\x16\x06\x19", b"\x16\x08\x19"), "says that it has 4 rows, and 3 can be read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_is_not_as_declared_or_damaged_is_refused_in_words(case: str, tmp_path: Path) -> None:
    write, said = REFUSED[case]
    structure = inspected(parquet_file(), write, tmp_path)
    assert not structure.is_readable(things(parquet_file()).tables[0].limit)
    (problem,) = structure.problems
    assert re.search(said, problem.reason), problem.reason


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    many = arrow({"id": pa.array(range(200_000)), "value": pa.array([1] * 200_000)}, compression="zstd")
    structure = inspected(parquet_file(max_unpacked_bytes=10**6), many, tmp_path)
    assert "unpacks to at least" in str(structure.problems[0])
    alike = arrow({"id": pa.array([1] * 200_000), "value": pa.array([1] * 200_000)}, compression="zstd")
    structure = inspected(parquet_file(max_unpacked_bytes=10**6), alike, tmp_path)
    assert "where it may have 1,000,000; if it is what you expect, declare max_unpacked" in str(structure.problems[0])


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"value": pl.Time}, "value: no table is made of Time: name it in dropped="),
        ({"value": pl.Categorical}, "value: Categorical is read as text: declare pl.String"),
        (
            {"value": pl.Datetime("us", "America/Bogota")},
            'value: times of a zone are read as those of UTC: declare time_zone="UTC"',
        ),
        ({"value": pl.Int64, "max_unpacked_ratio": 0.5}, "max_unpacked_ratio is at least 1, not 0.5"),
    ],
    ids=["time", "category", "zone", "limit"],
)
def test_a_type_that_no_table_can_be_made_of_is_refused_when_it_is_declared(facts: dict[str, Any], said: str) -> None:
    assert list(parquet_file(**facts).problems()) == [said]


def test_files_of_other_types_or_another_layout_are_another_release() -> None:
    files: list[RawFile] = [parquet_file(pl.Int64), parquet_file(pl.Int32)]
    facts: list[dict[str, Any]] = [{}, {"sheet": 2}, {"skip": 1}, {"footer": 1}, {"missing_errors": ("#N/A",)}]
    files += [WorkbookFile(name="t.xlsx", description="T.", columns=("id", "value"), **fact) for fact in facts]
    releases = {release_id(things(file), []) for file in files}
    assert len(releases) == len(files)


def test_a_file_without_records_is_refused_and_a_part_without_any_is_not() -> None:
    file = parquet_file()
    assert not file.merge_structures({"things.parquet": Structure()}).is_sound
    assert file.merge_structures({"part-1.parquet": Structure(records=1), "part-2.parquet": Structure()}).is_sound


def test_a_refused_file_changes_no_table_and_is_kept(tmp_path: Path) -> None:
    lake = lake_of(things(parquet_file()), tmp_path, {"things.parquet": cut(arrow(SOUND), 40)})
    with pytest.raises(AuditError, match=r"things\.parquet.*it is cut off"):
        fetch_and_keep(lake, lake.datasets["things"], open_source(lake.settings))
    assert list((tmp_path / "lake" / "raw" / "things").glob("version=*/things.parquet"))
