"""What the commands print: rows as a table, CSV or JSON on standard output, all else on standard error."""

from __future__ import annotations

import csv
import io
import logging
import math
import re
import sys
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from nequi_lake.errors import UsageError
from nequi_lake.redaction import redact


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print the rows.")]


def ready() -> None:
    """Make the process ready to print: any text, from a folder that is there.

    Raises:
        UsageError: the working folder is gone.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal of another encoding shows what it cannot write as a code.
            stream.reconfigure(errors="backslashreplace")
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UsageError("The folder in which this was started is gone.", fix="cd to another one.") from None


def print_rows(rows: Sequence[dict[str, Any]], form: Format) -> None:
    """Print rows to standard output."""
    print_batches(list(rows[0]) if rows else [], [rows], form)


def print_batches(
    names: Sequence[str], batches: Iterable[Sequence[dict[str, Any]]], form: Format, most: int | None = None
) -> bool:
    """Print rows to standard output as they come; whether there were more than ``most``.

    A table's columns are as wide as the first batch needs.

    Args:
        names: of the columns.
        batches: the rows, some at a time.
        form: how to print them.
        most: how many to print; all by default.
    """
    left = most
    kinds: dict[Format, type[_Printer]] = {
        Format.JSON: _JsonPrinter,
        Format.CSV: _CsvPrinter,
        Format.TABLE: _TablePrinter,
    }
    printer = kinds[form](names)
    try:
        for batch in batches:
            shown = batch if left is None else batch[:left]
            printer.print(shown)
            if left is not None:
                if len(batch) > left:
                    printer.end()
                    return True
                left -= len(batch)
        printer.end()
    except OSError as refusal:
        if isinstance(refusal, BrokenPipeError):
            raise
        raise UsageError(
            f"Standard output cannot be written: {refusal.strerror or refusal}.", fix="Is there space where it goes?"
        ) from refusal
    return False


class _Printer(ABC):
    @abstractmethod
    def __init__(self, names: Sequence[str]) -> None: ...

    @abstractmethod
    def print(self, rows: Sequence[dict[str, Any]]) -> None:
        """Print some rows."""

    @abstractmethod
    def end(self) -> None:
        """Print what comes after the last."""


class _TablePrinter(_Printer):
    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._widths: list[int] = []
        self._numeric: list[bool] = []

    def print(self, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            return
        cells = [[_short(row[name], grouped=name in _COUNTS) for name in self._names] for row in rows]
        if not self._widths:
            titles = [on_screen(name) for name in self._names]
            self._widths = [max(len(cell) for cell in column) for column in zip(titles, *cells, strict=True)]
            self._numeric = [
                all(isinstance(row[name], int | float | Decimal | None) for row in rows) for name in self._names
            ]
            cells = [titles, ["─" * width for width in self._widths], *cells]
        for line in cells:
            aligned = zip(line, self._widths, self._numeric, strict=True)
            _write("  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in aligned).rstrip() + "\n")

    def end(self) -> None:
        if not self._widths:
            _write("no rows\n")
        sys.stdout.flush()


class _CsvPrinter(_Printer):
    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._writer = csv.writer(_Lines(), lineterminator="\n")
        self._writer.writerow(names)

    def print(self, rows: Sequence[dict[str, Any]]) -> None:
        self._writer.writerows([_in_csv(row[name]) for name in self._names] for row in rows)

    def end(self) -> None:
        sys.stdout.flush()


class _Lines:
    def write(self, text: str) -> None:
        _write(text)


class _JsonPrinter(_Printer):
    def __init__(self, _names: Sequence[str]) -> None:
        self._begun = False

    def print(self, rows: Sequence[dict[str, Any]]) -> None:
        for row in rows:
            text = _json(row, indent=2)
            _write(("," if self._begun else "[") + "\n  " + text.replace("\n", "\n  "))
            self._begun = True

    def end(self) -> None:
        _write("\n]\n" if self._begun else "[]\n")
        sys.stdout.flush()


def _write(text: str) -> None:
    sys.stdout.write(on_screen(text, keep="\n\t") if sys.stdout.isatty() else text)


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def on_screen(text: str, keep: str = "") -> str:
    """A text whose control characters are spelled out: a terminal would obey them."""
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else f"\\x{ord(found[0]):02x}", text)


def _in_csv(value: Any) -> Any:
    from nequi_lake.lake.export.write import escape_formula

    return escape_formula(_plain(value))


def _plain(value: Any) -> Any:
    from nequi_lake.formats.types import value_text

    if isinstance(value, dict | list):
        return _json(value)
    return value_text(value) if isinstance(value, Decimal) else value


def _json(value: Any, indent: int = 0) -> str:
    """A value as JSON: a decimal number with all of its digits, and what JSON has no type for as text."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(_jsons(value)), indent=indent).decode()


def _jsons(value: Any) -> Any:
    import msgspec

    from nequi_lake.formats.types import value_text

    match value:
        case Decimal():
            return msgspec.Raw(value_text(value).encode())
        case dict():
            return {str(key): _jsons(held) for key, held in value.items()}
        case list() | tuple():
            return [_jsons(held) for held in value]
        case float() if not math.isfinite(value):
            return str(value)
        case None | str() | int() | float():
            return value
    return str(value)


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
    text = on_screen(text) if sys.stdout.isatty() else text
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
    text = redact(text)
    typer.echo(on_screen(text, keep="\n\t") if sys.stderr.isatty() else text, err=True)


def print_error(text: str, *, debug: bool) -> None:
    say(f"\n{text}\n")
    if debug:
        say(traceback.format_exc())
