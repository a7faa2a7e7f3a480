"""What every raw format is: a declared file that can be inspected, repaired and scanned."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
from polars._typing import PolarsDataType

from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.formats.structure import Structure, merge_structures

RECORD = "__record"
"""Column of every raw frame: the record's number in its file, Int64, from 0."""
POSITION_IN_SESSION = "__position_in_session"
"""Name of the column that numbers the records of a session, from 0, in a file that has sessions."""
PLACE_IS_UNCERTAIN = "__place_is_uncertain"
"""Name of the column that says of a record whether its position may be off, as nobody knows where its session began."""
RAW_KEPT_BYTES = 2**16
"""How much of a damaged record goes into the quarantine. The file in the raw zone has all of it."""
DAMAGED = {
    "record": pl.Int64(),
    "line": pl.Int64(),
    "rule": pl.String(),
    "raw": pl.String(),
    "is_blank": pl.Boolean(),
}
"""Columns of the damaged records of a repaired file."""
FOUND = {"line": pl.Int64(), "offset_bytes": pl.Int64(), "size_bytes": pl.Int64(), "original": pl.String()}
"""Where a record is in its file: line, from 1; the byte at which it begins; how many it has without its line end; and
its text there, up to ``RAW_KEPT_BYTES``."""


@dataclass(frozen=True)
class RepairedFile:
    """A file's copy in which every record can be read.

    Attributes:
        path: the copy, on this machine's disk. In it each damaged record is replaced by a placeholder of missing
            values, so that the numbers of the other records do not change.
        damaged: number (``record``), ``line``, reason (``rule``) and text (``raw``, JSON) of the damaged records, and
            whether they are nothing but white space (``is_blank``).
    """

    path: Path
    damaged: pl.DataFrame


