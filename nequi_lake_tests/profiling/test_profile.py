"""A profile's figures are right: held against pandas on the sample, and against known answers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dagster import check_dagster_type

from nequi_lake import Lake, LakeTable
from nequi_lake.defs.build import build
from nequi_lake.defs.reports import ProfileFrame
from nequi_lake.lake.settings import Settings
from nequi_lake.profiling.profile import (
    LISTED,
    TOP,
    ColumnProfile,
    profile,
    profile_frame,
    read_profile,
)
from nequi_lake.profiling.report import report
from nequi_lake.profiling.spread import CORRELATED_AT_LEAST


@pytest.fixture(scope="module")
def sample_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The sample lake at scale 0.01."""
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path_factory.mktemp("lake"))})
    job = build(settings).resolve_job_def("lake")
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    assert job.execute_in_process(run_config=quiet).success
    return Lake(settings)


def test_every_statistic_of_every_column_agrees_with_pandas(sample_lake: Lake) -> None:
    tables = sample_lake.tables()
    assert tables
    for table in tables:
        disagree = differences(table)
        assert disagree == [], table.published.name


def differences(table: LakeTable) -> list[str]:
    """Where the profile of a table of no more than 100,000 rows says something else than pandas."""
    frame = table.to_pandas()
    return [
        f"{column.column}, {name}: {found} and not {expected}"
        for column in profile(table)
        for name, found, expected in _held_against(column, frame[column.column], table)
        if found != expected
    ]


def _held_against(column: ColumnProfile, values: pd.Series[Any], table: LakeTable) -> Iterator[tuple[str, Any, Any]]:
    def near(number: float) -> Any:
        return None if math.isnan(number) else pytest.approx(number, rel=1e-9, abs=1e-9)

    counts = values.value_counts()
    yield "exact", column.exact, True
    yield "count", column.count, values.count()
    yield "missing", column.missing, values.isna().sum()
    yield "distinct", column.distinct, values.nunique()
    is_key = table.table.key == (column.column,)
    yield "top", [count for _, count in column.top], [] if is_key else counts.head(TOP).tolist()
    if not is_key:
        kept = None if column.values is None else len(column.values)
        yield "values", kept, len(counts) if len(counts) <= LISTED else None
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = values.dropna().astype("float64")
        yield "min and max", [column.min, column.max], [_as_text(values.min()), _as_text(values.max())]
        yield "mean", column.mean, near(numbers.mean())
        yield "std", column.std, near(numbers.std())
        quartiles = [near(quartile) for quartile in numbers.quantile([0.25, 0.5, 0.75])]
        yield "quartiles", [column.q25, column.median, column.q75], quartiles
        yield "skew", column.skew, near(float(str(numbers.skew()))) if numbers.nunique() > 1 else None
        yield "zeros", column.zeros, (numbers == 0).sum()
        yield "negatives", column.negatives, (numbers < 0).sum()
    else:
        yield "mean", column.mean, None
    if column.type == "string":
        lengths = values.dropna().str.len()
        yield "lengths", [column.shortest, column.longest], [near(lengths.min()), near(lengths.max())]
        yield "mean length", column.mean_length, near(lengths.mean())
        yield "blank", column.blank, (values.dropna().str.strip() == "").sum()
    if column.histogram:
        yield (
            "histogram",
            sum(column.histogram.counts) + column.histogram.below + column.histogram.above,
            values.count(),
        )


def _as_text(value: Any) -> str | None:
    if pd.isna(value):
        return None
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value) if isinstance(value, int | np.integer) else repr(float(value))


def test_a_histogram_has_in_each_bin_what_numpy_counts(sample_lake: Lake) -> None:
    table = sample_lake.table("credit_risk.loans")
    (column,) = [column for column in profile(table) if column.column == "int_rate"]
    assert column.histogram
    values = table.to_pandas()["int_rate"].to_numpy()
    edges = np.array(column.histogram.edges)
    assert column.histogram.exact
    # The edges are rounded to six digits, and so a value on an edge may fall to either side.
    assert np.array(column.histogram.counts) == pytest.approx(np.histogram(values, edges)[0], abs=5)
    assert column.histogram.above == (values > edges[-1]).sum()


def test_correlations_agree_with_pandas(sample_lake: Lake) -> None:
    table = sample_lake.table("credit_risk.payments")
    found = {column.column: column.correlations for column in profile(table) if column.correlations}
    expected = table.to_pandas()[list(found)].corr(min_periods=CORRELATED_AT_LEAST)
    assert "loan_id" not in found
    assert len(found) > 8
    for one, others in found.items():
        assert others == {
            other: pytest.approx(value, abs=5e-4) for other, value in expected[one].dropna().items() if other != one
        }


def test_a_profile_is_read_as_it_was_written(sample_lake: Lake) -> None:
    for table in sample_lake.tables():
        found = profile(table)
        made = report(table, found, checks=[], earlier=None)
        # As text, in which 1 is not 1.0.
        assert repr(read_profile(made.files()["json"])) == repr(found)


def test_the_frame_of_a_profile_is_typed_and_holds_it(sample_lake: Lake) -> None:
    for table in sample_lake.tables():
        found = profile(table)
        frame = profile_frame(found)
        assert frame["profile"].tolist() == found
        assert frame["column"].tolist() == [column.column for column in found]
        assert frame["mean"].isna().tolist() == [column.mean is None for column in found]
        assert check_dagster_type(ProfileFrame, frame).success


def test_a_large_table_is_labelled_approximate_and_is_close(sample_lake: Lake) -> None:
    table = sample_lake.table("electric_motor.measurements")
    for exact, rough in zip(profile(table), profile(table, exact_rows=1000), strict=True):
        assert (exact.exact, rough.exact) == (True, False)
        for same in ("count", "missing", "min", "max", "mean", "std"):
            assert getattr(rough, same) == getattr(exact, same)
        assert rough.distinct == pytest.approx(exact.distinct, rel=0.1)


def test_long_values_are_cut(sample_lake: Lake) -> None:
    (longest,) = [column.max for column in profile(sample_lake.table("cite_sum.papers")) if column.column == "src"]
    assert longest is not None
    assert len(longest) <= 200
    assert longest.endswith("…")
