"""The examples run on the sample lake, draw what is there, and say what to do where nothing is."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure

from nequi_lake import Lake
from nequi_lake.defs.build import build
from nequi_lake.lake.settings import Settings

pytestmark = pytest.mark.long

FOLDER = Path(__file__).parents[1] / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "chart")
EXAMPLES = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A small lake of the embedded sample: its tables, without their reports."""
    folder = str(tmp_path_factory.mktemp("sample") / "lake")
    settings = Settings.from_env({"NEQUI_LAKE_URI": folder, "NEQUI_LAKE_SAMPLE_SCALE": "0.002"})
    lake = Lake(settings)
    job = build(settings).resolve_job_def("lake")
    keys = [key for key in job.asset_layer.executable_asset_keys if key.path[0] != "profiling_reports"]
    assert job.execute_in_process(
        asset_selection=keys, run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    ).success
    return lake


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import an example by its name, as Python would that runs it."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


def run(example: Any, name: str, lake: str, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run an example for a lake."""
    monkeypatch.setenv("NEQUI_LAKE_URI", lake)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--out", str(out)])
    example("chart").draw(name, example(name).plot)


@EXAMPLES
def test_an_example_draws_its_chart(
    name: str,
    example: Any,
    sample: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(example, name, sample.settings.uri, tmp_path / "charts", monkeypatch)
    chart = tmp_path / "charts" / f"{name}.png"
    assert chart.read_bytes().startswith(b"\x89PNG")
    assert chart.stat().st_size > 20_000
    assert capsys.readouterr().out == f"{chart}\n"


@EXAMPLES
def test_an_empty_lake_says_what_to_do(
    name: str, example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lake").mkdir()
    for lake in ("lake", "none"):
        with pytest.raises(SystemExit) as told:
            run(example, name, str(tmp_path / lake), tmp_path / "charts", monkeypatch)
        assert "nequi-lake run" in str(told.value.code)
    assert list((tmp_path / "charts").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_wrong_use(
    example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as told:
        run(example, "arrears", "lake", tmp_path / "file", monkeypatch)
    assert told.value.code == 2
    assert "--out" in capsys.readouterr().err


@EXAMPLES
def test_an_example_is_short_and_in_the_list(name: str) -> None:
    assert len((FOLDER / f"{name}.py").read_text().splitlines()) < 50
    assert f"[{name}.py]({name}.py)" in (FOLDER / "README.md").read_text()


def test_every_loan_counts_once_in_the_default_rates(example: Any, sample: Lake) -> None:
    axes = Figure().add_subplot()
    example("default_rate").plot(sample, axes)
    loans = sample.table("credit_risk.loans").scan().select("grade", "issue_date", "loan_status").collect()
    one = loans.filter((pl.col("grade") == "B") & (pl.col("issue_date").dt.year() == 2014))
    defaulted = one.filter(
        pl.col("loan_status").is_in(["Default", "Charged Off", "Does not meet the credit policy. Status:Charged Off"])
    )
    rates = axes.images[0].get_array()
    assert rates is not None
    years = [int(label.get_text()) for label in axes.get_xticklabels()]
    assert rates[1, years.index(2014)] == pytest.approx(defaulted.height / one.height)


def test_shares_in_arrears_are_of_what_is_owed(example: Any, sample: Lake) -> None:
    axes = Figure().add_subplot()
    example("arrears").plot(sample, axes)
    owed = sample.sql(
        "SELECT sum(out_prncp) FILTER (loan_status NOT IN ('Current', 'Issued')) / sum(out_prncp) AS late "
        "FROM credit_risk.loans JOIN credit_risk.payments USING (loan_id) WHERE year(issue_date) = 2014"
    ).to_pylist()[0]["late"]
    years = [label.get_text() for label in axes.get_xticklabels()]
    tops = [bars[years.index("2014")].get_height() for bars in axes.containers]
    assert sum(tops) == pytest.approx(owed)


def test_the_forecast_knows_nothing_of_the_session_it_is_judged_by(example: Any, sample: Lake) -> None:
    module = example("motor_temperature")
    rows = sample.sql(module.QUERY).to_pandas()
    last = rows.profile_id == rows.profile_id.max()
    assert 0 < last.sum() < len(rows)

    def forecast(frame: pd.DataFrame) -> list[float]:
        axes = Figure().add_subplot()
        module.plot(SimpleNamespace(sql=lambda _: SimpleNamespace(to_pandas=lambda: frame)), axes)
        drawn: list[float] = np.asarray(axes.lines[1].get_ydata()).tolist()
        return drawn

    assert forecast(rows.assign(target_pm_5min=rows.target_pm_5min.where(~last, 999.0))) == forecast(rows)
    assert forecast(rows.assign(target_pm_5min=rows.target_pm_5min.where(last, 999.0))) != forecast(rows)


def test_no_abstract_is_both_learned_and_judged(
    example: Any, sample: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(example, "summaries", sample.settings.uri, tmp_path, monkeypatch)
    texts = {split: pq.read_table(tmp_path / f"{split}.parquet") for split in ("train", "validation", "test")}
    assert all(table.num_rows for table in texts.values())
    learned = set(texts["train"]["abstract"].to_pylist())
    assert not learned & {*texts["validation"]["abstract"].to_pylist(), *texts["test"]["abstract"].to_pylist()}
    counts = sample.table("cite_sum.citations").scan().group_by("split").len().collect()
    published = dict(counts.iter_rows())
    assert texts["train"].num_rows == published["train"]
    assert 0 < texts["test"].num_rows <= published["test"]
