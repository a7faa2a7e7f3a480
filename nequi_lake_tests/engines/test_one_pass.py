"""Staging reads each raw file once, in bounded memory, whatever the number of tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from nequi_lake.datasets.spec import Dataset
from nequi_lake.engines.records import read_records
from nequi_lake.formats import Structure
from nequi_lake.lake.raw_file import RawFileVersion, RawPart
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import open_storage

# What a node of the physical plan is called where it takes in whole columns before it gives anything.
WHOLE_COLUMN = re.compile(r'label="(columnar-function|in-memory-map|in-memory-source|sort|fallback)')

# And where it hands one stream to several others, of which it holds what the slower ones have not taken.
READS_ON = re.compile(r'label="(multiplexer|zip)')


def kept(dataset: Dataset, folder: Path) -> dict[str, RawFileVersion]:
    """Kept files of the dataset, with a header or an empty line alone: enough for a plan."""
    found = {}
    for file in dataset.readable_files:
        path = folder / file.name
        path.write_text(",".join(file.field_paths) + "\n" if file.kind == "csv" else "")
        found[file.name] = RawFileVersion(
            dataset=dataset.name,
            file=file.name,
            version="v",
            readable=True,
            fetched_at="",
            parts=(
                RawPart(
                    file=file.name,
                    name=file.name,
                    source="test",
                    size_bytes=1,
                    structure=Structure(records=1, lines=2),
                ),
            ),
            folder=str(folder),
        )
    return found


@pytest.fixture
def plans(datasets: Mapping[str, Dataset], tmp_path: Path) -> dict[Path, pl.LazyFrame]:
    """Raw file → the frame of which all tables are made."""
    storage = open_storage(Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path)}))
    found = {}
    for dataset in datasets.values():
        files = kept(dataset, tmp_path)
        for file in dataset.readable_files:
            found[tmp_path / file.name] = read_records(dataset, file, files[file.name], storage, {}).frame
    return found


def test_each_raw_file_is_scanned_once(plans: dict[Path, pl.LazyFrame]) -> None:
    for path, frame in plans.items():
        assert frame.explain().count(f"SCAN [{path}]") == 1


def test_no_function_wants_a_whole_column(plans: dict[Path, pl.LazyFrame]) -> None:
    for path, frame in plans.items():
        graph = frame.show_graph(engine="streaming", plan_stage="physical", raw_output=True, show=False)
        assert graph is not None
        assert WHOLE_COLUMN.findall(graph) == [], path.name


def test_nothing_in_a_pass_reads_on_while_something_else_is_slow(plans: dict[Path, pl.LazyFrame]) -> None:
    for path, frame in plans.items():
        graph = frame.show_graph(engine="streaming", plan_stage="physical", raw_output=True, show=False)
        assert graph is not None
        assert READS_ON.findall(graph) == [], path.name


def test_the_look_for_whole_column_functions_finds_one() -> None:
    frame = pl.LazyFrame({"a": ["x", "y"]}).select(pl.col("a").replace({"x": "z"}))
    graph = frame.show_graph(engine="streaming", plan_stage="physical", raw_output=True, show=False)
    assert WHOLE_COLUMN.findall(graph or "")


def test_the_look_for_what_reads_on_finds_it() -> None:
    frame = pl.LazyFrame({"a": [1, 2]}).with_columns(b=pl.col("a").shift(1))
    graph = frame.show_graph(engine="streaming", plan_stage="physical", raw_output=True, show=False)
    assert READS_ON.findall(graph or "")
