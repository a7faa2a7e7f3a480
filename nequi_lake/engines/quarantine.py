"""Writes the bad records of a raw file into the quarantine, in the file's order, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from itertools import groupby
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from nequi_lake.datasets.rules import Rule
from nequi_lake.datasets.sensitive import lies_in
from nequi_lake.datasets.spec import Dataset
from nequi_lake.engines.files import Spool
from nequi_lake.engines.records import Copies, damaged_records
from nequi_lake.formats import FOUND, QUOTED, RECORD, RawFile
from nequi_lake.lake.quarantine import COLUMNS
from nequi_lake.lake.raw_file import RawFileVersion, RawPart
from nequi_lake.lake.storage import StorageBackend
from nequi_lake.redaction import HIDDEN

_EXCERPT = "(?s), beginning .*$"
"""What the reason of a damaged record says of its text, which is another for each."""
_HIDDEN_TEXT = json.dumps({"text": HIDDEN})
_NOT_FOUND_YET = {name: pl.lit(None, dtype) for name, dtype in FOUND.items() if name != "line"}


class QuarantineWriter:
    """Writes the records of one raw file that cannot be read or break a rule.

    Args:
        dataset: whose file it is.
        file: the file.
        kept: the same in the raw zone.
        copies: what was read in the place of its damaged parts, and what was damaged in them.
        folder: an empty folder of this machine, for what waits.
    """

    def __init__(self, dataset: Dataset, file: RawFile, kept: RawFileVersion, copies: Copies, folder: Path) -> None:
        self._dataset, self._file, self._kept, self._folder = dataset, file, kept, folder
        self._hidden = dataset.hidden_fields(file)
        self._damaged = _damaged(dataset, file, kept, copies)
        if self._hidden:
            rule = pl.col("rule").str.replace(QUOTED, "")
            self._damaged = self._damaged.with_columns(rule=rule, rules=pl.concat_list(rule), raw=pl.lit(_HIDDEN_TEXT))
        self._spool = Spool(folder / "spool", pl.Schema(COLUMNS))
        self.broken = 0
        """Records that break a rule."""

    def add(self, bad: pl.DataFrame, rules: list[Rule]) -> None:
        """Add records that break one of the rules, in the file's order."""
        rows = _described(self._dataset, self._file, rules, bad, self._hidden)
        self.broken += rows.height
        is_before = pl.col("record") < rows["record"][-1]
        self._spool.add(pl.concat([self._damaged.filter(is_before), rows]).sort("record"))
        self._damaged = self._damaged.filter(~is_before)

    def write(self, path: str, storage: StorageBackend) -> None:
        """Write all of them into a file of the lake, whole or not at all; no file where there are none.

        Each has its part of the raw file, its number in it, and the line on which it begins.
        """
        if not self.broken and self._damaged.is_empty():
            return
        self._spool.add(self._damaged)
        written = self._folder / "written.parquet"
        schema = pl.DataFrame(schema=COLUMNS).to_arrow().schema
        with pq.ParquetWriter(written, schema, compression="zstd") as writer:
            for part, batches in groupby(self._in_parts(), key=lambda found: found[0]):
                with storage.open_lines(self._kept.path_of(part)) as content:
                    find = self._file.find_records(content, part.structure)
                    for _, rows in batches:
                        found = rows.with_columns(find(rows["record"])).select(list(COLUMNS))
                        if self._hidden:
                            found = found.with_columns(original=pl.lit(None, pl.String))
                        writer.write_table(found.to_arrow())
        storage.upload(written, path)

    def _in_parts(self) -> Iterator[tuple[RawPart, pl.DataFrame]]:
        """What waits, cut by the parts of the raw file, with the numbers that the records have there."""
        for rows in self._spool.batches():
            for part, start in zip(self._kept.parts, self._kept.offsets.values(), strict=True):
                of_part = rows.filter(pl.col("record").is_between(start, start + part.structure.records, closed="left"))
                if not of_part.is_empty():
                    yield part, of_part.with_columns(pl.col("record") - start, file=pl.lit(part.name))


def _described(
    dataset: Dataset, file: RawFile, rules: list[Rule], bad: pl.DataFrame, hidden: Collection[str]
) -> pl.DataFrame:
    """Records that break a rule: where they are, the first table and all the rules that they break, raw values.

    Of the raw columns ``hidden``, or in which these lie, it only says whether there is a value.
    """
    broken = [(rule, rule.keeps.fill_null(True).not_()) for rule in rules]
    described = bad.select(
        dataset=pl.lit(dataset.name),
        file=pl.lit(file.name),
        record=pl.col(RECORD),
        line=pl.lit(None, pl.Int64),
        table=pl.coalesce(pl.when(is_broken).then(pl.lit(rule.table)) for rule, is_broken in broken),
        rules=pl.concat_list(
            pl.when(is_broken).then(pl.lit(f"{rule.table}.{rule.text}")) for rule, is_broken in broken
        ).list.drop_nulls(),
        raw=pl.struct(_shown(name, hidden) for name in file.raw_schema).struct.json_encode(),
        **_NOT_FOUND_YET,
    )
    return described.with_columns(rule=pl.col("rules").list.join("; ")).select(list(COLUMNS))


def _shown(name: str, hidden: Collection[str]) -> pl.Expr:
    value = pl.col(name)
    if any(lies_in(raw, name) for raw in hidden):
        return pl.when(value.is_not_null()).then(pl.lit(HIDDEN)).alias(name)
    return value


def _damaged(dataset: Dataset, file: RawFile, kept: RawFileVersion, copies: Copies) -> pl.DataFrame:
    """The records that cannot be read, as the quarantine has them: no table's, and with the reason for a rule."""
    if not copies:
        return pl.DataFrame(schema=COLUMNS)
    named = {"dataset": dataset.name, "file": file.name, "table": None}
    columns = {name: pl.lit(value, pl.String) for name, value in named.items()}
    columns["rules"] = pl.concat_list(pl.col("rule").str.replace(_EXCERPT, ""))
    return damaged_records(kept, copies).with_columns(**columns, **_NOT_FOUND_YET).select(list(COLUMNS)).sort("record")
