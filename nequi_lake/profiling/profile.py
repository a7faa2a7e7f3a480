"""Statistics of every column of a published table, streamed over its Parquet files.

Exact up to a stated number of rows. Beyond it, distinct counts, quartiles and most frequent values are approximate,
because exact ones would hold all values in memory; they are labelled so. What needs the values side by side
(histograms, skew, correlations) comes of evenly spread rows, of which there are no more in a larger table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from nequi_lake.datasets.contract import Column, sql_type
from nequi_lake.lake.reader import LakeTable
from nequi_lake.profiling.numbers import cut
from nequi_lake.progress import bar

EXACT_ROWS = 2_000_000
"""Rows up to which every statistic is exact."""
SAMPLED_ROWS = 2_000_000
"""Rows, evenly spread, from which quartiles and most frequent values of a larger table are taken."""
SPREAD_ROWS = 100_000
"""Rows, evenly spread, of which histograms and skew are made; fewer where the table has many columns."""
CORRELATED_ROWS = 10_000
"""Rows, evenly spread, of which correlations are made."""
CORRELATED_COLUMNS = 40
"""Columns whose correlations are kept: where more are numeric, those that have the strongest."""
TOP = 10
"""Most frequent values that a profile has of each column."""
LISTED = 50
"""Distinct values up to which a profile has all of them, so that the next one can tell which came and went."""
SHOWN_ROWS = 10
"""Rows, evenly spread, that a profile shows."""
BINS = 24
"""Bins of a histogram, at most."""
_SPREAD_CELLS = 8_000_000
_CELLS_AT_ONCE = 20_000_000
_FEW_VALUES = 100_000
_TEXT_SHOWN = 200
_QUARTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}
CORRELATED_AT_LEAST = 30
"""Rows that must have both values of a pair, or their correlation says nothing."""
_FENCE = 3.0
"""Interquartile ranges beyond the quartiles to which a histogram reaches; what lies outside is counted at its ends."""


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How values are spread.

    Attributes:
        edges: limits of the bins, one more than bins, in the column's unit; of dates, seconds since 1970.
        counts: values of each bin.
        below, above: values before the first and after the last edge.
        rows: rows that were looked at.
        exact: whether these were all rows of the table.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    below: int
    above: int
    rows: int
    exact: bool


@dataclass(frozen=True, kw_only=True)
class ColumnProfile:
    """The profile of one column: a row of the frame that :func:`profile` gives, which says what each value is."""

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


_AS_JSON = ("top", "values", "histogram", "correlations", "sample")


def profile(table: LakeTable, *, exact_rows: int = EXACT_ROWS, spread_rows: int = SPREAD_ROWS) -> pd.DataFrame:
    """Profile every column of a table.

    Args:
        table: the published table.
        exact_rows: rows up to which every statistic of the whole table is exact.
        spread_rows: rows up to which histograms and skew are exact.

    Returns:
        One row a column, in the contract's order: ``column``, ``type``, ``unit``, ``count`` (values that are there),
        ``missing``, ``missing_share`` (0 to 1), ``null_limit`` (0 to 1), ``distinct`` (texts are told apart by a hash
        of 64 bits), ``exact`` (whether distinct, quartiles and top are exact), ``min`` and ``max`` (as text, cut to 200
        characters), ``mean``, ``std`` (of a sample), ``q25``, ``median``, ``q75`` (linear interpolation; these five NaN
        where the column is not numeric), and ``top`` (the most frequent values as a JSON list of
        [value, count]; none of a column that is the key by itself).

        Then ``skew`` (of a sample, of the spread rows), ``zeros`` and ``negatives`` of a numeric column; ``blank``
        (texts of nothing but white space), ``shortest``, ``mean_length`` and ``longest`` (characters) of a text
        column; NaN elsewhere. As JSON: ``values`` (all distinct values where they are no more than 50, else null),
        ``histogram`` (:class:`Histogram` of a numeric column or a date, else null), ``correlations`` (Pearson's, of
        numeric columns that are no ids, by the other column) and ``sample`` (the column's values in ten evenly spread
        rows).
    """
    rows = table.published.rows
    columns = list(table.table.columns.values())
    found: list[dict[str, Any]] = []
    with bar(f"profiling {table.published.name}", len(columns), "columns") as progress:
        scan = table.scan_files()
        spread = _Spread(scan, columns, rows, spread_rows)
        for part in _batches(columns, rows):
            found += _profile_columns(scan, part, table.table.key, rows, exact_rows)
            progress.update(len(part))
    for row in found:
        row.update(spread.of(row))
    return pd.DataFrame(
        [{**row, **{name: json.dumps(row[name], ensure_ascii=False) for name in _AS_JSON}} for row in found],
        columns=[field.name for field in fields(ColumnProfile)],
    )


def columns_of(frame: pd.DataFrame) -> list[ColumnProfile]:
    """The rows of a profile frame as values."""
    return [
        column_of({str(name): json.loads(value) if name in _AS_JSON else value for name, value in row.items()})
        for row in frame.to_dict(orient="records")
    ]


def column_of(told: Mapping[str, Any]) -> ColumnProfile:
    """The profile that :func:`as_json` made a JSON object of.

    Raises:
        KeyError, TypeError: it is no such object.
    """
    values = {field.name: told[field.name] for field in fields(ColumnProfile)}
    for field in fields(ColumnProfile):
        if field.type in ("int | None", "float | None"):
            number = values[field.name]
            missing = number is None or math.isnan(number)
            values[field.name] = None if missing else int(number) if field.type == "int | None" else float(number)
    histogram = values["histogram"]
    if histogram is not None:
        histogram = Histogram(**{**histogram, **{n: tuple(histogram[n]) for n in ("edges", "counts")}})
    top = [(value, count) for value, count in values["top"]]
    return ColumnProfile(**{**values, "histogram": histogram, "top": top})


def as_json(column: ColumnProfile) -> dict[str, Any]:
    """A column's profile as a JSON object."""
    return asdict(column)


