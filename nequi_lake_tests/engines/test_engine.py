"""The unit of work: parts and buckets can be worked on by anyone, in any order, and give the same tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import polars as pl
import pytest

from nequi_lake.engines.base import InProcess, PartResult, StagePart, StagingJob, Workers, run
from nequi_lake.engines.contradictions import Contradictions
from nequi_lake.engines.polars import PolarsEngine
from nequi_lake.lake.raw_file import RawFileVersion
from nequi_lake.lake.release import Release, StagedTable
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import open_storage
from nequi_lake.pipeline.fetch import receive
from nequi_lake.sources import open_source
from nequi_lake_tests.conftest import citation, only, write_citations

T = TypeVar("T")
R = TypeVar("R")

CITE_SUM = only("cite_sum")["cite_sum"]


class LastFirst:
    """Workers that begin with the last item."""

    slots = 2

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        return [work(item) for item in reversed(items)][::-1]


@pytest.fixture
def files(inbox: Path, settings: Settings, tmp_path: Path) -> dict[str, RawFileVersion]:
    """The raw files of cite_sum, in which papers stand in several splits, and one record is bad."""
    write_citations(inbox, "validation", [citation(1), citation(4), {**citation(5), "paper_id": "x"}])
    folder = tmp_path / "fetched"
    folder.mkdir()
    return {file.file: file for file in receive(CITE_SUM, open_source(settings), folder)}


def job(files: dict[str, RawFileVersion], lake: Path, scratch: Path) -> StagingJob:
    """All tables of cite_sum, staged into a lake of its own."""
    scratch.mkdir()
    return StagingJob(
        dataset=CITE_SUM,
        tables=CITE_SUM.tables,
        files=files,
        release=Release(id="r", run_id="run", raw_version="v", tables=tuple(t.name for t in CITE_SUM.tables)),
        contradictions=Contradictions(),
        storage=open_storage(Settings.from_env({"NEQUI_LAKE_URI": str(lake)})),
        scratch=scratch,
    )


def rows_of(staged: dict[str, StagedTable]) -> dict[str, list[tuple[object, ...]]]:
    """The rows of each staged table, by its key."""
    return {
        name: pl.read_parquet(table.paths, hive_partitioning=False).sort(CITE_SUM.table(name).key).rows()
        for name, table in staged.items()
    }


def test_who_does_the_work_and_in_which_order_changes_nothing(files: dict[str, RawFileVersion], tmp_path: Path) -> None:
    found = []
    workers: tuple[Workers, ...] = (InProcess(), LastFirst())
    for number, each in enumerate(workers):
        staged = run(PolarsEngine(), each, job(files, tmp_path / f"lake-{number}", tmp_path / f"scratch-{number}"))
        quarantined = pl.read_parquet(sorted(map(str, (tmp_path / f"lake-{number}").glob("quarantine/**/*.parquet"))))
        found.append((rows_of(staged), {n: t.accounting for n, t in staged.items()}, quarantined.rows()))
    assert found[0] == found[1]
    assert len(found[0][0]["papers"]) == 3
    assert len(found[0][2]) == 1


def test_no_two_parts_write_the_same_path(files: dict[str, RawFileVersion], tmp_path: Path) -> None:
    engine = PolarsEngine()
    parts: list[StagePart] = engine.cut(job(files, tmp_path / "lake", tmp_path / "scratch"), InProcess())
    results: list[PartResult] = [engine.stage_part(part) for part in parts]
    paths = [file.path for result in results for table in result.files.values() for file in table]
    segments = [p for result in results for table in result.segments.values() for s in table.values() for p in s]
    assert len(results) == 3
    assert len(set(paths)) == len(paths) > 0
    assert len(set(segments)) == len(segments) > 0
