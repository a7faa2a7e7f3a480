"""A profile's figures are right: held against pandas on the sample, and against known answers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nequi_lake import Lake, LakeTable
from nequi_lake.defs.build import build
from nequi_lake.lake.settings import Settings
from nequi_lake.profiling.profile import (
    LISTED,
    TOP,
    ColumnProfile,
    as_json,
    columns_of,
    frame_of,
    profile,
)
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
        for column in columns_of(profile(table))
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
    return None if pd.isna(value) else str(value) if isinstance(value, int | np.integer) else repr(float(value))


def test_a_histogram_has_in_each_bin_what_numpy_counts(sample_lake: Lake) -> None:
    table = sample_lake.table("credit_risk.loans")
    (column,) = [column for column in columns_of(profile(table)) if column.column == "int_rate"]
    assert column.histogram
    values = table.to_pandas()["int_rate"].to_numpy()
    edges = np.array(column.histogram.edges)
    assert column.histogram.exact
    # The edges are rounded to six digits, and so a value on an edge may fall to either side.
    assert np.array(column.histogram.counts) == pytest.approx(np.histogram(values, edges)[0], abs=5)
    assert column.histogram.above == (values > edges[-1]).sum()


def test_correlations_agree_with_pandas(sample_lake: Lake) -> None:
    table = sample_lake.table("credit_risk.payments")
    found = {column.column: column.correlations for column in columns_of(profile(table)) if column.correlations}
    expected = table.to_pandas()[list(found)].corr(min_periods=CORRELATED_AT_LEAST)
    assert "loan_id" not in found
    assert len(found) > 8
    for one, others in found.items():
        assert others == {
            other: pytest.approx(value, abs=5e-4) for other, value in expected[one].dropna().items() if other != one
        }


def test_values_and_frame_come_of_each_other(sample_lake: Lake) -> None:
    frame = profile(sample_lake.table("credit_risk.loans"))
    again = frame_of([as_json(column) for column in columns_of(frame)])
    pd.testing.assert_frame_equal(again, frame, check_dtype=False)


def test_a_large_table_is_labelled_approximate_and_is_close(sample_lake: Lake) -> None:
    table = sample_lake.table("electric_motor.measurements")
    exact = profile(table).set_index("column")
    rough = profile(table, exact_rows=1000).set_index("column")
    assert exact["exact"].all()
    assert not rough["exact"].any()
    for same in ("count", "missing", "min", "max", "mean", "std"):
        assert rough[same].equals(exact[same])
    assert rough["distinct"].to_numpy() == pytest.approx(exact["distinct"].to_numpy(), rel=0.1)


def test_long_values_are_cut(sample_lake: Lake) -> None:
    longest = str(profile(sample_lake.table("cite_sum.papers")).set_index("column").loc["src", "max"])
    assert len(longest) <= 200
    assert longest.endswith("…")
