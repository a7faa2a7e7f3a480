"""The benchmarks measure what they say, of equal work only, and write it where it belongs. No test here takes times."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import psutil
import pytest

from benchmarks import __main__ as bench
from benchmarks import formats, inputs, report
from benchmarks.bars import judge
from benchmarks.cases import LAKE, groups
from benchmarks.equal import differences, written_in
from benchmarks.formats import FORMATS
from benchmarks.lake import questions, star
from benchmarks.lake.run import DATA_WORK
from benchmarks.measure import CommandFailedError, Run, measure, medians
from benchmarks.server import Databases
from nequi_lake import Lake
from nequi_lake.formats.local import read_local
from nequi_lake_tests.conftest import released

ROOT = Path(__file__).parents[1]
MB = 10**6


@pytest.mark.long
def test_every_writer_writes_what_the_lake_does_and_the_document_has_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inputs, "CACHE", tmp_path / "cache")
    document = tmp_path / "performance.md"
    document.write_text(f"Before.\n\n{report.BEGIN}\n\nOld figures.\n\n{report.END}\n\nAfter.\n")
    bench.main(["--quick", "--only", "write", "--document", str(document)])
    text = document.read_text()
    assert "Old figures." not in text
    assert text.startswith("Before.\n")
    assert text.endswith("\n\nAfter.\n")
    for name in ("nequi_lake", "DuckDB COPY", "Polars script", "pyarrow", "pandas"):
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
        assert row.endswith("| 1 |")
        assert name in (tmp_path / "img" / "performance.svg").read_text()
    assert "keep, stage, audit and publish, against DuckDB" in capsys.readouterr().out
    assert [path.name for path in inputs.CACHE.iterdir()] == ["inputs"]


@pytest.mark.long
def test_formats_are_compared_with_plain_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = ["plain CSV", "CSV in gzip", "JSON array"]
    monkeypatch.setattr(inputs, "CACHE", tmp_path / "cache")
    monkeypatch.setattr("benchmarks.cases.FORMATS", {name: FORMATS[name] for name in chosen})
    document = tmp_path / "performance.md"
    bench.main(["--quick", "--only", "formats", "--document", str(document)])
    rows = [line.split(" | ") for line in document.read_text().splitlines()]
    found = {row[0].removeprefix("| "): row[-3:-1] for row in rows if row[-1] == "1 |"}
    assert list(found) == chosen
    assert found["plain CSV"] == ["1.00 ×", "1.00 ×"]
    assert all(float(ratio.removesuffix(" ×")) > 0 for ratios in found.values() for ratio in ratios)


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_has_the_same_records(name: str, tmp_path: Path) -> None:
    formats.write(name, 100, tmp_path)
    (path,) = (tmp_path / formats.NAME).iterdir()
    read = read_local(FORMATS[name].file, path, tmp_path)
    assert read.structure.damaged == 0
    assert read.frame is not None
    assert read.frame.height == 100
    assert read.frame["town"].to_list() == formats.frame_of(100)["town"].to_list()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.head(2), "rows=2"),
        (lambda frame: frame.cast({"n": pl.Int32}), "Int32"),
        (lambda frame: frame.with_columns(n=pl.Series([1, None, 3])), "missing=1"),
        (lambda frame: frame.with_columns(name=pl.Series(["a", "b", "d"])), "loans.name"),
        (lambda frame: frame.with_columns(share=pl.col("share") * 1.001), "loans.share"),
        (lambda frame: frame.drop("share"), "columns n, name"),
        (lambda frame: frame.reverse(), None),
    ],
)
def test_unequal_work_is_reported(
    change: Callable[[pl.DataFrame], pl.DataFrame], said: str | None, tmp_path: Path
) -> None:
    frame = pl.DataFrame({"n": [1, 2, 3], "name": ["a", "b", "c"], "share": [0.1, 0.2, 0.3]})
    for who, rows in (("lake", frame), ("peer", change(frame))):
        rows.write_parquet(tmp_path / who / "loans" / "0.parquet", mkdir=True)
    found = list(differences(written_in(tmp_path / "lake", ["loans"]), written_in(tmp_path / "peer", ["loans"])))
    assert bool(found) == bool(said)
    assert all(str(said) in line for line in found)


def run_of(seconds: float = 1.0, peak_bytes: int = 0, **parts: float) -> Run:
    """A run that took so long."""
    return Run(seconds=seconds, cpu_s=0.0, peak_bytes=peak_bytes, parts=parts)


def test_bars_are_met_missed_or_not_measured() -> None:
    ours = run_of(9.0, keep=1.0, stage=2.0, audit=0.5, publish=0.5)
    results = {
        "write": {LAKE: ours, "Polars script": run_of(3.0, write=2.0), "DuckDB COPY": run_of(4.0, write=3.9)},
        "job": {LAKE: run_of(8.0, 10**9)},
        "job-10x": {LAKE: run_of(87.0, 13 * 10**8)},
    }
    found = {verdict.bar.text: verdict for verdict in judge(results, (5, 10))}
    script, duckdb, *_ = found.values()
    assert (script.measured, script.word) == (1.5, "met")
    assert duckdb.measured == pytest.approx(4 / 3.9)
    assert duckdb.word == "**not met**"
    assert found["peak memory of the whole job at 10 times the size, against once"].word == "met"
    assert found["time of the whole job at 10 times the size, against once"].measured == pytest.approx(87 / 8)
    assert found["`nequi-lake --help`"].word == "not measured"


def test_figures_are_medians() -> None:
    runs = [run_of(seconds, int(seconds), stage=seconds) for seconds in (5.0, 1.0, 2.0)]
    assert medians(runs) == run_of(2.0, 2, stage=2.0)


def test_memory_of_child_processes_counts(tmp_path: Path) -> None:
    hold = "held = bytearray(150 * 10**6); held[:] = b'x' * len(held)"
    script = tmp_path / "parent.py"
    script.write_text(
        f"import subprocess, sys\n{hold}\n"
        f"subprocess.run([sys.executable, '-c', \"import time; {hold}; time.sleep(0.4)\"])\n"
    )
    run = measure([sys.executable, str(script)], {})
    assert 300 * MB < run.peak_bytes < 900 * MB
    assert run.cpu_s > 0
    assert run.parts == {}


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(CommandFailedError, match="no such thing"):
        measure([sys.executable, "-c", "raise SystemExit('no such thing')"], {})


def test_an_interrupted_measurement_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.measure.os.wait4", stopped)
    before = {process.pid for process in psutil.Process().children()}
    with pytest.raises(KeyboardInterrupt):
        measure([sys.executable, "-c", "import time; time.sleep(60)"], {})
    assert {process.pid for process in psutil.Process().children()} <= before


def test_a_document_without_markers_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("Prose.\n")
    with pytest.raises(ValueError, match="lacks the lines"):
        report.put(document, "figures")
    assert document.read_text() == "Prose.\n"


def test_the_documents_of_the_project_have_their_markers() -> None:
    text = (ROOT / "docs" / "performance.md").read_text()
    assert text.index(report.BEGIN) < text.index(report.END)


def test_only_picks_groups_and_cases_and_the_lake_always() -> None:
    everything = groups(1, (5, 10), lambda _: Path(), Path("lake"), Databases(Path("postgres")))
    (profile,) = bench.chosen_groups(everything, ["skrub"], quick=False)
    assert [case.name for case in profile.cases] == [LAKE, "skrub TableReport"]
    quick = bench.chosen_groups(everything, [], quick=True)
    assert [group.name for group in quick] == [group.name for group in everything]
    assert not any(case.environment for group in quick for case in group.cases)


def test_a_question_has_one_answer_whether_it_is_asked_of_the_star_or_of_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEQUI_LAKE_URI", str(tmp_path / "lake"))
    monkeypatch.setenv("NEQUI_LAKE_SAMPLE_SCALE", "0.001")
    lake = Lake.from_env()
    released(lake, "credit_risk")
    star.main()
    for question, queries in questions.QUESTIONS.items():
        answers = [
            [tuple(row.values()) for row in lake.sql(queries[where]).to_pylist()] for where in ("star", "tables")
        ]
        assert answers[0] == answers[1] != [], question


def test_what_counts_as_work_on_data_is_called_so() -> None:
    assert [name for owner, name in DATA_WORK if not callable(getattr(owner, name, None))] == []


@pytest.mark.postgres
def test_what_a_loader_misses_is_reported_and_rows_per_second_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "CACHE", tmp_path / "cache")
    document = tmp_path / "performance.md"
    document.write_text(f"{report.BEGIN}\n{report.END}\n")
    bench.main(["--quick", "--only", "warehouse", "warehouse-all", "warehouse-star", "--document", str(document)])
    text = document.read_text()
    assert "| who | seconds of work | of the process | processor seconds | peak memory (GB) | rows/s | runs |" in text
    assert "nequi_lake, part by part: load" in text
    assert "nequi_lake: star schema, part by part: owed by state" in text
