"""Files that the lake keeps and does not read, such as a publisher's documentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from nequi_lake.errors import StageError
from nequi_lake.formats.base import RawFile, ValidatedRecord
from nequi_lake.formats.lines import Line
from nequi_lake.formats.structure import Structure


@dataclass(frozen=True, kw_only=True, eq=False)
class OpaqueFile(RawFile):
    """A file of any format, kept byte for byte and not read: it has no columns and no records.

    Attributes:
        optional: whether a delivery may lack it.
    """

    optional: bool = False

    @property
    def is_optional(self) -> bool:
        return self.optional

    @property
    def field_paths(self) -> tuple[str, ...]:
        return ()

    def validate_records(self, content: BinaryIO) -> Iterator[ValidatedRecord]:  # noqa: ARG002
        """Yield nothing."""
        return iter(())

    def _split(self, content: BinaryIO, structure: Structure) -> Iterator[tuple[int, Line]]:  # noqa: ARG002
        raise self._is_not_read()

    def _inspect(self, path: Path, beginning: bytes) -> Structure:  # noqa: ARG002
        return Structure()

    def _scan(self, paths: Sequence[str], options: Mapping[str, Any]) -> pl.LazyFrame:  # noqa: ARG002
        raise self._is_not_read()

    def _placeholder(self) -> bytes:
        raise self._is_not_read()

    def _is_not_read(self) -> StageError:
        return StageError(
            f"{self.name} is kept as it is, and no table is made of it.",
            fix="Declare the file with a format that the lake reads, such as CsvFile.",
        )
