"""The words in which a dataset is declared: raw files, tables, dataset.

Frozen values that say WHAT; nothing here reads or writes, and nothing here knows a particular dataset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import dataframely as dy
import polars as pl
from polars._typing import PolarsDataType

from nequi_lake.datasets.contract import Column, columns
from nequi_lake.errors import DeclarationError

RECORD = "__record"
"""Column of every raw frame: the record's number in its file, Int64, from 0."""

Transform = Callable[[pl.LazyFrame], pl.LazyFrame]
Sample = Callable[[float, int], Mapping[str, Iterator[bytes]]]
"""(scale, seed) → raw file name → chunks of its bytes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RawFile:
    """A file as its publisher gives it.

    Attributes:
        name: the name under which the lake keeps it.
        description: what it holds.
        aliases: other names under which a source may have it.
        dropped: raw column → why no table has it.
        literals: columns that the file's name implies, such as its split.
    """

    name: str
    description: str
    aliases: tuple[str, ...] = ()
    dropped: Mapping[str, str] = field(default_factory=dict)
    literals: Mapping[str, str] = field(default_factory=dict)

    @property
    def leaves(self) -> tuple[str, ...]:
        """The raw columns, nested ones dotted; none where the lake keeps the file without reading it."""
        return ()

    @property
    def kind(self) -> str:
        """The file's format as one word."""
        return self.name.rsplit(".", 1)[-1].lower()


@dataclass(frozen=True, kw_only=True, eq=False)
class CsvFile(RawFile):
    """Comma-separated values under a header line that has exactly ``columns``, in this order."""

    columns: tuple[str, ...]

    @property
    def leaves(self) -> tuple[str, ...]:
        return self.columns


@dataclass(frozen=True, kw_only=True, eq=False)
class JsonLinesFile(RawFile):
    """One JSON object a line, with exactly the keys of ``schema``; the contract says which values may be null."""

    schema: Mapping[str, PolarsDataType]

    @property
    def leaves(self) -> tuple[str, ...]:
        return tuple(_leaves(self.schema))


def _leaves(schema: Mapping[str, PolarsDataType], prefix: str = "") -> Iterator[str]:
    for name, dtype in schema.items():
        if isinstance(dtype, pl.Struct):
            yield from _leaves(dtype.to_schema(), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


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

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """The contract's columns by name."""
        return MappingProxyType(columns(self.contract))

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return tuple(name for name, column in self.columns.items() if column.is_key)

    @property
    def foreign_keys(self) -> Mapping[str, str]:
        """Column → the table whose key it holds."""
        return {name: column.references for name, column in self.columns.items() if column.references}


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
        tables: the processed tables, a parent before its children.
        sample: makes a stand-in of the raw files; none where the dataset is not part of the sample lake.
        schedule: cron expression on which the dataset is refreshed, UTC.
    """

    name: str
    slug: str
    title: str
    licence: str
    use_case: str
    files: tuple[RawFile, ...]
    tables: tuple[Table, ...]
    owner: str = "data-platform@nequi.com"
    sample: Sample | None = None
    schedule: str = "0 6 * * *"

    def __post_init__(self) -> None:
        _check(self)

    def table(self, name: str) -> Table:
        """The table of that name.

        Raises:
            KeyError: the dataset has no such table.
        """
        return {table.name: table for table in self.tables}[name]

    @property
    def readable_files(self) -> tuple[RawFile, ...]:
        """The raw files that tables are made of."""
        return tuple(file for file in self.files if file.leaves)

    def files_of(self, table: Table) -> tuple[RawFile, ...]:
        """The raw files that feed ``table``."""
        return tuple(file for file in self.readable_files if not table.files or file.name in table.files)

    def tables_of(self, file: RawFile) -> tuple[Table, ...]:
        """The tables that ``file`` feeds."""
        return tuple(table for table in self.tables if file in self.files_of(table))


def _check(dataset: Dataset) -> None:
    """Hold a declaration against itself.

    Raises:
        DeclarationError: it names a file, column or table that is not there, or leaves a raw column unaccounted for.
    """
    seen: set[str] = set()
    for table in dataset.tables:
        where = f"{dataset.name}.{table.name}"
        if not table.key:
            raise DeclarationError("A table has no key.", where=where, fix="Mark its key with primary_key=True.")
        if table.partition_by and table.partition_by.column not in table.columns:
            raise DeclarationError(f"partition_by names no column: {table.partition_by.column}.", where=where)
        for column, parent in table.foreign_keys.items():
            if parent not in seen:
                raise DeclarationError(
                    f"Column {column} references {parent}, which is not declared before it.",
                    where=where,
                    fix="List the parent first in Dataset.tables.",
                )
        for file in dataset.files_of(table):
            known = {*file.leaves, *file.literals}
            for column, facts in table.columns.items():
                lost = [raw for raw in facts.raw_columns if raw not in known]
                if lost:
                    raise DeclarationError(
                        f"Column {column} comes from {', '.join(lost)}, which {file.name} does not have.", where=where
                    )
        seen.add(table.name)
    for file in dataset.readable_files:
        used = {raw for table in dataset.tables_of(file) for c in table.columns.values() for raw in c.raw_columns}
        lost = [leaf for leaf in file.leaves if leaf not in used and leaf not in file.dropped]
        if lost:
            raise DeclarationError(
                f"No table has the raw columns {', '.join(lost)}.",
                where=f"{dataset.name}, {file.name}",
                fix="Put each in a table's contract, or in the file's dropped= with the reason.",
            )
