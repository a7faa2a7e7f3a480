"""What the samples share: independent random streams, draws from published quartiles, text of frames.

A sample is made in chunks, each from a random stream of its own, so that memory does not grow with the scale.
Draws use only arithmetic that every machine rounds alike, so that a seed gives the same bytes everywhere.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]


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


def pick(rng: np.random.Generator, rows: int, shares: Sequence[float]) -> Ints:
    """Positions drawn with these relative shares."""
    edges = np.cumsum(np.asarray(shares, dtype=np.float64))
    drawn: Ints = np.searchsorted(edges[:-1], rng.random(rows) * edges[-1], side="right")
    return drawn


def texts(values: Sequence[str], positions: npt.NDArray[Any]) -> pl.Series:
    """The values at these positions, as a column of text."""
    return pl.Series(values, dtype=pl.String).gather(positions)


def csv_lines(frame: pl.DataFrame) -> bytes:
    """The frame's rows as lines of CSV, without a header; text is quoted only where it must be."""
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=False)
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
