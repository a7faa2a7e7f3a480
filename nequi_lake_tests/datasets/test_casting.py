"""A raw value of one type becomes the same value of another type, or none."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from nequi_lake.datasets.casting import casting_problem, exact

DAY, NOON = dt.datetime(2024, 1, 2), dt.datetime(2024, 1, 2, 12, 0, 0, 1)


@pytest.mark.parametrize(
    ("origin", "target", "values", "expected"),
    [
        (pl.Int64(), pl.Int32(), [2**31 - 1, 2**31, 2**60, None], [2**31 - 1, None, None, None]),
        (pl.UInt64(), pl.Int64(), [2**63 - 1, 2**63], [2**63 - 1, None]),
        (pl.Float64(), pl.Int64(), [2.0, 1.5, 2.0**53, float("nan")], [2, None, None, None]),
        (pl.Float32(), pl.Int64(), [2.0, 2.0**24], [2, None]),
        (pl.Int64(), pl.Float64(), [2**53, 2**53 + 1, 2**63 - 1], [2.0**53, None, None]),
        (pl.Float64(), pl.Float32(), [0.5, 1e300], [0.5, None]),
        (pl.Decimal(10, 2), pl.Decimal(10, 1), [Decimal("1.50"), Decimal("1.55")], [Decimal("1.5"), None]),
        (pl.Decimal(10, 2), pl.Int8(), [Decimal("99.00"), Decimal("99.50"), Decimal("999.00")], [99, None, None]),
        (pl.Int64(), pl.Decimal(4, 2), [12, 123], [Decimal("12.00"), None]),
        (pl.Datetime("us"), pl.Datetime("ms"), [DAY, NOON], [DAY, None]),
        (pl.Datetime("us"), pl.Date(), [DAY, NOON], [DAY.date(), None]),
        (pl.Date(), pl.Datetime("us"), [DAY.date()], [DAY]),
    ],
    ids=str,
)
def test_a_value_becomes_the_same_one_of_another_type_or_none(
    origin: pl.DataType, target: pl.DataType, values: list[Any], expected: list[Any]
) -> None:
    value = exact(pl.col("raw"), origin, target)
    assert value is not None
    found = pl.DataFrame({"raw": pl.Series(values, dtype=origin)}).select(value.alias("value"))["value"]
    assert found.dtype == target
    assert found.to_list() == expected


def test_a_time_of_nanoseconds_or_of_no_year_is_none() -> None:
    raw = pl.Series([1_000, 1_001], dtype=pl.Int64).cast(pl.Datetime("ns"))
    value = exact(pl.col("raw"), pl.Datetime("ns"), pl.Datetime("us"))
    assert value is not None
    found = pl.DataFrame({"raw": raw}).select(value.alias("value"))["value"]
    assert found.to_list() == [dt.datetime(1970, 1, 1, 0, 0, 0, 1), None]
    far = pl.DataFrame({"raw": pl.Series([10**18], dtype=pl.Int64).cast(pl.Datetime("us"))})
    value = exact(pl.col("raw"), pl.Datetime("us"), pl.Datetime("us"))
    assert value is not None
    assert far.select(value.alias("value"))["value"].to_list() == [None]


@pytest.mark.parametrize(
    ("origin", "target", "said"),
    [
        (pl.Datetime("us"), pl.Datetime("us", "UTC"), "says which zone"),
        (pl.Datetime("us", "UTC"), pl.Date(), "says which zone"),
        (pl.List(pl.Int64()), pl.Int64(), "give it a parse="),
        (pl.Float32(), pl.Decimal(10, 2), "keeps 6 digits"),
        (pl.Float64(), pl.Decimal(16, 2), "keeps 15 digits"),
    ],
    ids=str,
)
def test_what_no_value_can_become_is_a_problem_of_the_declaration(
    origin: pl.DataType, target: pl.DataType, said: str
) -> None:
    assert said in (casting_problem(origin, target) or "")
    assert casting_problem(origin, origin) is None
