"""Files of a binary format: read in a guarded process, and staged from a copy that has their values and nothing else.

The copy is plain Parquet. The engine never sees the bytes that came, so that it reads what was counted.
"""

from __future__ import annotations

import shutil
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import polars as pl

from nequi_lake.errors import StageError
from nequi_lake.formats.base import DAMAGED, FOUND, RECORD, RawFile, RepairedFile
from nequi_lake.formats.guarded import UnreadableFileError, guarded
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.formats.magic import no_content
from nequi_lake.formats.structure import PROBLEMS_SHOWN, Problem, Structure
from nequi_lake.progress import bar

_BYTES_ALWAYS_ALLOWED = 2**28
_BEGINNING_BYTES = 1024


class Damage(NamedTuple):
    """A record that cannot be read.

    Attributes:
        record: its number.
        line: the line on which it is, from 1; as :meth:`TranscribedFile._line_of` says.
        rule: why it cannot be read.
        raw: what is known of it, as JSON with its ``text``.
        is_blank: whether it has nothing.
    """

    record: int
    line: int
    rule: str
    raw: str
    is_blank: bool = False


class Step(NamedTuple):
    """What the reading of a file says as it goes on.

    Attributes:
        records: records read since the step before, damaged ones included.
        damaged: records read up to now that cannot be read, and were not named before.
        line: the line, from 1, of the last of them; 0 where the format has none.
        notes: what else is said of the file.
    """

    records: int
    damaged: Sequence[Damage] = ()
    line: int = 0
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class TranscribedFile(RawFile):
    """A file that is staged from a copy of its values.

    Attributes:
        max_unpacked_bytes: how much it, or a part of it, may unpack to. More is refused, as it takes disk and hours.
        max_unpacked_ratio: how many times its size it may unpack to, where that is more than 256 MiB.
    """

    max_unpacked_bytes: int = 64 * 2**30
    max_unpacked_ratio: float = 200.0

    def problems(self) -> Iterator[str]:
        if self.max_unpacked_bytes < 1:
            yield f"max_unpacked_bytes is a number of bytes, not {self.max_unpacked_bytes}"
        if self.max_unpacked_ratio < 1:
            yield f"max_unpacked_ratio is at least 1, not {self.max_unpacked_ratio}"

    def most_unpacked_bytes(self, path: Path) -> int:
        """How many bytes a local file may unpack to."""
        return min(
            self.max_unpacked_bytes, max(_BYTES_ALWAYS_ALLOWED, int(self.max_unpacked_ratio * path.stat().st_size))
        )

    def needs_repair(self, structure: Structure) -> bool:  # noqa: ARG002
        """Always: the engine reads the copy."""
        return True

    def repair(self, content: BinaryIO, structure: Structure, path: Path) -> RepairedFile:  # noqa: ARG002
        """Copy the values of ``content`` to ``path``, each damaged record replaced by missing values.

        Raises:
            StageError: it cannot be read.
        """
        original = path.with_name(f"{path.name}.original")
        try:
            with original.open("wb") as stream:
                shutil.copyfileobj(content, stream, 2**20)
            steps = list(self._steps(original, path))
        except UnreadableFileError as error:
            raise StageError(
                f"{self.name} cannot be read: {error}.", where=self.name, fix="Get the file again from its publisher."
            ) from error
        finally:
            original.unlink(missing_ok=True)
        damaged = [found for step in steps for found in step.damaged]
        return RepairedFile(path, pl.DataFrame(damaged, schema=DAMAGED, orient="row"))

    def find_records(self, content: BinaryIO, structure: Structure) -> Callable[[pl.Series], pl.DataFrame]:  # noqa: ARG002
        """Return a function: numbers of the file's records → their lines; where in the bytes they are has no answer."""
        return lambda numbers: pl.DataFrame(
            [(self._line_of(number), None, None, None) for number in numbers], schema=FOUND, orient="row"
        )

    @abstractmethod
    def _reading(self) -> tuple[object, ...]:
        """What reads a file, as :func:`guarded` takes it: a function, and its arguments after the first three.

        The first are the file's path, that of the copy or None, and how many bytes it may unpack to. The function
        yields a :class:`Step` at a time.
        """

    @abstractmethod
    def _line_of(self, number: int) -> int:
        """The line, from 1, of a record."""

    def inspect(self, path: Path, limits: UnpackLimits | None = None) -> Structure:  # noqa: ARG002
        with path.open("rb") as stream:
            problem = no_content(stream.read(_BEGINNING_BYTES))
        return Structure.refused(problem) if problem else self._inspect(path)

    def _inspect(self, path: Path) -> Structure:
        records = damaged = lines = 0
        problems: list[Problem] = []
        notes: list[str] = []
        try:
            for step in self._steps(path, None):
                notes += step.notes
                records += step.records
                damaged += len(step.damaged)
                lines = max(lines, step.line)
                left = PROBLEMS_SHOWN - len(problems)
                problems += [Problem.of_record(bad.line, bad.rule) for bad in step.damaged[:left]]
        except UnreadableFileError as error:
            return Structure.refused(str(error))
        return Structure(
            records=records,
            lines=lines,
            damaged=damaged,
            problems=tuple(problems),
            problem_count=damaged,
            notes=tuple(notes),
        )

    def _steps(self, path: Path, copy: Path | None) -> Iterator[Step]:
        read, *args = self._reading()
        most = self.most_unpacked_bytes(path)
        what = "checking" if copy is None else "copying"
        with bar(f"{what} {self.name}", None, "rows") as progress:
            for found in guarded(str(read), str(path), str(copy) if copy else None, most, *args):
                records, damaged, line, notes = found
                step = Step(records, [Damage(*bad) for bad in damaged], line, notes)
                progress.update(step.records)
                yield step

    def _scan(
        self,
        paths: Sequence[str],
        structure: Structure,  # noqa: ARG002
        options: Mapping[str, Any],
        *,
        is_copy: bool,  # noqa: ARG002
    ) -> pl.LazyFrame:
        frame = pl.scan_parquet(list(paths), row_index_name=RECORD, glob=False, **options)
        return frame.select(RECORD, *self.raw_schema)


def too_large(unpacked_bytes: int, most: int) -> UnreadableFileError:
    """The error of a file that unpacks to more than it may."""
    return UnreadableFileError(
        f"it unpacks to at least {unpacked_bytes:,} bytes, where it may have {most:,}; if it is what you expect, "
        "declare max_unpacked_bytes= or max_unpacked_ratio="
    )
