"""What a raw value becomes, and which rule it breaks where it cannot."""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl
import pytest

from nequi_lake.datasets.contract import column_meta, one_of
from nequi_lake.datasets.rules import rules_of, typed_columns, typed_name
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.formats import NULL_TOKENS, PLACE_IS_UNCERTAIN, POSITION_IN_SESSION, RECORD, CsvFile, JsonLinesFile

COUNT, SHARE, GRADE, NOTE = "count", "share", "grade", "note"


class Loans(dy.Schema):
    """A column of each kind, each of which but the key may be missing."""

    id = dy.Int64(primary_key=True, min=1, description="Key.", metadata=column_meta(unit="id", source="id"))
    count = dy.Int64(
        nullable=True,
        min=0,
        max=10,
        description="Count.",
        metadata=column_meta(unit="count", source="count", null_limit=1),
    )
    share = dy.Float64(
        nullable=True,
        min=-1,
        max=1,
        description="Share.",
        metadata=column_meta(unit="1", source="share", null_limit=1, null_tokens=["unknown"]),
    )
    grade = dy.String(
        nullable=True,
        check=one_of("A", "B"),
        description="Grade.",
        metadata=column_meta(unit="code", source="grade", null_limit=1, null_tokens=["n/a", "none"]),
    )
    note = dy.String(nullable=True, description="Note.", metadata=column_meta(unit="text", source="note", null_limit=1))


TABLE = Table(name="loans", description="Loans.", contract=Loans)
SOUND = {"id": "1", COUNT: "3", SHARE: "0.5", GRADE: "A", NOTE: "words"}
FILE = CsvFile(name="loans.csv", description="Loans.", columns=tuple(SOUND))


def judge(**cells: str) -> tuple[Mapping[str, object], list[str]]:
    """The typed values of a sound CSV record with these cells, as written, and the rules that it breaks."""
    text = "\n".join([",".join(SOUND), ",".join({**SOUND, **cells}.values())])
    raw = pl.read_csv(text.encode(), schema=dict.fromkeys(SOUND, pl.String()), null_values=list(NULL_TOKENS))
    typed = raw.with_columns(
        value.alias(typed_name("loans", name)) for name, value in typed_columns(TABLE, FILE).items()
    )
    kept = [(rule.text, typed.select(rule.keeps.fill_null(True)).item()) for rule in rules_of(TABLE, FILE)]
    return (
        {name: typed[typed_name("loans", name)].item() for name in SOUND},
        [text for text, keeps in kept if not keeps],
    )


def test_a_sound_record_is_typed_and_breaks_nothing() -> None:
    assert judge() == ({"id": 1, COUNT: 3, SHARE: 0.5, GRADE: "A", NOTE: "words"}, [])


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        (COUNT, " 4", 4),
        (COUNT, "4 ", 4),
        (COUNT, "3.0", 3),
        (COUNT, " 3.0 ", 3),
        (COUNT, "10", 10),
        (SHARE, " 0.25", 0.25),
        (SHARE, "1e-3", 0.001),
        (SHARE, "-1", -1.0),
        (NOTE, " as it is ", " as it is "),
        (NOTE, '"a ""word"", and more"', 'a "word", and more'),
    ],
)
def test_a_value_is_read_as_it_is_meant(column: str, cell: str, value: object) -> None:
    typed, broken = judge(**{column: cell})
    assert typed[column] == value
    assert broken == []


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        *((column, cell) for column in (COUNT, SHARE, GRADE, NOTE) for cell in ("", '""', " ")),
        *((NOTE, cell) for cell in ('"  "', "\t")),
    ],
)
def test_a_blank_is_a_missing_value(column: str, cell: str) -> None:
    typed, broken = judge(**{column: cell})
    assert typed[column] is None
    assert broken == []


@pytest.mark.parametrize("cell", ['"  "', "\t"])
@pytest.mark.parametrize("column", ["id", COUNT, SHARE, GRADE])
def test_a_longer_blank_breaks_a_rule_but_in_free_text(column: str, cell: str) -> None:
    assert judge(**{column: cell})[1]


@pytest.mark.parametrize("cell", ["n/a", "none"])
def test_a_word_for_no_value_is_a_missing_value_where_the_contract_says_so(cell: str) -> None:
    assert judge(grade=cell)[0][GRADE] is None
    assert judge(grade=cell)[1] == []
    assert judge(note=cell)[0][NOTE] == cell


def test_a_word_for_no_value_may_stand_in_a_column_of_numbers() -> None:
    typed, broken = judge(share="unknown")
    assert typed[SHARE] is None
    assert broken == []
    assert judge(count="unknown")[1] == ["count: cannot be read as Int64"]


@pytest.mark.parametrize("cell", ["", '""', " "])
def test_a_missing_value_breaks_a_rule_where_there_must_be_one(cell: str) -> None:
    assert judge(id=cell)[1] == ["id: is missing"]


