"""The words in which a dataset is declared: tables, marts, dataset. Its raw files are declared by their format.

Frozen values that say WHAT; nothing here reads or writes, and nothing here knows a particular dataset.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import ClassVar

import dataframely as dy
import polars as pl

from nequi_lake.datasets.contract import Column, columns
from nequi_lake.errors import DeclarationError
from nequi_lake.formats import RawFile

PLACE = "__place"
"""Name of the column that numbers the records of a block, from 0, in a file that has blocks."""

RESERVED = {"lake", "maintain"}
"""Names that no dataset may have: jobs of the whole lake are called so."""

INDEX = "index"
"""A name that no table may have: the page that lists all reports lies among theirs."""

Transform = Callable[[pl.LazyFrame], pl.LazyFrame]
Sample = Callable[[float, int], Mapping[str, Iterator[bytes]]]
"""(scale, seed) → raw file name → chunks of its bytes."""


def as_is(records: pl.LazyFrame) -> pl.LazyFrame:
    """The transform of a table that has one row a record."""
    return records


@dataclass(frozen=True)
class Partition:
    """How a table is cut into folders: by the values of a column, or by the years of a date column."""

    column: str
    by_year: bool = False

    @property
    def name(self) -> str:
        """The partition's name, as in ``<name>=<value>``."""
        return f"{self.column}_year" if self.by_year else self.column

    @property
    def key(self) -> pl.Expr:
        """The value of the partition that a row belongs to."""
        column = pl.col(self.column)
        return column.dt.year().alias(self.name) if self.by_year else column


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """A processed table.

    Attributes:
        name: its name within the dataset.
        description: what one row is.
        contract: the table's one schema.
        parse: column → expression over the raw strings, where a plain cast of the column's source is not right.
            A name that the contract does not have is a helper column for the transform.
        transform: pure function of the accepted, typed records (the parsed columns and ``RECORD``) to the table.
        fold_by: the columns by which records fold into one row; empty where a record is a row.
        explode: the parsed list column of which each element is a row, after folding.
        partition_by: how the table is cut into folders, if it is.
        files: the raw files that feed it; empty for all of the dataset that can be read.
        quarantine_limit: share of a raw file's records, 0 to 1, that may be quarantined.
    """

    name: str
    description: str
    contract: type[dy.Schema]
    parse: Mapping[str, pl.Expr] = field(default_factory=dict)
    transform: Transform = as_is
    fold_by: tuple[str, ...] = ()
    explode: str | None = None
    partition_by: Partition | None = None
    files: tuple[str, ...] = ()
    quarantine_limit: float = 0.01

    zone: ClassVar[str] = "processed"
    """The zone of the lake in which it is."""

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """The contract's columns by name."""
        return MappingProxyType(columns(self.contract))

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return tuple(name for name, column in self.columns.items() if column.is_key)

    @property
    def is_by_record(self) -> bool:
        """Whether each accepted record is a row as it is, so that none waits for the others."""
        return self.transform is as_is and not self.fold_by and not self.explode

    @property
    def foreign_keys(self) -> Mapping[str, str]:
        """Column → the table whose key it holds."""
        return {name: column.references for name, column in self.columns.items() if column.references}

    @property
    def reads(self) -> tuple[str, ...]:
        """The tables of its dataset that it is made of; none where it is made of raw files."""
        return ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Mart(Table):
    """A table for one use, made by SQL of its dataset's tables as they are published.

    The SQL is one query of DuckDB's, in the file ``<name>.sql`` beside the module of the contract. It gives exactly
    the contract's columns; each column says in ``derived_from`` of which ``<table>.<column>`` it is made.
    """

    zone: ClassVar[str] = "marts"

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(table for column in self.columns.values() for table, _ in column.table_columns))


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """A dataset: where it is published, what it arrives as, what it becomes.

    Attributes:
        name: its name in the lake.
        slug: ``owner/name`` on Kaggle.
        title: its title for people.
        licence: under which its publisher offers it.
        use_case: what it is used for.
        owner: e-mail of the team that answers for it.
        files: the raw files.
        tables: the processed tables, a parent before its children; they are released together.
        marts: tables for one use each, made of the processed ones; each is released by itself.
        sample: makes a stand-in of the raw files; none where the dataset is not part of the sample lake.
        schedule: cron expression on which the dataset is refreshed, UTC.
        fresh_for_h: hours after which an asset of it that was not made anew counts as stale.
    """

    name: str
    slug: str
    title: str
    licence: str
    use_case: str
    files: tuple[RawFile, ...]
    tables: tuple[Table, ...]
    marts: tuple[Mart, ...] = ()
    owner: str = "data-platform@nequi.com"
    sample: Sample | None = None
    schedule: str = "0 6 * * *"
    fresh_for_h: int = 36

    def __post_init__(self) -> None:
        _check(self)

    def table(self, name: str) -> Table:
        """The table or mart of that name.

        Raises:
            KeyError: the dataset has no such table.
        """
        return {table.name: table for table in self.tables_and_marts}[name]

    @property
    def tables_and_marts(self) -> tuple[Table, ...]:
        """All that people query, a parent before its children."""
        return (*self.tables, *self.marts)

    @property
    def units(self) -> tuple[tuple[Table, ...], ...]:
        """What is released together: first the tables, then each mart by itself."""
        return (self.tables, *((mart,) for mart in self.marts))

    def unit_of(self, table: str) -> tuple[Table, ...]:
        """The tables that are released together with the table of that name, itself among them."""
        return next(unit for unit in self.units if table in (one.name for one in unit))

    @property
    def readable_files(self) -> tuple[RawFile, ...]:
        """The raw files that tables are made of."""
        return tuple(file for file in self.files if file.leaves)

    def files_of(self, table: Table) -> tuple[RawFile, ...]:
        """The raw files that feed ``table``, or the tables that it is made of."""
        fed = [self.table(name) for name in table.reads] or [table]
        if not all(one.files for one in fed):
            return self.readable_files
        return tuple(file for file in self.readable_files if any(file.name in one.files for one in fed))

    def tables_of(self, file: RawFile) -> tuple[Table, ...]:
        """The tables that ``file`` feeds."""
        return tuple(table for table in self.tables if file in self.files_of(table))

    def quarantine_limit(self, file: RawFile) -> float:
        """The share of ``file``'s records that may be bad: the lowest limit of the tables that it feeds."""
        return min((table.quarantine_limit for table in self.tables_of(file)), default=0.0)


