"""The quarantine: raw records that broke a contract, kept by the run that staged their dataset.

    quarantine/<dataset>/<run>/<raw file>/<part>.parquet
    quarantine/<dataset>/newest.json               the last run that wrote all of its quarantine

One row per record with the columns of :data:`COLUMNS`: where it is, what it broke, and its raw values as JSON. A record
that cannot be read is of no table; its ``raw`` has its ``text``, and where that is not UTF-8, its bytes as ``base64``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.lake.layout import quarantine_folder
from nequi_lake.lake.storage import StorageBackend

_EXAMPLE_SHOWN = 60
_ROW = "__row"
NEWEST = "newest"
"""The name, without its ending, of the file that names the last run that wrote all of its quarantine."""
COLUMNS = {
    "dataset": pl.String(),
    "file": pl.String(),
    "record": pl.Int64(),
    "line": pl.Int64(),
    "table": pl.String(),
    "rule": pl.String(),
    "rules": pl.List(pl.String()),
    "raw": pl.String(),
    "offset_bytes": pl.Int64(),
    "size_bytes": pl.Int64(),
    "original": pl.String(),
}
"""``file`` is a raw file or its part; in it ``record`` counts from 0 without the header, ``line`` from 1 with it.
``rule`` is all that it breaks, in words, and ``rules`` the same one by one.
``original`` is the record as it stands there, up to 64 KiB; ``offset_bytes`` and ``size_bytes`` say where in the kept
file all of it is."""


def quarantine_path(storage: StorageBackend, dataset: str, run_id: str, file: str, part: str) -> str:
    """Where a run puts the bad records of a part of a raw file."""
    return f"{quarantine_folder(storage, dataset, run_id, file)}/{part}.parquet"


def finish_quarantine(storage: StorageBackend, dataset: str, run_id: str) -> None:
    """Show the quarantine of the run to readers, once it is complete."""
    storage.write(quarantine_folder(storage, dataset, f"{NEWEST}.json"), json.dumps({"run_id": run_id}).encode())


def newest_run(storage: StorageBackend, dataset: str) -> str | None:
    """The last run whose quarantine is complete; None where there is none."""
    pointer = quarantine_folder(storage, dataset, f"{NEWEST}.json")
    return str(json.loads(storage.read(pointer))["run_id"]) if storage.exists(pointer) else None


def quarantine_of(storage: StorageBackend, dataset: Dataset, table: Relation, run_id: str | None) -> pl.LazyFrame:
    """The records that a run quarantined of the files that feed ``table``; none of no run."""
    empty = pl.LazyFrame(schema=COLUMNS)
    if run_id is None:
        return empty
    found = (quarantined_records(storage, dataset.name, run_id, file.name) for file in dataset.files_of(table))
    return pl.concat([empty, *found])


def quarantined_records(storage: StorageBackend, dataset: str, run_id: str, file: str) -> pl.LazyFrame:
    """The records of a raw file that a run quarantined."""
    paths = sorted(storage.files(quarantine_folder(storage, dataset, run_id, file)))
    if not paths:
        return pl.LazyFrame(schema=COLUMNS)
    records = pl.scan_parquet(paths, schema=COLUMNS, missing_columns="insert", glob=False, **storage.polars_scan())
    # Files of older versions have not all columns.
    return records.with_columns(pl.coalesce("rules", pl.concat_list("rule")))


class BrokenRule(NamedTuple):
    """A rule, and the records of a raw file that break it.

    Attributes:
        file: the raw file, or the part of it where the example is.
        table: the table whose contract has the rule; None where the record cannot be read.
        rule: the rule, in words.
        records: how many break it.
        line: the line on which the first of them begins.
        example: the values of that record that the rule is about, or its text.
    """

    file: str
    table: str | None
    rule: str
    records: int
    line: int
    example: str

    def __str__(self) -> str:
        name = f"{self.table}.{self.rule}" if self.table else self.rule
        shown = f" ({self.example})" if self.example else ""
        return f"{name}: {self.records:,}, such as line {self.line} of {self.file}{shown}"


def broken_rules(dataset: Dataset, records: pl.LazyFrame, most: int | None = None) -> list[BrokenRule]:
    """The rules that quarantined records of one raw file break, those that most records break first.

    Args:
        dataset: whose records.
        records: with the columns of :data:`COLUMNS`.
        most: how many; all by default.
    """
    numbered = records.with_row_index(_ROW)
    counted = (
        numbered.select(_ROW, "rules")
        .explode("rules")
        .group_by("rules")
        .agg(pl.len().alias("records"), pl.col(_ROW).min())
        .sort(["records", "rules"], descending=[True, False])
    )
    found = (counted if most is None else counted.head(most)).collect(engine="streaming")
    first = numbered.select(_ROW, "file", "line", "raw").filter(pl.col(_ROW).is_in(found[_ROW].implode()))
    examples = first.collect(engine="streaming")
    rows = found.join(examples, on=_ROW, how="left", maintain_order="left")
    return [_broken_rule(dataset, row) for row in rows.iter_rows(named=True)]


def _broken_rule(dataset: Dataset, row: Mapping[str, object]) -> BrokenRule:
    text, file, line, raw = str(row["rules"]), str(row["file"]), row["line"], str(row["raw"])
    name, _, rule = text.partition(".")
    table = {table.name: table for table in dataset.tables}.get(name)
    assert isinstance(line, int)
    assert isinstance(row["records"], int)
    if table is None:
        return BrokenRule(file, None, text, row["records"], line, _shown(json.loads(raw).get("text")))
    columns = table.raw_columns_of(rule.partition(": ")[0].split(", "))
    return BrokenRule(file, table.name, rule, row["records"], line, _example(json.loads(raw), columns))


def _example(record: Mapping[str, object], columns: Sequence[str]) -> str:
    """The values of a record in these raw columns."""
    values = {column: _value(record, column) for column in columns}
    return _shown(next(iter(values.values())) if len(values) == 1 else values) if values else ""


def _value(record: object, column: str) -> object:
    """The value at a raw column's path, whose names may themselves have dots; a column may lie in a nested record."""
    if not isinstance(record, Mapping) or column in record:
        return record.get(column) if isinstance(record, Mapping) else None
    parent, _, rest = column.partition(".")
    return _value(record.get(parent), rest) if rest else None


def _shown(value: object) -> str:
    text = "" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _EXAMPLE_SHOWN else text[:_EXAMPLE_SHOWN] + "…"


def newest_quarantine(storage: StorageBackend, dataset: Dataset, table: Relation) -> pl.LazyFrame:
    """The records that the newest run quarantined of the files that feed ``table``; whether it published or not."""
    return quarantine_of(storage, dataset, table, newest_run(storage, dataset.name))
