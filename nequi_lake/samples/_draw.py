"""What the samples share: independent random streams, draws from published quartiles, text of frames.

A sample is made in chunks, each from a random stream of its own, so that memory does not grow with the scale.
Draws use only arithmetic that every machine rounds alike, so that a seed gives the same bytes everywhere.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

_SLOT = re.compile(r"\{([a-z]+)\}")


def stream(seed: int, *place: int) -> np.random.Generator:
    """The random stream of a place in the sample, independent of every other place's."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=place)))


def rows_at(scale: float, full: int, *, least: int) -> int:
    """Rows of a file that has ``full`` rows at scale 1."""
    return max(least, round(scale * full))


def chunks(rows: int, size: int) -> Iterator[tuple[int, int, int]]:
    """(number, first row, rows) of each chunk of at most ``size`` rows."""
    for number, first in enumerate(range(0, rows, size)):
        yield number, first, min(size, rows - first)


def from_quantiles(u: Floats, shares: Sequence[float], values: Sequence[float]) -> Floats:
    """Draws from the distribution whose quantiles at ``shares`` are ``values``, straight lines between them.

    Args:
        u: uniform draws, 0 to 1.
        shares: rising from 0 to 1.
        values: the quantiles, as many as there are shares.
    """
    return np.interp(u, shares, values)


@dataclass(frozen=True)
class Draws:
    """Random draws, each for all rows of a chunk."""

    rng: np.random.Generator
    rows: int

    def of(self, some: Flags) -> Draws:
        """Draws for the rows that are marked."""
        return Draws(self.rng, int(some.sum()))

    def uniform(self) -> Floats:
        """Between 0 and 1."""
        return self.rng.random(self.rows)

    def chance(self, share: float | npt.NDArray[np.floating[Any]]) -> Flags:
        """True for about this share of the rows."""
        return np.less(self.rng.random(self.rows), share)

    def near(self, uniform: Floats, closeness: float) -> Floats:
        """Uniform draws of which the share ``closeness`` is close to the given ones, and the rest independent."""
        moved = np.abs(uniform + 0.2 * self.rng.random(self.rows) - 0.1)
        return np.where(self.chance(closeness), 1.0 - np.abs(1.0 - moved), self.rng.random(self.rows))

    def quantile(self, shares: Sequence[float], values: Sequence[float]) -> Floats:
        """From the distribution with these quantiles."""
        return from_quantiles(self.uniform(), shares, values)

    def pick(self, weights: Sequence[float]) -> Ints:
        """Positions in ``weights``, drawn with these weights."""
        edges = np.cumsum(np.asarray(weights, dtype=np.float64))
        drawn: Ints = np.searchsorted(edges[:-1], self.uniform() * edges[-1], side="right")
        return drawn


def spread(values: Floats, rows: Flags) -> Floats:
    """The values, in turn, in the rows that are marked; NaN in the others."""
    whole = np.full(len(rows), np.nan)
    whole[rows] = values
    return whole


def written(
    templates: Sequence[str], words: Mapping[str, Sequence[str]], count: int, rng: np.random.Generator
) -> list[str]:
    """``count`` texts of these templates, in turn, with words drawn for their ``{slots}``."""
    draws: Iterator[int] = iter(rng.integers(0, 2**31, size=count * 8).tolist())

    def word(slot: re.Match[str]) -> str:
        choice = words[slot[1]]
        return choice[next(draws) % len(choice)]

    return [_SLOT.sub(word, templates[number % len(templates)]) for number in range(count)]


def texts(values: pl.Series, positions: Ints, known: Flags | None = None) -> pl.Series:
    """The values at these positions; null where they are not known."""
    drawn = values.gather(positions)
    return drawn if known is None else drawn.zip_with(pl.Series(known), pl.Series([None], dtype=pl.String))


def csv_lines(frame: pl.DataFrame) -> bytes:
    """The frame's rows as lines of CSV, without a header; text is quoted only where it must be."""
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=False, batch_size=4_096)
    return buffer.getvalue()


def mixed(numbers: Ints, *key: int) -> Bits:
    """Numbers scrambled into 64 random-looking bits each (splitmix64): what a thing's number says about it.

    The same number and key always give the same bits, so that a thing met again needs no memory of it.
    """
    bits = numbers.astype(np.uint64)
    for part in key:
        bits = _scrambled(bits + np.uint64((part * 0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03) % 2**64))
    return _scrambled(bits)


def _scrambled(bits: Bits) -> Bits:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def shares_of(bits: Bits) -> Floats:
    """Uniform draws, 0 to 1, from scrambled bits."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def shuffled(numbers: Ints, count: int, *key: int) -> Ints:
    """Where the numbers below ``count`` go in one fixed shuffle of all of them: no two go to the same place."""
    half = max(1, (max(count - 1, 1).bit_length() + 1) // 2)
    low = np.int64((1 << half) - 1)

    def step(values: Ints) -> Ints:
        left, right = values >> half, values & low
        for turn in range(4):
            left, right = right, left ^ (mixed(right, *key, turn).astype(np.int64) & low)
        return (left << half) | right

    places = step(numbers)
    while (outside := places >= count).any():
        places[outside] = step(places[outside])
    return places
