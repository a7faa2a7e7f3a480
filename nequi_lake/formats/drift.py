"""Columns that are found by their names: which a file may lack, has under another name, or has besides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from nequi_lake.formats.base import RawFile
from nequi_lake.formats.words import listed, shown

Extra = Literal["refuse", "ignore"]
_IGNORED_SHOWN = 5


class Drift(NamedTuple):
    """How the columns of a file may differ from the declared ones; as :class:`DriftingFile` says it."""

    columns: tuple[str, ...]
    optional: tuple[str, ...] = ()
    renamed: Mapping[str, str] = {}
    extra: Extra = "refuse"

    @property
    def known(self) -> frozenset[str]:
        """The names that a declared column may have."""
        return frozenset((*self.columns, *self.renamed.values()))

    def found(self, names: Iterable[str]) -> dict[str, str]:
        """Declared column → its name in a file that has these; without those that it lacks."""
        given = set(names)
        new = {name: name for name in self.columns if name in given}
        return {**{name: old for name, old in self.renamed.items() if old in given}, **new}

    def ignored(self, names: Iterable[str]) -> list[str]:
        """Those of a file's names that are no declared column's."""
        return [name for name in names if name not in self.known]

    def difference(self, names: Sequence[str]) -> str | None:
        """How the columns of a file differ from the declared ones; None where they may."""
        old = {of_old: new for new, of_old in self.renamed.items()}
        given = [name if name in self.columns else old.get(name, name) for name in names]
        missing = [name for name in self.columns if name not in set(given) and name not in self.optional]
        extra = self.ignored(names) if self.extra == "refuse" else []
        twice = sorted(name for name, count in Counter(given).items() if count > 1)
        found = [
            *([f"missing columns {listed(missing)}"] if missing else []),
            *([f"unexpected columns {listed(extra)}"] if extra else []),
            *([f"columns that stand twice: {listed(twice)}"] if twice else []),
        ]
        # Where no column is there, something else is wrong.
        advice = self.advice(missing, extra) if self.found(names) else ""
        return "; ".join(found) + advice if found else None

    def advice(self, missing: Sequence[str], extra: Sequence[str]) -> str:
        """What to declare where it is right that columns are missing, or not declared."""
        words = [
            *(["renamed= for a new name"] if missing and extra else []),
            *(["optional= for what some files lack"] if missing else []),
            *(['the column, or extra="ignore"'] if extra else []),
        ]
        return f". If that is right so, declare {' or '.join(words)}" if words else ""


def ignored_notes(ignored: Mapping[str, str]) -> Iterator[str]:
    """What is said of columns that are not declared: name → a value that it has."""
    for name, example in list(ignored.items())[:_IGNORED_SHOWN]:
        yield f"the column {shown(name)}, such as {shown(example)}, is not declared and is ignored"
    if len(ignored) > _IGNORED_SHOWN:
        yield f"{len(ignored) - _IGNORED_SHOWN:,} more columns are not declared and are ignored"


@dataclass(frozen=True, kw_only=True, eq=False)
class DriftingFile(RawFile):
    """A file whose columns are found by their names, and may differ from the declared ones.

    Attributes:
        optional: columns that a file may lack: their values are missing.
        renamed: column → the name that it has in some files.
        extra: what to do about a column that is not declared: ``refuse`` the file, or ``ignore`` it with a warning.
    """

    optional: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    extra: Extra = "refuse"

    @property
    def drift(self) -> Drift:
        """How its columns may differ."""
        return Drift(tuple(self.raw_schema), self.optional, dict(self.renamed), self.extra)

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        drift = self.drift
        for what, names in (("optional", self.optional), ("renamed", tuple(self.renamed))):
            yield from (f"{what}= names {name}, which is no column" for name in names if name not in drift.columns)
        for new, old in self.renamed.items():
            if old in drift.columns:
                yield f"renamed= says that {new} is called {old} in some files, which is a column of its own"
        if self.extra not in ("refuse", "ignore"):
            yield f"extra= is 'refuse' or 'ignore', not {self.extra!r}"
