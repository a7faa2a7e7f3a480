"""Columns and keys that some files lack, call otherwise, or have besides: in every format, in the same words."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import dataframely as dy
import openpyxl
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nequi_lake import Lake
from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.errors import StageError
from nequi_lake.formats import CsvFile, JsonLinesFile, ParquetFile, RawFile, WorkbookFile
from nequi_lake.formats.drift import DriftingFile
from nequi_lake.pipeline.report import profile_relation
from nequi_lake.pipeline.tables import publish_tables
from nequi_lake_tests.formats.reading import Read, read
from nequi_lake_tests.formats.things import filled

SCHEMA: Mapping[str, Any] = {"id": pl.Int64, "town": pl.String, "note": pl.String}
COLUMNS = tuple(SCHEMA)
Rows = Sequence[Mapping[str, Any]]


def csv_of(rows: Rows) -> bytes:
    lines = [list(rows[0]), *(row.values() for row in rows)]
    return "".join(",".join(map(str, line)) + "\n" for line in lines).encode()


def json_of(rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet_of(rows: Rows) -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), written)
    return written.getvalue()


def workbook_of(rows: Rows) -> bytes:
    book = openpyxl.Workbook()
    for row in [list(rows[0]), *(list(row.values()) for row in rows)]:
        book.worksheets[0].append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


FORMATS: Mapping[str, tuple[Callable[..., DriftingFile], Callable[[Rows], bytes]]] = {
    "csv": (lambda **more: CsvFile(name="x.csv", description="X.", columns=COLUMNS, **more), csv_of),
    "json": (lambda **more: JsonLinesFile(name="x.json", description="X.", schema=SCHEMA, **more), json_of),
    "parquet": (lambda **more: ParquetFile(name="x.parquet", description="X.", schema=SCHEMA, **more), parquet_of),
    "xlsx": (lambda **more: WorkbookFile(name="x.xlsx", description="X.", columns=COLUMNS, **more), workbook_of),
}
every_format = pytest.mark.parametrize(("declare", "written"), FORMATS.values(), ids=FORMATS)


def texts(found: Read) -> list[tuple[Any, ...]]:
    return [tuple(None if value is None else str(value) for value in row) for row in found.rows.values()]


@every_format
def test_columns_are_found_by_their_names(
    declare: Callable[..., RawFile], written: Callable[[Rows], bytes], tmp_path: Path
) -> None:
    found = read(
        declare(), written([{"note": "b", "id": 1, "town": "a"}, {"note": "d", "id": 2, "town": "c"}]), tmp_path
    )
    assert texts(found) == [("1", "a", "b"), ("2", "c", "d")]


@pytest.mark.long
@every_format
def test_what_may_be_missing_is_missing_and_what_has_an_old_name_is_found(
    declare: Callable[..., RawFile], written: Callable[[Rows], bytes], tmp_path: Path
) -> None:
    file = declare(optional=("note",), renamed={"town": "city"})
    assert texts(read(file, written([{"city": "a", "id": 1}]), tmp_path)) == [("1", "a", None)]
    assert texts(read(file, written([{"town": "a", "note": "b", "id": 1}]), tmp_path)) == [("1", "a", "b")]


@every_format
def test_a_column_that_is_not_declared_is_ignored_and_told_with_an_example(
    declare: Callable[..., RawFile], written: Callable[[Rows], bytes], tmp_path: Path
) -> None:
    rows = [{"id": 1, "town": "a", "more": "x", "note": "b"}]
    found = read(declare(extra="ignore"), written(rows), tmp_path)
    assert texts(found) == [("1", "a", "b")]
    assert found.structure.notes == ("the column more, such as x, is not declared and is ignored",)
    refused = read(declare(), written(rows), tmp_path)
    assert refused.rows == {}
    said = refused.structure.problems[0].reason
    assert "more" in said
    assert 'extra="ignore"' in said


@every_format
def test_a_column_that_is_missing_is_refused_with_what_to_declare(
    declare: Callable[..., RawFile], written: Callable[[Rows], bytes], tmp_path: Path
) -> None:
    refused = read(declare(), written([{"id": 1, "town": "a"}]), tmp_path)
    assert refused.rows == {}
    said = refused.structure.problems[0].reason
    assert "note" in said
    assert "declare optional=" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"optional": ("nope",)}, "optional= names nope, which is no column"),
        ({"renamed": {"nope": "x"}}, "renamed= names nope, which is no column"),
        ({"renamed": {"town": "note"}}, "town is called note in some files, which is a column of its own"),
        ({"extra": "drop"}, "extra= is 'refuse' or 'ignore', not 'drop'"),
    ],
)
@every_format
def test_a_wrong_declaration_is_told(
    declare: Callable[..., RawFile], written: object, more: dict[str, Any], said: str
) -> None:
    assert any(said in problem for problem in declare(**more).problems())


DEEP: Mapping[str, Any] = {
    "id": pl.Int64,
    "to": pl.Struct({"city": pl.String, "zip": pl.String}),
    "items": pl.List(pl.Struct({"name": pl.String, "price": pl.Float64})),
    "payload": pl.String,
    "labels": pl.List(pl.Struct({"key": pl.String, "value": pl.Int64})),
}
ORDERS = JsonLinesFile(
    name="orders.json",
    description="Orders.",
    schema=DEEP,
    optional=("to", "to.zip", "items.price", "payload", "labels"),
    renamed={"to.city": "town"},
    extra="ignore",
    as_text=("payload",),
    maps=("labels",),
)
WHOLE = {
    "id": 1,
    "to": {"city": "Cali", "zip": "76"},
    "items": [{"name": "a", "price": 1.5}],
    "payload": 7,
    "labels": {},
}


def orders(*lines: str, folder: Path) -> Read:
    return read(ORDERS, "".join(f"{line}\n" for line in lines).encode(), folder)


def test_keys_of_objects_may_be_missing_or_called_otherwise(tmp_path: Path) -> None:
    found = orders(
        json.dumps(WHOLE),
        '{"id": 2, "items": [{"name": "b"}, {"name": "c", "price": null}]}',
        '{"id": 3, "to": {"town": "Bogota"}, "items": null}',
        '{"id": 4, "to": null, "items": []}',
        '{"id": 5, "to": {"zip": "05"}, "items": []}',
        '{"id": 6, "to": {"city": "x", "town": "y"}, "items": []}',
        '{"id": 7}',
        folder=tmp_path,
    )
    assert [(row[0], row[1], row[2]) for row in found.rows.values()] == [
        (1, {"city": "Cali", "zip": "76"}, [{"name": "a", "price": 1.5}]),
        (2, None, [{"name": "b", "price": None}, {"name": "c", "price": None}]),
        (3, {"city": "Bogota", "zip": None}, None),
        (4, None, []),
    ]
    assert [(number, reason.partition(", beginning")[0]) for number, _, reason in found.damaged] == [
        (4, "neither `to.city` nor `town`, which is its name in some files"),
        (5, "both `to.city` and `town`, which is its name in some files"),
        (6, "Object missing required field `items` (is it right so: declare optional= or renamed=)"),
    ]


def test_a_subtree_is_kept_as_the_text_that_it_is(tmp_path: Path) -> None:
    kept = ['{"a":  [1.10, 1e400], "a": "\\u00e9"}', "[ ]", "12345678901234567890.10", '"text"', "true", "null"]
    found = orders(*(f'{{"id": {n}, "items": [], "payload":{text} }}' for n, text in enumerate(kept)), folder=tmp_path)
    assert [row[3] for row in found.rows.values()] == [*kept[:-1], None]
    assert found.damaged == []


def test_a_subtree_over_several_lines_is_kept(tmp_path: Path) -> None:
    found = orders('[{"id": 1,', '"items": [],', '"payload": {"a":', "1}}]", folder=tmp_path)
    assert [row[3].split() for row in found.rows.values()] == [['{"a":', "1}"]]


def test_an_object_of_any_keys_is_a_map(tmp_path: Path) -> None:
    found = orders(
        '{"id": 1, "items": [], "labels": {"es": 1, "": null, "a\\"b": -2}}',
        '{"id": 2, "items": [], "labels": {}}',
        '{"id": 3, "items": [], "labels": null}',
        '{"id": 4, "items": [], "labels": {"a": 1, "a": 2}}',
        '{"id": 5, "items": [], "labels": {"a": "x"}}',
        folder=tmp_path,
    )
    assert [row[4] for row in found.rows.values()] == [
        [{"key": "es", "value": 1}, {"key": "", "value": None}, {"key": 'a"b', "value": -2}],
        [],
        None,
    ]
    assert [number for number, _, _ in found.damaged] == [3, 4]


def test_keys_that_are_not_declared_are_told_once_wherever_they_are(tmp_path: Path) -> None:
    lines = [
        '{"id": 1, "items": [{"name": "a", "tax": 1}], "x": {"y": "\\":"}}',
        '{"id": 2, "items": [], "to": {"city": "c", "country": "CO"}, "x": 2}',
    ]
    found = orders(*lines, folder=tmp_path)
    assert len(found.rows) == 2
    assert found.structure.notes == (
        "the column items.tax, such as 1, is not declared and is ignored",
        'the column x, such as {"y": "\\":"}, is not declared and is ignored',
        "the column to.country, such as CO, is not declared and is ignored",
    )
    twice = orders('{"id": 1, "items": [], "x": {"y": 1, "y": 2}}', folder=tmp_path)
    assert twice.rows == {}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"as_text": ("nope",)}, "as_text= names nope, which is no key"),
        ({"as_text": ("id",)}, "id is kept as text, and declared as Int64: declare pl.String"),
        ({"maps": ("to",)}, "to is a map: declare pl.List"),
        ({"as_text": ("items.name",)}, "as_text= names items.name, which is in a list of objects"),
        ({"renamed": {"items.name": "n"}}, "renamed= names items.name, which is in a list of objects"),
    ],
)
def test_a_wrong_declaration_of_keys_is_told(more: dict[str, Any], said: str) -> None:
    file = JsonLinesFile(name="x.json", description="X.", schema=DEEP, **more)
    assert any(said in problem for problem in file.problems())


def test_random_objects_come_through_or_are_put_aside_as_plain_python_says(tmp_path: Path) -> None:
    chance = random.Random(3)
    lines, expected = [], {}
    for number in range(400):
        record: dict[str, Any] = {"id": number, "items": [{"name": "n"}] * chance.randrange(3)}
        if chance.random() < 0.6:
            record["to"] = {chance.choice(["city", "town"]): "c", **({"zip": "1"} if chance.random() < 0.5 else {})}
        if chance.random() < 0.5:
            record["payload"] = chance.choice([1, [1, {"a": None}], {"k": '":'}, "t", None])
        if chance.random() < 0.5:
            record["labels"] = {f"k{n}": n for n in range(chance.randrange(4))}
        if chance.random() < 0.3:
            record[f"extra{chance.randrange(3)}"] = {"deep": [1]}
        is_bad = chance.random() < 0.1
        if is_bad:
            del record["items"]
        keys = list(record)
        chance.shuffle(keys)
        lines.append(
            json.dumps({key: record[key] for key in keys}, separators=chance.choice([(",", ":"), (", ", ": ")]))
        )
        if not is_bad:
            to, labels = record.get("to"), record.get("labels")
            expected[number] = (
                number,
                to and {"city": to.get("city", to.get("town")), "zip": to.get("zip")},
                [{**item, "price": None} for item in record["items"]],
                record.get("payload"),
                None if labels is None else [{"key": key, "value": value} for key, value in labels.items()],
            )
    found = orders(*lines, folder=tmp_path)
    got = {
        number: (*row[:3], None if row[3] is None else json.loads(row[3]), row[4]) for number, row in found.rows.items()
    }
    assert got == expected
    assert len(found.damaged) == 400 - len(expected) > 20


def contract(**columns: dy.Column) -> type[dy.Schema]:
    key = dy.Int64(primary_key=True, description="Number.", metadata=column_meta(unit="id", source="id"))
    return type("Things", (dy.Schema,), {"id": key, **columns})


def optional_column(column: Callable[..., dy.Column], source: str) -> dy.Column:
    return column(nullable=True, description="X.", metadata=column_meta(unit="x", source=source, null_limit=1.0))


def dataset(file: RawFile, **columns: dy.Column) -> Dataset:
    table = Table(name="things", description="Things.", contract=contract(**columns), quarantine_limit=0.9)
    return Dataset(name="things", files=(file,), tables=(table,))


@pytest.mark.long
@every_format
def test_parts_of_two_layouts_are_one_table(
    declare: Callable[..., DriftingFile], written: Callable[[Rows], bytes], tmp_path: Path
) -> None:
    file = declare(optional=("note",), renamed={"town": "city"}, extra="ignore")
    stem, ending = file.name.split(".")
    things = dataset(file, town=optional_column(dy.String, "town"), note=optional_column(dy.String, "note"))
    parts = {
        "part-1": [{"id": 1, "city": "a"}, {"id": 2, "city": "b"}],
        "part-2": [{"more": "x", "town": "c", "id": 3, "note": "n"}],
        "part-3": [{"id": 4, "city": "d"}],
    }
    lake = filled(
        things,
        tmp_path,
        {f"{stem}/{name}.{ending}": partial(_write, content=written(rows)) for name, rows in parts.items()},
    )
    table = lake.table("things.things")
    assert table.to_polars().sort("id").rows() == [(1, "a", None), (2, "b", None), (3, "c", "n"), (4, "d", None)]
    assert table.published.accounting.raw_records == 4


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def test_an_old_raw_version_is_staged_after_the_declaration_gained_a_column(tmp_path: Path) -> None:
    old = CsvFile(name="x.csv", description="X.", columns=("id", "town"))
    lake = filled(
        dataset(old, town=optional_column(dy.String, "town")),
        tmp_path,
        {"x.csv": partial(_write, content=b"id,town\n1,a\n")},
    )
    version = lake.table("things.things").published.release.raw_version
    new = CsvFile(name="x.csv", description="X.", columns=("id", "town", "note"), optional=("note",))
    more = dataset(new, town=optional_column(dy.String, "town"), note=optional_column(dy.String, "note"))
    newer = Lake(lake.settings, {"things": more})
    publish_tables(newer, more, "test")
    table = newer.table("things.things")
    assert table.to_polars().rows() == [(1, "a", None)]
    assert table.published.release.raw_version == version


def test_maps_and_texts_reach_sql_pandas_and_reports(tmp_path: Path) -> None:
    labels = dy.List(
        dy.Struct({"key": dy.String(), "value": dy.Int64(nullable=True)}),
        nullable=True,
        description="Labels.",
        metadata=column_meta(unit="x", source="labels", null_limit=1.0),
    )
    file = replace(ORDERS, dropped=dict.fromkeys(("to.city", "to.zip", "items"), "Unused."))
    things = dataset(file, payload=optional_column(dy.String, "payload"), labels=labels)
    lines = b'{"id": 1, "items": [], "payload": {"a": 1.0}, "labels": {"es": 1}}\n{"id": 2, "items": []}\n'
    lake = filled(things, tmp_path, {"orders.json": partial(_write, content=lines)})
    asked = "SELECT id, payload->>'a', labels[1].key, labels[1].value FROM things.things ORDER BY id"
    assert [tuple(row.values()) for row in lake.sql(asked).to_pylist()] == [(1, "1.0", "es", 1), (2, None, None, None)]
    frame = lake.table("things.things").to_pandas().sort_values("id")
    assert frame["payload"].to_list()[0] == '{"a": 1.0}'
    (labels_profile,) = [one for one in profile_relation(lake.table("things.things")) if one.column == "labels"]
    assert labels_profile.missing == 1


def test_an_old_raw_version_that_lacks_a_column_is_refused_by_name(tmp_path: Path) -> None:
    old = CsvFile(name="x.csv", description="X.", columns=("id", "town"))
    town = optional_column(dy.String, "town")
    lake = filled(dataset(old, town=town), tmp_path, {"x.csv": partial(_write, content=b"id,town\n1,a\n")})
    new = CsvFile(name="x.csv", description="X.", columns=("id", "town", "note"))
    more = dataset(new, town=town, note=optional_column(dy.String, "note"))
    with pytest.raises(StageError, match="kept when other columns were declared: missing columns note"):
        publish_tables(Lake(lake.settings, {"things": more}), more, "test")
    assert len(lake.table("things.things")) == 1
