"""``nequi-lake``: the lake at the command line.

Exit codes: 0 done, 1 the run or a check failed, 2 wrong use. Commands that only read do not import Dagster.
"""

from __future__ import annotations

import csv
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from nequi_lake.errors import NequiLakeError, UsageError

app = typer.Typer(
    help="A data lake: raw files kept as they came, contract-keeping tables, a report for each.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


INTERRUPTED = 130
"""Exit code of a command that the person at the terminal stopped, as shells have it."""


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print the rows.")]


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        code = app(arguments, standalone_mode=False, obj=debug)
    except NequiLakeError as error:
        _complain(str(error), debug=debug)
        code = 2 if isinstance(error, UsageError) else 1
    except typer.Exit as end:
        code = end.exit_code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            _complain(f"{error.format_message()}\n  to do: nequi-lake --help", debug=False)
            code = error.exit_code
        else:
            _complain(
                f"nequi-lake broke off: {type(error).__name__}: {error}\n  to do: see the traceback with --debug, and "
                "report it",
                debug=debug,
            )
            code = 1
    if code == INTERRUPTED:
        _complain("Stopped. Each dataset is whole, as it was or as it is now; run it again to go on.", debug=False)
    sys.exit(code or 0)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
) -> None:
    """Taken out of the arguments by main, and here for the help."""


@app.command()
def run(
    context: typer.Context,
    datasets: Annotated[list[str] | None, typer.Argument(help="Names of datasets; all of them by default.")] = None,
) -> None:
    """Fetch, keep, stage, audit, publish and profile."""
    started = time.monotonic()
    _narrate(started)
    from nequi_lake import progress
    from nequi_lake.doctor import examine, offered
    from nequi_lake.lake.reader import Lake
    from nequi_lake.lake.settings import Settings
    from nequi_lake.sources import open_source

    if sys.stderr.isatty():
        progress.show_on(os.fdopen(os.dup(sys.stderr.fileno()), "w"))
    settings = Settings.from_env()
    lake, source = Lake(settings), open_source(settings)
    _say(f"Lake {settings.uri}, filled from {source.describe()}")
    unwell = [check for check in examine(lake, source) if not check.passed]
    if unwell:
        raise UsageError(unwell[0].found, where=unwell[0].subject, fix=unwell[0].fix)
    there = [dataset.name for dataset in offered(lake, source)]
    unknown = [name for name in datasets or () if name not in lake.datasets]
    if unknown:
        raise UsageError(f"There is no dataset {unknown[0]}.", fix=f"Name some of: {', '.join(lake.datasets)}.")
    lacking = [name for name in datasets or lake.datasets if name not in there]
    if lacking and datasets:
        raise UsageError(f"The source does not have {', '.join(lacking)}.", where=source.describe())
    if lacking:
        _say(f"Not in this source, left as it is: {', '.join(lacking)}")
    _dagster_home()

    from nequi_lake.defs.run import run_recorded

    outcome = run_recorded(settings, datasets or there)
    if context.obj:
        _say("\n".join(outcome.traces))
    for failure in outcome.failures:
        _complain(failure, debug=False)
    _summary(lake, datasets or there)
    reports = lake.storage.path("profiling_reports")
    if lake.storage.exists(reports):
        _say(f"Reports: {lake.storage.link(reports)}")
    if os.environ.get("DAGSTER_HOME"):
        _say(f"In the Dagster UI (make dev): run {outcome.run_id[:8]}")
    verdict = "Done" if outcome.success else "FAILED, as said above; a dataset that failed is as it was"
    _say(f"{verdict}, in {time.monotonic() - started:.1f} s")
    raise typer.Exit(0 if outcome.success else 1)


@app.command()
def tables(form: FormatOption = Format.TABLE) -> None:
    """List the published tables."""
    from nequi_lake.lake.reader import Lake

    lake = Lake.from_env()
    _print_rows(_table_rows(lake, lake.datasets), form)


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="One SELECT in DuckDB's SQL.")], form: FormatOption = Format.TABLE
) -> None:
    """Query the published tables, each under its name DATASET.TABLE."""
    from nequi_lake.lake.reader import Lake

    _print_rows(Lake.from_env().sql(query).to_pylist(), form)


