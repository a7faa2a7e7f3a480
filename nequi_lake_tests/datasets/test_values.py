"""The page on values is what the lake does: each row of its tables is read as it says."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import dataframely as dy
import polars as pl
import pytest

from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.reading import Reading
from nequi_lake.datasets.rules import rules_of, typed_columns, typed_name
from nequi_lake.datasets.spec import Table
from nequi_lake.formats import CsvFile
from nequi_lake.formats.types import TYPES
from nequi_lake_tests.documents import DOCS

PAGE = DOCS / "values.md"
_ROW = re.compile(r"^\| `([^`]+)`(?: as `([^`]+)`)? \| `(.+)` \| (?:`(.+)`|(put aside)) \|$", re.MULTILINE)
_PUT_ASIDE = None


class Case(NamedTuple):
    """A row of the page: how a text is read."""

    dtype: str
    format: str | None
    text: str
    value: str | None


CASES = [
    Case(dtype, written or None, json.loads(text), value or _PUT_ASIDE)
    for dtype, written, text, value, _ in _ROW.findall(PAGE.read_text())
]
FILE = CsvFile(name="some.csv", description="Some.", columns=("value",))


def column(case: Case) -> dy.Column:
    """The column that a row is about."""
    facts: dict[str, Any] = {
        "nullable": True,
        "description": "Some value.",
        "metadata": column_meta(unit="x", source="value", null_limit=1, format=case.format),
    }
    kind, *arguments = re.split(r"[(),]", case.dtype.rstrip(")"))
    if kind == "Decimal":
        return dy.Decimal(int(arguments[0]), int(arguments[1]), **facts)
    if arguments:
        return dy.Datetime(time_zone="UTC", **facts)
    declared: dy.Column = getattr(dy, {"Boolean": "Bool"}.get(kind, kind))(**facts)
    return declared


@pytest.mark.parametrize("fast", [False, True], ids=["strict", "fast"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.dtype}-{case.format}-{case.text}")
def test_a_value_is_read_as_the_page_says(case: Case, fast: bool) -> None:
    contract = type("Some", (dy.Schema,), {"value": column(case)})
    table = Table(name="some", description="Some.", contract=contract)
    value = typed_columns(table, FILE, fast_cast=fast)["value"].alias(typed_name("some", "value"))
    typed = pl.DataFrame({"value": [case.text]}).with_columns(value)
    broken = [rule.text for rule in rules_of(table, FILE) if not typed.select(rule.keeps.fill_null(True)).item()]
    if case.value is _PUT_ASIDE:
        assert broken
    elif not fast or not broken:
        # A fast reading may give up, and then the strict one reads the value again; it may not be wrong.
        assert broken == []
        assert str(typed[typed_name("some", "value")].item()) == case.value


def test_the_page_has_every_type() -> None:
    text = PAGE.read_text()
    assert [known.polars.__name__ for known in TYPES if f"`{known.polars.__name__}" not in text] == []
    assert {case.dtype.split("(")[0] for case in CASES} >= {"Int64", "Int8", "Float64", "Decimal", "Boolean", "Date"}
    assert len(CASES) > 60


@pytest.mark.parametrize(
    ("dtype", "written", "problem"),
    [
        (pl.String(), "%Y", "not for String"),
        (pl.Int64(), "%Y", "one as it is written"),
        (pl.Float64(), "1,23,456.78", "by threes"),
        (pl.Boolean(), "yes", "the words for true and for false"),
        (pl.Boolean(), "yes/Yes", "the words for true and for false"),
        (pl.Date(), "%y-%m-%d", "no century"),
        (pl.Date(), "%Y-%j", "%j"),
        (pl.Date(), "%Y-%m", "lacks %d"),
        (pl.Datetime("us"), "%Y-%m-%d %H", "lacks %M"),
        (pl.Datetime("us"), "%Y-%m-%d %I:%M", "lacks %p"),
        (pl.Datetime("us"), "%Y-%m-%d %M", "lacks %H"),
        (pl.Datetime("us"), "%Y-%m-%d %H:%M %z", 'time_zone="UTC"'),
        (pl.Datetime("us", "UTC"), "%Y-%m-%d %H:%M", "lacks %z"),
    ],
)
def test_a_format_that_does_not_say_all_is_refused(dtype: pl.DataType, written: str, problem: str) -> None:
    assert problem in str(Reading(dtype, written).problem())


def test_what_a_row_becomes_does_not_depend_on_its_neighbours() -> None:
    texts = ["2024-01-02 03:04:05", "02/03/2024 03:04:05", "2024-12-31T00:00:00"]
    value = Reading(pl.Datetime("us")).value(pl.col("text"))
    together = pl.DataFrame({"text": texts}).select(value).to_series().to_list()
    alone = [pl.DataFrame({"text": [text]}).select(value).item() for text in texts]
    assert together == alone
    assert together[1] is None
