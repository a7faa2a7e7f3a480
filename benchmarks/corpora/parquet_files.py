"""The files of apache/parquet-testing: those that must be read, and those that must not."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from benchmarks.corpora.outcome import LOST, NAMED, REFUSED, RIGHT
from nequi_lake.errors import NequiLakeError
from nequi_lake.formats import ParquetFile
from nequi_lake.formats.local import read_local


def parquet_outcome(path: Path) -> tuple[str, str | None]:
    """What comes of a file that is declared by its own footer, and why it is refused."""
    try:
        footer = pq.read_metadata(path)
        frame = pl.DataFrame(schema=pl.from_arrow(pq.read_schema(path).empty_table()).schema)  # type: ignore[union-attr]
    except Exception as error:
        return REFUSED, f"its footer cannot be read: {type(error).__name__}"
    file = ParquetFile(name=path.name, description="A file of the corpus.", schema=frame.schema)
    try:
        with tempfile.TemporaryDirectory() as folder:
            read = read_local(file, path, Path(folder))
    except NequiLakeError as error:
        return REFUSED, error.what
    if read.frame is None:
        return REFUSED, read.structure.problems[0].reason
    if read.frame.height + read.structure.damaged != footer.num_rows:
        return LOST, None
    return (NAMED if read.structure.damaged else RIGHT), None
