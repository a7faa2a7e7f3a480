"""The raw records of a dataset as lazy frames: each with its typed values, and whether it keeps every contract."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import polars as pl
import polars.exceptions

from nequi_lake.datasets.rules import BLANKS, Rule, rules_of, typed_columns, typed_name
from nequi_lake.datasets.spec import RECORD, CsvFile, Dataset, JsonLinesFile, RawFile, Table
from nequi_lake.errors import StageError
from nequi_lake.lake.damage import Mended, mend
from nequi_lake.lake.raw import KeptFile
from nequi_lake.lake.storage import Storage
from nequi_lake.lake.storage.faults import explain

log = logging.getLogger(__name__)

KEEPS = "__keeps_contract"
"""Column of a flagged frame: whether the record keeps the contracts of all tables that its file feeds."""
_ERROR_SHOWN = 300


@contextmanager
def engine_errors(dataset: Dataset, files: Mapping[str, KeptFile], storage: Storage) -> Iterator[None]:
    """Give what the engine raises in the block as an error of the lake.

    Raises:
        StageError: the engine could not read or write a file.
    """
    try:
        yield
    except (polars.exceptions.PolarsError, OSError) as error:
        told = explain(error, storage.uri)
        if told:
            raise told from error
        raise StageError(
            f"The raw files of {dataset.name} could not be staged: {str(error)[:_ERROR_SHOWN]}",
            where=", ".join(file.path for file in files.values()),
            fix="The published tables are as they were. If the disk is not full, the file or its declaration is wrong.",
        ) from error


@contextmanager
def mended_copies(
    dataset: Dataset, files: Mapping[str, KeptFile], select: Collection[str], storage: Storage
) -> Iterator[Mapping[str, Mended]]:
    """A mended copy of each file that needs one and feeds a selected table, for the time of the block."""
    unreadable = [
        file
        for file in dataset.readable_files
        if not files[file.name].reads_as_it_is and any(table.name in select for table in dataset.tables_of(file))
    ]
    if not unreadable:
        yield {}
        return
    with storage.scratch(dataset.name) as folder:
        mended = {}
        for file in unreadable:
            kept = files[file.name]
            log.info("%s: copying %s without %s damaged records", dataset.name, file.name, f"{kept.damaged:,}")
            with storage.open_lines(kept.path) as content:
                mended[file.name] = mend(file, content, kept.size_bytes, folder / file.name)
        yield mended


def _scan(file: RawFile, path: str, options: Mapping[str, Any]) -> pl.LazyFrame:
    """The raw records as they are written: strings, or the JSON values, with their number."""
    match file:
        case CsvFile():
            frame = pl.scan_csv(
                path,
                schema=dict.fromkeys(file.columns, pl.String()),
                null_values=list(BLANKS),
                row_index_name=RECORD,
                glob=False,
                **options,
            )
        case JsonLinesFile():
            frame = (
                pl.scan_lines(path, name="__line", row_index_name=RECORD, glob=False, **options)
                .with_columns(pl.col("__line").str.json_decode(pl.Struct(dict(file.schema))))
                .unnest("__line")
            )
        case _:
            raise StageError(f"{file.name} is kept as it is, and no table is made of it.")
    literals = [pl.lit(value).alias(name) for name, value in file.literals.items()]
    return frame.with_columns(pl.col(RECORD).cast(pl.Int64), *literals)


def flagged(
    dataset: Dataset, file: RawFile, kept: KeptFile, rules: list[Rule], storage: Storage, mended: Mended | None
) -> pl.LazyFrame:
    """Raw and typed values of every record that can be read, and whether it keeps every table's contract."""
    typed = [
        value.alias(typed_name(table.name, name))
        for table in dataset.tables_of(file)
        for name, value in typed_columns(table).items()
    ]
    # A rule over a missing value is null, which breaks nothing: that it may not be missing is a rule of its own.
    keeps = pl.all_horizontal(rule.keeps for rule in rules).fill_null(True)
    records = _scan(file, str(mended.path), {}) if mended else _scan(file, kept.path, storage.polars_scan())
    records = records.with_columns(typed)
    if mended:
        # Not sooner: what is typed may count on the places of the records before it.
        records = records.filter(is_none_of(mended.damaged["record"]))
    # Without the cache each sink would scan the file again.
    return records.with_columns(keeps.alias(KEEPS)).cache()


def rules_of_file(dataset: Dataset, file: RawFile) -> list[Rule]:
    """The rules that a record of ``file`` must keep: those of all tables that it feeds."""
    return [rule for table in dataset.tables_of(file) for rule in rules_of(table)]


def accepted(table: Table, flagged: pl.LazyFrame, without: Sequence[int] = ()) -> pl.LazyFrame:
    """The table's typed columns and ``RECORD`` of the records that keep every contract.

    Args:
        table: which.
        flagged: the records of one file, as :func:`flagged` gives them.
        without: numbers of records to leave out.
    """
    keeps = pl.col(KEEPS) & is_none_of(without) if without else pl.col(KEEPS)
    names = typed_columns(table)
    return flagged.filter(keeps).select(RECORD, *(pl.col(typed_name(table.name, name)).alias(name) for name in names))


def is_none_of(records: Sequence[int] | pl.Series) -> pl.Expr:
    """True where a record is none of these numbers."""
    return pl.col(RECORD).is_in(pl.Series(records, dtype=pl.Int64).implode()).not_()
