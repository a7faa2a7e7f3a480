"""Evenly spread rows of a table, side by side: what histograms, skew and correlations come from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from nequi_lake.datasets.contract import Column
from nequi_lake.profiling.numbers import NAMES

CORRELATED_ROWS = 10_000
"""Rows, evenly spread, of which correlations are made."""
CORRELATED_COLUMNS = 40
"""Columns whose correlations are kept: where more are numeric, those that have the strongest."""
CORRELATED_AT_LEAST = 30
"""Rows that must have both values of a pair, or their correlation says nothing."""
BINS = 24
"""Bins of a histogram, at most."""
_CELLS = 8_000_000
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


def spread_step(columns: Sequence[Column], rows: int, spread_rows: int) -> int:
    """Every how many rows of the table one is of the spread ones, of which there are ``spread_rows`` or fewer."""
    wide = sum(1 for column in columns if _is_spread(column))
    wanted = min(spread_rows, max(CORRELATED_ROWS, _CELLS // max(1, wide)))
    return max(1, -(-rows // wanted))


def side_by_side(columns: Sequence[Column]) -> Iterator[pl.Expr]:
    """Those of the columns that are numeric or dates as numbers, in that order; of dates, seconds since 1970."""
    for column in columns:
        value = pl.col(column.name)
        if column.dtype.is_numeric():
            yield value.cast(pl.Float64)
        elif _is_spread(column):
            yield value.cast(pl.Datetime("us")).dt.epoch("s").cast(pl.Float64)


def _is_spread(column: Column) -> bool:
    return column.dtype.is_numeric() or column.dtype in (pl.Date, pl.Datetime)


class Spread:
    """Statistics of evenly spread rows.

    Args:
        values: the rows, as :func:`side_by_side` gives them.
        columns: all columns of the table.
        rows: rows of the table.
    """

    def __init__(self, values: pl.DataFrame, columns: Sequence[Column], rows: int) -> None:
        self._values = values
        self._ordered = values.select(pl.all().sort())
        self._table_rows = rows
        numeric = [column for column in columns if column.dtype.is_numeric()]
        self._numeric = {column.name for column in numeric}
        self._whole = {column.name for column in numeric if column.dtype.is_integer()}
        self._correlations = self._correlated([c.name for c in numeric if c.unit not in NAMES and not c.references])

    def of(self, name: str) -> dict[str, Any]:
        """Return the statistics of a column."""
        numbers = self._ordered[name].drop_nulls() if name in self._ordered.columns else None
        return {
            "skew": _skew(numbers) if numbers is not None and name in self._numeric else None,
            "histogram": self._histogram(name, numbers.to_numpy()) if numbers is not None else None,
            "correlations": self._correlations.get(name, {}),
        }

    def _histogram(self, name: str, values: np.ndarray[Any, Any]) -> Histogram | None:
        """The histogram of values in order."""
        values = values[np.isfinite(values)]
        if not len(values):
            return None
        low, high = float(values[0]), float(values[-1])
        q25, q75 = np.quantile(values, [0.25, 0.75])
        reach = _FENCE * float(q75 - q25)
        if reach and name in self._numeric:
            low, high = max(low, float(q25) - reach), min(high, float(q75) + reach)
        bins = BINS
        if name in self._whole:
            # Bins of as many whole numbers each, or every other bin of few numbers would be empty.
            low, high = math.floor(low), math.ceil(high)
            width = max(1, -(-(high - low + 1) // BINS))
            bins = max(1, -(-(high - low + 1) // width))
            # The last bin ends with the data, and may be narrower.
            edges = np.minimum(low - 0.5 + width * np.arange(bins + 1), high + 0.5)
        else:
            edges = np.histogram_bin_edges(values, bins=bins if high > low else 1, range=(low, high))
            edges = _rounded(edges) if name in self._numeric else edges
        until = np.append(values.searchsorted(edges[:-1]), values.searchsorted(edges[-1], side="right"))
        return Histogram(
            edges=tuple(float(edge) for edge in edges),
            counts=tuple(int(count) for count in np.diff(until)),
            below=int(until[0]),
            above=int(len(values) - until[-1]),
            rows=len(self._values),
            exact=len(self._values) >= self._table_rows,
        )

    def _correlated(self, names: Sequence[str]) -> dict[str, dict[str, float]]:
        rows = len(self._values)
        part = self._values.select(names).gather_every(max(1, -(-rows // CORRELATED_ROWS)))
        found = part.to_pandas().corr(min_periods=CORRELATED_AT_LEAST).to_numpy(copy=True)
        np.fill_diagonal(found, np.nan)
        strength = np.nanmax(np.abs(found), axis=1, initial=0.0)
        strongest = sorted(np.argsort(-strength, kind="stable")[:CORRELATED_COLUMNS])
        return {
            names[one]: {
                names[other]: _correlation(found[one, other])
                for other in strongest
                if not math.isnan(found[one, other])
            }
            for one in strongest
            if strength[one]
        }


def _rounded(edges: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The edges with the digits that tell them apart; the outermost are values of the data, and stay."""
    width = float(edges[-1] - edges[0]) / (len(edges) - 1)
    if not width or not math.isfinite(width):
        return edges
    inner = edges[1:-1].round(3 - math.floor(math.log10(width)))
    return np.concatenate([edges[:1], inner, edges[-1:]])


def _correlation(value: float) -> float:
    """A correlation with four digits, 1 only where the sums say so to their last digits."""
    rounded = round(float(value), 4)
    return math.copysign(0.9999, value) if abs(rounded) == 1 and abs(value) < 1 - 1e-9 else rounded


def _skew(numbers: pl.Series) -> float | None:
    """Skew of a sample of values in order, as pandas has it too: of three values and more, of which some differ."""
    skew = numbers.skew(bias=False) if len(numbers) > 2 and numbers[0] != numbers[-1] else None
    return None if skew is None or not math.isfinite(skew) else skew
