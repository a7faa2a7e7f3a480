"""The audit: checks staged or published Parquet files against the contract, before anyone reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from nequi_lake.datasets.checks import (
    COLUMNS_AND_TYPES,
    FOREIGN_KEYS,
    NULL_LIMITS,
    QUARANTINE_LIMIT,
    ROWS_ACCOUNTED_FOR,
    UNIQUE_KEY,
    VOLUME,
)
from nequi_lake.datasets.contract import arrow_schema
from nequi_lake.datasets.rules import published_rules
from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.lake.check import Check
from nequi_lake.lake.quarantine import broken_rules, quarantined_records
from nequi_lake.lake.read.scan import scan_files
from nequi_lake.lake.release import PublishedTable, StagedTable
from nequi_lake.lake.storage import StorageBackend
from nequi_lake.quality.keys import KeyQueries, key_queries
from nequi_lake.quality.volume import volume_check

_SHOWN = 5
_RULES_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Before:
    """What a release is compared with.

    Attributes:
        relations: what readers see of each relation that was published, by name.
        accepted: whether a person said that a change of its volume is right.
    """

    relations: Mapping[str, PublishedTable] = field(default_factory=dict)
    accepted: bool = False


NOTHING_BEFORE = Before()


def audit(
    dataset: Dataset,
    tables: Mapping[str, StagedTable],
    parents: Mapping[str, StagedTable],
    storage: StorageBackend,
    before: Before = NOTHING_BEFORE,
) -> list[Check]:
    """Check each table against its contract.

    Args:
        dataset: the tables' declaration.
        tables: what to audit, by name.
        parents: published tables of the same release, or of that which a mart is made from, that foreign keys may be
            checked against.
        storage: where the files are.
        before: what readers see now.
    """
    if not tables:
        return []
    known = {**parents, **tables}
    with key_queries(dataset, known, storage) as keys:
        return [
            check
            for table in dataset.relations
            if table.name in tables
            for check in _TableAudit(dataset, table, tables[table.name], known, storage, keys, before).run()
        ]


@dataclass(frozen=True)
class _TableAudit:
    dataset: Dataset
    table: Relation
    staged: StagedTable
    known: Mapping[str, StagedTable]
    storage: StorageBackend
    keys: KeyQueries
    before: Before

    def run(self) -> Iterator[Check]:
        footers = [self._footer(path) for path in self.staged.paths]
        answers: Mapping[str, Callable[[], Check]] = {
            COLUMNS_AND_TYPES: lambda: self._columns_and_types(footers),
            NULL_LIMITS: lambda: self._null_limits(footers),
            UNIQUE_KEY: self._unique_key,
            FOREIGN_KEYS: self._foreign_keys,
            QUARANTINE_LIMIT: self._quarantine_limit,
            VOLUME: lambda: self._volume(footers),
            ROWS_ACCOUNTED_FOR: lambda: self._rows_accounted_for(sum(footer.num_rows for footer in footers)),
        }
        yield from (answers[name]() for name in self.table.checks)

    @property
    def _sources(self) -> str:
        """What the columns come from, in words."""
        return ", ".join(source.name for source in self.dataset.sources_of(self.table))

    def _footer(self, path: str) -> pq.FileMetaData:
        with self.storage.open(path) as stream:
            return pq.read_metadata(stream)

    def _scan(self, staged: StagedTable) -> pl.LazyFrame:
        return scan_files(self.dataset.relation(staged.table), staged.paths, self.storage)

    def _answer(
        self, name: str, problems: list[str], well: str, numbers: dict[str, int | float | str], fix: str
    ) -> Check:
        left_out = len(problems) - _SHOWN
        shown = [*problems[:_SHOWN], *([f"and {left_out:,} more"] if left_out > 0 else [])]
        return Check(
            name=name,
            subject=self.staged.name,
            passed=not problems,
            found="; ".join(shown) or well,
            numbers=numbers,
            fix=fix,
            problems=shown,
        )

    def _columns_and_types(self, footers: list[pq.FileMetaData]) -> Check:
        contract = arrow_schema(self.table.contract)
        problems = sorted(
            {difference for footer in footers for difference in _differences(footer.schema.to_arrow_schema(), contract)}
        )
        if not problems:
            problems = list(self._derived_values())
        return self._answer(
            COLUMNS_AND_TYPES,
            problems,
            f"{len(contract)} columns as in the contract",
            {"columns": len(contract), "files": len(footers), "problems": len(problems)},
            f"{self.table.maker} and the contract disagree: fix the one that is wrong.",
        )

    def _derived_values(self) -> Iterator[str]:
        """Check the rules of columns that no single record gives, which staging cannot check."""
        rules = {text: keeps.fill_null(True).not_().sum() for text, keeps in published_rules(self.table).items()}
        counts = dict(self.staged.clear.broken)
        if rules:
            counts |= self._scan(self.staged).select(**rules).collect(engine="streaming").row(0, named=True)
        yield from (f"{count:,} rows break {rule}" for rule, count in counts.items() if count)

    def _null_limits(self, footers: list[pq.FileMetaData]) -> Check:
        rows = sum(footer.num_rows for footer in footers)
        missing = self._missing(footers)
        problems, numbers = [], dict[str, int | float | str](rows=rows)
        for name, column in self.table.columns.items():
            count = missing.get(name, 0)
            if column.nullable:
                numbers[f"{name}: missing share, limit {column.null_limit:.2%}"] = count / rows if rows else 0.0
            if not column.missing_limit.is_kept(count, rows):
                problems.append(
                    f"{name} is missing in {count:,} of {rows:,} rows ({count / rows:.2%}); "
                    f"{column.missing_limit.words(rows)} (column {', '.join(column.raw_columns)} of {self._sources})"
                )
        return self._answer(
            NULL_LIMITS,
            problems,
            "every column within its limit",
            numbers,
            f"Look at {self._sources}: did a column come empty? If it is right so, raise the column's null_limit in "
            f"the contract of {self.staged.name}.",
        )

    def _nested_null_counts(self) -> dict[str, int]:
        """Missing values of lists and structures, of which a file's statistics have only what is in them."""
        nested = [name for name, column in self.table.published.items() if column.dtype.is_nested()]
        if not nested:
            return {}
        counts = self._scan(self.staged).select(pl.col(nested).null_count()).collect(engine="streaming")
        return counts.row(0, named=True)

    def _volume(self, footers: list[pq.FileMetaData]) -> Check:
        missing, cells = self._missing(footers), self.staged.rows * len(self.table.published)
        return volume_check(
            self.table,
            self.staged,
            self.before.relations.get(self.table.name),
            sum(missing.get(name, 0) for name in self.table.published) / cells if cells else 0.0,
            self.storage,
            accepted=self.before.accepted,
        )

    def _missing(self, footers: list[pq.FileMetaData]) -> dict[str, int]:
        """Column → its missing values."""
        return {**_null_counts(footers), **self._nested_null_counts(), **self.staged.clear.missing}

    def _unique_key(self) -> Check:
        key = self.table.key
        repeated, keys = self.keys.repeated(self.table.name, key, _SHOWN)
        twice = {name: self.keys.repeated(self.table.name, (name,), _SHOWN) for name in self.table.unique_columns}
        problems = (
            [f"{repeated:,} rows repeat the key of another, such as {', '.join(map(str, keys))}"] if repeated else []
        )
        problems += [
            f"{count:,} rows repeat the {name} of another, such as {', '.join(map(str, examples))}"
            for name, (count, examples) in twice.items()
            if count
        ]
        if self.staged.contradicting:
            problems.append(f"the records of {self.staged.contradicting:,} rows differ in what is made of them")
        return self._answer(
            UNIQUE_KEY,
            problems,
            f"no two rows have the same {', '.join(key)}",
            {"repeated_keys": repeated, "repeated_keys_allowed": 0},
            self.table.duplicate_key_fix,
        )

    def _foreign_keys(self) -> Check:
        problems, numbers = [], dict[str, int | float | str](orphans_allowed=0)
        fix = self.table.orphan_fix
        for reference in self.table.foreign_keys:
            named, parent = ", ".join(reference.columns), reference.to
            if parent not in self.known:
                problems.append(f"{parent} is not published in this release, so {named} cannot be checked against it")
                fix = f"Make the whole dataset in one run: nequi-lake run {self.dataset.name}"
                continue
            parent_key = self.dataset.relation(parent).key
            count, examples = self.keys.orphans(self.table.name, reference, parent_key, _SHOWN)
            numbers[f"orphans_{'_'.join(reference.columns)}"] = count
            if count:
                which = f"a {named}" if len(reference.columns) == 1 else f"{named} together"
                problems.append(f"{count:,} rows have {which} that {parent} does not have, such as {examples}")
        return self._answer(
            FOREIGN_KEYS,
            problems,
            "every reference has its row" if self.table.foreign_keys else "the table references no other",
            numbers,
            fix,
        )

    def _quarantine_limit(self) -> Check:
        table = self.dataset.table(self.table.name)
        problems, numbers = [], dict[str, int | float | str](limit=table.quarantine_limit)
        or_more = "at least " if self.staged.is_cut else ""
        for name, file in self.staged.accounting.files.items():
            numbers[f"{name}: quarantined"] = file.quarantined
            if file.quarantined and file.quarantined == file.records:
                problems.append(f"all {file.records:,} records of {name} are bad: {self._broken_rules(name)}")
            elif not table.limit.is_kept(file.quarantined, file.records):
                problems.append(
                    f"{or_more}{file.quarantined:,} of {file.records:,} records of {name} "
                    f"({file.quarantined / file.records:.2%}) are bad; {table.limit.words(file.records)}: "
                    f"{self._broken_rules(name)}"
                )
        return self._answer(
            QUARANTINE_LIMIT,
            problems,
            f"{self.staged.accounting.quarantined:,} records quarantined, the limit is "
            f"{100 * table.quarantine_limit:.4g}% of a file",
            numbers,
            f"See which records, and why: nequi-lake quarantine {self.staged.name} --run {self.staged.release.run_id}",
        )

    def _broken_rules(self, file: str) -> str:
        """The rules that most of a file's records in the quarantine break, with an example of each."""
        records = quarantined_records(self.storage, self.dataset.name, self.staged.release.run_id, file)
        return "; ".join(map(str, broken_rules(self.dataset, records, _RULES_SHOWN)))

    def _rows_accounted_for(self, rows: int) -> Check:
        account = self.staged.accounting
        problems = []
        if account.raw_records != account.accepted + account.quarantined:
            problems.append(
                f"{account.raw_records:,} raw records, but {account.accepted:,} accepted and "
                f"{account.quarantined:,} quarantined"
            )
        if rows != account.expected_rows:
            problems.append(f"{rows:,} rows where the accepted records must give {account.expected_rows:,}")
        return self._answer(
            ROWS_ACCOUNTED_FOR,
            problems,
            f"{account.raw_records:,} raw records: {account.quarantined:,} quarantined, {account.merged:,} merged into "
            f"another's row, the rest give {rows:,} rows",
            {
                "raw_records": account.raw_records,
                "quarantined": account.quarantined,
                "merged": account.merged,
                "rows": rows,
                "expected_rows": account.expected_rows,
            },
            "Records were lost or made up between the raw file and the table: do not raise a limit, report it.",
        )


def _differences(found: pa.Schema, contract: pa.Schema) -> Iterator[str]:
    for name in contract.names:
        if name not in found.names:
            yield f"column {name} is missing"
        elif (found.field(name).type, found.field(name).nullable) != (
            contract.field(name).type,
            contract.field(name).nullable,
        ):
            yield f"column {name} is {found.field(name)}, the contract says {contract.field(name)}"
    yield from (f"column {name} is not in the contract" for name in found.names if name not in contract.names)


def _null_counts(footers: list[pq.FileMetaData]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for footer in footers:
        for group in range(footer.num_row_groups):
            for index in range(footer.num_columns):
                column = footer.row_group(group).column(index)
                name = column.path_in_schema
                counts[name] = counts.get(name, 0) + column.statistics.null_count
    return counts
