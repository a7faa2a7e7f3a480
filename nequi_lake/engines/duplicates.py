"""Finds raw records that share a key: equal ones, and ones that contradict each other.

The audit finds duplicate keys at no extra cost; finding the source records takes a second pass over the raw files, run
only then. What identifies records waits on disk; in memory are the keys
of one table at a time, and of each record whose key repeats a hash of its values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from nequi_lake.datasets.rules import Rule, typed_names
from nequi_lake.datasets.spec import Dataset, Table
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

_FILE = "__file"
_VALUES = ("__values_0", "__values_1")
"""Two hashes of 64 bits: records of one key that agree in both are taken for equal."""


@dataclass(frozen=True)
class Duplicates:
    """Raw records that share a key of a table with others.

    Attributes:
        repeated: table → raw file → numbers of the records that give the table nothing, because an earlier one gives
            it the same row.
        conflicting: table → raw file → numbers of the records that share a key of the table and differ in its values.
    """

    repeated: Mapping[str, Mapping[str, Sequence[int]]] = field(default_factory=dict)
    conflicting: Mapping[str, Mapping[str, Sequence[int]]] = field(default_factory=dict)

    def repeats_in(self, table: Table, file: RawFile) -> Sequence[int]:
        """The records of ``file`` that give ``table`` nothing new."""
        return self.repeated.get(table.name, {}).get(file.name, ())

    def rules(self, dataset: Dataset, file: RawFile) -> list[Rule]:
        """What the conflicting records of ``file`` break: which of them is right is unknown."""
        return [
            Rule(
                table.name,
                f"{', '.join(_own_key(table))}: other records have the same and differ in other values",
                is_none_of(records),
            )
            for table in dataset.tables_of(file)
            if (records := self.conflicting.get(table.name, {}).get(file.name))
        ]


def find_duplicates(dataset: Dataset, files: Mapping[str, RawFileVersion], storage: StorageBackend) -> Duplicates:
    """Look for records that share a key of a table.

    Args:
        dataset: whose records.
        files: raw file name → the kept file.
        storage: where the lake is.

    Raises:
        StageError: the engine could not read a file.
    """
    found: dict[str, pl.DataFrame] = {}
    with engine_errors(dataset, files, storage), storage.scratch(dataset.name) as folder:
        copies = repaired_copies(dataset.readable_files, files, storage, folder)
        spools: dict[str, Spool] = {}
        for file in dataset.readable_files:
            _spool(dataset, file, files[file.name], copies.get(file.name, {}), storage, folder, spools)
        for table in dataset.tables:
            found[table.name] = _sharing_a_key(table, spools[table.name].scan())
    conflicting = {table.name: _conflicting(table, found[table.name]) for table in dataset.tables}
    bad = pl.concat(frame.select(_FILE, RECORD) for frame in conflicting.values())
    # A record that is quarantined for one table gives no row to another.
    repeated = {
        table.name: _repeated(table, found[table.name].join(bad, on=[_FILE, RECORD], how="anti"))
        for table in dataset.tables
    }
    return Duplicates(*({name: _by_file(frame) for name, frame in part.items()} for part in (repeated, conflicting)))


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

    with bar(f"looking for repeats in {file.name}", kept.records, "rows") as progress:

        def take(batch: pl.DataFrame, _broken: pl.DataFrame) -> None:
            progress.update(batch.height)
            for table in dataset.tables_of(file):
                spools[table.name].add(_identifying(table, file, batch.lazy()).collect())

        process_batches(dataset, file, kept, records, take)


def _identifying(table: Table, file: RawFile, records: pl.LazyFrame) -> pl.LazyFrame:
    """File, number and hashes of the values of accepted records, and of the values those of which a key is made."""
    values = pl.struct(list(typed_names(table)))
    return accepted(table, records).select(
        pl.lit(file.name).alias(_FILE),
        RECORD,
        *(_own_key(table) if table.is_by_record else typed_names(table)),
        **{name: values.hash(seed) for seed, name in enumerate(_VALUES)},
    )


def _sharing_a_key(table: Table, records: pl.LazyFrame) -> pl.DataFrame:
    """File, number, key and hashes of the values of all records behind rows whose key repeats."""
    own = _own_key(table)
    rows = records if table.is_by_record else table.transform(records.drop(_FILE, *_VALUES))
    again = rows.group_by(table.key).len().filter(pl.col("len") > 1).select(own).unique().collect(engine="streaming")
    sharing = records.join(again.lazy(), on=own, how="semi").select(_FILE, RECORD, *own, *_VALUES)
    return sharing.collect(engine="streaming")


def _conflicting(table: Table, sharing: pl.DataFrame) -> pl.DataFrame:
    """Of records that share a key, those that differ. Where records fold into a row, all whose key repeats do."""
    differ = pl.lit(True) if table.group_by else pl.struct(_VALUES).n_unique().over(_own_key(table)) > 1
    return sharing.filter(differ)


def _repeated(table: Table, sharing: pl.DataFrame) -> pl.DataFrame:
    """Of records that share a key and its values, all but the first."""
    return sharing.sort(_FILE, RECORD).filter(pl.int_range(pl.len()).over(_own_key(table)) > 0)


def _by_file(records: pl.DataFrame) -> dict[str, list[int]]:
    return {
        str(file): part[RECORD].sort().to_list() for (file,), part in records.partition_by(_FILE, as_dict=True).items()
    }
