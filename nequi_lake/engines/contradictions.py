"""Finds raw records that are bad because of others: records that share a key, orphans, and what makes a bad row.

The audit finds bad rows at no extra cost; finding the records behind them takes a second pass over the raw files, run
only then. What identifies records waits on disk; in memory are the keys of one table at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from nequi_lake.datasets.rules import BROKEN_RULE, Rule, derived_rules, typed_names
from nequi_lake.datasets.spec import Dataset, Reference, Table
from nequi_lake.engines.files import Spool
from nequi_lake.engines.records import (
    Copies,
    accepted,
    engine_errors,
    is_none_of,
    process_batches,
    read_records,
    repaired_copies,
)
from nequi_lake.formats import RECORD, RawFile
from nequi_lake.lake.raw_file import RawFileVersion
from nequi_lake.lake.storage import StorageBackend
from nequi_lake.progress import bar

_FILE, _RULE, _TABLE, _DIFFER = "__file", "__rule", "__table", "__differ"
_VALUES = ("__values_0", "__values_1")
"""Two hashes of 64 bits: records of one key that agree in both are taken for equal."""
_FOUND = {_FILE: pl.String(), RECORD: pl.Int64(), _TABLE: pl.String(), _RULE: pl.String()}
_COMPARED_RECORDS = 10_000
"""Up to this many contradicting records of a file are compared column by column, for the words."""

_MOST = 100_000
"""So many records that break one rule are looked for at least, where fewer may be bad."""

Numbers = Mapping[str, pl.Series]
"""Raw file → numbers of its records, Int64, ascending."""
_NONE = pl.Series(dtype=pl.Int64)


@dataclass(frozen=True, eq=False)
class Contradictions:
    """Raw records that other records make superfluous or wrong.

    Attributes:
        repeated: table → the records that give the table nothing, because an earlier one gives it the same row.
        bad: table → what they break, in words → the records. Where more do than may be bad, as many as show that.
        is_cut: whether the search ended there, so that more may be bad.
    """

    repeated: Mapping[str, Numbers] = field(default_factory=dict)
    bad: Mapping[str, Mapping[str, Numbers]] = field(default_factory=dict)
    is_cut: bool = False

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.repeated or self.bad)

    def repeats_in(self, table: Table, file: RawFile) -> pl.Series:
        """The records of ``file`` that give ``table`` nothing new."""
        return self.repeated.get(table.name, {}).get(file.name, _NONE)

    def rules(self, dataset: Dataset, file: RawFile) -> list[Rule]:
        """What records of ``file`` break."""
        return [
            Rule(table.name, text, is_none_of(records))
            for table in dataset.tables_of(file)
            for text, files in self.bad.get(table.name, {}).items()
            if (records := files.get(file.name)) is not None
        ]


def disagreeing(table: Table) -> pl.Expr:
    """Whether the records of a group give different lists to explode. An empty list is like none: it has no rows."""
    assert table.explode is not None
    elements = pl.col(table.explode)
    return pl.when(elements.list.len() > 0).then(elements.hash()).otherwise(0).n_unique() > 1


def find_contradictions(
    dataset: Dataset, files: Mapping[str, RawFileVersion], storage: StorageBackend
) -> Contradictions:
    """Look for records that share a key, refer to a row that is not there, or give a row that breaks its contract.

    Args:
        dataset: whose records.
        files: raw file name → the kept file.
        storage: where the lake is.

    Raises:
        StageError: the engine could not read a file.
    """
    with engine_errors(dataset, files, storage), storage.scratch(dataset.name) as folder:
        copies = repaired_copies(dataset.readable_files, files, storage, folder)
        spools: dict[str, Spool] = {}
        for file in dataset.readable_files:
            _spool(dataset, file, files[file.name], copies.get(file.name, {}), storage, folder, spools)
        bad, is_cut = _bad_records(dataset, files, spools)
        differing = _differing(dataset, bad, files, copies, storage)
        repeated = {
            # A record that is quarantined for one table gives no row to another.
            table.name: _superfluous(table, _sharing_a_key(table, _without(spools[table.name].scan(), bad)))
            for table in dataset.tables
        }
    return Contradictions({name: _by_file(frame) for name, frame in repeated.items()}, _by_rule(bad, differing), is_cut)


def _own_key(table: Table) -> list[str]:
    """The columns of the key that a single record gives."""
    return list(table.group_by or [name for name in table.key if name in typed_names(table)])


def _spool(
    dataset: Dataset,
    file: RawFile,
    kept: RawFileVersion,
    copies: Copies,
    storage: StorageBackend,
    folder: Path,
    spools: dict[str, Spool],
) -> None:
    """Put what identifies the records of a file into the spools of the tables that it feeds."""
    records = read_records(dataset, file, kept, storage, copies)
    for table in dataset.tables_of(file):
        if table.name not in spools:
            spools[table.name] = Spool(folder / table.name, _identifying(table, file, records.frame).collect_schema())

    with bar(f"looking for contradictions in {file.name}", kept.records, "rows") as progress:

        def take(batch: pl.DataFrame, _broken: pl.DataFrame) -> None:
            progress.update(batch.height)
            for table in dataset.tables_of(file):
                spools[table.name].add(_identifying(table, file, batch.lazy()).collect())

        process_batches(dataset, file, kept, records, take)


def _identifying(table: Table, file: RawFile, records: pl.LazyFrame) -> pl.LazyFrame:
    """File, number and hashes of the values of accepted records, and of the values those that others may contradict."""
    typed = typed_names(table)
    latest_by = [table.latest_by] if table.latest_by else []
    asked = (*_own_key(table), *sorted(table.foreign_key_columns), *table.unique_columns, *latest_by)
    compared = [name for name in asked if name in typed]
    values = pl.struct(list(typed))
    return accepted(table, records).select(
        pl.lit(file.name).alias(_FILE),
        RECORD,
        *(dict.fromkeys(compared) if table.is_by_record else typed),
        **{name: values.hash(seed) for seed, name in enumerate(_VALUES)},
    )


def _without(records: pl.LazyFrame, bad: pl.DataFrame) -> pl.LazyFrame:
    return records.join(bad.lazy().select(_FILE, RECORD), on=[_FILE, RECORD], how="anti", maintain_order="left")


def _rows(table: Table, records: pl.LazyFrame) -> pl.LazyFrame:
    return records if table.is_by_record else table.transform(records.drop(_FILE, *_VALUES))


def _bad_records(
    dataset: Dataset, files: Mapping[str, RawFileVersion], spools: Mapping[str, Spool]
) -> tuple[pl.DataFrame, bool]:
    """The bad records, each with the table and what it breaks there; and whether there may be more.

    What is put aside may have been another's parent, so the search goes on until it finds nothing more, or so much
    that the limit of a file is passed.
    """
    bad = pl.DataFrame(schema=_FOUND)
    most = {table.name: _enough(dataset, table, files) for table in dataset.tables}
    while True:
        left = {table.name: _without(spools[table.name].scan(), bad) for table in dataset.tables}
        found, is_beyond = [bad], False
        for table in dataset.tables:
            records = left[table.name]
            breaking = [*_contradicting(table, records), *_breaking(table, records)]
            for reference in table.foreign_keys:
                of_parent = dataset.table(reference.to)
                keys = _rows(of_parent, left[reference.to]).select(of_parent.key)
                breaking.append((_orphan_words(reference), _orphans(table, records, reference, keys)))
            for text, these in breaking:
                of_rule = these.select(_FILE, RECORD, pl.lit(table.name).alias(_TABLE), pl.lit(text).alias(_RULE))
                found.append(of_rule.head(most[table.name]).collect(engine="streaming"))
                is_beyond |= found[-1].height == most[table.name]
        more = pl.concat(found).unique(maintain_order=True)
        if more.height == bad.height or is_beyond:
            return more, is_beyond
        bad = more


def _enough(dataset: Dataset, table: Table, files: Mapping[str, RawFileVersion]) -> int:
    """So many bad records that one of the table's files is beyond its limit, however they lie in the files."""
    counts = {file: files[file.name].records for file in dataset.files_of(table)}
    allowed = (dataset.quarantine_limit(file, count).allowed(count) for file, count in counts.items())
    return max(1 + sum(allowed), _MOST)


