"""What the commands print: rows as a table, CSV or JSON on standard output, all else on standard error."""

from __future__ import annotations

import csv
import json
import logging
import sys
import time
import traceback
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print the rows.")]


def print_rows(rows: Sequence[dict[str, Any]], form: Format) -> None:
    """Print rows to standard output."""
    if form is Format.JSON:
        typer.echo(json.dumps(rows, indent=2, default=str, ensure_ascii=False))
        return
    names = list(rows[0]) if rows else []
    if form is Format.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_in_csv(row[name]) for name in names] for row in rows)
        return
    if not rows:
        typer.echo("no rows")
        return
    cells = [[_short(row[name], grouped=name in _COUNTS) for name in names] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(names, *cells, strict=True)]
    numeric = [all(isinstance(row[name], int | float | None) for row in rows) for name in names]
    for line in ([*names], ["─" * width for width in widths], *cells):
        typer.echo(
            "  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in zip(line, widths, numeric, strict=True)).rstrip()
        )


def _in_csv(value: Any) -> Any:
    from nequi_lake.lake.export.write import escape_formula

    return escape_formula(_plain(value))


def _plain(value: Any) -> Any:
    return json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, dict | list) else value


_COUNTS = {"rows", "bytes", "partitions", "quarantined", "files", "snapshots"}
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


class _LogPrinter(logging.Handler):
    """Says each step on standard error, with the seconds since the command began."""

    def __init__(self, started: float) -> None:
        super().__init__()
        self._started = started

    def emit(self, record: logging.LogRecord) -> None:
        say(f"[{time.monotonic() - self._started:6.1f} s] {record.getMessage()}")


def show_log(started: float) -> None:
    logger = logging.getLogger("nequi_lake")
    logger.setLevel(logging.INFO)
    logger.handlers = [_LogPrinter(started)]


def say(text: str) -> None:
    typer.echo(text, err=True)


def print_error(text: str, *, debug: bool) -> None:
    say(f"\n{text}\n")
    if debug:
        say(traceback.format_exc())