def frame_of(columns: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The profile frame that JSON objects of :func:`as_json` came of."""
    return pd.DataFrame(
        {
            name: json.dumps(value, ensure_ascii=False)
            if name in _AS_JSON
            else float("nan")
            if value is None and name not in ("min", "max")
            else value
            for name, value in column.items()
        }
        for column in columns
    )


def _batches(columns: list[Column], rows: int) -> Iterator[list[Column]]:
    at_once = max(1, _CELLS_AT_ONCE // max(1, rows))
    for start in range(0, len(columns), at_once):
        yield columns[start : start + at_once]


def _profile_columns(
    scan: pl.LazyFrame, columns: list[Column], key: Sequence[str], rows: int, exact_rows: int
) -> Iterator[dict[str, Any]]:
    exact = rows <= exact_rows
    sample = scan if exact else scan.gather_every(-(-rows // SAMPLED_ROWS))
    # The audit has found the values of a key to differ: there is nothing to count.
    counted = [column for column in columns if [column.name] != [*key]]
    whole, *counts = pl.collect_all(
        [
            scan.select(e for column in columns for e in _exact_statistics(column, exact=exact)),
            *(_counted(sample, column) for column in counted),
        ],
        engine="streaming",
    )
    by_name = {column.name: count for column, count in zip(counted, counts, strict=True)}
    frequent = {name: _most_frequent(count) for name, count in by_name.items()}
    texts = _texts(sample, {c.name: frequent[c.name]["value"] for c in counted if c.dtype == pl.String})
    quartiles = _all_quartiles(sample, [column for column in columns if column.dtype.is_numeric()], by_name)
    known = whole.row(0, named=True)
    for column in columns:
        name = column.name
        numbers = {key.removeprefix(f"{name}|"): known[key] for key in known if key.startswith(f"{name}|")}
        count, missing = numbers["count"], rows - numbers["count"]
        counted_here = by_name[name].height if name in by_name else count
        distinct = counted_here if exact else min(numbers["distinct"], count)
        top = [
            (texts[name][value] if name in texts else _text(value), times)
            for value, times in (frequent[name].rows() if name in frequent else ())
        ]
        yield {
            "column": name,
            "type": sql_type(column.dtype),
            "unit": column.unit,
            "count": count,
            "missing": missing,
            "missing_share": missing / rows if rows else 0.0,
            "null_limit": column.null_limit,
            "distinct": distinct,
            "exact": exact,
            "min": _text(numbers["min"]),
            "max": _text(numbers["max"]),
            **quartiles.get(name, dict.fromkeys(_QUARTILES, math.nan)),
            **{statistic: _number(numbers.get(statistic)) for statistic in _OF_SOME_TYPES},
            "top": top[:TOP],
            "values": sorted(str(value) for value, _ in top) if distinct == len(top) else None,
        }


_OF_SOME_TYPES = ("mean", "std", "zeros", "negatives", "blank", "shortest", "mean_length", "longest")


def _exact_statistics(column: Column, *, exact: bool) -> Iterator[pl.Expr]:
    value = pl.col(column.name)
    yield value.count().alias(f"{column.name}|count")
    yield value.min().alias(f"{column.name}|min")
    yield value.max().alias(f"{column.name}|max")
    if not exact:
        yield _told_apart(column).approx_n_unique().alias(f"{column.name}|distinct")
    if column.dtype.is_numeric():
        yield value.mean().alias(f"{column.name}|mean")
        yield value.std().alias(f"{column.name}|std")
        yield (value == 0).sum().alias(f"{column.name}|zeros")
        yield (value < 0).sum().alias(f"{column.name}|negatives")
    elif column.dtype == pl.String:
        length = value.str.len_chars()
        yield (value.str.strip_chars() == "").sum().alias(f"{column.name}|blank")
        yield length.min().alias(f"{column.name}|shortest")
        yield length.mean().alias(f"{column.name}|mean_length")
        yield length.max().alias(f"{column.name}|longest")


def _told_apart(column: Column) -> pl.Expr:
    """What tells the column's values apart: of a text its hash, as texts of a kilobyte each take too much memory."""
    value = pl.col(column.name)
    return value.hash() if column.dtype == pl.String else value


def _counted(sample: pl.LazyFrame, column: Column) -> pl.LazyFrame:
    """How often each value is there."""
    return sample.select(column.name).drop_nulls().group_by(_told_apart(column).alias("value")).len("n")


def _most_frequent(counts: pl.DataFrame) -> pl.DataFrame:
    """The lowest first of those that are equally frequent, so that the same table gives the same profile."""
    top = counts.top_k(LISTED, by=["n", "value"], reverse=[False, True])
    return top.sort("n", "value", descending=[True, False])


def _texts(sample: pl.LazyFrame, wanted: Mapping[str, pl.Series]) -> dict[str, dict[int, str | None]]:
    """Text column → hash → the text that has it."""
    queries = [
        sample.select(pl.col(name).hash().alias("hash"), pl.col(name).str.head(_TEXT_SHOWN + 1))
        .filter(pl.col("hash").is_in(hashes.implode()))
        .unique("hash", keep="any")
        for name, hashes in wanted.items()
    ]
    found = pl.collect_all(queries, engine="streaming")
    return {name: {told: _text(text) for told, text in texts.rows()} for name, texts in zip(wanted, found, strict=True)}


def _all_quartiles(
    sample: pl.LazyFrame, numeric: Sequence[Column], counts: Mapping[str, pl.DataFrame]
) -> dict[str, dict[str, float]]:
    """Column → its quartiles: of few values from their counts, which costs no look at the table."""
    few = {c.name for c in numeric if c.name in counts and counts[c.name].height <= _FEW_VALUES}
    found = {name: dict(zip(_QUARTILES, _weighted_quantiles(counts[name]), strict=True)) for name in few}
    many = [c.name for c in numeric if c.name not in few]
    if many:
        expressions = [
            pl.col(name).quantile(share, "linear").alias(f"{name}|{quartile}")
            for name in many
            for quartile, share in _QUARTILES.items()
        ]
        row = sample.select(expressions).collect(engine="streaming").row(0, named=True)
        found |= {name: {quartile: _number(row[f"{name}|{quartile}"]) for quartile in _QUARTILES} for name in many}
    return found


def _weighted_quantiles(counts: pl.DataFrame) -> list[float]:
    """The quartiles of values of which each is there as often as its count says."""
    ordered = counts.sort("value")
    until = ordered["n"].cast(pl.Int64).cum_sum().to_numpy()
    values = ordered["value"].cast(pl.Float64).to_numpy()
    if not len(values):
        return [math.nan] * len(_QUARTILES)
    found = []
    for share in _QUARTILES.values():
        place = share * (until[-1] - 1)
        low, high = (values[np.searchsorted(until, int(at), side="right")] for at in (place, math.ceil(place)))
        found.append(float(low + (high - low) * (place - int(place))))
    return found


class _Spread:
    """Evenly spread rows of a table, side by side: what histograms, skew, correlations and the shown rows come of."""

    def __init__(self, scan: pl.LazyFrame, columns: Sequence[Column], rows: int, spread_rows: int) -> None:
        self._table_rows = rows
        numeric = [column for column in columns if column.dtype.is_numeric()]
        dated = [column for column in columns if column.dtype in (pl.Date, pl.Datetime)]
        wanted = min(spread_rows, max(CORRELATED_ROWS, _SPREAD_CELLS // max(1, len(numeric) + len(dated))))
        side_by_side = scan.gather_every(max(1, -(-rows // wanted))).select(
            *(pl.col(column.name).cast(pl.Float64) for column in numeric),
            *(pl.col(column.name).cast(pl.Datetime("us")).dt.epoch("s").cast(pl.Float64) for column in dated),
        )
        shown = (
            scan.gather_every(max(1, rows // SHOWN_ROWS))
            .head(SHOWN_ROWS)
            .select(
                pl.col(column.name).str.head(_TEXT_SHOWN + 1) if column.dtype == pl.String else pl.col(column.name)
                for column in columns
            )
        )
        self._values, self._shown = pl.collect_all([side_by_side, shown], engine="streaming")
        self._numeric = {column.name for column in numeric}
        self._whole = {column.name for column in numeric if column.dtype.is_integer()}
        self._correlations = self._correlated([c.name for c in numeric if c.unit != "id" and not c.references])

    def of(self, column: Mapping[str, Any]) -> dict[str, Any]:
        """What these rows tell of a profiled column."""
        name = column["column"]
        numbers = self._values[name].drop_nulls() if name in self._values.columns else None
        return {
            "skew": _skew(numbers) if numbers is not None and name in self._numeric else math.nan,
            "histogram": self._histogram(column, numbers.to_numpy()) if numbers is not None else None,
            "correlations": self._correlations.get(name, {}),
            "sample": [_text(value) for value in self._shown[name]],
        }

    def _histogram(self, column: Mapping[str, Any], values: np.ndarray[Any, Any]) -> dict[str, Any] | None:
        values = values[np.isfinite(values)]
        if not len(values):
            return None
        low, high = float(values.min()), float(values.max())
        q25, q75 = np.quantile(values, [0.25, 0.75])
        reach = _FENCE * float(q75 - q25)
        if reach and column["column"] in self._numeric:
            low, high = max(low, float(q25) - reach), min(high, float(q75) + reach)
        bins = BINS
        if column["column"] in self._whole:
            # Bins of as many whole numbers each, or every other bin of few numbers would be empty.
            low, high = math.floor(low), math.ceil(high)
            width = max(1, -(-(high - low + 1) // BINS))
            bins = max(1, -(-(high - low + 1) // width))
            low, high = low - 0.5, low - 0.5 + width * bins
        # NumPy leaves out what is outside of the range.
        counts, edges = np.histogram(values, bins=bins if high > low else 1, range=(low, high))
        histogram = Histogram(
            edges=tuple(float(f"{edge:.6g}") if column["column"] in self._numeric else float(edge) for edge in edges),
            counts=tuple(int(count) for count in counts),
            below=int((values < low).sum()),
            above=int((values > high).sum()),
            rows=len(self._values),
            exact=len(self._values) >= self._table_rows,
        )
        return asdict(histogram)

    def _correlated(self, names: Sequence[str]) -> dict[str, dict[str, float]]:
        rows = len(self._values)
        part = self._values.select(names).gather_every(max(1, -(-rows // CORRELATED_ROWS)))
        found = part.to_pandas().corr(min_periods=CORRELATED_AT_LEAST).to_numpy(copy=True)
        np.fill_diagonal(found, np.nan)
        strength = np.nanmax(np.abs(found), axis=1, initial=0.0)
        strongest = sorted(np.argsort(-strength, kind="stable")[:CORRELATED_COLUMNS])
        return {
            names[one]: {
                names[other]: round(float(found[one, other]), 3)
                for other in strongest
                if not math.isnan(found[one, other])
            }
            for one in strongest
            if strength[one]
        }


def _skew(numbers: pl.Series) -> float:
    """Skew of a sample, as pandas has it too: of three values and more, of which some differ."""
    skew = numbers.skew(bias=False) if len(numbers) > 2 and numbers.n_unique() > 1 else None
    return _number(skew)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = repr(value) if isinstance(value, float) else str(value)
    return cut(text, _TEXT_SHOWN)


def _number(value: Any) -> float:
    """The number as a float; NaN for one that is missing or too large for it, such as the spread of huge values."""
    return float(value) if value is not None and math.isfinite(value) else math.nan
