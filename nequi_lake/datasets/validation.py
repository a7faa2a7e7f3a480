"""What is wrong with a declaration, in words. ``dataset.py`` asks when a dataset is declared, and refuses it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import polars as pl

from nequi_lake.datasets.casting import casting_problem
from nequi_lake.datasets.constraints import describe
from nequi_lake.datasets.contract import name_problems
from nequi_lake.datasets.relation import Mart, Reference, Relation, Table
from nequi_lake.datasets.rules import typed_name
from nequi_lake.formats import PLACE_IS_UNCERTAIN, POSITION_IN_SESSION, RECORD, RawFile

RESERVED = frozenset(
    {
        # Jobs and zones of the lake.
        *("lake", "maintain", "raw", "processed", "marts", "reports"),
        # Attributes of the lake in Python.
        *(
            "as_of",
            "batches",
            "broken_rules",
            "catalog",
            "datasets",
            "declared",
            "from_env",
            "history",
            "html",
            "published",
            "quarantine",
        ),
        *("quarantine_scan", "settings", "sql", "storage", "table", "tables", "tables_of", "unpublished_quarantine"),
        # Schemas and catalogs of the engines that read it.
        *("default", "information_schema", "main", "memory", "nequi_lake", "public", "sys", "system", "temp"),
    }
)
"""Names that no dataset may have."""

_RESERVED_BEGINNING = "pg_"
_OF_SESSIONS = (POSITION_IN_SESSION, PLACE_IS_UNCERTAIN)
_ENGINE_COLUMNS = frozenset({RECORD, *_OF_SESSIONS, "__is_valid", "__line", "__file"})
"""Names that raw columns may not have: the engine's own columns are called so."""

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
    yield from name_problems(name)
    if name in RESERVED or name.startswith(_RESERVED_BEGINNING):
        yield f"no dataset may be called {name}: the lake, or a database that reads it, uses the name"


def publisher_problems(slug: str, owner: str) -> Iterator[str]:
    """What is wrong with where a dataset is published, and with who is responsible for it."""
    if slug and not re.fullmatch(r"[\w-]+/[\w-]+", slug, re.ASCII):
        yield f"slug= is {slug!r}, where Kaggle has owner/name"
    if owner and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", owner):
        yield f"owner= is {owner!r}, which is no e-mail address"


def ignored_problems(ignored: Mapping[str, str], files: Sequence[RawFile]) -> Iterator[str]:
    """What is wrong with what a dataset says that is not read of a delivery."""
    for pattern, reason in ignored.items():
        if not reason:
            yield f"ignored= gives no reason for {pattern}"
        for name in (name for file in files for name in (file.name, *file.aliases)):
            if fnmatchcase(name, pattern):
                yield f"ignored= has {pattern}, which is {name}, a declared file"


def table_problems(
    table: Table, files: Sequence[RawFile], declared: Sequence[RawFile], parents: Mapping[str, Relation]
) -> Iterator[str]:
    """What is wrong with a table.

    Args:
        table: the table.
        files: the raw files that feed it.
        declared: all raw files of the dataset.
        parents: the relations declared before it, by name.
    """
    yield from _relation_problems(table, parents)
    if not 0 <= table.quarantine_limit <= 1:
        yield f"quarantine_limit is a share from 0 to 1, not {table.quarantine_limit}"
    if table.quarantine_floor < 0:
        yield f"quarantine_floor is a number of records, not {table.quarantine_floor}"
    yield from _duplicate_problems(table, files)
    parsed = {*table.columns, *table.parse}
    named = [*table.group_by, *([table.explode] if table.explode else [])]
    yield from (f"group_by or explode names no column: {name}" for name in named if name not in parsed)
    known = {file.name: file for file in declared}
    for name in table.files:
        if name not in known:
            yield f"files= names {name}, which is not among the files"
        elif not known[name].field_paths:
            yield f"files= names {name}, which the lake keeps without reading it"
    if not files:
        yield "no file of the dataset that can be read feeds it"
    for file in files:
        yield from _origin_problems(table, file)
        yield from _parse_problems(table, file)


def _duplicate_problems(table: Table, files: Sequence[RawFile]) -> Iterator[str]:
    """What is wrong with how records of one key are told apart."""
    if table.on_duplicate not in ("quarantine", "first", "latest"):
        yield f"on_duplicate= is 'quarantine', 'first' or 'latest', not {table.on_duplicate!r}"
    if table.latest_by and table.on_duplicate != "latest":
        yield "latest_by= needs on_duplicate='latest'"
    if table.latest_by and (table.latest_by not in table.columns or not table.columns[table.latest_by].source):
        yield f"latest_by= names {table.latest_by}, which is no column of a single record"
    if table.on_duplicate == "quarantine":
        return
    if not table.is_by_record:
        yield "on_duplicate= needs a table of which each record is a row"
    if len(files) > 1 and not table.latest_by:
        yield "on_duplicate= needs latest_by=, as several files feed it, and none of them is the later one"


def _origin_problems(table: Table, file: RawFile) -> Iterator[str]:
    """What columns are declared to come from and a file does not have."""
    known = {*file.field_paths, *file.constants, RECORD}
    for name, column in table.columns.items():
        for raw in column.raw_columns:
            if raw not in known:
                yield f"column {name} comes from {raw}, which {file.name} does not have"


