"""Progress of long work on a terminal: how much, how fast, how long still. Nothing is shown where there is none."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

import polars as pl
from tqdm import tqdm

_BLOCK_BYTES = 2**20


_shown_on: TextIO | None = None


def show_on(terminal: TextIO) -> None:
    """Show progress on this stream from now on, whatever standard error becomes: Dagster redirects it in its steps."""
    global _shown_on
    _shown_on = terminal


def bar(what: str, total: int | None, unit: str) -> tqdm[None]:
    """A progress bar, to be advanced by ``update(n)`` and closed.

    Args:
        what: the work, in two or three words.
        total: what will have been done at the end; None where that is unknown: no remaining time is shown.
        unit: ``B`` for bytes, otherwise a word such as ``rows``.
    """
    return tqdm(
        total=total,
        desc=what,
        unit=unit if unit == "B" else f" {unit}",
        unit_scale=True,
        file=_shown_on or sys.stderr,
        # Quiet where standard error is no terminal, and where the work is short.
        disable=None,
        delay=0.5,
        leave=False,
        dynamic_ncols=True,
    )


def blocks(stream: io.BufferedIOBase, what: str, total: int | None) -> Iterator[memoryview]:
    """The bytes of a stream block by block, with a progress bar. A block is valid until the next."""
    block = memoryview(bytearray(_BLOCK_BYTES))
    with bar(what, total, "B") as progress:
        while size := stream.readinto(block):
            yield block[:size]
            progress.update(size)


def watched(frame: pl.LazyFrame, progress: Callable[[int], object]) -> pl.LazyFrame:
    """The same frame, which reports the rows of each part that passes to ``progress``."""

    def count(part: pl.DataFrame) -> pl.DataFrame:
        progress(part.height)
        return part

    return frame.map_batches(count, streamable=True, schema=frame.collect_schema())
