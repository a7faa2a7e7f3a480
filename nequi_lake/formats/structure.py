"""What the structure pass found in a raw file: a value that the manifest stores and every later step reads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from nequi_lake.formats.limit import ShareLimit

PROBLEMS_SHOWN = 5
"""How many problems of a file are kept; all are counted."""
QUOTED = r"(?s)(, beginning |: ).*$"
"""What the reason of a damaged record says of the record's text: the rest of it is of the format alone."""
_EXAMPLE = "(?s), such as .*, (?=is not declared)"
"""What a note says of the values of a column."""
_NOT_SHOWN = "it is not as declared; what it has is not shown, as columns of it are sensitive"


@dataclass(frozen=True)
class Problem:
    """Something wrong with a file.

    Attributes:
        line: the line, from 1, on which the record begins; None for a problem of the whole file.
        reason: what is wrong.
        part: the part of the file, where it has several.
        plain: the reason without any value of the file; empty where it has none of this kind.
    """

    line: int | None
    reason: str
    part: str | None = None
    plain: str = ""

    @classmethod
    def of_record(cls, line: int, reason: str) -> Problem:
        """The problem of a record that cannot be read."""
        return cls(line, reason, plain=re.sub(QUOTED, "", reason))

    def __str__(self) -> str:
        where = [*([self.part] if self.part else []), *([f"line {self.line}"] if self.line else [])]
        return f"{', '.join(where)}: {self.reason}" if where else self.reason


@dataclass(frozen=True, kw_only=True)
class Structure:
    """The structure of a file, or of a part of it.

    Attributes:
        records: records, damaged ones included, without the header; 0 where the lake does not read the file.
        lines: lines, the header included.
        damaged: records that cannot be read; staging puts them into the quarantine.
        problems: the first problems found.
        problem_count: all problems found. Where it is more than ``damaged``, something is wrong with the file as a
            whole, and the file is unreadable.
        has_bom: whether the file begins with a byte order mark.
        codec: how it is compressed; empty where it is not.
        ends_in_cr: whether its lines end in a carriage return alone.
        layout: how its records stand in it, where the format has several ways.
        columns: the columns that its header has, in order.
        passed_over: what is no record, such as lines above the header → how many lines.
        notes: what a person should know of it, although it can be read.
    """

    records: int = 0
    lines: int = 0
    damaged: int = 0
    problems: tuple[Problem, ...] = ()
    problem_count: int = 0
    has_bom: bool = False
    codec: str = ""
    ends_in_cr: bool = False
    layout: str = ""
    columns: tuple[str, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def refused(cls, reason: str, line: int | None = None, plain: str = "") -> Structure:
        """The structure of a file that cannot be read at all."""
        return cls(problems=(Problem(line, reason, plain=plain),), problem_count=1)

    def without_values(self) -> Structure:
        """The same, where what is said quotes no value of the file."""
        problems = (replace(problem, reason=problem.plain or _NOT_SHOWN) for problem in self.problems)
        notes = dict.fromkeys(re.sub(_EXAMPLE, " ", note) for note in self.notes)
        return replace(self, problems=tuple(problems), notes=tuple(notes))

    @property
    def is_sound(self) -> bool:
        """Whether the pass found no problem."""
        return not self.problem_count

    def is_readable(self, limit: ShareLimit) -> bool:
        """Whether the file can be read but for its damaged records, these are within the limit, and others are left."""
        if self.is_sound:
            return True
        return self.problem_count == self.damaged < self.records and limit.is_kept(self.damaged, self.records)


def merge_structures(parts: Mapping[str, Structure]) -> Structure:
    """The structure of a file whose parts are these: part name → its structure, in the file's order."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    problems = (replace(problem, part=name) for name, part in parts.items() for problem in part.problems)
    return Structure(
        records=sum(part.records for part in parts.values()),
        lines=sum(part.lines for part in parts.values()),
        damaged=sum(part.damaged for part in parts.values()),
        problems=tuple(islice(problems, PROBLEMS_SHOWN)),
        problem_count=sum(part.problem_count for part in parts.values()),
        has_bom=any(part.has_bom for part in parts.values()),
        notes=tuple(dict.fromkeys(note for part in parts.values() for note in part.notes)),
        passed_over=dict(sum((Counter(part.passed_over) for part in parts.values()), Counter())),
    )
