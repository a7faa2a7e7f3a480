"""A dataset: where it is published, which raw files it arrives as, which relations it becomes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal, NamedTuple

from nequi_lake.datasets import sensitive, validation
from nequi_lake.datasets.contract import name_problems
from nequi_lake.datasets.relation import Mart, Relation, Source, Table
from nequi_lake.errors import DeclarationError
from nequi_lake.formats import RawFile, ShareLimit


class ColumnOrigin(NamedTuple):
    """A column that another column comes from.

    Attributes:
        zone: the zone of the raw file or relation that has it.
        name: the name of that file or relation within the dataset; ``<dataset>.<table>`` of another one's table.
        column: its name there; dotted for a nested field of a raw file.
    """

    zone: str
    name: str
    column: str


@dataclass(frozen=True)
class ReleaseGroup:
    """Relations that are released together.

    Attributes:
        name: its name within the lake's dataset.
        relations: the relations, a parent before its children.
    """

    name: str
    relations: tuple[Relation, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the relations."""
        return tuple(relation.name for relation in self.relations)

    def isdisjoint(self, names: Collection[str]) -> bool:
        """Whether none of its relations has one of these names."""
        return not any(name in names for name in self.names)


@dataclass(frozen=True)
class MartGroup(ReleaseGroup):
    """Marts that are released together, all of them made from one release of the dataset's tables."""

    relations: tuple[Mart, ...]

    @property
    def upstream(self) -> tuple[str, ...]:
        """The names of the tables that they read; ``<dataset>.<table>`` of another one's table."""
        read = dict.fromkeys(name for mart in self.relations for name in mart.upstream)
        return tuple(name for name in read if name not in self.names)

    @property
    def of_others(self) -> tuple[str, ...]:
        """``<dataset>.<table>`` of the other datasets' tables that they read."""
        return tuple(dict.fromkeys(name for mart in self.relations for name in mart.of_others))

    @property
    def other_datasets(self) -> tuple[str, ...]:
        """The names of the other datasets that they read."""
        return tuple(sorted({name for mart in self.relations for name in mart.other_datasets}))


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """The declaration of a dataset.

    Attributes:
        name: its name in the lake, and the name of its module or entry point.
        slug: ``owner/name`` on Kaggle, where it is there.
        source: where its files come from, in the words of ``NEQUI_LAKE_SOURCE``; as that says where it is empty.
        title: its title in full; made of the name where it is empty.
        licence: under which its publisher offers it.
        use_case: what it is used for.
        owner: e-mail of the team that is responsible for it.
        files: the raw files.
        arrives: ``snapshots``, each of which is all of it, or ``increments``, each of which adds to those before.
        ignored: name, or pattern of names, of what a delivery has beside them → why the lake does not read it.
        tables: the tables, a parent before its children; they are released together.
        marts: the marts, a parent before its children; those of one ``group`` are released together, any other alone.
        schedule: cron expression on which the dataset is refreshed, UTC.
        fresh_for_h: hours after which an asset of it counts as stale.
    """

    name: str
    slug: str = ""
    source: str = ""
    title: str = ""
    licence: str = ""
    use_case: str = ""
    files: tuple[RawFile, ...]
    arrives: Literal["snapshots", "increments"] = "snapshots"
    tables: tuple[Table, ...]
    marts: tuple[Mart, ...] = ()
    ignored: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    schedule: str = "0 6 * * *"
    fresh_for_h: int = 36

    def __post_init__(self) -> None:
        if not self.title:
            object.__setattr__(self, "title", self.name.replace("_", " ").capitalize())
        found = list(_all_problems(self))
        if found:
            listed = found[0][1] if len(found) == 1 else "".join(f"\n    {where}: {what}" for where, what in found)
            raise DeclarationError(
                f"The declaration contradicts itself: {listed}.",
                where=found[0][0],
                fix="Fix the module.",
            )

    def file(self, name: str) -> RawFile:
        """The raw file of this name."""
        return next(file for file in self.files if file.name == name)

    @property
    def summary(self) -> str:
        """What it is, in a sentence or two: its title, and what it is used for where that is declared."""
        return f"{self.title}. {self.use_case}".rstrip()

    @property
    def kaggle_page(self) -> str:
        """The address of its page on Kaggle; empty where it has none."""
        return f"https://www.kaggle.com/datasets/{self.slug}" if self.slug else ""

    @property
    def relations(self) -> tuple[Relation, ...]:
        """All tables and marts, a parent before its children."""
        return (*self.tables, *self.marts)

    @cached_property
    def _relation_by_name(self) -> Mapping[str, Relation]:
        return MappingProxyType({relation.name: relation for relation in self.relations})

    def relation(self, name: str) -> Relation:
        """The table or mart of that name.

        Raises:
            KeyError: the dataset has no such relation.
        """
        return self._relation_by_name[name]

    def table(self, name: str) -> Table:
        """The table of that name.

        Raises:
            KeyError: the dataset has no such table.
        """
        return {table.name: table for table in self.tables}[name]

    def mart(self, name: str) -> Mart:
        """The mart of that name.

        Raises:
            KeyError: the dataset has no such mart.
        """
        return {mart.name: mart for mart in self.marts}[name]

    @cached_property
    def release_groups(self) -> tuple[ReleaseGroup, ...]:
        """What is released together: first the tables, under the dataset's name, then the groups of marts."""
        return (ReleaseGroup(self.name, self.tables), *self.mart_groups)

    @cached_property
    def mart_groups(self) -> tuple[MartGroup, ...]:
        """The marts that are released together; one that no group has is a group of its own, under its own name."""
        groups = dict.fromkeys(mart.release_group for mart in self.marts)
        return tuple(
            MartGroup(name, tuple(mart for mart in self.marts if mart.release_group == name)) for name in groups
        )

    def release_group_of(self, name: str) -> ReleaseGroup:
        """The release group that the relation of that name belongs to.

        Raises:
            KeyError: the dataset has no such relation.
        """
        return {member: group for group in self.release_groups for member in group.names}[name]

    @property
    def readable_files(self) -> tuple[RawFile, ...]:
        """The raw files that tables are made of."""
        return tuple(file for file in self.files if file.field_paths)

    def files_of(self, relation: Relation) -> tuple[RawFile, ...]:
        """The raw files whose records ``relation`` is made of, directly or through other relations."""
        tables = relation.source_tables(self._relation_by_name)
        if not all(table.files for table in tables):
            return self.readable_files
        return tuple(file for file in self.readable_files if any(file.name in table.files for table in tables))

    def tables_of(self, file: RawFile) -> tuple[Table, ...]:
        """The tables that ``file`` feeds."""
        return tuple(table for table in self.tables if file in self.files_of(table))

    def sources_of(self, relation: Relation) -> tuple[Source, ...]:
        """The raw files or relations that ``relation`` is made from directly."""
        return relation.sources(self.files_of(relation), self._relation_by_name)

    def column_lineage(self, relation: Relation) -> dict[str, tuple[ColumnOrigin, ...]]:
        """Column of ``relation`` → the columns of raw files or other relations that it comes from.

        A column that only the raw file's name implies comes from none.
        """
        sources = self.sources_of(relation)
        return {
            name: tuple(
                ColumnOrigin(source.zone, source.name, origin)
                for source in sources
                for origin in relation.columns_read(column, source)
            )
            for name, column in relation.published.items()
        }

    def marts_that_read(self, other: str) -> tuple[Mart, ...]:
        """The marts that are made anew with another dataset, as one of their group reads its tables."""
        return tuple(mart for group in self.mart_groups if other in group.other_datasets for mart in group.relations)

    def hidden_fields(self, file: RawFile) -> Mapping[str, str]:
        """Raw column of a file whose values nobody may see → ``<table>.<column>`` that says so."""
        return sensitive.hidden_fields(self.tables_of(file), file)

    @property
    def has_hashes(self) -> bool:
        """Whether a table has hashes of values, for which a key is needed."""
        return any(column.sensitive == "hash" for table in self.tables for column in table.columns.values())

    def quarantine_limit(self, file: RawFile, records: int) -> ShareLimit:
        """The limit of ``file``'s bad records: that of its tables which allows the fewest of so many records."""
        limits = (table.limit for table in self.tables_of(file))
        return min(limits, key=lambda limit: limit.allowed(records), default=ShareLimit(0.0))


