"""Staging reads each raw file once, in bounded memory, whatever the number of tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from nequi_lake.datasets.spec import Dataset
from nequi_lake.engines.polars import plan_pass
from nequi_lake.lake.raw import KeptFile, Part
from nequi_lake.lake.release import Release
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import Storage

RELEASE = Release(id="r", run_id="run", raw_version="v", tables=())
# What a node of the physical plan is called where it takes in whole columns before it gives anything.
WHOLE_COLUMN = re.compile(r'label="(columnar-function|in-memory-map|in-memory-source|sort|fallback)')


def kept(dataset: Dataset, folder: Path) -> dict[str, KeptFile]:
    """Kept files of the dataset, with a header or an empty line alone: enough for a plan."""
    found = {}
    for file in dataset.readable_files:
        path = folder / file.name
        path.write_text(",".join(file.leaves) + "\n" if file.kind == "csv" else "")
        found[file.name] = KeptFile(
            dataset=dataset.name,
            file=file.name,
            version="v",
            source="test",
            source_version=None,
            licence="none",
            whole=True,
            parts=(Part(name=file.name, sha256="0", size_bytes=1, records=1, lines=2),),
            fetched_at="",
            folder=str(folder),
        )
    return found


@pytest.fixture
def plans(datasets: Mapping[str, Dataset], tmp_path: Path) -> dict[str, list[pl.LazyFrame]]:
    """Dataset name → the frames of the pass that makes all of its tables."""
    storage = Storage(Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path)}))
    return {
        name: plan_pass(
            dataset, kept(dataset, tmp_path), [table.name for table in dataset.tables], RELEASE, storage
        ).frames()
        for name, dataset in datasets.items()
    }


def test_each_raw_file_is_scanned_once(
    plans: dict[str, list[pl.LazyFrame]], datasets: Mapping[str, Dataset], tmp_path: Path
) -> None:
    for name, frames in plans.items():
        plan = pl.explain_all(frames)
        for file in datasets[name].readable_files:
            assert plan.count(f"SCAN [{tmp_path / file.name}]") == 1, name


def test_no_function_wants_a_whole_column(plans: dict[str, list[pl.LazyFrame]]) -> None:
    for name, frames in plans.items():
        for frame in frames:
            graph = frame.show_graph(engine="streaming", plan_stage="physical", raw_output=True, show=False)
            assert graph is not None
            assert WHOLE_COLUMN.findall(graph) == [], name


def test_the_look_for_whole_column_functions_finds_one() -> None:
    frame = pl.LazyFrame({"a": ["x", "y"]}).select(pl.col("a").replace({"x": "z"}))
    graph = frame.show_graph(engine="streaming", plan_stage="physical", raw_output=True, show=False)
    assert WHOLE_COLUMN.findall(graph or "")
