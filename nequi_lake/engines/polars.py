"""Stages a dataset on this machine with Polars: one streaming scan of each raw file feeds every table at once."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import polars as pl

from nequi_lake.datasets.rules import Rule
from nequi_lake.datasets.spec import RECORD, Dataset, RawFile, Table
from nequi_lake.engines.duplicates import Duplicates
from nequi_lake.engines.files import prefix, sink
from nequi_lake.engines.records import (
    KEEPS,
    Copies,
    accepted,
    damaged_records,
    engine_errors,
    flagged,
    mended_copies,
    rules_of_file,
)
from nequi_lake.lake.lines import lines_of_records
from nequi_lake.lake.quarantine import COLUMNS, finish_quarantine, quarantine_path
from nequi_lake.lake.raw import KeptFile, Part
from nequi_lake.lake.release import Accounting, DataFile, FileAccount, Release, StagedTable
from nequi_lake.lake.storage import Storage
from nequi_lake.progress import bar, watched


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
    dataset: Dataset,
    files: Mapping[str, KeptFile],
    select: Collection[str],
    release: Release,
    storage: Storage,
    duplicates: Duplicates | None = None,
) -> dict[str, StagedTable]:
    """Write the selected tables under a prefix of the release's run, and the bad records into the quarantine.

    Args:
        dataset: what to make.
        files: raw file name → the kept file.
        select: names of the tables to write; a record that is bad for any table is put aside for all.
        release: what the staged tables will be.
        storage: where the lake is.
        duplicates: records to leave out of a table, or to put aside, because they repeat or contradict others.

    Returns:
        Table name → what was staged, in the dataset's order.

    Raises:
        StageError: the engine could not read or write a file.
    """
    duplicates = duplicates or Duplicates()
    records = sum(files[file.name].records for file in dataset.readable_files)
    with (
        engine_errors(dataset, files, storage),
        mended_copies(dataset, files, select, storage) as copies,
        bar(f"staging {dataset.name}", records, "rows") as progress,
    ):
        plan = plan_pass(dataset, files, select, release, storage, copies, progress.update, duplicates)
        results = pl.collect_all(plan.frames(), engine="streaming")
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
        if account.quarantined:
            _add_places(quarantine_path(storage, dataset.name, release.run_id, name), files[name], storage)
    finish_quarantine(storage, dataset.name, release.run_id)
    staged = {}
    for table in _selected(dataset, select):
        read, folded, expected = answers["table", table.name]
        repeated = sum(len(duplicates.repeated_in(table, file)) for file in dataset.files_of(table))
        staged[table.name] = StagedTable(
            dataset=dataset.name,
            table=table.name,
            release=release,
            accounting=Accounting(
                files={file.name: accounts[file.name] for file in dataset.files_of(table)},
                accepted=read + repeated,
                merged=read - folded + repeated,
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
    copies: Mapping[str, Copies] = MappingProxyType({}),
    progress: Callable[[int], object] = lambda _: None,
    duplicates: Duplicates | None = None,
) -> Pass:
    """The pass that :func:`stage` runs; arguments as there.

    Args:
        copies: raw file name → what is read in the place of its damaged parts.
        progress: is told of each part of the records gone by.
    """
    plan = Pass()
    duplicates = duplicates or Duplicates()
    selected = _selected(dataset, select)
    frames: dict[str, pl.LazyFrame] = {}
    for file in dataset.readable_files:
        if not any(table in selected for table in dataset.tables_of(file)):
            continue
        rules = [*rules_of_file(dataset, file), *duplicates.rules(dataset, file)]
        frame = flagged(dataset, file, files[file.name], rules, storage, copies.get(file.name, {}))
        frames[file.name] = frame
        plan.counts["file", file.name] = watched(frame.select(KEEPS), progress).select(
            pl.len(), pl.col(KEEPS).not_().sum()
        )
        path = quarantine_path(storage, dataset.name, release.run_id, file.name)
        bad = _quarantined(dataset, file, rules, frame)
        if file.name in copies:
            bad = pl.concat([bad, _damaged(dataset, file, damaged_records(files[file.name], copies[file.name]))])
        plan.sinks.append(bad.sink_parquet(path, lazy=True, **storage.polars_sink()))
    for table in selected:
        records = pl.concat(
            accepted(table, frames[file.name], duplicates.repeated_in(table, file)) for file in dataset.files_of(table)
        )
        plan.counts["table", table.name] = _expected(table, records)
        rows = table.transform(records).select(list(table.columns))
        written = plan.written.setdefault(table.name, [])
        plan.sinks.append(sink(table, rows, prefix(dataset, table, release, storage), written, storage))
    return plan


def _selected(dataset: Dataset, select: Collection[str]) -> list[Table]:
    return [table for table in dataset.tables if table.name in select]


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


def _quarantined(dataset: Dataset, file: RawFile, rules: list[Rule], flagged: pl.LazyFrame) -> pl.LazyFrame:
    """The records that break a rule: where they are, the first table and all the rules that they break, raw values."""
    broken = [(rule, rule.keeps.fill_null(True).not_()) for rule in rules]
    raw = list(dict.fromkeys(leaf.split(".")[0] for leaf in file.leaves))
    return flagged.filter(pl.col(KEEPS).not_()).select(
        dataset=pl.lit(dataset.name),
        file=pl.lit(file.name),
        record=pl.col(RECORD),
        line=pl.lit(None, pl.Int64),
        table=pl.coalesce(pl.when(is_broken).then(pl.lit(rule.table)) for rule, is_broken in broken),
        rule=pl.concat_str(
            [pl.when(is_broken).then(pl.lit(f"{rule.table}.{rule.text}")) for rule, is_broken in broken],
            separator="; ",
            ignore_nulls=True,
        ),
        raw=pl.struct(raw).struct.json_encode(),
    )


def _damaged(dataset: Dataset, file: RawFile, damaged: pl.DataFrame) -> pl.LazyFrame:
    """The records that cannot be read, as the quarantine has them: no table's, and with the reason for a rule."""
    named = {"dataset": dataset.name, "file": file.name, "table": None}
    columns = {name: pl.lit(value, pl.String) for name, value in named.items()}
    return damaged.lazy().with_columns(**columns).select(list(COLUMNS))


def _add_places(path: str, kept: KeptFile, storage: Storage) -> None:
    """Say of quarantined records in which part of the file they are, under which number there, and on which line."""
    with storage.open(path) as stream:
        bad = pl.read_parquet(stream).sort("record")
    placed = [
        _placed(
            bad.filter(pl.col("record").is_between(start, start + part.records, closed="left")).with_columns(
                pl.col("record") - start, file=pl.lit(part.name)
            ),
            kept.path_of(part),
            part,
            storage,
        )
        for part, start in zip(kept.parts, kept.offsets.values(), strict=True)
    ]
    filled = io.BytesIO()
    pl.concat(placed).write_parquet(filled)
    storage.write(path, filled.getvalue())


def _placed(bad: pl.DataFrame, path: str, part: Part, storage: Storage) -> pl.DataFrame:
    """Records of one part, with the lines on which they begin."""
    header = part.lines - part.records
    if header <= 1:
        # No record spans lines.
        return bad.with_columns(line=pl.col("record") + header + 1)
    if bad["line"].null_count():
        with storage.open_lines(path) as content:
            lines = lines_of_records(content, bad["record"].to_list())
        return bad.with_columns(line=pl.Series([lines.get(record) for record in bad["record"]], dtype=pl.Int64))
    return bad