def _all_problems(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """As :func:`_problems`, as far as they can be found: what is wrong may be in the way of looking further."""
    is_wrong = False
    try:
        for problem in _problems(dataset):
            is_wrong = True
            yield problem
    except Exception:
        if not is_wrong:
            raise


def _problems(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """(where, what) of everything that is wrong with a declaration."""
    yield from ((dataset.name, what) for what in validation.dataset_name_problems(dataset.name))
    yield from ((dataset.name, what) for what in validation.publisher_problems(dataset.slug, dataset.owner))
    if dataset.source == "kaggle" and not dataset.slug:
        yield dataset.name, "source= is kaggle, and slug= does not say what it is called there"
    yield from ((dataset.name, what) for what in validation.ignored_problems(dataset.ignored, dataset.files))
    for kind, names in {
        "tables or marts": [relation.name for relation in dataset.relations],
        "files": [file.name for file in dataset.files],
        "release groups": [group.name for group in dataset.release_groups],
    }.items():
        yield from ((dataset.name, f"two {kind} are called {name}") for name in validation.repeated(names))
    yield from ((dataset.name, what) for what in _group_problems(dataset))
    of_contracts = list(_contract_problems(dataset))
    yield from of_contracts
    if of_contracts:
        return
    parents: dict[str, Relation] = {}
    for table in dataset.tables:
        where = f"{dataset.name}.{table.name}"
        yield from (
            (where, what) for what in validation.table_problems(table, dataset.files_of(table), dataset.files, parents)
        )
        yield from ((where, what) for what in sensitive.relation_problems(table, parents))
        parents[table.name] = table
    for group in dataset.mart_groups:
        known = dict(parents)
        for mart in group.relations:
            where = f"{dataset.name}.{mart.name}"
            yield from ((where, what) for what in validation.mart_problems(mart, known))
            yield from ((where, what) for what in sensitive.mart_problems(mart, dataset.tables))
            known[mart.name] = mart
    for file in dataset.readable_files:
        where = f"{dataset.name}, {file.name}"
        tables = dataset.tables_of(file)
        yield from ((where, what) for what in validation.file_problems(file, tables))
        yield from ((f"{dataset.name}.{of}", what) for of, what in sensitive.clear_problems(tables, file))


def _group_problems(dataset: Dataset) -> Iterator[str]:
    """What is wrong with the names of the groups of marts."""
    relations = {relation.name for relation in dataset.relations}
    for name in dict.fromkeys(mart.group for mart in dataset.marts if mart.group):
        yield from name_problems(name)
        if name in relations:
            yield f"a group of marts is called {name}, as a table or mart is"


def _contract_problems(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """(where, what) of the contracts that are wrong by themselves: nothing else can be asked of these."""
    for relation in dataset.relations:
        try:
            _ = relation.columns
        except DeclarationError as error:
            yield f"{dataset.name}.{relation.name}, {error.where}", error.what.removesuffix(".")
