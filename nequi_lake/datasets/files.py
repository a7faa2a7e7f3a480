"""Raw files as a dataset declares them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl
from polars._typing import PolarsDataType

RECORD = "__record"
"""Column of every raw frame: the record's number in its file, Int64, from 0."""
POSITION_IN_SESSION = "__position_in_session"
"""Name of the column that numbers the records of a session, from 0, in a file that has sessions."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RawFile:
    """A file as its publisher gives it: whole, or in parts ``<name without its ending>/part-*.<ending>``.

    Attributes:
        name: the name under which the lake keeps it.
        description: what it holds.
        aliases: other names under which a source may have it.
        dropped: raw column → why no table has it.
        constants: columns that the file's name implies, such as its split, and their value.
        session_by: expression over raw values. Consecutive records with the same value form a session; a record without
            a value belongs to the session around it.
    """

    name: str
    description: str
    aliases: tuple[str, ...] = ()
    dropped: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    session_by: pl.Expr | None = None

    def among(self, paths: Iterable[str]) -> list[tuple[str, str]]:
        """Those of ``paths`` that are this file or its parts, in order, each with the name that the lake gives it."""
        whole = {self.name, *self.aliases}
        folders = {*whole, *(name.rsplit(".", 1)[0] for name in whole)}
        stem, dot, ending = self.name.rpartition(".")
        found = []
        for path in sorted(paths, key=_by_number):
            parent, name = ["", *path.split("/")][-2:]
            if name in whole:
                found.append((path, self.name))
            elif parent in folders and name.startswith("part-") and name.endswith(dot + ending):
                found.append((path, f"{stem}/{name}"))
        return found

    @property
    def field_paths(self) -> tuple[str, ...]:
        """The raw columns, nested ones dotted; none where the lake keeps the file without reading it."""
        return ()

    @property
    def kind(self) -> str:
        """The file's format as one word."""
        return self.name.rsplit(".", 1)[-1].lower()


def _by_number(path: str) -> list[tuple[int, str]]:
    """Sorts ``part-2`` before ``part-10``."""
    return [(int(word), "") if word.isdecimal() else (0, word) for word in re.split(r"(\d+)", path)]


@dataclass(frozen=True, kw_only=True, eq=False)
class CsvFile(RawFile):
    """Comma-separated values under a header line that has exactly ``columns``, in this order."""

    columns: tuple[str, ...]

    @property
    def field_paths(self) -> tuple[str, ...]:
        return self.columns


@dataclass(frozen=True, kw_only=True, eq=False)
class JsonLinesFile(RawFile):
    """One JSON object a line, with exactly the keys of ``schema``; the contract says which values may be null."""

    schema: Mapping[str, PolarsDataType]

    @property
    def field_paths(self) -> tuple[str, ...]:
        return tuple(_field_paths(self.schema))


def _field_paths(schema: Mapping[str, PolarsDataType], prefix: str = "") -> Iterator[str]:
    for name, dtype in schema.items():
        if isinstance(dtype, pl.Struct):
            yield from _field_paths(dtype.to_schema(), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