def _check(dataset: Dataset) -> None:
    """Hold a declaration against itself.

    Raises:
        DeclarationError: it names a file, column or table that is not there, or leaves a raw column unaccounted for.
    """
    for where, what in _problems(dataset):
        raise DeclarationError(f"The declaration contradicts itself: {what}.", where=where, fix="Mend the module.")


def _problems(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """(where, what) of everything that is wrong with a declaration."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", dataset.name) or dataset.name in RESERVED:
        yield dataset.name, "a dataset's name is lower case letters, digits and _, and not a word that the lake uses"
    names = [table.name for table in dataset.tables_and_marts]
    yield from ((dataset.name, f"two tables or marts are called {name}") for name in _twice(names))
    yield from ((dataset.name, f"two files are called {name}") for name in _twice(f.name for f in dataset.files))
    parents: dict[str, Table] = {}
    for table in dataset.tables:
        where = f"{dataset.name}.{table.name}"
        yield from ((where, what) for what in _table_problems(dataset, table, parents))
        parents[table.name] = table
    for mart in dataset.marts:
        where = f"{dataset.name}.{mart.name}"
        yield from ((where, what) for what in _mart_problems(mart, parents))
    for file in dataset.readable_files:
        where = f"{dataset.name}, {file.name}"
        used = {raw for table in dataset.tables_of(file) for c in table.columns.values() for raw in c.raw_columns}
        for leaf in file.leaves:
            if leaf not in used and not file.dropped.get(leaf):
                yield where, f"no table has the raw column {leaf}, and dropped= gives no reason"
        yield from ((where, f"the column {leaf} stands twice") for leaf in _twice(file.leaves))
        for leaf in file.dropped:
            if leaf in used or leaf not in file.leaves:
                yield where, f"dropped= names {leaf}, which a table has or the file lacks"


def _table_problems(dataset: Dataset, table: Table, parents: Mapping[str, Table]) -> Iterator[str]:
    yield from _contract_problems(table, parents)
    if not 0 <= table.quarantine_limit <= 1:
        yield f"quarantine_limit is a share from 0 to 1, not {table.quarantine_limit}"
    parsed = {*table.columns, *table.parse}
    named = [*table.fold_by, *([table.explode] if table.explode else [])]
    yield from (f"fold_by or explode names no column: {name}" for name in named if name not in parsed)
    known_files = {file.name for file in dataset.readable_files}
    yield from (f"files= names {name}, which is not among the files" for name in table.files if name not in known_files)
    for file in dataset.files_of(table):
        known = {*file.leaves, *file.literals}
        for column, facts in table.columns.items():
            for raw in facts.raw_columns:
                if raw not in known:
                    yield f"column {column} comes from {raw}, which {file.name} does not have"


def _mart_problems(mart: Mart, tables: Mapping[str, Table]) -> Iterator[str]:
    yield from _contract_problems(mart, tables)
    plain = Table(name=mart.name, description=mart.description, contract=mart.contract)
    for name in ("parse", "transform", "fold_by", "explode", "files", "quarantine_limit"):
        if getattr(mart, name) != getattr(plain, name):
            yield f"{name}= is about raw records, and a mart is made of tables"
    for name, column in mart.columns.items():
        if column.source:
            yield f"column {name} has source=, where a mart's column has derived_from="
        for table, origin in column.table_columns:
            if table not in tables or origin not in tables[table].columns:
                yield f"column {name} comes from {table}.{origin}, which is no column of the dataset's tables"


def _contract_problems(table: Table, parents: Mapping[str, Table]) -> Iterator[str]:
    """What is wrong of what tables and marts have in common."""
    if table.name == INDEX:
        yield f"no table may be called {INDEX}: the page that lists the reports is"
    if not table.key:
        yield "a table has no key; mark its key with primary_key=True"
    if table.partition_by and table.partition_by.column not in table.columns:
        yield f"partition_by names no column: {table.partition_by.column}"
    for column, parent in table.foreign_keys.items():
        if parent not in parents:
            yield f"column {column} references {parent}, which is not listed before it"
        elif [parents[parent].columns[key].dtype for key in parents[parent].key] != [table.columns[column].dtype]:
            yield f"column {column} and the key of {parent} are not of one type"


def _twice(names: Iterable[str]) -> list[str]:
    counted = Counter(names)
    return [name for name, count in counted.items() if count > 1]