def _contradicting(table: Table, records: pl.LazyFrame) -> list[tuple[str, pl.LazyFrame]]:
    """Records that share a key and differ in other values: which of them is right is unknown."""
    own = _own_key(table)
    if table.on_duplicate != "quarantine":
        return _with_a_value_of_another(table, records, own)
    sharing = _sharing_a_key(table, records)
    # Where records fold into a row, all whose key repeats differ.
    differ = pl.lit(True) if table.group_by else pl.struct(_VALUES).n_unique().over(own) > 1
    found = [(_contradiction_words(own), sharing.lazy().filter(differ))]
    if table.explode and table.group_by:
        groups = records.group_by(table.group_by).agg(disagreeing(table).alias(_DIFFER)).filter(_DIFFER).select(own)
        found.append((_contradiction_words(own), records.join(groups, on=own, how="semi")))
    return found + _with_a_value_of_another(table, records, own)


def _with_a_value_of_another(table: Table, records: pl.LazyFrame, own: Sequence[str]) -> list[tuple[str, pl.LazyFrame]]:
    """Records of different keys that have the same value where that may not be."""
    found = []
    for name in table.unique_columns:
        if name in typed_names(table):
            twice = records.select(name, *own).unique().drop_nulls(name).group_by(name).len().filter(pl.col("len") > 1)
            found.append((f"{name}: other records have the same", records.join(twice, on=name, how="semi")))
    return found