@dataclass(frozen=True, kw_only=True, eq=False)
class RawFile(ABC):
    """A file as its publisher gives it: in one piece, or in parts ``<name without its ending>/part-*.<ending>``.

    Attributes:
        name: the name under which the lake keeps it.
        description: what it holds.
        aliases: other names under which a source may have it.
        dropped: raw column → why no table has it.
        constants: columns that the file's name implies, such as its split, and their value.
        session_by: a column of the tables that it feeds. Consecutive records with the same value in it form a
            session; a value that breaks the column's contract ends none.
    """

    name: str
    description: str
    aliases: tuple[str, ...] = ()
    dropped: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    session_by: str | None = None

    @property
    @abstractmethod
    def field_paths(self) -> tuple[str, ...]:
        """The raw columns, nested ones dotted; none where the lake keeps the file without reading it."""

    def declared(self) -> Iterator[tuple[str, Any]]:
        """What is declared of it, by name, as far as it is not as usual."""
        for each in fields(self):
            usual = each.default if each.default_factory is MISSING else each.default_factory()
            value = getattr(self, each.name)
            if value != usual:
                yield each.name, value

    def problems(self) -> Iterator[str]:
        """What is wrong with the declaration by itself."""
        return iter(())

    def raw_value(self, field_path: str) -> pl.Expr:
        """The raw value of a column, a constant or ``RECORD`` in the frame that :meth:`scan` gives."""
        return pl.col(field_path) if self._is_added(field_path) else self._value_at(field_path)

    def raw_type(self, field_path: str) -> pl.DataType:
        """The type of that raw value."""
        if field_path == RECORD:
            return pl.Int64()
        return pl.String() if self._is_added(field_path) else self._type_at(field_path)

    def _is_added(self, field_path: str) -> bool:
        """Whether this is what :meth:`scan` adds to the columns of the file."""
        return field_path == RECORD or field_path in self.constants

    def _value_at(self, field_path: str) -> pl.Expr:
        return pl.col(field_path)

    def _type_at(self, field_path: str) -> pl.DataType:  # noqa: ARG002
        return pl.String()

    @property
    def raw_schema(self) -> Mapping[str, PolarsDataType]:
        """The columns of the frame that :meth:`scan` gives, and their types, without constants."""
        return dict.fromkeys(self.field_paths, pl.String())

    @property
    def is_optional(self) -> bool:
        """Whether a delivery may lack it."""
        return False

    @property
    def kind(self) -> str:
        """The file's format as one word."""
        return self.name.rsplit(".", 1)[-1].lower()

    def among(self, paths: Iterable[str]) -> list[tuple[str, str]]:
        """Those of ``paths`` that are this file or its parts, in order, each with the name that the lake gives it."""
        names = {self.name, *self.aliases}
        folders = {*names, *(name.rsplit(".", 1)[0] for name in names)}
        stem, dot, ending = self.name.rpartition(".")
        found = []
        for path in sorted(paths, key=_by_number):
            parent, name = ["", *path.split("/")][-2:]
            if name in names:
                found.append((path, self.name))
            elif parent in folders and _PART_NAME.fullmatch(name) and name.endswith(dot + ending):
                found.append((path, f"{stem}/{name}"))
        return found

    @abstractmethod
    def inspect(self, path: Path, limits: UnpackLimits | None = None) -> Structure:
        """Return the structure of a local file, or of a part of it: one pass over its bytes.

        It counts the records independently of the engine, and names what is wrong by line.

        Args:
            path: the file.
            limits: what it may unpack to where it is compressed.
        """

    def merge_structures(self, parts: Mapping[str, Structure]) -> Structure:
        """Return the structure of the whole file: part name → its structure, in the file's order.

        One that is read must have a record; a part of it may have none.
        """
        merged = merge_structures(parts)
        if self.field_paths and merged.is_sound and not merged.records:
            return Structure.refused("the file has no records")
        return merged

    def needs_repair(self, structure: Structure) -> bool:  # noqa: ARG002
        """Whether the engine cannot read the bytes as they are, and needs a repaired copy."""
        return False

    @abstractmethod
    def repair(self, content: BinaryIO, structure: Structure, path: Path) -> RepairedFile:
        """Copy a part to ``path`` so that the engine can read it, each damaged record replaced by a placeholder.

        Holds the damaged records in memory: they must be few.

        Args:
            content: the part.
            structure: what :meth:`inspect` found of it.
            path: where the copy is written.
        """

    def scan(
        self, paths: Sequence[str], structure: Structure, options: Mapping[str, Any], *, is_copy: bool = False
    ) -> pl.LazyFrame:
        """Return the raw values, constants, and ``RECORD``, numbered through all of the paths.

        Args:
            paths: parts that can be read as they are, or repaired copies.
            structure: that of one of them; of all, what :meth:`layout` says of it is the same.
            options: Polars' scan options for where the paths are.
            is_copy: whether they are repaired copies.

        Raises:
            StageError: the lake keeps files of this format without reading them.
        """
        constants = [pl.lit(value).alias(name) for name, value in self.constants.items()]
        raw = self._scan(paths, structure, options, is_copy=is_copy)
        return raw.with_columns(pl.col(RECORD).cast(pl.Int64), *constants)

    def layout(self, structure: Structure) -> object:  # noqa: ARG002
        """What must be the same of parts that are read together."""
        return None

    @abstractmethod
    def find_records(self, content: BinaryIO, structure: Structure) -> Callable[[pl.Series], pl.DataFrame]:
        """Return a function: numbers of the file's records → where they are, and what they are there.

        Numbers must ascend, from call to call too: ``content`` is read once, up to the last record asked for.

        Returns:
            A frame of :data:`FOUND`, one row per number; of nothing where the file has no such record.
        """

    @abstractmethod
    def _scan(
        self, paths: Sequence[str], structure: Structure, options: Mapping[str, Any], *, is_copy: bool
    ) -> pl.LazyFrame:
        """Return the raw values and ``RECORD``."""


def _by_number(path: str) -> list[tuple[int, str]]:
    """Sorts ``part-2`` before ``part-10``; a number may have more digits than Python reads."""
    words = re.split("([0-9]+)", path)
    return [(len(digits := word.lstrip("0")), digits) if number % 2 else (0, word) for number, word in enumerate(words)]


_PART_NAME = re.compile(r"part-[\w.-]+")
"""Without what browsers and people add to the name of a copy."""
