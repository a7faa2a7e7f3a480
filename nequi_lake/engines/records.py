"""The raw records of a dataset as lazy frames: each with its typed values, and whether it keeps every contract."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath

import polars as pl
import polars.exceptions

from nequi_lake.datasets.rules import Rule, rules_of, typed_columns, typed_name, typed_names
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.engines.sessions import read_sessions, session_table
from nequi_lake.errors import NequiLakeError, StageError
from nequi_lake.formats import RECORD, RawFile, RepairedFile
from nequi_lake.lake.raw_file import RawFileVersion
from nequi_lake.lake.storage import StorageBackend
from nequi_lake.lake.storage.faults import translate_error

log = logging.getLogger(__name__)

IS_VALID = "__is_valid"
"""Column of a typed frame: whether the record keeps the contracts of all tables that its file feeds."""
_ERROR_SHOWN = 300
_BATCH_RECORDS = 100_000
_BATCH_BYTES = 32 * 2**20


@contextmanager
def engine_errors(dataset: Dataset, files: Mapping[str, RawFileVersion], storage: StorageBackend) -> Iterator[None]:
    """Raise what the engine raises in the block as an error of the lake.

    Raises:
        StageError: the engine could not read or write a file.
    """
    hides = any(table.sensitive_columns for table in dataset.tables)
    # Of a dataset with sensitive columns, whatever is raised may quote a value: also a transform's own error.
    translated_errors = Exception if hides else (polars.exceptions.PolarsError, OSError)
    try:
        yield
    except NequiLakeError:
        raise
    except translated_errors as error:
        translated = translate_error(error, storage.uri)
        if translated:
            raise translated from error
        said = f"{type(error).__name__}, of which no more can be shown" if hides else str(error)[:_ERROR_SHOWN]
        raise StageError(
            f"The raw files of {dataset.name} could not be staged: {said}",
            where=", ".join(file.path for file in files.values()),
            fix="The published tables are as they were. If the disk is not full, the file or its declaration is wrong.",
        ) from (None if hides else error)


Copies = Mapping[str, RepairedFile]
"""Part of a raw file → the repaired copy that is read instead of it."""


def repaired_copies(
    read: Iterable[RawFile], files: Mapping[str, RawFileVersion], storage: StorageBackend, folder: Path
) -> Mapping[str, Copies]:
    """Make repaired copies in ``folder`` of the parts that need one; return raw file → its copies.

    Args:
        read: the files that are to be read.
        files: raw file name → the kept file.
        storage: where the lake is.
        folder: an existing folder of this machine.
    """
    unreadable = [(file, part) for file in read for part in files[file.name].parts if file.needs_repair(part.structure)]
    copies: dict[str, dict[str, RepairedFile]] = {}
    for number, (file, part) in enumerate(unreadable):
        log.info("%s: copying %s as the engine reads it", files[file.name].dataset, part.name)
        with storage.open_lines(files[file.name].path_of(part)) as content:
            path = folder / f"{number}{PurePosixPath(part.name).suffix}"
            copies.setdefault(file.name, {})[part.name] = file.repair(content, part.structure, path)
    return copies


def damaged_records(kept: RawFileVersion, copies: Copies) -> pl.DataFrame:
    """The damaged records of a file's parts, as :class:`RepairedFile` has them, but numbered through the whole file."""
    return pl.concat(
        copies[name].damaged.with_columns(pl.col("record") + start)
        for name, start in kept.offsets.items()
        if name in copies
    )


def _scan_parts(file: RawFile, kept: RawFileVersion, copies: Copies, storage: StorageBackend) -> pl.LazyFrame:
    """The raw records of all parts, numbered through. Consecutive parts that are read alike share one scan."""
    scans = []
    for (is_repaired, _), parts in groupby(
        kept.parts, key=lambda part: (part.name in copies, file.layout(part.structure))
    ):
        group = list(parts)
        paths = [str(copies[part.name].path) if is_repaired else kept.path_of(part) for part in group]
        options = {} if is_repaired else storage.polars_scan()
        frame = file.scan(paths, group[0].structure, options, is_copy=is_repaired)
        scans.append(frame.with_columns(pl.col(RECORD) + kept.offsets[group[0].name]))
    return pl.concat(scans)


