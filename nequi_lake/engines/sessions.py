"""The sessions of a raw file: which of its records belong together, and at which place each of them stands.

What the contract makes of the session's column says where a session begins. A value that breaks the contract ends no
session: its record has a place in the session that both its neighbours name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nequi_lake.datasets.rules import Rule, rules_of, typed_columns, typed_name
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.formats import PLACE_IS_UNCERTAIN, POSITION_IN_SESSION, RECORD, RawFile

_LOOKED_BACK = 5
"""How many blocks may stand between two of one session that belong together."""
_VALUE = "value"
_WITHIN_ANOTHER = "it stands within another session"
_ELSEWHERE = "its session stands elsewhere in the file"

Numbers = npt.NDArray[np.int64]


@dataclass
class Block:
    """Consecutive records of one session.

    Attributes:
        value: what names the session; None where the records do not say to which they belong.
        start: the number of its first record.
        end: one more than the number of its last.
        count: records that name the session.
    """

    value: Any
    start: int
    end: int
    count: int


@dataclass(frozen=True)
class Sessions:
    """The sessions of a raw file.

    Attributes:
        blocks: one for each session, in the file's order.
        uncertain: for each of them, whether records before it may be its own, so that its places are uncertain.
        placeless: numbers of records that are blank lines.
        misplaced: what is wrong with records that name a session and are not in it → (first, one more than the last).
    """

    blocks: Sequence[Block]
    uncertain: Sequence[bool]
    placeless: Numbers
    misplaced: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def columns(self) -> list[pl.Expr]:
        """The columns ``POSITION_IN_SESSION`` and ``PLACE_IS_UNCERTAIN`` of the file's records."""
        starts = np.array([block.start for block in self.blocks] or [0], dtype=np.int64)
        uncertain = np.array(self.uncertain or [False])
        placeless_before = np.searchsorted(self.placeless, starts)

        def session_of(numbers: pl.Series) -> Numbers:
            return np.maximum(np.searchsorted(starts, numbers.to_numpy(), side="right") - 1, 0)

        def within(numbers: pl.Series) -> pl.Series:
            of = session_of(numbers)
            skipped = np.searchsorted(self.placeless, numbers.to_numpy()) - placeless_before[of]
            return pl.Series(np.maximum(numbers.to_numpy() - starts[of] - skipped, 0))

        def is_uncertain(numbers: pl.Series) -> pl.Series:
            return pl.Series(uncertain[session_of(numbers)])

        record = pl.col(RECORD)
        return [
            record.map_batches(within, return_dtype=pl.Int64, is_elementwise=True).alias(POSITION_IN_SESSION),
            record.map_batches(is_uncertain, return_dtype=pl.Boolean, is_elementwise=True).alias(PLACE_IS_UNCERTAIN),
        ]

    def rules(self, table: Table, column: str) -> Iterator[Rule]:
        """What misplaced records break: which session they are of is unknown."""
        for what, ranges in self.misplaced.items():
            yield Rule(table.name, f"{column}: {what}", _is_outside(ranges))


def session_table(dataset: Dataset, file: RawFile) -> Table:
    """The table whose contract says which values name a session of ``file``."""
    return next(table for table in dataset.tables_of(file) if file.session_by in table.columns)


def read_sessions(dataset: Dataset, file: RawFile, records: pl.LazyFrame, count: int, blank: Iterable[int]) -> Sessions:
    """Read where sessions begin: a separate pass over the raw values.

    With functions that run in order in the pass that stages, the engine reads on where the sinks are slower, and holds
    what it has read.

    Args:
        dataset: whose contracts say which values name a session.
        file: the raw file, which has sessions.
        records: its raw records, with a placeholder for each that cannot be read.
        count: how many there are.
        blank: numbers of those that are blank lines.
    """
    changes = _changes(dataset, file, records, fast=True)
    if changes[_VALUE].has_nulls():
        changes = _changes(dataset, file, records, fast=False)
    placeless = np.array(sorted(blank), dtype=np.int64)
    return sessions_of(_blocks(changes, count, placeless), placeless)


