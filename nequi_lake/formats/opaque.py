"""Files that the lake keeps and does not read, such as a publisher's documentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from nequi_lake.errors import StageError
from nequi_lake.formats.base import RawFile, RepairedFile
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.formats.magic import no_content
from nequi_lake.formats.structure import Structure

_BEGINNING_BYTES = 1024


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

    def inspect(self, path: Path, limits: UnpackLimits | None = None) -> Structure:  # noqa: ARG002
        with path.open("rb") as stream:
            problem = no_content(stream.read(_BEGINNING_BYTES))
        return Structure.refused(problem) if problem else Structure()

    def repair(self, content: BinaryIO, structure: Structure, path: Path) -> RepairedFile:  # noqa: ARG002
        raise self._is_not_read()

    def find_records(
        self,
        content: BinaryIO,  # noqa: ARG002
        structure: Structure,  # noqa: ARG002
    ) -> Callable[[pl.Series], pl.DataFrame]:
        raise self._is_not_read()

    def _scan(
        self,
        paths: Sequence[str],  # noqa: ARG002
        structure: Structure,  # noqa: ARG002
        options: Mapping[str, Any],  # noqa: ARG002
        *,
        is_copy: bool,  # noqa: ARG002
    ) -> pl.LazyFrame:
        raise self._is_not_read()

    def _is_not_read(self) -> StageError:
        return StageError(
            f"{self.name} is kept as it is, and no table is made of it.",
            fix="Declare the file with a format that the lake reads, such as CsvFile.",
        )