@app.command()
def quarantine(
    table: Annotated[str, typer.Argument(help="DATASET.TABLE")],
    form: FormatOption = Format.TABLE,
    limit: Annotated[int, typer.Option(help="Show at most so many records; 0 for all.")] = 100,
) -> None:
    """Show the raw records that the newest run put aside, and why."""
    from nequi_lake.lake.quarantine import newest_quarantine
    from nequi_lake.lake.reader import Lake

    lake = Lake.from_env()
    rows = newest_quarantine(lake.storage, *lake.declared(table)).drop("record")
    shown = rows.head(limit or rows.height)
    _print_rows([{**row, "raw": json.loads(row["raw"])} for row in shown.iter_rows(named=True)], form)
    if shown.height < rows.height:
        _say(f"{shown.height:,} of {rows.height:,} records; --limit 0 shows all")


@app.command()
def doctor(form: FormatOption = Format.TABLE) -> None:
    """Ask whether the lake can run here."""
    from nequi_lake.doctor import examine
    from nequi_lake.lake.reader import Lake
    from nequi_lake.lake.settings import Settings
    from nequi_lake.sources import open_source

    settings = Settings.from_env()
    checks = examine(Lake(settings), open_source(settings))
    _print_rows(
        [
            {"check": c.name, "passed": c.passed, "found": c.found, "where": c.subject, "to do": c.fix or None}
            for c in checks
        ],
        form,
    )
    if not all(check.passed for check in checks):
        raise typer.Exit(1)


def _table_rows(lake: Any, datasets: Iterable[str]) -> list[dict[str, Any]]:
    return [
        {
            "table": published.name,
            "rows": published.rows,
            "bytes": published.size_bytes,
            "partitions": published.partitions,
            "quarantined": published.accounting.quarantined,
            "release": published.release.id,
            "published_at": published.published_at.isoformat(timespec="seconds"),
        }
        for dataset in datasets
        for published in lake.catalog.published(lake.datasets[dataset]).values()
    ]


def _summary(lake: Any, datasets: Sequence[str]) -> None:
    rows = _table_rows(lake, datasets)
    if rows:
        _print_rows(rows, Format.TABLE)


def _print_rows(rows: Sequence[dict[str, Any]], form: Format) -> None:
    """Print rows to standard output."""
    if form is Format.JSON:
        typer.echo(json.dumps(rows, indent=2, default=str, ensure_ascii=False))
        return
    names = list(rows[0]) if rows else []
    if form is Format.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_plain(row[name]) for name in names] for row in rows)
        return
    if not rows:
        typer.echo("no rows")
        return
    cells = [[_short(row[name], grouped=name in _COUNTS) for name in names] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(names, *cells, strict=True)]
    numeric = [all(isinstance(row[name], int | float) for row in rows) for name in names]
    for line in ([*names], ["─" * width for width in widths], *cells):
        typer.echo(
            "  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in zip(line, widths, numeric, strict=True)).rstrip()
        )


def _plain(value: Any) -> Any:
    return json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, dict | list) else value


_COUNTS = {"rows", "bytes", "partitions", "quarantined"}
"""Columns of the lake's own listings whose numbers are large; others may be years or ids."""


def _short(value: Any, *, grouped: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if grouped and isinstance(value, int):
        return f"{value:,}"
    text = " ".join(str(_plain(value)).split())
    return text if len(text) <= 100 else f"{text[:99]}…"


class _Narrator(logging.Handler):
    """Says each step on standard error, with the seconds since the command began."""

    def __init__(self, started: float) -> None:
        super().__init__()
        self._started = started

    def emit(self, record: logging.LogRecord) -> None:
        _say(f"[{time.monotonic() - self._started:6.1f} s] {record.getMessage()}")


def _narrate(started: float) -> None:
    logger = logging.getLogger("nequi_lake")
    logger.setLevel(logging.INFO)
    logger.handlers = [_Narrator(started)]


def _dagster_home() -> None:
    """Record runs beside the project where its Dagster folder is, so that ``make dev`` shows them."""
    beside = Path.cwd() / ".dagster"
    if "DAGSTER_HOME" not in os.environ and (beside / "dagster.yaml").exists():
        os.environ["DAGSTER_HOME"] = str(beside)


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _complain(text: str, *, debug: bool) -> None:
    _say(f"\n{text}\n")
    if debug:
        _say(traceback.format_exc())
