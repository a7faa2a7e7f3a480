"""Statistics of every column of a published table, streamed over its Parquet files.

Exact up to a stated number of rows. Beyond it, distinct counts, quartiles and most frequent values are approximate,
because exact ones would hold all values in memory; they are labelled so. What needs the values side by side
(histograms, skew, correlations) comes from evenly spread rows, of which there are no more in a larger table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pandas as pd
import polars as pl

from nequi_lake.datasets.contract import Column
from nequi_lake.formats.types import sql_type, value_text
from nequi_lake.lake.read.table import LakeTable
from nequi_lake.profiling.numbers import cut
from nequi_lake.profiling.spread import Histogram, Spread, side_by_side, spread_step
from nequi_lake.progress import bar
from nequi_lake.redaction import HIDDEN

EXACT_ROWS = 2_000_000
"""Rows up to which every statistic is exact."""
SAMPLED_ROWS = 2_000_000
"""Rows, evenly spread, from which quartiles and most frequent values of a larger table are taken."""
SPREAD_ROWS = 100_000
"""Rows, evenly spread, of which histograms and skew are made; fewer where the table has many columns."""
TOP = 10
"""Most frequent values that a profile has of each column."""
LISTED = 50
"""Distinct values up to which a profile has all of them, so that the next one can tell which came and went."""
SHOWN_ROWS = 10
"""Rows, evenly spread, that a profile shows."""
_CELLS_AT_ONCE = 10_000_000
_TEXT_SHOWN = 200
_PLACE = "|place"
_QUARTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}


@dataclass(frozen=True, kw_only=True)
class ColumnProfile:
    """The profile of one column.

    Attributes:
        column, type, unit: as the contract has them.
        count: values that are there.
        missing: rows without a value.
        missing_share, null_limit: 0 to 1.
        distinct: distinct values; texts are distinguished by a hash of 64 bits.
        exact: whether distinct, quartiles and top are exact.
        min, max: as text, cut to 200 characters.
        mean, std: of a numeric column; std of a sample.
        q25, median, q75: of a numeric column, by linear interpolation.
        top: the most frequent values, each with its count; none of a column that is the key by itself.
        counted: values among which top was counted: all, or those of the rows that were looked at.
        skew: of a numeric column; of a sample, of the spread rows.
        zeros, negatives: how many, of a numeric column.
        blank: texts of nothing but white space.
        shortest, mean_length, longest: of texts, in characters.
        values: all distinct values where they are no more than 50.
        histogram: of a numeric column or a date.
        correlations: Pearson's, of numeric columns that are no ids, by the other column.
        sample: the column's values in ten evenly spread rows.
    """

    column: str
    type: str
    unit: str
    count: int
    missing: int
    missing_share: float
    null_limit: float
    distinct: int
    exact: bool
    min: str | None
    max: str | None
    mean: float | None
    std: float | None
    q25: float | None
    median: float | None
    q75: float | None
    top: list[tuple[str, int]]
    counted: int
    skew: float | None
    zeros: int | None
    negatives: int | None
    blank: int | None
    shortest: int | None
    mean_length: float | None
    longest: int | None
    values: list[str] | None
    histogram: Histogram | None
    correlations: dict[str, float]
    sample: list[str | None]


_WHOLE = ("zeros", "negatives", "blank", "shortest", "longest")
STATISTICS = ("mean", "std", "q25", "median", "q75", "skew", *_WHOLE, "mean_length")
"""Figures that not every type of column has."""
_NESTED = ("top", "values", "histogram", "correlations", "sample")


def profile(table: LakeTable, *, exact_rows: int = EXACT_ROWS, spread_rows: int = SPREAD_ROWS) -> list[ColumnProfile]:
    """Profile every column of a table, in the contract's order.

    Args:
        table: the published table.
        exact_rows: rows up to which every statistic of the whole table is exact.
        spread_rows: rows up to which histograms and skew are exact.
    """
    rows = table.published.rows
    declared = table.table.published
    nested = [name for name, column in declared.items() if column.dtype.is_nested()]
    columns = [replace(column, dtype=pl.String()) if name in nested else column for name, column in declared.items()]
    step = 1 if rows <= exact_rows else -(-rows // SAMPLED_ROWS)
    every = spread_step(columns, rows, spread_rows)
    found: list[dict[str, Any]] = []
    beside: list[pl.DataFrame] = []
    with bar(f"profiling {table.published.name}", len(columns), "columns") as progress:
        scan = table.scan_files().with_columns(_as_json(name) for name in nested)
        for some in _batches(columns, -(-rows // step)):
            part = _Part(
                scan=scan,
                held=_every(scan, step).select(_held(c) for c in some).collect(engine="streaming").rechunk(),
                columns=some,
                rows=rows,
                step=step,
                exact=rows <= exact_rows,
            )
            found += _profiles(part, table.table.key)
            beside.append(_every(part.whole, every).select(side_by_side(some)).collect(engine="streaming"))
            del part  # Or the next would be held beside it.
            progress.update(len(some))
    spread = Spread(pl.concat(beside, how="horizontal"), columns, rows)
    profiles = [
        ColumnProfile(**row, type=sql_type(declared[row["column"]].dtype), **spread.of(row["column"])) for row in found
    ]
    return [_without_values(each) if declared[each.column].sensitive else each for each in profiles]


def _without_values(profile: ColumnProfile) -> ColumnProfile:
    """The profile of a sensitive column: how many values there are, and none of what stands in their place."""
    shown = HIDDEN if profile.count else None
    sample = [None if value is None else HIDDEN for value in profile.sample]
    return replace(profile, min=shown, max=shown, top=[], values=None, sample=sample)


def read_profile(report: bytes) -> list[ColumnProfile]:
    """The profile that the JSON of a report holds.

    Raises:
        ValueError, KeyError: it is no such JSON.
    """
    return msgspec.convert(msgspec.json.decode(report)["profile"], list[ColumnProfile])


def profile_frame(profile: Sequence[ColumnProfile]) -> pd.DataFrame:
    """A profile as a frame, one row per column: each plain value as a column, and all of it as ``profile``."""
    plain = pd.DataFrame(profile).drop(columns=[*_NESTED]).astype(dict.fromkeys(STATISTICS, "float64"))
    return plain.assign(profile=pd.Series(profile, dtype=object))


def _as_json(name: str) -> pl.Expr:
    """A column of lists or structures as JSON, which can be compared and counted like any text."""
    beginning = len(f'{{"{name}":')
    whole = pl.struct(name).struct.json_encode()
    text = whole.str.slice(beginning, whole.str.len_chars() - beginning - 1)
    return pl.when(pl.col(name).is_not_null()).then(text).alias(name)


def _batches(columns: Sequence[Column], rows: int) -> Iterator[list[Column]]:
    batch: list[Column] = []
    cells = 0
    for column in columns:
        # A decimal number takes the place of two others.
        taken = rows * (2 if isinstance(column.dtype, pl.Decimal) else 1)
        if batch and cells + taken > _CELLS_AT_ONCE:
            yield batch
            batch, cells = [], 0
        batch.append(column)
        cells += taken
    if batch:
        yield batch


def _every(source: pl.LazyFrame, step: int) -> pl.LazyFrame:
    return source if step == 1 else source.gather_every(step)


def _held(column: Column) -> pl.Expr:
    """What is held in memory of a counted row: of a text its hash, as texts of a kilobyte each take too much of it."""
    value = pl.col(column.name)
    return pl.when(value.is_not_null()).then(value.hash()).alias(column.name) if column.dtype == pl.String else value


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Some columns of a table.

    Attributes:
        scan: the table's files.
        held: the rows of which values are counted, in memory, as :func:`_held` has them.
        columns: which columns.
        rows: rows of the table.
        step: every how many rows of the table one is held.
        exact: whether nothing is to be approximate: all rows are held.
    """

    scan: pl.LazyFrame
    held: pl.DataFrame
    columns: Sequence[Column]
    rows: int
    step: int
    exact: bool

    @property
    def whole(self) -> pl.LazyFrame:
        """All rows, of columns that are no texts: what is held where that is all."""
        return self.held.lazy() if self.step == 1 else self.scan