@dataclass(frozen=True)
class TypedRecords:
    """The records of a raw file that can be read, typed, and the rules that they must keep.

    Attributes:
        frame: raw and typed values of each record, and whether it keeps every rule. Numbers are cast fast: records that
            keep every rule are right; :func:`process_batches` casts the others again.
        rules: the contracts of all tables that the file feeds, and what its sessions demand.
    """

    frame: pl.LazyFrame
    rules: list[Rule]


def read_records(
    dataset: Dataset,
    file: RawFile,
    kept: RawFileVersion,
    storage: StorageBackend,
    copies: Copies,
    more_rules: Sequence[Rule] = (),
) -> TypedRecords:
    """Read the records of a raw file lazily.

    Args:
        dataset: whose file.
        file: its declaration.
        kept: the same in the raw zone.
        storage: where the lake is.
        copies: what is read in the place of its damaged parts.
        more_rules: what else its records must keep.
    """
    records = _scan_parts(file, kept, copies, storage)
    rules = [rule for table in dataset.tables_of(file) for rule in rules_of(table, file)]
    damaged = damaged_records(kept, copies) if copies else None
    if file.session_by is not None:
        blank = damaged.filter("is_blank")["record"] if damaged is not None else ()
        sessions = read_sessions(dataset, file, records, kept.records, blank)
        records = records.with_columns(sessions.columns())
        rules += sessions.rules(session_table(dataset, file), file.session_by)
    rules += more_rules
    if damaged is not None:
        records = records.filter(is_none_of(damaged["record"]))
    return TypedRecords(_typed(dataset, file, rules, records, fast_cast=True), rules)


def _typed(
    dataset: Dataset, file: RawFile, rules: list[Rule], records: pl.LazyFrame, *, fast_cast: bool
) -> pl.LazyFrame:
    typed = [
        value.alias(typed_name(table.name, name))
        for table in dataset.tables_of(file)
        for name, value in typed_columns(table, file, fast_cast=fast_cast).items()
    ]
    # A rule over a missing value is null, which breaks nothing: that it may not be missing is a rule of its own.
    keeps = pl.all_horizontal(rule.keeps for rule in rules).fill_null(True)
    return records.with_columns(typed).with_columns(keeps.alias(IS_VALID))


def _split_invalid(
    dataset: Dataset, file: RawFile, rules: list[Rule], batch: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A batch of records, those that fast casts made invalid cast again, and those of them that break a contract."""
    if batch[IS_VALID].all():
        return batch, batch.clear()
    doubtful = batch.lazy().filter(pl.col(IS_VALID).not_())
    recast = _typed(dataset, file, rules, doubtful, fast_cast=False).collect()
    sound, bad = recast.filter(IS_VALID), recast.filter(pl.col(IS_VALID).not_())
    if not sound.is_empty():
        batch = pl.concat([batch.filter(IS_VALID), sound]).sort(RECORD)
    return batch, bad


def process_batches(
    dataset: Dataset,
    file: RawFile,
    kept: RawFileVersion,
    records: TypedRecords,
    process: Callable[[pl.DataFrame, pl.DataFrame], None],
) -> None:
    """Pass the records of a file to ``process``, batch by batch, strictly cast, each with those that break a rule.

    The engine waits while ``process`` deals with a batch. Where it has several sinks for one scan itself, it reads on
    while the slowest is at work, and holds what that has not taken.
    """
    # Many records at once, as each batch has its cost, and no more than memory bears of long ones.
    at_once = min(_BATCH_RECORDS, max(1, _BATCH_BYTES * kept.records // max(1, kept.size_bytes)))
    records.frame.sink_batches(
        lambda batch: process(*_split_invalid(dataset, file, records.rules, batch)),
        chunk_size=at_once,
        engine="streaming",
    )


def accepted(table: Table, records: pl.LazyFrame, without: pl.Series | None = None) -> pl.LazyFrame:
    """The table's typed columns and ``RECORD`` of the records that keep every contract.

    Args:
        table: which.
        records: the records of one file, as :class:`TypedRecords` has them.
        without: numbers of records to leave out.
    """
    keeps = pl.col(IS_VALID) if without is None else pl.col(IS_VALID) & is_none_of(without)
    names = typed_names(table)
    return records.filter(keeps).select(RECORD, *(pl.col(typed_name(table.name, name)).alias(name) for name in names))


def is_none_of(records: Sequence[int] | pl.Series) -> pl.Expr:
    """True where a record is none of these numbers."""
    return pl.col(RECORD).is_in(pl.Series(records, dtype=pl.Int64).implode()).not_()