@pytest.mark.parametrize(
    ("column", "cell", "rule"),
    [
        (COUNT, "three", "count: cannot be read as Int64"),
        (COUNT, "3.5", "count: cannot be read as Int64"),
        (COUNT, "3.0.0", "count: cannot be read as Int64"),
        (COUNT, "1_0", "count: cannot be read as Int64"),
        (COUNT, "n/a", "count: cannot be read as Int64"),
        (COUNT, "inf", "count: cannot be read as Int64"),
        (COUNT, "99999999999999999999", "count: cannot be read as Int64"),
        (SHARE, "12%", "share: cannot be read as Float64"),
        (SHARE, '"0,5"', "share: cannot be read as Float64"),
        (SHARE, "n/a", "share: cannot be read as Float64"),
    ],
)
def test_garbage_is_never_taken_for_a_missing_value(column: str, cell: str, rule: str) -> None:
    typed, broken = judge(**{column: cell})
    assert typed[column] is None
    assert broken == [rule]


@pytest.mark.parametrize(
    ("column", "cell", "rule"),
    [
        ("id", "0", "id: must be >= 1"),
        (COUNT, "-1", "count: must be >= 0"),
        (COUNT, "11", "count: must be <= 10"),
        (SHARE, "1.0001", "share: must be <= 1"),
        (GRADE, "C", "grade: must be one of A, B"),
        (GRADE, "a", "grade: must be one of A, B"),
    ],
)
def test_a_value_out_of_range_breaks_the_rule_that_names_the_range(column: str, cell: str, rule: str) -> None:
    assert judge(**{column: cell})[1] == [rule]


@pytest.mark.parametrize(
    ("cell", "rule"),
    [("inf", "share: is infinite"), ("-inf", "share: is infinite"), ("NaN", "share: is not a number")],
)
def test_a_number_that_is_none_breaks_a_rule(cell: str, rule: str) -> None:
    typed, broken = judge(share=cell)
    assert str(typed[SHARE]) == cell.lower()
    assert rule in broken


def test_every_rule_that_a_record_breaks_is_named() -> None:
    assert judge(count="11", share="x", grade="C")[1] == [
        "count: must be <= 10",
        "share: cannot be read as Float64",
        "grade: must be one of A, B",
    ]


def test_a_parsed_value_that_comes_to_nothing_breaks_a_rule_where_the_raw_one_is_there() -> None:
    table = Table(
        name="loans",
        description="Loans.",
        contract=Loans,
        parse={COUNT: pl.col("count").str.strip_suffix(" months").cast(pl.Int64, strict=False)},
    )
    raw = pl.DataFrame({**dict.fromkeys(SOUND, [""] * 3), COUNT: ["6 months", "6 weeks", None]})
    typed = raw.with_columns(
        value.alias(typed_name("loans", name)) for name, value in typed_columns(table, FILE).items()
    )
    assert typed[typed_name("loans", COUNT)].to_list() == [6, None, None]
    (unread,) = [rule.keeps for rule in rules_of(table, FILE) if rule.text == "count: cannot be read as Int64"]
    assert typed.select(unread).to_series().to_list() == [True, False, True]


def test_every_declared_column_is_typed_as_its_contract_says(datasets: Mapping[str, Dataset]) -> None:
    for dataset in datasets.values():
        for file in dataset.readable_files:
            schema = file.schema if isinstance(file, JsonLinesFile) else dict.fromkeys(file.field_paths, pl.String())
            constants = {name: pl.lit(value) for name, value in file.constants.items()}
            own = {RECORD: pl.Int64(), POSITION_IN_SESSION: pl.Int64(), PLACE_IS_UNCERTAIN: pl.Boolean()}
            raw = pl.LazyFrame(schema={**schema, **own}).with_columns(**constants)
            for table in dataset.tables_of(file):
                typed = raw.select(**typed_columns(table, file)).collect_schema()
                contract = {name: table.columns[name].dtype for name in typed if name in table.columns}
                assert {name: typed[name] for name in contract} == contract, f"{dataset.name}.{table.name}"


@pytest.mark.parametrize(
    ("column", "cell"),
    [(dy.Date, "2024-12-31"), (dy.Bool, "true"), (dy.Datetime, "2024-12-31 10:00:00"), (dy.Int16, "3.0")],
)
def test_a_plain_column_of_any_type_is_read(column: type[dy.Column], cell: str) -> None:
    of = column(nullable=True, description="Some column.", metadata=column_meta(unit="x", source="value", null_limit=1))
    contract = type("Some", (dy.Schema,), {"value": of})
    typed = typed_columns(
        Table(name="some", description="Some.", contract=contract),
        CsvFile(name="some.csv", description="Some.", columns=("value",)),
    )
    assert pl.DataFrame({"value": [cell]}).select(typed["value"]).item() is not None


def test_numbers_of_json_are_read() -> None:
    schema = {**dict.fromkeys(SOUND, pl.String()), "id": pl.Int64(), COUNT: pl.Int64(), SHARE: pl.Float64()}
    raw = pl.DataFrame({**{name: ["A"] for name in SOUND}, "id": [1], COUNT: [3], SHARE: [0.5]})
    file = JsonLinesFile(name="loans.json", description="Loans.", schema=schema)
    assert raw.select(**typed_columns(TABLE, file)).row(0) == (1, 3, 0.5, "A", "A")