def _changes(dataset: Dataset, file: RawFile, records: pl.LazyFrame, *, fast: bool) -> pl.DataFrame:
    """The records whose value is another than that of the record before."""
    table = session_table(dataset, file)
    assert file.session_by is not None
    column = table.columns[file.session_by]
    name = typed_name(table.name, column.name)
    typed = typed_columns(table, file, fast_cast=fast)[column.name].alias(name)
    of_column = [rule.keeps for rule in rules_of(table, file, only=column.name)]
    value = pl.when(pl.all_horizontal(of_column).fill_null(True)).then(pl.col(name))
    values = records.with_columns(typed).select(RECORD, value.alias(_VALUE))
    is_first = pl.col(RECORD) == 0
    changed = pl.col(_VALUE).ne_missing(pl.col(_VALUE).shift(1))
    return values.filter(is_first | changed).collect(engine="streaming")


def _blocks(changes: pl.DataFrame, count: int, placeless: Numbers) -> Iterator[Block]:
    """The records as blocks of one value each."""
    starts = [*changes[RECORD], count]
    for (start, end), value in zip(pairwise(starts), changes[_VALUE], strict=True):
        without = int(np.searchsorted(placeless, end) - np.searchsorted(placeless, start))
        if end - start > without:
            yield Block(value, start, end, end - start - without)


def sessions_of(found: Iterable[Block], placeless: Numbers) -> Sessions:
    """Put blocks together to sessions.

    Records of another session, or of none, between records of one session are a gap in it where they are fewer than
    those on either side. Of a session that stands in several places the largest block is the session. What is left
    over belongs to no session.
    """
    merged, misplaced = _merge(found)
    largest: dict[Any, int] = defaultdict(int)
    for block in merged:
        largest[block.value] = max(largest[block.value], block.count)
    rivals: dict[Any, int] = defaultdict(int)
    for block in merged:
        rivals[block.value] += block.count == largest[block.value]
    blocks, uncertain, is_after_doubt = [], [], False
    for block in merged:
        if block.value is not None and block.count == largest[block.value] and rivals[block.value] == 1:
            blocks.append(block)
            uncertain.append(is_after_doubt)
            is_after_doubt = False
        else:
            is_after_doubt = True
            if block.value is not None:
                misplaced[_ELSEWHERE].append((block.start, block.end))
    return Sessions(blocks, uncertain, placeless, misplaced)


def _merge(found: Iterable[Block]) -> tuple[list[Block], dict[str, list[tuple[int, int]]]]:
    """Join blocks of one session over what stands between them, which is misplaced there."""
    merged: list[Block] = []
    misplaced: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for block in found:
        # A block that has grown may reach over what it was too small for.
        while (at := _joined_with(block, merged)) is not None:
            before, *between = merged[at:]
            others = [(other.start, other.end) for other in between if other.value is not None]
            if others:
                misplaced[_WITHIN_ANOTHER] += others
            del merged[at:]
            block = Block(block.value, before.start, block.end, before.count + block.count)
        merged.append(block)
    return merged, misplaced


def _joined_with(block: Block, before: Sequence[Block]) -> int | None:
    """The place of the block of one session with ``block``, where less stands between them than they have."""
    if block.value is None:
        return None
    named = 0
    for at in range(len(before) - 1, max(-1, len(before) - 2 - _LOOKED_BACK), -1):
        if before[at].value == block.value:
            return at if not named or named < min(before[at].count, block.count) else None
        named += before[at].count if before[at].value is not None else 0
    return None


def _is_outside(ranges: Sequence[tuple[int, int]]) -> pl.Expr:
    """True where a record's number is in none of the ranges."""
    starts, ends = (np.array(bounds, dtype=np.int64) for bounds in zip(*sorted(ranges), strict=True))

    def outside(numbers: pl.Series) -> pl.Series:
        at = np.searchsorted(starts, numbers.to_numpy(), side="right") - 1
        return pl.Series((at < 0) | (numbers.to_numpy() >= ends[np.maximum(at, 0)]))

    return pl.col(RECORD).map_batches(outside, return_dtype=pl.Boolean, is_elementwise=True)
