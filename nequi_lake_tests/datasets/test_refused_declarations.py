"""What cannot work is refused when a dataset is declared, in words, and all of it at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from nequi_lake import Lake
from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import RESERVED, Dataset, Mart, Partition, Table
from nequi_lake.datasets.trial import try_out
from nequi_lake.errors import DeclarationError
from nequi_lake.formats import RECORD, CsvFile, JsonLinesFile, OpaqueFile, RawFile
from nequi_lake.lake.settings import Settings

KEY = dy.Int64(primary_key=True, description="Number of the shop.", metadata=column_meta(unit="id", source="shop"))


_OF_META = ("derived_from", "references", "format", "sensitive")


def column(kind: Callable[..., dy.Column], *arguments: Any, source: str = "value", **facts: Any) -> dy.Column:
    """A sound column of this type, but for the facts."""
    meta: dict[str, Any] = {name: facts.pop(name) for name in _OF_META if name in facts}
    where: dict[str, Any] = {} if "derived_from" in meta else {"source": source}
    metadata = column_meta(unit="x", null_limit=1.0, **where, **meta)
    return kind(*arguments, nullable=True, description="Some value.", metadata=metadata, **facts)


def shops(
    value: dy.Column | None = None,
    *,
    name: str = "shops",
    table: str = "shops",
    file: RawFile | None = None,
    columns: dict[str, dy.Column] | None = None,
    **facts: Any,
) -> Dataset:
    """A sound dataset of one table, but for what is given."""
    of_value = columns or {"value": value or column(dy.String)}
    contract = type("Shops", (dy.Schema,), {"shop": KEY, **of_value})
    return Dataset(
        name=name,
        slug="nobody/shops",
        title="Shops",
        licence="none",
        use_case="Tests.",
        files=(file or CsvFile(name="shops.csv", description="Shops.", columns=("shop", "value")),),
        tables=(Table(name=table, description="Shops.", contract=contract, **facts),),
    )


def json_file(**schema: Any) -> JsonLinesFile:
    """A JSON file of shops and a value."""
    return JsonLinesFile(name="shops.json", description="Shops.", schema={"shop": pl.Int64, **schema})


def renamed(records: pl.LazyFrame) -> pl.LazyFrame:
    """A transform that reads a helper column."""
    return records.select("shop", value="helper")


def mart_of(name: str, **facts: Any) -> Mart:
    """A mart of a column of the shops."""
    made = column(dy.String, derived_from=[f"shops.{name}"], **facts)
    shop = dy.Int64(primary_key=True, description="S.", metadata=column_meta(unit="id", derived_from=["shops.shop"]))
    return Mart(name="best", description="Best.", contract=type("Best", (dy.Schema,), {"shop": shop, name: made}))


MASKED = column_meta(unit="id", source="value", sensitive="mask")

WRONG: dict[str, tuple[Callable[[], Dataset], str]] = {
    "a time of day": (lambda: shops(column(dy.Time)), "no columns of the type Time"),
    "a duration": (lambda: shops(column(dy.Duration)), "no columns of the type Duration"),
    "a category": (lambda: shops(column(dy.Categorical)), "no columns of the type Categorical"),
    "an enumeration": (lambda: shops(column(dy.Enum, ["a"])), "no columns of the type Enum"),
    "an unsigned number": (lambda: shops(column(dy.UInt8)), "no columns of the type UInt8"),
    "nanoseconds": (lambda: shops(column(dy.Datetime, time_unit="ns")), 'write time_unit="us"'),
    "another zone": (lambda: shops(column(dy.Datetime, time_zone="America/Bogota")), 'write time_zone="UTC"'),
    "a list of times": (lambda: shops(column(dy.List, dy.Time())), "no columns of the type Time"),
    "a list in a CSV file": (lambda: shops(column(dy.List, dy.Int64())), "give it a parse="),
    "a list of another type": (
        lambda: shops(column(dy.List, dy.Int64()), file=json_file(value=pl.List(pl.String))),
        "give it a parse=",
    ),
    "an exact number of a floating point one": (
        lambda: shops(column(dy.Decimal, 20, 2), file=json_file(value=pl.Float64)),
        "let the file have texts",
    ),
    "a date in JSON": (lambda: shops(column(dy.Date), file=json_file(value=pl.Date)), "no values of the type Date"),
    "a year without a century": (lambda: shops(column(dy.Date, format="%d/%m/%y")), "%y has no century"),
    "digits of any script": (lambda: shops(column(dy.String, regex=r"^\d+$")), r"write [0-9]"),
    "a pattern that is none": (lambda: shops(column(dy.String, regex="(")), "its pattern ( is none"),
    "a pattern that looks ahead": (lambda: shops(column(dy.String, regex="a(?!b)")), "looks around"),
    "a pattern that refers back": (lambda: shops(column(dy.String, regex=r"(a)\1")), "refers back"),
    "a name in capitals": (lambda: shops(name="Shops"), "'Shops' is no name"),
    "a name with a space": (lambda: shops(table="my shops"), "'my shops' is no name"),
    "a column with a dot": (lambda: shops(columns={"a.b": column(dy.String)}), "'a.b' is no name"),
    "a name that is too long": (lambda: shops(table="s" * 64), "64 characters"),
    "a name of the lake in Python": (lambda: shops(name="tables"), "no dataset may be called tables"),
    "a name of a database": (lambda: shops(name="pg_shops"), "no dataset may be called pg_shops"),
    "an expression over a column that is not there": (
        lambda: shops(parse={"value": pl.col("valu")}),
        "parse= of value reads valu, which shops.csv does not have",
    ),
    "a raw column that is not there": (lambda: shops(column(dy.String, source="valu")), "column value comes from valu"),
    "an origin that is not there": (
        lambda: shops(column(dy.String, derived_from=["valu"]), parse={"value": pl.col("value")}),
        "column value comes from valu",
    ),
    "a table that no file feeds": (
        lambda: shops(file=OpaqueFile(name="shops.xlsx", description="Shops.")),
        "no file of the dataset that can be read feeds it",
    ),
    "a table of a file that is kept": (
        lambda: shops(file=OpaqueFile(name="shops.xlsx", description="Shops."), files=("shops.xlsx",)),
        "files= names shops.xlsx, which the lake keeps without reading it",
    ),
    "sessions by no column": (
        lambda: shops(
            file=CsvFile(name="shops.csv", description="Shops.", columns=("shop", "value"), session_by="shp")
        ),
        "session_by names shp",
    ),
    "a raw column called as one of the engine's": (
        lambda: shops(
            column(dy.String, source="__record"),
            file=CsvFile(name="shops.csv", description="Shops.", columns=("shop", "__record")),
        ),
        "the lake itself calls a column __record",
    ),
    "an ignored file that is declared": (
        lambda: replace(shops(), ignored={"sh*.csv": "Not wanted."}),
        "ignored= has sh*.csv, which is shops.csv, a declared file",
    ),
    "an ignored file without a reason": (
        lambda: replace(shops(), ignored={"old.csv": ""}),
        "ignored= gives no reason for old.csv",
    ),
    "a way to hide values that there is not": (
        lambda: shops(column(dy.String, sensitive="encrypt")),
        "sensitive= is 'encrypt', and not one of hash, mask, drop",
    ),
    "hashes of floating point numbers": (
        lambda: shops(column(dy.Float64, sensitive="hash")),
        "a value of Float64 has no single text to be hashed",
    ),
    "a masked column that is unique": (
        lambda: shops(column(dy.String, sensitive="mask", unique=True)),
        'column value is unique, which nobody can see of sensitive="mask": declare it as hash',
    ),
    "partitions by what is dropped": (
        lambda: shops(column(dy.String, sensitive="drop"), partition_by=Partition("value")),
        'column value is the column of partition_by, which nobody can see of sensitive="drop"',
    ),
    "partitions by the year of a hash": (
        lambda: shops(column(dy.Date, sensitive="hash"), partition_by=Partition("value", by_year=True)),
        "partition_by cuts by the year of value, which is sensitive: a hash has none",
    ),
    "a masked key": (
        lambda: shops(columns={"id": dy.Int64(primary_key=True, description="Id.", metadata=MASKED)}),
        'column id is part of the key, which nobody can see of sensitive="mask"',
    ),
    "the same values in clear": (
        lambda: shops(columns={"value": column(dy.String, sensitive="drop"), "again": column(dy.String)}),
        "column again shows value, which shops.value hides: give it sensitive= too",
    ),
    "what is made of the values": (
        lambda: shops(
            columns={"value": column(dy.String, sensitive="drop"), "size": column(dy.Int64, derived_from=["value"])}
        ),
        "column size shows value, which shops.value hides",
    ),
    "an expression over the values": (
        lambda: shops(
            columns={"value": column(dy.String, sensitive="hash"), "size": column(dy.String, source="shop")},
            parse={"size": pl.col("value").str.head(1)},
        ),
        "column size shows value, which shops.value hides",
    ),
    "the record in which the values are": (
        lambda: shops(
            columns={
                "value": column(dy.String, sensitive="hash", source="value.name"),
                "all": column(dy.String, source="value"),
            },
            file=json_file(value=pl.Struct({"name": pl.String})),
        ),
        "column all shows value.name, which shops.value hides",
    ),
    "sessions by what is hidden": (
        lambda: shops(
            column(dy.String, sensitive="hash"),
            file=CsvFile(name="shops.csv", description="Shops.", columns=("shop", "value"), session_by="value"),
        ),
        "session_by of shops.csv is value, which is sensitive",
    ),
    "a mart of what is dropped": (
        lambda: replace(shops(column(dy.String, sensitive="drop")), marts=(mart_of("value"),)),
        'column value comes from shops.value, which is sensitive="drop" and in no table',
    ),
    "a mart that hides": (
        lambda: replace(shops(), marts=(mart_of("value", sensitive="hash"),)),
        "column value of a mart is sensitive: a mart has what its tables have, so declare it in the table",
    ),
}


def test_another_table_of_the_file_hides_it_as_well() -> None:
    dataset = shops(column(dy.String, sensitive="hash"))
    contract = type("Values", (dy.Schema,), {"shop": KEY, "value": column(dy.String)})
    with pytest.raises(
        DeclarationError, match=r"column value shows value, which shops.value hides(.|\n)*where: shops.values"
    ):
        replace(dataset, tables=(*dataset.tables, Table(name="values", description="V.", contract=contract)))


@pytest.mark.parametrize(
    ("column_of_child", "words"),
    [
        (
            dy.Int64(description="S.", metadata=column_meta(unit="id", source="s", references="shops")),
            "declare both as",
        ),
        (
            dy.String(
                description="S.", metadata=column_meta(unit="id", source="s", references="shops", sensitive="hash")
            ),
            "column shop references shops.shop, and hashes of them are of two types",
        ),
    ],
    ids=["in clear", "of another type"],
)
def test_a_hashed_key_is_referred_to_by_hashes_of_its_type(column_of_child: dy.Column, words: str) -> None:
    hashed = column_meta(unit="id", source="shop", sensitive="hash")
    shop = dy.Int64(primary_key=True, description="Shop.", metadata=hashed)
    child_key = dy.Int64(primary_key=True, description="N.", metadata=column_meta(unit="id", source=RECORD))
    child = type("Sales", (dy.Schema,), {"sale": child_key, "shop": column_of_child})
    with pytest.raises(DeclarationError, match=words):
        Dataset(
            name="shops",
            files=(
                CsvFile(name="shops.csv", description="Shops.", columns=("shop",)),
                CsvFile(name="sales.csv", description="Sales.", columns=("s",)),
            ),
            tables=(
                Table(
                    name="shops",
                    description="S.",
                    contract=type("Shops", (dy.Schema,), {"shop": shop}),
                    files=("shops.csv",),
                ),
                Table(name="sales", description="S.", contract=child, files=("sales.csv",)),
            ),
        )


def test_a_helper_column_may_read_it_for_a_sensitive_column_alone() -> None:
    hidden = column(dy.String, sensitive="mask")
    made = {"value": hidden, "best": column(dy.String, derived_from=["value"], sensitive="mask")}
    assert shops(columns=made, parse={"helper": pl.col("value")}).has_hashes is False
    contract = type("Values", (dy.Schema,), {"shop": KEY})
    reading = Table(name="values", description="V.", contract=contract, parse={"helper": pl.col("value")})
    with pytest.raises(DeclarationError, match=r"parse= of helper reads value, which shops.value hides, for no such"):
        replace(shops(hidden), tables=(*shops(hidden).tables, reading))


@pytest.mark.parametrize("case", WRONG)
def test_it_is_refused_in_words(case: str) -> None:
    make, problem = WRONG[case]
    with pytest.raises(DeclarationError) as refused:
        make()
    assert problem in str(refused.value)


UNUSABLE: dict[str, tuple[Callable[[], Dataset], str]] = {
    "a check that fails": (
        lambda: shops(column(dy.Int64, check=lambda value: value.str.len_chars() > 1)),
        "shops: value: must pass the check without a name, which cannot be asked",
    ),
    "a helper that nobody reads": (
        lambda: shops(parse={"valu": pl.col("value")}),
        "parse= has valu, which is no column, and the transform does not read it",
    ),
    "an expression that fails": (
        lambda: shops(parse={"value": pl.col("value").dt.year()}),
        "the column value cannot be read from shops.csv",
    ),
    "a transform that fails": (lambda: shops(transform=lambda records: records.select("shp")), "the transform fails"),
    "a transform that lacks a column": (
        lambda: shops(transform=lambda records: records.select("shop")),
        "the transform fails",
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_only_the_engine_can_say_is_said_before_anything_is_staged(case: str) -> None:
    make, problem = UNUSABLE[case]
    with pytest.raises(DeclarationError) as refused:
        try_out(make())
    assert problem in str(refused.value)


def test_every_declared_dataset_can_be_used(datasets: Mapping[str, Dataset]) -> None:
    for dataset in datasets.values():
        try_out(dataset)


def test_a_file_that_feeds_no_table_is_refused() -> None:
    sound = shops(files=("shops.csv",))
    more = CsvFile(name="more.csv", description="More.", columns=("a",), dropped={"a": "Not needed here."})
    with pytest.raises(DeclarationError, match="no table is made of it"):
        replace(sound, files=(*sound.files, more))


def test_a_helper_that_the_transform_reads_is_fine() -> None:
    value = column(dy.String, derived_from=["value"])
    try_out(shops(value, parse={"helper": pl.col("value")}, transform=renamed))


def test_all_mistakes_of_a_contract_are_named_at_once() -> None:
    wrong = {"a": column(dy.Time), "B": column(dy.String), "c": column(dy.String, regex=r"\d")}
    with pytest.raises(DeclarationError) as refused:
        shops(columns=wrong)
    assert all(said in str(refused.value) for said in ("column a: ", "column B: ", "column c: "))


def test_every_name_of_the_lake_in_python_is_reserved(tmp_path: object) -> None:
    lake = Lake(Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path)}))
    assert [name for name in dir(lake) if not name.startswith("_") and name not in RESERVED | {*lake.datasets}] == []


def test_no_thread_of_the_engine_begins_with_a_declaration() -> None:
    # A process that forks, as servers do, must not have them.
    script = "import os, nequi_lake.lake.declared as d; print(len(os.listdir('/proc/self/task'))); d.discover(); "
    script += "print(len(os.listdir('/proc/self/task')))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    before, after = done.stdout.split()
    assert before == after
