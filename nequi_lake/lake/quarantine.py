"""The quarantine: raw records that broke a contract, kept by the run that staged their dataset.

    quarantine/<dataset>/<run>/<raw file>/<part>.parquet
    quarantine/<dataset>/newest.json               the last run that wrote all of its quarantine

One row per record with the columns of :data:`COLUMNS`: where it is, what it broke, and its raw values as JSON. A record
that cannot be read is of no table; its ``raw`` has its ``text``, and where that is not UTF-8, its bytes as ``base64``.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import polars as pl

from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.lake.layout import quarantine_folder
from nequi_lake.lake.storage import StorageBackend

_EXAMPLE_SHOWN = 60
_EXCERPT = "(?s), beginning .*$"
"""What the reason of a damaged record says of its text, which is another for each."""
NEWEST = "newest"
"""The name, without its ending, of the file that names the last run that wrote all of its quarantine."""
COLUMNS = {
    "dataset": pl.String(),
    "file": pl.String(),
    "record": pl.Int64(),
    "line": pl.Int64(),
    "table": pl.String(),
    "rule": pl.String(),
    "raw": pl.String(),
    "offset_bytes": pl.Int64(),
    "size_bytes": pl.Int64(),
    "original": pl.String(),
}
"""``file`` is a raw file or its part; in it ``record`` counts from 0 without the header, ``line`` from 1 with it.
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
    scans = (pl.scan_parquet(path, glob=False, **storage.polars_scan()) for path in paths)
    return pl.concat([pl.LazyFrame(schema=COLUMNS), *scans])


class BrokenRule(NamedTuple):
    """A rule, and the records of a raw file that break it.

    Attributes:
        file: the raw file, or its part.
        rule: the rule, in words.
        records: how many break it.
        line: the first line on which one begins.
        example: the value of that record, or its text.
    """

    file: str
    rule: str
    records: int
    line: int
    example: str

    def __str__(self) -> str:
        shown = f" ({self.example})" if self.example else ""
        return f"{self.rule}: {self.records:,}, such as line {self.line} of {self.file}{shown}"


def broken_rules(records: pl.LazyFrame, most: int | None = None) -> list[BrokenRule]:
    """The rules that quarantined records break, file by file, those that most records break first.

    Args:
        records: with the columns of :data:`COLUMNS`.
        most: how many; all by default.
    """
    counted = (
        records.with_columns(pl.col("rule").str.replace(_EXCERPT, "").str.split("; "))
        .explode("rule")
        .group_by("file", "rule")
        .agg(pl.len().alias("records"), pl.col("line", "raw").sort_by("line").first())
        .sort(["records", "file", "rule"], descending=[True, False, False])
    )
    found = (counted if most is None else counted.head(most)).collect(engine="streaming")
    return [
        BrokenRule(row["file"], row["rule"], row["records"], row["line"], _example(row["rule"], row["raw"]))
        for row in found.iter_rows(named=True)
    ]


def _example(rule: str, raw: str) -> str:
    """The value that a rule is about where its column is named as in the file, or the text of a damaged record."""
    values = json.loads(raw)
    column = rule.partition(": ")[0].rpartition(".")[2]
    value = values.get(column, values.get("text") if set(values) <= {"text", "base64", "size_bytes"} else None)
    text = "" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _EXAMPLE_SHOWN else text[:_EXAMPLE_SHOWN] + "…"


def newest_quarantine(storage: StorageBackend, dataset: Dataset, table: Relation) -> pl.LazyFrame:
    """The records that the newest run quarantined of the files that feed ``table``; whether it published or not."""
    return quarantine_of(storage, dataset, table, newest_run(storage, dataset.name))