def _profiles(part: _Part, key: Sequence[str]) -> Iterator[dict[str, Any]]:
    counts = _counts(part.held)
    # The audit has found the values of a key to differ: none is frequent.
    frequent = _most_frequent({name: count for name, count in counts.items() if [name] != [*key]})
    known, texts, shown = _looked_at(part, frequent)
    for column in part.columns:
        name = column.name
        numbers = {key.removeprefix(f"{name}|"): known[key] for key in known if key.startswith(f"{name}|")}
        count, missing = numbers["count"], part.rows - numbers["count"]
        distinct = counts[name].height if part.exact else min(numbers["distinct"], count)
        top = [
            (texts[name][value] if name in texts else _text(value), times) for value, times in frequent.get(name, ())
        ]
        yield {
            "column": name,
            "unit": column.unit,
            "count": count,
            "missing": missing,
            "missing_share": missing / part.rows if part.rows else 0.0,
            "null_limit": column.null_limit,
            "distinct": distinct,
            "exact": part.exact,
            "min": _text(numbers["min"]),
            "max": _text(numbers["max"]),
            **_quartiles(column, counts[name]),
            **{statistic: _number(numbers.get(statistic)) for statistic in ("mean", "std", "mean_length")},
            **{statistic: numbers.get(statistic) for statistic in _WHOLE},
            "top": top[:TOP],
            "counted": int(counts[name]["n"].sum()),
            "values": sorted(value_text(value) for value, _ in top) if distinct == len(top) else None,
            "sample": [_text(value) for value in shown[name]],
        }


