"""What is measured: groups of cases, of which those of one group do the same work and run in turn."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.formats import FORMATS
from benchmarks.inputs import python_of, records_as, warm
from benchmarks.measure import ROOT, measure
from benchmarks.server import Databases
from benchmarks.task import task, written

LAKE = "nequi_lake"
"""Name of the lake's case in a group."""

_ROWS_OF_FORMATS = 200_000
_CLI = "from nequi_lake.cli import program; program()"


@dataclass(frozen=True)
class Command:
    """A process to measure, and the variables that it needs."""

    line: list[str]
    environment: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to do a group's work.

    Attributes:
        name: the way, for a person; :data:`LAKE` is the lake's.
        settings: how it was set, for a person.
        prepare: makes the command, of a fresh folder that it may write into.
        out: the folder below that one in which it leaves the four tables; none where it leaves none.
        environment: the virtual environment that it needs, if it is not the project's.
        database: the database into which it loads the four tables; none where it loads none.
    """

    name: str
    settings: str
    prepare: Callable[[Path], Command]
    out: str | None = None
    environment: str | None = None
    database: str | None = None


@dataclass(frozen=True, kw_only=True)
class Group:
    """Cases that do the same work.

    Attributes:
        name: its name at the command line and in the bars.
        title: the work, for a person.
        scale: of the sample that is read; None where none is.
        cases: who does it.
        rows: how many records each case reads, where that is told beside the seconds, and both are compared with the
            first case.
    """

    name: str
    title: str
    scale: float | None
    cases: tuple[Case, ...]
    rows: int = 0


def groups(
    scale: float,
    growth: tuple[float, float],
    sample: Callable[[float], Path],
    lake: Path,
    databases: Databases,
) -> list[Group]:
    """All that is measured.

    Args:
        scale: of the sample; 1 is the size on Kaggle.
        growth: how many times that size it is written, and the whole job is done, to see how they grow.
        sample: scale → a folder source; called when it is needed.
        lake: a folder in which a lake of ``scale`` will be, once :func:`publish` has made it.
        databases: of a PostgreSQL server; asked when one is needed.
    """
    more, most = growth
    return [
        Group(name="write", title="CSV file to four tables", scale=scale, cases=_writers(scale, sample)),
        Group(
            name=f"write-{more:g}x",
            title=f"CSV file of {more:g} times the size to four tables",
            scale=scale * more,
            cases=_writers(scale * more, sample)[:3],
        ),
        Group(
            name="formats",
            title="The same records in each raw format",
            scale=None,
            cases=_formats(_rows_of_formats(scale)),
            rows=_rows_of_formats(scale),
        ),
        Group(name="profile", title="Profile of every column of the four tables", scale=scale, cases=_profilers(lake)),
        Group(name="star", title="Five questions of a dashboard", scale=scale, cases=_questions(lake)),
        Group(
            name="warehouse",
            title="Four tables into PostgreSQL",
            scale=scale_of_small_lake(scale),
            cases=_loaders(small_lake(lake), databases),
        ),
        Group(
            name="warehouse-all",
            title="Tables and star schema into PostgreSQL, and the same release again",
            scale=scale,
            cases=_loaders_of_all(lake, databases),
        ),
        Group(
            name="warehouse-star",
            title="Five questions of a dashboard to PostgreSQL",
            scale=scale,
            cases=_questions_of_warehouse(lake, databases),
        ),
        Group(name="job", title="Whole job, from file to reports", scale=scale, cases=_jobs(scale, sample)),
        Group(
            name=f"job-{most:g}x",
            title=f"Whole job at {most:g} times the size",
            scale=scale * most,
            cases=_jobs(scale * most, sample)[:1],
        ),
        Group(name="start", title="What is not work on data", scale=None, cases=_starts()),
    ]


def publish(inputs: Path, lake: Path) -> Command:
    """The command that makes a lake with the four tables of a folder source."""
    return Command([sys.executable, "-m", "benchmarks.lake.write"], lake_environment(lake, inputs))


def publish_star(inputs: Path, lake: Path) -> Command:
    """The command that adds the star schema to such a lake."""
    return Command([sys.executable, "-m", "benchmarks.lake.star"], lake_environment(lake, inputs))


def scale_of_small_lake(scale: float) -> float:
    """The scale of a lake whose tables are loaded into a database, as most loaders take minutes."""
    return max(scale / 10, 0.001)


def small_lake(lake: Path) -> Path:
    """The folder of that lake, beside the other one's."""
    return lake.with_name(f"{lake.name}-small")


def load_all(lake: Path, database: str) -> Command:
    """The command that loads tables and star schema of a lake into a database, and then once more."""
    return _load("all", lake, database)


