"""The task that a peer is given as a JSON file. Standard library only, for it is read in other environments too."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Literal, TypedDict

Kind = Literal[
    "id",
    "whole",
    "number",
    "cents",
    "unrounded",
    "text",
    "trimmed",
    "month",
    "year",
    "term",
    "years_employed",
    "yes_no",
]
"""How a value is read from its text:

id              a whole number
whole           a whole number that may be written ``3.0``
number          a floating point number
cents           an amount of 18 digits, two of them decimals
unrounded       an amount of 18 digits, ten of them decimals
text, trimmed   as it is; without the spaces around it, and missing where nothing is left
month, year     the first day of a month like ``Dec-2011``, or its year
term            36 of `` 36 months``
years_employed  0 of ``< 1 year``, 1 … 9 of ``1 year`` … ``9 years``, 10 of ``10+ years``, missing of ``n/a``
yes_no          true of ``y``, false of ``n``
"""

BLANKS = ["", " "]
"""Fields that are missing values."""


class Column(TypedDict):
    """A column of a table: its name, the raw column that it is read from, and how."""

    name: str
    raw: str
    kind: Kind


class Partition(TypedDict):
    """How a table is cut into folders ``<name>=<value>``: by a column, or by the years of a date column."""

    name: str
    column: str
    by_year: bool


class Table(TypedDict):
    """A table to write, or one that is written."""

    name: str
    columns: list[Column]
    partition: Partition | None


class Task(TypedDict):
    """What to do.

    Attributes:
        csv: the raw file.
        header: its columns, in order; those that no table has need not be read.
        tables: what to write, as ``<out>/<table>/…parquet``, zstd.
        out: the folder for it.
        files: table → its Parquet files, of a lake; what to profile, or to load.
        database: address of the PostgreSQL database to load them into.
    """

    csv: str
    header: list[str]
    tables: list[Table]
    out: str
    files: dict[str, list[str]]
    database: str


def given() -> Task:
    """The task of the file that the command line names."""
    task: Task = json.loads(Path(sys.argv[1]).read_text())
    return task


def raw_kinds(task: Task) -> dict[str, Kind]:
    """Raw column → a kind in which it is wanted, for those that a table has, in the file's order."""
    kinds: dict[str, Kind] = {column["raw"]: column["kind"] for table in task["tables"] for column in table["columns"]}
    return {raw: kinds[raw] for raw in task["header"] if raw in kinds}