def _parse_problems(table: Table, file: RawFile) -> Iterator[str]:
    """What is wrong with how the values of a table are read from a file."""
    known = {*file.raw_schema, *file.constants, RECORD, *(_OF_SESSIONS if file.session_by else ())}
    for name, expression in table.parse.items():
        unknown = sorted({*expression.meta.root_names()} - known)
        if unknown:
            yield f"parse= of {name} reads {', '.join(unknown)}, which {file.name} does not have"
    for name, column in table.columns.items():
        if name in table.parse or not column.source or column.source not in {*file.field_paths, *file.constants}:
            continue
        raw = file.raw_type(column.source)
        problem = casting_problem(raw, column.dtype)
        if problem:
            yield f"column {name} is {column.dtype}, and {column.source} of {file.name} is {raw}: {problem}"


def mart_problems(mart: Mart, relations: Mapping[str, Relation]) -> Iterator[str]:
    """What is wrong with a mart that may be made from, and refer to, ``relations``: tables, and marts of its group."""
    yield from _relation_problems(mart, relations)
    if mart.upstream and not any(name in relations for name in mart.upstream):
        yield "it reads no table of its dataset; a mart is declared with one of those that it reads"
    for name, column in mart.columns.items():
        if column.source:
            yield f"column {name} has source=, where a mart's column has derived_from="
        for relation, origin in column.table_columns:
            if relation in mart.of_others:
                continue
            if relation not in relations or origin not in relations[relation].columns:
                yield (
                    f"column {name} comes from {relation}.{origin}, which is no column of the dataset's tables, nor of "
                    "a mart of its group listed before it"
                )


def file_problems(file: RawFile, tables: Sequence[Table]) -> Iterator[str]:
    """What is wrong with a raw file that feeds ``tables``."""
    if not tables:
        yield "no table is made of it; a file that is only kept is an OpaqueFile"
        return
    used = {raw for table in tables for column in table.columns.values() for raw in column.raw_columns}
    for name in file.field_paths:
        if name not in used and not file.dropped.get(name):
            yield f"no table has the raw column {name}, and dropped= gives no reason"
    yield from (f"the column {name} stands twice" for name in repeated(file.field_paths))
    for name in file.raw_schema:
        if name in _ENGINE_COLUMNS or any(name.startswith(typed_name(table.name, "")) for table in tables):
            yield f"the lake itself calls a column {name}; a raw file that has it cannot be read"
    yield from _session_problems(file, tables)
    yield from file.problems()
    for name in file.dropped:
        if name in used or name not in file.field_paths:
            yield f"dropped= names {name}, which a table has or the file does not have"


def _session_problems(file: RawFile, tables: Sequence[Table]) -> Iterator[str]:
    if file.session_by is None:
        return
    named = [table for table in tables if file.session_by in table.columns]
    columns = [table.columns[file.session_by] for table in named]
    if not columns:
        yield f"session_by names {file.session_by}, which is no column of the tables that it feeds"
    elif any(not column.source for column in columns):
        yield f"session_by names {file.session_by}, which no single raw column gives"
    elif any(file.session_by in table.parse for table in named) or len({(c.source, c.dtype) for c in columns}) > 1:
        yield f"session_by names {file.session_by}, which is read in more than one way"


def repeated(names: Iterable[str]) -> list[str]:
    """The names that occur more than once."""
    return [name for name, count in Counter(names).items() if count > 1]


def _relation_problems(relation: Relation, parents: Mapping[str, Relation]) -> Iterator[str]:
    yield from name_problems(relation.name)
    if relation.name == INDEX:
        yield f"no table may be called {INDEX}: the page that lists the reports is"
    if not relation.key:
        yield "a table has no key; mark its key with primary_key=True"
    if relation.partition_by and relation.partition_by.column not in relation.columns:
        yield f"partition_by names no column: {relation.partition_by.column}"
    elif relation.partition_by and relation.partition_by.by_year and relation.partition_by.name in relation.columns:
        yield f"a column is called {relation.partition_by.name}, as the folders of partition_by are"
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
    yield from _reference_problems(relation, parents)


def _reference_problems(relation: Relation, parents: Mapping[str, Relation]) -> Iterator[str]:
    for reference in relation.foreign_keys:
        named = ", ".join(reference.columns)
        unknown = [name for name in reference.columns if name not in relation.columns]
        if unknown:
            yield f"references= names {', '.join(unknown)}, which is no column"
        if reference.to not in parents:
            yield f"{_columns(reference)} {named} references {reference.to}, which is not listed before it"
        if unknown or reference.to not in parents:
            continue
        parent = parents[reference.to]
        if len(reference.columns) != len(parent.key):
            yield (
                f"{_columns(reference)} {named} references {parent.name}, whose key is {', '.join(parent.key)}: "
                "references=(Reference(…),) of the table names a column for each of them"
            )
        elif _types(relation, reference.columns) != _types(parent, parent.key):
            yield f"{_columns(reference)} {named} and the key of {parent.name} are not of one type"
    for reference in relation.references:
        if len(reference.columns) < 2:
            yield f"references= has {reference}, of a single column: declare it with column_meta(references=…)"
        yield from (f"references= names {name} twice for {reference.to}" for name in repeated(reference.columns))
    yield from (f"references= has {reference} twice" for reference in repeated(map(str, relation.references)))


def _types(relation: Relation, names: Iterable[str]) -> list[pl.DataType]:
    """The types of columns as readers see them."""
    return [(relation.columns[name].published or relation.columns[name]).dtype for name in names]


def _columns(reference: Reference) -> str:
    return "column" if len(reference.columns) == 1 else "columns"


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