def lake_environment(lake: Path, source: Path | str, **more: str) -> dict[str, str]:
    """The variables of a process that works on a lake, and none of the person's own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("NEQUI_LAKE_", "DAGSTER_"))}
    return {**own, "NEQUI_LAKE_URI": str(lake), "NEQUI_LAKE_SOURCE": str(source), **more}


def _writers(scale: float, sample: Callable[[float], Path]) -> tuple[Case, ...]:
    def ours(folder: Path) -> Command:
        return publish(sample(scale), folder / "lake")

    def theirs(module: str, folder: Path) -> Command:
        return _peer(module, sys.executable, folder, sample(scale), None)

    return (
        Case(
            name=LAKE,
            settings="All of it: copy of the file, hash, structure of every line, manifest (keep); contract of every "
            "value, quarantine (stage); keys, references, nulls (audit); one commit a table (publish).",
            prepare=ours,
            out=str(written(Path("lake"))),
        ),
        Case(
            name="DuckDB COPY",
            settings="Columns and types given; order not kept; the file into a temporary table in memory, one `COPY` "
            "a table, as four scans of the file took longer.",
            prepare=partial(theirs, "write_duckdb"),
            out="out",
        ),
        Case(
            name="Polars script",
            settings="Columns and types given, one streaming scan into four sinks; nothing is checked.",
            prepare=partial(theirs, "write_polars"),
            out="out",
        ),
        Case(
            name="pyarrow",
            settings="Columns and types given, the reader on all cores; each distinct date or code parsed once.",
            prepare=partial(theirs, "write_pyarrow"),
            out="out",
        ),
        Case(
            name="pandas",
            settings="The reader of PyArrow on all cores and its types, both given; each distinct date or code parsed "
            "once.",
            prepare=partial(theirs, "write_pandas"),
            out="out",
        ),
    )


def _rows_of_formats(scale: float) -> int:
    return max(1_000, int(_ROWS_OF_FORMATS * scale))


def _formats(rows: int) -> tuple[Case, ...]:
    def ours(name: str, folder: Path) -> Command:
        source = records_as(name, rows)
        warm(source)
        line = [sys.executable, "-m", "benchmarks.lake.formats", name, str(rows)]
        return Command(line, lake_environment(folder / "lake", source))

    return tuple(Case(name=name, settings=each.options, prepare=partial(ours, name)) for name, each in FORMATS.items())


def _profilers(lake: Path) -> tuple[Case, ...]:
    def ours(_folder: Path) -> Command:
        return Command([sys.executable, "-m", "benchmarks.lake.profile"], lake_environment(lake, "sample"))

    def theirs(module: str, environment: str | None, folder: Path) -> Command:
        return _peer(module, python_of(environment) if environment else sys.executable, folder, Path(), lake)

    return (
        Case(
            name=LAKE,
            settings="Exact counts, distinct values, extremes, moments, quartiles and most frequent values; with the "
            "HTML, JSON and CSV of each report.",
            prepare=ours,
        ),
        Case(
            name="DuckDB SUMMARIZE",
            settings="One `SUMMARIZE` a table over its Parquet files: approximate distinct values and quartiles, no "
            "frequent values, no page.",
            prepare=partial(theirs, "profile_duckdb", None),
        ),
        Case(
            name="skrub TableReport",
            settings="One HTML page a table, associations between columns left out.",
            prepare=partial(theirs, "profile_skrub", "skrub"),
            environment="skrub",
        ),
        Case(
            name="ydata-profiling",
            settings="`minimal=True`, one HTML page a table; given the frames in NumPy's types.",
            prepare=partial(theirs, "profile_ydata", "ydata"),
            environment="ydata",
        ),
    )


def _questions(lake: Path) -> tuple[Case, ...]:
    def ask(where: str, _folder: Path) -> Command:
        return Command([sys.executable, "-m", "benchmarks.lake.questions", where], lake_environment(lake, "sample"))

    return (
        Case(
            name=f"{LAKE}: star schema",
            settings="`lake.sql`, each question a join of `fact_loan` with the dimensions that it asks of.",
            prepare=partial(ask, "star"),
        ),
        Case(
            name=f"{LAKE}: tables",
            settings="`lake.sql`, the same questions of the four tables, joined.",
            prepare=partial(ask, "tables"),
        ),
    )


def _loaders(lake: Path, databases: Databases) -> tuple[Case, ...]:
    name = "bench"

    def ours(_folder: Path) -> Command:
        return _load("tables", lake, databases.new(name))

    def theirs(module: str, folder: Path) -> Command:
        return _peer(module, python_of("warehouse"), folder, Path(), lake, databases.new(name))

    return (
        Case(
            name=LAKE,
            settings="The contract's types, keys, references with their indexes and comments; counts compared; one "
            "transaction with the ledger; vacuumed.",
            prepare=ours,
            database=name,
        ),
        Case(
            name="ADBC",
            settings="`adbc_ingest` of batches into tables that it makes, in one transaction: no keys, money as "
            "`numeric` without its scale.",
            prepare=partial(theirs, "load_adbc"),
            environment="warehouse",
            database=name,
        ),
        Case(
            name="dlt",
            settings="A pipeline of Arrow tables into its destination for PostgreSQL: no keys.",
            prepare=partial(theirs, "load_dlt"),
            environment="warehouse",
            database=name,
        ),
        Case(
            name="pandas",
            settings="`to_sql` of batches, `method='multi'`, 1,000 rows a statement: no keys.",
            prepare=partial(theirs, "load_pandas"),
            environment="warehouse",
            database=name,
        ),
    )


def _loaders_of_all(lake: Path, databases: Databases) -> tuple[Case, ...]:
    return (
        Case(
            name=LAKE,
            settings="As above, with the star schema; the second time the ledger says that there is nothing to do.",
            prepare=lambda _folder: load_all(lake, databases.new("bench")),
        ),
    )


def _questions_of_warehouse(lake: Path, databases: Databases) -> tuple[Case, ...]:
    filled: list[str] = []

    def ask(where: str, _folder: Path) -> Command:
        if not filled:
            filled.append(databases.new("bench_star"))
            command = load_all(lake, filled[0])
            measure(command.line, command.environment)
        return Command([sys.executable, "-m", "benchmarks.lake.questions", where, filled[0]], dict(os.environ))

    return (
        Case(name=f"{LAKE}: star schema", settings="The questions above.", prepare=partial(ask, "star")),
        Case(name=f"{LAKE}: tables", settings="The questions above.", prepare=partial(ask, "tables")),
    )


def _load(what: str, lake: Path, database: str) -> Command:
    line = [sys.executable, "-m", "benchmarks.lake.warehouse", what]
    return Command(line, lake_environment(lake, "sample", NEQUI_LAKE_WAREHOUSE=database))


def _jobs(scale: float, sample: Callable[[float], Path]) -> tuple[Case, ...]:
    def ours(folder: Path) -> Command:
        environment = lake_environment(folder / "lake", sample(scale), DAGSTER_HOME=_dagster_home(folder))
        return Command([sys.executable, "-c", _CLI, "run", "credit_risk"], environment)

    def theirs(folder: Path) -> Command:
        return _peer("job_pandas", python_of("ydata"), folder, sample(scale), None)

    return (
        Case(
            name=LAKE,
            settings="`nequi-lake run credit_risk` from a folder: all of the above, the marts, the reports of both; "
            "start and Dagster's records included.",
            prepare=ours,
            out=str(written(Path("lake"))),
        ),
        Case(
            name="pandas + ydata-profiling",
            settings="The pandas script above, then ydata-profiling of what it wrote.",
            prepare=theirs,
            out="out",
            environment="ydata",
        ),
    )


def _starts() -> tuple[Case, ...]:
    def run(folder: Path) -> Command:
        environment = lake_environment(folder / "lake", "sample", DAGSTER_HOME=_dagster_home(folder))
        return Command([sys.executable, "-m", "benchmarks.lake.run"], environment)

    def cli(arguments: list[str], folder: Path) -> Command:
        (folder / "lake").mkdir()
        return Command([sys.executable, "-c", _CLI, *arguments], lake_environment(folder / "lake", "sample"))

    return (
        Case(
            name="nequi-lake run",
            settings="On the embedded sample at scale 0.01, three datasets; the seconds of work on data are told "
            "apart.",
            prepare=run,
        ),
        Case(name="nequi-lake sql", settings='`nequi-lake sql "select 1"`', prepare=partial(cli, ["sql", "select 1"])),
        Case(name="nequi-lake --help", settings="`nequi-lake --help`", prepare=partial(cli, ["--help"])),
    )


def _peer(module: str, python: str, folder: Path, inputs: Path, lake: Path | None, database: str = "") -> Command:
    file = folder / "task.json"
    file.write_text(json.dumps(task(inputs, folder / "out", lake, database)))
    return Command([python, "-W", "ignore", "-m", f"benchmarks.peers.{module}", str(file)], dict(os.environ))


def _dagster_home(folder: Path) -> str:
    """A folder for Dagster's records, set as the project's own."""
    home = folder / "dagster"
    home.mkdir()
    shutil.copy(ROOT / ".dagster" / "dagster.yaml", home)
    return str(home)