def _looked_at(
    part: _Part, frequent: Mapping[str, Sequence[tuple[Any, int]]]
) -> tuple[dict[str, Any], dict[str, dict[int, str | None]], dict[str, pl.Series]]:
    """What takes a look at the rows themselves, which of texts are in the files alone.

    Returns:
        What each row adds to, by column and statistic; text column → hash → the text that has it; and column → its
        values in the rows that are shown.
    """
    texts = [column.name for column in part.columns if column.dtype == pl.String]
    others = [column.name for column in part.columns if column.dtype != pl.String]
    places = {name: _places(part, name, [text_hash for text_hash, _ in frequent.get(name, ())]) for name in texts}
    shown = range(0, part.rows, max(1, part.rows // SHOWN_ROWS))[:SHOWN_ROWS]
    wanted = sorted({*shown, *(place for of_column in places.values() for place in of_column.values())})
    *known, found, shown_others = pl.collect_all(
        [
            part.scan.with_columns(pl.col(name).str.len_chars().alias(f"{name}|length") for name in texts).select(
                e for c in part.columns if c.name in texts for e in _exact_statistics(c, exact=part.exact)
            ),
            part.whole.select(
                e for c in part.columns if c.name in others for e in _exact_statistics(c, exact=part.exact)
            ),
            _rows_at(part.scan.select(texts), wanted).select(pl.all().str.head(_TEXT_SHOWN + 1)),
            _rows_at(part.whole.select(others), shown),
        ],
        engine="streaming",
    )
    at = {place: number for number, place in enumerate(wanted)}
    return (
        {name: value for one in known for row in one.rows(named=True) for name, value in row.items()},
        {
            name: {text_hash: _text(found[name][at[place]]) for text_hash, place in of_column.items()}
            for name, of_column in places.items()
        },
        {
            **{name: found[name].gather([at[place] for place in shown]) for name in texts},
            **shown_others.to_dict(),
        },
    )


def _rows_at(source: pl.LazyFrame, places: Sequence[int]) -> pl.LazyFrame:
    """The rows at these places, counted from 0."""
    wanted = pl.Series(places, dtype=pl.UInt32).implode()
    return source.with_row_index(_PLACE).filter(pl.col(_PLACE).is_in(wanted)).drop(_PLACE)


def _places(part: _Part, name: str, hashes: Sequence[int]) -> dict[int, int]:
    """Hash of a text → a row of the table that has it."""
    found = part.held.select(pl.col(name).index_of(text_hash).alias(str(text_hash)) for text_hash in hashes)
    return {int(text_hash): place * part.step for row in found.rows(named=True) for text_hash, place in row.items()}


def _exact_statistics(column: Column, *, exact: bool) -> Iterator[pl.Expr]:
    value = pl.col(column.name)
    yield value.count().alias(f"{column.name}|count")
    yield value.min().alias(f"{column.name}|min")
    yield value.max().alias(f"{column.name}|max")
    if not exact:
        distinct = value.hash() if column.dtype == pl.String else value
        yield distinct.approx_n_unique().alias(f"{column.name}|distinct")
    if column.dtype.is_numeric():
        yield value.mean().alias(f"{column.name}|mean")
        yield value.std().alias(f"{column.name}|std")
        yield (value == 0).sum().alias(f"{column.name}|zeros")
        yield (value < 0).sum().alias(f"{column.name}|negatives")
    elif column.dtype == pl.String:
        length = pl.col(f"{column.name}|length")
        # To strip each text takes longer than all else: none that begins with "!" or what follows it in ASCII is blank.
        doubtful = value.filter((value < "!") | (value > "\x7f"))
        yield (doubtful.str.strip_chars() == "").sum().alias(f"{column.name}|blank")
        yield length.min().alias(f"{column.name}|shortest")
        yield length.mean().alias(f"{column.name}|mean_length")
        yield length.max().alias(f"{column.name}|longest")


def _counts(held: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Column → its values in order, how often each is there (``n``), and how many are no greater (``until``)."""
    found = pl.collect_all(
        held.lazy()
        .select(pl.col(name).alias("value"))
        .drop_nulls()
        .sort("value")
        .select(pl.col("value").rle())
        .unnest("value")
        .select("value", pl.col("len").alias("n"), pl.col("len").cum_sum().alias("until"))
        for name in held.columns
    )
    return dict(zip(held.columns, found, strict=True))


def _most_frequent(counts: Mapping[str, pl.DataFrame]) -> dict[str, list[tuple[Any, int]]]:
    """The lowest first of those that are equally frequent, so that the same table gives the same profile."""
    found = pl.collect_all(
        count.lazy()
        .select("value", "n")
        .top_k(LISTED, by=["n", "value"], reverse=[False, True])
        .sort("n", "value", descending=[True, False])
        for count in counts.values()
    )
    return {
        # The sum makes one zero of the two that floats have.
        name: [(value + 0 if isinstance(value, float) else value, times) for value, times in top.rows()]
        for name, top in zip(counts, found, strict=True)
    }


def _quartiles(column: Column, counts: pl.DataFrame) -> dict[str, float | None]:
    if not column.dtype.is_numeric() or counts.is_empty():
        return dict.fromkeys(_QUARTILES)
    values, until = counts["value"], counts["until"].to_numpy()
    found: dict[str, float | None] = {}
    for quartile, share in _QUARTILES.items():
        place = share * (int(until[-1]) - 1)
        low, high = (float(values[int(until.searchsorted(int(at), side="right"))]) for at in (place, math.ceil(place)))
        found[quartile] = _number(low + (high - low) * (place - int(place)))
    return found


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = repr(value) if isinstance(value, float) else value_text(value)
    return cut(text, _TEXT_SHOWN)


def _number(value: Any) -> float | None:
    """The number as a float; None for one that is missing or too large for it, such as the spread of huge values."""
    return float(value) if value is not None and math.isfinite(value) else None
