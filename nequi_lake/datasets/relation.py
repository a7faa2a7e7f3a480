"""Relations: what people query. A table is made of raw records, a mart by SQL of published relations.

What differs between the two is a value or a method of the relation; no other module asks which of them it has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import ClassVar, Literal, NamedTuple

import dataframely as dy
import polars as pl

from nequi_lake.datasets.checks import RECORD_CHECKS, RELATION_CHECKS, ROWS_ACCOUNTED_FOR
from nequi_lake.datasets.contract import Column, columns, record_rules
from nequi_lake.formats import RawFile, ShareLimit

RAW_ZONE = "raw"
"""The zone of the raw files."""

Transform = Callable[[pl.LazyFrame], pl.LazyFrame]


def identity(records: pl.LazyFrame) -> pl.LazyFrame:
    """The transform of a table that has one row per record."""
    return records


@dataclass(frozen=True)
class Partition:
    """How a relation is cut into folders: by the values of a column, or by the years of a date column."""

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


@dataclass(frozen=True, kw_only=True)
class Volume:
    """How much a relation may change from a release to the next before the check ``volume`` speaks up.

    Attributes:
        lost: share of the rows, 0 to 1, that may be gone.
        grown: how many times the rows there may be.
        partitions_lost: share of the partitions, 0 to 1, that may be gone.
        emptier: by how much the share of missing values over all columns may rise, 0 to 1.
        blocks: whether more than that is refused, and not only a warning.
    """

    lost: float = 0.2
    grown: float = 5.0
    partitions_lost: float = 0.0
    emptier: float = 0.1
    blocks: bool = False


def in_dataset(own: str, name: str) -> tuple[str, str]:
    """Dataset and table of a name that a mart of the dataset ``own`` reads."""
    dataset, _, table = name.rpartition(".")
    return dataset or own, table


@dataclass(frozen=True)
class Reference:
    """Columns of a relation that together hold the key of another one.

    A row that misses one of them refers to nothing, as in SQL (MATCH SIMPLE).

    Attributes:
        columns: in the order of that key.
        to: the relation whose key they hold.
    """

    columns: tuple[str, ...]
    to: str

    def __str__(self) -> str:
        return f"{', '.join(self.columns)} -> {self.to}"


class Source(NamedTuple):
    """A raw file or relation that a relation is made from.

    Attributes:
        zone: the zone of the lake in which it is.
        name: its name within the dataset; ``<dataset>.<table>`` of another one's table.
        columns: its columns; those of a raw file dotted where they are nested.
    """

    zone: str
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Relation(ABC):
    """What tables and marts have in common.

    Attributes:
        name: its name within the dataset.
        description: what it holds.
        contract: its one schema.
        partition_by: how it is cut into folders, if it is.
        references: the references of several columns; that of a single one is in its ``column_meta``.
        volume: how much it may change from a release to the next.
    """

    name: str
    description: str
    contract: type[dy.Schema]
    partition_by: Partition | None = None
    references: tuple[Reference, ...] = ()
    volume: Volume = Volume()

    zone: ClassVar[str]
    """The zone of the lake in which it is."""
    badge: ClassVar[str]
    """What pages show next to its name; empty for nothing."""
    engine: ClassVar[str]
    """The engine that makes it."""
    checks: ClassVar[Mapping[str, str]]
    """The audit's checks of it: name → what it asks."""
    maker: ClassVar[str]
    """What makes its rows, in words that begin a sentence."""
    duplicate_key_fix: ClassVar[str]
    """What to do where rows of it have the same key."""
    orphan_fix: ClassVar[str]
    """What to do where rows of it refer to none."""

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """The contract's columns by name."""
        return MappingProxyType(columns(self.contract))

    @cached_property
    def published(self) -> Mapping[str, Column]:
        """The columns that readers see, by name: none that is dropped, and those of text whose values are hidden."""
        return MappingProxyType({name: shown for name, each in self.columns.items() if (shown := each.published)})

    @cached_property
    def sensitive_columns(self) -> tuple[str, ...]:
        """The columns whose values nobody may see."""
        return tuple(name for name, column in self.columns.items() if column.sensitive)

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return tuple(name for name, column in self.columns.items() if column.is_key)

    @cached_property
    def unique_columns(self) -> tuple[str, ...]:
        """The columns, apart from the key, in which no value may occur twice."""
        return tuple(name for name, column in self.columns.items() if column.is_unique)

    @cached_property
    def record_rules(self) -> Mapping[str, pl.Expr]:
        """The contract's own rules over several columns of a row: name → what is true where a row keeps it."""
        return record_rules(self.contract)

    @cached_property
    def foreign_keys(self) -> tuple[Reference, ...]:
        """All references, those of single columns first."""
        single = (Reference((name,), column.references) for name, column in self.columns.items() if column.references)
        return (*single, *self.references)

    @cached_property
    def foreign_key_columns(self) -> frozenset[str]:
        """The columns that refer to another relation, alone or together."""
        return frozenset(name for reference in self.foreign_keys for name in reference.columns)

    @property
    def accounts_for_records(self) -> bool:
        """Whether each raw record is published, quarantined or merged in it, so that those are counted."""
        return ROWS_ACCOUNTED_FOR in self.checks

    @property
    @abstractmethod
    def derived_columns(self) -> tuple[Column, ...]:
        """The columns that no single raw record gives, so that only the finished rows show whether they are right."""

    @property
    @abstractmethod
    def upstream(self) -> tuple[str, ...]:
        """The names of the relations that it reads."""

    @abstractmethod
    def source_tables(self, relations: Mapping[str, Relation]) -> tuple[Table, ...]:
        """The tables whose raw records it is made from in the end."""

    @abstractmethod
    def sources(self, files: Sequence[RawFile], relations: Mapping[str, Relation]) -> tuple[Source, ...]:
        """What it is made from directly.

        Args:
            files: the raw files that feed its source tables.
            relations: the relations of its dataset by name.
        """

    @abstractmethod
    def columns_read(self, column: Column, source: Source) -> tuple[str, ...]:
        """The columns of ``source`` that a column of this relation comes from."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Table(Relation):
    """A relation that is made of raw records.

    Attributes:
        parse: column → expression over the raw strings, where a plain cast of the column's source is not right.
            A name that the contract does not have is a helper column for the transform.
        transform: pure function of the accepted, typed records (the parsed columns and ``RECORD``) to the table.
        group_by: the columns by which records are merged into one row; empty where each record is a row.
        explode: the parsed list column of which each element becomes a row, after grouping.
        files: the raw files that feed it; empty for all of the dataset that can be read.
        quarantine_limit: share of a raw file's records, 0 to 1, that may be quarantined.
        quarantine_floor: how many may be in any case, as a share of a small file is less than one record.
        on_duplicate: what becomes of records of one key that differ: all are put in ``quarantine``, or the ``first`` or
            the ``latest`` stands and the others are merged into it.
        latest_by: the column whose greatest value is the latest; of equal ones, and where there is no such column, the
            one that was delivered last, which is also the order within a file.
    """

    parse: Mapping[str, pl.Expr] = field(default_factory=dict)
    transform: Transform = identity
    group_by: tuple[str, ...] = ()
    explode: str | None = None
    files: tuple[str, ...] = ()
    quarantine_limit: float = 0.01
    quarantine_floor: int = 1
    on_duplicate: Literal["quarantine", "first", "latest"] = "quarantine"
    latest_by: str | None = None

    zone: ClassVar[str] = "processed"
    badge: ClassVar[str] = ""
    engine: ClassVar[str] = "polars"
    checks: ClassVar[Mapping[str, str]] = MappingProxyType({**RELATION_CHECKS, **RECORD_CHECKS})
    maker: ClassVar[str] = "The transform"
    duplicate_key_fix: ClassVar[str] = (
        "Records of one key are merged or quarantined. Where quarantine_limit fails too, look at what it names first; "
        "else the transform made these rows: fix it, or change the key."
    )
    orphan_fix: ClassVar[str] = (
        "Records that refer to none are quarantined. Where quarantine_limit fails too, look at what it names first; "
        "else the transform made these rows: fix it."
    )

    @property
    def limit(self) -> ShareLimit:
        """How many records of a raw file may be quarantined."""
        return ShareLimit(self.quarantine_limit, self.quarantine_floor)

    @property
    def is_by_record(self) -> bool:
        """Whether each accepted record becomes one row, independent of the other records."""
        return self.transform is identity and not self.group_by and not self.explode

    @property
    def derived_columns(self) -> tuple[Column, ...]:
        return tuple(column for name, column in self.columns.items() if not column.source and name not in self.parse)

    def raw_columns_of(self, names: Iterable[str]) -> tuple[str, ...]:
        """The raw columns behind columns, helper columns and rules over several columns of the contract."""
        found: list[str] = []
        for name in names:
            if name in self.parse:
                found += self.parse[name].meta.root_names()
            elif name in self.columns:
                found += self.columns[name].raw_columns
            elif name in self.record_rules:
                of_rule = self.record_rules[name].meta.root_names()
                found += self.raw_columns_of(column for column in self.columns if column in of_rule)
        return tuple(dict.fromkeys(found))

    @property
    def upstream(self) -> tuple[str, ...]:
        return ()

    def source_tables(self, _relations: Mapping[str, Relation]) -> tuple[Table, ...]:
        return (self,)

    def sources(self, files: Sequence[RawFile], _relations: Mapping[str, Relation]) -> tuple[Source, ...]:
        return tuple(Source(RAW_ZONE, file.name, file.field_paths) for file in files)

    def columns_read(self, column: Column, source: Source) -> tuple[str, ...]:
        return tuple(raw for raw in column.raw_columns if raw in source.columns)


@dataclass(frozen=True, kw_only=True, eq=False)
class Mart(Relation):
    """A relation for one use, made by SQL of tables as they are published: of its dataset's, and of other datasets'.

    The SQL is one query of DuckDB's, in the file ``<name>.sql`` next to the module of the contract. It gives exactly
    the contract's columns; each column says in ``derived_from`` of which ``<table>.<column>`` it is made, or of which
    ``<dataset>.<table>.<column>`` of another dataset.

    Attributes:
        group: the name of the marts that it is released together with, such as a star schema. It may read and refer to
            those of them that are listed before it. Released by itself where it is empty.
    """

    group: str = ""

    zone: ClassVar[str] = "marts"
    badge: ClassVar[str] = "mart"
    engine: ClassVar[str] = "duckdb"
    checks: ClassVar[Mapping[str, str]] = RELATION_CHECKS
    maker: ClassVar[str] = "The mart's SQL"
    orphan_fix: ClassVar[str] = "The mart's SQL gives rows that refer to none: fix its joins."
    duplicate_key_fix: ClassVar[str] = "The mart's SQL gives one thing several rows: fix its grouping or its joins."

    @property
    def derived_columns(self) -> tuple[Column, ...]:
        return tuple(self.columns.values())

    @cached_property
    def upstream(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for column in self.columns.values() for name, _ in column.table_columns))

    @cached_property
    def of_others(self) -> Mapping[str, tuple[str, ...]]:
        """``<dataset>.<table>`` of the other datasets' tables that it reads → their columns that it names."""
        named = {read: None for column in self.columns.values() for read in column.table_columns if "." in read[0]}
        tables = dict.fromkeys(table for table, _ in named)
        return MappingProxyType({table: tuple(name for of, name in named if of == table) for table in tables})

    @property
    def release_group(self) -> str:
        """The name of its release group."""
        return self.group or self.name

    @property
    def other_datasets(self) -> tuple[str, ...]:
        """The names of the other datasets that it reads."""
        return tuple(sorted({name.partition(".")[0] for name in self.of_others}))

    def source_tables(self, relations: Mapping[str, Relation]) -> tuple[Table, ...]:
        own = (name for name in self.upstream if name not in self.of_others)
        return tuple(dict.fromkeys(table for name in own for table in relations[name].source_tables(relations)))

    def sources(self, _files: Sequence[RawFile], relations: Mapping[str, Relation]) -> tuple[Source, ...]:
        return tuple(
            Source(Table.zone, name, self.of_others[name])
            if name in self.of_others
            else Source(relations[name].zone, name, tuple(relations[name].published))
            for name in self.upstream
        )

    def columns_read(self, column: Column, source: Source) -> tuple[str, ...]:
        return tuple(name for relation, name in column.table_columns if relation == source.name)
