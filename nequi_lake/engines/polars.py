"""Stages a dataset on this machine with Polars: one streaming scan of each raw file feeds every table at once."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import polars as pl
import polars.exceptions

from nequi_lake.datasets.contract import arrow_schema
from nequi_lake.datasets.rules import BLANKS, Rule, rules_of, typed_columns, typed_name
from nequi_lake.datasets.spec import RECORD, CsvFile, Dataset, JsonLinesFile, RawFile, Table
from nequi_lake.errors import StageError
from nequi_lake.lake.damage import Mended, mend
from nequi_lake.lake.lines import lines_of_records
from nequi_lake.lake.quarantine import COLUMNS, finish_quarantine, quarantine_path
from nequi_lake.lake.raw import KeptFile
from nequi_lake.lake.release import Accounting, DataFile, FileAccount, Release, StagedTable
from nequi_lake.lake.storage import Storage
from nequi_lake.lake.storage.faults import explain
from nequi_lake.progress import bar, watched

log = logging.getLogger(__name__)

_KEEPS = "__keeps_contract"
_ERROR_SHOWN = 300


@dataclass
class Pass:
    """The lazy frames of one pass, and what it will leave behind.

    Attributes:
        sinks: frames that write tables and quarantines.
        counts: question → one-row frame with the answers.
        written: table → its files, filled while the sinks run.
    """

    sinks: list[pl.LazyFrame] = field(default_factory=list)
    counts: dict[tuple[str, str], pl.LazyFrame] = field(default_factory=dict)
    written: dict[str, list[DataFile]] = field(default_factory=dict)

    def frames(self) -> list[pl.LazyFrame]:
        """All frames, which must run together for the scan to be shared."""
        return [*self.sinks, *self.counts.values()]


def stage(
    dataset: Dataset, files: Mapping[str, KeptFile], select: Collection[str], release: Release, storage: Storage
) -> dict[str, StagedTable]:
    """Write the selected tables under a prefix of the release's run, and the bad records into the quarantine.

    Args:
        dataset: what to make.
        files: raw file name → the kept file.
        select: names of the tables to write; a record that is bad for any table is put aside for all.
        release: what the staged tables will be.
        storage: where the lake is.

    Returns:
        Table name → what was staged, in the dataset's order.

    Raises:
        StageError: the engine could not read or write a file.
    """
    records = sum(files[file.name].records for file in dataset.readable_files)
    try:
        with (
            _mended(dataset, files, select, storage) as mended,
            bar(f"staging {dataset.name}", records, "rows") as progress,
        ):
            plan = plan_pass(dataset, files, select, release, storage, mended, progress.update)
            results = pl.collect_all(plan.frames(), engine="streaming")
    except (polars.exceptions.PolarsError, OSError) as error:
        told = explain(error, storage.uri)
        if told:
            raise told from error
        raise StageError(
            f"The raw files of {dataset.name} could not be staged: {str(error)[:_ERROR_SHOWN]}",
            where=", ".join(file.path for file in files.values()),
            fix="The published tables are as they were. If the disk is not full, the file or its declaration is wrong.",
        ) from error
    answers = {key: frame.row(0) for key, frame in zip(plan.counts, results[len(plan.sinks) :], strict=True)}
    accounts = {
        file.name: FileAccount(
            records=files[file.name].records,
            quarantined=answers["file", file.name][1] + files[file.name].damaged,
        )
        for file in dataset.readable_files
        if ("file", file.name) in answers
    }
    for name, account in accounts.items():
        if account.quarantined and not _one_line_each(files[name]):
            _add_lines(quarantine_path(storage, dataset.name, release.run_id, name), files[name], storage)
    finish_quarantine(storage, dataset.name, release.run_id)
    staged = {}
    for table in _selected(dataset, select):
        accepted, folded, expected = answers["table", table.name]
        staged[table.name] = StagedTable(
            dataset=dataset.name,
            table=table.name,
            release=release,
            accounting=Accounting(
                files={file.name: accounts[file.name] for file in dataset.files_of(table)},
                accepted=accepted,
                merged=accepted - folded,
                expected_rows=expected,
            ),
            files=tuple(sorted(plan.written.get(table.name, []), key=lambda file: file.path)),
        )
    return staged


def plan_pass(
    dataset: Dataset,
    files: Mapping[str, KeptFile],
    select: Collection[str],
    release: Release,
    storage: Storage,
    mended: Mapping[str, Mended] = MappingProxyType({}),
    progress: Callable[[int], object] = lambda _: None,
) -> Pass:
    """The pass that :func:`stage` runs; arguments as there.

    Args:
        mended: raw file name → what is read in its place, for a damaged file.
        progress: is told of each part of the records gone by.
    """
    plan = Pass()
    selected = _selected(dataset, select)
    flagged: dict[str, pl.LazyFrame] = {}
    for file in dataset.readable_files:
        if not any(table in selected for table in dataset.tables_of(file)):
            continue
        rules = [rule for table in dataset.tables_of(file) for rule in rules_of(table)]
        frame = _flagged(dataset, file, files[file.name], rules, storage, mended.get(file.name))
        flagged[file.name] = frame
        plan.counts["file", file.name] = watched(frame.select(_KEEPS), progress).select(
            pl.len(), pl.col(_KEEPS).not_().sum()
        )
        path = quarantine_path(storage, dataset.name, release.run_id, file.name)
        bad = _quarantined(dataset, file, files[file.name], rules, frame)
        if file.name in mended:
            bad = pl.concat([bad, _damaged(dataset, file, mended[file.name])])
        plan.sinks.append(bad.sink_parquet(path, lazy=True, **storage.polars_sink()))
    for table in selected:
        records = pl.concat(_accepted(table, flagged[file.name]) for file in dataset.files_of(table))
        plan.counts["table", table.name] = _expected(table, records)
        rows = table.transform(records).select(list(table.columns))
        plan.sinks.append(_sink(table, rows, _prefix(dataset, table, release, storage), plan.written, storage))
    return plan


def discard(staged: Mapping[str, StagedTable], storage: Storage) -> None:
    """Remove the files of staged tables that will not be published."""
    for table in staged.values():
        storage.remove(storage.path("processed", table.dataset, table.table, "data", table.release.run_id))


@contextmanager
def _mended(
    dataset: Dataset, files: Mapping[str, KeptFile], select: Collection[str], storage: Storage
) -> Iterator[Mapping[str, Mended]]:
    """A mended copy of each damaged file that feeds a selected table, for the time of the block."""
    damaged = [
        file
        for file in dataset.readable_files
        if files[file.name].damaged and any(table.name in select for table in dataset.tables_of(file))
    ]
    if not damaged:
        yield {}
        return
    with storage.scratch(dataset.name) as folder:
        mended = {}
        for file in damaged:
            kept = files[file.name]
            log.info("%s: copying %s without its damaged records: %s", dataset.name, file.name, f"{kept.damaged:,}")
            with storage.open_lines(kept.path) as content:
                mended[file.name] = mend(file, content, kept.size_bytes, folder / file.name)
        yield mended


def _selected(dataset: Dataset, select: Collection[str]) -> list[Table]:
    return [table for table in dataset.tables if table.name in select]


def _prefix(dataset: Dataset, table: Table, release: Release, storage: Storage) -> str:
    return storage.path("processed", dataset.name, table.name, "data", release.run_id)


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


def _flagged(
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
        records = records.filter(pl.col(RECORD).is_in(mended.damaged["record"].implode()).not_())
    # Without the cache each sink would scan the file again.
    return records.with_columns(keeps.alias(_KEEPS)).cache()


def _accepted(table: Table, flagged: pl.LazyFrame) -> pl.LazyFrame:
    names = typed_columns(table)
    return flagged.filter(_KEEPS).select(RECORD, *(pl.col(typed_name(table.name, name)).alias(name) for name in names))


def _expected(table: Table, records: pl.LazyFrame) -> pl.LazyFrame:
    """One row: records accepted, records after folding, rows that these must give."""
    rows_of_record = pl.col(table.explode).list.len().cast(pl.Int64) if table.explode else pl.lit(1, pl.Int64)
    counted = records.select(RECORD, *table.fold_by, rows=rows_of_record)
    if table.fold_by:
        folded = counted.group_by(table.fold_by).agg(records=pl.len(), rows=pl.col("rows").max())
    else:
        folded = counted.with_columns(records=1)
    return folded.select(
        pl.col("records").sum().cast(pl.Int64), pl.len().cast(pl.Int64), pl.col("rows").sum().cast(pl.Int64)
    )


def _sink(
    table: Table, rows: pl.LazyFrame, prefix: str, written: dict[str, list[DataFile]], storage: Storage
) -> pl.LazyFrame:
    files = written.setdefault(table.name, [])

    def note(sunk: object) -> None:
        for path in sunk.paths:  # type: ignore[attr-defined]
            files.append(DataFile(path=str(path.path), rows=path.num_rows, size_bytes=path.num_bytes))

    target: str | pl.PartitionBy = f"{prefix}/00000000.parquet"
    if table.partition_by:
        target = pl.PartitionBy(prefix, key=table.partition_by.key, include_key=not table.partition_by.by_year)
    return rows.sink_parquet(
        target,
        arrow_schema=arrow_schema(table.contract),
        sinked_paths_callback=note,
        lazy=True,
        **storage.polars_sink(),
    )


def _quarantined(
    dataset: Dataset, file: RawFile, kept: KeptFile, rules: list[Rule], flagged: pl.LazyFrame
) -> pl.LazyFrame:
    """The records that break a rule: where they are, the first table and all the rules that they break, raw values."""
    broken = [(rule, rule.keeps.fill_null(True).not_()) for rule in rules]
    raw = list(dict.fromkeys(leaf.split(".")[0] for leaf in file.leaves))
    header = kept.lines - kept.records
    line = pl.col(RECORD) + header + 1 if _one_line_each(kept) else pl.lit(None, pl.Int64)
    return flagged.filter(pl.col(_KEEPS).not_()).select(
        dataset=pl.lit(dataset.name),
        file=pl.lit(file.name),
        record=pl.col(RECORD),
        line=line,
        table=pl.coalesce(pl.when(is_broken).then(pl.lit(rule.table)) for rule, is_broken in broken),
        rule=pl.concat_str(
            [pl.when(is_broken).then(pl.lit(f"{rule.table}.{rule.text}")) for rule, is_broken in broken],
            separator="; ",
            ignore_nulls=True,
        ),
        raw=pl.struct(raw).struct.json_encode(),
    )


def _damaged(dataset: Dataset, file: RawFile, mended: Mended) -> pl.LazyFrame:
    """The records that cannot be read, as the quarantine has them: no table's, and with the reason for a rule."""
    named = {"dataset": dataset.name, "file": file.name, "table": None}
    columns = {name: pl.lit(value, pl.String) for name, value in named.items()}
    return mended.damaged.lazy().with_columns(**columns).select(list(COLUMNS))


def _one_line_each(kept: KeptFile) -> bool:
    """Whether a record's number tells its line, because no record spans lines."""
    return kept.lines - kept.records <= 1


def _add_lines(path: str, kept: KeptFile, storage: Storage) -> None:
    """Fill in the lines on which quarantined records begin."""
    with storage.open(path) as stream:
        bad = pl.read_parquet(stream)
    with storage.open_lines(kept.path) as content:
        lines = lines_of_records(content, bad["record"].to_list())
    filled = io.BytesIO()
    bad.with_columns(line=pl.Series([lines.get(record) for record in bad["record"]], dtype=pl.Int64)).write_parquet(
        filled
    )
    storage.write(path, filled.getvalue())