def _breaking(table: Table, records: pl.LazyFrame) -> list[tuple[str, pl.LazyFrame]]:
    """Records behind rows that break a rule over what the transform made."""
    rules = {f"{name}: {words or BROKEN_RULE}": keeps for name, words, keeps in derived_rules(table)}
    if not rules:
        return []
    own, rows = _own_key(table), _rows(table, records)
    return [
        (text, records.join(rows.filter(keeps.fill_null(True).not_()).select(own).unique(), on=own, how="semi"))
        for text, keeps in rules.items()
    ]


def _orphans(table: Table, records: pl.LazyFrame, reference: Reference, keys: pl.LazyFrame) -> pl.LazyFrame:
    """Records that refer to a key which is not among ``keys``."""
    columns = list(reference.columns)
    is_typed = {*columns} <= {*typed_names(table)}
    rows = records if is_typed else _rows(table, records)
    orphans = rows.drop_nulls(columns).join(keys, left_on=columns, right_on=keys.collect_schema().names(), how="anti")
    if is_typed:
        return orphans
    own = _own_key(table)
    return records.join(orphans.select(own).unique(), on=own, how="semi")


def _orphan_words(reference: Reference) -> str:
    return f"{', '.join(reference.columns)}: {reference.to} has no such row, or its record is in the quarantine"


def _contradiction_words(own: Sequence[str], differing: Sequence[str] = ("other values",)) -> str:
    return f"{', '.join(own)}: other records have the same and differ in {', '.join(differing)}"


def _sharing_a_key(table: Table, records: pl.LazyFrame) -> pl.DataFrame:
    """File, number, key and hashes of the values of all records behind rows whose key repeats."""
    own = _own_key(table)
    rows = _rows(table, records)
    again = rows.group_by(table.key).len().filter(pl.col("len") > 1).select(own).unique().collect(engine="streaming")
    names = dict.fromkeys([*own, *([table.latest_by] if table.latest_by else [])])
    sharing = records.join(again.lazy(), on=own, how="semi").select(_FILE, RECORD, *names, *_VALUES)
    return sharing.collect(engine="streaming")


