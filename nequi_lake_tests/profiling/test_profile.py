"""A profile's figures are right: held against pandas on the sample, and against known answers."""

from __future__ import annotations

import json
import math

import pandas as pd
import pytest

from nequi_lake import Lake
from nequi_lake.defs.build import build
from nequi_lake.lake.settings import Settings
from nequi_lake.profiling.profile import TOP, profile


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
        frame = table.to_pandas()
        for row in profile(table).to_dict(orient="records"):
            values = frame[row["column"]]
            where = f"{table.published.name}.{row['column']}"
            assert row["count"] == values.count(), where
            assert row["missing"] == values.isna().sum(), where
            assert row["distinct"] == values.nunique(), where
            assert row["exact"], where
            if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
                numbers = values.dropna().astype("float64")
                assert float(row["min"]) == numbers.min(), where
                assert float(row["max"]) == numbers.max(), where
                expected = [numbers.mean(), numbers.std(), *numbers.quantile([0.25, 0.5, 0.75])]
                found = [row[name] for name in ("mean", "std", "q25", "median", "q75")]
                assert found == pytest.approx(expected, rel=1e-9, nan_ok=True), where
            else:
                assert math.isnan(row["mean"]), where
            top = json.loads(row["top"])
            counts = values.value_counts()
            assert [count for _, count in top] == counts.head(TOP).tolist(), where


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
