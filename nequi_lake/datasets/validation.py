"""What is wrong with a declaration, in words. ``dataset.py`` asks when a dataset is declared, and refuses it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import polars as pl

from nequi_lake.datasets.constraints import describe
from nequi_lake.datasets.relation import Mart, Relation, Table
from nequi_lake.formats import RawFile

RESERVED = {"lake", "maintain"}
"""Names that no dataset may have: jobs of the whole lake are called so."""

_ACROSS_ROWS = frozenset(
    {
        *("Over", "Agg", "Len", "Sort", "SortBy", "Gather", "Slice", "Filter", "Explode"),
        *("IsUnique", "IsDuplicated", "IsFirstDistinct", "IsLastDistinct", "Unique", "UniqueCounts", "ValueCounts"),
        *("CumCount", "CumMax", "CumMin", "CumProd", "CumSum", "Diff", "PctChange", "Rank", "Reverse", "RollingExpr"),
        *("RollingExprBy", "Shift", "ShiftAndFill", "FillNullWithStrategy", "Interpolate", "InterpolateBy", "Rle"),
    }
)
"""What Polars calls the operations that look at several rows."""

INDEX = "index"
"""A name that no relation may have: the page that lists all reports has it."""


def dataset_name_problems(name: str) -> Iterator[str]:
    """What is wrong with the name of a dataset."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in RESERVED:
        yield "a dataset's name is lower case letters, digits and _, and not a word that the lake uses"


def table_problems(
    table: Table, files: Sequence[RawFile], readable: Sequence[RawFile], parents: Mapping[str, Relation]
) -> Iterator[str]:
    """What is wrong with a table.

    Args:
        table: the table.
        files: the raw files that feed it.
        readable: all raw files of the dataset that can be read.
        parents: the relations declared before it, by name.
    """
    yield from _relation_problems(table, parents)
    if not 0 <= table.quarantine_limit <= 1:
        yield f"quarantine_limit is a share from 0 to 1, not {table.quarantine_limit}"
    parsed = {*table.columns, *table.parse}
    named = [*table.group_by, *([table.explode] if table.explode else [])]
    yield from (f"group_by or explode names no column: {name}" for name in named if name not in parsed)
    known_files = {file.name for file in readable}
    yield from (f"files= names {name}, which is not among the files" for name in table.files if name not in known_files)
    for file in files:
        known = {*file.field_paths, *file.constants}
        for name, column in table.columns.items():
            for raw in column.raw_columns:
                if raw not in known:
                    yield f"column {name} comes from {raw}, which {file.name} does not have"


def mart_problems(mart: Mart, relations: Mapping[str, Relation]) -> Iterator[str]:
    """What is wrong with a mart that may be made from, and refer to, ``relations``."""
    yield from _relation_problems(mart, relations)
    for name, column in mart.columns.items():
        if column.source:
            yield f"column {name} has source=, where a mart's column has derived_from="
        for relation, origin in column.table_columns:
            if relation not in relations or origin not in relations[relation].columns:
                yield f"column {name} comes from {relation}.{origin}, which is no column of the dataset's tables"


def file_problems(file: RawFile, tables: Sequence[Table]) -> Iterator[str]:
    """What is wrong with a raw file that feeds ``tables``."""
    used = {raw for table in tables for column in table.columns.values() for raw in column.raw_columns}
    for name in file.field_paths:
        if name not in used and not file.dropped.get(name):
            yield f"no table has the raw column {name}, and dropped= gives no reason"
    yield from (f"the column {name} stands twice" for name in repeated(file.field_paths))
    for name in file.dropped:
        if name in used or name not in file.field_paths:
            yield f"dropped= names {name}, which a table has or the file does not have"


def repeated(names: Iterable[str]) -> list[str]:
    """The names that occur more than once."""
    return [name for name, count in Counter(names).items() if count > 1]


def _relation_problems(relation: Relation, parents: Mapping[str, Relation]) -> Iterator[str]:
    if relation.name == INDEX:
        yield f"no table may be called {INDEX}: the page that lists the reports is"
    if not relation.key:
        yield "a table has no key; mark its key with primary_key=True"
    if relation.partition_by and relation.partition_by.column not in relation.columns:
        yield f"partition_by names no column: {relation.partition_by.column}"
    for name, keeps in relation.record_rules.items():
        unknown = sorted(set(keeps.meta.root_names()) - set(relation.columns))
        if unknown:
            yield f"the rule {name} names {', '.join(unknown)}, which is no column"
        if not _is_of_one_row(keeps):
            yield f"the rule {name} looks at several rows; a rule is about one row: write it over its columns alone"
    for name, declared in relation.columns.items():
        for constraint, keeps in declared.rules(pl.col(name)).items():
            if not _is_of_one_row(keeps):
                yield f"column {name}: {describe(constraint)}, which looks at several rows; a check is about one value"
    for column, parent in relation.foreign_keys.items():
        if parent not in parents:
            yield f"column {column} references {parent}, which is not listed before it"
        elif [parents[parent].columns[key].dtype for key in parents[parent].key] != [relation.columns[column].dtype]:
            yield f"column {column} and the key of {parent} are not of one type"


def _is_of_one_row(expression: pl.Expr) -> bool:
    """Whether an expression gives each row its value by that row alone, as far as Polars says what it is made of."""
    try:
        return _ACROSS_ROWS.isdisjoint(_names_in(json.loads(expression.meta.serialize(format="json"))))
    except pl.exceptions.ComputeError:
        # A Python function within it cannot be written down.
        return True


def _names_in(node: object) -> Iterator[str]:
    """The operations of a serialised expression, without those over the elements of a list, which are in one row."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for part in node:
            yield from _names_in(part)
    elif isinstance(node, dict):
        for name, part in node.items():
            yield name
            if name not in ("evaluation", "ListExpr", "ArrayExpr", "Column", "Literal"):
                yield from _names_in(part)