def _superfluous(table: Table, sharing: pl.DataFrame) -> pl.DataFrame:
    """Of records that share a key, and agree or have a rule by which one of them stands, all but that one."""
    if table.on_duplicate == "latest":
        order = [*([table.latest_by] if table.latest_by else []), _FILE, RECORD]
        in_order = sharing.sort(order, nulls_last=False)
        return in_order.filter(pl.int_range(pl.len()).over(_own_key(table)) < pl.len().over(_own_key(table)) - 1)
    return sharing.sort(_FILE, RECORD).filter(pl.int_range(pl.len()).over(_own_key(table)) > 0)


def _differing(
    dataset: Dataset,
    bad: pl.DataFrame,
    files: Mapping[str, RawFileVersion],
    copies: Mapping[str, Copies],
    storage: StorageBackend,
) -> pl.DataFrame:
    """In which columns contradicting records differ, in words: file, record, table, ``_DIFFER``."""
    found = [pl.DataFrame(schema={**_FOUND, _DIFFER: pl.String()}).drop(_RULE)]
    for table in dataset.tables:
        own = _own_key(table)
        of_table = bad.filter(pl.col(_TABLE) == table.name, pl.col(_RULE) == _contradiction_words(own))
        values = []
        for file in dataset.files_of(table) if not of_table.is_empty() else ():
            numbers = of_table.filter(pl.col(_FILE) == file.name)[RECORD].sort().head(_COMPARED_RECORDS)
            records = read_records(dataset, file, files[file.name], storage, copies.get(file.name, {}))
            these = records.frame.filter(pl.col(RECORD).is_in(numbers.implode()))
            values.append(accepted(table, these).with_columns(pl.lit(file.name).alias(_FILE)))
        if values:
            found.append(_columns_that_differ(table, own, pl.concat(values).collect(engine="streaming")))
    return pl.concat(found)


def _columns_that_differ(table: Table, own: Sequence[str], values: pl.DataFrame) -> pl.DataFrame:
    others = [name for name in typed_names(table) if name not in own]
    differ = [
        pl.when(pl.col(name).hash().n_unique().over(own) > 1).then(pl.lit(name)).alias(f"{_DIFFER} {name}")
        for name in others
    ]
    if not differ:
        return pl.DataFrame(schema={_FILE: pl.String(), RECORD: pl.Int64(), _TABLE: pl.String(), _DIFFER: pl.String()})
    return (
        values.with_columns(differ)
        .with_columns(
            pl.concat_str(pl.col(f"^{_DIFFER} .*$"), separator=", ", ignore_nulls=True).alias(_DIFFER),
            pl.lit(table.name).alias(_TABLE),
        )
        .select(_FILE, RECORD, _TABLE, _DIFFER)
        .filter(pl.col(_DIFFER) != "")
    )


def _by_rule(bad: pl.DataFrame, differing: pl.DataFrame) -> dict[str, dict[str, Numbers]]:
    named = bad.join(differing, on=[_FILE, RECORD, _TABLE], how="left").with_columns(
        pl.when(pl.col(_RULE).str.ends_with(" differ in other values") & pl.col(_DIFFER).is_not_null())
        .then(pl.col(_RULE).str.strip_suffix("other values") + pl.col(_DIFFER))
        .otherwise(_RULE)
        .alias(_RULE)
    )
    found: dict[str, dict[str, Numbers]] = {}
    for (table, text), part in named.partition_by(_TABLE, _RULE, as_dict=True).items():
        found.setdefault(str(table), {})[str(text)] = _by_file(part)
    return found


def _by_file(records: pl.DataFrame) -> dict[str, pl.Series]:
    return {
        str(file): part[RECORD].unique().sort() for (file,), part in records.partition_by(_FILE, as_dict=True).items()
    }
